//! Checks values against a structural schema, in the words of k8s.io/kube-openapi
//! `pkg/validation`. CEL rules are elsewhere.

use serde_json::Value;

use super::{Additional, ListType, Schema, Type, join};
use crate::status_error::{Cause, WHOLE};

/// Checks `new`; where `old` is the same, nothing is checked.
pub(super) fn validate(
    schema: &Schema,
    new: &Value,
    old: Option<&Value>,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    if old == Some(new) {
        return;
    }
    if new.is_null() && schema.nullable {
        return;
    }
    if !type_fits(schema, new) {
        let (wanted, found) = (schema.type_name(), found_type(new));
        let detail = format!("{path} in body must be of type {wanted}: {found:?}");
        causes.push(Cause::mistyped(path, &Value::from(found), &detail));
        if found == "number" && wanted == "integer" {
            let detail =
                format!("Checked value must be of type integer (default format) in {path}");
            causes.push(Cause::invalid(WHOLE, &Value::from(""), &detail));
        }
        return;
    }
    if !schema.enumeration.is_empty() && !schema.enumeration.contains(new) {
        let allowed: Vec<String> = schema
            .enumeration
            .iter()
            .map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            })
            .collect();
        causes.push(Cause::unsupported(path, new, &allowed));
    }
    match new {
        Value::Object(map) => check_object(schema, map, old, path, causes),
        Value::Array(list) => check_list(schema, list, new, old, path, causes),
        Value::String(text) => check_text(schema, text, new, path, causes),
        Value::Number(number) => {
            check_number(
                schema,
                number.as_f64().unwrap_or_default(),
                new,
                path,
                causes,
            );
        }
        Value::Bool(_) | Value::Null => {}
    }
    check_branches(schema, new, path, causes);
}

fn type_fits(schema: &Schema, value: &Value) -> bool {
    if schema.int_or_string {
        return value.is_string() || is_integer(value);
    }
    match schema.type_ {
        None => true,
        Some(Type::Object) => value.is_object(),
        Some(Type::Array) => value.is_array(),
        Some(Type::String) => value.is_string(),
        Some(Type::Integer) => is_integer(value),
        Some(Type::Number) => value.is_number(),
        Some(Type::Boolean) => value.is_boolean(),
    }
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
}

fn found_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if is_integer(value) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check_object(
    schema: &Schema,
    map: &serde_json::Map<String, Value>,
    old: Option<&Value>,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    for name in schema
        .required
        .iter()
        .filter(|name| !map.contains_key(*name))
    {
        causes.push(Cause::required(join(path, name), ""));
    }
    let count = map.len() as u64;
    let (least, most) = schema.bounds.properties;
    if let Some(least) = least.filter(|least| count < *least) {
        let detail = format!("{path} in body should have at least {least} properties");
        causes.push(Cause::invalid(path, &Value::Object(map.clone()), &detail));
    }
    if let Some(most) = most.filter(|most| count > *most) {
        causes.push(too_many(path, count, most));
    }
    for (name, value) in map {
        let child = match (schema.properties.get(name), &schema.additional) {
            (Some(_), _) if schema.resource && name == "metadata" => continue,
            (Some(child), _) => child,
            (None, Additional::Schema(child)) => child,
            (None, _) => continue,
        };
        let old = old.and_then(|old| old.get(name));
        validate(child, value, old, &join(path, name), causes);
    }
}

fn check_list(
    schema: &Schema,
    list: &[Value],
    new: &Value,
    old: Option<&Value>,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    let count = list.len() as u64;
    let (least, most) = schema.bounds.items;
    if let Some(least) = least.filter(|least| count < *least) {
        let detail = format!("{path} in body should have at least {least} items");
        causes.push(Cause::invalid(path, new, &detail));
    }
    if let Some(most) = most.filter(|most| count > *most) {
        causes.push(too_many(path, count, most));
    }
    if schema.unique || schema.list_type != ListType::Atomic {
        check_unique(schema, list, path, causes);
    }
    if let Some(items) = &schema.items {
        for (at, element) in list.iter().enumerate() {
            let old = schema.same_element(element, old);
            validate(items, element, old, &format!("{path}[{at}]"), causes);
        }
    }
}

fn check_unique(schema: &Schema, list: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let identity = |element: &Value| match &schema.list_type {
        ListType::Map(keys) => {
            let pairs = keys
                .iter()
                .filter_map(|key| Some((key.clone(), element.get(key)?.clone())));
            Value::Object(pairs.collect())
        }
        _ => element.clone(),
    };
    let identities: Vec<Value> = list.iter().map(identity).collect();
    for (at, identity) in identities.iter().enumerate() {
        if identities[..at].contains(identity) {
            causes.push(Cause::duplicate(format!("{path}[{at}]"), identity));
        }
    }
}

fn check_text(schema: &Schema, text: &str, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let length = text.chars().count() as u64;
    let (least, most) = schema.bounds.length;
    if let Some(least) = least.filter(|least| length < *least) {
        let detail = format!("{path} in body should be at least {least} chars long");
        causes.push(Cause::invalid(path, value, &detail));
        return;
    }
    if let Some(most) = most.filter(|most| length > *most) {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            field: path.to_owned(),
            message: format!("Too long: may not be more than {most} bytes"),
        });
    }
    if let Some(pattern) = schema
        .pattern
        .as_ref()
        .filter(|pattern| !pattern.is_match(text))
    {
        let detail = format!("{path} in body should match '{}'", pattern.as_str());
        causes.push(Cause::invalid(path, value, &detail));
    }
    if let Some(format) = schema
        .format
        .as_deref()
        .filter(|format| !format_fits(format, text))
    {
        let detail = format!("{path} in body must be of type {format}: {text:?}");
        causes.push(Cause::mistyped(path, value, &detail));
    }
}

/// Whether a text has a format; formats without a rule here fit always.
fn format_fits(format: &str, text: &str) -> bool {
    match format {
        "date-time" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        "date" => chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        "duration" => super::cel::duration(text).is_some(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "uuid" => uuid::Uuid::parse_str(text).is_ok(),
        _ => true,
    }
}

fn check_number(schema: &Schema, number: f64, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let bounds = &schema.bounds;
    if let Some((bound, exclusive)) = bounds.minimum
        && (number < bound || (exclusive && number == bound))
    {
        let words = if exclusive {
            "greater than"
        } else {
            "greater than or equal to"
        };
        let detail = format!("{path} in body should be {words} {bound}");
        causes.push(Cause::invalid(path, value, &detail));
    }
    if let Some((bound, exclusive)) = bounds.maximum
        && (number > bound || (exclusive && number == bound))
    {
        let words = if exclusive {
            "less than"
        } else {
            "less than or equal to"
        };
        let detail = format!("{path} in body should be {words} {bound}");
        causes.push(Cause::invalid(path, value, &detail));
    }
    if let Some(step) = bounds.multiple_of
        && (number / step).fract() != 0.0
    {
        let detail = format!("{path} in body should be a multiple of {step}");
        causes.push(Cause::invalid(path, value, &detail));
    }
}

/// Checks the conditions beside a value's own shape. Where none of several holds, the faults of
/// the first are named too.
fn check_branches(schema: &Schema, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let faults = |branch: &Schema| {
        let mut found = Vec::new();
        validate(branch, value, None, path, &mut found);
        found
    };
    for branch in &schema.all_of {
        validate(branch, value, None, path, causes);
    }
    let refusal = |words: &str| {
        let detail = format!("{path:?} must {words}");
        Cause::invalid(WHOLE, &Value::from(""), &detail)
    };
    let fitting = |branches: &[Schema]| branches.iter().filter(|b| faults(b).is_empty()).count();
    if let Some(first) = schema.any_of.first()
        && fitting(&schema.any_of) == 0
    {
        causes.push(refusal("validate at least one schema (anyOf)"));
        causes.extend(faults(first));
    }
    if let Some(first) = schema.one_of.first() {
        let words = "validate one and only one schema (oneOf). Found";
        match fitting(&schema.one_of) {
            1 => {}
            0 => {
                causes.push(refusal(&format!("{words} none valid")));
                causes.extend(faults(first));
            }
            count => causes.push(refusal(&format!("{words} {count} valid alternatives"))),
        }
    }
    if schema
        .not
        .as_ref()
        .is_some_and(|branch| faults(branch).is_empty())
    {
        causes.push(refusal("not validate the schema (not)"));
    }
}

fn too_many(path: &str, count: u64, most: u64) -> Cause {
    Cause {
        reason: "FieldValueTooMany",
        field: path.to_owned(),
        message: format!("Too many: {count}: must have at most {most} items"),
    }
}
