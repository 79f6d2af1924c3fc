#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use std::sync::Arc;

use super::*;
use crate::domain::fleet::ExcludedMachine;
use crate::domain::machine::{Power, RebootBehavior, RebootStatus};
use crate::domain::run::Step;
use crate::domain::testkit::{
    Placed, at, baseline, count, domain, due_vm, fleet, kb, minutes, opens, put, ring, run,
    snapshot, stage, vm, web, word,
};

fn member(fleet: &Fleet, machine: Machine, now: DateTime<Utc>) -> Member {
    let id = machine.id.clone();
    let domain = domain([fleet.clone()], [machine], now);
    let inventory = domain.inventory.as_ref().unwrap();
    let mut roster = roster(
        fleet,
        inventory,
        &BTreeMap::new(),
        Catalogue::embedded(),
        now,
    );
    roster.remove(&id).unwrap()
}

#[test]
fn a_member_is_acted_on_only_where_nothing_stands_against_it() {
    type Change = fn(&mut Fleet, &mut Machine);
    let rows: [(&str, bool, Change); 6] = [
        ("plain", true, |_, _| {}),
        ("sick, which is asked apart", true, |_, own| {
            own.health = Health::Unhealthy("agent".into());
        }),
        ("dormant", false, |_, own| own.power = Power::Off),
        ("blocked", false, |_, own| {
            own.edition = crate::domain::machine::Edition::Standard
        }),
        ("in no stage", false, |fleet, _| {
            fleet.policy.stages = vec![ring("canary", count(1))]
        }),
        ("excluded", false, |fleet, own| {
            let through = Some("2026-07-18".parse().unwrap());
            let id = own.id.clone();
            fleet.selector.exclude.push(ExcludedMachine {
                id,
                reason: "vendor".into(),
                through,
            });
        }),
    ];
    for (what, expected, change) in rows {
        let (mut fleet, mut machine) = (fleet("web"), due_vm("vm1").machine());
        change(&mut fleet, &mut machine);
        assert_eq!(
            member(&fleet, machine, opens()).is_actionable(),
            expected,
            "{what}"
        );
    }
}

#[test]
fn the_first_stage_that_matches_takes_a_machine() {
    let fleet = web(|policy| {
        policy.stages = vec![
            ring("canary", count(1)),
            stage("broad", count(1)),
            ring("late", count(1)),
        ];
    });
    let rows = [("canary", 0), ("late", 1), ("", 1)];
    for (of, place) in rows {
        let machine = due_vm("vm1").tags(&[("RING", of)]).machine();
        assert_eq!(member(&fleet, machine, opens()).stage, Some(place), "{of}");
    }
}

#[test]
fn an_unplanned_reboot_that_was_only_concluded_waits_for_its_approval() {
    // A standard update of the day of the hotpatch of August 2026 that stands in no list.
    let now = at("2026-08-15T22:00:00Z");
    let concluded = vm("vm1")
        .assessed("2026-08-15T20:00:00Z")
        .offered("KB5999999", RebootBehavior::Always)
        .published("2026-08-11")
        .machine();
    let mut fleet = web(|policy| policy.unplanned = UnplannedRule::Approve);
    assert!(member(&fleet, concluded.clone(), now).due().is_none());
    fleet.approvals = vec![word(Some("2026-08"), None)];
    let due = member(&fleet, concluded.clone(), now)
        .due()
        .cloned()
        .unwrap();
    assert!(due.kbs.contains(&kb("KB5999999")));
    fleet.approvals.clear();
    fleet.policy.unplanned = UnplannedRule::NextWindow;
    assert!(member(&fleet, concluded, now).due().is_some());
}

#[test]
fn only_a_record_tells_since_when_a_machine_has_a_release() {
    let fleet = fleet("web");
    let now = opens();
    let by_record = vm("vm1")
        .installed(
            crate::domain::testkit::BASELINE_KB,
            "2026-07-16",
            RebootStatus::Completed,
        )
        .assessed("2026-07-18T20:00:00Z");
    let since = member(&fleet, by_record.machine(), now).has_release_since(baseline());
    assert_eq!(since, Some(at("2026-07-16")));
    let by_assessment = member(
        &fleet,
        vm("vm1").assessed("2026-07-18T20:00:00Z").machine(),
        now,
    );
    assert!(matches!(by_assessment.verdict, Verdict::Current { .. }));
    assert_eq!(by_assessment.has_release_since(baseline()), None);
}

#[test]
fn attempts_count_over_all_runs_of_this_life_and_release() {
    let fleet = fleet("web");
    let machine = due_vm("vm1").machine();
    let mut domain = domain([fleet.clone()], [machine.clone()], opens());
    for ordinal in 1..=3 {
        let mut own = run(&fleet, &[&machine]);
        Arc::make_mut(&mut own.terms).ordinal = ordinal;
        own.name = format!("run-{ordinal}");
        put(
            &mut own,
            &machine,
            Step::Failed,
            opens() + minutes(i64::from(ordinal)),
        );
        if ordinal == 3 {
            let named = Arc::make_mut(&mut own.terms)
                .machines
                .get_mut(&machine.id)
                .unwrap();
            named.incarnation.vm_id = "vm-another".into();
        }
        domain.runs.insert(own.name.clone(), own);
    }
    assert_eq!(attempts(&domain, &machine, baseline()), 2);
    assert_eq!(
        attempts(&domain, &machine, crate::domain::testkit::hotpatch()),
        0
    );
}

#[test]
fn the_oldest_fleet_in_enforce_owns_a_machine_then_the_first_by_name() {
    let machine = due_vm("vm1").machine();
    let owner = |fleets: Vec<Fleet>| {
        let snapshot = snapshot(domain(fleets, [machine.clone()], opens()));
        owners(&snapshot, opens())
            .get(&machine.id)
            .map(|own| own.name.clone())
    };
    let older = |name: &str, year: &str| {
        let mut own = fleet(name);
        own.created_at = at(&format!("{year}-01-01"));
        own
    };
    assert_eq!(
        owner(vec![older("b", "2026"), older("a", "2026")]).as_deref(),
        Some("a")
    );
    assert_eq!(
        owner(vec![older("b", "2025"), older("a", "2026")]).as_deref(),
        Some("b")
    );
    let mut enrolling = older("c", "2020");
    enrolling.mode = Mode::Enrol;
    assert_eq!(
        owner(vec![enrolling, older("a", "2026")]).as_deref(),
        Some("a")
    );
    let mut elsewhere = older("c", "2020");
    elsewhere.selector.locations.insert("uksouth".into());
    assert_eq!(owner(vec![elsewhere]), None);
}
