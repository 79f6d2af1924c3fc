//! Every condition that the operator sets, as data: kind, type, polarity, reasons. Documentation
//! and the derivation of `Ready` read this table; it decides nothing.

mod credentials;
mod fleet;
mod others;
mod written;

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{schema, time};

/// How to read the status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// True is good.
    Positive,
    /// True is bad.
    Negative,
    /// Neither is good or bad: it tells a state.
    Neutral,
}

/// A condition that the operator sets on one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConditionType {
    /// Kind of the object, such as `HotpatchFleet`.
    pub kind: &'static str,
    /// Type of the condition, such as `Ready`.
    pub name: &'static str,
    /// How to read its status.
    pub polarity: Polarity,
    /// Whether `Ready` is True only while this is True.
    pub feeds_ready: bool,
    /// What the condition speaks of, in one line.
    pub meaning: &'static str,
    /// Every reason it is set with.
    pub reasons: &'static [Reason],
}

/// A reason that a condition is set with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Status that the condition has with this reason: `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// The reason, one CamelCase word.
    pub name: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
}

const fn yes(name: &'static str, meaning: &'static str) -> Reason {
    reason("True", name, meaning)
}

const fn no(name: &'static str, meaning: &'static str) -> Reason {
    reason("False", name, meaning)
}

const fn unknown(name: &'static str, meaning: &'static str) -> Reason {
    reason("Unknown", name, meaning)
}

const fn reason(status: &'static str, name: &'static str, meaning: &'static str) -> Reason {
    Reason {
        status,
        name,
        meaning,
    }
}

/// The one table of conditions, by kind.
pub const TABLE: &[&[ConditionType]] = &[
    fleet::CONDITIONS,
    others::WINDOW,
    others::POLICY,
    others::REQUEST,
    written::RUN,
    written::MACHINE,
];

/// Walks the whole table in its order.
pub fn all() -> impl Iterator<Item = &'static ConditionType> {
    TABLE.iter().flat_map(|conditions| conditions.iter())
}

/// Finds the row of a condition; `None` for one that the operator does not set, such as a run gate.
pub fn find(kind: &str, name: &str) -> Option<&'static ConditionType> {
    all().find(|row| row.kind == kind && row.name == name)
}

/// Status, reason and message that a condition should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Type of the condition.
    pub name: &'static str,
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// One CamelCase word of the table.
    pub reason: &'static str,
    /// Details for people; cut to [`schema::MAX_MESSAGE`] characters.
    pub message: String,
}

/// Sets one condition in place; conditions of other types are left alone, also unknown ones.
///
/// `lastTransitionTime` moves only when the status changes. Returns whether anything changed.
pub fn set_condition(
    conditions: &mut Vec<Condition>,
    finding: Finding,
    generation: Option<i64>,
    now: DateTime<Utc>,
) -> bool {
    let mut wanted = Condition {
        type_: finding.name.to_owned(),
        status: finding.status.to_owned(),
        reason: finding.reason.to_owned(),
        message: bounded(finding.message),
        observed_generation: generation,
        last_transition_time: time::to_k8s(now),
    };
    match conditions.iter_mut().find(|c| c.type_ == finding.name) {
        Some(present) => {
            if present.status == wanted.status {
                wanted.last_transition_time = present.last_transition_time.clone();
            }
            let changed = *present != wanted;
            *present = wanted;
            changed
        }
        None => {
            conditions.push(wanted);
            true
        }
    }
}

/// Cuts a message to the bound of the schema, marking the cut.
fn bounded(mut message: String) -> String {
    let max = schema::MAX_MESSAGE as usize;
    if let Some((cut, _)) = message.char_indices().nth(max) {
        let keep = message[..cut]
            .char_indices()
            .nth_back(0)
            .map_or(0, |(i, _)| i);
        message.truncate(keep);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests;
