//! What must hold, checked at every command, at every write of a run and in every state.
//!
//! The checks look at the whole state, and at ghosts that nobody in the model sees. They ask
//! neither the domain nor the model's own shell.

use super::replica::LOOK;
use super::state::{
    At, ENTRIES, Entry, MACHINE_OF, MACHINES, Order, REPLICAS, State, bit, bits, entries_of,
};

/// The invariant that is broken, with what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) invariant: &'static str,
    pub(super) says: &'static str,
}

/// Hours in which a command may be sent, for the checks alone: the window is open from 22:00 to
/// 02:00 and a command needs an hour and a reserve of 15 minutes.
const SENDABLE: std::ops::RangeInclusive<u8> = 1..=3;

/// Commands that a machine may accept for the release: one and one retry.
const ACCEPTED_MAX: u8 = 2;

/// All invariants: name, what it says.
pub(super) const INVARIANTS: [(&str, &str); 15] = [
    (
        "window",
        "a command was sent outside the window, or too late in it",
    ),
    (
        "budget",
        "more machines are unavailable than the limit allows",
    ),
    (
        "once",
        "a command was sent while an earlier one was not final, or once too often",
    ),
    ("intent", "a command was sent without a committed intent"),
    (
        "renewal",
        "a command was sent without a renewal of the lease after its intent",
    ),
    (
        "fence",
        "an older epoch sent after a newer one's first intent",
    ),
    ("term", "two replicas sent within one term of the lease"),
    (
        "evidence",
        "a command was sent although the run does not hold the machine for its request",
    ),
    ("quiet", "a command was sent after the suspension was seen"),
    (
        "alone",
        "a command was sent without a young look that found the machine at rest",
    ),
    (
        "reboots",
        "a machine rebooted because of us more often than it accepted a command",
    ),
    (
        "epoch",
        "a run that a later leader owns was written by an earlier one",
    ),
    (
        "final",
        "a machine that was done with in a run is not done with any more",
    ),
    (
        "attempts",
        "an attempt is given back although its command was accepted",
    ),
    (
        "liveness",
        "no end can be reached from here, though nothing fails any more",
    ),
];

/// Returns a broken invariant by its name.
pub(super) fn broken(name: &str) -> Broken {
    let found = INVARIANTS.iter().find(|own| own.0 == name);
    let (invariant, says) = *found.expect("the table names all");
    Broken { invariant, says }
}

/// Writes a run, and checks that it may be written so. Everybody else's copy is old now.
pub(super) fn commit(
    state: &mut State,
    who: usize,
    run: usize,
    entries: &[Entry; ENTRIES],
) -> Option<Broken> {
    let epoch = state.replicas[who].epoch;
    let mut found = None;
    if state.epochs[run] > epoch {
        found = Some(broken("epoch"));
    }
    for number in bits(entries_of(run)) {
        let (before, after) = (&mut state.entries[number], &entries[number]);
        if before.step.is_final() && !after.step.is_final() {
            found = Some(broken("final"));
        }
        *before = *after;
    }
    state.epochs[run] = epoch;
    for (other, replica) in state.replicas.iter_mut().enumerate() {
        if other != who {
            replica.fresh &= !bit(run);
        }
    }
    found
}

/// Checks a command at the instant at which it is sent.
pub(super) fn send(state: &State, who: usize, number: usize, budget: u8) -> Option<Broken> {
    let own = &state.replicas[who];
    let machine = MACHINE_OF[number];
    let truth = &state.machines[machine];
    let work = &own.work[number];
    let others = (0..REPLICAS).filter(|other| *other != who);
    let in_one_term = others.into_iter().any(|own| state.replicas[own].term > 0);
    let under_way = entries_on(machine).any(|own| state.posts[own].count > 0);
    let at_release = work.order == Order::Finish && truth.is_current && !truth.owes;
    let accepted = state.ghosts[machine].accepted;
    let stored = &state.entries[number];
    // Another leader may call our intent Unknown before we send: then it holds the machine for us.
    let stands = stored.step.is_engaged() && stored.request == work.request;
    let of_another = entries_on(machine)
        .filter(|other| *other != number)
        .any(|other| state.entries[other].step.is_engaged());
    let checks = [
        ("intent", own.committed & bit(number) == 0),
        ("renewal", !own.renewed),
        ("fence", own.epoch < state.intent_epoch),
        ("term", in_one_term),
        (
            "once",
            under_way || truth.job.is_ours() || at_release || accepted >= ACCEPTED_MAX,
        ),
        ("window", !SENDABLE.contains(&state.hour)),
        ("quiet", own.knows_suspended),
        ("budget", unavailable(state, who, number) > budget),
        ("alone", own.clean & bit(machine) == 0 || own.looked >= LOOK),
        ("evidence", !stands || of_another),
    ];
    let found = checks.into_iter().find(|(_, is_broken)| *is_broken);
    found.map(|(name, _)| broken(name))
}

fn entries_on(machine: usize) -> impl Iterator<Item = usize> {
    (0..ENTRIES).filter(move |own| MACHINE_OF[*own] == machine)
}

/// Counts the machines that are unavailable when a command is sent, with its own: what runs hold
/// or command, what our commands do or may yet do, and what the sender saw down.
fn unavailable(state: &State, who: usize, number: usize) -> u8 {
    let own = &state.replicas[who];
    let is_down = |machine: &usize| {
        *machine == MACHINE_OF[number]
            || state.machines[*machine].job.is_ours()
            || entries_on(*machine)
                .any(|own| state.entries[own].step.is_engaged() || state.posts[own].count > 0)
            || own.down & bit(*machine) != 0
            || own.seen[*machine].job.is_down()
    };
    (0..MACHINES).filter(is_down).count() as u8
}

/// Checks a state.
pub(super) fn state(state: &State, budget: u8) -> Option<Broken> {
    let ours = state
        .machines
        .iter()
        .filter(|own| own.job.is_ours())
        .count();
    if ours > usize::from(budget) {
        return Some(broken("budget"));
    }
    if state.ghosts.iter().any(|own| own.reboots > own.accepted) {
        return Some(broken("reboots"));
    }
    let counted = |machine: usize| -> u8 {
        entries_on(machine)
            .map(|own| state.entries[own].attempts)
            .sum()
    };
    if (0..MACHINES).any(|own| state.ghosts[own].accepted > counted(own)) {
        return Some(broken("attempts"));
    }
    None
}

/// Tells whether everything came to an end: every machine of both runs is done with, or held with
/// its reason when nothing more can come.
pub(super) fn is_terminal(state: &State, last: u8) -> bool {
    state.entries.iter().all(|own| {
        own.step.is_final() || (own.step == At::Unknown && own.reason > 0 && state.hour == last)
    })
}
