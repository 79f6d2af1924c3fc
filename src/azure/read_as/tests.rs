#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use serde_json::json;

use super::*;

#[test]
fn words_are_read_without_regard_to_case() {
    assert_eq!(patch_mode(Some("automaticbyos")), PatchMode::AutomaticByOs);
    assert_eq!(patch_mode(Some("Sometimes")), PatchMode::Unknown);
    assert_eq!(patch_mode(None), PatchMode::Unknown);
    assert_eq!(reboot_setting(Some("NEVER")), RebootSetting::Never);
    assert_eq!(reboot_setting(Some("NeverReboot")), RebootSetting::Unknown);
    assert_eq!(
        install_status(Some("completedWithWarnings")),
        InstallStatus::Warnings
    );
    assert_eq!(install_status(Some("")), InstallStatus::Unknown);
    assert_eq!(reboot_status(Some("notneeded")), RebootStatus::NotNeeded);
    assert_eq!(
        reboot_behavior(Some("alwaysrequiresreboot")),
        RebootBehavior::Always
    );
    assert_eq!(reboot_behavior(None), RebootBehavior::Unknown);
}

#[test]
fn instants_are_read_with_and_without_an_offset() {
    let wanted = "2020-04-24T21:02:04.255615400+00:00";
    for text in [
        "2020-04-24T21:02:04.2556154Z",
        "2020-04-24T21:02:04.2556154",
        "2020-04-24T23:02:04.2556154+02:00",
    ] {
        assert_eq!(instant(text).unwrap().to_rfc3339(), wanted, "{text}");
    }
    assert_eq!(instant("24.04.2020"), None);
}

#[test]
fn products_are_told_apart() {
    let server = |name| OsWords {
        os_type: Some("Windows"),
        name: Some(name),
        ..OsWords::default()
    };
    let version = |version, edition| OsWords {
        os_type: Some("windows"),
        version: Some(version),
        edition,
        ..OsWords::default()
    };
    let image = |sku| OsWords {
        image_sku: Some(sku),
        ..OsWords::default()
    };
    let cases = [
        (
            server("Windows Server 2025 Datacenter"),
            Product::Ws2025,
            Edition::Datacenter,
        ),
        (
            server("Windows Server 2022 Datacenter Azure Edition"),
            Product::Ws2022,
            Edition::DatacenterAzureEdition,
        ),
        (
            server("Windows Server 2019 Standard"),
            Product::OtherWindows,
            Edition::Standard,
        ),
        (
            server("Windows 11 Enterprise"),
            Product::OtherWindows,
            Edition::Other,
        ),
        (
            version("10.0.26100.1742", Some("ServerTurbine")),
            Product::Unknown,
            Edition::DatacenterAzureEdition,
        ),
        (
            version("10.0.26100.1742", Some("Datacenter")),
            Product::Ws2025,
            Edition::Datacenter,
        ),
        (
            version("10.0.26100.1742", None),
            Product::Unknown,
            Edition::Unknown,
        ),
        (
            version("10.0.20348.2700", None),
            Product::Ws2022,
            Edition::Unknown,
        ),
        (
            version("10.0.17763.1", None),
            Product::OtherWindows,
            Edition::Unknown,
        ),
        (
            image("2022-datacenter-azure-edition-core"),
            Product::Ws2022,
            Edition::DatacenterAzureEdition,
        ),
        (
            image("2016-Datacenter"),
            Product::OtherWindows,
            Edition::Datacenter,
        ),
        (
            OsWords {
                os_type: Some("Linux"),
                ..image("2025-x")
            },
            Product::NotWindows,
            Edition::Other,
        ),
        (OsWords::default(), Product::Unknown, Edition::Unknown),
    ];
    for (words, product, edition) in cases {
        assert_eq!(
            (words.product(), words.edition()),
            (product, edition),
            "{words:?}"
        );
    }
}

#[test]
fn a_guests_own_name_outweighs_its_image() {
    let upgraded = OsWords {
        name: Some("Windows Server 2025 Datacenter"),
        image_sku: Some("2022-datacenter-azure-edition"),
        ..OsWords::default()
    };
    assert_eq!(upgraded.product(), Product::Ws2025);
    assert_eq!(upgraded.edition(), Edition::Datacenter);
}

#[test]
fn only_a_version_with_a_revision_is_a_build() {
    let build = |text| {
        OsWords {
            version: Some(text),
            ..OsWords::default()
        }
        .build()
    };
    assert_eq!(build("10.0.26100.6905").unwrap().to_string(), "26100.6905");
    assert_eq!(build("Microsoft Windows NT 10.0.26100.0"), None);
    assert_eq!(build("22.04"), None);
}

#[test]
fn an_agent_is_ready_only_where_it_says_so() {
    let read = |value| agent(Some(&serde_json::from_value::<VmAgent>(value).unwrap()));
    let one =
        |code: &str, display: &str| json!({"statuses": [{"code": code, "displayStatus": display}]});
    assert_eq!(
        read(one("ProvisioningState/succeeded", "Ready")),
        Agent::Ready
    );
    assert_eq!(
        read(one("ProvisioningState/succeeded", "Not Ready")),
        Agent::NotReady
    );
    assert_eq!(
        read(one("ProvisioningState/Unavailable", "Not Ready")),
        Agent::NotReady
    );
    assert_eq!(read(json!({"statuses": []})), Agent::Unknown);
    assert_eq!(agent(None), Agent::Unknown);
}

#[test]
fn a_vm_that_changes_its_power_runs_and_does_not_serve() {
    let cases = [
        ("PowerState/running", Power::Running, false),
        ("powerstate/Starting", Power::Running, true),
        ("PowerState/stopping", Power::Running, true),
        ("PowerState/deallocating", Power::Running, true),
        ("PowerState/stopped", Power::Off, true),
        ("PowerState/deallocated", Power::Off, true),
        ("PowerState/unknown", Power::Unknown, false),
    ];
    for (code, wanted, amiss) in cases {
        let view = json!({"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": code}]});
        let view: InstanceView = serde_json::from_value(view).unwrap();
        let (found, why) = power(Some(&view));
        assert_eq!((found, why.is_some()), (wanted, amiss), "{code}");
    }
}

#[test]
fn a_no_outweighs_a_silence() {
    let mut signs = Signs::default();
    signs.silent("a source");
    signs.bad("broken");
    assert_eq!(signs.judge(), Health::Unhealthy("broken".into()));
}

#[test]
fn only_states_that_are_not_final_show_an_operation() {
    for state in [
        None,
        Some(""),
        Some("Succeeded"),
        Some("failed"),
        Some("Canceled"),
    ] {
        assert_eq!(provisioning(state), None, "{state:?}");
    }
    for state in ["Updating", "Creating", "Deleting", "Migrating", "Accepted"] {
        assert!(provisioning(Some(state)).is_some(), "{state}");
    }
}

#[test]
fn security_is_told_by_name_and_by_display_word() {
    let cases = [
        ("Security", true),
        ("security updates", true),
        ("Critical", true),
        ("Update Rollups", false),
        ("Updates", false),
        ("Definition Updates", false),
    ];
    for (word, wanted) in cases {
        assert_eq!(is_security(&[word.to_owned()]), wanted, "{word}");
    }
}
