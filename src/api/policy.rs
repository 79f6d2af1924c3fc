//! `BaselinePolicy`: how reboots are rolled out.

mod rollout;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::rollout::*;
use super::{schema, selector::TagSelector};

/// Stages, budgets, gates and deadlines of a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "hotpatch.dev",
    version = "v1alpha1",
    kind = "BaselinePolicy",
    plural = "baselinepolicies",
    shortname = "hpp",
    category = "hotpatch",
    namespaced,
    cel,
    status = "BaselinePolicyStatus",
    derive = "PartialEq",
    doc = "How updates that reboot are rolled out over a fleet: in which stages, how many machines \
           at once, behind which gates, and until when.",
    printcolumn(
        name = "Stages",
        type_ = "string",
        json_path = ".spec.stages[*].name",
        description = "Stages, in order."
    ),
    printcolumn(
        name = "Deadline",
        type_ = "integer",
        json_path = ".spec.deadlineDays",
        description = "Days after a release until machines are overdue."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the operator accepts the policy."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since creation."
    )
)]
pub struct BaselinePolicySpec {
    /// Days after a release until a machine that lacks it is overdue, 1 to 90; default 21. Overdue
    /// machines go first and are reported louder; a deadline never breaks a window or a budget.
    #[serde(default = "defaults::deadline_days")]
    #[x_kube(validation = (
        "self >= 1 && self <= 90",
        "deadlineDays must be from 1 to 90 days after the release",
    ))]
    pub deadline_days: u32,
    /// What is done for a machine that missed a baseline before the next release came out, as the
    /// old baseline may no longer be offered: `LatestCumulative` (default) installs the newest
    /// cumulative update, `Hold` waits for a person.
    #[serde(default)]
    pub late_baseline: LateBaseline,
    /// Stages of the rollout, in order. A machine belongs to the first stage that matches it; a
    /// machine that no stage matches is blocked (`NoStage`).
    #[schemars(length(max = schema::MAX_STAGES))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[x_kube(validation = (
        "size(self) >= 1",
        "stages needs at least one stage, such as {name: all, maxUnavailable: 1}",
    ))]
    #[x_kube(validation = (
        "self.all(s, self.exists_one(t, t.name == s.name))",
        "each stage needs a name of its own: rename one of those that are the same",
    ))]
    pub stages: Vec<Stage>,
    /// Which machines must not be down together.
    #[serde(default)]
    pub availability: Availability,
    /// When a machine counts as healthy again after work on it.
    #[serde(default)]
    pub health: Health,
    /// Conditions that other controllers must set to True on a run before its machines are
    /// touched, like readiness gates of a Pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_RUN_GATES))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["conditionType".into()]))]
    pub run_gates: Vec<RunGate>,
    /// How many failures a rollout survives.
    #[serde(default)]
    pub failures: Failures,
    /// Whether a person must approve: `Never` (default), `PerRelease` or `PerStage`.
    #[serde(default)]
    pub approval: ApprovalNeed,
    /// What is done about baselines that Microsoft releases outside of the quarterly calendar.
    #[serde(default)]
    pub unplanned_baselines: UnplannedBaselines,
    /// What is done for a machine off its hotpatch track: `NextWindow` (default) installs rebooting
    /// updates each month, `UntilBaseline` leaves it until the next baseline brings it back.
    #[serde(default)]
    pub off_track: OffTrackAction,
    /// What is done about updates other than the release itself.
    #[serde(default)]
    pub other_updates: OtherUpdates,
    /// How soon which share of the fleet should have a release; only reported and forecast.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_OBJECTIVES))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["percent".into()]))]
    pub objectives: Vec<Objective>,
    /// How long work takes, until enough of it was observed.
    #[serde(default)]
    pub estimates: Estimates,
}

/// One stage of a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Name of the stage, a DNS label; unique in the policy.
    #[schemars(schema_with = "schema::label")]
    pub name: String,
    /// Tags of the machines of this stage. Left out: every machine that no earlier stage took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<TagSelector>,
    /// Most machines of the stage that may be unavailable at the same time: a count (0 = none) or a
    /// percentage such as `20%`. Percentages round down, but never to 0.
    #[schemars(schema_with = "schema::count_or_percent")]
    pub max_unavailable: IntOrString,
    /// How long the last machine of this stage must have been healthy before the next stage
    /// starts, such as `24h`. Default: `0s`.
    #[serde(default = "defaults::zero")]
    #[schemars(schema_with = "schema::duration")]
    pub soak: String,
    /// How many machines must have succeeded for the stage to prove the release, 1 or more;
    /// default 1. A stage with fewer machines halts the rollout, unless it is optional.
    #[serde(default = "defaults::one")]
    #[x_kube(validation = (
        "self >= 1",
        "minSucceeded must be at least 1: a stage without a success proves nothing; set \
         optional: true to pass an empty stage",
    ))]
    pub min_succeeded: u32,
    /// Whether the rollout goes on when this stage is empty or cannot reach `minSucceeded`.
    /// Default: false.
    #[serde(default)]
    pub optional: bool,
}

/// What is done for a machine that missed a baseline.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum LateBaseline {
    /// Waits for a person.
    Hold,
    /// Installs the newest cumulative update.
    #[default]
    LatestCumulative,
}

/// Whether a person must approve.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum ApprovalNeed {
    /// No approval is needed.
    #[default]
    Never,
    /// One approval for each release.
    PerRelease,
    /// One approval for each stage of each release.
    PerStage,
}

/// What is done for a machine off its hotpatch track.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum OffTrackAction {
    /// Installs rebooting updates in the next window.
    #[default]
    NextWindow,
    /// Leaves the machine until the next baseline.
    UntilBaseline,
}

/// What the operator found out about the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaselinePolicyStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Number of fleets of this namespace that use the policy.
    #[serde(default)]
    pub fleets: u32,
    /// `Ready`, `Reconciling`, `Stalled` and `Accepted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}
