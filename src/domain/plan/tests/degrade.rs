//! What cannot be read allows nothing: losing a fact never adds a command.

use std::collections::BTreeSet;

use super::*;
use crate::domain::machine::ZonePlace;
use crate::domain::track::fixture::degradations;

fn now() -> DateTime<Utc> {
    opens() + minutes(30)
}

/// The facts of a place, tags and an unread operation, beside those of the machine's own kit.
fn losses(machine: &Machine) -> Vec<(String, Machine)> {
    let mut all = degradations(machine);
    let mut lose = |what: &str, change: &dyn Fn(&mut Machine)| {
        let mut less = machine.clone();
        change(&mut less);
        if less != *machine {
            all.push((what.to_owned(), less));
        }
    };
    lose("zone", &|own| {
        if own.placement.zone != ZonePlace::Regional {
            own.placement.zone = ZonePlace::Unknown;
        }
    });
    lose("update domain", &|own| {
        if let Some(set) = &mut own.placement.availability_set {
            set.update_domain = None;
        }
    });
    lose("fault domain", &|own| {
        if let Some((_, domain)) = &mut own.placement.flexible_scale_set {
            *domain = None;
        }
    });
    lose("tags", &|own| {
        own.tags = crate::domain::machine::Tags::default()
    });
    all
}

/// Machines of every kind of place, in one run, with limits wide enough that each is asked on its
/// own merits.
fn crowd() -> Vec<Machine> {
    let tagged =
        |name: &str, order: &str| due_vm(name).tags(&[("app", "shop"), ("patch-order", order)]);
    vec![
        due_vm("plain").machine(),
        tagged("first", "1").machine(),
        tagged("second", "2").machine(),
        due_vm("zoned").zone("az1").machine(),
        due_vm("other-zone").zone("az2").machine(),
        due_vm("in-set").set("set1", Some(0)).machine(),
        due_vm("in-same").set("set1", Some(0)).machine(),
        due_vm("in-flex").flex("flex1", Some(0)).machine(),
        due_vm("flex-too").flex("flex1", Some(1)).machine(),
        crate::domain::testkit::arc("server")
            .site("berlin")
            .baseline_due()
            .machine(),
        crate::domain::testkit::local("guest")
            .site("berlin")
            .cluster("c1")
            .baseline_due()
            .machine(),
        due_vm("settled")
            .installed("KB5087423", "2026-06-01", RebootStatus::Completed)
            .assessed("2026-07-18T20:00:00Z")
            .offered(BASELINE_KB, crate::domain::machine::RebootBehavior::Always)
            .machine(),
    ]
}

fn sends(domain: &Domain) -> BTreeSet<String> {
    sent(&plan(&snapshot(domain.clone()), now()))
        .into_iter()
        .collect()
}

fn candidates(domain: &Domain) -> BTreeSet<String> {
    drafted(&plan(&snapshot(domain.clone()), now()))
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn losing_a_fact_of_a_machine_in_a_run_adds_no_command() {
    let fleet = web(|policy| policy.groups = vec![group("app", count(2))]);
    let machines = crowd();
    let domain = running(fleet, &machines, now());
    let before = sends(&domain);
    assert!(before.len() > 3, "{before:?}");
    let mut asked = 0;
    for machine in &machines {
        for (what, less) in losses(machine) {
            let mut domain = domain.clone();
            domain
                .inventory
                .as_mut()
                .unwrap()
                .machines
                .extend(by_id([less]));
            let added: Vec<String> = sends(&domain)
                .into_iter()
                .filter(|name| !before.contains(name) && !freed_by(&machine.name, &what, name))
                .collect();
            assert!(
                added.is_empty(),
                "without the {what} of {}: {added:?}",
                machine.name
            );
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked} facts were lost");
}

/// A machine that was going and now is not frees the domain it closed and its share of a limit:
/// the zone of `zoned` keeps out `other-zone`, and so on. And one of a group that is known not to
/// be hotpatched, as these losses read, holds nobody up. That is the turn of another, not a
/// command more.
fn freed_by(lost: &str, what: &str, added: &str) -> bool {
    const KNOWN: [&str; 4] = ["patch mode", "image", "osProfile", "tags"];
    let pairs = [
        ("zoned", "other-zone"),
        ("in-flex", "flex-too"),
        ("in-set", "in-same"),
    ];
    let alike = |own: &(&str, &str)| *own == (lost, added) || *own == (added, lost);
    pairs.iter().any(alike) || ((lost, added) == ("first", "second") && KNOWN.contains(&what))
}

#[test]
fn losing_a_fact_of_a_machine_never_announces_it() {
    let machines = crowd();
    for machine in &machines {
        let alone = domain([fleet("web")], [machine.clone()], now());
        let before = candidates(&alone);
        for (what, less) in losses(machine) {
            let after = candidates(&domain([fleet("web")], [less], now()));
            assert!(
                after.is_subset(&before),
                "without the {what} of {}",
                machine.name
            );
        }
    }
}

#[test]
fn losing_a_fact_of_one_that_is_worked_on_adds_no_command() {
    let fleet = web(|policy| {
        policy.stages = vec![stage("all", count(2))];
        policy.groups = vec![group("app", count(1))];
    });
    for machine in crowd() {
        let mut machines = vec![machine.clone()];
        machines.extend(vms(3));
        machines.push(due_vm("zz").zone("az3").tags(&[("app", "shop")]).machine());
        let mut domain = running(fleet.clone(), &machines, now());
        put(
            only(&mut domain),
            &machine,
            Step::Running,
            now() - minutes(10),
        );
        let run = only(&mut domain);
        Arc::make_mut(&mut run.terms).limits = vec![crate::domain::run::FrozenLimit {
            key: crate::domain::run::LimitKey::Stage {
                fleet: "web".into(),
                stage: "all".into(),
            },
            max: 2,
        }];
        let before = sends(&domain);
        for (what, less) in losses(&machine) {
            let mut domain = domain.clone();
            domain
                .inventory
                .as_mut()
                .unwrap()
                .machines
                .extend(by_id([less]));
            let after = sends(&domain);
            assert!(
                after.is_subset(&before),
                "without the {what} of {}",
                machine.name
            );
        }
        let mut missing = domain.clone();
        missing
            .inventory
            .as_mut()
            .unwrap()
            .machines
            .remove(&machine.id);
        assert!(
            sends(&missing).is_subset(&before),
            "{} missing",
            machine.name
        );
    }
}

#[test]
fn losing_the_fleet_the_inventory_or_a_run_adds_no_command() {
    let fleet = fleet("web");
    let machines = vms(4);
    let domain = running(fleet.clone(), &machines, now());
    let before = sends(&domain);
    type Loss = fn(&mut Domain);
    let losses: [Loss; 5] = [
        |own| own.inventory = Err("timed out".into()),
        |own| own.fleets[0] = faulty(&crate::domain::testkit::fleet("web")),
        |own| own.fleets.clear(),
        |own| own.unreadable_runs.push("web-1".into()),
        |own| {
            for run in own.runs.values_mut() {
                run.quarantined = Some("progress of vm01".into());
            }
        },
    ];
    for (index, loss) in losses.into_iter().enumerate() {
        let mut domain = domain.clone();
        loss(&mut domain);
        let plan = plan(&snapshot(domain), now());
        let after: BTreeSet<String> = sent(&plan).into_iter().collect();
        assert!(after.is_subset(&before), "loss {index}");
        assert!(plan.drafts.is_empty(), "loss {index}");
    }
}
