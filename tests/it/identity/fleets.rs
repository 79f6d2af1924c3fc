//! Fleets of one namespace, each with an identity of its own.

use std::collections::BTreeSet;

use azure_sim::What;
use chrono::TimeDelta;

use super::stage::{CLIENT_A, CLIENT_B, Stage};
use crate::rehearsal::paused;

async fn two_fleets() -> Stage {
    let stage = Stage::new().await;
    stage.account("team-a", CLIENT_A);
    stage.account("team-b", CLIENT_B);
    stage.fleet("fleet-a", "team-a");
    stage.fleet("fleet-b", "team-b");
    stage
}

/// Who commanded or changed which machine: the caller's name and the machine's.
fn callers(stage: &Stage) -> BTreeSet<(String, String)> {
    let effects = stage.azure.effects_since(0);
    let calls = effects.iter().filter_map(|effect| match &effect.what {
        What::CallAccepted(call) => {
            let machine = effect.machine_id.rsplit('/').next().unwrap();
            Some((call.caller.clone(), machine.to_owned()))
        }
        _ => None,
    });
    calls.collect()
}

#[test]
fn each_fleet_sees_and_acts_on_what_its_own_identity_sees() {
    paused(async {
        let stage = two_fleets().await;
        // Through the night of the baseline.
        stage.run(stage.per_fleet(), 30 * 60).await;
        for (fleet, own) in [
            ("fleet-a", ["vm-a1", "vm-a2"]),
            ("fleet-b", ["vm-b1", "vm-b2"]),
        ] {
            assert_eq!(
                stage.credentials(fleet).0,
                "True",
                "{}",
                stage.status(fleet)
            );
            assert_eq!(stage.records(fleet), own);
        }
        let pairs = [
            ("app-a", "vm-a1"),
            ("app-a", "vm-a2"),
            ("app-b", "vm-b1"),
            ("app-b", "vm-b2"),
        ];
        let expected: BTreeSet<(String, String)> = pairs
            .into_iter()
            .map(|(caller, vm)| (caller.to_owned(), vm.to_owned()))
            .collect();
        assert_eq!(callers(&stage), expected, "who acted on what");
        for machine in stage.azure.machines() {
            assert!(machine.installed.contains("5062553"), "{}", machine.id);
        }
        stage.assert_each_credential_went_home();
        // The tokens of 30 hours at one hour each, refreshed ten minutes early.
        let asked = stage.exchanges();
        assert!((2..=2 * 40).contains(&asked), "{asked} exchanges");
    });
}

#[test]
fn tokens_that_end_in_mid_run_are_replaced_and_the_runs_end_well() {
    paused(async {
        let stage = two_fleets().await;
        stage.azure.set_token_life(TimeDelta::minutes(15));
        let azure = stage.azure.clone();
        let clock = stage.clock.clone();
        // In the middle of the window all tokens end at once, which no early refresh foresees.
        let cut = super::stage::later(super::stage::hours(5));
        let is_cut = std::sync::atomic::AtomicBool::new(false);
        stage.azure.on_call(move |request| {
            use std::sync::atomic::Ordering;
            let is_arm = request.headers().contains_key("authorization");
            if is_arm && clock.now() >= cut && !is_cut.swap(true, Ordering::SeqCst) {
                azure.expire_tokens();
            }
            azure_sim::Fault::None
        });
        stage.run(stage.per_fleet(), 30 * 60).await;
        for machine in stage.azure.machines() {
            assert!(machine.installed.contains("5062553"), "{}", machine.id);
        }
        for fleet in ["fleet-a", "fleet-b"] {
            assert_eq!(
                stage.credentials(fleet),
                ("True".to_owned(), "Valid".to_owned())
            );
        }
        let effects = stage.azure.effects_since(0);
        let reboots = effects
            .iter()
            .filter(|own| matches!(own.what, What::RebootStarted { .. }));
        assert_eq!(reboots.count(), 4, "one reboot of each machine");
    });
}

#[test]
fn whoever_names_anothers_client_id_gets_nothing() {
    paused(async {
        let stage = two_fleets().await;
        // Another ServiceAccount of the namespace names team A's application, in vain: it does not
        // trust that name; and the token of team A, which is there, is not handed out.
        stage.account("intruder", CLIENT_A);
        stage.fleet("fleet-x", "intruder");
        stage.run(stage.per_fleet(), 20).await;
        assert_eq!(
            stage.credentials("fleet-x"),
            ("False".to_owned(), "FederationMissing".to_owned())
        );
        assert_eq!(stage.records("fleet-x"), Vec::<String>::new());
        for fleet in ["fleet-a", "fleet-b"] {
            assert_eq!(stage.credentials(fleet).0, "True");
        }
    });
}

#[test]
fn only_service_accounts_that_fleets_name_are_asked_for_and_as_the_chart_grants() {
    paused(async {
        let stage = two_fleets().await;
        stage.account("bystander", CLIENT_A);
        let asked = std::sync::Arc::new(std::sync::Mutex::new(BTreeSet::new()));
        let into = std::sync::Arc::clone(&asked);
        stage.kube.on_request(move |call| {
            if call.resource.starts_with("serviceaccounts") {
                let below = call.subresource.clone().unwrap_or_default();
                let namespace = call.namespace.clone().unwrap_or_default();
                let name = call.name.clone().unwrap_or_default();
                let text = format!("{} {below} {namespace}/{name}", call.verb.as_str());
                into.lock().unwrap().insert(text);
            }
            kube_sim::Fault::None
        });
        stage.run(stage.per_fleet(), 90).await;
        let asked: Vec<String> = asked.lock().unwrap().iter().cloned().collect();
        assert_eq!(
            asked,
            [
                "create token web/team-a",
                "create token web/team-b",
                "get  web/team-a",
                "get  web/team-b",
            ]
        );
    });
    let template = include_str!("../../../charts/hotpatch-operator/templates/rbac.yaml");
    let rule = |resource: &str, verb: &str| {
        format!(
            "  resources: [{resource}]\n  resourceNames:\n  {{{{- toYaml . | nindent 2 }}}}\n  \
             verbs: [{verb}]\n"
        )
    };
    for (resource, verb) in [
        ("serviceaccounts", "get"),
        ("serviceaccounts/token", "create"),
    ] {
        assert!(
            template.contains(&rule(resource, verb)),
            "{resource} {verb}"
        );
    }
}
