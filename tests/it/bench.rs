//! `make bench`, in short, so that it goes on working.

// tests may unwrap
#![allow(clippy::unwrap_used)]

#[path = "../../benches/azure/suite/mod.rs"]
mod suite;

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use suite::log::{Asked, Asks};
use suite::table::{self, Better, Goal, Row, Verdict};
use suite::{Order, measure, waves};

#[tokio::test]
async fn a_short_bench_measures_a_wave_and_a_job_that_is_killed_halfway() {
    let order = Order {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_hotpatch-operator")),
        sizes: vec![4],
        months: false,
        job: 4,
        python: None,
    };
    let figures = measure(&order, &|_| ()).await.unwrap();
    let [measured] = figures.measured.as_slice() else {
        panic!("{figures:?}");
    };
    assert!(measured.by_platform.is_none() && measured.by_operator.is_none());
    for (wave, foreign) in [(&measured.wave, 0), (&measured.foreign, 30)] {
        assert_eq!(wave.foreign_percent, foreign);
        assert_eq!((wave.installs, wave.current), (4, 4), "{wave:?}");
        assert!(
            wave.used_percent > 0.0 && wave.used_percent <= 100.0,
            "{wave:?}"
        );
        assert!(wave.calls >= 4 && wave.throttled == 0, "{wave:?}");
    }
    let [doer] = figures.killed.as_slice() else {
        panic!("{figures:?}");
    };
    let job = &doer.job;
    assert_eq!((job.installed_at_death, job.current), (2, 4), "{job:?}");
    assert_eq!((job.repeated, job.reboots_repeated), (0, 0), "{job:?}");
    assert!(
        job.cpu_seconds > 0.0 && job.peak_bytes > 1_000_000,
        "{job:?}"
    );
    let text = table::figures(&figures.machines, &figures.rows);
    assert!(text.contains("not measured"), "{text}");
    assert!(table::doers(&figures.killed).contains("the operator"));
}

#[test]
fn the_tightest_bucket_is_the_one_that_is_used_most() {
    let from: DateTime<Utc> = "2025-06-13T18:00:00Z".parse().unwrap();
    let wave = |installs: i64, seconds: i64, refused: i64, foreign_percent: u8| {
        let at = |number: i64, of: i64| from + TimeDelta::seconds(seconds * number / of.max(1));
        let call = |at, status| Asked {
            at,
            asks: Asks::Install,
            status,
        };
        let taken = (0..installs).map(|own| call(at(own, installs - 1), 202));
        let calls = taken.chain((0..refused).map(|own| call(at(own, refused), 429)));
        waves::measure(&calls.collect::<Vec<_>>(), 1, foreign_percent)
    };
    let cases = [
        // What may be written at once.
        ((200, 0, 0, 0), 100.0),
        // In a minute 800 may be written, and 800 be installed.
        ((400, 60, 0, 0), 50.0),
        // In an hour 12,600 may be installed, and 8,820 where a share is taken.
        ((12_600, 3_600, 0, 0), 100.0),
        ((8_820, 3_600, 0, 30), 100.0),
        // What is refused takes nothing.
        ((6_300, 3_600, 6_300, 0), 50.0),
    ];
    for ((installs, seconds, refused, foreign), want) in cases {
        let own = wave(installs, seconds, refused, foreign);
        assert!((own.used_percent - want).abs() < 0.01, "{own:?} {want}");
        assert_eq!(own.throttled, refused.unsigned_abs());
    }
}

#[test]
fn a_figure_meets_its_aim_or_its_floor_or_misses_both() {
    let cases = [
        (Better::Less, 3.5, 3.1, 3.1, Verdict::AimMet),
        (Better::Less, 3.5, 3.1, 3.2, Verdict::FloorMet),
        (Better::Less, 3.5, 3.1, 3.6, Verdict::Missed),
        (Better::More, 90.0, 98.0, 98.5, Verdict::AimMet),
        (Better::More, 90.0, 98.0, 97.9, Verdict::FloorMet),
        (Better::More, 90.0, 98.0, 89.0, Verdict::Missed),
    ];
    for (better, floor, aim, figure, want) in cases {
        let goal = Goal { floor, aim, better };
        assert_eq!(goal.judge(figure), want, "{figure} of {floor} and {aim}");
    }
}

#[test]
fn the_largest_number_of_machines_is_judged_and_what_was_not_measured_says_so() {
    let rows = [
        Row::new("calls", 1, vec![Some(9.0), Some(1.0)]).goal(Better::Less, 3.5, 3.1),
        Row::new("writes", 1, vec![Some(1.0), None]).goal(Better::Less, 0.2, 0.08),
    ];
    let want = "\
the operator, its own process  10 machines  100 machines  floor   aim   at 100
calls                                  9.0           1.0    3.5   3.1  aim met
writes                                 1.0  not measured    0.2  0.08
";
    assert_eq!(table::figures(&[10, 100], &rows), want);
}
