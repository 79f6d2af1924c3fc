//! Secret: the operator's token shows in nothing that is written.

use serde_json::Value;

use super::{Fault, Invariant};
use crate::rehearsal::identities::IDENTITIES;
use crate::rehearsal::world::World;

/// Checks that no committed object and no audit line holds the token.
pub(super) struct Secret;

impl Invariant for Secret {
    fn name(&self) -> &'static str {
        "secret"
    }

    fn states(&self) -> &'static str {
        "no credential shows in any object, event, status or audit line"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(write) = world.just_written() else {
            return Ok(0);
        };
        let Some(after) = &write.after else {
            return Ok(0);
        };
        if shows(after.as_ref()) {
            return Err(Fault {
                machine: None,
                expected: "no credential in what is written".to_owned(),
                found: format!("the token in {} {}", write.resource, write.name),
            });
        }
        Ok(1)
    }

    fn at_end(&mut self, world: &World) -> Result<u64, Fault> {
        if world.audit.iter().any(shows) {
            return Err(Fault {
                machine: None,
                expected: "no credential in the audit log".to_owned(),
                found: "the token".to_owned(),
            });
        }
        Ok(world.audit.len() as u64)
    }
}

fn shows(what: &Value) -> bool {
    let text = what.to_string();
    IDENTITIES.iter().any(|own| text.contains(own.secret))
}
