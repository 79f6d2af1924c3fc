//! A stored or shown object: its JSON with the owners of its fields beside it, which become
//! `metadata.managedFields` only in text. Holds data; it must never decide anything.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde_json::Value;

use crate::fields::managed::Managed;
use crate::fields::set::quote;

/// How a `PartialObjectMetadata` begins, up to its metadata.
const PARTIAL_HEAD: &str = "{\"apiVersion\":\"meta.k8s.io/v1\",\
                            \"kind\":\"PartialObjectMetadata\",\"metadata\":";

/// An object; clones are cheap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    /// The object without `metadata.managedFields`.
    pub(crate) value: Arc<Value>,
    pub(crate) managed: Managed,
}

impl Object {
    pub(crate) fn new(value: Value, managed: Managed) -> Self {
        Self {
            value: Arc::new(value),
            managed,
        }
    }

    /// The whole object as one value.
    pub(crate) fn to_value(&self) -> Value {
        let mut value = Value::clone(&self.value);
        if !self.managed.is_empty() {
            value["metadata"]["managedFields"] = self.managed.to_value();
        }
        value
    }

    /// Writes the whole object as JSON.
    pub(crate) fn write(&self, out: &mut String) {
        let Some(map) = self.value.as_object().filter(|_| !self.managed.is_empty()) else {
            out.push_str(&self.value.to_string());
            return;
        };
        let mut separator = '{';
        for (key, value) in map {
            out.push(separator);
            separator = ',';
            quote(key, out);
            out.push(':');
            match value.as_object().filter(|_| key == "metadata") {
                Some(meta) => self.write_metadata(meta, out),
                None => out.push_str(&value.to_string()),
            }
        }
        out.push('}');
    }

    /// Writes the object's metadata alone, as `meta.k8s.io/v1 PartialObjectMetadata`.
    pub(crate) fn write_partial(&self, out: &mut String) {
        out.push_str(PARTIAL_HEAD);
        match self.value["metadata"].as_object() {
            Some(meta) if !self.managed.is_empty() => self.write_metadata(meta, out),
            _ => out.push_str(&self.value["metadata"].to_string()),
        }
        out.push('}');
    }

    fn write_metadata(&self, meta: &serde_json::Map<String, Value>, out: &mut String) {
        out.push_str("{\"managedFields\":");
        self.managed.encode(out);
        for (key, value) in meta {
            out.push(',');
            quote(key, out);
            out.push(':');
            out.push_str(&value.to_string());
        }
        out.push('}');
    }
}

impl Deref for Object {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

impl From<Value> for Object {
    fn from(value: Value) -> Self {
        Self::new(value, Managed::default())
    }
}

impl From<Arc<Value>> for Object {
    fn from(value: Arc<Value>) -> Self {
        Self {
            value,
            managed: Managed::default(),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}
