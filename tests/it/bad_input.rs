//! What cannot be understood commands nothing and has a name: the whole controller over both
//! simulators, fed with what users and accidents bring.

// Tests may unwrap: a panic is how they fail.
#![allow(clippy::unwrap_used)]

use chrono::TimeDelta;
use hotpatch_operator::rehearsal::{Ended, Rehearsal};
use serde_json::{Value, json};

use crate::rehearsal::{FLEET, NIGHTS, QUICK, options, paused};

const NAMESPACE: &str = "web";
const FLEETS: &str = "hotpatchfleets.hotpatch.dev";
const POLICIES: &str = "baselinepolicies.hotpatch.dev";
const RUNS: &str = "hotpatchruns.hotpatch.dev";

/// The hour before the baseline of July 2025.
const EVE: &str = "2025-07-08T16:00:00Z";

async fn begin(manifests: &[&str]) -> Rehearsal {
    Rehearsal::new(options(1, EVE.parse().unwrap(), manifests))
        .await
        .unwrap()
}

async fn pass_hours(own: &mut Rehearsal, hours: i64) {
    let until = own.now() + TimeDelta::hours(hours);
    assert!(matches!(
        own.run_until(|_, _| false, until).await,
        Ended::TimeUp
    ));
}

fn object(own: &Rehearsal, resource: &str, name: &str) -> Value {
    let found = own.kube.get_object(resource, Some(NAMESPACE), name);
    found.map(|found| Value::clone(&found)).unwrap_or_default()
}

fn commands(own: &Rehearsal) -> usize {
    own.look(|world| world.sent.len())
}

fn assert_condition(own: &Rehearsal, wanted: (&str, &str, &str)) {
    let fleet = object(own, FLEETS, "small");
    let conditions = &fleet["status"]["conditions"];
    let found = conditions
        .as_array()
        .into_iter()
        .flatten()
        .any(|condition| {
            condition["type"] == wanted.0
                && condition["status"] == wanted.1
                && condition["reason"] == wanted.2
        });
    assert!(found, "{wanted:?} is not among {conditions:#}");
}

#[test]
fn a_window_that_never_opens_is_named_and_nothing_is_commanded() {
    paused(async {
        let closed = NIGHTS.replace(
            "    weekly: {days: [Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday]}",
            "    once: {date: 2025-01-04}",
        );
        let mut own = begin(&[QUICK, &closed, FLEET]).await;
        pass_hours(&mut own, 72).await;
        assert_eq!(commands(&own), 0);
        assert_condition(&own, ("Feasible", "False", "NoWindowInTime"));
        assert_condition(&own, ("Ready", "True", "Working"));
    });
}

#[test]
fn a_selector_that_matches_nothing_is_named_and_nothing_is_commanded() {
    paused(async {
        let nobody = FLEET.replace("patching: hotpatch", "patching: nobody");
        let mut own = begin(&[QUICK, NIGHTS, &nobody]).await;
        pass_hours(&mut own, 48).await;
        assert_eq!(commands(&own), 0);
        assert_condition(&own, ("Discovered", "True", "NoMachines"));
    });
}

#[test]
fn a_policy_that_is_missing_is_named_and_nothing_is_commanded() {
    paused(async {
        let mut own = begin(&[NIGHTS, FLEET]).await;
        pass_hours(&mut own, 48).await;
        assert_eq!(commands(&own), 0);
        assert_condition(&own, ("ResolvedRefs", "False", "PolicyNotFound"));
        assert_condition(&own, ("Stalled", "False", "NotStalled"));
    });
}

#[test]
fn a_policy_deleted_in_mid_rollout_stops_what_is_new_and_follows_what_runs() {
    paused(async {
        let mut own = begin(&[QUICK, NIGHTS, FLEET]).await;
        let limit = own.now() + TimeDelta::days(3);
        let begun = own
            .run_until(|world, _| !world.sent.is_empty(), limit)
            .await;
        assert!(matches!(begun, Ended::Reached));
        let policy = object(&own, POLICIES, "quick");
        own.kube
            .force_object(POLICIES, Some(NAMESPACE), "quick", None);
        pass_hours(&mut own, 1).await;
        let sent = commands(&own);
        pass_hours(&mut own, 30).await;
        assert_eq!(commands(&own), sent, "nothing new without a policy");
        assert_condition(&own, ("ResolvedRefs", "False", "PolicyNotFound"));
        let done = own.look(|world| {
            let open = world.runs.values().flat_map(|run| run.status.iter());
            open.flat_map(|status| &status.machines)
                .any(|machine| machine.step == "Running")
        });
        assert!(!done, "what ran was followed to its end");
        own.kube
            .force_object(POLICIES, Some(NAMESPACE), "quick", Some(policy));
        pass_hours(&mut own, 96).await;
        assert!(commands(&own) > sent, "it goes on when the policy is back");
    });
}

#[test]
fn garbage_in_the_status_of_a_run_holds_its_machine() {
    paused(async {
        let mut own = begin(&[QUICK, NIGHTS, FLEET]).await;
        let limit = own.now() + TimeDelta::days(3);
        let begun = own
            .run_until(|world, _| !world.sent.is_empty(), limit)
            .await;
        assert!(matches!(begun, Ended::Reached));
        let name = own
            .look(|world| world.runs.keys().next().map(|key| key.1.clone()))
            .unwrap();
        let mut run = object(&own, RUNS, &name);
        let machine = run["status"]["machines"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        run["status"]["machines"][0]["step"] = json!("Banana");
        own.kube
            .force_object(RUNS, Some(NAMESPACE), &name, Some(run));
        let sent = commands(&own);
        pass_hours(&mut own, 30).await;
        let again = own.look(|world| {
            world
                .sent
                .iter()
                .skip(sent)
                .filter(|sent| sent.machine == machine)
                .count()
        });
        assert_eq!(
            again, 0,
            "a machine of which nobody knows what was done is left alone"
        );
        let after = object(&own, RUNS, &name);
        assert_eq!(
            after["status"]["machines"][0]["step"], "Banana",
            "and stays as it was found"
        );
    });
}

#[test]
fn a_fleet_that_does_not_parse_is_named_and_nothing_is_commanded() {
    paused(async {
        let mut own = begin(&[QUICK, NIGHTS, FLEET]).await;
        let mut fleet = object(&own, FLEETS, "small");
        fleet["spec"]["mode"] = json!("Whatever");
        own.kube
            .force_object(FLEETS, Some(NAMESPACE), "small", Some(fleet));
        pass_hours(&mut own, 48).await;
        assert_eq!(commands(&own), 0);
        assert_condition(&own, ("Accepted", "False", "Unreadable"));
        assert_condition(&own, ("Stalled", "True", "InvalidSpec"));
    });
}
