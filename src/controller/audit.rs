//! The audit log: one JSON line for each verdict on a machine, because Azure forgets assessments
//! after 7 days and installs after 30 (azure.md §4).

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::act::Deeds;
use crate::domain::run::{Progress, Run};
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

/// Writes a line for each machine that came to a verdict or a hold in a pass.
pub fn verdicts(audit: &dyn Audit, deeds: &Deeds, now: DateTime<Utc>) {
    for (before, after) in &deeds.runs {
        for (id, progress) in &after.progress {
            let earlier = before.progress.get(id);
            let is_news =
                earlier.is_none_or(|own| own.step != progress.step) && !planted::is(Bug::SkipAudit);
            if is_news && (progress.step.is_final() || crate::domain::run::is_held(&progress.step))
            {
                audit.write(&line(after, id.as_str(), progress, now));
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
    })
}
