//! What schedules and policies do to machines, as the emulator shows it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use azure_sim::{ArcSpec, Assigned, DEFAULT_SUBSCRIPTION, Fault, Options, VmSpec};
use chrono::TimeDelta;
use hotpatch_operator::azure::rights::cure;
use hotpatch_operator::domain::authority::steering::{Steering, Why};
use hotpatch_operator::domain::authority::{Finding, Other, Unseen, look};
use hotpatch_operator::domain::machine::{Machine, MachineId, UpdateService};
use serde_json::json;

use super::{Way, World, machine};

const BYPASS: &str = "9905ca54-1471-49c6-8291-7582c04cd4d4";
const RECURRING: &str = "ba0df93e-e4ac-479a-aac2-134bbae39a1a";
const ASSESSES: &str = "59efceea-0c96-497e-a4a1-4eb2290dac15";

both_ways! {
    schedules_are_found_on_machines_and_by_filters,
    policies_are_found_wherever_they_are_assigned,
    a_missing_right_is_named_and_hides_no_machine,
    wsus_is_told_by_the_assessment,
    it_is_read_once_an_hour_and_stands_while_azure_fails,
    a_schedule_reboots_an_arc_server_that_is_assigned_to_it,
}

fn subscription() -> String {
    format!("/subscriptions/{DEFAULT_SUBSCRIPTION}")
}

fn configuration(name: &str) -> String {
    format!(
        "{}/resourceGroups/ops/providers/Microsoft.Maintenance/maintenanceConfigurations/{name}",
        subscription()
    )
}

async fn steering(world: &World) -> (Vec<Arc<Machine>>, Steering) {
    let machines = world.inventory().await.machines;
    let ids: Vec<MachineId> = machines.iter().map(|own| own.id.clone()).collect();
    let found = world
        .cloud
        .steering(&world.scope(), ids.iter(), world.now())
        .await;
    (machines, found)
}

fn names(finding: &Finding<'_>, other: Other) -> Vec<String> {
    let found = finding.others.get(&other).into_iter().flatten();
    found.map(|name| (*name).to_owned()).collect()
}

async fn schedules_are_found_on_machines_and_by_filters(way: Way) {
    let world = World::new(way, Options::default());
    let sim = &world.sim;
    let arc = sim.add_arc(ArcSpec::ws2025_standard("arc-1").tag("Ring", "canary"));
    sim.add_arc(ArcSpec::ws2025_standard("arc-2").tag("ring", "broad"));
    let vm = sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    for (name, reboot) in [
        ("weekly", "IfRequired"),
        ("quiet", "Never"),
        ("ringed", "Always"),
    ] {
        let id = configuration(name);
        sim.put_schedule(&id, "2025-11-22 22:00", "Week Saturday", reboot);
    }
    sim.assign(&arc, "a", Some(&configuration("weekly")));
    sim.assign(&arc, "b", Some(&configuration("quiet")));
    sim.assign(&vm, "a", Some(&configuration("weekly")));
    let filter = json!({
        "resourceTypes": ["Microsoft.HybridCompute/machines"],
        "osTypes": ["Windows"],
        "locations": ["West Europe"],
        "tagSettings": {"tags": {"ring": ["broad"]}, "filterOperator": "All"},
    });
    let ringed = configuration("ringed");
    sim.assign_by_filter(&subscription(), "by-ring", &ringed, &filter);
    sim.assign(&vm, "gone", Some(&configuration("nowhere")));
    world.pass(TimeDelta::minutes(5));
    let (machines, steering) = steering(&world).await;
    let rows: [(&str, &[&str], &[&str]); 3] = [
        ("arc-1", &["weekly"], &["quiet"]),
        ("arc-2", &["ringed"], &[]),
        // Without the bypass flag no schedule drives a VM, whatever it would do.
        ("web-1", &[], &["nowhere", "weekly"]),
    ];
    for (name, drives, idle) in rows {
        let own = machines.iter().find(|own| own.name == name).unwrap();
        let finding = look(own, false, None, &steering);
        assert_eq!(names(&finding, Other::Schedule), drives, "{name}");
        assert_eq!(finding.idle, idle.iter().copied().collect(), "{name}");
        let is_told = |own: &Unseen| matches!(own, Unseen::Maintenance(_) | Unseen::Policies(_));
        assert!(!finding.unseen.keys().any(is_told), "{:?}", finding.unseen);
    }
    sim.assign(&arc, "c", Some(&configuration("elsewhere")));
    world.pass(TimeDelta::hours(1));
    let (machines, steering) = self::steering(&world).await;
    let own = machines.iter().find(|own| own.name == "arc-1").unwrap();
    let finding = look(own, false, None, &steering);
    let hidden: BTreeSet<&str> = finding.unseen[&Unseen::Schedule(None)].clone();
    assert_eq!(hidden, BTreeSet::from(["elsewhere"]), "it does not show");
}

async fn policies_are_found_wherever_they_are_assigned(way: Way) {
    let world = World::new(way, Options::default());
    let sim = &world.sim;
    let vm = sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    sim.add_vm(VmSpec::ws2025_azure_edition("web-2"));
    sim.add_arc(ArcSpec::ws2025_standard("arc-1"));
    let root = "/providers/Microsoft.Management/managementGroups/root";
    let of = |name: &str, scope: &str, definition| Assigned::new(name, scope, definition);
    for policy in [
        of("here", &subscription(), BYPASS),
        Assigned {
            not_scopes: vec![vm.clone()],
            ..of("not-there", &subscription(), BYPASS)
        },
        of("inherited", root, RECURRING),
        Assigned {
            initiative: Some("updates".to_owned()),
            ..of("in-a-set", root, BYPASS)
        },
        Assigned {
            enforced: false,
            ..of("planned", &subscription(), BYPASS)
        },
        Assigned {
            effect: "Disabled".to_owned(),
            ..of("off", root, BYPASS)
        },
        of("assesses", &subscription(), ASSESSES),
        of(
            "unrelated",
            &subscription(),
            "6d02d2f7-e38b-4bdc-96f3-adc0a8726abc",
        ),
        of("elsewhere", "/subscriptions/another", BYPASS),
    ] {
        sim.assign_policy(policy);
    }
    world.pass(TimeDelta::minutes(5));
    let (machines, steering) = steering(&world).await;
    let rows: [(&str, &[&str]); 3] = [
        ("web-1", &["here", "in-a-set", "inherited"]),
        ("web-2", &["here", "in-a-set", "inherited", "not-there"]),
        ("arc-1", &["inherited"]),
    ];
    for (name, expected) in rows {
        let own = machines.iter().find(|own| own.name == name).unwrap();
        let finding = look(own, false, None, &steering);
        assert_eq!(names(&finding, Other::Policy), expected, "{name}");
    }
}

async fn a_missing_right_is_named_and_hides_no_machine(way: Way) {
    let assignments = "Microsoft.Maintenance/configurationAssignments/read";
    let policies = "Microsoft.Authorization/policyAssignments/read";
    let states = "Microsoft.PolicyInsights/policyStates/queryResults/read";
    let permissions = "Microsoft.Authorization/permissions/read";
    let lacks = |action: &'static str| Why::Lacks {
        action,
        cure: cure(action).into(),
    };
    let rows = [
        (assignments, vec![Unseen::Maintenance(lacks(assignments))]),
        (policies, vec![Unseen::Policies(lacks(policies))]),
        (states, vec![Unseen::Policies(lacks(states))]),
        (
            "Microsoft.Maintenance/maintenanceConfigurations/read",
            vec![Unseen::Schedule(Some(lacks(
                "Microsoft.Maintenance/maintenanceConfigurations/read",
            )))],
        ),
        (
            permissions,
            vec![
                Unseen::Maintenance(lacks(permissions)),
                Unseen::Policies(lacks(permissions)),
            ],
        ),
    ];
    for (action, expected) in rows {
        let world = World::new(way, Options::default());
        let arc = world.sim.add_arc(ArcSpec::ws2025_standard("arc-1"));
        let weekly = configuration("weekly");
        let put = |reboot| {
            let sim = &world.sim;
            sim.put_schedule(&weekly, "2025-11-22 22:00", "Day", reboot);
        };
        put("Never");
        world.sim.assign(&arc, "a", Some(&weekly));
        world.sim.withhold(action);
        world.pass(TimeDelta::minutes(5));
        let (machines, steering) = steering(&world).await;
        assert_eq!(machines.len(), 1, "{action}");
        let finding = look(&machines[0], false, None, &steering);
        let is_own = |own: &&Unseen| !matches!(own, Unseen::Guest | Unseen::Settings);
        let found: Vec<Unseen> = finding.unseen.keys().filter(is_own).cloned().collect();
        assert_eq!(found, expected, "{action}");
    }
}

async fn wsus_is_told_by_the_assessment(way: Way) {
    let world = World::new(way, Options::default());
    let vm = world.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let arc = world.sim.add_arc(ArcSpec::ws2025_standard("arc-1"));
    world.sim.add_vm(VmSpec::ws2025_azure_edition("web-2"));
    for id in [&vm, &arc] {
        world.sim.set_wsus(id, true);
    }
    for (id, kind) in world
        .inventory()
        .await
        .machines
        .iter()
        .map(|m| (&m.id, m.kind))
    {
        let request = super::request(7);
        let operation = world.cloud.assess(id, kind, request).await.unwrap();
        world.end(&operation).await;
    }
    world.pass(TimeDelta::minutes(5));
    let inventory = world.inventory().await;
    for (name, expected) in [
        ("web-1", UpdateService::Wsus),
        ("arc-1", UpdateService::Wsus),
        ("web-2", UpdateService::WindowsUpdate),
    ] {
        let own = machine(&inventory, name);
        assert_eq!(own.assessment.as_ref().unwrap().service, expected, "{name}");
        let nobody = Steering::default();
        let finding = look(own, false, None, &nobody);
        let is_wsus = finding.others.contains_key(&Other::Wsus);
        assert_eq!(is_wsus, expected == UpdateService::Wsus, "{name}");
    }
}

async fn it_is_read_once_an_hour_and_stands_while_azure_fails(way: Way) {
    let world = World::new(way, Options::default());
    world.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    world
        .sim
        .assign_policy(Assigned::new("here", &subscription(), BYPASS));
    world.pass(TimeDelta::minutes(5));
    let ids: Vec<MachineId> = world
        .inventory()
        .await
        .machines
        .iter()
        .map(|own| own.id.clone())
        .collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let fails = Arc::new(AtomicUsize::new(0));
    let (count, failing) = (Arc::clone(&asked), Arc::clone(&fails));
    world.sim.on_call(move |_: &http::Request<bytes::Bytes>| {
        count.fetch_add(1, Ordering::SeqCst);
        match failing.load(Ordering::SeqCst) {
            0 => Fault::None,
            _ => Fault::Status(503, String::new(), None),
        }
    });
    // Minutes since the last row, whether Azure fails, the requests so far, and whether the
    // policy is known.
    let rows = [
        (0, false, 3, true),
        (30, false, 3, true),
        (30, false, 6, true),
        (60, true, 9, true),
        (4, true, 9, true),
        (1, true, 12, true),
        (6 * 60, true, 15, false),
        (5, false, 18, true),
    ];
    for (number, (minutes, is_failing, requests, is_known)) in rows.into_iter().enumerate() {
        world.pass(TimeDelta::minutes(minutes));
        fails.store(usize::from(is_failing), Ordering::SeqCst);
        let found = world
            .cloud
            .steering(&world.scope(), ids.iter(), world.now())
            .await;
        assert_eq!(asked.load(Ordering::SeqCst), requests, "row {number}");
        assert_eq!(
            !found.policies.is_empty(),
            is_known,
            "row {number}: {found:?}"
        );
    }
}

async fn a_schedule_reboots_an_arc_server_that_is_assigned_to_it(way: Way) {
    let world = World::new(way, Options::default());
    let driven = world.sim.add_arc(ArcSpec::ws2025_standard("arc-1"));
    let other = world.sim.add_arc(ArcSpec::ws2025_standard("arc-2"));
    let vm = world.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let weekly = configuration("weekly");
    world
        .sim
        .put_schedule(&weekly, "2025-11-22 22:00", "Week Saturday", "Always");
    for id in [&driven, &vm] {
        world.sim.assign(id, "a", Some(&weekly));
    }
    for _ in 0..80 {
        world.pass(TimeDelta::hours(1));
    }
    let inventory = world.inventory().await;
    for (id, runs) in [(driven, 1), (other, 0), (vm, 0)] {
        let id = MachineId::parse(&id).unwrap();
        let own = inventory.machines.iter().find(|own| own.id == id).unwrap();
        assert_eq!(own.installs.len(), runs, "{id}: {:?}", own.installs);
    }
}
