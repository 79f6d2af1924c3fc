//! What the operator reports about a fleet.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{schema, window::Opening};

/// Most coming runs that the status of a fleet lists.
pub const MAX_UPCOMING: u32 = 10;
/// Most quarters that the reporting state covers.
pub const MAX_QUARTERS: u32 = 8;
/// Most reasons that the count of ineligible machines tells apart.
pub const MAX_INELIGIBLE_REASONS: u32 = 40;
/// Most tracks that a fleet reports.
pub const MAX_TRACKS: u32 = 16;

/// What the operator found out about the fleet, and what it does next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HotpatchFleetStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling` and `Stalled` speak of the operator doing its work; all others of
    /// machines, patches and windows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Machines by what is known of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<FleetCounts>,
    /// Machines that cannot be hotpatched, counted by reason. A machine with several reasons counts
    /// under each; rare reasons are counted together under `Other`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = MAX_INELIGIBLE_REASONS))]
    pub ineligible_reasons: BTreeMap<String, u32>,
    /// The newest release of each track that machines of the fleet follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = MAX_TRACKS),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["track"])
    )]
    pub releases: Vec<TrackRelease>,
    /// The run under way; of several the oldest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_run: Option<CurrentRun>,
    /// The present or next opening of a window of the fleet, after exclusions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_opening: Option<Opening>,
    /// What the operator does next, or what it waits for, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::MAX_MESSAGE))]
    pub next_action: Option<String>,
    /// Runs that the present plan foresees, earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_UPCOMING), extend("x-kubernetes-list-type" = "atomic"))]
    pub upcoming: Vec<UpcomingRun>,
    /// Reporting state: exposure and reboots by quarter. No safety rule reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporting: Option<Reporting>,
}

/// Machines of a fleet by what is known of them. The groups overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FleetCounts {
    /// Machines that the fleet selects.
    pub machines: u32,
    /// Machines that can be hotpatched.
    pub eligible: u32,
    /// Machines that cannot be hotpatched; `ineligibleReasons` says why.
    pub ineligible: u32,
    /// Machines with hotpatching turned on.
    pub enrolled: u32,
    /// Machines at the newest release of their track.
    pub current: u32,
    /// Machines that lack the newest release of their track.
    pub due: u32,
    /// Machines past the deadline of the policy.
    pub overdue: u32,
    /// Machines with an installed update that waits for a reboot.
    pub reboot_owed: u32,
    /// Machines off their hotpatch track until the next baseline.
    pub off_track: u32,
    /// Machines that count as unavailable: in a commanded step, observed unhealthy, or unknown.
    pub unavailable: u32,
    /// Machines switched off by their owner or silent for long; they count neither as available
    /// nor as unavailable.
    pub dormant: u32,
    /// Machines whose state cannot be told.
    pub unknown: u32,
    /// Due machines that wait for somebody: no stage matches, approval missing, held, ineligible.
    pub blocked: u32,
    /// Machines in a run under way.
    pub in_progress: u32,
    /// Machines whose last attempt failed.
    pub failed: u32,
    /// Machines that spec or a request excludes.
    pub excluded: u32,
}

/// The newest release of one track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackRelease {
    /// Name of the track, such as `ws2025`.
    #[schemars(length(max = 32))]
    pub track: String,
    /// Id of the newest release of the track.
    #[schemars(length(max = 64))]
    pub release: String,
    /// Id of the baseline that the release builds on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub baseline: Option<String>,
    /// Machines of the fleet on this track.
    #[serde(default)]
    pub machines: u32,
    /// Machines of the fleet at this release.
    #[serde(default)]
    pub current: u32,
    /// Day by which the policy wants the release everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<NaiveDate>,
}

/// The run under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CurrentRun {
    /// Name of the HotpatchRun.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Release that the run brings.
    #[schemars(length(max = 64))]
    pub release: String,
    /// Stage of the policy that the run works on.
    #[schemars(length(max = 63))]
    pub stage: String,
}

/// A run that the present plan foresees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpcomingRun {
    /// Release that the run will bring.
    #[schemars(length(max = 64))]
    pub release: String,
    /// Stage of the policy that the run will work on.
    #[schemars(length(max = 63))]
    pub stage: String,
    /// Number of machines that the run will hold.
    pub machines: u32,
    /// Earliest start, as far as windows, soak and deadlines are known now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
}

/// Exposure and reboots by quarter, rebuilt as far as evidence goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reporting {
    /// Since when this state is kept; nothing before it is counted.
    pub since: DateTime<Utc>,
    /// At most eight quarters, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = MAX_QUARTERS),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["quarter"])
    )]
    pub quarters: Vec<QuarterReport>,
}

/// What one quarter of a year saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuarterReport {
    /// The quarter, such as `2026Q4`.
    #[schemars(length(max = 8))]
    pub quarter: String,
    /// Reboots that the operator commanded.
    #[serde(default)]
    pub commanded_reboots: u32,
    /// Reboots that somebody else caused, as far as they were seen.
    #[serde(default)]
    pub foreign_reboots: u32,
    /// Installations that ended well.
    #[serde(default)]
    pub succeeded: u32,
    /// Installations that failed.
    #[serde(default)]
    pub failed: u32,
    /// Machine-hours between a release and its installation, summed over the fleet.
    #[serde(default)]
    pub exposed_hours: u64,
    /// Installations by how long they took: up to 10, 20, 30, 45, 60, 90, 120 and 240 minutes, and
    /// longer; nine buckets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 9), extend("x-kubernetes-list-type" = "atomic"))]
    pub durations: Vec<u32>,
}
