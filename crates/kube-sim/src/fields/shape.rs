//! How values are told apart and merged: the part of a type that field ownership needs. Made from
//! a CRD's structural schema (k8s.io/apimachinery `managedfields` conversion of OpenAPI) or from
//! the table of built-in types.

use std::collections::BTreeMap;

use serde_json::Value;

use super::set::field;
use std::sync::Arc;

/// The kinds of scalar that an apply is checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    String,
    Number,
    Boolean,
    /// Any scalar.
    Any,
}

/// How the elements of a list are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By their value.
    Value,
    /// By some of their fields, with the defaults that these have.
    Keys(Vec<(String, Option<Value>)>),
}

/// What a value is made of.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    /// Named fields, whether others may be there too, and the name of a built-in struct.
    Struct(BTreeMap<String, Shape>, bool, &'static str),
    Map(Box<Shape>),
    List(Identity, Box<Shape>),
    /// Whatever it is: maps field by field, lists as a whole.
    Any,
}

/// The shape of one value.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    /// Whether the value has one owner, whatever it holds.
    pub(crate) atomic: bool,
}

/// What a value is to be walked as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Leaf,
    Map,
    List,
}

/// The shape of what no schema describes.
pub(crate) static ANY: Shape = Shape {
    kind: Kind::Any,
    atomic: false,
};

impl Shape {
    pub(crate) fn granular(kind: Kind) -> Self {
        Self {
            kind,
            atomic: false,
        }
    }

    pub(crate) fn atomic(kind: Kind) -> Self {
        Self { kind, atomic: true }
    }

    /// Reads the schema of a CRD version; metadata is that of any object.
    pub(crate) fn of_custom(schema: &Value) -> Self {
        let mut root = Self::of_schema(schema);
        if let Kind::Struct(fields, ..) = &mut root.kind {
            let text = || Self::granular(Kind::Scalar(Scalar::String));
            fields.insert("apiVersion".to_owned(), text());
            fields.insert("kind".to_owned(), text());
            fields.insert("metadata".to_owned(), super::builtin::object_meta().clone());
        }
        root
    }

    fn of_schema(node: &Value) -> Self {
        let scalar = |scalar| Self::granular(Kind::Scalar(scalar));
        if node["x-kubernetes-int-or-string"] == true {
            return scalar(Scalar::Any);
        }
        match node["type"].as_str() {
            Some("object") => Self {
                atomic: node["x-kubernetes-map-type"] == "atomic",
                kind: object_kind(node),
            },
            Some("array") => list_shape(node),
            Some("string") => scalar(Scalar::String),
            Some("integer" | "number") => scalar(Scalar::Number),
            Some("boolean") => scalar(Scalar::Boolean),
            _ => ANY.clone(),
        }
    }

    /// How a value of this shape is walked.
    pub(crate) fn form(&self, value: Option<&Value>) -> Form {
        if self.atomic {
            return Form::Leaf;
        }
        match self.kind {
            Kind::Scalar(_) => Form::Leaf,
            Kind::Struct(..) | Kind::Map(_) => Form::Map,
            Kind::List(..) => Form::List,
            Kind::Any if value.is_some_and(Value::is_object) => Form::Map,
            Kind::Any => Form::Leaf,
        }
    }

    /// The shape of a field or map entry.
    pub(crate) fn child(&self, name: &str) -> &Self {
        match &self.kind {
            Kind::Struct(fields, ..) => fields.get(name).unwrap_or(&ANY),
            Kind::Map(child) => child,
            _ => &ANY,
        }
    }

    /// Whether the schema names this field.
    pub(crate) fn declares(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::Struct(fields, ..) if fields.contains_key(name))
    }

    /// The shape of list elements.
    pub(crate) fn items(&self) -> &Self {
        match &self.kind {
            Kind::List(_, items) => items,
            _ => &ANY,
        }
    }

    /// The shape behind a step of a field path.
    pub(crate) fn behind(&self, step: &str) -> &Self {
        match step.strip_prefix("f:") {
            Some(name) => self.child(name),
            None => self.items(),
        }
    }

    /// The step that leads to a list element; `None` when the element has no identity.
    pub(crate) fn step_to(&self, element: &Value) -> Option<Arc<str>> {
        match &self.kind {
            Kind::List(Identity::Keys(keys), _) => {
                let mut found = serde_json::Map::new();
                for (key, default) in keys {
                    let value = element.get(key).filter(|value| !value.is_null());
                    if let Some(value) = value.or(default.as_ref()) {
                        found.insert(key.clone(), value.clone());
                    }
                }
                if found.is_empty() {
                    return None;
                }
                Some(format!("k:{}", Value::Object(found)).into())
            }
            Kind::List(Identity::Value, _) => Some(format!("v:{element}").into()),
            _ => None,
        }
    }

    /// The step that leads to a field.
    pub(crate) fn step_of(name: &str) -> Arc<str> {
        field(name)
    }
}

fn object_kind(node: &Value) -> Kind {
    let open = node["x-kubernetes-preserve-unknown-fields"] == true;
    let additional = &node["additionalProperties"];
    let properties = node["properties"].as_object();
    if properties.is_none_or(serde_json::Map::is_empty) {
        match additional {
            Value::Object(_) => return Kind::Map(Box::new(Shape::of_schema(additional))),
            Value::Bool(true) => return Kind::Any,
            _ if open => return Kind::Any,
            _ => {}
        }
    }
    let mut fields: BTreeMap<String, Shape> = properties
        .into_iter()
        .flatten()
        .map(|(name, child)| (name.clone(), Shape::of_schema(child)))
        .collect();
    if node["x-kubernetes-embedded-resource"] == true {
        for name in ["apiVersion", "kind", "metadata"] {
            fields.entry(name.to_owned()).or_insert_with(|| ANY.clone());
        }
    }
    Kind::Struct(fields, open, "")
}

fn list_shape(node: &Value) -> Shape {
    let items = &node["items"];
    let element = Box::new(Shape::of_schema(items));
    match node["x-kubernetes-list-type"].as_str() {
        Some("set") => Shape::granular(Kind::List(Identity::Value, element)),
        Some("map") => {
            let keys = node["x-kubernetes-list-map-keys"].as_array();
            let keys = keys.into_iter().flatten().filter_map(Value::as_str);
            let keys = keys.map(|key| {
                let default = items["properties"][key].get("default").cloned();
                (key.to_owned(), default)
            });
            Shape::granular(Kind::List(Identity::Keys(keys.collect()), element))
        }
        _ => Shape::atomic(Kind::List(Identity::Value, element)),
    }
}
