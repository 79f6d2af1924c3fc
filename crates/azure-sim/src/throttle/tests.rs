#![allow(clippy::unwrap_used)] // tests may unwrap

use chrono::{TimeDelta, TimeZone, Utc};

use super::bucket::TokenBucket;
use super::*;

fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 3, 0, 0).unwrap()
}

#[test]
fn a_bucket_gives_its_burst_and_then_its_refill() {
    let mut now = start();
    let mut bucket = TokenBucket::full(Rate::new(2, 6), now);
    for left in (0..6).rev() {
        assert_eq!(bucket.wait_seconds(now), None);
        assert_eq!(bucket.take(now), left);
    }
    assert_eq!(bucket.wait_seconds(now), Some(30), "two a minute");
    now += TimeDelta::milliseconds(29_001);
    assert_eq!(bucket.wait_seconds(now), Some(1), "rounded up");
    now += TimeDelta::milliseconds(999);
    assert_eq!(bucket.wait_seconds(now), None);
    bucket.take(now);
    assert!(!bucket.is_full(now + TimeDelta::seconds(179)));
    assert!(bucket.is_full(now + TimeDelta::seconds(180)));
}

#[test]
fn a_clock_that_goes_back_fills_nothing() {
    let now = start();
    let mut bucket = TokenBucket::full(Rate::new(60, 1), now);
    bucket.take(now);
    assert_eq!(bucket.wait_seconds(now - TimeDelta::hours(1)), Some(1));
    assert_eq!(bucket.wait_seconds(now), Some(1));
}

#[test]
fn a_share_is_taken_off_both_numbers_and_never_all_of_it() {
    assert_eq!(Rate::new(200, 600).without(30), Rate::new(140, 420));
    assert_eq!(Rate::new(200, 600).without(255), Rate::new(20, 60));
    assert_eq!(Rate::new(1, 1).without(90), Rate::new(1, 1));
}

#[test]
fn what_is_full_is_forgotten() {
    let mut throttle = Throttle::default();
    let now = start();
    let key = |name: &str| Key::Subscription(Verb::Read, name.to_owned());
    let rate = Rate::new(1, 2);
    throttle.take(&[(key("old"), rate)], now).unwrap();
    let later = now + TimeDelta::hours(1);
    for _ in 0..FORGET_EVERY {
        let _ = throttle.take(&[(key("new"), rate)], later);
    }
    assert_eq!(throttle.buckets.keys().collect::<Vec<_>>(), [&key("new")]);
}
