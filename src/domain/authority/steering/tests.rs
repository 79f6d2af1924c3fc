// tests may unwrap
#![allow(clippy::unwrap_used)]

use super::*;
use crate::domain::machine::Tags;
use crate::domain::testkit::due_vm;

fn vm() -> Machine {
    let mut machine = due_vm("vm1").machine();
    let group = "/subscriptions/s1/resourcegroups/web/providers";
    machine.id =
        MachineId::parse(&format!("{group}/microsoft.compute/virtualmachines/vm1")).unwrap();
    machine.placement.region = "westeurope".to_owned();
    machine.tags = Tags::new([
        ("Ring".to_owned(), "Canary".to_owned()),
        ("app".to_owned(), "shop".to_owned()),
    ]);
    machine
}

fn list(all: &[&str]) -> Vec<Box<str>> {
    all.iter().map(|own| (*own).into()).collect()
}

fn tags(all: &[(&str, &[&str])]) -> BTreeMap<Box<str>, Vec<Box<str>>> {
    let all = all.iter();
    all.map(|(name, values)| ((*name).into(), list(values)))
        .collect()
}

#[test]
fn a_filter_takes_what_it_names_and_what_it_does_not_restrict() {
    let within = |id: &str| DynamicScope {
        within: id.into(),
        ..DynamicScope::default()
    };
    let all = within("/subscriptions/s1");
    let rows = [
        (all.clone(), true),
        (within("/subscriptions/s1/resourcegroups/web"), true),
        (within("/subscriptions/s1/resourcegroups/we"), false),
        (within("/subscriptions/s"), false),
        (
            DynamicScope {
                types: list(&["microsoft.compute/virtualmachines"]),
                ..all.clone()
            },
            true,
        ),
        (
            DynamicScope {
                types: list(&["microsoft.hybridcompute/machines"]),
                ..all.clone()
            },
            false,
        ),
        (
            DynamicScope {
                groups: list(&["db", "web"]),
                ..all.clone()
            },
            true,
        ),
        (
            DynamicScope {
                groups: list(&["db"]),
                ..all.clone()
            },
            false,
        ),
        (
            DynamicScope {
                systems: list(&["windows"]),
                ..all.clone()
            },
            true,
        ),
        (
            DynamicScope {
                systems: list(&["linux"]),
                ..all.clone()
            },
            false,
        ),
        (
            DynamicScope {
                locations: list(&["westeurope"]),
                ..all.clone()
            },
            true,
        ),
        (
            DynamicScope {
                locations: list(&["japaneast"]),
                ..all.clone()
            },
            false,
        ),
    ];
    for (scope, expected) in rows {
        assert_eq!(scope.takes(&vm()), expected, "{scope:?}");
    }
    let rows = [
        (tags(&[("ring", &["canary", "x"])]), false, true),
        (tags(&[("ring", &["broad"])]), false, false),
        (
            tags(&[("ring", &["broad"]), ("app", &["shop"])]),
            false,
            true,
        ),
        (
            tags(&[("ring", &["broad"]), ("app", &["shop"])]),
            true,
            false,
        ),
        (
            tags(&[("ring", &["canary"]), ("app", &["shop"])]),
            true,
            true,
        ),
        (tags(&[("other", &["x"])]), false, false),
        (tags(&[]), true, true),
    ];
    for (tags, all_tags, expected) in rows {
        let scope = DynamicScope {
            tags,
            all_tags,
            ..all.clone()
        };
        assert_eq!(scope.takes(&vm()), expected, "{scope:?}");
    }
}

#[test]
fn a_policy_takes_what_lies_in_its_scope() {
    let of = |scope: &str| Policy {
        name: "p".into(),
        makes: Makes::Bypass,
        scope: scope.into(),
        except: Vec::new(),
        subscription: None,
    };
    let root = "/providers/microsoft.management/managementgroups/root";
    let shows = |own: &str| Policy {
        subscription: Some(own.into()),
        ..of(root)
    };
    let except = |own: &[&str]| Policy {
        except: list(own),
        ..of("/subscriptions/s1")
    };
    let rows = [
        (of("/subscriptions/s1"), true),
        (of("/subscriptions/s1/resourcegroups/web"), true),
        (of("/subscriptions/s1/resourcegroups/db"), false),
        (of("/subscriptions/s2"), false),
        (of(root), true),
        (shows("s1"), true),
        (shows("s2"), false),
        (except(&["/subscriptions/s1/resourcegroups/db"]), true),
        (except(&["/subscriptions/s1/resourcegroups/web"]), false),
    ];
    for (policy, expected) in rows {
        assert_eq!(policy.takes(&vm()), expected, "{policy:?}");
    }
    let mut arc = vm();
    arc.kind = MachineKind::ArcServer;
    assert!(
        !of("/subscriptions/s1").takes(&arc),
        "only VMs have the flag"
    );
}

#[test]
fn a_machine_gets_its_own_schedules_and_no_neighbours() {
    let id = |name: &str| {
        let group = "/subscriptions/s1/resourcegroups/web/providers";
        MachineId::parse(&format!("{group}/microsoft.compute/virtualmachines/{name}")).unwrap()
    };
    let schedule = |name: &str| Schedule {
        id: format!("/x/{name}").into(),
        does: Does::Reboots,
    };
    let steering = Steering {
        maintenance: Arc::new(Assignments {
            schedules: ["a", "b", "c"].map(schedule).into(),
            assigned: vec![
                (id("vm0"), 0),
                (id("vm1"), 1),
                (id("vm1"), 2),
                (id("vm2"), 0),
            ],
            scopes: vec![DynamicScope {
                schedule: 2,
                within: "/subscriptions/s1".into(),
                ..DynamicScope::default()
            }],
        }),
        ..Steering::default()
    };
    let vm = vm();
    let found: Vec<&str> = steering.schedules_of(&vm).map(Schedule::name).collect();
    assert_eq!(found, ["b", "c"]);
}

#[test]
fn where_nobody_looked_is_unseen_and_where_somebody_may_not_is_named() {
    let mut steering = Steering::default();
    let why = |steering: &Steering| steering.why_unseen(Source::Policies, &vm());
    assert_eq!(why(&steering), Some(Why::NotYet));
    steering.unseen.clear();
    assert_eq!(why(&steering), Some(Why::NotYet), "of its subscription");
    steering.subscriptions.insert("s1".into(), BTreeMap::new());
    assert_eq!(why(&steering), None);
    let lacks = Why::Lacks {
        action: "a/read",
        cure: "a role".into(),
    };
    let blind = BTreeMap::from([(Source::Policies, lacks.clone())]);
    steering.subscriptions.insert("s1".into(), blind);
    assert_eq!(why(&steering), Some(lacks));
    assert_eq!(steering.why_unseen(Source::Maintenance, &vm()), None);
}
