//! Server-side apply; the expected values are what kube-apiserver 1.36.3 answers to the same
//! requests.

use http::Method;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

use crate::gadgets::{GADGETS, by, first, first_fields, gadget, gadgets};
use crate::http::{APPLY, MERGE, owners, patch, send};

#[tokio::test(start_paused = true)]
async fn each_door_owns_only_its_own_fields() {
    let (sim, _) = gadgets().await;
    first(&sim).await;
    let seen = json!({
        "metadata": {"labels": {"l": "1"}},
        "status": {"seen": 4, "conditions": [{"type": "A", "status": "True"}]},
    });
    let patched = patch(&sim, &format!("{GADGETS}/a/status"), MERGE, seen)
        .await
        .good();
    let status = json!({"f:status": {
        ".": {},
        "f:conditions": {
            ".": {}, "k:{\"type\":\"A\"}": {".": {}, "f:status": {}, "f:type": {}},
        },
        "f:seen": {},
    }});
    assert_eq!(
        owners(&patched),
        json!([
            ["probe Update", first_fields()],
            ["probe Update status", status]
        ])
    );
    let mut body = gadget("b", json!({"color": "red"}));
    patch(&sim, &by("you", "b"), APPLY, body.clone())
        .await
        .good();
    body["status"] = json!({"seen": 9, "conditions": [{"type": "A", "status": "True"}]});
    let main = patch(&sim, &by("you", "b"), APPLY, body.clone())
        .await
        .good();
    assert_eq!(
        main.get("status"),
        None,
        "the main door does not write the status"
    );
    let at = format!("{GADGETS}/b/status?fieldManager=you");
    let both = patch(&sim, &at, APPLY, body).await.good();
    let mut applied = status.clone();
    applied["f:status"].as_object_mut().unwrap().remove(".");
    applied["f:status"]["f:conditions"]
        .as_object_mut()
        .unwrap()
        .remove(".");
    assert_eq!(
        owners(&both),
        json!([
            ["you Apply", {"f:spec": {"f:color": {}}}],
            ["you Apply status", applied],
        ])
    );
    assert_eq!(both["status"]["seen"], 9);
    let none = gadget("none", json!({}));
    let at = format!("{GADGETS}/none/status?fieldManager=you");
    assert_eq!(patch(&sim, &at, APPLY, none).await.code, 404);
}

#[tokio::test(start_paused = true)]
async fn an_apply_that_changes_others_fields_is_a_conflict_until_it_is_forced() {
    let (sim, _) = gadgets().await;
    first(&sim).await;
    let wanted = gadget(
        "a",
        json!({
            "color": "blue", "ports": [{"name": "http", "port": 81}], "tags": ["x", "y"],
            "deep": {"x": {"y": "2"}},
        }),
    );
    let refused = patch(&sim, &by("me", "a"), APPLY, wanted.clone()).await;
    assert_eq!((refused.code, refused.reason()), (409, "Conflict"));
    assert_eq!(
        refused.message(),
        "Apply failed with 3 conflicts: conflicts with \"probe\" using test.dev/v1:\n\
         - .spec.color\n- .spec.deep.x.y\n- .spec.ports[name=\"http\"].port"
    );
    assert_eq!(
        refused.body["details"]["causes"][2],
        json!({
            "reason": "FieldManagerConflict",
            "message": "conflict with \"probe\" using test.dev/v1",
            "field": ".spec.ports[name=\"http\"].port",
        })
    );
    let forced = format!("{}&force=true", by("me", "a"));
    let taken = patch(&sim, &forced, APPLY, wanted).await.good();
    assert_eq!(taken["spec"]["tags"], json!(["x", "y"]));
    assert_eq!(
        taken["spec"]["ports"],
        json!([{"name": "http", "port": 81, "proto": "TCP"}])
    );
    let mine = json!({"f:spec": {
        "f:color": {}, "f:deep": {"f:x": {"f:y": {}}},
        "f:ports": {"k:{\"name\":\"http\"}": {".": {}, "f:name": {}, "f:port": {}}},
        "f:tags": {"v:\"x\"": {}, "v:\"y\"": {}},
    }});
    let mut theirs = first_fields();
    let spec = theirs["f:spec"].as_object_mut().unwrap();
    spec.remove("f:color");
    spec["f:deep"] = json!({".": {}, "f:x": {}});
    spec["f:ports"]["k:{\"name\":\"http\"}"]
        .as_object_mut()
        .unwrap()
        .remove("f:port");
    assert_eq!(
        owners(&taken),
        json!([["me Apply", mine], ["probe Update", theirs]])
    );

    let one = gadget("a", json!({"color": "green"}));
    let refused = patch(&sim, &by("you", "a"), APPLY, one).await;
    assert_eq!(
        refused.message(),
        "Apply failed with 1 conflict: conflict with \"me\": .spec.color"
    );
}

#[tokio::test(start_paused = true)]
async fn a_field_goes_when_its_last_applier_drops_it() {
    let (sim, clock) = gadgets().await;
    let spec = json!({"color": "red", "ports": [{"name": "a", "port": 1}, {"name": "b"}],
                      "map": {"k": "v"}, "tags": ["x", "y"], "blob": {"a": "1"}});
    let made = patch(&sim, &by("one", "a"), APPLY, gadget("a", spec)).await;
    assert_eq!(made.code, 201);
    let made = made.good();
    assert_eq!(made["spec"]["size"], 3);
    assert_eq!(
        made["spec"]["ports"][1],
        json!({"name": "b", "proto": "TCP"})
    );
    let shared = json!({"color": "red", "ports": [{"name": "a", "port": 1}], "tags": ["y"]});
    clock.store(60, Ordering::SeqCst);
    let both = patch(&sim, &by("two", "a"), APPLY, gadget("a", shared))
        .await
        .good();
    let entry = &both["metadata"]["managedFields"][0];
    assert_eq!(
        (&entry["manager"], entry.get("time")),
        (&json!("two"), None)
    );
    assert_ne!(
        both["metadata"]["resourceVersion"],
        made["metadata"]["resourceVersion"]
    );

    let less = patch(
        &sim,
        &by("one", "a"),
        APPLY,
        gadget("a", json!({"blob": {"b": "2"}})),
    )
    .await;
    assert_eq!(
        less.good()["spec"],
        json!({
            "color": "red", "ports": [{"name": "a", "port": 1, "proto": "TCP"}],
            "tags": ["y"], "blob": {"b": "2"}, "size": 3,
        }),
        "what the other applier also owns stays"
    );
    let none = patch(&sim, &by("two", "a"), APPLY, gadget("a", json!({})))
        .await
        .good();
    assert_eq!(none["spec"], json!({"blob": {"b": "2"}, "size": 3}));
    let again = patch(&sim, &by("two", "a"), APPLY, gadget("a", json!({})))
        .await
        .good();
    assert_eq!(again, none);
}

#[tokio::test(start_paused = true)]
async fn an_apply_is_checked_before_it_is_merged() {
    let (sim, _) = gadgets().await;
    patch(
        &sim,
        &by("you", "b"),
        APPLY,
        gadget("b", json!({"color": "x"})),
    )
    .await
    .good();
    let about = "failed to create typed patch object (/b; test.dev/v1, Kind=Gadget): ";
    let wrong = |spec: Value| gadget("b", spec);
    let table = [
        (
            wrong(json!({"foo": 1})),
            500,
            format!("{about}.spec.foo: field not declared in schema"),
        ),
        (
            wrong(json!({"color": 4})),
            500,
            format!("{about}.spec.color: expected string, got &value.valueUnstructured{{Value:4}}"),
        ),
        (
            wrong(json!({"ports": [{"name": "n"}, {"name": "n"}]})),
            500,
            format!("{about}.spec.ports: duplicate entries for key [name=\"n\"]"),
        ),
        (
            wrong(json!({"ports": [{"port": 1}]})),
            500,
            format!(
                "{about}.spec.ports: element 0: associative list with keys has an element that \
                 omits all key fields [\"name\"] (and doesn't have default values for any key \
                 fields)"
            ),
        ),
        (
            json!({"spec": {}}),
            400,
            "invalid object type: /, Kind=".to_owned(),
        ),
        (
            json!({"apiVersion": "test.dev/v2", "kind": "Gadget"}),
            400,
            "invalid object type: test.dev/v2, Kind=Gadget".to_owned(),
        ),
        (
            gadget("c", json!({})),
            400,
            "the name of the object (c) does not match the name on the URL (b)".to_owned(),
        ),
        (
            json!({"apiVersion": "test.dev/v1", "kind": "Gadget",
                   "metadata": {"managedFields": [{"manager": "x"}]}}),
            400,
            "metadata.managedFields must be nil".to_owned(),
        ),
    ];
    for (body, code, message) in table {
        let refused = patch(&sim, &by("you", "b"), APPLY, body).await;
        assert_eq!((refused.code, refused.message()), (code, message.as_str()));
    }
    let stale = json!({"apiVersion": "test.dev/v1", "kind": "Gadget",
                       "metadata": {"name": "b", "resourceVersion": "1"}, "spec": {"color": "y"}});
    let refused = patch(&sim, &by("you", "b"), APPLY, stale).await;
    assert!(refused.code == 409 && refused.message().contains("has been modified"));
}

#[tokio::test(start_paused = true)]
async fn the_options_of_a_patch_are_checked() {
    let (sim, _) = gadgets().await;
    patch(&sim, &by("you", "b"), APPLY, gadget("b", json!({})))
        .await
        .good();
    let long = "x".repeat(129);
    let table = [
        (
            APPLY,
            String::new(),
            "fieldManager: Required value: is required for apply patch",
        ),
        (
            MERGE,
            "force=true".to_owned(),
            "force: Forbidden: may not be specified for non-apply patch",
        ),
        (
            MERGE,
            format!("fieldManager={long}"),
            "fieldManager: Too long: may not be more than 128 bytes",
        ),
        (
            MERGE,
            "fieldManager=a%0Ab".to_owned(),
            "fieldManager: Invalid value: \"a\\nb\": invalid character U+000A (at position 1)",
        ),
        (
            MERGE,
            "dryRun=Some".to_owned(),
            "dryRun: Unsupported value: [\"Some\"]: supported values: \"All\"",
        ),
        (
            MERGE,
            "fieldValidation=Some".to_owned(),
            "fieldValidation: Unsupported value: \"Some\": supported values: \"\", \"Ignore\", \
             \"Strict\", \"Warn\"",
        ),
    ];
    for (media_type, query, message) in table {
        let path = format!("{GADGETS}/b?{query}");
        let refused = patch(&sim, &path, media_type, gadget("b", json!({}))).await;
        let message = format!("PatchOptions.meta.k8s.io \"\" is invalid: {message}");
        assert_eq!((refused.code, refused.message()), (422, message.as_str()));
    }
    let cbor = send(
        &sim,
        Method::PATCH,
        &by("you", "b"),
        "application/apply-patch+cbor",
        "x",
    )
    .await;
    assert_eq!(
        (cbor.code, cbor.message()),
        (
            415,
            "the body of the request was in an unknown format - accepted media types include: \
             application/json-patch+json, application/merge-patch+json, \
             application/apply-patch+yaml"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn yaml_is_applied_and_a_dry_run_stores_nothing() {
    let (sim, _) = gadgets().await;
    let yaml = "apiVersion: test.dev/v1\nkind: Gadget\nmetadata:\n  name: b\nspec:\n  \
                color: pink\n  color: blue\n";
    let made = send(&sim, Method::PATCH, &by("you", "b"), APPLY, yaml).await;
    assert_eq!(made.code, 201);
    assert_eq!(
        made.warnings,
        ["299 - \"line 7: key \\\"color\\\" already set in map\""]
    );
    assert_eq!(made.body["spec"]["color"], "blue");
    let before = sim.resource_version();
    let path = format!("{}&dryRun=All", by("you", "b"));
    let dry = patch(&sim, &path, APPLY, gadget("b", json!({"color": "dry"})))
        .await
        .good();
    assert_eq!(
        (&dry["spec"]["color"], &dry["metadata"]["generation"]),
        (&json!("dry"), &json!(2))
    );
    assert_eq!(sim.resource_version(), before);
    let bad = send(&sim, Method::PATCH, &by("you", "b"), APPLY, "apiVersion: [").await;
    assert!(
        bad.code == 400 && bad.message().starts_with("error decoding YAML: "),
        "{bad:?}"
    );
}
