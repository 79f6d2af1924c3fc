//! What Azure answers when it is asked about one machine or one command.
//!
//! Holds answers as facts. Must never judge them: `run::follow` does.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::command::RequestId;
use super::machine::{
    Connection, Health, Incarnation, InstallRecord, InstallStatus, MachineId, Power, RebootStatus,
    Settings, Tags,
};
use super::release::Kb;

/// How a long-running operation is polled (azure.md §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum PollStyle {
    /// By the URL of the header `Azure-AsyncOperation`: a status document.
    AsyncOperation,
    /// By the URL of the header `Location`: 202 until the result is there.
    Location,
}

/// A long-running operation, as a new process needs it to ask on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Operation {
    /// The absolute URL, on the ARM host.
    pub url: String,
    /// How it is polled.
    pub style: PollStyle,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Its status.
    pub status: InstallStatus,
    /// What became of the reboot.
    pub reboot: RebootStatus,
    /// What it installed.
    pub installed: Vec<Kb>,
    /// What it could not install.
    pub failed: Vec<Kb>,
    /// Azure's id of the install.
    pub activity: Option<String>,
    /// Whether it ran out of its time.
    pub window_exceeded: bool,
    /// Azure's error, code and message, bounded.
    pub error: Option<String>,
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum OperationState {
    /// It runs.
    Running,
    /// It ended.
    Ended(Outcome),
    /// Azure does not know it any more.
    Gone,
}

/// What the Activity Log says of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum LogEvidence {
    /// It arrived and was accepted.
    Accepted {
        /// When.
        at: DateTime<Utc>,
    },
    /// It arrived and was refused.
    Refused {
        /// When.
        at: DateTime<Utc>,
        /// The status as Azure words it.
        status: String,
    },
    /// It is not there.
    Absent {
        /// Up to when the log was searched.
        searched_until: DateTime<Utc>,
    },
}

/// The newest install of a machine as the machine's own record shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastActivity {
    /// Azure's id of the install.
    pub id: String,
    /// When it began.
    pub started: Option<DateTime<Utc>>,
    /// How it stands.
    pub status: InstallStatus,
}

/// Whether the guest waits for a reboot, and how fresh that word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PendingReboot {
    /// Whether it waits.
    pub pending: bool,
    /// When that was found out.
    pub at: DateTime<Utc>,
}

/// One read of the machine itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Which life of the machine answered.
    pub incarnation: Incarnation,
    /// Its patch settings.
    pub settings: Settings,
    /// Whether it runs.
    pub power: Power,
    /// Whether it serves.
    pub health: Health,
    /// The operation on it, by whomever.
    pub busy: Option<String>,
    /// Its newest install.
    pub last_activity: Option<LastActivity>,
    /// Whether it waits for a reboot.
    pub reboot_pending: Option<PendingReboot>,
    /// Its tags.
    pub tags: Tags,
    /// Its version for `If-Match`, where the resource has one.
    pub etag: Option<String>,
    /// The server's clock (`Date`).
    pub server_date: Option<DateTime<Utc>>,
}

/// What a page of Resource Graph says of a machine that is being worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Glimpse {
    /// Its installs, newest first.
    pub installs: Vec<InstallRecord>,
    /// Whether it serves.
    pub health: Health,
    /// Whether it runs.
    pub power: Power,
    /// How it is connected, if it is an Arc machine.
    pub connection: Option<Connection>,
    /// Whether it waits for a reboot.
    pub reboot_pending: Option<PendingReboot>,
}

/// A question that a run has about one of its machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Question {
    /// Where does this operation stand?
    Operation(Operation),
    /// What does the machine itself say?
    Reading,
    /// Does the Activity Log show this command?
    Log {
        /// The command.
        request: RequestId,
        /// When its intent was written.
        since: DateTime<Utc>,
    },
}

/// The answer to a [`Question`]. A question that could not be answered has none, and no answer
/// never allows anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Answer {
    /// Where the operation stands.
    Operation(OperationState),
    /// What the machine says.
    Reading(Box<Reading>),
    /// What the log says.
    Log(LogEvidence),
}

/// The answers of one run's machines.
pub type Answers = BTreeMap<MachineId, Answer>;
