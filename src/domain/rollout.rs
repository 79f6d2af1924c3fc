//! How far a release has come in a fleet: stage after stage, proven, soaked, not halted.

mod tries;
mod verdicts;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::due::{Cause, UnplannedRule};
use super::fleet::Fleet;
use super::machine::MachineId;
use super::policy::{ApprovalRule, Stage};
use super::release::ReleaseId;
use super::roster::{Member, Roster, runs_of};
use super::run::{Run, Step, StepReason, Terms};
use super::snapshot::Domain;
use crate::planted::{self, Bug};

use self::verdicts::{has_failed, is_of_this_life, last_outcome};
pub use tries::{failed_installs, is_retried, may_try, tries};
pub use verdicts::last_verdict;

/// Where a stage of a release stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum StageState {
    /// An earlier stage is not done.
    Waiting,
    /// It may be worked on.
    Open,
    /// It is done and soaks; the next stage may begin at this time.
    Soaking {
        /// When.
        until: DateTime<Utc>,
    },
    /// Nothing is left to do, but too few machines prove it; an edit or a request helps.
    Unproven {
        /// Machines that have the release.
        succeeded: u32,
        /// Machines that must have it.
        needed: u32,
    },
    /// More machines failed than the policy bears.
    Halted {
        /// How many failed.
        failed: u32,
        /// How many may.
        max: u32,
    },
    /// Done.
    Done,
}

/// One stage of one release in one fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageProgress {
    /// The stage's name.
    pub name: String,
    /// Where it stands.
    pub state: StageState,
    /// Its eligible machines on the release's track.
    pub machines: u32,
    /// Those that have the release, proven by a record.
    pub succeeded: u32,
    /// Those on which it is due.
    pub due: u32,
    /// Those that failed and were not cured since.
    pub failed: u32,
}

impl StageProgress {
    /// Returns why nothing may be sent in this stage, if it is halted.
    pub fn halt(&self) -> Option<String> {
        match self.state {
            StageState::Halted { failed, max } => Some(format!(
                "{failed} machines failed in stage {}, {max} are allowed; \
                 send a HotpatchRequest with verb Retry once the cause is gone",
                self.name
            )),
            _ => None,
        }
    }
}

/// The progress of one release in one fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rollout {
    /// The release.
    pub release: ReleaseId,
    /// The stages, in order.
    pub stages: Vec<StageProgress>,
}

impl Rollout {
    /// Returns a stage by its name.
    pub fn stage(&self, name: &str) -> Option<&StageProgress> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// Returns why a run may send nothing more by the failures that it bears, as it froze them: a
    /// policy that bears more does not reach it.
    pub fn halt_of(&self, terms: &Terms) -> Option<String> {
        let max = terms.max_failed?;
        let counted = self
            .stages
            .iter()
            .filter(|own| terms.failed_per_release || own.name == terms.stage);
        let failed: u32 = counted.map(|own| own.failed).sum();
        (failed > max)
            .then(|| format!("{failed} machines failed, {max} were allowed when the run was made"))
    }

    /// Returns why a stage is halted, if it is.
    pub fn halt(&self, stage: &str) -> Option<String> {
        self.stage(stage).and_then(StageProgress::halt)
    }
}

/// Tells since when a machine is proven to have a release: by its record, or by a run of ours
/// that succeeded on this life of it, whichever is later, unless the release is due on it again.
/// What somebody else installed and a run of ours made effective is proven by the run.
fn proven_since(domain: &Domain, member: &Member, release: ReleaseId) -> Option<DateTime<Utc>> {
    let succeeded = runs_of(domain, &member.machine.id, release)
        .filter(|run| is_of_this_life(run, member))
        .filter_map(|run| run.progress.get(&member.machine.id))
        .filter(|progress| progress.step == Step::Succeeded)
        .map(|progress| progress.since)
        .max();
    if member.due().is_some_and(|due| due.release == release) {
        // What the inventory shows as due may be older than the look that ended the run.
        let shown = member.machine.assessment.as_ref().map(|own| own.at);
        return succeeded.filter(|since| shown.is_none_or(|shown| shown <= *since));
    }
    member.has_release_since(release).max(succeeded)
}

/// Returns how far a release has come in a fleet.
pub fn rollout(
    fleet: &Fleet,
    domain: &Domain,
    roster: &Roster,
    release: ReleaseId,
    now: DateTime<Utc>,
) -> Rollout {
    let mut earlier_done = true;
    let mut stages: Vec<StageProgress> = Vec::with_capacity(fleet.policy.stages.len());
    let all: Vec<Counted> = fleet
        .policy
        .stages
        .iter()
        .enumerate()
        .map(|(place, stage)| count(fleet, domain, roster, release, place, stage, now))
        .collect();
    let of_release = all
        .iter()
        .fold((0, 0, false), |(machines, failed, foreign), own| {
            let progress = &own.progress;
            (
                machines + progress.machines,
                failed + progress.failed,
                foreign || own.foreign,
            )
        });
    for (stage, mut counted) in fleet.policy.stages.iter().zip(all) {
        let of_stage = (
            counted.progress.machines,
            counted.progress.failed,
            counted.foreign,
        );
        let (machines, failed, foreign) = if fleet.policy.failures.per_release {
            of_release
        } else {
            of_stage
        };
        let members = machines as usize;
        let max = if foreign {
            0
        } else {
            fleet.policy.failures.max.of(members)
        };
        counted.progress.state = if failed > max {
            StageState::Halted { failed, max }
        } else if !earlier_done {
            StageState::Waiting
        } else {
            state(stage, &counted, now)
        };
        earlier_done = counted.progress.state == StageState::Done;
        stages.push(counted.progress);
    }
    Rollout { release, stages }
}

struct Counted {
    progress: StageProgress,
    triable: u32,
    engaged: u32,
    /// Whether something else was installed on a machine that counts as failed.
    foreign: bool,
    last_success: Option<DateTime<Utc>>,
}

fn count(
    fleet: &Fleet,
    domain: &Domain,
    roster: &Roster,
    release: ReleaseId,
    place: usize,
    stage: &Stage,
    now: DateTime<Utc>,
) -> Counted {
    let mut counted = Counted {
        progress: StageProgress {
            name: stage.name.clone(),
            state: StageState::Waiting,
            machines: 0,
            succeeded: 0,
            due: 0,
            failed: 0,
        },
        triable: 0,
        engaged: out_of_sight(fleet, domain, roster, release, stage),
        foreign: false,
        last_success: last_success_by_run(fleet, domain, release, stage),
    };
    let on_track =
        |member: &&Member| member.stage == Some(place) && member.os_track == Some(release.track());
    // One that failed has failed still when it was switched off since, perhaps to be looked at, and
    // when even its operating system cannot be read any more.
    let may_be_of = |member: &&Member| {
        let is_of = |own| own == release.track();
        member.stage == Some(place) && member.os_track.is_none_or(is_of)
    };
    let answerable = roster.values().filter(may_be_of);
    for member in answerable.filter(|member| member.is_accountable()) {
        if has_failed(fleet, domain, member, release) {
            counted.progress.failed += 1;
            let last = last_outcome(domain, member, release);
            counted.foreign |=
                last.is_some_and(|own| own.reason == Some(StepReason::ForeignContent));
        }
    }
    let awake = roster.values().filter(on_track);
    for member in awake.filter(|member| member.is_actionable()) {
        counted.progress.machines += 1;
        if let Some(since) = proven_since(domain, member, release) {
            counted.progress.succeeded += 1;
            counted.last_success = counted.last_success.max(Some(since));
        } else if member
            .due()
            .is_some_and(|due| due.release == release && due.cause != Cause::RebootOwed)
        {
            counted.progress.due += 1;
            // A machine that waits for its retry in a later window leaves its stage unfinished.
            let tries_left = tries(fleet, domain, member, release) <= fleet.policy.failures.retries;
            // One that is down by itself does not hold up the others; it comes when it is back.
            if !member.is_down() && (tries_left || may_try(fleet, domain, member, now)) {
                counted.triable += 1;
            }
        }
        let busy = runs_of(domain, &member.machine.id, release)
            .filter_map(|run| run.progress.get(&member.machine.id))
            .any(|progress| progress.step.is_engaged());
        counted.engaged += u32::from(busy);
    }
    counted
}

/// Returns when the last machine succeeded in the runs of a stage. What a stage proves takes its
/// time, whatever became of the machine since: that somebody left it out, switched it off or
/// deleted it cuts no soak short.
fn last_success_by_run(
    fleet: &Fleet,
    domain: &Domain,
    release: ReleaseId,
    stage: &Stage,
) -> Option<DateTime<Utc>> {
    let runs = domain.runs.values().filter(|run| {
        let of = (run.terms.release, run.terms.stage.as_str());
        run.fleet == fleet.key && of == (release, stage.name.as_str())
    });
    let progress = runs.flat_map(|run| run.progress.values());
    let succeeded = progress.filter(|own| own.step == Step::Succeeded);
    succeeded.map(|own| own.since).max()
}

/// Returns how many machines the runs of a stage command or hold that nobody can judge now: they
/// are not in the inventory any more, or something about them cannot be read. What became of them
/// is not known, so their stage is not done.
fn out_of_sight(
    fleet: &Fleet,
    domain: &Domain,
    roster: &Roster,
    release: ReleaseId,
    stage: &Stage,
) -> u32 {
    let is_of = |run: &&Run| {
        let terms = &run.terms;
        run.is_open()
            && run.fleet == fleet.key
            && (terms.release, terms.stage.as_str()) == (release, stage.name.as_str())
    };
    let is_hidden = |id: &MachineId| {
        let is_unread =
            |own: &Member| own.is_accountable() && !own.dormant && !own.blockers.is_empty();
        roster.get(id).is_none_or(is_unread)
    };
    let engaged = domain.runs.values().filter(is_of).flat_map(Run::engaged);
    engaged.filter(|(own, _)| is_hidden(&own.id)).count() as u32
}

fn state(stage: &Stage, counted: &Counted, now: DateTime<Utc>) -> StageState {
    if counted.triable > 0 || counted.engaged > 0 {
        return StageState::Open;
    }
    let succeeded = counted.progress.succeeded;
    if succeeded < stage.min_succeeded && !stage.optional {
        return StageState::Unproven {
            succeeded,
            needed: stage.min_succeeded,
        };
    }
    match counted.last_success.map(|last| last + stage.soak) {
        Some(until) if until > now && !planted::is(Bug::SkipSoak) => StageState::Soaking { until },
        _ => StageState::Done,
    }
}

/// Tells whether the word that the policy asks for was given for a stage of a release.
pub fn is_approved(fleet: &Fleet, release: ReleaseId, stage: &str, cause: Cause) -> bool {
    let unplanned = cause == Cause::Unplanned && fleet.policy.unplanned == UnplannedRule::Approve;
    let rule = match fleet.policy.approval {
        ApprovalRule::Never if unplanned => ApprovalRule::PerRelease,
        other => other,
    };
    match rule {
        ApprovalRule::Never => true,
        ApprovalRule::PerRelease => fleet
            .approvals
            .iter()
            .any(|word| word.covers(release, stage)),
        ApprovalRule::PerStage => fleet
            .approvals
            .iter()
            .any(|word| word.stage.is_some() && word.covers(release, stage)),
    }
}

#[cfg(test)]
mod tests;
