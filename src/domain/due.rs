//! What a machine needs now: nothing, one pinned install, or to wait for a named reason.
//!
//! Holds the verdict per machine, from its track, the rules of its policy and what it is offered.
//! Must never let something be due that rests on a missing fact: losing any fact turns what is due
//! into a wait, never the other way. Whether a window is open and a budget free is decided later.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::machine::{Machine, RebootBehavior};
use super::release::{Catalogue, Kb, Release, ReleaseId, ReleaseKind, StandardKind};
use super::track::evidence::{Evidence, Freshness, Offer, Reboot};
use super::track::{Doubt, OffTrackCause, Track};

#[cfg(test)]
mod tests;
mod wait;

pub use wait::{Wait, WaitReason};

/// What happens to a machine whose baseline is no longer offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum LateBaseline {
    /// It waits for a person. The baseline itself is still installed for as long as it is offered.
    Hold,
    /// It gets the latest cumulative update instead.
    LatestCumulative,
}

/// What happens to a machine off the track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OffTrackRule {
    /// It gets the standard update, with its reboot, in the next window.
    NextWindow,
    /// It waits for the next baseline.
    UntilBaseline,
}

/// What happens when a month that was planned as hotpatch turns out to be a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum UnplannedRule {
    /// It is treated like a planned one. Also given where somebody approved the release.
    NextWindow,
    /// It waits for an approval.
    Approve,
}

/// Who installs hotpatches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Installer {
    /// This operator.
    Operator,
    /// The Azure platform; baselines remain the operator's.
    Platform,
}

/// What the policy and the fleet say about what is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DueRules {
    /// Days from a publication until a machine without it is overdue.
    pub deadline_days: u32,
    /// For baselines that are no longer offered.
    pub late_baseline: LateBaseline,
    /// For machines off the track.
    pub off_track: OffTrackRule,
    /// For unplanned baselines.
    pub unplanned: UnplannedRule,
    /// Who installs hotpatches.
    pub installer: Installer,
}

/// What is done to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Action {
    /// Installs without a reboot: one Stage.
    Hotpatch,
    /// Installs with a reboot, or settles one that is owed: Stage and Finish, in a window.
    Baseline,
}

impl Action {
    /// Tells whether the action may take the machine down.
    pub fn is_disruptive(self) -> bool {
        self == Self::Baseline
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Cause {
    /// The calendar planned it.
    Planned,
    /// A baseline in a month planned as hotpatch.
    Unplanned,
    /// A baseline that was missed: itself, or what replaced it.
    LateBaseline,
    /// The machine is off the track and gets the standard update.
    OffTrack,
    /// An earlier install waits for its reboot.
    RebootOwed,
    /// A hotpatch out of band.
    OutOfBand,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a machine needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// The release it brings the machine to.
    pub release: ReleaseId,
    /// What is done.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// The KBs that may be installed, and no others; never empty.
    pub kbs: BTreeSet<Kb>,
    /// The last day of publication that may be installed (`maxPatchPublishDate`).
    pub published_until: NaiveDate,
    /// From when the machine is overdue.
    pub deadline: DateTime<Utc>,
}

/// What shows that a machine is current.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum CurrentBy {
    /// An install record.
    Record,
    /// An assessment that offers nothing of the track.
    Assessment,
}

/// The verdict on a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// It has the latest release.
    Current {
        /// The release.
        release: ReleaseId,
        /// The time of the evidence.
        since: Option<DateTime<Utc>>,
        /// What shows it.
        evidence: CurrentBy,
    },
    /// It needs something.
    Due(Due),
    /// It waits.
    Wait(Wait),
}

/// Says what a machine needs at `now`.
///
/// `track` is that of [`track`](super::track::track) for the same machine and instant. Where an
/// unplanned baseline needs an approval and has one, the caller passes
/// [`UnplannedRule::NextWindow`].
///
/// Something is due only where a fresh assessment, newer than the release, offers it: the install
/// is pinned to what was seen there. In a hotpatch month nothing is due as a hotpatch that is not
/// offered as `NeverReboots`, whatever the catalogue says.
pub fn verdict(
    machine: &Machine,
    track: &Track,
    rules: &DueRules,
    catalogue: &Catalogue,
    now: DateTime<Utc>,
) -> Verdict {
    let evidence = Evidence::gather(machine, catalogue, now);
    let judge = evidence.map(|evidence| Judge { evidence, rules });
    match (track, judge) {
        (Track::Ineligible(blockers), _) => Wait::ineligible(blockers).into(),
        (Track::NotEnrolled { pending }, _) => Wait::not_enrolled(pending.as_ref()).into(),
        (Track::Regressed(what), _) => Wait::new(WaitReason::Regressed, what.to_string()).into(),
        (Track::Unknown(doubt), None) => Wait::in_doubt(doubt).into(),
        (_, None) => Wait::in_doubt(&Doubt::NoRelease).into(),
        (Track::Unknown(doubt), Some(judge)) => judge.in_doubt(doubt),
        (Track::RebootOwed { kb, .. }, Some(judge)) => judge.reboot_owed(*kb),
        (Track::OnTrack { .. } | Track::BaselineDue { .. }, Some(judge)) => judge.on_track(),
        (Track::OffTrack { cause, .. }, Some(judge)) => judge.off_track(*cause),
    }
}

struct Judge<'a> {
    evidence: Evidence<'a>,
    rules: &'a DueRules,
}

impl Judge<'_> {
    fn current_by_record(&self) -> Option<Verdict> {
        let record = self.evidence.release_record()?;
        Some(Verdict::Current {
            release: self.evidence.release.id,
            since: Some(record.modified),
            evidence: CurrentBy::Record,
        })
    }

    fn wait(&self, reason: WaitReason, message: impl Into<String>) -> Verdict {
        let wait = Wait::new(reason, message);
        let assess = reason.assessing_may_help() && self.evidence.assessing_helps();
        Verdict::Wait(Wait { assess, ..wait })
    }

    /// A record of the release outweighs a poor assessment or a build, and nothing else.
    fn in_doubt(&self, doubt: &Doubt) -> Verdict {
        let outweighed = matches!(
            doubt,
            Doubt::NoAssessment
                | Doubt::AssessmentFromFuture
                | Doubt::AssessmentOlderThanRelease
                | Doubt::AssessmentStale
                | Doubt::OffersUnclear(_)
                | Doubt::BuildAhead
        );
        let current = self.current_by_record().filter(|_| outweighed);
        let Wait {
            reason, message, ..
        } = Wait::in_doubt(doubt);
        current.unwrap_or_else(|| self.wait(reason, message))
    }

    fn on_track(&self) -> Verdict {
        if let Some(current) = self.current_by_record() {
            return current;
        }
        let Freshness::Fresh(assessment) = self.evidence.freshness() else {
            return self.wait(
                WaitReason::AssessmentStale,
                "its assessment is not newer than the release and 48 hours",
            );
        };
        let release = &self.evidence.release;
        match self.evidence.offer(assessment) {
            Offer::Nothing => self.current_by_assessment(assessment.at),
            Offer::Release { kb, .. } if release.is_baseline() => self.baseline(kb),
            Offer::Release { kb, reboot } => self.hotpatch(kb, reboot),
            Offer::InDoubt { kb } => self.unplanned(kb),
            Offer::Baseline { kb } => {
                let baseline = &self.evidence.baseline;
                self.due(baseline, Action::Baseline, Cause::LateBaseline, kb)
            }
            Offer::Standard { kb, .. } => self.would_leave(kb),
            Offer::Newer { kb } => self.superseded(kb),
            Offer::Unclear { kb } => self.unclear(kb),
        }
    }

    fn current_by_assessment(&self, at: DateTime<Utc>) -> Verdict {
        Verdict::Current {
            release: self.evidence.release.id,
            since: Some(at),
            evidence: CurrentBy::Assessment,
        }
    }

    fn baseline(&self, kb: Kb) -> Verdict {
        let release = &self.evidence.release;
        match release.effective_kind() {
            ReleaseKind::UnplannedBaseline => self.unplanned(kb),
            _ => self.due(release, Action::Baseline, Cause::Planned, kb),
        }
    }

    fn unplanned(&self, kb: Kb) -> Verdict {
        match self.rules.unplanned {
            UnplannedRule::NextWindow => {
                let release = &self.evidence.release;
                self.due(release, Action::Baseline, Cause::Unplanned, kb)
            }
            UnplannedRule::Approve => self.wait(
                WaitReason::UnplannedBaseline,
                format!(
                    "{kb} is a baseline that was not planned; approve {}",
                    self.release()
                ),
            ),
        }
    }

    /// A hotpatch must be offered as NeverReboots. That some report CanRequestReboot is an
    /// assumption about Azure that is not made here (design §7): the install would be dropped by
    /// `excludeKbsRequiringReboot` anyway.
    fn hotpatch(&self, kb: Kb, reboot: RebootBehavior) -> Verdict {
        if reboot != RebootBehavior::Never {
            return self.wait(
                WaitReason::HotpatchMayReboot,
                format!("{kb} is a hotpatch, and Azure does not say that it never reboots"),
            );
        }
        if self.rules.installer == Installer::Platform {
            return self.wait(
                WaitReason::PlatformInstalls,
                format!("{kb} is installed by the Azure platform in the machine's off-peak hours"),
            );
        }
        let release = &self.evidence.release;
        let cause = match release.effective_kind() {
            ReleaseKind::OobHotpatch => Cause::OutOfBand,
            _ => Cause::Planned,
        };
        self.due(release, Action::Hotpatch, cause, kb)
    }

    fn off_track(&self, cause: OffTrackCause) -> Verdict {
        if let Some(current) = self.current_by_record() {
            return current;
        }
        let Freshness::Fresh(assessment) = self.evidence.freshness() else {
            return self.wait(
                WaitReason::AssessmentStale,
                "its assessment is not newer than the release and 48 hours",
            );
        };
        match self.evidence.offer(assessment) {
            Offer::Nothing => self.current_by_assessment(assessment.at),
            Offer::Standard {
                kb,
                kind,
                date,
                listed,
            } => self.standard(cause, kb, kind, date, listed),
            Offer::InDoubt { kb } => self.standard(
                cause,
                kb,
                StandardKind::Monthly,
                self.evidence.release.date,
                false,
            ),
            Offer::Newer { kb } => self.superseded(kb),
            Offer::Release { kb, .. } | Offer::Baseline { kb } | Offer::Unclear { kb } => {
                self.unclear(kb)
            }
        }
    }

    /// The standard update, with its reboot. Every rule that may apply must allow it: where no
    /// record proves why the machine is off the track, both that for machines off it and that for
    /// missed baselines; where the update was only concluded, that for unplanned baselines too.
    fn standard(
        &self,
        cause: OffTrackCause,
        kb: Kb,
        kind: StandardKind,
        date: NaiveDate,
        listed: bool,
    ) -> Verdict {
        let (off_rule, late_rule) = match cause {
            OffTrackCause::StandardUpdate(_) | OffTrackCause::Unexplained => (true, false),
            OffTrackCause::MissedBaseline => (false, true),
            OffTrackCause::Unproven if kind == StandardKind::OutOfBand => {
                return self.would_leave(kb);
            }
            OffTrackCause::Unproven => (true, true),
        };
        if off_rule && self.rules.off_track == OffTrackRule::UntilBaseline {
            return self.wait(
                WaitReason::UntilBaseline,
                format!("the machine is off the track and waits for the next baseline, not {kb}"),
            );
        }
        if late_rule && self.rules.late_baseline == LateBaseline::Hold {
            return self.wait(
                WaitReason::LateBaselineHeld,
                format!("the baseline was missed, and {kb} would replace it; the policy holds"),
            );
        }
        if !listed && self.rules.unplanned == UnplannedRule::Approve {
            return self.wait(
                WaitReason::UnplannedBaseline,
                format!(
                    "{kb} reboots in a hotpatch month; approve {}",
                    self.release()
                ),
            );
        }
        let (cause, deadline_of) = match cause {
            OffTrackCause::MissedBaseline => (Cause::LateBaseline, &self.evidence.baseline),
            _ => (Cause::OffTrack, &self.evidence.release),
        };
        let release = &self.evidence.release;
        let mut due = self.made(release, Action::Baseline, cause, kb);
        due.deadline = deadline_of.overdue_at(self.rules.deadline_days);
        due.published_until = date.max(release.date);
        Verdict::Due(due)
    }

    /// A reboot that is owed comes first, and is due only where a fresh assessment newer than the
    /// install says that it is still pending: somebody may have rebooted the machine since.
    fn reboot_owed(&self, kb: Option<Kb>) -> Verdict {
        let evidence = &self.evidence;
        let confirmed = match evidence.reboot() {
            Reboot::Owed { confirmed, .. } => confirmed,
            Reboot::Settled | Reboot::Unclear => None,
        };
        let fresh = confirmed.filter(|at| evidence.now - *at <= super::track::ASSESSMENT_MAX);
        if fresh.is_none() {
            let wait = Wait::new(
                WaitReason::RebootUnconfirmed,
                "a reboot is owed, and no assessment since shows that it is still pending",
            );
            return Verdict::Wait(Wait {
                assess: true,
                ..wait
            });
        }
        let Some(kb) = kb.or_else(|| self.installed_kb()) else {
            return self.wait(
                WaitReason::RebootWithoutKb,
                "the guest waits for a reboot, and no update is known to which a command could \
                 be pinned; restart it in a window",
            );
        };
        let release = &evidence.release;
        self.due(release, Action::Baseline, Cause::RebootOwed, kb)
    }

    /// A KB that is on the machine by record or is not offered to it, so that an install pinned
    /// to it installs nothing and only settles the reboot.
    fn installed_kb(&self) -> Option<Kb> {
        let evidence = &self.evidence;
        let assessment = evidence.machine.assessment.as_ref()?;
        let recorded = evidence
            .machine
            .installs
            .iter()
            .flat_map(|r| r.installed.iter().copied());
        let known = [
            evidence.baseline.effective_kb(),
            evidence.release.effective_kb(),
        ];
        let published = evidence.release.published_at() <= assessment.at;
        let known = known.into_iter().flatten().filter(|_| published);
        recorded.chain(known).find(|kb| !assessment.offers(kb))
    }

    fn due(&self, release: &Release, action: Action, cause: Cause, kb: Kb) -> Verdict {
        Verdict::Due(self.made(release, action, cause, kb))
    }

    fn made(&self, release: &Release, action: Action, cause: Cause, kb: Kb) -> Due {
        let stacks = match self.evidence.freshness() {
            Freshness::Fresh(assessment) if cause != Cause::RebootOwed => {
                self.evidence.servicing_stacks(assessment).collect()
            }
            _ => BTreeSet::new(),
        };
        Due {
            release: release.id,
            action,
            cause,
            kbs: stacks.into_iter().chain([kb]).collect(),
            published_until: release.date,
            deadline: release.overdue_at(self.rules.deadline_days),
        }
    }

    fn would_leave(&self, kb: Kb) -> Verdict {
        self.wait(
            WaitReason::WouldLeaveTrack,
            format!("{kb} is offered, and installing it would take the machine off the track"),
        )
    }

    fn superseded(&self, kb: Kb) -> Verdict {
        self.wait(
            WaitReason::Superseded,
            format!(
                "{kb} is offered and newer than {}; add it to the catalogue",
                self.release()
            ),
        )
    }

    fn unclear(&self, kb: Kb) -> Verdict {
        self.wait(
            WaitReason::ReleaseNotOffered,
            format!(
                "{} is not offered, but {kb} is, of which nothing is known",
                self.release()
            ),
        )
    }

    fn release(&self) -> ReleaseId {
        self.evidence.release.id
    }
}
