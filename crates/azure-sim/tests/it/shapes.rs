//! What is answered has the shape of the official examples.
//!
//! Each table lists keys of the example (azure-rest-api-specs, api-versions 2024-11-01 and
//! 2025-09-16-preview) that an answer must have at the same path with the same JSON type.

use azure_sim::{ArcSpec, LocalSpec, VmSpec};
use serde_json::{Value, json};

use crate::support::Azure;

/// Checks that every key of the example is in the answer, with a value of the same type; null in
/// either stands for any type. The first element of an array stands for all.
fn assert_shape(name: &str, path: &str, example: &Value, found: &Value) {
    match (example, found) {
        (Value::Object(example), Value::Object(found)) => {
            for (key, value) in example {
                let path = format!("{path}.{key}");
                let inner = found
                    .get(key)
                    .unwrap_or_else(|| panic!("{name}: {path} is missing"));
                assert_shape(name, &path, value, inner);
            }
        }
        (Value::Array(example), Value::Array(found)) => {
            if let (Some(example), Some(found)) = (example.first(), found.first()) {
                assert_shape(name, &format!("{path}[0]"), example, found);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ => {
            let same = std::mem::discriminant(example) == std::mem::discriminant(found);
            assert!(same, "{name}: {path} is {found}, the example has {example}");
        }
    }
}

fn patch() -> Value {
    json!({"patchId": "35428702", "name": "Definition Update", "version": "", "kbId": "2267602",
           "classifications": ["Definition Updates"]})
}

fn assessment() -> Value {
    let mut patch = patch();
    for (key, value) in [
        ("rebootBehavior", "NeverReboots"),
        ("activityId", "68f8b292"),
        ("publishedDate", "2018-11-07T00:00:00Z"),
        ("lastModifiedDateTime", "2020-04-24T21:18:45.2830263Z"),
        ("assessmentState", "Available"),
    ] {
        patch[key] = json!(value);
    }
    json!({"status": "Succeeded", "assessmentActivityId": "68f8b292", "rebootPending": true,
           "criticalAndSecurityPatchCount": 1, "otherPatchCount": 2,
           "startDateTime": "2020-04-24T21:02:04.2556154Z", "availablePatches": [patch],
           "error": null})
}

fn installation() -> Value {
    let mut patch = patch();
    patch["installationState"] = json!("Installed");
    json!({"status": "Succeeded", "installationActivityId": "68f8b292", "rebootStatus": "Completed",
           "maintenanceWindowExceeded": false, "excludedPatchCount": 0,
           "notSelectedPatchCount": 0, "pendingPatchCount": 2, "installedPatchCount": 3,
           "failedPatchCount": 0, "startDateTime": "2020-04-24T21:02:04.2556154Z",
           "patches": [patch], "error": null})
}

fn arc_assessment() -> Value {
    json!({"assessmentActivityId": "68f8b292", "availablePatchCountByClassification":
            {"critical": 0, "definition": 0, "featurePack": 0, "security": 0, "servicePack": 0,
             "tools": 0, "updateRollup": 1, "updates": 1},
           "errorDetails": null, "lastModifiedDateTime": "2021-08-22T02:16:06.9740000Z",
           "osType": "Windows", "rebootPending": true,
           "startDateTime": "2021-08-22T02:15:20.9340000Z", "startedBy": "User",
           "status": "Succeeded"})
}

fn arc_installation() -> Value {
    let mut out = installation();
    let map = out.as_object_mut().unwrap();
    map.remove("patches");
    map.remove("error");
    for (key, value) in [
        ("errorDetails", Value::Null),
        (
            "lastModifiedDateTime",
            json!("2021-08-22T02:16:06.9740000Z"),
        ),
        ("osType", json!("Windows")),
        ("startedBy", json!("User")),
    ] {
        out[key] = value;
    }
    out
}

fn instance_view() -> Value {
    let status = json!({"code": "ProvisioningState/succeeded", "level": "Info",
                        "displayStatus": "Ready"});
    json!({
        "computerName": "myVM", "osName": "Windows",
        "osVersion": "Microsoft Windows NT 10.0.14393.0",
        "vmAgent": {"vmAgentVersion": "2.7", "statuses": [status], "extensionHandlers": []},
        "disks": [{"name": "myOsDisk", "statuses": [status]}],
        "bootDiagnostics": {}, "extensions": [], "isVMInStandbyPool": false,
        "hyperVGeneration": "V1",
        "patchStatus": {
            "availablePatchSummary": {
                "status": "Succeeded", "assessmentActivityId": "68f8b292", "rebootPending": true,
                "criticalAndSecurityPatchCount": 1, "otherPatchCount": 2,
                "startTime": "2020", "lastModifiedTime": "2020", "error": null},
            "lastPatchInstallationSummary": {
                "status": "Succeeded", "installationActivityId": "68f8b292",
                "maintenanceWindowExceeded": false, "notSelectedPatchCount": 1,
                "excludedPatchCount": 1, "pendingPatchCount": 1, "installedPatchCount": 1,
                "failedPatchCount": 1, "startTime": "2020", "lastModifiedTime": "2020",
                "error": null},
            "configurationStatuses": [{"code": "PatchModeConfigurationState/Ready",
                "level": "Info", "displayStatus": "Status_PatchModeConfigurationState_Ready",
                "time": "2020"}],
        },
        "statuses": [status],
    })
}

#[test]
fn virtual_machines_have_the_shape_of_the_examples() {
    let azure = Azure::new("2025-08-01");
    let id = azure
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("web-1").reboot_setting("Never"));
    azure.set("2025-08-12T18:00:00Z");
    let model = json!({
        "name": "", "id": "", "type": "", "location": "", "tags": {},
        "properties": {
            "vmId": "", "hardwareProfile": {"vmSize": ""},
            "storageProfile": {
                "imageReference": {"publisher": "", "offer": "", "sku": "", "version": ""},
                "osDisk": {"osType": "", "name": "", "createOption": "", "caching": "",
                           "managedDisk": {"storageAccountType": "", "id": ""}, "diskSizeGB": 30},
                "dataDisks": []},
            "osProfile": {"computerName": "", "adminUsername": "", "secrets": [],
                "windowsConfiguration": {"provisionVMAgent": true,
                    "enableAutomaticUpdates": false,
                    "patchSettings": {"patchMode": "", "assessmentMode": "",
                        "enableHotpatching": true, "automaticByPlatformSettings":
                        {"rebootSetting": "", "bypassPlatformSafetyChecksOnUserSchedule": true}}}},
            "networkProfile": {"networkInterfaces": [{"id": ""}]},
            "provisioningState": ""},
    });
    assert_shape("VirtualMachines_Get", "", &model, &azure.get(&id));
    assert_shape(
        "VirtualMachines_AssessPatches",
        "",
        &assessment(),
        &azure.assess(&id),
    );
    let result = azure.install(&id, "Never", &["5064010"]);
    assert_shape(
        "VirtualMachines_InstallPatches",
        "",
        &installation(),
        &result,
    );
    let view = azure.get(&format!("{id}/instanceView"));
    assert_shape("VirtualMachines_InstanceView", "", &instance_view(), &view);
}

#[test]
fn arc_machines_have_the_shape_of_the_examples() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_arc(ArcSpec::ws2025_standard("srv-1"));
    azure.set("2025-08-12T18:00:00Z");
    let feature =
        json!({"name": "Hotpatch", "enrollmentDate": "", "subscriptionStatus": "Enabled"});
    let product = json!({"productFeatures": [feature], "productType": "WindowsServer"});
    let model = json!({
        "name": "", "type": "", "id": "", "kind": null, "location": "", "tags": null,
        "identity": {"type": "", "principalId": "", "tenantId": ""}, "resources": [],
        "properties": {
            "agentVersion": null, "errorDetails": null, "displayName": null,
            "detectedProperties": {"cloudprovider": "", "manufacturer": "", "model": ""},
            "lastStatusChange": null, "licenseProfile": {"licenseChannel": "", "licenseStatus": "",
                "productProfile": product},
            "machineFqdn": null, "osEdition": "", "osProfile": {"computerName": null,
                "windowsConfiguration": {"patchSettings": {"assessmentMode": null,
                    "enableHotpatching": true, "patchMode": null,
                    "status": {"error": null, "hotpatchEnablementStatus": ""}}}},
            "osSku": null, "osType": null, "osVersion": null, "parentClusterResourceId": null,
            "provisioningState": "", "status": null, "vmId": "", "vmUuid": null,
            "firmwareProfile": {"type": "", "serialNumber": ""},
            "serviceStatuses": {
                "extensionService": {"startupType": "", "status": ""},
                "guestConfigurationService": {"startupType": "", "status": ""}}},
    });
    assert_shape("Machines_Get", "", &model, &azure.get(&id));
    let profile = json!({"name": "default", "type": "", "id": "", "location": "",
        "properties": {"productProfile": product}, "tags": null});
    let found = azure.get(&format!("{id}/licenseProfiles/default"));
    assert_shape("LicenseProfiles_Get", "", &profile, &found);
    assert_shape(
        "Machines_AssessPatches",
        "",
        &arc_assessment(),
        &azure.assess(&id),
    );
    let result = azure.install(&id, "Never", &["5064010"]);
    assert_shape("Machines_InstallPatches", "", &arc_installation(), &result);
}

#[test]
fn instances_health_and_graph_have_the_shape_of_the_examples() {
    let azure = Azure::new("2025-08-01");
    let id = azure
        .sim
        .add_local(LocalSpec::ws2025_azure_edition("hci-1"));
    let instance = json!({
        "id": "", "extendedLocation": {"name": "", "type": ""}, "name": "", "type": "",
        "properties": {"storageProfile": {"imageReference": {"id": ""}},
            "hardwareProfile": {"vmSize": ""},
            "osProfile": {"computerName": "", "adminUsername": ""},
            "networkProfile": {"networkInterfaces": [{"id": ""}]},
            "securityProfile": {"enableTPM": true, "uefiSettings": {"secureBootEnabled": true}},
            "provisioningState": ""}});
    let path = format!("{id}/providers/Microsoft.AzureStackHCI/virtualMachineInstances/default");
    assert_shape(
        "VirtualMachineInstances_Get",
        "",
        &instance,
        &azure.get(&path),
    );
    let health = json!({"id": "", "name": "", "type": "", "location": "", "properties": {
        "availabilityState": "", "title": "", "summary": "", "reasonType": "", "context": "",
        "category": "", "reasonChronicity": "", "occuredTime": "", "reportedTime": "",
        "recommendedActions": []}});
    let path = format!("{id}/providers/Microsoft.ResourceHealth/availabilityStatuses/current");
    assert_shape(
        "AvailabilityStatuses_GetByResource",
        "",
        &health,
        &azure.get(&path),
    );
    let graph = json!({"totalRecords": 3, "count": 3, "resultTruncated": "false", "facets": [],
        "data": [{"id": "", "name": "", "type": "", "location": "", "tags": {}}]});
    let text = "Resources | project id, name, type, location, tags | limit 3";
    let reply = azure.graph(&json!({"query": text}));
    assert_shape("ResourceGraph_Resources_Basic", "", &graph, &reply.body);
}
