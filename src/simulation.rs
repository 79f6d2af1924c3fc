//! The simulation: whole rollouts in bad weather, by seed. The production code over both
//! simulators, with faults on the way, people and clouds that interfere, deaths, replicas, and
//! every assumption about Azure either way; judged by the same checkers as a rehearsal.
//!
//! Everything is drawn from the seed and nothing else, so that a seed is a story that can be told
//! again. Must never help the operator, and never read a clock.

pub mod act;
pub mod campaign;
pub mod class;
pub mod every;
pub mod hunt;
pub mod model;
pub mod pairs;
pub mod play;
pub mod scenario;
mod stage;
pub mod storm;
pub mod yardstick;
