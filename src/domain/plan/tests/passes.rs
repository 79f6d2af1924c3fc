//! Whole passes: who may act, who is announced, and what comes in which order.

use super::*;
use crate::domain::fleet::Mode;
use crate::domain::machine::{Incarnation, Power};
use crate::domain::policy::RunGate;

fn now() -> DateTime<Utc> {
    opens() + minutes(30)
}

#[test]
fn a_due_fleet_in_its_window_announces_first_and_sends_when_the_run_stands() {
    let machines = vms(3);
    let mut domain = domain([fleet("web")], machines, now());
    let first = plan(&snapshot(domain.clone()), now());
    assert_eq!(drafted(&first), [["vm01", "vm02", "vm03"]]);
    assert_eq!(
        sent(&first),
        [""; 0],
        "nothing is commanded that no run names"
    );
    let run = announced(&first.drafts[0], now());
    domain.runs.insert(run.name.clone(), run);
    let second = plan(&snapshot(domain), now() + minutes(1));
    assert_eq!(sent(&second), ["vm01", "vm02", "vm03"]);
    assert_eq!(
        drafted(&second),
        [[""; 0]; 0],
        "nothing is left for another run"
    );
    assert!(
        second
            .sends
            .iter()
            .all(|own| own.until == opens() + hours(4))
    );
}

#[test]
fn more_of_the_same_work_goes_beside_runs_that_have_sent_all() {
    type Change = fn(&mut Domain, &[Machine]);
    let rows: [(&str, Change, &[&str]); 5] = [
        (
            "all is sent, and the limit has room",
            |_, _| {},
            &["vm03", "vm04"],
        ),
        (
            "one is still to be sent to",
            |own, all| put(only(own), &all[1], Step::Planned, opens()),
            &[],
        ),
        (
            "the limit has no room",
            |own, _| {
                own.fleets[0].fleet.as_mut().unwrap().policy.stages = vec![stage("all", count(2))]
            },
            &[],
        ),
        (
            "it does other work",
            |own, _| Arc::make_mut(&mut only(own).terms).release = hotpatch(),
            &[],
        ),
        (
            "it is held: nobody waits for it",
            |own, all| {
                put(only(own), &all[0], Step::Succeeded, now());
                put(only(own), &all[1], Step::Unknown, now());
            },
            &["vm03", "vm04"],
        ),
    ];
    for (what, change, expected) in rows {
        let machines = vms(4);
        let mut domain = running(fleet("web"), &machines[..2], now());
        let inventory = domain.inventory.as_mut().unwrap();
        inventory.machines = by_id(machines.clone());
        for machine in &machines[..2] {
            put(only(&mut domain), machine, Step::Running, now());
        }
        change(&mut domain, &machines);
        let found = plan(&snapshot(domain), now());
        assert_eq!(drafted(&found).concat(), expected, "{what}");
        if expected.is_empty() {
            assert_eq!(reason(&found, &machines[2]), "AwaitsRun", "{what}");
        }
    }
}

#[test]
fn so_many_runs_of_a_fleet_move_at_once_and_no_more() {
    let machines = vms(MOVING_RUNS_MAX + 1);
    let fleet = fleet("web");
    let mut domain = domain([fleet.clone()], machines.clone(), now());
    for (ordinal, machine) in (1..).zip(&machines[..MOVING_RUNS_MAX]) {
        let mut run = run(&fleet, &[machine]);
        run.name = format!("run-{ordinal}");
        put(&mut run, machine, Step::Running, now());
        domain.runs.insert(run.name.clone(), run);
    }
    let full = plan(&snapshot(domain.clone()), now());
    assert_eq!(drafted(&full), [[""; 0]; 0]);
    put(
        domain.runs.get_mut("run-1").unwrap(),
        &machines[0],
        Step::Succeeded,
        now(),
    );
    let room = plan(&snapshot(domain), now());
    assert_eq!(drafted(&room).len(), 1);
}

#[test]
fn what_stops_a_fleet_stops_its_commands_and_announcements() {
    type Stop = fn(&mut Domain);
    let rows: [(&str, Stop); 9] = [
        ("observe", |own| {
            own.fleets[0].fleet.as_mut().unwrap().mode = Mode::Observe
        }),
        ("enrol", |own| {
            own.fleets[0].fleet.as_mut().unwrap().mode = Mode::Enrol
        }),
        ("suspend", |own| {
            own.fleets[0].fleet.as_mut().unwrap().suspended = true
        }),
        ("pause", |own| {
            own.fleets[0]
                .fleet
                .as_mut()
                .unwrap()
                .pauses
                .push(word(None, None))
        }),
        ("abort", |own| {
            own.fleets[0]
                .fleet
                .as_mut()
                .unwrap()
                .aborts
                .push(word(None, None))
        }),
        ("unresolved", |own| own.fleets[0] = faulty(&fleet("web"))),
        ("gone", |own| own.fleets.clear()),
        ("unreadable inventory", |own| {
            own.inventory = Err("403".into())
        }),
        ("stale inventory", |own| {
            own.inventory.as_mut().unwrap().at = now() - minutes(11)
        }),
    ];
    for (what, stop) in rows {
        let mut idle = domain([fleet("web")], vms(2), now());
        stop(&mut idle);
        let plan_of_idle = plan(&snapshot(idle), now());
        assert_eq!(drafted(&plan_of_idle), [[""; 0]; 0], "{what}");

        let machines = vms(3);
        let mut busy = running(fleet("web"), &machines, now());
        put(
            only(&mut busy),
            &machines[0],
            Step::Running,
            now() - minutes(20),
        );
        stop(&mut busy);
        let stopped = plan(&snapshot(busy.clone()), now());
        assert_eq!(
            (sent(&stopped), drafted(&stopped).len()),
            (vec![], 0),
            "{what}"
        );
        assert!(stopped.assessments.is_empty(), "{what}");

        // The end of what was commanded before is still seen.
        let ended = Outcome {
            status: InstallStatus::Succeeded,
            reboot: RebootStatus::Completed,
            installed: vec![kb(BASELINE_KB)],
            failed: Vec::new(),
            activity: Some("activity-1".into()),
            window_exceeded: false,
            error: None,
        };
        let answer = Answer::Operation(OperationState::Ended(ended));
        let name = only(&mut busy).name.clone();
        busy.answers
            .insert(name, [(machines[0].id.clone(), answer)].into());
        let followed = plan(&snapshot(busy), now());
        let moved = followed
            .moves
            .iter()
            .find(|own| own.machine == machines[0].id);
        assert_eq!(
            moved.unwrap().progress.step,
            Step::Verifying,
            "{what}: followed to its end"
        );
    }
}

#[test]
fn no_machine_is_gone_by_an_inventory_that_cannot_be_trusted() {
    let machines = vms(2);
    let missing = |read_at: Option<DateTime<Utc>>| {
        let mut domain = running(fleet("web"), &machines, now());
        let inventory = read_at
            .map(|at| crate::domain::snapshot::Inventory::of(at, by_id([machines[0].clone()])));
        domain.inventory = inventory.ok_or_else(|| "timed out".to_owned());
        let plan = plan(&snapshot(domain), now());
        plan.moves
            .iter()
            .map(|own| own.progress.reason.clone().unwrap())
            .collect::<Vec<_>>()
    };
    use crate::domain::run::StepReason;
    assert_eq!(missing(None), []);
    assert_eq!(missing(Some(now() - minutes(11))), []);
    assert_eq!(
        missing(Some(now() - minutes(10))),
        [StepReason::MachineGone]
    );
}

#[test]
fn a_run_whose_inventory_cannot_be_read_still_ends_with_its_window() {
    let machines = vms(2);
    let late = opens() + hours(4);
    let mut domain = running(fleet("web"), &machines, late);
    domain.inventory = Err("403".into());
    let plan = plan(&snapshot(domain), late);
    assert_eq!(
        plan.ends.values().copied().collect::<Vec<_>>(),
        [RunEnd::Complete]
    );
    assert!(
        plan.moves
            .iter()
            .all(|own| own.progress.step == Step::Skipped)
    );
}

#[test]
fn of_two_fleets_that_want_a_machine_the_oldest_has_it_and_a_run_keeps_it() {
    let machines = vms(1);
    let mut younger = fleet("alpha");
    younger.created_at = at("2026-02-01");
    let older = fleet("web");
    let both = domain([younger.clone(), older.clone()], machines.clone(), now());
    let free = plan(&snapshot(both.clone()), now());
    assert_eq!(free.drafts.len(), 1);
    assert_eq!(free.drafts[0].fleet, older.key);
    assert_eq!(
        reason_in(&free, "alpha", &machines[0]),
        "OwnedByAnotherFleet"
    );

    let mut taken = both;
    let own = run(&younger, &[&machines[0]]);
    taken.runs.insert(own.name.clone(), own);
    let kept = plan(&snapshot(taken), now());
    assert_eq!(sent(&kept), ["vm01"], "the run goes on");
    assert_eq!(kept.drafts.len(), 0);
    assert_eq!(reason_in(&kept, "web", &machines[0]), "OwnedByAnotherFleet");

    let mut observing = older;
    observing.mode = Mode::Observe;
    let alone = plan(
        &snapshot(domain([younger, observing], machines, now())),
        now(),
    );
    assert_eq!(
        alone.drafts[0].fleet.name, "alpha",
        "only fleets in Enforce compete"
    );
}

#[test]
fn two_fleets_of_one_namespace_share_the_limit_of_a_group() {
    let shop = |name: &str, fleet: &str| {
        due_vm(name)
            .tags(&[("app", "shop"), ("fleet", fleet)])
            .machine()
    };
    let of = |name: &str, limit: u32| {
        let mut own = web(|policy| policy.groups = vec![group("app", count(limit))]);
        own.key.name = name.into();
        own.uid = format!("uid-{name}");
        let rule = crate::domain::policy::TagRule::Equals("fleet".into(), name.into());
        own.selector.tags.0.push(rule);
        own
    };
    let machines = [
        shop("vm01", "front"),
        shop("vm02", "front"),
        shop("vm03", "back"),
    ];
    let fleets = [of("front", 3), of("back", 2)];
    let mut domain = domain(fleets.clone(), machines.clone(), now());
    for (fleet, own) in [(&fleets[0], &machines[..2]), (&fleets[1], &machines[2..])] {
        let own: Vec<&Machine> = own.iter().collect();
        let run = run(fleet, &own);
        domain.runs.insert(run.name.clone(), run);
    }
    let plan = plan(&snapshot(domain), now());
    assert_eq!(
        plan.sends.len(),
        2,
        "the stricter limit counts for both: {:?}",
        sent(&plan)
    );
}

#[test]
fn a_held_run_does_not_stop_the_fleet_and_keeps_its_share_of_the_budget() {
    let fleet = web(|policy| policy.stages = vec![stage("all", count(2))]);
    let machines = vms(4);
    let mut domain = running(fleet.clone(), &machines[..1], now());
    domain.inventory.as_mut().unwrap().machines = by_id(machines.clone());
    put(
        only(&mut domain),
        &machines[0],
        Step::Unknown,
        opens() - hours(200),
    );
    let first = plan(&snapshot(domain.clone()), now());
    assert_eq!(drafted(&first), [["vm02", "vm03", "vm04"]]);
    let next = announced(&first.drafts[0], now());
    assert_eq!(next.terms.ordinal, 2);
    domain.runs.insert(next.name.clone(), next);
    let second = plan(&snapshot(domain), now());
    assert_eq!(sent(&second), ["vm02"], "the held machine counts");
    assert_eq!(second.drafts.len(), 0);
}

#[test]
fn a_run_for_a_gated_policy_is_announced_ahead_of_its_window() {
    let gate = RunGate {
        condition: "example.com/Drained".into(),
        announce_before: minutes(30),
    };
    let gated = web(|policy| policy.run_gates = vec![gate.clone()]);
    let machines = vms(1);
    let early = opens() - minutes(31);
    let plan_at = |now| {
        plan(
            &snapshot(domain([gated.clone()], machines.clone(), now)),
            now,
        )
    };
    assert_eq!(plan_at(early).drafts.len(), 0);
    assert_eq!(plan_at(early).wake_at, opens() - minutes(30));
    let ahead = plan_at(opens() - minutes(30));
    assert_eq!(ahead.drafts[0].terms.window.start, opens());

    let mut domain = domain([gated], machines.clone(), opens());
    let mut run = announced(&ahead.drafts[0], opens() - minutes(30));
    domain.runs.insert(run.name.clone(), run.clone());
    assert_eq!(sent(&plan(&snapshot(domain.clone()), opens())), [""; 0]);
    run.gates_open.insert(gate.condition);
    domain.runs.insert(run.name.clone(), run);
    assert_eq!(sent(&plan(&snapshot(domain), opens())), ["vm01"]);
}

#[test]
fn a_run_announced_ahead_is_not_passed_over_because_an_earlier_window_closes() {
    use chrono::Weekday;
    let gate = RunGate {
        condition: "example.com/Drained".into(),
        announce_before: hours(2),
    };
    let mut gated = web(|policy| policy.run_gates = vec![gate]);
    let before = crate::domain::testkit::window("UTC", Weekday::Sat, "18:00", hours(3));
    gated.windows.push(named("afternoon", before));
    let machines = vms(1);
    let late = opens() - minutes(90);
    let mut domain = domain([gated], machines, late);
    let first = plan(&snapshot(domain.clone()), late);
    assert_eq!(
        first.drafts[0].terms.window.start,
        opens(),
        "too late for the afternoon"
    );
    let run = announced(&first.drafts[0], late);
    domain.runs.insert(run.name.clone(), run);
    let second = plan(&snapshot(domain), late);
    assert!(
        second.moves.is_empty() && second.drafts.is_empty(),
        "it waits for its window"
    );
}

#[test]
fn shuffling_what_was_gathered_changes_nothing() {
    let seed = 20_260_718;
    let mut random = fastrand::Rng::with_seed(seed);
    let zones = ["az1", "az2", "az3"];
    let mut machines: Vec<Machine> = (0..12_usize)
        .map(|number| {
            let own = due_vm(&format!("vm{number:02}")).zone(zones[number % 3]);
            let tags = [
                ("app", ["a", "b"][number % 2]),
                ("patch-order", ["1", "2"][number % 2]),
            ];
            own.tags(&tags).machine()
        })
        .collect();
    let mut fleets = vec![
        web(|policy| policy.groups = vec![group("app", count(2)), group("patch-order", count(3))]),
        fleet("older"),
        fleet("alike"),
    ];
    fleets[1].created_at = at("2025-01-01");
    fleets[1].mode = Mode::Enrol;
    fleets[0]
        .windows
        .push(named("another", saturdays("Europe/Berlin")));
    fleets[0].approvals = vec![word(None, None), word(Some("2026-07"), None)];
    let build = |fleets: &[Fleet], machines: &[Machine]| {
        let first = domain(fleets.to_vec(), machines.to_vec(), now());
        let drafts = plan(&snapshot(first.clone()), now()).drafts;
        let mut second = first.clone();
        for draft in &drafts {
            let run = announced(draft, now());
            second.runs.insert(run.name.clone(), run);
        }
        let plans = [
            plan(&snapshot(first), now()),
            plan(&snapshot(second), now()),
        ];
        plans.map(|own| json(&own))
    };
    let expected = build(&fleets, &machines);
    assert!(
        expected[1].contains("\"command\": \"Finish\""),
        "something is sent"
    );
    for round in 0..20 {
        random.shuffle(&mut machines);
        random.shuffle(&mut fleets);
        for own in &mut fleets {
            random.shuffle(&mut own.windows);
            random.shuffle(&mut own.approvals);
        }
        assert_eq!(
            build(&fleets, &machines),
            expected,
            "seed {seed}, round {round}"
        );
    }
}

#[test]
fn a_recreated_machine_is_passed_over_and_announced_anew() {
    let machines = vms(2);
    let mut domain = running(fleet("web"), &machines, now());
    let mut another = machines[0].clone();
    another.incarnation = Incarnation {
        vm_id: "vm-another".into(),
        body: None,
    };
    domain.inventory.as_mut().unwrap().machines = by_id([another, machines[1].clone()]);
    let plan = plan(&snapshot(domain), now());
    assert_eq!(sent(&plan), ["vm02"]);
    let moved: Vec<&str> = plan
        .moves
        .iter()
        .map(|own| own.progress.step.word())
        .collect();
    assert_eq!(moved, ["Skipped"]);
}

#[test]
fn a_machine_that_sleeps_counts_neither_above_nor_below_the_line() {
    let fleet = web(|policy| policy.stages = vec![stage("all", percent(50))]);
    let mut machines = vms(4);
    for machine in &mut machines[2..] {
        machine.power = Power::Off;
    }
    let domain = running(fleet, &machines, now());
    let plan = plan(&snapshot(domain), now());
    assert_eq!(sent(&plan), ["vm01"], "half of two, not of four");
    assert_eq!(reason(&plan, &machines[2]), "Dormant");
}

#[test]
fn a_hotpatch_goes_at_any_time_and_by_a_command_that_reboots_nothing() {
    let now = at("2026-08-15T21:00:00Z");
    let machines = [
        vm("vm01").hotpatch_due().machine(),
        vm("vm02").hotpatch_due().machine(),
    ];
    let mut domain = domain([fleet("web")], machines.clone(), now);
    let first = plan(&snapshot(domain.clone()), now);
    assert_eq!(drafted(&first), [["vm01", "vm02"]]);
    assert_eq!(first.drafts[0].terms.window.name, "any-time");
    let run = announced(&first.drafts[0], now);
    domain.runs.insert(run.name.clone(), run);
    let second = plan(&snapshot(domain.clone()), now);
    let commands: Vec<Command> = second.sends.iter().map(|own| own.command).collect();
    assert_eq!(commands, [Command::Stage, Command::Stage]);
    let fleet = domain.fleets[0].fleet.as_mut().unwrap();
    fleet.hotpatch_when = crate::domain::fleet::HotpatchWhen::InWindow;
    assert_eq!(
        sent(&plan(&snapshot(domain), now)),
        [""; 0],
        "narrowed to its windows"
    );
}
