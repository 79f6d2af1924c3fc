//! A run: one batch of machines, at once its announcement, its claim and its write-ahead log.
//!
//! Holds what a run froze when it was made and where each of its machines stands. Nothing is
//! commanded on a machine that no run names. What comes next is [`follow`]'s to say; whether it
//! may come is `permission`'s and `budget`'s.

pub mod follow;
mod reason;
mod runs;
mod whole;

pub use reason::StepReason;
pub use runs::Runs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use super::command::{Command, RequestId};
use super::due::{Action, Cause};
use super::evidence::Operation;
use super::fleet::FleetKey;
use super::machine::{Incarnation, MachineId, MachineKind, Placement};
use super::policy::{Estimates, HealthRule, RunGate, Spread};
use super::release::{Kb, ReleaseId};
use crate::planted::{self, Bug};

/// The most machines one run names.
pub const RUN_MACHINES_MAX: usize = 250;

/// The shortest `maximumDuration` that is ever sent: below it Azure would not finish
/// (Update Manager needs 25 minutes before each step and keeps 10 for the reboot; azure.md §1.5).
pub const MAXIMUM_DURATION_FLOOR: TimeDelta = TimeDelta::minutes(40);

/// The longest `maximumDuration` that is ever sent (Update Manager's own bound; azure.md §1.5).
pub const MAXIMUM_DURATION_CEILING: TimeDelta = TimeDelta::minutes(3 * 60 + 55);

/// How long a run that is being deleted is kept at most: by then nothing that it commanded can be
/// under way, for this is longer than the late horizon and the longest command together. It also
/// ends what cannot be read, or followed for want of an identity.
pub const DELETED_KEPT_MAX: TimeDelta = TimeDelta::hours(12);

/// What a limit counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum LimitKey {
    /// The machines of a stage of a fleet.
    Stage {
        /// The fleet's name.
        fleet: String,
        /// The stage.
        stage: String,
    },
    /// The machines of the disruption domain whose tag has this value.
    Group {
        /// The tag, lower-cased.
        tag: String,
        /// Its value.
        value: String,
    },
    /// The VMs of an availability set.
    AvailabilitySet(String),
    /// The guests of an Azure Local cluster.
    Cluster(String),
}

impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage { stage, .. } => write!(f, "stage {stage}"),
            Self::Group { tag, value } => write!(f, "group {tag}={value}"),
            Self::AvailabilitySet(id) => write!(f, "availability set {}", last_segment(id)),
            Self::Cluster(id) => write!(f, "cluster {}", last_segment(id)),
        }
    }
}

/// Returns the name at the end of a resource id.
pub fn last_segment(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// A limit as a run froze it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FrozenLimit {
    /// What it counts.
    pub key: LimitKey,
    /// How many of it may be unavailable.
    pub max: u32,
}

/// A machine as a run names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunMachine {
    /// The machine.
    pub id: MachineId,
    /// Its name as Azure spells it.
    pub name: String,
    /// Its kind.
    pub kind: MachineKind,
    /// The life of it that was planned for.
    pub incarnation: Incarnation,
    /// Where it stands.
    pub placement: Placement,
    /// Its groups: tag (lower-cased) and value.
    pub groups: BTreeMap<String, String>,
}

/// The window a run was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunWindow {
    /// Its name; of windows that merge into one opening the first by name.
    pub name: String,
    /// When it opens.
    pub start: DateTime<Utc>,
    /// When it closes.
    pub end: DateTime<Utc>,
}

/// What a run froze when it was made. The current spec may narrow it, never widen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// The fleet's name; the namespace is the run's own.
    pub fleet: String,
    /// The fleet's uid.
    pub fleet_uid: String,
    /// The ServiceAccount whose identity acts.
    pub service_account: String,
    /// The release.
    pub release: ReleaseId,
    /// The KBs that may be installed.
    pub kbs: BTreeSet<Kb>,
    /// Nothing published after this day is installed.
    pub published_until: NaiveDate,
    /// What is done.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// The stage.
    pub stage: String,
    /// The number of the run among those of this fleet, release and stage, from 1.
    pub ordinal: u32,
    /// The window.
    pub window: RunWindow,
    /// The limits.
    pub limits: Vec<FrozenLimit>,
    /// The failure domains that keep machines apart.
    pub spread: Spread,
    /// What counts as healthy.
    pub health: HealthRule,
    /// How often a machine is tried again after a failure.
    pub retries: u32,
    /// More failed machines than this stop the run; none in runs of earlier versions.
    pub max_failed: Option<u32>,
    /// Whether those are counted over the whole release instead of the stage.
    pub failed_per_release: bool,
    /// The conditions that must be set on the run before it acts.
    pub gates: Vec<RunGate>,
    /// How long things take.
    pub estimates: Estimates,
    /// The machines, by id.
    pub machines: BTreeMap<MachineId, RunMachine>,
}

impl Terms {
    /// Returns the command that does the run's action on a machine that has had none yet.
    pub fn first_command(&self) -> Command {
        match self.action {
            Action::Hotpatch => {
                planted::pick(Bug::FinishAHotpatch, Command::Stage, Command::Finish)
            }
            Action::Baseline => Command::Finish,
        }
    }

    /// Returns how long a command of this run is expected to take.
    pub fn estimate(&self) -> TimeDelta {
        match self.action {
            Action::Hotpatch => MAXIMUM_DURATION_FLOOR,
            Action::Baseline => self.estimates.baseline.max(MAXIMUM_DURATION_FLOOR),
        }
    }
}

/// The step of a machine whose stored entry contradicts itself.
pub const CORRUPT: &str = "Corrupt";

/// The step of a machine whose stored entry is gone.
pub const MISSING: &str = "Missing";

/// Where a machine of a run stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Step {
    /// Nothing was commanded, or what was commanded is known not to have arrived.
    Planned,
    /// The intent to command is written; whether it was sent is not recorded.
    Starting,
    /// The command was accepted.
    Running,
    /// It ended; the machine is being judged.
    Verifying,
    /// Done.
    Succeeded,
    /// It did not come out well.
    Failed,
    /// Not done, and nothing is under way.
    Skipped,
    /// The outcome is not known: held, and counted as unavailable.
    Unknown,
    /// Written by somebody whose words this version does not know: held.
    NotUnderstood(String),
}

impl Step {
    /// Tells whether the machine is done with in this run.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped)
    }

    /// Tells whether the machine is commanded or held, so that others must wait for it.
    pub fn is_engaged(&self) -> bool {
        let is_forgotten = *self == Self::Unknown && planted::is(Bug::ForgetHolds);
        !self.is_final() && *self != Self::Planned && !is_forgotten
    }

    /// Returns the word that stands in the run's status.
    pub fn word(&self) -> &str {
        match self {
            Self::Planned => "Planned",
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Verifying => "Verifying",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Skipped => "Skipped",
            Self::Unknown => "Unknown",
            Self::NotUnderstood(word) => word,
        }
    }

    /// Reads the word of a run's status; a word not known is kept, and holds the machine.
    pub fn parse(word: &str) -> Self {
        match word {
            "Planned" => Self::Planned,
            "Starting" => Self::Starting,
            "Running" => Self::Running,
            "Verifying" => Self::Verifying,
            "Succeeded" => Self::Succeeded,
            "Failed" => Self::Failed,
            "Skipped" => Self::Skipped,
            "Unknown" => Self::Unknown,
            other => planted::pick(
                Bug::StrangeIsPlanned,
                Self::NotUnderstood(other.to_owned()),
                Self::Planned,
            ),
        }
    }
}

/// Where one machine of a run stands, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// When the step began.
    pub since: DateTime<Utc>,
    /// Commands that were, or may have been, accepted in this run.
    pub attempts: u32,
    /// Commands that Azure surely refused in this run.
    pub refusals: u32,
    /// The command under way, or the one that comes next if it is not the first.
    pub command: Option<Command>,
    /// The id the command carries.
    pub request: Option<RequestId>,
    /// When the intent to send it was written.
    pub intent_at: Option<DateTime<Utc>>,
    /// The newest install seen on the machine before the intent: one with another id is newer.
    pub activity_before: Option<String>,
    /// The operation to ask on.
    pub operation: Option<Operation>,
    /// When the command ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Until when no command on it is tried: Azure said so when it throttled the last one, or the
    /// last one was withheld just before it was sent.
    pub throttled_until: Option<DateTime<Utc>>,
    /// Why the machine stands here.
    pub reason: Option<StepReason>,
    /// The same for people.
    pub message: String,
}

impl Progress {
    /// Returns the progress of a machine on which nothing was done yet.
    pub fn planned(now: DateTime<Utc>) -> Self {
        Self {
            step: Step::Planned,
            since: now,
            attempts: 0,
            refusals: 0,
            command: None,
            request: None,
            intent_at: None,
            activity_before: None,
            operation: None,
            ended_at: None,
            throttled_until: None,
            reason: None,
            message: String::new(),
        }
    }

    /// Returns the same machine at another step.
    pub fn at(&self, step: Step, now: DateTime<Utc>, why: Option<StepReason>, text: &str) -> Self {
        Self {
            step,
            since: now,
            reason: why,
            message: text.to_owned(),
            ..self.clone()
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum RunEnd {
    /// Every machine is done with; none failed.
    Complete,
    /// Every machine is done with; at least one failed.
    Failed,
}

/// A run as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Its fleet's key.
    pub fleet: FleetKey,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// What it froze: shared by all who look at the run, as it never changes.
    pub terms: Arc<Terms>,
    /// Where its machines stand; every machine of the terms is here.
    pub progress: BTreeMap<MachineId, Progress>,
    /// How it ended, if it did.
    pub end: Option<RunEnd>,
    /// Since when it is being deleted, if it is: that aborts it.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Why its work cannot be followed to its end, if it cannot.
    pub orphaned: Option<String>,
    /// The gate conditions that are true on it.
    pub gates_open: BTreeSet<String>,
    /// The epoch of the leader that owns it.
    pub epoch: i64,
    /// Whether anything in its status was not understood: then nothing is sent from it.
    pub quarantined: Option<String>,
}

/// Tells whether a step waits for evidence or for a person.
pub fn is_held(step: &Step) -> bool {
    matches!(step, Step::Unknown | Step::NotUnderstood(_))
}
