#![allow(clippy::unwrap_used)] // tests may unwrap

use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

fn local(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
}

fn utc(text: &str) -> DateTime<Utc> {
    local(text).and_utc()
}

#[test]
fn a_name_is_found_in_any_case_and_keeps_its_canonical_spelling() {
    for (given, canonical) in [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("AMERICA/NEW_YORK", "America/New_York"),
        (
            "America/Argentina/Buenos_Aires",
            "America/Argentina/Buenos_Aires",
        ),
        ("utc", "UTC"),
        ("Etc/UTC", "Etc/UTC"),
        ("Etc/GMT+12", "Etc/GMT+12"),
        ("US/Pacific", "US/Pacific"),
    ] {
        assert_eq!(zone(given).name(), canonical, "{given}");
    }
}

#[test]
fn a_wrong_name_says_what_is_wrong() {
    for (given, message) in [
        (
            "",
            "the time zone is empty; give an IANA name such as Europe/Berlin",
        ),
        (
            "  ",
            "the time zone is empty; give an IANA name such as Europe/Berlin",
        ),
        (
            "W. Europe Standard Time",
            "time zone \"W. Europe Standard Time\" is a Windows name; give the IANA name, \
             such as Europe/Berlin",
        ),
        (
            "+02:00",
            "time zone \"+02:00\" is an offset, not a zone; give an IANA name or Etc/UTC",
        ),
        (
            "UTC+2",
            "time zone \"UTC+2\" is an offset, not a zone; give an IANA name or Etc/UTC",
        ),
        (
            "Europe/Berln",
            "time zone \"Europe/Berln\" is in no tz database; did you mean Europe/Berlin?",
        ),
        (
            "Berlin",
            "time zone \"Berlin\" is in no tz database; did you mean Europe/Berlin?",
        ),
        (
            " Europe/Oslo",
            "time zone \" Europe/Oslo\" is in no tz database; did you mean Europe/Oslo?",
        ),
        (
            "Mars/Olympus_Mons",
            "time zone \"Mars/Olympus_Mons\" is in no tz database",
        ),
        (
            "Etc/Unknown",
            "time zone \"Etc/Unknown\" is in no tz database",
        ),
        (
            "../../etc/passwd",
            "time zone \"../../etc/passwd\" is in no tz database",
        ),
        (
            "/etc/localtime",
            "time zone \"/etc/localtime\" is in no tz database",
        ),
        ("localtime", "time zone \"localtime\" is in no tz database"),
        (
            "posixrules",
            "time zone \"posixrules\" is in no tz database",
        ),
        ("Factory", "time zone \"Factory\" is in no tz database"),
        (
            "right/Europe/Berlin",
            "time zone \"right/Europe/Berlin\" is in no tz database",
        ),
        (
            "posix/Europe/Berlin",
            "time zone \"posix/Europe/Berlin\" is in no tz database",
        ),
    ] {
        let error = Zone::parse(given).expect_err(given).to_string();
        assert!(error.starts_with(message), "{given}: {error}");
    }
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    assert_eq!(
        Zone::parse(&long),
        Err(Error::TooLong {
            bytes: MAX_NAME_BYTES + 1
        })
    );
}

/// Zone, local time, instant, and how they met: exact, fold, or the length of the gap in seconds.
const MEETINGS: &str = "
Europe/Berlin, 2026-03-29 01:59, 2026-03-29 00:59, exact
Europe/Berlin, 2026-03-29 02:00, 2026-03-29 01:00, 3600
Europe/Berlin, 2026-03-29 02:30, 2026-03-29 01:30, 3600
Europe/Berlin, 2026-03-29 03:00, 2026-03-29 01:00, exact
Europe/Berlin, 2026-10-25 01:59, 2026-10-24 23:59, exact
Europe/Berlin, 2026-10-25 02:30, 2026-10-25 00:30, fold
Europe/Berlin, 2026-10-25 03:00, 2026-10-25 02:00, exact
America/New_York, 2026-03-08 02:30, 2026-03-08 07:30, 3600
America/New_York, 2026-11-01 01:30, 2026-11-01 05:30, fold
Australia/Lord_Howe, 2026-10-04 02:15, 2026-10-03 15:45, 1800
Australia/Lord_Howe, 2026-04-05 01:45, 2026-04-04 14:45, fold
Pacific/Apia, 2011-12-30 12:00, 2011-12-30 22:00, 86400
Pacific/Kiritimati, 2026-01-01 00:00, 2025-12-31 10:00, exact
Etc/GMT+12, 2026-01-01 00:00, 2026-01-01 12:00, exact
Africa/Casablanca, 2026-02-15 02:30, 2026-02-15 01:30, fold
Africa/Casablanca, 2026-03-22 02:30, 2026-03-22 02:30, 3600
Asia/Kathmandu, 2026-06-01 00:00, 2026-05-31 18:15, exact
UTC, 2028-02-29 12:00, 2028-02-29 12:00, exact
";

#[test]
fn gaps_move_forward_and_folds_take_the_first() {
    let rows: Vec<&str> = MEETINGS.trim().lines().collect();
    assert_eq!(rows.len(), 18);
    for row in rows {
        let cells: Vec<&str> = row.split(", ").collect();
        let meeting = match cells[3] {
            "exact" => Meeting::Exact,
            "fold" => Meeting::Fold,
            seconds => Meeting::Gap {
                shift_seconds: seconds.parse().unwrap(),
            },
        };
        let found = zone(cells[0]).local_to_utc(local(cells[1]));
        let utc = utc(cells[2]);
        assert_eq!(found, Resolved { utc, meeting }, "{row}");
    }
}

#[test]
fn a_time_in_a_gap_reads_back_as_the_moved_time() {
    for (name, at, moved) in [
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 03:30"),
        (
            "Australia/Lord_Howe",
            "2026-10-04 02:15",
            "2026-10-04 02:45",
        ),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-31 12:00"),
        ("Asia/Beirut", "2026-03-29 00:00", "2026-03-29 01:00"),
    ] {
        let zone = zone(name);
        assert_eq!(
            zone.utc_to_local(zone.local_to_utc(local(at)).utc),
            local(moved),
            "{name}"
        );
    }
}

#[test]
fn offsets_read_as_people_write_them() {
    for (name, at, expected) in [
        ("Europe/Berlin", "2026-07-01 00:00", "CEST +02:00"),
        ("Europe/Berlin", "2026-12-01 00:00", "CET +01:00"),
        ("America/New_York", "2026-07-01 00:00", "EDT -04:00"),
        ("America/Sao_Paulo", "2026-07-01 00:00", "-03:00"),
        ("Asia/Kathmandu", "2026-07-01 00:00", "+05:45"),
        ("America/St_Johns", "2026-01-01 00:00", "NST -03:30"),
    ] {
        assert_eq!(
            zone(name).offset_at(utc(at)).to_string(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn times_beyond_the_tz_rules_are_taken_as_utc() {
    let zone = zone("Europe/Berlin");
    for at in [NaiveDateTime::MIN, NaiveDateTime::MAX] {
        assert_eq!(zone.local_to_utc(at).utc, at.and_utc());
        assert_eq!(zone.utc_to_local(at.and_utc()), at);
    }
}

#[test]
fn a_zone_serialises_as_its_name() {
    assert_eq!(
        serde_json::to_string(&zone("europe/berlin")).unwrap(),
        "\"Europe/Berlin\""
    );
}

proptest! {
    #[test]
    fn an_instant_reads_back_to_itself_or_to_the_first_of_its_fold(
        name in prop::sample::select(vec![
            "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia",
            "Pacific/Kiritimati", "Etc/GMT+12", "Africa/Casablanca", "Asia/Beirut",
        ]),
        seconds in 1_262_304_000_i64..2_208_988_800,
    ) {
        let zone = zone(name);
        let at = DateTime::from_timestamp(seconds, 0).unwrap();
        let back = zone.local_to_utc(zone.utc_to_local(at));
        match back.meeting {
            Meeting::Exact => prop_assert_eq!(back.utc, at),
            Meeting::Fold => {
                prop_assert!(back.utc <= at);
                prop_assert_eq!(zone.utc_to_local(back.utc), zone.utc_to_local(at));
            }
            Meeting::Gap { .. } => prop_assert!(false, "no instant reads as a time in a gap"),
        }
    }
}
