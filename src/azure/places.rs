//! Where VMs stand beyond what Resource Graph tells: the physical zone behind a zone number, the
//! pairs of regions, and the update domain in an availability set. All are read per subscription
//! and kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::act::segment;
use super::arm::Arm;
use super::error::Error;
use super::kept::Kept;
use super::read_as::some;
use super::wire::locations::Locations;
use super::wire::vm::VmList;
use super::wire::{API_COMPUTE, API_LOCATIONS};
use crate::domain::machine::{MachineId, ZonePlace};
use crate::domain::region::{self, Regions};

/// How long locations are kept, in seconds: zones and pairs never change, but regions gain both.
const LOCATIONS_SECONDS: i64 = 24 * 3600;

/// How long update domains are kept, in seconds: a VM that is deallocated and started again may
/// come back in another.
const DOMAINS_SECONDS: i64 = 3600;

/// Pages of a subscription's VMs read at most.
const PAGES_MAX: usize = 200;

/// What a subscription is told of locations.
#[derive(Debug, Default)]
struct Mapping {
    /// Physical zones by region and zone number.
    zones: BTreeMap<(String, String), String>,
    /// Regions, each with one that it is paired with.
    pairs: BTreeSet<(String, String)>,
}

/// Update domains by machine.
type Domains = BTreeMap<MachineId, u32>;

/// What was read so far.
#[derive(Debug)]
pub(super) struct Places {
    locations: Kept<Mapping>,
    domains: Kept<Domains>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            locations: Kept::new(LOCATIONS_SECONDS),
            domains: Kept::new(DOMAINS_SECONDS),
        }
    }
}

impl Places {
    /// Returns the places of some subscriptions. One that cannot be read is missing, and what it
    /// would have told is unknown.
    pub(super) async fn of(
        &self,
        arm: &Arm,
        with_vms: &[String],
        in_sets: &[String],
        now: DateTime<Utc>,
    ) -> Known {
        let locations = self.locations.of(with_vms, now, |subscription| async move {
            locations_of(arm, &subscription).await
        });
        let locations = locations.await;
        let domains = self.domains.of(in_sets, now, |subscription| async move {
            domains_of(arm, &subscription).await
        });
        let domains = domains.await;
        Known { locations, domains }
    }
}

/// The places of some subscriptions.
#[derive(Debug, Default)]
pub(super) struct Known {
    locations: BTreeMap<String, Arc<Mapping>>,
    domains: BTreeMap<String, Arc<Domains>>,
}

impl Known {
    /// Returns the physical zone behind a zone number, or unknown.
    pub(super) fn zone(&self, subscription: &str, region: &str, zone: &str) -> ZonePlace {
        self.locations
            .get(subscription)
            .and_then(|mapping| {
                mapping
                    .zones
                    .get(&(region.to_owned(), zone.trim().to_owned()))
            })
            .map_or(ZonePlace::Unknown, |physical| {
                ZonePlace::Physical(physical.clone())
            })
    }

    /// Returns the regions with their pairs: what Azure says comes first, and what is embedded in
    /// the program stands for the regions of which it names no pair.
    pub(super) fn regions(&self) -> Arc<Regions> {
        let told: BTreeSet<(&str, &str)> = self
            .locations
            .values()
            .flat_map(|own| &own.pairs)
            .map(|(region, pair)| (region.as_str(), pair.as_str()))
            .collect();
        Regions::shared_with(&told)
    }

    /// Returns a VM's update domain.
    pub(super) fn domain(&self, machine: &MachineId) -> Option<u32> {
        self.domains
            .get(machine.subscription())?
            .get(machine)
            .copied()
    }
}

/// Reads `availabilityZoneMappings` and `pairedRegion` (Azure REST reference, "Subscriptions - List
/// Locations").
async fn locations_of(arm: &Arm, subscription: &str) -> Result<Mapping, Error> {
    let what = format!("the locations of subscription {subscription}");
    let subscription = segment(&what, subscription)?;
    let path = format!("/subscriptions/{subscription}/locations?api-version={API_LOCATIONS}");
    let locations: Locations = arm.get(&what, &path).await?.json(&what)?;
    let mut mapping = Mapping::default();
    for location in locations.value {
        let region = region::normalise(location.name.as_deref().unwrap_or_default());
        let told = location.metadata.and_then(|own| own.paired_region);
        for pair in told.unwrap_or_default() {
            let pair = region::normalise(pair.name.as_deref().unwrap_or_default());
            if !region.is_empty() && !pair.is_empty() {
                mapping.pairs.insert((region.clone(), pair));
            }
        }
        for zone in location.availability_zone_mappings.unwrap_or_default() {
            let (logical, physical) = (
                some(zone.logical_zone.as_ref()),
                some(zone.physical_zone.as_ref()),
            );
            if let (Some(logical), Some(physical)) = (logical, physical) {
                let key = (region.clone(), logical.to_owned());
                mapping.zones.insert(key, physical.to_ascii_lowercase());
            }
        }
    }
    Ok(mapping)
}

/// Reads the instance views of a subscription's VMs at once (azure.md §1, `statusOnly`).
async fn domains_of(arm: &Arm, subscription: &str) -> Result<Domains, Error> {
    let what = format!("the update domains of subscription {subscription}");
    let subscription = segment(&what, subscription)?;
    let path = format!(
        "/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines\
         ?api-version={API_COMPUTE}&statusOnly=true"
    );
    let mut domains = Domains::new();
    let mut page: VmList = arm.get(&what, &path).await?.json(&what)?;
    for _ in 0..PAGES_MAX {
        for vm in std::mem::take(&mut page.value) {
            let id = MachineId::parse(vm.id.as_deref().unwrap_or_default()).ok();
            let view = vm.properties.and_then(|p| p.instance_view);
            let domain = view.and_then(|v| v.platform_update_domain);
            if let (Some(id), Some(domain)) = (id, domain) {
                domains.insert(id, domain);
            }
        }
        let Some(next) = some(page.next_link.as_ref()) else {
            return Ok(domains);
        };
        page = arm.follow(&what, next).await?.json(&what)?;
    }
    Err(Error::malformed(
        &what,
        format!("more than {PAGES_MAX} pages"),
    ))
}
