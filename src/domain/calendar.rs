//! The civil calendar of Windows Server updates: months, Patch Tuesdays, baseline months.
//!
//! Holds what follows from the calendar alone. What a month really brought is data: see
//! [`crate::domain::release`]. Must never read a clock.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use serde::{Deserialize, Serialize};

use crate::domain::zone::Zone;

/// The months whose Patch Tuesday is a planned baseline (Windows Server release information,
/// hotpatch calendar: January, April, July, October).
pub const BASELINE_MONTHS: [u32; 4] = [1, 4, 7, 10];

/// The zone of the publisher's wall clock.
pub const PUBLISHER_ZONE: &str = "America/Los_Angeles";

/// The hour of the publisher's wall clock at which updates appear.
pub const PUBLICATION_HOUR: u32 = 10;

const FIRST_YEAR: i32 = 1;
const LAST_YEAR: i32 = 9999;

static PUBLISHER: LazyLock<Zone> = LazyLock::new(|| {
    Zone::parse(PUBLISHER_ZONE).expect("the bundled tz database holds the publisher's zone")
});

/// Says what is wrong with a month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not `YYYY-MM`.
    #[error("month {text:?} is not written YYYY-MM")]
    Syntax {
        /// The text given.
        text: String,
    },
    /// The year is not 1..=9999 or the month is not 1..=12.
    #[error("month {year}-{month} does not exist in the years 1 to 9999")]
    Range {
        /// Year given.
        year: i32,
        /// Month given.
        month: u32,
    },
}

/// A month of a year, such as 2026-10. Orders by time. Years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// Makes a month.
    ///
    /// # Errors
    /// [`Error::Range`] unless the year is 1..=9999 and the month 1..=12.
    pub fn new(year: i32, month: u32) -> Result<Month, Error> {
        if !(FIRST_YEAR..=LAST_YEAR).contains(&year) || !(1..=12).contains(&month) {
            return Err(Error::Range { year, month });
        }
        Ok(Month { year, month })
    }

    /// The month of a date; dates outside the years 1 to 9999 give the nearest month inside.
    pub fn of(date: NaiveDate) -> Month {
        match date.year() {
            year if year < FIRST_YEAR => Month {
                year: FIRST_YEAR,
                month: 1,
            },
            year if year > LAST_YEAR => Month {
                year: LAST_YEAR,
                month: 12,
            },
            year => Month {
                year,
                month: date.month(),
            },
        }
    }

    /// The year, 1..=9999.
    pub fn year(self) -> i32 {
        self.year
    }

    /// The month of the year, 1..=12.
    pub fn month(self) -> u32 {
        self.month
    }

    /// The month after; 9999-12 stays.
    #[must_use]
    pub fn next(self) -> Month {
        match (self.year, self.month) {
            (LAST_YEAR, 12) => self,
            (year, 12) => Month {
                year: year + 1,
                month: 1,
            },
            (year, month) => Month {
                year,
                month: month + 1,
            },
        }
    }

    /// The month before; 0001-01 stays.
    #[must_use]
    pub fn prev(self) -> Month {
        match (self.year, self.month) {
            (FIRST_YEAR, 1) => self,
            (year, 1) => Month {
                year: year - 1,
                month: 12,
            },
            (year, month) => Month {
                year,
                month: month - 1,
            },
        }
    }

    /// The first day of the month.
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.month, 1).expect("day 1 exists in every month")
    }

    /// The last day of the month.
    pub fn last_day(self) -> NaiveDate {
        // Every date type here spans far more than the years 1 to 9999.
        let first_of_next = match self.month {
            12 => NaiveDate::from_ymd_opt(self.year + 1, 1, 1),
            month => NaiveDate::from_ymd_opt(self.year, month + 1, 1),
        };
        first_of_next
            .and_then(|day| day.pred_opt())
            .expect("chrono covers the year 10000")
    }

    /// The n-th given weekday of the month; none when the month has fewer. `nth` counts from 1.
    pub fn nth_weekday(self, nth: u8, day: Weekday) -> Option<NaiveDate> {
        NaiveDate::from_weekday_of_month_opt(self.year, self.month, day, nth)
    }

    /// The second Tuesday.
    pub fn patch_tuesday(self) -> NaiveDate {
        self.nth_weekday(2, Weekday::Tue)
            .expect("every month has a second Tuesday")
    }

    /// Whether the calendar plans a baseline for this month: January, April, July, October.
    pub fn is_baseline_month(self) -> bool {
        BASELINE_MONTHS.contains(&self.month)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = Error;

    fn from_str(text: &str) -> Result<Month, Error> {
        let syntax = || Error::Syntax {
            text: text.to_owned(),
        };
        let (year, month) = text.split_once('-').ok_or_else(syntax)?;
        let digits =
            |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(syntax());
        }
        Month::new(
            year.parse().map_err(|_| syntax())?,
            month.parse().map_err(|_| syntax())?,
        )
    }
}

impl From<Month> for String {
    fn from(month: Month) -> String {
        month.to_string()
    }
}

impl TryFrom<String> for Month {
    type Error = Error;

    fn try_from(text: String) -> Result<Month, Error> {
        text.parse()
    }
}

/// The second Tuesday of a month.
///
/// # Errors
/// [`Error::Range`] for a month that [`Month::new`] refuses.
pub fn patch_tuesday(year: i32, month: u32) -> Result<NaiveDate, Error> {
    Ok(Month::new(year, month)?.patch_tuesday())
}

/// Whether the calendar plans a baseline for the month: January, April, July, October.
pub fn is_baseline_month(month: Month) -> bool {
    month.is_baseline_month()
}

/// The Patch Tuesday of the month that the date lies in, before or after the date.
pub fn patch_tuesday_of(date: NaiveDate) -> NaiveDate {
    Month::of(date).patch_tuesday()
}

/// The first Patch Tuesday strictly after the date.
pub fn next_patch_tuesday(date: NaiveDate) -> NaiveDate {
    let month = Month::of(date);
    let own = month.patch_tuesday();
    if own > date {
        own
    } else {
        month.next().patch_tuesday()
    }
}

/// The last Patch Tuesday on or before the date.
pub fn previous_patch_tuesday(date: NaiveDate) -> NaiveDate {
    let month = Month::of(date);
    let own = month.patch_tuesday();
    if own <= date {
        own
    } else {
        month.prev().patch_tuesday()
    }
}

/// The instant at which a release of this date appears: 10:00 in America/Los_Angeles.
pub fn published_at(date: NaiveDate) -> DateTime<Utc> {
    let hour = NaiveTime::from_hms_opt(PUBLICATION_HOUR, 0, 0).expect("10:00 is a time of day");
    PUBLISHER.local_to_utc(date.and_time(hour)).utc
}

/// The last date whose releases are published at `now`: `published_at(date) <= now`.
pub fn published_through(now: DateTime<Utc>) -> NaiveDate {
    let local = PUBLISHER.utc_to_local(now);
    if local.time() >= NaiveTime::from_hms_opt(PUBLICATION_HOUR, 0, 0).expect("10:00 is a time") {
        local.date()
    } else {
        local
            .date()
            .checked_sub_signed(TimeDelta::days(1))
            .unwrap_or(NaiveDate::MIN)
    }
}

#[cfg(test)]
mod tests;
