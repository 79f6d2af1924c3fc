//! Schema fragments that all kinds share: bounded strings, durations, dates, counts or
//! percentages, conditions. Bounds keep the API server's cost estimate for CEL small.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Most conditions of one object.
pub const MAX_CONDITIONS: u32 = 32;
/// Longest message of a condition or status field, in characters.
pub const MAX_MESSAGE: u32 = 1024;
/// Longest Azure resource id that is accepted, in characters.
pub const MAX_RESOURCE_ID: u32 = 512;
/// Most machines of one run.
pub const MAX_RUN_MACHINES: u32 = 250;
/// Most stages of one policy.
pub const MAX_STAGES: u32 = 16;

/// Go-style durations in hours, minutes and seconds, in this order; ISO 8601 is not accepted.
const DURATION: &str = "^([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$";
const DATE: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";
const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const SUBDOMAIN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const RESOURCE_ID: &str = "^(?i)/subscriptions/[^/]+/.+$";
const DECIMAL: &str = "^-?[0-9]{1,12}([.][0-9]{1,9})?$";
const CONDITION_TYPE: &str =
    "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";
const RELEASE: &str =
    "^([a-z0-9]+-[0-9]{4}-[0-9]{2}-[0-9]{2}(-[0-9]{1,2})?|[0-9]{4}-(0[1-9]|1[0-2]))$";

fn ruled(mut schema: Schema, rule: &str, message: &str) -> Schema {
    let rules = json!([{"rule": rule, "message": message}]);
    schema.insert("x-kubernetes-validations".to_owned(), rules);
    schema
}

fn matches(pattern: &str) -> String {
    format!("self.matches('{pattern}')")
}

fn text(max: u32) -> Schema {
    json_schema!({"type": "string", "maxLength": max})
}

/// A duration such as `24h`, `10m` or `1h30m`.
pub(crate) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": DURATION, "minLength": 2, "maxLength": 16})
}

/// How long a window stays open.
pub(crate) fn window_duration(generator: &mut SchemaGenerator) -> Schema {
    // The pattern comes first: what is no duration must not fail with an error of the function.
    let rule = format!(
        "size(self) > 1 && {} && duration(self) >= duration('40m') && \
         duration(self) <= duration('48h')",
        matches(DURATION)
    );
    ruled(
        duration(generator),
        &rule,
        "duration must be between 40m and 48h, such as \"4h\" or \"1h30m\": one installation needs \
         at least 40 minutes",
    )
}

/// Whole days or hours, such as `7d` or `36h`.
pub(crate) fn days_or_hours(_: &mut SchemaGenerator) -> Schema {
    let pattern = "^[1-9][0-9]{0,3}[dh]$";
    json_schema!({"type": "string", "pattern": pattern, "maxLength": 5})
}

/// A calendar date, `YYYY-MM-DD`.
pub(crate) fn date(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": DATE, "maxLength": 10})
}

/// A decimal number in a string, so that no reader rounds it.
pub(crate) fn decimal(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": DECIMAL, "maxLength": 24})
}

/// A count (0 or more) or a percentage (`1%` to `100%`).
///
/// The rule lists the hundred words instead of matching a pattern: the API server takes a string
/// in an int-or-string for 3 MB long and would refuse a pattern inside a list as too costly. It
/// asks for the type by comparing with the text, as the engine of the offline tests knows no
/// `type()`.
pub(crate) fn count_or_percent(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<String> = (1..=100).map(|n| format!("'{n}%'")).collect();
    let words = words.join(",");
    let rule = format!("self in [string(self)] ? self in [{words}] : self >= 0");
    ruled(
        json_schema!({"x-kubernetes-int-or-string": true, "maxLength": 16}),
        &rule,
        "must be a whole number from 0 (0 = nothing) or a percentage from \"1%\" to \"100%\"; \
         write 0 where you mean nothing, \"0%\" is refused",
    )
}

/// The name of an object of the same namespace.
pub(crate) fn object_name(_: &mut SchemaGenerator) -> Schema {
    ruled(
        json_schema!({"type": "string", "minLength": 1, "maxLength": 253}),
        &matches(SUBDOMAIN),
        "must be the name of an object in this namespace: lower case letters, digits, '-' and '.', \
         with a letter or digit at both ends",
    )
}

/// A short name: one DNS label.
pub(crate) fn label(_: &mut SchemaGenerator) -> Schema {
    ruled(
        json_schema!({"type": "string", "minLength": 1, "maxLength": 63}),
        &matches(LABEL),
        "must be a DNS label: lower case letters, digits and '-', with a letter or digit at both \
         ends, such as 'canary'",
    )
}

/// A list of stage names.
pub(crate) fn stage_names(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": label(generator),
        "maxItems": MAX_STAGES,
        "x-kubernetes-list-type": "set",
    })
}

/// A release: a month for all tracks, or one release id.
pub(crate) fn release(_: &mut SchemaGenerator) -> Schema {
    ruled(
        text(64),
        &matches(RELEASE),
        "must be a month for all tracks, such as '2026-10', or one release id, such as \
         'ws2025-2026-10-13'",
    )
}

/// An Azure resource id.
pub(crate) fn resource_id(_: &mut SchemaGenerator) -> Schema {
    ruled(
        text(MAX_RESOURCE_ID),
        &matches(RESOURCE_ID),
        "must be a whole Azure resource id, starting with '/subscriptions/'",
    )
}

/// The type of a condition, qualified or not.
pub(crate) fn condition_type(_: &mut SchemaGenerator) -> Schema {
    ruled(
        text(316),
        &matches(CONDITION_TYPE),
        "must be a condition type, such as 'example.com/Drained'",
    )
}

/// The conditions of an object, as a list map by `type`, with every string bounded.
///
/// `k8s_openapi`'s own schema has no bounds; these are the bounds of `metav1.Condition` in Go,
/// with a shorter message.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_CONDITIONS,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": condition(),
    })
}

fn condition() -> Value {
    json!({
        "type": "object",
        "required": ["lastTransitionTime", "message", "reason", "status", "type"],
        "properties": {
            "type": {
                "type": "string",
                "maxLength": 316,
                "pattern": CONDITION_TYPE,
                "description": "Type of the condition, in CamelCase or as example.com/CamelCase.",
            },
            "status": {
                "type": "string",
                "enum": ["True", "False", "Unknown"],
                "description": "Status of the condition: True, False or Unknown.",
            },
            "reason": {
                "type": "string",
                "minLength": 1,
                "maxLength": 256,
                "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                "description": "Why the condition has this status, as one CamelCase word.",
            },
            "message": {
                "type": "string",
                "maxLength": MAX_MESSAGE,
                "description": "Details for people; may be empty.",
            },
            "lastTransitionTime": {
                "type": "string",
                "format": "date-time",
                "description": "When the status last changed.",
            },
            "observedGeneration": {
                "type": "integer",
                "format": "int64",
                "minimum": 0,
                "description": "Generation of the object (metadata.generation) that the condition \
                                was computed from.",
            },
        },
    })
}
