//! How soon the machines of a fleet bear its settings, and are assessed.

// Tests may unwrap: a panic is how they fail.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use azure_sim::{CallOperation, What};
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

/// Right after the baseline of July 2025 came out; no window is open.
const RELEASED: &str = "2025-07-08T17:01:00Z";

#[test]
fn more_machines_than_one_pass_assesses_are_assessed_within_minutes_and_a_few_at_a_time() {
    let asked = paused(async {
        let options = Options {
            population: Population::crowd(MANY),
            ..options(1, RELEASED.parse().unwrap(), &[QUICK, NIGHTS, FLEET])
        };
        let mut own = Rehearsal::new(options).await.unwrap();
        let limit = own.now() + TimeDelta::minutes(30);
        own.run_until(|_, _| false, limit).await;
        let mut asked: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for effect in own.azure.effects_since(0) {
            if let What::CallAccepted(call) = effect.what
                && call.operation == CallOperation::Assess
            {
                asked.entry(effect.at).or_default().push(effect.machine_id);
            }
        }
        asked
    });
    let most = asked.values().map(Vec::len).max();
    assert_eq!(most, Some(10), "they draw on what installs need");
    let (first, last) = (asked.keys().next(), asked.keys().next_back());
    assert!(*last.unwrap() - *first.unwrap() < TimeDelta::minutes(6));
    let machines: BTreeSet<_> = asked.values().flatten().collect();
    assert_eq!(machines.len(), MANY);
    assert_eq!(asked.values().flatten().count(), MANY, "each once");
}
