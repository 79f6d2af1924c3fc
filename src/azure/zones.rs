//! Which physical zone a zone number means, per subscription (azure.md §1.2; Azure REST
//! reference, "Subscriptions - List Locations", `availabilityZoneMappings`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::arm::Arm;
use super::error::Error;
use super::read_as::some;
use super::wire::API_LOCATIONS;
use super::wire::locations::Locations;
use crate::domain::machine::ZonePlace;
use crate::domain::region;

/// How long a mapping is kept, in seconds: it never changes, but regions gain zones.
const GOOD_SECONDS: i64 = 24 * 3600;

/// How long a failure to read one is kept, in seconds.
const BAD_SECONDS: i64 = 300;

/// Physical zones by region and zone number.
type Mapping = BTreeMap<(String, String), String>;

#[derive(Debug, Clone)]
struct Known {
    at: DateTime<Utc>,
    mapping: Result<Arc<Mapping>, Error>,
}

/// What was read, by subscription; failures too, so that one missing right costs one call.
#[derive(Debug, Default)]
pub(super) struct Zones(Mutex<BTreeMap<String, Known>>);

/// The mappings of some subscriptions.
#[derive(Debug, Default)]
pub(super) struct PhysicalZones(BTreeMap<String, Arc<Mapping>>);

impl PhysicalZones {
    /// Returns the physical zone, or unknown.
    pub(super) fn place(&self, subscription: &str, region: &str, zone: &str) -> ZonePlace {
        self.0
            .get(subscription)
            .and_then(|mapping| mapping.get(&(region.to_owned(), zone.trim().to_owned())))
            .map_or(ZonePlace::Unknown, |physical| {
                ZonePlace::Physical(physical.clone())
            })
    }
}

impl Zones {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the mappings of subscriptions. One that cannot be read is missing, and its zones
    /// are unknown.
    pub(super) async fn of(
        &self,
        arm: &Arm,
        subscriptions: &[String],
        now: DateTime<Utc>,
    ) -> PhysicalZones {
        let mut found = PhysicalZones::default();
        for subscription in subscriptions {
            let known = self.lock().get(subscription).cloned();
            let known = match known.filter(|known| is_fresh(known, now)) {
                Some(known) => known,
                None => {
                    let mapping = read(arm, subscription).await.map(Arc::new);
                    let known = Known { at: now, mapping };
                    self.lock().insert(subscription.clone(), known.clone());
                    known
                }
            };
            if let Ok(mapping) = known.mapping {
                found.0.insert(subscription.clone(), mapping);
            }
        }
        found
    }
}

fn is_fresh(known: &Known, now: DateTime<Utc>) -> bool {
    let limit = if known.mapping.is_ok() {
        GOOD_SECONDS
    } else {
        BAD_SECONDS
    };
    let age = now - known.at;
    TimeDelta::zero() <= age && age < TimeDelta::seconds(limit)
}

async fn read(arm: &Arm, subscription: &str) -> Result<Mapping, Error> {
    let what = format!("the locations of subscription {subscription}");
    let subscription = super::act::segment(&what, subscription)?;
    let path = format!("/subscriptions/{subscription}/locations?api-version={API_LOCATIONS}");
    let locations: Locations = arm.get(&what, &path).await?.json(&what)?;
    let mut mapping = Mapping::new();
    for location in locations.value {
        let region = region::normalise(location.name.as_deref().unwrap_or_default());
        for zone in location.availability_zone_mappings.unwrap_or_default() {
            let (logical, physical) = (
                some(zone.logical_zone.as_ref()),
                some(zone.physical_zone.as_ref()),
            );
            if let (Some(logical), Some(physical)) = (logical, physical) {
                let key = (region.clone(), logical.to_owned());
                mapping.insert(key, physical.to_ascii_lowercase());
            }
        }
    }
    Ok(mapping)
}
