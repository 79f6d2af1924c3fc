//! What a pass counts.

use std::collections::BTreeMap;

/// What a pass counted. Every key is a word of this program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Fleets by mode.
    pub fleets: BTreeMap<&'static str, i64>,
    /// Conditions of fleets, by type and status.
    pub conditions: BTreeMap<(&'static str, &'static str), i64>,
    /// Machines, by kind and place on the hotpatch track.
    pub machines: BTreeMap<(&'static str, &'static str), i64>,
    /// Runs that are not over.
    pub runs_open: i64,
    /// Machines in open runs of which nobody knows what became of a command.
    pub machines_held: i64,
}
