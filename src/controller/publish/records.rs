//! Machine records: one for each machine that wants one, written only on change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};
use kube::{Resource, ResourceExt};

use super::{Shown, write};
use crate::api::machine::{HotpatchMachineSpec, MachineKind};
use crate::api::{HotpatchFleet, HotpatchMachine};
use crate::controller::Shell;
use crate::controller::observe::Mirrors;
use crate::domain::fleet::FleetKey;
use crate::domain::machine::MachineId;
use crate::domain::plan::{Note, Outlook};
use crate::domain::run::{Progress, Run, Step};
use crate::domain::snapshot::Domain;
use crate::status;
use crate::validate::Found;

/// Keeps one record for each machine that wants one, and removes those of machines that left.
#[expect(
    clippy::too_many_arguments,
    reason = "one fleet's share of everything a pass knows"
)]
pub(super) async fn records(
    shell: &Shell,
    mirrors: &Mirrors,
    fleet: &HotpatchFleet,
    key: &FleetKey,
    outlook: &Outlook,
    shown: &Shown<'_>,
    left: &mut usize,
    now: DateTime<Utc>,
) {
    let api: Api<HotpatchMachine> = Api::namespaced(shell.kube.clone(), &key.namespace);
    let mut kept = BTreeSet::new();
    let mut refused = false; // What refuses one refuses all: a namespace that goes, a quota.
    let runs = last_runs(shown.domain, key);
    let is_moving = runs.values().any(|own| is_worked_on(own.0, own.1));
    let mut views = shown.domain.fleets.iter();
    let Some(Ok(valid)) = views.find(|own| own.key == *key).map(|own| &own.fleet) else {
        return;
    };
    let (reason, message) = ("Unknown".to_owned(), String::new());
    let silent = Note { reason, message };
    for member in outlook
        .roster
        .values()
        .filter(|member| member.owner.is_none())
    {
        let note = outlook.notes.get(&member.machine.id).unwrap_or(&silent);
        if !status::wants_record(fleet.spec.machine_records, shown.limited, member, note) {
            continue;
        }
        let name = status::machine_name(&member.machine);
        kept.insert(name.clone());
        let said = outlook.notes.get(&member.machine.id);
        if *left == 0 || shown.motion.has(key, member, said) {
            continue;
        }
        let object = match mirrors.machines.get(&key.namespace, &name) {
            Some(Found::Object(object)) => object,
            Some(Found::Unreadable { .. }) => continue,
            None if refused => continue,
            None => {
                let wanted = record(fleet, key, &name, &member.machine);
                let Some(object) = make(&api, mirrors, &wanted).await else {
                    refused = true;
                    continue;
                };
                *left -= 1;
                object
            }
        };
        let input = status::MachineInput {
            fleet: valid,
            member,
            note,
            run: runs.get(&member.machine.id).copied(),
            steering: &outlook.steering,
            foreign_claim: outlook.foreign_claims.get(&member.machine.id).copied(),
            previous: object.status.as_ref(),
            generation: object.metadata.generation,
        };
        let wanted = status::machine(&input, now);
        let stands = object.status.as_ref() == Some(&wanted);
        if !stands && !status::is_in_passing(&input, &wanted, is_moving) {
            *left = left.saturating_sub(1);
            write(&shell.kube, &mirrors.machines, &object, wanted).await;
        }
    }
    forget(&api, mirrors, key, &kept, left).await;
}

fn is_worked_on(run: &Run, progress: &Progress) -> bool {
    let step = &progress.step;
    run.is_open() && matches!(step, Step::Starting | Step::Running | Step::Verifying)
}

/// Makes a record. None where the API server refuses it.
async fn make(
    api: &Api<HotpatchMachine>,
    mirrors: &Mirrors,
    wanted: &HotpatchMachine,
) -> Option<Arc<HotpatchMachine>> {
    match api.create(&PostParams::default(), wanted).await {
        Ok(object) => {
            mirrors.machines.wrote(&object);
            Some(Arc::new(object))
        }
        Err(error) => {
            let name = wanted.name_any();
            tracing::info!(machine = %name, %error, "no record could be made");
            None
        }
    }
}

/// Removes the records of a fleet that are not kept.
async fn forget(
    api: &Api<HotpatchMachine>,
    mirrors: &Mirrors,
    key: &FleetKey,
    kept: &BTreeSet<String>,
    left: &mut usize,
) {
    for found in mirrors.machines.of_namespace(&key.namespace) {
        let Found::Object(object) = found else {
            continue;
        };
        let name = object.name_any();
        if object.spec.fleet == key.name && !kept.contains(&name) && *left > 0 {
            *left -= 1;
            if let Err(error) = api.delete(&name, &DeleteParams::default()).await {
                tracing::info!(machine = %name, %error, "a record could not be removed");
            }
        }
    }
}

fn record(
    fleet: &HotpatchFleet,
    key: &FleetKey,
    name: &str,
    machine: &crate::domain::machine::Machine,
) -> HotpatchMachine {
    let spec = HotpatchMachineSpec {
        resource_id: machine.id.to_string(),
        kind: match machine.kind {
            crate::domain::machine::MachineKind::AzureVm => MachineKind::AzureVm,
            crate::domain::machine::MachineKind::ArcServer => MachineKind::ArcServer,
            crate::domain::machine::MachineKind::AzureLocalVm => MachineKind::AzureLocalVm,
        },
        fleet: key.name.clone(),
    };
    let mut object = HotpatchMachine::new(name, spec);
    object.metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(key.namespace.clone()),
        labels: Some(BTreeMap::from([(
            "hotpatch.dev/fleet".to_owned(),
            key.name.clone(),
        )])),
        owner_references: fleet.controller_owner_ref(&()).map(|own| {
            vec![OwnerReference {
                block_owner_deletion: Some(false),
                ..own
            }]
        }),
        ..ObjectMeta::default()
    };
    object
}

/// Returns the newest run that names each machine.
fn last_runs<'a>(
    domain: &'a Domain,
    key: &FleetKey,
) -> BTreeMap<MachineId, (&'a Run, &'a Progress)> {
    let mut last: BTreeMap<MachineId, (&Run, &Progress)> = BTreeMap::new();
    for run in domain.runs.values().filter(|run| run.fleet == *key) {
        for (id, progress) in &run.progress {
            let newer = last
                .get(id)
                .is_none_or(|(other, _)| other.created_at <= run.created_at);
            if newer {
                last.insert(id.clone(), (run, progress));
            }
        }
    }
    last
}
