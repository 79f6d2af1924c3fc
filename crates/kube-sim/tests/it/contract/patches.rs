//! JSON merge patch and JSON patch; which media types a resource takes.

use serde_json::json;

use super::answer::Outcome;
use super::cases;
use super::world::{JSON_PATCH, STRATEGIC, World};

cases![
    a_merge_patch_merges_objects_and_replaces_lists,
    a_null_in_a_merge_patch_removes,
    a_merge_patch_may_name_the_version,
    a_merge_patch_cannot_rename,
    an_empty_merge_patch_changes_nothing,
    a_json_patch_applies_its_operations_in_order,
    a_json_patch_whose_test_fails_changes_nothing,
    a_json_patch_tests_a_missing_path_as_null,
    a_json_patch_needs_the_parent_of_what_it_replaces,
    a_json_patch_needs_the_path_it_removes,
    a_json_patch_must_be_a_list,
    a_json_patch_escapes_slashes,
    a_json_patch_has_a_bound,
    a_patch_must_leave_a_valid_object,
    a_merge_patch_of_the_wrong_type_is_refused,
    custom_objects_take_no_strategic_patch,
    a_patch_of_unknown_type_is_refused,
    a_strategic_patch_merges_maps,
    a_strategic_patch_merges_lists_with_a_key,
    a_strategic_patch_merges_finalizers,
    a_strategic_patch_deletes_by_directive,
    a_strategic_patch_replaces_by_directive,
    a_status_patch_ignores_operations_elsewhere,
];

async fn a_merge_patch_merges_objects_and_replaces_lists(w: World) -> Outcome {
    let spec = json!({"labels": {"a": "1"}, "steps": ["x", "y"]});
    w.make_gadget("a", spec).await?;
    let patch = json!({"spec": {"labels": {"b": "2"}, "steps": ["z"]}});
    let patched = w.merge(w.gadget("a"), patch).await?;
    patched.like(
        200,
        json!({"spec": {"labels": {"a": "1", "b": "2"}, "steps": ["z"]}}),
    )?;
    Ok(())
}

async fn a_null_in_a_merge_patch_removes(w: World) -> Outcome {
    w.make_gadget("a", json!({"size": 3, "word": "abc"}))
        .await?;
    let patched = w
        .merge(w.gadget("a"), json!({"spec": {"size": null, "mode": null}}))
        .await?;
    patched.like(
        200,
        json!({"spec": {"size": "<absent>", "mode": "<absent>", "word": "abc"}}),
    )?;
    Ok(())
}

async fn a_merge_patch_may_name_the_version(w: World) -> Outcome {
    let made = w.make_map(json!({"name": "a"}), "1").await?;
    let at = |rv: &str, v: &str| json!({"metadata": {"resourceVersion": rv}, "data": {"v": v}});
    w.merge(w.map("a"), at(&made.rv(), "2")).await?.code(200)?;
    let refused = w.merge(w.map("a"), at(&made.rv(), "3")).await?;
    let message = "Operation cannot be fulfilled on configmaps \"a\": the object has been \
                   modified; please apply your changes to the latest version and try again";
    refused.refused(
        409,
        "Conflict",
        message,
        json!({"name": "a", "kind": "configmaps"}),
    )?;
    Ok(())
}

async fn a_merge_patch_cannot_rename(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let refused = w
        .merge(w.map("a"), json!({"metadata": {"name": "b"}}))
        .await?;
    let message = "the name of the object (b) does not match the name on the URL (a)";
    refused.refused(400, "BadRequest", message, json!(null))?;
    Ok(())
}

async fn an_empty_merge_patch_changes_nothing(w: World) -> Outcome {
    let made = w.make_map(json!({"name": "a"}), "1").await?;
    let patched = w.merge(w.map("a"), json!({})).await?;
    patched.like(
        200,
        json!({"metadata": {"resourceVersion": made.rv()}, "data": {"v": "1"}}),
    )?;
    Ok(())
}

async fn a_json_patch_applies_its_operations_in_order(w: World) -> Outcome {
    w.make_gadget("a", json!({"steps": ["a", "c"], "size": 1}))
        .await?;
    let patch = json!([
        {"op": "test", "path": "/spec/size", "value": 1},
        {"op": "replace", "path": "/spec/size", "value": 2},
        {"op": "add", "path": "/spec/steps/1", "value": "b"},
        {"op": "add", "path": "/spec/steps/-", "value": "d"},
        {"op": "copy", "from": "/spec/steps/0", "path": "/spec/note"},
        {"op": "move", "from": "/spec/color", "path": "/spec/word"},
        {"op": "remove", "path": "/spec/steps/0"},
    ]);
    let patched = w.patch(JSON_PATCH, w.gadget("a"), patch).await?;
    patched.like(
        200,
        json!({"spec": {
            "size": 2, "steps": ["b", "c", "d"], "note": "a", "word": "red", "color": "red",
        }}),
    )?;
    Ok(())
}

const REJECTED: &str = "the server rejected our request due to an error in our request";

async fn a_json_patch_whose_test_fails_changes_nothing(w: World) -> Outcome {
    let made = w.make_map(json!({"name": "a"}), "1").await?;
    let patch = json!([
        {"op": "replace", "path": "/data/v", "value": "2"},
        {"op": "test", "path": "/data/v", "value": "3"},
    ]);
    let refused = w.patch(JSON_PATCH, w.map("a"), patch).await?;
    refused.refused(422, "Invalid", REJECTED, json!({}))?;
    let read = w.get(w.map("a")).await?;
    read.holds("the old object", read.json == made.json)?;
    Ok(())
}

async fn a_json_patch_tests_a_missing_path_as_null(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let patch = json!([
        {"op": "test", "path": "/metadata/finalizers", "value": null},
        {"op": "add", "path": "/metadata/finalizers", "value": ["x.dev/y"]},
    ]);
    let patched = w.patch(JSON_PATCH, w.map("a"), patch).await?;
    patched.like(200, json!({"metadata": {"finalizers": ["x.dev/y"]}}))?;
    let free = json!([{"op": "remove", "path": "/metadata/finalizers/0"}]);
    w.patch(JSON_PATCH, w.map("a"), free).await?.code(200)?;
    Ok(())
}

async fn a_json_patch_needs_the_parent_of_what_it_replaces(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let patch = |path: &str| json!([{"op": "replace", "path": path, "value": "2"}]);
    let patched = w.patch(JSON_PATCH, w.map("a"), patch("/data/w")).await?;
    patched.like(200, json!({"data": {"v": "1", "w": "2"}}))?;
    for path in ["/none/w", "/metadata/labels/x", "/metadata/finalizers/0"] {
        let refused = w.patch(JSON_PATCH, w.map("a"), patch(path)).await?;
        refused.refused(422, "Invalid", REJECTED, json!({}))?;
    }
    Ok(())
}

async fn a_json_patch_needs_the_path_it_removes(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    for operation in [
        json!({"op": "remove", "path": "/data/w"}),
        json!({"op": "remove", "path": "/metadata/finalizers"}),
        json!({"op": "add", "path": "/none/w", "value": 1}),
        json!({"op": "test", "path": "/none/w", "value": null}),
        json!({"op": "bogus", "path": "/data/v", "value": null}),
        json!({"path": "/data/v", "value": null}),
    ] {
        let refused = w.patch(JSON_PATCH, w.map("a"), json!([operation])).await?;
        refused.refused(422, "Invalid", REJECTED, json!({}))?;
    }
    Ok(())
}

async fn a_json_patch_must_be_a_list(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let refused = w
        .patch(JSON_PATCH, w.map("a"), json!({"op": "add"}))
        .await?;
    let message = "error decoding patch: json: cannot unmarshal object into Go value of type \
                   []handlers.jsonPatchOp";
    refused.refused(400, "BadRequest", message, json!(null))?;
    Ok(())
}

async fn a_json_patch_escapes_slashes(w: World) -> Outcome {
    w.make_map(json!({"name": "a", "annotations": {"x.dev/y": "1"}}), "1")
        .await?;
    let patch = json!([
        {"op": "replace", "path": "/metadata/annotations/x.dev~1y", "value": "2"},
    ]);
    let patched = w.patch(JSON_PATCH, w.map("a"), patch).await?;
    patched.like(200, json!({"metadata": {"annotations": {"x.dev/y": "2"}}}))?;
    Ok(())
}

async fn a_json_patch_has_a_bound(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let one = json!({"op": "test", "path": "/data/v", "value": "1"});
    let refused = w
        .patch(JSON_PATCH, w.map("a"), json!(vec![one; 10_001]))
        .await?;
    let message = "Request entity too large: The allowed maximum operations in a JSON patch is \
                   10000, got 10001";
    refused.refused(413, "RequestEntityTooLarge", message, json!(null))?;
    Ok(())
}

async fn a_patch_must_leave_a_valid_object(w: World) -> Outcome {
    w.make_gadget("a", json!({"size": 1})).await?;
    let patch = json!([{"op": "replace", "path": "/spec/size", "value": "large"}]);
    let refused = w.patch(JSON_PATCH, w.gadget("a"), patch).await?;
    let message = "Invalid value: \"string\": spec.size in body must be of type integer: \
                   \"string\"";
    refused.invalid(
        ("Gadget", &w.group, "a"),
        &[
            ("FieldValueTypeInvalid", "spec.size", message),
            super::UNCHECKED,
        ],
    )?;
    Ok(())
}

async fn a_merge_patch_of_the_wrong_type_is_refused(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let refused = w.merge(w.map("a"), json!({"data": "text"})).await?;
    refused.like(422, json!({"reason": "Invalid"}))?;
    let read = w.get(w.map("a")).await?;
    read.like(200, json!({"data": {"v": "1"}}))?;
    Ok(())
}

async fn custom_objects_take_no_strategic_patch(w: World) -> Outcome {
    w.make_gadget("a", json!({})).await?;
    let refused = w
        .patch(STRATEGIC, w.gadget("a"), json!({"spec": {}}))
        .await?;
    let message = "the body of the request was in an unknown format - accepted media types \
                   include: application/json-patch+json, application/merge-patch+json, \
                   application/apply-patch+yaml";
    refused.refused(415, "UnsupportedMediaType", message, json!(null))?;
    Ok(())
}

async fn a_patch_of_unknown_type_is_refused(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let refused = w.patch("application/json", w.map("a"), json!({})).await?;
    let message = "415: Unsupported Media Type";
    refused.refused(415, "UnsupportedMediaType", message, json!({}))?;
    Ok(())
}

async fn a_strategic_patch_merges_maps(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let patch = json!({"data": {"w": "2"}, "metadata": {"labels": {"x": "y"}}});
    let patched = w.patch(STRATEGIC, w.map("a"), patch).await?;
    patched.like(
        200,
        json!({
            "data": {"v": "1", "w": "2"}, "metadata": {"labels": {"x": "y"}},
        }),
    )?;
    let patched = w
        .patch(STRATEGIC, w.map("a"), json!({"data": {"v": null}}))
        .await?;
    patched.like(200, json!({"data": {"v": "<absent>", "w": "2"}}))?;
    Ok(())
}

async fn a_strategic_patch_merges_lists_with_a_key(w: World) -> Outcome {
    let solid = |name: &str| {
        let group = "no.such.group.dev/v1";
        json!({"apiVersion": group, "kind": "None", "name": name, "uid": name})
    };
    let meta = json!({"name": "a", "ownerReferences": [solid("u1"), solid("u2")]});
    w.make_map(meta, "1").await?;
    let mut changed = solid("u2");
    changed["controller"] = true.into();
    let patch = json!({"metadata": {"ownerReferences": [changed]}});
    let patched = w.patch(STRATEGIC, w.map("a"), patch).await?;
    patched.like(
        200,
        json!({"metadata": {"ownerReferences": [
            {"uid": "u1", "controller": "<absent>"}, {"uid": "u2", "controller": true},
        ]}}),
    )?;
    Ok(())
}

async fn a_strategic_patch_merges_finalizers(w: World) -> Outcome {
    w.make_map(json!({"name": "a", "finalizers": ["x.dev/1"]}), "1")
        .await?;
    let patch = json!({"metadata": {"finalizers": ["x.dev/2"]}});
    let patched = w.patch(STRATEGIC, w.map("a"), patch).await?;
    patched.code(200)?;
    let mut found: Vec<String> =
        serde_json::from_value(patched.json["metadata"]["finalizers"].clone()).unwrap_or_default();
    found.sort();
    patched.holds("both finalizers", found == ["x.dev/1", "x.dev/2"])?;
    w.merge(w.map("a"), json!({"metadata": {"finalizers": null}}))
        .await?
        .code(200)?;
    Ok(())
}

async fn a_strategic_patch_deletes_by_directive(w: World) -> Outcome {
    w.make_map(
        json!({"name": "a", "finalizers": ["x.dev/1", "x.dev/2"]}),
        "1",
    )
    .await?;
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.dev/1"]}});
    let patched = w.patch(STRATEGIC, w.map("a"), patch).await?;
    patched.like(200, json!({"metadata": {"finalizers": ["x.dev/2"]}}))?;
    w.merge(w.map("a"), json!({"metadata": {"finalizers": null}}))
        .await?
        .code(200)?;
    Ok(())
}

async fn a_strategic_patch_replaces_by_directive(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let patch = json!({"data": {"$patch": "replace", "w": "2"}});
    let patched = w.patch(STRATEGIC, w.map("a"), patch).await?;
    patched.code(200)?.at("/data", json!({"w": "2"}))?;
    Ok(())
}

async fn a_status_patch_ignores_operations_elsewhere(w: World) -> Outcome {
    w.make_gadget("a", json!({"size": 1})).await?;
    let patch = json!([
        {"op": "add", "path": "/status", "value": {"seen": 4}},
        {"op": "replace", "path": "/spec/size", "value": 2},
    ]);
    let patched = w.patch(JSON_PATCH, w.gadget("a/status"), patch).await?;
    patched.like(200, json!({"status": {"seen": 4}, "spec": {"size": 1}}))?;
    Ok(())
}
