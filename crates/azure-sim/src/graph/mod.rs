//! Holds Azure Resource Graph: what it knows of machines after its lag, and its tables.
//! Must never show what the lag still hides.

pub(crate) mod assigned;
pub(crate) mod tables;

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use crate::machine::Machine;
use crate::switchboard::GRAPH_LAG_MINUTES_MAX;

/// States of one machine remembered at most; older ones are dropped once they are hidden by a
/// newer one that the lag has let through.
const STATES_BOUND: usize = 256;

/// The longest lag that a fault brings.
const LAG_MAX: TimeDelta = TimeDelta::minutes(GRAPH_LAG_MINUTES_MAX as i64);

/// Since when, and what; `None` is a machine that is gone.
type State = (DateTime<Utc>, Option<Machine>);

/// Past states of machines, so that the graph can lag behind.
#[derive(Debug, Default)]
pub(crate) struct GraphHistory {
    states: BTreeMap<String, VecDeque<State>>,
    changes: u64,
}

impl GraphHistory {
    /// Remembers the state of a machine since `at`; `None` when it is gone.
    pub(crate) fn record(
        &mut self,
        key: &str,
        at: DateTime<Utc>,
        lag: TimeDelta,
        machine: Option<Machine>,
    ) {
        // A longer lag may be switched on at any time.
        let lag = lag.max(LAG_MAX);
        self.changes += 1;
        let first = !self.states.contains_key(key);
        let states = self.states.entry(key.to_owned()).or_default();
        if states.back().is_some_and(|(last, _)| *last == at) {
            states.pop_back();
        }
        // What is in the world from its beginning is in the graph from its beginning.
        let shown = if first { at - lag } else { at };
        states.push_back((shown, machine));
        while states.len() > 1 && (states[1].0 + lag <= at || states.len() > STATES_BOUND) {
            states.pop_front();
        }
    }

    /// Notes that something changed that is no machine.
    pub(crate) fn changed(&mut self) {
        self.changes += 1;
    }

    /// Gives how often anything was recorded.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Gives the machines as the graph sees them at `now`, in order of their keys.
    pub(crate) fn machines(
        &self,
        now: DateTime<Utc>,
        lag: TimeDelta,
    ) -> impl Iterator<Item = &Machine> {
        self.states.values().filter_map(move |states| {
            let (_, machine) = states.iter().rev().find(|(at, _)| *at + lag <= now)?;
            machine.as_ref()
        })
    }
}
