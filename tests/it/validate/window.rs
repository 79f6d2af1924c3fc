use hotpatch_operator::api::MaintenanceWindow;
use hotpatch_operator::domain::window::Schedule;
use hotpatch_operator::validate::window;

use super::{SATURDAY, examples};
use crate::api::{change, yaml};

fn read(value: &serde_json::Value) -> MaintenanceWindow {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn every_example_is_a_window() {
    for example in examples("windows.yaml") {
        assert!(window(&read(&example)).is_ok(), "{example}");
    }
}

#[test]
fn every_form_of_schedule_is_read() {
    let forms = [
        "{weekly: {days: [Sunday, Monday]}}",
        "{monthly: {week: Last, day: Friday}}",
        "{patchTuesday: {offsetDays: 27}}",
        "{dayOfMonth: {days: [1, 31]}}",
        "{once: {date: 2026-12-05}}",
    ];
    let read = forms.map(|form| {
        let read = window(&read(&change(&yaml(SATURDAY), "/spec/schedule", form)));
        match read.unwrap().schedule() {
            Schedule::Weekly { .. } => 0,
            Schedule::Monthly { .. } => 1,
            Schedule::PatchTuesday { .. } => 2,
            Schedule::DayOfMonth { .. } => 3,
            Schedule::Once { .. } => 4,
        }
    });
    assert_eq!(read, [0, 1, 2, 3, 4]);
}

#[test]
fn what_is_wrong_with_a_window_is_named_with_its_cure() {
    let zone = "UnknownTimeZone";
    let schedule = "InvalidSchedule";
    let cases = [
        (
            "/spec/timeZone",
            "Europe/Berlim",
            zone,
            "spec.timeZone: time zone \"Europe/Berlim\" is in no tz database; did you mean \
             Europe/Berlin?",
        ),
        (
            "/spec/timeZone",
            "W. Europe Standard Time",
            zone,
            "spec.timeZone: time zone \"W. Europe Standard Time\" is a Windows name; give the IANA \
             name, such as Europe/Berlin",
        ),
        (
            "/spec/timeZone",
            "+02:00",
            zone,
            "spec.timeZone: time zone \"+02:00\" is an offset, not a zone; give an IANA name or \
             Etc/UTC",
        ),
        (
            "/spec/schedule/weekly/days",
            "[]",
            schedule,
            "spec.schedule.weekly.days: a weekly schedule needs at least one day",
        ),
        (
            "/spec/schedule",
            "{dayOfMonth: {days: []}}",
            schedule,
            "spec.schedule.dayOfMonth.days: a day-of-month schedule needs at least one day",
        ),
        (
            "/spec/schedule",
            "{dayOfMonth: {days: [32]}}",
            schedule,
            "spec.schedule.dayOfMonth.days: day 32 of a month does not exist; days are 1 to 31",
        ),
        (
            "/spec/schedule",
            "{patchTuesday: {offsetDays: 28}}",
            schedule,
            "spec.schedule.patchTuesday.offsetDays: 28 days after Patch Tuesday is out of bounds; \
             the offset is 0 to 27 days",
        ),
        (
            "/spec/schedule",
            "{once: {date: 2027-02-29}}",
            schedule,
            "spec.schedule.once.date: \"2027-02-29\" is no date of the calendar; write it as \
             YYYY-MM-DD",
        ),
        (
            "/spec/schedule",
            "{}",
            schedule,
            "spec.schedule: 0 forms are set; set exactly one of weekly, monthly, patchTuesday, \
             dayOfMonth or once",
        ),
        (
            "/spec/schedule",
            "{once: {date: 2027-02-28}, patchTuesday: {offsetDays: 1}}",
            schedule,
            "spec.schedule: 2 forms are set; set exactly one of weekly, monthly, patchTuesday, \
             dayOfMonth or once",
        ),
        (
            "/spec/startTime",
            "\"24:00\"",
            schedule,
            "spec.startTime: the start time \"24:00\" is not written HH:MM, 00:00 to 23:59",
        ),
        (
            "/spec/duration",
            "39m",
            schedule,
            "spec: the duration 39m is not between 40m and 48h",
        ),
        (
            "/spec/duration",
            "4",
            schedule,
            "spec.duration: duration \"4\" lacks a unit at \"\"; units are d, h, m, s, ms, us, ns",
        ),
        (
            "/spec/exclusions/0/from",
            "2026-11-31",
            schedule,
            "spec.exclusions[launch].from: \"2026-11-31\" is no date of the calendar; write it as \
             YYYY-MM-DD",
        ),
        (
            "/spec/exclusions/0/through",
            "2026-10-30",
            schedule,
            "spec.exclusions[launch]: exclusion \"launch\" ends on 2026-10-30, before it begins on \
             2026-11-01; set through to the same day as from, or later",
        ),
    ];
    for (at, now, reason, message) in cases {
        let now = if now == "4" { "\"4\"" } else { now };
        let fault = window(&read(&change(&yaml(SATURDAY), at, now))).unwrap_err();
        assert_eq!(
            (fault.reason, fault.message.as_str()),
            (reason, message),
            "{at} = {now}"
        );
        assert!(fault.stalls, "{at} = {now}");
    }
}

#[test]
fn all_faults_of_a_window_are_told_at_once() {
    let bad = change(&yaml(SATURDAY), "/spec/timeZone", "UTC+2");
    let bad = change(&bad, "/spec/startTime", "late");
    let fault = window(&read(&bad)).unwrap_err();
    assert_eq!(fault.reason, "UnknownTimeZone");
    assert!(
        fault.message.contains("spec.timeZone: "),
        "{}",
        fault.message
    );
    assert!(
        fault.message.contains("; spec.startTime: "),
        "{}",
        fault.message
    );
}
