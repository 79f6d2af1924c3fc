//! The audit log: a JSON line for each verdict on a machine, because Azure forgets assessments
//! after 7 days and installs after 30 (azure.md §4).

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::domain::run::{Progress, Run, is_held};
use crate::domain::snapshot::Snapshot;
use crate::planted::{self, Bug};

/// Takes audit lines.
pub trait Audit: Send + Sync {
    /// Takes one line. A line that cannot be kept must be reported, and stops nothing.
    fn write(&self, line: &Value);
}

/// Keeps lines in a writer, such as a file or standard output.
pub struct Lines<W>(Mutex<W>);

impl<W: Write + Send> Lines<W> {
    /// Takes the writer.
    pub fn new(writer: W) -> Self {
        Self(Mutex::new(writer))
    }
}

impl<W: Write + Send> Audit for Lines<W> {
    fn write(&self, line: &Value) {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writeln!(writer, "{line}").and_then(|()| writer.flush()) {
            tracing::error!(%error, "an audit line could not be written");
        }
    }
}

/// How long before a leader's last sign of life there may be verdicts without a line: its own, if
/// it died before it wrote them, and those of leaders before it, if it never had a pass.
const UNTOLD_MAX: TimeDelta = TimeDelta::hours(24);

/// Which verdicts have their line, as far as this leader knows. Where an earlier leader may have
/// died before it wrote one, or never heard that its verdict was stored, the line is written
/// again: a verdict has at least one, and its run, machine, word and time tell it apart.
pub struct Told {
    /// Earlier verdicts were told by an earlier leader.
    from: DateTime<Utc>,
    /// Runs as they were when their verdicts were told, by uid.
    runs: BTreeMap<String, Arc<Run>>,
}

impl Told {
    /// Begins for a leader that follows another one, with the last sign of life of that one where
    /// there was any.
    pub fn after(last_sign: Option<DateTime<Utc>>) -> Self {
        Self {
            from: last_sign.map_or(DateTime::UNIX_EPOCH, |at| at - UNTOLD_MAX),
            runs: BTreeMap::new(),
        }
    }

    /// Writes the lines of what is stored and was not told.
    pub fn tell_stored(&mut self, audit: &dyn Audit, snapshot: &Snapshot, now: DateTime<Utc>) {
        let runs = snapshot.domains.values().flat_map(|own| own.runs.all());
        self.tell_all(audit, runs, now);
    }

    /// Writes the lines of what a pass stored: runs before it and after it.
    pub fn tell_changed(&mut self, audit: &dyn Audit, runs: &[(Run, Run)], now: DateTime<Utc>) {
        for (_, run) in runs {
            self.tell(audit, &Arc::new(run.clone()), now);
        }
    }

    /// Writes a line for each machine of these runs that came to a verdict or a hold since they
    /// were told last. These are all runs that there are: others are forgotten.
    fn tell_all<'a>(
        &mut self,
        audit: &dyn Audit,
        runs: impl Iterator<Item = &'a Arc<Run>>,
        now: DateTime<Utc>,
    ) {
        let mut all = BTreeMap::new();
        for run in runs {
            self.tell(audit, run, now);
            all.extend(self.runs.remove_entry(&run.uid));
        }
        self.runs = all;
    }

    /// Writes a line for each machine of a run that came to a verdict or a hold since it was told
    /// last.
    fn tell(&mut self, audit: &dyn Audit, run: &Arc<Run>, now: DateTime<Utc>) {
        let before = self.runs.insert(run.uid.clone(), Arc::clone(run));
        if before.as_ref().is_some_and(|own| Arc::ptr_eq(own, run)) {
            return;
        }
        for (id, progress) in &run.progress {
            let is_told = match &before {
                Some(before) => {
                    before.progress.get(id).map(|own| &own.step) == Some(&progress.step)
                }
                None => progress.since < self.from,
            };
            let is_verdict = progress.step.is_final() || is_held(&progress.step);
            if is_verdict && !is_told && !planted::is(Bug::SkipAudit) {
                audit.write(&line(run, id.as_str(), progress, now));
            }
        }
    }
}

fn line(run: &Run, machine: &str, progress: &Progress, now: DateTime<Utc>) -> Value {
    json!({
        "time": now,
        "fleet": run.fleet.to_string(),
        "run": run.name,
        "release": run.terms.release.to_string(),
        "stage": run.terms.stage,
        "action": run.terms.action.to_string(),
        "machine": machine,
        "verdict": progress.step.word(),
        "reason": progress.reason.as_ref().map(|reason| reason.word()),
        "message": progress.message,
        "attempts": progress.attempts,
        "requestId": progress.request.as_ref().map(ToString::to_string),
        "intentAt": progress.intent_at,
        "endedAt": progress.ended_at,
        "since": progress.since,
    })
}

#[cfg(test)]
mod tests {
    // tests may unwrap
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::domain::run::Step;
    use crate::domain::testkit::{due_vm, fleet, hours, minutes, opens, put, run};

    /// Keeps the words of the lines.
    #[derive(Default)]
    struct Words(Mutex<Vec<String>>);

    impl Words {
        fn taken(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    impl Audit for Words {
        fn write(&self, line: &Value) {
            let name = line["machine"].as_str().unwrap().rsplit('/').next();
            let word = line["verdict"].as_str().unwrap();
            let text = format!("{} {word}", name.unwrap());
            self.0.lock().unwrap().push(text);
        }
    }

    /// A run whose machine `a` came to this step when the window opened; `b` still waits.
    fn at(step: Step) -> Arc<Run> {
        let (a, b) = (due_vm("a").machine(), due_vm("b").machine());
        let mut own = run(&fleet("web"), &[&a, &b]);
        put(&mut own, &a, step, opens());
        Arc::new(own)
    }

    #[test]
    fn each_verdict_and_each_hold_is_told_once() {
        let words = Words::default();
        let mut told = Told::after(None);
        for (step, expected) in [
            (Step::Running, None),
            (Step::Unknown, Some("a Unknown")),
            (Step::Running, None),
            (Step::Succeeded, Some("a Succeeded")),
        ] {
            let run = at(step);
            told.tell(&words, &run, opens());
            assert_eq!(words.taken(), Vec::from_iter(expected));
            told.tell(&words, &run, opens());
            told.tell_all(&words, std::iter::once(&run), opens());
            told.tell_all(&words, std::iter::once(&Arc::new((*run).clone())), opens());
            assert_eq!(words.taken(), [""; 0], "once");
        }
    }

    #[test]
    fn an_heir_tells_what_its_predecessor_may_not_have_told() {
        let words = Words::default();
        let run = at(Step::Failed);
        let rows = [
            (None, 1),
            (Some(opens() - hours(8)), 1),
            (Some(opens() + UNTOLD_MAX), 1),
            (Some(opens() + UNTOLD_MAX + minutes(1)), 0),
        ];
        for (last_sign, lines) in rows {
            let mut told = Told::after(last_sign);
            told.tell_all(&words, std::iter::once(&run), opens() + hours(30));
            assert_eq!(words.taken().len(), lines, "{last_sign:?}");
        }
    }

    #[test]
    fn a_run_that_is_gone_is_forgotten() {
        let words = Words::default();
        let run = at(Step::Failed);
        let mut told = Told::after(None);
        told.tell(&words, &run, opens());
        told.tell_all(&words, std::iter::empty(), opens());
        assert!(told.runs.is_empty());
    }
}
