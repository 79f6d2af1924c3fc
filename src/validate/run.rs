//! Reads runs: what one froze, and where its machines stand. What is not understood holds its
//! machine or its run; nothing is ever read as less than it may be.

mod entry;
mod machine;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Declared, Found, created_at};
use crate::api::HotpatchRun;
use crate::api::policy::FailureScope;
use crate::api::run as api;
use crate::api::time;
use crate::domain::due::{Action, Cause};
use crate::domain::fleet::FleetKey;
use crate::domain::machine::MachineId;
use crate::domain::policy::{Estimates, HealthRule, RunGate};
use crate::domain::release::ReleaseId;
use crate::domain::run::{FrozenLimit, Run, RunEnd, RunWindow, Runs, Terms};
use crate::record::{ANNOTATION_LOGGED, digest, words};

/// A run of which not even the terms can be made.
///
/// Which machines it works on may not be known: until it is gone, nothing new may be commanded in
/// its namespace. Plan the namespace with its inventory as unreadable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedRun {
    /// Its name.
    pub name: String,
    /// Its uid, where it is known.
    pub uid: Option<String>,
    /// The machines that it names, as far as they could be read; empty if nothing could.
    pub machines: Vec<MachineId>,
    /// Since when it is being deleted, if it is.
    pub deleted_at: Option<DateTime<Utc>>,
    /// What is not understood, for people.
    pub why: String,
}

/// Reads the runs of a namespace, by name, and those that cannot be read at all; among these also
/// once more a run whose log names machines that it cannot be asked about.
///
/// `read` reads one run, as [`run`] does.
pub fn runs(
    declared: &Declared,
    mut read: impl FnMut(&Arc<HotpatchRun>) -> Result<Arc<Run>, QuarantinedRun>,
) -> (Runs, Vec<QuarantinedRun>) {
    let mut runs = Runs::new();
    let mut broken = Vec::new();
    for found in &declared.runs {
        let read = match found {
            Found::Object(object) => read(object),
            Found::Unreadable {
                name,
                uid,
                deleted_at,
                why,
                ..
            } => Err(QuarantinedRun {
                deleted_at: *deleted_at,
                name: name.clone(),
                uid: uid.clone(),
                machines: Vec::new(),
                why: format!("the run cannot be read: {why}"),
            }),
        };
        match read {
            Ok(run) => {
                broken.extend(found.object().and_then(|own| strays(own, &run)));
                runs.insert(run.name.clone(), run);
            }
            Err(run) => broken.push(run),
        }
    }
    broken.sort_by(|a, b| a.name.cmp(&b.name));
    (runs, broken)
}

/// Returns the machines that the log of a run names and its spec does not: one of both is damaged,
/// and something may have been commanded on them.
fn strays(object: &HotpatchRun, run: &Run) -> Option<QuarantinedRun> {
    let entries = object.status.iter().flat_map(|own| &own.machines);
    let strays: Vec<MachineId> = entries
        .filter_map(|own| MachineId::parse(&own.id).ok())
        .filter(|id| !run.terms.machines.contains_key(id))
        .collect();
    (run.is_open() && !strays.is_empty()).then(|| QuarantinedRun {
        name: run.name.clone(),
        uid: Some(run.uid.clone()),
        machines: strays,
        deleted_at: run.deleted_at,
        why: "its log names a machine that its spec does not".to_owned(),
    })
}

/// What is not understood about a run, the first thing first.
#[derive(Default)]
struct Doubts(Vec<String>);

impl Doubts {
    fn add(&mut self, doubt: impl Into<String>) {
        self.0.push(doubt.into());
    }

    fn check(&mut self, is_right: bool, doubt: impl FnOnce() -> String) {
        if !is_right {
            self.0.push(doubt());
        }
    }
}

/// Doubts told in one message.
const TOLD_MAX: usize = 4;

/// Reads a run.
///
/// Guarantees: every machine of the terms has a progress, and no other; a machine is Planned only
/// if the run says so, or if no status was ever written; a run or machine with anything that is
/// not understood is quarantined or held.
///
/// # Errors
/// Where the release or the object's own name and uid cannot be read.
pub fn run(object: &HotpatchRun) -> Result<Run, QuarantinedRun> {
    let (spec, meta) = (&object.spec, &object.metadata);
    let name = meta.name.clone().unwrap_or_default();
    let broken = |why: String| QuarantinedRun {
        name: name.clone(),
        uid: meta.uid.clone(),
        machines: spec
            .machines
            .iter()
            .filter_map(|own| MachineId::parse(&own.id).ok())
            .collect(),
        deleted_at: deleted_at(meta),
        why,
    };
    let uid = meta
        .uid
        .clone()
        .filter(|uid| !uid.is_empty() && !name.is_empty());
    let uid = uid.ok_or_else(|| broken("the run has no name or uid".to_owned()))?;
    let release: ReleaseId = spec
        .release
        .parse()
        .map_err(|error| broken(format!("spec.release: {error}")))?;
    let mut doubts = Doubts::default();
    doubts.check(digest(spec) == spec.digest, || {
        crate::record::DIGEST_MISMATCH.to_owned()
    });
    let terms = terms(object, release, &mut doubts);
    let status = object.status.clone().unwrap_or_default();
    let created_at = created_at(meta);
    let is_logged = meta
        .annotations
        .as_ref()
        .is_some_and(|own| own.contains_key(ANNOTATION_LOGGED));
    let progress = entry::progress(&status, is_logged, &terms, created_at, &mut doubts);
    let end = end(&status, &progress, &mut doubts);
    for field in status.not_understood.keys() {
        doubts.add(format!("status.{field} is not understood"));
    }
    doubts.check(status.epoch >= 0, || {
        format!("status.epoch {} is below 0", status.epoch)
    });
    let gates_open = gates_open(&status, &terms);
    let told: Vec<String> = doubts.0.into_iter().take(TOLD_MAX).collect();
    Ok(Run {
        fleet: FleetKey {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: terms.fleet.clone(),
        },
        name,
        uid,
        created_at,
        terms: Arc::new(terms),
        progress,
        end,
        deleted_at: deleted_at(meta),
        orphaned: orphaned(&status),
        gates_open,
        epoch: status.epoch,
        quarantined: (!told.is_empty()).then(|| told.join("; ")),
    })
}

/// Returns the gates of a run that others opened.
fn gates_open(status: &api::HotpatchRunStatus, terms: &Terms) -> BTreeSet<String> {
    let is_gate = |name: &String| terms.gates.iter().any(|gate| gate.condition == *name);
    let open = status.conditions.iter().filter(|own| own.status == "True");
    open.map(|own| own.type_.clone()).filter(is_gate).collect()
}

fn deleted_at(meta: &ObjectMeta) -> Option<DateTime<Utc>> {
    meta.deletion_timestamp.as_ref().map(|at| {
        // A time that cannot be read is no reason to keep it for ever.
        time::from_k8s(at).unwrap_or(DateTime::UNIX_EPOCH)
    })
}

fn orphaned(status: &api::HotpatchRunStatus) -> Option<String> {
    let mut conditions = status.conditions.iter();
    conditions
        .find(|own| own.type_ == "Orphaned" && own.status == "True")
        .map(|own| own.message.clone())
}

/// Tells how a run ended. One that is called complete while a machine is not done with is none.
fn end(
    status: &api::HotpatchRunStatus,
    progress: &BTreeMap<MachineId, crate::domain::run::Progress>,
    doubts: &mut Doubts,
) -> Option<RunEnd> {
    let complete = status
        .conditions
        .iter()
        .find(|own| own.type_ == "Complete")?;
    if complete.status != "True" {
        return None;
    }
    let end = Run::conclusion(progress);
    doubts.check(end.is_some(), || {
        "it is called complete while a machine of it is not done with".to_owned()
    });
    end
}

fn terms(object: &HotpatchRun, release: ReleaseId, doubts: &mut Doubts) -> Terms {
    let spec = &object.spec;
    doubts.check(spec.track == release.track().to_string(), || {
        format!(
            "spec.track {:?} is not that of release {release}",
            spec.track
        )
    });
    doubts.check(spec.ordinal > 0, || "spec.ordinal is 0".to_owned());
    let mut kbs = BTreeSet::new();
    for kb in &spec.allowed_kbs {
        match kb.parse() {
            Ok(kb) => {
                kbs.insert(kb);
            }
            Err(error) => doubts.add(format!("spec.allowedKbs: {error}")),
        }
    }
    let mut limits = Vec::with_capacity(spec.limits.len());
    for limit in &spec.limits {
        match words::limit_key_of(&limit.scope, &limit.key, &spec.fleet_name) {
            Some(key) => limits.push(FrozenLimit {
                key,
                max: limit.max_unavailable,
            }),
            None => doubts.add(format!("spec.limits: scope {:?} is not known", limit.scope)),
        }
    }
    doubts.check(spec.max_patch_publish_date.is_some(), || {
        "spec.maxPatchPublishDate is missing".to_owned()
    });
    Terms {
        fleet: spec.fleet_name.clone(),
        fleet_uid: spec.fleet_uid.clone(),
        service_account: spec.service_account_name.clone(),
        release,
        kbs,
        published_until: spec.max_patch_publish_date.unwrap_or(release.date()),
        action: action(spec.action, doubts),
        cause: words::cause_of(&spec.cause).unwrap_or_else(|| {
            doubts.add(format!("spec.cause {:?} is not known", spec.cause));
            Cause::Planned
        }),
        stage: spec.stage.clone(),
        ordinal: spec.ordinal,
        window: window(object, doubts),
        limits,
        spread: words::spread(&spec.spread),
        health: HealthRule {
            settle: seconds(spec.health.settle_seconds),
            unknown_after: seconds(spec.health.unknown_after_seconds),
        },
        retries: spec.failures.retries,
        max_failed: spec.failures.max,
        failed_per_release: spec.failures.per == Some(FailureScope::Release),
        gates: spec
            .run_gates
            .iter()
            .map(|gate| RunGate {
                condition: gate.condition_type.clone(),
                announce_before: seconds(gate.announce_before_seconds),
            })
            .collect(),
        estimates: Estimates {
            baseline: seconds(spec.estimates.baseline_seconds),
            reserve: seconds(spec.estimates.reserve_seconds),
        },
        machines: machine::machines(spec, doubts),
    }
}

fn seconds(seconds: u32) -> TimeDelta {
    TimeDelta::seconds(i64::from(seconds))
}

/// Reads the action; one that this version does not do counts as the more disruptive one.
fn action(action: api::RunAction, doubts: &mut Doubts) -> Action {
    match action {
        api::RunAction::Hotpatch => Action::Hotpatch,
        api::RunAction::Baseline => Action::Baseline,
        api::RunAction::Restart | api::RunAction::Rollback => {
            doubts.add(format!(
                "spec.action {action:?} is not done by this version"
            ));
            Action::Baseline
        }
    }
}

/// Reads the window; one that is missing is empty, at the time of the run's creation.
fn window(object: &HotpatchRun, doubts: &mut Doubts) -> RunWindow {
    match &object.spec.window {
        Some(window) => {
            doubts.check(window.start <= window.end, || {
                "spec.window ends before it begins".to_owned()
            });
            RunWindow {
                name: window.name.clone(),
                start: window.start,
                end: window.end,
            }
        }
        None => {
            doubts.add("spec.window is missing");
            let at = created_at(&object.metadata);
            RunWindow {
                name: String::new(),
                start: at,
                end: at,
            }
        }
    }
}
