//! Quarantine: a stored field that is damaged holds its machine or its run, and nothing else.
//!
//! Damaged is an entry of a run's log whose step no version knows, that has a field which none
//! knows, or that is gone; and a whole run whose log has such a field, or that is called complete
//! with such an entry. A run whose spec changed may be held too; that nothing is sent by it then,
//! `frozen` checks. Judged from the objects as committed:
//!
//! - no intent is written for, and no command reaches, what was damaged when that intent was
//!   written;
//! - a damaged entry is never guessed back into a step of the protocol: it stays, or ends as
//!   Skipped or Failed;
//! - no entry is called corrupt or missing that was good as stored before;
//! - no run is said to be not understood, and no machine to be quarantined, that is not
//!   concerned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Fault, Invariant};
use crate::api::HotpatchRun;
use crate::api::run::{HotpatchRunSpec, RunMachineStatus};
use crate::rehearsal::shelf::Name;
use crate::rehearsal::world::{World, Write};

/// The steps of the protocol.
const STEPS: [&str; 8] = [
    "Planned",
    "Starting",
    "Running",
    "Verifying",
    "Succeeded",
    "Failed",
    "Skipped",
    "Unknown",
];

/// What the operator calls an entry that contradicts itself, or is gone.
const GIVEN_UP: [&str; 2] = ["Corrupt", "Missing"];

/// Checks what is done to what is damaged, and what is said of what is not.
#[derive(Default)]
pub(super) struct Quarantine {
    runs: BTreeMap<Name, Stored>,
}

/// A run as it is stored.
#[derive(Default)]
struct Stored {
    uid: Option<String>,
    /// As it was made.
    spec: Option<HotpatchRunSpec>,
    /// The machines whose entries are good.
    good: BTreeSet<String>,
    /// The machines whose entries are damaged, and since when in the order of everything.
    damaged: BTreeMap<String, u64>,
    /// The machines whose entries ever were.
    ever: BTreeSet<String>,
    /// Since when the whole run is, if it ever was.
    whole: Option<u64>,
    /// Whether its spec is not as it was made.
    is_edited: bool,
}

fn is_damaged(entry: &RunMachineStatus) -> bool {
    !STEPS.contains(&entry.step.as_str()) || !entry.not_understood.is_empty()
}

impl Stored {
    /// Takes in the log of a run as it was written.
    fn write(&mut self, run: &HotpatchRun, order: u64) -> Result<u64, Fault> {
        if self.uid != run.metadata.uid {
            *self = Self::default();
            self.uid.clone_from(&run.metadata.uid);
        }
        let spec = self.spec.get_or_insert_with(|| run.spec.clone());
        self.is_edited |= *spec != run.spec;
        let status = run.status.as_ref();
        let mut entries: BTreeMap<String, &RunMachineStatus> = BTreeMap::new();
        for entry in status.iter().flat_map(|own| &own.machines) {
            entries.insert(entry.id.to_ascii_lowercase(), entry);
        }
        let mut found = Ok(entries.len() as u64);
        for (id, entry) in &entries {
            if let Err(fault) = self.judge(id, entry) {
                found = found.and(Err(fault));
            }
        }
        let known = self.good.iter().chain(self.damaged.keys());
        let lost = known.filter(|id| !entries.contains_key(*id)).cloned();
        let odd = entries.iter().filter(|(_, own)| is_damaged(own));
        let damaged: BTreeSet<String> = odd.map(|(id, _)| id.clone()).chain(lost).collect();
        self.damaged.retain(|id, _| damaged.contains(id));
        for id in damaged {
            self.damaged.entry(id.clone()).or_insert(order);
            self.ever.insert(id);
        }
        self.good = entries.keys().cloned().collect();
        self.good.retain(|id| !self.damaged.contains_key(id));
        let is_whole = status.is_some_and(|own| {
            !own.not_understood.is_empty()
                || (own.completed_at.is_some() && !self.damaged.is_empty())
        });
        if is_whole {
            self.whole.get_or_insert(order);
        }
        found.and_then(|checks| self.says(run).map(|()| checks))
    }

    /// Judges what becomes of an entry.
    fn judge(&self, id: &str, entry: &RunMachineStatus) -> Result<(), Fault> {
        let step = entry.step.as_str();
        if GIVEN_UP.contains(&step) && self.good.contains(id) {
            let text = "its good entry to be read as it is";
            return Err(Fault::on(id, text, format!("step {step}")));
        }
        let is_guessed = !is_damaged(entry) && !matches!(step, "Skipped" | "Failed");
        if self.damaged.contains_key(id) && is_guessed {
            let text = "what is damaged to be held, or given up";
            return Err(Fault::on(id, text, format!("step {step}")));
        }
        Ok(())
    }

    /// Judges what the run says of itself.
    fn says(&self, run: &HotpatchRun) -> Result<(), Fault> {
        let mut conditions = run.status.iter().flat_map(|own| &own.conditions);
        let is_held = conditions.any(|own| {
            own.type_ == "Held" && own.status == "True" && own.reason == "NotUnderstood"
        });
        let is_concerned = !self.ever.is_empty() || self.whole.is_some() || self.is_edited;
        if !is_held || is_concerned {
            return Ok(());
        }
        Err(Fault {
            machine: None,
            expected: "only a run that is damaged to be held as not understood".to_owned(),
            found: format!("run {}", run.metadata.name.as_deref().unwrap_or_default()),
        })
    }

    /// Tells whether a machine may ever have been held because of this run.
    fn concerns(&self, machine: &str) -> bool {
        let named = self.spec.iter().flat_map(|own| &own.machines);
        let is_named = |own: &str| own.eq_ignore_ascii_case(machine);
        let is_whole = self.whole.is_some() || self.is_edited;
        self.ever.contains(machine) || (is_whole && named.clone().any(|own| is_named(&own.id)))
    }
}

impl Quarantine {
    fn written(&mut self, world: &World, write: &Write) -> Result<u64, Fault> {
        let name = (write.namespace.clone(), write.name.clone());
        match write.resource.as_str() {
            "hotpatchruns.hotpatch.dev" => {
                let is_there = !world.deleted_runs.contains(&name);
                match world.runs.get(&name).filter(|_| is_there) {
                    Some(run) => {
                        let stored = self.runs.entry(name).or_default();
                        stored.write(&Arc::clone(run), world.order)
                    }
                    None => Ok(0),
                }
            }
            "hotpatchmachines.hotpatch.dev" => self.recorded(write),
            _ => Ok(0),
        }
    }

    /// Judges what the record of a machine says.
    fn recorded(&self, write: &Write) -> Result<u64, Fault> {
        let Some(record) = &write.after else {
            return Ok(0);
        };
        let reasons = record["status"]["reasons"].as_array();
        let mut words = reasons.into_iter().flatten();
        let Some(id) = record["spec"]["resourceId"].as_str() else {
            return Ok(0);
        };
        let id = id.to_ascii_lowercase();
        let is_held = words.any(|own| own == "Quarantined");
        let mut near = self
            .runs
            .iter()
            .filter(|(name, _)| name.0 == write.namespace);
        if is_held && !near.any(|(_, own)| own.concerns(&id)) {
            let text = "only a machine that a damaged field concerns to be quarantined";
            return Err(Fault::on(&id, text, "it is, by its record"));
        }
        Ok(1)
    }

    fn sent(&self, world: &World) -> Result<u64, Fault> {
        let Some(sent) = world.just_sent() else {
            return Ok(0);
        };
        let request = sent.call.client_request_id.as_ref();
        let intent = request.and_then(|own| world.intents.get(own));
        let Some((intent, stored)) = intent.and_then(|own| Some((own, self.runs.get(&own.run)?)))
        else {
            return Ok(0);
        };
        let since = [stored.damaged.get(&sent.machine).copied(), stored.whole];
        match since.into_iter().flatten().any(|own| own < intent.order) {
            true => Err(Fault::on(
                &sent.machine,
                format!("no command for what is damaged in run {}", intent.run.1),
                "a command",
            )),
            false => Ok(1),
        }
    }
}

impl Invariant for Quarantine {
    fn name(&self) -> &'static str {
        "quarantine"
    }

    fn states(&self) -> &'static str {
        "a stored field that is damaged holds its machine or its run, and nothing else"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let sent = self.sent(world)?;
        match world.just_written() {
            Some(write) => Ok(sent + self.written(world, write)?),
            None => Ok(sent),
        }
    }
}
