//! What a replica does, step by step, in the shell's order.
//!
//! Each step is one side effect, or one read, of the file it names; between any two of them
//! everybody else may act and the process may die. What is decided is asked of the domain.

use super::checks::{Broken, commit, send};
use super::lag::hidden;
use super::oracle::{self, Ask, Planned, Sight};
use super::state::{
    At, ENTRIES, Entry, Holder, Line, MACHINE_OF, Machine, Pc, Post, RUN_OF, RUNS, Replica, Reply,
    State, Word, bit, bits, entries_of,
};
use super::steps::{Action, Next};
use super::{Flaw, Model};

/// Beats that a lease holds. A beat is the longest request with its margin (`lease.rs`).
pub(super) const DURATION: u8 = 2;

/// Beats after a renewal in which a command may be sent: one less, so that its answer is there
/// before the lease can pass to another (`Leadership::may_send`).
pub(super) const ROOM: u8 = DURATION - 1;

/// Beats for which a new leader waits (`Leadership::acquire`).
pub(super) const QUIET: u8 = 1;

/// Beats after which a look is too old (`clearance::READING_AGE_MAX`).
pub(super) const LOOK: u8 = 2;

/// One replica about to take a step.
pub(super) struct Turn<'a> {
    pub(super) model: &'a mut Model,
    pub(super) state: State,
    pub(super) who: usize,
}

impl Turn<'_> {
    /// Returns the same turn, to be taken otherwise.
    pub(super) fn again(&mut self) -> Turn<'_> {
        Turn {
            model: &mut *self.model,
            state: self.state,
            who: self.who,
        }
    }

    pub(super) fn own(&mut self) -> &mut Replica {
        &mut self.state.replicas[self.who]
    }

    pub(super) fn is(&self, flaw: Flaw) -> bool {
        self.model.flaw == Some(flaw)
    }

    pub(super) fn done(self, action: Action, broken: Option<Broken>) -> Next {
        Next {
            action,
            state: self.state,
            broken,
        }
    }

    /// Tells whether the lease is as it was last written by this life.
    fn has_lease(&self) -> bool {
        self.state.lease.holder == Holder::Replica(self.who as u8)
    }

    /// Renews by compare-and-swap (`lease.rs`, `renew`).
    pub(super) fn renew(&mut self) -> bool {
        if self.has_lease() {
            self.state.lease.age = 0;
            self.own().age = 0;
            return true;
        }
        self.own().holds = false;
        false
    }

    /// `controller/mod.rs`, `pass`: `observe` and `plan`. None where the pass would do nothing.
    pub(super) fn observe(mut self, late: bool) -> Option<Next> {
        let seen = match late {
            true => self.state.machines.map(|own| hidden(own, self.state.hour)),
            false => self.state.machines,
        };
        let sight = Sight {
            hour: self.state.hour,
            suspended: self.own().knows_suspended,
            entries: self.state.entries,
            seen,
            log: std::array::from_fn(|own| self.line(own)),
            late,
        };
        let mut planned = self.model.oracle.plan(&sight);
        self.spoil(&sight, &mut planned);
        if planned.sends == 0 && planned.entries == self.state.entries {
            return None;
        }
        let stored = self.state.entries;
        let hour = self.state.hour;
        let own = self.own();
        own.fresh = bit(RUNS) - 1;
        own.touched = (0..ENTRIES)
            .filter(|entry| planned.entries[*entry] != stored[*entry])
            .fold(0, |all, entry| all | bit(RUN_OF[entry]));
        own.work = planned.entries;
        own.planned = planned.sends;
        if planned.sends != 0 {
            (own.seen, own.seen_at) = (seen, hour);
            own.pc = Pc::Look;
        } else {
            own.pc = after_intent(own, 0);
        }
        let action = Action::Observe(self.who, late);
        Some(self.done(action, None))
    }

    /// What the log says, as far as it is looked at.
    fn line(&self, number: usize) -> Line {
        let entry = &self.state.entries[number];
        let asks = matches!(entry.step, At::Starting | At::Unknown);
        let line = self.state.log[number];
        match asks && line.request == entry.request {
            true => line,
            false => Line::default(),
        }
    }

    /// What a flawed operator does with what it finds.
    fn spoil(&self, sight: &Sight, planned: &mut Planned) {
        for (number, own) in sight.entries.iter().enumerate() {
            let shown = &sight.log[number];
            let absent = shown.word == Word::Absent || (sight.late && shown.hour == sight.hour);
            let again = self.is(Flaw::ForgetCrash) && own.step == At::Starting
                || self.is(Flaw::TrustAbsence) && oracle::is_held(own) && absent;
            if again {
                planned.entries[number] = oracle::not_sent(number, own, sight.hour);
                planned.sends &= !bit(number);
            }
        }
    }

    /// `act/send.rs`, `look`.
    pub(super) fn look(mut self) -> Next {
        let hour = self.state.hour;
        let planned = self.own().planned;
        let read = self.own().seen;
        let seen_at = self.own().seen_at;
        for entry in bits(planned) {
            let number = MACHINE_OF[entry];
            let machine = self.state.machines[number];
            let clear = self
                .model
                .oracle
                .look(number, (seen_at, read[number]), (hour, machine))
                || self.is(Flaw::SkipLook);
            let own = self.own();
            if machine.job.is_down() {
                own.down |= bit(number);
            }
            if machine.job == super::state::Job::Idle {
                own.clean |= bit(number);
            }
            if clear {
                own.work[entry] = intent(&own.work[entry], &machine, own, hour, entry);
                own.asked[entry] = own.work[entry].request;
                own.intents |= bit(entry);
                own.touched |= bit(RUN_OF[entry]);
            }
        }
        let own = self.own();
        (own.planned, own.looked) = (0, 0);
        own.pc = after_intent(own, 0);
        let action = Action::Look(self.who);
        self.done(action, None)
    }

    /// `act/runs.rs`, `write`: the moves and the intents of a run, by compare-and-swap.
    pub(super) fn intent(mut self, run: usize) -> Next {
        let epoch = self.own().epoch;
        let of_run = entries_of(run);
        let is_fresh = self.own().fresh & bit(run) != 0;
        let is_ours = self.state.epochs[run] <= epoch;
        let intents = self.own().intents & of_run;
        let mut broken = None;
        if intents != 0 && self.is(Flaw::DropIntent) {
            self.own().touched &= !bit(run);
        } else if is_fresh && is_ours {
            let work = self.own().work;
            broken = commit(&mut self.state, self.who, run, &work);
            self.intended(intents);
        } else if intents != 0 && self.is(Flaw::IgnoreEpoch) {
            let mut found = self.state.entries;
            for number in bits(intents) {
                found[number] = self.own().work[number];
            }
            broken = commit(&mut self.state, self.who, run, &found);
            self.intended(intents);
        } else {
            let stored = self.state.entries;
            let own = self.own();
            for number in bits(of_run) {
                own.work[number] = stored[number];
            }
            own.intents &= !of_run;
        }
        let own = self.own();
        own.touched &= !bit(run);
        own.pc = after_intent(own, run + 1);
        let action = Action::Intent(self.who, run);
        self.done(action, broken)
    }

    fn intended(&mut self, intents: u8) {
        let own = self.own();
        own.committed |= intents;
        own.renewed = false;
        let epoch = own.epoch;
        if intents != 0 {
            self.state.intent_epoch = self.state.intent_epoch.max(epoch);
        }
    }

    /// `act.rs`, `act`: the renewal after the intents. Without it nothing is sent.
    pub(super) fn renewal(mut self) -> Next {
        if self.is(Flaw::SkipRenewal) {
            self.own().pc = Pc::Send;
        } else if self.renew() {
            let own = self.own();
            (own.renewed, own.pc) = (true, Pc::Send);
        } else {
            for number in bits(self.own().intents) {
                self.withdraw(number);
            }
            self.after_send();
        }
        let action = Action::Renew(self.who);
        self.done(action, None)
    }

    /// Returns an intent to Planned: we know that it was not sent.
    fn withdraw(&mut self, number: usize) {
        let before = self.own().work[number];
        let after = oracle::not_sent(number, &before, self.state.hour);
        self.settle(number, after);
    }

    pub(super) fn settle(&mut self, number: usize, after: Entry) {
        let own = self.own();
        own.work[number] = after;
        own.intents &= !bit(number);
        own.touched |= bit(RUN_OF[number]);
        own.reply = Reply::None;
    }

    pub(super) fn after_send(&mut self) {
        let own = self.own();
        own.pc = match own.intents {
            0 => after_record(own, 0),
            _ => Pc::Send,
        };
    }

    /// `act/send.rs`, `still_allowed` and `command`: of the next intent. The check and the send
    /// are one step; what passes between them is the time that a command takes to arrive.
    pub(super) fn send(mut self) -> Next {
        let own = self.state.replicas[self.who];
        let number = bits(own.intents).next().expect("only with intents");
        let in_time = own.holds && own.quiet == 0 && own.age < ROOM;
        let ask = Ask {
            hour: self.state.hour,
            seen_at: own.seen_at,
            suspended: own.knows_suspended,
            entries: own.work,
            seen: own.seen,
            down: own.down,
            entry: number as u8,
        };
        let allowed = (in_time && own.looked < LOOK || self.is(Flaw::IgnoreTime))
            && (self.is(Flaw::SkipRecheck) || self.model.oracle.ask(&ask));
        if !allowed {
            self.withdraw(number);
            self.after_send();
            let action = Action::Withhold(self.who, number);
            return self.done(action, None);
        }
        let budget = self.model.bounds.budget;
        let broken = send(&self.state, self.who, number, budget);
        self.post(number);
        self.own().pc = Pc::Await(number as u8);
        let action = Action::Send(self.who, number);
        self.done(action, broken)
    }

    pub(super) fn post(&mut self, number: usize) {
        let own = self.own();
        own.term = DURATION.saturating_sub(own.age);
        let work = own.work[number];
        self.state.posts[number] = Post {
            count: self.state.posts[number].count + 1,
            order: work.order,
            request: work.request,
            sent: self.state.hour,
        };
    }
}

/// `act/send.rs`, `intent`.
fn intent(before: &Entry, machine: &Machine, own: &Replica, hour: u8, number: usize) -> Entry {
    let attempts = before.attempts + 1;
    let order = match before.order {
        super::state::Order::None => super::state::Order::Finish,
        order => order,
    };
    let last = machine
        .installs()
        .max(own.seen[MACHINE_OF[number]].installs());
    Entry {
        step: At::Starting,
        order,
        attempts,
        refusals: before.refusals,
        request: 1 + attempts * 4 + before.refusals,
        intent: hour + 1,
        since: hour,
        ended: 0,
        before: last as u8,
        operation: false,
        reason: 0,
    }
}

/// Returns what follows the writes of runs from `run` on.
fn after_intent(own: &mut Replica, run: usize) -> Pc {
    match bits(own.touched).find(|next| *next >= run) {
        Some(next) => Pc::Intent(next as u8),
        None if own.intents != 0 => Pc::Renew,
        None => rest(own),
    }
}

/// Returns what follows the outcomes of runs from `run` on.
pub(super) fn after_record(own: &mut Replica, run: usize) -> Pc {
    match bits(own.touched).find(|next| *next >= run) {
        Some(next) => Pc::Record(next as u8),
        None => rest(own),
    }
}

/// Ends a pass: nothing of it is remembered.
fn rest(own: &mut Replica) -> Pc {
    *own = Replica {
        pc: own.pc,
        is_paused: own.is_paused,
        holds: own.holds,
        epoch: own.epoch,
        age: own.age,
        quiet: own.quiet,
        knows_suspended: own.knows_suspended,
        term: own.term,
        ..Replica::default()
    };
    match own.holds {
        true => Pc::Rest,
        false => {
            own.stand_by();
            Pc::Standby
        }
    }
}

impl Replica {
    /// Forgets what only a leader knows.
    pub(super) fn stand_by(&mut self) {
        *self = Self {
            pc: Pc::Standby,
            is_paused: self.is_paused,
            knows_suspended: self.knows_suspended,
            term: self.term,
            ..Self::default()
        };
    }
}
