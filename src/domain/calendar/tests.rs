#![allow(clippy::unwrap_used)] // tests may unwrap

use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn patch_tuesdays_of_two_years_are_the_published_ones() {
    let expected = [
        (2026, [13, 10, 10, 14, 12, 9, 14, 11, 8, 13, 10, 8]),
        (2024, [9, 13, 12, 9, 14, 11, 9, 13, 10, 8, 12, 10]),
    ];
    for (year, days) in expected {
        for (month, day) in (1..).zip(days) {
            let tuesday = patch_tuesday(year, month).unwrap();
            assert_eq!(tuesday, NaiveDate::from_ymd_opt(year, month, day).unwrap());
        }
    }
}

#[test]
fn every_patch_tuesday_of_a_century_is_a_tuesday_from_the_8th_to_the_14th() {
    let mut month = Month::new(2000, 1).unwrap();
    while month.year() < 2100 {
        let tuesday = month.patch_tuesday();
        assert_eq!(tuesday.weekday(), Weekday::Tue);
        assert!((8..=14).contains(&tuesday.day()), "{tuesday}");
        month = month.next();
    }
}

#[test]
fn a_year_walked_day_by_day_has_each_patch_tuesday_behind_or_ahead() {
    let mut day = date("2027-12-01");
    while day < date("2029-02-01") {
        let (before, own, after) = (
            previous_patch_tuesday(day),
            patch_tuesday_of(day),
            next_patch_tuesday(day),
        );
        assert!(before <= day && day < after, "{day}");
        assert!(own == before || own == after, "{day}");
        let weeks = (after - before).num_days() / 7;
        assert!(
            (weeks == 4 || weeks == 5) && (after - before).num_days() % 7 == 0,
            "{day}"
        );
        assert_eq!(
            Month::of(day),
            day.format("%Y-%m").to_string().parse().unwrap()
        );
        day = day.succ_opt().unwrap();
    }
}

#[test]
fn the_second_saturday_of_october_2026_comes_before_patch_tuesday() {
    let october = Month::new(2026, 10).unwrap();
    let saturday = october.nth_weekday(2, Weekday::Sat).unwrap();
    assert_eq!(saturday, date("2026-10-10"));
    assert!(saturday < october.patch_tuesday());
}

#[test]
fn four_months_of_a_year_are_baseline_months() {
    let months = (1..=12).map(|month| Month::new(2026, month).unwrap());
    let baselines: Vec<u32> = months
        .filter(|month| is_baseline_month(*month))
        .map(Month::month)
        .collect();
    assert_eq!(baselines, [1, 4, 7, 10]);
}

#[test]
fn months_know_their_neighbours_and_ends() {
    let december = Month::new(2026, 12).unwrap();
    assert_eq!(december.next().to_string(), "2027-01");
    assert_eq!(december.next().prev(), december);
    assert!(december < december.next());
    for (month, last) in [
        ("2028-02", "2028-02-29"),
        ("2027-02", "2027-02-28"),
        ("2100-02", "2100-02-28"),
        ("2026-12", "2026-12-31"),
        ("9999-12", "9999-12-31"),
    ] {
        let month: Month = month.parse().unwrap();
        assert_eq!(month.last_day(), date(last));
        assert_eq!(Month::of(month.first_day()), month);
    }
}

#[test]
fn the_ends_of_the_calendar_stay_inside() {
    let (first, last) = (Month::new(1, 1).unwrap(), Month::new(9999, 12).unwrap());
    assert_eq!((first.prev(), last.next()), (first, last));
    assert_eq!(Month::of(NaiveDate::MIN), first);
    assert_eq!(Month::of(NaiveDate::MAX), last);
    // Neither call may panic on a date far out.
    let _ = (published_at(NaiveDate::MIN), published_at(NaiveDate::MAX));
    let _ = published_through(DateTime::<Utc>::MIN_UTC);
}

#[test]
fn a_month_is_read_in_one_spelling_only() {
    assert_eq!("2026-10".parse::<Month>().unwrap().to_string(), "2026-10");
    for wrong in [
        "",
        "2026",
        "2026-1",
        "26-10",
        "2026-10-13",
        "2026/10",
        "+026-10",
        "2026-+1",
    ] {
        assert_eq!(
            wrong.parse::<Month>(),
            Err(Error::Syntax {
                text: wrong.to_owned()
            })
        );
    }
    for (wrong, year, month) in [
        ("2026-00", 2026, 0),
        ("2026-13", 2026, 13),
        ("0000-01", 0, 1),
    ] {
        assert_eq!(wrong.parse::<Month>(), Err(Error::Range { year, month }));
    }
}

#[test]
fn updates_appear_at_ten_in_los_angeles_summer_and_winter() {
    for (day, expected) in [
        ("2026-01-13", "2026-01-13T18:00:00Z"),
        ("2026-03-10", "2026-03-10T17:00:00Z"),
        ("2026-10-13", "2026-10-13T17:00:00Z"),
        ("2026-11-10", "2026-11-10T18:00:00Z"),
    ] {
        assert_eq!(
            published_at(date(day)),
            expected.parse::<DateTime<Utc>>().unwrap()
        );
    }
}

#[test]
fn published_through_turns_at_the_very_instant() {
    let mut day = date("2026-01-01");
    while day < date("2027-01-01") {
        let at = published_at(day);
        assert_eq!(published_through(at), day);
        assert_eq!(
            published_through(at - TimeDelta::seconds(1)),
            day.pred_opt().unwrap()
        );
        day = day.succ_opt().unwrap();
    }
}
