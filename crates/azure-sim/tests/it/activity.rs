//! The Activity Log and the locations API.

use azure_sim::{Options, VmSpec};
use serde_json::{Value, json};

use crate::support::{Azure, install_body};

const SUB: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";

fn events(azure: &Azure, filter: &str) -> Vec<Value> {
    let path = format!(
        "{SUB}/providers/Microsoft.Insights/eventtypes/management/values\
         ?api-version=2015-04-01&$filter={filter}"
    );
    azure.get(&path)["value"].as_array().unwrap().clone()
}

#[test]
fn accepted_calls_show_with_their_request_id_after_the_delay() {
    let azure = Azure::new("2025-08-12T18:00:00Z");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let other = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-2"));
    for (id, request) in [(&id, "mine"), (&other, "not-mine")] {
        azure.send_with(
            "POST",
            &format!("{id}/installPatches"),
            &install_body("Never", &["5064010"]),
            &[("x-ms-client-request-id", request)],
        );
    }
    let filter = format!("eventTimestamp ge '2025-08-12T17:00:00Z' and resourceUri eq '{id}'");
    assert!(events(&azure, &filter).is_empty());
    azure.minutes(2);
    let found = events(&azure, &filter);
    let status: Vec<&str> = found
        .iter()
        .map(|event| event["status"]["value"].as_str().unwrap())
        .collect();
    assert_eq!(status, ["Accepted", "Started"], "newest first");
    let event = &found[0];
    assert_eq!(
        event["operationName"]["value"],
        "Microsoft.Compute/virtualMachines/installPatches/action"
    );
    assert_eq!(event["httpRequest"]["clientRequestId"], "mine");
    assert_eq!(
        (&event["caller"], &event["resourceId"]),
        (&json!("operator"), &json!(id))
    );
    assert!(event["submissionTimestamp"].as_str() > event["eventTimestamp"].as_str());
    azure.minutes(60);
    let found = events(&azure, &filter);
    assert_eq!(found[0]["status"]["value"], "Succeeded");
    assert_eq!(found[0]["correlationId"], event["correlationId"]);
    let later = format!("eventTimestamp ge '2025-08-12T19:30:00Z' and resourceUri eq '{id}'");
    assert!(events(&azure, &later).is_empty());
}

#[test]
fn refused_writes_show_as_failed_and_reads_do_not_show() {
    let azure = Azure::new("2025-08-12T18:00:00Z");
    let id = azure
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("web-1").deallocated());
    azure.get(&id);
    let reply = azure.send(
        "POST",
        &format!("{id}/installPatches"),
        &install_body("Never", &["1"]),
    );
    assert_eq!(reply.status, 409);
    azure.minutes(3);
    let found = events(&azure, "eventTimestamp ge '2025-08-12T17:00:00Z'");
    let status: Vec<&str> = found
        .iter()
        .map(|event| event["status"]["value"].as_str().unwrap())
        .collect();
    assert_eq!(status, ["Failed", "Started"]);
}

#[test]
fn a_filter_must_name_its_start_and_only_known_conditions() {
    let azure = Azure::new("2025-08-12T18:00:00Z");
    for filter in [
        "resourceUri eq '/x'",
        "eventTimestamp ge '2025-08-12T17:00:00Z' or x eq 'y'",
    ] {
        let path = format!(
            "{SUB}/providers/Microsoft.Insights/eventtypes/management/values?$filter={filter}"
        );
        assert_eq!(
            azure.send("GET", &path, &Value::Null).status,
            400,
            "{filter}"
        );
    }
}

#[test]
fn locations_tell_pairs_and_zones_as_the_subscription_sees_them() {
    let azure = Azure::with("2025-08-01", Options::default());
    azure.sim.set_zone_mapping("sub-x", "westeurope", [3, 1, 2]);
    let all = azure.get("/subscriptions/sub-x/locations?api-version=2022-12-01");
    let rows = all["value"].as_array().unwrap();
    let region = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    let west = region("westeurope");
    assert_eq!(west["metadata"]["pairedRegion"][0]["name"], "northeurope");
    assert_eq!(
        west["availabilityZoneMappings"][0],
        json!({"logicalZone": "1", "physicalZone": "westeurope-az3"})
    );
    assert!(region("australiacentral")["availabilityZoneMappings"].is_null());
}
