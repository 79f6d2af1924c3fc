//! A run that is being deleted is followed to its end, and that end comes in bounded time.

use super::*;
use crate::domain::run::{DELETED_KEPT_MAX, MAXIMUM_DURATION_CEILING};

/// Steps of a machine that a command may be under way on, or that wait for a word.
fn engaged() -> Vec<Case> {
    use StepReason::{Corrupt, NoEnd, NotHealthy, OutcomeUnknown};
    let at = |step: Step, reason: Option<StepReason>| case(due_vm("vm1"), step, reason);
    vec![
        at(Step::Starting, None),
        at(Step::Running, None),
        at(Step::Verifying, None),
        at(Step::Unknown, Some(OutcomeUnknown)),
        at(Step::Unknown, Some(NoEnd)),
        at(Step::Unknown, Some(NotHealthy)),
        at(Step::NotUnderstood("Draining".into()), None),
        at(Step::NotUnderstood("Missing".into()), Some(Corrupt)),
    ]
}

#[test]
fn what_is_kept_is_longer_than_anything_of_ours_can_be_under_way() {
    assert!(DELETED_KEPT_MAX > LATE_HORIZON_ARC + MAXIMUM_DURATION_CEILING);
    assert!(DELETED_KEPT_MAX > LATE_HORIZON_VM + MAXIMUM_DURATION_CEILING);
}

#[test]
fn every_machine_of_a_deleted_run_ends_at_the_latest_when_nothing_can_be_under_way() {
    for own in engaged() {
        let step = own.progress.step.word().to_owned();
        let deleted = |mut own: Case, now: DateTime<Utc>| {
            (own.deleted_at, own.aborted) = (Some(opens() + minutes(5)), true);
            (own.now, own.read_at) = (now, opens());
            own.word()
        };
        let over = opens() + minutes(5) + DELETED_KEPT_MAX;
        let late = deleted(own, over);
        assert_eq!(late, "Skipped/Orphaned", "{step}");
    }
    for own in engaged() {
        let step = own.progress.step.word().to_owned();
        let mut early = own;
        (early.deleted_at, early.aborted) = (Some(opens() + minutes(5)), true);
        (early.now, early.read_at) = (opens() + hours(11), opens());
        assert_ne!(early.word(), "Skipped/Orphaned", "{step}: too early");
    }
}

#[test]
fn without_an_identity_a_deleted_run_is_orphaned_once_its_commands_must_be_over() {
    for (machine, horizon) in [
        (due_vm("vm1"), LATE_HORIZON_VM),
        (arc("srv1").baseline_due(), LATE_HORIZON_ARC),
        (local("guest1").baseline_due(), LATE_HORIZON_ARC),
    ] {
        let over = opens() + horizon + MAXIMUM_DURATION_CEILING;
        let mut own = case(machine, Step::Running, None);
        (own.identity_gone, own.read_at, own.now) = (true, opens(), over);
        assert_ne!(
            own.word(),
            "Skipped/Orphaned",
            "it is not deleted: it waits"
        );
        (own.deleted_at, own.aborted) = (Some(opens() + minutes(5)), true);
        assert_eq!(own.word(), "Skipped/Orphaned");
        own.now = over - minutes(1);
        assert_ne!(own.word(), "Skipped/Orphaned");
        (own.now, own.identity_gone) = (over, false);
        assert_ne!(own.word(), "Skipped/Orphaned", "it can be followed still");
    }
}

#[test]
fn a_machine_of_a_deleted_run_needs_no_assessment_once_it_serves_again() {
    let mut own = case(due_vm("vm1"), Step::Verifying, None);
    let stale = Reading {
        assessed_at: Some(opens()),
        reboot_pending: Some(false),
        ..reading(&own)
    };
    own.answer = Some(Answer::Reading(Box::new(stale.clone())));
    assert_eq!(own.word(), "stay", "it waits for an assessment");
    (own.deleted_at, own.aborted) = (Some(opens() + hours(1)), true);
    assert_eq!(own.word(), "Skipped/Aborted");
    let sick = Reading {
        health: Health::Unhealthy("no heartbeat".into()),
        ..stale
    };
    own.answer = Some(Answer::Reading(Box::new(sick)));
    assert_eq!(own.word(), "stay", "not while it is down");
}
