//! Which guests are looked into.

use std::sync::Arc;

use super::*;
use crate::domain::fleet::Mode;
use crate::domain::machine::{
    Agent, ArcFacts, Facts, Health, Licence, MachineKind, RebootBehavior,
};
use crate::domain::testkit::{Builder, arc, closes};

/// The window is over.
fn morning() -> DateTime<Utc> {
    closes() + hours(2)
}

/// An Arc server that Azure finds unfit, and whose guest said nothing yet.
fn unfit() -> Machine {
    let told = |facts: &mut ArcFacts| {
        (facts.vbs_running, facts.enablement) = (None, Some("ActionRequired".to_owned()));
    };
    arc("server-1").arc(told).machine()
}

type Turn = fn(&mut Snapshot, &mut DateTime<Utc>);

fn of_fleet(snapshot: &mut Snapshot, change: impl FnOnce(&mut Fleet)) {
    let domain = snapshot.domains.values_mut().next().unwrap();
    change(domain.fleets[0].fleet.as_mut().unwrap());
}

fn of_machine(snapshot: &mut Snapshot, change: impl FnOnce(&mut Machine)) {
    let domain = snapshot.domains.values_mut().next().unwrap();
    let machines = &mut domain.inventory.as_mut().unwrap().machines;
    change(Arc::make_mut(machines.values_mut().next().unwrap()));
}

fn of_facts(snapshot: &mut Snapshot, change: impl FnOnce(&mut ArcFacts)) {
    of_machine(snapshot, |machine| match &mut machine.facts {
        Facts::ArcServer(facts) => change(facts),
        _ => unreachable!(),
    });
}

#[test]
fn a_guest_is_asked_where_azure_finds_it_unfit_and_nothing_else_is_known() {
    let rows: [(&str, bool, Turn); 15] = [
        ("an unfit server", true, |_, _| {}),
        ("fleet in Enrol", true, |own, _| {
            of_fleet(own, |fleet| fleet.mode = Mode::Enrol);
        }),
        ("it said that security is off", true, |own, _| {
            of_facts(own, |facts| facts.vbs_running = Some(false));
        }),
        (
            "it said that it runs, and Azure is not content",
            true,
            |own, _| {
                of_facts(own, |facts| facts.vbs_running = Some(true));
            },
        ),
        ("no scripts", false, |own, _| own.run_commands = false),
        ("fleet in Observe", false, |own, _| {
            of_fleet(own, |fleet| fleet.mode = Mode::Observe);
        }),
        ("suspended", false, |own, _| {
            of_fleet(own, |fleet| fleet.suspended = true);
        }),
        ("window open", false, |_, now| *now = opens() + minutes(5)),
        ("old inventory", false, |_, now| *now += minutes(11)),
        ("not evaluated yet", false, |own, _| {
            of_facts(own, |facts| {
                facts.enablement = Some("PendingEvaluation".to_owned())
            });
        }),
        ("in force", false, |own, _| {
            of_facts(own, |facts| facts.enablement = Some("Enabled".to_owned()));
        }),
        ("another reason is known", false, |own, _| {
            of_facts(own, |facts| facts.licence = Licence::Failed);
        }),
        ("not selected", false, |own, _| {
            of_fleet(own, |fleet| {
                fleet.selector.kinds = [MachineKind::AzureVm].into()
            });
        }),
        ("busy", false, |own, _| {
            of_machine(own, |machine| machine.busy = Some("Updating".to_owned()));
        }),
        ("not healthy", false, |own, _| {
            of_machine(own, |machine| {
                machine.health = Health::Unhealthy("down".to_owned())
            });
        }),
    ];
    for (what, expected, turn) in rows {
        let mut own = snapshot(domain([fleet("web")], vec![unfit()], morning()));
        own.run_commands = true;
        let mut now = morning();
        turn(&mut own, &mut now);
        if what == "window open" {
            let domain = own.domains.values_mut().next().unwrap();
            domain.inventory.as_mut().unwrap().at = now;
        }
        let found = plan(&own, now).guest_looks.len();
        assert_eq!(found == 1, expected, "{what}");
    }
}

#[test]
fn a_guest_that_a_run_names_is_left_alone() {
    let machine = unfit();
    let fleet = fleet("web");
    let run = run(&fleet, &[&machine]);
    let now = opens() - hours(1);
    let mut domain = domain([fleet], vec![machine], now);
    for (is_named, expected) in [(false, 1), (true, 0)] {
        if is_named {
            domain.runs.insert(run.name.clone(), run.clone());
        }
        let mut own = snapshot(domain.clone());
        own.run_commands = true;
        assert_eq!(plan(&own, now).guest_looks.len(), expected, "{is_named}");
    }
}

/// A VM that is offered the standard update of August, and nothing tells why.
fn off_track() -> Builder {
    let assessed = vm("vm1").assessed("2026-08-15T20:00:00Z");
    assessed.offered("KB5120233", RebootBehavior::Always)
}

#[test]
fn a_vm_is_asked_while_it_is_off_the_track_for_no_reason() {
    let not_ready = off_track().vm(|vm| vm.agent = Agent::NotReady);
    let rows = [
        ("off the track", off_track(), true),
        ("agent not ready", not_ready, false),
        ("due", vm("vm1").hotpatch_due(), false),
    ];
    let now = at("2026-08-15T20:30:00Z");
    for (what, machine, expected) in rows {
        let mut own = snapshot(domain([fleet("web")], vec![machine.machine()], now));
        own.run_commands = true;
        let found = plan(&own, now);
        let outlook = found.outlooks.values().next().unwrap();
        let track = &outlook.roster.values().next().unwrap().track;
        assert_eq!(found.guest_looks.len() == 1, expected, "{what}: {track:?}");
    }
}
