//! Openings as half-open intervals of UTC, and the algebra on sorted lists of them.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A time in which a window is open: from `start`, up to but not including `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Opening {
    /// The first instant that is open.
    pub start: DateTime<Utc>,
    /// The first instant after `start` that is not open any more.
    pub end: DateTime<Utc>,
}

impl Opening {
    /// Whether the instant is inside.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.start <= at && at < self.end
    }

    /// How long the opening lasts, in elapsed time.
    pub fn duration(&self) -> TimeDelta {
        self.end - self.start
    }

    /// How much of the opening is left at an instant inside; nothing when `at` is outside.
    pub fn remaining(&self, at: DateTime<Utc>) -> TimeDelta {
        if self.contains(at) {
            self.end - at
        } else {
            TimeDelta::zero()
        }
    }

    /// Whether some instant of `[from, until)` is inside.
    pub fn meets(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> bool {
        self.start < until && from < self.end && from < until && self.start < self.end
    }
}

impl AsRef<Opening> for Opening {
    fn as_ref(&self) -> &Opening {
        self
    }
}

/// The end of a span from `from` that is at most `until` and at most `days` long.
pub(super) fn bound(from: DateTime<Utc>, until: DateTime<Utc>, days: i64) -> DateTime<Utc> {
    from.checked_add_signed(TimeDelta::days(days))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
        .min(until)
}

/// Sorts openings and makes one of those that overlap or touch; empty ones vanish.
pub(super) fn merge(mut openings: Vec<Opening>) -> Vec<Opening> {
    openings.retain(|opening| opening.start < opening.end);
    openings.sort_unstable();
    let mut merged: Vec<Opening> = Vec::with_capacity(openings.len());
    for opening in openings {
        match merged.last_mut() {
            Some(last) if opening.start <= last.end => last.end = last.end.max(opening.end),
            _ => merged.push(opening),
        }
    }
    merged
}

/// Cuts closed times out of openings. Both lists are merged ones.
pub(super) fn subtract(openings: Vec<Opening>, closed: Vec<Opening>) -> Vec<Opening> {
    let mut left = Vec::with_capacity(openings.len());
    for mut opening in openings {
        for shut in &closed {
            // `opening` is what is left behind the closed times so far; maybe less than none.
            if !shut.meets(opening.start, opening.end) {
                continue;
            }
            if opening.start < shut.start {
                left.push(Opening {
                    start: opening.start,
                    end: shut.start,
                });
            }
            opening.start = shut.end;
        }
        if opening.start < opening.end {
            left.push(opening);
        }
    }
    left
}
