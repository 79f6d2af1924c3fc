//! Commands as sent, and what becomes of them.

use hotpatch_operator::azure::{LogEvidence, Operation, OperationState, Outcome, PollStyle};
use hotpatch_operator::domain::machine::{InstallStatus, MachineKind, RebootStatus};
use serde_json::{Value, json};

use super::documents::{body, document};
use super::script::*;

const POLL: &str = "https://management.azure.com/subscriptions/s1/providers/Microsoft.Compute/\
                    locations/westus/operations/o1?monitor=true&api-version=2024-11-01";

async fn state(style: PollStyle, answer: Answer) -> OperationState {
    let script = Script::new([answer]);
    let state = script
        .cloud()
        .operation(&Operation::resume(POLL, style))
        .await
        .unwrap();
    assert_eq!(script.seen()[0].uri().to_string(), POLL);
    state
}

async fn ended(style: PollStyle, answer: Answer) -> Outcome {
    match state(style, answer).await {
        OperationState::Ended(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_install_is_sent_as_the_official_example_words_it() {
    let script = Script::new([ok(202, &[("location", POLL)], &Value::Null)]);
    let operation = script
        .cloud()
        .install(&id(VM), MachineKind::AzureVm, &order(), request())
        .await
        .unwrap();
    assert_eq!(operation, Operation::resume(POLL, PollStyle::Location));
    let seen = &script.seen()[0];
    assert_eq!(seen.method(), "POST");
    assert_eq!(
        seen.uri().path_and_query().unwrap().as_str(),
        "/subscriptions/s1/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm1\
         /installPatches?api-version=2024-11-01"
    );
    assert_eq!(
        seen.headers()["x-ms-client-request-id"],
        request().0.as_str()
    );
    assert_eq!(seen.headers()["x-ms-return-client-request-id"], "true");
    let sent = &script.bodies()[0];
    assert_eq!(
        *sent,
        json!({"maximumDuration": "PT2H", "rebootSetting": "Never", "windowsParameters": {
            "kbNumbersToInclude": ["5070893"], "excludeKbsRequiringReboot": true,
            "maxPatchPublishDate": "2026-11-10T23:59:59Z"}})
    );
    for name in ["VirtualMachines_InstallPatches", "Machines_InstallPatches"] {
        let official = &document(name)["parameters"]["installPatchesInput"];
        for key in official.as_object().unwrap().keys() {
            assert!(sent.get(key).is_some(), "{name} has {key}");
        }
        let date = &official["windowsParameters"]["maxPatchPublishDate"];
        for date in [date, &sent["windowsParameters"]["maxPatchPublishDate"]] {
            chrono::DateTime::parse_from_rfc3339(date.as_str().unwrap()).unwrap();
        }
    }
}

#[tokio::test]
async fn an_order_says_its_time_and_whether_it_may_reboot() {
    for (minutes, text) in [(40, "PT40M"), (60, "PT1H"), (235, "PT3H55M")] {
        let script = Script::new([ok(202, &[("location", POLL)], &Value::Null)]);
        let mut order = order();
        order.maximum_duration = chrono::TimeDelta::minutes(minutes);
        order.may_reboot = true;
        order.exclude_rebooting = false;
        let arc = id(ARC);
        script
            .cloud()
            .install(&arc, MachineKind::ArcServer, &order, request())
            .await
            .unwrap();
        let sent = &script.bodies()[0];
        assert_eq!(sent["maximumDuration"], text);
        assert_eq!(sent["rebootSetting"], "IfRequired");
        assert!(
            sent["windowsParameters"]
                .get("excludeKbsRequiringReboot")
                .is_none()
        );
        assert!(
            script.seen()[0]
                .uri()
                .query()
                .unwrap()
                .contains("api-version=2025-01-13")
        );
    }
}

#[tokio::test]
async fn an_order_that_pins_nothing_or_has_no_time_is_never_sent() {
    let script = Script::new([]);
    let mut unpinned = order();
    unpinned.kbs.clear();
    let mut short = order();
    short.maximum_duration = chrono::TimeDelta::minutes(24);
    let mut long = order();
    long.maximum_duration = chrono::TimeDelta::minutes(241);
    for order in [unpinned, short, long] {
        let sent = script
            .cloud()
            .install(&id(VM), MachineKind::AzureVm, &order, request())
            .await;
        assert!(sent.unwrap_err().is_sure_refusal());
    }
    assert!(script.seen().is_empty());
}

#[tokio::test]
async fn a_name_cannot_lead_out_of_its_path() {
    let names = [
        ("a b?c#d%2e", "a%20b%3Fc%23d%252e"),
        ("ä", "%C3%A4"),
        ("a(1)_x.y-z", "a(1)_x.y-z"),
    ];
    for (name, encoded) in names {
        let script = Script::new([error(404, "NotFound")]);
        let vm = id(VM.replace("vm1", name).as_str());
        let _ = script
            .cloud()
            .read(&vm, MachineKind::AzureVm)
            .await
            .unwrap_err();
        let path = script.seen()[0].uri().path().to_owned();
        assert!(
            path.ends_with(&format!("/virtualmachines/{encoded}")),
            "{path}"
        );
    }
    let script = Script::new([]);
    let up = id(&VM.replace("vm1", ".."));
    assert!(
        script
            .cloud()
            .read(&up, MachineKind::AzureVm)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn restarts_go_where_the_kind_has_them() {
    let script = Script::new([
        ok(202, &[("location", POLL)], &Value::Null),
        ok(202, &[("azure-asyncoperation", POLL)], &Value::Null),
    ]);
    let cloud = script.cloud();
    let vm = cloud
        .restart(&id(VM), MachineKind::AzureVm, request())
        .await
        .unwrap();
    assert_eq!(vm.style, PollStyle::Location);
    let local = cloud
        .restart(&id(ARC), MachineKind::AzureLocalVm, request())
        .await
        .unwrap();
    assert_eq!(local.style, PollStyle::AsyncOperation);
    let arc = cloud
        .restart(&id(ARC), MachineKind::ArcServer, request())
        .await
        .unwrap_err();
    assert!(arc.is_sure_refusal(), "{arc}");
    let paths: Vec<String> = script
        .seen()
        .iter()
        .map(|r| r.uri().path().to_owned())
        .collect();
    assert_eq!(paths.len(), 2);
    assert!(
        paths[0].ends_with("/virtualmachines/vm1/restart"),
        "{paths:?}"
    );
    let instance = "/machines/arc1/providers/Microsoft.AzureStackHCI/virtualMachineInstances/\
                    default/restart";
    assert!(paths[1].ends_with(instance), "{paths:?}");
    assert!(script.seen().iter().all(|r| r.body().is_empty()));
}

#[tokio::test]
async fn a_location_runs_until_its_result_is_there() {
    let running = state(
        PollStyle::Location,
        ok(202, &[("retry-after", "15")], &Value::Null),
    )
    .await;
    assert_eq!(running, OperationState::Running { again_seconds: 15 });
    let running = state(PollStyle::Location, ok(202, &[], &Value::Null)).await;
    assert_eq!(running, OperationState::Running { again_seconds: 30 });

    let result = body("VirtualMachines_InstallPatches", "200");
    let outcome = ended(PollStyle::Location, ok(200, &[], &result)).await;
    assert_eq!(outcome.status, InstallStatus::Succeeded);
    assert_eq!(outcome.reboot, RebootStatus::Completed);
    assert_eq!(outcome.installed, ["KB2267602".parse().unwrap()]);
    assert!(outcome.failed.is_empty(), "pending is not failed");
    let activity = outcome.activity.as_deref();
    assert_eq!(activity, Some("68f8b292-dfc2-4646-9781-33cc88631968"));
    assert_eq!(outcome.error, None);

    let result = body("Machines_InstallPatches", "200");
    let outcome = ended(PollStyle::Location, ok(200, &[], &result)).await;
    assert_eq!(outcome.reboot, RebootStatus::Completed);
    assert!(outcome.installed.is_empty(), "Arc gives counts only");

    let outcome = ended(PollStyle::Location, ok(204, &[], &Value::Null)).await;
    assert_eq!(outcome.status, InstallStatus::Succeeded);
}

#[tokio::test]
async fn an_async_operation_runs_until_a_final_word() {
    let style = PollStyle::AsyncOperation;
    for word in ["InProgress", "Accepted", "Running", "Whatever"] {
        let answer = ok(200, &[("retry-after", "7")], &json!({"status": word}));
        assert_eq!(
            state(style, answer).await,
            OperationState::Running { again_seconds: 7 }
        );
    }
    let outcome = ended(style, ok(200, &[], &json!({"status": "succeeded"}))).await;
    assert_eq!(outcome.status, InstallStatus::Succeeded);
    let failed = json!({"status": "Failed", "error": {"code": "Broken", "message": "it is"}});
    let outcome = ended(style, ok(200, &[], &failed)).await;
    assert_eq!(outcome.status, InstallStatus::Failed);
    assert_eq!(outcome.error.as_deref(), Some("Broken: it is"));
    let outcome = ended(style, ok(200, &[], &json!({"status": "Canceled"}))).await;
    assert_eq!(outcome.status, InstallStatus::Failed);
    let output = json!({"status": "Succeeded",
        "properties": {"output": body("VirtualMachines_InstallPatches", "200")}});
    let outcome = ended(style, ok(200, &[], &output)).await;
    assert_eq!(outcome.reboot, RebootStatus::Completed);
}

#[tokio::test]
async fn an_error_inside_a_200_is_an_error() {
    for key in ["error", "errorDetails"] {
        let mut result = body("VirtualMachines_InstallPatches", "200");
        result["status"] = json!("Failed");
        result["maintenanceWindowExceeded"] = json!(true);
        result["rebootStatus"] = json!("required");
        result[key] = json!({"code": "WindowExceeded", "message": "x".repeat(1000)});
        let outcome = ended(PollStyle::Location, ok(200, &[], &result)).await;
        assert_eq!(outcome.status, InstallStatus::Failed);
        assert_eq!(outcome.reboot, RebootStatus::Required);
        assert!(outcome.window_exceeded);
        let line = outcome.error.unwrap();
        assert!(
            line.starts_with("WindowExceeded: xxx") && line.len() <= 300,
            "{line}"
        );
    }
}

#[tokio::test]
async fn words_not_known_are_unknown_and_never_success() {
    let mut result = body("VirtualMachines_InstallPatches", "200");
    result["status"] = json!("Splendid");
    result["rebootStatus"] = json!("Perhaps");
    let outcome = ended(PollStyle::Location, ok(200, &[], &result)).await;
    assert_eq!(outcome.status, InstallStatus::Unknown);
    assert_eq!(outcome.reboot, RebootStatus::Unknown);
}

#[tokio::test]
async fn an_operation_that_is_forgotten_is_gone() {
    for style in [PollStyle::Location, PollStyle::AsyncOperation] {
        assert_eq!(
            state(style, error(404, "NotFound")).await,
            OperationState::Gone
        );
        assert_eq!(state(style, error(410, "Gone")).await, OperationState::Gone);
    }
    let none = Operation::resume("", PollStyle::Immediate);
    let state = Script::new([]).cloud().operation(&none).await.unwrap();
    assert_eq!(state, OperationState::Gone);
}

#[tokio::test]
async fn a_failed_operation_behind_a_location_has_failed() {
    let outcome = ended(PollStyle::Location, error(409, "VMExtensionError")).await;
    assert_eq!(outcome.status, InstallStatus::Failed);
    assert_eq!(
        outcome.error.as_deref(),
        Some("VMExtensionError: as scripted")
    );
}

#[tokio::test]
async fn a_command_answered_with_its_end_is_over() {
    let result = body("VirtualMachines_AssessPatches", "200");
    let script = Script::new([ok(200, &[], &result)]);
    let cloud = script.cloud();
    let operation = cloud
        .assess(&id(VM), MachineKind::AzureVm, request())
        .await
        .unwrap();
    assert_eq!(operation.style, PollStyle::Immediate);
    let OperationState::Ended(outcome) = cloud.operation(&operation).await.unwrap() else {
        panic!("it is over");
    };
    assert_eq!(outcome.status, InstallStatus::Succeeded);
    assert_eq!(
        outcome.activity.as_deref(),
        Some("68f8b292-dfc2-4646-9781-33cc88631968")
    );
}

#[test]
fn a_style_survives_its_text() {
    for style in [
        PollStyle::AsyncOperation,
        PollStyle::Location,
        PollStyle::RunCommand,
        PollStyle::Immediate,
    ] {
        assert_eq!(style.to_string().parse::<PollStyle>().unwrap(), style);
    }
    assert!("location".parse::<PollStyle>().is_err());
}

fn event(request: &str, status: &str, sub_status: &str, minute: u32) -> Value {
    json!({"eventTimestamp": format!("2026-11-22T02:{minute:02}:00Z"),
        "httpRequest": {"clientRequestId": request, "method": "POST"},
        "status": {"value": status}, "subStatus": {"value": sub_status}})
}

async fn evidence(pages: Vec<Answer>) -> (LogEvidence, Vec<String>) {
    let script = Script::new(pages);
    let since = now() - chrono::TimeDelta::hours(1);
    let found = script
        .cloud()
        .evidence(&id(VM), request(), since, now())
        .await
        .unwrap();
    (
        found,
        script.seen().iter().map(|r| r.uri().to_string()).collect(),
    )
}

#[tokio::test]
async fn the_log_tells_accepted_from_refused_from_absent() {
    let own = request().0.to_uppercase();
    let at = |minute: u32| {
        chrono::TimeZone::with_ymd_and_hms(&chrono::Utc, 2026, 11, 22, 2, minute, 0).unwrap()
    };
    let refused = |word: &str| LogEvidence::Refused {
        at: at(1),
        status: word.to_owned(),
    };
    let accepted = |minute: u32| LogEvidence::Accepted {
        at: at(minute),
        operation: None,
    };
    let cases = [
        (
            vec![],
            LogEvidence::Absent {
                searched_until: now(),
            },
        ),
        (
            vec![event("other", "Accepted", "", 1)],
            LogEvidence::Absent {
                searched_until: now(),
            },
        ),
        (vec![event(&own, "Accepted", "Accepted", 1)], accepted(1)),
        (vec![event(&own, "Started", "", 1)], accepted(1)),
        (
            vec![
                event(&own, "Started", "", 1),
                event(&own, "Failed", "Conflict", 1),
            ],
            refused("Conflict"),
        ),
        (vec![event(&own, "Failed", "429", 1)], refused("429")),
        // Accepted first, failed later: the operation failed, not the command.
        (
            vec![
                event(&own, "Failed", "Conflict", 9),
                event(&own, "Accepted", "", 2),
            ],
            accepted(2),
        ),
        // No sure refusal: it may have taken effect.
        (
            vec![event(&own, "Failed", "InternalServerError", 1)],
            accepted(1),
        ),
        (vec![event(&own, "Failed", "", 1)], accepted(1)),
    ];
    for (events, wanted) in cases {
        let answer = ok(200, &[], &json!({"value": events}));
        assert_eq!(evidence(vec![answer]).await.0, wanted, "{events:?}");
    }
}

#[tokio::test]
async fn the_log_is_read_to_its_last_page() {
    let next = "https://management.azure.com/subscriptions/s1/next?page=2";
    let first = ok(200, &[], &json!({"value": [], "nextLink": next}));
    let second = ok(
        200,
        &[],
        &json!({"value": [event(&request().0, "Succeeded", "OK", 3)]}),
    );
    let (found, urls) = evidence(vec![first, second]).await;
    assert!(matches!(found, LogEvidence::Accepted { .. }));
    assert_eq!(urls[1], next);
    assert!(urls[0].contains("/providers/Microsoft.Insights/eventtypes/management/values?"));
    let filter = "eventTimestamp%20ge%20%272026-11-22T02%3A00%3A00.000Z%27%20and%20";
    assert!(urls[0].contains(filter), "{}", urls[0]);
    assert!(
        urls[0].contains("resourceUri%20eq%20%27%2Fsubscriptions%2Fs1"),
        "{}",
        urls[0]
    );
}

#[tokio::test]
async fn the_log_of_an_azure_local_vm_is_its_instances_too() {
    let empty = || ok(200, &[], &json!({"value": []}));
    let script = Script::new([empty(), empty()]);
    let found = script
        .cloud()
        .evidence(&id(ARC), request(), now(), now())
        .await
        .unwrap();
    assert_eq!(
        found,
        LogEvidence::Absent {
            searched_until: now()
        }
    );
    assert!(
        script.seen()[1]
            .uri()
            .to_string()
            .contains("virtualMachineInstances%2Fdefault")
    );
}

#[tokio::test]
async fn a_result_that_is_under_way_is_none_yet() {
    for style in [PollStyle::Location, PollStyle::AsyncOperation] {
        let body = json!({"status": "InProgress", "installationActivityId": "a"});
        let retry = [("retry-after", "7")];
        let found = state(style, ok(200, &retry, &body)).await;
        assert_eq!(
            found,
            OperationState::Running { again_seconds: 7 },
            "{style}"
        );
    }
}

#[tokio::test]
async fn a_poll_says_when_to_ask_again_in_both_forms() {
    let date = ("date", "Sun, 22 Nov 2026 03:00:00 GMT");
    let rows: [(&[(&str, &str)], u64); 3] = [
        (&[("retry-after", "11")], 11),
        (
            &[("retry-after", "Sun, 22 Nov 2026 03:00:45 GMT"), date],
            45,
        ),
        (&[], 30),
    ];
    for (headers, again_seconds) in rows {
        let by_location = state(PollStyle::Location, ok(202, headers, &Value::Null)).await;
        let body = json!({"status": "InProgress"});
        let by_status = state(PollStyle::AsyncOperation, ok(200, headers, &body)).await;
        for found in [by_location, by_status] {
            assert_eq!(
                found,
                OperationState::Running { again_seconds },
                "{headers:?}"
            );
        }
    }
}
