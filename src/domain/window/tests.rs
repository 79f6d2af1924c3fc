#![allow(clippy::unwrap_used)] // tests may unwrap

use chrono::{Datelike, Weekday};

use super::*;

fn utc(text: &str) -> DateTime<Utc> {
    format!("{}:00Z", text.replace(' ', "T")).parse().unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn weekly(days: &[Weekday]) -> Schedule {
    Schedule::Weekly {
        days: Weekdays::new(days.iter().copied()).unwrap(),
    }
}

fn patch_tuesday(days: u32) -> Schedule {
    Schedule::PatchTuesday {
        offset: OffsetDays::new(days).unwrap(),
    }
}

fn month_days(days: &[u32]) -> Schedule {
    Schedule::DayOfMonth {
        days: MonthDays::new(days.iter().copied()).unwrap(),
    }
}

const ALL_DAYS: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

fn window(zone: &str, schedule: Schedule, start: &str, duration: &str) -> WindowSpec {
    shut(zone, schedule, start, duration, &[])
}

fn shut(
    zone: &str,
    schedule: Schedule,
    start: &str,
    duration: &str,
    exclusions: &[(&str, &str)],
) -> WindowSpec {
    let exclusions = exclusions
        .iter()
        .map(|(from, through)| excluded(from, through))
        .collect();
    let duration = duration::parse(duration).unwrap();
    let start = parse_start_time(start).unwrap();
    WindowSpec::new(
        Zone::parse(zone).unwrap(),
        schedule,
        start,
        duration,
        exclusions,
    )
    .unwrap()
}

fn excluded(from: &str, through: &str) -> Exclusion {
    Exclusion::new("freeze", date(from), date(through)).unwrap()
}

/// Writes openings in UTC for comparison.
fn shown(openings: &[Opening]) -> Vec<String> {
    let show = |at: DateTime<Utc>| at.format("%m-%d %H:%M").to_string();
    openings
        .iter()
        .map(|o| format!("{} .. {}", show(o.start), show(o.end)))
        .collect()
}

fn in_span(window: &WindowSpec, from: &str, until: &str) -> Vec<String> {
    shown(&window.openings(utc(from), utc(until)))
}

#[test]
fn a_window_that_crosses_midnight_stays_open() {
    let window = window("Europe/Berlin", weekly(&[Weekday::Sat]), "22:00", "4h");
    // Saturday 2026-06-06 22:00 CEST is 20:00 UTC.
    let opening = Opening {
        start: utc("2026-06-06 20:00"),
        end: utc("2026-06-07 00:00"),
    };
    for (at, expected) in [
        ("2026-06-06 19:59", None),
        ("2026-06-06 20:00", Some(opening)),
        ("2026-06-06 23:59", Some(opening)),
        ("2026-06-07 00:00", None),
    ] {
        assert_eq!(window.open_at(utc(at)), expected, "{at}");
    }
    assert!(opening.contains(opening.start) && !opening.contains(opening.end));
    assert_eq!(
        opening.remaining(utc("2026-06-06 23:00")),
        TimeDelta::hours(1)
    );
    assert_eq!(
        opening.remaining(utc("2026-06-07 00:00")),
        TimeDelta::zero()
    );
}

#[test]
fn schedules_fall_on_their_days_of_2026() {
    let monthly = |week, day| Schedule::Monthly { week, day };
    let cases: [(Schedule, &[&str]); 9] = [
        (
            monthly(WeekOfMonth::Second, Weekday::Sat),
            &["09-12", "10-10", "11-14", "12-12"],
        ),
        (
            monthly(WeekOfMonth::Last, Weekday::Thu),
            &["09-24", "10-29", "11-26", "12-31"],
        ),
        (
            monthly(WeekOfMonth::First, Weekday::Tue),
            &["09-01", "10-06", "11-03", "12-01"],
        ),
        (
            monthly(WeekOfMonth::Fourth, Weekday::Thu),
            &["09-24", "10-22", "11-26", "12-24"],
        ),
        (patch_tuesday(0), &["09-08", "10-13", "11-10", "12-08"]),
        (patch_tuesday(4), &["09-12", "10-17", "11-14", "12-12"]),
        // 27 days after 11 August and so on: the next month.
        (patch_tuesday(27), &["09-07", "10-05", "11-09", "12-07"]),
        (
            month_days(&[31, 1]),
            &["09-01", "10-01", "10-31", "11-01", "12-01", "12-31"],
        ),
        (
            Schedule::Once {
                date: date("2026-12-05"),
            },
            &["12-05"],
        ),
    ];
    for (schedule, expected) in cases {
        let days: Vec<String> = date("2026-09-01")
            .iter_days()
            .take_while(|day| *day <= date("2026-12-31"))
            .filter(|day| schedule.falls_on(*day))
            .map(|day| day.format("%m-%d").to_string())
            .collect();
        assert_eq!(days, expected, "{schedule:?}");
    }
}

#[test]
fn a_leap_day_window_opens_in_leap_years_only() {
    let window = window("UTC", month_days(&[29]), "00:00", "1h");
    let in_february = |year: i32| {
        let from = utc(&format!("{year}-02-01 00:00"));
        window.openings(from, from + TimeDelta::days(29)).len()
    };
    assert_eq!([2027, 2028, 2096, 2100].map(in_february), [0, 1, 1, 0]);
}

#[test]
fn the_offset_from_patch_tuesday_is_no_second_saturday() {
    let by_week = Schedule::Monthly {
        week: WeekOfMonth::Second,
        day: Weekday::Sat,
    };
    let differ: Vec<u32> = date("2026-01-01")
        .iter_days()
        .take(365)
        .filter(|day| by_week.falls_on(*day) && !patch_tuesday(4).falls_on(*day))
        .map(|day| day.month())
        .collect();
    assert_eq!(differ, [1, 4, 5, 7, 8, 10]);
}

#[test]
fn durations_are_elapsed_time_on_the_nights_of_clock_changes() {
    let weekly = |zone| window(zone, weekly(&[Weekday::Sat]), "22:00", "6h");
    for (zone, from, until, expected) in [
        // Ends 05:00 CEST and 03:00 CET.
        (
            "Europe/Berlin",
            "2026-03-28 00:00",
            "2026-03-30 00:00",
            "03-28 21:00 .. 03-29 03:00",
        ),
        (
            "Europe/Berlin",
            "2026-10-24 00:00",
            "2026-10-26 00:00",
            "10-24 20:00 .. 10-25 02:00",
        ),
        (
            "America/New_York",
            "2026-03-07 12:00",
            "2026-03-09 00:00",
            "03-08 03:00 .. 03-08 09:00",
        ),
        (
            "America/New_York",
            "2026-10-31 12:00",
            "2026-11-02 00:00",
            "11-01 02:00 .. 11-01 08:00",
        ),
        (
            "Australia/Lord_Howe",
            "2026-10-03 00:00",
            "2026-10-05 00:00",
            "10-03 11:30 .. 10-03 17:30",
        ),
        (
            "Pacific/Kiritimati",
            "2026-06-06 00:00",
            "2026-06-07 00:00",
            "06-06 08:00 .. 06-06 14:00",
        ),
        (
            "Etc/GMT+12",
            "2026-06-06 18:00",
            "2026-06-08 00:00",
            "06-07 10:00 .. 06-07 16:00",
        ),
    ] {
        assert_eq!(
            in_span(&weekly(zone), from, until),
            [expected],
            "{zone} {from}"
        );
    }
}

#[test]
fn a_gap_or_a_fold_opens_a_window_exactly_once() {
    for (zone, start, from, until, expected) in [
        (
            "Europe/Berlin",
            "02:30",
            "2026-03-29 00:00",
            "2026-03-29 12:00",
            "03-29 01:30 .. 03-29 02:30",
        ),
        (
            "Europe/Berlin",
            "02:30",
            "2026-10-25 00:00",
            "2026-10-25 12:00",
            "10-25 00:30 .. 10-25 01:30",
        ),
        (
            "America/New_York",
            "02:30",
            "2026-03-08 00:00",
            "2026-03-08 20:00",
            "03-08 07:30 .. 03-08 08:30",
        ),
        (
            "America/New_York",
            "01:30",
            "2026-11-01 00:00",
            "2026-11-01 20:00",
            "11-01 05:30 .. 11-01 06:30",
        ),
        (
            "Australia/Lord_Howe",
            "02:15",
            "2026-10-03 12:00",
            "2026-10-04 06:00",
            "10-03 15:45 .. 10-03 16:45",
        ),
        (
            "Australia/Lord_Howe",
            "01:45",
            "2026-04-04 12:00",
            "2026-04-05 06:00",
            "04-04 14:45 .. 04-04 15:45",
        ),
        (
            "Africa/Casablanca",
            "02:30",
            "2026-02-15 00:00",
            "2026-02-15 20:00",
            "02-15 01:30 .. 02-15 02:30",
        ),
        (
            "Africa/Casablanca",
            "02:30",
            "2026-03-22 00:00",
            "2026-03-22 20:00",
            "03-22 02:30 .. 03-22 03:30",
        ),
        // 30 December 2011 did not happen: its opening falls on the 31st's and is the same one.
        (
            "Pacific/Apia",
            "12:00",
            "2011-12-30 12:00",
            "2011-12-31 12:00",
            "12-30 22:00 .. 12-30 23:00",
        ),
    ] {
        let window = window(zone, weekly(&ALL_DAYS), start, "1h");
        assert_eq!(in_span(&window, from, until), [expected], "{zone} {from}");
    }
}

#[test]
fn a_daily_window_opens_once_on_each_day_of_a_year() {
    for zone in [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
    ] {
        for start in [
            "00:00", "01:30", "02:00", "02:15", "02:30", "03:00", "23:30",
        ] {
            let window = window(zone, weekly(&ALL_DAYS), start, "40m");
            let zone = Zone::parse(zone).unwrap();
            let openings = window.openings(utc("2025-12-30 00:00"), utc("2027-01-03 00:00"));
            let mut days: Vec<NaiveDate> = openings
                .iter()
                .map(|o| zone.utc_to_local(o.start).date())
                .collect();
            days.retain(|day| day.year() == 2026);
            let year: Vec<NaiveDate> = date("2026-01-01").iter_days().take(365).collect();
            assert_eq!(days, year, "{zone} {start}");
        }
    }
}

#[test]
fn openings_that_overlap_or_touch_are_one() {
    let days = weekly(&[Weekday::Fri, Weekday::Sat]);
    for (duration, expected) in [
        (
            "23h",
            vec!["06-05 00:00 .. 06-05 23:00", "06-06 00:00 .. 06-06 23:00"],
        ),
        ("24h", vec!["06-05 00:00 .. 06-07 00:00"]),
        ("30h", vec!["06-05 00:00 .. 06-07 06:00"]),
    ] {
        let window = window("UTC", days.clone(), "00:00", duration);
        assert_eq!(
            in_span(&window, "2026-06-04 00:00", "2026-06-08 00:00"),
            expected
        );
    }
}

#[test]
fn an_opening_is_given_whole_whatever_part_the_span_touches() {
    let window = window("UTC", weekly(&[Weekday::Sat]), "00:00", "48h");
    let whole = ["06-06 00:00 .. 06-08 00:00"];
    assert_eq!(
        in_span(&window, "2026-06-07 23:59", "2026-06-09 00:00"),
        whole
    );
    assert_eq!(
        in_span(&window, "2026-06-01 00:00", "2026-06-06 00:01"),
        whole
    );
    assert!(in_span(&window, "2026-06-08 00:00", "2026-06-09 00:00").is_empty());
    assert!(in_span(&window, "2026-06-01 00:00", "2026-06-06 00:00").is_empty());
    assert!(in_span(&window, "2026-06-07 00:00", "2026-06-07 00:00").is_empty());
    assert!(in_span(&window, "2026-06-08 00:00", "2026-06-01 00:00").is_empty());
}

#[test]
fn exclusions_cut_at_local_midnight() {
    for (exclusion, expected) in [
        // Uncut: Saturday 2026-12-19 22:00 CET to Sunday 04:00.
        (
            ("2026-12-01", "2026-12-01"),
            vec!["12-19 21:00 .. 12-20 03:00"],
        ),
        // The day after: cut at Sunday 00:00 CET.
        (
            ("2026-12-20", "2026-12-31"),
            vec!["12-19 21:00 .. 12-19 23:00"],
        ),
        // The day itself: only what lies on Sunday is left.
        (
            ("2026-12-18", "2026-12-19"),
            vec!["12-19 23:00 .. 12-20 03:00"],
        ),
        (("2026-12-19", "2026-12-20"), vec![]),
    ] {
        let saturday = weekly(&[Weekday::Sat]);
        let window = shut("Europe/Berlin", saturday, "22:00", "6h", &[exclusion]);
        assert_eq!(
            in_span(&window, "2026-12-17 00:00", "2026-12-24 00:00"),
            expected
        );
    }
}

#[test]
fn an_exclusion_in_the_middle_leaves_both_ends() {
    let window = shut(
        "America/New_York",
        weekly(&[Weekday::Fri]),
        "12:00",
        "48h",
        &[("2026-03-07", "2026-03-07"), ("2026-03-07", "2026-03-07")],
    );
    let expected = ["03-06 17:00 .. 03-07 05:00", "03-08 05:00 .. 03-08 17:00"];
    assert_eq!(
        in_span(&window, "2026-03-06 00:00", "2026-03-10 00:00"),
        expected
    );
}

#[test]
fn an_exclusion_counts_local_days_across_a_midnight_gap() {
    // Beirut skips 00:00 to 01:00 on 2026-03-29: the day begins at 01:00, 22:00 UTC the day before.
    let closed = excluded("2026-03-29", "2026-03-29").closed(&Zone::parse("Asia/Beirut").unwrap());
    assert_eq!(shown(&[closed]), ["03-28 22:00 .. 03-29 21:00"]);
    let skipped =
        excluded("2011-12-30", "2011-12-30").closed(&Zone::parse("Pacific/Apia").unwrap());
    assert_eq!(skipped.duration(), TimeDelta::zero());
}

#[test]
fn next_gives_what_starts_after_now() {
    let window = window("Europe/Berlin", patch_tuesday(4), "22:00", "4h");
    let expected = ["10-17 20:00 .. 10-18 00:00", "11-14 21:00 .. 11-15 01:00"];
    assert_eq!(shown(&window.next(utc("2026-10-01 00:00"), 2)), expected);
    // Open now: not among the next ones.
    assert_eq!(
        shown(&window.next(utc("2026-10-17 20:00"), 1)),
        [expected[1]]
    );
    assert!(window.next(utc("2026-10-01 00:00"), 0).is_empty());
}

#[test]
fn a_window_that_never_opens_is_seen() {
    let now = utc("2026-11-22 00:00");
    let once = |day| window("UTC", Schedule::Once { date: date(day) }, "22:00", "4h");
    let frozen = [("2026-01-01", "2029-12-31")];
    for (name, window, never) in [
        ("once, past", once("2026-11-20"), true),
        ("once, still open", once("2026-11-21"), false),
        ("once, beyond the horizon", once("2028-11-22"), true),
        (
            "frozen",
            shut("UTC", weekly(&ALL_DAYS), "22:00", "4h", &frozen),
            true,
        ),
        (
            "the 31st",
            window("UTC", month_days(&[31]), "22:00", "4h"),
            false,
        ),
        (
            "always",
            window("UTC", weekly(&ALL_DAYS), "00:00", "24h"),
            false,
        ),
    ] {
        assert_eq!(window.never_opens(now), never, "{name}");
        let shut = window.open_at(now).is_none() && window.next(now, 1).is_empty();
        assert_eq!(shut, never, "{name}");
    }
}

#[test]
fn a_window_that_is_always_open_is_cut_at_stable_days() {
    let window = window("UTC", weekly(&ALL_DAYS), "00:00", "24h");
    let morning = window.open_at(utc("2026-06-15 06:00")).unwrap();
    let evening = window.open_at(utc("2026-06-15 18:00")).unwrap();
    assert_eq!(morning, evening);
    assert!(morning.remaining(utc("2026-06-15 18:00")) > TimeDelta::days(30));
}

#[test]
fn a_span_is_answered_up_to_its_bound() {
    let window = window("UTC", weekly(&ALL_DAYS), "00:00", "1h");
    let count = window
        .openings(utc("2026-01-01 00:00"), DateTime::<Utc>::MAX_UTC)
        .len();
    assert_eq!(i64::try_from(count).unwrap(), MAX_SPAN_DAYS);
    assert!(
        window
            .openings(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MIN_UTC)
            .is_empty()
    );
    // Neither end of time may panic.
    let _ = window.open_at(DateTime::<Utc>::MIN_UTC);
    let _ = window.next(DateTime::<Utc>::MAX_UTC, 1);
}

#[test]
fn what_is_no_window_says_why() {
    let build = |duration| {
        let start = parse_start_time("22:00").unwrap();
        WindowSpec::new(Zone::utc(), weekly(&ALL_DAYS), start, duration, vec![])
    };
    for (minutes, valid) in [
        (39, false),
        (40, true),
        (48 * 60, true),
        (48 * 60 + 1, false),
    ] {
        assert_eq!(
            build(TimeDelta::minutes(minutes)).is_ok(),
            valid,
            "{minutes}"
        );
    }
    let error = build(TimeDelta::minutes(5)).unwrap_err().to_string();
    assert_eq!(error, "the duration 5m is not between 40m and 48h");
    for wrong in [
        "", "9:05", "24:00", "22:60", "22:00:00", "+9:05", "22.00", "22:0a", "٢٢:00",
    ] {
        let error = Error::StartTime {
            text: wrong.to_owned(),
        };
        assert_eq!(parse_start_time(wrong), Err(error));
    }
    assert_eq!(Weekdays::new([]), Err(Error::NoWeekdays));
    assert_eq!(MonthDays::new([]), Err(Error::NoMonthDays));
    assert_eq!(MonthDays::new([1, 0]), Err(Error::MonthDay { day: 0 }));
    assert_eq!(MonthDays::new([32]), Err(Error::MonthDay { day: 32 }));
    assert_eq!(OffsetDays::new(28), Err(Error::Offset { days: 28 }));
    let error = Exclusion::new("x", date("2026-02-02"), date("2026-02-01")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "exclusion \"x\" ends on 2026-02-01, before it begins on 2026-02-02"
    );
    let many = vec![excluded("2026-01-01", "2026-01-01"); MAX_EXCLUSIONS + 1];
    let start = parse_start_time("22:00").unwrap();
    let error = WindowSpec::new(
        Zone::utc(),
        weekly(&ALL_DAYS),
        start,
        TimeDelta::hours(1),
        many,
    );
    assert_eq!(
        error,
        Err(Error::TooManyExclusions {
            count: MAX_EXCLUSIONS + 1
        })
    );
}

fn names(opening: &FleetOpening) -> Vec<&str> {
    opening.windows.iter().map(String::as_str).collect()
}

#[test]
fn windows_of_a_fleet_merge_and_are_named() {
    let berlin = window("Europe/Berlin", weekly(&[Weekday::Sat]), "22:00", "4h");
    let utc_night = window("UTC", weekly(&[Weekday::Sun]), "00:00", "2h");
    let midweek = window("UTC", weekly(&[Weekday::Wed]), "01:00", "1h");
    let windows = [
        NamedWindow {
            name: "saturday",
            window: &berlin,
        },
        NamedWindow {
            name: "sunday",
            window: &utc_night,
        },
        NamedWindow {
            name: "midweek",
            window: &midweek,
        },
    ];
    let found = union(
        &windows,
        &[],
        utc("2026-06-01 00:00"),
        utc("2026-06-08 00:00"),
    );
    // Saturday's ends 00:00 UTC, where Sunday's begins.
    let times: Vec<Opening> = found.iter().map(|o| o.opening).collect();
    assert_eq!(
        shown(&times),
        ["06-03 01:00 .. 06-03 02:00", "06-06 20:00 .. 06-07 02:00"]
    );
    assert_eq!(names(&found[0]), ["midweek"]);
    assert_eq!(names(&found[1]), ["saturday", "sunday"]);

    let fleet = FleetWindows {
        windows: &windows,
        fleet_exclusions: &[],
    };
    let now = utc("2026-06-06 23:00");
    assert_eq!(
        fleet.open_at(now).unwrap().opening.end,
        utc("2026-06-07 02:00")
    );
    assert_eq!(fleet.next(now, 1)[0].opening.start, utc("2026-06-10 01:00"));
    assert!(!fleet.never_open(now));
    assert!(
        FleetWindows {
            windows: &[],
            fleet_exclusions: &[]
        }
        .never_open(now)
    );
}

#[test]
fn fleet_exclusions_are_local_dates_of_each_window() {
    let tokyo = window("Asia/Tokyo", weekly(&[Weekday::Sat]), "01:00", "2h");
    let honolulu = window("Pacific/Honolulu", weekly(&[Weekday::Fri]), "06:00", "2h");
    let windows = [
        NamedWindow {
            name: "tokyo",
            window: &tokyo,
        },
        NamedWindow {
            name: "honolulu",
            window: &honolulu,
        },
    ];
    // Both open at 16:00 UTC on Friday 2026-12-18, which is Saturday in Tokyo.
    let span = (utc("2026-12-18 00:00"), utc("2026-12-19 00:00"));
    for (exclusions, expected) in [
        (vec![], vec!["honolulu", "tokyo"]),
        (vec![excluded("2026-12-18", "2026-12-18")], vec!["tokyo"]),
        (vec![excluded("2026-12-19", "2026-12-19")], vec!["honolulu"]),
    ] {
        let found = union(&windows, &exclusions, span.0, span.1);
        assert_eq!(shown(&[found[0].opening]), ["12-18 16:00 .. 12-18 18:00"]);
        assert_eq!(names(&found[0]), expected);
    }
}

#[test]
fn a_part_beyond_the_span_lengthens_the_merged_opening() {
    let first = window("UTC", weekly(&[Weekday::Sat]), "00:00", "48h");
    let second = window("UTC", weekly(&[Weekday::Mon]), "00:00", "48h");
    let windows = [
        NamedWindow {
            name: "a",
            window: &first,
        },
        NamedWindow {
            name: "b",
            window: &second,
        },
    ];
    let found = union(
        &windows,
        &[],
        utc("2026-06-06 12:00"),
        utc("2026-06-06 13:00"),
    );
    assert_eq!(shown(&[found[0].opening]), ["06-06 00:00 .. 06-10 00:00"]);
}

#[test]
fn openings_serialise_flat() {
    let opening = Opening {
        start: utc("2026-06-06 00:00"),
        end: utc("2026-06-07 00:00"),
    };
    let merged = FleetOpening {
        opening,
        windows: ["a".to_owned()].into(),
    };
    let json = r#"{"start":"2026-06-06T00:00:00Z","end":"2026-06-07T00:00:00Z","windows":["a"]}"#;
    assert_eq!(serde_json::to_string(&merged).unwrap(), json);
    assert_eq!(serde_json::from_str::<FleetOpening>(json).unwrap(), merged);
}
