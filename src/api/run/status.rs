//! The log of a run: one entry a machine, written before each command and after each finding.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::lenient;
use crate::api::schema;

/// Most attempts, and most refusals, of one machine in one run.
pub const MAX_ATTEMPTS: u32 = 100;
/// Longest URL of an operation that is stored, in characters.
pub const MAX_OPERATION_URL: u32 = 2048;
/// Longest id of an installation that is stored, in characters.
pub const MAX_ACTIVITY: u32 = 128;
/// Longest message of a machine's step, in characters.
pub const MAX_STEP_MESSAGE: u32 = 512;

/// How far the run has come, machine by machine.
///
/// Reading never fails on a field: one of a wrong type is kept in `not_understood`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", remote = "HotpatchRunStatus")]
pub struct HotpatchRunStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Complete` and `Failed`, like a Job, further `Announced`, `Claimed`, `Held` and `Orphaned`,
    /// and the conditions that other controllers set for run gates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Fence: the epoch of the leader that may write here. It only grows; a leader with a smaller
    /// one sends nothing.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub epoch: i64,
    /// When the first command of the run was about to be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When the run reached its end, well or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    /// Machines of the run by step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<RunCounts>,
    /// The log, one entry a machine, written for all machines at once. Once it is written, a
    /// machine of the spec without an entry is held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = schema::MAX_RUN_MACHINES),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"])
    )]
    pub machines: Vec<RunMachineStatus>,
    /// Fields that a later version wrote, or of a wrong type. Never shown in the schema; kept when
    /// written back. Not empty means that the run is held.
    #[serde(flatten)]
    #[schemars(skip)]
    pub not_understood: BTreeMap<String, Value>,
}

/// Machines of a run by step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RunCounts {
    /// Machines that the run names.
    pub machines: u32,
    /// Machines that nothing was sent to yet.
    pub planned: u32,
    /// Machines with an intent or an operation under way.
    pub running: u32,
    /// Machines whose installation ended and whose health is watched.
    pub verifying: u32,
    /// Machines that succeeded.
    pub succeeded: u32,
    /// Machines that failed.
    pub failed: u32,
    /// Machines that were left out, such as one that no longer needs the release.
    pub skipped: u32,
    /// Machines whose state cannot be told; they are held and count as unavailable.
    pub unknown: u32,
}

/// The log entry of one machine.
///
/// Reading never fails on a field: one of a wrong type is kept in `not_understood`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", remote = "RunMachineStatus")]
pub struct RunMachineStatus {
    /// Azure resource id of the machine, as in the spec of the run.
    #[schemars(length(min = 1, max = schema::MAX_RESOURCE_ID))]
    pub id: String,
    /// `Planned`, `Starting`, `Running`, `Verifying`, `Succeeded`, `Failed`, `Skipped` or
    /// `Unknown`. A word that is none of these holds the machine.
    #[schemars(length(max = 64))]
    pub step: String,
    /// Since when the machine is in this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Commands of this run that Azure accepted, or may have accepted; an intent counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = MAX_ATTEMPTS))]
    pub attempts: Option<u32>,
    /// Commands of this run that Azure surely refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = MAX_ATTEMPTS))]
    pub refusals: Option<u32>,
    /// The command under way, or the one that comes next: `Stage`, `Finish` or `Restart`. A word
    /// that is none of these holds the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub command: Option<String>,
    /// `x-ms-client-request-id` of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub request_id: Option<String>,
    /// When the intent to send was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_at: Option<DateTime<Utc>>,
    /// Activity id of the last installation that the machine had recorded before the intent, so
    /// that a later one can be told from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_ACTIVITY))]
    pub activity_before: Option<String>,
    /// The operation in Azure that runs for this attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<RunOperation>,
    /// When the command ended; the machine settles from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Until when Azure throttles commands on the machine, as it answered to the last one; obeyed
    /// also by a process that was not there. Set in the step `Planned` and in no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_until: Option<DateTime<Utc>>,
    /// When the machine reached its end in this run; set in the steps `Succeeded`, `Failed` and
    /// `Skipped` and in no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
    /// Since when the machine is held for evidence or a person; set in step `Unknown` and in no
    /// other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_since: Option<DateTime<Utc>>,
    /// Why the machine is in this step, as one word, such as `AlreadyCurrent`, `ForeignContent` or
    /// `OutcomeUnknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
    /// Details for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_STEP_MESSAGE))]
    pub message: Option<String>,
    /// Whether a command that may reboot the machine was sent, or may have been sent, in this run.
    #[serde(default)]
    pub reboot_commanded: bool,
    /// An effect that came after the run had given the machine up, such as a late reboot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_effect: Option<LateEffect>,
    /// Fields that a later version wrote, or of a wrong type. Never shown in the schema; kept when
    /// written back. Not empty means that the machine is held.
    #[serde(flatten)]
    #[schemars(skip)]
    pub not_understood: BTreeMap<String, Value>,
}

/// An operation in Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunOperation {
    /// URL under which Azure tells how the operation goes.
    #[schemars(length(max = MAX_OPERATION_URL))]
    pub url: String,
    /// How it is asked: `AsyncOperation` (a status document), `Location` (202 until the result is
    /// there) or `Immediate` (it had ended when it was answered). A word that is none of these
    /// holds the machine.
    #[schemars(length(max = 32))]
    pub style: String,
}

/// Something that happened on a machine after the run had given it up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LateEffect {
    /// What happened, as one word, such as `Reboot` or `Install`.
    #[schemars(length(max = 64))]
    pub kind: String,
    /// When it happened, as far as known.
    pub at: DateTime<Utc>,
    /// What shows it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub evidence: Option<String>,
}

impl Serialize for HotpatchRunStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = Self::serialize(self, serde_json::value::Serializer);
        plain.map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HotpatchRunStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Value::deserialize(deserializer)?;
        let read = lenient::read(stored, &json!({}), |value| Self::deserialize(value));
        let (mut status, wrong) = read.map_err(D::Error::custom)?;
        status.not_understood.extend(wrong);
        Ok(status)
    }
}

impl Serialize for RunMachineStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = Self::serialize(self, serde_json::value::Serializer);
        plain.map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RunMachineStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Value::deserialize(deserializer)?;
        let least = json!({"id": "", "step": ""});
        let read = lenient::read(stored, &least, |value| Self::deserialize(value));
        let (mut entry, wrong) = read.map_err(D::Error::custom)?;
        entry.not_understood.extend(wrong);
        Ok(entry)
    }
}
