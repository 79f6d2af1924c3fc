//! Schedules: on which local dates a window opens.

use std::collections::BTreeSet;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use serde::Serialize;

use super::Error;
use crate::domain::calendar::Month;

/// The greatest offset from Patch Tuesday in days; the next one is at least 28 days later.
pub const MAX_OFFSET_DAYS: u32 = 27;

/// A set of weekdays that is not empty, Monday first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Weekdays(Vec<Weekday>);

impl Weekdays {
    /// Makes the set; order and repetition do not matter.
    ///
    /// # Errors
    /// [`Error::NoWeekdays`] when it is empty.
    pub fn new(days: impl IntoIterator<Item = Weekday>) -> Result<Weekdays, Error> {
        let mut days: Vec<Weekday> = days.into_iter().collect();
        days.sort_by_key(|day| day.num_days_from_monday());
        days.dedup();
        if days.is_empty() {
            Err(Error::NoWeekdays)
        } else {
            Ok(Weekdays(days))
        }
    }

    /// The days, Monday first.
    pub fn days(&self) -> &[Weekday] {
        &self.0
    }
}

/// A set of days of the month, 1 to 31, that is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MonthDays(BTreeSet<u32>);

impl MonthDays {
    /// Makes the set; order and repetition do not matter.
    ///
    /// # Errors
    /// [`Error::NoMonthDays`] when it is empty, [`Error::MonthDay`] for a day outside 1..=31.
    pub fn new(days: impl IntoIterator<Item = u32>) -> Result<MonthDays, Error> {
        let days: BTreeSet<u32> = days.into_iter().collect();
        if let Some(day) = days.iter().find(|day| !(1..=31).contains(*day)) {
            return Err(Error::MonthDay { day: *day });
        }
        if days.is_empty() {
            Err(Error::NoMonthDays)
        } else {
            Ok(MonthDays(days))
        }
    }

    /// The days, ascending.
    pub fn days(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }
}

/// Days after a Patch Tuesday, 0 to 27.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OffsetDays(u32);

impl OffsetDays {
    /// Makes the offset.
    ///
    /// # Errors
    /// [`Error::Offset`] above [`MAX_OFFSET_DAYS`].
    pub fn new(days: u32) -> Result<OffsetDays, Error> {
        if days > MAX_OFFSET_DAYS {
            Err(Error::Offset { days })
        } else {
            Ok(OffsetDays(days))
        }
    }

    /// The number of days.
    pub fn days(self) -> u32 {
        self.0
    }
}

/// Which of a month's four or five given weekdays is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum WeekOfMonth {
    /// The first.
    First,
    /// The second.
    Second,
    /// The third.
    Third,
    /// The fourth.
    Fourth,
    /// The last, be it the fourth or the fifth.
    Last,
}

/// On which local dates a window opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Schedule {
    /// Every week on these days.
    Weekly {
        /// The days.
        days: Weekdays,
    },
    /// Every month on one weekday, such as the second Saturday.
    Monthly {
        /// Which one of the month.
        week: WeekOfMonth,
        /// The weekday.
        day: Weekday,
    },
    /// A number of days after each second Tuesday; may run into the next month. Not the same as a
    /// weekday of the month: 2026-10-10 is the second Saturday and comes before Patch Tuesday.
    PatchTuesday {
        /// The offset.
        offset: OffsetDays,
    },
    /// Every month on these dates; a month without such a date is skipped.
    DayOfMonth {
        /// The dates.
        days: MonthDays,
    },
    /// Once.
    Once {
        /// The date.
        date: NaiveDate,
    },
}

impl Schedule {
    /// Whether a window opens on this local date.
    pub fn falls_on(&self, date: NaiveDate) -> bool {
        match self {
            Schedule::Weekly { days } => days.0.contains(&date.weekday()),
            Schedule::Monthly { week, day } => {
                let month = Month::of(date);
                let nth = |n| month.nth_weekday(n, *day) == Some(date);
                match week {
                    WeekOfMonth::First => nth(1),
                    WeekOfMonth::Second => nth(2),
                    WeekOfMonth::Third => nth(3),
                    WeekOfMonth::Fourth => nth(4),
                    WeekOfMonth::Last => {
                        date.weekday() == *day && date.day() + 7 > month.last_day().day()
                    }
                }
            }
            Schedule::PatchTuesday { offset } => date
                .checked_sub_days(Days::new(u64::from(offset.0)))
                .is_some_and(|tuesday| Month::of(tuesday).patch_tuesday() == tuesday),
            Schedule::DayOfMonth { days } => days.0.contains(&date.day()),
            Schedule::Once { date: once } => *once == date,
        }
    }
}
