//! Resource Graph: rows, lag, scopes, paging, refusals.

use azure_sim::{ArcSpec, Assumptions, Health, LocalSpec, VmSpec};
use serde_json::{Value, json};

use crate::support::{Azure, install_body};

fn fleet() -> Azure {
    let azure = Azure::new("2025-08-01");
    for n in 0..5 {
        let spec = VmSpec::ws2025_azure_edition(&format!("web-{n}")).zone(n % 3 + 1);
        azure
            .sim
            .add_vm(spec.tag("app", "web").reboot_setting("Never"));
    }
    azure.sim.add_arc(
        ArcSpec::ws2025_standard("arc-1")
            .subscription("sub-b")
            .tag("app", "db"),
    );
    azure
        .sim
        .add_local(LocalSpec::ws2025_azure_edition("hci-1"));
    azure
}

/// The inventory query of the reference, word for word.
const INVENTORY: &str = "resources
| where type in~ ('microsoft.compute/virtualmachines','microsoft.hybridcompute/machines')
| extend ps = properties.osProfile.windowsConfiguration.patchSettings
| project id, name, type, kind, location, zones, resourceGroup, subscriptionId, tags,
  hotpatch = tobool(ps.enableHotpatching), hpStatus = tostring(ps.status.hotpatchEnablementStatus),
  bypass = tobool(ps.automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule),
  patchMode = tostring(ps.patchMode), sku = tostring(properties.storageProfile.imageReference.sku),
  arcStatus = tostring(properties.status), osSku = tostring(properties.osSku)
| order by id asc";

#[test]
fn the_inventory_query_gives_every_machine_in_order() {
    let azure = fleet();
    let rows = azure.query(INVENTORY);
    assert_eq!(rows.len(), 7);
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted());
    let vm = rows.iter().find(|row| row["name"] == "web-0").unwrap();
    assert_eq!(vm["type"], "microsoft.compute/virtualmachines");
    assert_eq!(
        (&vm["hotpatch"], &vm["bypass"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(vm["sku"], "2025-datacenter-azure-edition");
    assert_eq!(vm["zones"], json!(["1"]));
    let arc = rows.iter().find(|row| row["name"] == "arc-1").unwrap();
    assert_eq!(
        (&arc["hpStatus"], &arc["arcStatus"]),
        (&json!("Enabled"), &json!("Connected"))
    );
    let local = rows.iter().find(|row| row["name"] == "hci-1").unwrap();
    assert_eq!(local["kind"], "HCI");
}

#[test]
fn pending_patches_and_installs_show_as_rows_with_lower_cased_ids() {
    let azure = fleet();
    azure.set("2025-08-12T18:00:00Z");
    let id = azure.sim.machines()[0].id.clone();
    azure.assess(&id);
    azure.minutes(2);
    let rows = azure.query(
        "patchassessmentresources
        | where type endswith '/softwarepatches' and isnotempty(properties.kbId)
        | extend machine = tolower(tostring(split(tolower(id),'/patchassessmentresults/')[0]))
        | project id, machine, kb = tostring(properties.kbId),
          reboot = tostring(properties.rebootBehavior), cls = properties.classifications",
    );
    let hotpatch = rows.iter().find(|row| row["kb"] == "5064010").unwrap();
    assert_eq!(hotpatch["machine"], id.to_lowercase());
    assert_eq!(hotpatch["reboot"], "NeverReboots");
    assert_eq!(hotpatch["cls"], json!(["Security"]));
    azure.install(&id, "Never", &["5064010"]);
    azure.minutes(2);
    let rows = azure.query(
        "patchinstallationresources | where type endswith '/patchinstallationresults' \
         | project id, status = properties.status, n = toint(properties.installedPatchCount)",
    );
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["status"], &rows[0]["n"]),
        (&json!("Succeeded"), &json!(1))
    );
    let id = rows[0]["id"].as_str().unwrap();
    assert_eq!(id, id.to_lowercase());
}

#[test]
fn a_running_install_shows_in_progress() {
    let azure = fleet();
    azure.set("2025-08-12T18:00:00Z");
    let id = azure.sim.machines()[0].id.clone();
    azure.send(
        "POST",
        &format!("{id}/installPatches"),
        &install_body("Never", &["5064010"]),
    );
    azure.minutes(5);
    let rows = azure
        .query("patchinstallationresources | where properties.status == 'InProgress' | project id");
    assert_eq!(rows.len(), 1);
}

#[test]
fn changes_show_after_the_lag_and_not_before() {
    for lag in [0, 1, 10] {
        let assumptions = Assumptions {
            graph_lag_minutes: lag,
            ..Assumptions::default()
        };
        let azure = Azure::assuming("2025-08-01", assumptions);
        let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
        azure.days(1);
        azure.sim.retag(&id, "app", Some("new"));
        let seen = || {
            azure
                .query("resources | where tags.app == 'new' | project id")
                .len()
        };
        if lag > 0 {
            assert_eq!(seen(), 0, "lag {lag}");
            azure.minutes(i64::from(lag) - 1);
            assert_eq!(seen(), 0, "lag {lag}");
            azure.minutes(1);
        }
        assert_eq!(seen(), 1, "lag {lag}");
        azure.sim.delete_machine(&id);
        azure.minutes(i64::from(lag));
        assert_eq!(seen(), 0, "lag {lag}");
    }
}

#[test]
fn azure_forgets_assessments_after_a_week_and_installs_after_thirty_days() {
    let azure = fleet();
    azure.set("2025-08-12T18:00:00Z");
    let id = azure.sim.machines()[0].id.clone();
    azure.assess(&id);
    azure.install(&id, "Never", &["5064010"]);
    let count = |table: &str| {
        let text = format!(
            "{table} | where id startswith '{}' | project id",
            id.to_lowercase()
        );
        azure.query(&text).len()
    };
    azure.days(6);
    assert!(count("patchassessmentresources") > 0);
    azure.days(2);
    assert_eq!(count("patchassessmentresources"), 0);
    assert!(count("patchinstallationresources") > 0);
    azure.days(23);
    assert_eq!(count("patchinstallationresources"), 0);
}

#[test]
fn pages_follow_the_token_and_without_ids_rows_are_lost() {
    let azure = fleet();
    let text = "resources | where type =~ 'Microsoft.Compute/virtualMachines' \
                | project id | order by id asc";
    let mut found = Vec::new();
    let mut token = Value::Null;
    for page in 0.. {
        let reply =
            azure.graph(&json!({"query": text, "options": {"$top": 2, "$skipToken": token}}));
        assert_eq!(reply.body["totalRecords"], 5);
        found.extend(reply.body["data"].as_array().unwrap().clone());
        token = reply.body["$skipToken"].clone();
        assert_eq!(reply.body["resultTruncated"], "false");
        if token.is_null() {
            assert_eq!(page, 2);
            break;
        }
    }
    assert_eq!(found, azure.query(text));
    let lost = azure.graph(&json!({"query": "resources | project name", "options": {"$top": 2}}));
    assert_eq!(lost.body["resultTruncated"], "true");
    assert!(lost.body["$skipToken"].is_null());
    let alien = json!({"query": text, "options": {"$skipToken": "x-2"}});
    assert_eq!(azure.graph(&alien).status, 400);
    assert_eq!(
        azure
            .graph(&json!({"query": text, "options": {"$top": 1001}}))
            .status,
        400
    );
}

#[test]
fn scopes_restrict_rows_and_the_quota_is_told() {
    let azure = fleet();
    let text = "resources | where type endswith '/machines' | project id";
    let in_b = azure.graph(&json!({"query": text, "subscriptions": ["SUB-B"]}));
    assert_eq!(in_b.body["count"], 1);
    assert_eq!(in_b.header("x-ms-user-quota-remaining"), "14");
    assert_eq!(in_b.header("x-ms-user-quota-resets-after"), "00:00:05");
    let both = json!({"query": text, "subscriptions": ["a"], "managementGroups": ["m"]});
    assert_eq!(azure.graph(&both).status, 400);
}

#[test]
fn what_the_interpreter_does_not_know_is_refused_with_details() {
    let azure = fleet();
    for text in [
        "resources | frobnicate x",
        "nosuchtable | take 1",
        "resources | where",
        "resources | where name == 'x",
        "resources | project wat(name)",
        "resources | project nosuchcolumn",
        "resources | where name ==== 'x'",
    ] {
        let reply = azure.graph(&json!({"query": text}));
        assert_eq!((reply.status, reply.code()), (400, "BadRequest"), "{text}");
        assert_eq!(
            reply.body["error"]["details"][0]["code"], "InvalidQuery",
            "{text}"
        );
    }
}

#[test]
fn health_and_containers_and_instances_are_tables_too() {
    let azure = fleet();
    let id = azure.sim.machines()[0].id.clone();
    azure.sim.set_health(&id, Some(Health::Degraded));
    azure.minutes(2);
    let rows = azure.query(
        "healthresources | where type =~ 'microsoft.resourcehealth/availabilitystatuses' \
         | project id, vm = tolower(tostring(properties.targetResourceId)), \
           state = tostring(properties.availabilityState) | where state != 'Available'",
    );
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["vm"], &rows[0]["state"]),
        (&json!(id.to_lowercase()), &json!("Degraded"))
    );
    let groups = azure.query("resourcecontainers | where type endswith '/subscriptions' | count");
    assert_eq!(groups, [json!({"Count": 2})]);
    let others = azure.query("extensibilityresources | project id, type | order by type desc");
    let types: Vec<&str> = others
        .iter()
        .filter_map(|own| own["type"].as_str())
        .collect();
    assert!(
        types.contains(&"microsoft.azurestackhci/virtualmachineinstances")
            && types.contains(&"microsoft.azurestackhci/clusters/updatesummaries"),
        "{types:?}"
    );
    assert_eq!(azure.query("maintenanceresources | project id").len(), 0);
}

#[test]
fn power_state_and_system_show_under_extended() {
    let azure = fleet();
    let id = azure.sim.machines()[0].id.clone();
    azure.sim.deallocate(&id);
    azure.minutes(2);
    let rows = azure.query(
        "resources | extend power = tostring(properties.extended.instanceView.powerState.code) \
         | where power =~ 'powerstate/deallocated' \
         | project id, gen = properties.extended.instanceView.hyperVGeneration",
    );
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["gen"], "V2");
}
