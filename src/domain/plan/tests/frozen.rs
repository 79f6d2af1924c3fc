//! What a run froze stays; what its policy narrows holds at once; what is not known is strict.

use super::*;
use crate::domain::fleet::{FleetScope, Mode};
use crate::domain::machine::InstallRecord;
use crate::domain::policy::Limit;
use crate::domain::run::StepReason;
use crate::domain::snapshot::Snapshot;

fn now() -> DateTime<Utc> {
    opens() + minutes(30)
}

fn failed(domain: &mut Domain, machine: &Machine) {
    put(only(domain), machine, Step::Failed, opens() + minutes(20));
    let progress = only(domain).progress.get_mut(&machine.id).unwrap();
    progress.reason = Some(StepReason::InstallFailed);
}

#[test]
fn a_policy_that_bears_more_failures_does_not_reach_a_run_that_exists() {
    let bears = |max: u32| web(|policy| policy.failures.max = Limit::Count(max));
    let machines = vms(4);
    let first = plan(
        &snapshot(domain([bears(0)], machines.clone(), now())),
        now(),
    );
    let frozen = &first.drafts[0].terms;
    assert_eq!(
        (frozen.max_failed, frozen.failed_per_release),
        (Some(0), false)
    );
    // What the run froze, what the policy says now, and whether it goes on after one failure.
    for (froze, says, goes_on) in [
        (Some(0), 9, false),
        (Some(9), 0, false),
        (Some(1), 1, true),
        (None, 9, true),
    ] {
        let mut domain = running(bears(says), &machines, now());
        Arc::make_mut(&mut only(&mut domain).terms).max_failed = froze;
        failed(&mut domain, &machines[3]);
        let plan = plan(&snapshot(domain), now());
        assert_eq!(!sent(&plan).is_empty(), goes_on, "{froze:?}, {says}");
        if !goes_on {
            assert_eq!(reason(&plan, &machines[0]), "Halted");
        }
    }
}

#[test]
fn failures_per_release_are_frozen_as_such() {
    let mut domain = running(
        web(|policy| {
            policy.stages = vec![ring("canary", count(9)), stage("broad", count(9))];
            policy.stages[0].optional = true;
            policy.stages[0].min_succeeded = 0;
            policy.failures.max = Limit::Count(9);
        }),
        &[
            due_vm("vm01").tags(&[("ring", "canary")]).machine(),
            vms(2).remove(1),
        ],
        now(),
    );
    let machines: Vec<Machine> = domain
        .inventory
        .as_ref()
        .unwrap()
        .machines
        .values()
        .map(|own| own.as_ref().clone())
        .collect();
    failed(&mut domain, &machines[0]);
    Arc::make_mut(&mut only(&mut domain).terms).stage = "broad".into();
    let halted = |domain: &Domain| {
        let plan = plan(&snapshot(domain.clone()), now());
        let key = plan.outlooks.keys().next().unwrap();
        let rollout = plan.outlooks[key].rollouts.values().next().unwrap();
        rollout
            .halt_of(&domain.runs.values().next().unwrap().terms)
            .is_some()
    };
    Arc::make_mut(&mut only(&mut domain).terms).max_failed = Some(0);
    assert!(!halted(&domain), "the failure is of another stage");
    Arc::make_mut(&mut only(&mut domain).terms).failed_per_release = true;
    assert!(halted(&domain));
}

#[test]
fn fewer_retries_hold_at_once_and_more_never_reach_a_run() {
    let machines = vms(1);
    let wish = |froze: u32, says: u32| {
        let fleet = web(|policy| policy.failures.retries = says);
        let mut domain = running(fleet.clone(), &machines, now());
        Arc::make_mut(&mut only(&mut domain).terms).retries = froze;
        let mut earlier = run(&fleet, &[&machines[0]]);
        earlier.name = "web-0".into();
        put(
            &mut earlier,
            &machines[0],
            Step::Failed,
            opens() - hours(24),
        );
        earlier.progress.get_mut(&machines[0].id).unwrap().reason = Some(StepReason::InstallFailed);
        earlier.end = Some(RunEnd::Failed);
        domain.runs.insert(earlier.name.clone(), earlier);
        sent(&plan(&snapshot(domain), now())).len()
    };
    assert_eq!(wish(1, 1), 1);
    assert_eq!(wish(1, 0), 0, "narrowed");
    assert_eq!(wish(0, 1), 0, "widened");
}

#[test]
fn a_limit_of_nought_announces_nothing_and_is_named() {
    let machines = vms(2);
    let nought = web(|policy| policy.stages = vec![stage("all", count(0))]);
    let plan = plan(&snapshot(domain([nought], machines.clone(), now())), now());
    assert_eq!(drafted(&plan), [[""; 0]; 0]);
    assert_eq!(reason(&plan, &machines[0]), "LimitIsZero");
}

/// An install of the release that failed, by whomever.
fn in_vain(at: DateTime<Utc>) -> InstallRecord {
    InstallRecord {
        activity: format!("activity-{at}"),
        started: at,
        modified: at + minutes(20),
        status: InstallStatus::Failed,
        reboot: RebootStatus::NotNeeded,
        installed: Vec::new(),
        failed: vec![kb(BASELINE_KB)],
        window_exceeded: false,
    }
}

#[test]
fn what_was_tried_counts_though_its_run_was_deleted() {
    let tried = |before: &[DateTime<Utc>]| {
        let mut machine = due_vm("vm01").machine();
        machine.installs = before.iter().rev().map(|at| in_vain(*at)).collect();
        plan(&snapshot(domain([fleet("web")], [machine], now())), now())
    };
    let (earlier, before) = (opens() - hours(24), opens() - hours(48));
    let in_this = opens() + minutes(5);
    assert_eq!(drafted(&tried(&[])), [["vm01"]]);
    assert_eq!(drafted(&tried(&[earlier])), [["vm01"]], "one try is left");
    assert_eq!(
        drafted(&tried(&[in_this])),
        [[""; 0]; 0],
        "in a later window"
    );
    assert_eq!(
        drafted(&tried(&[before, earlier])),
        [[""; 0]; 0],
        "none is left"
    );
    let long_ago = opens() - hours(24 * 40);
    assert_eq!(
        drafted(&tried(&[long_ago, long_ago + hours(1)])),
        [["vm01"]],
        "those before the release are none"
    );

    let mut machine = due_vm("vm01").machine();
    machine.installs = vec![in_vain(earlier), in_vain(before)];
    let mut asked = domain([fleet("web")], [machine.clone()], now());
    let fleet = asked.fleets[0].fleet.as_mut().unwrap();
    fleet.retries = vec![retry(&machine, opens())];
    assert_eq!(
        drafted(&plan(&snapshot(asked), now())),
        [["vm01"]],
        "a person asked"
    );

    let fleet = crate::domain::testkit::fleet("web");
    let exhausted = running(fleet, &[machine], now());
    assert_eq!(sent(&plan(&snapshot(exhausted), now())), [""; 0]);
}

#[test]
fn a_machine_that_a_person_let_go_of_waits_until_the_command_cannot_arrive() {
    let machines = vms(1);
    let mut domain = running(fleet("web"), &machines, now());
    Arc::make_mut(&mut only(&mut domain).terms).window.end = opens() + minutes(50);
    put(
        only(&mut domain),
        &machines[0],
        Step::Skipped,
        opens() + minutes(40),
    );
    let progress = only(&mut domain).progress.get_mut(&machines[0].id).unwrap();
    progress.reason = Some(StepReason::LetGo);
    progress.intent_at = Some(opens() + minutes(10));
    only(&mut domain).end = Some(RunEnd::Complete);
    let fleet = domain.fleets[0].fleet.as_mut().unwrap();
    fleet.retries = vec![retry(&machines[0], opens() + minutes(55))];
    let at = |after: TimeDelta| {
        let mut domain = domain.clone();
        domain.inventory.as_mut().unwrap().at = opens() + after;
        drafted(&plan(&snapshot(domain), opens() + after)).len()
    };
    assert_eq!(at(minutes(129)), 0);
    assert_eq!(at(minutes(130)), 1);
}

/// Two namespaces that want the same machine; the first fleet is the older one.
fn rivals(change: impl FnOnce(&mut Domain)) -> (Snapshot, Machine) {
    let machine = due_vm("vm01").machine();
    let mut older = fleet("web");
    older.created_at = at("2025-01-01");
    let mut younger = fleet("shop");
    younger.key.namespace = "other".into();
    let mut first = domain([older], [machine.clone()], now());
    change(&mut first);
    let mut both = snapshot(first);
    let second = domain([younger], [machine.clone()], now());
    both.domains.insert("other".into(), second);
    (both, machine)
}

#[test]
fn what_an_older_fleet_may_want_is_not_handed_over_while_it_cannot_be_read() {
    type Change = fn(&mut Domain);
    let rows: [(&str, Change, usize); 7] = [
        ("read", |_| {}, 0),
        (
            "unreadable",
            |own| own.inventory = Err("timed out".into()),
            0,
        ),
        (
            "stale",
            |own| {
                let inventory = own.inventory.as_mut().unwrap();
                (inventory.at, inventory.machines) = (now() - minutes(11), BTreeMap::new());
            },
            0,
        ),
        (
            "unresolved",
            |own| own.fleets[0] = faulty(own.fleets[0].fleet.as_ref().unwrap()),
            0,
        ),
        (
            "elsewhere",
            |own| {
                own.inventory = Err("timed out".into());
                own.fleets[0].wants.as_mut().unwrap().scope = FleetScope::default();
            },
            1,
        ),
        (
            "without a right",
            |own| {
                own.inventory = Err("denied".into());
                own.identity_gone = Some("denied".into());
            },
            1,
        ),
        (
            "observing",
            |own| {
                own.fleets[0].fleet.as_mut().unwrap().mode = Mode::Observe;
                own.fleets[0].wants.as_mut().unwrap().mode = Mode::Observe;
            },
            1,
        ),
    ];
    for (what, change, announced) in rows {
        let (snapshot, _) = rivals(change);
        let plan = plan(&snapshot, now());
        let of_younger = plan
            .drafts
            .iter()
            .filter(|own| own.fleet.namespace == "other");
        assert_eq!(of_younger.count(), announced, "{what}");
    }
}

#[test]
fn a_machine_stays_with_the_run_that_commands_it_though_another_namespace_names_it_too() {
    let (mut both, machine) = rivals(|own| {
        let fleet = own.fleets[0].fleet.clone().unwrap();
        let own_run = run(
            &fleet,
            &[&own
                .inventory
                .as_ref()
                .unwrap()
                .machines
                .values()
                .next()
                .unwrap()
                .as_ref()
                .clone()],
        );
        own.runs.insert(own_run.name.clone(), own_run);
    });
    assert_eq!(sent(&plan(&both, now())), ["vm01"]);
    let other = both.domains.get_mut("other").unwrap();
    let fleet = other.fleets[0].fleet.clone().unwrap();
    let mut theirs = run(&fleet, &[&machine]);
    put(&mut theirs, &machine, Step::Running, opens());
    other.runs.insert(theirs.name.clone(), theirs);
    assert_eq!(sent(&plan(&both, now())), [""; 0]);
}

#[test]
fn a_fleet_whose_limits_are_not_known_keeps_its_neighbours_from_announcing() {
    let alone = domain([fleet("web")], vms(2), now());
    assert_eq!(drafted(&plan(&snapshot(alone.clone()), now())).len(), 1);
    let mut both = alone;
    both.fleets.push(faulty(&fleet("shop")));
    let plan = plan(&snapshot(both), now());
    assert_eq!(drafted(&plan), [[""; 0]; 0]);
    let waits = plan
        .outlooks
        .values()
        .next()
        .unwrap()
        .waits
        .clone()
        .unwrap();
    assert_eq!(waits.reason, "NeighbourUnresolved");
}

#[test]
fn guests_whose_cluster_is_not_known_are_worked_on_one_at_a_time_and_with_no_other() {
    let guest = |name: &str, cluster: Option<&str>| {
        let own = crate::domain::testkit::local(name).baseline_due();
        match cluster {
            Some(cluster) => own.cluster(cluster).machine(),
            None => own.with(|own| own.placement.cluster = None).machine(),
        }
    };
    let goes = |machines: &[Machine]| {
        sent(&plan(
            &snapshot(running(fleet("web"), machines, now())),
            now(),
        ))
    };
    let (a, b) = (guest("a", None), guest("b", None));
    assert_eq!(goes(&[a.clone(), b.clone()]), ["a"]);
    assert_eq!(goes(&[a.clone(), guest("c", Some("c1"))]).len(), 1);
    let server = crate::domain::testkit::arc("srv").baseline_due().machine();
    assert_eq!(
        goes(&[a.clone(), server]).len(),
        2,
        "a server stands in no cluster"
    );
    let sick = b.clone();
    let mut domain = running(fleet("web"), std::slice::from_ref(&a), now());
    let mut down = sick;
    down.health = crate::domain::machine::Health::Unhealthy("off".into());
    domain
        .inventory
        .as_mut()
        .unwrap()
        .machines
        .extend(by_id([down]));
    assert_eq!(
        sent(&plan(&snapshot(domain), now())),
        [""; 0],
        "all unknown ones are one cluster"
    );
}
