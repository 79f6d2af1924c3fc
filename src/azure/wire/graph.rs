//! Resource Graph answers (api-version 2021-03-01; azure.md §4) and the rows of the operator's
//! own queries: their fields are the columns that `graph` projects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::arc::ProductProfile;
use super::vm::{ImageReference, InstanceView, WindowsConfiguration};

/// One page of an answer; `T` is its data.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Answer<T> {
    /// Rows of all pages.
    pub total_records: Option<u64>,
    /// Rows of this page.
    pub count: Option<u64>,
    /// `"true"` or `"false"`, as text.
    pub result_truncated: Option<Value>,
    /// Where the next page begins.
    #[serde(rename = "$skipToken")]
    pub skip_token: Option<String>,
    /// The rows.
    pub data: T,
}

impl<T> Answer<T> {
    /// Tells whether Azure cut the answer short.
    pub fn is_truncated(&self) -> bool {
        match &self.result_truncated {
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            Some(Value::Bool(truncated)) => *truncated,
            _ => false,
        }
    }
}

/// A row of the query for machines and what belongs to them.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Resource {
    /// Resource id.
    pub id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Resource type; tells the kinds of row apart.
    pub r#type: Option<String>,
    /// `HCI` for an Azure Local VM.
    pub kind: Option<String>,
    /// Region.
    pub location: Option<String>,
    /// Zone numbers.
    pub zones: Option<Vec<String>>,
    /// Tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// `properties.vmId`.
    pub vm_id: Option<String>,
    /// `properties.vmUuid`.
    pub vm_uuid: Option<String>,
    /// `properties.provisioningState`.
    pub provisioning: Option<String>,
    /// `properties.storageProfile.osDisk.managedDisk.id`.
    pub disk: Option<String>,
    /// `properties.storageProfile.osDisk.osType`.
    pub disk_os: Option<String>,
    /// `properties.storageProfile.imageReference`.
    pub image: Option<ImageReference>,
    /// `properties.osProfile.windowsConfiguration`.
    pub windows: Option<WindowsConfiguration>,
    /// `properties.osProfile.allowExtensionOperations`.
    pub extensions: Option<bool>,
    /// `properties.availabilitySet.id`.
    pub availability_set: Option<String>,
    /// `properties.virtualMachineScaleSet.id`.
    pub scale_set: Option<String>,
    /// `properties.platformFaultDomain`.
    pub fault_domain: Option<u32>,
    /// `properties.extended.instanceView`.
    pub view: Option<InstanceView>,
    /// `properties.status`.
    pub status: Option<String>,
    /// `properties.lastStatusChange`.
    pub changed: Option<String>,
    /// `properties.agentVersion`.
    pub agent: Option<String>,
    /// `properties.osType`.
    pub os_type: Option<String>,
    /// `properties.osVersion`.
    pub os_version: Option<String>,
    /// `properties.osSku`.
    pub os_sku: Option<String>,
    /// `properties.osEdition`.
    pub os_edition: Option<String>,
    /// `properties.parentClusterResourceId`.
    pub cluster: Option<String>,
    /// `properties.licenseProfile.productProfile`.
    pub licence: Option<ProductProfile>,
    /// `properties.productProfile`, of a licence profile.
    pub product: Option<ProductProfile>,
    /// `properties.orchestrationMode`, of a scale set.
    pub mode: Option<String>,
    /// The last assessment and what it offers, each an [`AssessedPart`], where they are joined.
    pub assessed: Option<Vec<Value>>,
    /// The installs and what they did, each an [`InstalledPart`], where they are joined.
    pub installed: Option<Vec<Value>>,
    /// The words of Resource Health, where they are joined.
    pub states: Option<Vec<Option<String>>>,
}

/// An assessment or an update that it offers, in the list of its machine.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AssessedPart {
    /// What follows `…/patchAssessmentResults/` in its id.
    pub part: Option<String>,
    /// Of an assessment; see [`AssessmentRow`].
    pub status: Option<String>,
    /// Of an assessment.
    pub reboot_pending: Option<bool>,
    /// Of an assessment.
    pub started: Option<String>,
    /// Of an assessment.
    pub modified: Option<String>,
    /// Of an assessment.
    pub service: Option<String>,
    /// Of an update; see [`OfferRow`].
    pub kb: Option<String>,
    /// Of an update.
    pub title: Option<String>,
    /// Of an update.
    pub reboot: Option<String>,
    /// Of an update.
    pub classifications: Option<Vec<String>>,
    /// Of an update.
    pub published: Option<String>,
}

/// An install or an update that it installed or could not, in the list of its machine.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InstalledPart {
    /// What follows `…/patchInstallationResults/` in its id.
    pub part: Option<String>,
    /// Of an install; see [`InstallRow`].
    pub activity: Option<String>,
    /// Of an install.
    pub status: Option<String>,
    /// Of an install.
    pub reboot: Option<String>,
    /// Of an install.
    pub exceeded: Option<bool>,
    /// Of an install.
    pub started: Option<String>,
    /// Of an install.
    pub modified: Option<String>,
    /// Of an update; see [`PatchRow`].
    pub kb: Option<String>,
    /// Of an update.
    pub state: Option<String>,
}

/// A row of the query for machines with installs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct InstalledRow {
    /// Resource id of the machine.
    pub id: Option<String>,
    /// As [`Resource::installed`].
    pub installed: Option<Vec<Value>>,
}

/// A row of the query for Azure Local: an instance, or the update state of a cluster.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LocalRow {
    /// `<machine>/providers/Microsoft.AzureStackHCI/virtualMachineInstances/default`, or
    /// `<cluster>/updateSummaries/default`.
    pub id: Option<String>,
    /// Resource type; tells the kinds of row apart.
    pub r#type: Option<String>,
    /// `properties.state`, of a cluster: `AppliedSuccessfully`, `UpdateInProgress` and the like.
    pub state: Option<String>,
    /// `properties.status.powerState`.
    pub power: Option<String>,
    /// `properties.provisioningState`.
    pub provisioning: Option<String>,
}

/// A row of the query for assessments.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AssessmentRow {
    /// `<machine>/patchAssessmentResults/latest`.
    pub id: Option<String>,
    /// How it ended.
    pub status: Option<String>,
    /// Whether the guest waits for a reboot.
    pub reboot_pending: Option<bool>,
    /// When it began.
    pub started: Option<String>,
    /// When it last changed.
    pub modified: Option<String>,
    /// `patchServiceUsed`.
    pub service: Option<String>,
}

/// A row of the query for what assessments offer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OfferRow {
    /// `<machine>/patchAssessmentResults/latest/softwarePatches/<guid>`.
    pub id: Option<String>,
    /// Digits.
    pub kb: Option<String>,
    /// `patchName`: its title.
    pub title: Option<String>,
    /// `rebootBehavior`.
    pub reboot: Option<String>,
    /// Names or display words.
    pub classifications: Option<Vec<String>>,
    /// When it was published.
    pub published: Option<String>,
}

/// A row of the query for installs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InstallRow {
    /// `<machine>/patchInstallationResults/<guid>`.
    pub id: Option<String>,
    /// `installationActivityId`.
    pub activity: Option<String>,
    /// How it stands.
    pub status: Option<String>,
    /// What became of the reboot.
    pub reboot: Option<String>,
    /// Whether the time was not enough.
    pub exceeded: Option<bool>,
    /// When it began.
    pub started: Option<String>,
    /// When it last changed.
    pub modified: Option<String>,
}

/// A row of the query for what installs did.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PatchRow {
    /// `<machine>/patchInstallationResults/<guid>/softwarePatches/<guid>`.
    pub id: Option<String>,
    /// Digits.
    pub kb: Option<String>,
    /// Installed or Failed; others are not asked for.
    pub state: Option<String>,
}

/// A row of the query for health.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HealthRow {
    /// Resource id of the status.
    pub id: Option<String>,
    /// The resource it is about.
    pub target: Option<String>,
    /// Available, Unavailable, Degraded, Unknown.
    pub state: Option<String>,
}
