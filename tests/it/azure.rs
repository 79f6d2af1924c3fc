//! The Azure port against official documents, against scripted answers, and against the emulator.

#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

mod documents;
mod graph;
mod memory;
mod operations;
mod probe;
mod queries;
mod refusals;
mod release;
mod script;
mod sim;
mod writes;
