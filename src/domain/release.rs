//! Releases: what Windows Server hotpatching brought, brings and will bring, by track.
//!
//! Releases are data with provenance; where there is no row, the calendar rule speaks. An unproven
//! row never by itself changes what is commanded: see [`Release::effective_kind`]. Must never read
//! a clock; whether something is published is a question about an instant given.

mod catalogue;
mod id;
mod kb;
mod rows;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use catalogue::{Catalogue, Standing};
pub use id::{ReleaseId, ReleaseRef};
pub use kb::{Build, Kb};
pub use rows::{MAX_FILE_BYTES, MAX_ROWS, RELEASE_COLUMNS, RowFault, STANDARD_COLUMNS};

use crate::domain::calendar::{self, Month};

/// Says what is wrong with a release, a name of one, or a file of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not the name of a track.
    #[error("{text:?} is no track; tracks are ws2022 and ws2025")]
    Track {
        /// The text given.
        text: String,
    },
    /// Not a KB number.
    #[error("{text:?} is no KB number; write it like KB5070893")]
    Kb {
        /// The text given.
        text: String,
    },
    /// Not a build number.
    #[error("{text:?} is no build; write it like 26100.6905")]
    Build {
        /// The text given.
        text: String,
    },
    /// Not a release id.
    #[error("{text:?} is no release id; write it like ws2025-2026-10-13")]
    Id {
        /// The text given.
        text: String,
    },
    /// Neither a release id nor a month.
    #[error("{text:?} names no release; write it like ws2025-2026-10-13 or 2026-10")]
    Ref {
        /// The text given.
        text: String,
    },
    /// Not a kind of release.
    #[error("{text:?} is no kind of release")]
    Kind {
        /// The text given.
        text: String,
    },
    /// The header of a file differs from the columns it must have.
    #[error("the file must have the columns {columns}")]
    Columns {
        /// The columns it must have, separated by commas.
        columns: String,
    },
    /// A row of a file is wrong.
    #[error("row {row}: {fault}")]
    Row {
        /// Number of the row, the first below the header being 1.
        row: usize,
        /// What is wrong with it.
        fault: RowFault,
    },
    /// A file is longer than [`MAX_ROWS`].
    #[error("the file has more than {MAX_ROWS} rows")]
    TooManyRows,
    /// A file is larger than [`MAX_FILE_BYTES`].
    #[error("the file has {bytes} bytes; at most {MAX_FILE_BYTES} are read")]
    TooLarge {
        /// Size of the file.
        bytes: usize,
    },
}

/// A product whose hotpatches form one track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum OsTrack {
    /// Windows Server 2022 Datacenter: Azure Edition.
    Ws2022AzureEdition,
    /// Windows Server 2025, Azure Edition or Arc-enabled.
    Ws2025,
}

impl OsTrack {
    /// All tracks.
    pub const ALL: [OsTrack; 2] = [OsTrack::Ws2022AzureEdition, OsTrack::Ws2025];

    /// The first month for which the calendar rule speaks: the baseline below the first row.
    pub fn first_month(self) -> Month {
        let (year, month) = match self {
            OsTrack::Ws2022AzureEdition => (2022, 1),
            OsTrack::Ws2025 => (2024, 10),
        };
        Month::new(year, month).expect("written out above")
    }

    /// The last month for which hotpatches are announced, where an end is announced at all.
    ///
    /// WS2022 Azure Edition: October 2027 (announced 2026-06-29). The calendar rule does not stop
    /// there, because a track has been prolonged before; what is not offered is not installed.
    pub fn announced_through(self) -> Option<Month> {
        match self {
            OsTrack::Ws2022AzureEdition => Month::new(2027, 10).ok(),
            OsTrack::Ws2025 => None,
        }
    }

    /// What the calendar rule releases on a date: a planned kind on a Patch Tuesday, else nothing.
    pub fn rule_on(self, date: NaiveDate) -> Option<ReleaseKind> {
        let month = Month::of(date);
        let in_rule = date == month.patch_tuesday() && month >= self.first_month();
        in_rule.then(|| ReleaseKind::planned_for(month))
    }
}

impl fmt::Display for OsTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OsTrack::Ws2022AzureEdition => "ws2022",
            OsTrack::Ws2025 => "ws2025",
        })
    }
}

impl FromStr for OsTrack {
    type Err = Error;

    /// Reads `ws2022` and `ws2025`, and the names that the data files use.
    fn from_str(text: &str) -> Result<OsTrack, Error> {
        match text.to_ascii_lowercase().as_str() {
            "ws2022" | "ws2022azureedition" => Ok(OsTrack::Ws2022AzureEdition),
            "ws2025" => Ok(OsTrack::Ws2025),
            _ => Err(Error::Track {
                text: text.to_owned(),
            }),
        }
    }
}

impl From<OsTrack> for String {
    fn from(track: OsTrack) -> String {
        track.to_string()
    }
}

impl TryFrom<String> for OsTrack {
    type Error = Error;

    fn try_from(text: String) -> Result<OsTrack, Error> {
        text.parse()
    }
}

/// What a release is to a machine on the track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseKind {
    /// A baseline that the calendar plans: installs with a reboot.
    PlannedBaseline,
    /// A baseline in a month that was planned as hotpatch: installs with a reboot.
    UnplannedBaseline,
    /// A month's hotpatch: installs without a reboot.
    Hotpatch,
    /// A hotpatch out of band: installs without a reboot, on a date of its own.
    OobHotpatch,
}

impl ReleaseKind {
    /// What the calendar plans for a month.
    pub fn planned_for(month: Month) -> ReleaseKind {
        if month.is_baseline_month() {
            ReleaseKind::PlannedBaseline
        } else {
            ReleaseKind::Hotpatch
        }
    }

    /// Whether it is a baseline, planned or not.
    pub fn is_baseline(self) -> bool {
        matches!(
            self,
            ReleaseKind::PlannedBaseline | ReleaseKind::UnplannedBaseline
        )
    }
}

impl fmt::Display for ReleaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReleaseKind::PlannedBaseline => "planned-baseline",
            ReleaseKind::UnplannedBaseline => "unplanned-baseline",
            ReleaseKind::Hotpatch => "hotpatch",
            ReleaseKind::OobHotpatch => "oob-hotpatch",
        })
    }
}

impl FromStr for ReleaseKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<ReleaseKind, Error> {
        match text {
            "planned-baseline" => Ok(ReleaseKind::PlannedBaseline),
            "unplanned-baseline" => Ok(ReleaseKind::UnplannedBaseline),
            "hotpatch" => Ok(ReleaseKind::Hotpatch),
            "oob-hotpatch" => Ok(ReleaseKind::OobHotpatch),
            _ => Err(Error::Kind {
                text: text.to_owned(),
            }),
        }
    }
}

/// How far a release is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Provenance {
    /// A row whose source attests all of it.
    Verified,
    /// A row whose source is marked UNVERIFIED: something in it is not attested.
    Unverified,
    /// A row whose source is marked INFERRED: something in it was concluded, not read.
    Inferred,
    /// No row: the calendar rule.
    Rule,
}

/// One release of one track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its name.
    pub id: ReleaseId,
    /// The track it belongs to.
    pub track: OsTrack,
    /// The date of publication, on the publisher's wall clock.
    pub date: NaiveDate,
    /// The KB; none when the rule made the release.
    pub kb: Option<Kb>,
    /// The kind as the row states it; decisions use [`Release::effective_kind`].
    pub kind: ReleaseKind,
    /// The build that a machine shows afterwards, where known. Builds do not prove a track.
    pub build: Option<Build>,
    /// How far the row is proven.
    pub provenance: Provenance,
    /// Where it is attested, in words.
    pub source: String,
}

impl Release {
    /// The instant of publication: 10:00 America/Los_Angeles on its date.
    pub fn published_at(&self) -> DateTime<Utc> {
        calendar::published_at(self.date)
    }

    /// Whether it is published at `now`.
    pub fn is_published(&self, now: DateTime<Utc>) -> bool {
        self.published_at() <= now
    }

    /// The month of its date.
    pub fn month(&self) -> Month {
        Month::of(self.date)
    }

    /// Whether what the row states needs no further proof.
    pub fn is_proven(&self) -> bool {
        matches!(self.provenance, Provenance::Verified | Provenance::Rule)
    }

    /// The kind to act on: the stated one when proven, else what the calendar rule says.
    ///
    /// An unproven row on a date for which there is no rule counts as an out-of-band hotpatch,
    /// the kind that never reboots; it is not [`Release::is_commandable`] either.
    pub fn effective_kind(&self) -> ReleaseKind {
        if self.is_proven() {
            return self.kind;
        }
        self.track
            .rule_on(self.date)
            .unwrap_or(ReleaseKind::OobHotpatch)
    }

    /// Whether an unproven row states a kind that the calendar rule does not bear out.
    pub fn kind_in_doubt(&self) -> bool {
        !self.is_proven() && self.track.rule_on(self.date) != Some(self.kind)
    }

    /// Whether the release may be acted upon: proven, or on a date on which the rule has one.
    pub fn is_commandable(&self) -> bool {
        self.is_proven() || self.track.rule_on(self.date).is_some()
    }

    /// The KB to pin an install to: none while the kind is in doubt, as the two go together.
    pub fn effective_kb(&self) -> Option<Kb> {
        if self.kind_in_doubt() { None } else { self.kb }
    }

    /// Whether it is effectively a baseline.
    pub fn is_baseline(&self) -> bool {
        self.effective_kind().is_baseline()
    }

    /// The instant from which a machine without it is overdue: that many days of 24 hours after
    /// publication.
    pub fn overdue_at(&self, deadline_days: u32) -> DateTime<Utc> {
        let deadline = TimeDelta::days(i64::from(deadline_days));
        self.published_at()
            .checked_add_signed(deadline)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// What an update outside the hotpatch track is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StandardKind {
    /// The month's security update, of the second Tuesday (`LCU-B`).
    #[serde(rename = "LCU-B")]
    Monthly,
    /// One out of band (`LCU-OOB`).
    #[serde(rename = "LCU-OOB")]
    OutOfBand,
    /// An optional preview (`LCU-D`).
    #[serde(rename = "LCU-D")]
    Preview,
}

impl fmt::Display for StandardKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StandardKind::Monthly => "LCU-B",
            StandardKind::OutOfBand => "LCU-OOB",
            StandardKind::Preview => "LCU-D",
        })
    }
}

impl FromStr for StandardKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<StandardKind, Error> {
        match text {
            "LCU-B" => Ok(StandardKind::Monthly),
            "LCU-OOB" => Ok(StandardKind::OutOfBand),
            "LCU-D" => Ok(StandardKind::Preview),
            _ => Err(Error::Kind {
                text: text.to_owned(),
            }),
        }
    }
}

/// A cumulative update for machines that are not on the hotpatch track; it reboots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandardUpdate {
    /// The product.
    pub track: OsTrack,
    /// The date of publication, on the publisher's wall clock.
    pub date: NaiveDate,
    /// The KB.
    pub kb: Kb,
    /// What it is.
    pub kind: StandardKind,
    /// The build that a machine shows afterwards, where known.
    pub build: Option<Build>,
}

impl StandardUpdate {
    /// Whether it is published at `now`: 10:00 America/Los_Angeles on its date.
    pub fn is_published(&self, now: DateTime<Utc>) -> bool {
        calendar::published_at(self.date) <= now
    }
}

#[cfg(test)]
mod tests;
