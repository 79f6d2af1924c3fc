//! `metav1.Status` failures: the only error a client ever sees. Holds codes, reasons and the
//! wording of the real API server (k8s.io/apimachinery `api/errors`); it must never decide when a
//! request fails.

use serde_json::{Value, json};
use thiserror::Error;

use crate::registry::{Builtin, TypeInfo};

const NO_SUCH_PATH: &str = "the server could not find the requested resource";

/// How the real server writes the path of the whole object.
pub(crate) const WHOLE: &str = "<nil>";

/// One entry of `details.causes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Machine-readable kind, such as `FieldValueInvalid`.
    pub(crate) reason: &'static str,
    /// Path of the field, such as `spec.size`.
    pub(crate) field: String,
    /// Text without the path.
    pub(crate) message: String,
}

impl Cause {
    /// Names a value that is not acceptable.
    pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        let shown = shown(value);
        Self {
            reason: "FieldValueInvalid",
            field: field.into(),
            message: format!("Invalid value: {shown}: {detail}"),
        }
    }

    /// Names a value of the wrong type or format.
    pub(crate) fn mistyped(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self {
            reason: "FieldValueTypeInvalid",
            ..Self::invalid(field, value, detail)
        }
    }

    /// Names a value that is not acceptable and too large to show.
    pub(crate) fn invalid_unshown(field: impl Into<String>, detail: &str) -> Self {
        Self {
            reason: "FieldValueInvalid",
            field: field.into(),
            message: format!("Invalid value: {detail}"),
        }
    }

    /// Says of the whole object that something was left out.
    pub(crate) fn invalid_raw_null(detail: &str) -> Self {
        Self {
            reason: "FieldValueInvalid",
            field: WHOLE.to_owned(),
            message: format!("Invalid value: null: {detail}"),
        }
    }

    /// Names a field that must be there.
    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        let message = match detail {
            "" => "Required value".to_owned(),
            detail => format!("Required value: {detail}"),
        };
        Self {
            reason: "FieldValueRequired",
            field: field.into(),
            message,
        }
    }

    /// Names a field that may not be set or changed.
    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        let message = format!("Forbidden: {detail}");
        Self {
            reason: "FieldValueForbidden",
            field: field.into(),
            message,
        }
    }

    /// Names a value outside an enumeration.
    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, allowed: &[String]) -> Self {
        let allowed: Vec<String> = allowed.iter().map(|a| format!("{a:?}")).collect();
        let message = format!(
            "Unsupported value: {}: supported values: {}",
            shown(value),
            allowed.join(", ")
        );
        Self {
            reason: "FieldValueNotSupported",
            field: field.into(),
            message,
        }
    }

    /// Names a value that occurs twice.
    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        let message = format!("Duplicate value: {}", shown(value));
        Self {
            reason: "FieldValueDuplicate",
            field: field.into(),
            message,
        }
    }

    fn line(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }
}

/// Shows a value as the Go API machinery prints it: scalars as JSON, composites as JSON in quotes.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "\"null\"".to_owned(),
        other => other.to_string(),
    }
}

/// A failed request, in the shape of `metav1.Status`.
#[derive(Clone, Debug, Error)]
#[error("{reason} ({code}): {message}")]
pub(crate) struct ApiError {
    /// HTTP status code.
    pub(crate) code: u16,
    /// `metav1.StatusReason`.
    pub(crate) reason: String,
    /// Text for people.
    pub(crate) message: String,
    /// Resource group and kind or plural, with the object's name, when known.
    pub(crate) subject: Option<Box<Subject>>,
    /// Field errors.
    pub(crate) causes: Vec<Cause>,
    /// Seconds to wait before another attempt, when the server asks for it.
    pub(crate) retry_after_seconds: Option<u32>,
    /// Whether empty details are told.
    generic: bool,
}

/// What a failure is about.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) kind: String,
}

impl ApiError {
    pub(crate) fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
            message: message.into(),
            subject: None,
            causes: Vec::new(),
            retry_after_seconds: None,
            generic: false,
        }
    }

    /// Marks an answer that the real server makes from the HTTP code alone: its details are
    /// there, and empty.
    pub(crate) fn generic(mut self) -> Self {
        self.generic = true;
        self
    }

    pub(crate) fn about(mut self, name: &str, group: &str, kind: &str) -> Self {
        self.subject = Some(Box::new(Subject {
            name: name.to_owned(),
            group: group.to_owned(),
            kind: kind.to_owned(),
        }));
        self
    }

    fn about_resource(self, info: &TypeInfo, name: &str) -> Self {
        self.about(name, &info.group, &info.plural)
    }

    pub(crate) fn not_found(info: &TypeInfo, name: &str) -> Self {
        let message = format!("{} {name:?} not found", info.qualified);
        Self::new(404, "NotFound", message).about_resource(info, name)
    }

    /// Something of the core group that does not exist.
    pub(crate) fn not_found_named(plural: &str, name: &str) -> Self {
        let message = format!("{plural} {name:?} not found");
        Self::new(404, "NotFound", message).about(name, "", plural)
    }

    pub(crate) fn namespace_not_found(name: &str) -> Self {
        Self::new(404, "NotFound", format!("namespaces {name:?} not found")).about(
            name,
            "",
            "namespaces",
        )
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "NotFound", NO_SUCH_PATH).generic()
    }

    /// Whether the request led nowhere, which the real server answers in plain text.
    pub(crate) fn is_no_such_path(&self) -> bool {
        self.code == 404 && self.message == NO_SUCH_PATH
    }

    pub(crate) fn already_exists(info: &TypeInfo, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", info.qualified);
        Self::new(409, "AlreadyExists", message).about_resource(info, name)
    }

    pub(crate) fn conflict(info: &TypeInfo, name: &str, detail: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: {detail}",
            info.qualified
        );
        Self::new(409, "Conflict", message).about_resource(info, name)
    }

    /// A conflict that the real server tells of the kind instead of the resource.
    pub(crate) fn conflict_of_kind(info: &TypeInfo, name: &str, detail: &str) -> Self {
        let kind = match info.group.as_str() {
            "" => info.kind.clone(),
            group => format!("{}.{group}", info.kind),
        };
        let message = format!("Operation cannot be fulfilled on {kind} {name:?}: {detail}");
        Self::new(409, "Conflict", message).about(name, &info.group, &info.kind)
    }

    pub(crate) fn modified(info: &TypeInfo, name: &str) -> Self {
        let detail = "the object has been modified; please apply your changes to the latest \
                      version and try again";
        Self::conflict(info, name, detail)
    }

    pub(crate) fn invalid(info: &TypeInfo, name: &str, causes: Vec<Cause>) -> Self {
        // Events are validated as the core group's, by whichever door they come.
        let group = match info.builtin {
            Some(Builtin::Event) => "",
            _ => info.group.as_str(),
        };
        Self::invalid_kind(group, &info.kind, name, causes)
    }

    /// Field errors of an object of any kind.
    pub(crate) fn invalid_kind(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for line in causes.iter().map(Cause::line) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let text = match lines.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let shown = match group {
            "" => kind.to_owned(),
            group => format!("{kind}.{group}"),
        };
        let message = format!("{shown} {name:?} is invalid: {text}");
        let mut error = Self::new(422, "Invalid", message).about(name, group, kind);
        error.causes = causes;
        error
    }

    /// Field errors that the generic update finds, which names the resource and not the kind.
    pub(crate) fn invalid_resource(info: &TypeInfo, name: &str, causes: Vec<Cause>) -> Self {
        Self::invalid_kind(&info.group, &info.plural, name, causes)
    }

    /// Query parameters that are not acceptable; `kind` is such as `PatchOptions`.
    pub(crate) fn invalid_options(kind: &str, causes: Vec<Cause>) -> Self {
        Self::invalid_kind("meta.k8s.io", kind, "", causes)
    }

    pub(crate) fn forbidden(info: &TypeInfo, name: &str, detail: &str) -> Self {
        let message = format!("{} {name:?} is forbidden: {detail}", info.qualified);
        Self::new(403, "Forbidden", message).about_resource(info, name)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message).generic()
    }

    pub(crate) fn unsupported_media_type(accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: \
             {accepted}"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// The failure as the JSON a client receives.
    pub(crate) fn to_json(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.as_str().into();
        }
        let mut details = serde_json::Map::new();
        if let Some(subject) = &self.subject {
            for (key, text) in [
                ("name", &subject.name),
                ("group", &subject.group),
                ("kind", &subject.kind),
            ] {
                if !text.is_empty() {
                    details.insert(key.to_owned(), text.clone().into());
                }
            }
        }
        if !self.causes.is_empty() {
            let causes = self.causes.iter().map(|cause| {
                let mut shown = json!({"reason": cause.reason, "message": cause.message});
                if !cause.field.is_empty() {
                    shown["field"] = cause.field.as_str().into();
                }
                shown
            });
            details.insert("causes".to_owned(), causes.collect());
        }
        if let Some(seconds) = self.retry_after_seconds {
            details.insert("retryAfterSeconds".to_owned(), seconds.into());
        }
        if self.generic || !details.is_empty() {
            status["details"] = details.into();
        }
        status
    }
}
