//! What the operator does next, or what it waits for: one line that a person understands.

mod due;

use chrono::{DateTime, Utc};

use super::picture::{Judged, Picture};
use super::{Access, FleetInput, halt, text};
use crate::api::schema::MAX_MESSAGE;
use crate::domain::fleet::{Fleet, Mode};
use crate::domain::permission::ANY_TIME;
use crate::domain::run::{Run, Step, is_held};
use crate::domain::snapshot::INVENTORY_AGE_MAX;

/// Says what comes next for a fleet.
pub(super) fn next_action(
    input: &FleetInput<'_>,
    picture: Option<&Picture<'_>>,
    now: DateTime<Utc>,
) -> String {
    let sentence = unable(input, now)
        .or_else(|| picture.map(|own| planned(input, own)))
        .unwrap_or_else(|| "Waits: the fleet was not planned yet.".to_owned());
    text::line(&sentence, MAX_MESSAGE as usize)
}

/// Says what keeps the operator from its work.
fn unable(input: &FleetInput<'_>, now: DateTime<Utc>) -> Option<String> {
    match &input.view.fleet {
        Err(fault) if fault.stalls => {
            return Some(format!("Waits for an edit of the fleet: {}", fault.message));
        }
        Err(fault) => return Some(format!("Waits: {}", fault.message)),
        Ok(_) => {}
    }
    match input.access {
        Access::Denied { action, .. } => {
            return Some(format!(
                "Waits for a role assignment: Azure refuses {action}."
            ));
        }
        Access::Refused { message, .. } => {
            return Some(format!("Waits for the Azure identity: {message}"));
        }
        Access::Unknown | Access::Valid => {}
    }
    match input.inventory() {
        Err(why) if input.access == Access::Unknown => {
            Some(format!("Waits for the first reading of Azure: {why}"))
        }
        Err(why) => Some(format!("Waits for Azure, which could not be read: {why}")),
        Ok(inventory) if now - inventory.at > INVENTORY_AGE_MAX => {
            let last = text::at(inventory.at);
            Some(format!(
                "Waits for Azure, which was last read {last}; nothing new is started."
            ))
        }
        Ok(_) => None,
    }
}

fn planned(input: &FleetInput<'_>, picture: &Picture<'_>) -> String {
    let fleet = picture.fleet;
    let runs = input.open_runs();
    if let Some(stop) = stopped(input, picture) {
        let engaged: usize = runs.iter().map(|run| run.engaged().count()).sum();
        return match engaged {
            0 => stop,
            some => format!("{stop} Followed to their end: {}.", text::machines(some)),
        };
    }
    let moving: Vec<&&Run> = runs.iter().filter(|run| run.is_moving()).collect();
    if let Some((newest, earlier)) = moving.split_last() {
        let own = in_run(fleet, newest, picture.now);
        return match earlier.len() {
            0 => own,
            1 => format!("{own} One earlier run has sent all and is followed to its end."),
            more => {
                format!("{own} {more} earlier runs have sent all and are followed to their end.")
            }
        };
    }
    let next = due::by_due(picture);
    match (runs.first(), next) {
        (Some(run), None) => held(run),
        (Some(run), Some(next)) => format!("{next} {}", held(run)),
        (None, Some(next)) => next,
        (None, None) => nothing_due(picture),
    }
}

/// Says what stops the whole fleet.
fn stopped(input: &FleetInput<'_>, picture: &Picture<'_>) -> Option<String> {
    let fleet = picture.fleet;
    if fleet.suspended {
        return Some("Suspended: nothing starts until spec.suspend is false.".to_owned());
    }
    let whole = fleet
        .pauses
        .iter()
        .find(|own| own.release.is_none() && own.stage.is_none());
    if let Some(word) = whole {
        return Some(format!(
            "Paused: nothing starts until the HotpatchRequest is deleted or expires ({}).",
            word.origin
        ));
    }
    if fleet.mode != Mode::Enforce {
        return None;
    }
    halt::halt(input, picture).map(|(_, why)| format!("Halted: {why}."))
}

fn in_run(fleet: &Fleet, run: &Run, now: DateTime<Utc>) -> String {
    let terms = &run.terms;
    let count = text::machines(terms.machines.len());
    if let Some(why) = &run.quarantined {
        return format!(
            "Waits for a person: run {} cannot be understood: {why}",
            run.name
        );
    }
    if let Some(pause) = fleet.pause(terms.release, &terms.stage) {
        return format!("Paused: run {} sends nothing ({}).", run.name, pause.origin);
    }
    if let Some(gate) = terms
        .gates
        .iter()
        .find(|own| !run.gates_open.contains(&own.condition))
    {
        return format!(
            "Next: {} of {} on {count} once condition {} is True on run {}, {}.",
            terms.stage,
            terms.release,
            gate.condition,
            run.name,
            when(&terms.window.name, terms.window.start, now)
        );
    }
    if now < terms.window.start {
        return format!(
            "Next: {} of {} on {count} {}.",
            terms.stage,
            terms.release,
            when(&terms.window.name, terms.window.start, now)
        );
    }
    format!(
        "Now: {} of {} on {count} in run {}: {}.",
        terms.stage,
        terms.release,
        run.name,
        so_far(run)
    )
}

fn when(window: &str, opens: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match window {
        ANY_TIME => format!("at any time from {}", text::at(opens)),
        _ if opens > now => format!("when window {window} opens {}", text::at(opens)),
        _ => format!("in window {window}"),
    }
}

/// Says how far a run has come.
pub(super) fn so_far(run: &Run) -> String {
    let count =
        |test: &dyn Fn(&Step) -> bool| run.progress.values().filter(|own| test(&own.step)).count();
    let parts = [
        (count(&|step| *step == Step::Succeeded), "done"),
        (
            count(&|step| step.is_engaged() && !is_held(step)),
            "under way",
        ),
        (count(&|step| *step == Step::Planned), "to go"),
        (count(&is_held), "held"),
        (count(&|step| *step == Step::Failed), "failed"),
        (count(&|step| *step == Step::Skipped), "left out"),
    ];
    let told: Vec<String> = parts
        .into_iter()
        .filter(|(count, what)| *count > 0 || *what == "done")
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    told.join(", ")
}

fn held(run: &Run) -> String {
    let names: Vec<&str> = run
        .engaged()
        .filter(|(_, own)| is_held(&own.step))
        .map(|(machine, _)| machine.name.as_str())
        .collect();
    format!(
        "Waits for evidence or a person: run {} holds {}; see their HotpatchRun, or send a \
         HotpatchRequest with verb Retry.",
        run.name,
        text::names(&names)
    )
}

fn nothing_due(picture: &Picture<'_>) -> String {
    let fleet = picture.fleet;
    if picture.machines.is_empty() {
        return "Nothing to do: the selector matches no machine.".to_owned();
    }
    let eligible = picture.eligible().count();
    if eligible == 0 {
        return format!(
            "Nothing to do: of {} none can be hotpatched; status.ineligibleReasons says why.",
            text::machines(picture.machines.len())
        );
    }
    let waiting: Vec<&Judged<'_>> = picture
        .eligible()
        .filter(|own| !own.enrolled && own.member.excluded.is_none())
        .collect();
    if !waiting.is_empty() {
        let count = text::machines(waiting.len());
        return match fleet.mode {
            Mode::Observe => {
                format!("Nothing is changed in mode Observe; not enrolled: {count}.")
            }
            Mode::Enrol | Mode::Enforce => format!("Next: hotpatching is turned on for {count}."),
        };
    }
    let platform = picture
        .machines
        .iter()
        .filter(|own| own.reason() == "PlatformInstalls")
        .count();
    if platform > 0 {
        let count = text::machines(platform);
        return format!("Waits for the Azure platform, which installs on {count} by itself.");
    }
    let unknown: Vec<&Judged<'_>> = picture.eligible().filter(|own| own.unknown).collect();
    if let Some(first) = unknown.first() {
        let why = first.note.map_or("", |note| note.message.as_str());
        let count = text::machines(unknown.len());
        return format!("Nothing is known to be due; not known: {count}, the first because {why}.");
    }
    let lacking: Vec<&Judged<'_>> = picture
        .eligible()
        .filter(|own| own.lacks.is_some())
        .collect();
    if let Some(first) = lacking.first() {
        let why = first.note.map_or("", |note| note.message.as_str());
        return format!(
            "Held back: {}, the first because {why}.",
            text::machines(lacking.len())
        );
    }
    let current: Vec<String> = super::picture::latest_releases(picture.outlook)
        .values()
        .map(ToString::to_string)
        .collect();
    format!(
        "Nothing is due: {} at {}.",
        text::machines(eligible),
        text::names(&current)
    )
}
