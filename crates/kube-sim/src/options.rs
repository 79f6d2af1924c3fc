//! How a write is to be carried out: the query parameters that create, update and patch share, and
//! the checks that k8s.io/apimachinery `meta/v1/validation` makes of them.

use std::sync::Arc;

use serde_json::Value;

use crate::hooks::Verb;
use crate::path::Query;
use crate::status_error::{ApiError, Cause};

/// Bound of a field manager's name (`FieldManagerMaxLength`).
const MAX_MANAGER_BYTES: usize = 128;
/// The manager of a client that tells nothing of itself.
const UNKNOWN_MANAGER: &str = "unknown";

/// What happens to fields that a type does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Validation {
    /// They are dropped.
    Ignore,
    /// They are dropped and warned of.
    #[default]
    Warn,
    /// They fail the request.
    Strict,
}

/// How a write is to be carried out.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteOptions {
    /// `dryRun=All`: everything but the commit.
    pub(crate) dry_run: bool,
    pub(crate) validation: Validation,
    /// Who owns what the write touches.
    pub(crate) manager: Arc<str>,
    /// Whether an apply takes fields from others.
    pub(crate) force: bool,
    /// Whether the body is a patch.
    pub(crate) patches: bool,
    /// What is to be said of keys that occur twice in the body.
    pub(crate) duplicates: Vec<String>,
}

impl WriteOptions {
    /// Reads the parameters of a write; `applies` says whether it is a server-side apply.
    pub(crate) fn read(
        verb: Verb,
        query: &Query,
        user_agent: &str,
        applies: bool,
    ) -> Result<Self, ApiError> {
        let mut causes = Vec::new();
        let force = query.get("force").map(|_| query.flag("force"));
        let manager = query.get("fieldManager").unwrap_or_default();
        if applies && manager.is_empty() {
            let detail = "is required for apply patch";
            causes.push(Cause::required("fieldManager", detail));
        }
        if force.is_some() && !applies && verb == Verb::Patch {
            let detail = "may not be specified for non-apply patch";
            causes.push(Cause::forbidden("force", detail));
        }
        check_manager(manager, &mut causes);
        if let Some(wanted) = query.get("dryRun").filter(|wanted| *wanted != "All") {
            let shown = Value::from(vec![wanted]);
            causes.push(Cause::unsupported("dryRun", &shown, &["All".to_owned()]));
        }
        let validation = match query.get("fieldValidation") {
            None | Some("Warn") => Validation::Warn,
            Some("Ignore") => Validation::Ignore,
            Some("Strict") => Validation::Strict,
            Some(other) => {
                let allowed = ["", "Ignore", "Strict", "Warn"].map(str::to_owned);
                causes.push(Cause::unsupported(
                    "fieldValidation",
                    &other.into(),
                    &allowed,
                ));
                Validation::Warn
            }
        };
        if !causes.is_empty() {
            let kind = match verb {
                Verb::Create => "CreateOptions",
                Verb::Update => "UpdateOptions",
                _ => "PatchOptions",
            };
            return Err(ApiError::invalid_options(kind, causes));
        }
        Ok(Self {
            dry_run: query.get("dryRun").is_some(),
            validation,
            manager: match manager {
                "" => manager_of(user_agent).into(),
                named => named.into(),
            },
            force: force == Some(true),
            patches: verb == Verb::Patch,
            duplicates: Vec::new(),
        })
    }
}

fn check_manager(manager: &str, causes: &mut Vec<Cause>) {
    if manager.len() > MAX_MANAGER_BYTES {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            field: "fieldManager".to_owned(),
            message: format!("Too long: may not be more than {MAX_MANAGER_BYTES} bytes"),
        });
    }
    if let Some((at, bad)) = manager.char_indices().find(|(_, c)| c.is_control()) {
        let detail = format!("invalid character U+{:04X} (at position {at})", bad as u32);
        causes.push(Cause::invalid("fieldManager", &manager.into(), &detail));
    }
}

/// The field manager of a client that names none: its user agent up to the first slash.
fn manager_of(user_agent: &str) -> String {
    let prefix = user_agent.split('/').next().unwrap_or_default();
    let mut name = String::new();
    for letter in prefix.chars().filter(|letter| !letter.is_control()) {
        if name.len() + letter.len_utf8() > MAX_MANAGER_BYTES {
            break;
        }
        name.push(letter);
    }
    if name.is_empty() {
        name.push_str(UNKNOWN_MANAGER);
    }
    name
}
