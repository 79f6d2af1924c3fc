//! Create, update and patch: what a write may change and what the server fills in. Follows
//! k8s.io/apiserver `registry/rest` `BeforeCreate` and `BeforeUpdate`. Must never delete anything
//! but an object whose last finalizer goes.

use std::sync::Arc;

use serde_json::Value;

use crate::decode::{check_name, decode, shape, validate};

use crate::patch::PatchError;
use crate::registry::{TypeInfo, VersionInfo};
use crate::status_error::{ApiError, Cause};
use crate::store::{ObjectKey, State};
use crate::{builtin, crd, meta, patch, view};

/// A resolved resource URL.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) info: Arc<TypeInfo>,
    /// Index into the versions of `info`.
    pub(crate) version: usize,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl Target {
    pub(crate) fn version(&self) -> &VersionInfo {
        &self.info.versions[self.version]
    }

    pub(crate) fn key(&self, name: &str) -> ObjectKey {
        ObjectKey::new(self.namespace.as_deref(), name)
    }

    /// The name in the URL, or the answer for a method that needs one.
    pub(crate) fn named(&self) -> Result<&str, ApiError> {
        self.name
            .as_deref()
            .ok_or_else(ApiError::method_not_allowed)
    }
}

/// How a write is to be carried out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WriteOptions {
    /// `dryRun=All`: everything but the commit.
    pub(crate) dry_run: bool,
    /// `fieldValidation=Strict`: unknown fields are an error.
    pub(crate) strict: bool,
}

/// How an update changes the present object.
#[derive(Debug)]
pub(crate) enum Change {
    Replace(Value),
    Merge(Arc<Value>),
    Json(Arc<Value>),
}

/// Creates the object in `body`.
pub(crate) fn create(
    state: &mut State,
    target: &Target,
    mut body: Value,
    options: WriteOptions,
) -> Result<Arc<Value>, ApiError> {
    let info = &target.info;
    decode(target, &mut body)?;
    if !meta::text(&body, "resourceVersion").is_empty() {
        // The real server's storage layer answers with a bare error, hence no reason.
        let message = "resourceVersion should not be set on objects to be created";
        return Err(ApiError::new(500, "", message));
    }
    for field in meta::SYSTEM_FIELDS {
        body["metadata"]
            .as_object_mut()
            .map(|meta| meta.remove(field));
    }
    admit(state, target, meta::text(&body, "name"))?;
    shape(target, &mut body, options)?;
    if target.version().status
        && let Some(map) = body.as_object_mut()
    {
        map.remove("status");
    }
    if meta::text(&body, "name").is_empty() {
        let prefix = meta::text(&body, "generateName").to_owned();
        if !prefix.is_empty() {
            body["metadata"]["name"] = format!("{prefix}{}", state.next_name_suffix()).into();
        }
    }
    body["metadata"]["uid"] = state.next_uid().into();
    body["metadata"]["creationTimestamp"] = state.timestamp().into();
    if info.generation {
        body["metadata"]["generation"] = 1.into();
    }
    builtin::default(state, info, &mut body);
    let name = meta::text(&body, "name").to_owned();
    let causes = validate(target, &body, None);
    if !causes.is_empty() {
        return Err(ApiError::invalid(info, &name, causes));
    }
    let key = target.key(&name);
    if state.get(&info.table, &key).is_some() {
        return Err(ApiError::already_exists(info, &name));
    }
    if options.dry_run {
        return Ok(Arc::new(body));
    }
    let stored = view::to_storage(info, target.version, body);
    let stored = state.commit(&info.table, &key, Some(stored));
    state.settle();
    Ok(view::from_storage(info, target.version, &stored))
}

/// Whether the namespace of a new object is there and stays.
fn admit(state: &State, target: &Target, name: &str) -> Result<(), ApiError> {
    let info = &target.info;
    if let Some(namespace) = &target.namespace {
        let Some(found) = state.get("namespaces", &ObjectKey::new(None, namespace)) else {
            return Err(ApiError::namespace_not_found(namespace));
        };
        if meta::deleting(found) {
            let detail = format!(
                "unable to create new content in namespace {namespace} because it is being \
                 terminated"
            );
            let mut error = ApiError::forbidden(info, name, &detail);
            error.causes.push(Cause {
                reason: "NamespaceTerminating",
                field: "metadata.namespace".to_owned(),
                message: format!("namespace {namespace} is being terminated"),
            });
            return Err(error);
        }
    }
    let crd = state.get(crd::TABLE, &ObjectKey::new(None, &info.qualified));
    if info.builtin.is_none() && crd.is_some_and(|crd| meta::deleting(crd)) {
        let message = "create not allowed while custom resource definition is terminating";
        return Err(ApiError::new(405, "MethodNotAllowed", message));
    }
    Ok(())
}

/// Updates or patches the object that the URL names; the flag says whether it was created.
pub(crate) fn update(
    state: &mut State,
    target: &Target,
    change: Change,
    options: WriteOptions,
) -> Result<(Arc<Value>, bool), ApiError> {
    let info = &target.info;
    let name = target.named()?;
    let key = target.key(name);
    let Some(stored) = state.get(&info.table, &key).cloned() else {
        return match change {
            Change::Replace(mut body) if info.create_on_update => {
                let versioned = !meta::text(&body, "resourceVersion").is_empty();
                if versioned || target.subresource.is_some() {
                    return Err(ApiError::not_found(info, name));
                }
                check_name(&body, name)?;
                if let Some(meta) = body.get_mut("metadata").and_then(Value::as_object_mut) {
                    meta.insert("name".to_owned(), name.into());
                }
                create(state, target, body, options).map(|object| (object, true))
            }
            _ => Err(ApiError::not_found(info, name)),
        };
    };
    let old = view::from_storage(info, target.version, &stored);
    let replaces = matches!(change, Change::Replace(_));
    let mut new = apply(change, &old)?;
    decode(target, &mut new)?;
    check_name(&new, name)?;
    check_preconditions(target, &old, &new, replaces)?;
    combine(target, &old, &mut new);
    shape(target, &mut new, options)?;
    builtin::default(state, info, &mut new);
    if meta::generation(&old) > 0 && spec_differs(target, &old, &new) {
        new["metadata"]["generation"] = (meta::generation(&old) + 1).into();
    }
    let causes = validate(target, &new, Some(&old));
    if !causes.is_empty() {
        return Err(ApiError::invalid(info, name, causes));
    }
    if new == *old {
        return Ok((old, false));
    }
    if options.dry_run {
        return Ok((Arc::new(new), false));
    }
    if meta::deleting(&new) && meta::finalizers(&new).is_empty() && !builtin::held(&new) {
        let shown = state.commit(&info.table, &key, None);
        new["metadata"]["resourceVersion"] = shown["metadata"]["resourceVersion"].clone();
        state.settle();
        return Ok((Arc::new(new), false));
    }
    let stored = view::to_storage(info, target.version, new);
    let stored = state.commit(&info.table, &key, Some(stored));
    state.settle();
    Ok((view::from_storage(info, target.version, &stored), false))
}

fn apply(change: Change, old: &Value) -> Result<Value, ApiError> {
    let patch = match &change {
        Change::Replace(_) => None,
        Change::Merge(patch) | Change::Json(patch) => Some(patch),
    };
    let mut new = old.clone();
    match (&change, patch) {
        (Change::Merge(_), Some(patch)) => patch::merge(&mut new, patch),
        (Change::Json(_), Some(patch)) => {
            patch::json_patch(&mut new, patch).map_err(rejected_patch)?;
        }
        _ => {
            if let Change::Replace(body) = change {
                new = body;
            }
        }
    }
    Ok(new)
}

fn rejected_patch(error: PatchError) -> ApiError {
    if let PatchError::Malformed(detail) = &error {
        return ApiError::bad_request(format!("error decoding patch: {detail}"));
    }
    let message = "the server rejected our request due to an error in our request";
    let mut refused = ApiError::new(422, "Invalid", message);
    refused.causes.push(Cause {
        reason: "UnexpectedServerResponse",
        field: String::new(),
        message: error.to_string(),
    });
    refused
}

/// Optimistic concurrency: uid and resource version, where the client gave them.
fn check_preconditions(
    target: &Target,
    old: &Value,
    new: &Value,
    replaces: bool,
) -> Result<(), ApiError> {
    let (info, name) = (&target.info, target.named()?);
    let (old_uid, new_uid) = (meta::text(old, "uid"), meta::text(new, "uid"));
    if !new_uid.is_empty() && new_uid != old_uid {
        let detail = format!(
            "Precondition failed: UID in precondition: {new_uid}, UID in object meta: {old_uid}"
        );
        return Err(ApiError::conflict(info, name, &detail));
    }
    let given = meta::text(new, "resourceVersion");
    if given.is_empty() || given == "0" {
        if replaces && !info.unconditional_update {
            let zero = Value::from(0);
            let cause = Cause::invalid(
                "metadata.resourceVersion",
                &zero,
                "must be specified for an update",
            );
            return Err(ApiError::invalid(info, name, vec![cause]));
        }
        return Ok(());
    }
    if given.parse::<u64>().is_err() {
        let detail = "must be an unsigned integer";
        let cause = Cause::invalid("metadata.resourceVersion", &Value::from(given), detail);
        return Err(ApiError::invalid(info, name, vec![cause]));
    }
    if given == meta::text(old, "resourceVersion") {
        return Ok(());
    }
    Err(ApiError::modified(info, name))
}

/// Keeps from the old object what this endpoint may not change.
fn combine(target: &Target, old: &Value, new: &mut Value) {
    if target.subresource.as_deref() == Some("status") {
        let status = new.get_mut("status").map(Value::take);
        *new = old.clone();
        set_or_remove(new, "status", status);
        return;
    }
    if target.version().status {
        set_or_remove(new, "status", old.get("status").cloned());
    }
    for field in ["name", "namespace", "generateName"]
        .iter()
        .chain(&meta::SYSTEM_FIELDS)
    {
        let kept = old["metadata"].get(*field).cloned();
        set_or_remove(&mut new["metadata"], field, kept);
    }
}

fn set_or_remove(object: &mut Value, field: &str, value: Option<Value>) {
    let Some(map) = object.as_object_mut() else {
        return;
    };
    match value {
        Some(value) => map.insert(field.to_owned(), value),
        None => map.remove(field),
    };
}

/// Whether anything differs that `metadata.generation` counts.
fn spec_differs(target: &Target, old: &Value, new: &Value) -> bool {
    let counted = |object: &Value| -> Vec<(String, Value)> {
        let fields = object.as_object().into_iter().flatten();
        fields
            .filter(|(key, _)| *key != "metadata" && !(target.version().status && *key == "status"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    target.subresource.is_none() && counted(old) != counted(new)
}
