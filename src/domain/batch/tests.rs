#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use super::*;
use crate::domain::machine::Machine;
use crate::domain::release::Catalogue;
use crate::domain::roster::roster;
use crate::domain::testkit::{
    Builder, Placed, arc, at, count, domain, due_vm, fleet, group, local, opens, ring, stage, web,
};

/// The names of a fleet's candidates in turn, and those of its next batch.
fn next(fleet: &Fleet, machines: Vec<Machine>, size: usize) -> (Vec<String>, Vec<String>) {
    at_time(fleet, machines, size, opens(), |_| {})
}

fn at_time(
    fleet: &Fleet,
    machines: Vec<Machine>,
    size: usize,
    now: DateTime<Utc>,
    change: impl Fn(&mut Due),
) -> (Vec<String>, Vec<String>) {
    let domain = domain([fleet.clone()], machines, now);
    let inventory = domain.inventory.as_ref().unwrap();
    let roster = roster(
        fleet,
        inventory,
        &BTreeMap::new(),
        Catalogue::embedded(),
        now,
    );
    let dues: BTreeMap<&MachineId, Due> = roster
        .iter()
        .map(|(id, member)| {
            let mut due = member.due().unwrap().clone();
            if member.machine.tags.get("late").is_some() {
                change(&mut due);
            }
            (id, due)
        })
        .collect();
    let mut candidates: Vec<Candidate<'_>> = roster
        .iter()
        .map(|(id, member)| Candidate {
            member,
            due: &dues[id],
            stage: member.stage.unwrap(),
        })
        .collect();
    in_turn(fleet, &mut candidates, now);
    let turn = candidates
        .iter()
        .map(|own| own.member.machine.name.clone())
        .collect();
    let batch = batch(&candidates, fleet.policy.spread, size, Regions::embedded()).unwrap();
    (
        turn,
        batch
            .members
            .iter()
            .map(|own| own.machine.name.clone())
            .collect(),
    )
}

fn machines(builders: impl IntoIterator<Item = Builder>) -> Vec<Machine> {
    builders.into_iter().map(Builder::machine).collect()
}

#[test]
fn a_batch_holds_machines_of_one_failure_domain_only() {
    let rows: [(&str, Vec<Builder>, &[&str]); 10] = [
        (
            "one zone",
            vec![
                due_vm("a").zone("z1"),
                due_vm("b").zone("z2"),
                due_vm("c").zone("z1"),
            ],
            &["a", "c"],
        ),
        (
            "one region",
            vec![
                due_vm("a").region("uksouth"),
                due_vm("b").region("westeurope"),
            ],
            &["a"],
        ),
        (
            "not half a pair",
            vec![due_vm("a").region("westus"), due_vm("b").region("westus3")],
            &["a"],
        ),
        (
            "one unknown zone at a time",
            vec![due_vm("a").zone("?"), due_vm("b").zone("?")],
            &["a"],
        ),
        (
            "no zone goes with any",
            vec![due_vm("a").zone("z1"), due_vm("b"), due_vm("c").zone("z2")],
            &["b", "a"],
        ),
        (
            "one update domain",
            vec![
                due_vm("a").set("s", Some(0)),
                due_vm("b").set("s", Some(1)),
                due_vm("c").set("s", Some(0)),
            ],
            &["a", "c"],
        ),
        (
            "one unknown update domain",
            vec![due_vm("a").set("s", None), due_vm("b").set("s", None)],
            &["a"],
        ),
        (
            "one fault domain of a set",
            vec![
                due_vm("a").flex("f", Some(0)),
                due_vm("b").flex("f", Some(1)),
                due_vm("c").flex("f", Some(0)),
                due_vm("d").flex("g", Some(1)),
            ],
            &["a", "c", "d"],
        ),
        (
            "one site",
            vec![
                arc("a").site("bonn").baseline_due(),
                arc("b").site("berlin").baseline_due(),
            ],
            &["b"],
        ),
        (
            "one cluster",
            vec![
                local("a").cluster("c2").baseline_due(),
                local("b").cluster("c1").baseline_due(),
            ],
            &["b"],
        ),
    ];
    for (what, builders, expected) in rows {
        let (_, batch) = next(&fleet("web"), machines(builders), 250);
        assert_eq!(batch, expected, "{what}");
    }
}

#[test]
fn overdue_and_owed_reboots_come_first_and_stages_before_all() {
    let fleet =
        web(|policy| policy.stages = vec![ring("canary", count(1)), stage("broad", count(1))]);
    let rows = || {
        machines([
            due_vm("a"),
            due_vm("b").tags(&[("late", "")]),
            due_vm("c").tags(&[("ring", "canary")]),
        ])
    };
    let (turn, _) = next(&fleet, rows(), 9);
    assert_eq!(turn, ["c", "a", "b"]);
    let (turn, _) = at_time(&fleet, rows(), 9, opens(), |due| due.deadline = opens());
    assert_eq!(turn, ["c", "b", "a"], "overdue at the deadline");
    let (turn, batch) = at_time(&fleet, rows(), 9, opens(), |due| {
        due.cause = Cause::RebootOwed
    });
    assert_eq!(turn, ["c", "b", "a"]);
    assert_eq!(batch, ["c"]);
    let (_, batch) = at_time(
        &fleet,
        machines([due_vm("a"), due_vm("b").tags(&[("late", "")])]),
        9,
        opens(),
        |due| due.cause = Cause::RebootOwed,
    );
    assert_eq!(batch, ["b"], "one cause a batch");
}

#[test]
fn the_order_of_a_group_is_numbers_by_value_then_words_then_none() {
    let fleet = web(|policy| policy.groups = vec![group("app", count(9))]);
    let member =
        |name: &str, order: &str| due_vm(name).tags(&[("app", "shop"), ("Patch-Order", order)]);
    let none = due_vm("none").tags(&[("app", "shop")]);
    let outside = due_vm("outside").tags(&[("patch-order", "0")]);
    let all = [
        member("ten", "10"),
        member("two", " 2 "),
        member("word", "last"),
        none,
        outside,
    ];
    let (turn, batch) = next(&fleet, machines(all), 9);
    assert_eq!(turn, ["two", "ten", "word", "none", "outside"]);
    assert_eq!(batch, turn, "the order is kept when they are commanded");
}

#[test]
fn orders_of_different_groups_are_not_compared() {
    let fleet = web(|policy| {
        policy.groups = vec![
            group("app", count(9)),
            GroupRule {
                order_tag: Some("db-order".into()),
                ..group("db", count(9))
            },
        ];
    });
    let first = due_vm("first")
        .tags(&[("app", "shop"), ("patch-order", "2")])
        .machine();
    let second = due_vm("second")
        .tags(&[
            ("app", "shop"),
            ("patch-order", "3"),
            ("db", "sql"),
            ("db-order", "1"),
        ])
        .machine();
    let id = second.id.clone();
    let domain = domain([fleet.clone()], [first, second], opens());
    let inventory = domain.inventory.as_ref().unwrap();
    let roster = roster(
        &fleet,
        inventory,
        &BTreeMap::new(),
        Catalogue::embedded(),
        opens(),
    );
    let release = roster[&id].due().unwrap().release;
    let waits = waits_for(&fleet, &roster[&id], release, &roster, |_| true, |_| false);
    assert_eq!(waits.unwrap().machine.name, "first");
}

#[test]
fn a_batch_is_bounded_by_its_size_and_by_what_one_run_names() {
    let many = || machines((0..300).map(|number| due_vm(&format!("vm{number:03}"))));
    let fleet = fleet("web");
    for (size, expected) in [
        (0, 0),
        (1, 1),
        (40, 40),
        (250, 250),
        (1000, RUN_MACHINES_MAX),
    ] {
        assert_eq!(next(&fleet, many(), size).1.len(), expected, "size {size}");
    }
}

#[test]
fn nothing_makes_no_batch() {
    assert!(batch(&[], Spread::ALL, 9, Regions::embedded()).is_none());
    assert_eq!(at("2026-07-18T22:00:00Z"), opens());
}
