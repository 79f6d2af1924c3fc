//! Time zones: IANA names, local time to instants and back.
//!
//! The only file that knows the time zone library. Gaps and folds are settled here, once: a local
//! time that a gap swallows moves forward by the length of the gap, a local time that happens twice
//! means its first occurrence. Rules come from the system's tz database; a name that it lacks is
//! looked up in the bundled copy. Must never read a clock.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use serde::{Serialize, Serializer};

use crate::planted::{self, Bug};

/// The longest zone name that is looked up, in bytes; IANA's longest is 32.
pub const MAX_NAME_BYTES: usize = 64;

/// The most look-alike names that an error proposes.
pub const MAX_SUGGESTIONS: usize = 3;

/// The most edits between a wrong name and a name proposed for it.
const MAX_EDITS: usize = 2;

/// Files of a tz database that are no zones, or other ones on each machine.
const NO_ZONES: [&str; 4] = ["localtime", "posixrules", "factory", "etc/unknown"];

/// Folders of a tz database with second copies of all zones, one of them counting leap seconds.
const COPIES: [&str; 2] = ["posix/", "right/"];

/// Says what is wrong with a time zone name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was given.
    #[error("the time zone is empty; give an IANA name such as Europe/Berlin")]
    Empty,
    /// The text is longer than [`MAX_NAME_BYTES`].
    #[error("the time zone name has {bytes} bytes; IANA names have at most {MAX_NAME_BYTES}")]
    TooLong {
        /// Length of the text given.
        bytes: usize,
    },
    /// A Windows time zone id such as `W. Europe Standard Time`.
    #[error("time zone {name:?} is a Windows name; give the IANA name, such as Europe/Berlin")]
    WindowsName {
        /// The text given.
        name: String,
    },
    /// A bare offset such as `+02:00` or `UTC+2`, which has no daylight saving rules.
    #[error("time zone {name:?} is an offset, not a zone; give an IANA name or Etc/UTC")]
    Offset {
        /// The text given.
        name: String,
    },
    /// Neither the system's tz database nor the bundled copy knows the name.
    #[error("time zone {name:?} is in no tz database{}", propose(.similar))]
    Unknown {
        /// The text given.
        name: String,
        /// Names that look alike, best first, at most [`MAX_SUGGESTIONS`].
        similar: Vec<String>,
    },
}

fn propose(similar: &[String]) -> String {
    if similar.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", similar.join(" or "))
    }
}

/// How a local time met the zone's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Meeting {
    /// The local time happens once.
    Exact,
    /// The local time does not happen; it was moved forward by this many seconds.
    Gap {
        /// Length of the gap in seconds.
        shift_seconds: i64,
    },
    /// The local time happens twice; the first occurrence was taken.
    Fold,
}

/// An instant found for a local time, and how it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// The instant.
    pub utc: DateTime<Utc>,
    /// Whether a gap or a fold had to be settled.
    pub meeting: Meeting,
}

/// A zone's offset from UTC at one instant, for display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ZoneOffset {
    /// The zone's own abbreviation, such as `CEST`, or a numeric one such as `+03`.
    pub abbreviation: String,
    /// Seconds east of UTC.
    pub seconds: i32,
}

impl fmt::Display for ZoneOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.seconds < 0 { '-' } else { '+' };
        let minutes = self.seconds.unsigned_abs() / 60;
        if self
            .abbreviation
            .starts_with(|c: char| c.is_ascii_alphabetic())
        {
            write!(f, "{} ", self.abbreviation)?;
        }
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// A time zone by its IANA name, with its rules. Cheap to clone; compares by name.
#[derive(Clone)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// Looks up an IANA name in any letter case; the zone carries the canonical spelling.
    ///
    /// # Errors
    /// Says why the text is no zone name, with look-alikes when there are some.
    pub fn parse(name: &str) -> Result<Zone, Error> {
        if name.trim().is_empty() {
            return Err(Error::Empty);
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(Error::TooLong { bytes: name.len() });
        }
        if name.ends_with(" Standard Time") || name.ends_with(" Daylight Time") {
            return Err(Error::WindowsName {
                name: name.to_owned(),
            });
        }
        if is_offset(name) {
            return Err(Error::Offset {
                name: name.to_owned(),
            });
        }
        look_up(name).ok_or_else(|| Error::Unknown {
            name: name.to_owned(),
            similar: similar(name),
        })
    }

    /// The zone without offset or daylight saving, `Etc/UTC`.
    pub fn utc() -> Zone {
        Zone {
            name: "Etc/UTC".to_owned(),
            rules: TimeZone::UTC,
        }
    }

    /// The IANA name in its canonical spelling.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Finds the instant of a local time: forward by the gap in a gap, the earliest in a fold.
    ///
    /// Outside the years that the tz rules cover (-9999 to 9999) the local time is taken as UTC.
    pub fn local_to_utc(&self, local: NaiveDateTime) -> Resolved {
        let as_utc = Resolved {
            utc: local.and_utc(),
            meeting: Meeting::Exact,
        };
        let Some(civil) = to_civil(local) else {
            return as_utc;
        };
        let (offset, meeting) = match self.rules.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => (offset, Meeting::Exact),
            AmbiguousOffset::Fold { before, .. } => (before, Meeting::Fold),
            AmbiguousOffset::Gap { before, after } => {
                // The offset before the gap, applied past its edge, lands behind the gap by as much
                // as the local time lies inside it.
                let shift_seconds = i64::from(after.seconds()) - i64::from(before.seconds());
                (before, Meeting::Gap { shift_seconds })
            }
        };
        let east = TimeDelta::seconds(i64::from(offset.seconds()));
        let east = planted::pick(Bug::LocalIsUtc, east, TimeDelta::zero());
        match as_utc.utc.checked_sub_signed(east) {
            Some(utc) => Resolved { utc, meeting },
            None => as_utc,
        }
    }

    /// Gives the wall-clock time of an instant.
    ///
    /// Outside the years that the tz rules cover (-9999 to 9999) this is the time in UTC.
    pub fn utc_to_local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let east = TimeDelta::seconds(i64::from(self.offset_at(at).seconds));
        at.naive_utc()
            .checked_add_signed(east)
            .unwrap_or(at.naive_utc())
    }

    /// Gives abbreviation and offset at an instant, for display.
    pub fn offset_at(&self, at: DateTime<Utc>) -> ZoneOffset {
        let Ok(timestamp) = jiff::Timestamp::from_second(at.timestamp()) else {
            return ZoneOffset {
                abbreviation: "UTC".to_owned(),
                seconds: 0,
            };
        };
        let info = self.rules.to_offset_info(timestamp);
        ZoneOffset {
            abbreviation: info.abbreviation().to_owned(),
            seconds: info.offset().seconds(),
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl std::str::FromStr for Zone {
    type Err = Error;

    fn from_str(name: &str) -> Result<Zone, Error> {
        Zone::parse(name)
    }
}

fn look_up(name: &str) -> Option<Zone> {
    let lower = name.to_ascii_lowercase();
    if NO_ZONES.contains(&lower.as_str()) || COPIES.iter().any(|copy| lower.starts_with(copy)) {
        return None;
    }
    // A slim system database may lack names that the full one has, such as the backward links.
    let rules = TimeZone::get(name)
        .or_else(|_| TimeZoneDatabase::bundled().get(name))
        .ok()?;
    if rules.is_unknown() {
        return None;
    }
    let name = rules.iana_name().unwrap_or("Etc/UTC").to_owned();
    Some(Zone { name, rules })
}

fn to_civil(local: NaiveDateTime) -> Option<jiff::civil::DateTime> {
    jiff::civil::DateTime::new(
        i16::try_from(local.year()).ok()?,
        i8::try_from(local.month()).ok()?,
        i8::try_from(local.day()).ok()?,
        i8::try_from(local.hour()).ok()?,
        i8::try_from(local.minute()).ok()?,
        i8::try_from(local.second()).ok()?,
        // A leap second's nanoseconds exceed one second in chrono; no zone rule looks that close.
        0,
    )
    .ok()
}

fn is_offset(name: &str) -> bool {
    let rest = ["UTC", "GMT", "utc", "gmt"]
        .iter()
        .find_map(|p| name.strip_prefix(p));
    let rest = rest.unwrap_or(name);
    let Some(digits) = rest.strip_prefix(['+', '-']) else {
        return false;
    };
    // GMT+0 and GMT-0 are IANA names.
    rest.len() > 1
        && digits != "0"
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || c == ':' || c == '.')
}

fn similar(name: &str) -> Vec<String> {
    let wanted = name.trim().replace([' ', '-'], "_").to_ascii_lowercase();
    let wanted_city = wanted.rsplit('/').next().unwrap_or(&wanted).to_owned();
    let mut found: Vec<(usize, String)> = TimeZoneDatabase::bundled()
        .available()
        .filter_map(|known| {
            let lower = known.as_str().to_ascii_lowercase();
            let city = lower.rsplit('/').next().unwrap_or(&lower);
            let edits = edits(&wanted, &lower).min(edits(&wanted_city, city) + 1);
            (edits <= MAX_EDITS).then(|| (edits, known.as_str().to_owned()))
        })
        .collect();
    found.sort();
    found.dedup();
    found
        .into_iter()
        .take(MAX_SUGGESTIONS)
        .map(|(_, name)| name)
        .collect()
}

/// Counts the insertions, deletions and replacements that turn one text into the other.
fn edits(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > MAX_EDITS {
        return usize::MAX - 1;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
