//! Which machine records are left to the next pass.

use std::collections::BTreeSet;

use crate::controller::act::Deeds;
use crate::domain::fleet::FleetKey;
use crate::domain::machine::MachineId;
use crate::domain::plan::Note;
use crate::domain::roster::Member;

/// What moved in this pass and moves on: the next one, which looks at it again, writes the records,
/// and one write says what two would.
#[derive(Default)]
pub(super) struct Motion {
    /// Machines of runs that moved on or were announced.
    machines: BTreeSet<MachineId>,
    /// Fleets for which a run was announced: what their other machines wait for is found next.
    fleets: BTreeSet<FleetKey>,
}

impl Motion {
    pub(super) fn of(deeds: &Deeds) -> Self {
        if !deeds.follow_up && !deeds.moved {
            return Self::default();
        }
        let moved = deeds.runs.iter().flat_map(|(before, after)| {
            let own = after.progress.iter();
            own.filter(|(id, own)| !own.step.is_final() && before.progress.get(*id) != Some(*own))
        });
        let announced = deeds.announced.iter().flat_map(|run| &run.progress);
        let machines = moved.chain(announced).map(|(id, _)| id.clone());
        let fleets = deeds.announced.iter().map(|run| run.fleet.clone());
        Self {
            machines: machines.collect(),
            fleets: fleets.collect(),
        }
    }

    /// Tells whether the next pass has more to say of a machine.
    pub(super) fn has(&self, fleet: &FleetKey, member: &Member, note: Option<&Note>) -> bool {
        let is_only_due = note.is_some_and(|own| own.reason == "Due");
        self.machines.contains(&member.machine.id) || (is_only_due && self.fleets.contains(fleet))
    }
}
