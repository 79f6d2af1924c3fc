//! RFC 7386 merge patch and RFC 6902 JSON patch on plain JSON. Must never know what an object is.

use serde_json::Value;
use thiserror::Error;

/// Bound of a JSON patch, as in the real server's `maxJSONPatchOperations`.
const MAX_OPERATIONS: usize = 10_000;

/// Why a JSON patch could not be applied.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum PatchError {
    /// The patch document is not a list of operations.
    #[error("malformed json patch: {0}")]
    Malformed(String),
    /// The list has too many operations.
    #[error("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {0}")]
    TooLarge(usize),
    /// An operation is none.
    #[error("unexpected operation: {0}")]
    Unknown(String),
    /// A path points nowhere.
    #[error("{op} operation does not apply: doc is missing path: {path:?}")]
    MissingPath { op: String, path: String },
    /// A `test` did not hold.
    #[error("testing value {0} failed")]
    TestFailed(String),
}

/// Applies a merge patch: objects merge, null removes, everything else replaces.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(key);
            }
            Value::Object(_) => merge(target.entry(key.as_str()).or_insert(Value::Null), value),
            other => {
                target.insert(key.clone(), other.clone());
            }
        }
    }
}

/// Applies a JSON patch; on an error the target may be half changed and must be thrown away.
pub(crate) fn json_patch(target: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let malformed = |what: &str| PatchError::Malformed(what.to_owned());
    let operations = patch.as_array().ok_or_else(|| {
        malformed("json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp")
    })?;
    if operations.len() > MAX_OPERATIONS {
        return Err(PatchError::TooLarge(operations.len()));
    }
    for operation in operations {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let unknown = || PatchError::Unknown(operation.to_string());
        let op = text("op").ok_or_else(unknown)?;
        let path = text("path").ok_or_else(unknown)?;
        let value = || operation.get("value").cloned().unwrap_or(Value::Null);
        match op {
            "add" => add(target, op, path, value())?,
            "remove" => {
                remove(target, op, path)?;
            }
            "replace" => {
                replace(target, op, path, value())?;
            }
            "test" => {
                // A missing field of what is there equals null: kube's finalizer helper tests
                // for exactly that.
                let parent = split(path).map_or("", |(parent, _)| parent);
                target.pointer(parent).ok_or_else(|| missing(op, path))?;
                let found = target.pointer(path).unwrap_or(&Value::Null);
                if *found != value() {
                    return Err(PatchError::TestFailed(path.to_owned()));
                }
            }
            "move" | "copy" => {
                let from = text("from").ok_or_else(unknown)?;
                let value = match op {
                    "move" => remove(target, op, from)?,
                    _ => target
                        .pointer(from)
                        .cloned()
                        .ok_or_else(|| missing(op, from))?,
                };
                add(target, op, path, value)?;
            }
            _ => return Err(unknown()),
        }
    }
    Ok(())
}

/// Replaces a value; a field that is not there is added to an object that is.
fn replace(target: &mut Value, op: &str, path: &str, value: Value) -> Result<(), PatchError> {
    if let Some(slot) = target.pointer_mut(path) {
        *slot = value;
        return Ok(());
    }
    let parent = split(path).and_then(|(parent, _)| target.pointer(parent));
    if !parent.is_some_and(Value::is_object) {
        return Err(missing(op, path));
    }
    add(target, op, path, value)
}

fn missing(op: &str, path: &str) -> PatchError {
    PatchError::MissingPath {
        op: op.to_owned(),
        path: path.to_owned(),
    }
}

/// Splits a pointer into its parent and its unescaped last token.
fn split(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(target: &mut Value, op: &str, path: &str, value: Value) -> Result<(), PatchError> {
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    let (parent, last) = split(path).ok_or_else(|| missing(op, path))?;
    match target.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.insert(last, value);
        }
        Some(Value::Array(list)) => {
            let at = match last.as_str() {
                "-" => list.len(),
                digits => digits.parse().map_err(|_| missing(op, path))?,
            };
            if at > list.len() {
                return Err(missing(op, path));
            }
            list.insert(at, value);
        }
        _ => return Err(missing(op, path)),
    }
    Ok(())
}

fn remove(target: &mut Value, op: &str, path: &str) -> Result<Value, PatchError> {
    let (parent, last) = split(path).ok_or_else(|| missing(op, path))?;
    let removed = match target.pointer_mut(parent) {
        Some(Value::Object(map)) => map.remove(&last),
        Some(Value::Array(list)) => {
            let at: Option<usize> = last.parse().ok();
            at.filter(|at| *at < list.len()).map(|at| list.remove(at))
        }
        _ => None,
    };
    removed.ok_or_else(|| missing(op, path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_merges_objects_and_removes_nulls() {
        let table = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (
                json!({"a": {"b": 1}}),
                json!({"a": {"c": 2}}),
                json!({"a": {"b": 1, "c": 2}}),
            ),
            (
                json!({"a": [1]}),
                json!({"a": [2, 3]}),
                json!({"a": [2, 3]}),
            ),
            (
                json!({}),
                json!({"a": {"b": {"c": null}}}),
                json!({"a": {"b": {}}}),
            ),
            (
                json!({"a": 1}),
                json!({"a": {"b": 2}}),
                json!({"a": {"b": 2}}),
            ),
        ];
        for (mut target, patch, want) in table {
            merge(&mut target, &patch);
            assert_eq!(target, want, "{patch}");
        }
    }

    #[test]
    fn a_json_patch_applies_in_order_and_stops_at_a_failed_test() {
        let mut target = json!({"a": ["x", "z"], "m": {"k/1": 1}});
        let patch = json!([
            {"op": "test", "path": "/a/0", "value": "x"},
            {"op": "add", "path": "/a/1", "value": "y"},
            {"op": "add", "path": "/a/-", "value": "end"},
            {"op": "replace", "path": "/m/k~11", "value": 2},
            {"op": "copy", "from": "/a/0", "path": "/b"},
            {"op": "move", "from": "/a/0", "path": "/c"},
            {"op": "remove", "path": "/a/0"},
        ]);
        json_patch(&mut target, &patch).unwrap();
        assert_eq!(
            target,
            json!({"a": ["z", "end"], "m": {"k/1": 2}, "b": "x", "c": "x"})
        );
        let failing = json!([{"op": "test", "path": "/b", "value": "other"}]);
        assert_eq!(
            json_patch(&mut target, &failing),
            Err(PatchError::TestFailed("/b".to_owned()))
        );
        let nowhere = json!([{"op": "remove", "path": "/none"}]);
        assert!(json_patch(&mut target, &nowhere).is_err());
    }
}
