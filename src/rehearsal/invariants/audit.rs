//! Audit: the audit log and what happened match.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::{Fault, Invariant};
use crate::rehearsal::world::World;

/// So long after a verdict somebody led again and had a pass.
const TOLD_AFTER: TimeDelta = TimeDelta::hours(2);

/// Checks that each verdict has its line, and each line its machine.
pub(super) struct AuditLog;

impl Invariant for AuditLog {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn states(&self) -> &'static str {
        "each verdict has a line in the audit log, and no line says more than happened"
    }

    fn check(&mut self, _: &World) -> Result<u64, Fault> {
        Ok(0)
    }

    fn at_end(&mut self, world: &World) -> Result<u64, Fault> {
        let word = |line: &serde_json::Value, key: &str| {
            line[key].as_str().unwrap_or_default().to_ascii_lowercase()
        };
        let lines: BTreeSet<(String, String, String)> = world
            .audit
            .iter()
            .map(|line| {
                (
                    word(line, "run"),
                    word(line, "machine"),
                    word(line, "verdict"),
                )
            })
            .collect();
        let mut checks = 0;
        for (name, run) in &world.runs {
            for own in run.status.iter().flat_map(|status| &status.machines) {
                let is_final = matches!(own.step.as_str(), "Succeeded" | "Failed" | "Skipped");
                // Who dies before the line is written leaves it to its heir.
                let is_young = own.since.is_some_and(|at| world.now - at < TOLD_AFTER);
                if !is_final || is_young {
                    continue;
                }
                checks += 1;
                let id = own.id.to_ascii_lowercase();
                let line = (name.1.clone(), id, own.step.to_ascii_lowercase());
                if !lines.contains(&line) {
                    let text = format!("a line for {} in run {}", own.step, name.1);
                    return Err(Fault::on(&own.id, text, "none"));
                }
            }
        }
        for (run, machine, verdict) in &lines {
            // Lines name runs, and a name may have been borne before.
            let mut runs = world
                .runs
                .iter()
                .filter(|(name, _)| name.1 == *run && !world.reborn_runs.contains(*name));
            let kbs = runs.next().map(|(_, run)| &run.spec.allowed_kbs);
            let truth = world
                .machines
                .get(machine)
                .filter(|own| own.exists && !own.is_anew);
            let (Some(kbs), Some(truth)) = (kbs, truth) else {
                continue;
            };
            checks += 1;
            let has = |kb: &String| truth.installed.contains(kb.trim_start_matches("KB"));
            if verdict == "succeeded" && !kbs.is_empty() && !kbs.iter().any(has) {
                let text = format!("the release of run {run}, as its line says");
                return Err(Fault::on(machine, text, "none of its KBs"));
            }
        }
        Ok(checks)
    }
}
