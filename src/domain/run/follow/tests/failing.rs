//! A command that failed frees nothing before its machine is seen to serve.

use super::*;

fn failing(status: InstallStatus, reboot: RebootStatus) -> Case {
    vm_at(Step::Running).answered(ended(outcome(status, reboot, &[])))
}

#[test]
fn a_failed_install_whose_reboot_may_run_still_counts_until_its_machine_serves() {
    use RebootStatus::{Completed, Failed, NotNeeded, Required, Started, Unknown};
    for (reboot, expected) in [
        (Started, "Verifying/InstallFailed"),
        (Unknown, "Verifying/InstallFailed"),
        (Completed, "Verifying/InstallFailed"),
        (Failed, "Verifying/InstallFailed"),
        (NotNeeded, "Failed/InstallFailed"),
        (Required, "Failed/InstallFailed"),
    ] {
        let word = failing(InstallStatus::Failed, reboot).word();
        assert_eq!(word, expected, "{reboot:?}");
    }
    let staged = failing(InstallStatus::Failed, Unknown)
        .with(|own| own.progress.command = Some(Command::Stage));
    assert_eq!(
        staged.word(),
        "Failed/InstallFailed",
        "a Stage reboots nothing"
    );
    let foreign = vm_at(Step::Running).answered(ended(outcome(
        InstallStatus::Succeeded,
        Started,
        &["5099999"],
    )));
    assert_eq!(foreign.word(), "Verifying/ForeignContent");
    let runs = vm_at(Step::Running).answered(ended(outcome(
        InstallStatus::InProgress,
        NotNeeded,
        &["5099999"],
    )));
    assert_eq!(runs.word(), "stay", "nothing is judged while it runs");
}

#[test]
fn a_failure_is_told_once_the_machine_serves_or_was_waited_for_long_enough() {
    let settling = |change: fn(&mut Reading)| {
        let own = case(
            due_vm("vm1"),
            Step::Verifying,
            Some(StepReason::InstallFailed),
        );
        let answer = read(&own, change);
        own.answered(answer)
    };
    assert_eq!(settling(|_| {}).word(), "Failed/InstallFailed");
    let unassessed = settling(|own| own.assessed_at = None);
    assert_eq!(
        unassessed.word(),
        "Failed/InstallFailed",
        "no assessment is needed"
    );
    let sick = settling(|own| own.health = Health::Unhealthy("it restarts".into()));
    assert_eq!(sick.word(), "stay");
    let early = settling(|_| {}).with(|own| own.now = opens() + minutes(65));
    assert_eq!(early.word(), "stay", "it settles");
    let late = sick.with(|own| {
        own.now = opens() + hours(1) + own.run.terms.health.unknown_after;
    });
    assert_eq!(
        late.word(),
        "Failed/InstallFailed",
        "its own health counts from here"
    );
}

#[test]
fn a_command_that_never_arrived_is_no_attempt_and_one_that_was_let_go_of_is() {
    let absent = Answer::Log(LogEvidence::Absent {
        searched_until: opens() + hours(20),
    });
    let mut own = vm_at(Step::Unknown).answered(absent);
    (own.now, own.read_at) = (opens() + hours(20), opens() + hours(20));
    let Next::Become(after) = own.next() else {
        panic!("it is decided");
    };
    assert_eq!(after.reason, Some(StepReason::NeverArrived));
    assert_eq!(after.attempts, own.progress.attempts - 1);
    own.let_go = true;
    let Next::Become(after) = own.next() else {
        panic!("a person decided");
    };
    assert_eq!(after.reason, Some(StepReason::LetGo));
    assert_eq!(after.attempts, own.progress.attempts);
}

#[test]
fn a_planned_machine_with_an_install_that_the_run_knows_nothing_of_is_passed_over() {
    let shown = |began: i64, kbs: &[&str]| {
        let mut own = vm_at(Step::Planned);
        own.run.created_at = opens();
        own.record("activity-9", began, began + 5, InstallStatus::Failed);
        let record = own.seen.as_mut().unwrap().installs.first_mut().unwrap();
        record.installed.clear();
        record.failed = kbs.iter().map(|number| kb(number)).collect();
        own.with(|own| Arc::make_mut(&mut own.run.terms).retries = 5)
            .word()
    };
    assert_eq!(shown(1, &[BASELINE_KB]), "Skipped/ForeignRun");
    assert_eq!(shown(1, &[]), "Skipped/ForeignRun", "Arc names no KBs");
    assert_eq!(
        shown(1, &["5099999"]),
        "send Finish",
        "it was another update"
    );
    assert_eq!(
        shown(-1, &[BASELINE_KB]),
        "send Finish",
        "before the run was made"
    );
}

#[test]
fn a_commanded_machine_that_is_gone_is_let_go_of_past_the_late_horizon() {
    for (kind, horizon) in [
        (due_vm("vm1"), LATE_HORIZON_VM),
        (arc("srv1"), LATE_HORIZON_ARC),
    ] {
        for step in [Step::Verifying, Step::Unknown] {
            let why = (step == Step::Unknown).then_some(StepReason::NoEnd);
            let mut own = case(kind.clone(), step, why);
            own.seen = None;
            (own.now, own.read_at) = (opens() + horizon, opens() + horizon);
            assert_eq!(own.word(), "Skipped/MachineGone");
            own.read_at = opens() + horizon - minutes(1);
            assert_ne!(
                own.word(),
                "Skipped/MachineGone",
                "not by what was read before"
            );
            (own.now, own.read_at) = (opens() + hours(30), opens() + hours(20));
            assert_ne!(own.word(), "Skipped/MachineGone", "nor by what is too old");
        }
    }
}

#[test]
fn what_was_lost_of_a_machine_matters_no_more_once_it_has_the_release() {
    for (word, expected) in [
        (CORRUPT, "Skipped/AlreadyCurrent"),
        (MISSING, "Skipped/AlreadyCurrent"),
        ("WordOfALaterVersion", "stay"),
    ] {
        let step = Step::NotUnderstood(word.to_owned());
        let own = case(due_vm("vm1"), step, Some(StepReason::Corrupt));
        assert_eq!(own.word(), "stay", "{word}");
        assert_eq!(
            own.with(|own| own.has_release = Some(true)).word(),
            expected,
            "{word}"
        );
    }
}
