//! One fleet as its machines stand, each judged once for counts, conditions and sentences.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::FleetInput;
use super::hindrance::{WaitsFor, waits_for};
use crate::api::fleet::{
    FleetCounts, MAX_INELIGIBLE_REASONS, MAX_TRACKS, MAX_UPCOMING, TrackRelease, UpcomingRun,
};
use crate::domain::calendar::published_at;
use crate::domain::due::{Action, Cause, Verdict, WaitReason};
use crate::domain::enrolment::{Enrolled, enrolled};
use crate::domain::fleet::{Fleet, Mode};
use crate::domain::machine::MachineId;
use crate::domain::permission::{next_span, open_span};
use crate::domain::plan::{Note, Outlook};
use crate::domain::release::{OsTrack, ReleaseId};
use crate::domain::rollout::{StageState, is_retried, last_verdict};
use crate::domain::roster::{Member, attempts};
use crate::domain::run::{Step, is_held};
use crate::domain::track::Track;

/// The name under which reasons beyond the bound are counted.
const OTHER_REASONS: &str = "Other";

/// One machine of the fleet, judged for the status.
pub(super) struct Judged<'a> {
    pub(super) member: &'a Member,
    pub(super) note: Option<&'a Note>,
    /// The release that it lacks, and from when it is overdue.
    pub(super) lacks: Option<(ReleaseId, DateTime<Utc>)>,
    /// Whether it can be hotpatched as far as known.
    pub(super) eligible: bool,
    /// Whether its patch state cannot be told.
    pub(super) unknown: bool,
    pub(super) enrolled: bool,
    /// Its step in an open run that is not done with it.
    pub(super) step: Option<&'a Step>,
    /// Whether its last attempt failed and nobody asked for another since.
    pub(super) failed: bool,
    /// Whether it lacks a release and waits for somebody.
    pub(super) blocked: bool,
}

impl Judged<'_> {
    pub(super) fn reason(&self) -> &str {
        self.note.map_or("", |note| note.reason.as_str())
    }

    pub(super) fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.lacks.is_some_and(|(_, deadline)| now >= deadline)
    }

    pub(super) fn owes_only_reboot(&self) -> bool {
        self.member
            .due()
            .is_some_and(|due| due.cause == Cause::RebootOwed)
    }
}

/// A fleet that could be planned for.
pub(super) struct Picture<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) outlook: &'a Outlook,
    pub(super) machines: Vec<Judged<'a>>,
    pub(super) now: DateTime<Utc>,
}

impl<'a> Picture<'a> {
    /// Judges every machine; none where the fleet or its machines cannot be understood.
    pub(super) fn of(input: &FleetInput<'a>, now: DateTime<Utc>) -> Option<Self> {
        let fleet = input.view.fleet.as_ref().ok()?;
        let outlook = input.outlook?;
        let latest = latest_releases(outlook);
        let mut steps: BTreeMap<&MachineId, &'a Step> = BTreeMap::new();
        for run in input.domain.runs.values().filter(|run| run.is_open()) {
            let open = run.progress.iter().filter(|(_, own)| !own.step.is_final());
            steps.extend(open.map(|(id, own)| (id, &own.step)));
        }
        let machines = outlook
            .roster
            .iter()
            .map(|(id, member)| {
                judge(
                    input,
                    fleet,
                    outlook,
                    member,
                    &latest,
                    steps.get(id).copied(),
                )
            })
            .collect();
        Some(Self {
            fleet,
            outlook,
            machines,
            now,
        })
    }

    pub(super) fn eligible(&self) -> impl Iterator<Item = &Judged<'a>> {
        self.machines.iter().filter(|own| own.eligible)
    }

    /// Returns the machines on which something is due that the fleet may act on.
    pub(super) fn due(&self) -> impl Iterator<Item = &Judged<'a>> {
        self.machines
            .iter()
            .filter(|own| own.member.due().is_some() && own.member.is_actionable())
    }

    pub(super) fn counts(&self) -> FleetCounts {
        let all = |test: &dyn Fn(&Judged<'a>) -> bool| {
            let found = self.machines.iter().filter(|own| test(own)).count();
            u32::try_from(found).unwrap_or(u32::MAX)
        };
        FleetCounts {
            machines: all(&|_| true),
            eligible: all(&|own| own.eligible),
            ineligible: all(&|own| {
                own.member
                    .blockers
                    .iter()
                    .any(|blocker| !blocker.reason.is_unknown())
            }),
            enrolled: all(&|own| own.enrolled),
            current: all(&|own| matches!(own.member.verdict, Verdict::Current { .. })),
            due: all(&|own| own.lacks.is_some()),
            overdue: all(&|own| own.is_overdue(self.now)),
            reboot_owed: all(&|own| matches!(own.member.track, Track::RebootOwed { .. })),
            off_track: all(&|own| matches!(own.member.track, Track::OffTrack { .. })),
            unavailable: all(&|own| own.member.is_down() || own.step.is_some_and(Step::is_engaged)),
            dormant: all(&|own| own.member.dormant),
            unknown: all(&|own| own.unknown),
            blocked: all(&|own| own.blocked),
            in_progress: all(&|own| own.step.is_some()),
            failed: all(&|own| own.failed),
            excluded: all(&|own| own.member.excluded.is_some()),
        }
    }

    pub(super) fn ineligible_reasons(&self) -> BTreeMap<String, u32> {
        let mut counted: BTreeMap<String, u32> = BTreeMap::new();
        for machine in &self.machines {
            let reasons: BTreeSet<String> = machine
                .member
                .blockers
                .iter()
                .map(|own| own.reason.to_string())
                .collect();
            for reason in reasons {
                *counted.entry(reason).or_default() += 1;
            }
        }
        bound_reasons(counted, MAX_INELIGIBLE_REASONS as usize)
    }

    pub(super) fn releases(&self) -> Vec<TrackRelease> {
        latest_releases(self.outlook)
            .into_iter()
            .take(MAX_TRACKS as usize)
            .map(|(track, release)| self.release(track, release))
            .collect()
    }

    fn release(&self, track: OsTrack, release: ReleaseId) -> TrackRelease {
        let on_track = || {
            self.machines
                .iter()
                .filter(move |own| own.member.os_track == Some(track))
        };
        let current = on_track().filter(|own| {
            matches!(own.member.verdict, Verdict::Current { release: own, .. } if own == release)
        });
        let baseline = on_track().filter_map(|own| match own.member.track {
            Track::OnTrack { baseline } => Some(baseline),
            Track::BaselineDue { release } => Some(release),
            _ => None,
        });
        let count = |found: usize| u32::try_from(found).unwrap_or(u32::MAX);
        TrackRelease {
            track: track.to_string(),
            release: release.to_string(),
            baseline: baseline.max().map(|own| own.to_string()),
            machines: count(on_track().count()),
            current: count(current.count()),
            deadline: Some(overdue_at(self.fleet, release).date_naive()),
        }
    }

    /// Returns the runs that are foreseen: one for each release and stage with machines to do.
    pub(super) fn upcoming(&self) -> Vec<UpcomingRun> {
        if self.fleet.mode != Mode::Enforce || self.fleet.suspended {
            return Vec::new();
        }
        let mut groups: BTreeMap<(usize, ReleaseId, Action), u32> = BTreeMap::new();
        for own in self.due().filter(|own| own.step.is_none() && !own.blocked) {
            if let (Some(due), Some(stage)) = (own.member.due(), own.member.stage) {
                *groups.entry((stage, due.release, due.action)).or_default() += 1;
            }
        }
        let mut runs: Vec<UpcomingRun> = groups
            .into_iter()
            .filter_map(|((stage, release, action), machines)| {
                let stage = self.fleet.policy.stages.get(stage)?;
                Some(UpcomingRun {
                    release: release.to_string(),
                    stage: stage.name.clone(),
                    machines,
                    not_before: self.opens(release, &stage.name, action),
                })
            })
            .collect();
        runs.sort_by_key(|run| run.not_before);
        runs.truncate(MAX_UPCOMING as usize);
        runs
    }

    /// Returns the stage before `stage` that soaks, and until when.
    pub(super) fn soak_before(
        &self,
        release: ReleaseId,
        stage: &str,
    ) -> Option<(&'a str, DateTime<Utc>)> {
        let stages = &self.outlook.rollouts.get(&release)?.stages;
        stages
            .iter()
            .take_while(|own| own.name != stage)
            .find_map(|own| match own.state {
                StageState::Soaking { until } => Some((own.name.as_str(), until)),
                _ => None,
            })
    }

    /// Returns from when an action may be done in a stage, by soak and windows; none where it may
    /// at any time, or where no window opens.
    pub(super) fn opens(
        &self,
        release: ReleaseId,
        stage: &str,
        action: Action,
    ) -> Option<DateTime<Utc>> {
        let soak = self.soak_before(release, stage).map(|(_, until)| until);
        if !super::windows::needs_window(self.fleet, action) {
            return soak;
        }
        let from = soak.unwrap_or(self.now);
        let (span, _) = open_span(self.fleet, stage, action, from)
            .or_else(|| next_span(self.fleet, stage, from))?;
        Some(soak.map_or(span.start, |until| span.start.max(until)))
    }
}

/// Returns the newest release of each track that concerns the fleet.
pub(super) fn latest_releases(outlook: &Outlook) -> BTreeMap<OsTrack, ReleaseId> {
    let mut latest: BTreeMap<OsTrack, ReleaseId> = BTreeMap::new();
    for id in outlook.rollouts.keys() {
        let own = latest.entry(id.track()).or_insert(*id);
        *own = (*own).max(*id);
    }
    latest
}

fn overdue_at(fleet: &Fleet, release: ReleaseId) -> DateTime<Utc> {
    let days = chrono::TimeDelta::days(i64::from(fleet.policy.deadline_days));
    published_at(release.date())
        .checked_add_signed(days)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Reasons to wait that show that the newest release is missing.
const LACKING: [WaitReason; 7] = [
    WaitReason::HotpatchMayReboot,
    WaitReason::PlatformInstalls,
    WaitReason::UnplannedBaseline,
    WaitReason::LateBaselineHeld,
    WaitReason::UntilBaseline,
    WaitReason::WouldLeaveTrack,
    WaitReason::RebootWithoutKb,
];

fn judge<'a>(
    input: &FleetInput<'a>,
    fleet: &Fleet,
    outlook: &'a Outlook,
    member: &'a Member,
    latest: &BTreeMap<OsTrack, ReleaseId>,
    step: Option<&'a Step>,
) -> Judged<'a> {
    let note = outlook.notes.get(&member.machine.id);
    let newest = member
        .os_track
        .and_then(|track| latest.get(&track))
        .copied();
    let lacks = match &member.verdict {
        Verdict::Due(due) => Some((due.release, due.deadline)),
        Verdict::Wait(wait) if LACKING.contains(&wait.reason) => {
            newest.map(|release| (release, overdue_at(fleet, release)))
        }
        Verdict::Wait(_) | Verdict::Current { .. } => None,
    };
    let definite = member
        .blockers
        .iter()
        .any(|blocker| !blocker.reason.is_unknown());
    let doubtful = matches!(member.track, Track::Unknown(_))
        && !matches!(member.verdict, Verdict::Current { .. } | Verdict::Due(_));
    let failure = member.due().and_then(|due| {
        let (_, progress) = last_verdict(input.domain, member, due.release)?;
        let failed = progress.step == Step::Failed
            && !is_retried(fleet, member, due.release, progress.since);
        failed.then_some(due.release)
    });
    let retries = failure.is_some_and(|release| {
        attempts(input.domain, &member.machine, release) <= fleet.policy.failures.retries
    });
    let reason = note.map_or("", |note| note.reason.as_str());
    // A try that is left comes in a later window by itself.
    let waits = waits_for(reason) != WaitsFor::Nobody && !(reason == "AwaitsRetry" && retries);
    let in_reach = member.excluded.is_none() && !member.dormant && member.owner.is_none();
    let held = step.is_some_and(is_held);
    Judged {
        member,
        note,
        lacks,
        eligible: member.blockers.is_empty(),
        unknown: !definite && (doubtful || !member.blockers.is_empty()),
        enrolled: member.blockers.is_empty() && enrolled(&member.machine) == Enrolled::Yes,
        step,
        failed: failure.is_some(),
        blocked: held || (lacks.is_some() && in_reach && waits),
    }
}

/// Keeps the `max - 1` most frequent reasons apart and counts the others together.
fn bound_reasons(counted: BTreeMap<String, u32>, max: usize) -> BTreeMap<String, u32> {
    if counted.len() <= max {
        return counted;
    }
    let mut sorted: Vec<(String, u32)> = counted.into_iter().collect();
    sorted.sort_by(|(a, x), (b, y)| (y, a).cmp(&(x, b)));
    let rest = sorted.split_off(max.saturating_sub(1));
    let mut kept: BTreeMap<String, u32> = sorted.into_iter().collect();
    kept.insert(
        OTHER_REASONS.to_owned(),
        rest.iter().map(|(_, count)| count).sum(),
    );
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_reasons_are_counted_together() {
        let counted: BTreeMap<String, u32> =
            (1..=5).map(|count| (format!("R{count}"), count)).collect();
        let bounded = bound_reasons(counted.clone(), 3);
        let expected = [("Other", 6), ("R4", 4), ("R5", 5)];
        let expected: BTreeMap<String, u32> = expected
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        assert_eq!(bounded, expected);
        assert_eq!(bound_reasons(counted.clone(), 5), counted);
    }
}
