//! Deletion on request: preconditions, finalizers, propagation. Follows k8s.io/apiserver
//! `registry/generic/registry` `Store.Delete`; what follows a deletion is in [`crate::gc`].

use std::sync::Arc;

use serde_json::{Value, json};

use crate::gc::Task;
use crate::object::Object;
use crate::path::Query;
use crate::registry::{Builtin, TypeInfo};
use crate::status_error::{ApiError, Cause};
use crate::store::{GlobalKey, ObjectKey, State};
use crate::{builtin, crd, meta};

/// Finalizer by which the garbage collector holds an owner until its dependents are gone.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";

/// What happens to dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Propagation {
    /// They go after the owner.
    #[default]
    Background,
    /// They go before the owner.
    Foreground,
    /// They stay.
    Orphan,
}

/// `metav1.DeleteOptions`.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) propagation: Propagation,
    pub(crate) dry_run: bool,
}

impl DeleteOptions {
    pub(crate) fn read(body: Option<&Value>, query: &Query) -> Result<Self, ApiError> {
        let body = body.unwrap_or(&Value::Null);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let policy = text(&body["propagationPolicy"])
            .or_else(|| query.get("propagationPolicy").map(str::to_owned));
        let propagation = match policy.as_deref() {
            None | Some("Background" | "") => Propagation::Background,
            Some("Foreground") => Propagation::Foreground,
            Some("Orphan") => Propagation::Orphan,
            Some(other) => {
                let allowed = ["Foreground", "Background", "Orphan", "nil"].map(str::to_owned);
                let cause = Cause::unsupported("propagationPolicy", &Value::from(other), &allowed);
                return Err(ApiError::invalid_options("DeleteOptions", vec![cause]));
            }
        };
        if let Some(policy) = policy
            .as_deref()
            .filter(|_| body["orphanDependents"].is_boolean())
        {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            let cause = Cause::invalid("propagationPolicy", &policy.into(), detail);
            return Err(ApiError::invalid_options("DeleteOptions", vec![cause]));
        }
        let dry_run = body["dryRun"]
            .as_array()
            .is_some_and(|list| !list.is_empty());
        Ok(Self {
            uid: text(&body["preconditions"]["uid"]),
            resource_version: text(&body["preconditions"]["resourceVersion"]),
            propagation,
            dry_run: dry_run || query.get("dryRun").is_some(),
        })
    }
}

/// How a deletion ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The object is gone.
    Gone(Object),
    /// The object waits for finalizers.
    Pending(Object),
}

impl Outcome {
    /// What the API answers: the waiting object, or a success that names what is gone.
    pub(crate) fn reply(self, info: &TypeInfo) -> Object {
        match self {
            Self::Pending(object) => object,
            Self::Gone(object) => {
                let mut details = json!({
                    "name": object["metadata"]["name"],
                    "kind": info.plural,
                    "uid": object["metadata"]["uid"],
                });
                if !info.group.is_empty() {
                    details["group"] = info.group.as_str().into();
                }
                Object::from(json!({
                    "kind": "Status",
                    "apiVersion": "v1",
                    "metadata": {},
                    "status": "Success",
                    "details": details,
                }))
            }
        }
    }
}

/// Namespaces that nobody may delete (k8s.io/apiserver, `plugin/namespace/lifecycle`).
const KEPT_NAMESPACES: [&str; 3] = ["default", "kube-system", "kube-public"];

/// Deletes an object or starts its deletion. The caller settles what follows.
pub(crate) fn delete(
    state: &mut State,
    info: &TypeInfo,
    key: &ObjectKey,
    options: &DeleteOptions,
) -> Result<Outcome, ApiError> {
    let stored = state.get(&info.table, key).cloned();
    let Some(old) = stored else {
        return Err(ApiError::not_found(info, &key.name));
    };
    check_preconditions(info, key, &old, options)?;
    if info.builtin == Some(Builtin::Namespace) && KEPT_NAMESPACES.contains(&key.name.as_ref()) {
        let why = "this namespace may not be deleted";
        return Err(ApiError::forbidden(info, &key.name, why));
    }
    let mut new = Value::clone(&old);
    let mut finalizers: Vec<String> = meta::finalizers(&old)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut hold = |name: &str| {
        if !finalizers.iter().any(|held| held == name) {
            finalizers.push(name.to_owned());
        }
    };
    if options.propagation == Propagation::Foreground {
        hold(FOREGROUND);
    }
    if info.builtin == Some(Builtin::Crd) && !meta::deleting(&old) {
        hold(crd::CLEANUP_FINALIZER);
    }
    if options.dry_run && finalizers.is_empty() && !builtin::held(&old) {
        return Ok(Outcome::Gone(old));
    }
    if options.propagation == Propagation::Orphan && !options.dry_run {
        state.orphan_dependents(meta::text(&old, "uid"));
    }
    if finalizers.is_empty() && !builtin::held(&old) {
        return Ok(Outcome::Gone(state.commit(&info.table, key, None)));
    }
    if !finalizers.is_empty() {
        new["metadata"]["finalizers"] = finalizers.into();
    }
    if !meta::deleting(&old) {
        new["metadata"]["deletionTimestamp"] = state.timestamp().into();
        new["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        if meta::generation(&old) > 0 {
            new["metadata"]["generation"] = (meta::generation(&old) + 1).into();
        }
        builtin::terminate(info, &mut new);
    }
    let at = GlobalKey {
        table: Arc::clone(&info.table),
        key: key.clone(),
    };
    if new == *old {
        return Ok(Outcome::Pending(old));
    }
    let pending = Object::new(new, old.managed.clone());
    if options.dry_run {
        return Ok(Outcome::Pending(pending));
    }
    let pending = state.commit(&info.table, key, Some(pending));
    state.tasks.push_back(Task::Terminating(at));
    Ok(Outcome::Pending(pending))
}

fn check_preconditions(
    info: &TypeInfo,
    key: &ObjectKey,
    old: &Value,
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    let pairs = [
        ("UID", "uid", &options.uid, "deleted and then recreated"),
        (
            "ResourceVersion",
            "resourceVersion",
            &options.resource_version,
            "modified",
        ),
    ];
    for (label, field, wanted, fate) in pairs {
        let found = meta::text(old, field);
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != found) {
            let detail = format!(
                "the {label} in the precondition ({wanted}) does not match the {label} in record \
                 ({found}). The object might have been {fate}"
            );
            return Err(ApiError::conflict_of_kind(info, &key.name, &detail));
        }
    }
    Ok(())
}
