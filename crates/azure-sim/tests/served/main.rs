//! The emulator by HTTPS: its command, its bounds, its switchboard, and Microsoft's own clients.
#![allow(clippy::unwrap_used, missing_docs)] // tests may unwrap; modules name what they prove

mod command;
mod listener;
mod python;
mod switchboard;
