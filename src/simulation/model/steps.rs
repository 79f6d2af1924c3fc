//! Every step that can follow a state.

use super::checks::Broken;
use super::replica::Turn;
use super::state::{Holder, Left, Order, Pc, REPLICAS, Replica, Reply, State};
use super::{Bounds, Model, nature};

/// One step. Replicas, runs, entries and machines by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Start(usize),
    Crash(usize),
    Stop(usize),
    Pause(usize),
    Wake(usize),
    SeesSuspended(usize),
    Acquire(usize),
    Raise(usize),
    Fence(usize, usize),
    /// Whether the sources lag.
    Observe(usize, bool),
    Look(usize),
    Intent(usize, usize),
    Renew(usize),
    Withhold(usize, usize),
    Send(usize, usize),
    Answer(usize, usize),
    Throttled(usize, usize),
    /// Whether that is a fault, or nothing will ever answer.
    NoAnswer(usize, usize, bool),
    Record(usize, usize),
    Arrives(usize),
    ArrivesTwice(usize),
    DoubleArrives(usize),
    Reboots(usize),
    Ends(usize),
    EndsBadly(usize),
    EndsOwing(usize),
    PersonReboots(usize),
    Suspend,
    DeleteLease,
    Beat,
    Hour,
}

impl Action {
    /// Tells whether the step is a fault, or something else that need not happen.
    pub(super) fn is_fault(self) -> bool {
        matches!(
            self,
            Self::Crash(_)
                | Self::Stop(_)
                | Self::Pause(_)
                | Self::Observe(_, true)
                | Self::Throttled(..)
                | Self::NoAnswer(_, _, true)
                | Self::ArrivesTwice(_)
                | Self::EndsBadly(_)
                | Self::EndsOwing(_)
                | Self::PersonReboots(_)
                | Self::Suspend
                | Self::DeleteLease
        )
    }
}

/// A step and where it leads.
pub(super) struct Next {
    pub(super) action: Action,
    pub(super) state: State,
    /// What the step itself breaks.
    pub(super) broken: Option<Broken>,
}

/// Returns the first state: nobody leads, nothing was done, the window is not open yet.
pub(super) fn first(bounds: &Bounds) -> State {
    let replica = Replica {
        pc: Pc::Standby,
        ..Replica::default()
    };
    State {
        replicas: [replica; REPLICAS],
        left: Left {
            crashes: bounds.crashes,
            stops: bounds.stops,
            pauses: bounds.pauses,
            lost: bounds.lost_answers,
            doubled: bounds.duplicates,
            throttled: bounds.refusals,
            bad: bounds.failed_installs,
            owed: bounds.owed_reboots,
            late: bounds.late_sources,
            people: bounds.foreign_reboots,
            suspensions: bounds.suspensions,
            deletions: bounds.lease_deletions,
        },
        ..State::default()
    }
}

/// Puts down every step that can follow, in an order that depends on nothing else.
pub(super) fn steps(model: &mut Model, state: &State, out: &mut Vec<Next>) {
    out.clear();
    for who in 0..REPLICAS {
        lives(state, who, out);
        if !state.replicas[who].is_paused {
            acts(model, state, who, out);
        }
    }
    nature::steps(state, out);
}

/// Starts, ends, pauses.
fn lives(state: &State, who: usize, out: &mut Vec<Next>) {
    let own = &state.replicas[who];
    let mut put = |action, change: &dyn Fn(&mut State)| {
        let mut next = *state;
        change(&mut next);
        out.push(Next {
            action,
            state: next,
            broken: None,
        });
    };
    if own.is_paused {
        put(Action::Wake(who), &|next| {
            next.replicas[who].is_paused = false
        });
        return;
    }
    match own.pc {
        Pc::Down => {
            put(Action::Start(who), &|next| next.replicas[who].stand_by());
            return;
        }
        // Who does not lead does nothing, and ends without a trace.
        Pc::Standby => return,
        _ => {}
    }
    if state.is_suspended && !own.knows_suspended {
        let sees: &dyn Fn(&mut State) = &|next| next.replicas[who].knows_suspended = true;
        put(Action::SeesSuspended(who), sees);
    }
    if state.left.crashes > 0 {
        put(Action::Crash(who), &|next| {
            next.left.crashes -= 1;
            ends(next, who, Holder::Dead);
        });
    }
    if state.left.stops > 0 {
        put(Action::Stop(who), &|next| {
            next.left.stops -= 1;
            let is_sending = matches!(next.replicas[who].pc, Pc::Await(_));
            let lease = if is_sending {
                Holder::Dead
            } else {
                Holder::Nobody
            };
            ends(next, who, lease);
        });
    }
    if state.left.pauses > 0 {
        put(Action::Pause(who), &|next| {
            next.left.pauses -= 1;
            next.replicas[who].is_paused = true;
        });
    }
}

/// A life ends: its lease stays behind, or is given up (`lease.rs`, `release`).
fn ends(state: &mut State, who: usize, lease: Holder) {
    let mut term = state.replicas[who].term;
    if state.lease.holder == Holder::Replica(who as u8) {
        state.lease.holder = lease;
        if lease == Holder::Nobody {
            state.lease.age = 0;
            term = 0;
        }
    }
    state.replicas[who] = Replica {
        term,
        ..Replica::default()
    };
}

/// The next step of the run protocol.
fn acts(model: &mut Model, state: &State, who: usize, out: &mut Vec<Next>) {
    let own = &state.replicas[who];
    let turn = Turn {
        model,
        state: *state,
        who,
    };
    match own.pc {
        Pc::Down | Pc::Quiet => {}
        Pc::Standby => out.extend(turn.acquire()),
        Pc::Raise => out.push(turn.raise()),
        Pc::Fence(run) => out.push(turn.fence(usize::from(run))),
        Pc::Rest => observes(turn, out),
        Pc::Look => out.push(turn.look()),
        Pc::Intent(run) => out.push(turn.intent(usize::from(run))),
        Pc::Renew => out.push(turn.renewal()),
        Pc::Send => out.push(turn.send()),
        Pc::Await(number) => awaits(turn, usize::from(number), out),
        Pc::Record(run) => out.push(turn.record(usize::from(run))),
    }
}

/// A pass begins, with what the sources show or with what they showed before.
fn observes(mut turn: Turn<'_>, out: &mut Vec<Next>) {
    let punctual = turn.again().observe(false);
    if turn.state.left.late > 0
        && let Some(mut late) = turn.observe(true)
        && punctual.as_ref().is_none_or(|own| own.state != late.state)
    {
        late.state.left.late -= 1;
        out.push(late);
    }
    out.extend(punctual);
}

/// A command was sent: its answer comes, or a refusal, or nothing.
fn awaits(mut turn: Turn<'_>, number: usize, out: &mut Vec<Next>) {
    let state = turn.state;
    let is_on_its_way = state.posts[number].count > 0;
    let is_answered = state.replicas[turn.who].reply != Reply::None;
    out.extend(turn.again().answer(number));
    if state.left.throttled > 0 && is_on_its_way && !is_answered {
        out.push(turn.again().throttled(number));
    }
    let never = !is_on_its_way && !is_answered;
    if never || state.left.lost > 0 {
        out.push(turn.no_answer(number));
    }
}

/// Returns the word for a command.
pub(super) fn word(order: Order) -> &'static str {
    match order {
        Order::Restart => "restart",
        Order::None | Order::Finish => "finish",
    }
}
