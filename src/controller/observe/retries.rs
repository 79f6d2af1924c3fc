//! When to look again with an identity that could not read: soon, then less and less often, and
//! never later than in some minutes. Must never decide whether to look.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::Principal;

/// How soon after its first failure an identity looks again.
const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(1);

/// The longest pause between two looks that fail. A fault that ends is noticed within it.
const PAUSE_MAX: TimeDelta = TimeDelta::minutes(8);

/// The next look of one identity.
struct Retry {
    pause: TimeDelta,
    at: DateTime<Utc>,
}

/// The next look of each identity whose last one failed. It can be lost.
#[derive(Default)]
pub(super) struct Retries(BTreeMap<Principal, Retry>);

impl Retries {
    /// Notes that a look failed. One that came before its time, as something else had changed,
    /// does not make the pause longer.
    pub(super) fn failed(&mut self, who: &Principal, now: DateTime<Utc>) {
        let pause = match self.0.get(who) {
            Some(retry) if now < retry.at => return,
            Some(retry) => (retry.pause * 2).min(PAUSE_MAX),
            None => FIRST_PAUSE,
        };
        let at = now + pause;
        self.0.insert(who.clone(), Retry { pause, at });
    }

    /// Notes that a look did not fail.
    pub(super) fn succeeded(&mut self, who: &Principal) {
        self.0.remove(who);
    }

    /// Returns when the next look is due.
    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        self.0.values().map(|retry| retry.at).min()
    }

    /// Keeps those of these identities only.
    pub(super) fn retain(&mut self, looked: &BTreeSet<Principal>) {
        self.0.retain(|who, _| looked.contains(who));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn pauses_grow_to_some_minutes_and_end_with_a_success() {
        let who = ("team-a".to_owned(), "patcher".to_owned());
        let other = ("team-b".to_owned(), "patcher".to_owned());
        let mut retries = Retries::default();
        assert_eq!(retries.next(), None);
        // When a look fails, and when the next one is due, in seconds.
        let rows = [
            (0, 60),
            (30, 60),
            (60, 180),
            (180, 420),
            (420, 900),
            (900, 1380),
            (1400, 1880),
        ];
        for (now, due) in rows {
            retries.failed(&who, at(now));
            assert_eq!(retries.next(), Some(at(due)), "{now}");
        }
        retries.failed(&other, at(1400));
        assert_eq!(retries.next(), Some(at(1460)), "each has its own pause");
        retries.succeeded(&other);
        assert_eq!(retries.next(), Some(at(1880)));
        retries.succeeded(&who);
        assert_eq!(retries.next(), None);
        retries.failed(&who, at(2000));
        assert_eq!(retries.next(), Some(at(2060)), "it begins anew");
        retries.retain(&BTreeSet::from([other]));
        assert_eq!(retries.next(), None, "nobody names it any more");
    }
}
