//! What a watch is asked for, and what it may not be.

use serde_json::json;

use super::answer::Outcome;
use super::cases;
use super::world::World;

cases![
    initial_events_end_with_a_marked_bookmark,
    initial_events_may_be_nothing_but_the_bookmark,
    initial_events_need_a_version_match,
    initial_events_are_for_watches_only,
    a_version_match_of_a_watch_needs_initial_events,
    a_watch_ends_after_its_timeout,
    a_watch_timeout_must_be_a_number,
    a_watch_version_must_be_a_number,
    a_watch_of_too_old_a_version_is_told_so,
    a_watch_of_the_future_waits,
];

const INITIAL: &str = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";

async fn initial_events_end_with_a_marked_bookmark(w: World) -> Outcome {
    w.make_gadget("a", json!({})).await?;
    w.make_gadget("b", json!({})).await?;
    let query = format!("{INITIAL}&allowWatchBookmarks=true");
    let mut watch = w.watch(w.custom("gadgets"), &query).await?;
    watch
        .expect("ADDED", json!({"metadata": {"name": "a"}}))
        .await?;
    watch
        .expect("ADDED", json!({"metadata": {"name": "b"}}))
        .await?;
    let mark = json!({"k8s.io/initial-events-end": "true"});
    let bookmark = watch
        .expect(
            "BOOKMARK",
            json!({
                "kind": "Gadget",
                "apiVersion": format!("{}/v1", w.group),
                "metadata": {"annotations": mark, "resourceVersion": "*", "name": "<absent>"},
            }),
        )
        .await?;
    let made = w.make_gadget("c", json!({})).await?;
    watch
        .expect("ADDED", json!({"metadata": {"name": "c"}}))
        .await?;
    let rv = |text: &str| text.parse::<u64>().unwrap_or_default();
    let at = bookmark["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default();
    made.holds("a version above the bookmark's", rv(at) < rv(&made.rv()))?;
    Ok(())
}

async fn initial_events_may_be_nothing_but_the_bookmark(w: World) -> Outcome {
    let query = format!("{INITIAL}&allowWatchBookmarks=true");
    let mut watch = w.watch(w.core("configmaps"), &query).await?;
    let mark = json!({"k8s.io/initial-events-end": "true"});
    watch
        .expect(
            "BOOKMARK",
            json!({
                "kind": "ConfigMap", "apiVersion": "v1", "metadata": {"annotations": mark},
            }),
        )
        .await?;
    let mut watch = w.watch(w.core("configmaps"), INITIAL).await?;
    watch.silent().await
}

async fn initial_events_need_a_version_match(w: World) -> Outcome {
    let refused = w
        .get(w.core("configmaps?watch=true&sendInitialEvents=true"))
        .await?;
    let message = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to \
                   NotOlderThan";
    refused.invalid(
        ("ListOptions", "meta.k8s.io", ""),
        &[("FieldValueForbidden", "resourceVersionMatch", message)],
    )?;
    Ok(())
}

async fn initial_events_are_for_watches_only(w: World) -> Outcome {
    let refused = w.get(w.core(&format!("configmaps?{INITIAL}"))).await?;
    refused.invalid(
        ("ListOptions", "meta.k8s.io", ""),
        &[
            (
                "FieldValueForbidden",
                "resourceVersionMatch",
                "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            (
                "FieldValueForbidden",
                "sendInitialEvents",
                "Forbidden: sendInitialEvents is forbidden for list",
            ),
        ],
    )?;
    Ok(())
}

async fn a_version_match_of_a_watch_needs_initial_events(w: World) -> Outcome {
    let query = "configmaps?watch=true&resourceVersion=0&resourceVersionMatch=NotOlderThan";
    let refused = w.get(w.core(query)).await?;
    let message = "Forbidden: resourceVersionMatch is forbidden for watch unless \
                   sendInitialEvents is provided";
    refused.invalid(
        ("ListOptions", "meta.k8s.io", ""),
        &[("FieldValueForbidden", "resourceVersionMatch", message)],
    )?;
    Ok(())
}

async fn a_watch_ends_after_its_timeout(w: World) -> Outcome {
    let list = w.get(w.custom("gadgets")).await?;
    let query = format!("timeoutSeconds=1&resourceVersion={}", list.rv());
    let mut watch = w.watch(w.custom("gadgets"), &query).await?;
    watch.ends().await
}

async fn a_watch_timeout_must_be_a_number(w: World) -> Outcome {
    let refused = w
        .get(w.core("configmaps?watch=true&timeoutSeconds=long"))
        .await?;
    let message = "strconv.ParseInt: parsing \"long\": invalid syntax";
    refused.refused(400, "BadRequest", message, json!(null))?;
    Ok(())
}

async fn a_watch_version_must_be_a_number(w: World) -> Outcome {
    let refused = w
        .get(w.core("configmaps?watch=true&resourceVersion=new"))
        .await?;
    let message = "resourceVersion: Invalid value: \"new\": strconv.ParseUint: parsing \"new\": \
                   invalid syntax";
    refused.refused(500, "", message, json!(null))?;
    Ok(())
}

async fn a_watch_of_too_old_a_version_is_told_so(w: World) -> Outcome {
    if let Some(sim) = &w.sim {
        // The real server's watches forget what was before it started; the simulator when told.
        sim.compact();
    }
    let mut watch = w.watch(w.custom("gadgets"), "resourceVersion=1").await?;
    watch.expect("ERROR", json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "~^too old resource version: 1 \\([0-9]+\\)$", "reason": "Expired", "code": 410,
    })).await?;
    watch.ends().await
}

async fn a_watch_of_the_future_waits(w: World) -> Outcome {
    let query = "timeoutSeconds=2&resourceVersion=999999999";
    let mut watch = w.watch(w.custom("gadgets"), query).await?;
    w.make_gadget("a", json!({})).await?;
    watch.ends().await
}
