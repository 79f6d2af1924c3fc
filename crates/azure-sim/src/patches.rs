//! Holds the words of patching that results, records and requests share. Must never know HTTP.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// Says how an assessment or install stands (`PatchOperationStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallStatus {
    /// It runs.
    InProgress,
    /// It failed as a whole.
    Failed,
    /// It did what was asked.
    Succeeded,
    /// It did some of what was asked.
    CompletedWithWarnings,
}

impl InstallStatus {
    /// Gives the word used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Succeeded => "Succeeded",
            Self::CompletedWithWarnings => "CompletedWithWarnings",
        }
    }
}

/// Says what became of the reboot of an install (`VMGuestPatchRebootStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebootStatus {
    /// Nothing installed or pending needs one.
    NotNeeded,
    /// One is owed and was not done.
    Required,
    /// The guest is down.
    Started,
    /// The guest did not come back, or there was no time.
    Failed,
    /// The guest is back.
    Completed,
}

impl RebootStatus {
    /// Gives the word used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotNeeded => "NotNeeded",
            Self::Required => "Required",
            Self::Started => "Started",
            Self::Failed => "Failed",
            Self::Completed => "Completed",
        }
    }
}

/// What an install may do about reboots (`VMGuestPatchRebootSetting`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RebootSetting {
    IfRequired,
    Never,
    Always,
}

impl RebootSetting {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::IfRequired, Self::Never, Self::Always]
            .into_iter()
            .find(|setting| setting.as_str().eq_ignore_ascii_case(text))
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::IfRequired => "IfRequired",
            Self::Never => "Never",
            Self::Always => "Always",
        }
    }
}

/// Classification of a patch: the input word, the display string and the count key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Classification {
    Critical,
    Security,
    UpdateRollUp,
    FeaturePack,
    ServicePack,
    Definition,
    Tools,
    Updates,
}

impl Classification {
    pub(crate) const ALL: [Self; 8] = [
        Self::Critical,
        Self::Security,
        Self::UpdateRollUp,
        Self::FeaturePack,
        Self::ServicePack,
        Self::Definition,
        Self::Tools,
        Self::Updates,
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|class| class.input().eq_ignore_ascii_case(text))
    }

    /// The enum word requests carry.
    pub(crate) fn input(self) -> &'static str {
        match self {
            Self::Critical => "Critical",
            Self::Security => "Security",
            Self::UpdateRollUp => "UpdateRollUp",
            Self::FeaturePack => "FeaturePack",
            Self::ServicePack => "ServicePack",
            Self::Definition => "Definition",
            Self::Tools => "Tools",
            Self::Updates => "Updates",
        }
    }

    /// The display string results carry.
    pub(crate) fn display(self) -> &'static str {
        match self {
            Self::Critical => "Critical Updates",
            Self::Security => "Security Updates",
            Self::UpdateRollUp => "Update Rollups",
            Self::FeaturePack => "Feature Packs",
            Self::ServicePack => "Service Packs",
            Self::Definition => "Definition Updates",
            Self::Tools => "Tools",
            Self::Updates => "Updates",
        }
    }

    /// The key in `availablePatchCountByClassification`.
    pub(crate) fn count_key(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Security => "security",
            Self::UpdateRollUp => "updateRollup",
            Self::FeaturePack => "featurePack",
            Self::ServicePack => "servicePack",
            Self::Definition => "definition",
            Self::Tools => "tools",
            Self::Updates => "updates",
        }
    }

    pub(crate) fn is_critical_or_security(self) -> bool {
        matches!(self, Self::Critical | Self::Security)
    }
}

/// What a KB is to a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KbKind {
    Baseline,
    Hotpatch,
    Lcu,
    DotNet,
    Definition,
}

impl KbKind {
    /// Baselines and standard cumulative updates replace the whole servicing state.
    pub(crate) fn is_cumulative(self) -> bool {
        matches!(self, Self::Baseline | Self::Lcu)
    }
}

/// An update on offer to a guest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Offered {
    /// Digits only.
    pub(crate) kb: String,
    pub(crate) patch_id: String,
    pub(crate) name: String,
    pub(crate) class: Classification,
    /// What Azure reports.
    pub(crate) reboot_behavior: &'static str,
    /// What is true.
    pub(crate) needs_reboot: bool,
    pub(crate) published: DateTime<Utc>,
    pub(crate) date: NaiveDate,
    pub(crate) kind: KbKind,
    pub(crate) build: Option<String>,
}

/// State of one patch in an install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatchState {
    Pending,
    Installed,
    Failed,
    Excluded,
    NotSelected,
}

impl PatchState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Installed => "Installed",
            Self::Failed => "Failed",
            Self::Excluded => "Excluded",
            Self::NotSelected => "NotSelected",
        }
    }
}

/// An error inside a result: code and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PatchError {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// The last assessment of a machine.
#[derive(Debug, Clone)]
pub(crate) struct Assessment {
    pub(crate) activity: String,
    pub(crate) started: DateTime<Utc>,
    pub(crate) modified: DateTime<Utc>,
    pub(crate) status: InstallStatus,
    pub(crate) reboot_pending: bool,
    pub(crate) offered: Vec<Offered>,
    pub(crate) by_platform: bool,
    pub(crate) error: Option<PatchError>,
}

impl Assessment {
    /// Azure forgets assessments after 7 days (AUM/query-logs).
    pub(crate) fn forgotten(&self, now: DateTime<Utc>) -> bool {
        now >= self.forgotten_at()
    }

    pub(crate) fn forgotten_at(&self) -> DateTime<Utc> {
        self.modified + TimeDelta::days(7)
    }
}

/// One install on a machine.
#[derive(Debug, Clone)]
pub(crate) struct InstallRecord {
    pub(crate) activity: String,
    pub(crate) started: DateTime<Utc>,
    pub(crate) modified: DateTime<Utc>,
    pub(crate) status: InstallStatus,
    pub(crate) reboot: RebootStatus,
    pub(crate) exceeded: bool,
    pub(crate) patches: Vec<(Offered, PatchState)>,
    pub(crate) by_platform: bool,
    pub(crate) error: Option<PatchError>,
}

impl InstallRecord {
    pub(crate) fn count(&self, state: PatchState) -> usize {
        self.patches
            .iter()
            .filter(|(_, found)| *found == state)
            .count()
    }

    /// Azure forgets installs after 30 days (AUM/query-logs).
    pub(crate) fn forgotten(&self, now: DateTime<Utc>) -> bool {
        now >= self.forgotten_at()
    }

    pub(crate) fn forgotten_at(&self) -> DateTime<Utc> {
        self.modified + TimeDelta::days(30)
    }
}
