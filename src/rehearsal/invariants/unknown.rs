//! Unknown: what becomes unknown never adds a command.
//!
//! Each [`Doubt`] is a plan of the operator made once more with one thing that it knew replaced
//! by unknown, or by an error of the read that told it: a fact of a machine, the evidence on what
//! was commanded to it, the inventory of its namespace, or what a fleet refers to. Of what would
//! be sent then, more precisely:
//!
//! - the machine itself is sent nothing that it was not to be sent anyway, nor another command;
//! - no other machine is either, in any run of any namespace, unless one that was to be sent a
//!   command gives up its turn. Then those may go that could also go if the machine were known to
//!   be out, or if it and those that gave up their turn only had to wait, and those that would go
//!   in their place and do not. So what becomes unknown never makes room by itself.
//!
//! Plans that find a machine failed are not doubted: a failure that nobody has heard of halts
//! nobody, and its machine counts as one that is still worked on.

use super::{Fault, Invariant};
use crate::rehearsal::doubt::Doubt;
use crate::rehearsal::world::{Happening, World};

/// Checks that what becomes unknown adds no command.
pub(super) struct Unknown;

impl Invariant for Unknown {
    fn name(&self) -> &'static str {
        "unknown"
    }

    fn states(&self) -> &'static str {
        "what becomes unknown or cannot be read adds no command to a plan"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(Happening::Doubted(doubt)) = &world.latest else {
            return Ok(0);
        };
        match added(doubt) {
            None => Ok(1),
            Some((machine, text)) => {
                let whose = doubt.machine.as_deref().unwrap_or("a namespace");
                let lost = doubt.lost;
                Err(Fault::on(
                    machine,
                    format!("no command more with the {lost} of {whose} unknown"),
                    text,
                ))
            }
        }
    }
}

/// Returns the first machine that gained a command, and which.
fn added(doubt: &Doubt) -> Option<(&str, String)> {
    let whose = doubt.machine.as_ref();
    let is_lost = doubt.sent.difference(&doubt.doubted).next().is_some();
    let more = doubt.doubted.difference(&doubt.sent);
    let mut wrong = more
        .filter(|own| Some(&own.1) == whose || !(is_lost && doubt.in_turn.contains(*own)))
        .map(|(run, machine, command)| (machine.as_str(), format!("{command} for run {run}")));
    wrong.next()
}
