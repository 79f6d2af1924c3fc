//! The parts of a policy around its stages: availability, health, gates, failures, other updates.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema;

/// Most groups of machines with a limit of their own.
pub const MAX_GROUPS: u32 = 16;
/// Most run gates of one policy.
pub const MAX_RUN_GATES: u32 = 8;
/// Most Prometheus checks of one policy.
pub const MAX_PROMETHEUS: u32 = 8;
/// Most objectives of one policy.
pub const MAX_OBJECTIVES: u32 = 8;

/// Which machines must not be down together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Availability {
    /// Failure domains that are never disturbed side by side: `GeoPair` (two paired regions),
    /// `Region`, `Zone`, `AvailabilitySet`, `Site` (tag `site` of Arc servers), `Cluster` (Azure
    /// Local). Default: all. An empty list switches the rules off.
    #[serde(default = "defaults::spread")]
    #[schemars(length(max = 6))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub spread: Vec<Spread>,
    /// Groups of machines that share a tag value, such as the nodes of one application, each with
    /// a limit of its own over all fleets of the namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_GROUPS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tag".into()]))]
    pub groups: Vec<Group>,
}

impl Default for Availability {
    fn default() -> Self {
        Self {
            spread: defaults::spread(),
            groups: Vec::new(),
        }
    }
}

/// A kind of failure domain.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Spread {
    /// Two regions that Azure pairs.
    GeoPair,
    /// A region.
    Region,
    /// A physical availability zone.
    Zone,
    /// An availability set.
    AvailabilitySet,
    /// A site, from the tag `site` of Arc servers.
    Site,
    /// A cluster of Azure Local.
    Cluster,
}

impl Spread {
    /// All kinds, widest first.
    pub const ALL: [Self; 6] = [
        Self::GeoPair,
        Self::Region,
        Self::Zone,
        Self::AvailabilitySet,
        Self::Site,
        Self::Cluster,
    ];
}

/// Machines that share a value of one tag, and how many of them may be down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Name of the Azure tag; machines with the same value form one group. Compares without regard
    /// to case.
    #[schemars(length(min = 1, max = 512))]
    pub tag: String,
    /// Most machines of one group that may be unavailable at the same time: a count (0 = none) or a
    /// percentage. Percentages round down, but never to 0.
    #[schemars(schema_with = "schema::count_or_percent")]
    pub max_unavailable: IntOrString,
    /// Name of the Azure tag whose value orders the machines of a group, lowest first; numbers
    /// compare as numbers. Left out: no order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub order_tag: Option<String>,
}

/// When a machine counts as healthy again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// How long a machine must be healthy after work on it until it counts as available. Default:
    /// `10m`.
    #[serde(default = "defaults::settle")]
    #[schemars(schema_with = "schema::duration")]
    pub settle: String,
    /// How old the last sign of health may be until a machine counts as unknown, and so as
    /// unavailable. Default: `2h`.
    #[serde(default = "defaults::unknown_after")]
    #[schemars(schema_with = "schema::duration")]
    pub unknown_after: String,
    /// Whether Azure Resource Health must call the machine available: `Required` (default) or
    /// `Ignore`.
    #[serde(default)]
    pub resource_health: ResourceHealth,
    /// Queries that must hold before and after work; a query that cannot be read does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_PROMETHEUS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub prometheus: Vec<PrometheusCheck>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            settle: defaults::settle(),
            unknown_after: defaults::unknown_after(),
            resource_health: ResourceHealth::default(),
            prometheus: Vec::new(),
        }
    }
}

/// Whether Azure Resource Health counts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum ResourceHealth {
    /// The machine must be available.
    #[default]
    Required,
    /// Resource Health is not asked.
    Ignore,
}

/// A Prometheus query that must stay under a bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusCheck {
    /// Name of the check, shown where it blocks; unique in the list.
    #[schemars(schema_with = "schema::label")]
    pub name: String,
    /// Name of an endpoint of the installation's configuration; addresses and tokens stand only
    /// there. Default: `default`.
    #[serde(default = "defaults::endpoint")]
    #[schemars(schema_with = "schema::label")]
    pub endpoint: String,
    /// PromQL query; every sample of its result must be at most `max`. An empty result does not
    /// hold.
    #[schemars(length(min = 1, max = 2048))]
    pub query: String,
    /// Largest value that is still healthy, a decimal number in quotes, such as `"0.01"`.
    #[schemars(schema_with = "schema::decimal")]
    pub max: String,
}

/// A condition that another controller sets on a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunGate {
    /// Type of the condition that must be True on the run, such as `example.com/Drained`.
    #[schemars(schema_with = "schema::condition_type")]
    pub condition_type: String,
    /// How long before its window a run is announced, so that the other controller has time to
    /// act. Default: `30m`.
    #[serde(default = "defaults::announce_before")]
    #[schemars(schema_with = "schema::duration")]
    pub announce_before: String,
}

/// How many failures a rollout survives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failures {
    /// Most failed machines until the rollout is halted: a count (0 = the first failure halts) or
    /// a percentage. Default: 2.
    #[serde(default = "defaults::max_failures")]
    #[schemars(schema_with = "schema::count_or_percent")]
    pub max: IntOrString,
    /// Over what failures are counted: `Stage` (default) or `Release`.
    #[serde(default)]
    pub per: FailureScope,
    /// How often a failed machine is tried again, each time in a later window, 0 to 5. Default: 1.
    #[serde(default = "defaults::one")]
    #[x_kube(validation = (
        "self >= 0 && self <= 5",
        "retries must be from 0 (never try again) to 5",
    ))]
    pub retries: u32,
}

impl Default for Failures {
    fn default() -> Self {
        Self {
            max: defaults::max_failures(),
            per: FailureScope::default(),
            retries: defaults::one(),
        }
    }
}

/// Over what failures are counted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum FailureScope {
    /// Over one stage of one release.
    #[default]
    Stage,
    /// Over one release.
    Release,
}

/// What is done about baselines outside of the calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnplannedBaselines {
    /// `NextWindow` (default) rolls them out like planned ones, `Approve` waits for an approval.
    #[serde(default)]
    pub action: UnplannedAction,
    /// Whether exclusions of the fleet do not apply to unplanned baselines. Windows and their own
    /// exclusions always apply. Default: false.
    #[serde(default)]
    pub ignore_exclusions: bool,
}

/// How an unplanned baseline is taken.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum UnplannedAction {
    /// Like a planned one.
    #[default]
    NextWindow,
    /// After an approval.
    Approve,
}

/// What is done about updates other than the release itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OtherUpdates {
    /// Updates of .NET: `WithBaseline` (default), `NextWindow` or `Leave`.
    #[serde(default = "defaults::with_baseline")]
    pub dotnet: OtherUpdate,
    /// Drivers: `WithBaseline`, `NextWindow` or `Leave` (default).
    #[serde(default)]
    pub drivers: OtherUpdate,
    /// Updates of Windows that are not about security: `WithBaseline`, `NextWindow` or `Leave`
    /// (default).
    #[serde(default)]
    pub non_security: OtherUpdate,
    /// Updates of SQL Server: `WithBaseline`, `NextWindow` or `Leave` (default).
    #[serde(default)]
    pub sql: OtherUpdate,
}

impl Default for OtherUpdates {
    fn default() -> Self {
        Self {
            dotnet: defaults::with_baseline(),
            drivers: OtherUpdate::default(),
            non_security: OtherUpdate::default(),
            sql: OtherUpdate::default(),
        }
    }
}

/// When a class of other updates is installed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum OtherUpdate {
    /// Together with the next baseline, which reboots anyway.
    WithBaseline,
    /// In the next window, with a reboot where needed.
    NextWindow,
    /// Never by the operator.
    #[default]
    Leave,
}

/// A share of the fleet and by when it should have a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Objective {
    /// Share of the eligible machines in percent, 1 to 100; unique in the list.
    #[x_kube(validation = (
        "self >= 1 && self <= 100",
        "percent must be from 1 to 100, written as a number without '%'",
    ))]
    pub percent: u32,
    /// Time after the release within which they should have it, in whole days or hours: `7d`,
    /// `36h`.
    #[schemars(schema_with = "schema::days_or_hours")]
    pub within: String,
}

/// How long work takes, until enough of it was observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Estimates {
    /// How long a baseline takes on one machine, with its reboot. Default: `60m`.
    #[serde(default = "defaults::baseline_estimate")]
    #[schemars(schema_with = "schema::duration")]
    pub baseline: String,
    /// Time that is kept free at the end of a window. Default: `15m`.
    #[serde(default = "defaults::reserve")]
    #[schemars(schema_with = "schema::duration")]
    pub reserve: String,
}

impl Default for Estimates {
    fn default() -> Self {
        Self {
            baseline: defaults::baseline_estimate(),
            reserve: defaults::reserve(),
        }
    }
}

/// Defaults that the schema shows; the reasons stand with the fields.
pub(super) mod defaults {
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

    use super::{OtherUpdate, Spread};

    pub(crate) fn deadline_days() -> u32 {
        21
    }
    pub(crate) fn zero() -> String {
        "0s".to_owned()
    }
    pub(crate) fn one() -> u32 {
        1
    }
    pub(crate) fn spread() -> Vec<Spread> {
        Spread::ALL.to_vec()
    }
    pub(crate) fn settle() -> String {
        "10m".to_owned()
    }
    pub(crate) fn unknown_after() -> String {
        "2h".to_owned()
    }
    pub(crate) fn endpoint() -> String {
        "default".to_owned()
    }
    pub(crate) fn announce_before() -> String {
        "30m".to_owned()
    }
    pub(crate) fn max_failures() -> IntOrString {
        IntOrString::Int(2)
    }
    pub(crate) fn with_baseline() -> OtherUpdate {
        OtherUpdate::WithBaseline
    }
    pub(crate) fn baseline_estimate() -> String {
        "60m".to_owned()
    }
    pub(crate) fn reserve() -> String {
        "15m".to_owned()
    }
}
