//! What people and clouds do in the middle of a rollout. Each acts by ordinary means: a client of
//! the API server, or a hand on a machine.

use std::sync::atomic::Ordering;
use std::time::Duration;

use azure_sim::Health;
use fastrand::Rng;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::class::Class;
use super::stage::Stage;
use crate::api;
use crate::api::{BaselinePolicy, HotpatchFleet, HotpatchRequest, HotpatchRun, MaintenanceWindow};
use crate::controller::lease::LEASE_NAME;
use crate::domain::enrolment::CLAIM_TAG;
use crate::rehearsal::NAMESPACE;
use crate::rehearsal::OPERATOR_NAMESPACE;
use crate::rehearsal::gate::Side;

/// Something that somebody does. Numbers choose a machine or a run, modulo how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Act {
    /// Somebody reboots a machine.
    Reboots(usize),
    /// Somebody installs all there is, by hand.
    Installs(usize),
    /// A machine is stopped by its owner.
    Stops(usize),
    /// A machine is started again, also one that hangs.
    Starts(usize),
    /// An agent loses its connection.
    Disconnects(usize),
    /// It is back.
    Reconnects(usize),
    /// A machine is deleted.
    Deletes(usize),
    /// A machine is deleted and made anew under the same name.
    Recreates(usize),
    /// The next reboot of a machine never ends.
    Hangs(usize),
    /// The next install on a machine fails.
    Fails(usize),
    /// The next reboot that an install on a machine wants does not come about.
    Vetoes(usize),
    /// Azure's health signal turns bad.
    Sickens(usize),
    /// It turns good again.
    Recovers(usize),
    /// Somebody else writes patch settings.
    Sets(usize),
    /// Another cluster's operator claims a machine.
    Claims(usize),
    /// It lets go.
    Unclaims(usize),
    /// The fleet is suspended.
    Suspends,
    /// And goes on.
    Resumes,
    /// The fleet only observes.
    Observes,
    /// And enforces again.
    Enforces,
    /// A request to pause.
    Pauses,
    /// It is deleted.
    Unpauses,
    /// A request to abort.
    Aborts,
    /// A request to leave a machine out.
    Excludes(usize),
    /// A request to try a machine again.
    Retries(usize),
    /// The limit of all stages becomes 1.
    Narrows,
    /// The limit of all stages becomes 100 %.
    Widens,
    /// The window moves by two hours and becomes shorter.
    Shifts,
    /// The window is deleted.
    DeletesWindow,
    /// All windows, policies and the fleet are as they were.
    Restores,
    /// A run is deleted.
    DeletesRun(usize),
    /// The fleet is deleted.
    DeletesFleet,
    /// The lease is deleted.
    DeletesLease,
    /// A machine's step in a run's log is damaged.
    Damages(usize),
    /// All definitions are written again.
    Defines,
    /// All watches break.
    CutsWatches,
    /// The API server forgets its history, and all watches break.
    Compacts,
    /// The leader is killed.
    Kills,
    /// The leader stands still at its next side effects, for so many minutes.
    Freezes(u64, u64),
    /// A new version takes over from the old one.
    Upgrades,
    /// The process's clock is wrong by so many minutes.
    Skews(i64),
}

/// Draws something that somebody does, and what undoes it later.
pub fn drawn(rng: &mut Rng) -> (Act, Option<Act>) {
    use Act::*;
    let one = rng.usize(0..64);
    match rng.u8(0..38) {
        0 | 1 => (Reboots(one), None),
        2 => (Installs(one), None),
        3 => (Stops(one), Some(Starts(one))),
        4 => (Disconnects(one), Some(Reconnects(one))),
        5 => (Deletes(one), None),
        6 => (Recreates(one), None),
        7 => (Hangs(one), Some(Starts(one))),
        8 => (Fails(one), None),
        9 => (Sickens(one), Some(Recovers(one))),
        10 => (Sets(one), None),
        11 => (Claims(one), Some(Unclaims(one))),
        12 | 13 => (Suspends, Some(Resumes)),
        14 => (Observes, Some(Enforces)),
        15 | 16 => (Pauses, Some(Unpauses)),
        17 => (Aborts, Some(Unpauses)),
        18 => (Excludes(one), Some(Unpauses)),
        19 => (Retries(one), None),
        20 => (Narrows, Some(Restores)),
        21 => (Widens, Some(Restores)),
        22 => (Shifts, Some(Restores)),
        23 => (DeletesWindow, Some(Restores)),
        24 => (DeletesRun(one), None),
        25 => (DeletesFleet, Some(Restores)),
        26 => (DeletesLease, None),
        27 => (Damages(one), None),
        28 => (Defines, None),
        29 => (CutsWatches, None),
        30 => (Compacts, None),
        31 | 32 => (Kills, None),
        33 => (Freezes(rng.u64(1..=6), rng.u64(1..=90)), None),
        34 => (Upgrades, None),
        35 | 36 => (Vetoes(one), None),
        _ => {
            let minutes = [-1440, -60, -1, 1, 60, 1440][rng.usize(0..6)];
            (Skews(minutes), Some(Skews(0)))
        }
    }
}

impl Act {
    /// Returns the class of fault that it is; none for what only undoes another.
    pub fn class(self) -> Option<Class> {
        use Act::*;
        match self {
            Reboots(_) | Installs(_) | Sets(_) | Claims(_) => Some(Class::Foreign),
            Stops(_) | Disconnects(_) | Deletes(_) | Recreates(_) | Sickens(_) => {
                Some(Class::MachineChanged)
            }
            Hangs(_) | Fails(_) | Vetoes(_) => Some(Class::StuckOperation),
            Suspends | Observes | Pauses | Aborts | Excludes(_) | Retries(_) | Narrows | Widens
            | Shifts | DeletesWindow | DeletesRun(_) | DeletesFleet => Some(Class::Edited),
            DeletesLease | Freezes(..) | Upgrades => Some(Class::TwoLeaders),
            Damages(_) => Some(Class::Damaged),
            Defines => Some(Class::Definitions),
            CutsWatches => Some(Class::MissedEvents),
            Compacts => Some(Class::Expired),
            Kills => Some(Class::Death),
            Skews(0) => None,
            Skews(_) => Some(Class::ClockSkew),
            Starts(_) | Reconnects(_) | Recovers(_) | Unclaims(_) | Resumes | Enforces
            | Unpauses | Restores => None,
        }
    }

    /// Does it.
    pub async fn happen(self, stage: &mut Stage) {
        use Act::*;
        match self {
            Suspends => edit_fleet(stage, json!({"suspend": true})).await,
            Resumes => edit_fleet(stage, json!({"suspend": false})).await,
            Observes => edit_fleet(stage, json!({"mode": "Observe"})).await,
            Enforces => edit_fleet(stage, json!({"mode": "Enforce"})).await,
            Pauses => ask(stage, "Pause", None).await,
            Aborts => ask(stage, "Abort", None).await,
            Excludes(one) => ask(stage, "Exclude", stage.machine(one)).await,
            Retries(one) => ask(stage, "Retry", stage.machine(one)).await,
            Unpauses => unask(stage).await,
            Narrows => limit(stage, json!(1)).await,
            Widens => limit(stage, json!("100%")).await,
            Shifts => {
                let spec = json!({"startTime": "22:30", "duration": "2h"});
                patch::<MaintenanceWindow>(stage, "nights", json!({"spec": spec})).await;
            }
            DeletesWindow => delete::<MaintenanceWindow>(stage, "nights").await,
            DeletesFleet => delete::<HotpatchFleet>(stage, "small").await,
            DeletesRun(one) => {
                if let Some(name) = stage.run(one) {
                    delete::<HotpatchRun>(stage, &name).await;
                }
            }
            Restores => stage.restore().await,
            DeletesLease => {
                let lease = "leases.coordination.k8s.io";
                let space = Some(OPERATOR_NAMESPACE);
                let kube = &stage.rehearsal.kube;
                if kube.get_object(lease, space, LEASE_NAME).is_some() {
                    kube.force_object(lease, space, LEASE_NAME, None);
                }
            }
            Damages(one) => damage(stage, one),
            Defines => define(stage).await,
            CutsWatches => stage.rehearsal.kube.cut_watches(),
            Compacts => {
                stage.rehearsal.kube.compact();
                stage.rehearsal.kube.cut_watches();
            }
            Kills => stage.rehearsal.gate.close(),
            Freezes(number, minutes) => {
                let long = Duration::from_secs(60 * minutes);
                stage.rehearsal.gate.stop_at(number, Side::After, long);
            }
            Upgrades => stage.upgrade().await,
            Skews(minutes) => {
                let skew = &stage.rehearsal.skew_millis;
                skew.store(minutes * 60_000, Ordering::Relaxed);
            }
            _ => self.touch(stage),
        }
    }

    /// What is done to a machine.
    fn touch(self, stage: &Stage) {
        use Act::*;
        let azure = &stage.rehearsal.azure;
        let (Reboots(one) | Installs(one) | Stops(one) | Starts(one) | Disconnects(one)
        | Reconnects(one) | Deletes(one) | Recreates(one) | Hangs(one) | Fails(one)
        | Vetoes(one) | Sickens(one) | Recovers(one) | Sets(one) | Claims(one)
        | Unclaims(one)) = self
        else {
            return;
        };
        let Some(id) = stage.machine(one) else {
            return;
        };
        let claim = r#"{"cluster":"another","fleet":"another"}"#;
        match self {
            Reboots(_) => azure.foreign_reboot(&id),
            Installs(_) => azure.foreign_install(&id, None),
            Stops(_) => azure.deallocate(&id),
            Starts(_) => azure.start(&id),
            Disconnects(_) => azure.disconnect(&id),
            Reconnects(_) => azure.reconnect(&id),
            Deletes(_) => azure.delete_machine(&id),
            Recreates(_) => azure.recreate(&id),
            Hangs(_) => azure.hang(&id),
            Fails(_) => azure.fail_next_install(&id, "0x80070643", "the package failed"),
            Vetoes(_) => azure.keep_up(&id),
            Sickens(_) => azure.set_health(&id, Some(Health::Unavailable)),
            Recovers(_) => azure.set_health(&id, None),
            Sets(_) => azure.foreign_settings(&id, &json!({"assessmentMode": "ImageDefault"})),
            Claims(_) => azure.retag(&id, CLAIM_TAG, Some(claim)),
            _ => azure.retag(&id, CLAIM_TAG, None),
        }
    }
}

fn api<K>(stage: &Stage) -> Api<K>
where
    K: kube::Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    Api::namespaced(stage.rehearsal.kube.client(), NAMESPACE)
}

// What a person asks for may come too late or be refused; then nothing was done, as in life.

async fn patch<K>(stage: &Stage, name: &str, change: Value)
where
    K: kube::Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
    K::DynamicType: Default,
{
    let change = Patch::Merge(&change);
    let _ = api::<K>(stage)
        .patch(name, &PatchParams::default(), &change)
        .await;
}

async fn delete<K>(stage: &Stage, name: &str)
where
    K: kube::Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
    K::DynamicType: Default,
{
    let _ = api::<K>(stage).delete(name, &DeleteParams::default()).await;
}

async fn edit_fleet(stage: &Stage, spec: Value) {
    patch::<HotpatchFleet>(stage, "small", json!({"spec": spec})).await;
}

async fn limit(stage: &Stage, max: Value) {
    let own = api::<BaselinePolicy>(stage).get_opt("quick").await;
    let Some(policy) = own.ok().flatten() else {
        return;
    };
    let mut stages = serde_json::to_value(&policy.spec.stages).unwrap_or_default();
    for own in stages.as_array_mut().into_iter().flatten() {
        own["maxUnavailable"] = max.clone();
    }
    patch::<BaselinePolicy>(stage, "quick", json!({"spec": {"stages": stages}})).await;
}

async fn ask(stage: &mut Stage, verb: &str, machine: Option<String>) {
    stage.requests += 1;
    let name = format!("ask-{}", stage.requests);
    let mut spec = json!({
        "fleetRef": {"name": "small"}, "verb": verb, "reason": "somebody asks",
    });
    if let Some(machine) = machine {
        spec["machines"] = json!([machine]);
    }
    let request: Result<HotpatchRequest, _> = serde_json::from_value(json!({
        "apiVersion": "hotpatch.dev/v1alpha1", "kind": "HotpatchRequest",
        "metadata": {"name": name}, "spec": spec,
    }));
    if let Ok(request) = request {
        let _ = api(stage).create(&PostParams::default(), &request).await;
    }
}

/// Deletes all requests.
pub(super) async fn unask(stage: &Stage) {
    let all: Api<HotpatchRequest> = api(stage);
    for number in 1..=stage.requests {
        let name = format!("ask-{number}");
        let _ = all.delete(&name, &DeleteParams::default()).await;
    }
}

fn damage(stage: &Stage, one: usize) {
    let resource = "hotpatchruns.hotpatch.dev";
    let kube = &stage.rehearsal.kube;
    let Some(name) = stage.run(one) else { return };
    let Some(found) = kube.get_object(resource, Some(NAMESPACE), &name) else {
        return;
    };
    let mut run = Value::clone(&found);
    let Some(machines) = run["status"]["machines"].as_array_mut() else {
        return;
    };
    let count = machines.len();
    if let Some(entry) = machines.get_mut(one.checked_rem(count).unwrap_or(0)) {
        entry["step"] = json!("Flying");
        kube.force_object(resource, Some(NAMESPACE), &name, Some(run));
    }
}

async fn define(stage: &Stage) {
    let crds: Api<CustomResourceDefinition> = Api::all(stage.rehearsal.kube.client());
    for crd in api::all_crds() {
        let name = crd.metadata.name.clone().unwrap_or_default();
        let params = PatchParams::apply("somebody").force();
        let _ = crds.patch(&name, &params, &Patch::Apply(&crd)).await;
    }
}
