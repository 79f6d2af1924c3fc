//! Server-side apply to lists and maps: what merges and what has one owner.

use serde_json::{Value, json};

use super::answer::Outcome;
use super::apply::{gadget, owns};
use super::cases;
use super::world::World;

cases![
    a_list_with_keys_merges_by_key,
    an_element_that_an_apply_drops_goes,
    a_set_merges_by_value,
    an_atomic_list_has_one_owner,
    an_atomic_map_has_one_owner,
    an_apply_owns_exactly_what_it_names,
    an_apply_of_the_status_owns_the_status,
];

async fn a_list_with_keys_merges_by_key(w: World) -> Outcome {
    let port = |name: &str, number: i64| json!({"name": name, "number": number});
    gadget(
        &w,
        "one",
        "",
        json!({"ports": [port("a", 1), port("b", 2)]}),
    )
    .await?
    .code(201)?;
    let merged = gadget(&w, "two", "", json!({"ports": [port("c", 3)]})).await?;
    merged.like(
        200,
        json!({"spec": {"ports": [port("a", 1), port("b", 2), port("c", 3)]}}),
    )?;
    let refused = gadget(&w, "two", "", json!({"ports": [port("a", 5)]})).await?;
    let message = "Apply failed with 1 conflict: conflict with \"one\": \
                   .spec.ports[name=\"a\"].number";
    refused.like(409, json!({"message": message}))?;
    Ok(())
}

async fn an_element_that_an_apply_drops_goes(w: World) -> Outcome {
    let port = |name: &str, number: i64| json!({"name": name, "number": number});
    gadget(
        &w,
        "one",
        "",
        json!({"ports": [port("a", 1), port("b", 2)]}),
    )
    .await?
    .code(201)?;
    gadget(&w, "two", "", json!({"ports": [port("c", 3)]}))
        .await?
        .code(200)?;
    let left = gadget(&w, "one", "", json!({"ports": [port("b", 2)]})).await?;
    left.like(
        200,
        json!({"spec": {"ports": [{"name": "b"}, {"name": "c"}]}}),
    )?;
    Ok(())
}

async fn a_set_merges_by_value(w: World) -> Outcome {
    gadget(&w, "one", "", json!({"tags": ["a", "b"]}))
        .await?
        .code(201)?;
    gadget(&w, "two", "", json!({"tags": ["c"]}))
        .await?
        .code(200)?;
    let left = gadget(&w, "one", "", json!({"tags": ["b"]})).await?;
    left.like(200, json!({"spec": {"tags": ["b", "c"]}}))?;
    Ok(())
}

async fn an_atomic_list_has_one_owner(w: World) -> Outcome {
    gadget(&w, "one", "", json!({"steps": ["a"]}))
        .await?
        .code(201)?;
    let refused = gadget(&w, "two", "", json!({"steps": ["b"]})).await?;
    let message = "Apply failed with 1 conflict: conflict with \"one\": .spec.steps";
    refused.like(409, json!({"message": message}))?;
    let taken = gadget(&w, "two", "&force=true", json!({"steps": ["b"]})).await?;
    taken.like(200, json!({"spec": {"steps": ["b"]}}))?;
    Ok(())
}

async fn an_atomic_map_has_one_owner(w: World) -> Outcome {
    gadget(&w, "one", "", json!({"whole": {"x": 1}}))
        .await?
        .code(201)?;
    let refused = gadget(&w, "two", "", json!({"whole": {"y": 1}})).await?;
    let message = "Apply failed with 1 conflict: conflict with \"one\": .spec.whole";
    refused.like(409, json!({"message": message}))?;
    let taken = gadget(&w, "two", "&force=true", json!({"whole": {"y": 1}})).await?;
    taken.code(200)?.at("/spec/whole", json!({"y": 1}))?;
    Ok(())
}

async fn an_apply_owns_exactly_what_it_names(w: World) -> Outcome {
    let mut body = w.gadget_body(
        "a",
        json!({
            "size": 1, "nested": {"name": "n"}, "ports": [{"name": "p", "number": 1}],
            "tags": ["t"], "steps": ["s"], "whole": {"x": 1},
        }),
    );
    body["metadata"]["labels"] = json!({"l": "1"});
    body["metadata"]["finalizers"] = json!(["x.dev/y"]);
    let made = w.apply(w.gadget("a"), "one", "", body).await?;
    made.code(201)?;
    owns(
        &made,
        "one",
        &json!({
            "f:metadata": {"f:labels": {"f:l": {}}, "f:finalizers": {"v:\"x.dev/y\"": {}}},
            "f:spec": {
                "f:size": {}, "f:nested": {"f:name": {}},
                "f:ports": {"k:{\"name\":\"p\"}": {".": {}, "f:name": {}, "f:number": {}}},
                "f:tags": {"v:\"t\"": {}}, "f:steps": {}, "f:whole": {},
            },
        }),
    )?;
    w.merge(w.gadget("a"), json!({"metadata": {"finalizers": null}}))
        .await?
        .code(200)?;
    Ok(())
}

async fn an_apply_of_the_status_owns_the_status(w: World) -> Outcome {
    gadget(&w, "one", "", json!({"size": 1})).await?.code(201)?;
    let mut body = w.gadget_body("a", json!({"size": 5}));
    let condition = |kind: &str| json!({"type": kind, "status": "True"});
    body["status"] = json!({"conditions": [condition("Ready")]});
    let done = w.apply(w.gadget("a/status"), "two", "", body).await?;
    done.like(
        200,
        json!({
            "spec": {"size": 1}, "status": {"conditions": [{"type": "Ready"}]},
        }),
    )?;
    let list = done.json["metadata"]["managedFields"].as_array();
    let entry = list
        .into_iter()
        .flatten()
        .find(|own| own["manager"] == "two");
    let entry = entry.unwrap_or(&Value::Null);
    done.holds(
        "an entry of the subresource",
        entry["subresource"] == "status",
    )?;
    owns(
        &done,
        "two",
        &json!({"f:status": {"f:conditions": {
            "k:{\"type\":\"Ready\"}": {".": {}, "f:type": {}, "f:status": {}},
        }}}),
    )?;
    let mut body = w.gadget_body("a", json!({}));
    body["status"] = json!({"conditions": [condition("Done")]});
    let more = w.apply(w.gadget("a/status"), "three", "", body).await?;
    more.like(
        200,
        json!({"status": {"conditions": [{"type": "Ready"}, {"type": "Done"}]}}),
    )?;
    Ok(())
}
