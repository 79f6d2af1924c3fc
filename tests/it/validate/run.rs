//! A run's record: what is written reads back the same, and what was damaged is held.

mod damage;
mod strategy;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use hotpatch_operator::api::run::HotpatchRunStatus;
use hotpatch_operator::api::{HotpatchRun, time};
use hotpatch_operator::domain::due::Action;
use hotpatch_operator::domain::run::{Run, RunEnd, Runs, Step, StepReason, Terms};
use hotpatch_operator::record::{
    ANNOTATION_LOGGED, FINALIZER, request_id, run_name, run_object, run_status,
};
use hotpatch_operator::validate::{self, Declared, Found, QuarantinedRun, run};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use proptest::prelude::*;
use serde_json::{Value, json};

use self::strategy::{a_run, example, example_terms, over};
use super::{at, unreadable};
use crate::api::{faults, schema_of};

/// Every step that this version knows.
const STEPS: [Step; 8] = [
    Step::Planned,
    Step::Starting,
    Step::Running,
    Step::Verifying,
    Step::Succeeded,
    Step::Failed,
    Step::Skipped,
    Step::Unknown,
];

static SCHEMA: LazyLock<Value> = LazyLock::new(|| schema_of("HotpatchRun"));

/// Reads the runs of a namespace, each anew.
fn runs(declared: &Declared) -> (Runs, Vec<QuarantinedRun>) {
    validate::runs(declared, |object| run(object).map(Arc::new))
}

/// Writes a run as the API server would hold it.
fn stored(run: &Run, now: DateTime<Utc>) -> HotpatchRun {
    let terms = &run.terms;
    let namespace = &run.fleet.namespace;
    let mut object = run_object(
        namespace,
        &terms.fleet,
        &terms.fleet_uid,
        terms,
        &BTreeMap::new(),
    );
    object.metadata.name = Some(run.name.clone());
    object.metadata.uid = Some(run.uid.clone());
    object.metadata.creation_timestamp = Some(time::to_k8s(run.created_at));
    object.metadata.deletion_timestamp = run.deleted_at.map(time::to_k8s);
    let gate = |gate: &String| Condition {
        type_: gate.clone(),
        status: "True".to_owned(),
        reason: "Drained".to_owned(),
        message: String::new(),
        observed_generation: None,
        last_transition_time: time::to_k8s(now),
    };
    let gates = HotpatchRunStatus {
        conditions: run.gates_open.iter().map(gate).collect(),
        ..HotpatchRunStatus::default()
    };
    object.status = Some(run_status(Some(&gates), run, now));
    object
}

/// Sends an object through JSON, as storing it does.
fn through_json(object: &HotpatchRun) -> HotpatchRun {
    let text = serde_json::to_string(object).unwrap();
    serde_json::from_str(&text).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back_the_same(own in a_run()) {
        let now = at("2026-10-17T21:00:00Z");
        let object = through_json(&stored(&own, now));
        prop_assert_eq!(run(&object), Ok(own));
    }

    #[test]
    fn writing_the_same_again_changes_nothing(own in a_run()) {
        let now = at("2026-10-17T21:00:00Z");
        let first = stored(&own, now).status.unwrap();
        let again = run_status(Some(&first), &own, now);
        prop_assert_eq!(again, first);
    }
}

proptest! {
    // The rules of the definition are slow to run.
    #![proptest_config(ProptestConfig {
        cases: 48, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_written_is_what_the_definition_allows(own in a_run()) {
        let now = at("2026-10-17T21:00:00Z");
        let object = serde_json::to_value(stored(&own, now)).unwrap();
        prop_assert_eq!(faults(&SCHEMA, &object, None), []);
    }
}

#[test]
fn a_run_that_was_never_written_is_planned() {
    let own = example(Step::Running);
    let mut object = stored(&own, at("2026-10-17T21:00:00Z"));
    for status in [
        None,
        Some(json!({})),
        Some(json!({"epoch": 0, "conditions": [{
            "type": "example.com/Drained", "status": "True", "reason": "Drained", "message": "",
            "lastTransitionTime": "2026-10-17T20:00:00Z",
        }]})),
    ] {
        object.status = status.map(|status| serde_json::from_value(status).unwrap());
        let read = run(&object).unwrap();
        assert_eq!(read.quarantined, None);
        assert!(read.progress.values().all(|own| own.step == Step::Planned));
        assert!(
            read.progress
                .values()
                .all(|own| own.since == read.created_at)
        );
    }
}

#[test]
fn a_machine_without_an_entry_is_held_once_anything_was_written() {
    let own = example(Step::Running);
    let object = stored(&own, at("2026-10-17T21:00:00Z"));
    let whole = serde_json::to_value(object.status.as_ref().unwrap()).unwrap();
    // Each field alone shows that the status was written; the epoch does not, which a leader raises
    // in every run that it takes over.
    for field in ["startedAt", "counts", "observedGeneration", "conditions"] {
        let mut status = json!({});
        status[field] = whole[field].clone();
        let mut object = object.clone();
        object.status = Some(serde_json::from_value(status).unwrap());
        for progress in run(&object).unwrap().progress.values() {
            assert_eq!(
                progress.step,
                Step::NotUnderstood("Missing".to_owned()),
                "{field}"
            );
            assert_eq!(progress.reason, Some(StepReason::Corrupt));
            assert_eq!(progress.since, own.created_at);
            assert!(
                progress.attempts > own.terms.retries,
                "no further try is left"
            );
        }
    }
}

#[test]
fn a_run_without_any_status_is_held_if_it_bears_the_mark_of_one_that_was_logged() {
    let own = example(Step::Planned);
    let mut object = stored(&own, at("2026-10-17T21:00:00Z"));
    for status in [None, Some(json!({})), Some(json!({"epoch": 7}))] {
        object.status = status.map(|own| serde_json::from_value(own).unwrap());
        object.metadata.annotations = None;
        let fresh = run(&object).unwrap();
        assert!(fresh.progress.values().all(|own| own.step == Step::Planned));
        let marks = [(ANNOTATION_LOGGED.to_owned(), "true".to_owned())];
        object.metadata.annotations = Some(marks.into());
        for progress in run(&object).unwrap().progress.values() {
            assert_eq!(progress.step, Step::NotUnderstood("Missing".to_owned()));
            assert!(progress.attempts > own.terms.retries);
        }
    }
}

#[test]
fn an_entry_of_a_machine_that_the_run_does_not_name_quarantines_the_run() {
    let own = example(Step::Running);
    let now = at("2026-10-17T21:00:00Z");
    let mut object = stored(&own, now);
    let stranger = "/subscriptions/s/resourcegroups/rg/providers/microsoft.compute\
                    /virtualmachines/w77";
    let status = object.status.as_mut().unwrap();
    let mut entry = status.machines[0].clone();
    entry.id = stranger.to_owned();
    status.machines.push(entry.clone());
    let read = run(&object).unwrap();
    let says = format!("status.machines: {stranger:?} is no machine of the run");
    assert_eq!(read.quarantined.as_deref(), Some(says.as_str()));
    assert_eq!(read.progress, own.progress);
    let written = run_status(object.status.as_ref(), &read, now);
    assert_eq!(written.machines.last(), Some(&entry));
}

#[test]
fn two_entries_of_one_machine_hold_it() {
    let own = example(Step::Succeeded);
    let mut object = stored(&own, at("2026-10-17T21:00:00Z"));
    let status = object.status.as_mut().unwrap();
    let mut entry = status.machines[0].clone();
    entry.id = entry.id.to_uppercase();
    status.machines.push(entry);
    let read = run(&object).unwrap();
    let corrupt = Step::NotUnderstood("Corrupt".to_owned());
    assert_eq!(read.progress.values().next().unwrap().step, corrupt);
}

#[test]
fn what_is_not_understood_is_kept_until_a_person_lets_go_of_it() {
    let own = example(Step::Running);
    let now = at("2026-10-17T21:00:00Z");
    let mut object = stored(&own, now);
    let mut status = serde_json::to_value(object.status.as_ref().unwrap()).unwrap();
    status["machines"][0]["step"] = json!("Teleporting");
    status["machines"][0]["beam"] = json!({"strength": [3]});
    status["machines"][0]["attempts"] = json!(-1);
    status["warp"] = json!(9);
    object.status = Some(serde_json::from_value(status.clone()).unwrap());
    let read = run(&object).unwrap();
    assert_eq!(
        read.quarantined.as_deref(),
        Some("status.warp is not understood")
    );
    let (id, progress) = read.progress.iter().next().unwrap();
    assert_eq!(progress.step, Step::NotUnderstood("Teleporting".to_owned()));
    let written = serde_json::to_value(run_status(object.status.as_ref(), &read, now)).unwrap();
    assert_eq!(written["machines"][0], status["machines"][0]);
    assert_eq!(written["warp"], 9);
    let mut later = read.clone();
    let let_go = progress.at(Step::Skipped, now, Some(StepReason::LetGo), "let go");
    later.progress.insert(id.clone(), let_go.clone());
    object.status = Some(run_status(object.status.as_ref(), &later, now));
    assert_eq!(
        run(&object).unwrap().progress.values().next(),
        Some(&let_go)
    );
}

#[test]
fn a_late_effect_and_conditions_of_others_stay() {
    let own = example(Step::Succeeded);
    let now = at("2026-10-17T21:00:00Z");
    let mut status = stored(&own, now).status.unwrap();
    let effect = json!({"kind": "Reboot", "at": "2026-10-18T02:00:00Z"});
    status.machines[0].late_effect = Some(serde_json::from_value(effect).unwrap());
    let written = run_status(Some(&status), &own, now);
    assert_eq!(written, status);
    assert!(
        written
            .conditions
            .iter()
            .any(|own| own.type_ == "example.com/Drained")
    );
}

#[test]
fn a_run_called_complete_while_a_machine_is_not_done_with_is_open_and_quarantined() {
    for step in [
        Step::Planned,
        Step::Starting,
        Step::Running,
        Step::Verifying,
        Step::Unknown,
    ] {
        let mut own = example(Step::Succeeded);
        own.end = Some(RunEnd::Complete);
        let last = own.progress.keys().next_back().unwrap().clone();
        let open = example(step.clone()).progress[&last].clone();
        own.progress.insert(last, open);
        let read = run(&stored(&own, at("2026-10-17T21:00:00Z"))).unwrap();
        assert_eq!(read.end, None, "{step:?}");
        let says = "it is called complete while a machine of it is not done with";
        assert_eq!(read.quarantined.as_deref(), Some(says), "{step:?}");
    }
}

#[test]
fn a_run_that_cannot_be_read_is_told_with_the_machines_it_names() {
    let now = at("2026-10-17T21:00:00Z");
    let good = stored(&example(Step::Running), now);
    let mut odd = good.clone();
    odd.metadata.name = Some("odd".to_owned());
    odd.spec.release = "ws2019-2026-10-13".to_owned();
    let object = |run: &HotpatchRun| Found::Object(std::sync::Arc::new(run.clone()));
    let declared = Declared {
        runs: vec![unreadable("torn"), object(&odd), object(&good)],
        ..Declared::default()
    };
    let (read, broken) = runs(&declared);
    assert_eq!(
        read.keys().collect::<Vec<_>>(),
        [good.metadata.name.as_ref().unwrap()]
    );
    let names: Vec<_> = broken
        .iter()
        .map(|own| (&*own.name, own.machines.len()))
        .collect();
    assert_eq!(names, [("odd", 3), ("torn", 0)]);
    let says = "spec.release: \"ws2019-2026-10-13\" is no release id; write it like \
                ws2025-2026-10-13";
    assert_eq!(broken[0].why, says);
    assert_eq!(
        broken[1].why,
        "the run cannot be read: spec.mode: no such word"
    );
}

/// Each case: the condition types and the reasons that the run must show.
#[test]
fn conditions_tell_how_far_a_run_has_come() {
    let open = at("2026-10-17T21:00:00Z");
    let before = at("2026-10-17T19:00:00Z");
    let reasons = |run: &Run, now| -> Vec<String> {
        let status = stored(run, now).status.unwrap();
        let row = |kind: &str| {
            let found = status
                .conditions
                .iter()
                .find(|own| own.type_ == kind)
                .unwrap();
            assert!(
                hotpatch_operator::api::conditions::find("HotpatchRun", kind)
                    .unwrap()
                    .reasons
                    .iter()
                    .any(|reason| reason.name == found.reason && reason.status == found.status),
                "{kind} {} {} is in the table",
                found.status,
                found.reason
            );
            found.reason.clone()
        };
        ["Complete", "Failed", "Claimed", "Held"].map(row).to_vec()
    };
    let all = |step: Step| example(step);
    let ended = |step: Step, end| Run {
        end: Some(end),
        ..example(step)
    };
    let because = |reason: StepReason| {
        let mut run = ended(Step::Skipped, RunEnd::Complete);
        for own in run.progress.values_mut() {
            (own.reason, own.attempts) = (Some(reason.clone()), 0);
        }
        run
    };
    let foreign = {
        let mut run = ended(Step::Failed, RunEnd::Failed);
        for own in run.progress.values_mut() {
            own.reason = Some(StepReason::ForeignContent);
        }
        run
    };
    let shut = Run {
        gates_open: [].into(),
        ..all(Step::Planned)
    };
    let leaving = Run {
        deleted_at: Some(at("2026-10-17T21:30:00Z")),
        ..all(Step::Running)
    };
    let strange = {
        let mut run = all(Step::Running);
        run.quarantined = Some("its spec does not fit its digest".to_owned());
        run
    };
    let done = RunEnd::Complete;
    for (run, now, expected) in [
        (
            all(Step::Planned),
            before,
            ["Announced", "NotFailed", "WaitingForWindow", "NotHeld"],
        ),
        (
            shut,
            open,
            ["Announced", "NotFailed", "WaitingForGate", "NotHeld"],
        ),
        (
            all(Step::Planned),
            open,
            ["Running", "NotFailed", "Claimed", "NotHeld"],
        ),
        (
            all(Step::Running),
            open,
            ["Running", "NotFailed", "Claimed", "NotHeld"],
        ),
        (
            leaving,
            open,
            ["Draining", "NotFailed", "Claimed", "NotHeld"],
        ),
        (
            all(Step::Unknown),
            open,
            ["Held", "NotFailed", "Claimed", "MachineUnknown"],
        ),
        (
            strange,
            open,
            ["Held", "NotFailed", "Claimed", "DigestMismatch"],
        ),
        (
            ended(Step::Succeeded, done),
            open,
            ["Succeeded", "NotFailed", "Released", "NotHeld"],
        ),
        (
            because(StepReason::AlreadyCurrent),
            open,
            ["Succeeded", "NotFailed", "Released", "NotHeld"],
        ),
        (
            because(StepReason::WindowClosed),
            open,
            ["WindowClosed", "NotFailed", "Released", "NotHeld"],
        ),
        (
            because(StepReason::Aborted),
            open,
            ["Aborted", "NotFailed", "Released", "NotHeld"],
        ),
        (
            because(StepReason::Refused),
            open,
            ["PartlySucceeded", "NotFailed", "Released", "NotHeld"],
        ),
        (
            ended(Step::Failed, RunEnd::Failed),
            open,
            ["PartlySucceeded", "MachinesFailed", "Released", "NotHeld"],
        ),
        (
            foreign,
            open,
            ["PartlySucceeded", "ForeignContent", "Released", "NotHeld"],
        ),
    ] {
        assert_eq!(
            reasons(&run, now),
            expected,
            "{:?}",
            run.progress.values().next()
        );
    }
}

#[test]
fn counts_and_times_follow_the_machines() {
    let now = at("2026-10-17T21:00:00Z");
    let status = stored(&example(Step::Unknown), now).status.unwrap();
    let counts = status.counts.unwrap();
    assert_eq!((counts.machines, counts.unknown, counts.running), (3, 3, 0));
    assert_eq!((status.started_at, status.completed_at), (Some(now), None));
    assert_eq!(
        stored(&example(Step::Planned), now)
            .status
            .unwrap()
            .started_at,
        None
    );
    let ended = Run {
        end: Some(RunEnd::Complete),
        ..example(Step::Succeeded)
    };
    let first = stored(&ended, now).status.unwrap();
    assert_eq!(first.completed_at, Some(now));
    let later = run_status(Some(&first), &ended, at("2026-10-19T00:00:00Z"));
    assert_eq!(later.completed_at, Some(now));
}

#[test]
fn a_url_or_message_beyond_its_bound_never_makes_a_status_that_cannot_be_written() {
    let mut own = example(Step::Running);
    for progress in own.progress.values_mut() {
        progress.message = "é".repeat(600);
        progress.activity_before = Some("a".repeat(129));
        progress.operation.as_mut().unwrap().url = format!("https://a/{}", "b".repeat(2040));
    }
    let object = serde_json::to_value(stored(&own, at("2026-10-17T21:00:00Z"))).unwrap();
    assert_eq!(faults(&SCHEMA, &object, None), []);
    let entry = &object["status"]["machines"][0];
    assert!(entry.get("operation").is_none() && entry.get("activityBefore").is_none());
    assert_eq!(entry["message"].as_str().unwrap().chars().count(), 512);
}

#[test]
fn a_name_tells_fleet_release_stage_and_number_and_cuts_what_is_long() {
    let named = |fleet: &str, stage: &str, ordinal: u32| {
        let mut terms = example_terms();
        (terms.fleet, terms.stage, terms.ordinal) = (fleet.to_owned(), stage.to_owned(), ordinal);
        run_name(&terms)
    };
    let (long, dots) = (
        "a-very-long-name-of-a-fleet-in-a-large-house",
        "web.shop.example",
    );
    for (fleet, stage, ordinal, start) in [
        ("web", "broad", 1, "web-ws2025-2026-10-13-broad-1-"),
        (dots, "all", 7, "web-shop-example-ws2025-2026-10-13-all-7-"),
        (
            long,
            "s",
            1,
            "a-very-long-name-of-a-fleet-in-a-ws2025-2026-10-13-s-1-",
        ),
        (
            long,
            long,
            12,
            "a-very-long-name-ws2025-2026-10-13-a-very-long-name-12-",
        ),
        (
            "w",
            long,
            u32::MAX,
            "w-ws2025-2026-10-13-a-very-long-name-of-a-f-4294967295-",
        ),
    ] {
        let name = named(fleet, stage, ordinal);
        assert!(name.starts_with(start), "{name}");
        assert!(name.len() <= 63, "{name}");
        assert_eq!(name.len(), start.len() + 8, "{name}");
    }
}

#[test]
fn two_runs_have_two_names() {
    let terms = example_terms();
    let mut others = vec![terms.clone(); 5];
    others[0].fleet_uid = "another".to_owned();
    others[1].release = "ws2025-2026-10-13-2".parse().unwrap();
    others[2].action = Action::Hotpatch;
    others[3].stage = "broad-2".to_owned();
    others[4].ordinal = 2;
    let hash = |terms: &Terms| run_name(terms).rsplit_once('-').unwrap().1.to_owned();
    for other in &others {
        assert_ne!(hash(other), hash(&terms), "{other:?}");
    }
    let mut same = terms.clone();
    same.limits.clear();
    assert_eq!(run_name(&same), run_name(&terms));
}

#[test]
fn a_new_run_is_owned_labelled_and_held_by_its_finalizer() {
    let terms = example(Step::Planned).terms;
    let extra = BTreeMap::from([
        ("example.com/team".to_owned(), "shop".to_owned()),
        ("hotpatch.dev/fleet".to_owned(), "forged".to_owned()),
    ]);
    let object = run_object("shop", "web", "uid-1", &terms, &extra);
    let meta = &object.metadata;
    assert_eq!(meta.name.as_deref(), Some(run_name(&terms).as_str()));
    assert_eq!(meta.namespace.as_deref(), Some("shop"));
    assert_eq!(
        meta.finalizers.as_deref(),
        Some([FINALIZER.to_owned()].as_slice())
    );
    let owner = &meta.owner_references.as_ref().unwrap()[0];
    assert_eq!(
        (owner.kind.as_str(), owner.uid.as_str()),
        ("HotpatchFleet", "uid-1")
    );
    assert_eq!(owner.api_version, "hotpatch.dev/v1alpha1");
    assert_eq!(owner.block_owner_deletion, Some(false));
    let labels: Value = serde_json::to_value(meta.labels.as_ref().unwrap()).unwrap();
    let expected = json!({
        "example.com/team": "shop",
        "hotpatch.dev/action": "Baseline",
        "hotpatch.dev/fleet": "web",
        "hotpatch.dev/release": "ws2025-2026-10-13",
        "hotpatch.dev/stage": "broad",
    });
    assert_eq!(labels, expected);
}

#[test]
fn the_id_of_a_command_follows_from_run_machine_and_try() {
    let id = over("w1");
    let first = request_id("uid-1", &id, 1, 0);
    // By another implementation of UUID version 5, over "hotpatch.dev" in the DNS name space.
    assert_eq!(first.0, "bf949f9d-9489-536e-9d47-b350ff0a496e");
    assert_eq!(request_id("uid-1", &id, 1, 0), first);
    for other in [
        request_id("uid-2", &id, 1, 0),
        request_id("uid-1", &over("w2"), 1, 0),
        request_id("uid-1", &id, 2, 0),
        request_id("uid-1", &id, 1, 1),
    ] {
        assert_ne!(other, first);
    }
}
