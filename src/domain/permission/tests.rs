#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use std::sync::Arc;

use chrono::Weekday;

use super::*;
use crate::domain::due::{Cause, UnplannedRule};
use crate::domain::policy::{ApprovalRule, RunGate};
use crate::domain::testkit::{
    at, closes, due_vm, fleet, freeze, hours, minutes, named, opens, run, saturdays, window, word,
};

/// A run of the fleet `web` that may act, in the middle of its window.
fn ready() -> (Run, Fleet) {
    let fleet = fleet("web");
    let machine = due_vm("vm1").machine();
    (run(&fleet, &[&machine]), fleet)
}

fn ask(run: &Run, fleet: &Fleet, now: DateTime<Utc>) -> Result<DateTime<Utc>, Withheld> {
    permission(run, Standing::Ready(fleet), None, now)
}

fn middle() -> DateTime<Utc> {
    opens() + hours(1)
}

fn gate() -> RunGate {
    RunGate {
        condition: "example.com/Drained".into(),
        announce_before: minutes(30),
    }
}

#[test]
fn each_reason_to_withhold_stands_by_itself() {
    type Change = fn(&mut Run, &mut Fleet);
    let rows: [(&str, Change); 16] = [
        ("", |_, _| {}),
        ("Quarantined", |run, _| {
            run.quarantined = Some("step \"Flying\"".into())
        }),
        ("FleetGone", |_, fleet| fleet.uid = "another".into()),
        ("Aborted", |run, _| run.deleted_at = Some(opens())),
        ("Aborted", |_, fleet| {
            fleet.aborts.push(word(Some("2026-07"), Some("all")))
        }),
        ("ModeForbids", |_, fleet| fleet.mode = Mode::Enrol),
        ("ModeForbids", |_, fleet| fleet.mode = Mode::Observe),
        ("Suspended", |_, fleet| fleet.suspended = true),
        ("Paused", |_, fleet| fleet.pauses.push(word(None, None))),
        ("GateClosed", |run, _| {
            Arc::make_mut(&mut run.terms).gates.push(gate())
        }),
        ("NotApproved", |_, fleet| {
            fleet.policy.approval = ApprovalRule::PerRelease
        }),
        ("WindowClosed", |run, _| {
            Arc::make_mut(&mut run.terms).window.end = middle()
        }),
        ("WindowClosed", |run, _| {
            Arc::make_mut(&mut run.terms).window.start = middle() + minutes(1)
        }),
        ("WindowClosed", |_, fleet| fleet.windows.clear()),
        ("WindowTooShort", |run, _| {
            Arc::make_mut(&mut run.terms).window.end = middle() + minutes(74)
        }),
        ("", |run, _| {
            Arc::make_mut(&mut run.terms).window.end = middle() + minutes(75)
        }),
    ];
    for (index, (expected, change)) in rows.into_iter().enumerate() {
        let (mut run, mut fleet) = ready();
        change(&mut run, &mut fleet);
        let answer = ask(&run, &fleet, middle());
        let reason = answer.as_ref().err().map_or("", Withheld::reason);
        assert_eq!(reason, expected, "row {index}: {answer:?}");
    }
    let (run, fleet) = ready();
    let halted = permission(&run, Standing::Ready(&fleet), Some("3 failed"), middle());
    assert_eq!(halted, Err(Withheld::Halted("3 failed".into())));
    let lost = permission(&run, Standing::Unresolved("no policy"), None, middle());
    assert_eq!(lost, Err(Withheld::FleetUnresolved("no policy".into())));
    assert_eq!(
        permission(&run, Standing::Gone, None, middle()),
        Err(Withheld::FleetGone)
    );
}

#[test]
fn every_reason_reads_as_a_sentence_and_has_a_name_of_its_own() {
    let all = [
        Withheld::FleetGone,
        Withheld::FleetUnresolved("no policy".into()),
        Withheld::Mode,
        Withheld::Suspended,
        Withheld::Paused("ada".into()),
        Withheld::Aborted,
        Withheld::Quarantined("step".into()),
        Withheld::Halted("3 failed".into()),
        Withheld::WindowClosed,
        Withheld::TooLate,
        Withheld::GateClosed("example.com/Drained".into()),
        Withheld::NotApproved,
    ];
    let names: std::collections::BTreeSet<&str> = all.iter().map(Withheld::reason).collect();
    assert_eq!(names.len(), all.len());
    assert!(all.iter().all(|own| own.to_string().contains(' ')));
}

#[test]
fn words_on_another_release_or_stage_withhold_nothing() {
    let rows = [
        (Some("2026-08"), None, true),
        (None, Some("canary"), true),
        (Some("ws2022-2026-07-14"), None, true),
        (Some("ws2025-2026-07-14"), Some("all"), false),
        (Some("2026-07"), None, false),
    ];
    for (release, stage, allowed) in rows {
        let (run, mut paused) = ready();
        let mut aborted = paused.clone();
        paused.pauses.push(word(release, stage));
        aborted.aborts.push(word(release, stage));
        assert_eq!(
            ask(&run, &paused, middle()).is_ok(),
            allowed,
            "{release:?} {stage:?}"
        );
        assert_eq!(
            ask(&run, &aborted, middle()).is_ok(),
            allowed,
            "{release:?} {stage:?}"
        );
    }
}

#[test]
fn an_approval_that_is_withdrawn_withholds_and_one_given_allows() {
    let (run, mut fleet) = ready();
    fleet.policy.approval = ApprovalRule::PerStage;
    fleet.approvals = vec![word(Some("2026-07"), None)];
    assert_eq!(
        ask(&run, &fleet, middle()),
        Err(Withheld::NotApproved),
        "it names no stage"
    );
    fleet.approvals = vec![word(Some("2026-07"), Some("all"))];
    assert_eq!(ask(&run, &fleet, middle()), Ok(closes()));

    let (mut unplanned, mut fleet) = ready();
    Arc::make_mut(&mut unplanned.terms).cause = Cause::Unplanned;
    fleet.policy.unplanned = UnplannedRule::Approve;
    assert_eq!(
        ask(&unplanned, &fleet, middle()),
        Err(Withheld::NotApproved)
    );
    fleet.approvals = vec![word(Some("2026-07"), None)];
    assert_eq!(ask(&unplanned, &fleet, middle()), Ok(closes()));
}

#[test]
fn a_gate_opens_when_its_condition_is_true() {
    let (mut run, fleet) = ready();
    Arc::make_mut(&mut run.terms).gates = vec![gate()];
    run.gates_open.insert("example.com/Other".into());
    assert!(ask(&run, &fleet, middle()).is_err());
    run.gates_open.insert(gate().condition);
    assert_eq!(ask(&run, &fleet, middle()), Ok(closes()));
}

#[test]
fn a_run_acts_where_its_window_and_the_fleets_meet() {
    let (run, mut fleet) = ready();
    let later = window("UTC", Weekday::Sat, "23:00", hours(2));
    fleet.windows = vec![named("later", later)];
    assert_eq!(
        ask(&run, &fleet, opens() + minutes(59)),
        Err(Withheld::WindowClosed)
    );
    assert_eq!(
        ask(&run, &fleet, opens() + minutes(60)),
        Ok(opens() + hours(3)),
        "narrowed"
    );

    fleet.windows = vec![named(
        "wide",
        window("UTC", Weekday::Sat, "20:00", hours(10)),
    )];
    assert_eq!(
        ask(&run, &fleet, opens() - minutes(1)),
        Err(Withheld::WindowClosed)
    );
    assert_eq!(ask(&run, &fleet, opens()), Ok(closes()), "never widened");
    assert_eq!(ask(&run, &fleet, closes()), Err(Withheld::WindowClosed));
}

#[test]
fn a_window_serves_the_stages_it_names() {
    let (run, mut fleet) = ready();
    fleet.windows[0].stages.insert("canary".into());
    assert_eq!(ask(&run, &fleet, middle()), Err(Withheld::WindowClosed));
    fleet.windows[0].stages.insert("all".into());
    assert_eq!(ask(&run, &fleet, middle()), Ok(closes()));
}

#[test]
fn an_exclusion_closes_the_window_or_cuts_it_at_midnight() {
    let (run, mut fleet) = ready();
    fleet.exclusions = vec![freeze("2026-07-18", "2026-07-18")];
    assert_eq!(ask(&run, &fleet, middle()), Err(Withheld::WindowClosed));
    fleet.exclusions = vec![freeze("2026-07-19", "2026-07-20")];
    let midnight = opens() + hours(2);
    assert_eq!(ask(&run, &fleet, opens() + minutes(45)), Ok(midnight));
    assert_eq!(
        ask(&run, &fleet, opens() + minutes(46)),
        Err(Withheld::TooLate)
    );
}

#[test]
fn on_the_night_of_a_clock_change_a_window_is_as_long_as_on_any_other() {
    // Europe/Berlin: 2026-03-29 loses the hour from 02:00, 2026-10-25 has it twice.
    let rows = [
        ("2026-03-28T21:00:00Z", "2026-03-29T01:00:00Z"),
        ("2026-10-24T20:00:00Z", "2026-10-25T00:00:00Z"),
    ];
    for (start, end) in rows {
        let (mut run, mut fleet) = ready();
        fleet.windows = vec![named("night", saturdays("Europe/Berlin"))];
        Arc::make_mut(&mut run.terms).window.start = at(start);
        Arc::make_mut(&mut run.terms).window.end = at(end);
        assert_eq!(ask(&run, &fleet, at(start)), Ok(at(end)), "{start}");
        let last = at(end) - minutes(75);
        assert_eq!(ask(&run, &fleet, last), Ok(at(end)), "{start}");
        assert_eq!(
            ask(&run, &fleet, last + minutes(1)),
            Err(Withheld::TooLate),
            "{start}"
        );
        let (open, _) = next_span(&fleet, "all", at(start) - hours(1)).unwrap();
        assert_eq!(
            open,
            Span {
                start: at(start),
                end: at(end)
            }
        );
    }
}

#[test]
fn the_maximum_duration_is_what_is_left_less_the_reserve_within_bounds() {
    let (run, _) = ready();
    let rows = [
        (54, None),
        (55, Some(40)),
        (56, Some(41)),
        (120, Some(105)),
        (249, Some(234)),
        (250, Some(235)),
        (251, Some(235)),
        (600, Some(235)),
        (-5, None),
    ];
    for (left, expected) in rows {
        let mut terms = Terms::clone(&run.terms);
        terms.window.end = middle() + minutes(left);
        let own = maximum_duration(&terms, middle() + hours(24), middle());
        assert_eq!(
            own,
            expected.map(minutes),
            "{left} minutes left by the run's window"
        );
        let own = maximum_duration(&run.terms, middle() + minutes(left), middle());
        let capped = expected.map(|own| own.min(165));
        assert_eq!(
            own,
            capped.map(minutes),
            "{left} minutes left by the fleet's window"
        );
    }
}

#[test]
fn the_last_start_leaves_the_estimate_and_the_reserve() {
    let rows = [
        (Action::Baseline, 60, 15, 75),
        (Action::Baseline, 5, 15, 55),
        (Action::Baseline, 120, 0, 120),
        (Action::Hotpatch, 120, 15, 55),
    ];
    for (action, baseline, reserve, before) in rows {
        let (mut run, fleet) = ready();
        Arc::make_mut(&mut run.terms).action = action;
        Arc::make_mut(&mut run.terms).estimates.baseline = minutes(baseline);
        Arc::make_mut(&mut run.terms).estimates.reserve = minutes(reserve);
        let last = closes() - minutes(before);
        assert_eq!(
            last_start(&run.terms, closes() + hours(9)),
            last,
            "{action} {baseline}"
        );
        assert_eq!(ask(&run, &fleet, last), Ok(closes()), "{action} {baseline}");
        let second = chrono::TimeDelta::seconds(1);
        assert_eq!(
            ask(&run, &fleet, last + second),
            Err(Withheld::TooLate),
            "{action}"
        );
    }
}

#[test]
fn whatever_is_allowed_has_time_for_the_shortest_duration_and_the_reserve() {
    for minute in -10..300 {
        let (run, fleet) = ready();
        let now = opens() + minutes(minute);
        if let Ok(end) = ask(&run, &fleet, now) {
            let duration = maximum_duration(&run.terms, end, now).unwrap();
            assert!(duration >= MAXIMUM_DURATION_FLOOR && duration <= MAXIMUM_DURATION_CEILING);
            assert!(now + duration + run.terms.estimates.reserve <= closes());
        }
    }
}

#[test]
fn hotpatches_at_any_time_need_no_window_and_keep_the_freeze() {
    let now = at("2026-08-12T09:00:00Z");
    let mut fleet = fleet("web");
    let (span, name) = open_span(&fleet, "all", Action::Hotpatch, now).unwrap();
    assert_eq!(
        (span, name.as_str()),
        (
            Span {
                start: now,
                end: now + hours(24)
            },
            ANY_TIME
        )
    );
    assert_eq!(open_span(&fleet, "all", Action::Baseline, now), None);

    fleet.exclusions = vec![freeze("2026-08-13", "2026-08-14")];
    let (span, _) = open_span(&fleet, "all", Action::Hotpatch, now).unwrap();
    assert_eq!(span.end, at("2026-08-13T00:00:00Z"), "until the freeze");
    assert_eq!(
        open_span(&fleet, "all", Action::Hotpatch, at("2026-08-14T23:59:00Z")),
        None
    );
    assert!(open_span(&fleet, "all", Action::Hotpatch, at("2026-08-15T00:00:00Z")).is_some());

    fleet.windows.clear();
    let frozen = open_span(&fleet, "all", Action::Hotpatch, at("2026-08-14T23:59:00Z"));
    assert_eq!(frozen, None, "a freeze needs no window to hold");

    fleet.hotpatch_when = HotpatchWhen::InWindow;
    assert_eq!(open_span(&fleet, "all", Action::Hotpatch, now), None);
}
