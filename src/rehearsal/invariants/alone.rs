//! Alone: nothing is sent to a machine on which an operation is seen.

use chrono::TimeDelta;

use super::{Fault, Invariant};
use crate::api::machine::MachineKind;
use crate::rehearsal::weather::Arrival;
use crate::rehearsal::world::World;

/// The evidence for a send may be this old.
const EVIDENCE_AGE_MAX: TimeDelta = TimeDelta::seconds(60);

/// Returns how old what the operator knows of somebody else's install on a machine may be. A VM
/// shows its last install itself; those of the other kinds show in Resource Graph only, which lags
/// (azure.md §2).
fn age_max(world: &World, machine: &str) -> TimeDelta {
    let kind = world.facts.get(machine).map(|own| own.kind);
    match kind {
        Some(MachineKind::ArcServer | MachineKind::AzureLocalVm) => {
            EVIDENCE_AGE_MAX + world.graph_lag
        }
        _ => EVIDENCE_AGE_MAX,
    }
}

/// Checks that no command meets an operation on its machine.
pub(super) struct Alone;

impl Invariant for Alone {
    fn name(&self) -> &'static str {
        "alone"
    }

    fn states(&self) -> &'static str {
        "no command while another operation is on the machine"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(sent) = world.just_sent() else {
            return Ok(0);
        };
        let own = sent.call.client_request_id.as_ref();
        let truth = world.machines.get(&sent.machine);
        let age_max = age_max(world, &sent.machine);
        let running = truth.into_iter().flat_map(|truth| truth.installs.values());
        for install in running {
            if install.request.as_ref() != own && sent.at - install.since > age_max {
                let text = format!("an install that runs since {}", install.since);
                return Err(Fault::on(
                    &sent.machine,
                    "no operation on the machine",
                    text,
                ));
            }
        }
        let mut earlier = world
            .open_commands()
            .filter(|other| other.machine == sent.machine)
            // One that the network delayed or doubled shows once it runs.
            .filter(|other| {
                other.arrival == Arrival::InTime || sent.at - other.at > EVIDENCE_AGE_MAX
            });
        match earlier.find(|other| other.order != sent.order) {
            Some(other) => {
                let text = format!("a command of {} that has not ended", other.at);
                Err(Fault::on(
                    &sent.machine,
                    "no command of ours under way",
                    text,
                ))
            }
            None => Ok(2),
        }
    }
}
