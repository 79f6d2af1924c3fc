//! Names of releases.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Error, OsTrack};
use crate::domain::calendar::Month;

/// The name of a release: track, date and, for a further release of the same day, a number from 2.
///
/// Written `ws2025-2026-10-13` or `ws2025-2026-10-13-2`. Orders by date, then track, then number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ReleaseId {
    date: NaiveDate,
    track: OsTrack,
    ordinal: u16,
}

impl ReleaseId {
    /// Names the first release of a track on a date.
    pub fn new(track: OsTrack, date: NaiveDate) -> ReleaseId {
        ReleaseId {
            date,
            track,
            ordinal: 1,
        }
    }

    /// Names the n-th release of the same track and date, counted from 1; 0 counts as 1.
    #[must_use]
    pub fn with_ordinal(self, ordinal: u16) -> ReleaseId {
        ReleaseId {
            ordinal: ordinal.max(1),
            ..self
        }
    }

    /// The track.
    pub fn track(self) -> OsTrack {
        self.track
    }

    /// The date of publication, on the publisher's wall clock.
    pub fn date(self) -> NaiveDate {
        self.date
    }

    /// Which release of the day it is, from 1.
    pub fn ordinal(self) -> u16 {
        self.ordinal
    }

    /// The month of its date.
    pub fn month(self) -> Month {
        Month::of(self.date)
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.track, self.date.format("%Y-%m-%d"))?;
        if self.ordinal > 1 {
            write!(f, "-{}", self.ordinal)
        } else {
            Ok(())
        }
    }
}

impl FromStr for ReleaseId {
    type Err = Error;

    fn from_str(text: &str) -> Result<ReleaseId, Error> {
        let wrong = || Error::Id {
            text: text.to_owned(),
        };
        let (track, rest) = text.split_once('-').ok_or_else(wrong)?;
        let date = rest.get(..10).ok_or_else(wrong)?;
        let id = ReleaseId::new(
            track.parse().map_err(|_| wrong())?,
            NaiveDate::parse_from_str(date, "%Y-%m-%d").map_err(|_| wrong())?,
        );
        let id = match rest[10..].strip_prefix('-') {
            Some(ordinal) => id.with_ordinal(ordinal.parse().map_err(|_| wrong())?),
            None => id,
        };
        // One spelling only: ids are names of objects and are compared as text elsewhere.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(wrong())
        }
    }
}

impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> String {
        id.to_string()
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = Error;

    fn try_from(text: String) -> Result<ReleaseId, Error> {
        text.parse()
    }
}

/// What a person writes to mean releases: one by its id, or a month's on all tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ReleaseRef {
    /// One release.
    Id(ReleaseId),
    /// All releases of a month, on every track.
    Month(Month),
}

impl ReleaseRef {
    /// Whether the release is meant.
    pub fn matches(self, id: ReleaseId) -> bool {
        match self {
            ReleaseRef::Id(own) => own == id,
            ReleaseRef::Month(month) => month == id.month(),
        }
    }
}

impl fmt::Display for ReleaseRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReleaseRef::Id(id) => id.fmt(f),
            ReleaseRef::Month(month) => month.fmt(f),
        }
    }
}

impl FromStr for ReleaseRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<ReleaseRef, Error> {
        let month = text.parse().map(ReleaseRef::Month);
        month
            .or_else(|_| text.parse().map(ReleaseRef::Id))
            .map_err(|_: Error| Error::Ref {
                text: text.to_owned(),
            })
    }
}

impl From<ReleaseRef> for String {
    fn from(reference: ReleaseRef) -> String {
        reference.to_string()
    }
}

impl TryFrom<String> for ReleaseRef {
    type Error = Error;

    fn try_from(text: String) -> Result<ReleaseRef, Error> {
        text.parse()
    }
}
