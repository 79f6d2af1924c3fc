//! Schemas on their own: one table per ability.
#![allow(clippy::unwrap_used)] // tests may unwrap

use serde_json::{Value, json};

use super::Schema;

/// A root schema with one field `f`.
fn field(node: Value) -> Schema {
    let root = json!({"type": "object", "properties": {"f": node}});
    let mut causes = Vec::new();
    let schema = Schema::parse_root(&root, "schema", &mut causes);
    schema.unwrap_or_else(|| panic!("{causes:?}"))
}

fn faults(schema: &Schema, new: &Value, old: Option<&Value>) -> Vec<String> {
    let mut causes = Vec::new();
    schema.validate(
        &json!({"f": new}),
        old.map(|old| json!({"f": old})).as_ref(),
        &mut causes,
    );
    causes
        .iter()
        .map(|cause| format!("{}: {}", cause.field, cause.message))
        .collect()
}

#[test]
fn each_keyword_accepts_and_refuses() {
    let map_list = json!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": {"type": "object", "properties": {"k": {"type": "string"}}},
    });
    let table = [
        (json!({"type": "string"}), json!("x"), json!(1)),
        (json!({"type": "integer"}), json!(3.0), json!(3.5)),
        (json!({"type": "number"}), json!(3.5), json!("3.5")),
        (json!({"type": "boolean"}), json!(true), json!("true")),
        (
            json!({"type": "string", "nullable": true}),
            json!(null),
            json!(1),
        ),
        (
            json!({"x-kubernetes-int-or-string": true}),
            json!("10%"),
            json!(1.5),
        ),
        (json!({"type": "integer", "minimum": 1}), json!(1), json!(0)),
        (
            json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}),
            json!(2),
            json!(1),
        ),
        (
            json!({"type": "integer", "multipleOf": 5}),
            json!(10),
            json!(11),
        ),
        (
            json!({"type": "string", "minLength": 2}),
            json!("ab"),
            json!("a"),
        ),
        (
            json!({"type": "string", "pattern": "^a+$"}),
            json!("aa"),
            json!("b"),
        ),
        (
            json!({"type": "string", "format": "date-time"}),
            json!("2026-02-01T00:00:00Z"),
            json!("yesterday"),
        ),
        (
            json!({"type": "string", "format": "duration"}),
            json!("1h30m"),
            json!("1 hour"),
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
            json!(["a"]),
            json!([]),
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "maxItems": 1}),
            json!(["a"]),
            json!(["a", "b"]),
        ),
        (
            json!({
                "type": "array",
                "items": {"type": "string"},
                "x-kubernetes-list-type": "set",
            }),
            json!(["a", "b"]),
            json!(["a", "a"]),
        ),
        (
            map_list,
            json!([{"k": "a"}, {"k": "b"}]),
            json!([{"k": "a"}, {"k": "a"}]),
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            json!({"a": 1}),
            json!({"a": "1"}),
        ),
        (
            json!({
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "maxProperties": 1,
            }),
            json!({"a": 1}),
            json!({"a": 1, "b": 2}),
        ),
        (
            json!({
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            }),
            json!({"a": "x"}),
            json!({"a": "x", "b": "y"}),
        ),
        (
            json!({"type": "integer", "not": {"enum": [13]}}),
            json!(12),
            json!(13),
        ),
    ];
    for (node, good, bad) in table {
        let schema = field(node.clone());
        assert_eq!(faults(&schema, &good, None), Vec::<String>::new(), "{node}");
        assert!(!faults(&schema, &bad, None).is_empty(), "{node}");
        assert!(
            faults(&schema, &bad, Some(&bad)).is_empty(),
            "unchanged values pass: {node}"
        );
    }
}

#[test]
fn pruning_keeps_what_is_declared_mapped_or_preserved() {
    let schema = field(json!({
        "type": "object",
        "properties": {
            "known": {"type": "object", "properties": {"a": {"type": "string"}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "map": {
                "type": "object",
                "additionalProperties": {"type": "object", "properties": {"v": {"type": "string"}}},
            },
            "list": {
                "type": "array",
                "items": {"type": "object", "properties": {"v": {"type": "string"}}},
            },
        },
    }));
    let mut object = json!({
        "kind": "X",
        "extra": 1,
        "f": {
            "known": {"a": "1", "b": "2"},
            "free": {"x": {"y": 1}},
            "map": {"k": {"v": "1", "w": "2"}},
            "list": [{"v": "1", "w": "2"}],
        },
    });
    let removed = schema.prune(&mut object);
    assert_eq!(removed, ["extra", "f.known.b", "f.list[0].w", "f.map.k.w"]);
    assert_eq!(
        object,
        json!({
            "kind": "X",
            "f": {
                "known": {"a": "1"},
                "free": {"x": {"y": 1}},
                "map": {"k": {"v": "1"}},
                "list": [{"v": "1"}],
            },
        })
    );
}

#[test]
fn defaults_reach_into_defaults_and_lists() {
    let inner = json!({
        "type": "object",
        "properties": {"n": {"type": "integer", "default": 5}},
    });
    let schema = field(json!({
        "type": "object",
        "default": {},
        "properties": {
            "made": {"type": "object", "default": {}, "properties": inner["properties"]},
            "list": {"type": "array", "items": inner},
            "null": {"type": "string", "default": "x"},
        },
    }));
    let mut empty = json!({});
    schema.fill_defaults(&mut empty);
    assert_eq!(empty, json!({"f": {"made": {"n": 5}, "null": "x"}}));
    let mut given = json!({"f": {"list": [{}, {"n": 1}], "null": null, "made": {"n": 2}}});
    schema.fill_defaults(&mut given);
    let want = json!({"list": [{"n": 5}, {"n": 1}], "null": "x", "made": {"n": 2}});
    assert_eq!(given["f"], want);
}

#[test]
fn rules_read_typed_values_and_escaped_names() {
    let table = [
        (
            json!({"type": "string", "format": "date-time"}),
            "self > timestamp('2026-01-01T00:00:00Z')",
            json!("2026-02-01T00:00:00Z"),
            json!("2025-02-01T00:00:00Z"),
        ),
        (
            json!({"type": "string", "format": "duration"}),
            "self <= duration('1h')",
            json!("59m"),
            json!("2h"),
        ),
        (json!({"type": "number"}), "self < 2.5", json!(2), json!(3)),
        (
            json!({
                "type": "object",
                "properties": {"a-b": {"type": "integer"}, "x_y": {"type": "integer"}},
            }),
            "self.a__dash__b < self.x_y",
            json!({"a-b": 1, "x_y": 2}),
            json!({"a-b": 2, "x_y": 2}),
        ),
        (
            json!({"type": "array", "items": {"type": "string"}}),
            "self.all(x, x.startsWith('a')) && self.size() < 3",
            json!(["a"]),
            json!(["a", "b"]),
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            "'a-b' in self",
            json!({"a-b": "1"}),
            json!({"b": "1"}),
        ),
    ];
    for (mut node, rule, good, bad) in table {
        node["x-kubernetes-validations"] =
            json!([{"rule": rule, "messageExpression": "'no: ' + string(1 + 1)"}]);
        let schema = field(node);
        assert_eq!(faults(&schema, &good, None), Vec::<String>::new(), "{rule}");
        let found = faults(&schema, &bad, None);
        assert_eq!(found.len(), 1, "{rule}");
        assert!(found[0].ends_with(": no: 2"), "{found:?}");
    }
}

#[test]
fn transition_rules_follow_list_elements_by_key_and_may_accept_no_old_value() {
    let schema = field(json!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": {
            "type": "object",
            "properties": {"k": {"type": "string"}, "n": {"type": "integer"}},
            "x-kubernetes-validations": [
                {"rule": "self.n >= oldSelf.n", "message": "shrinks", "fieldPath": ".n",
                 "reason": "FieldValueForbidden"},
            ],
        },
    }));
    let old = json!([{"k": "a", "n": 5}, {"k": "b", "n": 1}]);
    let swapped = json!([{"k": "b", "n": 1}, {"k": "a", "n": 6}, {"k": "c", "n": 0}]);
    assert_eq!(faults(&schema, &swapped, Some(&old)), Vec::<String>::new());
    let shrunk = json!([{"k": "b", "n": 0}]);
    assert_eq!(
        faults(&schema, &shrunk, Some(&old)),
        ["f[0].n: Forbidden: shrinks"]
    );

    let optional = field(json!({
        "type": "integer",
        "x-kubernetes-validations": [
            {"rule": "oldSelf.hasValue() ? self > oldSelf.value() : self == 1", "message": "no",
             "optionalOldSelf": true},
        ],
    }));
    assert!(faults(&optional, &json!(1), None).is_empty());
    assert_eq!(faults(&optional, &json!(2), None).len(), 1);
    assert!(faults(&optional, &json!(3), Some(&json!(2))).is_empty());
}

#[test]
fn a_schema_that_is_not_structural_is_refused() {
    let table = [
        (
            json!({"type": "object", "properties": {"f": {}}}),
            "schema.properties[f].type",
        ),
        (json!({"type": "string"}), "schema.type"),
        (
            json!({"type": "object", "properties": {"f": {"type": "string", "pattern": "("}}}),
            "schema.properties[f].pattern",
        ),
    ];
    for (root, field) in table {
        let mut causes = Vec::new();
        assert!(Schema::parse_root(&root, "schema", &mut causes).is_none());
        assert_eq!(causes[0].field, field);
    }
}
