//! `HotpatchMachine`: one machine as people see it. A projection: nothing is decided from it.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Most reasons that one machine lists.
pub const MAX_REASONS: u32 = 32;
/// Most budget groups of one machine.
pub const MAX_MACHINE_GROUPS: u32 = 16;

/// A kind of machine in Azure.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum MachineKind {
    /// An Azure virtual machine (`Microsoft.Compute/virtualMachines`).
    #[serde(rename = "AzureVM")]
    AzureVm,
    /// A server connected by Azure Arc (`Microsoft.HybridCompute/machines`).
    ArcServer,
    /// A virtual machine on Azure Local (an Arc machine with an
    /// `Microsoft.AzureStackHCI/virtualMachineInstances` extension resource).
    #[serde(rename = "AzureLocalVM")]
    AzureLocalVm,
}

/// Which machine the object speaks of. Written by the operator only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "hotpatch.dev",
    version = "v1alpha1",
    kind = "HotpatchMachine",
    plural = "hotpatchmachines",
    shortname = "hpm",
    category = "hotpatch",
    namespaced,
    status = "HotpatchMachineStatus",
    derive = "PartialEq",
    selectable = ".spec.fleet",
    doc = "One machine of a fleet, as the operator sees it: written by the operator for people to \
           read, and never read back.",
    printcolumn(
        name = "Eligible",
        type_ = "boolean",
        json_path = ".status.eligible",
        description = "Whether the machine can be hotpatched."
    ),
    printcolumn(
        name = "Track",
        type_ = "string",
        json_path = ".status.track",
        description = "Where the machine stands on its hotpatch track."
    ),
    printcolumn(
        name = "Due",
        type_ = "string",
        json_path = ".status.due",
        description = "Release that the machine lacks."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.reasons[0]",
        description = "First reason why the machine is not eligible or is held back."
    ),
    printcolumn(
        name = "Run",
        type_ = "string",
        json_path = ".status.lastRun.name",
        description = "Last run that named the machine."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since creation."
    )
)]
pub struct HotpatchMachineSpec {
    /// Azure resource id of the machine.
    #[schemars(schema_with = "schema::resource_id")]
    pub resource_id: String,
    /// Kind of the machine: `AzureVM`, `ArcServer` or `AzureLocalVM`.
    pub kind: MachineKind,
    /// Name of the HotpatchFleet of this namespace that selects the machine.
    #[schemars(schema_with = "schema::object_name")]
    pub fleet: String,
}

/// What the operator found out about the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HotpatchMachineStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether the machine can be hotpatched; absent while not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligible: Option<bool>,
    /// Every reason why the machine is not eligible or is held back, the weightiest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = MAX_REASONS),
        inner(length(max = 64)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub reasons: Vec<String>,
    /// Where the machine stands on its hotpatch track: `OnTrack`, `BaselineDue`, `RebootOwed`,
    /// `OffTrack`, `NotEnrolled`, `Ineligible`, `Regressed` or `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub track: Option<String>,
    /// Id of the release that the machine has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub release: Option<String>,
    /// Id of the release that the machine lacks; absent when it is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub due: Option<String>,
    /// When the machine becomes overdue; absent when nothing is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<Utc>>,
    /// Stage of the policy that the machine belongs to; absent when none matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub stage: Option<String>,
    /// Patch settings as last read from Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<PatchSettings>,
    /// Failure domains and budget groups of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<AvailabilityDomains>,
    /// The last run that named the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// Health as last seen: `Healthy`, `Unhealthy`, `Dormant` or `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub health: Option<String>,
    /// What stands in the way or happens next, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::MAX_MESSAGE))]
    pub message: Option<String>,
    /// `Eligible`, `Enrolled`, `Current`, `Healthy` and `SoleAuthority`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// Patch settings of a machine, as Azure words them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PatchSettings {
    /// Patch mode, such as `AutomaticByPlatform`, `AutomaticByOS` or `Manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub patch_mode: Option<String>,
    /// Assessment mode, such as `AutomaticByPlatform` or `ImageDefault`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub assessment_mode: Option<String>,
    /// Whether hotpatching is turned on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hotpatching_enabled: Option<bool>,
    /// Reboot setting of the platform's own patching, such as `Never` or `IfRequired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reboot_setting: Option<String>,
    /// Whether user schedules bypass the platform's safety checks; excludes hotpatching.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bypass_platform_safety_checks: Option<bool>,
}

/// Failure domains and budget groups of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AvailabilityDomains {
    /// Azure region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub region: Option<String>,
    /// Physical availability zone, as far as the zone mapping of the subscription is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub zone: Option<String>,
    /// Resource id of the availability set or flexible scale set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::MAX_RESOURCE_ID))]
    pub availability_set: Option<String>,
    /// Update domain in the availability set, or fault domain in a flexible scale set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_domain: Option<u32>,
    /// Site of an Arc server, from its tag `site`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub site: Option<String>,
    /// Resource id of the Azure Local cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::MAX_RESOURCE_ID))]
    pub cluster: Option<String>,
    /// Budget groups of the machine, each as `tag=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = MAX_MACHINE_GROUPS),
        inner(length(max = 800)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub groups: Vec<String>,
}

/// The last run that named a machine, and how it ended there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// Name of the HotpatchRun.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Step of the machine in that run, such as `Succeeded`.
    #[schemars(length(max = 64))]
    pub step: String,
    /// Why the machine is in this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
    /// When the run ended on the machine; absent while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
}
