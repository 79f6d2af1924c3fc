//! Every official document that the client reads parses with its values, and what the client
//! sends has the official shape.

use hotpatch_operator::azure::wire::arc::{ArcMachine, LicenceProfile};
use hotpatch_operator::azure::wire::graph::{Answer, Resource};
use hotpatch_operator::azure::wire::local::Instance;
use hotpatch_operator::azure::wire::run_command::RunCommand;
use hotpatch_operator::azure::wire::steering::Filter;
use hotpatch_operator::azure::wire::vm::{InstanceView, PatchResult, Vm};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(crate) fn document(name: &str) -> Value {
    let path = format!(
        "{}/tests/fixtures/azure/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn body(name: &str, status: &str) -> Value {
    document(name)["responses"][status]["body"].clone()
}

fn parse<T: DeserializeOwned>(name: &str, status: &str) -> T {
    serde_json::from_value(body(name, status)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_virtual_machine_parses() {
    let vm: Vm = parse("VirtualMachines_Get", "200");
    assert_eq!(vm.location.as_deref(), Some("West US"));
    assert_eq!(vm.tags.unwrap()["myTag1"], "tagValue1");
    let properties = vm.properties.unwrap();
    assert_eq!(
        properties.vm_id.as_deref(),
        Some("0f47b100-583c-48e3-a4c0-aefc2c9bbcc1")
    );
    assert_eq!(properties.provisioning_state.as_deref(), Some("Succeeded"));
    let storage = properties.storage_profile.unwrap();
    assert_eq!(
        storage.image_reference.unwrap().sku.as_deref(),
        Some("2016-Datacenter")
    );
    let disk = storage.os_disk.unwrap();
    assert_eq!(disk.os_type.as_deref(), Some("Windows"));
    assert!(
        disk.managed_disk
            .unwrap()
            .id
            .unwrap()
            .ends_with("/disks/myOsDisk")
    );
    let windows = properties
        .os_profile
        .unwrap()
        .windows_configuration
        .unwrap();
    assert_eq!(windows.provision_vm_agent, Some(true));
    assert_eq!(windows.enable_automatic_updates, Some(false));
}

#[test]
fn patch_settings_parse() {
    let vm: Vm = parse("VirtualMachines_CreateOrUpdate_EnableHotpatching", "200");
    let windows = vm
        .properties
        .unwrap()
        .os_profile
        .unwrap()
        .windows_configuration
        .unwrap();
    let settings = windows.patch_settings.unwrap();
    assert_eq!(settings.patch_mode.as_deref(), Some("AutomaticByPlatform"));
    assert_eq!(settings.enable_hotpatching, Some(true));

    let vm: Vm = parse(
        "VirtualMachines_CreateOrUpdate_AutomaticByPlatformSettings",
        "200",
    );
    let windows = vm
        .properties
        .unwrap()
        .os_profile
        .unwrap()
        .windows_configuration
        .unwrap();
    let settings = windows.patch_settings.unwrap();
    assert_eq!(
        settings.assessment_mode.as_deref(),
        Some("AutomaticByPlatform")
    );
    let platform = settings.automatic_by_platform_settings.unwrap();
    assert_eq!(platform.reboot_setting.as_deref(), Some("Never"));
    assert_eq!(
        platform.bypass_platform_safety_checks_on_user_schedule,
        Some(false)
    );
}

#[test]
fn an_instance_view_parses() {
    let view: InstanceView = parse("VirtualMachines_InstanceView", "200");
    assert_eq!(view.platform_update_domain, Some(1));
    assert_eq!(
        view.os_name.as_deref(),
        Some("Windows Server 2016 Datacenter")
    );
    assert_eq!(
        view.os_version.as_deref(),
        Some("Microsoft Windows NT 10.0.14393.0")
    );
    assert_eq!(view.hyper_v_generation.as_deref(), Some("V1"));
    let agent = view.vm_agent.unwrap().statuses.unwrap();
    assert_eq!(agent[0].display_status.as_deref(), Some("Ready"));
    assert_eq!(
        view.statuses.unwrap()[1].code.as_deref(),
        Some("PowerState/running")
    );
    let patch = view.patch_status.unwrap();
    let assessed = patch.available_patch_summary.unwrap();
    assert_eq!(assessed.reboot_pending, Some(true));
    let installed = patch.last_patch_installation_summary.unwrap();
    let activity = installed.installation_activity_id.as_deref();
    assert_eq!(activity, Some("68f8b292-dfc2-4646-9981-33cc88631968"));
    assert_eq!(
        installed.start_time.as_deref(),
        Some("2020-04-24T21:02:04.2556154Z")
    );
}

#[test]
fn results_of_commands_parse() {
    let vm: PatchResult = parse("VirtualMachines_InstallPatches", "200");
    assert_eq!(vm.status.as_deref(), Some("Succeeded"));
    assert_eq!(vm.reboot_status.as_deref(), Some("Completed"));
    assert_eq!(vm.installed_patch_count, Some(3));
    let patches = vm.patches.unwrap();
    assert_eq!(patches[0].kb_id.as_deref(), Some("2267602"));
    assert_eq!(patches[0].installation_state.as_deref(), Some("Installed"));

    let arc: PatchResult = parse("Machines_InstallPatches", "200");
    assert_eq!(arc.reboot_status.as_deref(), Some("Completed"));
    assert_eq!(arc.installed_patch_count, Some(3));
    assert!(arc.patches.is_none() && arc.error_details.is_none());

    let vm: PatchResult = parse("VirtualMachines_AssessPatches", "200");
    assert_eq!(vm.reboot_pending, Some(true));
    let offered = vm.available_patches.unwrap();
    assert_eq!(offered[1].kb_id.as_deref(), Some("890830"));
    assert_eq!(
        offered[1].reboot_behavior.as_deref(),
        Some("CanRequestReboot")
    );
    let arc: PatchResult = parse("Machines_AssessPatches", "200");
    assert_eq!(arc.reboot_pending, Some(true));
}

#[test]
fn an_arc_machine_parses() {
    let machine: ArcMachine = parse("Machines_Get", "200");
    let properties = machine.properties.unwrap();
    assert_eq!(properties.os_edition.as_deref(), Some("Standard"));
    assert_eq!(
        properties.vm_id.as_deref(),
        Some("b7a098cc-b0b8-46e8-a205-62f301a62a8f")
    );
    let windows = properties
        .os_profile
        .unwrap()
        .windows_configuration
        .unwrap();
    let settings = windows.patch_settings.unwrap();
    assert_eq!(settings.enable_hotpatching, Some(true));
    let status = settings.status.unwrap().hotpatch_enablement_status;
    assert_eq!(status.as_deref(), Some("Enabled"));
    let product = properties.license_profile.unwrap().product_profile.unwrap();
    let feature = &product.product_features.unwrap()[0];
    assert_eq!(feature.name.as_deref(), Some("Hotpatch"));
    assert_eq!(feature.subscription_status.as_deref(), Some("Enabled"));

    let updated: ArcMachine = parse("Machines_Update", "200");
    let windows = updated
        .properties
        .unwrap()
        .os_profile
        .unwrap()
        .windows_configuration
        .unwrap();
    let status = windows
        .patch_settings
        .unwrap()
        .status
        .unwrap()
        .hotpatch_enablement_status;
    assert_eq!(status.as_deref(), Some("PendingEvaluation"));
}

#[test]
fn a_licence_profile_parses() {
    for (name, word) in [
        ("LicenseProfiles_Get", "Enabled"),
        ("LicenseProfiles_Update", "Enabling"),
        ("LicenseProfiles_CreateOrUpdate", "Enabling"),
    ] {
        let profile: LicenceProfile = parse(name, "200");
        let product = profile.properties.unwrap().product_profile.unwrap();
        assert_eq!(product.product_type.as_deref(), Some("WindowsServer"));
        let features = product.product_features.unwrap();
        assert_eq!(
            features[0].subscription_status.as_deref(),
            Some(word),
            "{name}"
        );
    }
}

#[test]
fn an_azure_local_instance_parses() {
    let instance: Instance = parse("VirtualMachineInstances_Get_AzureLocal", "200");
    assert!(
        instance
            .id
            .unwrap()
            .ends_with("/virtualMachineInstances/default")
    );
    assert_eq!(
        instance.properties.unwrap().provisioning_state.as_deref(),
        Some("Accepted")
    );
    let restarted: Instance = parse("VirtualMachineInstances_Restart_AzureLocal", "200");
    assert_eq!(
        restarted.properties.unwrap().provisioning_state.as_deref(),
        Some("Accepted")
    );
}

#[test]
fn a_run_command_parses() {
    let command: RunCommand = parse("MachineRunCommands_CreateOrUpdate", "201");
    assert_eq!(command.location.as_deref(), Some("eastus2"));
    let properties = command.properties.unwrap();
    assert_eq!(properties.provisioning_state.as_deref(), Some("Creating"));
    assert_eq!(properties.timeout_in_seconds, Some(3600));
    assert_eq!(properties.async_execution, Some(false));
    let script = properties.source.unwrap().script;
    assert_eq!(script.as_deref(), Some("Write-Host Hello World!"));
    let parameters = properties.parameters.unwrap();
    assert_eq!(parameters[1].name, "param2");
    assert_eq!(parameters[1].value, "value2");
    let of_vm: RunCommand = parse("VirtualMachineRunCommands_Get", "200");
    let state = of_vm.properties.unwrap().provisioning_state;
    assert_eq!(state.as_deref(), Some("Succeeded"));
}

#[test]
fn a_page_of_resource_graph_parses() {
    let page: Answer<Vec<Resource>> = parse("ResourceGraph_Resources_Basic", "200");
    assert_eq!((page.total_records, page.count), (Some(3), Some(3)));
    assert!(!page.is_truncated() && page.skip_token.is_none());
    assert_eq!(page.data[0].name.as_deref(), Some("myNetworkInterface"));
    assert_eq!(page.data[0].tags.as_ref().unwrap()["tag1"], "Value1");
    let page: Answer<Vec<Value>> = parse("ResourceGraph_Resources_Summarize", "200");
    assert_eq!(page.data[1]["count"], 23);
}

/// Reads a body into a shape and writes it again.
fn trip<T: DeserializeOwned + Serialize>(body: &Value) -> Value {
    let read: T = serde_json::from_value(body.clone()).unwrap();
    serde_json::to_value(read).unwrap()
}

/// The same for the filter of a dynamic scope, which is what is asked of its row.
fn trip_filter(body: &Value) -> Value {
    let filter = trip::<Filter>(&body["properties"]["filter"]);
    json!({"properties": {"filter": filter}})
}

/// Checks that what was written back stands in the document, at its place and with its value;
/// counts it. What the shape does not hold is not looked at.
fn within(ours: &Value, official: &Value, place: &str) -> usize {
    match (ours, official) {
        (Value::Null, _) => 0,
        (Value::Object(own), Value::Object(_)) => own
            .iter()
            .map(|(key, value)| within(value, &official[key], &format!("{place}/{key}")))
            .sum(),
        (Value::Array(own), Value::Array(all)) => {
            assert_eq!(own.len(), all.len(), "{place}");
            let pairs = own.iter().zip(all);
            pairs.map(|(own, all)| within(own, all, place)).sum()
        }
        _ => {
            assert_eq!(ours, official, "{place}");
            1
        }
    }
}

/// A document's body, and how it goes through the client's shape.
type Trip = (&'static str, &'static str, fn(&Value) -> Value);

/// Every body of every document that the client reads.
const TRIPS: [Trip; 26] = [
    (
        "ConfigurationAssignmentsForSubscriptions_CreateOrUpdate_DynamicScope",
        "200",
        trip_filter,
    ),
    (
        "LicenseProfiles_CreateOrUpdate",
        "200",
        trip::<LicenceProfile>,
    ),
    (
        "LicenseProfiles_CreateOrUpdate",
        "201",
        trip::<LicenceProfile>,
    ),
    ("LicenseProfiles_Get", "200", trip::<LicenceProfile>),
    ("LicenseProfiles_Update", "200", trip::<LicenceProfile>),
    (
        "MachineRunCommands_CreateOrUpdate",
        "200",
        trip::<RunCommand>,
    ),
    (
        "MachineRunCommands_CreateOrUpdate",
        "201",
        trip::<RunCommand>,
    ),
    ("Machines_AssessPatches", "200", trip::<PatchResult>),
    ("Machines_Get", "200", trip::<ArcMachine>),
    ("Machines_InstallPatches", "200", trip::<PatchResult>),
    ("Machines_Update", "200", trip::<ArcMachine>),
    (
        "ResourceGraph_Resources_Basic",
        "200",
        trip::<Answer<Vec<Resource>>>,
    ),
    (
        "ResourceGraph_Resources_Summarize",
        "200",
        trip::<Answer<Vec<Value>>>,
    ),
    (
        "VirtualMachineInstances_Get_AzureLocal",
        "200",
        trip::<Instance>,
    ),
    (
        "VirtualMachineInstances_Restart_AzureLocal",
        "200",
        trip::<Instance>,
    ),
    (
        "VirtualMachineRunCommands_CreateOrUpdate",
        "200",
        trip::<RunCommand>,
    ),
    (
        "VirtualMachineRunCommands_CreateOrUpdate",
        "201",
        trip::<RunCommand>,
    ),
    ("VirtualMachineRunCommands_Get", "200", trip::<RunCommand>),
    ("VirtualMachines_AssessPatches", "200", trip::<PatchResult>),
    (
        "VirtualMachines_CreateOrUpdate_AutomaticByPlatformSettings",
        "200",
        trip::<Vm>,
    ),
    (
        "VirtualMachines_CreateOrUpdate_AutomaticByPlatformSettings",
        "201",
        trip::<Vm>,
    ),
    (
        "VirtualMachines_CreateOrUpdate_EnableHotpatching",
        "200",
        trip::<Vm>,
    ),
    (
        "VirtualMachines_CreateOrUpdate_EnableHotpatching",
        "201",
        trip::<Vm>,
    ),
    ("VirtualMachines_Get", "200", trip::<Vm>),
    ("VirtualMachines_InstallPatches", "200", trip::<PatchResult>),
    ("VirtualMachines_InstanceView", "200", trip::<InstanceView>),
];

#[test]
fn every_official_document_survives_the_way_through_the_shapes() {
    for (name, status, trip) in TRIPS {
        let official = body(name, status);
        let ours = trip(&official);
        let count = within(&ours, &official, name);
        assert!(count >= 2, "{name} {status}: only {count} values were read");
        // Once through, a shape does not change any more.
        assert_eq!(trip(&ours), ours, "{name} {status}");
    }
}

#[test]
fn no_body_of_a_document_is_left_out() {
    let folder = format!("{}/tests/fixtures/azure", env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix(".json").unwrap();
        let responses = document(name)["responses"].clone();
        for (status, answer) in responses.as_object().unwrap() {
            if !answer["body"].is_object() {
                continue;
            }
            seen += 1;
            let is_tried = TRIPS.iter().any(|own| (own.0, own.1) == (name, status));
            assert!(is_tried, "{name} {status} goes through no shape");
        }
    }
    assert_eq!(seen, TRIPS.len());
}
