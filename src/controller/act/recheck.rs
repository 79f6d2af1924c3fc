//! Puts the question of [`Recheck`] for each command, with the world as it is known at that
//! instant: the newest declarations and runs, the intents of this pass, and what the last looks
//! found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::runs::Work;
use crate::controller::mirror::version;
use crate::controller::observe::{Mirrors, Observed, hold};
use crate::domain::machine::MachineId;
use crate::domain::plan::{Note, Plan, Recheck, RunKey};
use crate::domain::run::Run;
use crate::domain::snapshot::Domain;
use crate::validate::{self, Found};

/// The questions of one pass. What is known is gathered anew only when something changed.
pub(super) struct Asking<'a> {
    mirrors: &'a Mirrors,
    pub(super) observed: &'a Observed,
    plan: &'a Plan,
    down: BTreeSet<(String, MachineId)>,
    /// How often something had changed when the answers were gathered.
    changes: u64,
    gathered: BTreeMap<String, Option<Recheck<'a>>>,
}

impl<'a> Asking<'a> {
    /// Begins; `down` are machines that the looks of this pass found unavailable.
    pub(super) fn new(
        mirrors: &'a Mirrors,
        observed: &'a Observed,
        plan: &'a Plan,
        down: BTreeSet<(String, MachineId)>,
    ) -> Self {
        Self {
            mirrors,
            observed,
            plan,
            down,
            changes: observed.changes,
            gathered: BTreeMap::new(),
        }
    }

    /// Asks whether the command of an intent may be sent now; returns until when it must be done.
    pub(super) fn ask(
        &mut self,
        work: &BTreeMap<RunKey, Work>,
        key: &RunKey,
        machine: &MachineId,
        epoch: i64,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Note> {
        let changes = self.mirrors.changes();
        if changes != self.changes {
            self.changes = changes;
            self.gathered.clear();
        }
        let newest = newest(self.mirrors, key, work.get(key));
        if newest.is_none_or(|run| run.epoch > epoch) {
            return Err(Note {
                reason: "RunGone".to_owned(),
                message: "the run is gone, or a later leader owns it".to_owned(),
            });
        }
        if !self.gathered.contains_key(&key.namespace) {
            let gathered = self.gather(&key.namespace, work, now);
            self.gathered.insert(key.namespace.clone(), gathered);
        }
        match self.gathered.get_mut(&key.namespace) {
            Some(Some(recheck)) => recheck.ask(&key.name, machine, now),
            _ => Err(Note {
                reason: "InventoryStale".to_owned(),
                message: "the namespace cannot be read".to_owned(),
            }),
        }
    }

    fn gather(
        &self,
        namespace: &str,
        work: &BTreeMap<RunKey, Work>,
        now: DateTime<Utc>,
    ) -> Option<Recheck<'a>> {
        let found_down: BTreeSet<MachineId> = self
            .down
            .iter()
            .filter(|(own, _)| own == namespace)
            .map(|(_, id)| id.clone())
            .collect();
        let planned = self.observed.snapshot.domains.get(namespace)?;
        if self.changes == self.observed.changes {
            let mut domain = planned.clone();
            let own = work.iter().filter(|(key, _)| key.namespace == namespace);
            let runs = own.map(|(key, own)| (key.name.clone(), own.run.clone()));
            domain.runs.extend(runs);
            let outlooks = &self.plan.outlooks;
            return Some(Recheck::of_plan(domain, outlooks, &found_down, now));
        }
        let mut snapshot = self.observed.snapshot.clone();
        let domain = self.domain(namespace, planned, work, now);
        snapshot.domains.insert(namespace.to_owned(), domain);
        Recheck::of_news(&snapshot, namespace, &found_down, now)
    }

    /// Returns a domain as it is declared and run by now, with the machines as the pass read them.
    fn domain(
        &self,
        namespace: &str,
        planned: &Domain,
        work: &BTreeMap<RunKey, Work>,
        now: DateTime<Utc>,
    ) -> Domain {
        let mut declared = self.mirrors.declared(namespace);
        if let Some(known) = self.observed.declared.get(namespace) {
            declared.machine_names.clone_from(&known.machine_names);
        }
        let (runs, broken) = validate::runs(&declared);
        let mut domain = planned.clone();
        domain.fleets = validate::fleets(&declared, now);
        domain.runs = runs;
        hold(&mut domain, broken);
        for (key, own) in work.iter().filter(|(key, _)| key.namespace == namespace) {
            match newest(self.mirrors, key, Some(own)) {
                Some(run) => domain.runs.insert(key.name.clone(), run),
                None => domain.runs.remove(&key.name),
            };
        }
        domain
    }
}

/// Returns a run as the newest of its views shows it, with the steps that this pass gave its
/// machines: nobody else writes those while we lead. None if it is gone or cannot be read.
fn newest(mirrors: &Mirrors, key: &RunKey, work: Option<&Work>) -> Option<Run> {
    let work = work?;
    let Some(Found::Object(seen)) = mirrors.runs.get(&key.namespace, &key.name) else {
        return None;
    };
    let written = work.object().map(Arc::clone);
    let newer = match written {
        Some(own) if version(own.resource_version()) > version(seen.resource_version()) => own,
        _ => seen,
    };
    let mut run = validate::run(&newer)
        .ok()
        .filter(|run| run.uid == work.run.uid)?;
    run.progress.clone_from(&work.run.progress);
    Some(run)
}
