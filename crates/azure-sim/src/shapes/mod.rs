//! Writes machines and results as the JSON documents Azure sends. Pure; keys and nesting follow
//! the official examples.

pub(crate) mod arc;
pub(crate) mod health;
pub(crate) mod instance_view;
pub(crate) mod local;
pub(crate) mod maintenance;
pub(crate) mod results;
pub(crate) mod vm;

use chrono::{DateTime, Utc};

/// Writes an instant the way Azure's results do, with seven digits of the second.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    let ticks = at.timestamp_subsec_nanos() / 100;
    format!("{}.{ticks:07}Z", at.format("%Y-%m-%dT%H:%M:%S"))
}
