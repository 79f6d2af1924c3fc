//! How a run is written down: its name, its spec with a digest, its status, the ids of its
//! commands. `validate::run` reads all of it back to the same value.
//!
//! Pure: no I/O, no clock. Must never judge a run; it writes down what is there, and leaves
//! alone what a later version wrote.

mod status;
pub(crate) mod words;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::TimeDelta;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use self::status::run_status;

pub(crate) use self::status::DIGEST_MISMATCH;

use crate::api::policy::FailureScope;
use crate::api::run::{
    HotpatchRunSpec, Incarnation, RunEstimates, RunFailures, RunGateSpec, RunHealth, RunLimit,
    RunMachine, RunWindow,
};
use crate::api::{GROUP, HotpatchRun, VERSION};
use crate::domain::command::RequestId;
use crate::domain::machine::{MachineId, MachineKind, Placement};
use crate::domain::run::{RunMachine as Member, Terms};

/// The finalizer of a run, from before its first command until it has ended.
pub const FINALIZER: &str = "hotpatch.dev/run";
/// The annotation of a run whose log was written: from before its first intent. A run that bears
/// it and has no log has lost it, and what it commanded is not known.
pub const ANNOTATION_LOGGED: &str = "hotpatch.dev/logged";
/// The label with the name of a run's fleet.
pub const LABEL_FLEET: &str = "hotpatch.dev/fleet";
/// The label with the id of a run's release.
pub const LABEL_RELEASE: &str = "hotpatch.dev/release";
/// The label with the stage of a run.
pub const LABEL_STAGE: &str = "hotpatch.dev/stage";
/// The label with the action of a run.
pub const LABEL_ACTION: &str = "hotpatch.dev/action";

/// The longest name of a run, and the longest value of a label, in bytes.
pub const NAME_BYTES_MAX: usize = 63;

/// Names a run `<fleet>-<release>-<stage>-<ordinal>-<hash>`: a DNS label, at most
/// [`NAME_BYTES_MAX`] long, fleet and stage cut short where they must be.
///
/// The hash covers fleet uid, release, action, stage and ordinal, so that two runs of one name are
/// one run.
pub fn run_name(terms: &Terms) -> String {
    let (release, ordinal) = (terms.release.to_string(), terms.ordinal.to_string());
    let whole = [
        terms.fleet_uid.as_str(),
        &release,
        &terms.action.to_string(),
        &terms.stage,
        &ordinal,
    ];
    let hash = hash8(&whole.join("\n"));
    let room = NAME_BYTES_MAX.saturating_sub(release.len() + ordinal.len() + hash.len() + 4);
    let (fleet, stage) = (label(&terms.fleet), label(&terms.stage));
    // Each may have half of the room, and what the other one leaves.
    let fleet = cut(&fleet, room.saturating_sub(stage.len().min(room / 2)));
    let stage = cut(&stage, room.saturating_sub(fleet.len()));
    [fleet, &release, stage, &ordinal, &hash].join("-")
}

/// Writes a text as a DNS label would be written, for a part of a name; never empty.
fn label(text: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let label: String = text.chars().map(plain).collect();
    let label = label.trim_matches('-');
    if label.is_empty() {
        "x".to_owned()
    } else {
        label.to_owned()
    }
}

fn cut(label: &str, room: usize) -> &str {
    label.get(..room).unwrap_or(label).trim_end_matches('-')
}

/// Returns the first eight hexadecimal digits of a text's SHA-256.
fn hash8(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..4])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns SHA-256 over all fields of a spec but its digest, as 64 lower-case hexadecimal digits.
///
/// The bytes are JSON without spaces, fields sorted by name.
pub fn digest(spec: &HotpatchRunSpec) -> String {
    let mut value = serde_json::to_value(spec).expect("a spec is plain data");
    if let Some(fields) = value.as_object_mut() {
        fields.remove("digest");
    }
    let mut text = String::new();
    canonical(&value, &mut text);
    hex(&Sha256::digest(text.as_bytes()))
}

/// Writes JSON in one way only, whatever order the map type of serde_json keeps.
fn canonical(value: &Value, into: &mut String) {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            into.push('{');
            for (place, (name, value)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    into.push(',');
                }
                // Writes to memory, and keys are strings: it cannot fail.
                let _ = write!(into, "{}", Value::from(name.as_str()));
                into.push(':');
                canonical(value, into);
            }
            into.push('}');
        }
        Value::Array(items) => {
            into.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    into.push(',');
                }
                canonical(item, into);
            }
            into.push(']');
        }
        scalar => {
            let _ = write!(into, "{scalar}");
        }
    }
}

/// Returns whole seconds; every duration of a valid policy is that, and fits.
fn seconds(span: TimeDelta) -> u32 {
    u32::try_from(span.num_seconds().max(0)).unwrap_or(u32::MAX)
}

/// Writes down what a run freezes, with its digest.
pub fn run_spec(terms: &Terms) -> HotpatchRunSpec {
    let mut spec = HotpatchRunSpec {
        fleet_name: terms.fleet.clone(),
        fleet_uid: terms.fleet_uid.clone(),
        service_account_name: terms.service_account.clone(),
        release: terms.release.to_string(),
        track: terms.release.track().to_string(),
        allowed_kbs: terms.kbs.iter().map(ToString::to_string).collect(),
        max_patch_publish_date: Some(terms.published_until),
        action: words::action(terms.action),
        cause: terms.cause.to_string(),
        stage: terms.stage.clone(),
        ordinal: terms.ordinal,
        window: Some(RunWindow {
            name: terms.window.name.clone(),
            start: terms.window.start,
            end: terms.window.end,
        }),
        limits: terms
            .limits
            .iter()
            .map(|limit| {
                let (scope, key) = words::limit_key(&limit.key, &terms.fleet);
                RunLimit {
                    scope: scope.to_owned(),
                    key,
                    max_unavailable: limit.max,
                }
            })
            .collect(),
        spread: words::spread_list(terms.spread),
        health: RunHealth {
            settle_seconds: seconds(terms.health.settle),
            unknown_after_seconds: seconds(terms.health.unknown_after),
        },
        failures: RunFailures {
            retries: terms.retries,
            max: terms.max_failed,
            per: terms.max_failed.map(|_| match terms.failed_per_release {
                true => FailureScope::Release,
                false => FailureScope::Stage,
            }),
        },
        run_gates: terms
            .gates
            .iter()
            .map(|gate| RunGateSpec {
                condition_type: gate.condition.clone(),
                announce_before_seconds: seconds(gate.announce_before),
            })
            .collect(),
        estimates: RunEstimates {
            baseline_seconds: seconds(terms.estimates.baseline),
            reserve_seconds: seconds(terms.estimates.reserve),
        },
        machines: terms.machines.values().map(machine).collect(),
        digest: String::new(),
    };
    spec.digest = digest(&spec);
    spec
}

fn machine(member: &Member) -> RunMachine {
    let Placement {
        region,
        zone,
        availability_set,
        flexible_scale_set,
        site,
        cluster,
    } = member.placement.clone();
    let vm = member.kind == MachineKind::AzureVm;
    let body = member.incarnation.body.clone();
    RunMachine {
        id: member.id.as_str().to_owned(),
        name: member.name.clone(),
        kind: words::kind(member.kind),
        incarnation: Incarnation {
            vm_id: Some(member.incarnation.vm_id.clone()),
            os_disk_id: body.clone().filter(|_| vm),
            vm_uuid: body.filter(|_| !vm),
        },
        region,
        zone: words::zone(&zone),
        availability_set: availability_set.as_ref().map(|set| set.id.clone()),
        update_domain: availability_set.and_then(|set| set.update_domain),
        scale_set: flexible_scale_set.as_ref().map(|(set, _)| set.clone()),
        fault_domain: flexible_scale_set.and_then(|(_, domain)| domain),
        site,
        cluster,
        groups: member
            .groups
            .iter()
            .map(|(tag, value)| words::group(tag, value))
            .collect(),
    }
}

/// Makes the object of a new run: named, owned by its fleet, labelled, held by [`FINALIZER`].
///
/// `labels` are further labels, such as the installation's; those of this module win. Nothing is
/// copied from the fleet. The owner reference does not block the fleet's deletion.
pub fn run_object(
    namespace: &str,
    fleet_name: &str,
    fleet_uid: &str,
    terms: &Terms,
    labels: &BTreeMap<String, String>,
) -> HotpatchRun {
    let mut labels = labels.clone();
    labels.extend([
        (LABEL_FLEET.to_owned(), label_value(fleet_name)),
        (
            LABEL_RELEASE.to_owned(),
            label_value(&terms.release.to_string()),
        ),
        (LABEL_STAGE.to_owned(), label_value(&terms.stage)),
        (
            LABEL_ACTION.to_owned(),
            label_value(&terms.action.to_string()),
        ),
    ]);
    let owner = OwnerReference {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "HotpatchFleet".to_owned(),
        name: fleet_name.to_owned(),
        uid: fleet_uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(false),
    };
    HotpatchRun {
        metadata: ObjectMeta {
            name: Some(run_name(terms)),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels),
            finalizers: Some(vec![FINALIZER.to_owned()]),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: run_spec(terms),
        status: None,
    }
}

/// Returns a name as the value of a label: one that is too long is cut and ends in its hash.
pub fn label_value(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let hash = hash8(name);
    let mut end = NAME_BYTES_MAX - hash.len() - 1;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{hash}", &name[..end])
}

/// Returns the id that a command carries as `x-ms-client-request-id`.
///
/// The same run, machine and try always give the same id (UUID version 5), so that whoever reads
/// the intent finds the command in Azure's Activity Log.
pub fn request_id(run_uid: &str, machine: &MachineId, attempt: u32, refusals: u32) -> RequestId {
    let space = Uuid::new_v5(&Uuid::NAMESPACE_DNS, GROUP.as_bytes());
    let name = format!("{run_uid}\n{machine}\n{attempt}\n{refusals}");
    RequestId(Uuid::new_v5(&space, name.as_bytes()).to_string())
}

#[cfg(test)]
mod tests;
