//! The last step of a pass: status, machine records and events, each written only on change.

mod access;
mod departures;
mod motion;
mod records;
mod windows;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, PostParams};
use kube::core::object::HasStatus;
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::access::{access_in, access_of};
pub use self::departures::departures;
use self::motion::Motion;
use self::records::records;
pub use self::windows::{next_edge, windows};
use super::Shell;
use super::act::Deeds;
use super::events::Emitter;
use super::mirror::Mirror;
use super::observe::{Access, Memory, Mirrors, Observed};
use crate::api::{BaselinePolicy, HotpatchFleet};
use crate::azure::{Error, rights};
use crate::domain::plan::{Plan, RunKey};
use crate::domain::run::Run;
use crate::domain::snapshot::Domain;
use crate::status;
use crate::validate::{self, Declared, Found};

/// Machine records written in one pass; the rest follows in the next.
const RECORDS_PER_PASS_MAX: usize = 250;

/// Machines of an installation above which `machineRecords: All` becomes `Exceptions`.
pub const RECORDED_MACHINES_MAX: usize = 10_000;

/// Publishes what a pass found and did. Tells whether something is left for the next pass.
/// (writes)
pub async fn publish(
    shell: &Shell,
    mirrors: &Mirrors,
    memory: &Memory,
    observed: &Observed,
    plan: &mut Plan,
    deeds: &Deeds,
    events: &mut Emitter,
) -> bool {
    let now = shell.clock.now();
    let recorded: usize = plan
        .outlooks
        .values()
        .map(|outlook| outlook.roster.len())
        .sum();
    let mut left = RECORDS_PER_PASS_MAX;
    for ((namespace, id), note) in &deeds.notes {
        for (key, outlook) in &mut plan.outlooks {
            if key.namespace == *namespace && outlook.notes.contains_key(id) {
                outlook.notes.insert(id.clone(), note.clone());
            }
        }
    }
    let motion = Motion::of(deeds);
    for (namespace, declared) in &observed.declared {
        let Some(domain) = observed.snapshot.domains.get(namespace) else {
            continue;
        };
        let domain = as_done(domain, deeds);
        declarations(shell, mirrors, declared, now).await;
        for found in &declared.fleets {
            let access = access_in(shell, memory, namespace, found);
            let limited = recorded > RECORDED_MACHINES_MAX;
            let shown = Shown {
                domain: &domain,
                plan,
                access: &access,
                limited,
                motion: &motion,
            };
            fleet(
                shell, mirrors, declared, found, &shown, events, &mut left, now,
            )
            .await;
        }
    }
    for (before, after) in &deeds.runs {
        let reference = run_reference(mirrors, after);
        for happening in status::run_events(before, after) {
            events
                .emit(
                    &shell.kube,
                    &reference,
                    &after.fleet.namespace,
                    happening,
                    now,
                )
                .await;
        }
    }
    for key in &deeds.abandoned {
        let happening = status::run_abandoned();
        let reference = reference_of(key);
        events
            .emit(&shell.kube, &reference, &key.namespace, happening, now)
            .await;
    }
    left == 0
}

/// What stands behind the status of a namespace's fleets.
struct Shown<'a> {
    domain: &'a Domain,
    plan: &'a Plan,
    access: &'a Access,
    limited: bool,
    motion: &'a Motion,
}

/// The domain with its runs as the pass left them.
fn as_done(domain: &Domain, deeds: &Deeds) -> Domain {
    let mut domain = domain.clone();
    for run in deeds
        .runs
        .iter()
        .map(|(_, after)| after)
        .chain(&deeds.announced)
    {
        if domain
            .fleets
            .iter()
            .any(|view| view.key.namespace == run.fleet.namespace)
            || domain.runs.contains_key(&run.name)
        {
            domain.runs.insert(run.name.clone(), run.clone());
        }
    }
    domain
}

/// Writes an object's status if it differs from what is stored.
async fn write<K>(client: &Client, mirror: &Mirror<K>, object: &Arc<K>, wanted: K::Status)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + HasStatus,
    K: Clone + Serialize + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
    K::Status: PartialEq,
{
    if object.status() == Some(&wanted) {
        return;
    }
    let mut whole = K::clone(object);
    *whole.status_mut() = Some(wanted);
    let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    match api
        .replace_status(&object.name_any(), &PostParams::default(), &whole)
        .await
    {
        Ok(stored) => mirror.wrote(&stored),
        Err(error) => {
            let name = object.name_any();
            tracing::info!(kind = %K::kind(&()), %name, %error, "status not written");
        }
    }
}

/// Writes the status of an object that does not parse, as far as anybody can.
async fn unreadable<K>(shell: &Shell, kind: &'static str, found: &Found<K>, now: DateTime<Utc>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let Found::Unreadable {
        namespace,
        name,
        why,
        ..
    } = found
    else {
        return;
    };
    let resource = kube::api::ApiResource::erase::<K>(&());
    let api: Api<kube::api::DynamicObject> =
        Api::namespaced_with(shell.kube.clone(), namespace, &resource);
    let Ok(mut object) = api.get(name).await else {
        return;
    };
    let stored = object.data.pointer("/status/conditions").cloned();
    let previous: Vec<Condition> = stored
        .and_then(|own| serde_json::from_value(own).ok())
        .unwrap_or_default();
    let generation = object.metadata.generation;
    let conditions = status::unreadable(kind, why, previous, generation, now);
    let Ok(conditions) = serde_json::to_value(conditions) else {
        return;
    };
    if object.data.pointer("/status/conditions") == Some(&conditions) {
        return;
    }
    let Some(data) = object.data.as_object_mut() else {
        return;
    };
    let own = data
        .entry("status")
        .or_insert_with(|| serde_json::json!({}));
    if let Some(own) = own.as_object_mut() {
        own.insert("conditions".to_owned(), conditions);
        if let Some(generation) = generation {
            own.insert("observedGeneration".to_owned(), generation.into());
        }
    }
    if let Err(error) = api
        .replace_status(name, &PostParams::default(), &object)
        .await
    {
        tracing::warn!(%namespace, %name, %error, "an object cannot be read, nor told so");
    }
}

/// Writes the status of windows, policies and requests.
async fn declarations(shell: &Shell, mirrors: &Mirrors, declared: &Declared, now: DateTime<Utc>) {
    windows(shell, mirrors, declared.windows.iter().cloned(), now).await;
    for found in &declared.policies {
        unreadable(shell, "BaselinePolicy", found, now).await;
        let Some(object) = found.object() else {
            continue;
        };
        let policy = validate::policy(object);
        let name = object.name_any();
        let users = declared.fleets.iter().filter_map(Found::object);
        let users = users
            .filter(|fleet| fleet.spec.policy_ref.name == name)
            .count();
        let unsupported: Vec<String> = validate::unsupported(None, Some(object))
            .iter()
            .map(ToString::to_string)
            .collect();
        let wanted = status::policy(
            object.status.as_ref(),
            object.metadata.generation,
            policy.as_ref(),
            u32::try_from(users).unwrap_or(u32::MAX),
            &unsupported,
            now,
        );
        write(&shell.kube, &mirrors.policies, object, wanted).await;
    }
    let judged = validate::requests(declared, now);
    for found in &declared.requests {
        unreadable(shell, "HotpatchRequest", found, now).await;
        let Some(object) = found.object() else {
            continue;
        };
        let name = object.name_any();
        let Some(judgement) = judged.iter().find(|own| own.name == name) else {
            continue;
        };
        let judgement = status::RequestJudgement {
            state: state_of(&judgement.ruling),
            by: object.spec.requested_by.clone().map(|by| {
                if shell.settings.requested_by_is_enforced {
                    by
                } else {
                    format!("claimed: {by}")
                }
            }),
        };
        let wanted = status::request(
            object.status.as_ref(),
            object.metadata.generation,
            &judgement,
            now,
        );
        write(&shell.kube, &mirrors.requests, object, wanted).await;
    }
}

fn state_of(ruling: &validate::Ruling) -> status::RequestState {
    use status::RequestState;
    use validate::Ruling;
    match ruling.clone() {
        Ruling::Accepted { note } => RequestState::Accepted { note },
        Ruling::Refused { reason, message } => RequestState::Refused { reason, message },
        Ruling::Expired { at } => RequestState::Expired { at },
        Ruling::NotYetSupported { message } => RequestState::NotYetSupported { message },
        Ruling::FleetNotReady { message } => RequestState::FleetNotReady { message },
    }
}

/// Returns the policy that a fleet refers to, if it is there and can be read.
fn policy_of<'a>(fleet: &HotpatchFleet, declared: &'a Declared) -> Option<&'a BaselinePolicy> {
    let name = &fleet.spec.policy_ref.name;
    let policies = declared.policies.iter().filter_map(Found::object);
    policies
        .map(AsRef::as_ref)
        .find(|policy| policy.name_any() == *name)
}

#[expect(
    clippy::too_many_arguments,
    reason = "one fleet's share of everything a pass knows"
)]
async fn fleet(
    shell: &Shell,
    mirrors: &Mirrors,
    declared: &Declared,
    found: &Found<HotpatchFleet>,
    shown: &Shown<'_>,
    events: &mut Emitter,
    left: &mut usize,
    now: DateTime<Utc>,
) {
    unreadable(shell, "HotpatchFleet", found, now).await;
    let Some(object) = found.object() else { return };
    let uid = object.metadata.uid.clone().unwrap_or_default();
    let Some(view) = shown.domain.fleets.iter().find(|view| view.uid == uid) else {
        return;
    };
    let outlook = shown.plan.outlooks.get(&view.key);
    let unsupported: Vec<String> = validate::unsupported(Some(object), policy_of(object, declared))
        .iter()
        .map(ToString::to_string)
        .collect();
    let refusal = match shown.access {
        Access::Failed(Error::Denied { action, .. }) => rights::cure(action),
        Access::Failed(error) => error.to_string(),
        _ => String::new(),
    };
    let input = status::FleetInput {
        view,
        generation: object.metadata.generation,
        previous: object.status.as_ref(),
        outlook,
        domain: shown.domain,
        machine_records: object.spec.machine_records,
        records_limited: shown.limited,
        unsupported: &unsupported,
        access: access_of(shown.access, &refusal),
    };
    let wanted = status::fleet(&input, now);
    let reference = object.object_ref(&());
    for happening in status::fleet_events(object.status.as_ref(), &wanted) {
        events
            .emit(&shell.kube, &reference, &view.key.namespace, happening, now)
            .await;
    }
    write(&shell.kube, &mirrors.fleets, object, wanted).await;
    if let Some(outlook) = outlook {
        records(shell, mirrors, object, &view.key, outlook, shown, left, now).await;
    }
}

fn run_reference(mirrors: &Mirrors, run: &Run) -> ObjectReference {
    match mirrors.runs.get(&run.fleet.namespace, &run.name) {
        Some(Found::Object(object)) => object.object_ref(&()),
        _ => ObjectReference {
            uid: Some(run.uid.clone()),
            ..reference_of(&RunKey::of(run))
        },
    }
}

fn reference_of(key: &RunKey) -> ObjectReference {
    ObjectReference {
        api_version: Some("hotpatch.dev/v1alpha1".to_owned()),
        kind: Some("HotpatchRun".to_owned()),
        name: Some(key.name.clone()),
        namespace: Some(key.namespace.clone()),
        ..ObjectReference::default()
    }
}
