//! The real history arrives, and offers follow the track.

use azure_sim::{Assumptions, BaselineReports, HotpatchReports, Options, Os, PatchLevel, VmSpec};
use serde_json::Value;

use crate::support::{Azure, offered, offered_releases};

fn vm() -> VmSpec {
    VmSpec::ws2025_azure_edition("web-1")
        .bypass(false)
        .patched(PatchLevel::Current)
}

#[test]
fn a_machine_on_the_track_is_offered_hotpatches_and_at_baselines_the_baseline() {
    for (start, now, expected) in [
        // A hotpatch month.
        ("2025-08-01", "2025-08-12T16:50:00Z", vec![]),
        ("2025-08-01", "2025-08-12T17:00:00Z", vec!["5064010"]),
        // The newest hotpatch alone: hotpatches are cumulative.
        ("2025-08-01", "2025-09-10T00:00:00Z", vec!["5065474"]),
        // A baseline month.
        ("2025-08-20", "2025-10-15T00:00:00Z", vec!["5066835"]),
        // The standard update out of band of 23 October is not for a machine on the track.
        ("2025-10-15", "2025-10-24T12:00:00Z", vec![]),
        ("2025-10-15", "2025-10-25T00:00:00Z", vec!["5070893"]),
        // The baseline was missed: the month's standard update, which leaves the track.
        ("2025-08-20", "2025-11-12T00:00:00Z", vec!["5068861"]),
    ] {
        let azure = Azure::new(start);
        let id = azure.sim.add_vm(vm().reboot_setting("Never"));
        azure.sim.foreign_settings(
            &id,
            &serde_json::json!({
            "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": true}}),
        );
        azure.set(now);
        let found = offered_releases(&azure.assess(&id));
        assert_eq!(found, expected, "from {start}, at {now}");
    }
}

#[test]
fn a_machine_off_the_track_is_offered_standard_updates_until_the_next_baseline() {
    let azure = Azure::new("2025-08-20T00:00:00Z");
    let id = azure.sim.add_vm(
        vm().hotpatch(false)
            .patched(PatchLevel::OffTrack)
            .bypass(true),
    );
    assert!(!azure.sim.machine(&id).unwrap().on_baseline);
    azure.set("2025-09-10");
    assert_eq!(offered_releases(&azure.assess(&id)), ["5065426"]);
    azure.set("2025-10-15");
    assert_eq!(offered_releases(&azure.assess(&id)), ["5066835"]);
    azure.install(&id, "IfRequired", &["KB5066835"]);
    assert!(azure.sim.machine(&id).unwrap().on_baseline);
}

#[test]
fn installing_a_standard_update_in_a_hotpatch_month_leaves_the_track() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_vm(vm().bypass(true).hotpatch(true));
    assert!(azure.sim.machine(&id).unwrap().on_baseline);
    azure.sim.foreign_kb(&id, "5063878");
    let view = azure.sim.machine(&id).unwrap();
    assert!(!view.on_baseline);
}

#[test]
fn unplanned_baselines_come_from_the_record() {
    let azure = Azure::new("2024-08-01");
    let id = azure
        .sim
        .add_vm(VmSpec::ws2022_azure_edition("db-1").reboot_setting("Never"));
    azure.set("2024-08-13T18:00:00Z");
    let result = azure.assess(&id);
    assert_eq!(offered_releases(&result), ["5041160"]);
    assert_eq!(behavior(&result, "5041160"), "AlwaysRequiresReboot");
}

fn behavior(assessment: &Value, kb: &str) -> String {
    let patches = assessment["availablePatches"].as_array().unwrap();
    let found = patches.iter().find(|patch| patch["kbId"] == kb).unwrap();
    found["rebootBehavior"].as_str().unwrap().to_owned()
}

#[test]
fn reported_reboot_behaviour_follows_the_switches() {
    for (reports, expected) in [
        (HotpatchReports::NeverReboots, "NeverReboots"),
        (HotpatchReports::CanRequestReboot, "CanRequestReboot"),
    ] {
        let assumptions = Assumptions {
            hotpatch_reports: reports,
            ..Assumptions::default()
        };
        let azure = Azure::assuming("2025-08-01", assumptions);
        let id = azure.sim.add_vm(vm().reboot_setting("Never"));
        azure.set("2025-08-12T18:00:00Z");
        assert_eq!(behavior(&azure.assess(&id), "5064010"), expected);
        azure.install(&id, "IfRequired", &["5064010"]);
        assert_eq!(
            azure.reboots(&id),
            0,
            "a hotpatch never reboots, whatever is reported"
        );
    }
    let assumptions = Assumptions {
        baseline_reports: BaselineReports::CanRequestReboot,
        ..Assumptions::default()
    };
    let azure = Azure::assuming("2025-10-01", assumptions);
    let id = azure.sim.add_vm(vm().reboot_setting("Never"));
    azure.set("2025-10-14T18:00:00Z");
    assert_eq!(behavior(&azure.assess(&id), "5066835"), "CanRequestReboot");
}

#[test]
fn superseded_updates_stay_on_offer_only_by_assumption() {
    for (superseded_offered, expected) in
        [(false, vec!["5065474"]), (true, vec!["5064010", "5065474"])]
    {
        let assumptions = Assumptions {
            superseded_offered,
            ..Assumptions::default()
        };
        let azure = Azure::assuming("2025-07-20", assumptions);
        let id = azure.sim.add_vm(
            VmSpec::new(
                "web-1",
                Os::Ws2025AzureEdition,
                "2025-datacenter-azure-edition",
            )
            .patch_mode("Manual")
            .patched(PatchLevel::Baseline),
        );
        azure.sim.foreign_settings(
            &id,
            &serde_json::json!({"patchMode": "AutomaticByPlatform",
            "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": true}}),
        );
        azure.set("2025-09-10");
        assert_eq!(offered_releases(&azure.assess(&id)), expected);
    }
}

#[test]
fn other_updates_are_on_offer_beside_the_release() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_vm(vm().reboot_setting("Never"));
    azure.set("2025-08-12T18:00:00Z");
    let found = offered(&azure.assess(&id));
    assert!(
        found.contains(&"2267602".to_owned()),
        "definitions: {found:?}"
    );
    assert_eq!(found.len(), 3, "definitions, hotpatch and .NET: {found:?}");
}

#[test]
fn june_2026_follows_the_calendar_unless_its_row_is_taken_at_its_word() {
    for (real, on_baseline) in [(false, true), (true, false)] {
        let options = Options {
            unverified_rows_are_real: real,
            ..Options::default()
        };
        let azure = Azure::with("2026-06-01", options);
        let id = azure.sim.add_vm(vm().reboot_setting("Never"));
        azure.set("2026-06-10");
        assert_eq!(azure.sim.machine(&id).unwrap().on_baseline, on_baseline);
    }
}

#[test]
fn invented_releases_continue_the_calendar() {
    let options = Options {
        invent_releases_through: Some("2026-12-31".parse().unwrap()),
        ..Options::default()
    };
    let azure = Azure::with("2026-11-01", options);
    let id = azure.sim.add_vm(vm().reboot_setting("Never"));
    assert!(azure.sim.machine(&id).unwrap().on_baseline);
    azure.set("2026-11-10T18:00:00Z");
    let result = azure.assess(&id);
    let releases = offered_releases(&result);
    assert_eq!(releases.len(), 1);
    assert_eq!(behavior(&result, &releases[0]), "NeverReboots");
}
