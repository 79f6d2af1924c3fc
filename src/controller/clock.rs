//! The one place that reads a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// Tells the time: the wall clock, or a virtual one that runs with tokio's (paused) time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    Wall,
    /// An epoch plus the tokio time since `start`.
    Virtual {
        /// The time at `start`.
        epoch: DateTime<Utc>,
        /// The tokio instant that is the epoch.
        start: Instant,
    },
    /// Another clock that is wrong by so many milliseconds, which may change: a rehearsal's.
    Wrong {
        /// The clock that is right.
        right: Box<Self>,
        /// What is added to it, in milliseconds.
        by_millis: Arc<AtomicI64>,
    },
}

impl Clock {
    /// Makes a virtual clock that shows `epoch` now.
    pub fn starting_at(epoch: DateTime<Utc>) -> Self {
        Self::Virtual {
            epoch,
            start: Instant::now(),
        }
    }

    /// Returns the time.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::Wall => wall(),
            Self::Virtual { epoch, start } => {
                *epoch + TimeDelta::from_std(start.elapsed()).unwrap_or(TimeDelta::MAX)
            }
            Self::Wrong { right, by_millis } => {
                right.now() + TimeDelta::milliseconds(by_millis.load(Ordering::Relaxed))
            }
        }
    }

    /// Returns the clock as a closure, for the simulators.
    pub fn as_fn(&self) -> Arc<dyn Fn() -> DateTime<Utc> + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

fn wall() -> DateTime<Utc> {
    // chrono's own clock feature is off; the standard clock is read here and nowhere else.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    DateTime::<Utc>::from(std::time::SystemTime::now())
}
