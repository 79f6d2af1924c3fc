//! Windows, policies, requests, and objects that cannot be read at all.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::told::{Told, table_reason};
use super::{text, windows};
use crate::api::conditions;
use crate::api::policy::BaselinePolicyStatus;
use crate::api::request::HotpatchRequestStatus;
use crate::api::schema::MAX_MESSAGE;
use crate::api::window::{MaintenanceWindowStatus, NEXT_OPENINGS};
use crate::domain::policy::Policy;
use crate::domain::snapshot::Fault;
use crate::domain::window::{HORIZON_DAYS, WindowSpec};

/// The longest `status.by` of a request, in characters.
const BY_MAX: usize = 300;

/// Makes the status of a window.
///
/// Guarantees: equal to the previous status until a window opens or closes, or the spec changes.
pub fn window(
    previous: Option<&MaintenanceWindowStatus>,
    generation: Option<i64>,
    spec: Result<&WindowSpec, &Fault>,
    now: DateTime<Utc>,
) -> MaintenanceWindowStatus {
    let mut status = previous.cloned().unwrap_or_default();
    status.observed_generation = generation;
    let mut told = Told::new("MaintenanceWindow", status.conditions, generation, now);
    tell_accepted(
        &mut told,
        spec.err(),
        "InvalidSchedule",
        "Time zone and schedule are valid.",
    );
    let (open, next) = match spec {
        Ok(spec) => windows::openings(spec, now, NEXT_OPENINGS as usize),
        Err(_) => (None, Vec::new()),
    };
    match (&spec, open.as_ref().or(next.first())) {
        (Err(_), _) => {
            let text = "The schedule cannot be used; Accepted says why.";
            told.say("Upcoming", "Unknown", "NotAccepted", text);
        }
        (Ok(_), None) => {
            let text = format!("The window does not open in the next {HORIZON_DAYS} days.");
            told.say("Upcoming", "False", "NeverOpens", text);
        }
        (Ok(_), Some(opening)) => {
            let verb = if open.is_some() {
                "is open since"
            } else {
                "opens"
            };
            let text = format!("The window {verb} {}.", text::at(opening.start));
            told.say("Upcoming", "True", "Scheduled", text);
        }
    }
    status.open = open.is_some();
    status.open_until = open.map(|own| own.end);
    status.next = next;
    status.conditions = told.into_conditions();
    status
}

/// Makes the status of a policy. `fleets_using` are the fleets of its namespace that name it.
pub fn policy(
    previous: Option<&BaselinePolicyStatus>,
    generation: Option<i64>,
    policy: Result<&Policy, &Fault>,
    fleets_using: u32,
    unsupported: &[String],
    now: DateTime<Utc>,
) -> BaselinePolicyStatus {
    let previous = previous.cloned().unwrap_or_default();
    let mut told = Told::new("BaselinePolicy", previous.conditions, generation, now);
    let valid = "Stages, budgets and checks are valid.";
    tell_accepted(&mut told, policy.err(), "InvalidSpec", valid);
    told.unsupported(unsupported);
    BaselinePolicyStatus {
        observed_generation: generation,
        fleets: fleets_using,
        conditions: told.into_conditions(),
    }
}

/// Sets `Accepted`, and what follows from it alone: `Ready`, `Reconciling`, `Stalled`.
fn tell_accepted(told: &mut Told<'_>, fault: Option<&Fault>, invalid: &'static str, valid: &str) {
    let Some(fault) = fault else {
        told.say("Accepted", "True", "Accepted", valid);
        told.say(
            "Ready",
            "True",
            "Working",
            "The object is read and reported.",
        );
        told.say(
            "Reconciling",
            "False",
            "UpToDate",
            "The spec is read as it stands.",
        );
        told.say(
            "Stalled",
            "False",
            "NotStalled",
            "Nothing in the spec stands in the way.",
        );
        return;
    };
    let reason = table_reason(told.kind(), "Accepted", "False", fault.reason).unwrap_or(invalid);
    told.say("Accepted", "False", reason, &fault.message);
    told.say("Ready", "False", "NotAccepted", &fault.message);
    if fault.stalls {
        told.say(
            "Reconciling",
            "False",
            "UpToDate",
            "Nothing is tried until the spec changes.",
        );
        told.say("Stalled", "True", "InvalidSpec", &fault.message);
    } else {
        told.say("Reconciling", "True", "Waiting", &fault.message);
        told.say(
            "Stalled",
            "False",
            "NotStalled",
            "Nothing in the spec stands in the way.",
        );
    }
}

/// How a request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// It is in force, as long as it exists.
    Accepted {
        /// What of it could not be followed to the letter, for people.
        note: Option<String>,
    },
    /// It is accepted and has not come to act yet, or work for it is under way.
    Pending {
        /// What it waits for, for people.
        message: String,
    },
    /// Its fleet could not be read, so nothing can be said yet.
    FleetNotReady {
        /// Why, for people.
        message: String,
    },
    /// What was asked for is done.
    Done {
        /// What was done, for people.
        message: String,
    },
    /// It cannot be followed.
    Refused {
        /// A reason of condition Accepted with status False; another word becomes `InvalidSpec`.
        reason: &'static str,
        /// Why, for people.
        message: String,
    },
    /// Its time has passed.
    Expired {
        /// When it did.
        at: DateTime<Utc>,
    },
    /// This version cannot do what the verb asks for.
    NotYetSupported {
        /// What is missing, for people.
        message: String,
    },
}

/// The word on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestJudgement {
    /// How it stands.
    pub state: RequestState,
    /// Who asked, as far as known; "claimed: " before it where nothing proves it.
    pub by: Option<String>,
}

/// Makes the status of a request.
pub fn request(
    previous: Option<&HotpatchRequestStatus>,
    generation: Option<i64>,
    judgement: &RequestJudgement,
    now: DateTime<Utc>,
) -> HotpatchRequestStatus {
    let before = previous
        .map(|own| own.conditions.clone())
        .unwrap_or_default();
    let mut told = Told::new("HotpatchRequest", before, generation, now);
    let accepted = "The request is valid and the fleet allows it.";
    let (state, message) = match &judgement.state {
        RequestState::Accepted { note } => {
            let said = note.as_deref().unwrap_or(accepted);
            told.say("Accepted", "True", "Accepted", said);
            told.say(
                "Complete",
                "False",
                "InEffect",
                "It holds as long as it exists.",
            );
            (
                "Active",
                note.as_deref()
                    .unwrap_or("In effect as long as the request exists."),
            )
        }
        RequestState::Pending { message } => {
            told.say("Accepted", "True", "Accepted", accepted);
            told.say("Complete", "False", "Waiting", message);
            ("Pending", message.as_str())
        }
        RequestState::FleetNotReady { message } => {
            told.say("Accepted", "Unknown", "FleetNotReady", message);
            told.say("Complete", "False", "Waiting", message);
            ("Pending", message.as_str())
        }
        RequestState::Done { message } => {
            told.say("Accepted", "True", "Accepted", accepted);
            told.say("Complete", "True", "Done", message);
            ("Complete", message.as_str())
        }
        RequestState::Refused { reason, message } => {
            let known = table_reason("HotpatchRequest", "Accepted", "False", reason);
            told.say("Accepted", "False", known.unwrap_or("InvalidSpec"), message);
            told.say("Complete", "True", "Refused", message);
            ("Refused", message.as_str())
        }
        RequestState::Expired { at } => {
            let text = format!("It expired {}.", text::at(*at));
            told.say("Accepted", "False", "Expired", &text);
            told.say("Complete", "True", "Expired", &text);
            ("Expired", "Without effect: spec.expiresAt has passed.")
        }
        RequestState::NotYetSupported { message } => {
            told.say("Accepted", "False", "NotYetSupported", message);
            told.say("Complete", "True", "Refused", message);
            ("Refused", message.as_str())
        }
    };
    HotpatchRequestStatus {
        observed_generation: generation,
        state: Some(state.to_owned()),
        message: Some(text::line(message, MAX_MESSAGE as usize)),
        by: judgement.by.as_deref().map(|by| text::line(by, BY_MAX)),
        conditions: told.into_conditions(),
    }
}

/// Returns the conditions of an object that does not parse: of these the ones its kind has.
/// Conditions of others stay as they are.
pub fn unreadable(
    kind: &str,
    why: &str,
    previous: Vec<Condition>,
    generation: Option<i64>,
    now: DateTime<Utc>,
) -> Vec<Condition> {
    let text = format!("The object cannot be read: {why}");
    let wanted = [
        ("Accepted", "False", "Unreadable"),
        ("Ready", "False", "NotAccepted"),
        ("Reconciling", "False", "UpToDate"),
        ("Stalled", "True", "InvalidSpec"),
        ("Held", "True", "NotUnderstood"),
    ];
    let mut told = Told::new(kind, previous, generation, now);
    for (name, status, reason) in wanted {
        if conditions::find(kind, name).is_some() {
            told.say(name, status, reason, &text);
        }
    }
    told.into_conditions()
}
