//! Visits every state, breadth first, and finds out whether an end can be reached from each.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::checks::{self, Broken, broken};
use super::fingerprint::{Already, fingerprint};
use super::state::State;
use super::steps::{Next, first, steps};
use super::story::tell;
use super::values::HOURS;
use super::{Explored, Model, Violation};

/// After so many new states the progress is told.
const PROGRESS_EVERY: usize = 100_000;

/// No state.
const NONE: u32 = u32::MAX;

/// What is known of the states, by their number in the order in which they were found.
#[derive(Default)]
struct Known {
    numbers: HashMap<u128, u32, BuildHasherDefault<Already>>,
    /// The state before, and which of its steps led here.
    from: Vec<(u32, u16)>,
    /// Steps that need no fault.
    calm: Vec<(u32, u32)>,
    ends: Vec<u32>,
}

impl Known {
    /// Notes a state; returns its number, and whether it is new.
    fn note(&mut self, state: &State, from: u32, step: usize) -> (u32, bool) {
        let number = self.from.len() as u32;
        let known = *self.numbers.entry(fingerprint(state)).or_insert(number);
        if known == number {
            self.from.push((from, step as u16));
            if checks::is_terminal(state, HOURS as u8 - 1) {
                self.ends.push(number);
            }
        }
        (known, known == number)
    }

    /// Returns the steps that lead to a state, as places among those that could follow.
    fn way(&self, mut number: u32) -> Vec<u16> {
        let mut way = Vec::new();
        while let Some((from, step)) = self.from.get(number as usize).copied() {
            if from == NONE {
                break;
            }
            way.push(step);
            number = from;
        }
        way.reverse();
        way
    }

    /// Returns the first state from which no end can be reached without a fault.
    fn stuck(&self) -> Option<u32> {
        let count = self.from.len();
        let mut starts = vec![0_u32; count + 1];
        for (_, to) in &self.calm {
            starts[*to as usize + 1] += 1;
        }
        for index in 0..count {
            starts[index + 1] += starts[index];
        }
        let mut places = starts.clone();
        let mut before = vec![0_u32; self.calm.len()];
        for (from, to) in &self.calm {
            let place = &mut places[*to as usize];
            before[*place as usize] = *from;
            *place += 1;
        }
        let mut reaches = vec![false; count];
        let mut open = self.ends.clone();
        for number in &open {
            reaches[*number as usize] = true;
        }
        while let Some(number) = open.pop() {
            let range = starts[number as usize] as usize..starts[number as usize + 1] as usize;
            for from in &before[range] {
                if !std::mem::replace(&mut reaches[*from as usize], true) {
                    open.push(*from);
                }
            }
        }
        let found = reaches.iter().position(|reaches| !reaches);
        found.map(|number| number as u32)
    }
}

/// One exploration.
struct Search<'a> {
    model: Model,
    known: Known,
    transitions: u64,
    depth: u32,
    progress: &'a mut dyn FnMut(u64),
}

/// What was found broken: after the way to a state, perhaps by one step more.
struct Found {
    broken: Broken,
    state: u32,
    step: Option<u16>,
}

/// Explores.
pub(super) fn search(model: Model, progress: &mut dyn FnMut(u64)) -> Explored {
    let mut search = Search {
        model,
        known: Known::default(),
        transitions: 0,
        depth: 0,
        progress,
    };
    let found = search.visit().or_else(|| {
        let state = search.known.stuck()?;
        Some(Found {
            broken: broken("liveness"),
            state,
            step: None,
        })
    });
    let violation = found.map(|found| {
        let mut way = search.known.way(found.state);
        way.extend(found.step);
        Violation {
            invariant: found.broken.invariant,
            says: found.broken.says,
            story: tell(&mut search.model, &way),
        }
    });
    Explored {
        states: search.known.from.len() as u64,
        transitions: search.transitions,
        depth: search.depth,
        ends: search.known.ends.len() as u64,
        questions: search.model.oracle.questions(),
        violation,
        bounds: search.model.bounds.to_string(),
    }
}

impl Search<'_> {
    /// Visits every state; ends at the first step that breaks something.
    fn visit(&mut self) -> Option<Found> {
        let root = first(&self.model.bounds);
        self.known.note(&root, NONE, 0);
        let mut level = vec![(0_u32, root)];
        let mut out = Vec::new();
        while !level.is_empty() {
            let mut next_level = Vec::new();
            for (number, state) in &level {
                steps(&mut self.model, state, &mut out);
                for (step, next) in out.iter().enumerate() {
                    let found = self.take(*number, step, next, &mut next_level);
                    if found.is_some() {
                        return found;
                    }
                }
            }
            self.depth += u32::from(!next_level.is_empty());
            level = next_level;
        }
        None
    }

    fn take(
        &mut self,
        from: u32,
        step: usize,
        next: &Next,
        level: &mut Vec<(u32, State)>,
    ) -> Option<Found> {
        self.transitions += 1;
        let (number, is_new) = self.known.note(&next.state, from, step);
        let of_state = || match is_new {
            true => checks::state(&next.state, self.model.bounds.budget),
            false => None,
        };
        if let Some(broken) = next.broken.or_else(of_state) {
            return Some(Found {
                broken,
                state: from,
                step: Some(step as u16),
            });
        }
        if !next.action.is_fault() {
            self.known.calm.push((from, number));
        }
        if is_new {
            level.push((number, next.state));
            if self.known.from.len().is_multiple_of(PROGRESS_EVERY) {
                (self.progress)(self.known.from.len() as u64);
            }
        }
        None
    }
}
