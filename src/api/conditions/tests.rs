// tests may unwrap
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn ready(status: &'static str, message: &str) -> Finding {
    Finding {
        name: "Ready",
        status,
        reason: "Working",
        message: message.to_owned(),
    }
}

const DAY_1: &str = "2026-10-13T17:00:00Z";
const DAY_2: &str = "2026-10-14T17:00:00Z";

#[test]
fn the_transition_time_stays_while_the_status_stays() {
    let mut conditions = Vec::new();
    assert!(set_condition(
        &mut conditions,
        ready("True", "a"),
        Some(1),
        at(DAY_1)
    ));
    assert!(set_condition(
        &mut conditions,
        ready("True", "b"),
        Some(2),
        at(DAY_2)
    ));
    assert_eq!(conditions.len(), 1);
    assert_eq!(conditions[0].last_transition_time, time::to_k8s(at(DAY_1)));
    assert_eq!(conditions[0].message, "b");
    assert_eq!(conditions[0].observed_generation, Some(2));
}

#[test]
fn the_transition_time_moves_when_the_status_changes() {
    let mut conditions = Vec::new();
    set_condition(&mut conditions, ready("True", "a"), Some(1), at(DAY_1));
    assert!(set_condition(
        &mut conditions,
        ready("False", "a"),
        Some(1),
        at(DAY_2)
    ));
    assert_eq!(conditions[0].last_transition_time, time::to_k8s(at(DAY_2)));
}

#[test]
fn setting_the_same_again_changes_nothing() {
    let mut conditions = Vec::new();
    set_condition(&mut conditions, ready("True", "a"), Some(1), at(DAY_1));
    let before = conditions.clone();
    assert!(!set_condition(
        &mut conditions,
        ready("True", "a"),
        Some(1),
        at(DAY_2)
    ));
    assert_eq!(conditions, before);
}

#[test]
fn conditions_of_others_are_left_alone() {
    let mut conditions = Vec::new();
    set_condition(&mut conditions, ready("True", "a"), None, at(DAY_1));
    conditions[0].type_ = "example.com/Drained".to_owned();
    let theirs = conditions[0].clone();
    set_condition(&mut conditions, ready("False", "b"), None, at(DAY_2));
    assert_eq!(conditions[0], theirs);
    assert_eq!(conditions.len(), 2);
}

#[test]
fn a_long_message_is_cut_at_a_character_and_marked() {
    let max = schema::MAX_MESSAGE as usize;
    let cut = bounded("ä".repeat(max + 1));
    assert_eq!(cut.chars().count(), max);
    assert!(cut.ends_with("ä…"), "{cut}");
    assert_eq!(bounded("ä".repeat(max)), "ä".repeat(max));
}

#[test]
fn the_table_names_each_condition_and_each_reason_once() {
    let mut seen = BTreeSet::new();
    for row in all() {
        assert!(
            seen.insert((row.kind, row.name)),
            "{} {} twice",
            row.kind,
            row.name
        );
        let names: BTreeSet<_> = row.reasons.iter().map(|r| (r.status, r.name)).collect();
        assert_eq!(names.len(), row.reasons.len(), "{} {}", row.kind, row.name);
    }
}

#[test]
fn every_row_is_one_line_that_ends_a_sentence_and_every_status_is_legal() {
    for row in all() {
        let meanings = row.reasons.iter().map(|r| (r.name, r.meaning));
        for (name, meaning) in meanings.chain([(row.name, row.meaning)]) {
            let whole = meaning.ends_with('.') && !meaning.contains('\n');
            assert!(whole, "{} {name}: {meaning}", row.kind);
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
        }
        for reason in row.reasons {
            assert!(["True", "False", "Unknown"].contains(&reason.status));
        }
    }
}

#[test]
fn every_kind_that_people_write_as_a_spec_speaks_kstatus() {
    for kind in ["HotpatchFleet", "MaintenanceWindow", "BaselinePolicy"] {
        for name in ["Ready", "Reconciling", "Stalled"] {
            assert!(find(kind, name).is_some(), "{kind} {name}");
        }
        assert!(
            all().any(|row| row.kind == kind && row.feeds_ready),
            "{kind}"
        );
    }
}

#[test]
fn patch_state_never_feeds_ready() {
    let domain = [
        "Compliant",
        "RolloutComplete",
        "Halted",
        "Paused",
        "Enrolled",
        "ObjectivesMet",
    ];
    for name in domain {
        let row = find("HotpatchFleet", name).unwrap();
        assert!(!row.feeds_ready, "{name}");
    }
}
