//! A machine as its own row tells it, until the rest is known.
//!
//! Made at once from each row, because a row is many times as large as what is kept of it.

use super::places::Known;
use super::read_as::{Signs, agent, connection, is, licence, power, provisioning, settings, some};
use super::row::{image, incarnation, is_managed, os_words};
use super::wire::graph::Resource;
use crate::domain::machine::{
    ArcFacts, Assessment, AvailabilitySetPlace, ClusterUpdate, Connection, Facts, Generation,
    Health, InstallRecord, InstallStatus, Licence, Machine, MachineId, MachineKind, OsProfile,
    Placement, Power, ScaleSet, Tags, VmFacts, ZonePlace,
};
use crate::domain::region;

/// The tag that names an Arc machine's site.
const SITE_TAG: &str = "site";

/// A machine, and what of its row is needed to complete it.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) machine: Machine,
    /// How it is connected; none for a VM.
    pub(super) connection: Option<Connection>,
    /// What its row says of its health.
    signs: Signs,
    /// The operation that its row shows.
    provisioning: Option<String>,
    /// The number of its zone.
    zone: Option<Box<str>>,
    /// Its scale set, lower-cased, and its fault domain there.
    scale_set: Option<(Box<str>, Option<u32>)>,
}

impl Half {
    /// Reads a row.
    ///
    /// # Errors
    /// What it lacks to be a machine.
    pub(super) fn of(id: &MachineId, kind: MachineKind, mut row: Resource) -> Result<Self, String> {
        let words = os_words(&row, kind);
        let (product, edition, build) = (words.product(), words.edition(), words.build());
        let patch_settings = row.windows.as_ref().and_then(|w| w.patch_settings.as_ref());
        let zone = match row.zones.as_deref().unwrap_or_default() {
            [one] => Some(one.as_str().into()),
            _ => None,
        };
        let scale_set = some(row.scale_set.as_ref()).map(|set| {
            let view = row.view.as_ref().and_then(|v| v.platform_fault_domain);
            (set.to_ascii_lowercase().into(), row.fault_domain.or(view))
        });
        Ok(Self {
            machine: Machine {
                id: id.clone(),
                name: some(row.name.as_ref()).unwrap_or(id.name()).to_owned(),
                kind,
                incarnation: incarnation(&row, kind)?,
                placement: placement(&row, kind),
                product,
                edition,
                build,
                facts: facts(&row, kind),
                settings: settings(patch_settings),
                power: own_power(&row, kind),
                cluster_update: ClusterUpdate::Quiet,
                health: Health::Unknown(String::new()),
                busy: None,
                assessment: None,
                installs: Vec::new(),
                tags: Tags::new(row.tags.take().unwrap_or_default()),
            },
            connection: (kind != MachineKind::AzureVm)
                .then(|| connection(row.status.as_deref(), some(row.changed.as_ref()))),
            signs: signs(&row, kind),
            provisioning: provisioning(row.provisioning.as_deref()),
            zone,
            scale_set,
        })
    }

    /// Takes what was read of its assessment and its installs. What is told twice, as overlapping
    /// scopes do, counts once, with what it asks for at most.
    pub(super) fn add(&mut self, assessment: Option<Assessment>, installs: Vec<InstallRecord>) {
        match (&mut self.machine.assessment, assessment) {
            (Some(old), Some(new)) if old.at == new.at => {
                for offered in new.offered {
                    match old.offered.iter_mut().find(|own| own.kb == offered.kb) {
                        Some(own) => own.reboot = own.reboot.max(offered.reboot),
                        None => old.offered.push(offered),
                    }
                }
                old.offered.sort_by_key(|own| own.kb);
            }
            (Some(old), Some(new)) if old.at > new.at => {}
            (_, None) => {}
            (old, new) => *old = new,
        }
        if self.machine.installs.is_empty() {
            self.machine.installs = installs;
        }
    }

    /// Tells whether it stands in a zone whose place is not known yet.
    pub(super) fn is_zonal(&self) -> bool {
        self.zone.is_some()
    }

    /// Tells whether it stands in an availability set and its update domain is not known.
    pub(super) fn wants_domain(&self) -> bool {
        let set = self.machine.placement.availability_set.as_ref();
        set.is_some_and(|set| set.update_domain.is_none())
    }

    /// Returns the scale set it belongs to.
    pub(super) fn scale_set(&self) -> Option<&str> {
        self.scale_set.as_ref().map(|(id, _)| id.as_ref())
    }

    /// Judges its health with what Resource Health says, which is needed for a VM and taken where
    /// it is present for the others (azure.md §11).
    pub(super) fn health(&self, state: Option<&str>) -> Health {
        let mut signs = self.signs.clone();
        signs.resource_health(state, self.machine.kind == MachineKind::AzureVm);
        signs.judge()
    }

    /// Names the operation that shows on it. An install that could not be read may be running.
    pub(super) fn busy(&self, is_dim: bool) -> Option<String> {
        let mut installs = self.machine.installs.iter();
        let running = installs.find(|record| record.status == InstallStatus::InProgress);
        self.provisioning
            .clone()
            .or_else(|| running.map(|record| format!("installPatches {}", record.activity)))
            .or_else(|| is_dim.then(|| "an install record that cannot be read".to_owned()))
    }

    /// Takes the licence of the profile's own row; the machine's copy of it only stood in.
    pub(super) fn license(&mut self, licence: Licence) {
        if let Facts::ArcServer(arc) | Facts::AzureLocalVm(Some(arc)) = &mut self.machine.facts {
            arc.licence = licence;
        }
    }

    /// Puts it where it stands. A scale set of unknown mode counts as Uniform, whose VMs are not
    /// patched one by one: what is not known to be allowed is not done.
    pub(super) fn place(&mut self, is_flexible: bool, places: &Known) {
        let machine = &mut self.machine;
        if let Some(zone) = &self.zone {
            let subscription = machine.id.subscription();
            machine.placement.zone = places.zone(subscription, &machine.placement.region, zone);
        }
        if let Some(set) = &mut machine.placement.availability_set {
            set.update_domain = set.update_domain.or_else(|| places.domain(&machine.id));
        }
        if is_flexible && let Some((set, domain)) = &self.scale_set {
            machine.placement.flexible_scale_set = Some((set.to_string(), *domain));
            if let Facts::AzureVm(vm) = &mut machine.facts {
                vm.scale_set = ScaleSet::Flexible;
            }
        }
    }
}

/// The VM agent is not among what the tables are known to hold (azure.md §4), so its silence
/// there says nothing.
fn signs(row: &Resource, kind: MachineKind) -> Signs {
    let mut signs = Signs::default();
    if kind == MachineKind::AzureVm {
        signs.vm(row.view.as_ref(), false);
    } else if is_managed(row) {
        signs.arc(connection(row.status.as_deref(), None));
    } else {
        signs.silent("Arc agent");
    }
    signs
}

/// The power of a machine. An Arc machine's record does not say; one that answers runs.
fn own_power(row: &Resource, kind: MachineKind) -> Power {
    match kind {
        MachineKind::AzureVm => power(row.view.as_ref()).0,
        _ if is(row.status.as_deref(), "Connected") => Power::Running,
        _ => Power::Unknown,
    }
}

fn placement(row: &Resource, kind: MachineKind) -> Placement {
    let zone = match row.zones.as_deref().unwrap_or_default() {
        [] => ZonePlace::Regional,
        // A VM in several zones is in none that can be named.
        _ => ZonePlace::Unknown,
    };
    let mut tags = row.tags.iter().flatten();
    let site = tags.find(|(name, _)| name.eq_ignore_ascii_case(SITE_TAG));
    let domain = row.view.as_ref().and_then(|v| v.platform_update_domain);
    Placement {
        zone,
        availability_set: some(row.availability_set.as_ref()).map(|set| AvailabilitySetPlace {
            id: set.to_ascii_lowercase(),
            update_domain: domain,
        }),
        flexible_scale_set: None,
        site: site
            .filter(|_| kind != MachineKind::AzureVm)
            .map(|(_, value)| value.clone()),
        cluster: some(row.cluster.as_ref())
            .filter(|_| kind == MachineKind::AzureLocalVm)
            .map(str::to_ascii_lowercase),
        region: region::normalise(row.location.as_deref().unwrap_or_default()),
    }
}

fn facts(row: &Resource, kind: MachineKind) -> Facts {
    match kind {
        MachineKind::AzureVm => Facts::AzureVm(vm_facts(row)),
        MachineKind::ArcServer => Facts::ArcServer(arc_facts(row)),
        MachineKind::AzureLocalVm => Facts::AzureLocalVm(is_managed(row).then(|| arc_facts(row))),
    }
}

fn vm_facts(row: &Resource) -> VmFacts {
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
        scale_set: match some(row.scale_set.as_ref()) {
            Some(_) => ScaleSet::Uniform,
            None => ScaleSet::None,
        },
        os_profile: profile.then(|| OsProfile {
            allow_extension_operations: row.extensions.unwrap_or(true),
            provision_vm_agent: windows.and_then(|w| w.provision_vm_agent).unwrap_or(true),
            enable_automatic_updates: windows
                .and_then(|w| w.enable_automatic_updates)
                .unwrap_or(true),
        }),
        agent: agent(view.and_then(|v| v.vm_agent.as_ref())),
        vbs_running: None,
    }
}

fn arc_facts(row: &Resource) -> ArcFacts {
    let status = row
        .windows
        .as_ref()
        .and_then(|w| w.patch_settings.as_ref())
        .and_then(|s| s.status.as_ref());
    ArcFacts {
        connection: connection(row.status.as_deref(), some(row.changed.as_ref())),
        vbs_running: None,
        licence: licence(row.licence.as_ref()),
        enablement: status.and_then(|s| s.hotpatch_enablement_status.clone()),
    }
}
