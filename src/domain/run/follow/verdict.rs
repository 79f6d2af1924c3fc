//! The verdict on a command that ended: what it says of itself, then whether its machine serves.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Next, Sight, fail, is_another_life, no_end, our_record, skip};
use crate::domain::command::{Command, RESTART_NOTICE};
use crate::domain::due::{Action, Cause};
use crate::domain::evidence::{Answer, Outcome, Reading};
use crate::domain::machine::{Health, InstallStatus, Machine, MachineKind, RebootStatus};
use crate::domain::run::{Progress, RunMachine, Step, StepReason, Terms};
use crate::planted::{self, Bug};

/// What an Arc server that still owes its reboot is told where no script may run in it.
pub(super) const NO_RUN_COMMAND: &str = "installed, but its reboot is still owed: Azure restarts \
     no Arc server, and a script in its guest may not run; with --allow-run-commands and the role \
     of roles/hotpatch-run-command.json it would be restarted in this window";

/// Tells whether there is a way to restart a machine: Azure Resource Manager has no restart for Arc
/// servers (azure.md §2), which a script in the guest does, where the installation allows scripts.
pub(super) fn can_restart(kind: MachineKind, sight: &Sight<'_>) -> bool {
    kind != MachineKind::ArcServer || planted::pick(Bug::UnaskedScript, sight.run_commands, true)
}

pub(super) fn restarted(
    kind: MachineKind,
    progress: &Progress,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Next {
    if !outcome.status.is_final() {
        return no_end(progress, now, "how the restart ended is not known yet");
    }
    if outcome.status == InstallStatus::Failed {
        let text = outcome.error.as_deref().unwrap_or("the restart failed");
        return settle_failed(progress, now, now, StepReason::RebootOwed, text);
    }
    // The script has ended, and the guest goes down a little later.
    let notice = match kind {
        MachineKind::ArcServer => RESTART_NOTICE,
        MachineKind::AzureVm | MachineKind::AzureLocalVm => TimeDelta::zero(),
    };
    Next::Become(Progress {
        ended_at: Some(now + notice),
        ..progress.at(Step::Verifying, now, None, "restarted; settling")
    })
}

pub(super) fn judge(
    terms: &Terms,
    machine: &RunMachine,
    progress: &Progress,
    outcome: &Outcome,
    ended_at: DateTime<Utc>,
    sight: &Sight<'_>,
    now: DateTime<Utc>,
) -> Next {
    let foreign = outcome
        .installed
        .iter()
        .filter(|kb| !terms.kbs.contains(kb));
    let foreign: Vec<String> = foreign.map(ToString::to_string).collect();
    if !outcome.status.is_final() {
        return no_end(progress, now, "how the command ended is not known yet");
    }
    let failed = |why: StepReason, text: &str| {
        let disruptive = progress.command.is_some_and(|own| own.is_disruptive());
        let stands = [RebootStatus::NotNeeded, RebootStatus::Required];
        if disruptive && !stands.contains(&outcome.reboot) {
            return settle_failed(progress, ended_at, now, why, text);
        }
        fail(progress, now, why, text)
    };
    if !foreign.is_empty() {
        let text = format!("the install also put {} on the machine", foreign.join(", "));
        return failed(StepReason::ForeignContent, &text);
    }
    if !matches!(
        outcome.status,
        InstallStatus::Succeeded | InstallStatus::Warnings
    ) {
        let why = if outcome.window_exceeded {
            StepReason::OutOfTime
        } else {
            StepReason::InstallFailed
        };
        let text = outcome.error.as_deref().unwrap_or("the install failed");
        return failed(why, text);
    }
    let installed = outcome.installed.iter().any(|kb| terms.kbs.contains(kb));
    let only_a_reboot = terms.cause == Cause::RebootOwed;
    if !installed && !only_a_reboot && sight.has_release != Some(true) {
        let is_older = |intent| sight.read_at < intent;
        if progress.intent_at.is_none_or(is_older) {
            let text = "installed nothing; a newer inventory is awaited";
            return no_end(progress, now, text);
        }
        if sight.has_release.is_none() {
            let text = "installed nothing; whether it has the release is not known";
            return no_end(progress, now, text);
        }
        let text = "the install ended well and installed nothing";
        return failed(StepReason::NothingInstalled, text);
    }
    match outcome.reboot {
        RebootStatus::NotNeeded | RebootStatus::Completed => Next::Become(Progress {
            ended_at: Some(ended_at),
            ..progress.at(Step::Verifying, now, None, "installed; settling")
        }),
        RebootStatus::Required | RebootStatus::Failed => {
            owed(terms, machine.kind, progress, sight, now)
        }
        RebootStatus::Started | RebootStatus::Unknown => {
            no_end(progress, now, "installed; its reboot is awaited")
        }
    }
}

/// The command failed, and the machine may be restarting because of it: it counts as unavailable
/// until it is seen to serve, or for as long as any machine is waited for.
fn settle_failed(
    progress: &Progress,
    ended_at: DateTime<Utc>,
    now: DateTime<Utc>,
    why: StepReason,
    text: &str,
) -> Next {
    Next::Become(Progress {
        ended_at: Some(ended_at),
        ..progress.at(Step::Verifying, now, Some(why), text)
    })
}

/// A reboot is owed still. After a Finish a restart may follow, as a command with an intent of
/// its own; a hotpatch run commands no reboot, and where there is no way to restart the machine, a
/// Finish in the next window settles it.
fn owed(
    terms: &Terms,
    kind: MachineKind,
    progress: &Progress,
    sight: &Sight<'_>,
    now: DateTime<Utc>,
) -> Next {
    let tried = sight.earlier_attempts + progress.attempts;
    let follows = terms.action == Action::Baseline
        && progress.command == Some(Command::Finish)
        && tried <= sight.retries;
    if !follows || !can_restart(kind, sight) {
        let text = match follows {
            true => NO_RUN_COMMAND,
            false => "installed, but its reboot is still owed",
        };
        return fail(progress, now, StepReason::RebootOwed, text);
    }
    Next::Become(Progress {
        command: Some(Command::Restart),
        request: None,
        intent_at: None,
        operation: None,
        ended_at: None,
        ..progress.at(
            Step::Planned,
            now,
            Some(StepReason::RebootOwed),
            "its reboot is owed",
        )
    })
}

pub(super) fn settled_after(
    reading: &Reading,
    machine: Option<&Machine>,
    intent: Option<DateTime<Utc>>,
) -> bool {
    reading.health == Health::Healthy
        && reading.busy.is_none()
        && matches!((reading.reboot_word(machine), intent),
            (Some(word), Some(intent)) if !word.pending && word.at >= intent)
}

/// Says what shows that a machine does not serve, or that nobody knows whether it does.
fn not_serving(reading: &Reading, sight: &Sight<'_>) -> Option<String> {
    match &reading.health {
        Health::Healthy => {}
        Health::Unhealthy(why) => return Some(format!("not healthy again: {why}")),
        Health::Unknown(why) => return Some(format!("its health is not known: {why}")),
    }
    // Resource Health is not in the reading, only in the inventory.
    if let Some(Health::Unhealthy(why) | Health::Unknown(why)) =
        sight.machine.map(|seen| &seen.health)
    {
        return Some(format!("not healthy by the inventory: {why}"));
    }
    let operation = reading.busy.as_ref()?;
    Some(format!("an operation is on it: {operation}"))
}

/// Returns when a command ended: as its record says or as it was found, whichever is earlier.
fn ended_at(machine: &RunMachine, progress: &Progress, sight: &Sight<'_>) -> DateTime<Utc> {
    let found = progress.ended_at.unwrap_or(progress.since);
    let recorded = sight
        .machine
        .filter(|_| !is_another_life(machine, sight))
        .and_then(|seen| our_record(progress, seen))
        .filter(|record| record.status.is_final())
        .map(|record| record.modified);
    recorded.map_or(found, |own| own.min(found))
}

pub(super) fn verifying(
    terms: &Terms,
    machine: &RunMachine,
    progress: &Progress,
    sight: &Sight<'_>,
    now: DateTime<Utc>,
) -> Next {
    let ended = ended_at(machine, progress, sight);
    let late = now - ended >= terms.health.unknown_after;
    // The verdict stands already; it is only waited until the machine serves.
    let failure = progress
        .reason
        .clone()
        .filter(|_| progress.step == Step::Verifying);
    let hold = |text: &str| {
        match &failure {
            // From here on its own health counts, as that of any machine.
            Some(why) if late => fail(progress, now, why.clone(), &progress.message),
            None if late => {
                let why = Some(StepReason::NotHealthy);
                Next::Become(progress.at(Step::Unknown, now, why, text))
            }
            _ => Next::Stay(text.to_owned()),
        }
    };
    // Nothing is asked of a machine for a run that is deleted: that it serves is enough.
    let unjudged = |text: &str| {
        if sight.deleted_at.is_none() {
            return hold(text);
        }
        let text =
            format!("its command ended and it serves; not judged, its run is deleted: {text}");
        skip(progress, now, StepReason::Aborted, &text)
    };
    let Some(Answer::Reading(reading)) = sight.answer else {
        return hold("it settles before it is judged");
    };
    if now - ended < terms.health.settle {
        return Next::Stay("it settles before it is judged".to_owned());
    }
    if reading.incarnation != machine.incarnation {
        let text = "another machine bears its resource id now";
        return skip(progress, now, StepReason::Recreated, text);
    }
    if let Some(why) = not_serving(reading, sight) {
        return hold(&why);
    }
    if let Some(why) = failure {
        return fail(progress, now, why, &progress.message);
    }
    match reading.reboot_word(sight.machine) {
        Some(word) if word.at < ended => unjudged("no assessment since the command ended"),
        None => unjudged("whether it still owes a reboot is not known"),
        Some(word) if word.pending => owed(terms, machine.kind, progress, sight, now),
        Some(_) => {
            let text = match terms.action {
                Action::Hotpatch => "hotpatched, healthy, no reboot",
                Action::Baseline => "installed, rebooted if it had to, healthy",
            };
            Next::Become(progress.at(Step::Succeeded, now, None, text))
        }
    }
}
