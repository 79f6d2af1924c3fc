//! Every reason for which there is no token, told on the fleet it concerns while others go on.

use std::collections::BTreeSet;

use azure_sim::Fault as AzureFault;
use hotpatch_operator::api::conditions::find;
use hotpatch_operator::azure::identity::Fault;
use hotpatch_operator::controller::clouds::{
    Allowed, CLIENT_ANNOTATION, OPT_IN_ANNOTATION, Own, OwnClouds, TENANT_ANNOTATION,
};
use kube_sim::{Fault as KubeFault, Verb};
use serde_json::json;

use super::stage::{CLIENT_A, CLIENT_B, SUB_A, Stage, TENANT, file, identity, imds, login};
use crate::rehearsal::paused;

fn falsely(reason: &str) -> (String, String) {
    ("False".to_owned(), reason.to_owned())
}

#[test]
fn the_table_of_conditions_has_every_fault_and_no_other() {
    let row = find("HotpatchFleet", "CredentialsValid").unwrap();
    let told: BTreeSet<&str> = row
        .reasons
        .iter()
        .filter(|own| own.status == "False" && own.name != "RightsMissing")
        .map(|own| own.name)
        .collect();
    let faults: BTreeSet<&str> = Fault::ALL.iter().map(|own| own.reason()).collect();
    assert_eq!(told, faults);
}

/// One way in which team A's identity cannot be had, and what is told then.
type Case = (&'static str, fn(&Stage), &'static str);

const CASES: [Case; 12] = [
    (
        "the ServiceAccount is not there",
        |_| {},
        "ServiceAccountNotFound",
    ),
    (
        "it does not opt in",
        |stage| {
            let own = json!({CLIENT_ANNOTATION: CLIENT_A, TENANT_ANNOTATION: TENANT});
            stage.account_with("team-a", own);
        },
        "NotOptedIn",
    ),
    (
        "it opts in by another word",
        |stage| {
            let own = json!({
                OPT_IN_ANNOTATION: "yes", CLIENT_ANNOTATION: CLIENT_A, TENANT_ANNOTATION: TENANT,
            });
            stage.account_with("team-a", own);
        },
        "NotOptedIn",
    ),
    (
        "it names no client",
        |stage| {
            let own = json!({OPT_IN_ANNOTATION: "true", TENANT_ANNOTATION: TENANT});
            stage.account_with("team-a", own);
        },
        "NoIdentity",
    ),
    (
        "it names no tenant",
        |stage| {
            let own = json!({OPT_IN_ANNOTATION: "true", CLIENT_ANNOTATION: CLIENT_A});
            stage.account_with("team-a", own);
        },
        "NoIdentity",
    ),
    (
        "the operator may not request its tokens",
        |stage| {
            stage.account("team-a", CLIENT_A);
            stage.kube.on_request(|call| {
                let is_theirs = call.verb == Verb::Create
                    && call.subresource.as_deref() == Some("token")
                    && call.name.as_deref() == Some("team-a");
                forbidden_if(is_theirs)
            });
        },
        "TokenRequestForbidden",
    ),
    (
        "the operator may not read it",
        |stage| {
            stage.account("team-a", CLIENT_A);
            stage.kube.on_request(|call| {
                let is_theirs = call.verb == Verb::Get
                    && call.resource == "serviceaccounts"
                    && call.name.as_deref() == Some("team-a");
                forbidden_if(is_theirs)
            });
        },
        "TokenRequestForbidden",
    ),
    (
        "the tenant does not know the application",
        |stage| stage.account("team-a", "cccccccc-0000-0000-0000-000000000000"),
        "ApplicationNotFound",
    ),
    (
        "the application trusts another ServiceAccount",
        |stage| {
            stage.account("team-a", CLIENT_A);
            stage
                .azure
                .register(identity(CLIENT_A, SUB_A, "somebody-else"));
        },
        "FederationMissing",
    ),
    (
        "the clocks of cluster and Entra ID disagree",
        |stage| {
            stage.account("team-a", CLIENT_A);
            spoil(stage, CLIENT_A, 700_024);
        },
        "AssertionExpired",
    ),
    (
        "Entra ID refuses for a reason of its own",
        |stage| {
            stage.account("team-a", CLIENT_A);
            spoil(stage, CLIENT_A, 50_105);
        },
        "TokenRefused",
    ),
    (
        "the identity is revoked",
        |stage| {
            stage.account("team-a", CLIENT_A);
            stage.azure.revoke(CLIENT_A);
        },
        "ApplicationNotFound",
    ),
];

fn forbidden_if(is_theirs: bool) -> KubeFault {
    if !is_theirs {
        return KubeFault::None;
    }
    KubeFault::Status {
        code: 403,
        reason: "Forbidden".to_owned(),
        message: "no".to_owned(),
        retry_after_seconds: None,
    }
}

/// Makes the token endpoint refuse one client with a code.
fn spoil(stage: &Stage, client: &'static str, code: u64) {
    stage.azure.on_call(move |request| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        if request.uri().path().ends_with("/token") && body.contains(client) {
            let answer = json!({"error": "invalid_client", "error_codes": [code],
                "error_description": body});
            return AzureFault::Status(401, answer.to_string(), None);
        }
        AzureFault::None
    });
}

#[test]
fn what_keeps_one_identity_out_is_named_and_the_other_fleet_goes_on() {
    for (case, set, expected) in CASES {
        paused(async {
            let stage = Stage::new().await;
            stage.account("team-b", CLIENT_B);
            stage.fleet("fleet-a", "team-a");
            stage.fleet("fleet-b", "team-b");
            set(&stage);
            stage.run(stage.per_fleet(), 10).await;
            assert_eq!(stage.credentials("fleet-a"), falsely(expected), "{case}");
            assert_eq!(stage.condition("fleet-a", "Ready").0, "False", "{case}");
            assert_eq!(stage.records("fleet-a"), Vec::<String>::new(), "{case}");
            assert_eq!(stage.credentials("fleet-b").0, "True", "{case}");
            assert_eq!(stage.records("fleet-b"), ["vm-b1", "vm-b2"], "{case}");
            stage.assert_each_credential_went_home();
        });
    }
}

#[test]
fn what_was_amended_is_found_within_minutes() {
    paused(async {
        let stage = Stage::new().await;
        stage.fleet("fleet-a", "team-a");
        stage.run(stage.per_fleet(), 10).await;
        assert_eq!(
            stage.credentials("fleet-a"),
            falsely("ServiceAccountNotFound")
        );
        stage.account("team-a", CLIENT_A);
        stage.azure.set_login_down(true);
        stage.run(stage.per_fleet(), 10).await;
        assert_eq!(stage.credentials("fleet-a"), falsely("TokenUnavailable"));
        let asked = stage.exchanges();
        assert!(
            (2..=12).contains(&asked),
            "{asked} exchanges in ten minutes"
        );
        stage.azure.set_login_down(false);
        stage.run(stage.per_fleet(), 10).await;
        assert_eq!(stage.credentials("fleet-a").0, "True");
        assert_eq!(stage.records("fleet-a"), ["vm-a1", "vm-a2"]);
    });
}

#[test]
fn a_denied_action_is_named_on_the_fleet_whose_identity_lacks_it() {
    paused(async {
        let stage = Stage::new().await;
        stage.account("team-a", CLIENT_A);
        stage.account("team-b", CLIENT_B);
        stage.fleet("fleet-a", "team-a");
        stage.fleet("fleet-b", "team-b");
        let action = "Microsoft.Compute/virtualMachines/write";
        stage.azure.on_call(move |request| {
            let is_theirs = request.uri().path().contains(SUB_A) && request.method() == "PATCH";
            if !is_theirs {
                return AzureFault::None;
            }
            let message = format!(
                "The client 'app-a' with object id 'app-a' does not have authorization to perform \
                 action '{action}' over scope '/x' or the scope is invalid."
            );
            let body = json!({"error": {"code": "AuthorizationFailed", "message": message}});
            AzureFault::Status(403, body.to_string(), None)
        });
        stage.run(stage.per_fleet(), 20).await;
        let (status, reason, message) = stage.condition("fleet-a", "CredentialsValid");
        assert_eq!(
            (status.as_str(), reason.as_str()),
            ("False", "RightsMissing"),
            "{message}"
        );
        assert!(message.contains(action), "{message}");
        assert_eq!(stage.credentials("fleet-b").0, "True");
        // What can be read is shown all the same.
        assert_eq!(stage.records("fleet-a"), ["vm-a1", "vm-a2"]);
    });
}

#[test]
fn a_token_that_azure_never_accepts_is_not_fetched_over_and_over() {
    paused(async {
        let stage = Stage::new().await;
        stage.account("team-a", CLIENT_A);
        stage.fleet("fleet-a", "team-a");
        stage.azure.on_call(|request| {
            if request.headers().contains_key("authorization") {
                return AzureFault::Status(401, "{}".to_owned(), None);
            }
            AzureFault::None
        });
        stage.run(stage.per_fleet(), 30).await;
        assert_eq!(stage.credentials("fleet-a"), falsely("TokenNotAccepted"));
        let asked = stage.exchanges();
        assert!(
            (2..=5).contains(&asked),
            "{asked} exchanges in half an hour"
        );
    });
}

#[test]
fn the_operators_own_identity_acts_only_where_it_is_allowed() {
    paused(async {
        for allowed in [[].into(), ["elsewhere".to_owned()].into()] {
            let stage = Stage::new().await;
            stage.fleet("fleet-a", "anything");
            let mut managed = identity(CLIENT_A, SUB_A, "none");
            managed.managed = true;
            stage.azure.register(managed);
            let own = Own::ManagedIdentity(imds(None));
            let clouds = OwnClouds::new(own, Allowed::Only(allowed), stage.ways());
            stage.run(std::sync::Arc::new(clouds), 10).await;
            assert_eq!(
                stage.credentials("fleet-a"),
                falsely("OperatorIdentityNotAllowed")
            );
            assert!(
                stage.wire.seen.lock().unwrap().is_empty(),
                "nobody was asked"
            );
        }
    });
}

#[test]
fn a_client_secret_is_read_again_when_it_changes() {
    paused(async {
        let stage = Stage::new().await;
        stage.fleet("fleet-a", "anything");
        let mut app = identity(CLIENT_A, SUB_A, "none");
        app.secret = Some("right".to_owned());
        stage.azure.register(app);
        let path = file("rotated", "wrong\n");
        let own = Own::ClientSecret {
            login: login(CLIENT_A),
            file: path.clone(),
        };
        let clouds = stage.own(own);
        stage.run(std::sync::Arc::clone(&clouds), 5).await;
        assert_eq!(stage.credentials("fleet-a"), falsely("ClientSecretRefused"));
        std::fs::write(&path, "").unwrap();
        stage.run(std::sync::Arc::clone(&clouds), 5).await;
        assert_eq!(
            stage.credentials("fleet-a"),
            falsely("CredentialUnreadable")
        );
        std::fs::write(&path, "right\n").unwrap();
        stage.run(clouds, 5).await;
        assert_eq!(stage.credentials("fleet-a").0, "True");
        assert_eq!(stage.records("fleet-a"), ["vm-a1", "vm-a2"]);
    });
}
