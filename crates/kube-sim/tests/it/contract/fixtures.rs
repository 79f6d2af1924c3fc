//! CRDs that many cases share. Only additive: a case that needs an odd schema defines its own.

use serde_json::{Value, json};

/// Gadgets: namespaced, with status, defaults, CEL rules, lists of every type and selectable
/// fields. Trinkets: no status subresource. Realms: cluster scope. Coins: two served versions
/// and one that is not.
pub(super) fn crds(group: &str) -> Vec<Value> {
    vec![
        crd(group, "Gadget", "Namespaced", vec![gadget_version()]),
        crd(
            group,
            "Trinket",
            "Namespaced",
            vec![version("v1", open_schema(), json!(null))],
        ),
        crd(
            group,
            "Realm",
            "Cluster",
            vec![version("v1", open_schema(), json!({"status": {}}))],
        ),
        crd(group, "Coin", "Namespaced", coin_versions()),
    ]
}

/// A CRD with kind-derived names.
pub(super) fn crd(group: &str, kind: &str, scope: &str, versions: Vec<Value>) -> Value {
    let singular = kind.to_lowercase();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{singular}s.{group}")},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "plural": format!("{singular}s")},
            "versions": versions,
        },
    })
}

/// A served and stored version.
pub(super) fn version(name: &str, schema: Value, subresources: Value) -> Value {
    let mut version = json!({
        "name": name,
        "served": true,
        "storage": true,
        "schema": {"openAPIV3Schema": schema},
    });
    if !subresources.is_null() {
        version["subresources"] = subresources;
    }
    version
}

/// A schema that knows `spec` and `status` and lets both hold anything.
pub(super) fn open_schema() -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({"type": "object", "properties": {"spec": any, "status": any}})
}

/// A schema whose spec has these properties.
pub(super) fn spec_schema(properties: Value) -> Value {
    json!({
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": properties}},
    })
}

fn coin_versions() -> Vec<Value> {
    let stored = version("v1", open_schema(), json!(null));
    let mut beta = version("v1beta1", open_schema(), json!(null));
    beta["storage"] = false.into();
    beta["deprecated"] = true.into();
    let mut old = version("v1alpha1", open_schema(), json!(null));
    old["storage"] = false.into();
    old["served"] = false.into();
    vec![stored, beta, old]
}

fn gadget_version() -> Value {
    let mut version = version("v1", gadget_schema(), json!({"status": {}}));
    version["selectableFields"] = json!([{"jsonPath": ".spec.color"}, {"jsonPath": ".spec.size"}]);
    version["additionalPrinterColumns"] = json!([
        {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]);
    version
}

fn gadget_schema() -> Value {
    let mut spec = json!({
        "type": "object",
        "description": "What is wanted.",
        "properties": shapes(),
    });
    for more in [lists(), ruled()] {
        for (name, property) in more.as_object().into_iter().flatten() {
            spec["properties"][name] = property.clone();
        }
    }
    json!({
        "type": "object",
        "description": "A thing to try things with.",
        "properties": {
            "spec": spec,
            "status": {
                "type": "object",
                "properties": {
                    "seen": {"type": "integer"},
                    "conditions": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["type"],
                        "items": {
                            "type": "object",
                            "required": ["type", "status"],
                            "properties": {
                                "type": {"type": "string"},
                                "status": {"type": "string"},
                                "note": {"type": "string"},
                            },
                        },
                    },
                },
            },
        },
    })
}

fn shapes() -> Value {
    json!({
        "size": {"type": "integer", "minimum": 1, "maximum": 10, "description": "How large."},
        "color": {"type": "string", "default": "red"},
        "mode": {"type": "string", "enum": ["Fast", "Slow"]},
        "word": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5},
        "ratio": {"type": "number", "multipleOf": 0.5},
        "share": {"type": "number", "exclusiveMinimum": true, "minimum": 0},
        "when": {"type": "string", "format": "date-time"},
        "wait": {"type": "string", "format": "duration"},
        "id": {"type": "string", "format": "uuid"},
        "port": {"x-kubernetes-int-or-string": true},
        "note": {"type": "string", "nullable": true},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                 "properties": {"n": {"type": "integer"}}},
        "labels": {"type": "object", "maxProperties": 2,
                   "additionalProperties": {"type": "string"}},
        "nested": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "level": {"type": "integer", "default": 3},
                "more": {"type": "object", "default": {},
                         "properties": {"on": {"type": "boolean", "default": true}}},
            },
        },
        "either": {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
    })
}

fn lists() -> Value {
    json!({
        "ports": {
            "type": "array",
            "maxItems": 4,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "number": {"type": "integer"},
                    "protocol": {"type": "string", "default": "TCP"},
                },
            },
        },
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "steps": {"type": "array", "items": {"type": "string", "minLength": 1}},
        "whole": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}},
        },
    })
}

fn ruled() -> Value {
    json!({
        "serial": {
            "type": "string",
            "x-kubernetes-validations": [
                {"rule": "self == oldSelf", "message": "serial cannot change"},
            ],
        },
        "rank": {
            "type": "integer",
            "x-kubernetes-validations": [{"rule": "self % 2 == 0"}],
        },
        "span": {
            "type": "object",
            "properties": {"from": {"type": "integer"}, "to": {"type": "integer"}},
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.from) || !has(self.to) || self.from <= self.to",
                    "messageExpression": "self.to < 0 ? 'the end is negative' : 'the end is early'",
                    "fieldPath": ".from",
                    "reason": "FieldValueForbidden",
                },
            ],
        },
        "grade": {
            "type": "integer",
            "x-kubernetes-validations": [
                {
                    "rule": "!oldSelf.hasValue() || self >= oldSelf.value()",
                    "optionalOldSelf": true,
                    "message": "grade cannot fall",
                },
            ],
        },
    })
}
