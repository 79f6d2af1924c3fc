//! Holds the ground truth: what really happened, in order, for checkers to judge by. Nothing in
//! the emulator reads it back.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::patches::{InstallStatus, RebootStatus};

/// One thing that really happened in the emulated world.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Position in the log, from 0, without gaps.
    pub seq: u64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The lower-cased resource id of the machine.
    pub machine_id: String,
    /// The `vmId` of the machine at that time: a recreated machine has another.
    pub incarnation: String,
    /// What happened.
    pub what: What,
}

/// Says what happened to a machine.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A call that acts or writes was accepted.
    CallAccepted(Call),
    /// A call that acts or writes was refused, with this HTTP status and error code.
    CallRefused {
        /// The call.
        call: Call,
        /// The HTTP status of the answer.
        status: u16,
        /// The `error.code` of the answer.
        code: String,
    },
    /// An install began to run on the machine.
    InstallStarted {
        /// The `installationActivityId`.
        activity: String,
        /// Who asked for it.
        by: Actor,
    },
    /// An install ended.
    InstallEnded {
        /// The `installationActivityId`.
        activity: String,
        /// Who asked for it.
        by: Actor,
        /// How it ended.
        status: InstallStatus,
        /// What became of the reboot.
        reboot: RebootStatus,
    },
    /// A run command's script ended, or was given up.
    ScriptEnded {
        /// Who asked for it.
        by: Actor,
        /// Whether the guest is going to restart because of it.
        restarts: bool,
    },
    /// A KB was installed and takes effect at the next reboot.
    KbStaged {
        /// Digits only.
        kb: String,
        /// The `installationActivityId`.
        activity: String,
        /// Who asked for it.
        by: Actor,
    },
    /// A KB took effect.
    KbInstalled {
        /// Digits only.
        kb: String,
        /// The `installationActivityId`.
        activity: String,
        /// Who asked for it.
        by: Actor,
    },
    /// The guest went down for a reboot.
    RebootStarted {
        /// Why.
        cause: RebootCause,
    },
    /// The guest answered again after a reboot.
    RebootEnded {
        /// Boots since the machine was made.
        boot_count: u32,
    },
    /// Patch settings changed: before and after, as in the machine's `patchSettings`.
    SettingsChanged {
        /// Who changed them.
        by: Actor,
        /// The settings before.
        before: Value,
        /// The settings after.
        after: Value,
    },
    /// Tags changed.
    TagsChanged {
        /// Who changed them.
        by: Actor,
        /// The tags before.
        before: Value,
        /// The tags after.
        after: Value,
    },
    /// The hotpatch licence of an Arc machine was changed.
    LicenceChanged {
        /// Who changed it.
        by: Actor,
        /// The requested state of the Hotpatch feature.
        enabled: bool,
    },
    /// The machine stopped serving other than by a reboot that ends.
    WentUnhealthy {
        /// What happened to it.
        why: String,
    },
    /// The machine serves again other than by the end of a reboot.
    BecameHealthy,
    /// The machine was made.
    Added,
    /// The machine was deleted.
    Deleted,
    /// The machine was deleted and made anew under the same id.
    Recreated,
}

/// A call that acts on a machine or writes to it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Call {
    /// What was asked for.
    pub operation: CallOperation,
    /// Who asked: the name its bearer token stands for.
    pub caller: String,
    /// The `x-ms-client-request-id` it carried.
    pub client_request_id: Option<String>,
    /// The id of the long-running operation it started, when accepted.
    pub operation_id: Option<String>,
    /// `rebootSetting` of an install.
    pub reboot_setting: Option<String>,
    /// KBs an install names, digits only.
    pub kbs: Vec<String>,
    /// Classifications an install names.
    pub classifications: Vec<String>,
    /// `maximumDuration` of an install, in minutes.
    pub maximum_minutes: Option<i64>,
    /// `excludeKbsRequiringReboot` of an install.
    pub exclude_reboot: bool,
    /// The script of a run command.
    pub script: Option<String>,
}

/// Says what a call asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CallOperation {
    /// `assessPatches`.
    #[default]
    Assess,
    /// `installPatches`.
    Install,
    /// `restart`.
    Restart,
    /// A write of the machine or its tags.
    Update,
    /// A write of the licence profile.
    Licence,
    /// A run command is put.
    RunCommand,
    /// A run command is deleted.
    RunCommandDeletion,
}

/// Says who did something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// Somebody who called the emulated API.
    Caller {
        /// The name the bearer token stands for.
        name: String,
        /// The `x-ms-client-request-id` of the call.
        client_request_id: Option<String>,
        /// The id of the long-running operation.
        operation_id: String,
    },
    /// Azure's own guest patching or periodic assessment.
    Platform,
    /// Windows Update inside the guest.
    WindowsUpdate,
    /// Somebody outside, by way of a test.
    Foreign,
}

/// Says why a guest rebooted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RebootCause {
    /// An install asked for through the API.
    Install {
        /// The caller's name.
        caller: String,
        /// The id of the long-running operation.
        operation_id: String,
        /// The `x-ms-client-request-id` of the call.
        client_request_id: Option<String>,
    },
    /// A restart asked for through the API.
    Restart {
        /// The caller's name.
        caller: String,
        /// The id of the long-running operation.
        operation_id: String,
        /// The `x-ms-client-request-id` of the call.
        client_request_id: Option<String>,
    },
    /// Azure's own guest patching.
    Platform,
    /// Windows Update inside the guest.
    Guest,
    /// Somebody outside, by way of a test.
    Foreign,
    /// The update needs one more reboot; the cause of the first is in the log before it.
    UpdateAgain,
}
