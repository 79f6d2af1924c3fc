//! Server-side apply of one configuration: what it owns, whom it is in conflict with, what it takes
//! away (structured-merge-diff `merge.Updater.Apply`).

use std::sync::Arc;

use serde_json::Value;

use super::compare::{Changes, compare, field_set};
use super::managed::{Entry, Managed, Operation, Writer};
use super::merge::{merge, remove};
use super::set::{FieldSet, Node, shown};
use super::shape::{Form, Identity, Kind, Scalar, Shape};

/// An applier's wish that another manager stands against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// The other manager as messages name it.
    pub(crate) with: String,
    /// Paths of the fields.
    pub(crate) fields: Vec<String>,
}

/// One configuration on its way onto an object.
pub(crate) struct Apply<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) live: &'a Value,
    pub(crate) managed: &'a Managed,
    pub(crate) config: &'a Value,
    pub(crate) writer: &'a Writer,
    pub(crate) force: bool,
    /// Drops from a set what this door cannot write.
    pub(crate) owned: &'a dyn Fn(&mut FieldSet),
    pub(crate) now: &'a Arc<str>,
}

impl Apply<'_> {
    /// The object and its owners after the apply.
    pub(crate) fn run(&self) -> Result<(Value, Managed), Vec<Conflict>> {
        let merged = merge(self.shape, self.live, self.config);
        let mut own = field_set(self.shape, self.config);
        (self.owned)(&mut own);
        let last = self.managed.applier(self.writer);
        let object = match last {
            Some(last) if !last.fields.set.is_empty() => {
                self.prune(&merged, &own, &last.fields.set)
            }
            _ => merged,
        };
        let mut changes = compare(self.shape, self.live, &object);
        (self.owned)(&mut changes.touched);
        (self.owned)(&mut changes.removed);
        if !self.force {
            let conflicts = self.conflicts(&changes);
            if !conflicts.is_empty() {
                return Err(conflicts);
            }
        }
        let changed = object != *self.live;
        let time = if changed {
            Some(Arc::clone(self.now))
        } else {
            last.and_then(|last| last.time.clone())
        };
        let entry = Entry {
            writer: self.writer.clone(),
            operation: Operation::Apply,
            time,
            fields: match last {
                Some(last) if last.fields.set == own => Arc::clone(&last.fields),
                _ => Arc::new(own.into()),
            },
        };
        Ok((object, self.managed.applied(entry, &changes)))
    }

    /// Takes out what this manager applied before, does not apply now, and nobody else owns.
    fn prune(&self, merged: &Value, own: &FieldSet, last: &FieldSet) -> Value {
        let shape = self.shape;
        let named = |set: &FieldSet| with_named_fields(shape, set);
        let pruned = remove(shape, merged, &named(last));
        let mut owned = own.clone();
        for entry in self.managed.entries() {
            if !entry.is_of(self.writer, Operation::Apply) {
                owned = owned.union(&entry.fields.set);
            }
        }
        let all = named(&field_set(shape, merged));
        let kept = named(&field_set(shape, &pruned)).union(&named(&owned));
        let pruned = remove(shape, merged, &all.difference(&kept));
        // Only what was applied last time may go.
        let left = named(&field_set(shape, &pruned));
        let gone = all.difference(&left).intersection(&named(last));
        remove(shape, merged, &gone)
    }

    fn conflicts(&self, changes: &Changes) -> Vec<Conflict> {
        let entries = self.managed.entries().iter();
        let others = entries.filter(|entry| !entry.is_of(self.writer, Operation::Apply));
        let found = others.filter_map(|entry| {
            let shared = entry.fields.set.intersection(&changes.touched);
            (!shared.is_empty()).then(|| Conflict {
                with: entry.shown(),
                fields: shared.paths(),
            })
        });
        found.collect()
    }
}

/// The set with every named field on the way to its paths as a path of its own.
fn with_named_fields(shape: &Shape, set: &FieldSet) -> FieldSet {
    let mut out = FieldSet::default();
    for (step, node) in set.iter() {
        let named = step
            .strip_prefix("f:")
            .is_some_and(|name| shape.declares(name));
        let below = with_named_fields(shape.behind(step), &node.below);
        let node = Node {
            member: node.member || named,
            below,
        };
        out.put(Arc::clone(step), node);
    }
    out
}

/// What keeps a configuration from being one of its type; each text starts with a field path.
pub(crate) fn check(shape: &Shape, config: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    check_at(shape, config, "", &mut errors);
    errors
}

fn check_at(shape: &Shape, value: &Value, path: &str, errors: &mut Vec<String>) {
    if value.is_null() {
        return;
    }
    let mut expected = |what: &str| {
        let text = format!(
            "expected {what}, got &value.valueUnstructured{{Value:{}}}",
            go_syntax(value)
        );
        errors.push(format!("{path}: {text}"));
    };
    match &shape.kind {
        Kind::Any | Kind::Scalar(Scalar::Any) => {}
        Kind::Scalar(Scalar::String) if !value.is_string() => expected("string"),
        Kind::Scalar(Scalar::Number) if !value.is_number() => {
            expected("numeric (int or float)");
        }
        Kind::Scalar(Scalar::Boolean) if !value.is_boolean() => expected("boolean"),
        Kind::Scalar(_) => {}
        Kind::Struct(fields, open, _) => match value {
            Value::Object(map) => {
                for (name, value) in map {
                    let path = format!("{path}.{name}");
                    match fields.get(name) {
                        Some(child) => check_at(child, value, &path, errors),
                        None if *open => {}
                        None => errors.push(format!("{path}: field not declared in schema")),
                    }
                }
            }
            _ => expected("map"),
        },
        Kind::Map(child) => match value {
            Value::Object(map) => {
                for (name, value) in map {
                    check_at(child, value, &format!("{path}.{name}"), errors);
                }
            }
            _ => expected("map"),
        },
        Kind::List(identity, items) => match value {
            Value::Array(list) => check_list(shape, identity, items, list, path, errors),
            _ => expected("list"),
        },
    }
}

fn check_list(
    shape: &Shape,
    identity: &Identity,
    items: &Shape,
    list: &[Value],
    path: &str,
    errors: &mut Vec<String>,
) {
    let granular = shape.form(None) == Form::List;
    let mut seen = std::collections::BTreeSet::new();
    for (at, element) in list.iter().enumerate() {
        let step = shape.step_to(element).filter(|_| granular);
        if let (true, None, Identity::Keys(keys)) = (granular, &step, identity) {
            let names: Vec<String> = keys.iter().map(|(key, _)| format!("{key:?}")).collect();
            errors.push(format!(
                "{path}: element {at}: associative list with keys has an element that omits all \
                 key fields [{}] (and doesn't have default values for any key fields)",
                names.join(" ")
            ));
            continue;
        }
        let place = match &step {
            Some(step) => shown(step),
            None => format!("[{at}]"),
        };
        if let Some(step) = step
            && !seen.insert(step)
        {
            errors.push(format!("{path}: duplicate entries for key {place}"));
            continue;
        }
        check_at(items, element, &format!("{path}{place}"), errors);
    }
}

/// A value as Go's `%#v` shows it.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key:?}:{}", go_syntax(value)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", pairs.join(", "))
        }
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", list.join(", "))
        }
        Value::Null => "interface {}(nil)".to_owned(),
        other => other.to_string(),
    }
}
