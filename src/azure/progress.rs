//! What changes on machines while commands run on them, from Resource Graph.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::arm::Arm;
use super::error::Error;
use super::gather::{Gathering, Step};
use super::graph::{NAMES_PER_QUERY, targets};
use super::port::{Progress, Scope};
use super::queries::Learned;
use crate::domain::machine::MachineId;

/// Reads the progress of machines, up to [`NAMES_PER_QUERY`] in each query.
pub(super) async fn progress(
    arm: &Arm,
    learned: &Learned,
    scope: &Scope,
    machines: &BTreeSet<MachineId>,
) -> Result<BTreeMap<MachineId, Progress>, Error> {
    let targets = targets(scope)?;
    let machines: Vec<MachineId> = machines.iter().cloned().collect();
    let mut found = BTreeMap::new();
    for part in machines.chunks(NAMES_PER_QUERY) {
        // No age is asked of it: it lives only within this call.
        let began = DateTime::<Utc>::MIN_UTC;
        let (reach, part) = (learned.reach(), Some(part.to_vec()));
        let mut gathering = Gathering::new(began, reach, targets.clone(), part);
        while gathering.step(arm).await? != Step::Done {}
        learned.set(gathering.reach);
        collect(gathering, &mut found)?;
    }
    Ok(found)
}

fn collect(gathering: Gathering, found: &mut BTreeMap<MachineId, Progress>) -> Result<(), Error> {
    let Gathering {
        mut resources,
        mut tables,
        ..
    } = gathering;
    if let Some(row) = tables.unreadable.first() {
        let why = format!("the row {}: {}", row.id, row.why);
        return Err(Error::malformed("the progress of machines", why));
    }
    resources.complete(&mut tables);
    for half in resources.halves() {
        let machine = &half.machine;
        let assessment = machine.assessment.as_ref();
        let progress = Progress {
            health: half.health(tables.health_of(&machine.id)),
            power: resources.power(half),
            cluster_update: resources.cluster_update(half),
            connection: half.connection,
            reboot_pending: assessment.map(|a| a.reboot_pending),
            assessed_at: assessment.map(|a| a.at),
            installs: machine.installs.clone(),
        };
        found.insert(machine.id.clone(), progress);
    }
    Ok(())
}
