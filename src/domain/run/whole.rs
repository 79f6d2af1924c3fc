//! How a whole run stands, by where its machines stand.

use std::collections::BTreeMap;

use super::{Progress, Run, RunEnd, RunMachine, Step, is_held};
use crate::domain::machine::MachineId;
use crate::planted::{self, Bug};

impl Run {
    /// Tells whether the run still has machines to do or to judge.
    pub fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// Tells whether the run still moves: a run whose last machines are all held does not, and
    /// others need not wait for it but for its share of the budget.
    pub fn is_moving(&self) -> bool {
        self.is_open()
            && self
                .progress
                .values()
                .any(|progress| !progress.step.is_final() && !is_held(&progress.step))
    }

    /// Tells whether all that it may command is out: none of its machines is still to be sent to.
    pub fn is_sent_out(&self) -> bool {
        self.progress.values().all(|own| own.step != Step::Planned)
    }

    /// Returns the machines that are commanded or held.
    pub fn engaged(&self) -> impl Iterator<Item = (&RunMachine, &Progress)> {
        self.progress
            .iter()
            .filter(|(_, progress)| progress.step.is_engaged())
            .filter_map(|(id, progress)| {
                self.terms
                    .machines
                    .get(id)
                    .map(|machine| (machine, progress))
            })
    }

    /// Tells how the run ends, once every machine is done with.
    pub fn conclusion(progress: &BTreeMap<MachineId, Progress>) -> Option<RunEnd> {
        let is_done = progress.values().all(|own| own.step.is_final());
        let failed = progress.values().any(|own| own.step == Step::Failed);
        let end = match failed {
            true => RunEnd::Failed,
            false => RunEnd::Complete,
        };
        (is_done && !planted::is(Bug::NeverConclude)).then_some(end)
    }
}
