//! The record of a machine.

use chrono::TimeDelta;
use hotpatch_operator::api::fleet::MachineRecords;
use hotpatch_operator::domain::authority::steering::Steering;
use hotpatch_operator::domain::machine::{Health, Machine, Power, RebootSetting, Tags};
use hotpatch_operator::domain::plan::Note;
use hotpatch_operator::domain::policy::{GroupRule, Limit};
use hotpatch_operator::domain::roster::Member;
use hotpatch_operator::domain::run::{Run, Step, StepReason};
use hotpatch_operator::status::{self, MachineInput};

use super::build::{RELEASE, Scene, at, fleet, id, ineligible, key, machine, patched, run};
use super::{assert_in_table, told};

fn judged(machine: Machine) -> (Member, Note) {
    let machine_id = machine.id.clone();
    let (_, plan) = Scene::new().of_machines(vec![machine]).plan();
    let outlook = &plan.outlooks[&key()];
    (
        outlook.roster[&machine_id].clone(),
        outlook.notes[&machine_id].clone(),
    )
}

fn changed(mut machine: Machine, change: impl FnOnce(&mut Machine)) -> Machine {
    change(&mut machine);
    machine
}

fn record(
    machine: Machine,
    run: Option<&Run>,
) -> hotpatch_operator::api::machine::HotpatchMachineStatus {
    let machine_id = machine.id.clone();
    let (member, note) = judged(machine);
    let fleet = fleet();
    let mut input = MachineInput {
        fleet: &fleet,
        member: &member,
        note: &note,
        run: run.map(|run| (run, &run.progress[&machine_id])),
        steering: &Steering::default(),
        foreign_claim: None,
        previous: None,
        generation: Some(1),
    };
    let now = at(super::build::NOW);
    let first = status::machine(&input, now);
    assert_in_table("HotpatchMachine", &first.conditions);
    input.previous = Some(&first);
    assert_eq!(
        status::machine(&input, now + TimeDelta::hours(1)),
        first,
        "it rests"
    );
    first
}

#[test]
fn a_due_machine_says_what_until_when_and_why_not_yet() {
    let status = record(machine("c1", "canary"), None);
    assert_eq!(status.eligible, Some(true));
    assert_eq!(status.track.as_deref(), Some("BaselineDue"));
    assert_eq!(status.due.as_deref(), Some(RELEASE));
    assert_eq!(status.deadline, Some(at("2025-07-29T17:00:00Z")));
    assert_eq!(status.stage.as_deref(), Some("canary"));
    assert_eq!(status.reasons, ["AwaitsWindow"]);
    let message = status.message.unwrap();
    assert_eq!(
        message,
        "waits for the window that opens 2025-07-12 20:00 UTC"
    );
}

#[test]
fn each_condition_of_a_machine_says_what_is() {
    let now = "2025-07-09T09:00:00Z";
    let cases: Vec<(Machine, &str, &str)> = vec![
        (machine("m", "canary"), "Eligible", "True/Eligible"),
        (ineligible("m"), "Eligible", "False/Ineligible"),
        (machine("m", "canary"), "Enrolled", "True/Enrolled"),
        (
            changed(machine("m", "canary"), |own| own.settings.hotpatch = false),
            "Enrolled",
            "False/NotEnrolled",
        ),
        (machine("m", "canary"), "Current", "False/BaselineDue"),
        (
            patched(machine("m", "canary"), now),
            "Current",
            "True/Current",
        ),
        (
            changed(machine("m", "canary"), |own| own.assessment = None),
            "Current",
            "Unknown/NotKnown",
        ),
        (machine("m", "canary"), "Healthy", "True/Healthy"),
        (
            changed(machine("m", "canary"), |own| own.power = Power::Off),
            "Healthy",
            "False/Dormant",
        ),
        (
            changed(machine("m", "canary"), |own| {
                own.health = Health::Unhealthy("x".into())
            }),
            "Healthy",
            "False/Unhealthy",
        ),
        (
            changed(machine("m", "canary"), |own| {
                own.health = Health::Unknown("x".into())
            }),
            "Healthy",
            "Unknown/NotKnown",
        ),
        (
            machine("m", "canary"),
            "SoleAuthority",
            "Unknown/NotChecked",
        ),
        (
            changed(machine("m", "canary"), |own| {
                own.settings.reboot = RebootSetting::IfRequired;
            }),
            "SoleAuthority",
            "False/OtherAuthority",
        ),
    ];
    for (machine, name, expected) in cases {
        assert_eq!(told(&record(machine, None).conditions, name), expected);
    }
}

#[test]
fn the_last_run_is_shown_with_its_end() {
    let running = run(&["c1"], &[(Step::Running, None)]);
    let shown = record(machine("c1", "canary"), Some(&running))
        .last_run
        .unwrap();
    assert_eq!((shown.step.as_str(), shown.finished_at), ("Running", None));
    let failed = run(&["c1"], &[(Step::Failed, Some(StepReason::InstallFailed))]);
    let shown = record(machine("c1", "canary"), Some(&failed))
        .last_run
        .unwrap();
    assert_eq!(shown.reason.as_deref(), Some("InstallFailed"));
    assert_eq!(shown.finished_at, Some(at("2025-07-09T11:55:00Z")));
}

#[test]
fn groups_are_shown_by_tag_and_value() {
    let tags = Tags::new([("App".to_owned(), "shop".to_owned())]);
    let (member, note) = judged(changed(machine("m", "canary"), |own| own.tags = tags));
    let mut fleet = fleet();
    fleet.policy.groups = vec![GroupRule {
        tag: "app".to_owned(),
        max_unavailable: Limit::Count(1),
        order_tag: None,
    }];
    let input = MachineInput {
        fleet: &fleet,
        member: &member,
        note: &note,
        run: None,
        steering: &Steering::default(),
        foreign_claim: None,
        previous: None,
        generation: None,
    };
    let status = status::machine(&input, at(super::build::NOW));
    assert_eq!(status.availability.unwrap().groups, ["app=shop"]);
    assert_eq!(status.stage, None);
    assert_eq!(status.reasons, ["NoStage"]);
}

#[test]
fn record_names_are_safe_for_dns_and_tell_machines_apart() {
    let name = |name: &str| {
        let own = changed(machine("x", "canary"), |own| own.name = name.to_owned());
        status::machine_name(&own)
    };
    for (given, stem) in [
        ("web-1", "web-1"),
        ("WEB_1", "web-1"),
        ("web.shop", "web-shop"),
        ("-_.", "machine"),
        ("größe", "gr--e"),
        ("", "machine"),
        (&"w".repeat(80), &"w".repeat(54)),
    ] {
        let got = name(given);
        let (head, hash) = got.rsplit_once('-').unwrap();
        assert_eq!(head, stem, "{given}");
        assert_eq!(hash.len(), 8);
        assert!(got.len() <= 63, "{got}");
        let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(got.chars().all(safe), "{got}");
        assert!(!got.starts_with('-') && !got.ends_with('-'), "{got}");
    }
    let other = changed(machine("y", "canary"), |own| own.name = "web-1".to_owned());
    assert_ne!(status::machine_name(&other), name("web-1"));
    // SHA-256 of the id in lower case, so that the name never changes between versions.
    assert!(
        id("x")
            .as_str()
            .starts_with("/subscriptions/s1/resourcegroups/rg/")
    );
    assert_eq!(name("web-1"), "web-1-7b74c1fb");
}

#[test]
fn exceptions_are_machines_that_somebody_must_look_at() {
    let note = |reason: &str| Note {
        reason: reason.to_owned(),
        message: "m".to_owned(),
    };
    let (good, _) = judged(machine("m", "canary"));
    let (bad, why) = judged(ineligible("m"));
    let cases = [
        (MachineRecords::All, false, &good, note("Current"), true),
        (MachineRecords::All, true, &good, note("Current"), false),
        (MachineRecords::All, true, &bad, why.clone(), true),
        (MachineRecords::None, false, &bad, why.clone(), false),
        (MachineRecords::Exceptions, false, &bad, why, true),
        (MachineRecords::Exceptions, false, &good, note("Due"), false),
        (
            MachineRecords::Exceptions,
            false,
            &good,
            note("AwaitsWindow"),
            false,
        ),
        (
            MachineRecords::Exceptions,
            false,
            &good,
            note("Halted"),
            false,
        ),
        (
            MachineRecords::Exceptions,
            false,
            &good,
            note("OutcomeUnknown"),
            true,
        ),
        (
            MachineRecords::Exceptions,
            false,
            &good,
            note("AwaitsRetry"),
            true,
        ),
        (
            MachineRecords::Exceptions,
            false,
            &good,
            note("NoStage"),
            true,
        ),
    ];
    for (records, limited, member, note, expected) in cases {
        let wanted = status::wants_record(records, limited, member, &note);
        assert_eq!(wanted, expected, "{records:?} {limited} {}", note.reason);
    }
}

#[test]
fn a_record_stays_as_it_is_while_it_would_only_say_whose_turn_it_is() {
    let due = record(machine("c1", "canary"), None);
    let running = run(&["c1"], &[(Step::Running, None)]);
    let runs = record(machine("c1", "canary"), Some(&running));
    let (member, note) = judged(machine("c1", "canary"));
    let fleet = fleet();
    let mut other = due.clone();
    other.due = None;
    // What the record says, the reason of the note, what it would say, whether machines of the
    // fleet are worked on, and whether it may stay.
    let rows = [
        (Some(&due), "AwaitsRun", &due, true, true),
        (Some(&due), "BudgetExhausted", &due, true, true),
        (Some(&due), "BudgetExhausted", &due, false, false),
        (Some(&other), "AwaitsRun", &due, true, false),
        (Some(&due), "AwaitsRun", &other, true, false),
        (Some(&due), "Verifying", &other, false, true),
        (Some(&due), "Running", &runs, true, false),
        (Some(&runs), "Running", &runs, true, true),
        (Some(&due), "Paused", &due, true, false),
        (Some(&due), "OutcomeUnknown", &due, true, false),
        (Some(&due), "Current", &due, true, false),
        (None, "AwaitsRun", &due, true, false),
    ];
    for (previous, reason, wanted, is_moving, stays) in rows {
        let note = Note {
            reason: reason.to_owned(),
            message: note.message.clone(),
        };
        let input = MachineInput {
            fleet: &fleet,
            member: &member,
            note: &note,
            run: None,
            steering: &Steering::default(),
            foreign_claim: None,
            previous,
            generation: Some(1),
        };
        let found = status::is_in_passing(&input, wanted, is_moving);
        assert_eq!(found, stays, "{reason} {is_moving}");
    }
}
