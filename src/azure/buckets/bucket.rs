//! One token bucket: what is left, by our own count and by what Azure says.
//!
//! Knows no clock and no policy: time and rates are arguments. Must never let out more than either
//! count allows.

use chrono::{DateTime, TimeDelta, Utc};

/// Parts of a token, so that refills are whole numbers.
const PARTS: i64 = 1_000_000;

/// How fast the memory of what others took fades: its half-life, in seconds.
const FADES_SECONDS: i64 = 60;

/// Tokens left alone where others draw on the bucket too: what they take next is not known.
const LEFT_TO_OTHERS: i64 = 2 * PARTS;

/// How large a bucket is and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens in a full bucket.
    pub burst: u32,
    /// Tokens that come back in a minute.
    pub per_minute: u32,
}

impl Rate {
    /// Makes a rate.
    pub const fn new(burst: u32, per_minute: u32) -> Self {
        Self { burst, per_minute }
    }

    fn full(self) -> i64 {
        i64::from(self.burst) * PARTS
    }

    /// Returns the parts that come back in a time.
    fn refill(self, time: TimeDelta) -> i64 {
        let millis = time.num_milliseconds().clamp(0, 86_400_000);
        i64::from(self.per_minute) * millis * (PARTS / 1000) / 60
    }

    /// Returns the time in which so many parts come back, in whole milliseconds, rounded up.
    fn time_for(self, parts: i64, taken_by_others: i64) -> TimeDelta {
        // Parts in a second; others never leave less than a twentieth.
        let own = i64::from(self.per_minute) * PARTS / 60;
        let speed = (own - taken_by_others).max(own / 20).max(1);
        TimeDelta::milliseconds((parts.max(0) * 1000).div_euclid(speed) + 1)
    }
}

/// What Azure said was left.
#[derive(Debug, Clone, Copy)]
struct Told {
    at: DateTime<Utc>,
    parts: i64,
    /// What we took since.
    taken: i64,
}

/// A token bucket.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// What is left by our own count.
    parts: i64,
    at: DateTime<Utc>,
    closed_until: Option<DateTime<Utc>>,
    told: Option<Told>,
    /// What others took, and in how many milliseconds; both fade.
    foreign: (i64, i64),
}

impl Bucket {
    /// Makes a full one.
    pub(super) fn full(rate: Rate, now: DateTime<Utc>) -> Self {
        Self {
            parts: rate.full(),
            at: now,
            closed_until: None,
            told: None,
            foreign: (0, 0),
        }
    }

    /// Counts up to now. Time that runs backwards brings nothing back.
    fn advance(&mut self, rate: Rate, now: DateTime<Utc>) {
        self.parts = (self.parts + rate.refill(now - self.at)).min(rate.full());
        self.at = self.at.max(now);
        if self.closed_until.is_some_and(|until| until <= now) {
            self.closed_until = None;
        }
    }

    /// Returns what others take, in parts a second.
    fn foreign_speed(&self) -> i64 {
        let (parts, millis) = self.foreign;
        // A short look says nothing of the long run.
        parts * 1000 / millis.max(1000)
    }

    /// Returns what is left at an instant not before the last one.
    fn left(&self, rate: Rate, now: DateTime<Utc>) -> i64 {
        let Some(told) = self.told else {
            return self.parts;
        };
        let time = now - told.at;
        let theirs = self.foreign_speed() * time.num_milliseconds().max(0) / 1000;
        let back = (rate.refill(time) - theirs).max(rate.refill(time) / 20);
        self.parts.min(told.parts - told.taken + back)
    }

    /// Returns how many whole tokens may be taken until an instant, `horizon` from now, leaving
    /// `reserve` tokens alone.
    pub(super) fn allowance(
        &mut self,
        rate: Rate,
        now: DateTime<Utc>,
        horizon: TimeDelta,
        reserve: u32,
    ) -> u32 {
        self.advance(rate, now);
        let opens = self.closed_until.unwrap_or(now).max(now);
        if opens > now + horizon {
            return 0;
        }
        let theirs = self.foreign_speed() * horizon.num_milliseconds() / 1000;
        let back = (rate.refill(horizon) - theirs).max(0);
        let parts = self.left(rate, now) + back - self.held_back(reserve);
        u32::try_from(parts.max(0) / PARTS)
            .unwrap_or(0)
            .min(rate.burst)
    }

    fn held_back(&self, reserve: u32) -> i64 {
        let others = if self.foreign_speed() > 0 {
            LEFT_TO_OTHERS
        } else {
            0
        };
        i64::from(reserve) * PARTS + others
    }

    /// Tells whether one token may be taken now, leaving `reserve` tokens alone.
    ///
    /// # Errors
    /// The instant at which to ask again.
    pub(super) fn check(
        &mut self,
        rate: Rate,
        now: DateTime<Utc>,
        reserve: u32,
    ) -> Result<(), DateTime<Utc>> {
        self.advance(rate, now);
        if let Some(until) = self.closed_until {
            return Err(until);
        }
        // A bucket as small as what is left to others would never open.
        let wanted = (PARTS + self.held_back(reserve)).min(rate.full());
        let missing = wanted - self.left(rate, now);
        if missing <= 0 {
            return Ok(());
        }
        Err(now + rate.time_for(missing, self.foreign_speed()))
    }

    /// Takes one token; what was not there is owed.
    pub(super) fn take(&mut self) {
        self.parts -= PARTS;
        if let Some(told) = &mut self.told {
            told.taken += PARTS;
        }
    }

    /// Takes note of what Azure says is left: the lower count wins, and what is missing without
    /// our doing, others took.
    pub(super) fn heard(&mut self, rate: Rate, remaining: u32, now: DateTime<Utc>) {
        self.advance(rate, now);
        let parts = (i64::from(remaining) * PARTS).min(rate.full());
        if let Some(told) = self.told {
            let time = now - told.at;
            let millis = time.num_milliseconds().max(0);
            let expected = (told.parts - told.taken + rate.refill(time)).min(rate.full());
            let keep =
                |old: i64| old - old * millis.min(FADES_SECONDS * 1000) / (FADES_SECONDS * 2000);
            let (old, seen) = self.foreign;
            // Where the bucket overflowed nothing can be told. What is told in whole tokens is
            // off by one at most, and what was too much once is too little the next time.
            if expected < rate.full() {
                self.foreign = ((keep(old) + expected - parts).max(0), keep(seen) + millis);
            }
        }
        self.told = Some(Told {
            at: now,
            parts,
            taken: 0,
        });
    }

    /// Closes it: Azure refused a call until then.
    pub(super) fn close(&mut self, until: DateTime<Utc>) {
        self.closed_until = Some(self.closed_until.map_or(until, |own| own.max(until)));
    }

    /// Tells whether it is as good as new, so that it need not be kept.
    pub(super) fn is_idle(&self, rate: Rate, now: DateTime<Utc>) -> bool {
        let rest = TimeDelta::seconds(FADES_SECONDS * 4);
        self.closed_until.is_none_or(|until| until <= now)
            && self.parts + rate.refill(now - self.at) >= rate.full()
            && now - self.at > rest
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]
    use super::*;

    /// Assess and install, per subscription and region.
    const PATCH: Rate = Rate::new(600, 200);

    fn start() -> DateTime<Utc> {
        "2026-11-22T03:00:00Z".parse().unwrap()
    }

    fn at(millis: i64) -> DateTime<Utc> {
        start() + TimeDelta::milliseconds(millis)
    }

    /// Takes until it refuses; returns how many, and until when it refuses.
    fn drain(bucket: &mut Bucket, rate: Rate, now: DateTime<Utc>) -> (u32, DateTime<Utc>) {
        for count in 0.. {
            match bucket.check(rate, now, 0) {
                Ok(()) => bucket.take(),
                Err(until) => return (count, until),
            }
        }
        unreachable!("a bucket ends")
    }

    #[test]
    fn it_gives_its_burst_and_then_its_rate() {
        for (rate, millis_for_one) in [
            (PATCH, 301),
            (Rate::new(6, 2), 30_001),
            (Rate::new(250, 1500), 41),
            (Rate::new(15, 180), 334),
        ] {
            let mut bucket = Bucket::full(rate, start());
            let (count, until) = drain(&mut bucket, rate, start());
            assert_eq!((count, until), (rate.burst, at(millis_for_one)), "{rate:?}");
            assert!(bucket.check(rate, until, 0).is_ok(), "{rate:?}");
            let minute = until + TimeDelta::minutes(1);
            let (count, _) = drain(&mut bucket, rate, minute);
            assert!(
                (rate.per_minute..=rate.per_minute + 1).contains(&count.min(rate.burst))
                    || count == rate.burst,
                "{rate:?}: {count}"
            );
            let (count, _) = drain(&mut bucket, rate, minute + TimeDelta::days(2));
            assert_eq!(count, rate.burst, "it never holds more: {rate:?}");
        }
    }

    #[test]
    fn a_lower_count_of_azures_wins_and_a_higher_one_never_does() {
        for (remaining, expected) in [(0, 0), (10, 10), (600, 600), (4000, 600)] {
            let mut bucket = Bucket::full(PATCH, start());
            bucket.heard(PATCH, remaining, start());
            let (count, _) = drain(&mut bucket, PATCH, start());
            assert_eq!(count, expected, "{remaining}");
        }
        let mut bucket = Bucket::full(PATCH, start());
        drain(&mut bucket, PATCH, start());
        bucket.heard(PATCH, 500, start());
        assert!(bucket.check(PATCH, start(), 0).is_err());
    }

    #[test]
    fn a_refusal_closes_it_until_the_instant_that_azure_named() {
        let mut bucket = Bucket::full(PATCH, start());
        bucket.close(at(90_000));
        bucket.close(at(30_000));
        assert_eq!(bucket.check(PATCH, at(89_999), 0), Err(at(90_000)));
        let horizon = TimeDelta::seconds(15);
        assert_eq!(bucket.allowance(PATCH, at(60_000), horizon, 0), 0);
        assert_eq!(bucket.allowance(PATCH, at(80_000), horizon, 0), 600);
        assert_eq!(bucket.check(PATCH, at(90_000), 0), Ok(()));
    }

    #[test]
    fn what_it_lets_out_soon_is_what_is_left_and_what_comes_back() {
        let horizon = TimeDelta::seconds(15);
        let mut bucket = Bucket::full(PATCH, start());
        assert_eq!(bucket.allowance(PATCH, start(), horizon, 0), 600);
        drain(&mut bucket, PATCH, start());
        assert_eq!(bucket.allowance(PATCH, start(), horizon, 0), 50);
        assert_eq!(bucket.allowance(PATCH, start(), horizon, 20), 30);
        assert_eq!(bucket.allowance(PATCH, start(), horizon, 100), 0);
    }

    #[test]
    fn time_that_runs_backwards_brings_nothing_back() {
        let mut bucket = Bucket::full(PATCH, start());
        drain(&mut bucket, PATCH, start());
        assert!(bucket.check(PATCH, at(-3_600_000), 0).is_err());
        assert!(bucket.check(PATCH, start(), 0).is_err());
    }

    /// A server that knows nothing of us, and a foreign actor who takes a share of what comes
    /// back in it.
    fn with_a_foreigner(percent: i64, seconds: i64) -> (f64, u32, u32) {
        let mut server = Bucket::full(PATCH, start());
        let mut own = Bucket::full(PATCH, start());
        let (mut accepted, mut refused, mut owed) = (0_u32, 0_u32, 0_i64);
        for tick in 0..seconds * 10 {
            let now = at(tick * 100);
            owed += i64::from(PATCH.per_minute) * percent;
            // A token of the foreigner's is worth 100 percent times 600 ticks of a minute.
            while owed >= 60_000 {
                owed -= 60_000;
                if server.check(PATCH, now, 0).is_ok() {
                    server.take();
                }
            }
            while own.check(PATCH, now, 0).is_ok() {
                own.take();
                if server.check(PATCH, now, 0).is_ok() {
                    server.take();
                    accepted += 1;
                } else {
                    refused += 1;
                    own.close(now + TimeDelta::seconds(5));
                }
                let left = u32::try_from(server.left(PATCH, now).max(0) / PARTS).unwrap();
                own.heard(PATCH, left, now);
            }
        }
        let there = f64::from(PATCH.burst)
            + f64::from(PATCH.per_minute) * (100 - percent) as f64 / 100.0 * seconds as f64 / 60.0;
        (f64::from(accepted) / there, refused, accepted + refused)
    }

    #[test]
    fn a_foreign_actor_is_seen_and_left_his_share() {
        // Percent that others take, our use of the rest at least, refusals in 10,000 at most
        // (design §11: alone 90 % and 1; with 30 % foreign 80 % and 10).
        for (percent, least, most) in [(0, 0.98, 0), (30, 0.85, 10), (70, 0.80, 10)] {
            let (used, refused, sent) = with_a_foreigner(percent, 3600);
            println!("foreign {percent} %: used {used:.3}, refused {refused} of {sent}");
            assert!(used >= least, "{percent} %: {used}");
            assert!(
                refused * 10_000 <= most * sent,
                "{percent} %: {refused} of {sent}"
            );
        }
    }
}
