//! Structural schemas of CRD versions: parsed and compiled once, then used to prune, default and
//! validate. Follows k8s.io/apiextensions-apiserver `pkg/apiserver/schema`. A schema never knows
//! the object's metadata beyond name and generateName.

mod cel;
mod default;
mod matches;
mod prune;
mod validate;

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use crate::status_error::Cause;

/// The JSON type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

impl Type {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

/// What an object may hold besides its properties.
#[derive(Debug, Default)]
enum Additional {
    /// Nothing: unknown fields are pruned.
    #[default]
    None,
    /// Anything.
    Any,
    /// Values of one schema.
    Schema(Box<Schema>),
}

/// How elements of a list are told apart.
#[derive(Debug, Default, PartialEq, Eq)]
enum ListType {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

/// Bounds on numbers, lengths and counts; the flags say whether the bound itself is excluded.
#[derive(Debug, Default)]
struct Bounds {
    minimum: Option<(f64, bool)>,
    maximum: Option<(f64, bool)>,
    multiple_of: Option<f64>,
    length: (Option<u64>, Option<u64>),
    items: (Option<u64>, Option<u64>),
    properties: (Option<u64>, Option<u64>),
}

/// Which work a node or anything below it needs; lets walks skip whole subtrees.
#[derive(Clone, Copy, Debug, Default)]
struct Below {
    rules: bool,
    transition_rules: bool,
    defaults: bool,
}

/// One node of a structural schema.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    type_: Option<Type>,
    nullable: bool,
    int_or_string: bool,
    preserve: bool,
    /// The root or an `x-kubernetes-embedded-resource`: kind, apiVersion and metadata are kept.
    resource: bool,
    properties: BTreeMap<String, Schema>,
    additional: Additional,
    items: Option<Box<Schema>>,
    required: Vec<String>,
    enumeration: Vec<Value>,
    bounds: Bounds,
    pattern: Option<Regex>,
    format: Option<String>,
    unique: bool,
    list_type: ListType,
    default: Option<Value>,
    all_of: Vec<Schema>,
    any_of: Vec<Schema>,
    one_of: Vec<Schema>,
    not: Option<Box<Schema>>,
    rules: Vec<cel::Rule>,
    below: Below,
}

impl Schema {
    /// Parses the schema of a CRD version; adds what is wrong to `causes`.
    pub(crate) fn parse_root(root: &Value, path: &str, causes: &mut Vec<Cause>) -> Option<Self> {
        let before = causes.len();
        let mut schema = Self::parse(root, path, true, causes);
        if schema.type_ != Some(Type::Object) {
            let detail = "must be object at the root";
            causes.push(Cause::invalid(
                format!("{path}.type"),
                &root["type"],
                detail,
            ));
        }
        schema.resource = true;
        (causes.len() == before).then_some(schema)
    }

    /// Removes what the schema does not know and returns the paths removed.
    pub(crate) fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut removed = Vec::new();
        prune::prune(self, object, "", &mut removed);
        removed
    }

    /// Fills in defaults.
    pub(crate) fn fill_defaults(&self, object: &mut Value) {
        if self.below.defaults {
            default::fill(self, object);
        }
    }

    /// Checks the object's shape and, when that is right, its CEL rules.
    ///
    /// Values that an update leaves as they are count as valid (ratcheting, on by default since
    /// Kubernetes 1.30), except for rules that compare with `oldSelf`.
    pub(crate) fn validate(&self, new: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
        let before = causes.len();
        validate::validate(self, new, old, "", causes);
        if causes.len() == before && self.below.rules {
            cel::check(self, new, old, causes);
        }
    }

    /// Parses one node; a structural node is one that describes a field, not a mere condition.
    fn parse(node: &Value, path: &str, structural: bool, causes: &mut Vec<Cause>) -> Self {
        let flag = |key: &str| node[key] == true;
        let type_ = node["type"].as_str().and_then(Type::parse);
        let int_or_string = flag("x-kubernetes-int-or-string");
        let preserve = flag("x-kubernetes-preserve-unknown-fields");
        if structural && type_.is_none() && !int_or_string && !preserve {
            let detail = "must not be empty for specified object fields";
            causes.push(Cause::required(format!("{path}.type"), detail));
        }
        let mut schema = Self {
            type_,
            nullable: flag("nullable"),
            int_or_string,
            preserve,
            resource: flag("x-kubernetes-embedded-resource"),
            required: texts(&node["required"]),
            enumeration: node["enum"].as_array().cloned().unwrap_or_default(),
            bounds: bounds(node),
            pattern: pattern(node, path, causes),
            format: node["format"].as_str().map(str::to_owned),
            unique: flag("uniqueItems"),
            list_type: list_type(node),
            default: node.get("default").cloned(),
            rules: cel::parse_rules(node, path, causes),
            ..Self::default()
        };
        schema.parse_children(node, path, structural, causes);
        schema.below = schema.look_below();
        schema
    }

    fn parse_children(
        &mut self,
        node: &Value,
        path: &str,
        structural: bool,
        causes: &mut Vec<Cause>,
    ) {
        for (name, child) in node["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.properties[{name}]");
            let parsed = Self::parse(child, &path, structural, causes);
            self.properties.insert(name.clone(), parsed);
        }
        if node["items"].is_object() {
            let path = format!("{path}.items");
            let parsed = Self::parse(&node["items"], &path, structural, causes);
            self.items = Some(Box::new(parsed));
        }
        self.additional = match &node["additionalProperties"] {
            Value::Bool(true) => Additional::Any,
            child @ Value::Object(_) => {
                let path = format!("{path}.additionalProperties");
                Additional::Schema(Box::new(Self::parse(child, &path, structural, causes)))
            }
            _ => Additional::None,
        };
        let mut branches = |key: &str| -> Vec<Self> {
            let list = node[key].as_array().into_iter().flatten().enumerate();
            list.map(|(at, n)| Self::parse(n, &format!("{path}.{key}[{at}]"), false, causes))
                .collect()
        };
        self.all_of = branches("allOf");
        self.any_of = branches("anyOf");
        self.one_of = branches("oneOf");
        if node["not"].is_object() {
            let parsed = Self::parse(&node["not"], &format!("{path}.not"), false, causes);
            self.not = Some(Box::new(parsed));
        }
    }

    /// The nodes of fields and elements below this one.
    fn children(&self) -> impl Iterator<Item = &Self> {
        let additional = match &self.additional {
            Additional::Schema(schema) => Some(&**schema),
            _ => None,
        };
        self.properties
            .values()
            .chain(self.items.as_deref())
            .chain(additional)
    }

    fn look_below(&self) -> Below {
        let own = Below {
            rules: !self.rules.is_empty(),
            transition_rules: self.rules.iter().any(cel::Rule::is_transition),
            defaults: self.default.is_some(),
        };
        self.children().fold(own, |all, child| Below {
            rules: all.rules || child.below.rules,
            transition_rules: all.transition_rules || child.below.transition_rules,
            defaults: all.defaults || child.below.defaults,
        })
    }

    /// The type as messages name it.
    fn type_name(&self) -> &'static str {
        match self.type_ {
            Some(found) => found.as_str(),
            None if self.int_or_string => "integer",
            None => "object",
        }
    }

    /// The element of `old` that is the same as `element`, for lists whose elements have keys.
    fn same_element<'a>(&self, element: &Value, old: Option<&'a Value>) -> Option<&'a Value> {
        let ListType::Map(keys) = &self.list_type else {
            return None;
        };
        let same = |other: &&Value| keys.iter().all(|key| other.get(key) == element.get(key));
        old?.as_array()?.iter().find(same)
    }
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn bounds(node: &Value) -> Bounds {
    let count = |key: &str| node[key].as_u64();
    let number = |key: &str, exclusive: &str| {
        node[key]
            .as_f64()
            .map(|bound| (bound, node[exclusive] == true))
    };
    Bounds {
        minimum: number("minimum", "exclusiveMinimum"),
        maximum: number("maximum", "exclusiveMaximum"),
        multiple_of: node["multipleOf"].as_f64(),
        length: (count("minLength"), count("maxLength")),
        items: (count("minItems"), count("maxItems")),
        properties: (count("minProperties"), count("maxProperties")),
    }
}

fn pattern(node: &Value, path: &str, causes: &mut Vec<Cause>) -> Option<Regex> {
    let text = node["pattern"].as_str()?;
    match Regex::new(text) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let detail = format!("must be a valid regular expression, but isn't: {error}");
            causes.push(Cause::invalid(
                format!("{path}.pattern"),
                &node["pattern"],
                &detail,
            ));
            None
        }
    }
}

fn list_type(node: &Value) -> ListType {
    match node["x-kubernetes-list-type"].as_str() {
        Some("set") => ListType::Set,
        Some("map") => ListType::Map(texts(&node["x-kubernetes-list-map-keys"])),
        _ => ListType::Atomic,
    }
}

/// Joins a field path and a field name.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests;
