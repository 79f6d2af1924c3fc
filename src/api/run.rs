//! `HotpatchRun`: one batch. At once the announcement, the claim and the write-ahead log: nothing
//! is commanded on a machine that no run names.

mod lenient;
mod status;

use chrono::{DateTime, NaiveDate, Utc};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::status::*;
use super::machine::{MAX_MACHINE_GROUPS, MachineKind};
use super::policy::{FailureScope, Spread};
use super::schema;

/// Most KBs that a run may install.
pub const MAX_ALLOWED_KBS: u32 = 64;
/// Most limits that a run freezes: its stage, and for each of 250 machines 16 groups, a set and a
/// cluster.
pub const MAX_LIMITS: u32 = 1 + schema::MAX_RUN_MACHINES * (MAX_MACHINE_GROUPS + 2);

/// What the run does, to which machines, within which limits. Self-contained, written by the
/// operator, and never changed: an edit of fleet, policy or window cannot widen or shift it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "hotpatch.dev",
    version = "v1alpha1",
    kind = "HotpatchRun",
    plural = "hotpatchruns",
    shortname = "hpr",
    category = "hotpatch",
    namespaced,
    cel,
    status = "HotpatchRunStatus",
    derive = "PartialEq",
    selectable = ".spec.fleetName",
    doc = "One batch of machines that the operator brings to one release, in one stage and one \
           window. Written by the operator; deleting it aborts it.",
    printcolumn(
        name = "Action",
        type_ = "string",
        json_path = ".spec.action",
        description = "What the run does."
    ),
    printcolumn(
        name = "Release",
        type_ = "string",
        json_path = ".spec.release",
        description = "Release that the run brings."
    ),
    printcolumn(
        name = "Stage",
        type_ = "string",
        json_path = ".spec.stage",
        description = "Stage of the policy."
    ),
    printcolumn(
        name = "Machines",
        type_ = "integer",
        json_path = ".status.counts.machines",
        description = "Machines of the run."
    ),
    printcolumn(
        name = "Done",
        type_ = "integer",
        json_path = ".status.counts.succeeded",
        description = "Machines that succeeded."
    ),
    printcolumn(
        name = "Failed",
        type_ = "integer",
        json_path = ".status.counts.failed",
        description = "Machines that failed."
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Complete\")].reason",
        description = "How far the run has come: the reason of condition Complete."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since creation."
    )
)]
#[x_kube(validation = (
    "self == oldSelf",
    "the spec of a run cannot be changed: delete the run to abort it",
))]
pub struct HotpatchRunSpec {
    /// Name of the HotpatchFleet of this namespace that the run works for.
    #[schemars(schema_with = "schema::object_name")]
    pub fleet_name: String,
    /// Uid of that fleet; a fleet of the same name created later is another one.
    #[schemars(length(max = 64))]
    pub fleet_uid: String,
    /// ServiceAccount of this namespace whose Azure identity acts.
    #[schemars(schema_with = "schema::object_name")]
    pub service_account_name: String,
    /// Id of the release that the run brings, such as `ws2025-2026-10-13`.
    #[schemars(length(max = 64))]
    pub release: String,
    /// Name of the track of that release, such as `ws2025`.
    #[schemars(length(max = 32))]
    pub track: String,
    /// KBs that the run may install, such as `KB5066835`: the release, its servicing stack and what
    /// the policy adds. Anything else is never asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = MAX_ALLOWED_KBS),
        inner(length(max = 16)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub allowed_kbs: Vec<String>,
    /// Newest publication date of an update that may be installed: the second lock beside the KBs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_patch_publish_date: Option<NaiveDate>,
    /// What the run does: `Hotpatch` installs without any reboot, `Baseline` installs and reboots
    /// where owed, `Restart` only reboots where owed, `Rollback` uninstalls.
    pub action: RunAction,
    /// Why the run exists: `Planned`, `Unplanned`, `LateBaseline`, `OffTrack`, `RebootOwed`,
    /// `OutOfBand` or a later word.
    #[schemars(length(max = 64))]
    pub cause: String,
    /// Stage of the policy that the machines belong to.
    #[schemars(schema_with = "schema::label")]
    pub stage: String,
    /// Number of the run among those of the same fleet, release and stage, from 1.
    pub ordinal: u32,
    /// The opening in which the run may act. A run that needs no window has one of the name
    /// `any-time` that says how long it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<RunWindow>,
    /// Limits as they stood when the run was planned; what the present policy allows less counts
    /// too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = MAX_LIMITS),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["scope", "key"])
    )]
    pub limits: Vec<RunLimit>,
    /// Failure domains that the run never disturbs side by side, as the policy had them when the
    /// run was planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6), extend("x-kubernetes-list-type" = "set"))]
    pub spread: Vec<Spread>,
    /// When a machine counts as healthy again.
    pub health: RunHealth,
    /// What is done about failures.
    pub failures: RunFailures,
    /// Conditions that other controllers must set to True on this run before a machine is touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["conditionType"])
    )]
    pub run_gates: Vec<RunGateSpec>,
    /// How long the work is thought to take.
    pub estimates: RunEstimates,
    /// The machines of the run, 1 to 250; nothing is commanded on any other.
    #[schemars(
        length(min = 1, max = schema::MAX_RUN_MACHINES),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"])
    )]
    pub machines: Vec<RunMachine>,
    /// SHA-256 over all other fields, 64 lower case hexadecimal digits. A run whose digest does not
    /// fit is held.
    #[schemars(length(max = 64), regex(pattern = "^[0-9a-f]{64}$"))]
    pub digest: String,
}

/// What a run does.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum RunAction {
    /// Installs without any reboot.
    Hotpatch,
    /// Installs, and reboots where owed.
    Baseline,
    /// Reboots where owed.
    Restart,
    /// Uninstalls.
    Rollback,
}

/// The opening in which a run may act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunWindow {
    /// Name of the MaintenanceWindow; of joined openings the first.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// When the opening begins.
    pub start: DateTime<Utc>,
    /// When the opening ends.
    pub end: DateTime<Utc>,
}

/// One limit as it stood when the run was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunLimit {
    /// What is limited: `stage`, `group`, `availabilitySet`, `cluster` or a later word.
    #[schemars(length(min = 1, max = 32))]
    pub scope: String,
    /// Which one: name of the stage, `tag=value` of the group (`=` and `%` in the tag written `%3D`
    /// and `%25`), resource id of the set or cluster.
    #[schemars(length(max = 800))]
    pub key: String,
    /// Most machines of it that may be unavailable at the same time; percentages are resolved.
    pub max_unavailable: u32,
}

/// When a machine of a run counts as healthy again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunHealth {
    /// Seconds that a machine must be healthy after work on it.
    pub settle_seconds: u32,
    /// Seconds without a sign of health after which a machine is unknown.
    pub unknown_after_seconds: u32,
}

/// What a run does about failures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunFailures {
    /// How often a failed machine is tried again, each time in a later window.
    pub retries: u32,
    /// Most failed machines until nothing more is sent. Absent in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Over what they are counted: `Stage` or `Release`. Absent in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<FailureScope>,
}

/// A condition that another controller sets on the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunGateSpec {
    /// Type of the condition that must be True.
    #[schemars(schema_with = "schema::condition_type")]
    pub condition_type: String,
    /// Seconds before the window at which the run is announced.
    pub announce_before_seconds: u32,
}

/// How long the work of a run is thought to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunEstimates {
    /// Seconds for one machine, with its reboot.
    pub baseline_seconds: u32,
    /// Seconds that are kept free at the end of the window.
    pub reserve_seconds: u32,
}

/// One machine of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunMachine {
    /// Azure resource id of the machine.
    #[schemars(length(min = 1, max = schema::MAX_RESOURCE_ID))]
    pub id: String,
    /// Name of the machine in Azure, for people.
    #[schemars(length(max = 128))]
    pub name: String,
    /// Kind of the machine: `AzureVM`, `ArcServer` or `AzureLocalVM`.
    pub kind: MachineKind,
    /// What tells this machine from a later one with the same resource id.
    pub incarnation: Incarnation,
    /// Azure region.
    #[schemars(length(max = 64))]
    pub region: String,
    /// Physical availability zone, such as `westeurope-az2`; `unknown` where the machine stands in
    /// one that is not known. Absent: in no zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub zone: Option<String>,
    /// Resource id of the availability set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::MAX_RESOURCE_ID))]
    pub availability_set: Option<String>,
    /// Update domain in the availability set, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_domain: Option<u32>,
    /// Resource id of the flexible scale set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::MAX_RESOURCE_ID))]
    pub scale_set: Option<String>,
    /// Fault domain in the flexible scale set, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault_domain: Option<u32>,
    /// Site of an Arc server, from its tag `site`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub site: Option<String>,
    /// Resource id of the Azure Local cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::MAX_RESOURCE_ID))]
    pub cluster: Option<String>,
    /// Budget groups of the machine, each as `tag=value`, written like the key of a limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = MAX_MACHINE_GROUPS),
        inner(length(max = 800)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub groups: Vec<String>,
}

/// What tells a machine from a later one with the same resource id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Incarnation {
    /// `properties.vmId` of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub vm_id: Option<String>,
    /// Resource id of the OS disk of an Azure VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::MAX_RESOURCE_ID))]
    pub os_disk_id: Option<String>,
    /// `properties.vmUuid` of an Arc machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub vm_uuid: Option<String>,
}
