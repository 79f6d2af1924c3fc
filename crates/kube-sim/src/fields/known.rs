//! Decoding into built-in types: fields that a type does not have are dropped and told, values of
//! the wrong JSON type are refused in the words of Go's `encoding/json`.

use serde_json::Value;

use super::shape::{Kind, Scalar, Shape};

/// Fields of 64 bits; all other numbers of the built-in types have 32.
const LONG: [&str; 4] = [
    "generation",
    "observedGeneration",
    "deletionGracePeriodSeconds",
    "expirationSeconds",
];

/// Removes unknown fields and returns their paths.
pub(crate) fn prune(shape: &Shape, value: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    prune_at(shape, value, "", &mut unknown);
    unknown
}

fn prune_at(shape: &Shape, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match (&shape.kind, value) {
        (Kind::Struct(fields, open, _), Value::Object(map)) => {
            map.retain(|name, value| {
                let dot = if path.is_empty() { "" } else { "." };
                let Some(child) = fields.get(name) else {
                    if !open {
                        unknown.push(format!("{path}{dot}{name}"));
                    }
                    return *open;
                };
                if value.is_object() || value.is_array() {
                    prune_at(child, value, &format!("{path}{dot}{name}"), unknown);
                }
                true
            });
        }
        (Kind::Map(child), Value::Object(map)) => {
            for (name, value) in map.iter_mut().filter(|(_, value)| value.is_object()) {
                prune_at(child, value, &format!("{path}.{name}"), unknown);
            }
        }
        (Kind::List(_, child), Value::Array(list)) => {
            for (at, value) in list.iter_mut().enumerate() {
                prune_at(child, value, &format!("{path}[{at}]"), unknown);
            }
        }
        _ => {}
    }
}

/// What keeps a value from being decoded into its type.
pub(crate) fn check_types(shape: &Shape, value: &Value) -> Result<(), String> {
    check_at(shape, value, ("", ""))
}

/// `at` is the innermost struct's name and the path below the root.
fn check_at(shape: &Shape, value: &Value, at: (&str, &str)) -> Result<(), String> {
    let (owner, path) = at;
    let fits = match &shape.kind {
        _ if value.is_null() => true,
        Kind::Any | Kind::Scalar(Scalar::Any) => true,
        Kind::Scalar(Scalar::String) => value.is_string(),
        Kind::Scalar(Scalar::Number) => value.is_i64() || value.is_u64(),
        Kind::Scalar(Scalar::Boolean) => value.is_boolean(),
        Kind::Struct(..) | Kind::Map(_) => value.is_object(),
        Kind::List(..) => value.is_array(),
    };
    if !fits {
        let found = match value {
            Value::Number(number) if matches!(shape.kind, Kind::Scalar(Scalar::Number)) => {
                format!("number {number}")
            }
            other => found(other).to_owned(),
        };
        let wanted = go_type(shape, path);
        return Err(format!(
            "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}"
        ));
    }
    let join = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match (&shape.kind, value) {
        (Kind::Struct(fields, _, own), Value::Object(map)) => {
            for (name, value) in map {
                if let Some(child) = fields.get(name) {
                    check_at(child, value, (own, &join(name)))?;
                }
            }
        }
        (Kind::Map(child), Value::Object(map)) => {
            for value in map.values() {
                check_at(child, value, at)?;
            }
        }
        (Kind::List(_, child), Value::Array(list)) => {
            for value in list {
                check_at(child, value, at)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn go_type(shape: &Shape, path: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or_default();
    match &shape.kind {
        Kind::Scalar(Scalar::String) => "string".to_owned(),
        Kind::Scalar(Scalar::Number) if LONG.contains(&last) => "int64".to_owned(),
        Kind::Scalar(Scalar::Number) => "int32".to_owned(),
        Kind::Scalar(Scalar::Boolean) => "bool".to_owned(),
        Kind::Scalar(Scalar::Any) | Kind::Any => "interface {}".to_owned(),
        Kind::Struct(_, _, name) => format!("v1.{name}"),
        Kind::Map(child) => format!("map[string]{}", go_type(child, path)),
        Kind::List(_, child) => format!("[]{}", go_type(child, path)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use super::super::builtin::shape;
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_fields_are_dropped_with_their_paths() {
        let mut role = json!({"metadata": {"bar": 1}, "rules": [{"verbs": ["get"], "foo": 1}]});
        let unknown = prune(shape("Role"), &mut role);
        assert_eq!(unknown, ["metadata.bar", "rules[0].foo"]);
        assert_eq!(role, json!({"metadata": {}, "rules": [{"verbs": ["get"]}]}));
    }

    #[test]
    fn values_of_the_wrong_type_are_named_as_go_names_them() {
        let table = [
            (
                "ConfigMap",
                json!({"data": {"k": 1}}),
                "number into Go struct field ConfigMap.data of type string",
            ),
            (
                "ConfigMap",
                json!({"data": []}),
                "array into Go struct field ConfigMap.data of type map[string]string",
            ),
            (
                "ConfigMap",
                json!({"immutable": "x"}),
                "string into Go struct field ConfigMap.immutable of type bool",
            ),
            (
                "Lease",
                json!({"spec": {"leaseDurationSeconds": "3"}}),
                "string into Go struct field LeaseSpec.spec.leaseDurationSeconds of type int32",
            ),
            (
                "Lease",
                json!({"metadata": {"labels": {"a": 1}}}),
                "number into Go struct field ObjectMeta.metadata.labels of type string",
            ),
            (
                "Role",
                json!({"rules": [{"apiGroups": [1]}]}),
                "number into Go struct field PolicyRule.rules.apiGroups of type string",
            ),
            (
                "ObjectMeta",
                json!({"finalizers": "a"}),
                "string into Go struct field ObjectMeta.finalizers of type []string",
            ),
        ];
        for (row, value, want) in table {
            let found = check_types(shape(row), &value).unwrap_err();
            assert_eq!(found, format!("json: cannot unmarshal {want}"));
        }
    }
}
