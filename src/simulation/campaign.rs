//! Many seeds, on all cores, and what they came to together. A seed is played by one thread alone,
//! so that it stays the same story however many are played beside it.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::class::Counts;
use super::play::{Played, play};
use crate::rehearsal::invariants::Violation;

/// The most failing seeds that are kept; then a campaign ends.
const FAILED_MAX: usize = 20;

/// What many seeds came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sum {
    /// Seeds played.
    pub seeds: u64,
    /// Virtual seconds of all of them.
    pub seconds: i64,
    /// Virtual seconds times machines.
    pub machine_seconds: i64,
    /// Requests, each followed by all checks.
    pub steps: u64,
    /// Checks made.
    pub checks: u64,
    /// Commands that arrived.
    pub commands: usize,
    /// Reboots, by whomever.
    pub reboots: usize,
    /// Lives of the process.
    pub lives: u64,
    /// Machines.
    pub machines: usize,
    /// Machines that became current.
    pub current: usize,
    /// The faults, by class.
    pub faults: Counts,
    /// The first violation of each failing seed.
    pub failed: Vec<Violation>,
}

impl Sum {
    fn add(&mut self, own: &Played) {
        self.seeds += 1;
        self.seconds += own.seconds;
        self.machine_seconds += own.seconds * i64::try_from(own.machines).unwrap_or(0);
        self.steps += own.steps;
        self.checks += own.checks;
        self.commands += own.commands;
        self.reboots += own.reboots;
        self.lives += u64::from(own.lives);
        self.machines += own.machines;
        self.current += own.current;
        self.faults.add(&own.faults);
        self.failed.extend(own.violations.first().cloned());
    }
}

/// Plays seeds on so many threads; `progress` is told after each what there is so far.
pub fn seeds(range: Range<u64>, threads: usize, progress: &(dyn Fn(&Sum) + Sync)) -> Sum {
    let sum = Mutex::new(Sum::default());
    each(range, threads, &|seed| {
        let played = caught(seed);
        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
        match played {
            Ok(played) => sum.add(&played),
            Err(violation) => {
                sum.seeds += 1;
                sum.failed.push(*violation);
            }
        }
        progress(&sum);
        sum.failed.len() < FAILED_MAX
    });
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.failed.sort_by_key(|own| own.seed);
    sum
}

/// Plays each seed twice and returns those that differ from themselves.
pub fn twice(range: Range<u64>, threads: usize, progress: &(dyn Fn(u64) + Sync)) -> Vec<u64> {
    let differing = Mutex::new(Vec::new());
    let done = AtomicU64::new(0);
    each(range, threads, &|seed| {
        let digest = || caught(seed).map(|own| own.digest).ok();
        let (one, other) = (digest(), digest());
        if one.is_none() || one != other {
            let mut all = differing.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(seed);
        }
        progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        true
    });
    let mut differing = differing
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    differing.sort_unstable();
    differing
}

/// Asks `one` of each item, on so many threads; returns the answers in the items' order.
pub fn over<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    one: &(dyn Fn(&T) -> R + Sync),
) -> Vec<R> {
    let answers = Mutex::new(Vec::new());
    each(0..items.len() as u64, threads, &|index| {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        if let Some(item) = items.get(at) {
            let answer = one(item);
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.push((at, answer));
        }
        true
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|own| own.0);
    answers.into_iter().map(|own| own.1).collect()
}

/// Calls `one` for each seed until it says that it is enough.
fn each(range: Range<u64>, threads: usize, one: &(dyn Fn(u64) -> bool + Sync)) {
    let next = AtomicU64::new(range.start);
    let is_enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !is_enough.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= range.end {
                        return;
                    }
                    if !one(seed) {
                        is_enough.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
}

/// Plays a seed; a panic, or a scenario that cannot be set up, is a finding like any other.
fn caught(seed: u64) -> Result<Played, Box<Violation>> {
    let finding = |found: String| {
        Box::new(Violation {
            invariant: "plays",
            at: super::scenario::Scenario::of(seed).begins,
            machine: None,
            expected: "a story that can be played to its end".to_owned(),
            found,
            seed,
            replay: format!("hotpatch-operator simulate --seed {seed}"),
        })
    };
    match catch_unwind(AssertUnwindSafe(|| play(seed))) {
        Ok(Ok(played)) => Ok(played),
        Ok(Err(error)) => Err(finding(error.to_string())),
        Err(_) => Err(finding("a panic; its message stands above".to_owned())),
    }
}
