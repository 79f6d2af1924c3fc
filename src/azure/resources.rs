//! The rows of the query for machines, joined into machines of the domain.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::bounded;
use super::half::Half;
use super::joined;
use super::places::Known;
use super::port::UnreadableRow;
use super::read_as::{cluster_update, is, licence, some};
use super::row::{instance_busy, kind};
use super::tables::Tables;
use super::wire::arc::ProductProfile;
use super::wire::graph::{LocalRow, Resource};
use crate::domain::machine::{ClusterUpdate, Machine, MachineId, MachineKind, Power};

/// The rows, by what they are.
#[derive(Debug, Default)]
pub(super) struct Resources {
    machines: BTreeMap<MachineId, Half>,
    /// Licence profiles, by machine.
    licences: BTreeMap<MachineId, ProductProfile>,
    /// `orchestrationMode` of scale sets, by lower-cased id.
    scale_sets: BTreeMap<String, String>,
    /// Instances of Azure Local VMs, by machine.
    instances: BTreeMap<MachineId, LocalRow>,
    /// How clusters stand with their own updates, by lower-cased id.
    clusters: BTreeMap<String, ClusterUpdate>,
}

impl Resources {
    /// Takes a row. The same machine twice, as overlapping scopes give it, counts once.
    pub(super) fn take(&mut self, mut row: Resource, tables: &mut Tables) {
        joined::lists(&mut row, tables);
        let id = some(row.id.as_ref())
            .unwrap_or_default()
            .to_ascii_lowercase();
        let mut unread = |why: String| {
            tables.unreadable.insert(UnreadableRow {
                id: bounded(&id),
                why: bounded(&why),
            });
        };
        let ty = row.r#type.as_deref();
        if is(ty, "microsoft.compute/virtualmachinescalesets") {
            if let Some(mode) = some(row.mode.as_ref()) {
                self.scale_sets.insert(id, mode.to_owned());
            }
        } else if is(ty, "microsoft.hybridcompute/machines/licenseprofiles") {
            let machine = id.split("/licenseprofiles/").next().unwrap_or_default();
            match (MachineId::parse(machine), row.product) {
                (Ok(machine), Some(profile)) => {
                    self.licences.insert(machine, profile);
                }
                (Ok(_), None) => {}
                (Err(error), _) => unread(error.to_string()),
            }
        } else {
            match MachineId::parse(&id) {
                Ok(machine) => self.machine(machine, row, tables),
                Err(error) => unread(error.to_string()),
            }
        }
    }

    /// Takes a machine, with what its row bears of other tables: what is taken of a row is a
    /// fraction of it.
    fn machine(&mut self, id: MachineId, row: Resource, tables: &mut Tables) {
        if !self.machines.contains_key(&id) {
            let kind = kind(&id, &row);
            match Half::of(&id, kind, row) {
                Ok(half) => {
                    self.machines.insert(id.clone(), half);
                }
                Err(why) => {
                    let id = id.as_str().to_owned();
                    tables.unreadable.insert(UnreadableRow { id, why });
                }
            }
        }
        if let Some(half) = self.machines.get_mut(&id) {
            half.add(tables.take_assessment(&id), tables.take_installs(&id));
        }
    }

    /// Takes the instance of an Azure Local VM, or how a cluster stands with its own updates.
    pub(super) fn local(&mut self, row: LocalRow, tables: &mut Tables) {
        let id = some(row.id.as_ref())
            .unwrap_or_default()
            .to_ascii_lowercase();
        if let Some((cluster, _)) = id.split_once("/updatesummaries/") {
            let state = cluster_update(row.state.as_deref());
            // Two rows of one cluster: the worse word stays.
            let old = self.clusters.entry(cluster.to_owned()).or_insert(state);
            *old = (*old).max(state);
            return;
        }
        let machine = id
            .split("/providers/microsoft.azurestackhci/")
            .next()
            .unwrap_or_default();
        match MachineId::parse(machine) {
            Ok(machine) => {
                self.instances.insert(machine, row);
            }
            Err(error) => {
                let why = bounded(&error.to_string());
                tables.unreadable.insert(UnreadableRow {
                    id: bounded(&id),
                    why,
                });
            }
        }
    }

    /// Tells whether there is an Azure Local VM.
    pub(super) fn has_local(&self) -> bool {
        let mut machines = self.machines.values();
        machines.any(|half| half.machine.kind == MachineKind::AzureLocalVm)
    }

    /// Returns how the cluster of a machine stands with its own updates. One of which nothing is
    /// shown is unknown.
    pub(super) fn cluster_update(&self, half: &Half) -> ClusterUpdate {
        if half.machine.kind != MachineKind::AzureLocalVm {
            return ClusterUpdate::Quiet;
        }
        let cluster = half.machine.placement.cluster.as_ref();
        cluster
            .and_then(|cluster| self.clusters.get(cluster))
            .copied()
            .unwrap_or(ClusterUpdate::Unknown)
    }

    /// Returns the power of a machine: an Azure Local VM's instance says, if there is one.
    pub(super) fn power(&self, half: &Half) -> Power {
        let instance = self
            .instances
            .get(&half.machine.id)
            .filter(|_| half.machine.kind != MachineKind::AzureVm)
            .and_then(|instance| some(instance.power.as_ref()));
        match instance {
            None => half.machine.power,
            _ if is(instance, "Running") => Power::Running,
            _ if is(instance, "Stopped") || is(instance, "Deallocated") => Power::Off,
            Some(_) => Power::Unknown,
        }
    }

    /// Gives each machine what the tables say of it.
    pub(super) fn complete(&mut self, tables: &mut Tables) {
        for (id, half) in &mut self.machines {
            half.add(tables.take_assessment(id), tables.take_installs(id));
        }
    }

    /// Returns the machines as far as they are known, in order of their ids.
    pub(super) fn halves(&self) -> impl Iterator<Item = &Half> {
        self.machines.values()
    }

    /// Returns the subscriptions whose locations matter: those that have a VM in a zone, and where
    /// VMs stand in more than one region, those of all VMs.
    pub(super) fn placed_subscriptions(&self) -> Vec<String> {
        let is_vm = |half: &Half| half.machine.kind == MachineKind::AzureVm;
        let vms = self.machines.values().filter(|half| is_vm(half));
        let mut regions = vms.map(|half| &half.machine.placement.region);
        let first = regions.next();
        if regions.any(|own| Some(own) != first) {
            return self.subscriptions(is_vm);
        }
        self.subscriptions(Half::is_zonal)
    }

    /// Returns the subscriptions that have a VM in an availability set and no word on its update
    /// domain.
    pub(super) fn subscriptions_with_sets(&self) -> Vec<String> {
        self.subscriptions(Half::wants_domain)
    }

    fn subscriptions(&self, which: impl Fn(&Half) -> bool) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (id, half) in &self.machines {
            if which(half) && found.last().is_none_or(|last| last != id.subscription()) {
                found.push(id.subscription().to_owned());
            }
        }
        found
    }

    /// Joins everything into machines, by id.
    pub(super) fn join(mut self, tables: &mut Tables, places: &Known) -> Vec<Arc<Machine>> {
        let halves = std::mem::take(&mut self.machines);
        let mut machines = Vec::with_capacity(halves.len());
        for (id, mut half) in halves {
            half.add(tables.take_assessment(&id), tables.take_installs(&id));
            if let Some(profile) = self.licences.get(&id) {
                half.license(licence(Some(profile)));
            }
            let mode = half.scale_set().and_then(|set| self.scale_sets.get(set));
            half.place(is(mode.map(String::as_str), "Flexible"), places);
            half.machine.power = self.power(&half);
            half.machine.cluster_update = self.cluster_update(&half);
            half.machine.health = half.health(tables.health_of(&id));
            half.machine.busy = half
                .busy(tables.is_dim(&id))
                .or_else(|| self.instances.get(&id).and_then(instance_busy));
            machines.push(Arc::new(half.machine));
        }
        machines
    }
}
