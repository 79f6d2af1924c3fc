//! Events: one a transition, aggregated, bounded.

use hotpatch_operator::domain::run::{Run, RunEnd, Step, StepReason};
use hotpatch_operator::status::{
    Happening, HappeningKind, NOTE_BYTES_MAX, fleet_events, run_events,
};

use super::build::{Scene, at, fault, long_gone, machine, patched, run, word};

fn words(events: &[Happening]) -> Vec<String> {
    events
        .iter()
        .map(|own| format!("{:?} {}", own.kind, own.reason))
        .collect()
}

fn failing() -> Scene {
    Scene::new().with(|own| {
        own.runs = vec![run(
            &["c1"],
            &[(Step::Failed, Some(StepReason::InstallFailed))],
        )];
    })
}

#[test]
fn a_fleet_event_comes_with_its_transition_and_only_then() {
    let suspended = || Scene::new().of_fleet(|own| own.suspended = true);
    let invalid = || Scene::new().with(|own| own.fleet = Err(fault("InvalidSpec", true)));
    let windowless = || Scene::new().of_fleet(|own| own.windows[0].window = long_gone());
    let cases: Vec<(Scene, Scene, Vec<&str>)> = vec![
        (Scene::new(), Scene::new(), vec![]),
        (Scene::new(), failing(), vec!["Warning Halted"]),
        (failing(), Scene::new(), vec!["Normal HaltEnded"]),
        (Scene::new(), suspended(), vec!["Normal Paused"]),
        (suspended(), Scene::new(), vec!["Normal Resumed"]),
        (
            suspended(),
            Scene::new().of_fleet(|own| own.pauses = vec![word(None)]),
            vec!["Normal Paused"],
        ),
        (Scene::new(), invalid(), vec!["Warning Stalled"]),
        (invalid(), Scene::new(), vec!["Normal SpecAccepted"]),
        (
            Scene::new(),
            windowless(),
            vec!["Warning NoWindow", "Warning NotFeasible"],
        ),
        (
            Scene::new(),
            Scene::new().with(|own| own.machines = Err("429".to_owned())),
            vec!["Warning NotDiscovered"],
        ),
        (
            Scene::new().with(|own| own.machines = Err("429".to_owned())),
            Scene::new(),
            vec!["Normal Discovered"],
        ),
    ];
    for (before, after, expected) in cases {
        let first = before.status();
        let next = after.status_after(Some(&first));
        assert_eq!(words(&fleet_events(Some(&first), &next)), expected);
        assert!(
            fleet_events(Some(&next), &next).is_empty(),
            "{expected:?} again"
        );
    }
}

#[test]
fn a_fleet_seen_for_the_first_time_tells_only_what_is_wrong() {
    assert!(fleet_events(None, &Scene::new().status()).is_empty());
    assert_eq!(
        words(&fleet_events(None, &failing().status())),
        ["Warning Halted"]
    );
}

#[test]
fn a_completed_release_is_told_once() {
    let before = Scene::new().status();
    let done = Scene::new().of_machines(vec![
        patched(machine("c1", "canary"), "2025-07-07T10:00:00Z"),
        patched(machine("b1", "broad"), "2025-07-09T11:00:00Z"),
    ]);
    let after = done.status_after(Some(&before));
    let events = fleet_events(Some(&before), &after);
    assert_eq!(words(&events), ["Normal RolloutComplete"]);
    assert_eq!(
        events[0].note,
        "ws2025-2025-07-08 is on 2 of 2 machines of its track."
    );
    assert!(fleet_events(Some(&after), &after).is_empty());
}

fn moved(run: &Run, steps: &[(&str, Step, Option<StepReason>)]) -> Run {
    let mut run = run.clone();
    for (name, step, reason) in steps {
        let own = run.progress.get_mut(&super::build::id(name)).unwrap();
        *own = own.at(step.clone(), at("2025-07-09T12:00:00Z"), reason.clone(), "");
        own.attempts = u32::from(*step != Step::Planned);
    }
    run.end = Run::conclusion(&run.progress);
    run
}

#[test]
fn the_steps_of_a_run_are_told_together() {
    let planned = (Step::Planned, None);
    let start = run(
        &["a", "b", "c"],
        &[planned.clone(), planned.clone(), planned],
    );
    let first = moved(&start, &[("a", Step::Running, None)]);
    assert_eq!(words(&run_events(&start, &first)), ["Normal RunStarted"]);
    assert!(run_events(&first, &first).is_empty());

    let failed = Some(StepReason::InstallFailed);
    let second = moved(
        &first,
        &[
            ("a", Step::Failed, failed.clone()),
            ("b", Step::Failed, failed),
            ("c", Step::Unknown, Some(StepReason::OutcomeUnknown)),
        ],
    );
    let events = run_events(&first, &second);
    assert_eq!(
        words(&events),
        ["Warning MachineFailed", "Warning MachineHeld"]
    );
    assert_eq!(
        events[0].note,
        "Failed: a (InstallFailed), b (InstallFailed)."
    );
    assert_eq!(
        events[1].note,
        "Held for evidence or a person: c (OutcomeUnknown)."
    );

    let third = moved(&second, &[("c", Step::Succeeded, None)]);
    assert_eq!(third.end, Some(RunEnd::Failed));
    let events = run_events(&second, &third);
    assert_eq!(words(&events), ["Warning RunFailed"]);
    assert_eq!(
        events[0].note,
        "Ended canary of ws2025-2025-07-08: 1 done, 2 failed."
    );
}

#[test]
fn a_run_that_ends_well_is_told_as_complete() {
    let start = run(&["a"], &[(Step::Running, None)]);
    let end = moved(&start, &[("a", Step::Succeeded, None)]);
    assert_eq!(words(&run_events(&start, &end)), ["Normal RunComplete"]);
    let mut aborted = start.clone();
    aborted.deleted_at = Some(aborted.created_at);
    assert_eq!(words(&run_events(&start, &aborted)), ["Warning RunAborted"]);
    let mut strange = start.clone();
    strange.quarantined = Some("field x".to_owned());
    assert_eq!(
        words(&run_events(&start, &strange)),
        ["Warning RunNotUnderstood"]
    );
}

#[test]
fn notes_are_bounded_whatever_fails() {
    let names: Vec<String> = (0..250)
        .map(|i| format!("{}-{i}", "machine".repeat(20)))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let start = run(&names, &vec![(Step::Running, None); 250]);
    let end = run(
        &names,
        &vec![(Step::Failed, Some(StepReason::NotHealthy)); 250],
    );
    let events = run_events(&start, &end);
    assert_eq!(events.len(), 2);
    for event in &events {
        assert!(event.note.len() <= NOTE_BYTES_MAX, "{}", event.note.len());
        assert_eq!(event.kind, HappeningKind::Warning);
    }
}
