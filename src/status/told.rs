//! The conditions of one object while they are set, each by the words of the table.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::text;
use crate::api::conditions::{self, Finding};
use crate::api::schema::MAX_MESSAGE;

/// The conditions of an object: those it had, changed one by one.
pub(super) struct Told<'a> {
    kind: &'a str,
    conditions: Vec<Condition>,
    generation: Option<i64>,
    now: DateTime<Utc>,
}

impl<'a> Told<'a> {
    /// Starts from the conditions that the object has; those of others stay as they are.
    pub(super) fn new(
        kind: &'a str,
        previous: Vec<Condition>,
        generation: Option<i64>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            kind,
            conditions: previous,
            generation,
            now,
        }
    }

    /// Returns the kind of the object.
    pub(super) fn kind(&self) -> &'a str {
        self.kind
    }

    /// Sets one condition.
    pub(super) fn say(
        &mut self,
        name: &'static str,
        status: &'static str,
        reason: &'static str,
        message: impl AsRef<str>,
    ) {
        debug_assert!(
            has_reason(self.kind, name, status, reason),
            "{} {name}={status} {reason} is not in the table",
            self.kind
        );
        let message = text::line(message.as_ref(), MAX_MESSAGE as usize);
        let finding = Finding {
            name,
            status,
            reason,
            message,
        };
        conditions::set_condition(&mut self.conditions, finding, self.generation, self.now);
    }

    /// Returns status, reason and message of a condition.
    pub(super) fn get(&self, name: &str) -> Option<(&str, &str, &str)> {
        let found = self.conditions.iter().find(|own| own.type_ == name)?;
        Some((&found.status, &found.reason, &found.message))
    }

    /// Tells whether a condition has a status.
    pub(super) fn is(&self, name: &str, status: &str) -> bool {
        self.get(name).is_some_and(|(own, _, _)| own == status)
    }

    /// Sets a condition again as it stands, for the present generation.
    pub(super) fn keep(&mut self, name: &str) {
        let generation = self.generation;
        if let Some(own) = self.conditions.iter_mut().find(|own| own.type_ == name) {
            own.observed_generation = generation;
        }
    }

    /// Sets `NotYetSupported` from what the spec asks for and this version does not do.
    pub(super) fn unsupported(&mut self, fields: &[String]) {
        if fields.is_empty() {
            let text = "Every field has its effect.";
            self.say("NotYetSupported", "False", "AllSupported", text);
        } else {
            let text = format!("Read, but without effect yet: {}.", fields.join("; "));
            self.say("NotYetSupported", "True", "FieldsIgnored", text);
        }
    }

    /// Returns all conditions.
    pub(super) fn into_conditions(self) -> Vec<Condition> {
        self.conditions
    }
}

/// Tells whether the table has a reason.
fn has_reason(kind: &str, name: &str, status: &str, reason: &str) -> bool {
    table_reason(kind, name, status, reason).is_some()
}

/// Returns a reason as the table has it.
pub(super) fn table_reason(
    kind: &str,
    name: &str,
    status: &str,
    reason: &str,
) -> Option<&'static str> {
    let row = conditions::find(kind, name)?;
    row.reasons
        .iter()
        .find(|own| own.status == status && own.name == reason)
        .map(|own| own.name)
}
