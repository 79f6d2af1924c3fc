//! What became of commands, and how that is put down.

use super::Flaw;
use super::checks::{commit, send};
use super::oracle;
use super::replica::{Turn, after_record};
use super::state::{At, Entry, Post, Reply, bit, bits, entries_of};
use super::steps::{Action, Next};
use super::values::reason_number;
use crate::domain::run::StepReason;

impl Turn<'_> {
    /// `act/send.rs`, `outcome`: the answer is there.
    pub(super) fn answer(mut self, number: usize) -> Option<Next> {
        let before = self.own().work[number];
        let after = match self.own().reply {
            Reply::None => return None,
            Reply::Refused => oracle::sure_refusal(number, &before, self.state.hour),
            Reply::Accepted => Entry {
                step: At::Running,
                since: self.state.hour,
                operation: true,
                reason: 0,
                ..before
            },
        };
        self.settle(number, after);
        self.after_send();
        let action = Action::Answer(self.who, number);
        Some(self.done(action, None))
    }

    /// The same: Azure answers 429.
    pub(super) fn throttled(mut self, number: usize) -> Next {
        self.state.left.throttled -= 1;
        self.state.posts[number] = Post::default();
        let before = self.own().work[number];
        let after = oracle::sure_refusal(number, &before, self.state.hour);
        self.settle(number, after);
        self.after_send();
        let action = Action::Throttled(self.who, number);
        self.done(action, None)
    }

    /// The same: no answer in time.
    pub(super) fn no_answer(mut self, number: usize) -> Next {
        let is_fault = self.state.posts[number].count > 0 || self.own().reply != Reply::None;
        self.state.left.lost -= u8::from(is_fault);
        let action = Action::NoAnswer(self.who, number, is_fault);
        if self.is(Flaw::RetryOnTimeout) {
            let budget = self.model.bounds.budget;
            let broken = send(&self.state, self.who, number, budget);
            self.post(number);
            self.own().reply = Reply::None;
            return self.done(action, broken);
        }
        let before = self.own().work[number];
        let after = Entry {
            step: At::Unknown,
            since: self.state.hour,
            reason: reason_number(&StepReason::OutcomeUnknown),
            ..before
        };
        self.settle(number, after);
        self.after_send();
        self.done(action, None)
    }

    /// `act/runs.rs`, `record`: over our own intents only, after a conflict as well.
    pub(super) fn record(mut self, run: usize) -> Next {
        let own = self.state.replicas[self.who];
        let is_fresh = own.fresh & bit(run) != 0;
        let is_ours = self.state.epochs[run] <= own.epoch || self.is(Flaw::IgnoreEpoch);
        let mut broken = None;
        if self.is(Flaw::BlindOutcome) || (is_fresh && is_ours) {
            broken = commit(&mut self.state, self.who, run, &own.work);
        } else if is_ours {
            let mut found = self.state.entries;
            let mut finds = false;
            for number in bits(own.committed & entries_of(run)) {
                let stored = &mut found[number];
                if stored.step == At::Starting && stored.request == own.asked[number] {
                    *stored = own.work[number];
                    finds = true;
                }
            }
            if finds {
                broken = commit(&mut self.state, self.who, run, &found);
            }
        }
        let own = self.own();
        own.touched &= !bit(run);
        own.pc = after_record(own, run + 1);
        let action = Action::Record(self.who, run);
        self.done(action, broken)
    }
}
