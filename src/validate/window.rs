//! Reads maintenance windows.

use chrono::Weekday as Day;

use super::faults::Faults;
use super::fields::{date, exclusions, span};
use crate::api::MaintenanceWindow;
use crate::api::window::{self as api, Weekday};
use crate::domain::snapshot::Fault;
use crate::domain::window::{
    MonthDays, OffsetDays, Schedule, WeekOfMonth, Weekdays, WindowSpec, parse_start_time,
};
use crate::domain::zone::Zone;

const INVALID: &str = "InvalidSchedule";

/// Reads a window.
///
/// # Errors
/// One fault for all that is wrong: `UnknownTimeZone` or `InvalidSchedule`.
pub fn window(object: &MaintenanceWindow) -> Result<WindowSpec, Fault> {
    let spec = &object.spec;
    let mut faults = Faults::default();
    let zone = Zone::parse(&spec.time_zone)
        .map_err(|error| faults.spec("UnknownTimeZone", format!("spec.timeZone: {error}")));
    let schedule = schedule(&spec.schedule).map_err(|text| faults.spec(INVALID, text));
    let start = parse_start_time(&spec.start_time)
        .map_err(|error| faults.spec(INVALID, format!("spec.startTime: {error}")));
    let duration = span("spec.duration", &spec.duration).map_err(|text| faults.spec(INVALID, text));
    let exclusions = exclusions(&spec.exclusions, INVALID, &mut faults);
    if let (Ok(zone), Ok(schedule), Ok(start), Ok(duration)) = (zone, schedule, start, duration) {
        match WindowSpec::new(zone, schedule, start, duration, exclusions) {
            Ok(window) if faults.is_empty() => return Ok(window),
            Ok(_) => {}
            Err(error) => faults.spec(INVALID, format!("spec: {error}")),
        }
    }
    Err(faults.expect("a window that is not made has a fault"))
}

fn schedule(schedule: &api::Schedule) -> Result<Schedule, String> {
    let mut forms = Vec::new();
    if let Some(weekly) = &schedule.weekly {
        let days = Weekdays::new(weekly.days.iter().copied().map(day));
        forms.push(
            days.map(|days| Schedule::Weekly { days })
                .map_err(said("weekly.days")),
        );
    }
    if let Some(monthly) = &schedule.monthly {
        forms.push(Ok(Schedule::Monthly {
            week: week(monthly.week),
            day: day(monthly.day),
        }));
    }
    if let Some(patch_tuesday) = &schedule.patch_tuesday {
        let offset = OffsetDays::new(patch_tuesday.offset_days);
        let form = offset.map(|offset| Schedule::PatchTuesday { offset });
        forms.push(form.map_err(said("patchTuesday.offsetDays")));
    }
    if let Some(day_of_month) = &schedule.day_of_month {
        let days = MonthDays::new(day_of_month.days.iter().copied());
        let form = days.map(|days| Schedule::DayOfMonth { days });
        forms.push(form.map_err(said("dayOfMonth.days")));
    }
    if let Some(once) = &schedule.once {
        let date = date("spec.schedule.once.date", &once.date);
        forms.push(date.map(|date| Schedule::Once { date }));
    }
    let count = forms.len();
    match forms.pop() {
        Some(form) if count == 1 => form,
        _ => Err(format!(
            "spec.schedule: {count} forms are set; set exactly one of weekly, monthly, \
             patchTuesday, dayOfMonth or once"
        )),
    }
}

fn said(field: &'static str) -> impl Fn(crate::domain::window::Error) -> String {
    move |error| format!("spec.schedule.{field}: {error}")
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

fn week(week: api::WeekOfMonth) -> WeekOfMonth {
    match week {
        api::WeekOfMonth::First => WeekOfMonth::First,
        api::WeekOfMonth::Second => WeekOfMonth::Second,
        api::WeekOfMonth::Third => WeekOfMonth::Third,
        api::WeekOfMonth::Fourth => WeekOfMonth::Fourth,
        api::WeekOfMonth::Last => WeekOfMonth::Last,
    }
}
