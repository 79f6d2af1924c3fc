//! Rules of the built-in types that an operator can run into: defaults and field checks of
//! namespaces, config maps, events, leases, roles and CRDs. Each rule names its upstream source;
//! types and fields without a rule are kept as they are given.

mod rbac;

use serde_json::{Value, json};

use crate::registry::{Builtin, TypeInfo};
use crate::status_error::Cause;
use crate::store::State;
use crate::{crd, meta, names};

/// Finalizer in a namespace's spec.
const NAMESPACE_FINALIZER: &str = "kubernetes";
/// Bounds of k8s.io/kubernetes `pkg/apis/core/validation/events.go`.
const EVENT_TEXT_BYTES: usize = 128;
const EVENT_NOTE_BYTES: usize = 1024;

/// Fills in what decoding fills in; it counts as written by the client.
pub(crate) fn default(info: &TypeInfo, object: &mut Value) {
    match info.builtin {
        Some(Builtin::Namespace) => {
            let name = object["metadata"]["name"].clone();
            if !name.is_null() {
                object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            }
        }
        Some(Builtin::Crd) => crd::default(object),
        Some(Builtin::RoleBinding | Builtin::ClusterRoleBinding) => rbac::default(object),
        _ => {}
    }
}

/// Fills in what the server itself adds.
pub(crate) fn complete(state: &State, info: &TypeInfo, object: &mut Value) {
    match info.builtin {
        Some(Builtin::Namespace) => default_namespace(object),
        Some(Builtin::Crd) if object["status"].is_null() => {
            object["status"] = names::status(&state.registry, object, &state.timestamp());
        }
        Some(Builtin::Crd) if names::is_established(object) => crd::follow(object),
        _ => {}
    }
}

/// Fills in the defaults of a namespace.
pub(crate) fn default_namespace(object: &mut Value) {
    let name = object["metadata"]["name"].clone();
    object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
    if object["spec"]["finalizers"].is_null() && object["status"].is_null() {
        object["spec"]["finalizers"] = json!([NAMESPACE_FINALIZER]);
    }
    if object["status"].is_null() {
        object["status"] = json!({"phase": "Active"});
    }
}

/// Whether something besides `metadata.finalizers` keeps a deleted object: a namespace's spec.
pub(crate) fn held(object: &Value) -> bool {
    object["kind"] == "Namespace"
        && object["apiVersion"] == "v1"
        && object["spec"]["finalizers"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
}

/// Ends what [`held`] reports.
pub(crate) fn release(object: &mut Value) {
    object["spec"]["finalizers"] = json!([]);
}

/// Marks the status of an object whose deletion begins.
pub(crate) fn terminate(info: &TypeInfo, object: &mut Value) {
    if info.builtin == Some(Builtin::Namespace) {
        object["status"]["phase"] = "Terminating".into();
    }
}

/// Checks the fields of a built-in type.
pub(crate) fn validate(info: &TypeInfo, new: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    match info.builtin {
        Some(Builtin::Crd) => validate_crd(new, old, causes),
        Some(Builtin::Lease) => validate_lease(&new["spec"], causes),
        Some(Builtin::ConfigMap) => validate_config_map(new, old, causes),
        Some(Builtin::Event) => validate_event(new, old, causes),
        Some(Builtin::Role) => rbac::validate_rules(new, true, causes),
        Some(Builtin::ClusterRole) => rbac::validate_rules(new, false, causes),
        Some(Builtin::RoleBinding) => rbac::validate_binding(new, old, true, causes),
        Some(Builtin::ClusterRoleBinding) => rbac::validate_binding(new, old, false, causes),
        _ => {}
    }
}

fn validate_crd(new: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    if old.is_some_and(|old| old["spec"] == new["spec"]) {
        return;
    }
    match crd::type_info(&new["spec"]) {
        Err(found) => causes.extend(found),
        Ok(info) => {
            let name = meta::text(new, "name");
            if name != &*info.qualified {
                let detail = "must be spec.names.plural+\".\"+spec.group";
                causes.push(Cause::invalid("metadata.name", &Value::from(name), detail));
            }
        }
    }
    if let Some(old) = old {
        check_stored_versions(new, old, causes);
    }
    for (path, pointer) in [
        ("spec.group", "/spec/group"),
        ("spec.scope", "/spec/scope"),
        ("spec.names.kind", "/spec/names/kind"),
        ("spec.names.plural", "/spec/names/plural"),
    ] {
        let value = new.pointer(pointer);
        if let (Some(old), Some(value)) = (old, value)
            && old.pointer(pointer) != Some(value)
        {
            causes.push(Cause::invalid(path, value, "field is immutable"));
        }
    }
}

/// A version in which objects may still be stored must stay in the spec.
fn check_stored_versions(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    let named = |name: &Value| {
        let mut versions = new["spec"]["versions"].as_array().into_iter().flatten();
        versions.any(|version| version["name"] == *name)
    };
    let stored = old["status"]["storedVersions"].as_array();
    for (at, name) in stored.into_iter().flatten().enumerate() {
        if !named(name) {
            let shown = name.as_str().unwrap_or_default();
            let detail = format!(
                "missing from spec.versions; {shown} was previously a storage version, and must \
                 remain in spec.versions until a storage migration ensures no data remains \
                 persisted in {shown} and removes {shown} from status.storedVersions"
            );
            let path = format!("status.storedVersions[{at}]");
            causes.push(Cause::invalid(path, name, &detail));
        }
    }
}

/// k8s.io/kubernetes `pkg/apis/coordination/validation`.
fn validate_lease(spec: &Value, causes: &mut Vec<Cause>) {
    let number = |field: &str| spec[field].as_i64();
    if number("leaseDurationSeconds").is_some_and(|seconds| seconds <= 0) {
        let value = &spec["leaseDurationSeconds"];
        causes.push(Cause::invalid(
            "spec.leaseDurationSeconds",
            value,
            "must be greater than 0",
        ));
    }
    if number("leaseTransitions").is_some_and(|count| count < 0) {
        let value = &spec["leaseTransitions"];
        let detail = "must be greater than or equal to 0";
        causes.push(Cause::invalid("spec.leaseTransitions", value, detail));
    }
}

/// k8s.io/kubernetes `pkg/apis/core/validation` `ValidateConfigMap`.
fn validate_config_map(new: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    for (key, value) in new["data"].as_object().into_iter().flatten() {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if key.is_empty() || !key.chars().all(legal) {
            let detail = "a valid config key must consist of alphanumeric characters, '-', '_' \
                          or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used \
                          for validation is '[-._a-zA-Z0-9]+')";
            causes.push(Cause::invalid(
                format!("data[{key}]"),
                &Value::from(key.as_str()),
                detail,
            ));
        }
        if !value.is_string() {
            causes.push(Cause::invalid(
                format!("data[{key}]"),
                value,
                "must be a string",
            ));
        }
    }
    let Some(old) = old.filter(|old| old["immutable"] == true) else {
        return;
    };
    for field in ["immutable", "data", "binaryData"] {
        if old.get(field) != new.get(field) {
            causes.push(Cause::forbidden(
                field,
                "field is immutable when `immutable` is set",
            ));
        }
    }
}

/// k8s.io/kubernetes `pkg/apis/core/validation/events.go`, for events.k8s.io/v1.
fn validate_event(new: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    if let Some(old) = old {
        // Only the series of an event may change.
        for (field, value) in new.as_object().into_iter().flatten() {
            let free = ["metadata", "series", "kind", "apiVersion"].contains(&field.as_str());
            if !free && old.get(field) != Some(value) {
                let field = if field == "note" { "message" } else { field };
                causes.push(Cause::invalid(field, value, "field is immutable"));
            }
        }
        return;
    }
    let text = |field: &str| new[field].as_str().unwrap_or_default();
    let namespace = new["regarding"]["namespace"].as_str().unwrap_or_default();
    let own = meta::text(new, "namespace");
    // An event with a time of its own may speak of another namespace, but of one it must.
    if namespace.is_empty() && !["default", "kube-system"].contains(&own) {
        let detail = "does not match event.namespace";
        let value = &new["regarding"]["namespace"];
        causes.push(Cause::invalid("involvedObject.namespace", value, detail));
    }
    if text("eventTime").is_empty() {
        causes.push(Cause::required("eventTime", ""));
    }
    for field in [
        "reportingController",
        "reportingInstance",
        "action",
        "reason",
    ] {
        let found = text(field);
        if found.is_empty() {
            causes.push(Cause::required(field, ""));
        } else if found.len() > EVENT_TEXT_BYTES && field != "reportingController" {
            let detail = format!("can have at most {EVENT_TEXT_BYTES} characters");
            causes.push(Cause::invalid(field, &Value::from(""), &detail));
        }
    }
    if !["Normal", "Warning"].contains(&text("type")) {
        causes.push(Cause::invalid(
            "type",
            &Value::from(""),
            &format!("has invalid value: {}", text("type")),
        ));
    }
    if text("note").len() > EVENT_NOTE_BYTES {
        let detail = format!("can have at most {EVENT_NOTE_BYTES} characters");
        causes.push(Cause::invalid("message", &Value::from(""), &detail));
    }
    if new["series"].is_object() {
        if new["series"]["count"].as_i64().unwrap_or_default() < 2 {
            causes.push(Cause::invalid(
                "series.count",
                &Value::from(""),
                "should be at least 2",
            ));
        }
        if new["series"]["lastObservedTime"].is_null() {
            causes.push(Cause::required("series.lastObservedTime", ""));
        }
    }
}
