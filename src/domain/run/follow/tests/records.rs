//! What install records, the log's silence and time itself say.

use super::*;

#[test]
fn an_install_that_began_after_the_intent_is_ours_to_follow() {
    let rows = [
        ("stay", "activity-2", -30, 10, "began before the intent"),
        (
            "Running",
            "activity-2",
            -2,
            10,
            "clocks differ by two minutes at most",
        ),
        ("Running", "activity-2", 5, 40, "began after it"),
        ("stay", "activity-1", 5, 40, "was there before"),
    ];
    for (expected, activity, began, ended, what) in rows {
        let case = vm_at(Step::Unknown).with(|own| {
            own.progress.activity_before = Some("activity-1".into());
            own.record(activity, began, ended, InstallStatus::Succeeded);
        });
        assert_eq!(case.word(), expected, "{what}");
    }
}

#[test]
fn a_restart_leaves_no_install_record() {
    let case = vm_at(Step::Unknown)
        .restarting()
        .with(|own| own.record("activity-2", 5, 40, InstallStatus::Succeeded));
    assert_eq!(case.word(), "stay");
}

#[test]
fn a_final_record_ends_the_command_without_another_question() {
    let rows = [
        (InstallStatus::Succeeded, "Verifying", false),
        (InstallStatus::Failed, "Verifying/InstallFailed", false),
        (InstallStatus::InProgress, "stay", true),
        (InstallStatus::Unknown, "stay", true),
    ];
    for (status, expected, asks) in rows {
        let case = vm_at(Step::Running).with(|own| own.record("activity-2", 5, 40, status));
        assert_eq!(case.word(), expected, "{status:?}");
        assert_eq!(case.asks().is_some(), asks, "{status:?}");
        if let Next::Become(after) = case.next()
            && after.step == Step::Verifying
        {
            assert_eq!(
                after.ended_at,
                Some(opens() + minutes(40)),
                "the end of the record"
            );
        }
    }
}

#[test]
fn silence_counts_after_two_hours_for_a_vm_and_seven_for_the_others_and_the_lag_of_sources() {
    let kinds: [(Builder, i64); 3] = [
        (due_vm("m1"), 120 + 30),
        (arc("m1").baseline_due(), 420 + 30),
        (local("m1").baseline_due(), 420 + 30),
    ];
    for (machine, horizon) in kinds {
        let silent = |searched: i64, read: i64| {
            case(
                machine.clone(),
                Step::Unknown,
                Some(StepReason::OutcomeUnknown),
            )
            .with(|own| {
                own.now = opens() + hours(9);
                own.read_at = opens() + minutes(read);
                own.answer = Some(absent(opens() + minutes(searched)));
            })
        };
        assert_eq!(silent(horizon, horizon).word(), "Skipped/NeverArrived");
        assert_eq!(
            silent(horizon - 1, horizon).word(),
            "stay",
            "the log is not searched so far"
        );
        assert_eq!(
            silent(horizon, horizon - 1).word(),
            "stay",
            "the inventory is older"
        );
        let sick = silent(horizon, horizon)
            .with(|own| own.seen.as_mut().unwrap().health = Health::Unknown("silent".into()));
        assert_eq!(sick.word(), "stay", "the machine does not answer");
        assert_eq!(
            silent(horizon, horizon).with(|own| own.seen = None).word(),
            "stay"
        );
    }
}

#[test]
fn a_command_without_an_end_is_held_after_five_hours() {
    let late = vm_at(Step::Running).with(|own| own.now = opens() + NO_END_AFTER);
    assert_eq!(late.word(), "Unknown/NoEnd");
    let early = vm_at(Step::Running).with(|own| own.now = opens() + NO_END_AFTER - minutes(1));
    assert_eq!(early.word(), "stay");
    let awaited = outcome(
        InstallStatus::Succeeded,
        RebootStatus::Started,
        &[BASELINE_KB],
    );
    assert_eq!(
        late.clone().answered(ended(awaited)).word(),
        "Unknown/NoEnd"
    );
    assert_eq!(late.answered(ended(done())).word(), "Verifying");
}

#[test]
fn an_install_of_nothing_is_no_failure_where_nobody_can_tell_what_the_machine_has() {
    let nothing = |has_release, step: Step, hour| {
        let why = (step == Step::Unknown).then_some(StepReason::NoEnd);
        case(due_vm("vm1"), step, why).with(|own| {
            own.record("a1", 1, 30, InstallStatus::Succeeded);
            let record = own.seen.as_mut().unwrap().installs.first_mut().unwrap();
            record.installed.clear();
            record.reboot = RebootStatus::NotNeeded;
            own.has_release = has_release;
            own.now = opens() + hours(hour);
            own.read_at = own.now;
        })
    };
    let running = |has, hour| nothing(has, Step::Running, hour).word();
    assert_eq!(running(Some(false), 2), "Failed/NothingInstalled");
    assert_eq!(running(Some(true), 2), "Verifying");
    assert_eq!(running(None, 2), "stay");
    assert_eq!(running(None, 5), "Unknown/NoEnd");
    let held = |has, hour| nothing(has, Step::Unknown, hour);
    for hour in [6, 12] {
        assert_eq!(held(None, hour).word(), "stay", "not back and forth");
        assert_eq!(held(Some(false), hour).word(), "Failed/NothingInstalled");
        assert_eq!(held(Some(true), hour).word(), "Verifying");
    }
    let let_go = held(None, 12).with(|own| own.let_go = true);
    assert_eq!(let_go.word(), "Skipped/LetGo");
}

#[test]
fn a_machine_gone_from_the_inventory_is_followed_by_its_operation() {
    let running = vm_at(Step::Running).with(|own| own.seen = None);
    assert_eq!(running.word(), "stay");
    assert_eq!(running.answered(ended(done())).word(), "Verifying");
}

#[test]
fn the_records_of_another_life_say_nothing_of_our_command() {
    let recreated = |step| {
        vm_at(step).with(|own| {
            own.record("activity-2", 5, 40, InstallStatus::Succeeded);
            own.seen.as_mut().unwrap().incarnation = another_life();
        })
    };
    let early = |own: &mut Case| own.now = opens() + minutes(60);
    assert_eq!(recreated(Step::Running).word(), "stay");
    assert_eq!(
        recreated(Step::Running).answered(ended(done())).word(),
        "Skipped/Recreated"
    );
    let gone = Answer::Operation(OperationState::Gone);
    assert_eq!(
        recreated(Step::Running).answered(gone).word(),
        "Skipped/Recreated"
    );
    let late = recreated(Step::Running).with(|own| own.now = opens() + NO_END_AFTER);
    assert_eq!(late.word(), "Skipped/Recreated");
    assert!(
        recreated(Step::Running).asks().is_some(),
        "no record of ours is there"
    );

    assert_eq!(
        recreated(Step::Unknown).with(early).word(),
        "stay",
        "it may still arrive"
    );
    assert_eq!(
        recreated(Step::Unknown).word(),
        "Skipped/Recreated",
        "past the late horizon"
    );
    assert_eq!(
        recreated(Step::Starting).with(early).word(),
        "Unknown/OutcomeUnknown"
    );
    assert_eq!(
        recreated(Step::Verifying).word(),
        "stay",
        "the machine itself is asked"
    );
}

#[test]
fn an_operation_that_azure_forgot_is_not_asked_for_again() {
    let forgotten = vm_at(Step::Running).answered(Answer::Operation(OperationState::Gone));
    let Next::Become(after) = forgotten.next() else {
        panic!("{:?}", forgotten.next())
    };
    assert_eq!(
        (after.step.clone(), after.operation.clone()),
        (Step::Running, None)
    );
    let later = forgotten.with(|own| {
        own.progress = after;
        own.answer = None;
    });
    assert_eq!(later.asks(), None);
    assert_eq!(later.word(), "stay");
}
