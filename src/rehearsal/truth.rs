//! What really is the case on each machine, kept from the emulator's effects.

use std::collections::{BTreeMap, BTreeSet};

use azure_sim::{Actor, Call, CallOperation, RebootCause};
use chrono::{DateTime, TimeDelta, Utc};

use super::identities::is_operator;
use super::shelf::Name;
use super::weather::Arrival;
use crate::azure::LOOK_SCRIPT;

/// An install under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// When it began.
    pub since: DateTime<Utc>,
    /// The request id of the command it belongs to; none where nobody commanded it.
    pub request: Option<String>,
}

/// One machine as it really is.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// Its `vmId`.
    pub incarnation: String,
    /// Since when it does not serve.
    pub down_since: Option<DateTime<Utc>>,
    /// Whether its owner switched it off, which counts neither above nor below any line.
    pub is_off: bool,
    /// Installs under way, by activity.
    pub installs: BTreeMap<String, Install>,
    /// KBs in effect, digits only.
    pub installed: BTreeSet<String>,
    /// KBs that wait for a reboot, digits only.
    pub pending: BTreeSet<String>,
    /// Whether it bears a claim in its tags.
    pub is_claimed: bool,
    /// Whether the operator changed its settings.
    pub settings_ours: bool,
    /// Whether it is there.
    pub exists: bool,
    /// Whether it was made anew under its old id.
    pub is_anew: bool,
    /// When an update took effect last.
    pub effective_at: Option<DateTime<Utc>>,
}

/// A reboot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reboot {
    /// The machine.
    pub machine: String,
    /// Its `vmId` at that time.
    pub incarnation: String,
    /// When it went down.
    pub at: DateTime<Utc>,
    /// When it answered again.
    pub ended: Option<DateTime<Utc>>,
    /// Who caused it.
    pub cause: Cause,
}

/// Who caused a reboot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A command of the operator, with its request id.
    Command(Option<String>),
    /// The update needed one more reboot.
    UpdateAgain,
    /// Azure's own patching.
    Platform,
    /// Windows Update inside the guest.
    Guest,
    /// Somebody else.
    Foreign,
}

/// Tells whether a call runs the script that looks into a guest: it changes nothing, and is no
/// command.
pub fn is_look(call: &Call) -> bool {
    call.operation == CallOperation::RunCommand && call.script.as_deref() == Some(LOOK_SCRIPT)
}

/// A command of the operator as it arrived in Azure.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When.
    pub at: DateTime<Utc>,
    /// Its place in the order of everything that happened.
    pub order: u64,
    /// The machine, by its lower-cased id.
    pub machine: String,
    /// The `vmId` of the machine that got it.
    pub incarnation: String,
    /// What was asked for.
    pub call: Call,
    /// The HTTP status where it was refused; none where it was accepted.
    pub refused: Option<u16>,
    /// The run whose log names its request id.
    pub run: Option<Name>,
    /// When it was done.
    pub ended: Option<DateTime<Utc>>,
    /// How it came.
    pub arrival: Arrival,
}

impl Sent {
    /// Tells whether it was accepted.
    pub fn is_accepted(&self) -> bool {
        self.refused.is_none()
    }

    /// Tells whether it may take the machine down: a restart, a script, or an install that may
    /// reboot.
    pub fn is_disruptive(&self) -> bool {
        match self.call.operation {
            CallOperation::Install => self.call.reboot_setting.as_deref() != Some("Never"),
            _ => self.is_restart(),
        }
    }

    /// Tells whether it is a restart, or a script, which can do anything.
    pub fn is_restart(&self) -> bool {
        matches!(
            self.call.operation,
            CallOperation::Restart | CallOperation::RunCommand
        )
    }

    /// Returns the longest time it may take; none where the command carries none.
    pub fn maximum(&self) -> Option<TimeDelta> {
        self.call.maximum_minutes.map(TimeDelta::minutes)
    }

    /// Tells whether it runs still.
    pub fn is_open(&self) -> bool {
        self.is_accepted() && self.ended.is_none()
    }
}

/// Returns the request id of a command of the operator.
pub fn request_of(by: &Actor) -> Option<String> {
    match by {
        Actor::Caller {
            name,
            client_request_id,
            ..
        } if is_operator(name) => client_request_id.clone(),
        _ => None,
    }
}

/// Tells who caused a reboot.
pub fn cause_of(cause: &RebootCause) -> Cause {
    match cause {
        RebootCause::Install {
            caller,
            client_request_id,
            ..
        }
        | RebootCause::Restart {
            caller,
            client_request_id,
            ..
        } if is_operator(caller) => Cause::Command(client_request_id.clone()),
        RebootCause::Install { .. } | RebootCause::Restart { .. } | RebootCause::Foreign => {
            Cause::Foreign
        }
        RebootCause::Platform => Cause::Platform,
        RebootCause::Guest => Cause::Guest,
        RebootCause::UpdateAgain => Cause::UpdateAgain,
    }
}
