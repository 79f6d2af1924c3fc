//! Writes runs: their progress, their announcement, their end.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use kube::api::{Api, Patch, PatchParams, PostParams};
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
use crate::planted::{self, Bug};
use crate::record::{ANNOTATION_LOGGED, FINALIZER, run_name, run_object, run_status};
use crate::validate::{self, Found};

/// How often the outcome of commands is written again after a conflict.
const RECORD_TRIES_MAX: usize = 5;

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
        .chain(plan.ends.keys())
        .chain(plan.orphaned.keys());
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
    for (key, orphaned) in &plan.orphaned {
        if let Some(work) = work.get_mut(key) {
            work.run.orphaned.clone_from(orphaned);
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
    if !work.is_touched() || (planted::is(Bug::DropIntent) && !work.cleared.is_empty()) {
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
    let mut object = Arc::clone(object);
    let intends = work
        .run
        .progress
        .values()
        .any(|own| own.step == Step::Starting);
    let written = match intends && !is_logged(&object) {
        true => mark(shell, mirrors, &work.stored, epoch, object.as_ref()).await,
        false => Ok(None),
    };
    let written = match written {
        Ok(marked) => {
            object = marked.map_or(object, Arc::new);
            put(shell, mirrors, &object, &work.run).await
        }
        Err(error) => Err(error),
    };
    match written {
        Ok(stored) => {
            work.object = Some(Arc::new(stored));
            work.stored = work.run.clone();
            deeds.moved = true;
            true
        }
        Err(error) => {
            tracing::warn!(run = %work.run.name, %error, "the run's status could not be written");
            work.run = work.stored.clone();
            work.cleared.clear();
            deeds.failed(&error);
            false
        }
    }
}

/// Writes the status of a run over an object.
async fn put(
    shell: &Shell,
    mirrors: &Mirrors,
    object: &HotpatchRun,
    run: &Run,
) -> Result<HotpatchRun, kube::Error> {
    let mut wanted = object.clone();
    wanted.status = Some(run_status(object.status.as_ref(), run, shell.clock.now()));
    let api = api(&shell.kube, &run.fleet.namespace);
    wanted.metadata.resource_version = match planted::is(Bug::WriteBlind) {
        false => object.resource_version(),
        true => api.get(&run.name).await?.resource_version(),
    };
    let params = PostParams::default();
    let stored = api.replace_status(&run.name, &params, &wanted).await?;
    mirrors.runs.wrote(&stored);
    Ok(stored)
}

fn is_logged(object: &HotpatchRun) -> bool {
    object.annotations().contains_key(ANNOTATION_LOGGED)
}

/// Marks a run whose first intent is about to be written: first the log as it stands, without the
/// intent, then the mark. So a mark without a log always means that the log was lost, wherever the
/// process died in between.
async fn mark(
    shell: &Shell,
    mirrors: &Mirrors,
    stored: &Run,
    epoch: i64,
    object: &HotpatchRun,
) -> Result<Option<HotpatchRun>, kube::Error> {
    let mut run = stored.clone();
    run.epoch = epoch;
    let logged = put(shell, mirrors, object, &run).await?;
    let mut finalizers = logged.finalizers().to_vec();
    if !finalizers.iter().any(|own| own == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
    }
    let patch = json!({"metadata": {
        "annotations": {ANNOTATION_LOGGED: "true"},
        "finalizers": finalizers,
        "resourceVersion": logged.resource_version(),
    }});
    let api = api(&shell.kube, &run.fleet.namespace);
    let patch = Patch::Merge(&patch);
    let marked = api
        .patch(&run.name, &PatchParams::default(), &patch)
        .await?;
    mirrors.runs.wrote(&marked);
    Ok(Some(marked))
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
    let changed = work.run.progress.iter();
    let outcomes: Vec<(MachineId, Progress, Progress)> = changed
        .filter_map(|(id, progress)| {
            let intent = work.stored.progress.get(id)?;
            (intent != progress).then(|| (id.clone(), intent.clone(), progress.clone()))
        })
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
        for (id, intent, outcome) in &outcomes {
            let found = work.run.progress.get(id);
            let ours = |own: &Progress| own.step == Step::Starting && own.request == intent.request;
            if found.is_some_and(ours) {
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
        match made {
            Ok(stored) => {
                deeds.follow_up = true;
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
                deeds.refused = true;
                tracing::info!(run = %run_name(&draft.terms), "the run exists already");
            }
            // A namespace that is being deleted refuses whatever is new (403 NamespaceTerminating).
            Err(error) => {
                deeds.failed(&error);
                tracing::warn!(run = %run_name(&draft.terms), %error, "no run could be announced");
            }
        }
    }
}
