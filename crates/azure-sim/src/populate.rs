//! Puts machines described by builders into the world, and takes them out again.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use crate::effects::{Actor, What};
use crate::machine::{
    ArcFacts, DISCONNECTED_AFTER, Facts, Feature, Guest, Installed, Licence, LocalFacts, Machine,
    PatchSettings, Pending, VmFacts,
};
use crate::offer::from_release;
use crate::patches::KbKind;
use crate::releases::{Release, published_at};
use crate::spec::{ArcSpec, Common, GuestSpec, LicenceState, LocalSpec, PatchLevel, VmSpec};
use crate::world::{Event, World};

/// How long machines have existed when they come into the world.
const AGE: TimeDelta = TimeDelta::days(90);

impl World {
    pub(crate) fn add_vm(&mut self, spec: VmSpec) -> String {
        let base = format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute",
            spec.common.subscription, spec.common.resource_group
        );
        let id = format!("{base}/virtualMachines/{}", spec.common.name);
        let uniform = spec.scale_set.as_ref().is_some_and(|(_, uniform)| *uniform);
        let facts = VmFacts {
            vm_size: "Standard_D2s_v5".to_owned(),
            zones: spec.zones,
            image: spec.image,
            os_disk_id: format!("{base}/disks/{}_OsDisk_{}", spec.common.name, self.guid()),
            security_type: spec.security_type,
            generation: spec.generation,
            availability_set: spec
                .availability_set
                .map(|name| format!("{base}/availabilitySets/{}", name.to_uppercase())),
            scale_set: spec
                .scale_set
                .map(|(name, _)| format!("{base}/virtualMachineScaleSets/{name}")),
            uniform,
            update_domain: spec.update_domain,
            fault_domain: spec.fault_domain,
            license_type: spec.license_type,
            time_zone: spec.time_zone,
            os_profile: spec.os_profile,
            provision_vm_agent: spec.provision_vm_agent,
            agent_ready: spec.agent_ready,
            allow_extension_operations: spec.allow_extension_operations,
            enable_automatic_updates: spec.enable_automatic_updates,
        };
        let settings = PatchSettings {
            reboot_setting: spec.reboot_setting.filter(|_| spec.os_profile),
            bypass: spec.bypass.filter(|_| spec.os_profile),
            ..settings(&spec.common)
        };
        self.insert(id, spec.common, settings, Facts::Vm(facts))
    }

    pub(crate) fn add_arc(&mut self, spec: ArcSpec) -> String {
        let mut arc = self.arc_facts(&spec.common, spec.licence);
        arc.licence_fails = spec.licence_fails;
        arc.cloud_provider = spec.cloud_provider;
        arc.agent_version = spec.agent_version;
        arc.agent_down_since = spec.disconnected.then(|| self.now - DISCONNECTED_AFTER * 4);
        let settings = settings(&spec.common);
        self.insert(
            hybrid_id(&spec.common),
            spec.common,
            settings,
            Facts::Arc(arc),
        )
    }

    pub(crate) fn add_local(&mut self, spec: LocalSpec) -> String {
        let mut arc = self.arc_facts(&spec.common, spec.licence);
        arc.managed = spec.managed;
        let group = format!(
            "/subscriptions/{}/resourceGroups/{}/providers",
            spec.common.subscription, spec.common.resource_group
        );
        let local = LocalFacts {
            cluster: format!("{group}/Microsoft.AzureStackHCI/clusters/{}", spec.cluster),
            cluster_state: Some("AppliedSuccessfully".to_owned()),
            custom_location: format!(
                "{group}/Microsoft.ExtendedLocation/customLocations/{}-location",
                spec.cluster
            ),
            image_id: format!("{group}/Microsoft.AzureStackHCI/marketplaceGalleryImages/windows"),
            vm_size: "Default".to_owned(),
        };
        let settings = settings(&spec.common);
        self.insert(
            hybrid_id(&spec.common),
            spec.common,
            settings,
            Facts::Local(arc, local),
        )
    }

    fn arc_facts(&mut self, common: &Common, licence: LicenceState) -> ArcFacts {
        ArcFacts {
            agent_down_since: None,
            last_status_change: self.now - AGE,
            agent_version: "1.58.03228.2572".to_owned(),
            vm_uuid: self.guid(),
            cloud_provider: "N/A".to_owned(),
            manufacturer: "Microsoft Corporation".to_owned(),
            model: "Virtual Machine".to_owned(),
            licence: licence_of(common, licence, self.now),
            licence_fails: false,
            managed: true,
        }
    }

    fn insert(
        &mut self,
        id: String,
        common: Common,
        settings: PatchSettings,
        facts: Facts,
    ) -> String {
        let key = id.to_lowercase();
        let now = self.now;
        let mut machine = Machine {
            id: id.clone(),
            name: common.name,
            subscription: common.subscription,
            resource_group: common.resource_group,
            location: common.location,
            tags: common.tags,
            incarnation: self.guid(),
            created: now - AGE,
            revision: 1,
            updating_until: None,
            settings,
            settings_ready_at: now - AGE,
            facts,
            guest: bare_guest(&common.guest, now),
            job: None,
            queue: VecDeque::new(),
            assessment: None,
            installs: Vec::new(),
            fail_next: None,
            hang_next: false,
            keep_up_next: false,
            health: None,
            health_since: now - AGE,
            run_commands: BTreeMap::new(),
            assignments: BTreeMap::new(),
            wsus: false,
            assess_timer: false,
            patch_timer: false,
        };
        self.patch_guest(&mut machine, common.guest.level);
        self.stage(&mut machine, &common.guest.pending);
        self.machines.insert(key.clone(), machine);
        self.effect(&key, What::Added);
        self.arm_timers(&key);
        self.publish();
        id
    }

    /// Gives a guest the updates of a level.
    fn patch_guest(&self, machine: &mut Machine, level: PatchLevel) {
        let Some(track) = machine.guest.os.track() else {
            return;
        };
        let now = self.now;
        let baseline = self.history.baseline(track, now).cloned();
        let at = match level {
            PatchLevel::AsOf(date) => published_at(date).min(now),
            PatchLevel::BehindBaseline => baseline
                .as_ref()
                .map_or(now, |row| row.published_at() - TimeDelta::seconds(1)),
            PatchLevel::Current | PatchLevel::Baseline | PatchLevel::OffTrack => now,
            PatchLevel::Bare => return,
        };
        // A machine of an old build or without its licence is not enrolled, whatever it has.
        if let Some(row) = self.history.baseline(track, at) {
            self.give(machine, row, at);
        }
        let on_track = machine.enrolled(now) && level != PatchLevel::OffTrack;
        let after = self.history.published(track, at).rev();
        let newest = match (level, on_track) {
            (PatchLevel::Baseline, _) => None,
            (_, true) => after.into_iter().find(|row| row.kind.is_hotpatch()),
            (_, false) => after.into_iter().find(|row| !row.kind.is_hotpatch()),
        };
        let newer = |row: &&Release| machine.guest.cumulative_date().is_none_or(|d| row.date > d);
        if let Some(row) = newest.filter(newer).cloned() {
            self.give(machine, &row, at);
        }
    }

    fn give(&self, machine: &mut Machine, row: &Release, at: DateTime<Utc>) {
        let offered = from_release(row, &self.options.assumptions);
        let installed = Installed {
            at,
            kind: offered.kind,
            date: row.date,
            build: row.build.clone(),
        };
        machine.guest.installed.insert(row.kb.clone(), installed);
    }

    fn stage(&self, machine: &mut Machine, kbs: &[String]) {
        for kb in kbs {
            let row = self.history.find(kb);
            let offered = row.map(|row| from_release(row, &self.options.assumptions));
            let installed = Installed {
                at: self.now,
                kind: offered.map_or(KbKind::Lcu, |offered| offered.kind),
                date: row.map_or(self.now.date_naive(), |row| row.date),
                build: row.and_then(|row| row.build.clone()),
            };
            let pending = Pending {
                installed,
                activity: "00000000-0000-0000-0000-000000000000".to_owned(),
                by: Actor::Foreign,
            };
            machine.guest.installed.remove(kb);
            machine.guest.pending.insert(kb.clone(), pending);
        }
    }

    /// Deletes a machine and all that runs on it.
    pub(crate) fn delete(&mut self, key: &str) {
        self.drop_jobs(key);
        self.effect(key, What::Deleted);
        self.machines.remove(key);
    }

    /// Makes a machine anew under the same id: another incarnation, fresh and current.
    pub(crate) fn recreate(&mut self, key: &str) {
        self.drop_jobs(key);
        let (incarnation, disk, uuid) = (self.guid(), self.guid(), self.guid());
        let now = self.now;
        let Some(mut machine) = self.machines.remove(key) else {
            return;
        };
        machine.incarnation = incarnation;
        machine.created = now;
        machine.revision += 1;
        let guest = GuestSpec {
            vbs: machine.guest.vbs,
            ..GuestSpec::new(machine.guest.os)
        };
        machine.guest = bare_guest(&guest, now);
        machine.assessment = None;
        machine.installs = Vec::new();
        machine.run_commands = BTreeMap::new();
        (machine.assess_timer, machine.patch_timer) = (false, false);
        match &mut machine.facts {
            Facts::Vm(vm) => vm.os_disk_id = format!("{}_OsDisk_{disk}", vm.os_disk_id),
            Facts::Arc(arc) | Facts::Local(arc, _) => {
                arc.vm_uuid = uuid;
                arc.last_status_change = now;
            }
        }
        self.patch_guest(&mut machine, PatchLevel::Current);
        self.machines.insert(key.to_owned(), machine);
        self.effect(key, What::Recreated);
        self.arm_timers(key);
        self.schedule(
            now + DISCONNECTED_AFTER,
            Event::Settles {
                machine: key.to_owned(),
            },
        );
    }
}

fn settings(common: &Common) -> PatchSettings {
    PatchSettings {
        patch_mode: common.patch_mode.clone(),
        assessment_mode: common.assessment_mode.clone(),
        enable_hotpatching: common.hotpatch,
        reboot_setting: None,
        bypass: None,
    }
}

fn hybrid_id(common: &Common) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.HybridCompute/machines/{}",
        common.subscription, common.resource_group, common.name
    )
}

fn bare_guest(spec: &GuestSpec, now: DateTime<Utc>) -> Guest {
    let booted = now - TimeDelta::days(20);
    Guest {
        os: spec.os,
        power: spec.power,
        since: booted,
        boot_time: booted,
        boot_count: 1,
        shuts_down_at: None,
        installed: BTreeMap::new(),
        pending: BTreeMap::new(),
        dotnet: crate::releases::newest_patch_day(now),
        definition: now,
        vbs: spec.vbs,
        image_build: spec
            .build
            .clone()
            .unwrap_or_else(|| spec.os.first_build().to_owned()),
    }
}

fn licence_of(common: &Common, state: LicenceState, now: DateTime<Utc>) -> Option<Licence> {
    let far = now + TimeDelta::days(36_500);
    let (enabled, settles, fails) = match state {
        LicenceState::Missing => return None,
        LicenceState::Enabled => (true, now - AGE, false),
        LicenceState::Disabled => (false, now - AGE, false),
        LicenceState::Failed => (true, now - AGE, true),
        LicenceState::StuckEnabling => (true, far, false),
    };
    Some(Licence {
        location: common.location.clone(),
        product_type: "WindowsServer".to_owned(),
        payg: None,
        hotpatch: Some(Feature {
            enabled,
            changed: now - AGE,
            settles,
            fails,
        }),
        esu_profile: None,
        software_assurance: None,
    })
}
