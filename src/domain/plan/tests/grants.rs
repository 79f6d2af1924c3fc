//! Which commands of a run are granted: order, limits, fitness, one by one.

use super::*;
use crate::domain::due::Cause;
use crate::domain::run::follow::refused;
use crate::domain::run::{FrozenLimit, LimitKey, StepReason};

fn now() -> DateTime<Utc> {
    opens() + minutes(30)
}

fn stage_limit(max: u32) -> FrozenLimit {
    let key = LimitKey::Stage {
        fleet: "web".into(),
        stage: "all".into(),
    };
    FrozenLimit { key, max }
}

#[test]
fn the_budget_lets_so_many_through_and_names_the_limit() {
    let fleet = web(|policy| policy.stages = vec![stage("all", count(2))]);
    let machines = vms(4);
    let plan = plan(&snapshot(running(fleet, &machines, now())), now());
    assert_eq!(sent(&plan), ["vm01", "vm02"]);
    assert_eq!(reason(&plan, &machines[2]), "BudgetExhausted");
}

#[test]
fn a_sick_machine_takes_its_share_of_the_limit() {
    let fleet = web(|policy| policy.stages = vec![stage("all", count(2))]);
    let mut machines = vms(4);
    machines[3] = due_vm("vm04").sick().machine();
    let plan = plan(&snapshot(running(fleet, &machines, now())), now());
    assert_eq!(sent(&plan), ["vm01"]);
    assert_eq!(reason(&plan, &machines[3]), "Unhealthy");
}

#[test]
fn a_limit_that_was_frozen_holds_when_the_policy_is_widened() {
    let machines = vms(4);
    let mut domain = running(fleet("web"), &machines, now());
    Arc::make_mut(&mut only(&mut domain).terms).limits = vec![stage_limit(1)];
    assert_eq!(sent(&plan(&snapshot(domain), now())), ["vm01"]);
}

#[test]
fn a_machine_being_worked_on_stays_in_the_limit_whatever_happens_to_it() {
    use crate::domain::fleet::ExcludedMachine;
    use crate::domain::machine::{Power, Tags};
    type Change = fn(&mut Domain, &Machine);
    fn edit(domain: &mut Domain, id: &MachineId, change: impl FnOnce(&mut Machine)) {
        let inventory = domain.inventory.as_mut().unwrap();
        let mut machine = inventory.machines[id].as_ref().clone();
        change(&mut machine);
        inventory.machines.extend(by_id([machine]));
    }
    let rows: [(&str, Change); 4] = [
        ("excluded", |domain, own| {
            let excluded = ExcludedMachine {
                id: own.id.clone(),
                reason: "vendor".into(),
                through: None,
            };
            domain.fleets[0]
                .fleet
                .as_mut()
                .unwrap()
                .selector
                .exclude
                .push(excluded);
        }),
        ("deallocated", |domain, own| {
            edit(domain, &own.id, |own| own.power = Power::Off)
        }),
        ("moved to another stage", |domain, own| {
            edit(domain, &own.id, |own| own.tags = Tags::default());
        }),
        ("missing from the inventory", |domain, own| {
            domain.inventory.as_mut().unwrap().machines.remove(&own.id);
        }),
    ];
    for (what, change) in rows {
        let fleet = web(|policy| policy.stages = vec![ring("all", count(1))]);
        let machines: Vec<Machine> = (1..=3)
            .map(|number| {
                due_vm(&format!("vm{number:02}"))
                    .tags(&[("ring", "all")])
                    .machine()
            })
            .collect();
        let mut domain = running(fleet, &machines, now());
        Arc::make_mut(&mut only(&mut domain).terms).limits = vec![stage_limit(1)];
        put(
            only(&mut domain),
            &machines[0],
            Step::Running,
            now() - minutes(20),
        );
        change(&mut domain, &machines[0]);
        assert_eq!(sent(&plan(&snapshot(domain), now())), [""; 0], "{what}");
    }
}

#[test]
fn what_speaks_against_a_machine_is_asked_again_at_each_send() {
    type Change = fn(&mut Domain, &mut Machine);
    let rows: [(&str, Change); 9] = [
        ("ClusterUpdating", |_, own| {
            own.cluster_update = crate::domain::machine::ClusterUpdate::Running
        }),
        ("ClusterUnknown", |_, own| {
            own.cluster_update = crate::domain::machine::ClusterUpdate::Unknown
        }),
        ("NotSelected", |domain, _| {
            let fleet = domain.fleets[0].fleet.as_mut().unwrap();
            fleet.selector.locations.insert("uksouth".into());
        }),
        ("Unhealthy", |_, own| {
            own.health = crate::domain::machine::Health::Unhealthy("x".into())
        }),
        ("HealthUnknown", |_, own| {
            own.health = crate::domain::machine::Health::Unknown("x".into())
        }),
        ("Busy", |_, own| own.busy = Some("updating".into())),
        ("NotDue", |_, own| own.assessment = None),
        ("StageChanged", |domain, _| {
            let fleet = domain.fleets[0].fleet.as_mut().unwrap();
            fleet.policy.stages.insert(0, stage("canary", count(1)));
        }),
        ("Quarantined", |domain, own| {
            domain
                .held
                .insert(own.id.clone(), "run web-1 cannot be read".into());
        }),
    ];
    for (expected, change) in rows {
        let mut machines = vms(1);
        let mut domain = running(fleet("web"), &machines, now());
        change(&mut domain, &mut machines[0]);
        domain.inventory.as_mut().unwrap().machines = by_id(machines.clone());
        let plan = plan(&snapshot(domain), now());
        assert_eq!(sent(&plan), [""; 0], "{expected}");
        if expected != "NotSelected" {
            assert_eq!(reason(&plan, &machines[0]), expected);
        }
    }
}

#[test]
fn a_finish_that_was_refused_is_not_repeated_once_nothing_is_due() {
    let mut machines = vms(1);
    let mut domain = running(fleet("web"), &machines, now());
    put(only(&mut domain), &machines[0], Step::Starting, opens());
    let progress = only(&mut domain).progress.get_mut(&machines[0].id).unwrap();
    *progress = refused(progress, opens(), "409");
    assert_eq!(
        sent(&plan(&snapshot(domain.clone()), now())),
        ["vm01"],
        "while it is due"
    );
    machines[0].assessment = None;
    domain.inventory.as_mut().unwrap().machines = by_id(machines.clone());
    let plan = plan(&snapshot(domain), now());
    assert_eq!(
        (sent(&plan), reason(&plan, &machines[0])),
        (vec![], "NotDue".to_owned())
    );
}

#[test]
fn a_machine_that_owes_a_reboot_gets_no_further_install() {
    let machine = due_vm("vm01").pending().machine();
    let mut domain = running(fleet("web"), std::slice::from_ref(&machine), now());
    let refused = plan(&snapshot(domain.clone()), now());
    assert_eq!(
        (sent(&refused), reason(&refused, &machine)),
        (vec![], "NotDue".to_owned())
    );
    let terms = &mut only(&mut domain).terms;
    Arc::make_mut(terms).cause = Cause::RebootOwed;
    assert_eq!(
        sent(&plan(&snapshot(domain), now())),
        [""; 0],
        "nor one of another KB"
    );
}

#[test]
fn a_group_goes_in_its_order_and_waits_for_each_member_to_be_done() {
    let member =
        |name: &str, order: &str| due_vm(name).tags(&[("app", "shop"), ("patch-order", order)]);
    let fleet = web(|policy| policy.groups = vec![group("app", count(3))]);
    let machines = [
        member("vm01", "10").machine(),
        member("vm02", "2").machine(),
        member("vm03", "1").machine(),
    ];
    let mut domain = running(fleet, &machines, now());
    let first = plan(&snapshot(domain.clone()), now());
    assert_eq!(sent(&first), ["vm03"], "1 before 2 before 10");
    assert_eq!(reason(&first, &machines[0]), "GroupOrder");

    // Its install shows: it is not due any more, but not done either.
    put(only(&mut domain), &machines[2], Step::Running, now());
    let works = member("vm03", "1")
        .install(
            "2026-07-18T22:40:00Z",
            InstallStatus::InProgress,
            RebootStatus::NotNeeded,
            &[],
        )
        .machine();
    let seen = by_id([machines[0].clone(), machines[1].clone(), works]);
    domain.inventory.as_mut().unwrap().machines = seen;
    assert_eq!(sent(&plan(&snapshot(domain.clone()), now())), [""; 0]);

    put(only(&mut domain), &machines[2], Step::Verifying, now());
    let done = vm("vm03")
        .tags(&[("app", "shop"), ("patch-order", "1")])
        .assessed("2026-07-18T22:25:00Z");
    let seen = by_id([machines[0].clone(), machines[1].clone(), done.machine()]);
    domain.inventory.as_mut().unwrap().machines = seen;
    assert_eq!(
        sent(&plan(&snapshot(domain.clone()), now())),
        [""; 0],
        "not judged yet"
    );

    put(only(&mut domain), &machines[2], Step::Succeeded, now());
    assert_eq!(sent(&plan(&snapshot(domain), now())), ["vm02"]);
}

#[test]
fn a_group_waits_for_a_member_whose_state_was_lost_and_not_for_one_that_is_down() {
    let member =
        |name: &str, order: &str| due_vm(name).tags(&[("app", "shop"), ("patch-order", order)]);
    let lost = member("vm01", "1")
        .with(|own| own.assessment = None)
        .machine();
    let down = member("vm01", "1").sick().machine();
    let second = member("vm02", "2").sick().machine();
    let last = member("vm03", "3").machine();
    let fleet = web(|policy| policy.groups = vec![group("app", count(3))]);
    let order = |first: &Machine| {
        let machines = [first.clone(), second.clone(), last.clone()];
        let plan = plan(&snapshot(running(fleet.clone(), &machines, now())), now());
        (sent(&plan), reason(&plan, &last))
    };
    assert_eq!(order(&lost), (vec![], "GroupOrder".to_owned()));
    assert_eq!(order(&down).0, ["vm03"]);
}

#[test]
fn machines_that_wait_for_an_unreadable_run_keep_others_apart() {
    let held = due_vm("vm01").zone("az1").machine();
    let other = due_vm("vm02").zone("az2").machine();
    let mut domain = running(fleet("web"), std::slice::from_ref(&other), now());
    domain.inventory.as_mut().unwrap().machines = by_id([held.clone(), other.clone()]);
    assert_eq!(sent(&plan(&snapshot(domain.clone()), now())), ["vm02"]);
    domain
        .held
        .insert(held.id, "run web-0 cannot be read".into());
    let plan = plan(&snapshot(domain), now());
    assert_eq!(
        (sent(&plan), reason(&plan, &other)),
        (vec![], "BudgetExhausted".to_owned())
    );
}

#[test]
fn a_person_may_let_a_machine_be_tried_beyond_the_retries() {
    let machines = vms(1);
    let mut domain = running(fleet("web"), &machines, opens() + hours(1));
    put(only(&mut domain), &machines[0], Step::Failed, opens());
    let progress = only(&mut domain).progress.get_mut(&machines[0].id).unwrap();
    progress.attempts = 2;
    progress.reason = Some(StepReason::InstallFailed);
    only(&mut domain).end = Some(RunEnd::Failed);
    let now = opens() + hours(1);
    assert_eq!(plan(&snapshot(domain.clone()), now).drafts.len(), 0);
    let fleet = domain.fleets[0].fleet.as_mut().unwrap();
    fleet.retries = vec![retry(&machines[0], opens() + minutes(10))];
    let again = plan(&snapshot(domain.clone()), now);
    assert_eq!(drafted(&again), [["vm01"]]);
    let run = announced(&again.drafts[0], now);
    domain.runs.insert(run.name.clone(), run);
    assert_eq!(sent(&plan(&snapshot(domain), now)), ["vm01"]);
}

#[test]
fn one_pass_sends_no_more_than_azure_lets_out() {
    let machines = vms(COMMANDS_PER_PASS_MAX + 5);
    let plan = plan(&snapshot(running(fleet("web"), &machines, now())), now());
    assert_eq!(plan.sends.len(), COMMANDS_PER_PASS_MAX);
    assert_eq!(reason(&plan, &machines[COMMANDS_PER_PASS_MAX]), "Paced");
}

#[test]
fn a_machine_that_is_judged_is_assessed_once_it_has_settled() {
    let machines = vms(1);
    let mut domain = running(fleet("web"), &machines, now());
    put(only(&mut domain), &machines[0], Step::Verifying, opens());
    let ended = |domain: &mut Domain, at| {
        let progress = only(domain).progress.get_mut(&machines[0].id).unwrap();
        progress.ended_at = Some(at);
    };
    ended(&mut domain, now() - minutes(9));
    assert_eq!(
        plan(&snapshot(domain.clone()), now()).assessments.len(),
        0,
        "it settles"
    );
    ended(&mut domain, now() - minutes(10));
    assert_eq!(plan(&snapshot(domain.clone()), now()).assessments.len(), 1);
    let assessed = vm("vm01").assessed("2026-07-18T22:25:00Z").machine();
    domain.inventory.as_mut().unwrap().machines = by_id([assessed]);
    assert_eq!(
        plan(&snapshot(domain), now()).assessments.len(),
        0,
        "it is there"
    );
}

#[test]
fn excluded_machines_are_no_part_of_what_a_share_is_taken_of() {
    use crate::domain::fleet::ExcludedMachine;
    let member = |name: &str| due_vm(name).tags(&[("app", "shop")]).machine();
    let machines: Vec<Machine> = ["vm01", "vm02", "vm03", "vm04"]
        .into_iter()
        .map(member)
        .collect();
    let sends = |excluded: &[Machine]| {
        let mut fleet = web(|policy| policy.groups = vec![group("app", percent(50))]);
        fleet.policy.groups[0].order_tag = None;
        fleet.selector.exclude = excluded
            .iter()
            .map(|own| ExcludedMachine {
                id: own.id.clone(),
                reason: "vendor".into(),
                through: None,
            })
            .collect();
        sent(&plan(&snapshot(running(fleet, &machines, now())), now()))
    };
    assert_eq!(sends(&[]), ["vm01", "vm02"]);
    assert_eq!(sends(&machines[2..]), ["vm01"]);
}
