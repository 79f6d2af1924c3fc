//! What runs say of a machine last: whether it failed, and on which life of it.

use super::is_retried;
use crate::domain::due::Verdict;
use crate::domain::fleet::Fleet;
use crate::domain::release::ReleaseId;
use crate::domain::roster::{Member, runs_of};
use crate::domain::run::{Progress, Run, Step, StepReason};
use crate::domain::snapshot::Domain;

/// Returns the last word of ended or held runs on a machine and a release.
pub fn last_verdict<'a>(
    domain: &'a Domain,
    member: &Member,
    release: ReleaseId,
) -> Option<(&'a Run, &'a Progress)> {
    last_of(domain, member, release, |progress| {
        let passed_over = matches!(
            progress.reason,
            Some(StepReason::Refused | StepReason::NeverArrived | StepReason::ForeignRun)
        );
        passed_over || tells(progress)
    })
}

/// Tells whether what a run says of a machine tells how a command on it ended.
fn tells(progress: &Progress) -> bool {
    progress.attempts > 0 || progress.step == Step::Failed
}

fn last_of<'a>(
    domain: &'a Domain,
    member: &Member,
    release: ReleaseId,
    counts: impl Fn(&Progress) -> bool,
) -> Option<(&'a Run, &'a Progress)> {
    runs_of(domain, &member.machine.id, release)
        .filter(|run| is_of_this_life(run, member))
        .filter_map(|run| Some((run, run.progress.get(&member.machine.id)?)))
        .filter(|(_, progress)| counts(progress))
        .max_by_key(|(run, progress)| (progress.since, run.terms.ordinal))
}

/// Returns the last word on a machine that tells whether it failed. That Azure refused a command,
/// or that it never arrived, undoes no failure before it.
pub(super) fn last_outcome<'a>(
    domain: &'a Domain,
    member: &Member,
    release: ReleaseId,
) -> Option<&'a Progress> {
    last_of(domain, member, release, tells).map(|(_, progress)| progress)
}

/// Tells whether a machine counts as failed: its last word is a failure or a hold, it does not
/// have the release, and nobody asked to try it again since.
pub(super) fn has_failed(
    fleet: &Fleet,
    domain: &Domain,
    member: &Member,
    release: ReleaseId,
) -> bool {
    if matches!(&member.verdict, Verdict::Current { release: own, .. } if *own == release) {
        return false;
    }
    let Some(progress) = last_outcome(domain, member, release) else {
        return false;
    };
    let held_sick =
        progress.step == Step::Unknown && progress.reason != Some(StepReason::OutcomeUnknown);
    // One whose command failed and that may be restarting is told so only once it serves.
    let settles = progress.step == Step::Verifying && progress.reason.is_some();
    (progress.step == Step::Failed || held_sick || settles)
        && !is_retried(fleet, member, release, progress.since)
}

pub(super) fn is_of_this_life(run: &Run, member: &Member) -> bool {
    let named = run.terms.machines.get(&member.machine.id);
    named.is_some_and(|own| own.incarnation == member.machine.incarnation)
}
