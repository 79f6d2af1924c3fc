//! Buckets: nothing is asked of Azure beyond what it lets out.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Fault, Invariant};
use crate::rehearsal::world::{Happening, World};

/// How long what a dead process used up can be missing from the buckets that the next one does not
/// know of: the time in which Azure's slowest bucket fills again (azure.md 6).
const FILLS_AGAIN: TimeDelta = TimeDelta::minutes(3);

/// Checks that Azure never has to refuse a call for its limits, which it documents.
#[derive(Default)]
pub(super) struct Within {
    lives: u32,
    since: Option<DateTime<Utc>>,
}

impl Invariant for Within {
    fn name(&self) -> &'static str {
        "buckets"
    }

    fn states(&self) -> &'static str {
        "no call is sent that Azure has to refuse for its documented limits"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        if world.lives != self.lives {
            self.lives = world.lives;
            self.since = Some(world.now);
        }
        let Some(Happening::Asked {
            call, is_throttled, ..
        }) = &world.latest
        else {
            return Ok(0);
        };
        // The first life begins with full buckets. A replica that stood by saw none of them used.
        let taken = world.taken.as_ref().map(|own| own.at);
        let is_young = |since| world.now - since < FILLS_AGAIN;
        let knows_little = [self.since, taken].into_iter().flatten().any(is_young);
        if *is_throttled && !(self.lives > 1 && knows_little) {
            return Err(Fault {
                machine: None,
                expected: "a call that Azure lets out".to_owned(),
                found: format!("429 to {call}"),
            });
        }
        Ok(1)
    }
}
