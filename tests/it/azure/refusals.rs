//! What each answer means, for reads and for commands.

use hotpatch_operator::azure::{Error, Operation, PollStyle, TransportError};
use hotpatch_operator::domain::machine::MachineKind;
use serde_json::{Value, json};

use super::script::*;

async fn install(answer: Answer) -> Error {
    let script = Script::new([answer]);
    let error = script
        .cloud()
        .install(&id(VM), MachineKind::AzureVm, &order(), request())
        .await
        .unwrap_err();
    assert_eq!(script.seen().len(), 1, "a command is sent once: {error}");
    error
}

async fn read(answer: Answer) -> Error {
    let script = Script::new([answer]);
    script
        .cloud()
        .read(&id(VM), MachineKind::AzureVm)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn statuses_mean_the_same_for_reads_and_commands_below_500() {
    for status in [400, 401, 403, 404, 405, 409, 412, 422, 423] {
        for found in [
            install(error(status, "Code")).await,
            read(error(status, "Code")).await,
        ] {
            let kind = match (&found, status) {
                (Error::Unauthorised { .. }, 401)
                | (Error::Denied { .. }, 403)
                | (Error::NotFound { .. }, 404)
                | (Error::Conflict { .. }, 409 | 412) => true,
                (Error::Invalid { code, target, .. }, 400 | 405 | 422 | 423) => {
                    code == "Code" && target.as_deref() == Some("it")
                }
                _ => false,
            };
            assert!(kind, "{status}: {found:?}");
            assert!(found.is_sure_refusal(), "{status}: {found:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_names_the_action_and_the_role_file_that_grants_it() {
    let cases = [
        (
            install(error(403, "AuthorizationFailed")).await,
            "Microsoft.Compute/virtualMachines/installPatches/action",
            "roles/hotpatch-install-and-restart.json",
        ),
        (
            read(error(403, "AuthorizationFailed")).await,
            "Microsoft.Compute/virtualMachines/read",
            "roles/hotpatch-read.json",
        ),
    ];
    for (found, wanted, file) in cases {
        let Error::Denied { action, .. } = &found else {
            panic!("{found:?}");
        };
        assert_eq!(action, wanted);
        let text = found.to_string();
        assert!(text.contains(file) && text.contains("without it"), "{text}");
    }
}

#[tokio::test]
async fn a_server_error_is_passing_for_a_read_and_a_riddle_for_a_command() {
    for status in [408, 500, 502, 503, 504] {
        let found = read(error(status, "Down")).await;
        assert!(
            matches!(found, Error::Transient { .. }),
            "{status}: {found:?}"
        );
        let found = install(error(status, "Down")).await;
        assert!(
            matches!(found, Error::Ambiguous { .. }),
            "{status}: {found:?}"
        );
        assert!(!found.is_sure_refusal());
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let answer = || ok(302, &[("location", "https://evil.example/")], &Value::Null);
    assert!(!install(answer()).await.is_sure_refusal());
    assert!(matches!(read(answer()).await, Error::Transient { .. }));
}

#[tokio::test]
async fn a_lost_reply_is_a_riddle_and_an_unsent_command_is_not() {
    let lost = || Err(TransportError::AnswerLost("reset".into()));
    let unsent = || Err(TransportError::NotSent("refused".into()));
    let found = install(lost()).await;
    assert!(
        matches!(found, Error::Ambiguous { .. }) && !found.is_sure_refusal(),
        "{found:?}"
    );
    let found = install(unsent()).await;
    assert!(
        matches!(found, Error::Transient { .. }) && found.is_sure_refusal(),
        "{found:?}"
    );
    assert!(matches!(read(lost()).await, Error::Transient { .. }));
    assert!(matches!(read(unsent()).await, Error::Transient { .. }));
}

#[tokio::test]
async fn retry_after_is_read_in_both_forms() {
    let date = "Sun, 22 Nov 2026 03:00:00 GMT";
    let cases: [(&[(&str, &str)], u64); 6] = [
        (&[("retry-after", "17")], 17),
        (
            &[
                ("retry-after", "Sun, 22 Nov 2026 03:01:30 GMT"),
                ("date", date),
            ],
            90,
        ),
        (
            &[
                ("retry-after", "Sun, 22 Nov 2026 02:00:00 GMT"),
                ("date", date),
            ],
            0,
        ),
        (&[("retry-after", "Sun, 22 Nov 2026 03:01:30 GMT")], 30),
        (&[], 30),
        (&[("retry-after", "999999999")], 3600),
    ];
    for (headers, seconds) in cases {
        let found = install(ok(429, headers, &Value::Null)).await;
        let Error::Throttled { until_seconds, .. } = &found else {
            panic!("{found:?}")
        };
        assert_eq!(*until_seconds, seconds, "{headers:?}");
        assert!(found.is_sure_refusal());
    }
}

#[tokio::test]
async fn the_quota_of_resource_graph_says_when_it_is_full_again() {
    let answer = ok(
        429,
        &[("x-ms-user-quota-resets-after", "00:00:04")],
        &Value::Null,
    );
    let found = Script::new([answer])
        .cloud()
        .inventory(&scope(), now())
        .await
        .unwrap_err();
    assert!(
        matches!(
            found,
            Error::Throttled {
                until_seconds: 4,
                ..
            }
        ),
        "{found:?}"
    );
}

#[tokio::test]
async fn an_answer_that_leads_elsewhere_is_refused_and_gets_no_token() {
    for header in ["location", "azure-asyncoperation"] {
        for url in [
            "https://evil.example/x",
            "http://management.azure.com/x",
            "eastus2euap",
        ] {
            let found = install(ok(202, &[(header, url)], &Value::Null)).await;
            assert!(matches!(found, Error::Malformed { .. }), "{url}: {found:?}");
            assert!(!found.is_sure_refusal(), "it was accepted");
        }
    }
    let script = Script::new([]);
    let stored = Operation::resume("https://evil.example/x", PollStyle::Location);
    let found = script.cloud().operation(&stored).await.unwrap_err();
    assert!(found.to_string().contains("evil.example"), "{found}");
    assert!(script.seen().is_empty(), "nothing went out");

    let events = json!({"value": [], "nextLink": "https://evil.example/next"});
    let script = Script::new([ok(200, &[], &events)]);
    let found = script
        .cloud()
        .evidence(&id(VM), request(), now(), now())
        .await
        .unwrap_err();
    assert!(found.to_string().contains("evil.example"), "{found}");
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn an_accepted_command_without_an_address_is_a_riddle() {
    let found = install(ok(202, &[], &Value::Null)).await;
    assert!(matches!(found, Error::Ambiguous { .. }), "{found:?}");
}

#[tokio::test]
async fn the_token_goes_in_one_header_and_shows_nowhere() {
    let script = Script::new([error(403, "AuthorizationFailed")]);
    let cloud = script.cloud();
    let found = cloud.read(&id(VM), MachineKind::AzureVm).await.unwrap_err();
    let seen = &script.seen()[0];
    assert_eq!(seen.headers()["authorization"], format!("Bearer {CANARY}"));
    assert_eq!(seen.uri().host(), Some("management.azure.com"));
    let shown = format!("{seen:?} {found:?} {found}");
    assert!(!shown.contains(CANARY), "{shown}");
}

#[tokio::test]
async fn an_error_quotes_no_page_that_is_not_azures() {
    let page = http::Response::builder().status(502);
    let echo = format!("<html>you sent {CANARY}</html>");
    let found = install(Ok(page.body(echo.into()).unwrap())).await;
    assert!(!format!("{found} {found:?}").contains(CANARY), "{found}");
}

#[tokio::test]
async fn a_token_that_is_echoed_is_taken_out() {
    let echo = json!({"error": {"code": CANARY, "message": format!("{}{CANARY}", "x".repeat(290)),
        "target": CANARY}});
    for status in [400, 403, 409, 500] {
        let found = install(ok(status, &[], &echo)).await;
        assert!(!format!("{found} {found:?}").contains("canary"), "{found}");
    }
    for lost in [
        TransportError::AnswerLost(CANARY.into()),
        TransportError::NotSent(CANARY.into()),
    ] {
        let found = install(Err(lost)).await;
        assert!(!format!("{found} {found:?}").contains("canary"), "{found}");
    }
}

#[tokio::test]
async fn a_request_id_that_no_header_can_carry_is_never_sent() {
    let script = Script::new([]);
    let bad = hotpatch_operator::domain::command::RequestId("a\r\nb".into());
    let found = script
        .cloud()
        .assess(&id(VM), MachineKind::AzureVm, bad)
        .await
        .unwrap_err();
    assert!(
        found.is_sure_refusal() && script.seen().is_empty(),
        "{found:?}"
    );
}
