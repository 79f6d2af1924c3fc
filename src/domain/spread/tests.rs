#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use super::*;
use crate::domain::machine::Machine;
use crate::domain::testkit::{Builder, Placed, arc, local, vm};

fn place(machine: &Machine) -> Place<'_> {
    Place {
        kind: machine.kind,
        placement: &machine.placement,
    }
}

/// What keeps two machines apart, asked both ways round: the answers must agree.
fn between(a: &Machine, b: &Machine, spread: Spread) -> Option<Apart> {
    let there = apart(place(a), place(b), spread, Regions::embedded());
    let back = apart(place(b), place(a), spread, Regions::embedded());
    assert_eq!(
        there, back,
        "not symmetric: {:?} and {:?}",
        a.placement, b.placement
    );
    there
}

fn zone(region: &str, zone: &str) -> Machine {
    vm("z").region(region).zone(zone).machine()
}

#[test]
fn vms_are_kept_apart_by_the_widest_domain_that_differs() {
    let in_set = |set: &str, domain| vm("s").set(set, domain).machine();
    let in_flex = |set: &str, domain| vm("f").flex(set, domain).machine();
    let rows = [
        (
            "one zone",
            zone("westeurope", "az1"),
            zone("westeurope", "az1"),
            None,
        ),
        (
            "two zones",
            zone("westeurope", "az1"),
            zone("westeurope", "az2"),
            Some(Apart::Zone),
        ),
        (
            "a zone not known",
            zone("westeurope", "?"),
            zone("westeurope", "az2"),
            Some(Apart::Zone),
        ),
        (
            "neither zone known",
            zone("westeurope", "?"),
            zone("westeurope", "?"),
            Some(Apart::Zone),
        ),
        (
            "one in no zone",
            zone("westeurope", ""),
            zone("westeurope", "az2"),
            None,
        ),
        (
            "no zone, none known",
            zone("westeurope", ""),
            zone("westeurope", "?"),
            None,
        ),
        (
            "two regions",
            zone("westeurope", "az1"),
            zone("uksouth", "az1"),
            Some(Apart::Region),
        ),
        (
            "a pair",
            zone("westeurope", ""),
            zone("northeurope", ""),
            Some(Apart::GeoPair),
        ),
        (
            "a pair one way only",
            zone("westus3", ""),
            zone("eastus", ""),
            Some(Apart::GeoPair),
        ),
        (
            "a pair both ways",
            zone("eastus", ""),
            zone("westus", ""),
            Some(Apart::GeoPair),
        ),
        (
            "one pair group",
            zone("westus3", ""),
            zone("westus", ""),
            Some(Apart::GeoPair),
        ),
        (
            "a region not listed",
            zone("moonbase", ""),
            zone("eastus", ""),
            Some(Apart::GeoPair),
        ),
        (
            "two not listed",
            zone("moonbase", ""),
            zone("marsbase", ""),
            Some(Apart::GeoPair),
        ),
        (
            "one update domain",
            in_set("s1", Some(1)),
            in_set("s1", Some(1)),
            None,
        ),
        (
            "two update domains",
            in_set("s1", Some(0)),
            in_set("s1", Some(1)),
            Some(Apart::UpdateDomain),
        ),
        (
            "one not known",
            in_set("s1", None),
            in_set("s1", Some(1)),
            Some(Apart::UpdateDomain),
        ),
        (
            "neither known",
            in_set("s1", None),
            in_set("s1", None),
            Some(Apart::UpdateDomain),
        ),
        (
            "two sets",
            in_set("s1", Some(0)),
            in_set("s2", Some(1)),
            None,
        ),
        (
            "a set and none",
            in_set("s1", None),
            vm("n").machine(),
            None,
        ),
        (
            "one fault domain",
            in_flex("f1", Some(2)),
            in_flex("f1", Some(2)),
            None,
        ),
        (
            "two fault domains",
            in_flex("f1", Some(0)),
            in_flex("f1", Some(2)),
            Some(Apart::FaultDomain),
        ),
        (
            "fault domain unknown",
            in_flex("f1", None),
            in_flex("f1", Some(2)),
            Some(Apart::FaultDomain),
        ),
        (
            "no fault domain known",
            in_flex("f1", None),
            in_flex("f1", None),
            Some(Apart::FaultDomain),
        ),
        (
            "two Flexible sets",
            in_flex("f1", Some(0)),
            in_flex("f2", Some(1)),
            None,
        ),
    ];
    for (what, a, b, expected) in rows {
        assert_eq!(between(&a, &b, Spread::ALL), expected, "{what}");
    }
}

#[test]
fn on_premises_only_sites_and_clusters_count() {
    let at_site = |own: Builder, site: &str| own.site(site).machine();
    let rows = [
        (
            "one site",
            at_site(arc("a"), "berlin"),
            at_site(arc("b"), "berlin"),
            None,
        ),
        (
            "two sites",
            at_site(arc("a"), "berlin"),
            at_site(arc("b"), "bonn"),
            Some(Apart::Site),
        ),
        (
            "a site and none",
            at_site(arc("a"), "berlin"),
            arc("b").machine(),
            None,
        ),
        (
            "Azure regions mean nothing to Arc",
            arc("a").region("westeurope").machine(),
            arc("b").region("northeurope").machine(),
            None,
        ),
        (
            "one cluster",
            local("a").cluster("c1").machine(),
            local("b").cluster("c1").machine(),
            None,
        ),
        (
            "two clusters",
            local("a").cluster("c1").machine(),
            local("b").cluster("c2").machine(),
            Some(Apart::Cluster),
        ),
        (
            "an Arc server and a guest at two sites",
            at_site(arc("a"), "berlin"),
            at_site(local("b"), "bonn"),
            Some(Apart::Site),
        ),
        (
            "a VM and an Arc server",
            zone("westeurope", "az1"),
            at_site(arc("b"), "berlin"),
            None,
        ),
        (
            "a VM and a guest",
            zone("westeurope", "?"),
            local("b").cluster("c1").machine(),
            None,
        ),
    ];
    for (what, a, b, expected) in rows {
        assert_eq!(between(&a, &b, Spread::ALL), expected, "{what}");
    }
}

#[test]
fn what_the_policy_leaves_out_keeps_nothing_apart() {
    type Off = fn(&mut Spread);
    let set = |domain| vm("s").set("s1", Some(domain)).machine();
    let rows: [(&str, Off, Machine, Machine, Option<Apart>); 7] = [
        (
            "pairs off: still two regions",
            |own| own.geo_pair = false,
            zone("westeurope", ""),
            zone("northeurope", ""),
            Some(Apart::Region),
        ),
        (
            "regions off: still a pair",
            |own| own.region = false,
            zone("westeurope", ""),
            zone("northeurope", ""),
            Some(Apart::GeoPair),
        ),
        (
            "regions off",
            |own| own.region = false,
            zone("westeurope", "az1"),
            zone("uksouth", "az2"),
            None,
        ),
        (
            "zones off",
            |own| own.zone = false,
            zone("westeurope", "az1"),
            zone("westeurope", "?"),
            None,
        ),
        (
            "sets off",
            |own| own.availability_set = false,
            set(0),
            set(1),
            None,
        ),
        (
            "sites off",
            |own| own.site = false,
            arc("a").site("berlin").machine(),
            arc("b").site("bonn").machine(),
            None,
        ),
        (
            "clusters off",
            |own| own.cluster = false,
            local("a").cluster("c1").machine(),
            local("b").cluster("c2").machine(),
            None,
        ),
    ];
    for (what, off, a, b, expected) in rows {
        let mut spread = Spread::ALL;
        off(&mut spread);
        assert_eq!(between(&a, &b, spread), expected, "{what}");
    }
}

#[test]
fn losing_a_zone_or_update_domain_never_brings_two_machines_together() {
    let zones = ["", "az1", "az2", "?"];
    let domains = [None, Some(0), Some(1)];
    let place = |z: &str, d| vm("m").zone(z).set("s1", d).machine();
    for (z1, z2) in zones
        .iter()
        .flat_map(|a| zones.iter().map(move |b| (*a, *b)))
    {
        for (d1, d2) in domains
            .iter()
            .flat_map(|a| domains.iter().map(move |b| (*a, *b)))
        {
            let (a, b) = (place(z1, d1), place(z2, d2));
            if between(&a, &b, Spread::ALL).is_none() {
                continue;
            }
            let less_zone = place(if z1.is_empty() { "" } else { "?" }, d1);
            assert!(
                between(&less_zone, &b, Spread::ALL).is_some(),
                "{z1} {z2} {d1:?} {d2:?}"
            );
            let less_domain = place(z1, None);
            assert!(
                between(&less_domain, &b, Spread::ALL).is_some(),
                "{z1} {z2} {d1:?} {d2:?}"
            );
        }
    }
}
