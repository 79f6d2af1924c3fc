//! Why a machine waits, each reason with a name and a sentence.

use std::fmt;

use serde::Serialize;

use super::Verdict;
use crate::domain::eligibility::Blocker;
use crate::domain::enrolment::Pending;
use crate::domain::track::Doubt;

/// Why nothing is done to a machine. Displayed in CamelCase, as a condition's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum WaitReason {
    /// It cannot be hotpatched.
    Ineligible,
    /// Azure does not say what is needed to judge it.
    FactsMissing,
    /// Hotpatching is not in force on it.
    NotEnrolled,
    /// Something was true of it and is no more.
    Regressed,
    /// The catalogue has no published release of its track.
    NoRelease,
    /// It was never assessed, or its assessment was forgotten.
    NoAssessment,
    /// Its assessment lies in the future.
    AssessmentFromFuture,
    /// Its assessment is older than the release.
    AssessmentOlderThanRelease,
    /// Its assessment is too old.
    AssessmentStale,
    /// An install runs on it.
    InstallInProgress,
    /// The last install ended nobody knows how.
    InstallUnclear,
    /// Whether the last install owes a reboot is not known.
    RebootUnclear,
    /// A reboot is owed by record, and no newer assessment confirms it.
    RebootUnconfirmed,
    /// A reboot is owed, and nothing is known to pin a command to.
    RebootWithoutKb,
    /// The release is not offered, but something of which nothing is known.
    ReleaseNotOffered,
    /// Something newer than the latest known release is offered.
    Superseded,
    /// Its build is newer than the latest release gives.
    BuildAhead,
    /// The hotpatch is not offered as one that never reboots.
    HotpatchMayReboot,
    /// The Azure platform installs hotpatches on this fleet.
    PlatformInstalls,
    /// A baseline that was not planned needs an approval.
    UnplannedBaseline,
    /// The baseline was missed, and the policy holds what would replace it.
    LateBaselineHeld,
    /// The machine is off the track, and the policy leaves it until the next baseline.
    UntilBaseline,
    /// Only an update is offered that would take it off the track.
    WouldLeaveTrack,
}

impl WaitReason {
    /// Tells whether it is of the releases: what the machine has and is offered is known, and it
    /// waits because of that. The other waits say nothing of it.
    pub fn is_of_the_release(self) -> bool {
        match self {
            Self::NoRelease
            | Self::RebootUnconfirmed
            | Self::RebootWithoutKb
            | Self::ReleaseNotOffered
            | Self::Superseded
            | Self::BuildAhead
            | Self::HotpatchMayReboot
            | Self::PlatformInstalls
            | Self::UnplannedBaseline
            | Self::LateBaselineHeld
            | Self::UntilBaseline
            | Self::WouldLeaveTrack => true,
            Self::Ineligible
            | Self::FactsMissing
            | Self::NotEnrolled
            | Self::Regressed
            | Self::NoAssessment
            | Self::AssessmentFromFuture
            | Self::AssessmentOlderThanRelease
            | Self::AssessmentStale
            | Self::InstallInProgress
            | Self::InstallUnclear
            | Self::RebootUnclear => false,
        }
    }

    /// Tells whether another assessment may end the wait.
    pub fn assessing_may_help(self) -> bool {
        matches!(
            self,
            Self::NoAssessment
                | Self::AssessmentFromFuture
                | Self::AssessmentOlderThanRelease
                | Self::AssessmentStale
                | Self::InstallUnclear
                | Self::RebootUnclear
                | Self::RebootUnconfirmed
                | Self::ReleaseNotOffered
        )
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// Why.
    pub reason: WaitReason,
    /// One plain sentence.
    pub message: String,
    /// Whether asking Azure for an assessment would help.
    pub assess: bool,
}

impl Wait {
    pub(super) fn new(reason: WaitReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            assess: false,
        }
    }

    pub(super) fn ineligible(blockers: &[Blocker]) -> Self {
        Self::new(WaitReason::Ineligible, joined(blockers))
    }

    pub(super) fn not_enrolled(pending: Option<&Pending>) -> Self {
        let message = match pending {
            None => "hotpatching is not turned on; set the fleet's mode to Enrol or Enforce".into(),
            Some(pending) => {
                format!("hotpatching is asked for and not yet in force: {pending}")
            }
        };
        Self::new(WaitReason::NotEnrolled, message)
    }

    pub(super) fn in_doubt(doubt: &Doubt) -> Self {
        use WaitReason as Reason;
        let (reason, message) = match doubt {
            Doubt::FactsMissing(blockers) => {
                return Self::new(Reason::FactsMissing, joined(blockers));
            }
            Doubt::OffersUnclear(kb) => {
                let message = format!(
                    "the release is not offered, but {kb} is, of which nothing certain is known"
                );
                return Self::new(Reason::ReleaseNotOffered, message);
            }
            Doubt::Superseded(kb) => {
                let message = format!(
                    "{kb} is offered and newer than any release known; add it to the catalogue"
                );
                return Self::new(Reason::Superseded, message);
            }
            Doubt::NoRelease => (
                Reason::NoRelease,
                "the catalogue has no published release of its track",
            ),
            Doubt::NoAssessment => (Reason::NoAssessment, "it has no assessment"),
            Doubt::AssessmentFromFuture => (
                Reason::AssessmentFromFuture,
                "its assessment lies in the future; see that its clock is right",
            ),
            Doubt::AssessmentOlderThanRelease => (
                Reason::AssessmentOlderThanRelease,
                "its assessment is older than the latest release",
            ),
            Doubt::AssessmentStale => (
                Reason::AssessmentStale,
                "its assessment is older than 48 hours",
            ),
            Doubt::InstallInProgress => (Reason::InstallInProgress, "an install runs on it"),
            Doubt::InstallUnclear => (
                Reason::InstallUnclear,
                "Azure does not say how its last install ended",
            ),
            Doubt::RebootUnclear => (
                Reason::RebootUnclear,
                "Azure does not say whether its last install owes a reboot",
            ),
            Doubt::BuildAhead => (
                Reason::BuildAhead,
                "its build is newer than the latest release gives, so something that no record \
                 shows is installed",
            ),
        };
        Self::new(reason, message)
    }
}

fn joined(blockers: &[Blocker]) -> String {
    let messages: Vec<&str> = blockers.iter().map(|b| b.message.as_str()).collect();
    messages.join(" | ")
}

impl From<Wait> for Verdict {
    fn from(wait: Wait) -> Self {
        Self::Wait(wait)
    }
}
