//! The openings of a fleet's windows as the stored objects say, read anew for each judgement.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday as Day};

use super::shelf::Name;
use super::world::World;
use crate::api::HotpatchFleet;
use crate::api::window::{
    Exclusion as ApiExclusion, MaintenanceWindowSpec, WeekOfMonth as ApiWeek, Weekday,
};
use crate::domain::duration;
use crate::domain::window::{
    Exclusion, FleetWindows, MonthDays, NamedWindow, OffsetDays, Opening, Schedule, WeekOfMonth,
    Weekdays, WindowSpec, parse_start_time,
};
use crate::domain::zone::Zone;

/// Returns the opening of a fleet's windows for a stage that an instant lies in, by the objects as
/// they stood at `seen`. A window that cannot be read is shut.
pub fn open_at(
    world: &World,
    namespace: &str,
    fleet: &HotpatchFleet,
    stage: &str,
    at: DateTime<Utc>,
    seen: DateTime<Utc>,
) -> Option<Opening> {
    let mut specs: Vec<(String, WindowSpec)> = Vec::new();
    for window in &fleet.spec.window_refs {
        if !window.stages.is_empty() && !window.stages.iter().any(|own| own == stage) {
            continue;
        }
        let name: Name = (namespace.to_owned(), window.name.clone());
        let object = world.windows.at(&name, seen)?;
        specs.push((window.name.clone(), read(&object.spec)?));
    }
    let closed = exclusions(&fleet.spec.exclusions)?;
    let named: Vec<NamedWindow<'_>> = specs
        .iter()
        .map(|(name, window)| NamedWindow { name, window })
        .collect();
    let all = FleetWindows {
        windows: &named,
        fleet_exclusions: &closed,
    };
    all.open_at(at).map(|open| open.opening)
}

/// Reads a window's spec; none where it says nothing that can be understood.
pub fn read(spec: &MaintenanceWindowSpec) -> Option<WindowSpec> {
    WindowSpec::new(
        Zone::parse(&spec.time_zone).ok()?,
        schedule(&spec.schedule)?,
        parse_start_time(&spec.start_time).ok()?,
        length(&spec.duration)?,
        exclusions(&spec.exclusions)?,
    )
    .ok()
}

/// Reads a duration as users write it.
pub fn length(text: &str) -> Option<TimeDelta> {
    duration::parse(text).ok()
}

fn schedule(spec: &crate::api::window::Schedule) -> Option<Schedule> {
    if let Some(weekly) = &spec.weekly {
        let days = Weekdays::new(weekly.days.iter().copied().map(day)).ok()?;
        return Some(Schedule::Weekly { days });
    }
    if let Some(monthly) = &spec.monthly {
        return Some(Schedule::Monthly {
            week: week(monthly.week),
            day: day(monthly.day),
        });
    }
    if let Some(tuesday) = &spec.patch_tuesday {
        let offset = OffsetDays::new(tuesday.offset_days).ok()?;
        return Some(Schedule::PatchTuesday { offset });
    }
    if let Some(dates) = &spec.day_of_month {
        let days = MonthDays::new(dates.days.iter().copied()).ok()?;
        return Some(Schedule::DayOfMonth { days });
    }
    let date = date(&spec.once.as_ref()?.date)?;
    Some(Schedule::Once { date })
}

fn exclusions(list: &[ApiExclusion]) -> Option<Vec<Exclusion>> {
    list.iter()
        .map(|own| Exclusion::new(&own.name, date(&own.from)?, date(&own.through)?).ok())
        .collect()
}

fn date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

fn day(day: Weekday) -> Day {
    match day {
        Weekday::Monday => Day::Mon,
        Weekday::Tuesday => Day::Tue,
        Weekday::Wednesday => Day::Wed,
        Weekday::Thursday => Day::Thu,
        Weekday::Friday => Day::Fri,
        Weekday::Saturday => Day::Sat,
        Weekday::Sunday => Day::Sun,
    }
}

fn week(week: ApiWeek) -> WeekOfMonth {
    match week {
        ApiWeek::First => WeekOfMonth::First,
        ApiWeek::Second => WeekOfMonth::Second,
        ApiWeek::Third => WeekOfMonth::Third,
        ApiWeek::Fourth => WeekOfMonth::Fourth,
        ApiWeek::Last => WeekOfMonth::Last,
    }
}
