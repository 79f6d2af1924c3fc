//! What Azure's words mean in the domain. Words compare without case, because read-backs change
//! theirs; a word not known is unknown, never a guess.

use chrono::{DateTime, Utc};

use super::wire::arc::ProductProfile;
use super::wire::vm::{InstanceView, PatchSettings, VmAgent};
use crate::domain::machine::{
    Agent, ClusterUpdate, Connection, Edition, Health, InstallStatus, Licence, PatchMode, Power,
    Product, RebootBehavior, RebootSetting, RebootStatus, Settings,
};
use crate::domain::release::{Build, Kb};

/// Builds that only Windows Server 2022 and 2025 have among servers.
const WS2022_BUILD: u32 = 20348;
const WS2025_BUILD: u32 = 26100;

/// Tells whether a word is there and is `other`, whatever its case.
pub(super) fn is(word: Option<&str>, other: &str) -> bool {
    word.is_some_and(|word| word.trim().eq_ignore_ascii_case(other))
}

/// Takes a text that is there and not empty (`tostring` of nothing is empty in KQL).
pub(super) fn some(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// Reads an instant; one without an offset is UTC (Compute's results at times lack it).
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}Z")))
        .ok()
        .map(|at| at.with_timezone(&Utc))
}

/// Reads an update's number, with or without `KB`.
pub(super) fn kb(text: &str) -> Option<Kb> {
    text.trim().parse().ok()
}

pub(super) fn patch_mode(word: Option<&str>) -> PatchMode {
    match word {
        _ if is(word, "Manual") => PatchMode::Manual,
        _ if is(word, "AutomaticByOS") => PatchMode::AutomaticByOs,
        _ if is(word, "AutomaticByPlatform") => PatchMode::AutomaticByPlatform,
        _ if is(word, "ImageDefault") => PatchMode::ImageDefault,
        _ => PatchMode::Unknown,
    }
}

pub(super) fn reboot_setting(word: Option<&str>) -> RebootSetting {
    match word {
        _ if is(word, "IfRequired") => RebootSetting::IfRequired,
        _ if is(word, "Never") => RebootSetting::Never,
        _ if is(word, "Always") => RebootSetting::Always,
        _ => RebootSetting::Unknown,
    }
}

pub(super) fn settings(settings: Option<&PatchSettings>) -> Settings {
    let platform = settings.and_then(|s| s.automatic_by_platform_settings.as_ref());
    Settings {
        patch_mode: patch_mode(settings.and_then(|s| s.patch_mode.as_deref())),
        periodic_assessment: is(
            settings.and_then(|s| s.assessment_mode.as_deref()),
            "AutomaticByPlatform",
        ),
        hotpatch: settings.and_then(|s| s.enable_hotpatching) == Some(true),
        reboot: reboot_setting(platform.and_then(|p| p.reboot_setting.as_deref())),
        bypass: platform.and_then(|p| p.bypass_platform_safety_checks_on_user_schedule)
            == Some(true),
    }
}

/// An install that has not begun is in progress to us: it will.
pub(super) fn install_status(word: Option<&str>) -> InstallStatus {
    match word {
        _ if is(word, "InProgress") || is(word, "NotStarted") => InstallStatus::InProgress,
        _ if is(word, "Succeeded") => InstallStatus::Succeeded,
        _ if is(word, "CompletedWithWarnings") => InstallStatus::Warnings,
        _ if is(word, "Failed") || is(word, "Canceled") => InstallStatus::Failed,
        _ => InstallStatus::Unknown,
    }
}

pub(super) fn reboot_status(word: Option<&str>) -> RebootStatus {
    match word {
        _ if is(word, "NotNeeded") => RebootStatus::NotNeeded,
        _ if is(word, "Required") => RebootStatus::Required,
        _ if is(word, "Started") => RebootStatus::Started,
        _ if is(word, "Failed") => RebootStatus::Failed,
        _ if is(word, "Completed") => RebootStatus::Completed,
        _ => RebootStatus::Unknown,
    }
}

pub(super) fn reboot_behavior(word: Option<&str>) -> RebootBehavior {
    match word {
        _ if is(word, "NeverReboots") => RebootBehavior::Never,
        _ if is(word, "CanRequestReboot") => RebootBehavior::CanRequest,
        _ if is(word, "AlwaysRequiresReboot") => RebootBehavior::Always,
        _ => RebootBehavior::Unknown,
    }
}

/// Tells whether an update is a security update: `Security`, `Critical`, or the display words
/// `Security Updates`, `Critical Updates` (azure.md §1.4).
pub(super) fn is_security(classifications: &[String]) -> bool {
    let words = [
        "security",
        "security updates",
        "critical",
        "critical updates",
    ];
    classifications
        .iter()
        .any(|own| words.iter().any(|word| is(Some(own), word)))
}

/// Reads the licence feature Hotpatch; a profile without it has none.
pub(super) fn licence(profile: Option<&ProductProfile>) -> Licence {
    let feature = profile
        .and_then(|profile| profile.product_features.as_ref())
        .and_then(|features| features.iter().find(|f| is(f.name.as_deref(), "Hotpatch")));
    let Some(feature) = feature else {
        return Licence::Absent;
    };
    let word = feature.subscription_status.as_deref();
    match word {
        _ if is(word, "Enabled") => Licence::Enabled,
        _ if is(word, "Enabling") => Licence::Enabling,
        _ if is(word, "Disabled") || is(word, "Disabling") => Licence::Disabled,
        _ if is(word, "Failed") => Licence::Failed,
        _ => Licence::Unknown,
    }
}

pub(super) fn connection(word: Option<&str>, changed: Option<&str>) -> Connection {
    match word {
        _ if is(word, "Connected") => Connection::Connected,
        _ if is(word, "Disconnected") => Connection::Disconnected {
            since: changed.and_then(instant),
        },
        _ => Connection::Faulty,
    }
}

/// The power of a VM, and what is amiss with it while it changes. Starting and stopping VMs run,
/// and do not serve; only a VM that is down is off.
pub(super) fn power(view: Option<&InstanceView>) -> (Power, Option<String>) {
    let from_graph = view
        .and_then(|v| v.power_state.as_ref())
        .and_then(|p| p.code.as_deref());
    let from_statuses = || {
        view.and_then(|v| v.statuses.as_ref())?
            .iter()
            .filter_map(|status| status.code.as_deref())
            .find(|code| code.to_ascii_lowercase().starts_with("powerstate/"))
    };
    let word = from_graph
        .or_else(from_statuses)
        .and_then(|code| code.split('/').nth(1));
    match word {
        _ if is(word, "running") => (Power::Running, None),
        _ if is(word, "stopped") || is(word, "deallocated") => (Power::Off, Some("off".into())),
        _ if is(word, "starting") || is(word, "stopping") || is(word, "deallocating") => {
            (Power::Running, word.map(str::to_ascii_lowercase))
        }
        _ => (Power::Unknown, None),
    }
}

/// How an Azure Local cluster stands with its own updates (`updateSummaries`, `properties.state`;
/// Microsoft.AzureStackHCI REST reference, "Update Summaries - Get", 2024-04-01). A failed update
/// has stopped; a word not known may mean that one runs.
pub(super) fn cluster_update(word: Option<&str>) -> ClusterUpdate {
    let quiet = [
        "AppliedSuccessfully",
        "UpdateAvailable",
        "UpdateFailed",
        "PreparationFailed",
        "NeedsAttention",
    ];
    match word {
        _ if is(word, "UpdateInProgress") || is(word, "PreparationInProgress") => {
            ClusterUpdate::Running
        }
        _ if quiet.iter().any(|own| is(word, own)) => ClusterUpdate::Quiet,
        _ => ClusterUpdate::Unknown,
    }
}

/// The state of the VM agent: ready only where a status says so (azure.md §11).
pub(super) fn agent(agent: Option<&VmAgent>) -> Agent {
    let Some(status) = agent
        .and_then(|a| a.statuses.as_ref())
        .and_then(|s| s.first())
    else {
        return Agent::Unknown;
    };
    let ready = is(status.code.as_deref(), "ProvisioningState/succeeded")
        && status
            .display_status
            .as_deref()
            .is_none_or(|text| is(Some(text), "Ready"));
    if ready { Agent::Ready } else { Agent::NotReady }
}

/// What the sources of a machine's health say.
#[derive(Debug, Default, Clone)]
pub(super) struct Signs {
    bad: Option<String>,
    silent: Option<String>,
}

impl Signs {
    /// Notes a source that says no.
    pub(super) fn bad(&mut self, why: impl Into<String>) {
        self.bad.get_or_insert(why.into());
    }

    /// Notes a source that is needed and says nothing.
    pub(super) fn silent(&mut self, source: &str) {
        self.silent.get_or_insert(source.to_owned());
    }

    /// Notes what Resource Health says; where it is `needed`, its silence counts.
    pub(super) fn resource_health(&mut self, state: Option<&str>, needed: bool) {
        match state {
            _ if is(state, "Available") => {}
            Some(word) if is(state, "Unavailable") || is(state, "Degraded") => {
                self.bad(format!("Resource Health says {word}"));
            }
            None if !needed => {}
            _ => self.silent("Resource Health"),
        }
    }

    /// Notes power, agent and application health of a VM.
    pub(super) fn vm(&mut self, view: Option<&InstanceView>, agent_needed: bool) {
        let (power, amiss) = power(view);
        if let Some(why) = amiss {
            self.bad(format!("the VM is {why}"));
        }
        if power == Power::Unknown {
            self.silent("power state");
        }
        match agent(view.and_then(|v| v.vm_agent.as_ref())) {
            Agent::Ready => {}
            Agent::NotReady => self.bad("the VM agent is not ready"),
            Agent::Unknown if agent_needed => self.silent("VM agent"),
            Agent::Unknown => {}
        }
        let health = view
            .and_then(|v| v.vm_health.as_ref())
            .and_then(|h| h.status.as_ref())
            .and_then(|s| s.code.as_deref());
        if is(health, "HealthState/unhealthy") {
            self.bad("the Application Health extension says unhealthy");
        }
    }

    /// Notes how an Arc machine is connected. One that is silent may well serve.
    pub(super) fn arc(&mut self, connection: Connection) {
        match connection {
            Connection::Connected => {}
            Connection::Disconnected { .. } => self.silent("Arc agent"),
            Connection::Faulty => self.bad("the Arc agent is in error or expired"),
        }
    }

    /// Judges: one no is enough, and all that are needed have to say yes.
    pub(super) fn judge(self) -> Health {
        match (self.bad, self.silent) {
            (Some(why), _) => Health::Unhealthy(why),
            (None, Some(source)) => Health::Unknown(source),
            (None, None) => Health::Healthy,
        }
    }
}

/// The operation that a provisioning state shows; an empty or final one shows none.
pub(super) fn provisioning(state: Option<&str>) -> Option<String> {
    let state = state.map(str::trim).filter(|state| !state.is_empty())?;
    let last = ["Succeeded", "Failed", "Canceled"]
        .iter()
        .any(|word| is(Some(state), word));
    (!last).then(|| format!("provisioningState {}", super::error::bounded(state)))
}

/// What is known of an operating system: kind of system, names, version, and the image's SKU.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct OsWords<'a> {
    pub(super) os_type: Option<&'a str>,
    /// `Windows Server 2025 Datacenter`, as the guest calls itself.
    pub(super) name: Option<&'a str>,
    /// `Datacenter`, where it is told apart.
    pub(super) edition: Option<&'a str>,
    pub(super) version: Option<&'a str>,
    /// SKU of a Microsoft Windows Server image.
    pub(super) image_sku: Option<&'a str>,
}

impl OsWords<'_> {
    /// Reads the product from the guest's own name first, because an upgraded guest keeps the
    /// image it was made from (azure.md §1.1); then from the version, then from the image.
    pub(super) fn product(&self) -> Product {
        if is(self.os_type, "linux") {
            return Product::NotWindows;
        }
        let name = self.name.map(str::to_ascii_lowercase).unwrap_or_default();
        if name.contains("windows") {
            return match () {
                () if name.contains("server 2022") => Product::Ws2022,
                () if name.contains("server 2025") => Product::Ws2025,
                () => Product::OtherWindows,
            };
        }
        if let Some(major) = self.version.and_then(major) {
            return match major {
                WS2022_BUILD => Product::Ws2022,
                // Windows 11 24H2 has this build too, so something has to say that it serves.
                WS2025_BUILD if self.serves() => Product::Ws2025,
                WS2025_BUILD => Product::Unknown,
                _ => Product::OtherWindows,
            };
        }
        match self.image_sku.map(str::to_ascii_lowercase) {
            Some(sku) if sku.starts_with("2022-") => Product::Ws2022,
            Some(sku) if sku.starts_with("2025-") => Product::Ws2025,
            Some(_) => Product::OtherWindows,
            None => Product::Unknown,
        }
    }

    fn serves(&self) -> bool {
        let editions = ["standard", "datacenter"];
        self.image_sku.is_some()
            || self.edition.is_some_and(|own| {
                let own = own.to_ascii_lowercase();
                editions.iter().any(|edition| own.contains(edition))
            })
    }

    /// Reads the edition from the most telling word there is.
    pub(super) fn edition(&self) -> Edition {
        let words = [self.name, self.edition, self.image_sku];
        let found = words
            .into_iter()
            .flatten()
            .map(edition_word)
            .find(|e| *e != Edition::Other);
        match found {
            // "Datacenter" beside "Azure Edition" in another word is the Azure Edition.
            Some(Edition::Datacenter)
                if self.edition.map(edition_word) == Some(Edition::DatacenterAzureEdition) =>
            {
                Edition::DatacenterAzureEdition
            }
            Some(edition) => edition,
            None if words.iter().flatten().any(|word| !word.is_empty()) => Edition::Other,
            None => Edition::Unknown,
        }
    }

    /// Reads the build of a Windows, if there is a revision: Compute shows `….0` for all
    /// (azure.md §1.2).
    pub(super) fn build(&self) -> Option<Build> {
        let version = self.version?.rsplit(' ').next()?.strip_prefix("10.0.")?;
        let build: Build = version.parse().ok()?;
        (build.revision() > 0).then_some(build)
    }
}

/// The third number of a version, `10.0.26100.1742` or `Microsoft Windows NT 10.0.26100.0`.
fn major(version: &str) -> Option<u32> {
    version.rsplit(' ').next()?.split('.').nth(2)?.parse().ok()
}

fn edition_word(word: &str) -> Edition {
    let word = word.to_ascii_lowercase();
    let azure = [
        "azure edition",
        "azure-edition",
        "serverturbine",
        "azureedition",
    ];
    match () {
        () if azure.iter().any(|name| word.contains(name)) => Edition::DatacenterAzureEdition,
        () if word.contains("datacenter") => Edition::Datacenter,
        () if word.contains("standard") => Edition::Standard,
        () => Edition::Other,
    }
}

#[cfg(test)]
mod tests;
