//! The yardstick: a fleet of a hundred machines through a hotpatch and a baseline in calm weather,
//! by which the speed of the simulation is told.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};

use super::play::{Error, Played, perform_in};
use super::scenario::Scenario;
use super::storm::{Forecast, Storm};
use crate::rehearsal::EXAMPLES;
use crate::rehearsal::population::Population;

/// How many machines.
pub const MACHINES: usize = 100;

/// How many days: a hotpatch, a baseline, and the weeks around them.
pub const DAYS: i64 = 61;

/// Plays it.
///
/// # Errors
/// [`Error`] where it cannot be set up.
pub fn measure() -> Result<Played, Error> {
    // 2025-06-09, the eve of a hotpatch.
    let begins: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::days(20_248);
    let ends = begins + TimeDelta::days(DAYS);
    let scenario = Scenario {
        begins,
        calm_from: ends,
        ends,
        population: Population::of_size(MACHINES),
        manifests: EXAMPLES.map(str::to_owned).to_vec(),
        forecast: Forecast::calm(begins),
        ..Scenario::plain()
    };
    let forecast = scenario.forecast.clone();
    perform_in(&scenario, "make sim".to_owned(), |now, counts| {
        Arc::new(Mutex::new(Storm::new(1, forecast, now, counts)))
    })
}
