//! Puts the question of [`Recheck`] for each command, with the world as it is known at that
//! instant: the newest declarations and runs, the intents of this pass, and what the last looks
//! found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::last_word::LastWord;
use super::runs::Work;
use crate::controller::mirror::version;
use crate::controller::observe::{Mirrors, Observed, hold};
use crate::domain::machine::MachineId;
use crate::domain::plan::{Note, Plan, Recheck, RunKey};
use crate::domain::run::Run;
use crate::domain::snapshot::Domain;
use crate::validate::{self, Declared, Found};

/// The questions of one pass. What is known is gathered anew only when something changed.
pub(super) struct Asking<'a> {
    mirrors: &'a Mirrors,
    pub(super) observed: &'a Observed,
    plan: &'a Plan,
    down: BTreeSet<(String, MachineId)>,
    /// How often something had changed when the answers were gathered.
    changes: u64,
    words: BTreeMap<String, LastWord>,
    gathered: BTreeMap<String, Result<Questions<'a>, Note>>,
}

/// The question by the views of this pass and, where that says something else, by the last word.
struct Questions<'a> {
    by_views: Recheck<'a>,
    by_word: Option<Recheck<'a>>,
}

impl Questions<'_> {
    /// Asks both; returns the earlier end.
    fn ask(
        &mut self,
        run: &str,
        machine: &MachineId,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Note> {
        let until = self.by_views.ask(run, machine, now)?;
        match &mut self.by_word {
            Some(word) => Ok(word.ask(run, machine, now)?.min(until)),
            None => Ok(until),
        }
    }
}

impl<'a> Asking<'a> {
    /// Begins; `down` are machines that the looks of this pass found unavailable, `words` what is
    /// declared by the API server itself.
    pub(super) fn new(
        mirrors: &'a Mirrors,
        observed: &'a Observed,
        plan: &'a Plan,
        down: BTreeSet<(String, MachineId)>,
        words: BTreeMap<String, LastWord>,
    ) -> Self {
        Self {
            mirrors,
            observed,
            plan,
            down,
            changes: observed.changes,
            words,
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
        let newest = work.get(key).and_then(|own| newest(self.mirrors, key, own));
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
            Some(Ok(questions)) => questions.ask(&key.name, machine, now),
            Some(Err(why)) => Err(why.clone()),
            None => Err(unread()),
        }
    }

    fn gather(
        &self,
        namespace: &str,
        work: &BTreeMap<RunKey, Work>,
        now: DateTime<Utc>,
    ) -> Result<Questions<'a>, Note> {
        let by_views = self.by_views(namespace, work, now).ok_or_else(unread)?;
        let by_word = match self.words.get(namespace) {
            None | Some(LastWord::Known) => None,
            Some(LastWord::News(declared)) => {
                let mut declared = declared.as_ref().clone();
                declared.runs = self.mirrors.declared(namespace).runs;
                let found = self.of_news(namespace, declared, work, now);
                Some(found.ok_or_else(unread)?)
            }
            Some(LastWord::UnseenRun(run)) => {
                return Err(Note {
                    reason: "NotSent".to_owned(),
                    message: format!("run {run} changed, and the watch does not show it yet"),
                });
            }
            Some(LastWord::Unread(error)) => {
                return Err(Note {
                    reason: "NotSent".to_owned(),
                    message: format!("what is declared could not be read just before: {error}"),
                });
            }
        };
        Ok(Questions { by_views, by_word })
    }

    fn by_views(
        &self,
        namespace: &str,
        work: &BTreeMap<RunKey, Work>,
        now: DateTime<Utc>,
    ) -> Option<Recheck<'a>> {
        if self.changes == self.observed.changes {
            let planned = self.observed.snapshot.domains.get(namespace)?;
            let mut domain = planned.clone();
            let own = work.iter().filter(|(key, _)| key.namespace == namespace);
            let runs = own.map(|(key, own)| (key.name.clone(), own.run.clone()));
            domain.runs.extend(runs);
            let outlooks = &self.plan.outlooks;
            let down = self.found_down(namespace);
            return Some(Recheck::of_plan(domain, outlooks, &down, now));
        }
        self.of_news(namespace, self.mirrors.declared(namespace), work, now)
    }

    fn found_down(&self, namespace: &str) -> BTreeSet<MachineId> {
        let own = self.down.iter().filter(|(own, _)| own == namespace);
        own.map(|(_, id)| id.clone()).collect()
    }

    /// Judges a namespace anew by what is declared.
    fn of_news(
        &self,
        namespace: &str,
        declared: Declared,
        work: &BTreeMap<RunKey, Work>,
        now: DateTime<Utc>,
    ) -> Option<Recheck<'a>> {
        let planned = self.observed.snapshot.domains.get(namespace)?;
        let mut snapshot = self.observed.snapshot.clone();
        let domain = self.domain(namespace, planned, declared, work, now);
        snapshot.domains.insert(namespace.to_owned(), domain);
        Recheck::of_news(&snapshot, namespace, &self.found_down(namespace), now)
    }

    /// Returns a domain as it is declared and run by now, with the machines as the pass read them.
    fn domain(
        &self,
        namespace: &str,
        planned: &Domain,
        mut declared: Declared,
        work: &BTreeMap<RunKey, Work>,
        now: DateTime<Utc>,
    ) -> Domain {
        if let Some(known) = self.observed.declared.get(namespace) {
            declared.machine_names.clone_from(&known.machine_names);
        }
        let (runs, broken) = self.mirrors.readings.read_all(namespace, &declared);
        let mut domain = planned.clone();
        domain.fleets = validate::fleets(&declared, now);
        domain.runs = runs;
        hold(&mut domain, broken);
        for (key, own) in work.iter().filter(|(key, _)| key.namespace == namespace) {
            match newest(self.mirrors, key, own) {
                Some(run) => {
                    let mut run = Arc::unwrap_or_clone(run);
                    run.progress.clone_from(&own.run.progress);
                    domain.runs.insert(key.name.clone(), run);
                }
                None => domain.runs.remove(&key.name),
            }
        }
        domain
    }
}

fn unread() -> Note {
    Note {
        reason: "InventoryStale".to_owned(),
        message: "the namespace cannot be read".to_owned(),
    }
}

/// Returns a run as the newest of its views shows it. None if it is gone or cannot be read. The
/// steps that this pass gave its machines are the pass's own: nobody else writes those while we
/// lead.
fn newest(mirrors: &Mirrors, key: &RunKey, work: &Work) -> Option<Arc<Run>> {
    let Some(Found::Object(seen)) = mirrors.runs.get(&key.namespace, &key.name) else {
        return None;
    };
    let newer = match work.object() {
        Some(own) if version(own.resource_version()) > version(seen.resource_version()) => own,
        _ => &seen,
    };
    let run = mirrors.readings.read(newer).ok();
    run.filter(|run| run.uid == work.run.uid)
}
