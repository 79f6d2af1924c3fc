//! What Arc-enabled servers and Azure Local VMs do otherwise than VMs.

use azure_sim::{ArcSpec, LicenceState, LocalSpec, Os, PatchLevel, What};
use serde_json::{Value, json};

use crate::support::{Azure, install_body};

fn hotpatch_status(azure: &Azure, id: &str) -> String {
    let machine = azure.get(id);
    let settings = &machine["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"];
    settings["status"]["hotpatchEnablementStatus"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn licence_status(azure: &Azure, id: &str) -> String {
    let profile = azure.get(&format!("{id}/licenseProfiles/default"));
    let feature = &profile["properties"]["productProfile"]["productFeatures"][0];
    feature["subscriptionStatus"].as_str().unwrap().to_owned()
}

fn licence_body(status: &str) -> Value {
    json!({
        "location": "westeurope",
        "properties": {"productProfile": {
            "productType": "WindowsServer",
            "productFeatures": [{"name": "Hotpatch", "subscriptionStatus": status}],
        }},
    })
}

#[test]
fn enrolment_needs_licence_and_switch_and_shows_after_minutes() {
    let azure = Azure::new("2025-08-13");
    let id = azure
        .sim
        .add_arc(ArcSpec::ws2025_standard("srv-1").not_enrolled());
    let profile = format!("{id}/licenseProfiles/default");
    assert_eq!(azure.send("GET", &profile, &Value::Null).status, 404);
    assert_eq!(
        azure
            .send("PATCH", &profile, &licence_body("Enable"))
            .status,
        404
    );
    let reply = azure.send("PUT", &profile, &licence_body("Enabled"));
    assert_eq!(reply.status, 201);
    assert!(
        reply
            .header("azure-asyncoperation")
            .contains("/operationstatus/")
    );
    assert_eq!(licence_status(&azure, &id), "Enabling");
    assert_eq!(
        azure.get(&reply.header("azure-asyncoperation"))["status"],
        "InProgress"
    );
    azure.minutes(10);
    assert_eq!(licence_status(&azure, &id), "Enabled");
    assert_eq!(
        azure.get(&reply.header("azure-asyncoperation"))["status"],
        "Succeeded"
    );
    assert_eq!(hotpatch_status(&azure, &id), "Disabled");
    let intent = json!({"properties": {"osProfile": {"windowsConfiguration":
        {"patchSettings": {"enableHotpatching": true}}}}});
    assert_eq!(azure.send("PATCH", &id, &intent).status, 200);
    assert_eq!(hotpatch_status(&azure, &id), "PendingEvaluation");
    azure.minutes(10);
    assert_eq!(hotpatch_status(&azure, &id), "Enabled");
    assert!(azure.sim.machine(&id).unwrap().enrolled);
}

#[test]
fn a_licence_is_merged_by_patch_and_replaced_by_put() {
    let azure = Azure::new("2025-08-13");
    let id = azure.sim.add_arc(ArcSpec::ws2025_standard("srv-1"));
    let profile = format!("{id}/licenseProfiles/default");
    let esu = json!({"properties": {"softwareAssurance": {"softwareAssuranceCustomer": true}}});
    azure.send("PATCH", &profile, &esu);
    azure.send("PATCH", &profile, &licence_body("Disable"));
    let found = azure.get(&profile);
    assert_eq!(
        found["properties"]["softwareAssurance"]["softwareAssuranceCustomer"],
        true
    );
    assert_eq!(licence_status(&azure, &id), "Disabling");
    assert_eq!(
        azure.send("PUT", &profile, &licence_body("Enable")).status,
        200
    );
    assert!(azure.get(&profile)["properties"]["softwareAssurance"].is_null());
    assert_eq!(azure.send("DELETE", &profile, &Value::Null).status, 200);
    assert_eq!(azure.send("DELETE", &profile, &Value::Null).status, 204);
    let bad = azure.send("PUT", &profile, &licence_body("Perhaps"));
    assert_eq!((bad.status, bad.code()), (400, "BadRequest"));
}

#[test]
fn hotpatch_shows_action_required_where_something_is_missing() {
    for (name, spec) in [
        ("VBS off", ArcSpec::ws2025_standard("a").without_vbs()),
        (
            "licence missing",
            ArcSpec::ws2025_standard("a").licence(LicenceState::Missing),
        ),
        (
            "licence failed",
            ArcSpec::ws2025_standard("a").licence(LicenceState::Failed),
        ),
        (
            "licence stuck",
            ArcSpec::ws2025_standard("a").licence(LicenceState::StuckEnabling),
        ),
        (
            "old build",
            ArcSpec::ws2025_standard("a").build("26100.1591"),
        ),
        (
            "WS2022",
            ArcSpec::ws2022("a")
                .hotpatch(true)
                .licence(LicenceState::Enabled),
        ),
    ] {
        let azure = Azure::new("2025-08-13");
        let id = azure.sim.add_arc(spec);
        assert_eq!(hotpatch_status(&azure, &id), "ActionRequired", "{name}");
        assert!(!azure.sim.machine(&id).unwrap().enrolled, "{name}");
    }
    let azure = Azure::new("2025-08-13");
    let id = azure.sim.add_arc(ArcSpec::ws2025_datacenter("a"));
    assert_eq!(hotpatch_status(&azure, &id), "Enabled");
}

#[test]
fn a_licence_may_fail_or_stay_enabling() {
    let azure = Azure::new("2025-08-13");
    let id = azure
        .sim
        .add_arc(ArcSpec::ws2025_standard("a").not_enrolled().licence_fails());
    let profile = format!("{id}/licenseProfiles/default");
    azure.send("PUT", &profile, &licence_body("Enable"));
    azure.minutes(15);
    assert_eq!(licence_status(&azure, &id), "Failed");
    azure.send("PATCH", &profile, &licence_body("Enable"));
    azure.minutes(15);
    assert_eq!(
        licence_status(&azure, &id),
        "Enabled",
        "the next attempt succeeds"
    );
    let stuck = azure
        .sim
        .add_arc(ArcSpec::ws2025_standard("b").licence(LicenceState::StuckEnabling));
    azure.days(30);
    assert_eq!(licence_status(&azure, &stuck), "Enabling");
}

#[test]
fn results_carry_counts_and_no_patch_lists() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_arc(ArcSpec::ws2025_standard("srv-1"));
    azure.set("2025-08-12T18:00:00Z");
    let assessment = azure.assess(&id);
    assert!(assessment["availablePatches"].is_null());
    assert_eq!(
        assessment["availablePatchCountByClassification"]["security"],
        2
    );
    let result = azure.install(&id, "Never", &["5064010"]);
    assert_eq!(result["installedPatchCount"], 1);
    assert!(result["patches"].is_null());
    assert_eq!(result["startedBy"], "User");
    assert!(
        azure
            .sim
            .machine(&id)
            .unwrap()
            .installed
            .contains("5064010")
    );
}

#[test]
fn arc_polls_at_the_update_center_and_has_no_restart() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_arc(ArcSpec::ws2025_standard("srv-1"));
    let reply = azure.send("POST", &format!("{id}/assessPatches"), &Value::Null);
    assert!(reply.header("location").contains(
        "/providers/Microsoft.HybridCompute/locations/westeurope/updateCenterOperationResults/"
    ));
    assert_eq!(reply.header("azure-asyncoperation"), "");
    let restart = azure.send("POST", &format!("{id}/restart"), &Value::Null);
    assert_eq!(restart.status, 404);
    let body =
        json!({"rebootSetting": "Never", "windowsParameters": {"kbNumbersToInclude": ["1"]}});
    let install = azure.send("POST", &format!("{id}/installPatches"), &body);
    assert_eq!(
        (install.status, &install.body["error"]["target"]),
        (400, &json!("maximumDuration"))
    );
}

#[test]
fn what_is_sent_to_a_disconnected_machine_starts_when_it_is_back_or_fails_after_six_hours() {
    for (back_after, status) in [(Some(120), "Succeeded"), (None, "Failed")] {
        let azure = Azure::new("2025-08-01");
        let id = azure.sim.add_arc(ArcSpec::ws2025_standard("srv-1"));
        azure.set("2025-08-12T18:00:00Z");
        azure.sim.disconnect(&id);
        assert_eq!(azure.get(&id)["properties"]["status"], "Connected");
        azure.minutes(16);
        assert_eq!(azure.get(&id)["properties"]["status"], "Disconnected");
        let path = format!("{id}/installPatches");
        let reply = azure.send("POST", &path, &install_body("Never", &["5064010"]));
        assert_eq!(reply.status, 202);
        if let Some(minutes) = back_after {
            azure.minutes(minutes);
            azure.sim.reconnect(&id);
        }
        let result = azure.poll(&reply.header("location")).body;
        assert_eq!(result["status"], status);
        let started = azure
            .happened(&id)
            .iter()
            .any(|e| matches!(e.what, What::InstallStarted { .. }));
        assert_eq!(started, back_after.is_some());
    }
}

#[test]
fn a_short_reboot_of_an_arc_machine_never_shows_as_disconnected() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_arc(ArcSpec::ws2025_standard("srv-1"));
    let before = azure.get(&id)["properties"]["lastStatusChange"].clone();
    azure.sim.foreign_reboot(&id);
    for _ in 0..12 {
        azure.minutes(1);
        assert_eq!(azure.get(&id)["properties"]["status"], "Connected");
    }
    assert_eq!(azure.sim.machine(&id).unwrap().boot_count, 2);
    assert_eq!(azure.get(&id)["properties"]["lastStatusChange"], before);
    azure.sim.hang(&id);
    azure.sim.foreign_reboot(&id);
    azure.minutes(20);
    assert_eq!(azure.get(&id)["properties"]["status"], "Disconnected");
}

#[test]
fn azure_local_patches_through_the_machine_with_guest_management_and_restarts_the_instance() {
    let azure = Azure::new("2025-08-01");
    let id = azure
        .sim
        .add_local(LocalSpec::ws2025_azure_edition("hci-1").cluster("c1"));
    let bare = azure
        .sim
        .add_local(LocalSpec::ws2025_azure_edition("hci-2").without_guest_management());
    azure.set("2025-08-12T18:00:00Z");
    let machine = azure.get(&id);
    assert_eq!(machine["kind"], "HCI");
    assert!(
        machine["properties"]["parentClusterResourceId"]
            .as_str()
            .unwrap()
            .ends_with("/c1")
    );
    assert!(
        azure.sim.machine(&id).unwrap().enrolled,
        "by edition, with no licence"
    );
    assert_eq!(
        azure.install(&id, "Never", &["5064010"])["installedPatchCount"],
        1
    );
    let refused = azure.send("POST", &format!("{bare}/assessPatches"), &Value::Null);
    assert_eq!(
        (refused.status, refused.code()),
        (409, "GuestManagementNotEnabled")
    );
    let instance =
        format!("{id}/providers/Microsoft.AzureStackHCI/virtualMachineInstances/default");
    assert_eq!(
        azure.get(&instance)["extendedLocation"]["type"],
        "CustomLocation"
    );
    let reply = azure.send("POST", &format!("{instance}/restart"), &Value::Null);
    assert_eq!(reply.status, 202);
    azure.minutes(15);
    assert_eq!(
        azure.get(&reply.header("azure-asyncoperation"))["status"],
        "Succeeded"
    );
    assert_eq!(azure.reboots(&id), 1);
    let plain = azure.sim.add_arc(ArcSpec::ws2025_standard("srv"));
    let none = format!("{plain}/providers/Microsoft.AzureStackHCI/virtualMachineInstances/default");
    assert_eq!(azure.send("GET", &none, &Value::Null).status, 404);
}

#[test]
fn standard_edition_on_azure_local_needs_the_licence_like_any_arc_machine() {
    let azure = Azure::new("2025-08-13");
    let spec = || LocalSpec::new("hci", Os::Ws2025Standard).patched(PatchLevel::Baseline);
    let sound = azure.sim.add_local(spec());
    assert!(azure.sim.machine(&sound).unwrap().enrolled);
    let missing = azure.sim.add_local(
        spec()
            .licence(LicenceState::Missing)
            .resource_group("other"),
    );
    assert!(!azure.sim.machine(&missing).unwrap().enrolled);
}

#[test]
fn run_commands_restart_and_tell_boot_time_vbs_and_kbs() {
    let azure = Azure::new("2025-08-20");
    let id = azure
        .sim
        .add_arc(ArcSpec::ws2025_standard("srv-1").without_vbs());
    let run = |name: &str, script: &str| {
        let path = format!("{id}/runCommands/{name}");
        let body = json!({"location": "westeurope", "properties": {"source": {"script": script}}});
        let reply = azure.send("PUT", &path, &body);
        assert_eq!(reply.status, 201, "{}", reply.body);
        azure.minutes(3);
        assert_eq!(
            azure.get(&reply.header("azure-asyncoperation"))["status"],
            "Succeeded"
        );
        azure.get(&path)["properties"]["instanceView"].clone()
    };
    let query = "(Get-CimInstance Win32_OperatingSystem).LastBootUpTime";
    let before = run("boot-1", query)["output"].clone();
    let vbs = "(Get-CimInstance Win32_DeviceGuard).VirtualizationBasedSecurityStatus";
    assert_eq!(run("vbs", vbs)["output"], "0");
    assert!(
        run("kbs", "Get-HotFix")["output"]
            .as_str()
            .unwrap()
            .contains("KB5063878")
    );
    assert_eq!(run("other", "Get-Date")["executionState"], "Failed");
    run("restart", "Restart-Computer -Force");
    azure.minutes(15);
    assert_eq!(azure.reboots(&id), 1);
    assert!(run("boot-2", query)["output"].as_str() > before.as_str());
    let path = format!("{id}/runCommands/vbs");
    assert_eq!(azure.send("DELETE", &path, &Value::Null).status, 200);
    assert_eq!(azure.send("GET", &path, &Value::Null).status, 404);
}
