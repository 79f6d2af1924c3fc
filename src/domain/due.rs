//! What a machine needs now: nothing, one pinned install, or to wait for a named reason.
//!
//! Holds the verdict per machine, from its track, the rules of its policy and what it is offered.
//! Must never let something be due that rests on a missing fact: losing any fact turns what is due
//! into a wait, never the other way. Whether a window is open and a budget free is decided later.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::machine::Machine;
use super::release::{Catalogue, Kb, ReleaseId};
use super::track::evidence::Evidence;
use super::track::{Doubt, Track};

mod judge;
#[cfg(test)]
mod tests;
mod wait;

use judge::Judge;

pub use wait::{Wait, WaitReason};

/// What happens to a machine whose baseline is no longer offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum LateBaseline {
    /// It waits for a person. The baseline itself is still installed for as long as it is offered.
    Hold,
    /// It gets the latest cumulative update instead.
    LatestCumulative,
}

/// What happens to a machine off the track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OffTrackRule {
    /// It gets the standard update, with its reboot, in the next window.
    NextWindow,
    /// It waits for the next baseline.
    UntilBaseline,
}

/// What happens when a month that was planned as hotpatch turns out to be a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum UnplannedRule {
    /// It is treated like a planned one. Also given where somebody approved the release.
    NextWindow,
    /// It waits for an approval.
    Approve,
}

/// Who installs hotpatches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Installer {
    /// This operator.
    Operator,
    /// The Azure platform; baselines remain the operator's.
    Platform,
}

/// What the policy and the fleet say about what is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DueRules {
    /// Days from a publication until a machine without it is overdue.
    pub deadline_days: u32,
    /// For baselines that are no longer offered.
    pub late_baseline: LateBaseline,
    /// For machines off the track.
    pub off_track: OffTrackRule,
    /// For unplanned baselines.
    pub unplanned: UnplannedRule,
    /// Who installs hotpatches.
    pub installer: Installer,
}

/// What is done to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Action {
    /// Installs without a reboot: one Stage.
    Hotpatch,
    /// Installs with a reboot, or settles one that is owed: Stage and Finish, in a window.
    Baseline,
}

impl Action {
    /// Tells whether the action may take the machine down.
    pub fn is_disruptive(self) -> bool {
        self == Self::Baseline
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Cause {
    /// The calendar planned it.
    Planned,
    /// A baseline in a month planned as hotpatch.
    Unplanned,
    /// A baseline that was missed: itself, or what replaced it.
    LateBaseline,
    /// The machine is off the track and gets the standard update.
    OffTrack,
    /// An earlier install waits for its reboot.
    RebootOwed,
    /// A hotpatch out of band.
    OutOfBand,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a machine needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// The release it brings the machine to.
    pub release: ReleaseId,
    /// What is done.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// The KBs that may be installed, and no others; never empty.
    pub kbs: BTreeSet<Kb>,
    /// The last day of publication that may be installed (`maxPatchPublishDate`).
    pub published_until: NaiveDate,
    /// From when the machine is overdue.
    pub deadline: DateTime<Utc>,
}

/// What shows that a machine is current.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum CurrentBy {
    /// An install record.
    Record,
    /// An assessment that offers nothing of the track.
    Assessment,
}

/// The verdict on a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// It has the latest release.
    Current {
        /// The release.
        release: ReleaseId,
        /// The time of the evidence.
        since: Option<DateTime<Utc>>,
        /// What shows it.
        evidence: CurrentBy,
    },
    /// It needs something.
    Due(Due),
    /// It waits.
    Wait(Wait),
}

/// Says what a machine needs at `now`.
///
/// `track` is that of [`track`](super::track::track) for the same machine and instant. Where an
/// unplanned baseline needs an approval and has one, the caller passes
/// [`UnplannedRule::NextWindow`].
///
/// Something is due only where a fresh assessment, newer than the release, offers it: the install
/// is pinned to what was seen there. In a hotpatch month nothing is due as a hotpatch that is not
/// offered as `NeverReboots`, whatever the catalogue says.
pub fn verdict(
    machine: &Machine,
    track: &Track,
    rules: &DueRules,
    catalogue: &Catalogue,
    now: DateTime<Utc>,
) -> Verdict {
    let evidence = Evidence::gather(machine, catalogue, now);
    let judge = evidence.map(|evidence| Judge { evidence, rules });
    match (track, judge) {
        (Track::Ineligible(blockers), _) => Wait::ineligible(blockers).into(),
        (Track::NotEnrolled { pending }, _) => Wait::not_enrolled(pending.as_ref()).into(),
        (Track::Regressed(what), _) => Wait::new(WaitReason::Regressed, what.to_string()).into(),
        (Track::Unknown(doubt), None) => Wait::in_doubt(doubt).into(),
        (_, None) => Wait::in_doubt(&Doubt::NoRelease).into(),
        (Track::Unknown(doubt), Some(judge)) => judge.in_doubt(doubt),
        (Track::RebootOwed { kb, .. }, Some(judge)) => judge.reboot_owed(*kb),
        (Track::OnTrack { .. } | Track::BaselineDue { .. }, Some(judge)) => judge.on_track(),
        (Track::OffTrack { cause, .. }, Some(judge)) => judge.off_track(*cause),
    }
}
