//! What becomes of fields that a type does not know, of bodies in other formats, and of strategic
//! merge patches; messages are those of kube-apiserver 1.36.3.

use http::Method;
use kube_sim::KubeSim;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::gadgets::gadget_crd;
use crate::http::{JSON, MERGE, STRATEGIC, YAML, get, patch, post, put, send};
use crate::support::test_time;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const GADGETS: &str = "/apis/test.dev/v1/namespaces/default/gadgets";
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

async fn sim() -> KubeSim {
    let sim = KubeSim::new(Arc::new(test_time));
    post(&sim, CRDS, gadget_crd()).await.good();
    sim
}

fn gadget(name: &str) -> Value {
    json!({
        "apiVersion": "test.dev/v1", "kind": "Gadget", "metadata": {"name": name, "zip": 1},
        "spec": {"foo": 1, "ports": [{"name": "a", "bar": 1}]}, "top": 1,
    })
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_are_dropped_told_or_refused_as_the_request_wants() {
    let sim = sim().await;
    let warned = post(&sim, GADGETS, gadget("a")).await;
    assert_eq!(
        warned.warnings,
        [
            "299 - \"unknown field \\\"metadata.zip\\\"\"",
            "299 - \"unknown field \\\"spec.foo\\\"\"",
            "299 - \"unknown field \\\"spec.ports[0].bar\\\"\"",
            "299 - \"unknown field \\\"top\\\"\"",
        ]
    );
    let expected = json!({"ports": [{"name": "a", "proto": "TCP"}], "size": 3});
    assert_eq!(warned.good()["spec"], expected);
    let quiet = post(
        &sim,
        &format!("{GADGETS}?fieldValidation=Ignore"),
        gadget("b"),
    )
    .await;
    assert!(quiet.code == 201 && quiet.warnings.is_empty());
    let refused = post(
        &sim,
        &format!("{GADGETS}?fieldValidation=Strict"),
        gadget("c"),
    )
    .await;
    assert_eq!(
        (refused.code, refused.message()),
        (
            400,
            "Gadget in version \"v1\" cannot be handled as a Gadget: strict decoding error: \
             unknown field \"metadata.zip\", unknown field \"spec.foo\", unknown field \
             \"spec.ports[0].bar\", unknown field \"top\""
        )
    );
    let map = json!({"metadata": {"name": "m"}, "data": {"k": "v"}, "foo": 1});
    let made = post(&sim, MAPS, map.clone()).await;
    assert_eq!(made.warnings, ["299 - \"unknown field \\\"foo\\\"\""]);
    assert_eq!(made.good().get("foo"), None);
    let replaced = put(&sim, &format!("{MAPS}/m"), map).await;
    assert_eq!(replaced.warnings.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn keys_that_occur_twice_are_told_or_refused() {
    let sim = sim().await;
    let twice = "{\"apiVersion\":\"test.dev/v1\",\"kind\":\"Gadget\",\"metadata\":{\"name\":\"d\"},\
                 \"spec\":{\"size\":1,\"size\":2}}";
    let strict = format!("{GADGETS}?fieldValidation=Strict");
    let refused = send(&sim, Method::POST, &strict, JSON, twice).await;
    assert!(
        refused
            .message()
            .ends_with("strict decoding error: duplicate field \"spec.size\""),
        "{refused:?}"
    );
    let made = send(&sim, Method::POST, GADGETS, JSON, twice).await;
    assert_eq!(
        made.warnings,
        ["299 - \"duplicate field \\\"spec.size\\\"\""]
    );
    assert_eq!(made.good()["spec"]["size"], 2);
    let twice = "{\"spec\":{\"foo\":1,\"size\":2,\"size\":3}}";
    let at = format!("{GADGETS}/d?fieldValidation=Strict");
    let refused = send(&sim, Method::PATCH, &at, MERGE, twice).await;
    assert_eq!((refused.code, refused.reason()), (422, "Invalid"));
    assert!(
        refused
            .message()
            .starts_with(" \"\" is invalid: patch: Invalid value: ")
    );
    let ending = "strict decoding error: duplicate field \"spec.size\", unknown field \"spec.foo\"";
    assert!(refused.message().ends_with(ending), "{refused:?}");
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: why\nfoo: 1\ndata:\n  \
                a: \"1\"\n  \
                a: \"2\"\n";
    let refused = send(
        &sim,
        Method::POST,
        &format!("{MAPS}?fieldValidation=Strict"),
        YAML,
        yaml,
    )
    .await;
    assert_eq!(
        refused.message(),
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: \
         yaml: unmarshal errors:\n  line 8: key \"a\" already set in map, unknown field \"foo\""
    );
    let made = send(&sim, Method::POST, MAPS, YAML, yaml).await;
    assert_eq!(
        made.warnings[0],
        "299 - \"line 8: key \\\"a\\\" already set in map\""
    );
    assert_eq!(made.good()["data"]["a"], "2");
}

#[tokio::test(start_paused = true)]
async fn bodies_that_are_no_object_are_refused() {
    let sim = sim().await;
    let unrecognized = "the object provided is unrecognized (must be of type ConfigMap): couldn't \
                        get version/kind; json parse error: unexpected end of JSON input ";
    let table = [
        (JSON, "{\"a\":", 400, format!("{unrecognized}({{\"a\":)")),
        (JSON, "", 400, format!("{unrecognized}(<empty>)")),
        (
            "application/cbor",
            "k8s",
            415,
            "the body of the request was in an unknown format - accepted media types include: \
             application/json, application/yaml"
                .to_owned(),
        ),
        (
            JSON,
            "{\"metadata\":{\"name\":\"x\"},\"data\":{\"k\":1}}",
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal \
             number into Go struct field ConfigMap.data of type string"
                .to_owned(),
        ),
        (
            JSON,
            "{\"metadata\":{\"name\":\"x\",\"namespace\":\"other\"}}",
            400,
            "the namespace of the provided object does not match the namespace sent on the request"
                .to_owned(),
        ),
    ];
    for (media_type, body, code, message) in table {
        let refused = send(&sim, Method::POST, MAPS, media_type, body).await;
        assert_eq!((refused.code, refused.message()), (code, message.as_str()));
    }
    let other = json!({"apiVersion": "test.dev/v1", "kind": "X", "metadata": {"name": "x"}});
    let refused = post(&sim, GADGETS, other).await;
    assert_eq!(
        (refused.code, refused.message()),
        (
            422,
            "X.test.dev \"x\" is invalid: kind: Invalid value: \"X\": must be Gadget"
        )
    );
    let map = json!({"metadata": {"name": "m"}});
    post(&sim, MAPS, map).await.good();
    let refused = send(&sim, Method::PATCH, &format!("{MAPS}/m"), JSON, "{}").await;
    assert_eq!(
        (refused.code, refused.message()),
        (415, "415: Unsupported Media Type")
    );
    let refused = patch(&sim, &format!("{MAPS}/m"), MERGE, json!([])).await;
    assert_eq!(
        refused.message(),
        "error decoding patch: json: cannot unmarshal array into Go value of type \
         map[string]interface {}"
    );
}

#[tokio::test(start_paused = true)]
async fn built_in_types_take_strategic_merge_patches_and_custom_ones_do_not() {
    let sim = sim().await;
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let account = json!({"metadata": {"name": "s", "finalizers": ["a/x"]},
                         "secrets": [{"name": "one"}, {"name": "two"}]});
    post(&sim, accounts, account).await.good();
    let change = json!({
        "$setElementOrder/secrets": [{"name": "three"}, {"name": "two"}],
        "secrets": [{"name": "three"}, {"name": "one", "$patch": "delete"}],
        "metadata": {"finalizers": ["b/x"], "labels": {"l": "1"}},
    });
    let at = format!("{accounts}/s");
    let patched = patch(&sim, &at, STRATEGIC, change).await.good();
    assert_eq!(
        patched["secrets"],
        json!([{"name": "three"}, {"name": "two"}])
    );
    assert_eq!(patched["metadata"]["finalizers"], json!(["a/x", "b/x"]));
    let bad = patch(&sim, &at, STRATEGIC, json!({"$patch": "forget"})).await;
    assert_eq!(
        (bad.code, bad.message()),
        (500, "unknown patch type: forget in map: map[$patch:forget]")
    );
    post(&sim, GADGETS, gadget("g")).await.good();
    let refused = patch(&sim, &format!("{GADGETS}/g"), STRATEGIC, json!({})).await;
    assert_eq!(refused.code, 415);
}

#[tokio::test(start_paused = true)]
async fn generated_names_fit_into_a_label() {
    let sim = sim().await;
    let made = post(
        &sim,
        MAPS,
        json!({"metadata": {"generateName": "x".repeat(70)}}),
    )
    .await
    .good();
    let name = made["metadata"]["name"].as_str().unwrap();
    assert!(
        name.len() == 63 && name.starts_with(&"x".repeat(58)),
        "{name}"
    );
    let uid = json!({"metadata": {"uid": "x"}});
    let refused = patch(&sim, &format!("{MAPS}/{name}"), MERGE, uid).await;
    assert!(
        refused
            .message()
            .ends_with("is invalid: metadata.uid: Invalid value: \"x\": field is immutable"),
        "{refused:?}"
    );
    assert_eq!(get(&sim, &format!("{MAPS}/{name}")).await.good(), made);
}
