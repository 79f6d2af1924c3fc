//! How a replica comes to lead: it takes the lease, then the runs.

use super::Flaw;
use super::checks::commit;
use super::replica::{DURATION, QUIET, Turn};
use super::state::{Holder, Pc, RUNS, bits, entries_of};
use super::steps::{Action, Next};
use super::values::SECOND_RUN;

impl Turn<'_> {
    /// `lease.rs`, `acquire`.
    pub(super) fn acquire(mut self) -> Option<Next> {
        let lease = &mut self.state.lease;
        let (quiet, found_none) = match lease.holder {
            Holder::Missing => (0, true),
            Holder::Nobody => (0, false),
            Holder::Dead | Holder::Replica(_) if lease.age >= DURATION => (QUIET, false),
            Holder::Dead | Holder::Replica(_) => return None,
        };
        lease.epoch = if found_none { 1 } else { lease.epoch + 1 };
        lease.holder = Holder::Replica(self.who as u8);
        lease.age = 0;
        let epoch = lease.epoch;
        let own = self.own();
        (own.holds, own.epoch, own.age) = (true, epoch, 0);
        (own.quiet, own.found_none, own.pc) = (quiet, found_none, Pc::Raise);
        let action = Action::Acquire(self.who);
        Some(self.done(action, None))
    }

    /// `controller/mod.rs`, `take_over`: the runs are listed, the lease's epoch is raised.
    pub(super) fn raise(mut self) -> Next {
        let highest = self.state.epochs.into_iter().max().unwrap_or(0);
        if self.renew() {
            let epoch = self.state.lease.epoch.max(highest + 1);
            self.state.lease.epoch = epoch;
            let waits = !self.is(Flaw::SkipWait);
            let own = self.own();
            own.epoch = epoch;
            if own.found_none && highest > 0 && waits {
                own.quiet = DURATION + QUIET;
            }
            if !waits {
                own.quiet = 0;
            }
            own.found_none = false;
            own.pc = Pc::Fence(0);
        } else {
            self.own().pc = Pc::Standby;
        }
        let action = Action::Raise(self.who);
        self.done(action, None)
    }

    /// `act/fence.rs`, `raise`: of one run; a conflict is read and written again, unless a later
    /// leader owns it by now.
    pub(super) fn fence(mut self, run: usize) -> Next {
        let epoch = self.own().epoch;
        let is_there = run == 0 || self.state.hour >= SECOND_RUN;
        let is_open = !bits(entries_of(run)).all(|own| self.state.entries[own].step.is_final());
        let mut broken = None;
        let is_due = is_there && is_open && self.state.epochs[run] != epoch;
        let is_later = is_due && self.state.epochs[run] > epoch;
        if is_later && !self.is(Flaw::FenceBackwards) {
            self.own().stand_by();
            let action = Action::Fence(self.who, run);
            return self.done(action, None);
        }
        if is_due && !self.is(Flaw::IgnoreEpoch) {
            let entries = self.state.entries;
            broken = commit(&mut self.state, self.who, run, &entries);
        }
        let own = self.own();
        own.pc = match (run + 1 < RUNS, own.quiet) {
            (true, _) => Pc::Fence(run as u8 + 1),
            (false, 0) => Pc::Rest,
            (false, _) => Pc::Quiet,
        };
        let action = Action::Fence(self.who, run);
        self.done(action, broken)
    }
}
