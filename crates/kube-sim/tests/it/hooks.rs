//! Hooks, faults and the history of committed writes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube_sim::{Fault, Verb};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{sim, status, widget, widgets};

#[tokio::test(start_paused = true)]
async fn hooks_see_each_call_and_its_code() {
    let sim = sim().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    sim.on_response(move |call, code| {
        let size = call.body.as_ref().map(|body| body["spec"]["size"].clone());
        let line = format!(
            "{} {}/{} {code} {}",
            call.verb.as_str(),
            call.resource,
            call.name.as_deref().unwrap_or("*"),
            size.unwrap_or_default(),
        );
        log.lock().unwrap().push(line);
    });
    let api = widgets(&sim);
    api.create(&PostParams::default(), &widget("a", 1))
        .await
        .unwrap();
    api.list(&ListParams::default()).await.unwrap();
    let _refused = api.get("none").await;
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "create widgets.test.dev/a 201 1",
            "list widgets.test.dev/* 200 null",
            "get widgets.test.dev/none 404 null",
            "delete widgets.test.dev/a 200 null",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_refuses_drops_or_delays_a_call() {
    let sim = sim().await;
    let fault = Arc::new(Mutex::new(Fault::None));
    let next = Arc::clone(&fault);
    sim.on_request(move |_| std::mem::replace(&mut next.lock().unwrap(), Fault::None));
    let api = widgets(&sim);
    let give = |wanted: Fault| *fault.lock().unwrap() = wanted;

    give(Fault::Status {
        code: 429,
        reason: "TooManyRequests".to_owned(),
        message: "slow down".to_owned(),
        retry_after_seconds: Some(7),
    });
    let refused = status(api.create(&PostParams::default(), &widget("a", 1)).await);
    assert_eq!(
        (refused.code, refused.details.unwrap().retry_after_seconds),
        (429, 7)
    );

    give(Fault::DropBefore);
    assert!(
        api.create(&PostParams::default(), &widget("a", 1))
            .await
            .is_err()
    );
    assert!(
        sim.get_object("widgets.test.dev", Some("default"), "a")
            .is_none()
    );

    give(Fault::DropAfter);
    assert!(
        api.create(&PostParams::default(), &widget("a", 1))
            .await
            .is_err()
    );
    assert!(
        sim.get_object("widgets.test.dev", Some("default"), "a")
            .is_some()
    );

    give(Fault::Delay(Duration::from_secs(30)));
    let start = Instant::now();
    api.get("a").await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn the_history_holds_every_write_with_before_and_after() {
    let sim = sim().await;
    let api = widgets(&sim);
    let start = sim.resource_version();
    api.create(&PostParams::default(), &widget("a", 1))
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"spec": {"size": 2}}));
    api.patch("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"status": {"seen": 2}}));
    api.patch_status("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let writes = sim.history_since(start);
    let size = |object: &Option<Arc<serde_json::Value>>| {
        object
            .as_ref()
            .and_then(|object| object["spec"]["size"].as_i64())
    };
    let seen: Vec<_> = writes
        .iter()
        .map(|w| {
            (
                w.rv - start,
                w.verb,
                w.subresource.as_deref(),
                size(&w.before),
                size(&w.after),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1, Verb::Create, None, None, Some(1)),
            (2, Verb::Patch, None, Some(1), Some(2)),
            (3, Verb::Patch, Some("status"), Some(2), Some(2)),
            (4, Verb::Delete, None, Some(2), None),
        ]
    );
    assert_eq!(sim.list_objects("widgets.test.dev").len(), 0);
}
