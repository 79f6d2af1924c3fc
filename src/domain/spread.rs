//! Which two machines must never be worked on at once: zones, regions and their geo pairs,
//! update domains, sites and clusters.
//!
//! Azure keeps this order when it patches by itself (Automatic VM Guest Patching, azure.md §7) and
//! ignores it for installs on demand, so the operator keeps it. Looks at machines that are
//! commanded or held only: a machine that is down by itself closes no zone.

use super::machine::{Machine, MachineKind, Placement, ZonePlace};
use super::policy::Spread;
use super::region::{PairGroup, Regions};
use crate::planted::{self, Bug};

/// The kind of failure domain that keeps two machines apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Apart {
    /// Their regions are a geo pair, or may be one.
    GeoPair,
    /// They stand in two regions.
    Region,
    /// They stand in two zones of a region, or may do.
    Zone,
    /// They stand in two update domains of an availability set, or may do.
    UpdateDomain,
    /// They stand in two fault domains of a Flexible scale set, or may do.
    FaultDomain,
    /// They stand at two sites.
    Site,
    /// They stand in two Azure Local clusters.
    Cluster,
}

impl std::fmt::Display for Apart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::GeoPair => "the geo-paired region",
            Self::Region => "another region",
            Self::Zone => "another zone of the region",
            Self::UpdateDomain => "another update domain of its availability set",
            Self::FaultDomain => "another fault domain of its scale set",
            Self::Site => "another site",
            Self::Cluster => "another cluster",
        })
    }
}

/// A machine's place, with the kind that says which parts of it are failure domains.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The kind.
    pub kind: MachineKind,
    /// Where it stands.
    pub placement: &'a Placement,
}

impl<'a> Place<'a> {
    /// Returns where a machine stands.
    pub fn of(machine: &'a Machine) -> Self {
        Self {
            kind: machine.kind,
            placement: &machine.placement,
        }
    }
}

/// Returns what keeps two machines apart, the widest domain first; none if they may be worked on
/// at once. Symmetric in the two places.
pub fn apart(a: Place<'_>, b: Place<'_>, spread: Spread, regions: &Regions) -> Option<Apart> {
    match (a.kind, b.kind) {
        (MachineKind::AzureVm, MachineKind::AzureVm) => {
            vms_apart(a.placement, b.placement, spread, regions)
        }
        (MachineKind::AzureVm, _) | (_, MachineKind::AzureVm) => None,
        _ => on_premises_apart(a, b, spread),
    }
}

fn vms_apart(a: &Placement, b: &Placement, spread: Spread, regions: &Regions) -> Option<Apart> {
    if a.region != b.region {
        let paired = match (regions.pair_group(&a.region), regions.pair_group(&b.region)) {
            (PairGroup::Unknown, _) | (_, PairGroup::Unknown) => true,
            (PairGroup::Group(own), PairGroup::Group(other)) => own == other,
            _ => false,
        };
        return if spread.geo_pair && paired && !planted::is(Bug::IgnorePairs) {
            Some(Apart::GeoPair)
        } else {
            spread.region.then_some(Apart::Region)
        };
    }
    if spread.zone && zones_differ(&a.zone, &b.zone) && !planted::is(Bug::IgnoreZones) {
        return Some(Apart::Zone);
    }
    if !spread.availability_set {
        return None;
    }
    if let (Some(own), Some(other)) = (&a.availability_set, &b.availability_set)
        && own.id == other.id
        && (own.update_domain.is_none() || own.update_domain != other.update_domain)
    {
        return Some(Apart::UpdateDomain);
    }
    match (&a.flexible_scale_set, &b.flexible_scale_set) {
        (Some((set, domain)), Some((other_set, other)))
            if set == other_set && (domain.is_none() || domain != other) =>
        {
            Some(Apart::FaultDomain)
        }
        _ => None,
    }
}

/// A machine outside all zones shares none with anybody; one whose zone is not known may stand in
/// any, so it is kept apart from every machine in a zone.
fn zones_differ(a: &ZonePlace, b: &ZonePlace) -> bool {
    match (a, b) {
        (ZonePlace::Regional, _) | (_, ZonePlace::Regional) => false,
        (ZonePlace::Physical(own), ZonePlace::Physical(other)) => own != other,
        (ZonePlace::Unknown, _) | (_, ZonePlace::Unknown) => true,
    }
}

/// A machine without a site shares none with anybody. Every Azure Local VM stands in a cluster: one
/// whose cluster is not known may stand in any, so it is kept apart from every other.
fn on_premises_apart(a: Place<'_>, b: Place<'_>, spread: Spread) -> Option<Apart> {
    let (own, other) = (a.placement, b.placement);
    let is_kept = spread.site && !planted::is(Bug::IgnoreSites);
    if is_kept && own.site.is_some() && other.site.is_some() && own.site != other.site {
        return Some(Apart::Site);
    }
    let guests = a.kind == MachineKind::AzureLocalVm && b.kind == MachineKind::AzureLocalVm;
    let unknown = own.cluster.is_none() || other.cluster.is_none();
    (spread.cluster && guests && (unknown || own.cluster != other.cluster))
        .then_some(Apart::Cluster)
}

#[cfg(test)]
mod tests;
