//! Judges a value by a structural schema, as an API server does before it runs CEL.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate};
use kube::core::cel::Validator;
use serde_json::{Value, json};

use super::Fault;

/// Finds everything that the structural part of a schema refuses; unknown fields count.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<Fault> {
    let mut found = Vec::new();
    visit(schema, value, "", &mut found);
    found
}

/// Collects every CEL rule below a schema node: its path, its message, the rule.
pub(crate) fn rules(schema: &Value, path: &str, into: &mut BTreeSet<(String, String, String)>) {
    let text = |rule: &Value, field: &str| rule[field].as_str().unwrap_or_default().to_owned();
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        into.insert((path.to_owned(), text(rule, "message"), text(rule, "rule")));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        rules(property, &join(path, name), into);
    }
    if schema["items"].is_object() {
        rules(&schema["items"], &format!("{path}[]"), into);
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn visit(schema: &Value, value: &Value, path: &str, found: &mut Vec<Fault>) {
    let mut say = |message: String| found.push((path.to_owned(), message));
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        say(format!("{value} is not one of {choices:?}"));
    }
    let int_or_string = schema["x-kubernetes-int-or-string"] == true;
    let wanted = schema["type"].as_str().unwrap_or("int or string");
    let fits = match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        _ => int_or_string && (value.is_string() || value.is_i64()),
    };
    if !fits {
        say(format!("{value} is no {wanted}"));
    }
    match value {
        Value::String(text) => string(schema, text, path, found),
        Value::Number(number) => {
            let minimum = schema["minimum"].as_f64();
            if minimum.is_some_and(|m| number.as_f64().is_some_and(|n| n < m)) {
                say(format!("{number} is below the minimum"));
            }
        }
        Value::Array(items) => array(schema, items, path, found),
        Value::Object(fields) => object(schema, fields, path, found),
        Value::Null | Value::Bool(_) => {}
    }
}

fn string(schema: &Value, text: &str, path: &str, found: &mut Vec<Fault>) {
    let mut say = |message: &str| found.push((path.to_owned(), format!("{text:?} {message}")));
    let length = text.chars().count() as u64;
    if schema["maxLength"].as_u64().is_some_and(|max| length > max) {
        say("is too long");
    }
    if schema["minLength"].as_u64().is_some_and(|min| length < min) {
        say("is too short");
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && !matches(pattern, text)
    {
        say("does not match");
    }
    let legal = match schema["format"].as_str() {
        Some("date-time") => DateTime::parse_from_rfc3339(text).is_ok(),
        Some("date") => text.parse::<NaiveDate>().is_ok(),
        _ => true,
    };
    if !legal {
        say("has the wrong format");
    }
}

/// Asks the CEL engine, which has the regular expressions of the API server.
fn matches(pattern: &str, text: &str) -> bool {
    let rule = format!("self.matches('{pattern}')");
    let schema = json!({"type": "string", "x-kubernetes-validations": [{"rule": rule}]});
    Validator::new()
        .validate(&schema, &json!(text), None)
        .is_ok()
}

fn array(schema: &Value, items: &[Value], path: &str, found: &mut Vec<Fault>) {
    let count = items.len() as u64;
    if schema["maxItems"].as_u64().is_some_and(|max| count > max) {
        found.push((path.to_owned(), "has too many items".to_owned()));
    }
    if schema["minItems"].as_u64().is_some_and(|min| count < min) {
        found.push((path.to_owned(), "has too few items".to_owned()));
    }
    let keys = schema["x-kubernetes-list-map-keys"].as_array();
    let is_set = schema["x-kubernetes-list-type"] == "set";
    let mut seen = BTreeSet::new();
    for item in items {
        visit(&schema["items"], item, &format!("{path}[]"), found);
        let key: Option<Vec<&Value>> = match keys {
            Some(keys) => Some(keys.iter().map(|k| &item[k.as_str().unwrap()]).collect()),
            None => is_set.then(|| vec![item]),
        };
        if key.is_some_and(|key| !seen.insert(format!("{key:?}"))) {
            found.push((path.to_owned(), format!("duplicate key: {item}")));
        }
    }
}

fn object(
    schema: &Value,
    fields: &serde_json::Map<String, Value>,
    path: &str,
    found: &mut Vec<Fault>,
) {
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if !fields.contains_key(name) {
            found.push((path.to_owned(), format!("{name} is missing")));
        }
    }
    let max = schema["maxProperties"].as_u64();
    if max.is_some_and(|max| fields.len() as u64 > max) {
        found.push((path.to_owned(), "has too many entries".to_owned()));
    }
    for (name, value) in fields {
        let below = join(path, name);
        if schema["properties"][name].is_object() {
            visit(&schema["properties"][name], value, &below, found);
        } else if schema["additionalProperties"].is_object() {
            visit(&schema["additionalProperties"], value, &below, found);
        } else {
            found.push((below, "unknown field".to_owned()));
        }
    }
}
