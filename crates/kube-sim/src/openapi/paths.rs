//! Paths of a type: collection, object and subresource, each with its operations.

use serde_json::{Map, Value, json};

use super::Kind;

const PATCHES: [&str; 3] = [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
];

/// Parameters of all writes.
const WRITES: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];

/// Parameters of lists: name and type.
const LISTS: [(&str, &str); 9] = [
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
];

/// Names of the schemas that a type's operations carry.
struct Bodies<'a> {
    kind: Kind<'a>,
    object: &'a str,
    list: &'a str,
}

/// Adds the paths of a type.
pub(super) fn add(kind: Kind<'_>, object: &str, list: &str, paths: &mut Map<String, Value>) {
    let bodies = Bodies { kind, object, list };
    let info = kind.info;
    let root = match info.group.as_str() {
        "" => format!("/api/{}", kind.version.name),
        group => format!("/apis/{group}/{}", kind.version.name),
    };
    let place = if info.namespaced {
        let everywhere = format!("{root}/{}", info.plural);
        paths.insert(everywhere, json!({"get": bodies.read("list", list)}));
        format!("{root}/namespaces/{{namespace}}/{}", info.plural)
    } else {
        format!("{root}/{}", info.plural)
    };
    let mut collection = json!({
        "get": bodies.read("list", list),
        "post": bodies.write("post"),
        "delete": bodies.delete("deletecollection"),
    });
    let mut one = json!({
        "get": bodies.read("get", object),
        "put": bodies.write("put"),
        "delete": bodies.delete("delete"),
        "patch": bodies.patch(),
    });
    let mut status = json!({
        "get": bodies.read("get", object),
        "put": bodies.write("put"),
        "patch": bodies.patch(),
    });
    let mut located = Vec::new();
    if info.namespaced {
        located.push(parameter("namespace", "path", "string"));
    }
    collection["parameters"] = located.clone().into();
    located.push(parameter("name", "path", "string"));
    one["parameters"] = located.clone().into();
    status["parameters"] = located.into();
    if kind.version.status {
        paths.insert(format!("{place}/{{name}}/status"), status);
    }
    paths.insert(format!("{place}/{{name}}"), one);
    paths.insert(place, collection);
}

fn parameter(name: &str, place: &str, kind: &str) -> Value {
    let mut found = json!({
        "name": name,
        "in": place,
        "schema": {"type": kind, "uniqueItems": true},
    });
    if place == "path" {
        found["required"] = true.into();
    }
    found
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn json_body(name: &str) -> Value {
    json!({"application/json": {"schema": reference(name)}})
}

impl Bodies<'_> {
    fn operation(&self, action: &str, parameters: Vec<Value>, answer: &str) -> Value {
        json!({
            "description": format!("{action} {}", self.kind.info.kind),
            "parameters": parameters,
            "responses": {"200": {"description": "OK", "content": json_body(answer)}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": self.kind.gvk(),
        })
    }

    fn read(&self, action: &str, answer: &str) -> Value {
        let parameters = if answer == self.list {
            LISTS
                .map(|(name, kind)| parameter(name, "query", kind))
                .into()
        } else {
            Vec::new()
        };
        self.operation(action, parameters, answer)
    }

    fn write(&self, action: &str) -> Value {
        let parameters = WRITES.map(|name| parameter(name, "query", "string"));
        let mut found = self.operation(action, parameters.into(), self.object);
        found["requestBody"] = json!({"content": json_body(self.object), "required": true});
        found
    }

    fn patch(&self) -> Value {
        let mut found = self.write("patch");
        if let Some(parameters) = found["parameters"].as_array_mut() {
            parameters.push(parameter("force", "query", "boolean"));
        }
        let patch = json!({"schema": {"type": "object"}});
        let content: Map<String, Value> = PATCHES
            .into_iter()
            .map(|media_type| (media_type.to_owned(), patch.clone()))
            .collect();
        found["requestBody"]["content"] = content.into();
        found
    }

    fn delete(&self, action: &str) -> Value {
        let names = ["dryRun", "propagationPolicy"];
        let parameters = names.map(|name| parameter(name, "query", "string"));
        let status = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
        self.operation(action, parameters.into(), status)
    }
}
