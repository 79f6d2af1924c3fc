//! From a request body to an object that may be stored: identity, pruning, defaults, validation.
//! Must never read stored objects.

use serde_json::{Value, json};

use crate::fields::builtin::object_meta;
use crate::fields::known;
use crate::options::{Validation, WriteOptions};
use crate::registry::Builtin;
use crate::status_error::{ApiError, Cause};
use crate::store::State;
use crate::write::Target;
use crate::{builtin, meta};

/// Checks kind, version, namespace and the shape of metadata, and normalizes metadata.
pub(crate) fn decode(target: &Target, body: &mut Value) -> Result<(), ApiError> {
    let info = &target.info;
    if body.is_null() && info.builtin.is_some() {
        *body = json!({});
    }
    if !body.is_object() {
        let found = "couldn't get version/kind; json parse error: not a JSON object";
        return Err(unrecognized(target, found, &body.to_string()));
    }
    check_identity(target, body)?;
    if body.get("metadata").is_none_or(Value::is_null) {
        body["metadata"] = json!({});
    }
    let (shape, part) = if info.builtin.is_some() {
        (&*target.version().shape, &*body)
    } else {
        (object_meta(), &body["metadata"])
    };
    known::check_types(shape, part).map_err(|detail| {
        let message = format!(
            "{} in version {:?} cannot be handled as a {}: {detail}",
            info.kind,
            target.version().name,
            info.kind
        );
        ApiError::bad_request(message)
    })?;
    let given = meta::text(body, "namespace");
    match target.namespace.as_deref() {
        Some(namespace) if given.is_empty() => body["metadata"]["namespace"] = namespace.into(),
        Some(namespace) if given != namespace => {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the \
                 request",
            ));
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

/// Checks `kind` and `apiVersion`; built-in types may leave them out.
fn check_identity(target: &Target, body: &mut Value) -> Result<(), ApiError> {
    let info = &target.info;
    let api_version = target.version().api_version.clone();
    for (field, wanted) in [("kind", &info.kind), ("apiVersion", &api_version)] {
        let found = body.get(field).and_then(Value::as_str).unwrap_or_default();
        if found == wanted {
            continue;
        }
        if found.is_empty() && info.builtin.is_some() {
            body[field] = wanted.as_str().into();
            continue;
        }
        if found.is_empty() {
            let name = if field == "kind" { "Kind" } else { field };
            let detail = format!("Object '{name}' is missing in '{body}'");
            return Err(unrecognized(target, &detail, &body.to_string()));
        }
        if info.builtin.is_none() {
            let detail = format!("must be {wanted}");
            let cause = Cause::invalid(field, &found.into(), &detail);
            let kind = match field {
                "kind" => found,
                _ => info.kind.as_str(),
            };
            let name = meta::text(body, "name");
            return Err(ApiError::invalid_kind(&info.group, kind, name, vec![cause]));
        }
        let text = |field: &str| body[field].as_str().unwrap_or_default();
        let (kind, version) = match text("kind") {
            "" => (info.kind.as_str(), text("apiVersion")),
            kind => (kind, text("apiVersion")),
        };
        let version = match version {
            "" => api_version.as_str(),
            version => version,
        };
        let short = version.rsplit('/').next().unwrap_or_default();
        return Err(ApiError::bad_request(format!(
            "{kind} in version {short:?} cannot be handled as a {}: no kind {kind:?} is registered \
             for version {version:?} in scheme \"pkg/runtime/scheme.go:111\"",
            info.kind
        )));
    }
    Ok(())
}

/// The answer to a body that is no object of any type.
pub(crate) fn unrecognized(target: &Target, detail: &str, text: &str) -> ApiError {
    const SHOWN_BYTES: usize = 25;
    let shown: String = text.chars().take(SHOWN_BYTES).collect();
    let dots = if shown.len() < text.len() { " ..." } else { "" };
    ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): {detail} ({shown}{dots})",
        target.info.kind
    ))
}

/// Prunes what the type does not know, tells it as the request wants, and fills in defaults.
pub(crate) fn shape(
    state: &mut State,
    target: &Target,
    body: &mut Value,
    options: &WriteOptions,
) -> Result<(), ApiError> {
    let version = target.version();
    let unknown = match &version.schema {
        Some(schema) => {
            let metadata = known::prune(object_meta(), &mut body["metadata"]);
            let metadata = metadata.into_iter().map(|path| format!("metadata.{path}"));
            let mut unknown: Vec<String> = metadata.chain(schema.prune(body)).collect();
            unknown.sort();
            unknown
        }
        None => known::prune(&version.shape, body),
    };
    meta::normalize(body);
    let unknown = unknown.iter().map(|path| format!("unknown field {path:?}"));
    let found: Vec<String> = options.duplicates.iter().cloned().chain(unknown).collect();
    match options.validation {
        _ if found.is_empty() => {}
        Validation::Ignore => {}
        Validation::Warn => state.warnings.extend(found),
        Validation::Strict => return Err(strict(target, body, &found, options)),
    }
    if let Some(schema) = &version.schema {
        schema.fill_defaults(body);
    }
    Ok(())
}

/// The answer to fields that must not be there.
fn strict(target: &Target, body: &Value, found: &[String], options: &WriteOptions) -> ApiError {
    let (yaml, json): (Vec<&String>, Vec<&String>) =
        found.iter().partition(|text| text.starts_with("line "));
    let mut texts: Vec<String> = Vec::new();
    if !yaml.is_empty() {
        let lines: Vec<String> = yaml.iter().map(|line| format!("  {line}")).collect();
        texts.push(format!("yaml: unmarshal errors:\n{}", lines.join("\n")));
    }
    texts.extend(json.into_iter().cloned());
    let detail = format!("strict decoding error: {}", texts.join(", "));
    if options.patches {
        let cause = Cause::invalid("patch", &body.to_string().into(), &detail);
        return ApiError::invalid_kind("", "", "", vec![cause]);
    }
    let kind = &target.info.kind;
    let version = &target.version().name;
    ApiError::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a {kind}: {detail}"
    ))
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
