#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use super::*;
use crate::domain::machine::Machine;
use crate::domain::testkit::{Placed, count, percent, vm};

fn machines(count: usize) -> Vec<Machine> {
    (0..count)
        .map(|number| vm(&format!("vm{number:03}")).machine())
        .collect()
}

fn stage(name: &str) -> LimitKey {
    LimitKey::Stage {
        fleet: "web".into(),
        stage: name.into(),
    }
}

fn group(value: &str) -> LimitKey {
    LimitKey::Group {
        tag: "app".into(),
        value: value.into(),
    }
}

fn ceiling(key: LimitKey, members: &[Machine], max: u32) -> Ceiling {
    Ceiling {
        key,
        members: members.iter().map(|own| own.id.clone()).collect(),
        max,
    }
}

fn place(machine: &Machine) -> Place<'_> {
    Place {
        kind: machine.kind,
        placement: &machine.placement,
    }
}

fn ask(budget: &Budget, machine: &Machine) -> Result<(), Refusal> {
    budget.admit(&machine.id, place(machine), Spread::ALL, &BTreeMap::new())
}

fn engage(budget: &mut Budget, machine: &Machine) {
    budget.engage(
        &machine.id,
        &machine.name,
        machine.kind,
        &machine.placement,
        Spread::ALL,
    );
}

#[test]
fn percentages_round_down_but_never_to_nought() {
    let rows = [
        (percent(20), 0, 0),
        (percent(20), 1, 1),
        (percent(20), 4, 1),
        (percent(20), 5, 1),
        (percent(20), 9, 1),
        (percent(20), 10, 2),
        (percent(20), 14, 2),
        (percent(20), 15, 3),
        (percent(1), 99, 1),
        (percent(1), 250, 2),
        (percent(100), 7, 7),
        (count(0), 7, 0),
        (count(3), 7, 3),
        (count(3), 2, 3),
    ];
    for (limit, members, expected) in rows {
        assert_eq!(limit.of(members), expected, "{limit} of {members}");
    }
}

#[test]
fn a_set_lets_a_fifth_through_and_under_ten_members_one() {
    let rows = [
        (0, 0),
        (1, 1),
        (2, 1),
        (5, 1),
        (9, 1),
        (10, 2),
        (14, 2),
        (15, 3),
        (250, 50),
    ];
    for (members, expected) in rows {
        assert_eq!(set_limit(members), expected, "a set of {members}");
    }
}

#[test]
fn machines_go_until_the_limit_is_used_up_and_it_is_named() {
    let all = machines(4);
    let mut budget = Budget::new(vec![ceiling(stage("broad"), &all, 2)], []);
    for machine in &all[..2] {
        assert_eq!(ask(&budget, machine), Ok(()));
        engage(&mut budget, machine);
    }
    let refusal = ask(&budget, &all[2]).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::Full {
            key: stage("broad"),
            unavailable: 2,
            max: 2
        }
    );
    assert_eq!(
        refusal.to_string(),
        "stage broad is at its limit: 2 of 2 unavailable"
    );
}

#[test]
fn a_machine_that_is_down_by_itself_uses_up_the_limit() {
    let all = machines(3);
    let budget = Budget::new(vec![ceiling(stage("all"), &all, 1)], [all[0].id.clone()]);
    assert!(matches!(
        ask(&budget, &all[1]),
        Err(Refusal::Full {
            unavailable: 1,
            max: 1,
            ..
        })
    ));
    assert!(budget.is_unavailable(&all[0].id) && !budget.is_unavailable(&all[1].id));
}

#[test]
fn a_machine_that_is_unavailable_already_uses_up_nothing_more() {
    let all = machines(2);
    let mut budget = Budget::new(vec![ceiling(stage("all"), &all, 1)], [all[0].id.clone()]);
    assert_eq!(ask(&budget, &all[0]), Ok(()), "its own share");
    engage(&mut budget, &all[0]);
    engage(&mut budget, &all[0]);
    let used: Vec<u32> = budget.usage().map(|(_, used)| used).collect();
    assert_eq!(used, [1], "counted once, however often it is taken");
    assert!(ask(&budget, &all[1]).is_err());
}

#[test]
fn of_all_limits_on_a_machine_the_strictest_wins_and_is_named() {
    let all = machines(4);
    let ceilings = vec![
        ceiling(stage("all"), &all, 4),
        ceiling(group("shop"), &all[..3], 1),
        ceiling(group("mail"), &all[3..], 1),
    ];
    let mut budget = Budget::new(ceilings, []);
    engage(&mut budget, &all[0]);
    let refusal = ask(&budget, &all[1]).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::Full {
            key: group("shop"),
            unavailable: 1,
            max: 1
        }
    );
    assert_eq!(ask(&budget, &all[3]), Ok(()), "another group");
    assert_eq!(budget.ceilings_of(&all[3].id).count(), 2);
}

#[test]
fn of_a_frozen_and_a_current_limit_the_stricter_counts() {
    let all = machines(4);
    let rows = [(3, 1, 1), (1, 3, 1), (2, 2, 2), (3, 0, 0), (0, 3, 0)];
    for (current, own, allowed) in rows {
        let mut budget = Budget::new(vec![ceiling(stage("all"), &all, current)], []);
        let frozen = BTreeMap::from([(stage("all"), own), (group("elsewhere"), 0)]);
        let mut granted = 0;
        for machine in &all {
            if budget
                .admit(&machine.id, place(machine), Spread::ALL, &frozen)
                .is_ok()
            {
                granted += 1;
                engage(&mut budget, machine);
            }
        }
        assert_eq!(granted, allowed, "current {current}, frozen {own}");
    }
}

#[test]
fn nought_allows_nothing() {
    let all = machines(1);
    let budget = Budget::new(vec![ceiling(stage("all"), &all, 0)], []);
    let refusal = ask(&budget, &all[0]).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "stage all is at its limit: 0 of 0 unavailable"
    );
}

#[test]
fn a_machine_that_is_down_by_itself_closes_no_zone_and_a_commanded_one_does() {
    let one = vm("one").zone("az1").machine();
    let two = vm("two").zone("az2").machine();
    let mut budget = Budget::new(Vec::new(), [one.id.clone()]);
    assert_eq!(ask(&budget, &two), Ok(()));
    engage(&mut budget, &one);
    let refusal = ask(&budget, &two).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::Apart {
            by: Apart::Zone,
            from: "one".into()
        }
    );
    assert_eq!(
        refusal.to_string(),
        "one in another zone of the region is being worked on"
    );
    assert_eq!(
        ask(&budget, &one),
        Ok(()),
        "no machine is kept apart from itself"
    );
}

#[test]
fn an_unavailable_machine_is_still_kept_apart_from_those_in_other_zones() {
    let one = vm("one").zone("az1").machine();
    let two = vm("two").zone("az2").machine();
    let mut budget = Budget::new(Vec::new(), [two.id.clone()]);
    engage(&mut budget, &one);
    assert!(matches!(ask(&budget, &two), Err(Refusal::Apart { .. })));
}

#[test]
fn either_sides_spread_keeps_two_machines_apart() {
    let one = vm("one").zone("az1").machine();
    let two = vm("two").zone("az2").machine();
    let loose = Spread {
        zone: false,
        ..Spread::ALL
    };
    let rows = [
        (Spread::ALL, loose, false),
        (loose, Spread::ALL, false),
        (loose, loose, true),
    ];
    for (engaged, asked, allowed) in rows {
        let mut budget = Budget::new(Vec::new(), []);
        budget.engage(&one.id, &one.name, one.kind, &one.placement, engaged);
        let answer = budget.admit(&two.id, place(&two), asked, &BTreeMap::new());
        assert_eq!(answer.is_ok(), allowed, "{engaged:?} against {asked:?}");
    }
}
