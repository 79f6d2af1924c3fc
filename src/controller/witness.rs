//! Who looks on while the controller plans. Must never change what it looks at.

use chrono::{DateTime, Utc};

use crate::domain::plan::Plan;
use crate::domain::snapshot::Snapshot;

/// Looks on.
pub trait Witness: Send + Sync {
    /// Sees from what a pass planned, what, and when. Called once a pass, before it acts.
    fn planned(&self, snapshot: &Snapshot, plan: &Plan, now: DateTime<Utc>);
}

/// Nobody looks on: what is shipped.
pub struct Unwatched;

impl Witness for Unwatched {
    fn planned(&self, _: &Snapshot, _: &Plan, _: DateTime<Utc>) {}
}
