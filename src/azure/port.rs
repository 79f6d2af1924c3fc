//! What goes in and out of the port, in domain words.

use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::domain::machine::{
    Connection, Health, Incarnation, InstallRecord, InstallStatus, Machine, Power, RebootStatus,
    Settings, Tags,
};
use crate::domain::release::Kb;

/// Where to look for machines. At least one entry: an empty scope would mean everything that the
/// identity can see.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Subscription ids, sorted.
    pub subscriptions: Vec<String>,
    /// Management group names, sorted.
    pub management_groups: Vec<String>,
}

/// All machines of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// When its reading began: nothing in it is older than Resource Graph was then.
    pub at: DateTime<Utc>,
    /// The machines, by id.
    pub machines: Vec<Arc<Machine>>,
    /// The rows that could not be read, by id.
    pub unreadable: Vec<UnreadableRow>,
}

/// A row of Resource Graph that could not be read, and what was dropped with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableRow {
    /// The resource id in the row, lower-cased, as far as it has one.
    pub id: String,
    /// What is wrong with it.
    pub why: String,
}

/// What changes on a machine while a command runs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its installs, newest first.
    pub installs: Vec<InstallRecord>,
    /// Whether it serves.
    pub health: Health,
    /// Whether it runs.
    pub power: Power,
    /// How it is connected; none for a VM.
    pub connection: Option<Connection>,
    /// Whether its last assessment says that it waits for a reboot.
    pub reboot_pending: Option<bool>,
    /// When that assessment was made.
    pub assessed_at: Option<DateTime<Utc>>,
}

/// One install as a machine itself shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastActivity {
    /// Azure's id of the install.
    pub id: String,
    /// When it began, where Azure says.
    pub started: Option<DateTime<Utc>>,
    /// How it stands.
    pub status: InstallStatus,
}

/// A machine as it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Which life of it this is.
    pub incarnation: Incarnation,
    /// Its patch settings.
    pub settings: Settings,
    /// Whether it runs; always unknown for an Azure Local VM, whose Arc machine does not say.
    pub power: Power,
    /// Whether it serves, by power, agent and application health of a VM, or by the connection
    /// of an Arc machine. Resource Health is another call: take it from [`Progress`].
    pub health: Health,
    /// The operation that it shows on itself.
    pub busy: Option<String>,
    /// Its newest install. Only a VM shows it: see [`Reading::shows_installs`].
    pub last_activity: Option<LastActivity>,
    /// Whether this reading would show an install: true for a VM. For the others `busy` and
    /// `last_activity` know nothing of installs, and [`Progress`] has to be asked.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PollStyle {
    /// By the header `Azure-AsyncOperation`: the answer's body says how it stands.
    AsyncOperation,
    /// By the header `Location`: 202 while it runs, then its result.
    Location,
    /// It was over when the command was answered; there is nothing to ask.
    Immediate,
}

impl std::fmt::Display for PollStyle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AsyncOperation => "AsyncOperation",
            Self::Location => "Location",
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
        [Self::AsyncOperation, Self::Location, Self::Immediate]
            .into_iter()
            .find(|style| style.to_string() == text)
            .ok_or_else(|| PollStyleError(text.chars().take(40).collect()))
    }
}

/// A command that Azure accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvidence {
    /// It arrived and was not refused.
    Accepted {
        /// When.
        at: DateTime<Utc>,
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
