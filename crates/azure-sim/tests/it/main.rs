//! What the emulated Azure must do, module by module.
#![allow(clippy::unwrap_used, missing_docs)] // tests may unwrap; modules name what they prove

mod activity;
mod arc;
mod builders;
mod determinism;
mod faults;
mod graph;
mod history;
mod identities;
mod installs;
mod maintenance;
mod operations;
mod platform;
mod shapes;
mod support;
mod throttle;
mod vm;
