//! A clock that its callers move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use http::{HeaderMap, header};

use crate::sim::Clock;

/// A clock that its callers move: it shows the newest `Date` of their requests and never goes back.
#[derive(Clone, Debug)]
pub struct CallerClock(Arc<AtomicI64>);

impl CallerClock {
    /// Makes a clock that shows `now` until a request brings a later time.
    #[must_use]
    pub fn starting_at(now: DateTime<Utc>) -> Self {
        Self(Arc::new(AtomicI64::new(now.timestamp_millis())))
    }

    /// Shows the time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let shown = self.0.load(Ordering::Acquire);
        DateTime::from_timestamp_millis(shown).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// Moves the clock forward; an earlier time changes nothing.
    pub fn move_to(&self, now: DateTime<Utc>) {
        self.0.fetch_max(now.timestamp_millis(), Ordering::AcqRel);
    }

    /// Returns the clock as the emulator reads it.
    #[must_use]
    pub fn as_clock(&self) -> Clock {
        let own = self.clone();
        Arc::new(move || own.now())
    }

    pub(super) fn learn(&self, headers: &HeaderMap) {
        let text = headers.get(header::DATE).and_then(|own| own.to_str().ok());
        let date = text.and_then(|own| DateTime::parse_from_rfc2822(own).ok());
        if let Some(date) = date {
            self.move_to(date.to_utc());
        }
    }
}
