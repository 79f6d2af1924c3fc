//! What each write and each effect changes in the world.

use std::sync::Arc;

use azure_sim::{CallOperation, Effect, What};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{Intent, Lease, Taken, World, Write};
use crate::api::HotpatchRun;
use crate::api::machine::MachineKind;
use crate::controller::lease::EPOCH_ANNOTATION;
use crate::domain::enrolment::CLAIM_TAG;
use crate::rehearsal::identities::{is_operator, is_ours};
use crate::rehearsal::shelf::Name;
use crate::rehearsal::truth::{Install, Reboot, Sent, Truth, cause_of, is_look, request_of};
use crate::rehearsal::weather::Arrival;

impl World {
    pub(super) fn write(&mut self, write: &Write) {
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
        let mut before = self.runs.get(&name).cloned();
        if self.deleted_runs.remove(&name) {
            self.reborn_runs.insert(name.clone());
            before = None;
        }
        let epoch = run.status.as_ref().map_or(0, |status| status.epoch);
        for entry in run.status.iter().flat_map(|status| &status.machines) {
            let Some(request) = entry
                .request_id
                .as_ref()
                .filter(|_| entry.step == "Starting")
            else {
                continue;
            };
            let entry_before = before
                .as_ref()
                .and_then(|run| run.status.as_ref())
                .and_then(|status| status.machines.iter().find(|own| own.id == entry.id));
            // One that was taken back unsent may be written again, under the same id.
            let stands = entry_before.is_some_and(|own| {
                own.step == "Starting" && own.request_id.as_ref() == Some(request)
            });
            if stands && self.intents.contains_key(request) {
                continue;
            }
            let step_before = entry_before.map_or("Planned", |own| &own.step);
            let intent = Intent {
                run: name.clone(),
                machine: entry.id.to_ascii_lowercase(),
                order: self.order,
                step_before: step_before.to_owned(),
                epoch,
                epoch_known: self.epoch_known,
                holder: self.lease.holder.clone(),
                renewed: None,
                allowed_kbs: run.spec.allowed_kbs.clone(),
            };
            self.intents.insert(request.clone(), intent);
            self.unrenewed.push(request.clone());
        }
        self.epoch_known = self.epoch_known.max(epoch);
        self.runs.insert(name, Arc::new(run));
    }

    fn write_lease(&mut self, after: Option<&Value>) {
        let Some(lease) = after else {
            // What is left of the epochs stands in the runs.
            let there = |own: &(&Name, &Arc<HotpatchRun>)| !self.deleted_runs.contains(own.0);
            let runs = self.runs.iter().filter(there);
            let epochs = runs.map(|(_, run)| run.status.as_ref().map_or(0, |own| own.epoch));
            self.epoch_known = epochs.max().unwrap_or(0);
            self.lease = Lease::default();
            return;
        };
        let holder = lease["spec"]["holderIdentity"]
            .as_str()
            .filter(|own| !own.is_empty());
        self.pass_on(holder);
        let epoch = lease["metadata"]["annotations"][EPOCH_ANNOTATION].as_str();
        let seconds = lease["spec"]["leaseDurationSeconds"].as_i64();
        self.lease = Lease {
            holder: holder.map(str::to_owned),
            epoch: epoch
                .and_then(|text| text.parse().ok())
                .unwrap_or(self.lease.epoch),
            expires: seconds.map(|own| self.now + TimeDelta::seconds(own)),
        };
        self.epoch_known = self.epoch_known.max(self.lease.epoch);
        if let Some(holder) = self.lease.holder.clone() {
            self.renew(Some(&holder));
        }
    }

    /// Notes that the lease passes to another holder, if it does.
    fn pass_on(&mut self, holder: Option<&str>) {
        let new = holder.filter(|own| self.lease.holder.as_deref() != Some(own));
        let Some(holder) = new else { return };
        let known = self.taken.as_ref().map(|own| own.holder.as_str());
        self.leaders += u32::from(known != Some(holder));
        self.taken = Some(Taken {
            holder: holder.to_owned(),
            at: self.now,
            is_given_up: self.lease.holder.is_none(),
            epoch_before: self.epoch_known,
            expired: self.lease.expires.unwrap_or(self.now),
        });
    }

    pub(super) fn renew(&mut self, holder: Option<&str>) {
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

    pub(super) fn effect(&mut self, effect: &Effect) {
        match &effect.what {
            What::CallAccepted(call) if is_operator(&call.caller) => self.send(effect, call, None),
            What::CallRefused { call, status, .. } if is_operator(&call.caller) => {
                self.send(effect, call, Some(*status));
            }
            What::RebootStarted { cause } => {
                self.reboots.push(Reboot {
                    machine: effect.machine_id.clone(),
                    incarnation: effect.incarnation.clone(),
                    at: effect.at,
                    ended: None,
                    cause: cause_of(cause),
                });
                self.truth(effect).down_since = Some(effect.at);
            }
            What::RebootEnded { .. } => self.rebooted(effect),
            What::ScriptEnded {
                by,
                restarts: false,
            } => {
                if let Some(request) = request_of(by) {
                    self.end(&request, effect.at);
                }
            }
            What::InstallEnded { activity, by, .. } => {
                self.truth(effect).installs.remove(activity);
                if let Some(request) = request_of(by) {
                    self.end(&request, effect.at);
                }
            }
            _ => self.change(effect),
        }
        match &effect.what {
            // What ran on a machine ends with it.
            What::Deleted | What::Recreated => self.end_on(effect, |_| true),
            // A hung guest that somebody starts has had its restart.
            What::BecameHealthy => {
                self.end_on(effect, Sent::is_restart);
            }
            _ => {}
        }
    }

    fn change(&mut self, effect: &Effect) {
        let facts = self.facts.get(&effect.machine_id);
        let is_server = facts.is_some_and(|own| own.kind == MachineKind::ArcServer);
        let truth = self.truth(effect);
        match &effect.what {
            What::InstallStarted { activity, by } => {
                let request = request_of(by);
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
                truth.effective_at = Some(effect.at);
            }
            What::TagsChanged { by, after, .. } => {
                let tags = after.as_object();
                let was_claimed = truth.is_claimed;
                truth.is_claimed = tags.is_some_and(|tags| {
                    tags.keys().any(|name| name.eq_ignore_ascii_case(CLAIM_TAG))
                });
                // Who takes our note away takes the machine over.
                if was_claimed && !truth.is_claimed && !is_ours(by) {
                    truth.settings_ours = false;
                }
            }
            What::SettingsChanged { by, .. } => {
                truth.settings_ours |= is_ours(by);
            }
            What::WentUnhealthy { why } => {
                truth.down_since.get_or_insert(effect.at);
                // Azure knows the power of a VM and of a guest; a server of Arc is only silent.
                truth.is_off = why == "deallocated" && !is_server;
            }
            What::BecameHealthy => {
                truth.down_since = None;
                truth.is_off = false;
            }
            What::Deleted => truth.exists = false,
            What::Recreated => {
                // Its tags and settings are those of the resource, which stays.
                *truth = Truth {
                    incarnation: effect.incarnation.clone(),
                    exists: true,
                    is_anew: true,
                    is_claimed: truth.is_claimed,
                    settings_ours: truth.settings_ours,
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
            CallOperation::Install | CallOperation::Restart | CallOperation::RunCommand
        ) || is_look(call)
        {
            return;
        }
        let request = call.client_request_id.as_ref();
        let run = request
            .and_then(|own| self.intents.get(own))
            .map(|intent| intent.run.clone());
        let arrival = request.map_or(Arrival::InTime, |own| self.astray.arrives(own));
        self.sent.push(Sent {
            at: effect.at,
            order: self.order,
            machine: effect.machine_id.clone(),
            incarnation: effect.incarnation.clone(),
            call: call.clone(),
            refused,
            run,
            ended: None,
            arrival,
        });
        self.sent_latest = true;
        if refused.is_none() {
            self.open.insert(self.sent.len() - 1);
        }
    }

    fn rebooted(&mut self, effect: &Effect) {
        let truth = self.truth(effect);
        truth.down_since = None;
        truth.is_off = false;
        let last = self
            .reboots
            .iter_mut()
            .rev()
            .find(|own| own.machine == effect.machine_id);
        let Some(reboot) = last else { return };
        reboot.ended = Some(effect.at);
        self.end_on(effect, Sent::is_restart);
    }

    /// Ends the commands of a machine that can no longer be under way.
    fn end_on(&mut self, effect: &Effect, which: impl Fn(&Sent) -> bool) {
        let own = |index: &usize| {
            let sent = &self.sent[*index];
            sent.machine == effect.machine_id && which(sent)
        };
        let over: Vec<usize> = self.open.iter().copied().filter(own).collect();
        for index in over {
            self.sent[index].ended = Some(effect.at);
            self.open.remove(&index);
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
