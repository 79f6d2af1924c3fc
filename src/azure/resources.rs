//! The rows of the query for machines, joined into machines of the domain.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::bounded;
use super::joined;
use super::places::Known;
use super::port::UnreadableRow;
use super::read_as::{agent, cluster_update, connection, is, licence, power, settings, some};
use super::row::{busy, health, image, incarnation, instance_busy, is_managed, kind, os_words};
use super::tables::Tables;
use super::wire::arc::ProductProfile;
use super::wire::graph::{LocalRow, Resource};
use crate::domain::machine::{
    ArcFacts, AvailabilitySetPlace, ClusterUpdate, Facts, Generation, Machine, MachineId,
    MachineKind, OsProfile, Placement, Power, ScaleSet, Tags, VmFacts, ZonePlace,
};
use crate::domain::region;

/// The tag that names an Arc machine's site.
const SITE_TAG: &str = "site";

/// The rows, by what they are.
#[derive(Debug, Default)]
pub(super) struct Resources {
    machines: BTreeMap<MachineId, Resource>,
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
                Ok(machine) => {
                    self.machines.entry(machine).or_insert(row);
                }
                Err(error) => unread(error.to_string()),
            }
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

    /// Returns how the cluster of a machine stands with its own updates. One of which nothing is
    /// shown is unknown.
    pub(super) fn cluster_update(&self, id: &MachineId, row: &Resource) -> ClusterUpdate {
        if kind(id, row) != MachineKind::AzureLocalVm {
            return ClusterUpdate::Quiet;
        }
        some(row.cluster.as_ref())
            .and_then(|cluster| self.clusters.get(&cluster.to_ascii_lowercase()))
            .copied()
            .unwrap_or(ClusterUpdate::Unknown)
    }

    /// Tells whether there is an Azure Local VM.
    pub(super) fn has_local(&self) -> bool {
        self.machines
            .iter()
            .any(|(id, row)| kind(id, row) == MachineKind::AzureLocalVm)
    }

    /// Returns the power of a machine. An Arc machine's record does not say; one that answers
    /// runs. An Azure Local VM's instance says.
    pub(super) fn power(&self, id: &MachineId, row: &Resource) -> Power {
        if kind(id, row) == MachineKind::AzureVm {
            return power(row.view.as_ref()).0;
        }
        let instance = self
            .instances
            .get(id)
            .and_then(|instance| some(instance.power.as_ref()));
        match instance {
            _ if is(instance, "Running") => Power::Running,
            _ if is(instance, "Stopped") || is(instance, "Deallocated") => Power::Off,
            Some(_) => Power::Unknown,
            None if is(row.status.as_deref(), "Connected") => Power::Running,
            None => Power::Unknown,
        }
    }

    /// Returns the ids of the machines.
    pub(super) fn ids(&self) -> impl Iterator<Item = &MachineId> {
        self.machines.keys()
    }

    /// Returns the row of a machine.
    pub(super) fn row(&self, machine: &MachineId) -> Option<&Resource> {
        self.machines.get(machine)
    }

    /// Returns the subscriptions that have a VM in a zone.
    pub(super) fn zonal_subscriptions(&self) -> Vec<String> {
        self.subscriptions(|row| row.zones.as_ref().is_some_and(|zones| !zones.is_empty()))
    }

    /// Returns the subscriptions that have a VM in an availability set and no word on its update
    /// domain.
    pub(super) fn subscriptions_with_sets(&self) -> Vec<String> {
        self.subscriptions(|row| {
            let shown = row.view.as_ref().and_then(|v| v.platform_update_domain);
            some(row.availability_set.as_ref()).is_some() && shown.is_none()
        })
    }

    fn subscriptions(&self, which: impl Fn(&Resource) -> bool) -> Vec<String> {
        let mut found: Vec<String> = self
            .machines
            .iter()
            .filter(|(_, row)| which(row))
            .map(|(id, _)| id.subscription().to_owned())
            .collect();
        found.dedup();
        found
    }

    /// Joins everything into machines, by id; what cannot be read goes to the tables' list.
    pub(super) fn join(mut self, tables: &mut Tables, places: &Known) -> Vec<Arc<Machine>> {
        let mut machines = Vec::with_capacity(self.machines.len());
        for (id, row) in std::mem::take(&mut self.machines) {
            match self.machine(&id, row, tables, places) {
                Ok(machine) => machines.push(Arc::new(machine)),
                Err(why) => {
                    let id = id.as_str().to_owned();
                    tables.unreadable.insert(UnreadableRow { id, why });
                }
            }
        }
        machines
    }

    fn machine(
        &self,
        id: &MachineId,
        mut row: Resource,
        tables: &mut Tables,
        places: &Known,
    ) -> Result<Machine, String> {
        let kind = kind(id, &row);
        let words = os_words(&row, kind);
        let (product, edition, build) = (words.product(), words.edition(), words.build());
        let installs = tables.take_installs(id);
        let patch_settings = row.windows.as_ref().and_then(|w| w.patch_settings.as_ref());
        Ok(Machine {
            id: id.clone(),
            name: some(row.name.as_ref()).unwrap_or(id.name()).to_owned(),
            kind,
            incarnation: incarnation(&row, kind)?,
            placement: self.placement(id, &row, kind, places),
            product,
            edition,
            build,
            facts: self.facts(id, &row, kind),
            settings: settings(patch_settings),
            power: self.power(id, &row),
            cluster_update: self.cluster_update(id, &row),
            health: health(&row, kind, tables.health_of(id)),
            busy: busy(&row, &installs, tables.is_dim(id))
                .or_else(|| self.instances.get(id).and_then(instance_busy)),
            assessment: tables.take_assessment(id),
            installs,
            tags: Tags::new(row.tags.take().unwrap_or_default()),
        })
    }

    fn placement(
        &self,
        id: &MachineId,
        row: &Resource,
        kind: MachineKind,
        places: &Known,
    ) -> Placement {
        let region = region::normalise(row.location.as_deref().unwrap_or_default());
        let is_vm = kind == MachineKind::AzureVm;
        let zone = match row.zones.as_deref().unwrap_or_default() {
            [] => ZonePlace::Regional,
            [one] => places.zone(id.subscription(), &region, one),
            // A VM in several zones is in none that can be named.
            _ => ZonePlace::Unknown,
        };
        let site = row
            .tags
            .iter()
            .flatten()
            .find(|(name, _)| name.eq_ignore_ascii_case(SITE_TAG));
        let set = some(row.scale_set.as_ref()).map(str::to_ascii_lowercase);
        let view = row.view.as_ref();
        Placement {
            zone,
            availability_set: some(row.availability_set.as_ref()).map(|set| AvailabilitySetPlace {
                id: set.to_ascii_lowercase(),
                update_domain: view
                    .and_then(|v| v.platform_update_domain)
                    .or_else(|| places.domain(id)),
            }),
            flexible_scale_set: set
                .filter(|_| self.scale_set(row) == ScaleSet::Flexible)
                .map(|id| {
                    (
                        id,
                        row.fault_domain
                            .or(view.and_then(|v| v.platform_fault_domain)),
                    )
                }),
            site: site.filter(|_| !is_vm).map(|(_, value)| value.clone()),
            cluster: some(row.cluster.as_ref())
                .filter(|_| kind == MachineKind::AzureLocalVm)
                .map(str::to_ascii_lowercase),
            region,
        }
    }

    /// A scale set of unknown mode counts as Uniform, whose VMs are not patched one by one: what
    /// is not known to be allowed is not done.
    fn scale_set(&self, row: &Resource) -> ScaleSet {
        let Some(id) = some(row.scale_set.as_ref()) else {
            return ScaleSet::None;
        };
        let mode = self.scale_sets.get(&id.to_ascii_lowercase());
        if is(mode.map(String::as_str), "Flexible") {
            ScaleSet::Flexible
        } else {
            ScaleSet::Uniform
        }
    }

    fn facts(&self, id: &MachineId, row: &Resource, kind: MachineKind) -> Facts {
        match kind {
            MachineKind::AzureVm => Facts::AzureVm(self.vm_facts(row)),
            MachineKind::ArcServer => Facts::ArcServer(self.arc_facts(id, row)),
            MachineKind::AzureLocalVm => {
                Facts::AzureLocalVm(is_managed(row).then(|| self.arc_facts(id, row)))
            }
        }
    }

    fn vm_facts(&self, row: &Resource) -> VmFacts {
        let view = row.view.as_ref();
        let generation = view.and_then(|v| v.hyper_v_generation.as_deref());
        let windows = row.windows.as_ref();
        let profile = windows.is_some() || row.extensions.is_some();
        VmFacts {
            image: image(row.image.as_ref()),
            generation: match generation {
                _ if is(generation, "V1") => Some(Generation::V1),
                _ if is(generation, "V2") => Some(Generation::V2),
                _ => None,
            },
            scale_set: self.scale_set(row),
            os_profile: profile.then(|| OsProfile {
                allow_extension_operations: row.extensions.unwrap_or(true),
                provision_vm_agent: windows.and_then(|w| w.provision_vm_agent).unwrap_or(true),
                enable_automatic_updates: windows
                    .and_then(|w| w.enable_automatic_updates)
                    .unwrap_or(true),
            }),
            agent: agent(view.and_then(|v| v.vm_agent.as_ref())),
        }
    }

    fn arc_facts(&self, id: &MachineId, row: &Resource) -> ArcFacts {
        let status = row
            .windows
            .as_ref()
            .and_then(|w| w.patch_settings.as_ref())
            .and_then(|s| s.status.as_ref());
        ArcFacts {
            connection: connection(row.status.as_deref(), some(row.changed.as_ref())),
            vbs_running: None,
            // The profile's own row is the licence; the machine's copy of it stands in.
            licence: licence(self.licences.get(id).or(row.licence.as_ref())),
            enablement: status.and_then(|s| s.hotpatch_enablement_status.clone()),
        }
    }
}
