//! Maintenance configurations and what they are assigned to.

use azure_sim::VmSpec;
use serde_json::{Value, json};

use crate::support::Azure;

const GROUP: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-apps";

fn configuration() -> Value {
    json!({"location": "westeurope", "properties": {
        "maintenanceScope": "InGuestPatch",
        "extensionProperties": {"InGuestPatchMode": "User"},
        "maintenanceWindow": {"startDateTime": "2025-12-01 20:00", "duration": "03:00",
            "timeZone": "UTC", "recurEvery": "Month Second Tuesday Offset4"}}})
}

#[test]
fn a_configuration_is_written_read_listed_and_deleted() {
    let azure = Azure::new("2025-11-20");
    let id = format!("{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/Nights");
    assert_eq!(
        azure.send("GET", &id, &Value::Null).code(),
        "ResourceNotFound"
    );
    assert_eq!(azure.send("PUT", &id, &configuration()).status, 201);
    assert_eq!(azure.send("PUT", &id, &configuration()).status, 200);
    let read = azure.get(&id.to_lowercase());
    assert_eq!((&read["name"], &read["id"]), (&json!("Nights"), &json!(id)));
    assert_eq!(read["properties"]["maintenanceWindow"]["duration"], "03:00");
    let sub = GROUP.split("/resourceGroups").next().unwrap();
    for below in [GROUP, sub] {
        let list = format!("{below}/providers/Microsoft.Maintenance/maintenanceConfigurations");
        assert_eq!(azure.get(&list)["value"].as_array().unwrap().len(), 1);
    }
    assert_eq!(azure.send("DELETE", &id, &Value::Null).status, 200);
    assert_eq!(azure.send("DELETE", &id, &Value::Null).status, 204);
}

#[test]
fn a_guest_scope_without_its_mode_is_refused() {
    let azure = Azure::new("2025-11-20");
    let id = format!("{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/n");
    let mut body = configuration();
    body["properties"]["extensionProperties"] = Value::Null;
    assert_eq!(azure.send("PUT", &id, &body).status, 400);
}

#[test]
fn an_assignment_shows_at_the_machine_in_the_subscription_and_in_the_graph() {
    let azure = Azure::new("2025-11-20");
    let vm = azure.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    let all = format!("{vm}/providers/Microsoft.Maintenance/configurationAssignments");
    let body = json!({"properties": {"maintenanceConfigurationId": "/c"}});
    assert_eq!(
        azure.send("PUT", &format!("{all}/own"), &json!({})).status,
        400
    );
    assert_eq!(azure.send("PUT", &format!("{all}/own"), &body).status, 201);
    let sub = GROUP.split("/resourceGroups").next().unwrap();
    let everywhere = format!("{sub}/providers/Microsoft.Maintenance/configurationAssignments");
    for list in [&all, &everywhere] {
        let found = azure.get(list);
        assert_eq!(found["value"][0]["properties"]["resourceId"], json!(vm));
    }
    azure.minutes(5);
    let rows = azure.query("maintenanceresources | project id, type, properties");
    assert_eq!(
        rows[0]["type"],
        "microsoft.maintenance/configurationassignments"
    );
    assert_eq!(rows[0]["properties"]["maintenanceConfigurationId"], "/c");
    assert_eq!(
        azure
            .send("DELETE", &format!("{all}/own"), &Value::Null)
            .status,
        200
    );
    azure.minutes(5);
    assert!(azure.query("maintenanceresources | project id").is_empty());
}
