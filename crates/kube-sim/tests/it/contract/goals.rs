//! Where the simulator is meant to differ from the real server, and why.

/// Cases that differ on the simulator by intent, with the reason.
pub(super) const NON_GOALS: &[(&str, &str)] = &[];

/// Cases that the simulator does not meet yet.
pub(super) const PENDING: &[&str] = &[];
