//! Everything that happened, in order, and what stands because of it: the ground truth that the
//! checkers and the story read. Holds nothing that the operator remembers.

mod apply;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use azure_sim::Effect;
use chrono::{DateTime, TimeDelta, Utc};
use kube_sim::Commit;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::doubt::Doubt;
use super::facts::Facts;
use super::shelf::{Name, Shelf};
use super::truth::{Cause, Reboot, Sent, Truth};
use super::weather::{Arrival, Astray};
use crate::api::{BaselinePolicy, HotpatchFleet, HotpatchRequest, HotpatchRun, MaintenanceWindow};

/// After so long a restart from which its guest does not come back is given up.
const RESTART_GIVEN_UP: TimeDelta = TimeDelta::hours(1);

/// A write to the Kubernetes API that was committed.
#[derive(Clone, Debug)]
pub struct Write {
    /// When.
    pub at: DateTime<Utc>,
    /// `plural` for the core group, else `plural.group`.
    pub resource: String,
    /// The namespace; empty for cluster scope.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The object before.
    pub before: Option<Arc<Value>>,
    /// The object after; none when it is gone.
    pub after: Option<Arc<Value>>,
}

impl From<&Commit> for Write {
    fn from(commit: &Commit) -> Self {
        Self {
            at: commit.time,
            resource: commit.resource.to_string(),
            namespace: commit.namespace.as_deref().unwrap_or_default().to_owned(),
            name: commit.name.to_string(),
            before: commit.before.clone(),
            after: commit.after.clone(),
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Happening {
    /// Something was written in Kubernetes.
    Written(Write),
    /// Something happened in Azure.
    Effect(Effect),
    /// A write of the lease by this holder was answered well. A renewal that changes nothing, in
    /// the same instant as the one before, is no commit and still proves that nobody else wrote.
    Renewed(Option<String>),
    /// The log of a run was put.
    Logged(Put),
    /// A plan was made once more, with one thing less known.
    Doubted(Arc<Doubt>),
    /// Azure answered a call.
    Asked {
        /// When.
        at: DateTime<Utc>,
        /// Method and path.
        call: String,
        /// Whether it refused it for its limits.
        is_throttled: bool,
    },
}

/// A put of a run's log, as it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The run.
    pub run: Name,
    /// The epoch of the leader who put it.
    pub epoch: i64,
    /// The version over which it was put.
    pub version: u64,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// How leadership passed to the present holder of the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Who took it.
    pub holder: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether nobody held it: it was given up, or there was none.
    pub is_given_up: bool,
    /// The greatest epoch that was written anywhere before.
    pub epoch_before: i64,
    /// When the one before ran out.
    pub expired: DateTime<Utc>,
}

impl Happening {
    /// Adds what happened to a digest.
    pub(super) fn digest(&self, log: &mut Sha256) {
        match self {
            Self::Written(write) => {
                let head = (write.at, &write.resource, &write.namespace, &write.name);
                log.update(format!("{head:?}"));
                if let Some(after) = &write.after {
                    log.update(after.to_string());
                }
            }
            Self::Effect(effect) => log.update(format!("{effect:?}")),
            Self::Renewed(holder) => log.update(format!("{holder:?}")),
            Self::Logged(put) => log.update(format!("{put:?}")),
            Self::Asked { call, .. } => log.update(call),
            Self::Doubted(doubt) => log.update(format!("{doubt:?}")),
        }
    }
}

/// An intent to command, as it was committed to the log of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The run.
    pub run: Name,
    /// The machine, by its lower-cased id.
    pub machine: String,
    /// Its place in the order of everything that happened.
    pub order: u64,
    /// The step in which the machine stood before.
    pub step_before: String,
    /// The epoch in the run's log.
    pub epoch: i64,
    /// The greatest epoch that was written anywhere before.
    pub epoch_known: i64,
    /// The holder of the lease then.
    pub holder: Option<String>,
    /// The place in the order of the next renewal of the lease by the same holder.
    pub renewed: Option<u64>,
    /// What the run allowed then; a run that is deleted may come anew and allow something else.
    pub allowed_kbs: Vec<String>,
}

/// The lease as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it.
    pub holder: Option<String>,
    /// The epoch in its annotation.
    pub epoch: i64,
    /// When it runs out, counted from its last write.
    pub expires: Option<DateTime<Utc>>,
}

/// Everything that happened and what stands because of it.
#[derive(Clone)]
pub struct World {
    /// The time.
    pub now: DateTime<Utc>,
    /// When it began.
    pub epoch: DateTime<Utc>,
    /// What is true of the machines from the start, by id.
    pub facts: BTreeMap<String, Facts>,
    /// The machines as they are, by id.
    pub machines: BTreeMap<String, Truth>,
    /// The fleets.
    pub fleets: Shelf<HotpatchFleet>,
    /// The windows.
    pub windows: Shelf<MaintenanceWindow>,
    /// The policies.
    pub policies: Shelf<BaselinePolicy>,
    /// The requests.
    pub requests: Shelf<HotpatchRequest>,
    /// The machine records.
    pub records: BTreeMap<Name, Arc<Value>>,
    /// The runs, also those that are gone.
    pub runs: BTreeMap<Name, Arc<HotpatchRun>>,
    /// The runs that are gone.
    pub deleted_runs: BTreeSet<Name>,
    /// Names that more than one run has borne: a deleted one's ordinal is free again.
    pub reborn_runs: BTreeSet<Name>,
    /// The intents, by request id.
    pub intents: BTreeMap<String, Intent>,
    /// The lease.
    pub lease: Lease,
    /// How its holder came by it.
    pub taken: Option<Taken>,
    /// How often the lease passed from one holder to another.
    pub leaders: u32,
    /// How many processes were started.
    pub lives: u32,
    /// The commands of the operator that reached Azure, oldest first.
    pub sent: Vec<Sent>,
    /// The reboots, oldest first.
    pub reboots: Vec<Reboot>,
    /// How many things happened.
    pub order: u64,
    /// What happened last.
    pub latest: Option<Happening>,
    /// The audit lines, oldest first.
    pub audit: Vec<Value>,
    /// Whether the operator may run scripts in guests.
    pub run_commands: bool,
    /// How far Resource Graph lags behind.
    pub graph_lag: TimeDelta,
    /// The commands that the network delays or doubles.
    pub(super) astray: Astray,
    sent_latest: bool,
    unrenewed: Vec<String>,
    open: BTreeSet<usize>,
    epoch_known: i64,
}

impl World {
    /// Makes a world in which nothing happened yet.
    pub fn new(epoch: DateTime<Utc>, facts: Vec<Facts>) -> Self {
        let machines = facts
            .iter()
            .map(|own| {
                (
                    own.id.clone(),
                    Truth {
                        exists: true,
                        ..Truth::default()
                    },
                )
            })
            .collect();
        Self {
            now: epoch,
            epoch,
            facts: facts.into_iter().map(|own| (own.id.clone(), own)).collect(),
            machines,
            fleets: Shelf::default(),
            windows: Shelf::default(),
            policies: Shelf::default(),
            requests: Shelf::default(),
            records: BTreeMap::new(),
            runs: BTreeMap::new(),
            deleted_runs: BTreeSet::new(),
            reborn_runs: BTreeSet::new(),
            intents: BTreeMap::new(),
            lease: Lease::default(),
            taken: None,
            leaders: 0,
            lives: 0,
            sent: Vec::new(),
            reboots: Vec::new(),
            order: 0,
            latest: None,
            audit: Vec::new(),
            run_commands: false,
            graph_lag: TimeDelta::minutes(1),
            astray: Astray::default(),
            sent_latest: false,
            unrenewed: Vec::new(),
            open: BTreeSet::new(),
            epoch_known: 0,
        }
    }

    /// Takes in one thing that happened.
    pub fn apply(&mut self, happening: Happening) {
        self.order += 1;
        self.sent_latest = false;
        match &happening {
            Happening::Written(write) => {
                self.now = self.now.max(write.at);
                self.write(write);
            }
            Happening::Effect(effect) => {
                self.now = self.now.max(effect.at);
                self.effect(effect);
            }
            Happening::Renewed(holder) => self.renew(holder.as_deref()),
            Happening::Logged(_) | Happening::Doubted(_) => {}
            Happening::Asked { at, .. } => self.now = self.now.max(*at),
        }
        self.latest = Some(happening);
    }

    /// Returns the command that was just sent, if that is what happened. One that the network
    /// delayed or doubled is not sent when it arrives.
    pub fn just_sent(&self) -> Option<&Sent> {
        self.just_arrived()
            .filter(|own| own.arrival == Arrival::InTime)
    }

    /// Returns the command that just arrived, whenever it was sent, if that is what happened.
    pub fn just_arrived(&self) -> Option<&Sent> {
        self.sent.last().filter(|_| self.sent_latest)
    }

    /// Returns the effect that just happened in Azure, if that is what happened.
    pub fn just_effect(&self) -> Option<&Effect> {
        match &self.latest {
            Some(Happening::Effect(effect)) => Some(effect),
            _ => None,
        }
    }

    /// Returns what was just written in Kubernetes, if that is what happened.
    pub fn just_written(&self) -> Option<&Write> {
        match &self.latest {
            Some(Happening::Written(write)) => Some(write),
            _ => None,
        }
    }

    /// Returns the commands that run still.
    pub fn open_commands(&self) -> impl Iterator<Item = &Sent> {
        self.open.iter().map(|index| &self.sent[*index])
    }

    /// Returns the commands that run still and that the operator can know of: one that the network
    /// delayed or doubled shows only by what it does, and a restart from which a guest does not
    /// come back is given up after an hour.
    pub fn known_commands(&self) -> impl Iterator<Item = &Sent> {
        let given_up = |own: &Sent| own.is_restart() && self.now - own.at > RESTART_GIVEN_UP;
        self.open_commands()
            .filter(move |own| own.arrival == Arrival::InTime && !given_up(own))
    }

    /// Returns the run of a command.
    pub fn run_of(&self, sent: &Sent) -> Option<&Arc<HotpatchRun>> {
        self.runs.get(sent.run.as_ref()?)
    }

    /// Returns the run to which a reboot belongs.
    pub fn run_of_reboot(&self, reboot: &Reboot) -> Option<&Name> {
        match &reboot.cause {
            Cause::Command(Some(request)) => self.intents.get(request).map(|own| &own.run),
            _ => None,
        }
    }

    /// Returns the name of a machine, or its id where nobody knows it.
    pub fn name_of<'a>(&'a self, machine: &'a str) -> &'a str {
        self.facts.get(machine).map_or(machine, |own| &own.name)
    }
}
