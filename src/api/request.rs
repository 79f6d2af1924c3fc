//! `HotpatchRequest`: what a person asks for, once. Immutable.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::schema;

/// Most machines of one request.
pub const MAX_REQUEST_MACHINES: u32 = 250;

/// What is asked for, by whom and why. Never changes: delete it and create another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "hotpatch.dev",
    version = "v1alpha1",
    kind = "HotpatchRequest",
    plural = "hotpatchrequests",
    shortname = "hpq",
    category = "hotpatch",
    namespaced,
    cel,
    status = "HotpatchRequestStatus",
    derive = "PartialEq",
    selectable = ".spec.verb",
    doc = "What a person asks the operator to do for a fleet, once: pause, approve, retry, abort, \
           exclude, assess, install or roll back. Budgets and windows hold for all of them.",
    printcolumn(
        name = "Verb",
        type_ = "string",
        json_path = ".spec.verb",
        description = "What is asked for."
    ),
    printcolumn(
        name = "Fleet",
        type_ = "string",
        json_path = ".spec.fleetRef.name",
        description = "Fleet that it is asked for."
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "How far the request has come."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".spec.reason",
        description = "Why it is asked for."
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.message",
        description = "What the operator says to it.",
        priority = 1
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
    "a request cannot be changed: delete it and create another",
))]
#[x_kube(validation = (
    "self.verb != 'Approve' || has(self.release)",
    "verb Approve needs release: a month such as '2026-10', or a release id",
))]
#[x_kube(validation = (
    "!(self.verb in ['Exclude', 'InstallNow', 'Rollback']) || \
     (has(self.machines) && size(self.machines) > 0)",
    "verbs Exclude, InstallNow and Rollback need at least one entry in machines",
))]
#[x_kube(validation = (
    "self.verb != 'Retry' || (has(self.machines) && size(self.machines) > 0) || \
     (has(self.release) && has(self.stage))",
    "verb Retry needs machines, or the release and stage that were halted",
))]
#[x_kube(validation = (
    "!(self.verb in ['Abort', 'Exclude', 'Retry', 'Rollback']) || \
     (has(self.reason) && self.reason.trim() != '')",
    "verbs Abort, Exclude, Retry and Rollback need a reason for those who read it later",
))]
#[x_kube(validation = (
    "!has(self.expiresAt) || self.verb in ['Pause', 'Approve', 'Exclude']",
    "expiresAt has a meaning for verbs Pause, Approve and Exclude only: remove it",
))]
pub struct HotpatchRequestSpec {
    /// The fleet that it is asked for.
    pub fleet_ref: FleetRef,
    /// What is asked for. `Pause`: nothing new starts while the request exists; delete it to
    /// resume. `Approve`: a release, or one stage of it. `Retry`: failed or held machines, or a
    /// halted stage, once more. `Abort`: runs under way; work already commanded is followed to its
    /// end. `Exclude`: machines stay out while the request exists. `AssessNow`: look for updates
    /// now. `InstallNow`: machines go first in the next window. `Rollback`: uninstall a release.
    pub verb: Verb,
    /// Release that is meant: a month such as `2026-10`, or a release id such as
    /// `ws2025-2026-10-13`. Left out: the newest of each machine's track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::release")]
    pub release: Option<String>,
    /// Stage of the policy that is meant. Left out: all stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label")]
    pub stage: Option<String>,
    /// Machines that are meant, each by its Azure resource id or the name of its HotpatchMachine.
    /// Empty: all machines of the fleet, where the verb allows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "machine_names")]
    pub machines: Vec<String>,
    /// Why it is asked for; shown in status, events and the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::MAX_MESSAGE))]
    pub reason: Option<String>,
    /// Who asks. Shown as "claimed" where no admission policy ensures that it is the user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub requested_by: Option<String>,
    /// When a `Pause`, `Approve` or `Exclude` ends by itself. Left out: when the request is
    /// deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// Names the fleet of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetRef {
    /// Name of a HotpatchFleet of this namespace.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// What a request asks for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Verb {
    /// Starts nothing new while the request exists.
    Pause,
    /// Approves a release, or one stage of it.
    Approve,
    /// Tries failed or held machines, or a halted stage, once more.
    Retry,
    /// Ends runs under way; what is commanded is followed to its end.
    Abort,
    /// Leaves machines out while the request exists.
    Exclude,
    /// Looks for updates now.
    AssessNow,
    /// Puts machines first in the next window.
    InstallNow,
    /// Uninstalls a release.
    Rollback,
}

/// How far the request has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HotpatchRequestStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How far the request has come: `Pending`, `Active`, `Complete`, `Refused` or `Expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub state: Option<String>,
    /// What the operator says to it, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::MAX_MESSAGE))]
    pub message: Option<String>,
    /// Who asked, as far as known: a user name, or "claimed: " and what the request says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub by: Option<String>,
    /// `Accepted` and `Complete`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

fn machine_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": schema::MAX_RESOURCE_ID},
        "maxItems": MAX_REQUEST_MACHINES,
        "x-kubernetes-list-type": "set",
    })
}
