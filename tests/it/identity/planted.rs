//! Credentials are planted in every path by which one comes in, and nothing that comes out shows
//! one: no log at any level, object, event, status, metric, audit line or error.

use std::collections::BTreeMap;

use azure_sim::Fault as AzureFault;
use hotpatch_operator::azure::Token;
use hotpatch_operator::azure::identity::{Proof, Secret};
use hotpatch_operator::controller::clouds::Own;
use serde_json::json;

use super::stage::{CLIENT_A, SUB_A, Stage, file, identity, imds, login};
use crate::rehearsal::paused;

/// Returns where a credential shows, by what it is: `assertion in the logs`.
fn leaks(credentials: &BTreeMap<&str, Vec<String>>, sheets: &[(&str, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (what, texts) in credentials {
        for text in texts {
            assert!(text.len() >= 8, "{what} is too short to be looked for");
            let shown = sheets
                .iter()
                .filter(|(_, sheet)| sheet.contains(text.as_str()));
            found.extend(shown.map(|(place, _)| format!("{what} in {place}")));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Everything that came out of a stage, by place.
fn sheets(stage: &Stage) -> Vec<(&'static str, String)> {
    let mut objects = String::new();
    for commit in stage.kube.history() {
        objects.push_str(&format!("{commit:?}\n"));
    }
    vec![
        ("the logs", stage.logs.text()),
        ("the objects", objects),
        ("the audit lines", stage.audit.text()),
        ("the metrics", stage.telemetry.exposition()),
    ]
}

fn assert_none_shows(stage: &Stage, credentials: &BTreeMap<&str, Vec<String>>) {
    for (what, texts) in credentials {
        assert!(!texts.is_empty(), "no {what} was planted");
    }
    let sheets = sheets(stage);
    assert!(sheets[0].1.contains("leading"), "the logs were not kept");
    assert!(
        sheets[1].1.contains("CredentialsValid"),
        "the objects were not kept"
    );
    assert!(
        sheets[0].1.contains("TRACE"),
        "the logs are not kept at every level"
    );
    let found = leaks(credentials, &sheets);
    assert!(found.is_empty(), "{found:#?}");
}

/// Makes both the token endpoint and Azure Resource Manager fail in turn, and echo what they were
/// sent wherever a text can stand.
fn echo(stage: &Stage) {
    let count = std::sync::atomic::AtomicU64::new(0);
    stage.azure.on_call(move |request| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let bearer = request.headers().get("authorization");
        let bearer = bearer.map_or("", |own| own.to_str().unwrap());
        let bare = bearer.strip_prefix("Bearer ").unwrap_or_default();
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let is_login = request.uri().path().ends_with("/token");
        let said = format!("{bearer} {bare} {body}");
        let answer = if is_login {
            json!({"error": said, "error_description": said, "error_codes": [7], "trace_id": said})
        } else {
            json!({"error": {"code": said, "message": said, "target": said}})
        };
        match number % 7 {
            0 => AzureFault::Status(400, answer.to_string(), None),
            2 => AzureFault::Status(503, answer.to_string(), Some(1)),
            4 if !is_login => AzureFault::Status(403, answer.to_string(), None),
            5 if !is_login => AzureFault::Status(401, said, None),
            _ => AzureFault::None,
        }
    });
}

#[test]
fn nothing_that_comes_out_shows_the_credentials_of_fleets() {
    paused(async {
        let stage = Stage::new().await;
        stage.account("team-a", CLIENT_A);
        stage.fleet("fleet-a", "team-a");
        // Well for a night, then with everything failing and echoing.
        stage.run(stage.per_fleet(), 12 * 60).await;
        echo(&stage);
        stage.run(stage.per_fleet(), 6 * 60).await;
        let assertions = stage.assertions.lock().unwrap().clone();
        let credentials = BTreeMap::from([
            ("assertion", assertions),
            ("access token", stage.azure.issued_tokens()),
        ]);
        assert_none_shows(&stage, &credentials);
        stage.assert_each_credential_went_home();
    });
}

/// Runs with one of the operator's own identities, first well and then with everything echoing.
async fn with_own(own: Own, what: &'static str, planted: &str) {
    let stage = Stage::new().await;
    let mut app = identity(CLIENT_A, SUB_A, "none");
    app.secret = Some("canary-client-secret-93b1".to_owned());
    app.managed = true;
    stage.azure.register(app);
    stage.fleet("fleet-a", "anything");
    let clouds = stage.own(own);
    stage.run(std::sync::Arc::clone(&clouds), 60).await;
    echo(&stage);
    stage.run(clouds, 3 * 60).await;
    let mut credentials = BTreeMap::new();
    if !planted.is_empty() {
        credentials.insert(what, vec![planted.to_owned()]);
    }
    let issued = stage.azure.issued_tokens();
    if !issued.is_empty() {
        credentials.insert("access token", issued);
    }
    assert_none_shows(&stage, &credentials);
}

#[test]
fn nothing_that_comes_out_shows_the_operators_own_credentials() {
    paused(async {
        let secret = "canary-client-secret-93b1";
        let path = file("secret", secret);
        let own = Own::ClientSecret {
            login: login(CLIENT_A),
            file: path,
        };
        with_own(own, "client secret", secret).await;
        // Its issuer is not known, so that Entra ID refuses it.
        let federated = "canary-federated-token-55e0";
        let own = Own::FederatedToken {
            login: login(CLIENT_A),
            file: file("federated", federated),
        };
        with_own(own, "federated token", federated).await;
        let own = Own::ManagedIdentity(imds(Some(CLIENT_A)));
        with_own(own, "token of the metadata service", "").await;
        let fixed = "canary-static-token-7c2d";
        let own = Own::StaticToken {
            file: file("static", fixed),
        };
        with_own(own, "static token", fixed).await;
    });
}

#[test]
fn no_type_that_holds_a_credential_shows_it() {
    let canary = "canary-in-a-type-18aa";
    let secret = Secret::new(canary.to_owned()).unwrap();
    let token = Token::new(canary).unwrap();
    let proof = Proof::ClientSecret(secret.clone());
    let shown = format!("{secret:?} {secret:#?} {token:?} {token:#?} {proof:?} {proof:#?}");
    let planted = BTreeMap::from([("secret", vec![canary.to_owned()])]);
    assert_eq!(leaks(&planted, &[("Debug", shown)]), Vec::<String>::new());
}

#[test]
fn a_credential_that_shows_is_found_wherever_it_is() {
    paused(async {
        let stage = Stage::new().await;
        stage.account("team-a", CLIENT_A);
        stage.fleet("fleet-a", "team-a");
        stage.run(stage.per_fleet(), 30).await;
        let token = stage.azure.issued_tokens().remove(0);
        let planted = BTreeMap::from([("access token", vec![token.clone()])]);
        assert_eq!(leaks(&planted, &sheets(&stage)), Vec::<String>::new());
        // Somebody logs it, writes it into an object, or into the audit log.
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "leak", "namespace": "web"}, "data": {"at": token},
        });
        stage
            .kube
            .force_object("configmaps", Some("web"), "leak", Some(object));
        use std::io::Write;
        writeln!(stage.audit.clone(), "token {token}").unwrap();
        let logs = stage.logs.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || logs.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || tracing::trace!(%token, "leak"));
        assert_eq!(
            leaks(&planted, &sheets(&stage)),
            [
                "access token in the audit lines",
                "access token in the logs",
                "access token in the objects",
            ]
        );
    });
}
