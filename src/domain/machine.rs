//! A machine as observed: who it is, where it stands, what runs in it, how it is set, how it fares.
//!
//! Holds facts only, each as Azure reported it or as unknown. Must never decide anything: whether
//! a machine can be hotpatched is `eligibility`, what it needs is `track`, when it may go is
//! `budget` and `batch`.

mod patches;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use self::patches::{
    Assessment, InstallRecord, InstallStatus, OfferClass, Offered, RebootBehavior, RebootStatus,
    UpdateService,
};
use super::evidence::Glimpse;
use super::release::{Build, Kb};

/// The longest Azure resource id that is accepted, in bytes.
pub const MACHINE_ID_BYTES_MAX: usize = 512;

/// Install records kept per machine, newest first; Azure itself forgets them after 30 days
/// (azure.md §4, retention).
pub const INSTALL_RECORDS_MAX: usize = 8;

/// The Azure resource id of a machine, lower-cased, because Azure compares ids without case and
/// Resource Graph's patch tables return them lower-cased (azure.md §4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(Arc<str>);

impl Serialize for MachineId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Why a text is not a machine id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MachineIdError {
    /// Longer than [`MACHINE_ID_BYTES_MAX`].
    #[error("machine id is longer than {MACHINE_ID_BYTES_MAX} bytes")]
    TooLong,
    /// Not of the form of a virtual machine's or an Arc machine's resource id.
    #[error("machine id \"{0}\" is not the resource id of a virtual machine or Arc machine")]
    Form(String),
}

impl MachineId {
    /// Parses a resource id of a virtual machine or an Arc machine.
    ///
    /// # Errors
    /// [`MachineIdError`] where the text is too long or of another form.
    pub fn parse(id: &str) -> Result<Self, MachineIdError> {
        if id.len() > MACHINE_ID_BYTES_MAX {
            return Err(MachineIdError::TooLong);
        }
        let lower = id.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let well_formed = matches!(
            parts.as_slice(),
            ["", "subscriptions", sub, "resourcegroups", group, "providers", provider, ty, name]
                if !sub.is_empty() && !group.is_empty() && !name.is_empty()
                    && matches!(
                        (*provider, *ty),
                        ("microsoft.compute", "virtualmachines")
                            | ("microsoft.hybridcompute", "machines")
                    )
        );
        if !well_formed {
            return Err(MachineIdError::Form(id.chars().take(120).collect()));
        }
        Ok(Self(lower.into()))
    }

    /// Returns the whole id, lower-cased, starting with a slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(&self, index: usize) -> &str {
        self.0.split('/').nth(index).unwrap_or_default()
    }

    /// Returns the machine's name, lower-cased.
    pub fn name(&self) -> &str {
        self.part(8)
    }

    /// Returns the subscription's id.
    pub fn subscription(&self) -> &str {
        self.part(2)
    }

    /// Returns the resource group's name, lower-cased.
    pub fn resource_group(&self) -> &str {
        self.part(4)
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which Azure service manages the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum MachineKind {
    /// A `Microsoft.Compute/virtualMachines` resource.
    #[serde(rename = "AzureVM")]
    AzureVm,
    /// A `Microsoft.HybridCompute/machines` resource that is no Azure Local guest.
    ArcServer,
    /// A `Microsoft.HybridCompute/machines` resource of kind `HCI`.
    #[serde(rename = "AzureLocalVM")]
    AzureLocalVm,
}

impl fmt::Display for MachineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AzureVm => "AzureVM",
            Self::ArcServer => "ArcServer",
            Self::AzureLocalVm => "AzureLocalVM",
        })
    }
}

/// Tells a machine from another one that bears the same resource id: a machine that was deleted
/// and created again, or whose operating-system disk was swapped, is another incarnation, and
/// nothing planned for the earlier one may be done to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Incarnation {
    /// `properties.vmId`, for VMs and for Arc machines.
    pub vm_id: String,
    /// The resource id of the operating-system disk of a VM, or `vmUuid` of an Arc machine.
    pub body: Option<String>,
}

/// Where a machine stands: the failure domains it shares with others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Placement {
    /// The Azure region, normalised (`westeurope`). Of an Arc machine it says where its record
    /// is kept, not where the machine stands, so it is no failure domain there.
    pub region: String,
    /// The zone.
    pub zone: ZonePlace,
    /// The availability set.
    pub availability_set: Option<AvailabilitySetPlace>,
    /// The fault domain in a Flexible scale set: its resource id and the domain's number.
    pub flexible_scale_set: Option<(String, Option<u32>)>,
    /// The site of an Arc machine, from its tag `site`.
    pub site: Option<String>,
    /// The Azure Local cluster, by resource id.
    pub cluster: Option<String>,
}

/// The zone of a VM. Zone numbers are per subscription, so only physical zones compare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum ZonePlace {
    /// Not in a zone.
    Regional,
    /// The physical zone (`westeurope-az2`; Azure Locations API `availabilityZoneMappings`).
    Physical(String),
    /// In a zone whose physical place is not known: treated as all zones at once.
    Unknown,
}

/// A VM's place in its availability set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AvailabilitySetPlace {
    /// The set's resource id, lower-cased.
    pub id: String,
    /// The update domain, where it is known.
    pub update_domain: Option<u32>,
}

/// Tags of a machine. Names compare without case, values exactly
/// (Azure Resource Manager, "Use tags to organize your Azure resources").
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Takes tags as Azure gives them.
    pub fn new(tags: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(tags.into_iter().collect())
    }

    /// Returns the value of a tag, whatever the case of its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns all tags in order of their names as Azure spells them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The Windows Server version, as far as the operator tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Product {
    /// Windows Server 2022 (build 20348).
    Ws2022,
    /// Windows Server 2025 (build 26100).
    Ws2025,
    /// Another Windows.
    OtherWindows,
    /// No Windows at all.
    NotWindows,
    /// Azure did not say.
    Unknown,
}

/// The edition of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Edition {
    /// Standard.
    Standard,
    /// Datacenter.
    Datacenter,
    /// Datacenter: Azure Edition (`ServerTurbine`, azure.md §13).
    DatacenterAzureEdition,
    /// Any other.
    Other,
    /// Azure did not say.
    Unknown,
}

/// What a VM was made from (`storageProfile.imageReference`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Image {
    /// A marketplace image.
    Marketplace {
        /// The publisher.
        publisher: String,
        /// The offer.
        offer: String,
        /// The SKU.
        sku: String,
    },
    /// An image from a gallery, or a custom one, by its id.
    Custom(String),
    /// None: the disk was attached.
    Absent,
}

/// The generation of a VM (`instanceView.hyperVGeneration`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Generation {
    /// `V1`.
    V1,
    /// `V2`.
    V2,
}

/// Whether a VM belongs to a scale set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ScaleSet {
    /// It does not.
    None,
    /// To a Flexible one; its VMs are patched as VMs.
    Flexible,
    /// To a Uniform one; hotpatch images are not supported there (azure.md §1.1).
    Uniform,
}

/// The state of the agent in the guest through which Azure patches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Agent {
    /// It answers.
    Ready,
    /// It does not.
    NotReady,
    /// Azure did not say.
    Unknown,
}

/// The state of the Hotpatch feature in an Arc machine's licence profile
/// (`productFeatures[name=Hotpatch].subscriptionStatus`, azure.md §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Licence {
    /// No licence profile or no such feature in it.
    Absent,
    /// Being switched on.
    Enabling,
    /// On.
    Enabled,
    /// Off, or being switched off.
    Disabled,
    /// Refused.
    Failed,
    /// Azure did not say.
    Unknown,
}

/// How an Arc machine is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Connection {
    /// It sends heartbeats.
    Connected,
    /// None for 15 minutes or more.
    Disconnected {
        /// Since when, as far as Azure knows.
        since: Option<DateTime<Utc>>,
    },
    /// Error, expired, or a word not understood.
    Faulty,
}

/// What only a VM has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VmFacts {
    /// What it was made from.
    pub image: Image,
    /// Its generation, where known.
    pub generation: Option<Generation>,
    /// Its scale set.
    pub scale_set: ScaleSet,
    /// `osProfile`; none where the disk was attached.
    pub os_profile: Option<OsProfile>,
    /// The VM agent.
    pub agent: Agent,
    /// Whether virtualization-based security runs; ARM does not say, only the guest does.
    pub vbs_running: Option<bool>,
}

/// What `osProfile` of a VM says about patching.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OsProfile {
    /// `allowExtensionOperations`; absent means true.
    pub allow_extension_operations: bool,
    /// `windowsConfiguration.provisionVMAgent`; absent means true.
    pub provision_vm_agent: bool,
    /// `windowsConfiguration.enableAutomaticUpdates`, fixed at creation; absent means true.
    pub enable_automatic_updates: bool,
}

/// What only an Arc machine has; an Azure Local VM with guest management has it too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArcFacts {
    /// How it is connected.
    pub connection: Connection,
    /// Whether virtualization-based security runs; ARM does not say, only the guest does.
    pub vbs_running: Option<bool>,
    /// The Hotpatch feature of the licence profile.
    pub licence: Licence,
    /// `patchSettings.status.hotpatchEnablementStatus`, as Azure words it.
    pub enablement: Option<String>,
}

/// The facts that differ by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Facts {
    /// Of an Azure VM.
    AzureVm(VmFacts),
    /// Of an Arc server.
    ArcServer(ArcFacts),
    /// Of an Azure Local VM; none where guest management is off.
    AzureLocalVm(Option<ArcFacts>),
}

/// Who orchestrates patches (`patchSettings.patchMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum PatchMode {
    /// Nobody.
    Manual,
    /// Windows Update in the guest.
    AutomaticByOs,
    /// Azure.
    AutomaticByPlatform,
    /// What the image says (Arc, Linux).
    ImageDefault,
    /// Absent, or a word not understood.
    Unknown,
}

/// What happens after an install that needs a reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum RebootSetting {
    /// Reboot if an update asks for it.
    IfRequired,
    /// Do not reboot.
    Never,
    /// Reboot in any case.
    Always,
    /// Absent, or a word not understood.
    Unknown,
}

/// The patch settings of a machine, as observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// `patchMode`.
    pub patch_mode: PatchMode,
    /// Whether `assessmentMode` is `AutomaticByPlatform`: Azure assesses every 24 h.
    pub periodic_assessment: bool,
    /// `enableHotpatching`.
    pub hotpatch: bool,
    /// `automaticByPlatformSettings.rebootSetting`.
    pub reboot: RebootSetting,
    /// `automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule`.
    pub bypass: bool,
}

/// Whether the machine runs at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Power {
    /// It runs.
    Running,
    /// Its owner switched it off or deallocated it: *dormant*.
    Off,
    /// Azure did not say.
    Unknown,
}

/// Whether the cluster that carries a machine updates itself: it moves its guests about then.
/// Ordered from what allows most to what allows least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum ClusterUpdate {
    /// It does not, or no Azure Local cluster carries the machine.
    Quiet,
    /// Azure does not say.
    Unknown,
    /// It does.
    Running,
}

impl ClusterUpdate {
    /// Returns why nothing is commanded above such a cluster: a reason and a sentence.
    pub fn hold(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Quiet => None,
            Self::Running => Some((
                "ClusterUpdating",
                "the Azure Local cluster under it updates itself; it comes afterwards",
            )),
            Self::Unknown => Some((
                "ClusterUnknown",
                "whether the Azure Local cluster under it updates itself is not known; see that \
                 the identity may read Microsoft.AzureStackHCI/clusters/updateSummaries",
            )),
        }
    }
}

/// Whether the machine serves, as far as Azure can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Health {
    /// All sources say so.
    Healthy,
    /// At least one source says no.
    Unhealthy(String),
    /// At least one source that is needed is silent.
    Unknown(String),
}

/// A machine as observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Who it is.
    pub id: MachineId,
    /// Its name as Azure spells it.
    pub name: String,
    /// Which service manages it.
    pub kind: MachineKind,
    /// Which life of it this is.
    pub incarnation: Incarnation,
    /// Where it stands.
    pub placement: Placement,
    /// Its tags.
    pub tags: Tags,
    /// Its Windows Server version.
    pub product: Product,
    /// Its edition.
    pub edition: Edition,
    /// Its build, where Azure reports one with a revision.
    pub build: Option<Build>,
    /// What differs by kind.
    pub facts: Facts,
    /// Its patch settings.
    pub settings: Settings,
    /// Whether it runs.
    pub power: Power,
    /// Whether the cluster under it updates itself.
    pub cluster_update: ClusterUpdate,
    /// Whether it serves.
    pub health: Health,
    /// The operation that Azure shows on it, by whomever (`provisioningState` other than a final
    /// one, or an install record in progress).
    pub busy: Option<String>,
    /// Its last assessment; Azure forgets it after 7 days (azure.md §4).
    pub assessment: Option<Assessment>,
    /// Its installs, newest first, at most [`INSTALL_RECORDS_MAX`].
    pub installs: Vec<InstallRecord>,
}

impl Machine {
    /// Tells whether its owner let it sleep: off, or an Arc server silent for longer than
    /// `silent_after`. A dormant machine counts neither above nor below the availability line.
    ///
    /// An Azure Local VM tells its power: one that is silent and not off is down, however long.
    pub fn is_dormant(&self, now: DateTime<Utc>, silent_after: chrono::TimeDelta) -> bool {
        if self.power == Power::Off {
            return true;
        }
        let server = self.arc().filter(|_| self.kind == MachineKind::ArcServer);
        server.is_some_and(|arc| {
            matches!(arc.connection, Connection::Disconnected { since: Some(since) }
                if now - since >= silent_after)
        })
    }

    /// Returns what only a VM has.
    pub fn vm(&self) -> Option<&VmFacts> {
        match &self.facts {
            Facts::AzureVm(vm) => Some(vm),
            Facts::ArcServer(_) | Facts::AzureLocalVm(_) => None,
        }
    }

    /// Returns what an Arc machine has, or an Azure Local VM with guest management.
    pub fn arc(&self) -> Option<&ArcFacts> {
        match &self.facts {
            Facts::ArcServer(arc) | Facts::AzureLocalVm(Some(arc)) => Some(arc),
            Facts::AzureVm(_) | Facts::AzureLocalVm(None) => None,
        }
    }

    /// Returns the machine with what a glimpse of it shows. Its assessment stays as it was: a
    /// glimpse tells its time but not what it offers, and the one without the other would call a
    /// machine current that is not.
    #[must_use]
    pub fn with_glimpse(&self, glimpse: Glimpse) -> Self {
        let mut seen = Self {
            installs: glimpse.installs,
            health: glimpse.health,
            power: glimpse.power,
            cluster_update: glimpse.cluster_update,
            ..self.clone()
        };
        if let (Facts::ArcServer(arc) | Facts::AzureLocalVm(Some(arc)), Some(connection)) =
            (&mut seen.facts, glimpse.connection)
        {
            arc.connection = connection;
        }
        seen
    }

    /// Returns the newest install, by whomever.
    pub fn last_install(&self) -> Option<&InstallRecord> {
        self.installs.first()
    }

    /// Returns the newest install that put an update on the machine.
    pub fn install_of(&self, kb: &Kb) -> Option<&InstallRecord> {
        self.installs
            .iter()
            .find(|record| record.installed.contains(kb))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_classed_by_its_title_and_classifications() {
        let rows = [
            (
                "2026-10 .NET 8.0.11 Security Update for x64",
                "Security Updates",
                "DotNet",
            ),
            (
                "2026-10 Cumulative Update for .NET Framework 3.5 and 4.8.1 for Microsoft server \
                 operating system version 24H2 for x64 (KB5087051)",
                "Security Updates",
                "DotNet",
            ),
            (
                "Security Update for SQL Server 2022 RTM GDR",
                "Security Updates",
                "Sql",
            ),
            ("Intel - net - 1.2.3", "Drivers", "Driver"),
            ("Surface Firmware Update", "Updates", "Driver"),
            (
                "Security Intelligence Update for Microsoft Defender",
                "Definition Updates",
                "Other",
            ),
            (
                "Windows Malicious Software Removal Tool x64",
                "Update Rollups",
                "Other",
            ),
            (
                "2026-10 Servicing Stack Update for Windows Server",
                "Security",
                "ServicingStack",
            ),
            (
                "2026-10 Cumulative Update for Microsoft server operating system version 24H2",
                "Security Updates",
                "OperatingSystem",
            ),
            (
                "2026-11 Hotpatch for Windows Server 2025",
                "Security Updates",
                "OperatingSystem",
            ),
            (
                "2026-10 Security Update for something new",
                "Security Updates",
                "Unknown",
            ),
            ("", "", "Unknown"),
        ];
        for (title, classification, expected) in rows {
            let class = OfferClass::of(title, &[classification.to_owned()]);
            assert_eq!(format!("{class:?}"), expected, "{title}");
        }
    }
}
