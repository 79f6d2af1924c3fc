//! Server-side apply: from a configuration to the object it becomes part of. Follows
//! k8s.io/apiserver `endpoints/handlers/patch.go` `applyPatcher`; what is merged and who is in
//! conflict is decided in [`crate::fields`].

use serde_json::{Value, json};

use crate::fields::apply::{Apply, Conflict, check};
use crate::fields::managed::Managed;
use crate::object::Object;
use crate::options::{Validation, WriteOptions};
use crate::status_error::{ApiError, Cause};
use crate::track;
use crate::write::{Target, check_name};

/// The object that an apply wants, with its owners; `live` is absent when it is to be created.
pub(crate) fn apply(
    target: &Target,
    live: Option<&Object>,
    config: &Value,
    options: &WriteOptions,
    now: &str,
) -> Result<(Value, Managed), ApiError> {
    let mut config = config.clone();
    check_identity(target, &config)?;
    if !config["metadata"]["managedFields"].is_null() {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    if !config["metadata"].is_object() {
        config["metadata"] = json!({});
    }
    let version = target.version();
    let errors = check(&version.shape, &config);
    if !errors.is_empty() {
        return Err(untyped(target, &config, &errors));
    }
    check_name(&config, target.named()?)?;
    config["metadata"]["name"] = target.named()?.into();
    if let Some(namespace) = &target.namespace {
        config["metadata"]["namespace"] = namespace.as_str().into();
    }
    let blank = Object::from(json!({
        "apiVersion": config["apiVersion"],
        "kind": config["kind"],
        "metadata": {},
    }));
    let live = live.unwrap_or(&blank);
    let subresource = target.subresource.as_deref().unwrap_or_default();
    let applied = Apply {
        shape: &version.shape,
        live,
        managed: &live.managed,
        config: &config,
        writer: &track::writer(target, &options.manager),
        force: options.force,
        owned: &|set| track::ownable(&target.info, target.version, subresource, set),
        now: &now.into(),
    };
    applied.run().map_err(|conflicts| refused(&conflicts))
}

/// Refuses a configuration with keys that occur twice, where the request is strict.
pub(crate) fn check_duplicates(options: &WriteOptions) -> Result<(), ApiError> {
    if options.validation != Validation::Strict || options.duplicates.is_empty() {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  {}",
        options.duplicates.join("\n  ")
    )))
}

fn check_identity(target: &Target, config: &Value) -> Result<(), ApiError> {
    let text = |field: &str| config[field].as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if api_version == target.version().api_version && kind == target.info.kind {
        return Ok(());
    }
    let group_version = if api_version.contains('/') {
        api_version.to_owned()
    } else {
        format!("/{api_version}")
    };
    Err(ApiError::bad_request(format!(
        "invalid object type: {group_version}, Kind={kind}"
    )))
}

/// The answer to a configuration that is not of its type; the real server gives it no reason.
fn untyped(target: &Target, config: &Value, errors: &[String]) -> ApiError {
    let detail = match errors {
        [one] => one.clone(),
        many => {
            let lines: Vec<String> = many.iter().map(|error| format!("  {error}")).collect();
            format!("errors:\n{}", lines.join("\n"))
        }
    };
    let text = |field: &str| config["metadata"][field].as_str().unwrap_or_default();
    let api_version = &target.version().api_version;
    let api_version = match target.info.group.as_str() {
        "" => format!("/{api_version}"),
        _ => api_version.clone(),
    };
    let message = format!(
        "failed to create typed patch object ({}/{}; {api_version}, Kind={}): {detail}",
        text("namespace"),
        text("name"),
        target.info.kind,
    );
    ApiError::new(500, "", message)
}

fn refused(conflicts: &[Conflict]) -> ApiError {
    let count: usize = conflicts.iter().map(|conflict| conflict.fields.len()).sum();
    let message = match conflicts {
        [only] if count == 1 => format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            only.with, only.fields[0]
        ),
        many => {
            let mut sorted: Vec<&Conflict> = many.iter().collect();
            sorted.sort_by(|a, b| a.with.cmp(&b.with));
            let mut lines = Vec::new();
            for conflict in sorted {
                lines.push(format!("conflicts with {}:", conflict.with));
                lines.extend(conflict.fields.iter().map(|field| format!("- {field}")));
            }
            format!("Apply failed with {count} conflicts: {}", lines.join("\n"))
        }
    };
    let mut error = ApiError::new(409, "Conflict", message);
    for conflict in conflicts {
        let causes = conflict.fields.iter().map(|field| Cause {
            reason: "FieldManagerConflict",
            field: field.clone(),
            message: format!("conflict with {}", conflict.with),
        });
        error.causes.extend(causes);
    }
    error
}
