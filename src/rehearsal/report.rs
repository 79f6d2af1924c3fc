//! Everything that is to be said of a rehearsal. Must never judge; the checkers have.

use chrono::{DateTime, Utc};

use super::invariants::{Tally, Violation};
use super::story::Line;
use super::summary::Summary;

/// Everything that is to be said of a rehearsal.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// The story.
    pub story: Vec<Line>,
    /// The closing table.
    pub summary: Summary,
    /// How each invariant fared.
    pub invariants: Vec<Tally>,
    /// What was violated, first things first.
    pub violations: Vec<Violation>,
    /// Requests to either simulator, each followed by all checks.
    pub steps: u64,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// The digest of everything that happened, in order, in hexadecimal.
    pub digest: String,
}

impl Report {
    /// Tells whether all held.
    pub fn has_held(&self) -> bool {
        self.violations.is_empty()
    }
}
