//! Watches: what they show, where they begin and how they end.

use serde_json::json;

use super::answer::{Differs, Outcome};
use super::cases;
use super::world::World;

cases![
    a_watch_from_a_version_shows_what_came_after,
    a_watch_without_a_version_shows_what_is_there_first,
    a_watch_from_version_zero_shows_what_is_there_first,
    a_watch_resumes_where_another_ended,
    an_object_that_begins_to_match_is_added,
    an_object_that_ceases_to_match_is_deleted,
    a_watch_by_field_sees_one_object,
    a_watch_by_selectable_field_sees_transitions,
    a_get_of_a_name_is_no_watch,
    a_watch_sees_its_namespace_only,
    a_deleted_object_is_shown_as_it_was_last,
    a_deletion_with_finalizers_is_a_change_first,
    a_status_change_is_seen,
    a_change_of_nothing_is_not_seen,
    a_watch_can_show_metadata_only,
    a_watch_shows_the_version_of_its_url,
];

async fn a_watch_from_a_version_shows_what_came_after(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({})).await?;
    let mut watch = w
        .watch(
            w.custom("gadgets"),
            &format!("resourceVersion={}", made.rv()),
        )
        .await?;
    let changed = w.merge(w.gadget("a"), json!({"spec": {"size": 2}})).await?;
    let second = w.make_gadget("b", json!({})).await?;
    w.delete(w.gadget("a")).await?.code(200)?;
    let first = watch
        .expect("MODIFIED", json!({"metadata": {"name": "a"}}))
        .await?;
    changed.holds(
        "the event shows what the patch returned",
        first == changed.json,
    )?;
    let added = watch
        .expect("ADDED", json!({"metadata": {"name": "b"}}))
        .await?;
    second.holds("the event shows what create returned", added == second.json)?;
    watch
        .expect(
            "DELETED",
            json!({"metadata": {"name": "a"}, "spec": {"size": 2}}),
        )
        .await?;
    watch.silent().await
}

async fn a_watch_without_a_version_shows_what_is_there_first(w: World) -> Outcome {
    w.make_gadget("a", json!({})).await?;
    w.make_gadget("b", json!({})).await?;
    let mut watch = w.watch(w.custom("gadgets"), "").await?;
    let mut names = Vec::new();
    for _ in 0..2 {
        names.push(
            watch.expect("ADDED", json!({"kind": "Gadget"})).await?["metadata"]["name"].clone(),
        );
    }
    names.sort_by_key(ToString::to_string);
    if names != [json!("a"), json!("b")] {
        return Err(watch.differs("a and b, added"));
    }
    w.make_gadget("c", json!({})).await?;
    watch
        .expect("ADDED", json!({"metadata": {"name": "c"}}))
        .await?;
    Ok(())
}

async fn a_watch_from_version_zero_shows_what_is_there_first(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({})).await?;
    // Version zero may show the past: what is read back is there.
    w.get(w.custom(&format!("gadgets?resourceVersion={}", made.rv())))
        .await?
        .code(200)?;
    let mut watch = w.watch(w.custom("gadgets"), "resourceVersion=0").await?;
    watch
        .expect("ADDED", json!({"metadata": {"name": "a"}}))
        .await?;
    w.merge(w.gadget("a"), json!({"spec": {"size": 2}}))
        .await?
        .code(200)?;
    watch
        .expect("MODIFIED", json!({"metadata": {"name": "a"}}))
        .await?;
    Ok(())
}

async fn a_watch_resumes_where_another_ended(w: World) -> Outcome {
    let list = w.get(w.custom("gadgets")).await?;
    let mut watch = w
        .watch(
            w.custom("gadgets"),
            &format!("resourceVersion={}", list.rv()),
        )
        .await?;
    for name in ["a", "b", "c"] {
        w.make_gadget(name, json!({})).await?;
    }
    let seen = watch
        .expect("ADDED", json!({"metadata": {"name": "a"}}))
        .await?;
    drop(watch);
    let rv = seen["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default();
    let mut watch = w
        .watch(w.custom("gadgets"), &format!("resourceVersion={rv}"))
        .await?;
    watch
        .expect("ADDED", json!({"metadata": {"name": "b"}}))
        .await?;
    watch
        .expect("ADDED", json!({"metadata": {"name": "c"}}))
        .await?;
    Ok(())
}

async fn an_object_that_begins_to_match_is_added(w: World) -> Outcome {
    let made = w.make_map(json!({"name": "a"}), "1").await?;
    let query = format!("labelSelector=on&resourceVersion={}", made.rv());
    let mut watch = w.watch(w.core("configmaps"), &query).await?;
    w.merge(w.map("a"), json!({"data": {"v": "2"}}))
        .await?
        .code(200)?;
    w.merge(w.map("a"), json!({"metadata": {"labels": {"on": "1"}}}))
        .await?
        .code(200)?;
    watch
        .expect(
            "ADDED",
            json!({"metadata": {"name": "a", "labels": {"on": "1"}}}),
        )
        .await?;
    w.merge(w.map("a"), json!({"data": {"v": "3"}}))
        .await?
        .code(200)?;
    watch
        .expect("MODIFIED", json!({"data": {"v": "3"}}))
        .await?;
    Ok(())
}

async fn an_object_that_ceases_to_match_is_deleted(w: World) -> Outcome {
    let made = w
        .make_map(json!({"name": "a", "labels": {"on": "1"}}), "1")
        .await?;
    let query = format!("labelSelector=on%3D1&resourceVersion={}", made.rv());
    let mut watch = w.watch(w.core("configmaps"), &query).await?;
    let patch = json!({"metadata": {"labels": {"on": "0"}}, "data": {"v": "2"}});
    let changed = w.merge(w.map("a"), patch).await?;
    let gone = json!({
        "metadata": {"name": "a", "labels": {"on": "1"}, "resourceVersion": changed.rv()},
        "data": {"v": "1"},
    });
    watch.expect("DELETED", gone).await?;
    w.delete(w.map("a")).await?.code(200)?;
    watch.silent().await
}

async fn a_watch_by_field_sees_one_object(w: World) -> Outcome {
    let list = w.get(w.core("configmaps")).await?;
    let query = format!(
        "fieldSelector=metadata.name%3Db&resourceVersion={}",
        list.rv()
    );
    let mut watch = w.watch(w.core("configmaps"), &query).await?;
    w.make_map(json!({"name": "a"}), "1").await?;
    w.make_map(json!({"name": "b"}), "1").await?;
    watch
        .expect("ADDED", json!({"metadata": {"name": "b"}}))
        .await?;
    watch.silent().await
}

async fn a_watch_by_selectable_field_sees_transitions(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({"color": "blue"})).await?;
    let query = format!(
        "fieldSelector=spec.color%3Dblue&resourceVersion={}",
        made.rv()
    );
    let mut watch = w.watch(w.custom("gadgets"), &query).await?;
    w.merge(w.gadget("a"), json!({"spec": {"color": "green"}}))
        .await?
        .code(200)?;
    watch
        .expect("DELETED", json!({"spec": {"color": "blue"}}))
        .await?;
    w.merge(w.gadget("a"), json!({"spec": {"color": "blue"}}))
        .await?
        .code(200)?;
    watch
        .expect("ADDED", json!({"spec": {"color": "blue"}}))
        .await?;
    Ok(())
}

async fn a_get_of_a_name_is_no_watch(w: World) -> Outcome {
    let made = w.make_map(json!({"name": "a"}), "1").await?;
    let read = w.get(w.map("a?watch=true")).await?;
    read.code(200)?
        .holds("the object", read.json == made.json)?;
    Ok(())
}

async fn a_watch_sees_its_namespace_only(w: World) -> Outcome {
    let list = w.get(w.core("configmaps")).await?;
    let mut watch = w
        .watch(
            w.core("configmaps"),
            &format!("resourceVersion={}", list.rv()),
        )
        .await?;
    let mut all = w
        .watch(
            "/api/v1/configmaps",
            &format!(
                "resourceVersion={}&labelSelector=case%3D{}",
                list.rv(),
                w.ns
            ),
        )
        .await?;
    let other = w.another_namespace("x").await?;
    let meta = json!({"name": "a", "labels": {"case": w.ns}});
    let path = format!("/api/v1/namespaces/{other}/configmaps");
    w.post(path, json!({"metadata": meta})).await?.code(201)?;
    all.expect(
        "ADDED",
        json!({"metadata": {"name": "a", "namespace": other}}),
    )
    .await?;
    watch.silent().await?;
    w.delete(format!("/api/v1/namespaces/{other}"))
        .await?
        .code(200)?;
    Ok(())
}

async fn a_deleted_object_is_shown_as_it_was_last(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({"size": 4})).await?;
    let mut watch = w
        .watch(
            w.custom("gadgets"),
            &format!("resourceVersion={}", made.rv()),
        )
        .await?;
    w.delete(w.gadget("a")).await?.code(200)?;
    let gone = watch
        .expect(
            "DELETED",
            json!({
                "spec": {"size": 4},
                "metadata": {"uid": made.meta("uid"), "deletionTimestamp": "<absent>"},
            }),
        )
        .await?;
    let rv = |text: &str| text.parse::<u64>().unwrap_or_default();
    let version = gone["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default();
    if rv(version) <= rv(&made.rv()) {
        return Err(watch.differs("the version of the deletion"));
    }
    Ok(())
}

async fn a_deletion_with_finalizers_is_a_change_first(w: World) -> Outcome {
    let made = w
        .make_map(json!({"name": "a", "finalizers": ["x.dev/y"]}), "1")
        .await?;
    let mut watch = w
        .watch(
            w.core("configmaps"),
            &format!("resourceVersion={}", made.rv()),
        )
        .await?;
    w.delete(w.map("a")).await?.code(200)?;
    watch
        .expect("MODIFIED", json!({"metadata": {"deletionTimestamp": "*"}}))
        .await?;
    w.merge(w.map("a"), json!({"metadata": {"finalizers": null}}))
        .await?
        .code(200)?;
    watch
        .expect("DELETED", json!({"metadata": {"deletionTimestamp": "*"}}))
        .await?;
    Ok(())
}

async fn a_status_change_is_seen(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({})).await?;
    let mut watch = w
        .watch(
            w.custom("gadgets"),
            &format!("resourceVersion={}", made.rv()),
        )
        .await?;
    w.merge(w.gadget("a/status"), json!({"status": {"seen": 3}}))
        .await?
        .code(200)?;
    watch
        .expect("MODIFIED", json!({"status": {"seen": 3}}))
        .await?;
    Ok(())
}

async fn a_change_of_nothing_is_not_seen(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({"size": 1})).await?;
    let mut watch = w
        .watch(
            w.custom("gadgets"),
            &format!("resourceVersion={}", made.rv()),
        )
        .await?;
    w.merge(w.gadget("a"), json!({"spec": {"size": 1}}))
        .await?
        .code(200)?;
    w.put(w.gadget("a"), made.json.clone()).await?.code(200)?;
    watch.silent().await
}

async fn a_watch_can_show_metadata_only(w: World) -> Outcome {
    w.make_gadget("a", json!({"size": 1})).await?;
    let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let path = w.custom("gadgets?watch=true&timeoutSeconds=1");
    let seen = w.get_as(accept, path).await?;
    let line = seen.text.lines().next().unwrap_or_default();
    let event: serde_json::Value =
        serde_json::from_str(line).map_err(|_| seen.differs("a line of JSON"))?;
    let wanted = json!({
        "type": "ADDED",
        "object": {
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            "metadata": {"name": "a"}, "spec": "<absent>",
        },
    });
    match super::answer::mismatch(&wanted, &event, false) {
        None => Ok(()),
        Some(why) => Err(Differs {
            wanted: format!("{wanted} ({why})"),
            answer: seen.text,
        }),
    }
}

async fn a_watch_shows_the_version_of_its_url(w: World) -> Outcome {
    let (v1, beta) = (format!("{}/v1", w.group), format!("{}/v1beta1", w.group));
    let body = json!({"apiVersion": v1, "kind": "Coin", "metadata": {"name": "a"}, "spec": {}});
    let made = w.post(w.of(&v1, "coins"), body).await?;
    let query = format!("resourceVersion={}", made.rv());
    let mut watch = w.watch(w.of(&beta, "coins"), &query).await?;
    w.merge(w.of(&v1, "coins/a"), json!({"spec": {"n": 2}}))
        .await?
        .code(200)?;
    watch
        .expect("MODIFIED", json!({"apiVersion": beta, "spec": {"n": 2}}))
        .await?;
    Ok(())
}
