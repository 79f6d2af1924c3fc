//! Machines that nobody can read are in nobody's count: what they may share allows nothing.

use std::collections::BTreeSet;

use super::*;
use crate::domain::fleet::FleetScope;
use crate::domain::machine::MachineKind;
use crate::domain::run::Runs;
use crate::domain::snapshot::{FleetView, Inventory, Sighted};
use crate::domain::testkit::view;

fn now() -> DateTime<Utc> {
    opens() + minutes(30)
}

/// The fleet `web`, in whose policy one machine of an `app` may be unavailable, with a machine that
/// a run of it may command.
fn alone(machine: &Machine) -> Domain {
    let web = web(|policy| policy.groups = vec![group("app", count(1))]);
    running(web, std::slice::from_ref(machine), now())
}

/// A fleet of another identity.
fn shop() -> Fleet {
    Fleet {
        service_account: "shop".to_owned(),
        ..fleet("shop")
    }
}

/// Puts a fleet of another identity beside the one of a domain, with what that identity sees.
fn beside(domain: &mut Domain, shop: FleetView, seen: Result<Inventory, String>) {
    let own = domain.inventory.clone();
    if let (Ok(all), Ok(seen)) = (&mut domain.inventory, &seen) {
        all.machines.extend(seen.machines.clone());
    }
    let sighted = |inventory| Sighted {
        inventory,
        gone: None,
    };
    domain.sights = BTreeMap::from([
        ("hotpatch".to_owned(), sighted(own)),
        ("shop".to_owned(), sighted(seen)),
    ]);
    domain.fleets.push(shop);
}

fn seen(machine: Option<Machine>, minutes_ago: i64) -> Result<Inventory, String> {
    Ok(Inventory::of(now() - minutes(minutes_ago), by_id(machine)))
}

fn unseen() -> Result<Inventory, String> {
    Err("no token".to_owned())
}

fn in_app(name: &str) -> Machine {
    due_vm(name).tags(&[("app", "shop")]).machine()
}

#[test]
fn a_group_waits_while_machines_of_it_may_be_hidden() {
    let down = || due_vm("vm09").tags(&[("app", "shop")]).sick().machine();
    // What the other identity sees, and what becomes of the machine of `web`.
    let rows = [
        (seen(Some(down()), 1), "BudgetExhausted"),
        (seen(Some(in_app("vm09")), 1), "vm01"),
        (seen(None, 10), "vm01"),
        (seen(None, 11), "NeighbourUnread"),
        (unseen(), "NeighbourUnread"),
    ];
    for (place, (other, expected)) in rows.into_iter().enumerate() {
        let machine = in_app("vm01");
        let mut domain = alone(&machine);
        beside(&mut domain, view(shop()), other);
        let plan = plan(&snapshot(domain), now());
        let found = sent(&plan).pop();
        let found = found.unwrap_or_else(|| reason(&plan, &machine));
        assert_eq!(found, expected, "row {place}");
    }
}

#[test]
fn only_what_may_be_shared_waits() {
    let id = |subscription: &str| {
        format!(
            "/Subscriptions/{subscription}/resourceGroups/g/providers/Microsoft.Compute/\
             availabilitySets/a"
        )
    };
    let groups = FleetScope {
        subscriptions: BTreeSet::new(),
        has_groups: true,
    };
    let s1 = FleetScope {
        subscriptions: BTreeSet::from(["s1".to_owned()]),
        has_groups: false,
    };
    let guest = |name| crate::domain::testkit::local(name).baseline_due();
    // The machine, the scope of the fleet that is not seen, and whether the machine waits.
    let rows = [
        (due_vm("vm01"), &s1, false),
        (due_vm("vm01"), &groups, false),
        (due_vm("vm01").tags(&[("app", "shop")]), &s1, true),
        (due_vm("vm01").set(&id("s1"), None), &s1, true),
        (due_vm("vm01").set(&id("s2"), None), &s1, false),
        (due_vm("vm01").set(&id("s2"), None), &groups, true),
        (guest("vm01").cluster("c1"), &s1, true),
    ];
    for (place, (machine, scope, waits)) in rows.into_iter().enumerate() {
        let machine = machine.machine();
        let mut domain = alone(&machine);
        let mut shop = view(shop());
        shop.wants.as_mut().unwrap().scope = scope.clone();
        beside(&mut domain, shop, unseen());
        let plan = plan(&snapshot(domain), now());
        assert_eq!(sent(&plan).is_empty(), waits, "row {place}");
    }
}

#[test]
fn a_fleet_that_its_owner_stopped_is_not_waited_for() {
    type Change = fn(&mut FleetView);
    let rows: [(&str, Change, bool); 5] = [
        ("as it is", |_| {}, true),
        (
            "it observes",
            |own| own.wants.as_mut().unwrap().mode = crate::domain::fleet::Mode::Observe,
            true,
        ),
        (
            "its policy is missing, too",
            |own| own.fleet = faulty(&shop()).fleet,
            true,
        ),
        ("its spec says nothing", |own| own.wants = None, true),
        (
            "it is suspended",
            |own| own.wants.as_mut().unwrap().suspended = true,
            false,
        ),
    ];
    for (what, change, waits) in rows {
        let mut domain = alone(&in_app("vm01"));
        let mut shop = view(shop());
        change(&mut shop);
        beside(&mut domain, shop, unseen());
        let plan = plan(&snapshot(domain), now());
        assert_eq!(sent(&plan).is_empty(), waits, "{what}");
    }
}

#[test]
fn no_run_is_announced_for_what_would_only_wait_and_the_note_names_the_cure() {
    let free = due_vm("vm02").machine();
    let machine = in_app("vm01");
    let mut domain = alone(&machine);
    domain.runs = Runs::new();
    domain
        .inventory
        .as_mut()
        .unwrap()
        .machines
        .extend(by_id([free]));
    let mut shop = view(shop());
    // Else it could be the owner of these machines too.
    let wants = shop.wants.as_mut().unwrap();
    wants.selector.locations = ["uksouth".to_owned()].into();
    beside(&mut domain, shop, unseen());
    let plan = plan(&snapshot(domain), now());
    assert_eq!(drafted(&plan), [["vm02"]]);
    let web = plan.outlooks.iter().find(|(key, _)| key.name == "web");
    let outlook = web.unwrap().1;
    let note = &outlook.notes[&machine.id];
    assert_eq!(note.reason, "NeighbourUnread");
    for word in ["group app=shop", "fleet shop", "suspend or delete it"] {
        assert!(note.message.contains(word), "{}", note.message);
    }
}

#[test]
fn what_was_granted_is_withdrawn_when_a_fleet_appears_that_nobody_read() {
    let machine = in_app("vm01");
    let mut domain = alone(&machine);
    beside(&mut domain, view(shop()), seen(None, 1));
    let granted = plan(&snapshot(domain.clone()), now());
    assert_eq!(sent(&granted), ["vm01"]);
    put(only(&mut domain), &machine, Step::Starting, now());
    domain.fleets.push(view(Fleet {
        service_account: "new".to_owned(),
        ..fleet("new")
    }));
    let name = only(&mut domain).name.clone();
    let (snapshot, none) = (snapshot(domain), BTreeSet::new());
    let mut recheck = Recheck::of_news(&snapshot, NAMESPACE, &none, now()).unwrap();
    let refused = recheck.ask(&name, &machine.id, now()).unwrap_err();
    assert_eq!(refused.reason, "NeighbourUnread");
}

#[test]
fn a_machine_under_command_counts_though_nobody_sees_it() {
    let set = "/subscriptions/s1/resourceGroups/g/providers/Microsoft.Compute/availabilitySets/a";
    let machine = due_vm("vm01").set(set, None).machine();
    let hidden = due_vm("vm09").set(set, None).machine();
    let mut domain = alone(&machine);
    let mut theirs = run(&shop(), &[&hidden]);
    put(&mut theirs, &hidden, Step::Running, opens());
    Arc::make_mut(&mut theirs.terms).limits.clear();
    domain.runs.insert(theirs.name.clone(), theirs);
    // The other fleet is deleted, so nobody waits for what it sees; its run is followed.
    let theirs = domain.runs.len();
    let found = plan(&snapshot(domain.clone()), now());
    assert_eq!((theirs, sent(&found)), (2, vec![]));
    assert_eq!(reason(&found, &machine), "BudgetExhausted");
    let name = domain.runs.values().find(|run| run.fleet.name != "web");
    let name = name.unwrap().name.clone();
    domain.runs.remove(&name);
    assert_eq!(sent(&plan(&snapshot(domain), now())), ["vm01"]);
    assert_eq!(machine.kind, MachineKind::AzureVm);
}
