//! Where VMs stand beyond what Resource Graph tells: the physical zone behind a zone number, and
//! the update domain in an availability set. Both are read per subscription and kept.

use std::collections::BTreeMap;
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
use crate::domain::region;

/// How long a mapping of zones is kept, in seconds: it never changes, but regions gain zones.
const ZONES_SECONDS: i64 = 24 * 3600;

/// How long update domains are kept, in seconds: a VM that is deallocated and started again may
/// come back in another.
const DOMAINS_SECONDS: i64 = 3600;

/// Pages of a subscription's VMs read at most.
const PAGES_MAX: usize = 200;

/// Physical zones by region and zone number.
type Mapping = BTreeMap<(String, String), String>;

/// Update domains by machine.
type Domains = BTreeMap<MachineId, u32>;

/// What was read so far.
#[derive(Debug)]
pub(super) struct Places {
    zones: Kept<Mapping>,
    domains: Kept<Domains>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            zones: Kept::new(ZONES_SECONDS),
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
        zonal: &[String],
        in_sets: &[String],
        now: DateTime<Utc>,
    ) -> Known {
        let zones = self.zones.of(zonal, now, |subscription| async move {
            zones_of(arm, &subscription).await
        });
        let zones = zones.await;
        let domains = self.domains.of(in_sets, now, |subscription| async move {
            domains_of(arm, &subscription).await
        });
        let domains = domains.await;
        Known { zones, domains }
    }
}

/// The places of some subscriptions.
#[derive(Debug, Default)]
pub(super) struct Known {
    zones: BTreeMap<String, Arc<Mapping>>,
    domains: BTreeMap<String, Arc<Domains>>,
}

impl Known {
    /// Returns the physical zone behind a zone number, or unknown.
    pub(super) fn zone(&self, subscription: &str, region: &str, zone: &str) -> ZonePlace {
        self.zones
            .get(subscription)
            .and_then(|mapping| mapping.get(&(region.to_owned(), zone.trim().to_owned())))
            .map_or(ZonePlace::Unknown, |physical| {
                ZonePlace::Physical(physical.clone())
            })
    }

    /// Returns a VM's update domain.
    pub(super) fn domain(&self, machine: &MachineId) -> Option<u32> {
        self.domains
            .get(machine.subscription())?
            .get(machine)
            .copied()
    }
}

/// Reads `availabilityZoneMappings` (Azure REST reference, "Subscriptions - List Locations").
async fn zones_of(arm: &Arm, subscription: &str) -> Result<Mapping, Error> {
    let what = format!("the locations of subscription {subscription}");
    let subscription = segment(&what, subscription)?;
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
