//! What is right to do: no I/O, no async, no clock, no randomness, no Kubernetes.
//!
//! `now` is an argument everywhere. Controller, CLI and forecast ask the same functions.

pub mod command;
pub mod enrolment;
pub mod machine;
