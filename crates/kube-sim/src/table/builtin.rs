//! Columns of built-in types, as k8s.io/kubernetes `pkg/printers/internalversion` has them.

use serde_json::{Value, json};

use super::duration::since_field;
use super::{Now, definition, name_definition};
use crate::meta;
use crate::registry::Builtin;

const AGE: &str = "Time since the object was created.";

/// Name, description and priority of an event's columns besides its name.
const EVENT: [(&str, &str, i64); 9] = [
    ("Last Seen", "When the event was last seen.", 0),
    ("Type", "Normal or Warning.", 0),
    ("Reason", "Why, in one word for machines.", 0),
    ("Object", "What the event is about.", 0),
    ("Subobject", "Which part of the object it is about.", 1),
    ("Source", "Who reports it.", 1),
    ("Message", "What happened, for people.", 0),
    ("First Seen", "When the event was first seen.", 1),
    ("Count", "How often it happened.", 1),
];

/// The columns of a built-in type.
pub(super) fn definitions(builtin: Builtin) -> Value {
    let plain = |name, description| definition(name, "string", "", description, 0);
    let mut columns = vec![name_definition(0)];
    match builtin {
        Builtin::Namespace => {
            columns.push(plain("Status", "Whether the namespace is being deleted."));
            columns.push(plain("Age", AGE));
        }
        Builtin::ConfigMap => {
            columns.push(plain("Data", "Number of entries."));
            columns.push(plain("Age", AGE));
        }
        Builtin::Lease => {
            columns.push(plain("Holder", "Who holds the lease."));
            columns.push(plain("Age", AGE));
        }
        Builtin::Crd => {
            let created = "When the definition was created.";
            columns.push(definition("Created At", "date", "", created, 0));
        }
        Builtin::CoreEvent | Builtin::Event => {
            let event =
                EVENT.map(|(name, text, priority)| definition(name, "string", "", text, priority));
            columns = event.into();
            columns.push(name_definition(1));
        }
        _ => columns.push(plain("Age", AGE)),
    }
    columns.into()
}

/// The cells of an object, in the order of its columns.
pub(super) fn cells(builtin: Builtin, object: &Value, now: Now) -> Vec<Value> {
    let name = Value::from(meta::text(object, "name"));
    let created = &object["metadata"]["creationTimestamp"];
    let age = || Value::from(since_field(created, now));
    let text = |value: &Value| Value::from(value.as_str().unwrap_or_default());
    match builtin {
        Builtin::Namespace => vec![name, text(&object["status"]["phase"]), age()],
        Builtin::ConfigMap => {
            let count = |field: &str| object[field].as_object().map_or(0, serde_json::Map::len);
            vec![name, (count("data") + count("binaryData")).into(), age()]
        }
        Builtin::Lease => vec![name, text(&object["spec"]["holderIdentity"]), age()],
        Builtin::Crd => vec![name, text(created)],
        Builtin::CoreEvent | Builtin::Event => event(object, now),
        _ => vec![name, age()],
    }
}

/// The first of two texts that is not empty.
fn either<'a>(first: &'a Value, second: &'a Value) -> &'a str {
    let text = |value: &'a Value| value.as_str().unwrap_or_default();
    match text(first) {
        "" => text(second),
        found => found,
    }
}

/// An event in either of its two faces.
fn event(object: &Value, now: Now) -> Vec<Value> {
    let field = |core: &str, new: &str| match &object[core] {
        Value::Null => object[new].clone(),
        found => found.clone(),
    };
    let first = field("firstTimestamp", "deprecatedFirstTimestamp");
    let last = field("lastTimestamp", "deprecatedLastTimestamp");
    let count = field("count", "deprecatedCount").as_i64().unwrap_or(0);
    let (source, subject) = (
        field("source", "deprecatedSource"),
        field("involvedObject", "regarding"),
    );
    let age = |time: &Value| since_field(time, now);
    let first = match &first {
        Value::Null => age(&object["eventTime"]),
        time => age(time),
    };
    let (last, count) = match &object["series"] {
        series @ Value::Object(_) => (
            age(&series["lastObservedTime"]),
            series["count"].as_i64().unwrap_or(0),
        ),
        _ if last.is_null() => (first.clone(), count.max(1)),
        _ => (age(&last), count.max(1)),
    };
    let kind = subject["kind"].as_str().unwrap_or_default().to_lowercase();
    let target = match subject["name"].as_str().unwrap_or_default() {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let controller = field("reportingComponent", "reportingController");
    let component = either(&source["component"], &controller);
    let reporter = match either(&source["host"], &object["reportingInstance"]) {
        "" => component.to_owned(),
        instance => format!("{component}, {instance}"),
    };
    let text = |value: &Value| Value::from(value.as_str().unwrap_or_default());
    let message = field("message", "note");
    vec![
        last.into(),
        text(&object["type"]),
        text(&object["reason"]),
        target.into(),
        text(&subject["fieldPath"]),
        reporter.into(),
        message.as_str().unwrap_or_default().trim().into(),
        first.into(),
        count.into(),
        json!(meta::text(object, "name")),
    ]
}
