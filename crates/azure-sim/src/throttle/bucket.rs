//! A token bucket in whole numbers, so that it is the same everywhere.

use chrono::{DateTime, TimeDelta, Utc};

/// Parts of a token: so many that a refill of one token a minute is one part a millisecond.
const PARTS: u64 = 60_000;

/// How fast a bucket fills and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Tokens a minute.
    pub(crate) refill: u32,
    /// Tokens at most.
    pub(crate) burst: u32,
}

impl Rate {
    pub(crate) const fn new(refill: u32, burst: u32) -> Self {
        Self { refill, burst }
    }

    pub(crate) fn times(self, factor: u32) -> Self {
        Self::new(
            self.refill.saturating_mul(factor),
            self.burst.saturating_mul(factor),
        )
    }

    /// What is left of it when somebody else uses up a share of it all the time. At least one
    /// token is left.
    pub(crate) fn without(self, percent: u8) -> Self {
        let percent = u32::from(percent.min(super::Buckets::FOREIGN_PERCENT_MAX));
        let left = |own: u32| (own - own * percent / 100).max(1);
        Self::new(left(self.refill), left(self.burst))
    }
}

/// A bucket that was full when it was first asked.
#[derive(Debug, Clone)]
pub(super) struct TokenBucket {
    rate: Rate,
    /// In parts of a token.
    holds: u64,
    at: DateTime<Utc>,
}

impl TokenBucket {
    pub(super) fn full(rate: Rate, now: DateTime<Utc>) -> Self {
        let holds = u64::from(rate.burst) * PARTS;
        Self {
            rate,
            holds,
            at: now,
        }
    }

    fn refill(&mut self, now: DateTime<Utc>) {
        let passed = (now - self.at).max(TimeDelta::zero()).num_milliseconds();
        let passed = u64::try_from(passed).unwrap_or(0);
        let more = passed.saturating_mul(u64::from(self.rate.refill));
        let most = u64::from(self.rate.burst) * PARTS;
        self.holds = self.holds.saturating_add(more).min(most);
        self.at = self.at.max(now);
    }

    pub(super) fn is_full(&mut self, now: DateTime<Utc>) -> bool {
        self.refill(now);
        self.holds == u64::from(self.rate.burst) * PARTS
    }

    /// Gives the whole seconds until it holds a token; none if it does.
    pub(super) fn wait_seconds(&mut self, now: DateTime<Utc>) -> Option<u32> {
        self.refill(now);
        let lacks = PARTS.checked_sub(self.holds).filter(|own| *own > 0)?;
        let milliseconds = lacks.div_ceil(u64::from(self.rate.refill.max(1)));
        u32::try_from(milliseconds.div_ceil(1000)).ok()
    }

    /// Takes a token; gives the whole tokens left.
    pub(super) fn take(&mut self, now: DateTime<Utc>) -> u32 {
        self.refill(now);
        self.holds = self.holds.saturating_sub(PARTS);
        u32::try_from(self.holds / PARTS).unwrap_or(u32::MAX)
    }
}
