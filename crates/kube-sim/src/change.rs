//! What an update or a patch makes of the present object, before anything is checked. Follows
//! k8s.io/apiserver `endpoints/handlers/patch.go`.

use std::sync::Arc;

use serde_json::Value;

use crate::object::Object;
use crate::patch::{self, PatchError};
use crate::status_error::ApiError;
use crate::strategic;
use crate::write::Target;

/// How an update changes the present object.
#[derive(Debug)]
pub(crate) enum Change {
    Replace(Value),
    Merge(Arc<Value>),
    Json(Arc<Value>),
    Strategic(Arc<Value>),
    Apply(Arc<Value>),
}

/// The object that the change wants.
pub(crate) fn change(target: &Target, change: Change, old: &Object) -> Result<Value, ApiError> {
    let mut new = match &change {
        Change::Replace(_) => Value::Null,
        // The owners are only spelled out for a patch that is about them.
        Change::Merge(patch) | Change::Strategic(patch) | Change::Json(patch)
            if names_owners(patch) =>
        {
            old.to_value()
        }
        _ => Value::clone(old),
    };
    match change {
        Change::Replace(body) => new = body,
        Change::Merge(patch) if patch.is_object() => patch::merge(&mut new, &patch),
        Change::Strategic(patch) if patch.is_object() => {
            let shape = &target.version().shape;
            new = strategic::merge(shape, Some(&new), &patch).map_err(ApiError::bad_request)?;
        }
        Change::Merge(patch) | Change::Strategic(patch) => {
            let kind = match &*patch {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Number(_) => "number",
                Value::Bool(_) => "bool",
                Value::Null | Value::Object(_) => "null",
            };
            return Err(ApiError::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {kind} into Go value of type \
                 map[string]interface {{}}"
            )));
        }
        Change::Json(patch) => {
            patch::json_patch(&mut new, &patch).map_err(rejected_patch)?;
        }
        Change::Apply(_) => {}
    }
    Ok(new)
}

/// Takes `metadata.managedFields` out of what a client sent.
pub(crate) fn take_owners(body: &mut Value) -> Option<Value> {
    body.get_mut("metadata")?
        .as_object_mut()?
        .remove("managedFields")
}

/// Whether a patch speaks of `metadata.managedFields`.
fn names_owners(patch: &Value) -> bool {
    match patch {
        Value::Array(operations) => operations.iter().any(|operation| {
            let path = |key: &str| operation[key].as_str().unwrap_or("-");
            let hits = |path: &str| {
                matches!(path, "" | "/metadata") || path.starts_with("/metadata/managedFields")
            };
            hits(path("path")) || hits(path("from"))
        }),
        patch => patch["metadata"].get("managedFields").is_some(),
    }
}

fn rejected_patch(error: PatchError) -> ApiError {
    if let PatchError::Malformed(detail) = &error {
        return ApiError::bad_request(format!("error decoding patch: {detail}"));
    }
    // The real server does not tell which operation failed.
    ApiError::new(
        422,
        "Invalid",
        "the server rejected our request due to an error in our request",
    )
}
