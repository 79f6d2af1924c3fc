//! Writes runs: their progress, their announcement, their end.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::Deeds;
use crate::api::HotpatchRun;
use crate::controller::Shell;
use crate::controller::observe::{Mirrors, Observed};
use crate::domain::command::Command;
use crate::domain::machine::MachineId;
use crate::domain::plan::{Plan, RunKey};
use crate::domain::run::{Progress, Run, Step};
use crate::record::{FINALIZER, run_name, run_object, run_status};
use crate::validate::{self, Found};

/// How often the outcome of commands is written again after a conflict.
const RECORD_TRIES_MAX: usize = 5;

/// How long ended runs are kept; the newest of each release and stage is kept in any case.
const RUNS_KEPT: TimeDelta = TimeDelta::days(120);

/// One run during a pass.
pub(super) struct Work {
    /// As it stood.
    before: Run,
    /// As it will stand.
    pub(super) run: Run,
    /// The object that the next write replaces.
    object: Option<Arc<HotpatchRun>>,
    /// Commands that the plan allows.
    pub(super) planned: Vec<(MachineId, Command)>,
    /// Those that the last look left, with when that was.
    pub(super) cleared: Vec<(MachineId, Command, DateTime<Utc>)>,
    /// What is stored.
    stored: Run,
}

impl Work {
    /// Tells whether it stands otherwise than it is stored.
    pub(super) fn is_touched(&self) -> bool {
        self.run != self.stored
    }

    /// Returns the run before and after, if the pass changed what is stored.
    pub(super) fn changed(self) -> Option<(Run, Run)> {
        (self.stored != self.before).then_some((self.before, self.stored))
    }

    /// Returns the object that the next write replaces.
    pub(super) fn object(&self) -> Option<&Arc<HotpatchRun>> {
        self.object.as_ref()
    }

    /// Puts a machine at another step.
    pub(super) fn set(&mut self, machine: &MachineId, progress: Progress) {
        self.run.progress.insert(machine.clone(), progress);
    }
}

/// Gathers what a plan does to each run.
pub(super) fn gather(observed: &Observed, plan: &Plan) -> BTreeMap<RunKey, Work> {
    let mut work = BTreeMap::new();
    let keys = plan
        .moves
        .iter()
        .map(|own| &own.run)
        .chain(plan.sends.iter().map(|own| &own.run))
        .chain(plan.ends.keys());
    for key in keys {
        if work.contains_key(key) {
            continue;
        }
        let Some(run) = observed
            .snapshot
            .domains
            .get(&key.namespace)
            .and_then(|domain| domain.runs.get(&key.name))
        else {
            continue;
        };
        let object = observed.declared.get(&key.namespace).and_then(|declared| {
            declared
                .runs
                .iter()
                .filter_map(Found::object)
                .find(|object| object.name_any() == key.name)
                .cloned()
        });
        work.insert(
            key.clone(),
            Work {
                before: run.clone(),
                run: run.clone(),
                stored: run.clone(),
                object,
                planned: Vec::new(),
                cleared: Vec::new(),
            },
        );
    }
    for own in &plan.moves {
        if let Some(work) = work.get_mut(&own.run) {
            work.set(&own.machine, own.progress.clone());
        }
    }
    for (key, end) in &plan.ends {
        if let Some(work) = work.get_mut(key) {
            work.run.end = Some(*end);
        }
    }
    for own in &plan.sends {
        if let Some(work) = work.get_mut(&own.run) {
            work.planned.push((own.machine.clone(), own.command));
        }
    }
    work
}

fn api(client: &Client, namespace: &str) -> Api<HotpatchRun> {
    Api::namespaced(client.clone(), namespace)
}

/// Writes a run's status by compare-and-swap against the object that the pass was planned from.
/// Tells whether it stands now; where it does not, nothing of it may be sent.
pub(super) async fn write(
    shell: &Shell,
    mirrors: &Mirrors,
    epoch: i64,
    work: &mut Work,
    deeds: &mut Deeds,
) -> bool {
    if !work.is_touched() {
        return true;
    }
    let Some(object) = &work.object else {
        return false;
    };
    if work.run.epoch > epoch {
        tracing::warn!(run = %work.run.name, "a later leader owns the run: it is left alone");
        return false;
    }
    work.run.epoch = epoch;
    let now = shell.clock.now();
    let mut wanted = HotpatchRun::clone(object);
    wanted.status = Some(run_status(object.status.as_ref(), &work.run, now));
    let api = api(&shell.kube, &work.run.fleet.namespace);
    match api
        .replace_status(&work.run.name, &PostParams::default(), &wanted)
        .await
    {
        Ok(stored) => {
            mirrors.runs.wrote(&stored);
            work.object = Some(Arc::new(stored));
            work.stored = work.run.clone();
            deeds.follow_up = true;
            true
        }
        Err(error) => {
            tracing::warn!(run = %work.run.name, %error, "the run's status could not be written");
            work.run = work.stored.clone();
            work.cleared.clear();
            deeds.follow_up = true;
            false
        }
    }
}

/// Writes what became of commands that were sent. What another writer changed meanwhile stands;
/// only the machines whose intent is ours are written over it.
pub(super) async fn record(
    shell: &Shell,
    mirrors: &Mirrors,
    epoch: i64,
    work: &mut Work,
    deeds: &mut Deeds,
) {
    let outcomes: Vec<(MachineId, Progress)> = work
        .run
        .progress
        .iter()
        .filter(|(id, progress)| work.stored.progress.get(*id) != Some(*progress))
        .map(|(id, progress)| (id.clone(), progress.clone()))
        .collect();
    for _ in 0..RECORD_TRIES_MAX {
        if write(shell, mirrors, epoch, work, deeds).await {
            return;
        }
        let api = api(&shell.kube, &work.before.fleet.namespace);
        let Ok(found) = api.get(&work.before.name).await else {
            continue;
        };
        let Ok(stored) = validate::run(&found) else {
            return;
        };
        work.object = Some(Arc::new(found));
        work.stored = stored.clone();
        work.run = stored;
        for (id, outcome) in &outcomes {
            let ours = work.run.progress.get(id).is_some_and(|own| {
                own.step == Step::Starting
                    && (own.request == outcome.request || outcome.request.is_none())
            });
            if ours {
                work.set(id, outcome.clone());
            }
        }
    }
    tracing::error!(
        run = %work.before.name,
        "the outcome of commands could not be recorded; the next pass looks for evidence"
    );
}

/// Announces runs. A run of the same name that exists already is ours if it says the same;
/// otherwise the next pass plans anew.
pub(super) async fn announce(shell: &Shell, mirrors: &Mirrors, plan: &Plan, deeds: &mut Deeds) {
    for draft in &plan.drafts {
        let namespace = &draft.fleet.namespace;
        let object = run_object(
            namespace,
            &draft.fleet.name,
            &draft.terms.fleet_uid,
            &draft.terms,
            &BTreeMap::new(),
        );
        let made = api(&shell.kube, namespace)
            .create(&PostParams::default(), &object)
            .await;
        deeds.follow_up = true;
        match made {
            Ok(stored) => {
                mirrors.runs.wrote(&stored);
                if let Ok(run) = validate::run(&stored) {
                    tracing::info!(
                        run = %run.name,
                        machines = run.terms.machines.len(),
                        "run announced"
                    );
                    deeds.announced.push(run);
                }
            }
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                tracing::info!(run = %run_name(&draft.terms), "the run exists already");
            }
            Err(error) => {
                tracing::warn!(run = %run_name(&draft.terms), %error, "no run could be announced");
            }
        }
    }
}

/// Lets go of ended runs: takes our finalizer off, and deletes those that are old enough.
pub(super) async fn let_go(shell: &Shell, mirrors: &Mirrors, observed: &Observed) {
    for (namespace, domain) in &observed.snapshot.domains {
        let api = api(&shell.kube, namespace);
        for run in domain.runs.values().filter(|run| !run.is_open()) {
            let Some(Found::Object(object)) = mirrors.runs.get(namespace, &run.name) else {
                continue;
            };
            if object.finalizers().iter().any(|own| own == FINALIZER) {
                let kept: Vec<&String> = object
                    .finalizers()
                    .iter()
                    .filter(|own| *own != FINALIZER)
                    .collect();
                let patch = json!({"metadata": {
                    "finalizers": kept, "resourceVersion": object.resource_version(),
                }});
                let patch = Patch::Merge(&patch);
                match api.patch(&run.name, &PatchParams::default(), &patch).await {
                    Ok(stored) => mirrors.runs.wrote(&stored),
                    Err(error) => tracing::info!(run = %run.name, %error, "finalizer kept"),
                }
            } else if is_old(run, domain.runs.values(), shell.clock.now())
                && let Err(error) = api.delete(&run.name, &DeleteParams::default()).await
            {
                tracing::info!(run = %run.name, %error, "an old run could not be deleted");
            }
        }
    }
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

/// Reads every open run from the API server, past all caches, as a new leader must.
///
/// # Errors
/// The API server's.
pub async fn fence(client: &Client) -> Result<Vec<HotpatchRun>, kube::Error> {
    let guarded: Api<kube::core::DeserializeGuard<HotpatchRun>> = Api::all(client.clone());
    let found = guarded.list(&ListParams::default()).await?;
    Ok(found
        .items
        .into_iter()
        .filter_map(|own| own.0.ok())
        .collect())
}

/// Takes over the open runs: writes the leader's epoch into each by compare-and-swap, so that a
/// write by an earlier leader meets a conflict.
///
/// # Errors
/// The first write that fails: the new leader must read and try again.
pub async fn raise_epochs(
    shell: &Shell,
    mirrors: &Mirrors,
    found: Vec<HotpatchRun>,
    epoch: i64,
) -> Result<(), kube::Error> {
    for object in found {
        let Ok(mut run) = validate::run(&object) else {
            continue;
        };
        if !run.is_open() || run.epoch == epoch {
            continue;
        }
        run.epoch = epoch;
        let mut wanted = object.clone();
        wanted.status = Some(run_status(object.status.as_ref(), &run, shell.clock.now()));
        let api = api(&shell.kube, &run.fleet.namespace);
        let stored = api
            .replace_status(&run.name, &PostParams::default(), &wanted)
            .await?;
        mirrors.runs.wrote(&stored);
    }
    Ok(())
}
