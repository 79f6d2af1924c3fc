//! Whether the operator can do its work for a fleet: Accepted, ResolvedRefs, CredentialsValid and
//! Discovered, and what follows from them alone: Ready, Reconciling and Stalled.

use chrono::{DateTime, Utc};

use super::told::{Told, table_reason};
use super::{Access, FleetInput, text};
use crate::domain::snapshot::{Fault, INVENTORY_AGE_MAX};

const KIND: &str = "HotpatchFleet";

/// The conditions that a fault can be told under, in the order in which they are asked.
const FAULTED: [&str; 3] = ["Accepted", "ResolvedRefs", "CredentialsValid"];

/// What `Ready` waits for: the condition, its reason on `Ready`, and the one on `Reconciling`.
const NEEDS: [(&str, &str, &str); 4] = [
    ("Accepted", "NotAccepted", "WaitingForInstallation"),
    ("ResolvedRefs", "RefsNotResolved", "WaitingForReference"),
    (
        "CredentialsValid",
        "CredentialsNotValid",
        "WaitingForCredentials",
    ),
    ("Discovered", "NotDiscovered", "WaitingForInventory"),
];

/// Sets all conditions that `Ready` follows from, and those that follow from them.
pub(super) fn tell(input: &FleetInput<'_>, told: &mut Told<'_>, now: DateTime<Utc>) {
    let fault = input.view.fleet.as_ref().err();
    tell_spec(fault, told);
    tell_credentials(input, fault, told);
    tell_discovered(input, told, now);
    tell_kstatus(fault, told);
}

/// Returns the condition that a fault is told under, with the reason as the table has it.
fn place(fault: &Fault) -> (&'static str, &'static str) {
    FAULTED
        .into_iter()
        .find_map(|name| Some((name, table_reason(KIND, name, "False", fault.reason)?)))
        .unwrap_or(if fault.stalls {
            ("Accepted", "InvalidSpec")
        } else {
            ("ResolvedRefs", "Unreadable")
        })
}

fn tell_spec(fault: Option<&Fault>, told: &mut Told<'_>) {
    let Some(fault) = fault else {
        told.say("Accepted", "True", "Accepted", "The spec is valid.");
        let text = "The policy and all windows were found.";
        told.say("ResolvedRefs", "True", "Resolved", text);
        return;
    };
    match place(fault) {
        ("Accepted", reason) => {
            told.say("Accepted", "False", reason, &fault.message);
            let text = "References are not looked at while the spec is not accepted.";
            told.say("ResolvedRefs", "Unknown", "Unreadable", text);
        }
        ("ResolvedRefs", reason) => {
            told.say(
                "Accepted",
                "True",
                "Accepted",
                "The spec is valid by itself.",
            );
            let status = if reason == "Unreadable" {
                "Unknown"
            } else {
                "False"
            };
            told.say("ResolvedRefs", status, reason, &fault.message);
        }
        _ => {
            told.say("Accepted", "True", "Accepted", "The spec is valid.");
            let text = "The policy and all windows were found.";
            told.say("ResolvedRefs", "True", "Resolved", text);
        }
    }
}

fn tell_credentials(input: &FleetInput<'_>, fault: Option<&Fault>, told: &mut Told<'_>) {
    const NAME: &str = "CredentialsValid";
    if let Some((fault, (NAME, reason))) = fault.map(|fault| (fault, place(fault))) {
        told.say(NAME, "False", reason, &fault.message);
        return;
    }
    match input.access {
        Access::Unknown => {
            told.say(NAME, "Unknown", "NotChecked", "Azure was not asked yet.");
        }
        Access::Valid => {
            let text = "A token was issued, and Azure refuses nothing that the mode needs.";
            told.say(NAME, "True", "Valid", text);
        }
        Access::Denied {
            action,
            message,
            cure,
        } => {
            let mut text = format!(
                "Azure refuses {action}: {message}. Assign a role that has this action on the \
                 scope of the fleet."
            );
            if !cure.is_empty() {
                text = format!("{text} {cure}.");
            }
            told.say(NAME, "False", "RightsMissing", text);
        }
        Access::Refused { reason, message } => {
            told.say(
                NAME,
                "False",
                reason,
                format!("There is no token: {message}."),
            );
        }
    }
}

fn tell_discovered(input: &FleetInput<'_>, told: &mut Told<'_>, now: DateTime<Utc>) {
    const NAME: &str = "Discovered";
    let inventory = match input.inventory() {
        Ok(inventory) => inventory,
        Err(_) if input.access == Access::Unknown => {
            told.say(NAME, "Unknown", "NotRead", "Azure was not read yet.");
            return;
        }
        Err(why) => {
            let text = format!("The machines could not be read; nothing is planned: {why}");
            told.say(NAME, "False", "Unreadable", text);
            return;
        }
    };
    let Some(outlook) = input.outlook else {
        let text = "The machines are not told apart while the fleet cannot be planned.";
        told.say(NAME, "Unknown", "NotPlanned", text);
        return;
    };
    if now - inventory.at > INVENTORY_AGE_MAX {
        let text = format!(
            "The machines were last read {}, more than {} minutes ago; nothing new is started.",
            text::at(inventory.at),
            INVENTORY_AGE_MAX.num_minutes()
        );
        told.say(NAME, "False", "Stale", text);
        return;
    }
    if outlook.roster.is_empty() {
        let text = "The whole scope was read, and the selector matches no machine in it.";
        told.say(NAME, "True", "NoMachines", text);
    } else {
        let text = format!(
            "The selector matches {}.",
            text::machines(outlook.roster.len())
        );
        told.say(NAME, "True", "Discovered", text);
    }
}

fn tell_kstatus(fault: Option<&Fault>, told: &mut Told<'_>) {
    let stalls = fault.is_some_and(|fault| fault.stalls);
    let lacking = NEEDS
        .into_iter()
        .find(|(name, _, _)| !told.is(name, "True"));
    let message = |told: &Told<'_>, name: &str| {
        told.get(name)
            .map_or_else(String::new, |(_, _, message)| message.to_owned())
    };
    if stalls {
        let text = lacking.map_or_else(String::new, |(name, _, _)| message(told, name));
        told.say("Stalled", "True", "InvalidSpec", text);
    } else {
        let text = "Nothing in the spec stands in the way.";
        told.say("Stalled", "False", "NotStalled", text);
    }
    let Some((name, not_ready, waiting)) = lacking else {
        told.say(
            "Ready",
            "True",
            "Working",
            "The fleet is read, planned and reported.",
        );
        told.say(
            "Reconciling",
            "False",
            "UpToDate",
            "The spec is planned as it stands.",
        );
        return;
    };
    let text = message(told, name);
    if told.is(name, "False") || fault.is_some() {
        told.say("Ready", "False", not_ready, &text);
    } else {
        told.say("Ready", "Unknown", "Starting", &text);
    }
    if stalls {
        told.say(
            "Reconciling",
            "False",
            "UpToDate",
            "Nothing is tried until the spec changes.",
        );
    } else {
        told.say("Reconciling", "True", waiting, &text);
    }
}
