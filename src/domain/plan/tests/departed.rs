//! The way back for machines whose fleet was deleted.

use super::*;
use crate::domain::enrolment::{CLAIM_TAG, Claim, ClaimIdentity, Earlier, TagChange, claim_of};
use crate::domain::fleet::{FleetScope, Mode};
use crate::domain::snapshot::{Departed, FleetView};
use crate::domain::testkit::view;

fn now() -> DateTime<Utc> {
    opens() + minutes(30)
}

/// A machine that a fleet claims, and of which it remembers that nobody assessed it before.
fn claimed(by: &str) -> Machine {
    let claim = Claim {
        earlier: Earlier {
            periodic_assessment: Some(false),
            ..Earlier::default()
        },
        ..Claim::new(ClaimIdentity::new("cluster-1", by).unwrap())
    };
    let claim = claim.to_string();
    let machine = due_vm("vm01").tags(&[("app", "shop"), (CLAIM_TAG, &claim)]);
    machine
        .change(|own| own.settings.periodic_assessment = true)
        .machine()
}

/// A namespace whose fleet `old` was deleted.
fn left(machine: &Machine) -> Domain {
    let mut domain = domain([], [machine.clone()], now());
    domain.departed = vec![Departed {
        key: fleet("old").key,
        uid: "uid-old".to_owned(),
        service_account: "hotpatch".to_owned(),
    }];
    domain
}

/// What becomes of the machine: nothing, put back, or taken over by whom.
fn becomes(domain: Domain) -> String {
    let plan = plan(&snapshot(domain), now());
    if let [own] = plan.restores.as_slice() {
        assert_eq!(own.change.tag, TagChange::Remove);
        assert_eq!(own.change.settings.periodic_assessment, Some(false));
        assert_eq!(own.service_account, "hotpatch");
        assert!(plan.changes.is_empty());
        return "back".to_owned();
    }
    match plan.changes.as_slice() {
        [(_, own)] => {
            let TagChange::Set(text) = &own.tag else {
                return "changed".to_owned();
            };
            let claim: Claim = text.parse().unwrap();
            assert_eq!(claim.earlier.periodic_assessment, Some(false));
            claim.identity.fleet
        }
        _ => "nothing".to_owned(),
    }
}

#[test]
fn settings_of_a_deleted_fleet_go_back_unless_something_is_under_way_or_unknown() {
    type Change = fn(&mut Domain, &Machine);
    let rows: [(&str, Change, &str); 6] = [
        ("nothing in the way", |_, _| {}, "back"),
        ("it lives", |own, _| own.departed.clear(), "nothing"),
        (
            "what was read is too old",
            |own, _| own.inventory.as_mut().unwrap().at = now() - minutes(11),
            "nothing",
        ),
        (
            "a run of it is followed",
            |own, machine| {
                let mut run = run(&fleet("old"), &[machine]);
                put(&mut run, machine, Step::Running, opens());
                own.runs.insert(run.name.clone(), run);
            },
            "nothing",
        ),
        (
            "a run that cannot be read names it",
            |own, machine| {
                own.held.insert(machine.id.clone(), "broken".to_owned());
            },
            "nothing",
        ),
        (
            "an operation is on it",
            |own, machine| {
                let mut machine = machine.clone();
                machine.busy = Some("updating".to_owned());
                own.inventory.as_mut().unwrap().machines = by_id([machine]);
            },
            "nothing",
        ),
    ];
    for (what, change, expected) in rows {
        let machine = claimed("uid-old");
        let mut domain = left(&machine);
        change(&mut domain, &machine);
        assert_eq!(becomes(domain), expected, "{what}");
    }
}

#[test]
fn only_its_own_claims_go_back() {
    for by in ["uid-other", "uid-web"] {
        assert_eq!(becomes(left(&claimed(by))), "nothing", "{by}");
    }
}

#[test]
fn a_living_fleet_takes_the_claim_over_and_keeps_what_stood_before() {
    type Change = fn(&mut FleetView, &mut Domain);
    fn fleet_of(view: &mut FleetView, change: impl FnOnce(&mut Fleet)) {
        change(view.fleet.as_mut().unwrap());
        let own = view.fleet.clone().unwrap();
        let wants = view.wants.as_mut().unwrap();
        (wants.mode, wants.selector) = (own.mode, own.selector);
    }
    let rows: [(&str, Change, &str); 7] = [
        ("in Enforce", |_, _| {}, "uid-web"),
        (
            "in Enrol",
            |own, _| fleet_of(own, |own| own.mode = Mode::Enrol),
            "uid-web",
        ),
        (
            "in Observe",
            |own, _| fleet_of(own, |own| own.mode = Mode::Observe),
            "back",
        ),
        (
            "that selects others",
            |own, _| {
                fleet_of(own, |own| {
                    own.selector.locations = ["uksouth".to_owned()].into();
                })
            },
            "back",
        ),
        (
            "that looks elsewhere",
            |own, _| {
                own.wants.as_mut().unwrap().scope = FleetScope::default();
                own.fleet = faulty(&fleet("web")).fleet;
            },
            "back",
        ),
        (
            "that cannot be resolved",
            |own, _| own.fleet = faulty(&fleet("web")).fleet,
            "nothing",
        ),
        (
            "that cannot be read",
            |own, _| {
                own.wants = None;
                own.fleet = faulty(&fleet("web")).fleet;
            },
            "nothing",
        ),
    ];
    for (what, change, expected) in rows {
        let machine = claimed("uid-old");
        let mut domain = left(&machine);
        let mut web = view(fleet("web"));
        change(&mut web, &mut domain);
        domain.fleets.push(web);
        assert_eq!(becomes(domain), expected, "{what}");
        assert!(claim_of(&machine).unwrap().is_some());
    }
}

#[test]
fn a_claim_that_is_taken_over_is_written_though_nothing_else_differs() {
    use crate::domain::enrolment::{Desired, take_over};
    let machine = claimed("uid-old");
    let identity = ClaimIdentity::new("cluster-1", "uid-web").unwrap();
    let nothing = Desired {
        patch_mode: None,
        periodic_assessment: Some(true),
        hotpatch: None,
        reboot: None,
        licence: None,
    };
    let change = take_over(&machine, &nothing, &identity).unwrap().unwrap();
    assert!(change.settings.is_empty());
    let TagChange::Set(text) = change.tag else {
        panic!("the claim is written");
    };
    let claim: Claim = text.parse().unwrap();
    assert_eq!(claim.identity, identity);
    assert_eq!(claim.earlier.periodic_assessment, Some(false));
}

#[test]
fn a_claim_that_no_fleet_can_have_made_is_taken_over_where_every_fleet_is_seen() {
    let machine = claimed("uid-unseen");
    for (sees_every_fleet, expected) in [(true, "uid-web"), (false, "nothing")] {
        let mut snapshot = snapshot(domain([fleet("web")], [machine.clone()], now()));
        snapshot.sees_every_fleet = sees_every_fleet;
        let plan = plan(&snapshot, now());
        let taken = plan.changes.first().map(|(_, own)| match &own.tag {
            TagChange::Set(text) => text.parse::<Claim>().unwrap().identity.fleet,
            _ => "changed".to_owned(),
        });
        assert_eq!(taken.as_deref().unwrap_or("nothing"), expected);
    }
}

#[test]
fn a_machine_that_another_claims_is_in_no_run() {
    let due = |claim: &str| {
        let machine = due_vm("vm01").tags(&[("app", "shop"), (CLAIM_TAG, claim)]);
        let domain = domain([fleet("web")], [machine.machine()], now());
        let plan = plan(&snapshot(domain), now());
        let notes = &plan.outlooks.values().next().unwrap().notes;
        let reason = notes.values().next().map(|own| own.reason.clone());
        (plan.drafts.len(), reason.unwrap_or_default())
    };
    let claim = |cluster: &str, fleet: &str| {
        Claim::new(ClaimIdentity::new(cluster, fleet).unwrap()).to_string()
    };
    assert_eq!(due(&claim("cluster-1", "uid-web")).0, 1);
    for foreign in [
        claim("cluster-1", "uid-old"),
        claim("cluster-2", "uid-web"),
        "?".to_owned(),
    ] {
        let (drafts, reason) = due(&foreign);
        assert_eq!(
            (drafts, reason.as_ref()),
            (0, "SettingsRefused"),
            "{foreign}"
        );
    }
}
