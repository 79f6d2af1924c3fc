//! Compute virtual machines (api-version 2024-11-01; azure.md §1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::ApiError;

/// A virtual machine (`GET …/virtualMachines/{name}?$expand=instanceView`).
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Vm {
    /// Resource id.
    pub id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Region.
    pub location: Option<String>,
    /// Zone numbers of this subscription.
    pub zones: Option<Vec<String>>,
    /// Tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// Entity tag.
    pub etag: Option<String>,
    /// The rest.
    pub properties: Option<VmProperties>,
}

/// One page of a subscription's virtual machines.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VmList {
    /// The machines; with `statusOnly=true` each with its instance view.
    pub value: Vec<Vm>,
    /// Where the next page is.
    pub next_link: Option<String>,
}

/// `properties` of a virtual machine.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VmProperties {
    /// The id that changes when a VM is made anew.
    pub vm_id: Option<String>,
    /// What ARM does with it.
    pub provisioning_state: Option<String>,
    /// Image and disks.
    pub storage_profile: Option<StorageProfile>,
    /// Operating system.
    pub os_profile: Option<OsProfile>,
    /// Present with `$expand=instanceView`.
    pub instance_view: Option<InstanceView>,
}

/// `storageProfile`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StorageProfile {
    /// What the OS disk was made from.
    pub image_reference: Option<ImageReference>,
    /// The OS disk.
    pub os_disk: Option<OsDisk>,
}

/// `imageReference`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ImageReference {
    /// Publisher.
    pub publisher: Option<String>,
    /// Offer.
    pub offer: Option<String>,
    /// SKU.
    pub sku: Option<String>,
    /// Of a custom or gallery image.
    pub id: Option<String>,
    /// Of a community gallery.
    pub community_gallery_image_id: Option<String>,
    /// Of a shared gallery.
    pub shared_gallery_image_id: Option<String>,
}

/// `osDisk`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OsDisk {
    /// Windows or Linux.
    pub os_type: Option<String>,
    /// The disk.
    pub managed_disk: Option<Reference>,
}

/// A reference to another resource.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Reference {
    /// Its id.
    pub id: Option<String>,
}

/// `osProfile`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OsProfile {
    /// Whether extensions may act; absent means true.
    pub allow_extension_operations: Option<bool>,
    /// Windows settings.
    pub windows_configuration: Option<WindowsConfiguration>,
}

/// `windowsConfiguration`, of VMs and Arc machines.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WindowsConfiguration {
    /// Absent means true.
    #[serde(rename = "provisionVMAgent")]
    pub provision_vm_agent: Option<bool>,
    /// Absent means true.
    pub enable_automatic_updates: Option<bool>,
    /// Patching.
    pub patch_settings: Option<PatchSettings>,
}

/// `patchSettings`, of VMs and Arc machines.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PatchSettings {
    /// Manual, AutomaticByOS, AutomaticByPlatform, ImageDefault.
    pub patch_mode: Option<String>,
    /// ImageDefault, AutomaticByPlatform.
    pub assessment_mode: Option<String>,
    /// Hotpatch.
    pub enable_hotpatching: Option<bool>,
    /// Only VMs.
    pub automatic_by_platform_settings: Option<ByPlatform>,
    /// Only Arc machines.
    pub status: Option<super::arc::PatchSettingsStatus>,
}

/// `automaticByPlatformSettings`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ByPlatform {
    /// Unknown, IfRequired, Never, Always.
    pub reboot_setting: Option<String>,
    /// Lets Update Manager schedules act.
    pub bypass_platform_safety_checks_on_user_schedule: Option<bool>,
}

/// `instanceView`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InstanceView {
    /// Update domain in its availability set.
    pub platform_update_domain: Option<u32>,
    /// Fault domain.
    pub platform_fault_domain: Option<u32>,
    /// `Windows Server 2016 Datacenter`.
    pub os_name: Option<String>,
    /// `Microsoft Windows NT 10.0.14393.0`.
    pub os_version: Option<String>,
    /// V1 or V2.
    #[serde(rename = "hyperVGeneration")]
    pub hyper_v_generation: Option<String>,
    /// Only in Resource Graph (`properties.extended.instanceView`).
    pub power_state: Option<Status>,
    /// The agent.
    pub vm_agent: Option<VmAgent>,
    /// Application Health extension.
    pub vm_health: Option<VmHealth>,
    /// Patching.
    pub patch_status: Option<PatchStatus>,
    /// Provisioning and power.
    pub statuses: Option<Vec<Status>>,
}

/// One status.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    /// `PowerState/running`.
    pub code: Option<String>,
    /// `VM running`.
    pub display_status: Option<String>,
}

/// `vmAgent`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct VmAgent {
    /// Its statuses.
    pub statuses: Option<Vec<Status>>,
}

/// `vmHealth`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct VmHealth {
    /// `HealthState/healthy`.
    pub status: Option<Status>,
}

/// `patchStatus`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PatchStatus {
    /// The last assessment.
    pub available_patch_summary: Option<PatchSummary>,
    /// The last install.
    pub last_patch_installation_summary: Option<PatchSummary>,
}

/// A summary of the last assessment or the last install.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PatchSummary {
    /// Unknown, InProgress, Failed, Succeeded, CompletedWithWarnings.
    pub status: Option<String>,
    /// Of an assessment.
    pub assessment_activity_id: Option<String>,
    /// Of an install.
    pub installation_activity_id: Option<String>,
    /// Of an assessment.
    pub reboot_pending: Option<bool>,
    /// When it began.
    pub start_time: Option<String>,
    /// When it last changed.
    pub last_modified_time: Option<String>,
}

/// The result of an install or an assessment, of VMs and Arc machines: the body at the end of
/// the operation.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PatchResult {
    /// How it ended.
    pub status: Option<String>,
    /// Of an install.
    pub installation_activity_id: Option<String>,
    /// Of an assessment.
    pub assessment_activity_id: Option<String>,
    /// Unknown, NotNeeded, Required, Started, Failed, Completed.
    pub reboot_status: Option<String>,
    /// Of an assessment.
    pub reboot_pending: Option<bool>,
    /// Whether the time was not enough.
    pub maintenance_window_exceeded: Option<bool>,
    /// How many were installed.
    pub installed_patch_count: Option<u32>,
    /// How many were not.
    pub failed_patch_count: Option<u32>,
    /// Only of VMs.
    pub patches: Option<Vec<InstalledPatch>>,
    /// Only of VMs, of an assessment.
    pub available_patches: Option<Vec<AvailablePatch>>,
    /// Of VMs.
    pub error: Option<ApiError>,
    /// Of Arc machines.
    pub error_details: Option<ApiError>,
}

/// A patch in the result of an install.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InstalledPatch {
    /// Digits, without `KB`.
    pub kb_id: Option<String>,
    /// Unknown, Installed, Failed, Excluded, NotSelected, Pending.
    pub installation_state: Option<String>,
}

/// A patch in the result of an assessment.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AvailablePatch {
    /// Digits, without `KB`.
    pub kb_id: Option<String>,
    /// Unknown, NeverReboots, AlwaysRequiresReboot, CanRequestReboot.
    pub reboot_behavior: Option<String>,
    /// Display words, such as `Definition Updates`.
    pub classifications: Option<Vec<String>>,
}
