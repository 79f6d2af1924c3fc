//! What an Azure VM's resource accepts and refuses.

use azure_sim::{Assumptions, TagsPatch, VmSpec, What};
use serde_json::{Value, json};

use crate::support::Azure;

fn settings(patch: &Value) -> Value {
    json!({"properties": {"osProfile": {"windowsConfiguration": {"patchSettings": patch}}}})
}

/// Settings written to a VM and the status they are answered with.
fn cases() -> Vec<(&'static str, VmSpec, Value, u16)> {
    let hotpatch = json!({"patchMode": "AutomaticByPlatform", "enableHotpatching": true});
    let sound = || VmSpec::ws2025_azure_edition("web-1").hotpatch(false);
    let gallery = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/galleries/g";
    vec![
        ("sound", sound(), hotpatch.clone(), 200),
        (
            "by OS to hotpatch",
            sound().os_patching(),
            hotpatch.clone(),
            200,
        ),
        (
            "wrong SKU",
            VmSpec::ws2022_desktop_without_hotpatch("w"),
            hotpatch.clone(),
            400,
        ),
        ("ws2019", VmSpec::ws2019("w"), hotpatch.clone(), 400),
        (
            "gallery image",
            sound().gallery_image(gallery),
            hotpatch.clone(),
            400,
        ),
        (
            "generation 1",
            sound().generation_1(),
            hotpatch.clone(),
            400,
        ),
        (
            "no agent",
            sound().without_vm_agent(),
            hotpatch.clone(),
            400,
        ),
        (
            "no OS profile",
            sound().without_os_profile(),
            hotpatch.clone(),
            400,
        ),
        ("bypass", sound().bypass(true), hotpatch.clone(), 400),
        (
            "only the switch",
            sound().os_patching(),
            json!({"enableHotpatching": true}),
            400,
        ),
        (
            "platform to OS",
            sound(),
            json!({"patchMode": "AutomaticByOS"}),
            200,
        ),
        (
            "platform to manual",
            sound(),
            json!({"patchMode": "Manual"}),
            400,
        ),
        (
            "manual with updates off",
            sound().automatic_updates(false),
            json!({"patchMode": "Manual"}),
            200,
        ),
        (
            "by OS with updates off",
            sound().automatic_updates(false),
            json!({"patchMode": "AutomaticByOS"}),
            400,
        ),
        (
            "unknown mode",
            sound(),
            json!({"patchMode": "Sometimes"}),
            400,
        ),
    ]
}

#[test]
fn patch_settings_obey_azures_rules() {
    for (name, spec, patch, status) in cases() {
        let azure = Azure::new("2025-08-01");
        let id = azure.sim.add_vm(spec);
        let reply = azure.send("PATCH", &id, &settings(&patch));
        assert_eq!(reply.status, status, "{name}: {}", reply.body);
        if status == 400 {
            assert_eq!(reply.code(), "InvalidParameter", "{name}");
            assert!(reply.body["error"]["target"].is_string(), "{name}");
        }
    }
}

#[test]
fn the_bypass_flag_is_refused_with_azures_words() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let patch = json!({"automaticByPlatformSettings":
        {"bypassPlatformSafetyChecksOnUserSchedule": true}});
    let reply = azure.send("PATCH", &id, &settings(&patch));
    assert_eq!(
        reply.body["error"]["message"],
        "Hotpatch updates require platform safety checks. The \
         'BypassPlatformSafetyChecksOnUserSchedule' flag must be set to false to enable \
         hotpatching."
    );
}

#[test]
fn the_etag_changes_with_every_write_and_guards_the_next() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let etag = azure.get(&id)["etag"].as_str().unwrap().to_owned();
    let patch = json!({"tags": {"a": "1"}});
    let first = azure.send_with("PATCH", &id, &patch, &[("if-match", &etag)]);
    assert_eq!(first.status, 200);
    assert_ne!(azure.get(&id)["etag"], etag.as_str());
    let second = azure.send_with("PATCH", &id, &patch, &[("if-match", &etag)]);
    assert_eq!((second.status, second.code()), (412, "PreconditionFailed"));
}

#[test]
fn a_patch_changes_only_what_it_names_and_tells_the_effects() {
    let azure = Azure::new("2025-08-01");
    let id = azure
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("web-1").tag("app", "web"));
    let patch = json!({"automaticByPlatformSettings": {"rebootSetting": "Never"}});
    let reply = azure.send("PATCH", &id, &settings(&patch));
    assert_eq!(reply.body["properties"]["provisioningState"], "Updating");
    azure.minutes(1);
    let vm = azure.get(&id);
    assert_eq!(vm["properties"]["provisioningState"], "Succeeded");
    let found = &vm["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"];
    assert_eq!(
        found["automaticByPlatformSettings"]["rebootSetting"],
        "Never"
    );
    assert_eq!(found["enableHotpatching"], true);
    assert_eq!(vm["tags"], json!({"app": "web"}));
    let changed = azure
        .happened(&id)
        .into_iter()
        .find_map(|effect| match effect.what {
            What::SettingsChanged { before, after, .. } => Some((before, after)),
            _ => None,
        });
    let (before, after) = changed.unwrap();
    assert_eq!(
        before["automaticByPlatformSettings"]["rebootSetting"],
        "IfRequired"
    );
    assert_eq!(
        after["automaticByPlatformSettings"]["rebootSetting"],
        "Never"
    );
}

#[test]
fn tags_are_merged_or_replaced_by_assumption() {
    for (tags_patch, expected) in [
        (TagsPatch::Merge, json!({"app": "web", "owner": "x"})),
        (TagsPatch::Replace, json!({"owner": "x"})),
    ] {
        let azure = Azure::assuming(
            "2025-08-01",
            Assumptions {
                tags_patch,
                ..Assumptions::default()
            },
        );
        let id = azure
            .sim
            .add_vm(VmSpec::ws2025_azure_edition("web-1").tag("app", "web"));
        azure.send("PATCH", &id, &json!({"tags": {"owner": "x"}}));
        assert_eq!(azure.get(&id)["tags"], expected);
        let body = json!({"operation": "Merge", "properties": {"tags": {"APP": "shop"}}});
        let path = format!("{id}/providers/Microsoft.Resources/tags/default");
        assert_eq!(azure.send("PATCH", &path, &body).status, 200);
        assert!(azure.get(&id)["tags"].to_string().contains("shop"));
    }
}

#[test]
fn enrolment_takes_its_time_to_show() {
    let azure = Azure::new("2025-08-01");
    let id = azure
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("web-1").hotpatch(false));
    azure.send("PATCH", &id, &settings(&json!({"enableHotpatching": true})));
    let code = || {
        let view = azure.get(&format!("{id}/instanceView"));
        view["patchStatus"]["configurationStatuses"][0]["code"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(code(), "PatchModeConfigurationState/Pending");
    azure.minutes(181);
    assert_eq!(code(), "PatchModeConfigurationState/Ready");
}

#[test]
fn power_and_agent_show_in_the_instance_view() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    azure.sim.foreign_reboot(&id);
    azure.minutes(1);
    let view = azure.get(&format!("{id}/instanceView"));
    assert_eq!(view["vmAgent"]["statuses"][0]["displayStatus"], "Not Ready");
    let health = format!("{id}/providers/Microsoft.ResourceHealth/availabilityStatuses/current");
    assert_eq!(
        azure.get(&health)["properties"]["availabilityState"],
        "Unavailable"
    );
    azure.minutes(10);
    let view = azure.get(&format!("{id}/instanceView"));
    assert_eq!(view["vmAgent"]["statuses"][0]["displayStatus"], "Ready");
    azure.sim.deallocate(&id);
    let view = azure.get(&format!("{id}/instanceView"));
    assert_eq!(view["statuses"][1]["code"], "PowerState/deallocated");
    assert!(view["vmAgent"].is_null());
}

#[test]
fn a_restart_reboots_once_and_ends() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let reply = azure.send("POST", &format!("{id}/restart"), &Value::Null);
    assert_eq!(reply.status, 202);
    assert!(!azure.sim.machine(&id).unwrap().up);
    assert_eq!(
        azure
            .send("POST", &format!("{id}/restart"), &Value::Null)
            .status,
        409
    );
    assert_eq!(azure.poll(&reply.header("location")).status, 200);
    let view = azure.sim.machine(&id).unwrap();
    assert_eq!((view.up, view.boot_count), (true, 2));
}

#[test]
fn a_recreated_machine_is_another_under_the_same_id() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    let before = azure.get(&id)["properties"]["vmId"].clone();
    azure.sim.recreate(&id);
    assert_ne!(azure.get(&id)["properties"]["vmId"], before);
    azure.sim.delete_machine(&id);
    assert_eq!(
        azure.send("GET", &id, &Value::Null).code(),
        "ResourceNotFound"
    );
}
