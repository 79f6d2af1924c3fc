//! Holds one machine: its Azure resource, its patch settings and its guest. Must never act by
//! itself: events and calls change it.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::effects::Actor;
use crate::job::Job;
use crate::os::Os;
use crate::patches::{Assessment, InstallRecord, KbKind, PatchError};

/// An Arc agent shows Disconnected this long after its last heartbeat (AMD overview.md: 15-30).
pub(crate) const DISCONNECTED_AFTER: TimeDelta = TimeDelta::minutes(15);

/// A machine of any kind.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// The resource id as Azure spells it; the world's key is its lower case.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) subscription: String,
    pub(crate) resource_group: String,
    pub(crate) location: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// `vmId`; another for a machine made anew.
    pub(crate) incarnation: String,
    pub(crate) created: DateTime<Utc>,
    /// Counts writes; the etag.
    pub(crate) revision: u64,
    pub(crate) updating_until: Option<DateTime<Utc>>,
    pub(crate) settings: PatchSettings,
    pub(crate) settings_ready_at: DateTime<Utc>,
    pub(crate) facts: Facts,
    pub(crate) guest: Guest,
    pub(crate) job: Option<Job>,
    pub(crate) queue: VecDeque<Job>,
    pub(crate) assessment: Option<Assessment>,
    pub(crate) installs: Vec<InstallRecord>,
    pub(crate) fail_next: Option<PatchError>,
    pub(crate) hang_next: bool,
    pub(crate) health: Option<crate::views::Health>,
    pub(crate) health_since: DateTime<Utc>,
    pub(crate) assess_timer: bool,
    pub(crate) patch_timer: bool,
}

/// The patch settings of a machine, as written by callers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PatchSettings {
    pub(crate) patch_mode: Option<String>,
    pub(crate) assessment_mode: Option<String>,
    pub(crate) enable_hotpatching: Option<bool>,
    pub(crate) reboot_setting: Option<String>,
    pub(crate) bypass: Option<bool>,
}

impl PatchSettings {
    pub(crate) fn by_platform(&self) -> bool {
        self.patch_mode.as_deref() == Some("AutomaticByPlatform")
    }

    pub(crate) fn hotpatch(&self) -> bool {
        self.enable_hotpatching == Some(true)
    }

    /// Gives the settings as Azure shows them in a VM's model.
    pub(crate) fn to_json(&self) -> Value {
        let mut out = json!({});
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                out[key] = value;
            }
        };
        set("patchMode", self.patch_mode.clone().map(Value::from));
        set(
            "assessmentMode",
            self.assessment_mode.clone().map(Value::from),
        );
        set(
            "enableHotpatching",
            self.enable_hotpatching.map(Value::from),
        );
        if self.reboot_setting.is_some() || self.bypass.is_some() {
            let mut inner = json!({});
            if let Some(reboot) = &self.reboot_setting {
                inner["rebootSetting"] = json!(reboot);
            }
            if let Some(bypass) = self.bypass {
                inner["bypassPlatformSafetyChecksOnUserSchedule"] = json!(bypass);
            }
            set("automaticByPlatformSettings", Some(inner));
        }
        out
    }
}

/// What only one kind of machine has.
#[derive(Debug, Clone)]
pub(crate) enum Facts {
    Vm(VmFacts),
    Arc(ArcFacts),
    Local(ArcFacts, LocalFacts),
}

/// What only an Azure VM has.
#[derive(Debug, Clone)]
pub(crate) struct VmFacts {
    pub(crate) vm_size: String,
    pub(crate) zones: Vec<String>,
    pub(crate) image: Image,
    pub(crate) os_disk_id: String,
    pub(crate) security_type: Option<String>,
    pub(crate) generation: u8,
    pub(crate) availability_set: Option<String>,
    pub(crate) scale_set: Option<String>,
    /// A Uniform scale set member: `properties.virtualMachineScaleSet` is set and there is no
    /// VM resource to patch.
    pub(crate) uniform: bool,
    pub(crate) update_domain: Option<u32>,
    pub(crate) fault_domain: Option<u32>,
    pub(crate) license_type: Option<String>,
    pub(crate) time_zone: Option<String>,
    pub(crate) os_profile: bool,
    pub(crate) provision_vm_agent: bool,
    pub(crate) agent_ready: bool,
    pub(crate) allow_extension_operations: bool,
    pub(crate) enable_automatic_updates: bool,
}

/// Where a VM's OS disk came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Image {
    Marketplace {
        publisher: String,
        offer: String,
        sku: String,
    },
    Gallery {
        id: String,
    },
}

/// What Arc-enabled machines have.
#[derive(Debug, Clone)]
pub(crate) struct ArcFacts {
    /// The agent stopped sending heartbeats then, though the guest may run.
    pub(crate) agent_down_since: Option<DateTime<Utc>>,
    pub(crate) last_status_change: DateTime<Utc>,
    pub(crate) agent_version: String,
    pub(crate) vm_uuid: String,
    pub(crate) cloud_provider: String,
    pub(crate) manufacturer: String,
    pub(crate) model: String,
    pub(crate) licence: Option<Licence>,
    /// The next write of the licence ends in Failed instead of Enabled.
    pub(crate) licence_fails: bool,
    /// Guest management on Azure Local; true on plain Arc machines.
    pub(crate) managed: bool,
}

/// The licence profile of an Arc machine.
#[derive(Debug, Clone)]
pub(crate) struct Licence {
    pub(crate) location: String,
    pub(crate) product_type: String,
    /// `productProfile.subscriptionStatus`: the pay-as-you-go subscription.
    pub(crate) payg: Option<bool>,
    pub(crate) hotpatch: Option<Feature>,
    pub(crate) esu_profile: Option<Value>,
    pub(crate) software_assurance: Option<Value>,
}

/// The Hotpatch feature of a licence profile.
#[derive(Debug, Clone)]
pub(crate) struct Feature {
    pub(crate) enabled: bool,
    pub(crate) changed: DateTime<Utc>,
    pub(crate) settles: DateTime<Utc>,
    pub(crate) fails: bool,
}

impl Feature {
    /// Gives the `subscriptionStatus` read at `now`.
    pub(crate) fn status(&self, now: DateTime<Utc>) -> &'static str {
        match (self.enabled, now >= self.settles) {
            (true, true) if self.fails => "Failed",
            (true, true) => "Enabled",
            (true, false) => "Enabling",
            (false, true) => "Disabled",
            (false, false) => "Disabling",
        }
    }
}

/// What only an Azure Local VM has.
#[derive(Debug, Clone)]
pub(crate) struct LocalFacts {
    pub(crate) cluster: String,
    pub(crate) custom_location: String,
    pub(crate) image_id: String,
    pub(crate) vm_size: String,
}

/// The operating system of a machine.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) os: Os,
    pub(crate) power: Power,
    pub(crate) since: DateTime<Utc>,
    pub(crate) boot_time: DateTime<Utc>,
    pub(crate) boot_count: u32,
    pub(crate) installed: BTreeMap<String, Installed>,
    pub(crate) pending: BTreeMap<String, Pending>,
    pub(crate) dotnet: Option<NaiveDate>,
    pub(crate) definition: DateTime<Utc>,
    pub(crate) vbs: bool,
    /// The build the machine was set up with; what is installed may raise it.
    pub(crate) image_build: String,
}

/// Whether the guest runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    Up,
    Rebooting,
    /// Went down for a reboot and does not come back.
    Hung,
    Stopped,
    Deallocated,
}

/// A KB in effect.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    pub(crate) at: DateTime<Utc>,
    pub(crate) kind: KbKind,
    pub(crate) date: NaiveDate,
    pub(crate) build: Option<String>,
}

/// A KB that takes effect at the next reboot.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) installed: Installed,
    pub(crate) activity: String,
    pub(crate) by: Actor,
}

impl Guest {
    /// Gives the build of the newest KB in effect whose build is known.
    pub(crate) fn build(&self) -> String {
        self.installed
            .values()
            .filter(|kb| kb.build.is_some())
            .max_by_key(|kb| (kb.date, kb.kind))
            .and_then(|kb| kb.build.clone())
            .unwrap_or_else(|| self.image_build.clone())
    }

    /// Gives the date of the newest cumulative update in effect.
    pub(crate) fn cumulative_date(&self) -> Option<NaiveDate> {
        self.installed
            .values()
            .filter(|kb| kb.kind.is_cumulative())
            .map(|kb| kb.date)
            .max()
    }
}

impl Machine {
    pub(crate) fn key(&self) -> String {
        self.id.to_lowercase()
    }

    pub(crate) fn vm(&self) -> Option<&VmFacts> {
        match &self.facts {
            Facts::Vm(vm) => Some(vm),
            _ => None,
        }
    }

    pub(crate) fn arc(&self) -> Option<&ArcFacts> {
        match &self.facts {
            Facts::Arc(arc) | Facts::Local(arc, _) => Some(arc),
            Facts::Vm(_) => None,
        }
    }

    pub(crate) fn arc_mut(&mut self) -> Option<&mut ArcFacts> {
        match &mut self.facts {
            Facts::Arc(arc) | Facts::Local(arc, _) => Some(arc),
            Facts::Vm(_) => None,
        }
    }

    pub(crate) fn local(&self) -> Option<&LocalFacts> {
        match &self.facts {
            Facts::Local(_, local) => Some(local),
            _ => None,
        }
    }

    /// Tells whether an operation sent now can begin on the guest now.
    pub(crate) fn reachable(&self) -> bool {
        self.guest.power == Power::Up && self.arc().is_none_or(|arc| arc.agent_down_since.is_none())
    }

    /// Gives the instant of the last heartbeat of the Arc agent, `None` while it beats.
    pub(crate) fn silent_since(&self) -> Option<DateTime<Utc>> {
        let guest = (self.guest.power != Power::Up).then_some(self.guest.since);
        let agent = self.arc().and_then(|arc| arc.agent_down_since);
        [guest, agent].into_iter().flatten().min()
    }

    /// Gives the Arc `status` and when it last changed.
    pub(crate) fn arc_status(&self, now: DateTime<Utc>) -> (&'static str, DateTime<Utc>) {
        let changed = self
            .arc()
            .map_or(self.created, |arc| arc.last_status_change);
        match self.silent_since().map(|since| since + DISCONNECTED_AFTER) {
            Some(shown) if now >= shown => ("Disconnected", shown),
            _ => ("Connected", changed),
        }
    }

    /// Gives the Arc `hotpatchEnablementStatus`.
    pub(crate) fn hotpatch_status(&self, now: DateTime<Utc>) -> &'static str {
        let wanted = self.settings.hotpatch();
        if now < self.settings_ready_at {
            return "PendingEvaluation";
        }
        if !wanted {
            return "Disabled";
        }
        if self.enrolled(now) {
            "Enabled"
        } else {
            "ActionRequired"
        }
    }

    /// Tells whether Windows Update treats the guest as one of the hotpatch track.
    pub(crate) fn enrolled(&self, now: DateTime<Utc>) -> bool {
        let os = self.guest.os;
        match &self.facts {
            Facts::Vm(vm) => {
                os.azure_edition()
                    && vm.image_supports_hotpatch()
                    && self.settings.hotpatch()
                    && self.settings.by_platform()
            }
            Facts::Local(..) if os.azure_edition() => true,
            Facts::Arc(arc) | Facts::Local(arc, _) => {
                let licensed = arc
                    .licence
                    .as_ref()
                    .and_then(|licence| licence.hotpatch.as_ref());
                // Azure Edition needs no licence, only the switch (WSD hotpatch docs).
                let licensed = os.azure_edition()
                    || licensed.is_some_and(|feature| feature.status(now) == "Enabled");
                os.hotpatch_on_arc()
                    && self.guest.vbs
                    && licensed
                    && self.settings.hotpatch()
                    && ubr(&self.guest.build()) >= ARC_FIRST_UBR
            }
        }
    }

    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.revision)
    }

    /// The newest install, running or ended.
    pub(crate) fn last_install(&self) -> Option<&InstallRecord> {
        self.installs.last()
    }
}

/// The first 26100 revision that an Arc machine can be hotpatched from (WSD 2025-10-30).
const ARC_FIRST_UBR: u32 = 1742;

fn ubr(build: &str) -> u32 {
    build
        .rsplit('.')
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Image SKUs that can be hotpatched (AVGP, WSD), lower case.
const HOTPATCH_SKUS: [&str; 8] = [
    "2022-datacenter-azure-edition-core",
    "2022-datacenter-azure-edition-core-smalldisk",
    "2022-datacenter-azure-edition-hotpatch",
    "2022-datacenter-azure-edition-hotpatch-smalldisk",
    "2025-datacenter-azure-edition",
    "2025-datacenter-azure-edition-smalldisk",
    "2025-datacenter-azure-edition-core",
    "2025-datacenter-azure-edition-core-smalldisk",
];

impl VmFacts {
    /// Tells whether the image is one that hotpatching can be enabled on.
    pub(crate) fn image_supports_hotpatch(&self) -> bool {
        match &self.image {
            Image::Marketplace {
                publisher,
                offer,
                sku,
            } => {
                publisher.eq_ignore_ascii_case("MicrosoftWindowsServer")
                    && offer.eq_ignore_ascii_case("WindowsServer")
                    && HOTPATCH_SKUS.contains(&sku.to_lowercase().as_str())
                    && self.generation == 2
            }
            Image::Gallery { .. } => false,
        }
    }
}
