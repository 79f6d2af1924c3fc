//! The weather of one seed: which request meets which fault, and the spells in which a server is
//! away, busy or refuses. Draws from its own seed alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;

use super::class::{Class, Counts};
use crate::rehearsal::gate::Side;
use crate::rehearsal::weather::{Fault, Passing, RetryAfter, To, Weather};

/// A chance is a share of this.
const CHANCES: u32 = 100_000;

/// The longest that a command to an Azure VM is on its way: inside its late horizon of two hours.
const LATE_VM_MINUTES: u64 = 110;

/// The longest that a command to an Arc machine is on its way: inside its late horizon of seven
/// hours.
const LATE_ARC_MINUTES: u64 = 6 * 60;

/// The longest that any other write is on its way.
const LATE_WRITE_MINUTES: u64 = 5;

/// So long after its start a process recovers.
const RECOVERY: TimeDelta = TimeDelta::minutes(10);

/// How bad the weather is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The chance of a fault for each read, in a hundred thousand.
    pub per_read: u32,
    /// For each write and each watch.
    pub per_write: u32,
    /// For each command.
    pub per_command: u32,
    /// The most deaths.
    pub deaths_max: u32,
    /// The spells.
    pub spells: Vec<Spell>,
    /// From here on it is calm.
    pub calm_from: DateTime<Utc>,
}

impl Forecast {
    /// Returns a weather without any fault.
    pub fn calm(from: DateTime<Utc>) -> Self {
        Self {
            per_read: 0,
            per_write: 0,
            per_command: 0,
            deaths_max: 0,
            spells: Vec::new(),
            calm_from: from,
        }
    }
}

/// A time in which something is away for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spell {
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// What.
    pub what: Away,
}

/// What is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// The API server.
    ApiServer,
    /// Azure: no connection, or 503.
    Azure,
    /// Azure's patience: 429.
    Patience(RetryAfter),
    /// The token: 401.
    Token,
    /// The right to act: 403 on every write.
    Rights,
}

impl Away {
    /// Returns the class it belongs to.
    pub fn class(self) -> Class {
        match self {
            Self::ApiServer => Class::ApiServerDown,
            Self::Azure => Class::AzureDown,
            Self::Patience(_) => Class::Throttled,
            Self::Token => Class::TokenRefused,
            Self::Rights => Class::Denied,
        }
    }
}

/// The weather of one seed.
pub struct Storm {
    rng: Rng,
    now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    forecast: Forecast,
    counts: Arc<Mutex<Counts>>,
    deaths: u32,
    born: DateTime<Utc>,
}

impl Storm {
    /// Makes the weather of a seed. What it does is counted.
    pub fn new(
        seed: u64,
        forecast: Forecast,
        now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
        counts: Arc<Mutex<Counts>>,
    ) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            born: forecast.calm_from,
            now,
            forecast,
            counts,
            deaths: 0,
        }
    }

    fn note(&self, class: Class) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.note(class);
    }

    fn spell(&mut self, passing: &Passing<'_>, now: DateTime<Utc>) -> Option<Fault> {
        let is_on = |own: &&Spell| {
            let right = match own.what {
                Away::ApiServer => passing.to == To::Kube,
                Away::Azure | Away::Patience(_) | Away::Token => passing.to == To::Azure,
                Away::Rights => passing.to == To::Azure && passing.is_effect,
            };
            right && own.from <= now && now < own.until
        };
        let what = self.forecast.spells.iter().find(is_on)?.what;
        self.note(what.class());
        Some(match what {
            Away::ApiServer | Away::Azure => match self.rng.u8(0..3) {
                0 => Fault::NotSent,
                1 => refused(503),
                _ => Fault::RequestLost,
            },
            Away::Patience(retry_after) => Fault::Refused {
                status: 429,
                retry_after,
            },
            Away::Token => refused(401),
            Away::Rights => refused(403),
        })
    }

    fn has_chance(&mut self, passing: &Passing<'_>) -> bool {
        let chance = if passing.is_command() {
            self.forecast.per_command
        } else if passing.is_effect || passing.is_watch {
            self.forecast.per_write
        } else {
            self.forecast.per_read
        };
        self.rng.u32(0..CHANCES) < chance
    }

    fn death(&mut self, now: DateTime<Utc>) -> Option<Fault> {
        if self.deaths >= self.forecast.deaths_max {
            return None;
        }
        self.deaths += 1;
        let recovers = self.born <= now && now - self.born < RECOVERY;
        self.note(Class::Death);
        if recovers {
            self.note(Class::DeathInRecovery);
        }
        let side = if self.rng.bool() {
            Side::Before
        } else {
            Side::After
        };
        Some(Fault::Death(side))
    }

    fn of_watch(&mut self) -> (Class, Fault) {
        let minutes = |rng: &mut Rng, most| Duration::from_secs(60 * rng.u64(1..=most));
        match self.rng.u8(0..6) {
            0 => (
                Class::SilentWatch,
                Fault::Silent(minutes(&mut self.rng, 60)),
            ),
            1 | 2 => {
                let lag = Duration::from_secs(self.rng.u64(2..=180));
                (Class::StaleWatch, Fault::Lagging(lag))
            }
            3 => (Class::Expired, refused(410)),
            4 => (Class::ServerError, refused(500)),
            _ => (Class::NotSent, Fault::NotSent),
        }
    }

    fn of_read(&mut self) -> (Class, Fault) {
        match self.rng.u8(0..6) {
            0 => self.throttled(),
            1 | 2 => self.server_error(),
            3 => (Class::NotSent, Fault::NotSent),
            4 => (Class::AnswerLost, Fault::AnswerLost),
            _ => {
                let slow = Duration::from_secs(self.rng.u64(1..=20));
                (Class::AnswerLost, Fault::Slow(Duration::ZERO, slow))
            }
        }
    }

    fn of_write(&mut self, passing: &Passing<'_>) -> (Class, Fault) {
        let longest = match (passing.is_command(), passing.path.contains("HybridCompute")) {
            (true, true) => LATE_ARC_MINUTES,
            (true, false) => LATE_VM_MINUTES,
            (false, _) => LATE_WRITE_MINUTES,
        };
        let later = Duration::from_secs(self.rng.u64(1..=60 * longest));
        match self.rng.u8(0..13) {
            0 => self.throttled(),
            1 => self.server_error(),
            2 => (Class::NotSent, Fault::NotSent),
            3 => (Class::Conflict, refused(409)),
            4 => (Class::AnswerLost, Fault::RequestLost),
            5..=7 => (Class::AnswerLost, Fault::AnswerLost),
            8 => (Class::ServerError, Fault::AnswerSpoilt(504)),
            9 | 10 => (Class::Doubled, Fault::Late(later)),
            11 => (Class::Doubled, Fault::Twice(later)),
            _ => {
                let slow = Duration::from_secs(self.rng.u64(1..=20));
                (Class::AnswerLost, Fault::Slow(Duration::ZERO, slow))
            }
        }
    }

    fn throttled(&mut self) -> (Class, Fault) {
        let seconds = self.rng.u32(1..=300);
        let retry_after = match self.rng.u8(0..3) {
            0 => RetryAfter::Unsaid,
            1 => RetryAfter::Seconds(seconds),
            _ => RetryAfter::Date(seconds),
        };
        let fault = Fault::Refused {
            status: 429,
            retry_after,
        };
        (Class::Throttled, fault)
    }

    fn server_error(&mut self) -> (Class, Fault) {
        let status = [500, 502, 503, 504][self.rng.usize(0..4)];
        (Class::ServerError, refused(status))
    }
}

fn refused(status: u16) -> Fault {
    Fault::Refused {
        status,
        retry_after: RetryAfter::Unsaid,
    }
}

impl Weather for Storm {
    fn meet(&mut self, passing: &Passing<'_>) -> Fault {
        let now = (self.now)();
        if now >= self.forecast.calm_from {
            return Fault::None;
        }
        if let Some(fault) = self.spell(passing, now) {
            return fault;
        }
        let recovers = self.born <= now && now - self.born < RECOVERY;
        let dies_again = recovers && self.rng.u32(0..CHANCES) < CHANCES / 200;
        if dies_again && let Some(death) = self.death(now) {
            return death;
        }
        if !self.has_chance(passing) {
            return Fault::None;
        }
        let is_fatal = self.rng.u8(0..5) == 0;
        if is_fatal && let Some(death) = self.death(now) {
            return death;
        }
        let (class, fault) = if passing.is_watch {
            self.of_watch()
        } else if passing.is_effect {
            self.of_write(passing)
        } else {
            self.of_read()
        };
        self.note(class);
        fault
    }

    fn reborn(&mut self) {
        self.born = (self.now)();
    }
}
