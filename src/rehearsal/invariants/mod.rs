//! What must always hold, one named checker each, run after every request to either simulator.
//!
//! A checker judges by what really happened and by the objects as they were committed, never by
//! what the operator remembers. Must never change anything.

mod alone;
mod apart;
mod audit;
mod border;
mod budget;
mod content;
mod evidence;
mod fence;
mod frozen;
mod intent;
pub(crate) mod liveness;
mod no_reboot;
mod occurrence;
mod once;
mod own_writes;
mod owned;
mod quarantine;
mod quiet;
mod secret;
mod stages;
#[cfg(test)]
mod tests;
mod unknown;
mod window;
mod within;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::world::World;
use crate::planted;

/// The most violations that are kept; the first one is what counts.
const VIOLATIONS_MAX: usize = 20;

/// How long after an edit the operator may act by what stood before: the time a watch needs.
pub const WATCH_GRACE: TimeDelta = TimeDelta::seconds(5);

/// What a checker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The machine it is about, if it is about one.
    pub machine: Option<String>,
    /// What should have been.
    pub expected: String,
    /// What was.
    pub found: String,
}

impl Fault {
    fn on(machine: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            machine: Some(machine.to_owned()),
            expected: expected.into(),
            found: found.into(),
        }
    }
}

/// One thing that must always hold.
pub trait Invariant: Send {
    /// Returns its name.
    fn name(&self) -> &'static str;

    /// Returns the sentence that must hold.
    fn states(&self) -> &'static str;

    /// Judges what happened last; returns how many checks that took.
    ///
    /// # Errors
    /// The [`Fault`] found.
    fn check(&mut self, world: &World) -> Result<u64, Fault>;

    /// Judges the end of the rehearsal; returns how many checks that took.
    ///
    /// # Errors
    /// The [`Fault`] found.
    fn at_end(&mut self, _world: &World) -> Result<u64, Fault> {
        Ok(0)
    }
}

/// Something that must always hold and did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The name of the checker.
    pub invariant: &'static str,
    /// When.
    pub at: DateTime<Utc>,
    /// The machine, if it is about one.
    pub machine: Option<String>,
    /// What should have been.
    pub expected: String,
    /// What was.
    pub found: String,
    /// The seed.
    pub seed: u64,
    /// The command that shows it again.
    pub replay: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.at.format("%Y-%m-%d %H:%M:%S UTC");
        write!(f, "{} violated at {at}", self.invariant)?;
        if let Some(machine) = &self.machine {
            write!(f, " on {machine}")?;
        }
        write!(f, ": expected {}; found {}", self.expected, self.found)?;
        write!(f, " (seed {}; again with: {})", self.seed, self.replay)
    }
}

/// How one invariant fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Its name.
    pub name: &'static str,
    /// Its sentence.
    pub states: &'static str,
    /// Checks made.
    pub checks: u64,
    /// Whether it held.
    pub held: bool,
}

struct Entry {
    invariant: Box<dyn Invariant>,
    checks: u64,
    held: bool,
}

/// All checkers with their counts and what they found.
pub struct Invariants {
    seed: u64,
    replay: String,
    entries: Vec<Entry>,
    violations: Vec<Violation>,
}

/// Makes one checker of each kind.
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(window::Window),
        Box::new(alone::Alone),
        Box::new(once::Once::default()),
        Box::new(budget::Budget),
        Box::new(apart::Apart),
        Box::new(intent::IntentFirst::default()),
        Box::new(no_reboot::NoReboot),
        Box::new(quiet::Quiet),
        Box::new(frozen::Frozen),
        Box::new(content::Pinned),
        Box::new(owned::Owned::default()),
        Box::new(occurrence::OneOpening::default()),
        Box::new(secret::Secret),
        Box::new(liveness::Liveness),
        Box::new(fence::Fence),
        Box::new(evidence::Evidence),
        Box::new(own_writes::OwnWrites::default()),
        Box::new(stages::Stages),
        Box::new(audit::AuditLog),
        Box::new(within::Within::default()),
        Box::new(border::Border::default()),
        Box::new(unknown::Unknown),
        Box::new(quarantine::Quarantine::default()),
    ]
}

impl Invariants {
    /// Makes all checkers; `replay` is the command that shows a violation again.
    pub fn new(seed: u64, replay: impl Into<String>) -> Self {
        let entry = |invariant| Entry {
            invariant,
            checks: 0,
            held: true,
        };
        Self {
            seed,
            replay: replay.into(),
            entries: all().into_iter().map(entry).collect(),
            violations: Vec::new(),
        }
    }

    /// Judges what happened last.
    pub fn check(&mut self, world: &World) {
        self.judge(world, |invariant, world| invariant.check(world));
    }

    /// Judges the end.
    pub fn at_end(&mut self, world: &World) {
        self.judge(world, |invariant, world| invariant.at_end(world));
    }

    fn judge(
        &mut self,
        world: &World,
        ask: impl Fn(&mut dyn Invariant, &World) -> Result<u64, Fault>,
    ) {
        for entry in &mut self.entries {
            let found = planted::without(|| ask(entry.invariant.as_mut(), world));
            match found {
                Ok(checks) => entry.checks += checks,
                Err(fault) => {
                    entry.checks += 1;
                    entry.held = false;
                    if self.violations.len() < VIOLATIONS_MAX {
                        self.violations.push(Violation {
                            invariant: entry.invariant.name(),
                            at: world.now,
                            machine: fault.machine,
                            expected: fault.expected,
                            found: fault.found,
                            seed: self.seed,
                            replay: self.replay.clone(),
                        });
                    }
                }
            }
        }
    }

    /// Returns what was found, first things first.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Returns how each invariant fared.
    pub fn tallies(&self) -> Vec<Tally> {
        let tally = |entry: &Entry| Tally {
            name: entry.invariant.name(),
            states: entry.invariant.states(),
            checks: entry.checks,
            held: entry.held,
        };
        self.entries.iter().map(tally).collect()
    }
}
