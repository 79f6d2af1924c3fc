//! The clocks of a served emulator. The only place of this package that reads one.

use std::sync::Arc;

use azure_sim::Clock;
use chrono::{DateTime, TimeDelta, Utc};

/// Reads the machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the program stands where time comes in; everything else takes it from here"
)]
pub(crate) fn wall() -> DateTime<Utc> {
    DateTime::from(std::time::SystemTime::now())
}

/// Makes a clock that shows `from` now, and runs `speed` times as fast as the machine's.
pub(crate) fn running(from: DateTime<Utc>, speed: u32) -> Clock {
    let began = wall();
    Arc::new(move || {
        let passed = (wall() - began).max(TimeDelta::zero());
        passed
            .checked_mul(i32::try_from(speed).unwrap_or(i32::MAX))
            .and_then(|passed| from.checked_add_signed(passed))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    })
}
