//! `SoleAuthority`: who else could reboot the machines, and where nobody may look.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotpatch_operator::azure::rights;
use hotpatch_operator::domain::authority::steering::{
    Assignments, Does, DynamicScope, Makes, Policy, Schedule, Source, Steering, Why,
};
use hotpatch_operator::domain::machine::{Machine, UpdateService};

use super::build::{SUBSCRIPTION, Scene};
use super::{assert_in_table, told};

fn lacking(action: &'static str) -> Why {
    Why::Lacks {
        action,
        cure: rights::cure(action).into(),
    }
}

/// A scene in which every machine is changed.
fn with_machines(change: fn(&mut Machine)) -> Scene {
    Scene::new().with(|own| own.machines.as_mut().unwrap().iter_mut().for_each(change))
}

#[test]
fn nobody_else_is_told_only_where_somebody_looked_everywhere() {
    let rows = [
        (Scene::new(), "SoleAuthority", "Unknown/NotChecked"),
        (
            Scene::new().steered(|_| {}),
            "SoleAuthority",
            "True/SoleAuthority",
        ),
        (
            Scene::new().steered(|own| own.policies = Arc::new(vec![bypass_policy()])),
            "SoleAuthority",
            "False/PolicyAssignment",
        ),
        (
            Scene::new().steered(|own| {
                let lacks = lacking("Microsoft.Authorization/policyAssignments/read");
                own.unseen = BTreeMap::from([(Source::Policies, lacks)]);
            }),
            "SoleAuthority",
            "Unknown/NotVisible",
        ),
        (
            with_machines(|own| {
                own.assessment.as_mut().unwrap().service = UpdateService::Wsus;
            }),
            "SoleAuthority",
            "False/GuestPolicy",
        ),
        (
            with_machines(|own| own.assessment = None).steered(|_| {}),
            "SoleAuthority",
            "Unknown/NotVisible",
        ),
    ];
    for (scene, name, expected) in rows {
        let status = scene.status();
        assert_eq!(told(&status.conditions, name), expected);
        assert_in_table("HotpatchFleet", &status.conditions);
    }
}

fn bypass_policy() -> Policy {
    Policy {
        name: "prerequisites".into(),
        makes: Makes::Bypass,
        scope: "/providers/microsoft.management/managementgroups/root".into(),
        except: Vec::new(),
        subscription: None,
    }
}

/// Returns what a scene says of `SoleAuthority`.
fn sole(scene: &Scene) -> String {
    let status = scene.status();
    let found = status
        .conditions
        .iter()
        .find(|own| own.type_ == "SoleAuthority");
    found.unwrap().message.clone()
}

#[test]
fn who_else_could_reboot_is_named_and_so_is_where_nobody_may_look() {
    let weekly = |own: &mut Steering| {
        own.maintenance = Arc::new(Assignments {
            schedules: vec![Schedule {
                id: "/x/weekly".into(),
                does: Does::Reboots,
            }],
            assigned: Vec::new(),
            scopes: vec![DynamicScope {
                within: format!("/subscriptions/{}", SUBSCRIPTION).into(),
                ..DynamicScope::default()
            }],
        });
    };
    let lacks = |own: &mut Steering| {
        let lacks = lacking("Microsoft.Maintenance/configurationAssignments/read");
        own.unseen = BTreeMap::from([(Source::Maintenance, lacks)]);
    };
    let failed = |own: &mut Steering| {
        let failed = Why::Failed("Azure answered 503".into());
        own.unseen = BTreeMap::from([(Source::Policies, failed)]);
    };
    let rows: [(Scene, &[&str]); 5] = [
        (
            with_machines(|own| own.settings.bypass = true).steered(weekly),
            &["schedule of Azure Update Manager", "(weekly)"],
        ),
        (
            Scene::new().steered(weekly),
            &[
                "Nobody else was found",
                "reboot nothing as things are: ",
                "(weekly)",
            ],
        ),
        (
            Scene::new().steered(|own| own.policies = Arc::new(vec![bypass_policy()])),
            &["An Azure Policy hands to schedules", "(prerequisites)"],
        ),
        (
            Scene::new().steered(lacks),
            &[
                "maintenance configurations (it needs \
                 Microsoft.Maintenance/configurationAssignments/read: ",
                "roles/hotpatch-read.json (role Hotpatch Read) grants it; without it ",
            ],
        ),
        (
            Scene::new().steered(failed),
            &["policy assignments (Azure answered 503)"],
        ),
    ];
    for (scene, texts) in rows {
        let told = sole(&scene);
        for text in texts {
            assert!(told.contains(text), "{text:?} in {told:?}");
        }
    }
}
