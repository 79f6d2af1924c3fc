//! What is right to do: calendar, releases, windows, zones and regions.
//!
//! Everything here is a function of its arguments. No I/O, no async, no clock (`now` is passed in),
//! no randomness, no Kubernetes and no Azure.

pub mod calendar;
pub mod duration;
pub mod region;
pub mod release;
pub mod window;
pub mod zone;
