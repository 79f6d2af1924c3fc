//! `MaintenanceWindow`: when machines may be disturbed.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Most exclusions of one window or fleet.
pub const MAX_EXCLUSIONS: u32 = 64;
/// Number of coming openings that the status shows.
pub const NEXT_OPENINGS: u32 = 5;

/// When the window opens, for how long, and when not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "hotpatch.dev",
    version = "v1alpha1",
    kind = "MaintenanceWindow",
    plural = "maintenancewindows",
    shortname = "hpw",
    category = "hotpatch",
    namespaced,
    cel,
    status = "MaintenanceWindowStatus",
    derive = "PartialEq",
    doc = "A recurring or single span of time in which machines of a fleet may be disturbed: \
           outside of it the operator commands no reboot.",
    printcolumn(
        name = "Open",
        type_ = "boolean",
        json_path = ".status.open",
        description = "Whether the window is open now."
    ),
    printcolumn(
        name = "Next",
        type_ = "string",
        json_path = ".status.next[0].start",
        description = "Start of the next opening."
    ),
    printcolumn(
        name = "Zone",
        type_ = "string",
        json_path = ".spec.timeZone",
        description = "Time zone of the schedule."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since creation."
    )
)]
pub struct MaintenanceWindowSpec {
    /// IANA name of the time zone in which the schedule, `startTime` and exclusions are read, such
    /// as `Europe/Berlin` or `UTC`. An unknown name shows in the condition `Accepted`.
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,
    /// On which days the window opens; exactly one of the five forms.
    pub schedule: Schedule,
    /// Local time of day at which the window opens, `HH:MM` in 24 hours. On a day on which the
    /// clock skips this time the window opens later by as much as is skipped; on a day on which it
    /// comes twice, at the first.
    #[schemars(length(max = 5))]
    #[x_kube(validation = (
        "self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')",
        "startTime must be HH:MM in 24 hours, such as \"22:00\"",
    ))]
    pub start_time: String,
    /// How long the window stays open, as elapsed time whether or not the clock changes: `40m` to
    /// `48h`.
    #[schemars(schema_with = "schema::window_duration")]
    pub duration: String,
    /// Days on which the window stays closed. An exclusion cuts an opening short that reaches into
    /// it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_EXCLUSIONS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub exclusions: Vec<Exclusion>,
}

/// The days on which a window opens: exactly one form is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "[has(self.weekly), has(self.monthly), has(self.patchTuesday), has(self.dayOfMonth), \
     has(self.once)].filter(form, form).size() == 1",
    "schedule needs exactly one of weekly, monthly, patchTuesday, dayOfMonth or once",
))]
pub struct Schedule {
    /// Opens every week on the named days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<Weekly>,
    /// Opens once a month, such as on the second Saturday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly: Option<Monthly>,
    /// Opens once a month, counted from Patch Tuesday (the second Tuesday). The fourth day after
    /// it is not always the second Saturday: in a month that starts on a Wednesday to Saturday,
    /// that Saturday comes before Patch Tuesday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_tuesday: Option<PatchTuesday>,
    /// Opens on days of the month by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_of_month: Option<DayOfMonth>,
    /// Opens on one date only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
}

/// Every week on the named days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Weekly {
    /// Days of the week, `Monday` to `Sunday`, each at most once.
    #[schemars(length(max = 7))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[x_kube(validation = (
        "size(self) >= 1 && self.all(d, self.exists_one(e, e == d))",
        "weekly.days needs at least one day, each named once, such as [Saturday]",
    ))]
    pub days: Vec<Weekday>,
}

/// One day in one week of each month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monthly {
    /// Which occurrence of the day in the month: `First`, `Second`, `Third`, `Fourth` or `Last`.
    pub week: WeekOfMonth,
    /// Day of the week, `Monday` to `Sunday`.
    pub day: Weekday,
}

/// A number of days after the second Tuesday of each month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PatchTuesday {
    /// Days after the second Tuesday of the month, 0 to 27; 0 is Patch Tuesday itself.
    #[x_kube(validation = (
        "self >= 0 && self <= 27",
        "patchTuesday.offsetDays must be from 0 (Patch Tuesday itself) to 27",
    ))]
    pub offset_days: u32,
}

/// Days of the month by number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DayOfMonth {
    /// Days of the month, 1 to 31, each at most once. A month that lacks a day has no opening for
    /// it.
    #[schemars(length(max = 31))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[x_kube(validation = (
        "size(self) >= 1 && self.all(d, d >= 1 && d <= 31 && self.exists_one(e, e == d))",
        "dayOfMonth.days needs at least one day from 1 to 31, each named once",
    ))]
    pub days: Vec<u32>,
}

/// One date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Once {
    /// Local date on which the window opens, `YYYY-MM-DD`.
    #[schemars(length(max = 10))]
    #[x_kube(validation = (
        "self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$')",
        "once.date must be a date as YYYY-MM-DD, such as 2026-12-05",
    ))]
    pub date: String,
}

/// A day of the week.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[allow(missing_docs)] // the names say it all
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Which occurrence of a weekday in a month.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[allow(missing_docs)] // the names say it all
pub enum WeekOfMonth {
    First,
    Second,
    Third,
    Fourth,
    Last,
}

/// A named span of days, both ends included, on which nothing opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "self.from <= self.through",
    "an exclusion must not end before it begins: set through to the same day as from, or later",
))]
pub struct Exclusion {
    /// Name of the exclusion, shown wherever it keeps a window closed; unique in the list.
    #[schemars(schema_with = "schema::label")]
    pub name: String,
    /// First day, `YYYY-MM-DD`, in the time zone of the window.
    #[schemars(schema_with = "schema::date")]
    pub from: String,
    /// Last day, `YYYY-MM-DD`, itself included, in the time zone of the window.
    #[schemars(schema_with = "schema::date")]
    pub through: String,
}

/// What the operator found out about the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindowStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether the window is open now.
    #[serde(default)]
    pub open: bool,
    /// When the present opening ends; absent while the window is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_until: Option<DateTime<Utc>>,
    /// The next five openings, earliest first. Openings that touch are shown as one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = NEXT_OPENINGS), extend("x-kubernetes-list-type" = "atomic"))]
    pub next: Vec<Opening>,
    /// `Ready`, `Reconciling`, `Stalled`, `Accepted` and `Upcoming`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// One opening of a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    /// When the window opens.
    pub start: DateTime<Utc>,
    /// When the window closes.
    pub end: DateTime<Utc>,
}
