//! Reads the machines that a run froze.

use std::collections::BTreeMap;

use super::Doubts;
use crate::api::run as api;
use crate::domain::machine::{
    AvailabilitySetPlace, Incarnation, MachineId, MachineKind, Placement,
};
use crate::domain::run::{RUN_MACHINES_MAX, RunMachine};
use crate::record::words;
use crate::validate::fleet;

/// Reads the machines that a run names.
pub(super) fn machines(
    spec: &api::HotpatchRunSpec,
    doubts: &mut Doubts,
) -> BTreeMap<MachineId, RunMachine> {
    doubts.check(
        (1..=RUN_MACHINES_MAX).contains(&spec.machines.len()),
        || format!("spec.machines has {} entries", spec.machines.len()),
    );
    let mut machines = BTreeMap::new();
    for own in &spec.machines {
        match MachineId::parse(&own.id) {
            // Nothing is ever commanded on a machine without an id of a machine.
            Err(error) => doubts.add(format!("spec.machines: {error}")),
            Ok(id) => {
                let read = machine(id.clone(), own, doubts);
                if machines.insert(id, read).is_some() {
                    doubts.add(format!("spec.machines names {} twice", own.name));
                }
            }
        }
    }
    machines
}

fn machine(id: MachineId, own: &api::RunMachine, doubts: &mut Doubts) -> RunMachine {
    let kind = fleet::kind(own.kind);
    let incarnation = &own.incarnation;
    let (body, other) = match kind {
        MachineKind::AzureVm => (&incarnation.os_disk_id, &incarnation.vm_uuid),
        _ => (&incarnation.vm_uuid, &incarnation.os_disk_id),
    };
    doubts.check(incarnation.vm_id.is_some() && other.is_none(), || {
        format!(
            "spec.machines: the incarnation of {} is not that of an {kind}",
            own.name
        )
    });
    let update_domain = own.update_domain;
    let availability_set = own
        .availability_set
        .clone()
        .map(|id| AvailabilitySetPlace { id, update_domain });
    let flexible_scale_set = own.scale_set.clone().map(|id| (id, own.fault_domain));
    doubts.check(
        (availability_set.is_some() || update_domain.is_none())
            && (flexible_scale_set.is_some() || own.fault_domain.is_none()),
        || format!("spec.machines: {} has a domain of no set", own.name),
    );
    let mut groups = BTreeMap::new();
    for text in &own.groups {
        match words::group_of(text) {
            Some((tag, value)) => {
                groups.insert(tag, value);
            }
            None => doubts.add(format!("spec.machines: group {text:?} of {}", own.name)),
        }
    }
    RunMachine {
        id,
        name: own.name.clone(),
        kind,
        incarnation: Incarnation {
            vm_id: incarnation.vm_id.clone().unwrap_or_default(),
            body: body.clone(),
        },
        placement: Placement {
            region: own.region.clone(),
            zone: words::zone_of(own.zone.as_deref()),
            availability_set,
            flexible_scale_set,
            site: own.site.clone(),
            cluster: own.cluster.clone(),
        },
        groups,
    }
}
