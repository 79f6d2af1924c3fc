//! Holds Azure Resource Graph: what it knows of machines after its lag, and its tables.
//! Must never show what the lag still hides.

pub(crate) mod tables;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use self::tables::Table;
use crate::machine::Machine;
use crate::switchboard::GRAPH_LAG_MINUTES_MAX;

/// States of one machine remembered at most; older ones are dropped once they are hidden by a
/// newer one that the lag has let through.
const STATES_BOUND: usize = 256;

/// The longest lag that a fault brings.
const LAG_MAX: TimeDelta = TimeDelta::minutes(GRAPH_LAG_MINUTES_MAX as i64);

/// Since when, and what; `None` is a machine that is gone.
type State = (DateTime<Utc>, Option<Seen>);

/// Rows of a machine, and the time in which they are what they are.
#[derive(Debug)]
struct Kept {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    rows: Vec<Arc<Value>>,
}

/// A machine as the graph knows it, with the rows that were written of it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) machine: Machine,
    kept: RefCell<BTreeMap<Table, Kept>>,
}

impl Seen {
    fn new(machine: Machine) -> Self {
        Self {
            machine,
            kept: RefCell::default(),
        }
    }

    /// Gives the machine's own rows of a table, which are written once for as long as they hold.
    pub(crate) fn rows(&self, table: Table, now: DateTime<Utc>) -> Vec<Arc<Value>> {
        let write = || -> Vec<Arc<Value>> {
            let rows = table.own_rows(&self.machine, now);
            rows.into_iter().map(Arc::new).collect()
        };
        let mut kept = self.kept.borrow_mut();
        if let Some(own) = kept.get(&table)
            && (own.from..own.until).contains(&now)
        {
            // Whatever changes rows by time alone has to be known to `Machine::same_until`.
            debug_assert_eq!(own.rows, write());
            return own.rows.clone();
        }
        let rows = write();
        let own = Kept {
            from: now,
            until: self
                .machine
                .same_until(now)
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
            rows: rows.clone(),
        };
        kept.insert(table, own);
        rows
    }
}

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
        states.push_back((shown, machine.map(Seen::new)));
        while states.len() > 1 && (states[1].0 + lag <= at || states.len() > STATES_BOUND) {
            states.pop_front();
        }
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
    ) -> impl Iterator<Item = &Seen> {
        self.states.values().filter_map(move |states| {
            let (_, machine) = states.iter().rev().find(|(at, _)| *at + lag <= now)?;
            machine.as_ref()
        })
    }

    /// Gives the instant until which the graph shows the same as at `now`, unless something is
    /// recorded before.
    pub(crate) fn same_until(&self, now: DateTime<Utc>, lag: TimeDelta) -> DateTime<Utc> {
        let hidden = self.states.values().filter_map(|states| {
            let shown = states.iter().map(|(at, _)| *at + lag);
            shown.filter(|at| *at > now).min()
        });
        let machines = self.machines(now, lag);
        let aged = machines.filter_map(|seen| seen.machine.same_until(now));
        hidden.chain(aged).min().unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}
