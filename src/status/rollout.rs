//! How far the patches of a fleet are: Enrolled, Compliant, RolloutComplete, SoleAuthority,
//! ObjectivesMet, Halted, Paused and RecordsComplete. None of them ever feeds `Ready`.

use std::collections::BTreeSet;

use super::hindrance::{WaitsFor, waits_for};
use super::picture::{Judged, Picture};
use super::told::Told;
use super::{FleetInput, authority, halt, text};
use crate::api::fleet::MachineRecords;
use crate::domain::due::Verdict;
use crate::domain::fleet::{Fleet, Mode, Word};
use crate::domain::release::ReleaseId;

/// What is said of everything that needs the machines.
const NOT_JUDGED: &str = "The machines cannot be judged now; Ready says why.";

/// Sets the conditions of the rollout.
pub(super) fn tell(input: &FleetInput<'_>, picture: Option<&Picture<'_>>, told: &mut Told<'_>) {
    tell_paused(input.view.fleet.as_ref().ok(), told);
    let text = "This version does not measure the objectives of the policy.";
    told.say("ObjectivesMet", "Unknown", "NotReported", text);
    let Some(picture) = picture else {
        told.say("Enrolled", "Unknown", "NotKnown", NOT_JUDGED);
        told.say("Compliant", "Unknown", "NotKnown", NOT_JUDGED);
        told.say("RolloutComplete", "Unknown", "NotKnown", NOT_JUDGED);
        told.say("SoleAuthority", "Unknown", "NotVisible", NOT_JUDGED);
        // A halt that stands is not over because the machines cannot be seen for a while.
        if told.is("Halted", "True") {
            told.keep("Halted");
        } else {
            told.say("Halted", "Unknown", "NotKnown", NOT_JUDGED);
        }
        return;
    };
    tell_enrolled(picture, told);
    tell_compliant(picture, told);
    authority::tell_fleet(picture, told);
    tell_halted(input, picture, told);
    tell_complete(input, picture, told);
}

/// Sets `RecordsComplete`.
pub(super) fn tell_records(input: &FleetInput<'_>, told: &mut Told<'_>) {
    const NAME: &str = "RecordsComplete";
    match input.machine_records {
        MachineRecords::None => {
            told.say(NAME, "True", "SwitchedOff", "spec.machineRecords is None.");
        }
        MachineRecords::All if input.records_limited => {
            let text = "The installation has too many machines for spec.machineRecords All: only \
                        those that need somebody have a record.";
            told.say(NAME, "False", "LimitExceeded", text);
        }
        MachineRecords::All | MachineRecords::Exceptions => {
            told.say(
                NAME,
                "True",
                "Complete",
                "Records are kept as spec.machineRecords asks.",
            );
        }
    }
}

fn tell_paused(fleet: Option<&Fleet>, told: &mut Told<'_>) {
    const NAME: &str = "Paused";
    match fleet {
        None => told.say(NAME, "Unknown", "NotKnown", "The fleet is not understood."),
        Some(fleet) if fleet.suspended => {
            let text = "spec.suspend is true: nothing new is sent; work under way is followed.";
            told.say(NAME, "True", "Suspended", text);
        }
        Some(fleet) if !fleet.pauses.is_empty() => {
            let all: Vec<String> = fleet.pauses.iter().map(pause).collect();
            told.say(NAME, "True", "PauseRequested", text::names(&all));
        }
        Some(_) => told.say(NAME, "False", "NotPaused", "Nobody paused the fleet."),
    }
}

/// Says what a pause covers and whose it is.
pub(super) fn pause(word: &Word) -> String {
    let release = word.release.map(|own| own.to_string());
    let covers = match (release, &word.stage) {
        (None, None) => "everything".to_owned(),
        (Some(release), None) => format!("release {release}"),
        (None, Some(stage)) => format!("stage {stage}"),
        (Some(release), Some(stage)) => format!("release {release} in stage {stage}"),
    };
    format!("{covers} ({})", word.origin)
}

fn tell_enrolled(picture: &Picture<'_>, told: &mut Told<'_>) {
    const NAME: &str = "Enrolled";
    let wanted = || {
        picture
            .eligible()
            .filter(|own| own.member.excluded.is_none())
    };
    let lacking: Vec<&Judged<'_>> = wanted().filter(|own| !own.enrolled).collect();
    let refused: Vec<&str> = lacking
        .iter()
        .filter(|own| own.reason() == "SettingsRefused")
        .map(|own| own.member.machine.name.as_str())
        .collect();
    let of = format!("{} of {}", lacking.len(), text::machines(wanted().count()));
    if !refused.is_empty() {
        let text = format!(
            "The settings may not be written on {}.",
            text::names(&refused)
        );
        told.say(NAME, "False", "SettingsRefused", text);
    } else if lacking.is_empty() {
        let all = text::machines(wanted().count());
        told.say(
            NAME,
            "True",
            "AllEnrolled",
            format!("Hotpatching is in force: {all}."),
        );
    } else if picture.fleet.mode == Mode::Observe {
        let text = format!("Not enrolled: {of}; mode Observe changes no settings.");
        told.say(NAME, "False", "ObserveOnly", text);
    } else {
        told.say(
            NAME,
            "False",
            "NotEnrolled",
            format!("Not enrolled yet: {of}."),
        );
    }
}

fn tell_compliant(picture: &Picture<'_>, told: &mut Told<'_>) {
    const NAME: &str = "Compliant";
    let eligible = || picture.eligible();
    let overdue: Vec<&Judged<'_>> = eligible()
        .filter(|own| own.is_overdue(picture.now))
        .collect();
    let names: Vec<&str> = overdue
        .iter()
        .map(|own| own.member.machine.name.as_str())
        .collect();
    let unknown = eligible().filter(|own| own.unknown).count();
    let due = eligible().filter(|own| own.lacks.is_some()).count();
    if !overdue.is_empty() {
        let reboot = overdue.iter().all(|own| own.owes_only_reboot());
        let (reason, what) = if reboot {
            ("RebootOwed", "a reboot is owed on")
        } else {
            ("Overdue", "overdue are")
        };
        let text = format!(
            "Past the deadline of {} days, {what} {}: {}.",
            picture.fleet.policy.deadline_days,
            text::machines(overdue.len()),
            text::names(&names)
        );
        told.say(NAME, "False", reason, text);
    } else if unknown > 0 {
        let text = format!("Not known what is installed: {}.", text::machines(unknown));
        told.say(NAME, "Unknown", "NotKnown", text);
    } else if due > 0 {
        let text = format!("Due, none past the deadline: {}.", text::machines(due));
        told.say(NAME, "True", "WithinDeadline", text);
    } else {
        let text = format!(
            "Nothing is missing: {}.",
            text::machines(eligible().count())
        );
        told.say(NAME, "True", "Compliant", text);
    }
}

fn tell_halted(input: &FleetInput<'_>, picture: &Picture<'_>, told: &mut Told<'_>) {
    match halt::halt(input, picture) {
        Some((reason, text)) => told.say("Halted", "True", reason, format!("{text}.")),
        None => told.say(
            "Halted",
            "False",
            "NotHalted",
            "Nothing stopped the rollout.",
        ),
    }
}

fn tell_complete(input: &FleetInput<'_>, picture: &Picture<'_>, told: &mut Told<'_>) {
    const NAME: &str = "RolloutComplete";
    if let Some((run, others)) = input.open_runs().split_first() {
        let beside = match others.len() {
            0 => String::new(),
            1 => " Another run is open too.".to_owned(),
            more => format!(" {more} other runs are open too."),
        };
        let so_far = super::next::so_far(run);
        let text = format!("Run {} is under way: {so_far}.{beside}", run.name);
        told.say(NAME, "False", "InProgress", text);
        return;
    }
    let due: Vec<&Judged<'_>> = picture
        .machines
        .iter()
        .filter(|own| own.member.due().is_some())
        .collect();
    if due.is_empty() {
        tell_nothing_due(picture, told);
        return;
    }
    let count = text::machines(due.len());
    if picture.fleet.mode != Mode::Enforce {
        let text = format!(
            "Due: {count}; mode {:?} installs nothing.",
            picture.fleet.mode
        );
        told.say(NAME, "False", "Blocked", text);
        return;
    }
    if picture.fleet.suspended {
        told.say(
            NAME,
            "False",
            "Blocked",
            format!("Due: {count}; the fleet is suspended."),
        );
        return;
    }
    let unapproved = due
        .iter()
        .filter(|own| own.reason() == "NotApproved")
        .count();
    if unapproved > 0 {
        let text = format!("An approval is missing for {}.", text::machines(unapproved));
        told.say(NAME, "False", "WaitingForApproval", text);
        return;
    }
    let moves = due.iter().any(|own| {
        own.member.is_actionable()
            && !own.blocked
            && waits_for(own.reason()) == WaitsFor::Nobody
            && !matches!(own.reason(), "Paused" | "Aborted")
    });
    if moves {
        told.say(
            NAME,
            "False",
            "Waiting",
            format!("Due: {count}; status.nextAction has more."),
        );
        return;
    }
    let reasons: BTreeSet<&str> = due.iter().map(|own| own.reason()).collect();
    let reasons: Vec<&str> = reasons.into_iter().collect();
    let text = format!("Due: {count}, all held back: {}.", text::names(&reasons));
    told.say(NAME, "False", "Blocked", text);
}

fn tell_nothing_due(picture: &Picture<'_>, told: &mut Told<'_>) {
    const NAME: &str = "RolloutComplete";
    let on_track = || picture.eligible().filter(|own| own.enrolled);
    let unknown = on_track().filter(|own| own.unknown).count();
    if unknown > 0 {
        let text = format!(
            "Nothing is known to be due; not known: {}.",
            text::machines(unknown)
        );
        told.say(NAME, "Unknown", "NotKnown", text);
        return;
    }
    let platform = on_track()
        .filter(|own| own.reason() == "PlatformInstalls")
        .count();
    if platform > 0 {
        let text = format!(
            "The Azure platform installs on {}.",
            text::machines(platform)
        );
        told.say(NAME, "False", "Waiting", text);
        return;
    }
    let current: BTreeSet<ReleaseId> = on_track()
        .filter_map(|own| match &own.member.verdict {
            Verdict::Current { release, .. } => Some(*release),
            _ => None,
        })
        .collect();
    if current.is_empty() {
        told.say(
            NAME,
            "True",
            "NothingDue",
            "No release is due on any machine.",
        );
    } else {
        let names: Vec<String> = current.iter().map(ToString::to_string).collect();
        let text = format!("Everywhere it was due: {}.", text::names(&names));
        told.say(NAME, "True", "Complete", text);
    }
}
