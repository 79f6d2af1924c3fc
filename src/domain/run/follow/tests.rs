#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use std::sync::Arc;

use super::*;
use crate::domain::due::{Action, Cause};
use crate::domain::evidence::{Operation, PollStyle, Reading};
use crate::domain::machine::{ClusterUpdate, Incarnation, Power, RebootStatus};
use crate::domain::testkit::{
    BASELINE_KB, Builder, Placed, arc, closes, due_vm, fleet, hours, kb, local, minutes, opens,
    run, working,
};

mod deletion;
mod failing;
mod product;
mod records;

/// A run of one machine, and what is known of it, 2 h 30 into its window.
#[derive(Clone)]
struct Case {
    run: Run,
    seen: Option<Machine>,
    progress: Progress,
    answer: Option<Answer>,
    read_at: DateTime<Utc>,
    last_start: DateTime<Utc>,
    has_release: Option<bool>,
    let_go: bool,
    aborted: bool,
    deleted_at: Option<DateTime<Utc>>,
    identity_gone: bool,
    earlier_attempts: u32,
    run_commands: bool,
    now: DateTime<Utc>,
}

/// The intent of every command was written when the window opened.
fn case(machine: Builder, step: Step, reason: Option<StepReason>) -> Case {
    let machine = machine.machine();
    let now = opens() + minutes(150);
    let mut progress = working(step, opens());
    progress.reason = reason;
    progress.operation = Some(operation());
    if progress.step == Step::Planned {
        progress = Progress::planned(opens());
    }
    if matches!(progress.step, Step::Verifying) || progress.reason == Some(StepReason::NotHealthy) {
        progress.ended_at = Some(opens() + hours(1));
    }
    Case {
        run: run(&fleet("web"), &[&machine]),
        seen: Some(machine),
        progress,
        answer: None,
        read_at: now,
        last_start: closes() - minutes(75),
        has_release: Some(false),
        let_go: false,
        aborted: false,
        deleted_at: None,
        identity_gone: false,
        earlier_attempts: 0,
        run_commands: false,
        now,
    }
}

fn vm_at(step: Step) -> Case {
    let reason = (step == Step::Unknown).then_some(StepReason::OutcomeUnknown);
    case(due_vm("vm1"), step, reason)
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn answered(self, answer: Answer) -> Self {
        self.with(|own| own.answer = Some(answer))
    }

    /// Shows an install of the baseline that began and ended so many minutes after the intent.
    fn record(&mut self, activity: &str, began: i64, ended: i64, status: InstallStatus) {
        let record = InstallRecord {
            activity: activity.to_owned(),
            started: opens() + minutes(began),
            modified: opens() + minutes(ended),
            status,
            reboot: RebootStatus::Completed,
            installed: vec![kb(BASELINE_KB)],
            failed: Vec::new(),
            window_exceeded: false,
        };
        self.seen.as_mut().unwrap().installs.insert(0, record);
    }

    fn restarting(self) -> Self {
        self.with(|own| {
            own.progress.command = Some(Command::Restart);
            own.progress.attempts = 2;
        })
    }

    fn next(&self) -> Next {
        let machine = self.run.terms.machines.values().next().unwrap();
        let sight = Sight {
            machine: self.seen.as_ref(),
            read_at: self.read_at,
            answer: self.answer.as_ref(),
            has_release: self.has_release,
            let_go: self.let_go,
            aborted: self.aborted,
            deleted_at: self.deleted_at,
            identity_gone: self.identity_gone,
            retries: self.run.terms.retries,
            last_start: self.last_start,
            earlier_attempts: self.earlier_attempts,
            run_commands: self.run_commands,
        };
        next(&self.run, machine, &self.progress, &sight, self.now)
    }

    fn asks(&self) -> Option<Question> {
        question(
            &self.run.terms,
            &self.progress,
            self.seen.as_ref(),
            self.now,
        )
    }

    /// The next step, with its reason: `Failed/ForeignContent`, `stay`, `send Finish`.
    fn word(&self) -> String {
        match self.next() {
            Next::Stay(_) => "stay".to_owned(),
            Next::Command(command) => format!("send {command:?}"),
            Next::Become(after) => match &after.reason {
                Some(reason) => format!("{}/{}", after.step.word(), reason.word()),
                None => after.step.word().to_owned(),
            },
        }
    }
}

fn operation() -> Operation {
    Operation::resume(
        "https://management.azure.com/operations/1",
        PollStyle::Location,
    )
}

fn outcome(status: InstallStatus, reboot: RebootStatus, kbs: &[&str]) -> Outcome {
    Outcome {
        status,
        reboot,
        installed: kbs.iter().map(|number| kb(number)).collect(),
        failed: Vec::new(),
        activity: Some("activity-9".into()),
        window_exceeded: false,
        error: None,
    }
}

fn ended(outcome: Outcome) -> Answer {
    Answer::Operation(OperationState::Ended(outcome))
}

fn done() -> Outcome {
    outcome(
        InstallStatus::Succeeded,
        RebootStatus::Completed,
        &[BASELINE_KB],
    )
}

/// A healthy machine without a pending reboot, by an assessment half an hour old.
fn reading(case: &Case) -> Reading {
    let machine = case.run.terms.machines.values().next().unwrap();
    let seen = case.seen.as_ref().unwrap();
    Reading {
        incarnation: machine.incarnation.clone(),
        settings: seen.settings,
        power: Power::Running,
        health: Health::Healthy,
        cluster_update: ClusterUpdate::Quiet,
        busy: None,
        last_activity: None,
        shows_installs: true,
        reboot_pending: Some(false),
        assessed_at: Some(opens() + hours(2)),
        connection: None,
        tags: seen.tags.clone(),
        etag: None,
        server_date: None,
    }
}

fn read(case: &Case, change: impl FnOnce(&mut Reading)) -> Answer {
    let mut reading = reading(case);
    change(&mut reading);
    Answer::Reading(Box::new(reading))
}

fn another_life() -> Incarnation {
    Incarnation {
        vm_id: "vm-another".into(),
        body: None,
    }
}

fn absent(searched_until: DateTime<Utc>) -> Answer {
    Answer::Log(LogEvidence::Absent { searched_until })
}

#[test]
fn a_planned_machine_goes_by_the_first_thing_that_speaks_against_it() {
    type Change = fn(&mut Case);
    let rows: [(&str, Change); 16] = [
        ("send Finish", |_| {}),
        ("Skipped/Aborted", |own| own.aborted = true),
        ("Skipped/MachineGone", |own| own.seen = None),
        ("Skipped/Recreated", |own| {
            own.seen.as_mut().unwrap().incarnation = another_life()
        }),
        ("Skipped/AlreadyCurrent", |own| own.has_release = Some(true)),
        ("send Finish", |own| own.now = own.last_start),
        ("Skipped/WindowClosed", |own| {
            own.now = own.last_start + minutes(1)
        }),
        ("send Finish", |own| own.earlier_attempts = 1),
        ("Failed/InstallFailed", |own| own.earlier_attempts = 2),
        ("stay", |own| {
            own.progress.refusals = 1;
            own.progress.since = own.now - minutes(4);
        }),
        ("send Finish", |own| {
            own.progress.refusals = 1;
            own.progress.since = own.now - minutes(5);
        }),
        ("Skipped/Refused", |own| {
            own.progress.refusals = REFUSALS_MAX
        }),
        ("send Stage", |own| {
            Arc::make_mut(&mut own.run.terms).action = Action::Hotpatch
        }),
        ("send Finish", |own| own.let_go = true),
        ("stay", |own| {
            own.seen = None;
            own.read_at = own.now - minutes(11);
        }),
        ("Skipped/WindowClosed", |own| {
            own.seen = None;
            own.read_at = own.now - minutes(90);
            own.now = own.last_start + minutes(1);
        }),
    ];
    for (index, (expected, change)) in rows.into_iter().enumerate() {
        assert_eq!(
            vm_at(Step::Planned).with(change).word(),
            expected,
            "row {index}"
        );
    }
}

#[test]
fn an_owed_restart_follows_its_finish_and_is_not_given_to_a_machine_that_needs_none() {
    type Change = fn(&mut Case);
    let rows: [(&str, Change); 6] = [
        ("send Restart", |_| {}),
        ("Skipped/RebootOwed", |own| {
            own.now = own.last_start + minutes(1)
        }),
        ("Skipped/Aborted", |own| own.aborted = true),
        ("Skipped/AlreadyCurrent", |own| own.has_release = Some(true)),
        ("Failed/InstallFailed", |own| own.earlier_attempts = 1),
        ("Skipped/Recreated", |own| {
            own.seen.as_mut().unwrap().incarnation = another_life()
        }),
    ];
    for (index, (expected, change)) in rows.into_iter().enumerate() {
        let case = vm_at(Step::Planned).with(|own| {
            own.progress.command = Some(Command::Restart);
            own.progress.attempts = 1;
            own.progress.reason = Some(StepReason::RebootOwed);
        });
        assert_eq!(case.with(change).word(), expected, "row {index}");
    }
}

#[test]
fn an_outcome_is_judged_by_content_then_status_then_reboot() {
    use InstallStatus::{Failed, InProgress, Succeeded, Unknown, Warnings};
    use RebootStatus as Reboot;
    const OTHER: &str = "KB5000001";
    let rows: [(&str, InstallStatus, Reboot, &[&str]); 15] = [
        ("Verifying", Succeeded, Reboot::Completed, &[BASELINE_KB]),
        ("Verifying", Succeeded, Reboot::NotNeeded, &[BASELINE_KB]),
        ("Verifying", Warnings, Reboot::Completed, &[BASELINE_KB]),
        (
            "Planned/RebootOwed",
            Succeeded,
            Reboot::Required,
            &[BASELINE_KB],
        ),
        (
            "Planned/RebootOwed",
            Succeeded,
            Reboot::Failed,
            &[BASELINE_KB],
        ),
        ("stay", Succeeded, Reboot::Started, &[BASELINE_KB]),
        ("stay", Succeeded, Reboot::Unknown, &[BASELINE_KB]),
        ("Failed/NothingInstalled", Succeeded, Reboot::NotNeeded, &[]),
        (
            "Verifying/ForeignContent",
            Succeeded,
            Reboot::Completed,
            &[BASELINE_KB, OTHER],
        ),
        (
            "Failed/ForeignContent",
            Succeeded,
            Reboot::Required,
            &[OTHER],
        ),
        ("Failed/ForeignContent", Failed, Reboot::NotNeeded, &[OTHER]),
        ("Failed/InstallFailed", Failed, Reboot::NotNeeded, &[]),
        (
            "Failed/InstallFailed",
            Failed,
            Reboot::Required,
            &[BASELINE_KB],
        ),
        ("stay", InProgress, Reboot::NotNeeded, &[BASELINE_KB]),
        ("stay", Unknown, Reboot::Completed, &[BASELINE_KB]),
    ];
    for (expected, status, reboot, kbs) in rows {
        let case = vm_at(Step::Running).answered(ended(outcome(status, reboot, kbs)));
        assert_eq!(case.word(), expected, "{status:?} {reboot:?} {kbs:?}");
    }
}

#[test]
fn an_install_that_ran_out_of_time_says_so() {
    let late = Outcome {
        window_exceeded: true,
        ..outcome(InstallStatus::Failed, RebootStatus::NotNeeded, &[])
    };
    assert_eq!(
        vm_at(Step::Running).answered(ended(late)).word(),
        "Failed/OutOfTime"
    );
}

#[test]
fn nothing_installed_is_success_only_where_the_release_is_there_or_only_a_reboot_was_due() {
    let nothing = || {
        ended(outcome(
            InstallStatus::Succeeded,
            RebootStatus::Completed,
            &[],
        ))
    };
    let running = || vm_at(Step::Running).answered(nothing());
    assert_eq!(running().word(), "Verifying/NothingInstalled");
    assert_eq!(
        running().with(|own| own.has_release = Some(true)).word(),
        "Verifying"
    );
    let owed = running().with(|own| Arc::make_mut(&mut own.run.terms).cause = Cause::RebootOwed);
    assert_eq!(owed.word(), "Verifying");
}

#[test]
fn a_result_without_an_install_waits_for_the_record() {
    let bare = |status, reboot| {
        let outcome = Outcome {
            activity: None,
            ..outcome(status, reboot, &[])
        };
        ended(outcome)
    };
    let done = bare(InstallStatus::Succeeded, RebootStatus::Unknown);
    assert_eq!(vm_at(Step::Running).answered(done.clone()).word(), "stay");
    let of_arc = case(arc("arc1").baseline_due(), Step::Running, None);
    assert_eq!(of_arc.clone().answered(done).word(), "stay");
    let counts = outcome(InstallStatus::Succeeded, RebootStatus::Completed, &[]);
    assert_eq!(
        of_arc.clone().answered(ended(counts)).word(),
        "stay",
        "Arc lists no updates"
    );
    let failed = bare(InstallStatus::Failed, RebootStatus::Unknown);
    assert_eq!(
        vm_at(Step::Running).answered(failed).word(),
        "Verifying/InstallFailed"
    );
}

#[test]
fn a_reboot_still_owed_is_settled_by_one_restart_where_that_is_allowed() {
    let owed = || {
        ended(outcome(
            InstallStatus::Succeeded,
            RebootStatus::Required,
            &[BASELINE_KB],
        ))
    };
    type Change = fn(&mut Case);
    let rows: [(&str, Change); 6] = [
        ("Planned/RebootOwed", |_| {}),
        ("Failed/RebootOwed", |own| {
            Arc::make_mut(&mut own.run.terms).action = Action::Hotpatch
        }),
        ("Failed/RebootOwed", |own| {
            Arc::make_mut(&mut own.run.terms).retries = 0
        }),
        ("Planned/RebootOwed", |own| own.progress.attempts = 1),
        ("Failed/RebootOwed", |own| own.progress.attempts = 2),
        ("Failed/RebootOwed", |own| own.earlier_attempts = 1),
    ];
    for (index, (expected, change)) in rows.into_iter().enumerate() {
        let case = vm_at(Step::Running).answered(owed()).with(change);
        assert_eq!(case.word(), expected, "row {index}");
        if let Next::Become(after) = case.next()
            && after.step == Step::Planned
        {
            assert_eq!(after.command, Some(Command::Restart));
            assert_eq!(
                (after.request, after.intent_at, after.operation),
                (None, None, None)
            );
            assert_eq!(
                after.attempts, case.progress.attempts,
                "attempts stay counted"
            );
        }
    }
    let guest = case(local("l1").baseline_due(), Step::Running, None).answered(owed());
    assert_eq!(
        guest.word(),
        "Planned/RebootOwed",
        "Azure Local VMs can be restarted"
    );
    let server = case(arc("a1").baseline_due(), Step::Running, None).answered(owed());
    assert_eq!(server.word(), "Failed/RebootOwed", "Arc servers cannot");
    let Next::Become(after) = server.next() else {
        panic!("it fails");
    };
    for part in ["--allow-run-commands", "roles/hotpatch-run-command.json"] {
        assert!(after.message.contains(part), "{}", after.message);
    }
    let allowed = server.with(|own| own.run_commands = true);
    assert_eq!(
        allowed.word(),
        "Planned/RebootOwed",
        "a script restarts an Arc server"
    );
    let mut again = allowed.restarting();
    again.progress.step = Step::Running;
    assert_ne!(
        again.word(),
        "Planned/RebootOwed",
        "a restart follows no restart"
    );
}

#[test]
fn a_restart_by_script_that_is_not_allowed_any_more_leaves_the_reboot_owed() {
    for (machine, allowed, wanted) in [
        (arc("a1"), true, "send Restart"),
        (arc("a1"), false, "Failed/RebootOwed"),
        (due_vm("vm1"), false, "send Restart"),
        (local("l1"), false, "send Restart"),
    ] {
        let mut own = case(machine.baseline_due(), Step::Planned, None);
        own.progress.command = Some(Command::Restart);
        own.progress.attempts = 1;
        own.run_commands = allowed;
        assert_eq!(own.word(), wanted);
    }
}

#[test]
fn a_restart_by_script_is_over_when_its_notice_is_and_is_followed_where_it_is_found() {
    let script = || Operation::resume("https://management/rc", PollStyle::RunCommand);
    let done = || {
        ended(outcome(
            InstallStatus::Succeeded,
            RebootStatus::Unknown,
            &[],
        ))
    };
    for (machine, notice) in [(arc("a1"), 60), (due_vm("vm1"), 0)] {
        let own = case(machine.baseline_due(), Step::Running, None).restarting();
        let Next::Become(after) = own.clone().answered(done()).next() else {
            panic!("it is verified");
        };
        let over = own.now + TimeDelta::seconds(notice);
        assert_eq!((after.step, after.ended_at), (Step::Verifying, Some(over)));
    }
    let lost = case(
        arc("a1").baseline_due(),
        Step::Unknown,
        Some(StepReason::OutcomeUnknown),
    );
    let mut lost = lost.restarting();
    lost.progress.operation = None;
    let Some(Question::Log { command, .. }) = lost.asks() else {
        panic!("it asks for evidence");
    };
    assert_eq!(command, Command::Restart);
    let found = Answer::Log(LogEvidence::Accepted {
        at: opens(),
        operation: Some(script()),
    });
    let Next::Become(after) = lost.answered(found).next() else {
        panic!("it is followed");
    };
    assert_eq!(
        (after.step, after.operation),
        (Step::Running, Some(script()))
    );
}

#[test]
fn a_hotpatch_run_never_wishes_for_a_command_that_reboots() {
    for step in [Step::Planned, Step::Running, Step::Verifying] {
        for reboot in [
            RebootStatus::Required,
            RebootStatus::Failed,
            RebootStatus::Started,
        ] {
            let mut case = vm_at(step.clone());
            Arc::make_mut(&mut case.run.terms).action = Action::Hotpatch;
            case.progress.command = case.progress.command.map(|_| Command::Stage);
            let pending = read(&case, |own| own.reboot_pending = Some(true));
            let outcome = outcome(InstallStatus::Succeeded, reboot, &[BASELINE_KB]);
            for answer in [pending, ended(outcome)] {
                match case.clone().answered(answer).next() {
                    Next::Command(command) => assert_eq!(command, Command::Stage),
                    Next::Become(after) => assert_ne!(after.command, Some(Command::Restart)),
                    Next::Stay(_) => {}
                }
            }
        }
    }
}

#[test]
fn a_restart_is_followed_by_its_operation_or_by_the_machine_itself_and_never_repeated() {
    let restarting = || vm_at(Step::Running).restarting();
    let bare = |status| Outcome {
        activity: None,
        ..outcome(status, RebootStatus::Unknown, &[])
    };
    assert_eq!(
        restarting()
            .answered(ended(bare(InstallStatus::Succeeded)))
            .word(),
        "Verifying"
    );
    assert_eq!(
        restarting()
            .answered(ended(bare(InstallStatus::Failed)))
            .word(),
        "Verifying/RebootOwed"
    );
    assert_eq!(
        restarting()
            .answered(ended(bare(InstallStatus::Unknown)))
            .word(),
        "stay"
    );

    let forgotten = restarting().with(|own| own.progress.operation = None);
    assert_eq!(forgotten.asks(), Some(Question::Reading));
    let settled = read(&forgotten, |_| {});
    assert_eq!(forgotten.clone().answered(settled).word(), "Verifying");
    type Change = fn(&mut Reading);
    let doubts: [Change; 5] = [
        |own| own.health = Health::Unknown("silent".into()),
        |own| own.busy = Some("restart".into()),
        |own| own.reboot_pending = Some(true),
        |own| own.assessed_at = Some(opens() - minutes(1)),
        |own| own.incarnation = another_life(),
    ];
    for (index, doubt) in doubts.into_iter().enumerate() {
        let answer = read(&forgotten, doubt);
        assert_eq!(
            forgotten.clone().answered(answer).word(),
            "stay",
            "doubt {index}"
        );
    }

    let verifying = vm_at(Step::Verifying)
        .restarting()
        .with(|own| Arc::make_mut(&mut own.run.terms).retries = 9);
    let pending = read(&verifying, |own| own.reboot_pending = Some(true));
    assert_eq!(
        verifying.answered(pending).word(),
        "Failed/RebootOwed",
        "not twice"
    );
}

#[test]
fn a_machine_is_judged_when_it_has_settled_by_words_newer_than_the_end() {
    type Change = fn(&mut Case, &mut Reading);
    let rows: [(&str, Change); 13] = [
        ("Succeeded", |_, _| {}),
        ("stay", |own, _| {
            own.progress.ended_at = Some(own.now - minutes(9))
        }),
        ("stay", |_, word| {
            word.health = Health::Unhealthy("agent".into())
        }),
        ("stay", |_, word| {
            word.health = Health::Unknown("agent".into())
        }),
        ("stay", |_, word| word.busy = Some("updating".into())),
        ("stay", |_, word| {
            word.assessed_at = Some(opens() + minutes(59))
        }),
        ("Succeeded", |_, word| {
            word.assessed_at = Some(opens() + minutes(60))
        }),
        ("stay", |_, word| word.assessed_at = None),
        ("Planned/RebootOwed", |_, word| {
            word.reboot_pending = Some(true)
        }),
        ("Skipped/Recreated", |_, word| {
            word.incarnation = another_life()
        }),
        ("Skipped/Recreated", |own, word| {
            own.seen.as_mut().unwrap().incarnation = another_life();
            word.incarnation = another_life();
        }),
        ("stay", |own, _| {
            own.seen.as_mut().unwrap().health = Health::Unhealthy("Resource Health".into());
        }),
        ("Unknown/NotHealthy", |own, word| {
            own.progress.ended_at = Some(own.now - hours(2));
            word.health = Health::Unknown("agent".into());
        }),
    ];
    for (index, (expected, change)) in rows.into_iter().enumerate() {
        let mut case = vm_at(Step::Verifying);
        let mut word = reading(&case);
        change(&mut case, &mut word);
        let case = case.answered(Answer::Reading(Box::new(word)));
        assert_eq!(case.word(), expected, "row {index}");
    }
}

#[test]
fn the_newest_word_on_a_pending_reboot_counts_wherever_it_comes_from() {
    let verifying = |own: Option<(bool, i64)>, seen: Option<(bool, i64)>| {
        let case = vm_at(Step::Verifying).with(|case| {
            let machine = case.seen.as_mut().unwrap();
            match seen {
                None => machine.assessment = None,
                Some((pending, minute)) => {
                    let assessment = machine.assessment.as_mut().unwrap();
                    assessment.at = opens() + minutes(minute);
                    assessment.reboot_pending = pending;
                }
            }
        });
        let answer = read(&case, |word| {
            word.reboot_pending = own.map(|(pending, _)| pending);
            word.assessed_at = own.map(|(_, minute)| opens() + minutes(minute));
        });
        case.answered(answer).word()
    };
    assert_eq!(verifying(None, None), "stay");
    assert_eq!(
        verifying(None, Some((false, 90))),
        "Succeeded",
        "as Arc machines show it"
    );
    assert_eq!(verifying(None, Some((false, 30))), "stay", "stale");
    assert_eq!(
        verifying(Some((false, 30)), Some((true, 90))),
        "Planned/RebootOwed"
    );
    assert_eq!(verifying(Some((false, 90)), Some((true, 30))), "Succeeded");
}

#[test]
fn a_word_made_between_the_end_and_its_discovery_counts() {
    // The operation is seen to have ended at 23:00; its record says 22:40, the assessment 22:50.
    let case = vm_at(Step::Verifying).with(|own| {
        own.record("activity-2", 5, 40, InstallStatus::Succeeded);
    });
    let answer = read(&case, |own| own.assessed_at = Some(opens() + minutes(50)));
    assert_eq!(case.answered(answer).word(), "Succeeded");
}

#[test]
fn questions_are_asked_where_an_answer_can_help_and_nowhere_else() {
    let kind = |case: &Case| match case.asks() {
        None => "nothing",
        Some(Question::Operation(_)) => "operation",
        Some(Question::Reading) => "reading",
        Some(Question::Log { .. }) => "log",
    };
    let held = |reason| case(due_vm("vm1"), Step::Unknown, Some(reason));
    assert_eq!(kind(&vm_at(Step::Planned)), "nothing");
    assert_eq!(kind(&vm_at(Step::Starting)), "log");
    assert_eq!(kind(&vm_at(Step::Unknown)), "log");
    assert_eq!(kind(&held(StepReason::NotHealthy)), "reading");
    assert_eq!(kind(&held(StepReason::NoEnd)), "nothing");
    assert_eq!(kind(&vm_at(Step::Running)), "operation", "overdue");
    let early = vm_at(Step::Running).with(|own| own.now = opens() + minutes(59));
    assert_eq!(kind(&early), "nothing", "its record is looked for first");
    assert_eq!(kind(&early.clone().restarting()), "operation");
    assert_eq!(kind(&vm_at(Step::Verifying)), "reading");
    let settling = vm_at(Step::Verifying).with(|own| own.now = opens() + minutes(69));
    assert_eq!(kind(&settling), "nothing");
    for step in [
        Step::Succeeded,
        Step::Failed,
        Step::Skipped,
        Step::parse("Flying"),
    ] {
        assert_eq!(kind(&vm_at(step)), "nothing");
    }
}
