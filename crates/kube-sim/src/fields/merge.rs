//! Puts a configuration onto an object, and takes fields out of one (structured-merge-diff
//! `typed.Merge` and `RemoveItems`). Knows shapes and values, never owners.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::compare::elements;
use super::set::FieldSet;
use super::shape::{Form, Shape};

/// The object with the configuration put onto it.
pub(crate) fn merge(shape: &Shape, live: &Value, config: &Value) -> Value {
    match shape.form(Some(config)) {
        Form::Leaf => config.clone(),
        Form::Map => merge_map(shape, live, config),
        Form::List => merge_list(shape, live, config),
    }
}

fn merge_map(shape: &Shape, live: &Value, config: &Value) -> Value {
    let (Value::Object(live), Value::Object(config)) = (live, config) else {
        return if config.is_null() && live.as_object().is_some_and(|map| !map.is_empty()) {
            live.clone()
        } else {
            config.clone()
        };
    };
    let mut out = live.clone();
    for (name, value) in config {
        let merged = match live.get(name) {
            Some(live) => merge(shape.child(name), live, value),
            None => value.clone(),
        };
        out.insert(name.clone(), merged);
    }
    Value::Object(out)
}

/// The elements of a list by their keys.
type Elements<'a> = BTreeMap<Arc<str>, &'a Value>;

/// Merges element by element: shared elements follow the order of the configuration, others stay
/// where they are.
fn merge_list(shape: &Shape, live: &Value, config: &Value) -> Value {
    let (Value::Array(left), Value::Array(right)) = (live, config) else {
        return if config.is_null() && live.as_array().is_some_and(|list| !list.is_empty()) {
            live.clone()
        } else {
            config.clone()
        };
    };
    let steps = |list: &[Value]| -> Vec<Option<Arc<str>>> {
        list.iter().map(|element| shape.step_to(element)).collect()
    };
    let (left_steps, right_steps) = (steps(left), steps(right));
    let (by_left, by_right) = (elements(shape, Some(live)), elements(shape, Some(config)));
    let mut shared: VecDeque<&Arc<str>> = right_steps
        .iter()
        .flatten()
        .filter(|step| by_left.contains_key(*step))
        .collect();
    let mut merged: BTreeSet<&Arc<str>> = BTreeSet::new();
    let mut out = Vec::with_capacity(left.len().max(right.len()));
    let (mut l, mut r) = (0, 0);
    let both = (&by_left, &by_right);
    let join =
        |step: &Option<Arc<str>>, other: &Value| join(shape.items(), step.as_ref(), both, other);
    while l < left.len() || r < right.len() {
        let (left_step, right_step) = (left_steps.get(l), right_steps.get(r));
        let in_config = |step: &Option<Arc<str>>| {
            step.as_ref()
                .is_some_and(|step| by_right.contains_key(step))
        };
        if let (Some(a), Some(b)) = (left_step, right_step) {
            if a == b {
                merged.extend(b.as_ref());
                out.push(join(b, &right[r]));
                l += 1;
                r += 1;
                shared.pop_front();
                continue;
            }
            let awaited = shared.front();
            if in_config(a) && awaited.is_some() && awaited.copied() != a.as_ref() {
                l += 1;
                continue;
            }
        }
        if let Some(a) = left_step {
            if !in_config(a) {
                out.push(left[l].clone());
                l += 1;
                continue;
            }
            if a.as_ref().is_some_and(|step| merged.contains(step)) {
                l += 1;
                continue;
            }
        }
        if let Some(b) = right_step {
            merged.extend(b.as_ref());
            out.push(join(b, &right[r]));
            r += 1;
            if shared.front().copied() == b.as_ref() {
                shared.pop_front();
            }
        }
    }
    Value::Array(out)
}

/// An element that both lists may have; `fallback` is the one of the configuration.
fn join(
    items: &Shape,
    step: Option<&Arc<str>>,
    (left, right): (&Elements<'_>, &Elements<'_>),
    fallback: &Value,
) -> Value {
    let found = step.and_then(|step| Some((left.get(step)?, right.get(step)?)));
    match found {
        Some((old, new)) => merge(items, old, new),
        None => fallback.clone(),
    }
}

/// The value without the fields of a set; what loses everything becomes null, as in the real
/// server.
pub(crate) fn remove(shape: &Shape, value: &Value, gone: &FieldSet) -> Value {
    if gone.is_empty() {
        return value.clone();
    }
    match (shape.form(Some(value)), value) {
        (Form::Map, Value::Object(map)) if !map.is_empty() => {
            let mut out = BTreeMap::new();
            for (name, value) in map {
                if let Some(kept) = kept(shape.child(name), value, &Shape::step_of(name), gone) {
                    out.insert(name.clone(), kept);
                }
            }
            if out.is_empty() {
                return Value::Null;
            }
            Value::Object(out.into_iter().collect())
        }
        (Form::List, Value::Array(list)) if !list.is_empty() => {
            let out: Vec<Value> = list
                .iter()
                .filter_map(|element| match shape.step_to(element) {
                    Some(step) => kept(shape.items(), element, &step, gone),
                    None => Some(element.clone()),
                })
                .collect();
            if out.is_empty() {
                return Value::Null;
            }
            Value::Array(out)
        }
        _ => value.clone(),
    }
}

fn kept(shape: &Shape, value: &Value, step: &str, gone: &FieldSet) -> Option<Value> {
    match gone.get(step) {
        Some(node) if node.member => None,
        Some(node) => Some(remove(shape, value, &node.below)),
        None => Some(value.clone()),
    }
}
