//! The commands the operator may give a machine. There are three, and each is harmless when
//! repeated after success: nothing here reboots a machine that owes no reboot.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use super::release::Kb;

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Command {
    /// Installs pinned KBs with reboot `Never`.
    Stage,
    /// Installs pinned KBs with reboot `IfRequired`: installs what is missing, reboots only if
    /// owed.
    Finish,
    /// Restarts the machine; given only after a Finish that ended with its reboot still owed.
    Restart,
}

impl Command {
    /// Returns its name in one lower-case word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Finish => "finish",
            Self::Restart => "restart",
        }
    }

    /// Tells whether the command may take the machine down.
    pub fn is_disruptive(self) -> bool {
        matches!(self, Self::Finish | Self::Restart)
    }
}

/// An install as sent: pinned to KBs, never by classification, never `Always`
/// (`installPatches`, Compute and HybridCompute; azure.md §1.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstallOrder {
    /// `kbNumbersToInclude`, sorted.
    pub kbs: Vec<Kb>,
    /// `rebootSetting`: `IfRequired` if true, else `Never`.
    pub may_reboot: bool,
    /// `excludeKbsRequiringReboot`: the second lock of a hotpatch run.
    pub exclude_rebooting: bool,
    /// `maxPatchPublishDate`: nothing published after this day.
    pub published_until: NaiveDate,
    /// `maximumDuration`.
    pub maximum_duration: TimeDelta,
}

/// How long a guest that is told to restart waits before it goes down, so that the answer gets
/// back to Azure first. Only a restart by run command has it.
pub const RESTART_NOTICE: TimeDelta = TimeDelta::seconds(60);

/// A restart as sent. A VM takes nothing of it; an Arc server is restarted by a script, which can
/// wait for hours until its machine connects (azure.md §2), and must not take effect then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestartOrder {
    /// The region in which Azure keeps the machine's record.
    pub location: String,
    /// After this instant, by the guest's clock, nothing is restarted any more.
    pub not_after: DateTime<Utc>,
}

/// The id a command carries as `x-ms-client-request-id`, chosen before it is sent and written
/// into the run first, so that Azure's Activity Log can prove afterwards whether it arrived.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RequestId(pub String);

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
