#![allow(clippy::unwrap_used)] // tests may unwrap

use proptest::prelude::*;

use super::*;

#[test]
fn durations_read_and_print() {
    for (text, nanoseconds, printed) in [
        ("0", 0, "0s"),
        ("0s", 0, "0s"),
        ("90s", 90_000_000_000, "1m30s"),
        ("1h30m", 5_400_000_000_000, "1h30m"),
        ("24h", 86_400_000_000_000, "24h"),
        ("7d", 604_800_000_000_000, "168h"),
        ("1d12h", 129_600_000_000_000, "36h"),
        ("1.5h", 5_400_000_000_000, "1h30m"),
        (".5s", 500_000_000, "0.5s"),
        ("1.s", 1_000_000_000, "1s"),
        ("250ms", 250_000_000, "0.25s"),
        ("1m1ms", 60_001_000_000, "1m0.001s"),
        ("3us", 3_000, "0.000003s"),
        ("3µs", 3_000, "0.000003s"),
        ("1ns", 1, "0.000000001s"),
        ("1h1h", 7_200_000_000_000, "2h"),
        ("3660d", 316_224_000_000_000_000, "87840h"),
    ] {
        let parsed = parse(text).unwrap();
        assert_eq!(parsed, TimeDelta::nanoseconds(nanoseconds), "{text}");
        assert_eq!(format(parsed), printed, "{text}");
    }
}

#[test]
fn what_is_no_duration_says_why() {
    for (text, message) in [
        ("", "the duration is empty; write it like 1h30m"),
        (
            "-1h",
            "duration \"-1h\" has a sign; durations here are never negative",
        ),
        (
            "+1h",
            "duration \"+1h\" has a sign; durations here are never negative",
        ),
        (
            "h",
            "duration \"h\" lacks a number at \"h\"; write it like 1h30m",
        ),
        (
            ".h",
            "duration \".h\" lacks a number at \".h\"; write it like 1h30m",
        ),
        (
            "1h-1m",
            "duration \"1h-1m\" lacks a unit at \"h-1m\"; units are d, h, m, s, ms, us, ns",
        ),
        (
            "90",
            "duration \"90\" lacks a unit at \"\"; units are d, h, m, s, ms, us, ns",
        ),
        (
            "1h30",
            "duration \"1h30\" lacks a unit at \"\"; units are d, h, m, s, ms, us, ns",
        ),
        (
            "1 h",
            "duration \"1 h\" lacks a unit at \" h\"; units are d, h, m, s, ms, us, ns",
        ),
        (
            "1H",
            "duration \"1H\" lacks a unit at \"H\"; units are d, h, m, s, ms, us, ns",
        ),
        (
            "1w",
            "duration \"1w\" lacks a unit at \"w\"; units are d, h, m, s, ms, us, ns",
        ),
        ("0.1ns", "duration \"0.1ns\" is finer than a nanosecond"),
        ("3661d", "duration \"3661d\" is longer than 3660 days"),
        (
            "9999999999999999999999999999h",
            "duration \"9999999999999999999999999999h\" is longer",
        ),
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.starts_with(message), "{text}: {error}");
    }
    assert_eq!(parse(&"1".repeat(33)), Err(Error::TooLong { bytes: 33 }));
}

#[test]
fn a_negative_duration_prints_its_sign() {
    assert_eq!(format(TimeDelta::seconds(-90)), "-1m30s");
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(nanoseconds in 0_i64..316_224_000_000_000_000) {
        let duration = TimeDelta::nanoseconds(nanoseconds);
        prop_assert_eq!(parse(&format(duration)), Ok(duration));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[0-9.dhmsnuµ+ -]{0,40}") {
        let _ = parse(&text);
    }
}
