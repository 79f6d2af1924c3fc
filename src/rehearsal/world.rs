//! Everything that happened, in order, and what stands because of it: the ground truth that the
//! checkers and the story read. Holds nothing that the operator remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use azure_sim::{CallOperation, Effect, What};
use chrono::{DateTime, Utc};
use kube_sim::Commit;
use serde::Deserialize;
use serde_json::Value;

use super::facts::Facts;
use super::shelf::{Name, Shelf};
use super::truth::{Cause, Install, Reboot, Sent, Truth, cause_of, request_of};
use crate::api::{BaselinePolicy, HotpatchFleet, HotpatchRequest, HotpatchRun, MaintenanceWindow};
use crate::domain::enrolment::CLAIM_TAG;

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
}

/// The lease as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it.
    pub holder: Option<String>,
    /// The epoch in its annotation.
    pub epoch: i64,
}

/// The annotation of the lease that carries the epoch.
const EPOCH_ANNOTATION: &str = "hotpatch.dev/epoch";

/// Everything that happened and what stands because of it.
#[derive(Clone, Debug)]
pub struct World {
    /// The time.
    pub now: DateTime<Utc>,
    /// When it began.
    pub epoch: DateTime<Utc>,
    /// The name under which the operator's token is known in Azure.
    pub operator: String,
    /// The operator's token: a secret that must show nowhere.
    pub secret: String,
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
    /// The intents, by request id.
    pub intents: BTreeMap<String, Intent>,
    /// The lease.
    pub lease: Lease,
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
    sent_latest: bool,
    unrenewed: Vec<String>,
    open: BTreeSet<usize>,
    epoch_known: i64,
}

impl World {
    /// Makes a world in which nothing happened yet.
    pub fn new(epoch: DateTime<Utc>, operator: &str, secret: &str, facts: Vec<Facts>) -> Self {
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
            operator: operator.to_owned(),
            secret: secret.to_owned(),
            facts: facts.into_iter().map(|own| (own.id.clone(), own)).collect(),
            machines,
            fleets: Shelf::default(),
            windows: Shelf::default(),
            policies: Shelf::default(),
            requests: Shelf::default(),
            records: BTreeMap::new(),
            runs: BTreeMap::new(),
            deleted_runs: BTreeSet::new(),
            intents: BTreeMap::new(),
            lease: Lease::default(),
            sent: Vec::new(),
            reboots: Vec::new(),
            order: 0,
            latest: None,
            audit: Vec::new(),
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
        }
        self.latest = Some(happening);
    }

    /// Returns the command that was just sent, if that is what happened.
    pub fn just_sent(&self) -> Option<&Sent> {
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

    fn write(&mut self, write: &Write) {
        let name = (write.namespace.clone(), write.name.clone());
        let after = write.after.as_deref();
        match write.resource.as_str() {
            "hotpatchfleets.hotpatch.dev" => self.fleets.write(name, write.at, after),
            "maintenancewindows.hotpatch.dev" => self.windows.write(name, write.at, after),
            "baselinepolicies.hotpatch.dev" => self.policies.write(name, write.at, after),
            "hotpatchrequests.hotpatch.dev" => self.requests.write(name, write.at, after),
            "hotpatchruns.hotpatch.dev" => self.write_run(name, after),
            "hotpatchmachines.hotpatch.dev" => match &write.after {
                Some(record) => drop(self.records.insert(name, Arc::clone(record))),
                None => drop(self.records.remove(&name)),
            },
            "leases.coordination.k8s.io" => self.write_lease(after),
            _ => {}
        }
    }

    fn write_run(&mut self, name: Name, after: Option<&Value>) {
        let Some(run) = after.and_then(|value| HotpatchRun::deserialize(value).ok()) else {
            self.deleted_runs.insert(name);
            return;
        };
        let before = self.runs.get(&name).cloned();
        let epoch = run.status.as_ref().map_or(0, |status| status.epoch);
        for entry in run.status.iter().flat_map(|status| &status.machines) {
            let Some(request) = entry
                .request_id
                .as_ref()
                .filter(|_| entry.step == "Starting")
            else {
                continue;
            };
            if self.intents.contains_key(request) {
                continue;
            }
            let step_before = before
                .as_ref()
                .and_then(|run| run.status.as_ref())
                .and_then(|status| status.machines.iter().find(|own| own.id == entry.id))
                .map_or("Planned", |own| &own.step);
            let intent = Intent {
                run: name.clone(),
                machine: entry.id.to_ascii_lowercase(),
                order: self.order,
                step_before: step_before.to_owned(),
                epoch,
                epoch_known: self.epoch_known,
                holder: self.lease.holder.clone(),
                renewed: None,
            };
            self.intents.insert(request.clone(), intent);
            self.unrenewed.push(request.clone());
        }
        self.epoch_known = self.epoch_known.max(epoch);
        self.runs.insert(name, Arc::new(run));
    }

    fn write_lease(&mut self, after: Option<&Value>) {
        let Some(lease) = after else {
            self.lease = Lease::default();
            return;
        };
        let holder = lease["spec"]["holderIdentity"]
            .as_str()
            .filter(|own| !own.is_empty());
        let epoch = lease["metadata"]["annotations"][EPOCH_ANNOTATION].as_str();
        self.lease = Lease {
            holder: holder.map(str::to_owned),
            epoch: epoch
                .and_then(|text| text.parse().ok())
                .unwrap_or(self.lease.epoch),
        };
        self.epoch_known = self.epoch_known.max(self.lease.epoch);
        if let Some(holder) = self.lease.holder.clone() {
            self.renew(Some(&holder));
        }
    }

    fn renew(&mut self, holder: Option<&str>) {
        if holder.is_none() || holder != self.lease.holder.as_deref() {
            return;
        }
        let (order, intents) = (self.order, &mut self.intents);
        self.unrenewed.retain(|request| {
            let Some(intent) = intents.get_mut(request) else {
                return false;
            };
            if intent.holder.as_deref() == holder {
                intent.renewed = Some(order);
            }
            intent.renewed.is_none()
        });
    }

    fn effect(&mut self, effect: &Effect) {
        let operator = self.operator.clone();
        match &effect.what {
            What::CallAccepted(call) if call.caller == operator => self.send(effect, call, None),
            What::CallRefused { call, status, .. } if call.caller == operator => {
                self.send(effect, call, Some(*status));
            }
            What::RebootStarted { cause } => {
                self.reboots.push(Reboot {
                    machine: effect.machine_id.clone(),
                    incarnation: effect.incarnation.clone(),
                    at: effect.at,
                    ended: None,
                    cause: cause_of(cause, &operator),
                });
                self.truth(effect).down_since = Some(effect.at);
            }
            What::RebootEnded { .. } => self.rebooted(effect),
            What::InstallEnded { activity, by, .. } => {
                self.truth(effect).installs.remove(activity);
                if let Some(request) = request_of(by, &operator) {
                    self.end(&request, effect.at);
                }
            }
            _ => self.change(effect, &operator),
        }
    }

    fn change(&mut self, effect: &Effect, operator: &str) {
        let truth = self.truth(effect);
        match &effect.what {
            What::InstallStarted { activity, by } => {
                let request = request_of(by, operator);
                truth.installs.insert(
                    activity.clone(),
                    Install {
                        since: effect.at,
                        request,
                    },
                );
            }
            What::KbStaged { kb, .. } => drop(truth.pending.insert(kb.clone())),
            What::KbInstalled { kb, .. } => {
                truth.pending.remove(kb);
                truth.installed.insert(kb.clone());
            }
            What::TagsChanged { after, .. } => {
                let tags = after.as_object();
                truth.is_claimed = tags.is_some_and(|tags| {
                    tags.keys().any(|name| name.eq_ignore_ascii_case(CLAIM_TAG))
                });
            }
            What::SettingsChanged { by, .. } => {
                truth.settings_ours |=
                    matches!(by, azure_sim::Actor::Caller { name, .. } if name == operator);
            }
            What::WentUnhealthy { .. } => {
                truth.down_since.get_or_insert(effect.at);
            }
            What::BecameHealthy => truth.down_since = None,
            What::Deleted => truth.exists = false,
            What::Recreated => {
                *truth = Truth {
                    incarnation: effect.incarnation.clone(),
                    exists: true,
                    ..Truth::default()
                };
            }
            _ => {}
        }
    }

    fn truth(&mut self, effect: &Effect) -> &mut Truth {
        let truth = self.machines.entry(effect.machine_id.clone()).or_default();
        if truth.incarnation.is_empty() {
            truth.incarnation.clone_from(&effect.incarnation);
            truth.exists = true;
        }
        truth
    }

    fn send(&mut self, effect: &Effect, call: &azure_sim::Call, refused: Option<u16>) {
        self.truth(effect);
        if !matches!(
            call.operation,
            CallOperation::Install | CallOperation::Restart
        ) {
            return;
        }
        let request = call.client_request_id.as_ref();
        let run = request
            .and_then(|own| self.intents.get(own))
            .map(|intent| intent.run.clone());
        self.sent.push(Sent {
            at: effect.at,
            order: self.order,
            machine: effect.machine_id.clone(),
            incarnation: effect.incarnation.clone(),
            call: call.clone(),
            refused,
            run,
            ended: None,
        });
        self.sent_latest = true;
        if refused.is_none() {
            self.open.insert(self.sent.len() - 1);
        }
    }

    fn rebooted(&mut self, effect: &Effect) {
        self.truth(effect).down_since = None;
        let last = self
            .reboots
            .iter_mut()
            .rev()
            .find(|own| own.machine == effect.machine_id);
        let Some(reboot) = last else { return };
        reboot.ended = Some(effect.at);
        if let Cause::Command(Some(request)) = &reboot.cause {
            let request = request.clone();
            let restart = self.open_commands().any(|own| {
                own.call.operation == CallOperation::Restart
                    && own.call.client_request_id.as_ref() == Some(&request)
            });
            if restart {
                self.end(&request, effect.at);
            }
        }
    }

    fn end(&mut self, request: &str, at: DateTime<Utc>) {
        let found = self
            .open
            .iter()
            .copied()
            .find(|index| self.sent[*index].call.client_request_id.as_deref() == Some(request));
        if let Some(index) = found {
            self.sent[index].ended = Some(at);
            self.open.remove(&index);
        }
    }
}
