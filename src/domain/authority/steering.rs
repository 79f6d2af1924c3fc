//! Schedules and policies that act on machines beside the operator, as one identity sees them.
//!
//! Holds what Azure Update Manager and Azure Policy are told to do (azure.md §5, §9), compactly,
//! because a tenant may assign a schedule to each machine; and where nobody could look. Must never
//! take what was not seen for absent.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::domain::machine::{Machine, MachineId, MachineKind, PatchMode, Product};
use crate::domain::region;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Source {
    /// Assignments of maintenance configurations.
    Maintenance,
    /// What assigned configurations do.
    Configurations,
    /// Assignments of Azure Policy.
    Policies,
}

/// Why nobody could look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Why {
    /// Nobody has looked yet.
    NotYet,
    /// The identity lacks a right.
    Lacks {
        /// Its name.
        action: &'static str,
        /// What grants it, and what is left without it.
        cure: Box<str>,
    },
    /// The look failed, as this says.
    Failed(Box<str>),
}

/// What a maintenance configuration does to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Does {
    /// It installs in the guest, and reboots or may reboot.
    Reboots,
    /// It installs in the guest and is told never to reboot.
    Installs,
    /// It is of another scope (hosts, images, extensions, databases): it installs nothing there.
    Nothing,
    /// It does not show, so nobody knows.
    Hidden,
}

/// A maintenance configuration that is assigned to anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Schedule {
    /// Its resource id, lower-cased.
    pub id: Box<str>,
    /// What it does.
    pub does: Does,
}

impl Schedule {
    /// Returns its name.
    pub fn name(&self) -> &str {
        last(&self.id)
    }
}

/// The machines of a subscription or resource group that have what a filter asks for. What a list
/// does not name it does not restrict (azure.md §5; Microsoft Learn, "Dynamic scoping").
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DynamicScope {
    /// The schedule, by its place in [`Assignments::schedules`].
    pub schedule: u32,
    /// The resource id of the subscription or resource group, lower-cased.
    pub within: Box<str>,
    /// Lower-cased resource types.
    pub types: Vec<Box<str>>,
    /// Lower-cased resource groups.
    pub groups: Vec<Box<str>>,
    /// Lower-cased kinds of operating system.
    pub systems: Vec<Box<str>>,
    /// Normalised regions.
    pub locations: Vec<Box<str>>,
    /// The values of each tag that count.
    pub tags: BTreeMap<Box<str>, Vec<Box<str>>>,
    /// Whether all tags are asked for, and not any of them.
    pub all_tags: bool,
}

/// What a policy makes of machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Makes {
    /// It sets `bypassPlatformSafetyChecksOnUserSchedule` on VMs, which hands them to schedules.
    Bypass,
    /// It assigns a schedule.
    Schedule,
    /// It sets `assessmentMode`, which reboots nothing.
    Assessment,
}

/// An assignment of one of the policies that matter here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Policy {
    /// The name of its assignment.
    pub name: Box<str>,
    /// What it makes of machines.
    pub makes: Makes,
    /// The resource id of its scope, lower-cased: a management group, a subscription or below.
    pub scope: Box<str>,
    /// What is taken out of the scope, lower-cased.
    pub except: Vec<Box<str>>,
    /// The subscription in which its effect shows, where it is told from there.
    pub subscription: Option<Box<str>>,
}

/// Schedules, and what they are assigned to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Assignments {
    /// The schedules.
    pub schedules: Vec<Schedule>,
    /// The schedules that are assigned to single machines, by their place in `schedules`; sorted.
    pub assigned: Vec<(MachineId, u32)>,
    /// The schedules that are assigned by filters.
    pub scopes: Vec<DynamicScope>,
}

/// What is assigned within one identity's sight. The default is that nobody has looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Steering {
    /// The schedules.
    pub maintenance: Arc<Assignments>,
    /// The policies.
    pub policies: Arc<Vec<Policy>>,
    /// Where nobody could look at all.
    pub unseen: BTreeMap<Source, Why>,
    /// The subscriptions whose rights are known, each with where nobody could look there. In one
    /// that is missing nobody has looked.
    pub subscriptions: BTreeMap<Box<str>, BTreeMap<Source, Why>>,
}

impl Default for Steering {
    fn default() -> Self {
        let nobody = [Source::Maintenance, Source::Policies].map(|own| (own, Why::NotYet));
        Self {
            maintenance: Arc::default(),
            policies: Arc::default(),
            unseen: BTreeMap::from(nobody),
            subscriptions: BTreeMap::new(),
        }
    }
}

impl Steering {
    /// Returns the schedules that a machine is assigned to, in order of their ids.
    pub fn schedules_of(&self, machine: &Machine) -> impl Iterator<Item = &Schedule> {
        let all = &self.maintenance;
        let first = all.assigned.partition_point(|(id, _)| *id < machine.id);
        let own = all.assigned[first..].iter();
        let own = own.take_while(|(id, _)| *id == machine.id);
        let own = own.map(|(_, schedule)| *schedule);
        let scopes = all.scopes.iter().filter(|scope| scope.takes(machine));
        let mut places: Vec<u32> = own.chain(scopes.map(|scope| scope.schedule)).collect();
        places.sort_unstable();
        places.dedup();
        let found = places.into_iter();
        found.filter_map(|place| all.schedules.get(usize::try_from(place).ok()?))
    }

    /// Returns the policies that act on a machine.
    pub fn policies_of(&self, machine: &Machine) -> impl Iterator<Item = &Policy> {
        self.policies.iter().filter(|own| own.takes(machine))
    }

    /// Tells why nobody could look at a source for a machine, if so.
    pub fn why_unseen(&self, source: Source, machine: &Machine) -> Option<Why> {
        if let Some(why) = self.unseen.get(&source) {
            return Some(why.clone());
        }
        match self.subscriptions.get(machine.id.subscription()) {
            None => Some(Why::NotYet),
            Some(known) => known.get(&source).cloned(),
        }
    }
}

impl DynamicScope {
    /// Tells whether a machine has what the filter asks for. Values of tags compare without case:
    /// a schedule that is named in vain is checked by a person, one that is missed is not.
    fn takes(&self, machine: &Machine) -> bool {
        let is_or_any =
            |list: &[Box<str>], own: &str| list.is_empty() || list.iter().any(|one| **one == *own);
        let system = match machine.product {
            Product::NotWindows => "linux",
            _ => "windows",
        };
        is_below(machine.id.as_str(), &self.within)
            && is_or_any(&self.types, type_of(machine))
            && is_or_any(&self.groups, machine.id.resource_group())
            && is_or_any(&self.systems, system)
            && is_or_any(
                &self.locations,
                &region::normalise(&machine.placement.region),
            )
            && self.takes_tags(machine)
    }

    fn takes_tags(&self, machine: &Machine) -> bool {
        let mut asked = self.tags.iter().map(|(name, values)| {
            let own = machine.tags.get(name);
            own.is_some_and(|own| values.iter().any(|one| one.eq_ignore_ascii_case(own)))
        });
        if self.all_tags {
            asked.all(|found| found)
        } else {
            self.tags.is_empty() || asked.any(|found| found)
        }
    }
}

impl Policy {
    /// Tells whether it acts on a machine. Of a management group nobody knows here what it holds:
    /// where its effect shows, there it acts; without that it may act on every machine.
    fn takes(&self, machine: &Machine) -> bool {
        let id = machine.id.as_str();
        if self.makes == Makes::Bypass && machine.kind != MachineKind::AzureVm {
            return false;
        }
        if self.except.iter().any(|own| is_below(id, own)) {
            return false;
        }
        if self.scope.starts_with("/subscriptions/") {
            return is_below(id, &self.scope);
        }
        let shows = self.subscription.as_deref();
        shows.is_none_or(|own| own == machine.id.subscription())
    }
}

/// Tells whether a schedule that is assigned to a machine runs there: a VM is driven only under
/// AutomaticByPlatform with the bypass flag (azure.md §5, prerequisite matrix), an Arc machine
/// always.
pub fn is_driven(machine: &Machine) -> bool {
    let settings = &machine.settings;
    machine.kind != MachineKind::AzureVm
        || (settings.patch_mode == PatchMode::AutomaticByPlatform && settings.bypass)
}

fn type_of(machine: &Machine) -> &'static str {
    match machine.kind {
        MachineKind::AzureVm => "microsoft.compute/virtualmachines",
        MachineKind::ArcServer | MachineKind::AzureLocalVm => "microsoft.hybridcompute/machines",
    }
}

/// Tells whether a resource is, or lies in, another; both lower-cased.
fn is_below(id: &str, scope: &str) -> bool {
    let rest = id.strip_prefix(scope.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the last segment of an id.
pub fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

#[cfg(test)]
mod tests;
