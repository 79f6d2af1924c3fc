//! Intent first: nothing is sent that was not written down before, by a holder who still holds.

use std::collections::BTreeSet;

use super::{Fault, Invariant};
use crate::rehearsal::world::World;

/// Checks that each command was announced in a run's log and the lease renewed after it.
#[derive(Default)]
pub(super) struct IntentFirst {
    used: BTreeSet<String>,
}

impl Invariant for IntentFirst {
    fn name(&self) -> &'static str {
        "intent"
    }

    fn states(&self) -> &'static str {
        "no command without its intent in a run, then a renewal of the lease by the same holder"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(sent) = world.just_sent() else {
            return Ok(0);
        };
        let fault = |expected: &str, found: String| Fault::on(&sent.machine, expected, found);
        let Some(request) = &sent.call.client_request_id else {
            return Err(fault("a request id on the command", "none".to_owned()));
        };
        let Some(intent) = world.intents.get(request) else {
            let text = format!("none with request id {request}");
            return Err(fault("an intent in the log of a run", text));
        };
        if intent.machine != sent.machine {
            let text = format!("an intent on {}", intent.machine);
            return Err(fault("an intent on this machine", text));
        }
        // From a command whose end was seen to the next intent it is one write, also where the
        // step in between could not be stored; that it has really ended is for `alone` to say too.
        // Out of any other hold it is always two, with a pass between them.
        let settled = ["Planned", "Running", "Verifying"];
        let ended = world.sent.iter().any(|own| {
            own.order < sent.order
                && own.machine == sent.machine
                && own.run.as_ref() == Some(&intent.run)
                && own.ended.is_some()
        });
        if !ended && !settled.contains(&intent.step_before.as_str()) {
            let text = format!("one that followed {}", intent.step_before);
            return Err(fault("an intent of a machine that is not held", text));
        }
        let renewed = intent
            .renewed
            .is_some_and(|at| at > intent.order && at < sent.order);
        if !renewed {
            let text = format!("none by {}", intent.holder.as_deref().unwrap_or("nobody"));
            return Err(fault(
                "a renewal of the lease between intent and command",
                text,
            ));
        }
        if intent.holder != world.lease.holder {
            let text = format!(
                "{:?}, and the lease is with {:?}",
                intent.holder, world.lease.holder
            );
            return Err(fault("the holder who wrote the intent to send it", text));
        }
        if intent.epoch < intent.epoch_known {
            let text = format!(
                "epoch {}, and {} was known",
                intent.epoch, intent.epoch_known
            );
            return Err(fault("an intent of the newest epoch", text));
        }
        if !self.used.insert(request.clone()) {
            return Err(fault("each intent sent once", format!("{request} again")));
        }
        Ok(6)
    }
}
