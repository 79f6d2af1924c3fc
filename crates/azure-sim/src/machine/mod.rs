//! Holds one machine: its Azure resource, its patch settings and its guest. Must never act by
//! itself: events and calls change it.

mod facts;
mod guest;

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::job::Job;
use crate::patches::{Assessment, InstallRecord, PatchError};

pub(crate) use facts::{ArcFacts, Facts, Feature, Image, Licence, LocalFacts, VmFacts};
pub(crate) use guest::{Guest, Installed, Pending, Power};

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
    /// Whether the next reboot that an install wants does not come about.
    pub(crate) keep_up_next: bool,
    pub(crate) health: Option<crate::views::Health>,
    pub(crate) health_since: DateTime<Utc>,
    /// Run commands by lower-cased name.
    pub(crate) run_commands: BTreeMap<String, crate::run_command::RunCommand>,
    /// Maintenance configurations assigned to it: the configuration's id by the assignment's name.
    pub(crate) assignments: BTreeMap<String, String>,
    /// Whether a policy in the guest names a WSUS server.
    pub(crate) wsus: bool,
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

    /// Gives the next instant at which the machine shows something else by time alone.
    pub(crate) fn same_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let licence = self.arc().and_then(|arc| arc.licence.as_ref());
        let feature = licence.and_then(|licence| licence.hotpatch.as_ref());
        let assessment = self.assessment.as_ref();
        let installs = self.installs.iter().map(InstallRecord::forgotten_at);
        [
            Some(self.settings_ready_at),
            self.updating_until,
            self.silent_since().map(|since| since + DISCONNECTED_AFTER),
            feature.map(|feature| feature.settles),
            assessment.map(Assessment::forgotten_at),
        ]
        .into_iter()
        .flatten()
        .chain(installs)
        .filter(|at| *at > now)
        .min()
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
                    && self.guest.vbs
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
