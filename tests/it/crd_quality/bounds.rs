//! Objects that break one structural bound each, made from the definitions.
//!
//! An object is as small as its path; what else is wrong with it does not matter, because a server
//! names every structural fault.

use serde_json::{Map, Value, json};

/// The deepest that schemas go.
const DEPTH_MAX: usize = 12;

/// An object that breaks a bound: where, and a piece of what a server says of it.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    /// The field, with indexes, as a server writes it.
    pub(super) at: String,
    /// The bound.
    pub(super) bound: &'static str,
    /// A piece of the server's words.
    pub(super) says: String,
    /// The object's spec.
    pub(super) spec: Value,
}

/// Makes the smallest value that a schema without patterns takes.
fn sample(schema: &Value) -> Value {
    if !schema["default"].is_null() {
        return schema["default"].clone();
    }
    if let Some(first) = schema["enum"].as_array().and_then(|own| own.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("string") => match schema["format"].as_str() {
            Some("date-time") => json!("2026-01-01T00:00:00Z"),
            Some("date") => json!("2026-01-01"),
            _ => json!("a".repeat(schema["minLength"].as_u64().unwrap_or(1).max(1) as usize)),
        },
        Some("integer") => json!(schema["minimum"].as_i64().unwrap_or(1)),
        Some("boolean") => json!(true),
        Some("array") => {
            let count = schema["minItems"].as_u64().unwrap_or(0);
            Value::Array((0..count).map(|_| sample(&schema["items"])).collect())
        }
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten();
            let fields = required.map(|name| {
                let name = name.as_str().unwrap().to_owned();
                let value = sample(&schema["properties"][&name]);
                (name, value)
            });
            Value::Object(fields.collect())
        }
        _ => json!(1),
    }
}

/// Returns values that break a node, each with the bound and what is said of it.
fn breaks(schema: &Value) -> Vec<(&'static str, String, Value)> {
    let number = |bound: &str| schema[bound].as_u64();
    let mut found = Vec::new();
    if let Some(max) = number("maxLength") {
        let long = "a".repeat(max as usize + 1);
        found.push((
            "maxLength",
            format!("may not be more than {max}"),
            json!(long),
        ));
    }
    if let Some(min) = number("minLength").filter(|min| *min > 0) {
        let short = "a".repeat(min as usize - 1);
        found.push((
            "minLength",
            format!("should be at least {min} chars long"),
            json!(short),
        ));
    }
    if schema["enum"].is_array() {
        found.push((
            "enum",
            "Unsupported value".to_owned(),
            json!("NoSuchChoice"),
        ));
    }
    if schema["pattern"].is_string() {
        // Of a string that is too short as well, a real server says only that.
        let length = number("minLength").unwrap_or(1).max(1);
        let strange = "\u{1}".repeat(length as usize);
        found.push(("pattern", "should match".to_owned(), json!(strange)));
    }
    if let Some(format) = schema["format"]
        .as_str()
        .filter(|own| own.starts_with("date"))
    {
        let says = format!("must be of type {format}");
        found.push(("format", says, json!("someday")));
    }
    if let Some(min) = schema["minimum"].as_i64() {
        let says = format!("should be greater than or equal to {min}");
        found.push(("minimum", says, json!(min - 1)));
    }
    if let Some(max) = schema["maximum"].as_i64() {
        let says = format!("should be less than or equal to {max}");
        found.push(("maximum", says, json!(max + 1)));
    }
    let items = |count: u64| Value::Array((0..count).map(|_| sample(&schema["items"])).collect());
    if let Some(max) = number("maxItems") {
        let says = format!("must have at most {max} items");
        found.push(("maxItems", says, items(max + 1)));
    }
    if let Some(min) = number("minItems").filter(|min| *min > 0) {
        let says = format!("should have at least {min} items");
        found.push(("minItems", says, items(min - 1)));
    }
    let unique = schema["x-kubernetes-list-type"]
        .as_str()
        .unwrap_or_default();
    if ["set", "map"].contains(&unique) && number("maxItems").is_none_or(|max| max > 1) {
        found.push(("list type", "Duplicate value".to_owned(), items(2)));
    }
    if let Some(max) = number("maxProperties") {
        let value = sample(&schema["additionalProperties"]);
        let many = (0..=max).map(|own| (format!("k{own}"), value.clone()));
        let says = format!("must have at most {max} items");
        found.push(("maxProperties", says, Value::Object(many.collect())));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        let mut value = sample(schema);
        let fields: &mut Map<String, Value> = value.as_object_mut().unwrap();
        fields.remove(name);
        found.push(("required", format!(".{name}: Required value"), value));
    }
    found
}

/// A way to put a value into the spec.
type Wrap<'a> = &'a dyn Fn(Value) -> Value;

fn visit(schema: &Value, at: &str, wrap: Wrap<'_>, depth: usize, into: &mut Vec<Broken>) {
    assert!(
        depth < DEPTH_MAX,
        "{at} is deeper than any schema should be"
    );
    for (bound, says, value) in breaks(schema) {
        into.push(Broken {
            at: at.to_owned(),
            bound,
            says,
            spec: wrap(value),
        });
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let within = |value: Value| {
            let mut own = sample(schema);
            own[name] = value;
            wrap(own)
        };
        visit(below, &format!("{at}.{name}"), &within, depth + 1, into);
    }
    if schema["items"].is_object() {
        let within = |value: Value| wrap(json!([value]));
        visit(
            &schema["items"],
            &format!("{at}[0]"),
            &within,
            depth + 1,
            into,
        );
    }
    if schema["additionalProperties"].is_object() {
        let within = |value: Value| wrap(json!({"key": value}));
        let below = &schema["additionalProperties"];
        visit(below, &format!("{at}.key"), &within, depth + 1, into);
    }
}

/// Returns an object for every bound of the spec of a kind.
pub(super) fn broken(schema: &Value) -> Vec<Broken> {
    let mut found = Vec::new();
    visit(
        &schema["properties"]["spec"],
        "spec",
        &|value| value,
        0,
        &mut found,
    );
    found
}

#[test]
fn every_sort_of_bound_is_broken() {
    let schema = json!({"properties": {"spec": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "maxLength": 2, "minLength": 1, "pattern": "^[ab]+$"},
            "list": {"type": "array", "maxItems": 3, "minItems": 1, "x-kubernetes-list-type": "set",
                     "items": {"type": "string", "enum": ["x"]}},
            "map": {"type": "object", "maxProperties": 1,
                    "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 4}},
        },
    }}});
    let found: Vec<String> = broken(&schema)
        .iter()
        .map(|own| format!("{} {} {}", own.at, own.bound, own.spec))
        .collect();
    let expected = [
        r#"spec required {}"#,
        r#"spec.list maxItems {"list":["x","x","x","x"],"name":"a"}"#,
        r#"spec.list minItems {"list":[],"name":"a"}"#,
        r#"spec.list list type {"list":["x","x"],"name":"a"}"#,
        r#"spec.list[0] enum {"list":["NoSuchChoice"],"name":"a"}"#,
        r#"spec.map maxProperties {"map":{"k0":0,"k1":0},"name":"a"}"#,
        r#"spec.map.key minimum {"map":{"key":-1},"name":"a"}"#,
        r#"spec.map.key maximum {"map":{"key":5},"name":"a"}"#,
        r#"spec.name maxLength {"name":"aaa"}"#,
        r#"spec.name minLength {"name":""}"#,
        "spec.name pattern {\"name\":\"\\u0001\"}",
    ];
    assert_eq!(found, expected);
}
