//! A fleet, a namespace, an identity or a run goes away in the middle of a rollout.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use azure_sim::Fault;
use hotpatch_operator::api::{HotpatchFleet, HotpatchRun};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams};
use serde_json::json;

use super::*;
use crate::rehearsal::paused;

/// A rollout with a command under way on two machines.
async fn in_mid_rollout() -> Rehearsal {
    let mut own = begin(&wide(2)).await;
    until(&mut own, |world| world.open_commands().count() == 2).await;
    own
}

async fn delete_fleet(own: &Rehearsal) {
    let fleets: Api<HotpatchFleet> = Api::namespaced(own.kube.client(), NAMESPACE);
    fleets
        .delete("small", &DeleteParams::default())
        .await
        .unwrap();
}

fn names(own: &Rehearsal, resource: &str) -> Vec<String> {
    let all = own.kube.list_objects(resource);
    let name = |own: &Arc<Value>| own["metadata"]["name"].as_str().unwrap_or("").to_owned();
    all.iter().map(name).collect()
}

fn run_name(own: &Rehearsal) -> String {
    names(own, RUNS).pop().unwrap()
}

/// Whether a checker other than liveness was violated is asked all along; what must be gone is.
async fn ends(own: &mut Rehearsal, hours: i64) {
    let sent = commands(own);
    for _ in 0..hours {
        pass_hours(own, 1).await;
        if names(own, RUNS).is_empty() {
            break;
        }
    }
    assert_eq!(names(own, RUNS), [""; 0], "runs are left after {hours} h");
    assert_eq!(commands(own), sent, "nothing new was sent");
    held(own);
}

#[test]
fn a_fleet_deleted_in_mid_rollout_sends_nothing_more_and_its_run_goes_when_its_work_has_ended() {
    paused(async {
        let mut own = in_mid_rollout().await;
        delete_fleet(&own).await;
        pass_hours(&mut own, 0).await;
        assert_eq!(names(&own, RUNS).len(), 1, "its work is followed first");
        assert_eq!(under_way(&own), 2);
        ends(&mut own, 3).await;
        assert_eq!(under_way(&own), 0);
    });
}

#[test]
fn a_namespace_deleted_in_mid_rollout_is_gone_when_its_work_has_ended() {
    paused(async {
        let mut own = in_mid_rollout().await;
        let namespaces: Api<Namespace> = Api::all(own.kube.client());
        namespaces
            .delete(NAMESPACE, &DeleteParams::default())
            .await
            .unwrap();
        let requests = own.gate.requests();
        ends(&mut own, 3).await;
        assert_eq!(under_way(&own), 0);
        assert!(!names(&own, "namespaces").contains(&NAMESPACE.to_owned()));
        let asked = own.gate.requests() - requests;
        assert!(asked < 2_000, "{asked} requests: it spins");
        let before = own.gate.requests();
        pass_hours(&mut own, 12).await;
        let idle = own.gate.requests() - before;
        assert!(idle < 2_000, "{idle} requests in 12 idle hours");
    });
}

/// Lets Azure refuse every call from now on, while it is told to.
fn revoke(own: &Rehearsal, status: u16) -> Arc<AtomicBool> {
    let revoked = Arc::new(AtomicBool::new(true));
    let own_flag = Arc::clone(&revoked);
    own.azure.on_call(move |_| {
        if own_flag.load(Ordering::SeqCst) {
            let body = r#"{"error": {"code": "AuthorizationFailed", "message": "no"}}"#;
            return Fault::Status(status, body.to_owned(), None);
        }
        Fault::None
    });
    revoked
}

fn orphaned(own: &Rehearsal) -> Value {
    let run = object(own, RUNS, &run_name(own));
    let conditions = run["status"]["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|own| own["type"] == "Orphaned");
    found.map_or(Value::Null, |own| own["status"].clone())
}

#[test]
fn credentials_revoked_in_mid_rollout_are_told_and_the_run_goes_on_when_they_are_back() {
    for status in [401, 403] {
        paused(async {
            let mut own = in_mid_rollout().await;
            let revoked = revoke(&own, status);
            pass_hours(&mut own, 1).await;
            assert_eq!(orphaned(&own), "True", "{status}");
            let sent = commands(&own);
            pass_hours(&mut own, 2).await;
            assert_eq!(commands(&own), sent);
            revoked.store(false, Ordering::SeqCst);
            pass_hours(&mut own, 1).await;
            assert_eq!(orphaned(&own), "False", "{status}");
            until(&mut own, |world| world.sent.len() > sent).await;
            held(&own);
        });
    }
}

#[test]
fn a_fleet_whose_identity_is_gone_is_deleted_in_bounded_time() {
    paused(async {
        let mut own = in_mid_rollout().await;
        let _ = revoke(&own, 403);
        delete_fleet(&own).await;
        pass_hours(&mut own, 2).await;
        assert_eq!(
            names(&own, RUNS).len(),
            1,
            "a command may be under way still"
        );
        ends(&mut own, 12).await;
    });
}

async fn delete_run(own: &Rehearsal) {
    let runs: Api<HotpatchRun> = Api::namespaced(own.kube.client(), NAMESPACE);
    let name = run_name(own);
    runs.delete(&name, &DeleteParams::default()).await.unwrap();
}

#[test]
fn a_run_that_cannot_be_understood_goes_in_bounded_time_when_it_is_deleted() {
    let damages: [fn(&mut Value); 3] = [
        |run| {
            let stranger = json!({"id": "/subscriptions/s/nobody", "step": "Running"});
            run["status"]["machines"]
                .as_array_mut()
                .unwrap()
                .push(stranger);
        },
        |run| run["spec"]["release"] = json!("banana"),
        |run| run["spec"]["machines"] = json!("none"),
    ];
    for damage in damages {
        paused(async {
            let mut own = in_mid_rollout().await;
            let name = run_name(&own);
            force(&own, RUNS, &name, damage);
            let worked_on: Vec<String> = own.look(|world| {
                world
                    .open_commands()
                    .map(|own| own.machine.clone())
                    .collect()
            });
            pass_hours(&mut own, 1).await;
            let runs = kube::core::ApiResource::erase::<HotpatchRun>(&());
            let runs: Api<kube::api::DynamicObject> =
                Api::namespaced_with(own.kube.client(), NAMESPACE, &runs);
            runs.delete(&name, &DeleteParams::default()).await.unwrap();
            pass_hours(&mut own, 10).await;
            assert!(names(&own, RUNS).contains(&name), "it is kept meanwhile");
            let again = own.look(|world| {
                let sent = world.sent.iter();
                sent.filter(|own| worked_on.contains(&own.machine)).count()
            });
            assert_eq!(again, 2, "and nothing more is sent to its machines");
            pass_hours(&mut own, 3).await;
            assert!(!names(&own, RUNS).contains(&name), "and gone in the end");
            // The other checkers go by the spec, which was damaged.
            let twice = own
                .violations()
                .iter()
                .any(|own| ["alone", "intent", "quiet", "window"].contains(&own.invariant));
            assert!(!twice, "{:?}", own.violations());
        });
    }
}

#[test]
fn a_run_deleted_in_mid_rollout_is_followed_and_its_work_is_done_by_another() {
    paused(async {
        let mut own = in_mid_rollout().await;
        let first = own.look(|world| world.runs.keys().next().cloned()).unwrap();
        delete_run(&own).await;
        until(&mut own, |world| world.deleted_runs.contains(&first)).await;
        let of_first = |world: &World| {
            let sent = world
                .sent
                .iter()
                .filter(|own| own.run.as_ref() == Some(&first));
            sent.count()
        };
        assert_eq!(own.look(of_first), 2);
        pass_hours(&mut own, 72).await;
        held(&own);
        let left = own.look(|world| {
            let current = |own: &&hotpatch_operator::rehearsal::truth::Truth| {
                own.installed.contains("5062553")
            };
            world.machines.len() - world.machines.values().filter(current).count()
        });
        assert_eq!(left, 0, "the others came in a later run");
    });
}
