//! The owners of fields that every write leaves; the expected values are what kube-apiserver 1.36.3
//! answers to the same requests.

use http::Method;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

use crate::gadgets::{GADGETS, first, first_fields, gadgets};
use crate::http::{APPLY, JSON, MERGE, get, owners, patch, post, put, send, send_as};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

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
