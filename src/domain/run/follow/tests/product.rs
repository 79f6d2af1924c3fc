//! Every step against every answer.

use super::*;

/// The answers that Azure may give, each by a name.
fn answers(case: &Case) -> [(&'static str, Option<Answer>); 12] {
    let at = opens() + minutes(3);
    let failed = outcome(InstallStatus::Failed, RebootStatus::NotNeeded, &[]);
    let running = OperationState::Running { again_seconds: 30 };
    let status = "409".to_owned();
    [
        ("none", None),
        ("operation runs", Some(Answer::Operation(running))),
        ("operation done", Some(ended(done()))),
        ("operation failed", Some(ended(failed))),
        (
            "operation forgotten",
            Some(Answer::Operation(OperationState::Gone)),
        ),
        ("reads well", Some(read(case, |_| {}))),
        (
            "reads sick",
            Some(read(case, |own| {
                own.health = Health::Unhealthy("agent".into())
            })),
        ),
        (
            "reads pending",
            Some(read(case, |own| own.reboot_pending = Some(true))),
        ),
        (
            "log accepted",
            Some(Answer::Log(LogEvidence::Accepted {
                at,
                operation: None,
            })),
        ),
        (
            "log refused",
            Some(Answer::Log(LogEvidence::Refused { at, status })),
        ),
        (
            "log silent, too early",
            Some(absent(opens() + minutes(119))),
        ),
        ("log silent, late", Some(absent(opens() + minutes(150)))),
    ]
}

fn steps() -> Vec<(Case, [&'static str; 12])> {
    let held = |reason| case(due_vm("vm1"), Step::Unknown, Some(reason));
    let rests = || ["stay"; 12];
    let except = |base: &'static str, others: &[(usize, &'static str)]| {
        let mut row = [base; 12];
        for (index, word) in others {
            row[*index] = word;
        }
        row
    };
    let evidence = [
        (8, "Running"),
        (9, "Planned/Refused"),
        (11, "Skipped/NeverArrived"),
    ];
    let judged = [(5, "Succeeded"), (7, "Planned/RebootOwed")];
    let ends = [
        (2, "Verifying"),
        (3, "Failed/InstallFailed"),
        (4, "Running"),
    ];
    vec![
        (vm_at(Step::Planned), ["send Finish"; 12]),
        (
            vm_at(Step::Starting),
            except("Unknown/OutcomeUnknown", &evidence),
        ),
        (vm_at(Step::Unknown), except("stay", &evidence)),
        (held(StepReason::NoEnd), rests()),
        (held(StepReason::Corrupt), rests()),
        (held(StepReason::Other("Odd".into())), rests()),
        (held(StepReason::NotHealthy), except("stay", &judged)),
        (vm_at(Step::Running), except("stay", &ends)),
        (vm_at(Step::Verifying), except("stay", &judged)),
        (vm_at(Step::Succeeded), rests()),
        (vm_at(Step::Failed), rests()),
        (vm_at(Step::Skipped), rests()),
        (vm_at(Step::parse("Flying")), rests()),
    ]
}

#[test]
fn every_step_takes_every_answer_as_the_protocol_says() {
    for (case, expected) in steps() {
        for ((name, answer), expected) in answers(&case).into_iter().zip(expected) {
            let what = format!(
                "{:?} {:?}: {name}",
                case.progress.step, case.progress.reason
            );
            let case = case.clone().with(|own| own.answer = answer);
            assert_eq!(case.word(), expected, "{what}");
        }
    }
}

#[test]
fn only_a_planned_machine_wishes_for_a_command() {
    for (case, _) in steps() {
        for (_, answer) in answers(&case) {
            let case = case.clone().with(|own| own.answer = answer);
            let commands = matches!(case.next(), Next::Command(_));
            assert_eq!(commands, case.progress.step == Step::Planned);
        }
    }
}

#[test]
fn attempts_are_counted_and_given_back_only_by_a_sure_refusal_or_proof_of_absence() {
    for (case, _) in steps() {
        for (name, answer) in answers(&case) {
            let case = case.clone().with(|own| own.answer = answer);
            let Next::Become(after) = case.next() else {
                continue;
            };
            let refused = after.reason == Some(StepReason::Refused);
            let given_back = u32::from(refused);
            let never_arrived = after.reason == Some(StepReason::NeverArrived);
            assert_eq!(
                after.attempts + u32::from(refused || never_arrived),
                case.progress.attempts,
                "{name}"
            );
            assert_eq!(
                after.refusals,
                case.progress.refusals + given_back,
                "{name}"
            );
            if given_back > 0 {
                assert_eq!((after.request, after.intent_at), (None, None), "{name}");
            }
        }
    }
}

#[test]
fn a_person_lets_go_of_what_is_held_and_of_nothing_else() {
    for (case, _) in steps() {
        let held = matches!(case.progress.step, Step::Starting | Step::Unknown)
            || matches!(case.progress.step, Step::NotUnderstood(_));
        let word = case.clone().with(|own| own.let_go = true).word();
        assert_eq!(word == "Skipped/LetGo", held, "{:?}", case.progress);
    }
}

#[test]
fn abortion_stops_what_has_not_begun_and_follows_the_rest() {
    for (case, expected) in steps() {
        for ((name, answer), expected) in answers(&case).into_iter().zip(expected) {
            let planned = case.progress.step == Step::Planned;
            let expected = if planned { "Skipped/Aborted" } else { expected };
            let case = case.clone().with(|own| {
                own.answer = answer;
                own.aborted = true;
            });
            assert_eq!(case.word(), expected, "{:?} {name}", case.progress.step);
        }
    }
}

#[test]
fn refusals_end_after_three_and_each_rests_five_minutes() {
    let mut case = vm_at(Step::Planned).with(|own| own.now = opens());
    for refusal in 1..=REFUSALS_MAX {
        assert_eq!(case.word(), "send Finish", "before refusal {refusal}");
        let sent = working(Step::Starting, case.now);
        let sent = Progress {
            refusals: refusal - 1,
            ..sent
        };
        case.progress = refused(&sent, case.now, "409: another operation runs");
        assert_eq!(case.progress.attempts, 0, "a refusal is no attempt");
        if refusal < REFUSALS_MAX {
            assert_eq!(case.word(), "stay", "it rests");
        }
        case.now += REFUSAL_REST;
        case.read_at = case.now;
    }
    assert_eq!(case.word(), "Skipped/Refused");
}

#[test]
fn what_azure_throttled_waits_as_long_as_azure_said() {
    let until = opens() + minutes(20);
    let mut case = vm_at(Step::Planned);
    case.progress.throttled_until = Some(until);
    for (now, expected) in [
        (until - minutes(1), "stay"),
        (until, "send Finish"),
        (until + minutes(1), "send Finish"),
    ] {
        (case.now, case.read_at) = (now, now);
        assert_eq!(case.word(), expected, "{now}");
    }
}

#[test]
fn what_was_never_sent_is_no_refusal() {
    let sent = working(Step::Starting, opens());
    let back = unsent(
        &sent,
        opens() + minutes(1),
        "the lease could not be renewed",
    );
    assert_eq!(
        (back.step.clone(), back.attempts, back.refusals),
        (Step::Planned, 0, 0)
    );
    let again = vm_at(Step::Planned).with(|own| own.progress = back);
    assert_eq!(again.word(), "send Finish");
}
