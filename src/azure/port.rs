//! What goes in and out of the port, in domain words.

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use crate::domain::evidence::{
    Glimpse as Progress, LastActivity, LogEvidence, Operation, OperationState, Outcome, PollStyle,
    Reading,
};
use crate::domain::machine::Machine;
use crate::domain::region::Regions;

/// Where to look for machines. At least one entry: an empty scope would mean everything that the
/// identity can see.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Subscription ids, sorted.
    pub subscriptions: Vec<String>,
    /// Management group names, sorted.
    pub management_groups: Vec<String>,
}

/// All machines of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// When its reading began: nothing in it is older than Resource Graph was then.
    pub at: DateTime<Utc>,
    /// The machines, by id.
    pub machines: Vec<Arc<Machine>>,
    /// The regions and their pairs.
    pub regions: Arc<Regions>,
    /// The rows that could not be read, by id.
    pub unreadable: Vec<UnreadableRow>,
}

/// What came of asking a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestAnswer {
    /// Its script has not ended.
    Awaited,
    /// Whether virtualization-based security runs.
    VbsRuns(bool),
    /// Its script ended without an answer, and why.
    Silent(String),
    /// There is no script of ours.
    Gone,
}

/// A row of Resource Graph that could not be read, and what was dropped with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableRow {
    /// The resource id in the row, lower-cased, as far as it has one.
    pub id: String,
    /// What is wrong with it.
    pub why: String,
}
