//! What is right to do: no I/O, no async, no clock, no randomness, no Kubernetes and no Azure.
//!
//! `now` is an argument everywhere. Controller, CLI and forecast ask the same functions.

pub mod calendar;
pub mod command;
pub mod duration;
pub mod enrolment;
pub mod machine;
pub mod region;
pub mod release;
pub mod window;
pub mod zone;
