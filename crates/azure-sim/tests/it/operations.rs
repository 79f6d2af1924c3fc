//! Long-running operations, identity, headers and faults.

use std::collections::BTreeMap;

use azure_sim::{Fault, Options, VmSpec};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::support::{Azure, install_body};

#[test]
fn an_operation_is_polled_in_both_styles_and_forgotten_after_a_day() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let reply = azure.send("POST", &format!("{id}/assessPatches"), &Value::Null);
    let (location, status) = (
        reply.header("location"),
        reply.header("azure-asyncoperation"),
    );
    assert!(location.contains("/providers/Microsoft.Compute/locations/westeurope/operations/"));
    assert!(!reply.header("retry-after").is_empty());
    assert_eq!(azure.send("GET", &location, &Value::Null).status, 202);
    assert_eq!(azure.get(&status)["status"], "InProgress");
    azure.minutes(6);
    assert_eq!(azure.get(&location)["status"], "Succeeded");
    let ended = azure.get(&status);
    assert_eq!(ended["status"], "Succeeded");
    assert_eq!(ended["properties"]["output"]["status"], "Succeeded");
    azure.days(2);
    assert_eq!(azure.send("GET", &location, &Value::Null).status, 404);
    let unknown = location.replace("/operations/", "/operations/0");
    assert_eq!(azure.send("GET", &unknown, &Value::Null).status, 404);
}

#[test]
fn every_answer_carries_arms_headers() {
    let azure = Azure::new("2025-08-01T10:00:00Z");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let reply = azure.send_with(
        "GET",
        &id,
        &Value::Null,
        &[
            ("x-ms-client-request-id", "mine"),
            ("x-ms-return-client-request-id", "true"),
        ],
    );
    assert_eq!(reply.header("date"), "Fri, 01 Aug 2025 10:00:00 GMT");
    assert_eq!(reply.header("x-ms-client-request-id"), "mine");
    for name in [
        "x-ms-request-id",
        "x-ms-correlation-request-id",
        "x-ms-ratelimit-remaining-subscription-reads",
    ] {
        assert!(!reply.header(name).is_empty(), "{name}");
    }
    let reply = azure.send_with(
        "GET",
        &id,
        &Value::Null,
        &[("x-ms-client-request-id", "mine")],
    );
    assert_eq!(
        reply.header("x-ms-client-request-id"),
        "",
        "only when asked for"
    );
}

#[test]
fn a_call_needs_a_known_token_and_an_api_version() {
    let tokens = BTreeMap::from([("secret".to_owned(), "operator-1".to_owned())]);
    let azure = Azure::with(
        "2025-08-01",
        Options {
            tokens,
            ..Options::default()
        },
    );
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let call = |token: Option<&str>, query: &str| {
        let mut request = Request::builder().uri(format!("{id}{query}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = azure.sim.handle(request.body(Bytes::new()).unwrap());
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        (
            response.status().as_u16(),
            body["error"]["code"].as_str().map(str::to_owned),
        )
    };
    let version = "?api-version=2024-11-01";
    assert_eq!(call(Some("secret"), version).0, 200);
    assert_eq!(
        call(None, version),
        (401, Some("AuthenticationFailed".to_owned()))
    );
    assert_eq!(
        call(Some("other"), version),
        (401, Some("InvalidAuthenticationToken".to_owned()))
    );
    assert_eq!(
        call(Some("secret"), ""),
        (400, Some("MissingApiVersionParameter".to_owned()))
    );
}

#[test]
fn unknown_paths_and_methods_are_refused() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    for (method, path, status) in [
        ("GET", "/nonsense".to_owned(), 404),
        ("PUT", id.clone(), 405),
        ("GET", format!("{id}/restart"), 405),
        ("GET", format!("{id}/other"), 404),
        ("GET", id.replace("web-1", "web-2"), 404),
    ] {
        assert_eq!(
            azure.send(method, &path, &json!({})).status,
            status,
            "{method} {path}"
        );
    }
    let upper = id.to_uppercase();
    assert_eq!(
        azure.send("GET", &upper, &Value::Null).status,
        200,
        "case does not matter"
    );
}

#[test]
fn faults_befall_calls_and_a_dropped_answer_was_handled() {
    let azure = Azure::new("2025-10-14T18:00:00Z");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let send = || {
        let body = install_body("Never", &["1"]).to_string();
        let uri = format!("{id}/installPatches?api-version=1");
        let request = Request::post(uri).header("authorization", "Bearer operator");
        azure.sim.call(request.body(Bytes::from(body)).unwrap())
    };
    for (fault, busy) in [
        (Fault::DropBefore, false),
        (Fault::Status(503, "{}".to_owned(), Some(7)), false),
        (Fault::DropAfter, true),
    ] {
        azure.sim.clear_hooks();
        let planned = fault.clone();
        azure.sim.on_call(move |_| planned.clone());
        let answer = send();
        match fault {
            Fault::Status(..) => {
                let answer = answer.unwrap();
                assert_eq!(answer.status().as_u16(), 503);
                assert_eq!(answer.headers()["retry-after"], "7");
            }
            _ => assert!(!answer.unwrap_err().is_reset()),
        }
        assert_eq!(azure.sim.machine(&id).unwrap().busy, busy, "{fault:?}");
    }
}

#[test]
fn a_deleted_machine_ends_its_operation() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let reply = azure.send("POST", &format!("{id}/assessPatches"), &Value::Null);
    azure.sim.delete_machine(&id);
    let ended = azure.send("GET", &reply.header("location"), &Value::Null);
    assert_eq!(ended.code(), "ResourceNotFound");
}
