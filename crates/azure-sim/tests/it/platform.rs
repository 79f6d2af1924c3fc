//! Azure and Windows Update patch by themselves, as the settings allow.

use azure_sim::{Assumptions, RebootCause, VmSpec, What};
use chrono::Timelike;

use crate::support::Azure;

fn causes(azure: &Azure, id: &str) -> Vec<RebootCause> {
    azure
        .happened(id)
        .into_iter()
        .filter_map(|effect| match effect.what {
            What::RebootStarted { cause } => Some(cause),
            _ => None,
        })
        .collect()
}

#[test]
fn the_platform_installs_hotpatches_without_a_reboot_within_two_weeks_off_peak() {
    let azure = Azure::new("2025-08-01");
    let ids: Vec<String> = (0..20)
        .map(|n| {
            azure
                .sim
                .add_vm(VmSpec::ws2025_azure_edition(&format!("web-{n}")))
        })
        .collect();
    azure.set("2025-08-27");
    let mut days = std::collections::BTreeSet::new();
    for id in &ids {
        assert!(
            azure.sim.machine(id).unwrap().installed.contains("5064010"),
            "{id}"
        );
        assert!(causes(&azure, id).is_empty());
        let started = azure
            .happened(id)
            .into_iter()
            .find_map(|effect| match effect.what {
                What::InstallStarted { .. } => Some(effect.at),
                _ => None,
            });
        let started = started.unwrap();
        assert!(started.hour() >= 22 || started.hour() < 6, "{started}");
        days.insert(started.date_naive());
    }
    assert!(days.len() > 3, "spread over days: {days:?}");
}

#[test]
fn a_baseline_reboots_machines_by_the_platform_unless_the_model_says_never() {
    for (setting, stages, expected, owed) in [
        ("IfRequired", false, vec![RebootCause::Platform], false),
        ("Always", false, vec![RebootCause::Platform], false),
        ("Never", false, vec![], false),
        ("Never", true, vec![], true),
    ] {
        let azure = Azure::assuming(
            "2025-10-01",
            Assumptions {
                platform_stages_under_never: stages,
                ..Assumptions::default()
            },
        );
        let id = azure
            .sim
            .add_vm(VmSpec::ws2025_azure_edition("web-1").reboot_setting(setting));
        azure.set("2025-10-30");
        assert_eq!(causes(&azure, &id), expected, "{setting}, staging {stages}");
        let owes = azure
            .sim
            .machine(&id)
            .unwrap()
            .pending_reboot
            .contains("5066835");
        assert_eq!(owes, owed, "{setting}, staging {stages}");
    }
}

#[test]
fn bypass_keeps_the_platform_away() {
    let azure = Azure::new("2025-10-01");
    let id = azure
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("web-1").bypass(true));
    azure.set("2025-12-01");
    assert!(
        !azure
            .happened(&id)
            .iter()
            .any(|e| matches!(e.what, What::InstallStarted { .. }))
    );
}

#[test]
fn windows_update_reboots_machines_left_to_it_within_a_week() {
    let azure = Azure::new("2025-08-01");
    let id = azure
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("web-1").os_patching());
    azure.set("2025-08-20T16:00:00Z");
    assert_eq!(causes(&azure, &id), [RebootCause::Guest]);
    let off = azure.sim.add_vm(
        VmSpec::ws2025_azure_edition("web-2")
            .os_patching()
            .automatic_updates(false),
    );
    azure.set("2025-10-30");
    assert!(causes(&azure, &off).is_empty());
}

#[test]
fn a_machine_that_was_off_is_patched_when_it_is_back() {
    let azure = Azure::new("2025-08-01");
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    azure.sim.deallocate(&id);
    azure.set("2025-09-01");
    assert!(
        !azure
            .sim
            .machine(&id)
            .unwrap()
            .installed
            .contains("5064010")
    );
    azure.sim.start(&id);
    azure.days(2);
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
fn periodic_assessment_comes_every_day_where_it_is_on() {
    let azure = Azure::new("2025-08-01");
    let on = azure
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("web-1").assessment_mode("AutomaticByPlatform"));
    let off = azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-2"));
    azure.days(3);
    let rows = azure.query(
        "patchassessmentresources | where type endswith '/patchassessmentresults' \
         | project id, startedBy = tostring(properties.startedBy)",
    );
    assert_eq!(rows.len(), 1);
    assert!(
        rows[0]["id"]
            .as_str()
            .unwrap()
            .starts_with(&on.to_lowercase())
    );
    assert_eq!(rows[0]["startedBy"], "Platform");
    assert!(
        azure.get(&format!("{off}/instanceView"))["patchStatus"]["availablePatchSummary"].is_null()
    );
}
