//! Evidence: what Azure accepted is never taken for something that was not sent.

use azure_sim::CallOperation;

use super::{Fault, Invariant};
use crate::api::HotpatchRun;
use crate::api::run::RunMachineStatus;
use crate::rehearsal::world::World;
use serde::Deserialize;

/// Checks what a run's log says of commands against what became of them.
pub(super) struct Evidence;

impl Invariant for Evidence {
    fn name(&self) -> &'static str {
        "evidence"
    }

    fn states(&self) -> &'static str {
        "a command that Azure accepted is never taken for one that was not sent"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        if let Some(sent) = world.just_sent().filter(|own| own.is_accepted()) {
            return arrived(world, sent);
        }
        let Some(write) = world.just_written() else {
            return Ok(0);
        };
        let (Some(before), Some(after)) = (&write.before, &write.after) else {
            return Ok(0);
        };
        if write.resource != "hotpatchruns.hotpatch.dev" {
            return Ok(0);
        }
        let (before, after) = (log(before), log(after));
        let mut checks = 0;
        for own in &before {
            let Some(request) = own.request_id.as_ref() else {
                continue;
            };
            let taken_back = after
                .iter()
                .find(|new| new.id == own.id && is_taken_back(own, new));
            let Some(new) = taken_back else {
                continue;
            };
            checks += 1;
            let accepted = world.sent.iter().find(|sent| {
                sent.is_accepted() && sent.call.client_request_id.as_ref() == Some(request)
            });
            // A Finish that ended with its reboot owed is followed by a restart.
            let follows = new.command != own.command;
            if let Some(sent) = accepted.filter(|sent| sent.is_open() || !follows) {
                let text = "what was accepted to be followed to its end";
                let found = format!("{} taken back, sent {}", own.step, sent.at);
                return Err(Fault::on(&sent.machine, text, found));
            }
        }
        Ok(checks)
    }
}

/// Tells whether a command is not waited for any more as if it had never been accepted.
fn is_taken_back(before: &RunMachineStatus, after: &RunMachineStatus) -> bool {
    let never = matches!(after.reason.as_deref(), Some("NeverArrived" | "Refused"));
    after.request_id != before.request_id || (never && after.step != before.step)
}

/// Checks that a command arrives while the log still waits for it.
fn arrived(world: &World, sent: &crate::rehearsal::truth::Sent) -> Result<u64, Fault> {
    let (Some(run), Some(request)) = (world.run_of(sent), &sent.call.client_request_id) else {
        return Ok(0);
    };
    let entries = run.status.iter().flat_map(|status| &status.machines);
    let mut own = entries.filter(|own| own.id.eq_ignore_ascii_case(&sent.machine));
    let waits = own.any(|own| own.request_id.as_ref() == Some(request));
    let is_install = sent.call.operation == CallOperation::Install;
    if waits || !is_install {
        return Ok(1);
    }
    let text = "a command to arrive while its run waits for it";
    Err(Fault::on(&sent.machine, text, "one that was given up"))
}

fn log(run: &serde_json::Value) -> Vec<RunMachineStatus> {
    let run = HotpatchRun::deserialize(run).ok();
    let status = run.and_then(|run| run.status);
    status.map(|status| status.machines).unwrap_or_default()
}
