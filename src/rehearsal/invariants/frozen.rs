//! Frozen: what a run says is never changed.

use super::{Fault, Invariant};
use crate::rehearsal::world::World;

/// Checks that the spec of a run never changes.
pub(super) struct Frozen;

impl Invariant for Frozen {
    fn name(&self) -> &'static str {
        "frozen"
    }

    fn states(&self) -> &'static str {
        "an edit never widens or shifts a run that exists"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(write) = world.just_written() else {
            return Ok(0);
        };
        if write.resource != "hotpatchruns.hotpatch.dev" {
            return Ok(0);
        }
        let Some((before, after)) = write.before.as_ref().zip(write.after.as_ref()) else {
            return Ok(0);
        };
        if before["spec"] == after["spec"] {
            return Ok(1);
        }
        Err(Fault {
            machine: None,
            expected: format!("the spec of run {} as it was made", write.name),
            found: "another one".to_owned(),
        })
    }
}
