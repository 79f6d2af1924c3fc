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
use crate::domain::run::{Progress, Run};
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
    let Some(Ok(valid)) = shown
        .domain
        .fleets
        .iter()
        .find(|view| view.key == *key)
        .map(|view| &view.fleet)
    else {
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
                let made = api
                    .create(
                        &PostParams::default(),
                        &record(fleet, key, &name, &member.machine),
                    )
                    .await;
                match made {
                    Ok(object) => {
                        *left -= 1;
                        mirrors.machines.wrote(&object);
                        Arc::new(object)
                    }
                    Err(error) => {
                        refused = true;
                        tracing::info!(machine = %name, %error, "no record could be made");
                        continue;
                    }
                }
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
        if object.status.as_ref() != Some(&wanted) {
            *left = left.saturating_sub(1);
            write(&shell.kube, &mirrors.machines, &object, wanted).await;
        }
    }
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
