//! Maintenance windows: recurrences in a zone, turned into openings in UTC.
//!
//! A [`WindowSpec`] is valid by construction. Its openings are sorted, disjoint and half-open;
//! those that overlap or touch are one. Durations are elapsed time: an opening is as long on the
//! night of a clock change as on any other. Exclusions subtract whole local days. Must never read
//! a clock.

mod exclusion;
mod fleet;
mod opening;
mod schedule;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;

pub use exclusion::Exclusion;
pub use fleet::{FleetOpening, FleetWindows, NamedWindow, union};
pub use opening::Opening;
pub use schedule::{MAX_OFFSET_DAYS, MonthDays, OffsetDays, Schedule, WeekOfMonth, Weekdays};

use crate::domain::duration;
use crate::domain::zone::{Meeting, Resolved, Zone};
use crate::planted::{self, Bug};

/// The shortest duration of a window, in minutes: Azure's least `maximumDuration` has to fit.
pub const MIN_DURATION_MINUTES: i64 = 40;

/// The longest duration of a window, in hours.
pub const MAX_DURATION_HOURS: i64 = 48;

/// The most exclusions of one window or fleet.
pub const MAX_EXCLUSIONS: usize = 64;

/// How far ahead [`WindowSpec::next`] looks, in days. A window without an opening in this time
/// counts as one that never opens.
pub const HORIZON_DAYS: i64 = 400;

/// The longest span that one question for openings covers, in days; the rest is not answered.
pub const MAX_SPAN_DAYS: i64 = 1_200;

/// How far before and after the span openings that run together are followed, in days. One that
/// runs on for longer (every day, 24 hours) is shown cut at whole local days this far out.
pub const FOLLOW_DAYS: u64 = 35;

/// The span in which most windows have their next openings, in days.
const NEAR_DAYS: i64 = 45;

/// How far they are followed first: hardly any run together for longer.
const FIRST_FOLLOW_DAYS: u64 = 6;

/// An opening this far from the end of what was followed cannot run on behind it: it lasts two
/// days at most, and no local day is further than one from the same day in UTC, nor moved by
/// more than one.
const EDGE_DAYS: i64 = 4;

/// Says why something is no maintenance window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The duration is out of bounds.
    #[error(
        "the duration {} is not between {MIN_DURATION_MINUTES}m and {MAX_DURATION_HOURS}h",
        duration::format(*.duration)
    )]
    Duration {
        /// The duration given.
        duration: TimeDelta,
    },
    /// The start time is not `HH:MM`.
    #[error("the start time {text:?} is not written HH:MM, 00:00 to 23:59")]
    StartTime {
        /// The text given.
        text: String,
    },
    /// A weekly schedule without days.
    #[error("a weekly schedule needs at least one day")]
    NoWeekdays,
    /// A day-of-month schedule without days.
    #[error("a day-of-month schedule needs at least one day")]
    NoMonthDays,
    /// A day of the month out of bounds.
    #[error("day {day} of a month does not exist; days are 1 to 31")]
    MonthDay {
        /// The day given.
        day: u32,
    },
    /// An offset from Patch Tuesday out of bounds.
    #[error("{days} days after Patch Tuesday is out of bounds; the offset is 0 to 27 days")]
    Offset {
        /// The offset given.
        days: u32,
    },
    /// An exclusion that ends before it begins.
    #[error("exclusion {name:?} ends on {through}, before it begins on {from}")]
    ExclusionOrder {
        /// Name of the exclusion.
        name: String,
        /// First excluded date.
        from: NaiveDate,
        /// Last excluded date.
        through: NaiveDate,
    },
    /// More exclusions than [`MAX_EXCLUSIONS`].
    #[error("{count} exclusions are too many; at most {MAX_EXCLUSIONS} are allowed")]
    TooManyExclusions {
        /// How many were given.
        count: usize,
    },
}

/// Reads a start time of day, `HH:MM` from 00:00 to 23:59.
///
/// # Errors
/// [`Error::StartTime`] for anything else.
pub fn parse_start_time(text: &str) -> Result<NaiveTime, Error> {
    let wrong = || Error::StartTime {
        text: text.to_owned(),
    };
    // The parser alone would take "9:5" and "+9:05".
    let shape = text.len() == 5
        && text.bytes().enumerate().all(|(i, b)| {
            if i == 2 {
                b == b':'
            } else {
                b.is_ascii_digit()
            }
        });
    if !shape {
        return Err(wrong());
    }
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| wrong())
}

/// One maintenance window: when it opens, for how long, and when it stays shut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowSpec {
    zone: Zone,
    schedule: Schedule,
    start: NaiveTime,
    #[serde(serialize_with = "serialize_duration")]
    duration: TimeDelta,
    exclusions: Vec<Exclusion>,
}

fn serialize_duration<S: serde::Serializer>(value: &TimeDelta, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&duration::format(*value))
}

impl WindowSpec {
    /// Makes a window that opens at the local time `start` of each day of the schedule and stays
    /// open for `duration` of elapsed time.
    ///
    /// # Errors
    /// [`Error::Duration`] unless 40 minutes to 48 hours; [`Error::TooManyExclusions`].
    pub fn new(
        zone: Zone,
        schedule: Schedule,
        start: NaiveTime,
        duration: TimeDelta,
        exclusions: Vec<Exclusion>,
    ) -> Result<WindowSpec, Error> {
        let least = TimeDelta::minutes(MIN_DURATION_MINUTES);
        let most = TimeDelta::hours(MAX_DURATION_HOURS);
        if duration < least || duration > most {
            return Err(Error::Duration { duration });
        }
        let count = exclusions.len();
        if count > MAX_EXCLUSIONS {
            return Err(Error::TooManyExclusions { count });
        }
        Ok(WindowSpec {
            zone,
            schedule,
            start,
            duration,
            exclusions,
        })
    }

    /// The zone of start times and exclusions.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The days on which the window opens.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The local time of day at which the window opens.
    pub fn start(&self) -> NaiveTime {
        self.start
    }

    /// How long the window stays open, in elapsed time.
    pub fn duration(&self) -> TimeDelta {
        self.duration
    }

    /// The window's own exclusions.
    pub fn exclusions(&self) -> &[Exclusion] {
        &self.exclusions
    }

    /// The same window without its exclusions, for a policy that overrides them.
    #[must_use]
    pub fn without_exclusions(&self) -> WindowSpec {
        WindowSpec {
            exclusions: Vec::new(),
            ..self.clone()
        }
    }

    /// Gives every opening that has an instant in `[from, until)`, whole, not cut to the span.
    ///
    /// Sorted and disjoint. Covers at most [`MAX_SPAN_DAYS`] from `from`.
    pub fn openings(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Opening> {
        self.openings_except(from, until, &[])
    }

    /// Like [`WindowSpec::openings`], with further exclusions in the window's zone.
    pub fn openings_except(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        further: &[Exclusion],
    ) -> Vec<Opening> {
        let until = opening::bound(from, until, MAX_SPAN_DAYS);
        as_far_as_needed(from, until, |follow| {
            let mut openings = self.followed(from, until, further, follow);
            openings.retain(|opening| opening.meets(from, until));
            openings
        })
    }

    /// Gives the opening that `now` lies in, if the window is open.
    pub fn open_at(&self, now: DateTime<Utc>) -> Option<Opening> {
        let soon = opening::bound(now, DateTime::<Utc>::MAX_UTC, 1);
        self.openings(now, soon)
            .into_iter()
            .find(|opening| opening.contains(now))
    }

    /// Gives the next `n` openings that start after `now`, within [`HORIZON_DAYS`].
    ///
    /// An opening that `now` lies in is not among them: see [`WindowSpec::open_at`].
    pub fn next(&self, now: DateTime<Utc>, n: usize) -> Vec<Opening> {
        next_of(now, n, |until| self.openings(now, until))
    }

    /// Whether the window is shut at `now` and for the [`HORIZON_DAYS`] after.
    pub fn never_opens(&self, now: DateTime<Utc>) -> bool {
        let until = opening::bound(now, DateTime::<Utc>::MAX_UTC, HORIZON_DAYS);
        self.openings(now, until).is_empty()
    }

    /// All openings around the span, followed so many days beyond both ends.
    fn followed(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        further: &[Exclusion],
        follow: Days,
    ) -> Vec<Opening> {
        let first = self.zone.utc_to_local(from).date();
        let first = first.checked_sub_days(follow).unwrap_or(NaiveDate::MIN);
        let last = self.zone.utc_to_local(until).date();
        let last = last.checked_add_days(follow).unwrap_or(NaiveDate::MAX);
        let openings = first
            .iter_days()
            .take_while(|date| *date <= last)
            .filter(|date| self.schedule.falls_on(*date))
            .map(|date| self.opening_on(date))
            .collect();
        let closed = self
            .exclusions
            .iter()
            .chain(further)
            .map(|e| e.closed(&self.zone))
            .collect();
        opening::subtract(opening::merge(openings), opening::merge(closed))
    }

    fn opening_on(&self, date: NaiveDate) -> Opening {
        let Resolved {
            utc: start,
            meeting,
        } = self.zone.local_to_utc(date.and_time(self.start));
        let twice = meeting == Meeting::Fold && planted::is(Bug::FoldOpensTwice);
        let again = TimeDelta::hours(i64::from(twice));
        let end = start
            .checked_add_signed(self.duration + again)
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        Opening { start, end }
    }
}

/// Gives the first `n` openings of a span from `now` that start after it. Most windows open within
/// weeks; only where one does not, the whole [`HORIZON_DAYS`] are worked out.
fn next_of<T: AsRef<Opening>>(
    now: DateTime<Utc>,
    n: usize,
    openings: impl Fn(DateTime<Utc>) -> Vec<T>,
) -> Vec<T> {
    let within = |days| {
        let mut found = openings(opening::bound(now, DateTime::<Utc>::MAX_UTC, days));
        found.retain(|own| own.as_ref().start > now);
        found.truncate(n);
        found
    };
    let near = within(NEAR_DAYS);
    // The last one may go on behind the edge, for longer than it is followed.
    let edge = opening::bound(now, DateTime::<Utc>::MAX_UTC, NEAR_DAYS - EDGE_DAYS);
    let is_whole = near.last().is_some_and(|last| last.as_ref().end < edge);
    if near.len() == n && is_whole {
        return near;
    }
    within(HORIZON_DAYS)
}

/// Follows openings [`FOLLOW_DAYS`] beyond a span, or for less where none can run on for longer.
fn as_far_as_needed<T: AsRef<Opening>>(
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    openings: impl Fn(Days) -> Vec<T>,
) -> Vec<T> {
    let near = openings(Days::new(FIRST_FOLLOW_DAYS));
    let inside = TimeDelta::days(FIRST_FOLLOW_DAYS.cast_signed() - EDGE_DAYS);
    let is_whole = |own: &T| {
        let own = own.as_ref();
        from - own.start < inside && own.end - until < inside
    };
    if near.iter().all(is_whole) {
        return near;
    }
    openings(Days::new(FOLLOW_DAYS))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
