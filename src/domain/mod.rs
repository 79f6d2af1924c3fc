//! What is right to do: no I/O, no async, no clock, no randomness, no Kubernetes and no Azure.
//!
//! Everything here is a function of its arguments; `now` is passed in. Controller, CLI and
//! forecast ask the same functions.

pub mod authority;
pub mod batch;
pub mod budget;
pub mod calendar;
pub mod clearance;
pub mod command;
pub mod due;
pub mod duration;

pub mod eligibility;
pub mod enrolment;
pub mod evidence;
pub mod fleet;
pub mod machine;
pub mod permission;
pub mod plan;
pub mod policy;
pub mod region;
pub mod release;
pub mod rollout;
pub mod roster;
pub mod run;
pub mod snapshot;
pub mod spread;
#[cfg(test)]
pub(crate) mod testkit;
pub mod track;
pub mod window;
pub mod zone;
