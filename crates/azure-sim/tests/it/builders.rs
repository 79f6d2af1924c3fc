//! Each builder makes the case it names, as an operator would see it.

use azure_sim::{ArcSpec, PatchLevel, VmSpec};
use serde_json::{Value, json};

use crate::support::Azure;

/// Gives the value at a dotted path.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .fold(value, |value, key| match key.parse::<usize>() {
            Ok(index) => &value[index],
            Err(_) => &value[key],
        })
}

/// Machines, a path in their resource, and what it shows.
type Cases = Vec<(VmSpec, String, Value)>;

fn images_and_agents() -> Cases {
    let sound = || VmSpec::ws2025_azure_edition("vm");
    let windows = "properties.osProfile.windowsConfiguration";
    let image = "/subscriptions/s/galleries/g/images/i";
    vec![
        (
            VmSpec::ws2022_desktop_without_hotpatch("vm"),
            "properties.storageProfile.imageReference.sku".into(),
            json!("2022-datacenter-azure-edition"),
        ),
        (
            sound().sku("2025-datacenter"),
            "properties.storageProfile.imageReference.sku".into(),
            json!("2025-datacenter"),
        ),
        (
            sound().gallery_image(image),
            "properties.storageProfile.imageReference.id".into(),
            json!(image),
        ),
        (
            sound().generation_1(),
            "properties.instanceView.hyperVGeneration".into(),
            json!("V1"),
        ),
        (
            sound().without_extension_operations(),
            "properties.osProfile.allowExtensionOperations".into(),
            json!(false),
        ),
        (
            sound().without_vm_agent(),
            format!("{windows}.provisionVMAgent"),
            json!(false),
        ),
        (
            sound().agent_not_ready(),
            "properties.instanceView.vmAgent.statuses.0.displayStatus".into(),
            json!("Not Ready"),
        ),
        (
            sound().without_os_profile(),
            "properties.osProfile".into(),
            Value::Null,
        ),
    ]
}

fn settings_and_systems() -> Cases {
    let sound = || VmSpec::ws2025_azure_edition("vm");
    let windows = "properties.osProfile.windowsConfiguration";
    vec![
        (
            sound().os_patching(),
            format!("{windows}.patchSettings.patchMode"),
            json!("AutomaticByOS"),
        ),
        (
            sound().patch_mode("Manual").automatic_updates(false),
            format!("{windows}.enableAutomaticUpdates"),
            json!(false),
        ),
        (
            sound().bypass(true),
            format!(
                "{windows}.patchSettings.automaticByPlatformSettings.\
                 bypassPlatformSafetyChecksOnUserSchedule"
            ),
            json!(true),
        ),
        (
            VmSpec::linux("vm"),
            "properties.storageProfile.osDisk.osType".into(),
            json!("Linux"),
        ),
        (
            VmSpec::ws2019("vm"),
            "properties.instanceView.osName".into(),
            json!("Windows Server 2019 Datacenter"),
        ),
        (
            sound().deallocated(),
            "properties.instanceView.statuses.1.code".into(),
            json!("PowerState/deallocated"),
        ),
    ]
}

#[test]
fn each_ineligible_vm_shows_its_reason() {
    for (spec, path, expected) in images_and_agents()
        .into_iter()
        .chain(settings_and_systems())
    {
        let azure = Azure::new("2025-08-13");
        let id = azure.sim.add_vm(spec);
        let vm = azure.get(&format!("{id}?$expand=instanceView"));
        assert_eq!(at(&vm, &path), &expected, "{path}");
    }
}

#[test]
fn unpatchable_vms_refuse_or_fail_operations_as_documented() {
    let sound = || VmSpec::ws2025_azure_edition("vm");
    for (name, spec, status) in [
        ("deallocated", sound().deallocated(), 409),
        ("stopped", sound().stopped(), 409),
        ("uniform scale set", sound().uniform_scale_set("set"), 409),
        (
            "extensions forbidden",
            sound().without_extension_operations(),
            409,
        ),
        (
            "flexible scale set",
            sound().flexible_scale_set("set", 1),
            202,
        ),
    ] {
        let azure = Azure::new("2025-08-13");
        let id = azure.sim.add_vm(spec);
        let reply = azure.send("POST", &format!("{id}/assessPatches"), &Value::Null);
        assert_eq!(reply.status, status, "{name}");
        if status == 409 {
            assert_eq!(reply.code(), "OperationNotAllowed", "{name}");
        }
    }
    let azure = Azure::new("2025-08-13");
    let id = azure.sim.add_vm(sound().agent_not_ready());
    let result = azure.assess(&id);
    assert_eq!(result["status"], "Failed");
    assert_eq!(result["error"]["code"], "VMAgentStatusCommunicationError");
}

#[test]
fn availability_facts_show_where_azure_shows_them() {
    let azure = Azure::new("2025-08-13");
    let id = azure.sim.add_vm(
        VmSpec::ws2025_azure_edition("a")
            .availability_set("set-1", 3)
            .tag("app", "web"),
    );
    let vm = azure.get(&format!("{id}?$expand=instanceView"));
    let set = vm["properties"]["availabilitySet"]["id"].as_str().unwrap();
    assert!(set.to_lowercase().ends_with("/availabilitysets/set-1"));
    assert_eq!(vm["properties"]["instanceView"]["platformUpdateDomain"], 3);
    let zonal = azure.sim.add_vm(
        VmSpec::ws2025_azure_edition("b")
            .region("westeurope")
            .zone(1),
    );
    assert_eq!(azure.get(&zonal)["zones"], json!(["1"]));
    let flex = azure
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("c").flexible_scale_set("flex", 2));
    let flex = azure.get(&flex);
    assert!(
        flex["properties"]["virtualMachineScaleSet"]["id"]
            .as_str()
            .unwrap()
            .ends_with("flex")
    );
    assert_eq!(flex["properties"]["platformFaultDomain"], 2);
}

#[test]
fn arc_builders_show_os_build_cloud_and_connection() {
    let azure = Azure::new("2025-08-13");
    let old = azure.get(
        &azure
            .sim
            .add_arc(ArcSpec::ws2025_standard("a").build("26100.1591")),
    );
    assert_eq!(old["properties"]["osVersion"], "10.0.26100.1591");
    let off = azure.get(
        &azure
            .sim
            .add_arc(ArcSpec::ws2025_standard("b").disconnected()),
    );
    assert_eq!(off["properties"]["status"], "Disconnected");
    let aws = azure.get(
        &azure
            .sim
            .add_arc(ArcSpec::ws2022("c").cloud_provider("AWS")),
    );
    assert_eq!(
        aws["properties"]["detectedProperties"]["cloudprovider"],
        "AWS"
    );
    assert_eq!(aws["properties"]["osSku"], "Windows Server 2022 Datacenter");
}

#[test]
fn patch_levels_put_guests_where_they_say() {
    // On 20 August 2025: baseline 5062553 of July, hotpatch 5064010 of August.
    for (level, on_baseline, has, lacks) in [
        (PatchLevel::Current, true, "5064010", "5063878"),
        (PatchLevel::Baseline, true, "5062553", "5064010"),
        (PatchLevel::BehindBaseline, false, "5060841", "5062553"),
        (PatchLevel::OffTrack, false, "5063878", "5064010"),
        (
            PatchLevel::AsOf("2025-06-20".parse().unwrap()),
            false,
            "5060841",
            "5062553",
        ),
    ] {
        let azure = Azure::new("2025-08-20");
        let id = azure
            .sim
            .add_vm(VmSpec::ws2025_azure_edition("vm").patched(level));
        let view = azure.sim.machine(&id).unwrap();
        assert_eq!(view.on_baseline, on_baseline, "{level:?}");
        assert!(
            view.installed.contains(has),
            "{level:?}: {:?}",
            view.installed
        );
        assert!(
            !view.installed.contains(lacks),
            "{level:?}: {:?}",
            view.installed
        );
    }
    let azure = Azure::new("2025-08-20");
    let id = azure
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("vm").pending_reboot("5063878"));
    assert!(
        azure
            .sim
            .machine(&id)
            .unwrap()
            .pending_reboot
            .contains("5063878")
    );
    azure.sim.foreign_reboot(&id);
    azure.minutes(10);
    assert!(
        !azure.sim.machine(&id).unwrap().on_baseline,
        "the owed reboot left the track"
    );
}
