//! All machines of a scope, from Resource Graph.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::Cloud;
use super::error::Error;
use super::gather::{Gathering, Step};
use super::graph::targets;
use super::port::{Inventory, Scope};

/// How long a half-read inventory is good, in seconds; after that it is read from the start.
pub(super) const UNFINISHED_SECONDS_MAX: i64 = 300;

/// Half-read inventories kept at most, one for each scope.
const UNFINISHED_MAX: usize = 64;

/// Half-read inventories, by scope: Resource Graph's quota (15 queries in 5 s, azure.md §4) ends
/// before a large inventory does, and no call sleeps.
#[derive(Debug, Default)]
pub(super) struct Unfinished(Mutex<BTreeMap<Scope, Gathering>>);

impl Unfinished {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Scope, Gathering>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, scope: &Scope, now: DateTime<Utc>) -> Option<Gathering> {
        let limit = TimeDelta::seconds(UNFINISHED_SECONDS_MAX);
        let found = self.lock().remove(scope)?;
        let age = now - found.began;
        (TimeDelta::zero() <= age && age <= limit).then_some(found)
    }

    fn keep(&self, scope: &Scope, gathering: Gathering) {
        let mut kept = self.lock();
        if kept.len() >= UNFINISHED_MAX && !kept.contains_key(scope) {
            let oldest = kept
                .iter()
                .min_by_key(|(_, g)| g.began)
                .map(|(scope, _)| scope.clone());
            if let Some(oldest) = oldest {
                kept.remove(&oldest);
            }
        }
        kept.insert(scope.clone(), gathering);
    }
}

/// Reads an inventory, or goes on with one.
pub(super) async fn inventory(
    cloud: &Cloud,
    scope: &Scope,
    now: DateTime<Utc>,
) -> Result<Inventory, Error> {
    let targets = targets(scope)?;
    let mut gathering = match cloud.unfinished.take(scope, now) {
        Some(gathering) => gathering,
        None => Gathering::new(now, cloud.learned.reach(), targets, None),
    };
    loop {
        match gathering.step(&cloud.arm).await {
            Ok(Step::Done) => break,
            Ok(Step::More { wait_seconds: None }) => {}
            Ok(Step::More {
                wait_seconds: Some(until_seconds),
            }) => {
                cloud.unfinished.keep(scope, gathering);
                return Err(Error::Throttled {
                    until_seconds,
                    what: "the inventory".to_owned(),
                });
            }
            Err(error @ (Error::Throttled { .. } | Error::Transient { .. })) => {
                cloud.unfinished.keep(scope, gathering);
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    cloud.learned.set(gathering.reach);
    let Gathering {
        began,
        resources,
        mut tables,
        ..
    } = gathering;
    let placed = resources.placed_subscriptions();
    let in_sets = resources.subscriptions_with_sets();
    let places = cloud.places.of(&cloud.arm, &placed, &in_sets, now).await;
    let machines = resources.join(&mut tables, &places);
    Ok(Inventory {
        at: began,
        regions: places.regions(),
        machines,
        unreadable: tables.unreadable.into_iter().collect(),
    })
}
