//! What a change touched and what it removed, field by field (structured-merge-diff
//! `typed.Compare`), and which fields a configuration names (`typed.ToFieldSet`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::set::{FieldSet, Node};
use super::shape::{Form, Shape};

/// The fields that differ between two states of an object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// Added or modified.
    pub(crate) touched: FieldSet,
    pub(crate) removed: FieldSet,
}

/// Two field sets at one path.
#[derive(Default)]
struct Pair {
    touched: Node,
    removed: Node,
}

impl Pair {
    fn put(&mut self, step: &Arc<str>, below: Self) {
        self.touched.below.put(Arc::clone(step), below.touched);
        self.removed.below.put(Arc::clone(step), below.removed);
    }
}

/// Compares two states of an object.
pub(crate) fn compare(shape: &Shape, old: &Value, new: &Value) -> Changes {
    let found = walk(shape, Some(old), Some(new));
    Changes {
        touched: found.touched.below,
        removed: found.removed.below,
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        _ => true,
    }
}

fn walk(shape: &Shape, old: Option<&Value>, new: Option<&Value>) -> Pair {
    let mut out = Pair::default();
    if old == new {
        return out;
    }
    let (was, is) = (shape.form(old.or(new)), shape.form(new.or(old)));
    let promoted = is_empty(old) && is_empty(new);
    for form in [was, is] {
        match form {
            Form::Map if !promoted => walk_map(shape, old, new, &mut out),
            Form::List if !promoted => walk_list(shape, old, new, &mut out),
            _ => {}
        }
        if was == is {
            break;
        }
    }
    match (old, new) {
        (None, _) => out.touched.member = true,
        (_, None) => out.removed.member = true,
        _ if promoted || was == Form::Leaf || is == Form::Leaf => out.touched.member = true,
        _ => {}
    }
    out
}

fn walk_map(shape: &Shape, old: Option<&Value>, new: Option<&Value>, out: &mut Pair) {
    let (old, new) = (
        old.and_then(Value::as_object),
        new.and_then(Value::as_object),
    );
    let empty = serde_json::Map::new();
    let (old, new) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    for (name, value) in new {
        let before = old.get(name);
        if before != Some(value) {
            let below = walk(shape.child(name), before, Some(value));
            out.put(&Shape::step_of(name), below);
        }
    }
    for (name, value) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        let below = walk(shape.child(name), Some(value), None);
        out.put(&Shape::step_of(name), below);
    }
}

fn walk_list(shape: &Shape, old: Option<&Value>, new: Option<&Value>, out: &mut Pair) {
    let (old, new) = (elements(shape, old), elements(shape, new));
    let steps: BTreeSet<&Arc<str>> = old.keys().chain(new.keys()).collect();
    for step in steps {
        let (old, new) = (old.get(step).copied(), new.get(step).copied());
        out.put(step, walk(shape.items(), old, new));
    }
}

/// The elements of a list by their identity.
pub(crate) fn elements<'a>(
    shape: &Shape,
    list: Option<&'a Value>,
) -> BTreeMap<Arc<str>, &'a Value> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|element| Some((shape.step_to(element)?, element)))
        .collect()
}

/// The fields that a configuration names.
pub(crate) fn field_set(shape: &Shape, value: &Value) -> FieldSet {
    node_of(shape, value).below
}

fn node_of(shape: &Shape, value: &Value) -> Node {
    let mut node = Node::default();
    match shape.form(Some(value)) {
        Form::Leaf => node.member = true,
        Form::Map => {
            for (name, value) in value.as_object().into_iter().flatten() {
                let mut below = node_of(shape.child(name), value);
                let bare = value.is_null() || value.as_object().is_some_and(|map| map.is_empty());
                below.member |= bare || !shape.declares(name);
                node.below.put(Shape::step_of(name), below);
            }
        }
        Form::List => {
            for (step, element) in elements(shape, Some(value)) {
                let mut below = node_of(shape.items(), element);
                below.member = true;
                node.below.put(step, below);
            }
        }
    }
    node
}
