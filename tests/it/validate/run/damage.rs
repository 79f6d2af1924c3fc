//! Damages every field of a stored run in turn: what is read then is the same, or held.

use hotpatch_operator::api::HotpatchRun;
use hotpatch_operator::domain::run::{Run, Step};
use hotpatch_operator::validate::{Declared, Found, run};
use serde_json::{Value, json};

use super::strategy::example;
use super::{STEPS, at, runs, stored};

/// What a damaged field says instead: of other types, empty, too great, another word; or nothing.
fn wrong() -> Vec<Option<Value>> {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(4_000_000_000_u64),
        json!(1.5),
        json!(""),
        json!("Somewhere"),
        json!("yesterday"),
        json!("2026-13-45T99:00:00Z"),
        json!([]),
        json!({}),
        json!({"a": 1}),
    ];
    let mut all: Vec<Option<Value>> = values.into_iter().map(Some).collect();
    all.push(None);
    all
}

/// Lists the paths of all fields below a value; of a list, those of its first item.
fn paths(value: &Value, path: &str, into: &mut Vec<String>) {
    let below: Vec<(&str, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, own)| (name.as_str(), own))
            .collect(),
        Value::Array(items) => items.iter().take(1).map(|own| ("0", own)).collect(),
        _ => Vec::new(),
    };
    for (name, own) in below {
        let path = format!("{path}/{name}");
        into.push(path.clone());
        paths(own, &path, into);
    }
}

fn damage(object: &Value, path: &str, now: Option<&Value>) -> Value {
    let mut damaged = object.clone();
    let (parent, name) = path.rsplit_once('/').unwrap();
    match (damaged.pointer_mut(parent).unwrap(), now) {
        (Value::Object(fields), Some(now)) => {
            fields.insert(name.to_owned(), now.clone());
        }
        (Value::Object(fields), None) => {
            fields.remove(name);
        }
        (Value::Array(items), Some(now)) => items[name.parse::<usize>().unwrap()] = now.clone(),
        (Value::Array(items), None) => {
            items.remove(name.parse::<usize>().unwrap());
        }
        _ => unreachable!("a path goes through objects and lists"),
    }
    damaged
}

/// Says what a damaged run has more than the good one; nothing may be gained by damage.
fn gained(good: &Run, read: &Run) -> Option<String> {
    for (id, before) in &good.progress {
        let after = &read.progress[id];
        if after.attempts < before.attempts {
            return Some("an attempt is forgotten".to_owned());
        }
        if matches!(after.step, Step::NotUnderstood(_)) {
            continue;
        }
        if after.step != before.step {
            return Some(format!(
                "{} became {}",
                before.step.word(),
                after.step.word()
            ));
        }
        let is_lost = after.intent_at.is_none() || after.request.is_none();
        if before.step.is_engaged() && is_lost {
            return Some("the intent is lost".to_owned());
        }
    }
    if read.end.is_some() && read.end != good.end {
        return Some(format!("the end {:?}", read.end));
    }
    if !read.gates_open.is_subset(&good.gates_open) {
        return Some("an open gate".to_owned());
    }
    let same = read.terms == good.terms && read.deleted_at == good.deleted_at;
    (!same).then(|| "other terms".to_owned())
}

#[test]
fn no_damage_to_a_status_makes_more_of_a_run_than_it_was() {
    let now = at("2026-10-17T21:00:00Z");
    let mut tried = 0;
    for step in STEPS {
        let mut good = example(step.clone());
        good.end = Run::conclusion(&good.progress);
        let object = serde_json::to_value(stored(&good, now)).unwrap();
        let mut all = Vec::new();
        paths(&object["status"], "/status", &mut all);
        for path in all {
            for value in wrong() {
                let damaged = damage(&object, &path, value.as_ref());
                let object: HotpatchRun = serde_json::from_value(damaged).unwrap();
                let gained = gained(&good, &run(&object).unwrap());
                assert_eq!(gained, None, "{step:?}: {path} = {value:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 3_000, "only {tried} damages were tried");
}

#[test]
fn another_step_word_never_frees_a_machine_or_lets_it_succeed() {
    let now = at("2026-10-17T21:00:00Z");
    for step in STEPS {
        let good = example(step.clone());
        let object = serde_json::to_value(stored(&good, now)).unwrap();
        for other in STEPS.iter().filter(|other| **other != step) {
            let word = json!(other.word());
            let damaged = damage(&object, "/status/machines/0/step", Some(&word));
            let read = run(&serde_json::from_value(damaged).unwrap()).unwrap();
            let found = &read.progress.values().next().unwrap().step;
            let told = format!("{} as {} read as {found:?}", step.word(), other.word());
            assert!(found.is_engaged(), "{told}");
        }
    }
}

#[test]
fn no_damage_to_a_spec_is_left_unseen() {
    let now = at("2026-10-17T21:00:00Z");
    let good = example(Step::Running);
    let object = serde_json::to_value(stored(&good, now)).unwrap();
    let mut all = Vec::new();
    paths(&object["spec"], "/spec", &mut all);
    let mut read_at_all = 0;
    for path in all {
        for value in wrong() {
            let damaged = damage(&object, &path, value.as_ref());
            // What does not even fit the type is Unreadable.
            let Ok(object) = serde_json::from_value::<HotpatchRun>(damaged) else {
                continue;
            };
            read_at_all += 1;
            if let Ok(read) = run(&object) {
                let seen = read.quarantined.is_some() || read.terms == good.terms;
                assert!(seen, "{path} = {value:?} is not seen");
            }
        }
    }
    assert!(read_at_all > 50, "only {read_at_all} damages could be read");
}

#[test]
fn a_spec_that_was_edited_with_its_words_right_does_not_fit_its_digest() {
    let now = at("2026-10-17T21:00:00Z");
    let good = stored(&example(Step::Planned), now);
    let mut wider = good.clone();
    wider.spec.limits[0].max_unavailable = 40;
    let says = "its spec does not fit its digest";
    assert_eq!(run(&wider).unwrap().quarantined.as_deref(), Some(says));
    let mut later = good;
    later.spec.window.as_mut().unwrap().end = at("2026-10-18T04:00:00Z");
    assert_eq!(run(&later).unwrap().quarantined.as_deref(), Some(says));
}

/// Each case: a step, a field of its entry, and what stands there instead; the machine is held.
#[test]
fn an_entry_without_the_marks_of_its_step_is_held() {
    let now = at("2026-10-17T21:00:00Z");
    let cases = [
        (Step::Starting, "requestId", None),
        (Step::Starting, "intentAt", None),
        (Step::Running, "attempts", Some(json!(0))),
        (
            Step::Running,
            "finishedAt",
            Some(json!("2026-10-17T20:30:00Z")),
        ),
        (
            Step::Running,
            "holdSince",
            Some(json!("2026-10-17T20:30:00Z")),
        ),
        (Step::Verifying, "endedAt", None),
        (Step::Succeeded, "finishedAt", None),
        (Step::Succeeded, "reason", Some(json!("NotHealthy"))),
        (Step::Succeeded, "rebootCommanded", Some(json!(false))),
        (Step::Failed, "reason", None),
        (Step::Failed, "reason", Some(json!("OfALaterVersion"))),
        (Step::Failed, "reason", Some(json!("AlreadyCurrent"))),
        (Step::Skipped, "reason", None),
        (Step::Skipped, "reason", Some(json!("ForeignContent"))),
        (
            Step::Skipped,
            "finishedAt",
            Some(json!("2026-10-17T20:31:00Z")),
        ),
        (Step::Unknown, "holdSince", None),
        (Step::Unknown, "reason", None),
        (Step::Planned, "requestId", Some(json!("1f0a"))),
        (
            Step::Planned,
            "endedAt",
            Some(json!("2026-10-17T20:31:00Z")),
        ),
        (Step::Planned, "command", Some(json!("Restart"))),
        (Step::Planned, "command", Some(json!("Rollback"))),
    ];
    for (step, field, value) in cases {
        let object = serde_json::to_value(stored(&example(step.clone()), now)).unwrap();
        let path = format!("/status/machines/0/{field}");
        let mut damaged = damage(&object, &path, value.as_ref());
        if field == "attempts" {
            damaged = damage(
                &damaged,
                "/status/machines/0/rebootCommanded",
                Some(&json!(false)),
            );
        }
        let read = run(&serde_json::from_value(damaged).unwrap()).unwrap();
        let mut found = read.progress.values().map(|own| &own.step);
        let corrupt = Step::NotUnderstood("Corrupt".to_owned());
        assert_eq!(found.next(), Some(&corrupt), "{step:?} {field} = {value:?}");
        assert!(found.all(|own| *own == step), "the others go on");
        assert_eq!(read.quarantined, None, "the run goes on");
    }
}

#[test]
fn a_gate_is_open_only_while_its_condition_is_true() {
    let now = at("2026-10-17T21:00:00Z");
    let object = serde_json::to_value(stored(&example(Step::Planned), now)).unwrap();
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let place = conditions
        .iter()
        .position(|own| own["type"] == "example.com/Drained")
        .unwrap();
    for (status, is_open) in [
        ("True", true),
        ("False", false),
        ("Unknown", false),
        ("true", false),
    ] {
        let path = format!("/status/conditions/{place}/status");
        let changed = damage(&object, &path, Some(&json!(status)));
        let read = run(&serde_json::from_value(changed).unwrap()).unwrap();
        assert_eq!(!read.gates_open.is_empty(), is_open, "{status}");
    }
}

#[test]
fn an_epoch_below_nothing_quarantines_the_run() {
    let now = at("2026-10-17T21:00:00Z");
    let object = serde_json::to_value(stored(&example(Step::Running), now)).unwrap();
    let changed = damage(&object, "/status/epoch", Some(&json!(-1)));
    let read = run(&serde_json::from_value(changed).unwrap()).unwrap();
    assert_eq!(
        read.quarantined.as_deref(),
        Some("status.epoch -1 is below 0")
    );
}

#[test]
fn a_machine_that_the_spec_lost_and_the_log_still_names_is_held() {
    let now = at("2026-10-17T21:00:00Z");
    let good = stored(&example(Step::Running), now);
    let (mut lost, id) = (good.clone(), good.spec.machines[0].id.clone());
    lost.spec.machines.remove(0);
    let of = |object: HotpatchRun| Declared {
        runs: vec![Found::Object(object.into())],
        ..Declared::default()
    };
    assert_eq!(runs(&of(good)).1, []);
    let (read, held) = runs(&of(lost));
    assert!(read.values().all(|own| own.quarantined.is_some()));
    let machines: Vec<&str> = held[0].machines.iter().map(|own| own.as_str()).collect();
    assert_eq!(machines, [id.to_lowercase()]);
}
