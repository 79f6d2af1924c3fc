//! Component schemas: of built-in types from their Rust types, of custom resources from their
//! CRDs.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event as CoreEvent, Namespace, ServiceAccount};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ListMeta, ObjectMeta, Status};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::Kind;
use crate::crd;
use crate::registry::Builtin;
use crate::store::{ObjectKey, State};

/// Where a document keeps its schemas.
const PLACE: &str = "#/components/schemas/";

const API_VERSION: &str = "Version of the schema in which the object is written: \
                           GROUP/VERSION.";
const KIND: &str = "Kind of the object, in CamelCase. Cannot be changed.";
const METADATA: &str = "Standard metadata of an object.";
const LIST_METADATA: &str = "Standard metadata of a list.";

/// The schemas of one document.
pub(super) struct Schemas {
    generator: SchemaGenerator,
    own: Map<String, Value>,
    gvks: Vec<(String, Value)>,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = SchemaSettings::openapi3().with(|settings| {
            settings.transforms.clear();
            settings.definitions_path = "/components/schemas".into();
        });
        let mut generator = settings.into_generator();
        generator.subschema_for::<ListMeta>();
        generator.subschema_for::<ObjectMeta>();
        generator.subschema_for::<Status>();
        Self {
            generator,
            own: Map::new(),
            gvks: Vec::new(),
        }
    }
}

impl Schemas {
    /// Adds the schema of a type; returns its name.
    pub(super) fn add(&mut self, state: &State, kind: Kind<'_>) -> String {
        let name = match kind.info.builtin {
            Some(builtin) => self.add_builtin(builtin, kind),
            None => {
                let name = definition_name(kind);
                self.own.insert(name.clone(), custom(state, kind));
                name
            }
        };
        self.gvks.push((name.clone(), kind.gvk()));
        name
    }

    /// Adds the schema of a type's list; returns its name.
    pub(super) fn add_list(&mut self, kind: Kind<'_>, item: &str) -> String {
        let list_kind = &kind.info.list_kind;
        let name = match item.rsplit_once('.') {
            Some((prefix, _)) => format!("{prefix}.{list_kind}"),
            None => list_kind.clone(),
        };
        let schema = json!({
            "description": format!("{list_kind} is a list of {}", kind.info.kind),
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": {"description": API_VERSION, "type": "string"},
                "kind": {"description": KIND, "type": "string"},
                "items": {
                    "description": format!("List of {}.", kind.info.plural),
                    "type": "array",
                    "items": {"$ref": format!("{PLACE}{item}")},
                },
                "metadata": referring(&schema_name::<ListMeta>(), LIST_METADATA),
            },
        });
        self.own.insert(name.clone(), schema);
        let mut gvk = kind.gvk();
        gvk["kind"] = list_kind.as_str().into();
        self.gvks.push((name.clone(), gvk));
        name
    }

    fn add_builtin(&mut self, builtin: Builtin, kind: Kind<'_>) -> String {
        match builtin {
            Builtin::Namespace => self.generate::<Namespace>(),
            Builtin::ConfigMap => self.generate::<ConfigMap>(),
            Builtin::ServiceAccount => self.generate::<ServiceAccount>(),
            Builtin::CoreEvent => self.generate::<CoreEvent>(),
            Builtin::Event => self.generate::<Event>(),
            Builtin::Lease => self.generate::<Lease>(),
            Builtin::Crd => self.generate::<CustomResourceDefinition>(),
            #[allow(unreachable_patterns, reason = "a type without a schema of its own")]
            _ => {
                let name = definition_name(kind);
                self.own.insert(name.clone(), any_object());
                name
            }
        }
    }

    fn generate<T: JsonSchema>(&mut self) -> String {
        self.generator.subschema_for::<T>();
        schema_name::<T>()
    }

    /// All schemas by name.
    pub(super) fn finish(mut self) -> Value {
        let mut all = Map::new();
        for (name, schema) in self.generator.take_definitions(false) {
            let mut schema = schema;
            tidy(&mut schema);
            drop_required_metadata(&mut schema);
            all.insert(name, schema);
        }
        all.extend(self.own);
        for (name, gvk) in self.gvks {
            all[&name]["x-kubernetes-group-version-kind"] = json!([gvk]);
        }
        all.into()
    }
}

fn schema_name<T: JsonSchema>() -> String {
    T::schema_name().into_owned()
}

/// Turned-around group, version and kind, such as `io.example.v1.Widget`.
fn definition_name(kind: Kind<'_>) -> String {
    let mut parts: Vec<&str> = kind.info.group.split('.').rev().collect();
    parts.extend([kind.version.name.as_str(), kind.info.kind.as_str()]);
    parts.join(".")
}

/// A reference with words of its own.
fn referring(name: &str, description: &str) -> Value {
    json!({"description": description, "allOf": [{"$ref": format!("{PLACE}{name}")}]})
}

/// Gives references that say more than their target the form that OpenAPI v3.0 allows.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(tidy),
        Value::Object(map) => {
            map.values_mut().for_each(tidy);
            if map.len() > 1
                && let Some(target) = map.get("$ref").filter(|target| target.is_string()).cloned()
            {
                map.remove("$ref");
                map.insert("allOf".to_owned(), json!([{"$ref": target}]));
            }
        }
        _ => {}
    }
}

/// The Rust types demand metadata, the API does not.
fn drop_required_metadata(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    if let Some(required) = map.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|field| field != "metadata");
        if required.is_empty() {
            map.remove("required");
        }
    }
}

fn any_object() -> Value {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// The schema of a custom resource, as its CRD has it, with the fields that all objects share.
fn custom(state: &State, kind: Kind<'_>) -> Value {
    let crd = state.get(crd::TABLE, &ObjectKey::new(None, &kind.info.qualified));
    let versions = crd.and_then(|crd| crd["spec"]["versions"].as_array());
    let own = versions
        .into_iter()
        .flatten()
        .find(|own| own["name"] == kind.version.name.as_str());
    let Some(own) = own else {
        return any_object();
    };
    let mut schema = own["schema"]["openAPIV3Schema"].clone();
    if !schema.is_object() {
        return any_object();
    }
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    for (field, text) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        schema["properties"][field] = json!({"description": text, "type": "string"});
    }
    schema["properties"]["metadata"] = referring(&schema_name::<ObjectMeta>(), METADATA);
    let fields = own["selectableFields"].as_array().into_iter().flatten();
    let fields: Vec<Value> = fields
        .filter_map(|field| field["jsonPath"].as_str())
        .map(|path| json!({"fieldPath": path.trim_start_matches('.')}))
        .collect();
    if !fields.is_empty() {
        schema["x-kubernetes-selectable-fields"] = fields.into();
    }
    schema
}
