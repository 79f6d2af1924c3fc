//! What is worth an event: conditions that turned, and machines of a run that moved on.
//!
//! Aggregated: one event a condition and one a kind of step in a run, whatever the number of
//! machines; names are listed up to a bound.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::next::so_far;
use super::text;
use crate::api::fleet::HotpatchFleetStatus;
use crate::domain::machine::MachineId;
use crate::domain::run::{Progress, Run, RunEnd, Step, is_held};

/// The longest note of an event, in bytes (events.k8s.io/v1: less than 1 KiB).
pub const NOTE_BYTES_MAX: usize = 1_023;

/// Whether an event calls for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HappeningKind {
    /// It does not.
    Normal,
    /// It does.
    Warning,
}

/// Something worth an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Why, one CamelCase word.
    pub reason: &'static str,
    /// What the operator was doing, one CamelCase word.
    pub action: &'static str,
    /// Whether it calls for somebody.
    pub kind: HappeningKind,
    /// The same for people, at most [`NOTE_BYTES_MAX`] bytes.
    pub note: String,
}

impl Happening {
    fn new(
        reason: &'static str,
        action: &'static str,
        kind: HappeningKind,
        note: impl AsRef<str>,
    ) -> Self {
        Self {
            reason,
            action,
            kind,
            note: text::bytes(note.as_ref(), NOTE_BYTES_MAX),
        }
    }
}

/// When a condition of a fleet is worth an event.
struct Watch {
    name: &'static str,
    status: &'static str,
    /// Only with one of these reasons; empty means any.
    reasons: &'static [&'static str],
    /// Only where the condition had this status before; none means any other state, also none.
    from: Option<&'static str>,
    reason: &'static str,
    action: &'static str,
    kind: HappeningKind,
}

const fn alarm(
    name: &'static str,
    status: &'static str,
    reason: &'static str,
    action: &'static str,
) -> Watch {
    let kind = HappeningKind::Warning;
    Watch {
        name,
        status,
        reasons: &[],
        from: None,
        reason,
        action,
        kind,
    }
}

const fn relief(
    name: &'static str,
    (from, status): (&'static str, &'static str),
    reason: &'static str,
    action: &'static str,
) -> Watch {
    let kind = HappeningKind::Normal;
    Watch {
        name,
        status,
        reasons: &[],
        from: Some(from),
        reason,
        action,
        kind,
    }
}

const WATCHES: [Watch; 17] = [
    alarm("Stalled", "True", "Stalled", "Validate"),
    relief("Stalled", ("True", "False"), "SpecAccepted", "Validate"),
    alarm("ResolvedRefs", "False", "RefsNotResolved", "Validate"),
    relief(
        "ResolvedRefs",
        ("False", "True"),
        "RefsResolved",
        "Validate",
    ),
    alarm(
        "CredentialsValid",
        "False",
        "CredentialsNotValid",
        "Authenticate",
    ),
    relief(
        "CredentialsValid",
        ("False", "True"),
        "CredentialsValid",
        "Authenticate",
    ),
    alarm("Discovered", "False", "NotDiscovered", "Discover"),
    relief("Discovered", ("False", "True"), "Discovered", "Discover"),
    Watch {
        reasons: &["SettingsRefused"],
        ..alarm("Enrolled", "False", "SettingsRefused", "Enrol")
    },
    alarm("Compliant", "False", "NotCompliant", "Judge"),
    Watch {
        reasons: &["NoWindow", "NeverOpens"],
        ..alarm("WindowOpen", "False", "NoWindow", "Plan")
    },
    alarm("Halted", "True", "Halted", "Roll"),
    relief("Halted", ("True", "False"), "HaltEnded", "Roll"),
    Watch {
        kind: HappeningKind::Normal,
        ..alarm("Paused", "True", "Paused", "Roll")
    },
    relief("Paused", ("True", "False"), "Resumed", "Roll"),
    alarm("NotYetSupported", "True", "NotYetSupported", "Validate"),
    Watch {
        reasons: &["NoWindowInTime", "BudgetNothing"],
        ..alarm("Feasible", "False", "NotFeasible", "Plan")
    },
];

/// Returns what is worth an event between two statuses of a fleet.
///
/// An event comes when a condition enters its state, or changes its reason in it; not while it
/// stays. A fleet that is seen for the first time tells only what is wrong with it.
pub fn fleet_events(
    before: Option<&HotpatchFleetStatus>,
    after: &HotpatchFleetStatus,
) -> Vec<Happening> {
    let old = before.map_or(&[][..], |own| own.conditions.as_slice());
    let mut events: Vec<Happening> = WATCHES
        .iter()
        .filter_map(|watch| {
            let own = find(&after.conditions, watch.name)?;
            entered(watch, find(old, watch.name), own)
                .then(|| Happening::new(watch.reason, watch.action, watch.kind, &own.message))
        })
        .collect();
    if let Some(before) = before {
        events.extend(completed(before, after));
    }
    events
}

fn find<'a>(conditions: &'a [Condition], name: &str) -> Option<&'a Condition> {
    conditions.iter().find(|own| own.type_ == name)
}

fn entered(watch: &Watch, before: Option<&Condition>, after: &Condition) -> bool {
    let watched = |own: &Condition| {
        own.status == watch.status
            && (watch.reasons.is_empty() || watch.reasons.contains(&own.reason.as_str()))
    };
    if !watched(after) {
        return false;
    }
    match watch.from {
        Some(from) => before.is_some_and(|own| own.status == from),
        None => !before.is_some_and(|own| watched(own) && own.reason == after.reason),
    }
}

/// One event for each release that was completed: the rollout was not complete and is.
fn completed(before: &HotpatchFleetStatus, after: &HotpatchFleetStatus) -> Vec<Happening> {
    const NAME: &str = "RolloutComplete";
    let is_complete = |status: &HotpatchFleetStatus| {
        find(&status.conditions, NAME).is_some_and(|own| own.reason == "Complete")
    };
    if !is_complete(after) || is_complete(before) {
        return Vec::new();
    }
    after
        .releases
        .iter()
        .filter(|own| own.current > 0)
        .filter(|own| {
            let earlier = before
                .releases
                .iter()
                .find(|other| other.release == own.release);
            earlier.is_none_or(|earlier| earlier.current < own.current)
                || find(&before.conditions, NAME).is_some_and(|own| own.reason == "InProgress")
        })
        .map(|own| {
            let note = format!(
                "{} is on {} of {} of its track.",
                own.release,
                own.current,
                text::machines(own.machines as usize)
            );
            Happening::new("RolloutComplete", "Roll", HappeningKind::Normal, note)
        })
        .collect()
}

/// Returns what is worth an event between two states of a run, one event a kind of step.
pub fn run_events(before: &Run, after: &Run) -> Vec<Happening> {
    use HappeningKind::{Normal, Warning};
    let mut events = Vec::new();
    let terms = &after.terms;
    let what = format!("{} of {}", terms.stage, terms.release);
    if !has_started(before) && has_started(after) {
        let count = text::machines(terms.machines.len());
        let note = format!("Started {what} on {count}.");
        events.push(Happening::new("RunStarted", "Command", Normal, note));
    }
    if before.deleted_at.is_none() && after.deleted_at.is_some() {
        let note = "The run is aborted: nothing new is sent, work under way is followed.";
        events.push(Happening::new("RunAborted", "Abort", Warning, note));
    }
    if let (None, Some(why)) = (&before.quarantined, &after.quarantined) {
        let note = format!("Nothing is sent: the run cannot be understood: {why}");
        events.push(Happening::new("RunNotUnderstood", "Follow", Warning, note));
    }
    if let (None, Some(why)) = (&before.orphaned, &after.orphaned) {
        let note = format!("Work under way cannot be followed: {why}.");
        events.push(Happening::new("RunOrphaned", "Follow", Warning, note));
    }
    let failed = newly(before, after, |step| *step == Step::Failed);
    if !failed.is_empty() {
        let note = format!("Failed: {}.", text::names(&failed));
        events.push(Happening::new("MachineFailed", "Follow", Warning, note));
    }
    let held = newly(before, after, is_held);
    if !held.is_empty() {
        let note = format!("Held for evidence or a person: {}.", text::names(&held));
        events.push(Happening::new("MachineHeld", "Follow", Warning, note));
    }
    if before.end.is_none()
        && let Some(end) = after.end
    {
        let note = format!("Ended {what}: {}.", so_far(after));
        let (reason, kind) = match end {
            RunEnd::Complete => ("RunComplete", Normal),
            RunEnd::Failed => ("RunFailed", Warning),
        };
        events.push(Happening::new(reason, "Follow", kind, note));
    }
    events
}

/// Returns the event of a deleted run that is let go of though nobody can say what it did.
pub fn run_abandoned() -> Happening {
    let note = "Deleted, and what it did cannot be understood: it is let go of.".to_owned();
    Happening::new("RunAbandoned", "Follow", HappeningKind::Warning, note)
}

/// Returns the event of a deleted fleet whose settings stay on its machines.
pub fn not_restored(cluster: &str, fleet: &str, why: &str) -> Happening {
    let note = format!(
        "The fleet was deleted, and its settings did not all go back. By hand: hotpatch-operator \
         release --cluster-uid {cluster} --fleet-uid {fleet}. Why: {why}"
    );
    Happening::new(
        "SettingsNotRestored",
        "Release",
        HappeningKind::Warning,
        note,
    )
}

/// Tells whether a command of the run was, or may have been, sent.
fn has_started(run: &Run) -> bool {
    run.progress
        .values()
        .any(|own| own.attempts > 0 || own.intent_at.is_some())
}

/// Names the machines that entered a step, each with its reason.
fn newly(before: &Run, after: &Run, step: impl Fn(&Step) -> bool) -> Vec<String> {
    let earlier: &BTreeMap<MachineId, Progress> = &before.progress;
    after
        .progress
        .iter()
        .filter(|(_, own)| step(&own.step))
        .filter(|(id, _)| !earlier.get(id).is_some_and(|own| step(&own.step)))
        .map(|(id, own)| {
            let name = after
                .terms
                .machines
                .get(id)
                .map_or(id.name(), |own| own.name.as_str());
            let why = own
                .reason
                .as_ref()
                .map_or(own.step.word(), |why| why.word());
            format!("{name} ({why})")
        })
        .collect()
}
