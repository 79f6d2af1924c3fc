//! From a request body to an object that may be stored: identity, pruning, defaults, validation.
//! Must never read stored state.

use serde_json::{Value, json};

use crate::registry::Builtin;
use crate::status_error::{ApiError, Cause};
use crate::write::{Target, WriteOptions};
use crate::{builtin, meta};

/// Checks kind, version, namespace and the shape of metadata, and normalizes metadata.
pub(crate) fn decode(target: &Target, body: &mut Value) -> Result<(), ApiError> {
    let info = &target.info;
    let wanted = (info.kind.clone(), target.version().api_version.clone());
    if !body.is_object() {
        let found = "couldn't get version/kind; json parse error: not a JSON object";
        return Err(ApiError::bad_request(found));
    }
    for (field, wanted) in [("kind", &wanted.0), ("apiVersion", &wanted.1)] {
        match body.get(field).and_then(Value::as_str) {
            None | Some("") if info.builtin.is_some() => body[field] = wanted.as_str().into(),
            None | Some("") => {
                return Err(ApiError::bad_request(format!(
                    "Object '{}' is missing in '{body}'",
                    if field == "kind" {
                        "Kind"
                    } else {
                        "apiVersion"
                    }
                )));
            }
            Some(found) if found == wanted => {}
            Some(found) => {
                return Err(ApiError::bad_request(format!(
                    "the {field} in the data ({found}) does not match the expected {field} \
                     ({wanted})"
                )));
            }
        }
    }
    if body.get("metadata").is_none_or(Value::is_null) {
        body["metadata"] = json!({});
    }
    meta::check_shape(body).map_err(|detail| {
        let message = format!(
            "{} in version {:?} cannot be handled as a {}: {detail}",
            info.kind,
            target.version().name,
            info.kind
        );
        ApiError::bad_request(message)
    })?;
    meta::normalize(body);
    let given = meta::text(body, "namespace");
    match target.namespace.as_deref() {
        Some(namespace) if given.is_empty() => body["metadata"]["namespace"] = namespace.into(),
        Some(namespace) if given != namespace => {
            return Err(ApiError::bad_request(format!(
                "the namespace of the provided object does not match the namespace sent on the \
                 request ({given} != {namespace})"
            )));
        }
        None => {
            body["metadata"]
                .as_object_mut()
                .map(|meta| meta.remove("namespace"));
        }
        Some(_) => {}
    }
    Ok(())
}

/// Prunes what the schema does not know and fills in its defaults.
pub(crate) fn shape(
    target: &Target,
    body: &mut Value,
    options: WriteOptions,
) -> Result<(), ApiError> {
    let version = target.version();
    let Some(schema) = &version.schema else {
        return Ok(());
    };
    let unknown = schema.prune(body);
    if options.strict && !unknown.is_empty() {
        let fields: Vec<String> = unknown
            .iter()
            .map(|path| format!("unknown field {path:?}"))
            .collect();
        return Err(ApiError::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
            target.info.kind,
            version.name,
            target.info.kind,
            fields.join(", ")
        )));
    }
    schema.fill_defaults(body);
    Ok(())
}

/// Everything that is wrong with a new or changed object.
pub(crate) fn validate(target: &Target, new: &Value, old: Option<&Value>) -> Vec<Cause> {
    let info = &target.info;
    let mut causes = Vec::new();
    if old.is_none() {
        let name = meta::text(new, "name");
        if name.is_empty() {
            let detail = "name or generateName is required";
            causes.push(Cause::required("metadata.name", detail));
        } else {
            let label = info.builtin == Some(Builtin::Namespace);
            meta::validate_name(name, label, &mut causes);
        }
    }
    if old.is_none_or(|old| old["metadata"] != new["metadata"]) {
        meta::validate(new, &mut causes);
    }
    if let Some(old) = old.filter(|old| meta::deleting(old)) {
        let had = meta::finalizers(old);
        let added: Vec<&str> = meta::finalizers(new)
            .into_iter()
            .filter(|name| !had.contains(name))
            .collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new \
                 finalizers []string{{{}}}",
                added
                    .iter()
                    .map(|name| format!("{name:?}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            causes.push(Cause::forbidden("metadata.finalizers", &detail));
        }
    }
    if let Some(schema) = &target.version().schema {
        schema.validate(new, old, &mut causes);
    }
    builtin::validate(info, new, old, &mut causes);
    causes
}

/// Whether an object has the name in the URL.
pub(crate) fn check_name(object: &Value, name: &str) -> Result<(), ApiError> {
    let given = meta::text(object, "name");
    if given.is_empty() || given == name {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "the name of the object ({given}) does not match the name on the URL ({name})"
    )))
}
