//! Writes Resource Health availability statuses (azure.md 11).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::machine::{Machine, Power};
use crate::shapes::instant;
use crate::views::Health;

/// Decides the availability of a machine: state, reason, since when.
pub(crate) fn availability(
    machine: &Machine,
    now: DateTime<Utc>,
) -> (Health, &'static str, DateTime<Utc>) {
    if let Some(health) = machine.health {
        return (health, "Unplanned", machine.health_since);
    }
    let since = machine.guest.since;
    if machine.arc().is_some() {
        let (status, changed) = machine.arc_status(now);
        return match status {
            "Connected" => (Health::Available, "", changed),
            _ => (Health::Unavailable, "Unplanned", changed),
        };
    }
    match machine.guest.power {
        Power::Up => (Health::Available, "", since),
        Power::Rebooting | Power::Stopped | Power::Deallocated => {
            (Health::Unavailable, "UserInitiated", since)
        }
        Power::Hung => (Health::Unavailable, "Unplanned", since),
    }
}

/// Writes `availabilityStatuses/current` of a machine.
pub(crate) fn current(machine: &Machine, now: DateTime<Utc>) -> Value {
    let (health, reason, since) = availability(machine, now);
    let state = health.as_str();
    let by_user = reason == "UserInitiated";
    json!({
        "id": format!("{}{SUFFIX}", machine.id),
        "name": "current",
        "type": "Microsoft.ResourceHealth/AvailabilityStatuses",
        "location": machine.location,
        "properties": {
            "availabilityState": state,
            "title": state,
            "summary": summary(health),
            "reasonType": reason,
            "context": if by_user { "Customer Initiated" } else { "Platform Initiated" },
            "category": if by_user { "Planned" } else { "Unplanned" },
            "reasonChronicity": "Transient",
            "occuredTime": instant(since),
            "reportedTime": instant(now),
            "recommendedActions": [],
        },
    })
}

fn summary(health: Health) -> &'static str {
    match health {
        Health::Available => "There are no known problems affecting this machine.",
        Health::Unavailable => "This machine is not available.",
        Health::Degraded => "This machine is degraded.",
        Health::Unknown => "The health of this machine is not known.",
    }
}

const SUFFIX: &str = "/providers/Microsoft.ResourceHealth/availabilityStatuses/current";
