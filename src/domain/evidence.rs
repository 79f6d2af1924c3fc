//! What Azure answers when it is asked about one machine or one command.
//!
//! Holds answers as facts. Must never judge them: `run::follow` does.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::command::{Command, RequestId};
use super::machine::{
    ClusterUpdate, Connection, Health, Incarnation, InstallRecord, InstallStatus, Machine,
    MachineId, Power, RebootStatus, Settings, Tags,
};
use super::release::Kb;

/// What changes on a machine while a command runs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Glimpse {
    /// Its installs, newest first.
    pub installs: Vec<InstallRecord>,
    /// Whether it serves.
    pub health: Health,
    /// Whether it runs.
    pub power: Power,
    /// Whether the cluster under it updates itself.
    pub cluster_update: ClusterUpdate,
    /// How it is connected; none for a VM.
    pub connection: Option<Connection>,
    /// Whether its last assessment says that it waits for a reboot.
    pub reboot_pending: Option<bool>,
    /// When that assessment was made.
    pub assessed_at: Option<DateTime<Utc>>,
}

/// One install as a machine itself shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastActivity {
    /// Azure's id of the install.
    pub id: String,
    /// When it began, where Azure says.
    pub started: Option<DateTime<Utc>>,
    /// How it stands.
    pub status: InstallStatus,
}

/// A machine as it says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Which life of it this is.
    pub incarnation: Incarnation,
    /// Its patch settings.
    pub settings: Settings,
    /// Whether it runs; always unknown for an Azure Local VM, whose Arc machine does not say.
    pub power: Power,
    /// Whether the cluster under it updates itself. No machine says that of itself, so of those
    /// that are not VMs it is unknown until [`Glimpse`] is asked.
    pub cluster_update: ClusterUpdate,
    /// Whether it serves, by power, agent and application health of a VM, or by the connection
    /// of an Arc machine. Resource Health is another call: take it from [`Glimpse`].
    pub health: Health,
    /// The operation that it shows on itself.
    pub busy: Option<String>,
    /// Its newest install. Only a VM shows it: see [`Reading::shows_installs`].
    pub last_activity: Option<LastActivity>,
    /// Whether this reading would show an install: true for a VM. For the others `busy` and
    /// `last_activity` know nothing of installs, and [`Glimpse`] has to be asked.
    pub shows_installs: bool,
    /// Whether it waits for a reboot, as its last assessment says; only a VM shows it.
    pub reboot_pending: Option<bool>,
    /// When that assessment last changed.
    pub assessed_at: Option<DateTime<Utc>>,
    /// How it is connected; none for a VM.
    pub connection: Option<Connection>,
    /// Its tags.
    pub tags: Tags,
    /// Its etag, where the service gives one.
    pub etag: Option<String>,
    /// Azure's clock (the `Date` of the answer), to measure our own by.
    pub server_date: Option<DateTime<Utc>>,
}

/// How to ask after an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum PollStyle {
    /// By the header `Azure-AsyncOperation`: the answer's body says how it stands.
    AsyncOperation,
    /// By the header `Location`: 202 while it runs, then its result.
    Location,
    /// The address is a run command's own: its instance view says how the script fares.
    RunCommand,
    /// It was over when the command was answered; there is nothing to ask.
    Immediate,
}

impl std::fmt::Display for PollStyle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AsyncOperation => "AsyncOperation",
            Self::Location => "Location",
            Self::RunCommand => "RunCommand",
            Self::Immediate => "Immediate",
        })
    }
}

/// Says that a text names no [`PollStyle`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no way to ask after an operation")]
pub struct PollStyleError(String);

impl FromStr for PollStyle {
    type Err = PollStyleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [
            Self::AsyncOperation,
            Self::Location,
            Self::RunCommand,
            Self::Immediate,
        ];
        all.into_iter()
            .find(|style| style.to_string() == text)
            .ok_or_else(|| PollStyleError(text.chars().take(40).collect()))
    }
}

/// A command that Azure accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Where to ask: an absolute address on the endpoint, or empty for [`PollStyle::Immediate`].
    pub url: String,
    /// How to ask.
    pub style: PollStyle,
    /// Its end, where the command was answered with it.
    pub outcome: Option<Outcome>,
}

impl Operation {
    /// Takes up an operation again from what a run's status remembers.
    pub fn resume(url: impl Into<String>, style: PollStyle) -> Self {
        Self {
            url: url.into(),
            style,
            outcome: None,
        }
    }
}

/// How an operation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum OperationState {
    /// It runs.
    Running {
        /// Seconds until it may be asked again (`Retry-After`).
        again_seconds: u64,
    },
    /// It has ended.
    Ended(Outcome),
    /// Azure no longer knows it: it ended too long ago. The install records tell the rest.
    Gone,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How it ended.
    pub status: InstallStatus,
    /// What became of the reboot.
    pub reboot: RebootStatus,
    /// What it installed. Always empty for Arc machines, whose results hold only counts: the
    /// install records name the updates (azure.md §0.6).
    pub installed: Vec<Kb>,
    /// What it could not install; as `installed`.
    pub failed: Vec<Kb>,
    /// Azure's id of the install or assessment.
    pub activity: Option<String>,
    /// Whether it ran out of its time.
    pub window_exceeded: bool,
    /// `code: message`, bounded.
    pub error: Option<String>,
}

/// What the Activity Log says of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum LogEvidence {
    /// It arrived and was not refused.
    Accepted {
        /// When.
        at: DateTime<Utc>,
        /// Where to ask after it, where the evidence is the operation itself.
        operation: Option<Operation>,
    },
    /// It arrived and was refused.
    Refused {
        /// When.
        at: DateTime<Utc>,
        /// As what.
        status: String,
    },
    /// No trace of it.
    Absent {
        /// Up to when the log was searched. The log lags behind: minutes at times.
        searched_until: DateTime<Utc>,
    },
}

/// Whether a guest waits for a reboot, and how fresh that word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PendingReboot {
    /// Whether it waits.
    pub pending: bool,
    /// When that was found out.
    pub at: DateTime<Utc>,
}

impl Reading {
    /// Returns the freshest word on whether the machine waits for a reboot: its own, or that of
    /// the assessment which the inventory shows. Arc machines give no word of their own.
    pub fn reboot_word(&self, machine: Option<&Machine>) -> Option<PendingReboot> {
        let own = self
            .reboot_pending
            .zip(self.assessed_at)
            .map(|(pending, at)| PendingReboot { pending, at });
        let seen = machine
            .and_then(|machine| machine.assessment.as_ref())
            .map(|seen| PendingReboot {
                pending: seen.reboot_pending,
                at: seen.at,
            });
        own.into_iter().chain(seen).max_by_key(|word| word.at)
    }
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
        /// What was commanded.
        command: Command,
        /// Its id.
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
