//! Gadgets: a custom type with every kind of list and map, on a simulator with a clock to move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration};
use kube_sim::KubeSim;
use serde_json::{Value, json};

use crate::http::post;
use crate::support::test_time;

pub(crate) const GADGETS: &str = "/apis/test.dev/v1/namespaces/default/gadgets";

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
pub(crate) async fn gadgets() -> (KubeSim, Arc<AtomicI64>) {
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

pub(crate) fn gadget(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "test.dev/v1", "kind": "Gadget", "metadata": {"name": name}, "spec": spec,
    })
}

pub(crate) fn by(manager: &str, name: &str) -> String {
    format!("{GADGETS}/{name}?fieldManager={manager}")
}

/// The first gadget of most stories.
pub(crate) async fn first(sim: &KubeSim) -> Value {
    let spec = json!({
        "color": "red", "ports": [{"name": "http", "port": 80}], "tags": ["x"], "words": ["q"],
        "blob": {"a": "1"}, "map": {"k": "v"}, "any": {"p": [1], "q": {"r": 1}},
        "deep": {"x": {"y": "1"}},
    });
    let mut body = gadget("a", spec);
    body["status"] = json!({"seen": 1});
    post(sim, GADGETS, body).await.good()
}

pub(crate) fn first_fields() -> Value {
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
