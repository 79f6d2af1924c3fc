//! Strategic merge patch: merge patches that know which lists are merged by key, with the
//! directives of k8s.io/apimachinery `util/strategicpatch`. Only built-in types have it.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::fields::shape::{Identity, Kind, Shape};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// The value that a patch makes of `old`; the error says what is wrong with the patch.
pub(crate) fn merge(shape: &Shape, old: Option<&Value>, patch: &Value) -> Result<Value, String> {
    match patch {
        Value::Object(map) => merge_map(shape, old.and_then(Value::as_object), map),
        Value::Array(list) => merge_list(shape, old.and_then(Value::as_array), list),
        scalar => Ok(scalar.clone()),
    }
}

fn merge_map(
    shape: &Shape,
    old: Option<&Map<String, Value>>,
    patch: &Map<String, Value>,
) -> Result<Value, String> {
    let mut out = match directive(patch)? {
        Some("delete") => return Ok(Value::Object(Map::new())),
        Some("replace") => Map::new(),
        _ => old.cloned().unwrap_or_default(),
    };
    if let Some(kept) = patch.get(RETAIN_KEYS) {
        let kept = kept.as_array().ok_or("$retainKeys must be a list")?;
        out.retain(|key, _| kept.iter().any(|name| name == key.as_str()));
    }
    for (key, value) in patch {
        if let Some(name) = key.strip_prefix(DELETE_FROM) {
            let gone = value
                .as_array()
                .ok_or("$deleteFromPrimitiveList must be a list")?;
            if let Some(list) = out.get_mut(name).and_then(Value::as_array_mut) {
                list.retain(|element| !gone.contains(element));
            }
        }
    }
    for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        if value.is_null() {
            out.remove(key);
            continue;
        }
        let merged = merge(shape.child(key), out.get(key), value)?;
        out.insert(key.clone(), merged);
    }
    for (key, order) in patch {
        if let Some(name) = key.strip_prefix(SET_ORDER) {
            let order = order.as_array().ok_or("$setElementOrder must be a list")?;
            let before = old.and_then(|old| old.get(name)).and_then(Value::as_array);
            if let Some(list) = out.get_mut(name).and_then(Value::as_array_mut) {
                let before = before.map(Vec::as_slice).unwrap_or_default();
                *list = ordered(shape.child(name), std::mem::take(list), before, order);
            }
        }
    }
    Ok(Value::Object(out))
}

fn directive(patch: &Map<String, Value>) -> Result<Option<&str>, String> {
    match patch.get(PATCH).map(Value::as_str) {
        None => Ok(None),
        Some(Some(known @ ("delete" | "replace" | "merge"))) => Ok(Some(known)),
        Some(_) => Err(format!("Unknown patch type found: {}", patch[PATCH])),
    }
}

fn merge_list(shape: &Shape, old: Option<&Vec<Value>>, patch: &[Value]) -> Result<Value, String> {
    let Kind::List(identity, items) = &shape.kind else {
        return Ok(Value::Array(patch.to_vec()));
    };
    if shape.atomic {
        return Ok(Value::Array(patch.to_vec()));
    }
    let mut out = old.cloned().unwrap_or_default();
    for element in patch {
        let Identity::Keys(keys) = identity else {
            if !out.contains(element) {
                out.push(element.clone());
            }
            continue;
        };
        let empty = Map::new();
        let map = element.as_object().unwrap_or(&empty);
        match directive(map)? {
            Some("replace") => {
                let kept = patch.iter().filter(|other| other.get(PATCH).is_none());
                return Ok(Value::Array(kept.cloned().collect()));
            }
            found => {
                if let Some((key, _)) = keys.iter().find(|(key, _)| !map.contains_key(key)) {
                    return Err(format!(
                        "map: {element} does not contain declared merge key: {key}"
                    ));
                }
                let same = |other: &Value| shape.step_to(other) == shape.step_to(element);
                let at = out.iter().position(same);
                match (found, at) {
                    (Some("delete"), Some(at)) => drop(out.remove(at)),
                    (Some("delete"), None) => {}
                    (_, Some(at)) => out[at] = merge(items, Some(&out[at]), element)?,
                    (_, None) => out.push(merge(items, None, element)?),
                }
            }
        }
    }
    Ok(Value::Array(out))
}

/// Puts elements into the wanted order; those that the order does not name stay behind the
/// elements that they were behind.
fn ordered(shape: &Shape, list: Vec<Value>, before: &[Value], order: &[Value]) -> Vec<Value> {
    let step = |element: &Value| -> Option<Arc<str>> { shape.step_to(element) };
    let place = |among: &[Value], element: &Value| {
        let wanted = step(element);
        among.iter().position(|other| step(other) == wanted)
    };
    let (mut named, free): (Vec<Value>, Vec<Value>) = list
        .into_iter()
        .partition(|element| place(order, element).is_some());
    named.sort_by_key(|element| place(order, element));
    let mut out = Vec::with_capacity(named.len() + free.len());
    let (mut named, mut free) = (named.into_iter().peekable(), free.into_iter().peekable());
    while let (Some(left), Some(right)) = (named.peek(), free.peek()) {
        let earlier = match (place(before, left), place(before, right)) {
            (Some(left), Some(right)) => right < left,
            _ => false,
        };
        out.extend(if earlier { free.next() } else { named.next() });
    }
    out.extend(named);
    out.extend(free);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use super::*;
    use crate::fields::builtin::shape;
    use serde_json::json;

    #[test]
    fn lists_merge_by_key_and_follow_directives() {
        let account = json!({
            "metadata": {"finalizers": ["a/x", "b/x"], "labels": {"k": "v", "l": "w"}},
            "secrets": [{"name": "one"}, {"name": "two"}],
            "imagePullSecrets": [{"name": "p"}],
        });
        let table = [
            (
                json!({"secrets": [{"name": "three"}]}),
                "/secrets",
                json!([{"name": "one"}, {"name": "two"}, {"name": "three"}]),
            ),
            (
                json!({"secrets": [{"name": "one", "$patch": "delete"}]}),
                "/secrets",
                json!([{"name": "two"}]),
            ),
            (
                json!({"secrets": [{"$patch": "replace"}, {"name": "x"}]}),
                "/secrets",
                json!([{"name": "x"}]),
            ),
            (
                json!({
                    "$setElementOrder/secrets": [{"name": "three"}, {"name": "two"}],
                    "secrets": [{"name": "three"}],
                }),
                "/secrets",
                json!([{"name": "three"}, {"name": "one"}, {"name": "two"}]),
            ),
            (
                json!({"imagePullSecrets": [{"name": "q"}]}),
                "/imagePullSecrets",
                json!([{"name": "q"}]),
            ),
            (
                json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/x"],
                                    "finalizers": ["c/x"]}}),
                "/metadata/finalizers",
                json!(["b/x", "c/x"]),
            ),
            (
                json!({"metadata": {"labels": {"$retainKeys": ["l"], "m": "1"}}}),
                "/metadata/labels",
                json!({"l": "w", "m": "1"}),
            ),
            (
                json!({"metadata": {"labels": {"$patch": "replace", "m": "1"}}}),
                "/metadata/labels",
                json!({"m": "1"}),
            ),
            (
                json!({"metadata": {"labels": {"k": null}}}),
                "/metadata/labels",
                json!({"l": "w"}),
            ),
        ];
        for (patch, at, want) in table {
            let merged = merge(shape("ServiceAccount"), Some(&account), &patch).unwrap();
            assert_eq!(merged.pointer(at), Some(&want), "{patch}");
        }
        for bad in [
            json!({"secrets": [{"kind": "x"}]}),
            json!({"metadata": {"$patch": "forget"}}),
        ] {
            assert!(merge(shape("ServiceAccount"), Some(&account), &bad).is_err());
        }
    }
}
