//! The hunt for planted bugs: how many stories in bad weather it takes to find one.
//!
//! Must never count a story that is not clean without the bug.

use std::collections::BTreeSet;
use std::ops::Range;

use super::play::play;
use crate::planted::{self, Bug};

/// A planted bug that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catch {
    /// The bug.
    pub bug: Bug,
    /// The seed whose story showed it.
    pub seed: u64,
    /// The checker that found it: the one that is named for it.
    pub checker: &'static str,
    /// How many seeds were played until then, this one included.
    pub seeds_needed: u64,
}

/// Plays seed after seed with a bug planted until the checker that is named for it finds it; none
/// where it does not within the seeds. Without the feature `planted-bugs` there is nothing to find.
pub fn hunt(bug: Bug, seeds: Range<u64>) -> Option<Catch> {
    let first = seeds.start;
    seeds
        .into_iter()
        .find(|seed| shows(bug, *seed))
        .map(|seed| Catch {
            bug,
            seed,
            checker: bug.checker(),
            seeds_needed: seed - first + 1,
        })
}

/// Tells whether the story of a seed shows a bug, and shows nothing without it.
fn shows(bug: Bug, seed: u64) -> bool {
    found(Some(bug), seed).contains(bug.checker()) && found(None, seed).is_empty()
}

/// Returns the checkers that find something in the story of a seed.
fn found(bug: Option<Bug>, seed: u64) -> BTreeSet<&'static str> {
    let played = planted::with(bug, || play(seed));
    let violations = played.map(|own| own.violations).unwrap_or_default();
    violations.iter().map(|own| own.invariant).collect()
}
