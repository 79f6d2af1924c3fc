//! Faces of an object: another version, the two faces of events, metadata only. Pure conversions;
//! nothing here may read or change stored state.

use serde_json::{Value, json};

use crate::object::Object;
use crate::registry::{Builtin, TypeInfo};

/// core/v1 and events.k8s.io/v1 names of the same event fields.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// What a client wants to see of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum View {
    /// All of it.
    #[default]
    Whole,
    /// `meta.k8s.io/v1 PartialObjectMetadata`.
    MetadataOnly,
    /// `meta.k8s.io/v1 Table`.
    Table(Include),
}

/// How much of each object comes with its row in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    /// Only the cells.
    None,
    /// The object's metadata.
    Metadata,
    /// All of it.
    Object,
}

impl View {
    /// Shows an object that is already in the wanted version; tables are made of whole objects.
    pub(crate) fn show(self, object: Object) -> Object {
        match self {
            Self::Whole | Self::Table(_) => object,
            Self::MetadataOnly => {
                let partial = json!({
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": object["metadata"],
                });
                Object::new(partial, object.managed)
            }
        }
    }

    /// `kind` and `apiVersion` of a list.
    pub(crate) fn list_kind(self, info: &TypeInfo, version: usize) -> (String, String) {
        match self {
            Self::Whole | Self::Table(_) => (
                info.list_kind.clone(),
                info.versions[version].api_version.clone(),
            ),
            Self::MetadataOnly => (
                "PartialObjectMetadataList".to_owned(),
                "meta.k8s.io/v1".to_owned(),
            ),
        }
    }
}

/// Whether a stored object is exactly what this version shows.
pub(crate) fn is_stored_form(info: &TypeInfo, version: usize, stored: &Value) -> bool {
    stored["apiVersion"] == info.versions[version].api_version
}

/// A stored object in one of the versions of its resource.
pub(crate) fn from_storage(info: &TypeInfo, version: usize, stored: &Object) -> Object {
    if is_stored_form(info, version, stored) {
        return stored.clone();
    }
    let mut object = Value::clone(stored);
    if info.builtin == Some(Builtin::Event) {
        rename(&mut object, |(core, new)| (core, new));
    }
    object["apiVersion"] = info.versions[version].api_version.as_str().into();
    Object::new(object, stored.managed.clone())
}

/// An object of one version in the form in which its resource is stored.
pub(crate) fn to_storage(info: &TypeInfo, version: usize, mut object: Value) -> Value {
    if info.builtin == Some(Builtin::Event) {
        rename(&mut object, |(core, new)| (new, core));
        object["apiVersion"] = "v1".into();
    } else if version != info.storage {
        object["apiVersion"] = info.versions[info.storage].api_version.as_str().into();
    }
    object
}

/// An event under its other name, `api_version`.
pub(crate) fn other_event_face(mut object: Value, api_version: &str) -> Value {
    match api_version {
        "v1" => rename(&mut object, |(core, new)| (new, core)),
        _ => rename(&mut object, |(core, new)| (core, new)),
    }
    object["apiVersion"] = api_version.into();
    object
}

fn rename(
    object: &mut Value,
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    let Some(map) = object.as_object_mut() else {
        return;
    };
    for pair in EVENT_FIELDS {
        let (from, to) = direction(pair);
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
}
