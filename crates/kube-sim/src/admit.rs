//! Whether a new object may be created where it wants to be: its namespace is there and stays, its
//! definition stays (the NamespaceLifecycle admission plugin and the apiextensions handler).

use crate::crd;
use crate::meta;
use crate::status_error::{ApiError, Cause};
use crate::store::{ObjectKey, State};
use crate::write::Target;

/// Checks the surroundings of a new object; `name` may be empty.
pub(crate) fn check(state: &State, target: &Target, name: &str) -> Result<(), ApiError> {
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
