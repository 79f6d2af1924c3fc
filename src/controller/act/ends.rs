//! Lets runs go: takes the finalizer off those that have ended or are given up, deletes old ones.

use chrono::{DateTime, TimeDelta, Utc};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Client, ResourceExt};
use serde_json::json;

use crate::api::HotpatchRun;
use crate::controller::Shell;
use crate::controller::mirror::version;
use crate::controller::observe::{Mirrors, Observed};
use crate::domain::plan::{Plan, RunKey};
use crate::domain::run::Run;
use crate::record::FINALIZER;

/// How long ended runs are kept; the newest of each release and stage is kept in any case.
const RUNS_KEPT: TimeDelta = TimeDelta::days(120);

fn api(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<HotpatchRun>(&());
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// Lets go of ended runs, and of those that the plan gives up; deletes those that are old enough.
/// Returns the runs that were given up.
pub(super) async fn let_go(
    shell: &Shell,
    mirrors: &Mirrors,
    observed: &Observed,
    plan: &Plan,
) -> Vec<RunKey> {
    for (namespace, domain) in &observed.snapshot.domains {
        let api = api(&shell.kube, namespace);
        for run in domain.runs.values().filter(|run| !run.is_open()) {
            let Some(found) = mirrors.runs.get(namespace, &run.name) else {
                continue;
            };
            let Some(object) = found.object() else {
                continue;
            };
            if object.finalizers().iter().any(|own| own == FINALIZER) {
                let version = object.resource_version();
                unbind(&api, mirrors, &run.name, object.finalizers(), version).await;
            } else if is_old(run, domain.runs.values(), shell.clock.now())
                && let Err(error) = api.delete(&run.name, &DeleteParams::default()).await
            {
                tracing::info!(run = %run.name, %error, "an old run could not be deleted");
            }
        }
    }
    let mut abandoned = Vec::new();
    for key in &plan.abandoned {
        if abandon(shell, mirrors, key).await {
            abandoned.push(key.clone());
        }
    }
    abandoned
}

/// Takes our finalizer off; tells whether it is off.
async fn unbind(
    api: &Api<DynamicObject>,
    mirrors: &Mirrors,
    name: &str,
    finalizers: &[String],
    resource_version: Option<String>,
) -> bool {
    let kept: Vec<&String> = finalizers.iter().filter(|own| *own != FINALIZER).collect();
    let patch = json!({"metadata": {
        "finalizers": kept, "resourceVersion": resource_version,
    }});
    let patch = Patch::Merge(&patch);
    match api.patch(name, &PatchParams::default(), &patch).await {
        Ok(stored) => {
            mirrors
                .runs
                .wrote_version(version(stored.resource_version()));
            true
        }
        Err(error) => {
            tracing::info!(run = %name, %error, "finalizer kept");
            false
        }
    }
}

/// Lets go of a run that cannot be understood, if it is being deleted still. It is read as it is
/// stored: it may not even be readable as a run.
async fn abandon(shell: &Shell, mirrors: &Mirrors, key: &RunKey) -> bool {
    let api = api(&shell.kube, &key.namespace);
    let Ok(object) = api.get(&key.name).await else {
        return false;
    };
    let is_ours = object.finalizers().iter().any(|own| own == FINALIZER);
    if object.metadata.deletion_timestamp.is_none() || !is_ours {
        return false;
    }
    tracing::warn!(run = %key, "deleted, and what it did cannot be understood: it is let go of");
    let version = object.resource_version();
    unbind(&api, mirrors, &key.name, object.finalizers(), version).await
}

/// Tells whether an ended run may be deleted: old, and not the newest of its release and stage.
fn is_old<'a>(run: &Run, mut all: impl Iterator<Item = &'a Run>, now: DateTime<Utc>) -> bool {
    let is_newest = !all.any(|other| {
        other.terms.fleet_uid == run.terms.fleet_uid
            && other.terms.release == run.terms.release
            && other.terms.stage == run.terms.stage
            && other.terms.ordinal > run.terms.ordinal
    });
    !is_newest && now - run.created_at >= RUNS_KEPT
}
