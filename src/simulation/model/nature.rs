//! What happens without a replica: commands arrive, machines work, time passes, people interfere.

use super::checks::Broken;
use super::replica::DURATION;
use super::state::{
    ENTRIES, Holder, Install, Job, Line, MACHINE_OF, MACHINES, Order, Pc, Post, REPLICAS, Record,
    Replica, Reply, State, Word,
};
use super::steps::{Action, Next};
use super::values::{HOURS, MINUTES};

/// How long a command may take to arrive, in minutes: the late horizon of a VM
/// (`run/follow.rs`, `LATE_HORIZON_VM`), which the model takes as true.
const ARRIVES_WITHIN: i64 = 120;

/// The hour in which everything that runs must have ended: the longest duration that is sent.
const ALL_ENDED: u8 = 6;

/// Puts down every step that nature can take.
pub(super) fn steps(state: &State, out: &mut Vec<Next>) {
    for number in 0..ENTRIES {
        arrivals(state, number, out);
    }
    if state.double.0 > 0 {
        let mut next = *state;
        let number = usize::from(next.double.0) - 1;
        next.double = (0, 0);
        arrive(&mut next, number, Order::Finish, None);
        put(out, Action::DoubleArrives(number), next);
    }
    for machine in 0..MACHINES {
        works(state, machine, out);
    }
    people(state, out);
    time(state, out);
}

fn put(out: &mut Vec<Next>, action: Action, state: State) {
    let broken: Option<Broken> = None;
    out.push(Next {
        action,
        state,
        broken,
    });
}

fn arrivals(state: &State, number: usize, out: &mut Vec<Next>) {
    let post = state.posts[number];
    if post.count == 0 {
        return;
    }
    let mut next = *state;
    next.posts[number] = match post.count {
        1 => Post::default(),
        count => Post {
            count: count - 1,
            ..post
        },
    };
    arrive(&mut next, number, post.order, Some(post.request));
    put(out, Action::Arrives(number), next);
    // A restart that arrives twice restarts twice, whoever sends it: Azure offers nothing against
    // it. A Finish must bear it.
    if post.order == Order::Finish && state.left.doubled > 0 && state.double.0 == 0 {
        next.left.doubled -= 1;
        next.double = (number as u8 + 1, post.sent);
        put(out, Action::ArrivesTwice(number), next);
    }
}

/// Azure gets a command. A duplicate bears no number of a request of its own: what it does counts,
/// what becomes of its answer does not.
fn arrive(state: &mut State, number: usize, order: Order, request: Option<u8>) {
    let at = MACHINE_OF[number];
    let hour = state.hour;
    let machine = &mut state.machines[at];
    let count = machine.installs();
    let has_room = count < machine.records.len();
    let accepts = machine.job == Job::Idle && (order == Order::Restart || has_room);
    if accepts {
        let ghost = &mut state.ghosts[at];
        ghost.accepted += u8::from(request.is_some());
        if order == Order::Finish {
            let (install, job) = match (machine.is_current, machine.owes) {
                (true, false) => (Install::Nothing, Job::Idle),
                (true, true) => (Install::InProgress, Job::Reboots),
                (false, _) => (Install::InProgress, Job::Installs),
            };
            machine.records[count] = Record {
                install,
                started: hour,
                changed: hour,
            };
            machine.job = job;
            ghost.reboots += u8::from(job == Job::Reboots);
        } else {
            machine.job = Job::Restarts;
            ghost.reboots += 1;
        }
        machine.since = hour;
    }
    let Some(request) = request else {
        return;
    };
    let word = if accepts {
        Word::Accepted
    } else {
        Word::Refused
    };
    state.log[number] = Line {
        word,
        request,
        hour,
    };
    for replica in &mut state.replicas {
        if replica.pc == Pc::Await(number as u8) && replica.work[number].request == request {
            replica.reply = if accepts {
                Reply::Accepted
            } else {
                Reply::Refused
            };
        }
    }
}

fn works(state: &State, number: usize, out: &mut Vec<Next>) {
    let mut change = |action, faults: fn(&mut State), install, job| {
        let mut next = *state;
        faults(&mut next);
        let (hour, machine) = (next.hour, &mut next.machines[number]);
        if let (Some(install), Some(newest)) = (install, machine.newest()) {
            newest.install = install;
            newest.changed = hour;
        }
        if job == Job::Idle && machine.job.is_down() {
            machine.owes = false;
        }
        match install {
            Some(Install::Completed) => machine.is_current = true,
            Some(Install::Owed) => (machine.is_current, machine.owes) = (true, true),
            _ => {}
        }
        if job == Job::Reboots {
            next.ghosts[number].reboots += 1;
        }
        machine.job = job;
        machine.since = hour;
        put(out, action, next);
    };
    let none: fn(&mut State) = |_| {};
    match state.machines[number].job {
        Job::Idle => {
            if state.left.people > 0 {
                let person: fn(&mut State) = |next| next.left.people -= 1;
                change(Action::PersonReboots(number), person, None, Job::Foreign);
            }
        }
        Job::Installs => {
            change(Action::Reboots(number), none, None, Job::Reboots);
            if state.left.bad > 0 {
                let bad: fn(&mut State) = |next| next.left.bad -= 1;
                let failed = Some(Install::Failed);
                change(Action::EndsBadly(number), bad, failed, Job::Idle);
            }
            if state.left.owed > 0 {
                let owed: fn(&mut State) = |next| next.left.owed -= 1;
                let owes = Some(Install::Owed);
                change(Action::EndsOwing(number), owed, owes, Job::Idle);
            }
        }
        Job::Reboots => {
            let completed = Some(Install::Completed);
            change(Action::Ends(number), none, completed, Job::Idle);
        }
        Job::Restarts | Job::Foreign => change(Action::Ends(number), none, None, Job::Idle),
    }
}

fn people(state: &State, out: &mut Vec<Next>) {
    if state.left.suspensions > 0 && !state.is_suspended {
        let mut next = *state;
        next.left.suspensions -= 1;
        next.is_suspended = true;
        put(out, Action::Suspend, next);
    }
    if state.left.deletions > 0 && state.lease.holder != Holder::Missing {
        let mut next = *state;
        next.left.deletions -= 1;
        next.lease = super::state::Lease::default();
        put(out, Action::DeleteLease, next);
    }
}

/// Tells whether a replica is between two passes, or has none.
fn is_idle(own: &Replica) -> bool {
    own.is_paused || matches!(own.pc, Pc::Down | Pc::Standby | Pc::Rest)
}

fn time(state: &State, out: &mut Vec<Next>) {
    if matters(state) {
        let mut next = *state;
        beat(&mut next);
        put(out, Action::Beat, next);
    }
    let works = state.machines.iter().any(|own| own.job != Job::Idle);
    let must_wait = state.hour + 1 == ALL_ENDED && works;
    if usize::from(state.hour) + 1 < HOURS && state.replicas.iter().all(is_idle) && !must_wait {
        let mut next = *state;
        hour(&mut next);
        put(out, Action::Hour, next);
    }
}

/// Tells whether a beat brings anything nearer: a wait that ends, a lease that runs out.
fn matters(state: &State) -> bool {
    let replicas = &state.replicas;
    let waits = replicas
        .iter()
        .any(|own| own.pc == Pc::Quiet && !own.is_paused);
    let wants = |own: &Replica| own.pc == Pc::Standby && !own.is_paused;
    let runs_out = match state.lease.holder {
        Holder::Dead => true,
        Holder::Replica(who) => replicas[usize::from(who)].is_paused,
        Holder::Missing | Holder::Nobody => false,
    };
    waits || (runs_out && state.lease.age < DURATION && replicas.iter().any(wants))
}

/// A beat passes. Who waits or rests renews meanwhile (`controller/mod.rs`, `lead` and `rest`).
fn beat(state: &mut State) {
    state.lease.age = (state.lease.age + 1).min(DURATION);
    for who in 0..REPLICAS {
        let own = &mut state.replicas[who];
        own.term = own.term.saturating_sub(1);
        if matches!(own.pc, Pc::Down | Pc::Standby) {
            continue;
        }
        own.age = (own.age + 1).min(DURATION);
        if matches!(own.pc, Pc::Send | Pc::Await(_) | Pc::Renew | Pc::Intent(_)) {
            own.looked = (own.looked + 1).min(DURATION);
        }
        own.quiet = own.quiet.saturating_sub(1);
        if own.pc == Pc::Quiet && own.quiet == 0 && !own.is_paused {
            own.pc = Pc::Rest;
        }
        renews(state, who);
    }
}

fn renews(state: &mut State, who: usize) {
    let own = &mut state.replicas[who];
    if own.is_paused || !matches!(own.pc, Pc::Quiet | Pc::Rest) {
        return;
    }
    if state.lease.holder == Holder::Replica(who as u8) {
        own.age = 0;
        state.lease.age = 0;
    } else {
        own.stand_by();
    }
}

/// A longer time passes: whatever was on its way for too long does not arrive any more.
fn hour(state: &mut State) {
    state.hour += 1;
    let minutes = |hour: u8| MINUTES[usize::from(hour)];
    let is_over = |sent: u8| minutes(state.hour) - minutes(sent) >= ARRIVES_WITHIN;
    for post in &mut state.posts {
        if is_over(post.sent) {
            *post = Post::default();
        }
    }
    if state.double.0 > 0 && is_over(state.double.1) {
        state.double = (0, 0);
    }
    state.lease.age = DURATION;
    for who in 0..REPLICAS {
        let own = &mut state.replicas[who];
        own.term = 0;
        if matches!(own.pc, Pc::Down | Pc::Standby) {
            continue;
        }
        (own.age, own.quiet) = (DURATION, 0);
        if own.looked > 0 || own.pc != Pc::Rest {
            own.looked = DURATION;
        }
        renews(state, who);
    }
}
