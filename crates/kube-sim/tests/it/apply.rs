//! Server-side apply, and the owners that every write leaves; the expected values are what
//! kube-apiserver 1.36.3 answers to the same requests.

use chrono::{DateTime, Duration};
use http::Method;
use kube_sim::KubeSim;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::http::{APPLY, JSON, MERGE, get, owners, patch, post, put, send, send_as};
use crate::support::test_time;

const GADGETS: &str = "/apis/test.dev/v1/namespaces/default/gadgets";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A type with every kind of list and map.
pub(crate) fn gadget_crd() -> Value {
    let text = || json!({"type": "string"});
    let keyed = |key: &str, fields: Value| {
        json!({
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key],
            "items": {"type": "object", "required": [key], "properties": fields},
        })
    };
    let spec = json!({"type": "object", "properties": {
        "size": {"type": "integer", "default": 3},
        "color": text(),
        "tags": {"type": "array", "items": text(), "x-kubernetes-list-type": "set"},
        "words": {"type": "array", "items": text()},
        "ports": keyed("name", json!({
            "name": text(), "port": {"type": "integer"},
            "proto": {"type": "string", "default": "TCP"},
        })),
        "blob": {
            "type": "object", "x-kubernetes-map-type": "atomic",
            "properties": {"a": text(), "b": text()},
        },
        "map": {"type": "object", "additionalProperties": text()},
        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "deep": {"type": "object", "properties": {
            "x": {"type": "object", "properties": {"y": text(), "z": text()}},
        }},
    }});
    let status = json!({"type": "object", "properties": {
        "seen": {"type": "integer"},
        "conditions": keyed("type", json!({"type": text(), "status": text()})),
    }});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.test.dev"},
        "spec": {
            "group": "test.dev",
            "names": {"plural": "gadgets", "kind": "Gadget"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object", "properties": {"spec": spec, "status": status},
                }},
            }],
        },
    })
}

/// A simulator that serves gadgets, with a clock to move.
async fn gadgets() -> (KubeSim, Arc<AtomicI64>) {
    let seconds = Arc::new(AtomicI64::new(0));
    let hand = Arc::clone(&seconds);
    let clock = move || -> DateTime<chrono::Utc> {
        test_time() + Duration::seconds(hand.load(Ordering::SeqCst))
    };
    let sim = KubeSim::new(Arc::new(clock));
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    post(&sim, crds, gadget_crd()).await.good();
    (sim, seconds)
}

fn gadget(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "test.dev/v1", "kind": "Gadget", "metadata": {"name": name}, "spec": spec,
    })
}

fn by(manager: &str, name: &str) -> String {
    format!("{GADGETS}/{name}?fieldManager={manager}")
}

/// The first gadget of most stories.
async fn first(sim: &KubeSim) -> Value {
    let spec = json!({
        "color": "red", "ports": [{"name": "http", "port": 80}], "tags": ["x"], "words": ["q"],
        "blob": {"a": "1"}, "map": {"k": "v"}, "any": {"p": [1], "q": {"r": 1}},
        "deep": {"x": {"y": "1"}},
    });
    let mut body = gadget("a", spec);
    body["status"] = json!({"seen": 1});
    post(sim, GADGETS, body).await.good()
}

fn first_fields() -> Value {
    json!({"f:spec": {
        ".": {},
        "f:any": {".": {}, "f:p": {}, "f:q": {".": {}, "f:r": {}}},
        "f:blob": {},
        "f:color": {},
        "f:deep": {".": {}, "f:x": {".": {}, "f:y": {}}},
        "f:map": {".": {}, "f:k": {}},
        "f:ports": {
            ".": {},
            "k:{\"name\":\"http\"}": {".": {}, "f:name": {}, "f:port": {}, "f:proto": {}},
        },
        "f:size": {},
        "f:tags": {".": {}, "v:\"x\"": {}},
        "f:words": {},
    }})
}

#[tokio::test(start_paused = true)]
async fn a_create_owns_what_it_names_and_what_decoding_defaults() {
    let (sim, _) = gadgets().await;
    let made = first(&sim).await;
    assert_eq!(owners(&made), json!([["probe Update", first_fields()]]));
    let entry = &made["metadata"]["managedFields"][0];
    assert_eq!(entry["apiVersion"], "test.dev/v1");
    assert_eq!(entry["fieldsType"], "FieldsV1");
    assert_eq!(entry["time"], "2026-02-01T00:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn an_update_takes_the_fields_that_it_changes_and_a_no_op_takes_none() {
    let (sim, clock) = gadgets().await;
    first(&sim).await;
    let at = format!("{GADGETS}/a");
    let grow = json!({"spec": {"size": 4}}).to_string();
    let other = |path: String, body: String| {
        let sim = sim.clone();
        async move {
            send_as(&sim, ("other/2", ""), Method::PATCH, &path, MERGE, body)
                .await
                .good()
        }
    };
    let grown = other(at.clone(), grow.clone()).await;
    let mut left = first_fields();
    left["f:spec"].as_object_mut().unwrap().remove("f:size");
    assert_eq!(
        owners(&grown),
        json!([["other Update", {"f:spec": {"f:size": {}}}], ["probe Update", left]])
    );
    clock.store(60, Ordering::SeqCst);
    let again = patch(&sim, &at, MERGE, json!({"spec": {"size": 4}}))
        .await
        .good();
    assert_eq!(again, grown, "nothing changed, so nothing was written");

    let bare = json!({"spec": {"size": null, "any": null}});
    let shrunk = patch(&sim, &at, MERGE, bare).await.good();
    left["f:spec"].as_object_mut().unwrap().remove("f:any");
    left["f:spec"]["f:size"] = json!({});
    assert_eq!(owners(&shrunk), json!([["probe Update", left]]));
    let time = &shrunk["metadata"]["managedFields"][0]["time"];
    assert_eq!(
        time, "2026-02-01T00:01:00Z",
        "the default that came back is a change"
    );
}

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

#[tokio::test(start_paused = true)]
async fn built_in_types_have_owners_too() {
    let (sim, _) = gadgets().await;
    let meta = |name: &str| json!({"name": name});
    let table = [
        (
            MAPS,
            json!({"metadata": meta("a"), "data": {"k": "v"}, "immutable": false}),
            json!({"f:data": {".": {}, "f:k": {}}, "f:immutable": {}}),
        ),
        (
            "/api/v1/namespaces",
            json!({"metadata": {"name": "n1", "labels": {"x": "y"}}}),
            json!({"f:metadata": {"f:labels": {
                ".": {}, "f:kubernetes.io/metadata.name": {}, "f:x": {},
            }}}),
        ),
        (
            "/api/v1/namespaces/default/serviceaccounts",
            json!({
                "metadata": {
                    "name": "s1", "finalizers": ["a.b/c"],
                    "ownerReferences": [
                        {"apiVersion": "v9", "kind": "X", "name": "a", "uid": "u"},
                    ],
                },
                "secrets": [{"name": "q"}], "imagePullSecrets": [{"name": "q"}],
            }),
            json!({
                "f:imagePullSecrets": {},
                "f:metadata": {
                    "f:finalizers": {".": {}, "v:\"a.b/c\"": {}},
                    "f:ownerReferences": {".": {}, "k:{\"uid\":\"u\"}": {}},
                },
                "f:secrets": {".": {}, "k:{\"name\":\"q\"}": {}},
            }),
        ),
        (
            "/apis/coordination.k8s.io/v1/namespaces/default/leases",
            json!({"metadata": meta("l"), "spec": {"holderIdentity": "a"}}),
            json!({"f:spec": {"f:holderIdentity": {}}}),
        ),
        (
            "/apis/events.k8s.io/v1/namespaces/default/events",
            json!({
                "metadata": meta("e"), "eventTime": "2026-02-01T00:00:00.000000Z", "note": "n",
                "reportingController": "t/o", "reportingInstance": "o", "action": "T",
                "reason": "R", "type": "Normal", "regarding": {"kind": "W", "namespace": "default"},
            }),
            json!({
                "f:action": {}, "f:eventTime": {}, "f:note": {}, "f:reason": {}, "f:regarding": {},
                "f:reportingController": {}, "f:reportingInstance": {}, "f:type": {},
            }),
        ),
    ];
    for (path, body, fields) in table {
        let made = post(&sim, path, body).await.good();
        assert_eq!(owners(&made), json!([["probe Update", fields]]), "{path}");
    }
    let crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.test.dev";
    let crd = get(&sim, crd).await.good();
    assert_eq!(
        owners(&crd)[0][1],
        json!({"f:spec": {
            "f:conversion": {".": {}, "f:strategy": {}}, "f:group": {},
            "f:names": {"f:kind": {}, "f:listKind": {}, "f:plural": {}, "f:singular": {}},
            "f:scope": {}, "f:versions": {},
        }})
    );
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
                     "data": {"k": "w", "n": "1"}});
    let refused = patch(&sim, &format!("{MAPS}/a?fieldManager=me"), APPLY, map).await;
    assert_eq!(
        refused.message(),
        "Apply failed with 1 conflict: conflict with \"probe\" using v1: .data.k"
    );
}

#[tokio::test(start_paused = true)]
async fn clients_may_carry_reset_or_rewrite_the_owners() {
    let (sim, _) = gadgets().await;
    let mut made = first(&sim).await;
    let at = format!("{GADGETS}/a");
    let carried = put(&sim, &at, made.clone()).await.good();
    assert_eq!(
        carried, made,
        "an object that comes back as it is changes nothing"
    );
    for nothing in [
        json!([]),
        json!([{"manager": "x", "operation": "Bad"}]),
        json!(null),
    ] {
        let body = json!({"metadata": {"managedFields": nothing}});
        assert_eq!(patch(&sim, &at, MERGE, body).await.good(), made);
    }
    made["spec"]["color"] = json!("blue");
    made["metadata"]["managedFields"][0]["manager"] = json!("renamed");
    let renamed = put(&sim, &at, made).await.good();
    assert_eq!(
        [&owners(&renamed)[0][0], &owners(&renamed)[1]],
        [
            &json!("probe Update"),
            &json!(["renamed Update", {
                "f:spec": owners(&renamed)[1][1]["f:spec"],
            }])
        ]
    );
    let reset = json!({"metadata": {"managedFields": [{}]}});
    let reset = patch(&sim, &at, MERGE, reset).await.good();
    assert_eq!(reset["metadata"].get("managedFields"), None);
    let json_patch = json!([{"op": "test", "path": "/metadata/managedFields", "value": null}]);
    let media_type = "application/json-patch+json";
    patch(&sim, &at, media_type, json_patch).await.good();
}

#[tokio::test(start_paused = true)]
async fn the_oldest_of_too_many_managers_become_one() {
    let (sim, clock) = gadgets().await;
    post(&sim, MAPS, json!({"metadata": {"name": "m"}}))
        .await
        .good();
    let mut last = Value::Null;
    for turn in 0..12 {
        clock.store(turn, Ordering::SeqCst);
        let body = json!({"data": {format!("k{turn}"): "v"}}).to_string();
        let path = format!("{MAPS}/m?fieldManager=m{turn}");
        last = send(&sim, Method::PATCH, &path, MERGE, body).await.good();
    }
    let found = owners(&last);
    let names: Vec<&str> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e[0].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 10);
    assert_eq!(names[0], "ancient-changes Update");
    assert_eq!(
        found[0][1],
        json!({"f:data": {".": {}, "f:k0": {}, "f:k1": {}, "f:k2": {}}})
    );
}

#[tokio::test(start_paused = true)]
async fn watches_and_lists_show_the_owners() {
    let (sim, _) = gadgets().await;
    first(&sim).await;
    let list = get(&sim, GADGETS).await.good();
    assert_eq!(
        owners(&list["items"][0]),
        json!([["probe Update", first_fields()]])
    );
    let path = format!("{GADGETS}?watch=true&timeoutSeconds=1");
    let event = send(&sim, Method::GET, &path, JSON, "").await.good();
    assert_eq!(
        owners(&event["object"]),
        json!([["probe Update", first_fields()]])
    );
}
