//! Maintenance configurations and what they are assigned to.

use azure_sim::{Actor, ArcSpec, Assigned, Effect, VmSpec, What};
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

#[test]
fn a_dynamic_scope_is_written_shown_in_the_graph_and_deleted() {
    let azure = Azure::new("2025-11-20");
    let sub = GROUP.split("/resourceGroups").next().unwrap();
    for within in [sub, GROUP] {
        let id = format!("{within}/providers/Microsoft.Maintenance/configurationAssignments/own");
        let filter = json!({"osTypes": ["Windows"], "tagSettings": {"tags": {"ring": ["a"]}}});
        let body = json!({"properties": {"maintenanceConfigurationId": "/c", "filter": filter}});
        assert_eq!(azure.send("PUT", &id, &json!({})).status, 400);
        assert_eq!(azure.send("PUT", &id, &body).status, 201);
        assert_eq!(azure.send("PUT", &id, &body).status, 200);
        assert_eq!(azure.get(&id)["properties"]["resourceId"], json!(within));
        let rows = azure.query("maintenanceresources | project id, filter = properties.filter");
        assert_eq!(rows.len(), 1);
        assert_eq!((&rows[0]["id"], &rows[0]["filter"]), (&json!(id), &filter));
        assert_eq!(azure.send("DELETE", &id, &Value::Null).status, 200);
        assert_eq!(azure.send("DELETE", &id, &Value::Null).status, 204);
        assert!(azure.query("maintenanceresources | project id").is_empty());
    }
}

#[test]
fn a_schedule_installs_in_its_weeks_on_the_machines_it_drives() {
    let azure = Azure::new("2025-11-20");
    let id = format!("{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/nights");
    let arc = azure
        .sim
        .add_arc(ArcSpec::ws2025_standard("arc").tag("ring", "a"));
    let vm = azure.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    azure
        .sim
        .put_schedule(&id, "2025-11-22 22:00", "2Weeks Saturday", "Never");
    let sub = GROUP.split("/resourceGroups").next().unwrap();
    let filter = json!({"tagSettings": {"tags": {"Ring": ["a"]}, "filterOperator": "All"}});
    azure.sim.assign_by_filter(sub, "by-ring", &id, &filter);
    azure.sim.assign(&vm, "own", Some(&id));
    let installs = |machine: &str| {
        let happened = azure.happened(machine).into_iter();
        let is_ours = |own: &Effect| {
            matches!(
                own.what,
                What::InstallStarted {
                    by: Actor::Foreign,
                    ..
                }
            )
        };
        happened.filter(is_ours).count()
    };
    // Days passed, and the installs by then: on the 22nd, and two weeks later.
    for (days, expected) in [(2, 0), (2, 1), (9, 1), (5, 2)] {
        azure.minutes(days * 24 * 60);
        assert_eq!(installs(&arc), expected);
        assert_eq!(installs(&vm), 0, "without the bypass flag none drives a VM");
    }
}

#[test]
fn policies_show_with_the_states_of_the_machines_under_them() {
    let azure = Azure::new("2025-11-20");
    azure.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    let root = "/providers/Microsoft.Management/managementGroups/root";
    azure
        .sim
        .assign_policy(Assigned::new("inherited", root, "d-1"));
    azure.sim.assign_policy(Assigned::new(
        "own",
        GROUP.split("/resourceGroups").next().unwrap(),
        "d-2",
    ));
    azure.minutes(5);
    let of = |kind: &str| {
        let text = format!("policyresources | where type =~ '{kind}' | project id, properties");
        let rows = azure.query(&text);
        let definitions = rows
            .iter()
            .map(|row| row["properties"]["policyDefinitionId"].to_string());
        definitions
            .map(|own| {
                own.rsplit('/')
                    .next()
                    .unwrap()
                    .trim_end_matches('"')
                    .to_owned()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("microsoft.authorization/policyassignments"),
        ["d-1", "d-2"]
    );
    assert_eq!(of("microsoft.policyinsights/policystates"), ["d-1", "d-2"]);
    azure
        .sim
        .withhold("Microsoft.Authorization/policyAssignments/read");
    assert!(of("microsoft.authorization/policyassignments").is_empty());
    let path = format!(
        "{}/providers/Microsoft.Authorization/permissions",
        GROUP.split("/resourceGroups").next().unwrap()
    );
    let own = &azure.get(&path)["value"][0];
    assert_eq!(
        own["notActions"],
        json!(["microsoft.authorization/policyassignments/read"])
    );
    azure
        .sim
        .withhold("Microsoft.Authorization/permissions/read");
    assert_eq!(azure.send("GET", &path, &Value::Null).status, 403);
}
