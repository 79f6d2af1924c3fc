#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::domain::fleet::ExcludedMachine;
use crate::domain::machine::{Edition, Incarnation, Machine, Power, Product, RebootStatus};
use crate::domain::release::Catalogue;
use crate::domain::roster::roster;
use crate::domain::run::RunEnd;
use crate::domain::snapshot::Inventory;
use crate::domain::testkit::{
    BASELINE_KB, Placed, baseline, by_id, closes, count, domain, due_vm, hours, kb, minutes, opens,
    percent, put, retry, ring, run, stage, vm, web, word,
};

/// A machine of a ring on which the baseline is due.
fn due(name: &str, of: &str) -> Machine {
    due_vm(name).tags(&[("ring", of)]).machine()
}

/// A machine of a ring that got the baseline, by record, when the window opened.
fn done(name: &str, of: &str) -> Machine {
    vm(name)
        .tags(&[("ring", of)])
        .assessed("2026-07-18T22:00:00Z")
        .installed(BASELINE_KB, "2026-07-18T22:30:00Z", RebootStatus::Completed)
        .machine()
}

/// A machine of a ring that is offered nothing, and nobody knows why.
fn bare(name: &str, of: &str) -> Machine {
    vm(name)
        .tags(&[("ring", of)])
        .assessed("2026-07-18T22:00:00Z")
        .machine()
}

fn rings() -> Fleet {
    web(|policy| {
        policy.stages = vec![
            Stage {
                soak: hours(24),
                ..ring("canary", count(1))
            },
            stage("broad", percent(20)),
        ];
    })
}

fn judged(fleet: &Fleet, domain: &Domain, now: DateTime<Utc>) -> Rollout {
    let inventory = domain.inventory.as_ref().unwrap();
    let roster = roster(
        fleet,
        inventory,
        &BTreeMap::new(),
        Catalogue::embedded(),
        now,
    );
    rollout(fleet, domain, &roster, baseline(), now)
}

/// The states of the stages, an hour after the window opened.
fn states(fleet: &Fleet, machines: &[Machine]) -> Vec<String> {
    let now = opens() + hours(1);
    let domain = domain([fleet.clone()], machines.to_vec(), now);
    states_of(fleet, &domain, now)
}

fn states_of(fleet: &Fleet, domain: &Domain, now: DateTime<Utc>) -> Vec<String> {
    let word = |state: &StageState| match state {
        StageState::Soaking { until } => format!("soaks until {}", until.format("%a %H:%M")),
        StageState::Unproven { succeeded, needed } => format!("unproven {succeeded}/{needed}"),
        StageState::Halted { failed, max } => format!("halted {failed}>{max}"),
        other => format!("{other:?}").to_lowercase(),
    };
    judged(fleet, domain, now)
        .stages
        .iter()
        .map(|own| word(&own.state))
        .collect()
}

/// A domain in which a run tried these machines, and each ended as told.
fn tried(fleet: &Fleet, ends: &[(Machine, Step, Option<StepReason>)]) -> Domain {
    let machines: Vec<&Machine> = ends.iter().map(|(machine, ..)| machine).collect();
    let mut own = run(fleet, &machines);
    for (machine, step, reason) in ends {
        put(&mut own, machine, step.clone(), opens() + minutes(40));
        own.progress.get_mut(&machine.id).unwrap().reason = reason.clone();
    }
    own.end = Some(RunEnd::Failed);
    let machines = ends.iter().map(|(machine, ..)| machine.clone());
    let mut domain = domain([fleet.clone()], machines, opens() + hours(1));
    domain.runs.insert(own.name.clone(), own);
    domain
}

fn failed(machine: Machine) -> (Machine, Step, Option<StepReason>) {
    (machine, Step::Failed, Some(StepReason::InstallFailed))
}

#[test]
fn a_stage_waits_opens_soaks_and_is_done() {
    let rows: [(&[&str], Vec<Machine>); 7] = [
        (
            &["open", "waiting"],
            vec![due("c1", "canary"), due("b1", "")],
        ),
        (
            &["soaks until Sun 22:30", "waiting"],
            vec![done("c1", "canary"), due("b1", "")],
        ),
        (
            &["open", "waiting"],
            vec![done("c1", "canary"), due("c2", "canary"), due("b1", "")],
        ),
        (&["unproven 0/1", "waiting"], vec![due("b1", "")]),
        (
            &["unproven 0/1", "waiting"],
            vec![bare("c1", "canary"), due("b1", "")],
        ),
        (
            &["unproven 0/1", "waiting"],
            vec![
                due_vm("c1").tags(&[("ring", "canary")]).sick().machine(),
                due("b1", ""),
            ],
        ),
        (
            &["soaks until Sun 22:30", "waiting"],
            vec![done("c1", "canary"), bare("c2", "canary")],
        ),
    ];
    for (expected, machines) in rows {
        assert_eq!(states(&rings(), &machines), expected);
    }
    let domain = domain([rings()], [done("c1", "canary"), due("b1", "")], opens());
    let later = opens() + hours(24);
    assert_eq!(
        states_of(&rings(), &domain, later + minutes(29)),
        ["soaks until Sun 22:30", "waiting"]
    );
    assert_eq!(
        states_of(&rings(), &domain, later + minutes(30)),
        ["done", "open"]
    );
}

#[test]
fn an_empty_or_unproven_stage_is_passed_only_if_it_is_optional() {
    let mut fleet = rings();
    fleet.policy.stages[0].optional = true;
    assert_eq!(states(&fleet, &[due("b1", "")]), ["done", "open"]);
    assert_eq!(
        states(&fleet, &[due("c1", "canary"), due("b1", "")]),
        ["open", "waiting"]
    );
    let mut proven = rings();
    proven.policy.stages[0].min_succeeded = 2;
    let machines = [done("c1", "canary"), bare("c2", "canary"), due("b1", "")];
    assert_eq!(states(&proven, &machines), ["unproven 1/2", "waiting"]);
}

#[test]
fn an_assessment_never_prolongs_a_soak() {
    let mut again = bare("c2", "canary");
    let soak = |machines: &[Machine], now| {
        states_of(&rings(), &domain([rings()], machines.to_vec(), now), now)[0].clone()
    };
    for hour in [1, 12, 24] {
        let now = opens() + hours(hour);
        again.assessment.as_mut().unwrap().at = now;
        assert_eq!(
            soak(&[done("c1", "canary"), again.clone()], now),
            "soaks until Sun 22:30"
        );
    }
}

#[test]
fn a_success_soaks_whatever_became_of_its_machine_since() {
    let mut fleet = rings();
    fleet.policy.stages[0].optional = true;
    fleet.policy.stages[0].soak = hours(24);
    let canary = done("c1", "canary");
    let mut ran = run(&fleet, &[&canary]);
    Arc::make_mut(&mut ran.terms).stage = "canary".to_owned();
    put(&mut ran, &canary, Step::Succeeded, opens() + minutes(40));
    ran.end = Some(RunEnd::Complete);
    let state = |fleet: &Fleet, machine: Option<Machine>, now| {
        let machines = machine.into_iter().chain([due("b1", "")]);
        let mut domain = domain([fleet.clone()], machines, now);
        domain.runs.insert(ran.name.clone(), ran.clone());
        states_of(fleet, &domain, now)
    };
    let mut left_out = fleet.clone();
    left_out.selector.exclude.push(ExcludedMachine {
        id: canary.id.clone(),
        reason: "it is looked at".to_owned(),
        through: None,
    });
    let mut off = canary.clone();
    off.power = Power::Off;
    let cases = [
        ("there", &fleet, Some(canary.clone())),
        ("left out", &left_out, Some(canary)),
        ("switched off", &fleet, Some(off)),
        ("deleted", &fleet, None),
    ];
    for (what, fleet, machine) in cases {
        let now = opens() + hours(24);
        let soaks = ["soaks until Sun 22:40", "waiting"];
        assert_eq!(state(fleet, machine.clone(), now), soaks, "{what}");
        let now = opens() + hours(24) + minutes(40);
        assert_eq!(state(fleet, machine, now), ["done", "open"], "{what}");
    }
}

#[test]
fn more_failures_than_are_borne_halt_the_stage_and_a_request_lifts_it() {
    let fleet = web(|policy| policy.failures.max = count(1));
    let one = tried(&fleet, &[failed(due("m1", "")), failed_not(due("m2", ""))]);
    let now = closes();
    assert_eq!(states_of(&fleet, &one, now), ["open"]);
    let machines = [due("m1", ""), due("m2", "")];
    let two = tried(&fleet, &machines.clone().map(failed));
    assert_eq!(states_of(&fleet, &two, now), ["halted 2>1"]);
    let halt = judged(&fleet, &two, now).halt("all").unwrap();
    assert!(
        halt.contains("2 machines failed in stage all, 1 are allowed"),
        "{halt}"
    );

    let mut lifted = fleet.clone();
    lifted.retries = vec![retry(&machines[0], opens() + minutes(39))];
    assert_eq!(
        states_of(&lifted, &two, now),
        ["halted 2>1"],
        "it came before the failure"
    );
    lifted.retries = vec![retry(&machines[0], opens() + minutes(40))];
    assert_eq!(states_of(&lifted, &two, now), ["open"]);
    lifted.retries.clear();
    lifted.stage_retries = vec![(word(Some("2026-07"), Some("all")), opens() + hours(1))];
    assert_eq!(states_of(&lifted, &two, now), ["open"]);
}

fn failed_not(machine: Machine) -> (Machine, Step, Option<StepReason>) {
    (machine, Step::Skipped, Some(StepReason::WindowClosed))
}

#[test]
fn only_failures_of_this_life_count_until_the_machine_has_the_release() {
    let fleet = web(|policy| policy.failures.max = count(0));
    let now = closes();
    let count_of = |machine: Machine, step: Step, reason: Option<StepReason>| {
        let domain = tried(&fleet, &[(machine, step, reason)]);
        judged(&fleet, &domain, now).stages[0].failed
    };
    assert_eq!(count_of(due("m1", ""), Step::Failed, None), 1);
    assert_eq!(
        count_of(done("m1", ""), Step::Failed, None),
        0,
        "cured since"
    );
    assert_eq!(
        count_of(due("m1", ""), Step::Skipped, Some(StepReason::LetGo)),
        0
    );
    let mut asleep = due("m1", "");
    asleep.power = Power::Off;
    assert_eq!(
        count_of(asleep, Step::Failed, None),
        1,
        "switched off, perhaps to be looked at"
    );
    let mut unread = due("m1", "");
    (unread.product, unread.edition) = (Product::Unknown, Edition::Unknown);
    assert_eq!(
        count_of(unread, Step::Failed, None),
        1,
        "what cannot be read undoes nothing"
    );
    let mut refused = tried(&fleet, &[failed(due("m1", ""))]);
    let mut later = run(&fleet, &[&due("m1", "")]);
    later.name = "later".to_owned();
    Arc::make_mut(&mut later.terms).ordinal = 2;
    let id = due("m1", "").id;
    let word = later.progress.get_mut(&id).unwrap();
    (word.step, word.reason) = (Step::Skipped, Some(StepReason::Refused));
    word.since = opens() + minutes(50);
    refused.runs.insert(later.name.clone(), later);
    assert_eq!(
        judged(&fleet, &refused, now).stages[0].failed,
        1,
        "a refusal cures nothing"
    );
    let mut reborn = tried(&fleet, &[failed(due("m1", ""))]);
    let mut another = due("m1", "");
    another.incarnation = Incarnation {
        vm_id: "vm-another".into(),
        body: None,
    };
    reborn.inventory = Ok(Inventory::of(now, by_id([another])));
    assert_eq!(
        judged(&fleet, &reborn, now).stages[0].failed,
        0,
        "another life"
    );
    assert_eq!(states_of(&fleet, &reborn, now), ["open"]);
}

#[test]
fn a_machine_held_sick_counts_as_failed_and_one_of_unknown_outcome_does_not() {
    let fleet = web(|policy| policy.failures.max = count(0));
    let state = |reason| {
        let mut domain = tried(&fleet, &[(due("m1", ""), Step::Unknown, Some(reason))]);
        domain.runs.values_mut().next().unwrap().end = None;
        states_of(&fleet, &domain, opens() + hours(1))
    };
    assert_eq!(state(StepReason::NotHealthy), ["halted 1>0"]);
    assert_eq!(state(StepReason::NoEnd), ["halted 1>0"]);
    assert_eq!(
        state(StepReason::OutcomeUnknown),
        ["open"],
        "engaged, nothing is known"
    );
}

#[test]
fn something_else_installed_halts_whatever_the_policy_bears() {
    let fleet = web(|policy| policy.failures.max = count(9));
    let foreign = (
        due("m1", ""),
        Step::Failed,
        Some(StepReason::ForeignContent),
    );
    let domain = tried(&fleet, &[foreign]);
    assert_eq!(states_of(&fleet, &domain, closes()), ["halted 1>0"]);
    let mut lifted = fleet;
    lifted.retries = vec![retry(&due("m1", ""), opens() + hours(1))];
    assert_eq!(states_of(&lifted, &domain, closes()), ["open"]);
}

#[test]
fn failures_per_release_count_and_are_measured_over_all_stages() {
    let fleet = |per_release| {
        let mut own = rings();
        own.policy.failures.max = percent(34);
        own.policy.failures.per_release = per_release;
        own.policy.stages[0].soak = minutes(0);
        own
    };
    let machines: Vec<_> = [
        ("c1", "canary"),
        ("c2", "canary"),
        ("b1", ""),
        ("b2", ""),
        ("b3", ""),
    ]
    .into_iter()
    .map(|(name, ring)| match name {
        "c2" => (done(name, ring), Step::Succeeded, None),
        "b3" => failed_not(due(name, ring)),
        _ => failed(due(name, ring)),
    })
    .collect();
    let of_stage = tried(&fleet(false), &machines);
    assert_eq!(
        states_of(&fleet(false), &of_stage, closes()),
        ["open", "halted 2>1"]
    );
    let of_release = tried(&fleet(true), &machines);
    assert_eq!(
        states_of(&fleet(true), &of_release, closes()),
        ["halted 3>1", "halted 3>1"]
    );
}

#[test]
fn a_failed_machine_is_tried_again_in_a_later_window_as_often_as_allowed() {
    let fleet = web(|policy| policy.failures.retries = 1);
    let machine = due("m1", "");
    let may = |attempts: u32, reason: StepReason, now: DateTime<Utc>| {
        let mut domain = tried(&fleet, &[(machine.clone(), Step::Failed, Some(reason))]);
        let run = domain.runs.values_mut().next().unwrap();
        run.progress.get_mut(&machine.id).unwrap().attempts = attempts;
        let inventory = domain.inventory.as_ref().unwrap();
        let roster = roster(
            &fleet,
            inventory,
            &BTreeMap::new(),
            Catalogue::embedded(),
            now,
        );
        may_try(&fleet, &domain, &roster[&machine.id], now)
    };
    assert!(
        !may(1, StepReason::InstallFailed, closes() - minutes(1)),
        "not in this window"
    );
    assert!(may(1, StepReason::InstallFailed, closes()));
    assert!(
        !may(2, StepReason::InstallFailed, closes()),
        "tries are used up"
    );
    assert!(!may(1, StepReason::ForeignContent, closes()));
}

#[test]
fn a_machine_that_azure_refused_waits_for_a_later_window_too() {
    let fleet = web(|_| {});
    let machine = due("m1", "");
    let mut domain = tried(
        &fleet,
        &[(machine.clone(), Step::Skipped, Some(StepReason::Refused))],
    );
    let own = domain
        .runs
        .values_mut()
        .next()
        .unwrap()
        .progress
        .get_mut(&machine.id)
        .unwrap();
    (own.attempts, own.refusals) = (0, 3);
    let may = |now| {
        let inventory = domain.inventory.as_ref().unwrap();
        let roster = roster(
            &fleet,
            inventory,
            &BTreeMap::new(),
            Catalogue::embedded(),
            now,
        );
        may_try(&fleet, &domain, &roster[&machine.id], now)
    };
    assert!(!may(closes() - minutes(1)));
    assert!(may(closes()));
}

#[test]
fn a_machine_that_waits_for_its_retry_keeps_its_stage_open() {
    let fleet = rings();
    let domain = tried(
        &fleet,
        &[
            failed(due("c1", "canary")),
            (done("c2", "canary"), Step::Succeeded, None),
            failed_not(due("b1", "")),
        ],
    );
    assert_eq!(
        states_of(&fleet, &domain, opens() + hours(1)),
        ["open", "waiting"]
    );
}

#[test]
fn a_late_baseline_is_proven_by_our_run_though_the_machine_is_judged_by_the_next_release() {
    use crate::domain::machine::RebootBehavior;
    use crate::domain::testkit::HOTPATCH_KB;
    let now = "2026-08-16T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let fleet = rings();
    let got_it = vm("c1")
        .tags(&[("ring", "canary")])
        .installed(BASELINE_KB, "2026-08-15T22:30:00Z", RebootStatus::Completed)
        .assessed("2026-08-16T10:00:00Z")
        .offered(HOTPATCH_KB, RebootBehavior::Never)
        .machine();
    let late = vm("b1")
        .assessed("2026-08-16T10:00:00Z")
        .offered(BASELINE_KB, RebootBehavior::Always)
        .machine();
    let mut domain = tried(&fleet, &[(got_it.clone(), Step::Succeeded, None)]);
    for run in domain.runs.values_mut() {
        let since = "2026-08-15T23:00:00Z".parse().unwrap();
        run.progress.get_mut(&got_it.id).unwrap().since = since;
    }
    domain.inventory = Ok(Inventory::of(now, by_id([got_it, late])));
    assert_eq!(kb(BASELINE_KB).to_string(), BASELINE_KB);
    assert_eq!(
        states_of(&fleet, &domain, now),
        ["soaks until Sun 23:00", "waiting"]
    );
    assert_eq!(
        states_of(&fleet, &domain, now + hours(11)),
        ["done", "open"]
    );
}

#[test]
fn approvals_are_asked_for_as_the_policy_says() {
    use ApprovalRule::{Never, PerRelease, PerStage};
    let both = (Some("2026-07"), Some("broad"));
    type Given = Option<(Option<&'static str>, Option<&'static str>)>;
    let rows: [(ApprovalRule, UnplannedRule, Cause, Given, bool); 11] = [
        (Never, UnplannedRule::NextWindow, Cause::Planned, None, true),
        (Never, UnplannedRule::Approve, Cause::Planned, None, true),
        (Never, UnplannedRule::Approve, Cause::Unplanned, None, false),
        (
            Never,
            UnplannedRule::Approve,
            Cause::Unplanned,
            Some((Some("2026-07"), None)),
            true,
        ),
        (
            PerRelease,
            UnplannedRule::NextWindow,
            Cause::Planned,
            None,
            false,
        ),
        (
            PerRelease,
            UnplannedRule::NextWindow,
            Cause::Planned,
            Some((Some("2026-08"), None)),
            false,
        ),
        (
            PerRelease,
            UnplannedRule::NextWindow,
            Cause::Planned,
            Some((Some("2026-07"), None)),
            true,
        ),
        (
            PerRelease,
            UnplannedRule::NextWindow,
            Cause::Planned,
            Some((Some("2026-07"), Some("canary"))),
            false,
        ),
        (
            PerRelease,
            UnplannedRule::NextWindow,
            Cause::Planned,
            Some(both),
            true,
        ),
        (
            PerStage,
            UnplannedRule::NextWindow,
            Cause::Planned,
            Some((Some("2026-07"), None)),
            false,
        ),
        (
            PerStage,
            UnplannedRule::NextWindow,
            Cause::Planned,
            Some(both),
            true,
        ),
    ];
    for (index, (approval, unplanned, cause, given, expected)) in rows.into_iter().enumerate() {
        let mut fleet = rings();
        fleet.policy.approval = approval;
        fleet.policy.unplanned = unplanned;
        fleet.approvals = given
            .map(|(release, stage)| word(release, stage))
            .into_iter()
            .collect();
        assert_eq!(
            is_approved(&fleet, baseline(), "broad", cause),
            expected,
            "row {index}"
        );
    }
}

#[test]
fn a_stage_is_not_done_while_a_machine_that_it_commands_is_out_of_sight() {
    let mut fleet = rings();
    fleet.policy.stages[0].optional = true;
    let under_command = |machine: Machine| {
        let mut domain = tried(&fleet, &[(machine, Step::Unknown, None)]);
        let run = domain.runs.values_mut().next().unwrap();
        run.end = None;
        Arc::make_mut(&mut run.terms).stage = "canary".to_owned();
        domain
    };
    let states_with = |seen: Vec<Machine>, step: Step| {
        let mut domain = under_command(due("c1", "canary"));
        let run = domain.runs.values_mut().next().unwrap();
        run.progress
            .values_mut()
            .for_each(|own| own.step = step.clone());
        domain.inventory = Ok(Inventory::of(opens(), by_id(seen)));
        states_of(&fleet, &domain, opens() + hours(1))
    };
    let gone = || vec![due("b1", "")];
    assert_eq!(states_with(gone(), Step::Unknown), ["open", "waiting"]);
    assert_eq!(states_with(gone(), Step::Running), ["open", "waiting"]);
    assert_eq!(states_with(gone(), Step::Skipped), ["done", "open"]);
    let mut unread = due("c1", "canary");
    unread.product = Product::Unknown;
    let unread = || vec![unread.clone(), due("b1", "")];
    assert_eq!(states_with(unread(), Step::Unknown), ["open", "waiting"]);
    assert_eq!(states_with(unread(), Step::Skipped), ["done", "open"]);
}
