//! The hotpatch track of a machine: on it, due for a baseline, owing a reboot, off it, or unknown.
//!
//! Holds the verdict on what a machine *is*, from what is installed and what is pending; what it
//! *needs* is [`due`](super::due). Must never guess: a fact that is missing, older than the
//! release, or contradicted by another makes the track unknown, with the reason named.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::eligibility::Blocker;
use super::enrolment::{self, Enrolled, Pending};
use super::machine::{Edition, InstallRecord, Licence, Machine, MachineKind, Product};
use super::release::{Catalogue, Kb, OsTrack, ReleaseId, StandardKind};

pub(in crate::domain) mod evidence;
#[cfg(test)]
pub(crate) mod fixture;
pub(in crate::domain) mod offer;
#[cfg(test)]
mod tests;

pub use evidence::{ASSESSMENT_MAX, ASSESSMENT_PATIENCE, INSTALL_SILENT_MAX, SKEW_MAX};
use evidence::{Evidence, Freshness, Reboot};
use offer::Offer;

/// Why a machine left the hotpatch track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum OffTrackCause {
    /// A record shows that an update beside the track was installed.
    StandardUpdate(Kb),
    /// It has the baseline, by record, and is offered the standard update instead of the hotpatch:
    /// security features, licence or settings of the guest keep it off.
    Unexplained,
    /// Its build is older than the baseline, so it missed it.
    MissedBaseline,
    /// It is offered the standard update, and no record tells why.
    Unproven,
}

impl fmt::Display for OffTrackCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandardUpdate(kb) => write!(f, "{kb} was installed, which is not of the track"),
            Self::Unexplained => f.write_str(
                "it has the baseline but is offered the standard update instead of the hotpatch",
            ),
            Self::MissedBaseline => f.write_str("its build is older than the baseline"),
            Self::Unproven => {
                f.write_str("it is offered the standard update, and no record tells why")
            }
        }
    }
}

/// What was true of a machine and is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Regression {
    /// A release that a record shows as installed is offered again: it was removed, or the install
    /// did not hold (as KB5068966 in November 2025).
    OfferedAgain(Kb),
    /// We turned `enableHotpatching` on, and somebody turned it off.
    HotpatchOff,
    /// We turned the licence feature on, and somebody turned it off.
    LicenceOff,
}

impl fmt::Display for Regression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfferedAgain(kb) => write!(f, "{kb} was installed and is offered again"),
            Self::HotpatchOff => f.write_str("enableHotpatching was on and is off"),
            Self::LicenceOff => f.write_str("the licence feature Hotpatch was on and is off"),
        }
    }
}

/// Why the track of a machine is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Doubt {
    /// Azure does not say what is needed to tell whether it can be hotpatched.
    FactsMissing(Vec<Blocker>),
    /// The catalogue knows no published release of its track.
    NoRelease,
    /// It was never assessed, or Azure forgot (after 7 days, azure.md §4).
    NoAssessment,
    /// Its assessment lies in the future.
    AssessmentFromFuture,
    /// Its assessment is older than the latest release.
    AssessmentOlderThanRelease,
    /// Its assessment is older than [`ASSESSMENT_MAX`].
    AssessmentStale,
    /// An install runs on it.
    InstallInProgress,
    /// The last install ended nobody knows how.
    InstallUnclear,
    /// Whether the last install owes a reboot is not known.
    RebootUnclear,
    /// It is offered something that may be of the track and cannot be told.
    OffersUnclear(Kb),
    /// It is offered something newer than the latest release the catalogue knows.
    Superseded(Kb),
    /// Its build is newer than the latest release gives, so something unrecorded is installed.
    BuildAhead,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FactsMissing(_) => "FactsMissing",
            Self::NoRelease => "NoRelease",
            Self::NoAssessment => "NoAssessment",
            Self::AssessmentFromFuture => "AssessmentFromFuture",
            Self::AssessmentOlderThanRelease => "AssessmentOlderThanRelease",
            Self::AssessmentStale => "AssessmentStale",
            Self::InstallInProgress => "InstallInProgress",
            Self::InstallUnclear => "InstallUnclear",
            Self::RebootUnclear => "RebootUnclear",
            Self::OffersUnclear(_) => "OffersUnclear",
            Self::Superseded(_) => "Superseded",
            Self::BuildAhead => "BuildAhead",
        })
    }
}

/// Where a machine stands to its hotpatch track. Displayed as its name alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Track {
    /// It takes hotpatches on this baseline.
    OnTrack {
        /// The baseline.
        baseline: ReleaseId,
    },
    /// It needs this baseline.
    BaselineDue {
        /// The baseline.
        release: ReleaseId,
    },
    /// An install waits for its reboot; the machine counts as exposed.
    RebootOwed {
        /// The update that owes it, where one can be told.
        kb: Option<Kb>,
        /// Since when.
        since: Option<DateTime<Utc>>,
        /// The install that owes it, by Azure's activity id; none where only the guest says so.
        by: Option<String>,
    },
    /// It gets the standard updates, each with a reboot.
    OffTrack {
        /// Why.
        cause: OffTrackCause,
        /// Since when, where a record tells.
        since: Option<DateTime<Utc>>,
        /// The date of the next baseline, at which it comes back.
        until: Option<NaiveDate>,
        /// The standard update it is offered: the price of staying off.
        kb: Option<Kb>,
    },
    /// Hotpatching is not in force.
    NotEnrolled {
        /// What it still waits for, where it was asked for.
        pending: Option<Pending>,
    },
    /// It cannot be hotpatched.
    Ineligible(Vec<Blocker>),
    /// Something was true of it and is no more.
    Regressed(Regression),
    /// It cannot be told.
    Unknown(Doubt),
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnTrack { .. } => "OnTrack",
            Self::BaselineDue { .. } => "BaselineDue",
            Self::RebootOwed { .. } => "RebootOwed",
            Self::OffTrack { .. } => "OffTrack",
            Self::NotEnrolled { .. } => "NotEnrolled",
            Self::Ineligible(_) => "Ineligible",
            Self::Regressed(_) => "Regressed",
            Self::Unknown(_) => "Unknown",
        })
    }
}

/// Tells which track of releases a machine follows; none where it follows none or it is not known.
///
/// | kind | WS2022 | WS2025 |
/// |---|---|---|
/// | Azure VM | Azure Edition | Azure Edition |
/// | Arc | | Standard, Datacenter |
/// | Azure Local | Azure Edition | Standard, Datacenter, Azure Edition |
pub fn os_track(machine: &Machine) -> Option<OsTrack> {
    let azure_edition = machine.edition == Edition::DatacenterAzureEdition;
    let ordinary = matches!(machine.edition, Edition::Standard | Edition::Datacenter);
    let follows = match (machine.kind, machine.product) {
        (MachineKind::AzureVm, Product::Ws2022 | Product::Ws2025)
        | (MachineKind::AzureLocalVm, Product::Ws2022) => azure_edition,
        (MachineKind::ArcServer, Product::Ws2025) => ordinary,
        (MachineKind::AzureLocalVm, Product::Ws2025) => ordinary || azure_edition,
        _ => false,
    };
    match machine.product {
        Product::Ws2022 if follows => Some(OsTrack::Ws2022AzureEdition),
        Product::Ws2025 if follows => Some(OsTrack::Ws2025),
        _ => None,
    }
}

/// Judges where a machine stands to its track at `now`.
///
/// `blockers` are those of [`blockers`](super::eligibility::blockers). First comes what stops all
/// judging (ineligible, not enrolled, an install under way), then a reboot owed, then regressions,
/// then what installed and pending updates say.
pub fn track(
    machine: &Machine,
    blockers: &[Blocker],
    catalogue: &Catalogue,
    now: DateTime<Utc>,
) -> Track {
    if let Some(track) = before_releases(machine, blockers) {
        return track;
    }
    let Some(evidence) = Evidence::gather(machine, catalogue, now) else {
        return Track::Unknown(Doubt::NoRelease);
    };
    if let Some(doubt) = evidence.install_doubt() {
        return Track::Unknown(doubt);
    }
    match evidence.reboot() {
        Reboot::Settled => {}
        Reboot::Unclear => return Track::Unknown(Doubt::RebootUnclear),
        Reboot::Owed { record, confirmed } => {
            return Track::RebootOwed {
                kb: record.and_then(|record| owing_kb(&evidence, record)),
                since: record.map(|record| record.modified).or(confirmed),
                by: record.map(|record| record.activity.clone()),
            };
        }
    }
    if let Some(kb) = evidence.offered_again() {
        return Track::Regressed(Regression::OfferedAgain(kb));
    }
    match evidence.freshness() {
        Freshness::Fresh(assessment) => by_offer(&evidence, &evidence.offer(assessment)),
        stale => by_record(&evidence, stale),
    }
}

fn before_releases(machine: &Machine, blockers: &[Blocker]) -> Option<Track> {
    if blockers.iter().any(|blocker| !blocker.reason.is_unknown()) {
        return Some(Track::Ineligible(blockers.to_vec()));
    }
    if !blockers.is_empty() {
        return Some(Track::Unknown(Doubt::FactsMissing(blockers.to_vec())));
    }
    if let Some(regression) = settings_regression(machine) {
        return Some(Track::Regressed(regression));
    }
    match enrolment::enrolled(machine) {
        Enrolled::Yes => None,
        Enrolled::No => Some(Track::NotEnrolled { pending: None }),
        Enrolled::Pending(pending) => Some(Track::NotEnrolled {
            pending: Some(pending),
        }),
    }
}

/// A claim that remembers that we turned something on, and a read-back that says it is off.
fn settings_regression(machine: &Machine) -> Option<Regression> {
    let earlier = enrolment::claim_of(machine).ok()??.earlier;
    if earlier.hotpatch == Some(false) && !machine.settings.hotpatch {
        return Some(Regression::HotpatchOff);
    }
    let licence_off = machine
        .arc()
        .is_some_and(|arc| arc.licence == Licence::Disabled);
    (earlier.licence == Some(false) && licence_off).then_some(Regression::LicenceOff)
}

/// Without an assessment that is good for the latest release, only its own record speaks.
fn by_record(evidence: &Evidence<'_>, freshness: Freshness<'_>) -> Track {
    let proven = evidence.release_record().is_some() && !evidence.build_ahead();
    if proven {
        return standing(evidence, None);
    }
    Track::Unknown(match freshness {
        Freshness::Absent => Doubt::NoAssessment,
        Freshness::FromFuture => Doubt::AssessmentFromFuture,
        Freshness::OlderThanRelease => Doubt::AssessmentOlderThanRelease,
        Freshness::Stale | Freshness::Fresh(_) => Doubt::AssessmentStale,
    })
}

/// On the track, unless a record shows that the machine left it.
fn standing(evidence: &Evidence<'_>, kb: Option<Kb>) -> Track {
    match evidence.left_by() {
        Some((by, since)) => {
            off_track(evidence, OffTrackCause::StandardUpdate(by), Some(since), kb)
        }
        None => Track::OnTrack {
            baseline: evidence.baseline.id,
        },
    }
}

fn off_track(
    evidence: &Evidence<'_>,
    cause: OffTrackCause,
    since: Option<DateTime<Utc>>,
    kb: Option<Kb>,
) -> Track {
    let next = evidence.catalogue.next_baseline(evidence.os, evidence.now);
    Track::OffTrack {
        cause,
        since,
        until: next.map(|release| release.date),
        kb,
    }
}

fn by_offer(evidence: &Evidence<'_>, offer: &Offer) -> Track {
    match *offer {
        Offer::Release { .. } if evidence.release.is_baseline() => Track::BaselineDue {
            release: evidence.release.id,
        },
        // Who is offered the hotpatch is on the baseline it builds on (azure.md §8), unless
        // something was installed since.
        Offer::Release { .. } if evidence.left_since_assessed() => standing(evidence, None),
        Offer::Release { .. } => Track::OnTrack {
            baseline: evidence.baseline.id,
        },
        Offer::Baseline { .. } => Track::BaselineDue {
            release: evidence.baseline.id,
        },
        Offer::InDoubt { kb } => match standing(evidence, Some(kb)) {
            Track::OnTrack { .. } => Track::BaselineDue {
                release: evidence.release.id,
            },
            off => off,
        },
        Offer::Standard { kb, kind, .. } => match standing(evidence, Some(kb)) {
            Track::OnTrack { .. } => standard_offered(evidence, kb, kind),
            off => off,
        },
        Offer::Newer { kb } => Track::Unknown(Doubt::Superseded(kb)),
        Offer::Unclear { kb } => Track::Unknown(Doubt::OffersUnclear(kb)),
        Offer::Nothing if evidence.left_by().is_some() => standing(evidence, None),
        Offer::Nothing if evidence.build_ahead() => Track::Unknown(Doubt::BuildAhead),
        Offer::Nothing => standing(evidence, None),
    }
}

/// What an offer of the standard update says of a machine that no record shows to have left.
fn standard_offered(evidence: &Evidence<'_>, kb: Kb, kind: StandardKind) -> Track {
    let cause = if evidence.proves_baseline() {
        // An out-of-band update was offered to machines on the track before (KB5070881): being
        // offered it does not take a machine off, only installing it does.
        if kind == StandardKind::OutOfBand {
            return Track::OnTrack {
                baseline: evidence.baseline.id,
            };
        }
        OffTrackCause::Unexplained
    } else if evidence.build_before_baseline() {
        OffTrackCause::MissedBaseline
    } else {
        OffTrackCause::Unproven
    };
    off_track(evidence, cause, None, Some(kb))
}

/// The update of an install that owes a reboot: the release, its baseline, one that the catalogue
/// lists, or the only one.
fn owing_kb(evidence: &Evidence<'_>, record: &InstallRecord) -> Option<Kb> {
    let installed = |kb: Option<Kb>| kb.filter(|kb| record.installed.contains(kb));
    let listed = |kb: &&Kb| {
        evidence
            .catalogue
            .release_by_kb(evidence.os, **kb)
            .is_some()
            || evidence
                .catalogue
                .standard_update(evidence.os, **kb)
                .is_some()
    };
    installed(evidence.release.kb)
        .or_else(|| installed(evidence.baseline.kb))
        .or_else(|| record.installed.iter().find(listed).copied())
        .or(match record.installed.as_slice() {
            [only] => Some(*only),
            _ => None,
        })
}
