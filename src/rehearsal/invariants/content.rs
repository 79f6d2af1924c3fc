//! Pinned: commands go to the machine that was planned for and install what the run allows.

use azure_sim::{Actor, What};

use super::{Fault, Invariant};
use crate::azure::RESTART_SCRIPT;
use crate::rehearsal::truth::{Sent, is_look, request_of};
use crate::rehearsal::world::World;

/// Checks incarnations and KBs.
pub(super) struct Pinned;

impl Invariant for Pinned {
    fn name(&self) -> &'static str {
        "pinned"
    }

    fn states(&self) -> &'static str {
        "commands reach only the machine that was planned for, and install only what the run allows"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        if let Some(sent) = world.just_sent() {
            return command(world, sent);
        }
        let Some(effect) = world.just_effect() else {
            return Ok(0);
        };
        match &effect.what {
            What::KbInstalled { kb, by, .. } | What::KbStaged { kb, by, .. } => {
                installed(world, &effect.machine_id, kb, by)
            }
            What::CallAccepted(call) if is_look(call) => look(world, &effect.machine_id),
            _ => Ok(0),
        }
    }
}

fn command(world: &World, sent: &Sent) -> Result<u64, Fault> {
    let Some(run) = world.run_of(sent) else {
        return Ok(0);
    };
    let planned = run
        .spec
        .machines
        .iter()
        .find(|own| own.id.eq_ignore_ascii_case(&sent.machine));
    let Some(planned) = planned else {
        return Err(Fault::on(
            &sent.machine,
            "a machine that the run names",
            "another",
        ));
    };
    if planned.incarnation.vm_id.as_deref() != Some(&sent.incarnation) {
        let text = format!("the machine with vmId {:?}", planned.incarnation.vm_id);
        return Err(Fault::on(
            &sent.machine,
            text,
            format!("vmId {}", sent.incarnation),
        ));
    }
    if sent.call.operation == azure_sim::CallOperation::RunCommand {
        return script(world, sent);
    }
    if sent.call.operation != azure_sim::CallOperation::Install {
        return Ok(2);
    }
    if sent.call.reboot_setting.as_deref() == Some("Always") {
        let text = "no install that reboots a machine which owes no reboot";
        return Err(Fault::on(&sent.machine, text, "rebootSetting Always"));
    }
    let pinned = !sent.call.kbs.is_empty() && sent.call.classifications.is_empty();
    if let Some(kb) = sent
        .call
        .kbs
        .iter()
        .find(|kb| !allows(&run.spec.allowed_kbs, kb))
    {
        let text = format!("only KBs of {:?}", run.spec.allowed_kbs);
        return Err(Fault::on(&sent.machine, text, format!("KB{kb}")));
    }
    if !pinned {
        let text = "an install pinned to KBs";
        let found = format!("classifications {:?}", sent.call.classifications);
        return Err(Fault::on(&sent.machine, text, found));
    }
    Ok(4)
}

/// Checks that a script is the one that restarts, where scripts may run at all.
fn script(world: &World, sent: &Sent) -> Result<u64, Fault> {
    if !world.run_commands {
        let text = "no script where the installation allows none";
        return Err(Fault::on(&sent.machine, text, "a run command"));
    }
    if sent.call.script.as_deref() != Some(RESTART_SCRIPT) {
        let text = "only the script that restarts a machine which owes a reboot";
        let found = format!("{:?}", sent.call.script);
        return Err(Fault::on(&sent.machine, text, found));
    }
    Ok(4)
}

/// Checks that guests are looked into only where scripts may run at all.
fn look(world: &World, machine: &str) -> Result<u64, Fault> {
    if world.run_commands {
        return Ok(1);
    }
    let text = "no script where the installation allows none";
    Err(Fault::on(machine, text, "a look into the guest"))
}

fn installed(world: &World, machine: &str, kb: &str, by: &Actor) -> Result<u64, Fault> {
    let Some(request) = request_of(by) else {
        return Ok(0);
    };
    let intent = world.intents.get(&request);
    if intent.is_some_and(|own| allows(&own.allowed_kbs, kb)) {
        return Ok(1);
    }
    Err(Fault::on(
        machine,
        "only KBs that the run allows to be installed",
        format!("KB{kb}"),
    ))
}

fn allows(allowed_kbs: &[String], kb: &str) -> bool {
    let digits = kb.trim_start_matches("KB");
    allowed_kbs
        .iter()
        .any(|own| own.trim_start_matches("KB") == digits)
}
