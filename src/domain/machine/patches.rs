//! Updates as a machine shows them: what its assessment offers, what its installs did.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::domain::release::Kb;

/// What a security update asks of the machine (`rebootBehavior`, azure.md §1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum RebootBehavior {
    /// It never reboots.
    Never,
    /// It may ask for a reboot.
    CanRequest,
    /// It always needs one.
    Always,
    /// Azure did not say.
    Unknown,
}

/// What an update is for, as far as its title and classifications say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum OfferClass {
    /// Windows itself: a cumulative update or a hotpatch.
    OperatingSystem,
    /// The servicing stack, which other updates of Windows need.
    ServicingStack,
    /// .NET.
    DotNet,
    /// SQL Server.
    Sql,
    /// A driver or firmware.
    Driver,
    /// Something else that is known, such as definitions of an antivirus.
    Other,
    /// Azure did not say enough.
    #[default]
    Unknown,
}

impl OfferClass {
    /// Concludes from the title and the classifications of an update (`name`, `classifications`;
    /// azure.md §1.4). What is not recognised is unknown, never another.
    pub fn of(title: &str, classifications: &[String]) -> Self {
        let title = title.to_ascii_lowercase();
        let classified = |text: &str| {
            let words = |own: &String| own.to_ascii_lowercase().replace(' ', "");
            classifications
                .iter()
                .any(|own| words(own).starts_with(text))
        };
        let says = |words: &[&str]| words.iter().any(|word| title.contains(word));
        if says(&[".net"]) {
            Self::DotNet
        } else if says(&["sql server"]) {
            Self::Sql
        } else if classified("driver") || says(&["firmware"]) {
            Self::Driver
        } else if classified("definition") || says(&["malicious software removal tool"]) {
            Self::Other
        } else if says(&["servicing stack update"]) {
            Self::ServicingStack
        } else if says(&[
            "hotpatch",
            "cumulative update for windows",
            "operating system version",
        ]) || says(&["cumulative update for microsoft server operating system"])
        {
            Self::OperatingSystem
        } else {
            Self::Unknown
        }
    }
}

/// An update that the last assessment offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offered {
    /// Its number.
    pub kb: Kb,
    /// What it is for.
    pub class: OfferClass,
    /// What it asks of the machine.
    pub reboot: RebootBehavior,
    /// Whether it is classified Security or Critical.
    pub security: bool,
    /// When it was published, where Azure says.
    pub published: Option<NaiveDate>,
}

/// Where a guest takes its updates from (`patchServiceUsed`, azure.md §2, §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum UpdateService {
    /// Azure did not say.
    #[default]
    Unknown,
    /// Windows Update.
    WindowsUpdate,
    /// A WSUS server that a policy in the guest names.
    Wsus,
}

/// The last assessment of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assessment {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// Whether the guest waits for a reboot.
    pub reboot_pending: bool,
    /// Where the guest takes its updates from.
    pub service: UpdateService,
    /// What it offers, by KB.
    pub offered: Vec<Offered>,
}

impl Assessment {
    /// Tells whether the assessment offers an update.
    pub fn offers(&self, kb: &Kb) -> bool {
        self.offered.iter().any(|offered| &offered.kb == kb)
    }
}

/// How an install ended (`status`, azure.md §1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum InstallStatus {
    /// It runs.
    InProgress,
    /// All went well.
    Succeeded,
    /// It ended with warnings.
    Warnings,
    /// It failed.
    Failed,
    /// Azure did not say.
    Unknown,
}

impl InstallStatus {
    /// Tells whether the install has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Warnings | Self::Failed)
    }
}

/// What became of the reboot that an install may need (`rebootStatus`, azure.md §1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum RebootStatus {
    /// None was needed.
    NotNeeded,
    /// One is owed.
    Required,
    /// It has begun.
    Started,
    /// It did not come about.
    Failed,
    /// Done.
    Completed,
    /// Azure did not say.
    Unknown,
}

impl RebootStatus {
    /// Tells whether no reboot is owed any more.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::NotNeeded | Self::Completed)
    }
}

/// One install on a machine, by whomever (`patchInstallationResults`, azure.md §4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstallRecord {
    /// Azure's id of the install.
    pub activity: String,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When the record last changed: its end, once the status is final.
    pub modified: DateTime<Utc>,
    /// How it ended.
    pub status: InstallStatus,
    /// What became of the reboot.
    pub reboot: RebootStatus,
    /// What it installed.
    pub installed: Vec<Kb>,
    /// What it could not install.
    pub failed: Vec<Kb>,
    /// Whether it ran out of its time.
    pub window_exceeded: bool,
}
