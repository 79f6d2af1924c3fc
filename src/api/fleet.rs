//! `HotpatchFleet`: which machines, under which policy, in which windows, and how far the
//! operator may go.

mod status;

use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use self::status::*;
use super::window::{Exclusion, MAX_EXCLUSIONS};
use super::{machine::MachineKind, schema, selector::TagSelector};

/// Most subscriptions of one fleet.
pub const MAX_SUBSCRIPTIONS: u32 = 200;
/// Most management groups of one fleet.
pub const MAX_MANAGEMENT_GROUPS: u32 = 20;
/// Most windows of one fleet.
pub const MAX_WINDOW_REFS: u32 = 16;
/// Most machines that one fleet excludes by name.
pub const MAX_EXCLUDED_MACHINES: u32 = 250;
/// Most approvals that one fleet holds.
pub const MAX_APPROVALS: u32 = 64;

/// The machines of the fleet, and what the operator may do with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "hotpatch.dev",
    version = "v1alpha1",
    kind = "HotpatchFleet",
    plural = "hotpatchfleets",
    shortname = "hpf",
    category = "hotpatch",
    namespaced,
    cel,
    status = "HotpatchFleetStatus",
    derive = "PartialEq",
    doc = "A set of Windows Server machines in Azure, Azure Arc or Azure Local that is hotpatched \
           under one policy.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the operator does its work for this fleet; says nothing of patches."
    ),
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.mode",
        description = "How far the operator may go."
    ),
    printcolumn(
        name = "Machines",
        type_ = "integer",
        json_path = ".status.counts.machines",
        description = "Machines that the fleet selects."
    ),
    printcolumn(
        name = "Current",
        type_ = "integer",
        json_path = ".status.counts.current",
        description = "Machines at the newest release of their track."
    ),
    printcolumn(
        name = "Due",
        type_ = "integer",
        json_path = ".status.counts.due",
        description = "Machines that lack the newest release of their track."
    ),
    printcolumn(
        name = "Blocked",
        type_ = "integer",
        json_path = ".status.counts.blocked",
        description = "Due machines that wait for somebody."
    ),
    printcolumn(
        name = "Next",
        type_ = "string",
        json_path = ".status.nextOpening.start",
        description = "Start of the next opening of a window of the fleet."
    ),
    printcolumn(
        name = "Action",
        type_ = "string",
        json_path = ".status.nextAction",
        description = "What the operator does next.",
        priority = 1
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since creation."
    )
)]
pub struct HotpatchFleetSpec {
    /// How far the operator may go. `Observe` (default): read, report and forecast; needs no right
    /// but to read. `Enrol`: may also change patch settings. `Enforce`: may also install updates
    /// and reboot, inside windows.
    #[serde(default)]
    pub mode: Mode,
    /// Stops everything new for this fleet while true; work under way is followed to its end.
    /// Default: false. For a stop outside of Git use a HotpatchRequest with verb `Pause`.
    #[serde(default)]
    pub suspend: bool,
    /// Name of the ServiceAccount of this namespace whose Azure identity the operator uses (the
    /// annotations of workload identity). The ServiceAccount must opt in by annotation; there is no
    /// fallback to the operator's own identity.
    #[schemars(schema_with = "schema::object_name")]
    pub service_account_name: String,
    /// Where in Azure to look for machines; needs at least one entry.
    pub scope: Scope,
    /// Which machines of the scope belong to the fleet.
    pub selector: MachineSelector,
    /// The BaselinePolicy of this namespace that says how reboots are rolled out.
    pub policy_ref: PolicyRef,
    /// The MaintenanceWindows of this namespace in which machines may be disturbed. Of several
    /// windows the union counts. Without any window nothing is ever rebooted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_WINDOW_REFS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub window_refs: Vec<WindowRef>,
    /// Days on which all windows of the fleet stay closed, such as a freeze at the end of the
    /// year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_EXCLUSIONS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub exclusions: Vec<Exclusion>,
    /// Who installs hotpatches, and when. Hotpatches need no reboot.
    #[serde(default)]
    pub hotpatch: HotpatchSettings,
    /// Approvals given through Git; the same can be asked for by a HotpatchRequest with verb
    /// `Approve`. Needed only where the policy says `approval: PerRelease` or `PerStage`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_APPROVALS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["release".into(), "stage".into()]))]
    pub approvals: Vec<Approval>,
    /// What becomes of Azure patch settings that the operator changed, when a machine leaves the
    /// fleet or the fleet is deleted: `Restore` (default) puts the earlier settings back, `Leave`
    /// keeps them.
    #[serde(default)]
    pub on_release: OnRelease,
    /// Which machines get a HotpatchMachine object: `All` (default), `Exceptions` (those not
    /// eligible, blocked or failed) or `None`. Very large installations degrade `All` to
    /// `Exceptions` and say so in a condition.
    #[serde(default)]
    pub machine_records: MachineRecords,
}

/// How far the operator may go with a fleet.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Mode {
    /// Reads, reports and forecasts.
    #[default]
    Observe,
    /// May also change patch settings.
    Enrol,
    /// May also install updates and reboot.
    Enforce,
}

/// Where in Azure the machines of a fleet are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "(has(self.subscriptions) && size(self.subscriptions) > 0) || \
     (has(self.managementGroups) && size(self.managementGroups) > 0)",
    "scope needs at least one entry in subscriptions or managementGroups",
))]
pub struct Scope {
    /// Ids of Azure subscriptions (GUIDs).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_SUBSCRIPTIONS), inner(length(max = 36)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = (
        "self.all(s, s.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'))",
        "subscriptions takes subscription ids (GUIDs), such as \
         00000000-0000-0000-0000-000000000001, not names",
    ))]
    pub subscriptions: Vec<String>,
    /// Names (ids, not display names) of Azure management groups; all subscriptions below them
    /// count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_MANAGEMENT_GROUPS), inner(length(min = 1, max = 90)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub management_groups: Vec<String>,
}

/// Which machines of the scope belong to the fleet; all parts must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineSelector {
    /// Kinds of machines: `AzureVM` (Azure virtual machines), `ArcServer` (servers connected by
    /// Azure Arc), `AzureLocalVM` (virtual machines on Azure Local). At least one, each once.
    #[schemars(length(max = 3))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[x_kube(validation = (
        "size(self) >= 1 && self.all(k, self.exists_one(l, l == k))",
        "kinds needs at least one of AzureVM, ArcServer and AzureLocalVM, each named once",
    ))]
    pub kinds: Vec<MachineKind>,
    /// Names of resource groups; compare without regard to case. Empty: no restriction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200), inner(length(min = 1, max = 90)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub resource_groups: Vec<String>,
    /// Names of Azure regions, such as `westeurope`. Empty: no restriction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub locations: Vec<String>,
    /// Azure tags that the machines must carry. Left out: no restriction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagSelector>,
    /// Machines that are left out although all other parts match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_EXCLUDED_MACHINES))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["resourceId".into()]))]
    pub exclude: Vec<ExcludedMachine>,
}

/// A machine that is left out of the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExcludedMachine {
    /// Azure resource id of the machine; compares without regard to case.
    #[schemars(schema_with = "schema::resource_id")]
    pub resource_id: String,
    /// Why the machine is left out; shown wherever the machine is counted as excluded.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
    /// Last day of the exclusion, `YYYY-MM-DD` in UTC, itself included. Left out: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date")]
    pub through: Option<String>,
}

/// Names the policy of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// Name of a BaselinePolicy of this namespace.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// Names a window of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowRef {
    /// Name of a MaintenanceWindow of this namespace.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Stages of the policy that may use this window. Empty: all stages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::stage_names")]
    pub stages: Vec<String>,
}

/// Who installs hotpatches, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HotpatchSettings {
    /// Who installs hotpatches: `Operator` (default) installs them by stages and budgets;
    /// `Platform` leaves it to Azure's automatic guest patching.
    #[serde(default)]
    pub installer: HotpatchInstaller,
    /// When the operator installs hotpatches: `AnyTime` (default), as they need no reboot, or
    /// `InWindow`.
    #[serde(default)]
    pub when: HotpatchWhen,
}

/// Who installs hotpatches.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum HotpatchInstaller {
    /// The operator, by stages and budgets.
    #[default]
    Operator,
    /// Azure's automatic guest patching.
    Platform,
}

/// When hotpatches are installed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum HotpatchWhen {
    /// At any time.
    #[default]
    AnyTime,
    /// Inside windows only.
    InWindow,
}

/// An approval given through Git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// What is approved: a month for all tracks, such as `2026-10`, or one release id, such as
    /// `ws2025-2026-10-13`.
    #[schemars(schema_with = "schema::release")]
    pub release: String,
    /// Stage of the policy for which the approval holds. Empty (default): all stages.
    #[serde(default)]
    #[schemars(schema_with = "approved_stage")]
    pub stage: String,
}

/// What becomes of changed settings when a machine or the fleet goes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum OnRelease {
    /// The earlier settings are put back.
    #[default]
    Restore,
    /// The settings stay as the operator left them.
    Leave,
}

/// Which machines get an object of their own.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum MachineRecords {
    /// Every machine of the fleet.
    #[default]
    All,
    /// Machines that are not eligible, blocked or failed.
    Exceptions,
    /// No machine.
    None,
}

/// A stage name or, as the key of a list map needs a default, nothing.
fn approved_stage(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 63,
        "x-kubernetes-validations": [{
            "rule": "self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "message": "stage must be the name of a stage of the policy, such as 'broad', or be \
                        left out for all stages",
        }],
    })
}
