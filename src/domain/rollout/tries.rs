//! How often a release was tried on a machine, and whether it may be tried again.

use chrono::{DateTime, Utc};

use super::last_verdict;
use crate::domain::fleet::Fleet;
use crate::domain::machine::InstallRecord;
use crate::domain::permission::open_span;
use crate::domain::release::{Kb, ReleaseId};
use crate::domain::roster::{Member, attempts};
use crate::domain::run::StepReason;
use crate::domain::run::follow::late_horizon;
use crate::domain::snapshot::Domain;
use crate::planted::{self, Bug};

/// Tells whether a person asked, after a given time, to try a machine again for a release: the
/// machine itself, or its stage.
pub fn is_retried(
    fleet: &Fleet,
    member: &Member,
    release: ReleaseId,
    since: DateTime<Utc>,
) -> bool {
    let stage = member
        .stage
        .and_then(|place| fleet.policy.stages.get(place));
    fleet
        .retries
        .iter()
        .any(|word| word.id == member.machine.id && word.at >= since)
        || stage.is_some_and(|stage| {
            fleet
                .stage_retries
                .iter()
                .any(|(word, at)| *at >= since && word.covers(release, &stage.name))
        })
}

/// Returns how often a release was tried on a machine: by its runs, or, where more of them show,
/// by the installs of these KBs that failed on it since the release. Azure shows those for 30 days
/// and does not say whose they were; so a run that was deleted counts still, and so does what
/// somebody else tried in vain. Those before a person asked for another try count no more.
pub fn tries(fleet: &Fleet, domain: &Domain, member: &Member, release: ReleaseId) -> u32 {
    let by_runs = attempts(domain, &member.machine, release);
    let shown = failed_installs(fleet, member, release).count();
    by_runs.max(u32::try_from(shown).unwrap_or(u32::MAX))
}

/// Returns the installs of what is due on a machine that failed since the release and that nobody
/// asked to try again since.
pub fn failed_installs<'a>(
    fleet: &'a Fleet,
    member: &'a Member,
    release: ReleaseId,
) -> impl Iterator<Item = &'a InstallRecord> {
    let due = member.due().filter(|due| due.release == release);
    due.into_iter().flat_map(move |due| {
        let of_release = member.machine.installs.iter().filter(move |record| {
            let names = |kb: &Kb| due.kbs.contains(kb);
            let failed = record.failed.iter().any(names)
                || (record.window_exceeded && !record.installed.iter().any(names));
            record.status.is_final() && failed && record.started.date_naive() >= release.date()
        });
        of_release.filter(move |record| !is_retried(fleet, member, release, record.modified))
    })
}

/// Tells whether no install of what is due failed since the window that is open now opened.
fn none_failed_in_this_window(fleet: &Fleet, member: &Member, now: DateTime<Utc>) -> bool {
    let stage = member
        .stage
        .and_then(|place| fleet.policy.stages.get(place));
    let Some((due, stage)) = member.due().zip(stage) else {
        return false;
    };
    let open = open_span(fleet, &stage.name, due.action, now);
    open.is_none_or(|(span, _)| {
        failed_installs(fleet, member, due.release).all(|record| record.started < span.start)
    })
}

/// Tells whether a machine may be tried for what is due on it: tries are left, and a retry waits
/// for a later window than the last one. Where a person let go of a machine of which nobody knows
/// whether the command arrived, it waits until it cannot arrive any more.
pub fn may_try(fleet: &Fleet, domain: &Domain, member: &Member, now: DateTime<Utc>) -> bool {
    let Some(due) = member.due() else {
        return false;
    };
    let has_tries = tries(fleet, domain, member, due.release) <= fleet.policy.failures.retries
        || planted::is(Bug::RetryForEver);
    let Some((run, progress)) = last_verdict(domain, member, due.release) else {
        return has_tries && none_failed_in_this_window(fleet, member, now);
    };
    let sent = progress.intent_at.unwrap_or(progress.since);
    if progress.reason == Some(StepReason::LetGo) && now < sent + late_horizon(member.machine.kind)
    {
        return false;
    }
    if is_retried(fleet, member, due.release, progress.since) {
        return true;
    }
    has_tries && progress.reason != Some(StepReason::ForeignContent) && run.terms.window.end <= now
}
