//! What a rehearsal is made of. Must never change once it has begun.

use azure_sim::{Assumptions, Timings};
use chrono::{DateTime, Utc};

use super::population::Population;
use crate::controller::lease::Tenure;

/// What a rehearsal is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed of everything that Azure draws.
    pub seed: u64,
    /// When it begins.
    pub epoch: DateTime<Utc>,
    /// The machines.
    pub population: Population,
    /// What a user applies: YAML, each text one or several documents.
    pub manifests: Vec<String>,
    /// What is assumed of Azure where its documents are silent.
    pub assumptions: Assumptions,
    /// How long things take in Azure.
    pub timings: Timings,
    /// How long leadership holds and how often it is renewed.
    pub tenure: Tenure,
    /// Whether the operator may run scripts in guests.
    pub run_commands: bool,
    /// The command that repeats the rehearsal.
    pub replay: String,
}
