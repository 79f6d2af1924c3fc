//! `demo --serve`: starts, can be watched with real clients, and ends clean.
//!
//! What needs kubectl or Python is ignored unless asked for: `make e2e` names the binaries.

// tests may unwrap
#![allow(clippy::unwrap_used)]

mod demo;
mod kubectl;
mod python;
