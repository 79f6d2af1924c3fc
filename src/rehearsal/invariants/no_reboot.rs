//! No reboot: a hotpatch run commands none and causes none.

use azure_sim::{CallOperation, What};

use super::{Fault, Invariant};
use crate::api::run::RunAction;
use crate::rehearsal::truth::{Cause, Sent};
use crate::rehearsal::world::World;

/// Checks that hotpatch runs reboot nothing.
pub(super) struct NoReboot;

impl Invariant for NoReboot {
    fn name(&self) -> &'static str {
        "no-reboot"
    }

    fn states(&self) -> &'static str {
        "a hotpatch run commands no reboot, and none happens because of it"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        if let Some(sent) = world.just_sent() {
            return command(world, sent);
        }
        let started = world
            .just_effect()
            .is_some_and(|effect| matches!(effect.what, What::RebootStarted { .. }));
        let Some(reboot) = world.reboots.last().filter(|_| started) else {
            return Ok(0);
        };
        if !matches!(reboot.cause, Cause::Command(_)) {
            return Ok(0);
        }
        let run = world
            .run_of_reboot(reboot)
            .and_then(|name| world.runs.get(name));
        if run.is_some_and(|run| run.spec.action == RunAction::Hotpatch) {
            let text = "no reboot by a hotpatch run";
            return Err(Fault::on(&reboot.machine, text, "a reboot"));
        }
        Ok(1)
    }
}

fn command(world: &World, sent: &Sent) -> Result<u64, Fault> {
    let Some(run) = world
        .run_of(sent)
        .filter(|run| run.spec.action == RunAction::Hotpatch)
    else {
        return Ok(0);
    };
    let harmless = sent.call.operation == CallOperation::Install
        && sent.call.reboot_setting.as_deref() == Some("Never")
        && sent.call.exclude_reboot;
    if harmless {
        return Ok(1);
    }
    let text = format!(
        "run {} to send installs with reboot Never that leave out what reboots",
        run.spec.release
    );
    let found = format!(
        "{:?} with {:?}",
        sent.call.operation, sent.call.reboot_setting
    );
    Err(Fault::on(&sent.machine, text, found))
}
