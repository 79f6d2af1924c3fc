//! Built-in types: events in both faces, leases, config maps; and kube's own helpers on top.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Event as CoreEvent;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::finalizer::{Event as Step, finalizer};
use kube::runtime::watcher;
use kube::{Resource as _, ResourceExt};
use serde_json::{Value, json};

use crate::support::{Widget, maps, sim, status, widget, widgets};

fn event(extra: Value) -> Event {
    let mut object = json!({
        "metadata": {"name": "e"},
        "eventTime": "2026-02-01T00:00:00.000000Z",
        "reportingController": "test.dev/op",
        "reportingInstance": "op-0",
        "action": "Try",
        "reason": "Tried",
        "type": "Normal",
        "note": "done",
        "regarding": {"kind": "Widget", "name": "a", "namespace": "default"},
    });
    for (key, value) in extra.as_object().unwrap() {
        object[key] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_event_has_two_faces() {
    let sim = sim().await;
    let events: Api<Event> = Api::default_namespaced(sim.client());
    let made = events
        .create(&PostParams::default(), &event(json!({})))
        .await
        .unwrap();
    assert_eq!(made.note.as_deref(), Some("done"));
    let core: Api<CoreEvent> = Api::default_namespaced(sim.client());
    let about = ListParams::default().fields("involvedObject.name=a,reason=Tried");
    let seen = core.list(&about).await.unwrap().items.remove(0);
    assert_eq!(seen.message.as_deref(), Some("done"));
    assert_eq!(seen.reporting_component.as_deref(), Some("test.dev/op"));
    assert_eq!(seen.uid(), made.uid());
    let about = ListParams::default().fields("regarding.name=other");
    assert!(events.list(&about).await.unwrap().items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_event_must_be_complete_and_only_its_series_may_change() {
    let sim = sim().await;
    let events: Api<Event> = Api::default_namespaced(sim.client());
    let table = [
        (json!({"action": null}), "action"),
        (json!({"reason": "r".repeat(129)}), "reason"),
        (json!({"eventTime": null}), "eventTime"),
        (json!({"type": "Bad"}), "type"),
        (json!({"note": "n".repeat(1025)}), "message"),
    ];
    for (extra, field) in table {
        let refused = status(events.create(&PostParams::default(), &event(extra)).await);
        assert_eq!(refused.details.unwrap().causes[0].field, field);
    }
    events
        .create(&PostParams::default(), &event(json!({})))
        .await
        .unwrap();
    let params = PatchParams::default();
    let series = json!({"count": 2, "lastObservedTime": "2026-02-01T00:01:00.000000Z"});
    let again = Patch::Merge(json!({"series": series}));
    assert_eq!(
        events
            .patch("e", &params, &again)
            .await
            .unwrap()
            .series
            .unwrap()
            .count,
        2
    );
    let other = Patch::Merge(json!({"note": "changed"}));
    assert_eq!(status(events.patch("e", &params, &other).await).code, 422);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_held_by_optimistic_concurrency() {
    let sim = sim().await;
    let leases: Api<Lease> = Api::default_namespaced(sim.client());
    let lease = |holder: &str, seconds: i64| -> Lease {
        let spec = json!({"holderIdentity": holder, "leaseDurationSeconds": seconds});
        serde_json::from_value(json!({"metadata": {"name": "l"}, "spec": spec})).unwrap()
    };
    let first = leases
        .create(&PostParams::default(), &lease("a", 15))
        .await
        .unwrap();
    let mut mine = lease("a", 20);
    mine.metadata.resource_version = first.resource_version();
    leases
        .replace("l", &PostParams::default(), &mine)
        .await
        .unwrap();
    let mut late = lease("b", 15);
    late.metadata.resource_version = first.resource_version();
    let refused = status(leases.replace("l", &PostParams::default(), &late).await);
    assert_eq!(
        refused.message,
        "Operation cannot be fulfilled on leases.coordination.k8s.io \"l\": the object has been \
         modified; please apply your changes to the latest version and try again"
    );
    leases.delete("l", &DeleteParams::default()).await.unwrap();
    let refused = status(leases.create(&PostParams::default(), &lease("a", 0)).await);
    assert_eq!(
        refused.details.unwrap().causes[0].field,
        "spec.leaseDurationSeconds"
    );
}

#[tokio::test(start_paused = true)]
async fn an_immutable_config_map_stays_as_it_is() {
    let sim = sim().await;
    let map = json!({"metadata": {"name": "m"}, "data": {"a": "1"}, "immutable": true});
    let map = serde_json::from_value(map).unwrap();
    maps(&sim)
        .create(&PostParams::default(), &map)
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"data": {"a": "2"}}));
    let refused = status(maps(&sim).patch("m", &PatchParams::default(), &patch).await);
    assert_eq!(refused.details.unwrap().causes[0].field, "data");
}

/// What the controller's steps share.
type Shared = (Api<Widget>, Arc<Mutex<Vec<char>>>);

#[derive(Debug, thiserror::Error)]
#[error("none")]
struct Never;

#[tokio::test(start_paused = true)]
async fn a_real_controller_with_a_finalizer_runs_for_a_simulated_day() {
    let sim = sim().await;
    let steps = Arc::new(Mutex::new(Vec::new()));
    let api = widgets(&sim);
    api.create(&PostParams::default(), &widget("a", 1))
        .await
        .unwrap();
    let reconcile = |object: Arc<Widget>, context: Arc<Shared>| async move {
        let (api, steps) = &*context;
        finalizer(api, "test.dev/done", object, |step| async move {
            let (letter, wait) = match step {
                Step::Apply(_) => ('a', Action::requeue(Duration::from_secs(3600))),
                Step::Cleanup(_) => ('c', Action::await_change()),
            };
            steps.lock().unwrap().push(letter);
            Ok::<_, Never>(wait)
        })
        .await
        .map_err(|_| Never)
    };
    let context = Arc::new((api.clone(), Arc::clone(&steps)));
    let run = Controller::new(api.clone(), watcher::Config::default())
        .run(reconcile, |_, _, _| Action::await_change(), context)
        .for_each(|_| async {});
    let story = async {
        tokio::time::sleep(Duration::from_secs(24 * 3600 + 60)).await;
        assert!(
            !api.get("a")
                .await
                .unwrap()
                .meta()
                .finalizers
                .as_ref()
                .unwrap()
                .is_empty()
        );
        api.delete("a", &DeleteParams::default()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    tokio::select! { () = run => {}, () = story => {} }
    assert!(api.get_opt("a").await.unwrap().is_none());
    let steps: String = steps.lock().unwrap().iter().collect();
    assert!(steps.ends_with("ac") && steps.len() >= 25, "{steps}");
}
