//! What is read once per subscription and kept for a while.
//!
//! Failures are kept too, for a shorter while, so that one missing right costs one call and not
//! one for every pass.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::error::Error;

/// How long a failure is kept, in seconds.
const BAD_SECONDS: i64 = 300;

#[derive(Debug)]
struct Known<T> {
    at: DateTime<Utc>,
    found: Result<Arc<T>, Error>,
}

/// What was read, by subscription.
#[derive(Debug)]
pub(super) struct Kept<T> {
    good_seconds: i64,
    known: Mutex<BTreeMap<String, Known<T>>>,
}

impl<T> Kept<T> {
    /// Keeps what is read for `good_seconds`.
    pub(super) fn new(good_seconds: i64) -> Self {
        let known = Mutex::default();
        Self {
            good_seconds,
            known,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known<T>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, subscription: &str, now: DateTime<Utc>) -> Option<Result<Arc<T>, Error>> {
        let known = self.lock();
        let known = known.get(subscription)?;
        let limit = if known.found.is_ok() {
            self.good_seconds
        } else {
            BAD_SECONDS
        };
        let age = now - known.at;
        let is_fresh = TimeDelta::zero() <= age && age < TimeDelta::seconds(limit);
        is_fresh.then(|| known.found.clone())
    }

    /// Returns what is known of each subscription, reading what is not; one that cannot be read
    /// is missing.
    pub(super) async fn of<F>(
        &self,
        subscriptions: &[String],
        now: DateTime<Utc>,
        read: impl Fn(String) -> F,
    ) -> BTreeMap<String, Arc<T>>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let all = self.each(subscriptions, now, read).await.into_iter();
        all.filter_map(|(subscription, found)| Some((subscription, found.ok()?)))
            .collect()
    }

    /// Returns what is known of each subscription, reading what is not, or why it is not known.
    pub(super) async fn each<F>(
        &self,
        subscriptions: &[String],
        now: DateTime<Utc>,
        read: impl Fn(String) -> F,
    ) -> BTreeMap<String, Result<Arc<T>, Error>>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut all = BTreeMap::new();
        for subscription in subscriptions {
            let found = match self.fresh(subscription, now) {
                Some(found) => found,
                None => {
                    let found = read(subscription.clone()).await.map(Arc::new);
                    let known = Known {
                        at: now,
                        found: found.clone(),
                    };
                    self.lock().insert(subscription.clone(), known);
                    found
                }
            };
            all.insert(subscription.clone(), found);
        }
        all
    }
}
