use hotpatch_operator::api::MaintenanceWindow;

use super::{Bad, every_rule_is_hit, is_good};

pub(super) const GOOD: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: saturday-night, namespace: web}
spec:
  timeZone: Europe/Berlin
  schedule: {weekly: {days: [Saturday, Sunday]}}
  startTime: "22:00"
  duration: 4h
  exclusions:
  - {name: year-end, from: 2026-12-18, through: 2027-01-04}
  - {name: election, from: 2026-09-20, through: 2026-09-20}
"#;

const SCHEDULE: &str =
    "schedule needs exactly one of weekly, monthly, patchTuesday, dayOfMonth or once";
const DAYS: &str = "weekly.days needs at least one day, each named once, such as [Saturday]";
const MONTH_DAYS: &str = "dayOfMonth.days needs at least one day from 1 to 31, each named once";
const OFFSET: &str = "patchTuesday.offsetDays must be from 0 (Patch Tuesday itself) to 27";
const DURATION: &str = "duration must be between 40m and 48h, such as \"4h\" or \"1h30m\": one \
                        installation needs at least 40 minutes";
const DATE: &str = "once.date must be a date as YYYY-MM-DD, such as 2026-12-05";
const START: &str = "startTime must be HH:MM in 24 hours, such as \"22:00\"";

fn bad(at: &'static str, now: &'static str, path: &'static str, says: &'static str) -> Bad {
    Bad {
        at,
        now,
        path,
        says,
    }
}

#[test]
fn every_rule_of_a_window_refuses_something() {
    let schedule = |now, path, says| bad("/spec/schedule", now, path, says);
    let duration = |now| bad("/spec/duration", now, "spec.duration", DURATION);
    let start = |now| bad("/spec/startTime", now, "spec.startTime", START);
    let days = "spec.schedule.dayOfMonth.days";
    every_rule_is_hit(
        "MaintenanceWindow",
        GOOD,
        &[
            schedule("{}", "spec.schedule", SCHEDULE),
            schedule(
                "{weekly: {days: [Monday]}, once: {date: '2026-12-05'}}",
                "spec.schedule",
                SCHEDULE,
            ),
            schedule("{weekly: {days: []}}", "spec.schedule.weekly.days", DAYS),
            schedule(
                "{weekly: {days: [Monday, Monday]}}",
                "spec.schedule.weekly.days",
                DAYS,
            ),
            schedule("{dayOfMonth: {days: []}}", days, MONTH_DAYS),
            schedule("{dayOfMonth: {days: [0]}}", days, MONTH_DAYS),
            schedule("{dayOfMonth: {days: [32]}}", days, MONTH_DAYS),
            schedule("{dayOfMonth: {days: [1, 1]}}", days, MONTH_DAYS),
            schedule(
                "{patchTuesday: {offsetDays: 28}}",
                "spec.schedule.patchTuesday.offsetDays",
                OFFSET,
            ),
            schedule(
                "{once: {date: '5.12.2026'}}",
                "spec.schedule.once.date",
                DATE,
            ),
            schedule(
                "{once: {date: '2026-13-05'}}",
                "spec.schedule.once.date",
                DATE,
            ),
            start("'9pm'"),
            start("'24:00'"),
            start("'9:00'"),
            duration("39m"),
            duration("48h1s"),
            duration("'4'"),
            duration("PT4H"),
            bad(
                "/spec/exclusions/0/through",
                "'2026-12-17'",
                "spec.exclusions[]",
                "an exclusion must not end before it begins: set through to the same day as from, \
                 or later",
            ),
            bad(
                "/spec/exclusions/0/name",
                "Year End",
                "spec.exclusions[].name",
                "must be a DNS label: lower case letters, digits and '-', with a letter or digit \
                 at both ends, such as 'canary'",
            ),
        ],
    );
}

#[test]
fn good_windows_pass_in_each_form_of_schedule() {
    let forms = [
        "weekly: {days: [Saturday, Sunday]}",
        "monthly: {week: Last, day: Friday}",
        "patchTuesday: {offsetDays: 0}",
        "patchTuesday: {offsetDays: 27}",
        "dayOfMonth: {days: [1, 31]}",
        "once: {date: '2026-12-05'}",
    ];
    for form in forms {
        let text = GOOD.replace("weekly: {days: [Saturday, Sunday]}", form);
        let window: MaintenanceWindow = is_good("MaintenanceWindow", &text);
        window.validate_cel().unwrap();
    }
    for duration in ["40m", "48h", "1h30m", "2880m"] {
        let text = GOOD.replace("duration: 4h", &format!("duration: {duration}"));
        is_good::<MaintenanceWindow>("MaintenanceWindow", &text);
    }
}

#[test]
fn a_typed_window_is_refused_by_the_same_rules() {
    let mut window: MaintenanceWindow = is_good("MaintenanceWindow", GOOD);
    window.spec.schedule.weekly = None;
    let errors = window.validate_cel().unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].message, SCHEDULE);
}
