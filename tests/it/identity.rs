//! Whose identity acts: the whole controller with Entra ID and Kubernetes emulated.

// tests may unwrap
#![allow(clippy::unwrap_used)]

mod fleets;
mod planted;
mod refusals;
mod stage;
