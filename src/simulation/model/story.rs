//! Tells a way through the states as people would.

use std::fmt::Write as _;

use super::Model;
use super::state::{At, ENTRIES, Entry, Holder, MACHINE_OF, RUN_OF, State};
use super::steps::{Action, first, steps, word};
use super::values::{NAMES, RUN_NAMES, instant, reason};

/// Tells the steps that these places among the possible ones are, one line each.
pub(super) fn tell(model: &mut Model, way: &[u16]) -> String {
    let mut story = String::new();
    let mut state = first(&model.bounds);
    let mut out = Vec::new();
    for (count, place) in way.iter().enumerate() {
        steps(model, &state, &mut out);
        let Some(next) = out.get(usize::from(*place)) else {
            break;
        };
        let clock = instant(next.state.hour).format("%H:%M");
        let text = says(next.action, &state, &next.state);
        // Writing to a string cannot fail.
        let _ = write!(story, "{:>3}  {clock}  {text}", count + 1);
        for change in changes(&state, &next.state) {
            let _ = write!(story, "; {change}");
        }
        story.push('\n');
        state = next.state;
    }
    story
}

fn replica(who: usize) -> &'static str {
    ["replica A", "replica B"][who]
}

fn entry(number: usize) -> String {
    format!(
        "{} in {}",
        NAMES[MACHINE_OF[number]], RUN_NAMES[RUN_OF[number]]
    )
}

fn says(action: Action, before: &State, after: &State) -> String {
    use Action::*;
    let lease = |who: usize| after.lease.holder == Holder::Replica(who as u8);
    match action {
        Start(who) => format!("{} starts again", replica(who)),
        Crash(who) => format!("{} is killed", replica(who)),
        Stop(who) => format!("{} is asked to end, and gives the lease up", replica(who)),
        Pause(who) => format!("{} is paused", replica(who)),
        Wake(who) => format!("{} wakes up", replica(who)),
        SeesSuspended(who) => format!("{} sees that the fleet is suspended", replica(who)),
        Acquire(who) => format!("{} takes the lease", replica(who)),
        Raise(who) if lease(who) => {
            let epoch = after.replicas[who].epoch;
            format!("{} reads the runs and leads in epoch {epoch}", replica(who))
        }
        Raise(who) => format!("{} finds the lease lost", replica(who)),
        Fence(who, run) => format!("{} takes over {}", replica(who), RUN_NAMES[run]),
        Observe(who, late) => {
            let planned = after.replicas[who].planned;
            let lag = if late { ", though the sources lag" } else { "" };
            let names: Vec<String> = super::state::bits(planned).map(entry).collect();
            let plans = match names.is_empty() {
                true => "plans no command".to_owned(),
                false => format!("plans to command {}", names.join(" and ")),
            };
            format!("{} observes{lag}, and {plans}", replica(who))
        }
        Look(who) => format!("{} looks once more", replica(who)),
        Intent(who, run) => format!("{} writes {}", replica(who), RUN_NAMES[run]),
        Renew(who) if lease(who) => format!("{} renews the lease", replica(who)),
        Renew(who) => format!("{} goes on without the lease", replica(who)),
        Withhold(who, number) => {
            format!(
                "{} does not send the command to {}",
                replica(who),
                entry(number)
            )
        }
        Send(who, number) => {
            let order = word(after.posts[number].order);
            format!("{} sends a {order} to {}", replica(who), entry(number))
        }
        Answer(who, number) => {
            let reply = before.replicas[who].reply;
            format!(
                "{} is answered {reply:?} for {}",
                replica(who),
                entry(number)
            )
        }
        Throttled(who, number) => {
            format!("{} is refused (429) for {}", replica(who), entry(number))
        }
        NoAnswer(who, number, _) => {
            format!("{} gets no answer for {}", replica(who), entry(number))
        }
        Record(who, run) => format!("{} records outcomes in {}", replica(who), RUN_NAMES[run]),
        Arrives(_) | ArrivesTwice(_) | DoubleArrives(_) => arrival(action),
        Reboots(machine) => format!("{} reboots at the end of its install", NAMES[machine]),
        Ends(machine) => format!("{} is back", NAMES[machine]),
        EndsBadly(machine) => format!("the install on {} fails", NAMES[machine]),
        EndsOwing(machine) => format!("the install on {} ends and owes its reboot", NAMES[machine]),
        PersonReboots(machine) => format!("a person reboots {}", NAMES[machine]),
        Suspend => "a person suspends the fleet".to_owned(),
        DeleteLease => "a person deletes the lease".to_owned(),
        Beat => "a while passes".to_owned(),
        Hour => "hours pass".to_owned(),
    }
}

fn arrival(action: Action) -> String {
    match action {
        Action::Arrives(number) => format!("the command to {} arrives", entry(number)),
        Action::ArrivesTwice(number) => {
            format!(
                "the command to {} arrives, and a copy stays on its way",
                entry(number)
            )
        }
        Action::DoubleArrives(number) => format!("the copy to {} arrives", entry(number)),
        _ => String::new(),
    }
}

/// Tells what changed in the runs.
fn changes(before: &State, after: &State) -> Vec<String> {
    let mut told = Vec::new();
    for number in 0..ENTRIES {
        let (from, to) = (&before.entries[number], &after.entries[number]);
        if from.step != to.step || from.reason != to.reason {
            told.push(format!(
                "{}: {} → {}",
                entry(number),
                stands(from),
                stands(to)
            ));
        }
    }
    told
}

fn stands(own: &Entry) -> String {
    match (own.step, reason(own.reason)) {
        (At::Planned, None) => "Planned".to_owned(),
        (step, None) => format!("{step:?}"),
        (step, Some(why)) => format!("{step:?} ({})", why.word()),
    }
}
