//! How soon the machines of a fleet bear its settings.

// Tests may unwrap: a panic is how they fail.
#![allow(clippy::unwrap_used)]

use chrono::TimeDelta;
use hotpatch_operator::rehearsal::population::Population;
use hotpatch_operator::rehearsal::{Options, Rehearsal};

use crate::rehearsal::{FLEET, NIGHTS, QUICK, options, paused};

/// A quiet morning: no window is open, and nothing was released lately.
const MORNING: &str = "2025-07-01T08:00:00Z";

/// More than two passes change.
const MANY: usize = 120;

#[test]
fn more_machines_than_one_pass_changes_are_enrolled_within_minutes() {
    let claimed = paused(async {
        let options = Options {
            population: Population::crowd(MANY),
            ..options(1, MORNING.parse().unwrap(), &[QUICK, NIGHTS, FLEET])
        };
        let mut own = Rehearsal::new(options).await.unwrap();
        let limit = own.now() + TimeDelta::minutes(5);
        own.run_until(|_, _| false, limit).await;
        own.look(|world| {
            let all = world.machines.values();
            all.filter(|own| own.is_claimed).count()
        })
    });
    assert_eq!(claimed, MANY);
}
