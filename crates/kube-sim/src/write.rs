//! Create, update and patch: what a write may change and what the server fills in. Follows
//! k8s.io/apiserver `registry/rest` `BeforeCreate` and `BeforeUpdate`. Must never delete anything
//! but an object whose last finalizer goes.

use std::sync::Arc;

use serde_json::{Value, json};

pub(crate) use crate::decode::check_name;
use crate::decode::{decode, shape, validate};
use crate::fields::managed::Managed;
use crate::object::Object;
use crate::options::WriteOptions;
use crate::registry::{TypeInfo, VersionInfo};
use crate::status_error::{ApiError, Cause};
use crate::store::{ObjectKey, State};
use crate::{admit, builtin, change, meta, server_side, track, view};

pub(crate) use crate::change::Change;

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

/// Creates the object in `body`.
pub(crate) fn create(
    state: &mut State,
    target: &Target,
    mut body: Value,
    options: &WriteOptions,
) -> Result<Object, ApiError> {
    let given = change::take_owners(&mut body);
    decode(target, &mut body)?;
    if !meta::text(&body, "resourceVersion").is_empty() {
        // The real server's storage layer answers with a bare error, hence no reason.
        let message = "resourceVersion should not be set on objects to be created";
        return Err(ApiError::new(500, "", message));
    }
    reset_system_fields(&mut body);
    admit::check(state, target, meta::text(&body, "name"))?;
    shape(state, target, &mut body, options)?;
    builtin::default(&target.info, &mut body);
    let now = state.timestamp();
    let managed = track::created(target, &body, given.as_ref(), &options.manager, &now);
    store_new(state, target, body, managed, options)
}

fn reset_system_fields(body: &mut Value) {
    let Some(meta) = body["metadata"].as_object_mut() else {
        return;
    };
    for field in meta::SYSTEM_FIELDS {
        meta.remove(field);
    }
}

/// Creates what a server-side apply made.
fn create_applied(
    state: &mut State,
    target: &Target,
    config: &Value,
    options: &WriteOptions,
) -> Result<Object, ApiError> {
    let now = state.timestamp();
    let (mut body, managed) = server_side::apply(target, None, config, options, &now)?;
    decode(target, &mut body)?;
    reset_system_fields(&mut body);
    admit::check(state, target, meta::text(&body, "name"))?;
    shape(state, target, &mut body, options)?;
    builtin::default(&target.info, &mut body);
    store_new(state, target, body, managed, options)
}

/// Completes, checks and stores a new object.
fn store_new(
    state: &mut State,
    target: &Target,
    mut body: Value,
    managed: Managed,
    options: &WriteOptions,
) -> Result<Object, ApiError> {
    let info = &target.info;
    if target.version().status
        && let Some(map) = body.as_object_mut()
    {
        map.remove("status");
    }
    if meta::text(&body, "name").is_empty() {
        let prefix = meta::text(&body, "generateName").to_owned();
        if !prefix.is_empty() {
            let suffix = state.next_name_suffix();
            body["metadata"]["name"] = meta::generated_name(&prefix, &suffix).into();
        }
    }
    body["metadata"]["uid"] = state.next_uid().into();
    body["metadata"]["creationTimestamp"] = state.timestamp().into();
    if info.generation {
        body["metadata"]["generation"] = 1.into();
    }
    builtin::complete(state, info, &mut body);
    let name = meta::text(&body, "name").to_owned();
    let causes = validate(target, &body, None);
    if !causes.is_empty() {
        return Err(ApiError::invalid(info, &name, causes));
    }
    let key = target.key(&name);
    if state.get(&info.table, &key).is_some() {
        return Err(ApiError::already_exists(info, &name));
    }
    let stored = view::to_storage(info, target.version, body.clone());
    if options.dry_run {
        return Ok(Object::new(body, managed));
    }
    let stored = state.commit(&info.table, &key, Some(Object::new(stored, managed)));
    state.settle();
    Ok(view::from_storage(info, target.version, &stored))
}

/// Updates or patches the object that the URL names; the flag says whether it was created.
pub(crate) fn update(
    state: &mut State,
    target: &Target,
    change: Change,
    options: &WriteOptions,
) -> Result<(Object, bool), ApiError> {
    let info = &target.info;
    let key = target.key(target.named()?);
    let Some(stored) = state.get(&info.table, &key).cloned() else {
        return create_missing(state, target, change, options).map(|object| (object, true));
    };
    let old = view::from_storage(info, target.version, &stored);
    let replaces = matches!(change, Change::Replace(_));
    let now = state.timestamp();
    let (mut new, owners) = match change {
        Change::Apply(config) => {
            let (new, managed) = server_side::apply(target, Some(&old), &config, options, &now)?;
            (new, Owners::Applied(managed))
        }
        other => {
            let mut new = change::change(target, other, &old)?;
            let given = change::take_owners(&mut new);
            (new, Owners::Given(given))
        }
    };
    prepare(state, target, &old, &mut new, options, replaces)?;
    let managed = match owners {
        Owners::Applied(managed) => managed,
        Owners::Given(given) => {
            let manager = &options.manager;
            track::updated(target, &old, &new, given.as_ref(), manager, &now)
        }
    };
    store_changed(state, target, &old, Object::new(new, managed), options)
        .map(|object| (object, false))
}

/// Where the owners of a changed object come from.
enum Owners {
    /// From the apply that changed it.
    Applied(Managed),
    /// From the change itself, and from what the client sent along.
    Given(Option<Value>),
}

/// Completes and checks a changed object.
fn prepare(
    state: &mut State,
    target: &Target,
    old: &Value,
    new: &mut Value,
    options: &WriteOptions,
    replaces: bool,
) -> Result<(), ApiError> {
    let (info, name) = (&target.info, target.named()?);
    decode(target, new)?;
    check_name(new, name)?;
    check_preconditions(target, old, new, replaces)?;
    combine(target, old, new);
    shape(state, target, new, options)?;
    builtin::default(info, new);
    builtin::complete(state, info, new);
    if meta::generation(old) > 0 && info.generation && spec_differs(target, old, new) {
        new["metadata"]["generation"] = (meta::generation(old) + 1).into();
    }
    let causes = validate(target, new, Some(old));
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(info, name, causes))
}

/// Stores a changed object, unless nothing changed.
fn store_changed(
    state: &mut State,
    target: &Target,
    old: &Object,
    new: Object,
    options: &WriteOptions,
) -> Result<Object, ApiError> {
    let info = &target.info;
    let key = target.key(target.named()?);
    if new.value == old.value && new.managed.same_but_times(&old.managed) {
        return Ok(old.clone());
    }
    if options.dry_run {
        return Ok(new);
    }
    if meta::deleting(&new) && meta::finalizers(&new).is_empty() && !builtin::held(&new) {
        let shown = state.commit(&info.table, &key, None);
        let mut last = Value::clone(&new);
        last["metadata"]["resourceVersion"] = shown["metadata"]["resourceVersion"].clone();
        state.settle();
        return Ok(Object::new(last, new.managed));
    }
    let value = Arc::unwrap_or_clone(new.value);
    let stored = Object::new(view::to_storage(info, target.version, value), new.managed);
    let stored = state.commit(&info.table, &key, Some(stored));
    state.settle();
    Ok(view::from_storage(info, target.version, &stored))
}

/// What an update of an object that does not exist does: PUT of some types and apply create it.
fn create_missing(
    state: &mut State,
    target: &Target,
    change: Change,
    options: &WriteOptions,
) -> Result<Object, ApiError> {
    let (info, name) = (&target.info, target.named()?);
    match change {
        Change::Apply(config) if target.subresource.is_none() => {
            create_applied(state, target, &config, options)
        }
        Change::Replace(mut body) => {
            check_name(&body, name)?;
            let versioned = !meta::text(&body, "resourceVersion").is_empty();
            if !info.create_on_update || versioned || target.subresource.is_some() {
                return Err(ApiError::not_found(info, name));
            }
            if !body["metadata"].is_object() {
                body["metadata"] = json!({});
            }
            body["metadata"]["name"] = name.into();
            create(state, target, body, options)
        }
        _ => Err(ApiError::not_found(info, name)),
    }
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
        if !replaces {
            let cause = || Cause::invalid("metadata.uid", &new_uid.into(), "field is immutable");
            // The real server checks the field twice.
            let mut error = ApiError::invalid(info, name, vec![cause()]);
            error.causes.push(cause());
            return Err(error);
        }
        let place = match old["metadata"]["namespace"].as_str() {
            Some(namespace) => format!("{}/{namespace}/{name}", info.storage_prefix()),
            None => format!("{}/{name}", info.storage_prefix()),
        };
        let detail = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{place}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {new_uid}, UID in \
             object meta: {old_uid}"
        );
        return Err(ApiError::conflict(info, name, &detail));
    }
    let given = meta::text(new, "resourceVersion");
    if given.is_empty() || given == "0" {
        if replaces && !info.unconditional_update {
            let zero = Value::from(0);
            let detail = "must be specified for an update";
            let cause = Cause::invalid("metadata.resourceVersion", &zero, detail);
            return Err(ApiError::invalid_resource(info, name, vec![cause]));
        }
        return Ok(());
    }
    if given.parse::<u64>().is_err() {
        let message = format!("strconv.ParseUint: parsing {given:?}: invalid syntax");
        return Err(ApiError::new(500, "", message));
    }
    if given == meta::text(old, "resourceVersion") {
        return Ok(());
    }
    Err(ApiError::modified(info, name))
}

/// Keeps from the old object what this endpoint may not change.
fn combine(target: &Target, old: &Value, new: &mut Value) {
    match target.subresource.as_deref() {
        Some("status") => {
            let status = new.get_mut("status").map(Value::take);
            *new = old.clone();
            set_or_remove(new, "status", status);
            return;
        }
        Some("finalize") => {
            let finalizers = new["spec"].get_mut("finalizers").map(Value::take);
            *new = old.clone();
            if !new["spec"].is_object() {
                new["spec"] = json!({});
            }
            set_or_remove(&mut new["spec"], "finalizers", finalizers);
            return;
        }
        _ => {}
    }
    if target.version().status {
        set_or_remove(new, "status", old.get("status").cloned());
    }
    for field in ["name", "namespace"].iter().chain(&meta::SYSTEM_FIELDS) {
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
    let separate = target.version().status;
    let counted = |key: &&String| *key != "metadata" && !(separate && *key == "status");
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else {
        return false;
    };
    target.subresource.is_none()
        && old
            .keys()
            .chain(new.keys())
            .filter(counted)
            .any(|key| old.get(key) != new.get(key))
}
