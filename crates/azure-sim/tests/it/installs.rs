//! What an install does: selection, reboot, time, refusals.

use azure_sim::{Assumptions, RebootCause, SecondOperation, VmSpec, What};
use serde_json::{Value, json};

use crate::support::{Azure, install_body};

const HOTPATCH: &str = "5064010";
const BASELINE: &str = "5066835";

/// A VM on the track on a hotpatch day, left alone by the platform.
fn hotpatch_day() -> (Azure, String) {
    day("2025-08-12T18:00:00Z", Assumptions::default())
}

fn baseline_day(assumptions: Assumptions) -> (Azure, String) {
    day("2025-10-14T18:00:00Z", assumptions)
}

fn day(now: &str, assumptions: Assumptions) -> (Azure, String) {
    let start = if now < "2025-09" {
        "2025-08-01"
    } else {
        "2025-10-01"
    };
    let azure = Azure::assuming(start, assumptions);
    let id = azure
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("web-1").reboot_setting("Never"));
    azure.set(now);
    (azure, id)
}

fn state<'a>(result: &'a Value, kb: &str) -> &'a str {
    let patches = result["patches"].as_array().unwrap();
    let found = patches.iter().find(|patch| patch["kbId"] == kb);
    found.map_or("absent", |patch| {
        patch["installationState"].as_str().unwrap()
    })
}

#[test]
fn a_pinned_install_takes_the_release_and_nothing_else() {
    for kb in [HOTPATCH, "KB5064010", "kb5064010"] {
        let (azure, id) = hotpatch_day();
        let result = azure.install(&id, "Never", &[kb]);
        assert_eq!(result["status"], "Succeeded");
        assert_eq!(result["installedPatchCount"], 1);
        assert_eq!(result["notSelectedPatchCount"], 2);
        assert_eq!(result["rebootStatus"], "NotNeeded");
        assert_eq!(state(&result, HOTPATCH), "Installed");
        assert_eq!(azure.reboots(&id), 0);
        assert!(azure.sim.machine(&id).unwrap().installed.contains(HOTPATCH));
    }
}

#[test]
fn named_kbs_come_on_top_of_classifications() {
    let (azure, id) = hotpatch_day();
    let body = json!({
        "maximumDuration": "PT3H", "rebootSetting": "IfRequired",
        "windowsParameters": {"classificationsToInclude": ["Critical", "Security"],
                              "kbNumbersToInclude": ["2267602"]},
    });
    let result = azure.run(&format!("{id}/installPatches"), &body);
    // The security update for .NET of August is taken though nobody named it.
    assert_eq!(result["installedPatchCount"], 3);
}

#[test]
fn selection_follows_exclusions_dates_and_reboot_behaviour() {
    let all = json!(["Critical", "Security", "Definition", "Updates"]);
    for (parameters, hotpatch, definition) in [
        (
            json!({"kbNumbersToExclude": ["KB5064010"]}),
            "Excluded",
            "Installed",
        ),
        (
            json!({"excludeKbsRequiringReboot": true}),
            "Installed",
            "Installed",
        ),
        (
            json!({"maxPatchPublishDate": "2025-08-12T16:00:00Z"}),
            "NotSelected",
            "Installed",
        ),
        (
            json!({"patchNameMasksToExclude": ["*hotpatch*"]}),
            "Excluded",
            "Installed",
        ),
    ] {
        let (azure, id) = hotpatch_day();
        let mut parameters = parameters;
        parameters["classificationsToInclude"] = all.clone();
        let body = json!({"maximumDuration": "PT3H", "rebootSetting": "Never",
                          "windowsParameters": parameters});
        let result = azure.run(&format!("{id}/installPatches"), &body);
        assert_eq!(state(&result, HOTPATCH), hotpatch, "{parameters}");
        assert_eq!(state(&result, "2267602"), definition, "{parameters}");
    }
}

#[test]
fn a_baseline_under_if_required_reboots_once_and_takes_effect() {
    let (azure, id) = baseline_day(Assumptions::default());
    let result = azure.install(&id, "IfRequired", &[BASELINE]);
    assert_eq!(result["rebootStatus"], "Completed");
    assert_eq!(result["status"], "Succeeded");
    let view = azure.sim.machine(&id).unwrap();
    assert!(view.on_baseline && view.pending_reboot.is_empty());
    assert_eq!((view.boot_count, azure.reboots(&id)), (2, 1));
}

#[test]
fn a_baseline_under_never_leaves_the_reboot_owed_and_a_repeat_settles_it() {
    let (azure, id) = baseline_day(Assumptions::default());
    let result = azure.install(&id, "Never", &[BASELINE]);
    assert_eq!(result["rebootStatus"], "Required");
    assert_eq!(azure.reboots(&id), 0);
    assert!(!azure.sim.machine(&id).unwrap().on_baseline);
    assert_eq!(azure.assess(&id)["rebootPending"], true);
    // The harmless repeat: nothing left to install, the reboot is owed.
    let result = azure.install(&id, "IfRequired", &[BASELINE]);
    assert_eq!(
        (&result["installedPatchCount"], azure.reboots(&id)),
        (&json!(0), 1)
    );
    assert_eq!(result["rebootStatus"], "Completed");
    assert!(azure.sim.machine(&id).unwrap().on_baseline);
    // And once more, nothing.
    let result = azure.install(&id, "IfRequired", &[BASELINE]);
    assert_eq!(
        (&result["rebootStatus"], azure.reboots(&id)),
        (&json!("NotNeeded"), 1)
    );
    assert_eq!(result["status"], "Succeeded");
}

#[test]
fn always_reboots_though_nothing_was_installed() {
    let (azure, id) = hotpatch_day();
    let result = azure.install(&id, "Always", &["1234567"]);
    assert_eq!(
        (&result["installedPatchCount"], azure.reboots(&id)),
        (&json!(0), 1)
    );
}

#[test]
fn the_models_never_overrides_if_required_only_by_assumption() {
    for (switch, reboots, status) in [(false, 1, "Completed"), (true, 0, "Required")] {
        let (azure, id) = baseline_day(Assumptions {
            model_never_overrides_if_required: switch,
            ..Assumptions::default()
        });
        let result = azure.install(&id, "IfRequired", &[BASELINE]);
        assert_eq!(
            (azure.reboots(&id), result["rebootStatus"].as_str()),
            (reboots, Some(status))
        );
    }
}

#[test]
fn a_baseline_reboots_twice_by_assumption() {
    let (azure, id) = baseline_day(Assumptions {
        baseline_reboots_twice: true,
        ..Assumptions::default()
    });
    let result = azure.install(&id, "IfRequired", &[BASELINE]);
    assert_eq!(
        (&result["rebootStatus"], azure.reboots(&id)),
        (&json!("Completed"), 2)
    );
}

#[test]
fn what_does_not_fit_into_the_time_fails_with_the_window_exceeded() {
    for (duration, reboot, installed, status) in [
        ("PT20M", "NotNeeded", 0, "Failed"),
        // Long enough to begin the baseline, too short to reboot after it.
        ("PT30M", "Required", 1, "Failed"),
        ("PT3H", "Completed", 1, "Succeeded"),
    ] {
        let (azure, id) = baseline_day(Assumptions::default());
        let mut body = install_body("IfRequired", &[BASELINE]);
        body["maximumDuration"] = json!(duration);
        let result = azure.run(&format!("{id}/installPatches"), &body);
        assert_eq!(result["status"], status, "{duration}");
        assert_eq!(
            result["maintenanceWindowExceeded"],
            status == "Failed",
            "{duration}"
        );
        assert_eq!(result["installedPatchCount"], installed, "{duration}");
        assert_eq!(result["rebootStatus"], reboot, "{duration}");
    }
}

#[test]
fn a_second_operation_is_refused_or_queued_by_assumption() {
    for (switch, status) in [
        (SecondOperation::Refused, 409),
        (SecondOperation::Queued, 202),
    ] {
        let (azure, id) = baseline_day(Assumptions {
            second_operation: switch,
            ..Assumptions::default()
        });
        let path = format!("{id}/installPatches");
        let body = install_body("IfRequired", &[BASELINE]);
        assert_eq!(azure.send("POST", &path, &body).status, 202);
        let second = azure.send("POST", &path, &body);
        assert_eq!(second.status, status);
        azure.minutes(300);
        assert!(!azure.sim.machine(&id).unwrap().busy);
        assert_eq!(azure.reboots(&id), 1, "the second finds nothing to do");
    }
}

#[test]
fn bodies_that_say_too_little_are_refused() {
    let (azure, id) = hotpatch_day();
    let path = format!("{id}/installPatches");
    for body in [
        json!({"rebootSetting": "Never"}),
        json!({"rebootSetting": "Never", "windowsParameters": {}}),
        json!({"windowsParameters": {"kbNumbersToInclude": ["1"]}}),
        json!({"rebootSetting": "Sometimes", "windowsParameters": {"kbNumbersToInclude": ["1"]}}),
        json!({"rebootSetting": "Never", "windowsParameters": {"kbNumbersToInclude": ["KBx"]}}),
        json!({"rebootSetting": "Never",
               "windowsParameters": {"classificationsToInclude": ["Everything"]}}),
        json!({"rebootSetting": "Never", "maximumDuration": "4 hours",
               "windowsParameters": {"kbNumbersToInclude": ["1"]}}),
    ] {
        let reply = azure.send("POST", &path, &body);
        assert_eq!(
            (reply.status, reply.code()),
            (400, "InvalidParameter"),
            "{body}"
        );
    }
}

#[test]
fn a_foreign_reboot_breaks_off_a_running_install() {
    let (azure, id) = baseline_day(Assumptions::default());
    let reply = azure.send(
        "POST",
        &format!("{id}/installPatches"),
        &install_body("IfRequired", &[BASELINE]),
    );
    azure.minutes(10);
    azure.sim.foreign_reboot(&id);
    let result = azure.poll(&reply.header("location")).body;
    assert_eq!(result["status"], "Failed");
    assert_eq!(result["error"]["code"], "OperationInterrupted");
    let causes: Vec<_> = azure
        .happened(&id)
        .into_iter()
        .filter_map(|effect| match effect.what {
            What::RebootStarted { cause } => Some(cause),
            _ => None,
        })
        .collect();
    assert_eq!(causes, [RebootCause::Foreign]);
}

#[test]
fn a_machine_that_hangs_fails_the_install_with_its_reboot() {
    let (azure, id) = baseline_day(Assumptions::default());
    azure.sim.hang(&id);
    let result = azure.install(&id, "IfRequired", &[BASELINE]);
    assert_eq!(
        (&result["status"], &result["rebootStatus"]),
        (&json!("Failed"), &json!("Failed"))
    );
    assert!(!azure.sim.machine(&id).unwrap().up);
    azure.sim.start(&id);
    let view = azure.sim.machine(&id).unwrap();
    assert!(
        view.up && view.on_baseline,
        "the pending baseline took effect"
    );
}

#[test]
fn a_planned_failure_fails_the_next_install_alone() {
    let (azure, id) = hotpatch_day();
    azure
        .sim
        .fail_next_install(&id, "0x80070643", "Fatal error during installation.");
    let result = azure.install(&id, "Never", &[HOTPATCH]);
    assert_eq!(result["status"], "Failed");
    assert_eq!(result["error"]["code"], "0x80070643");
    assert_eq!(
        azure.install(&id, "Never", &[HOTPATCH])["status"],
        "Succeeded"
    );
}

#[test]
fn effects_tell_who_caused_what() {
    let (azure, id) = baseline_day(Assumptions::default());
    let reply = azure.send_with(
        "POST",
        &format!("{id}/installPatches"),
        &install_body("IfRequired", &[BASELINE]),
        &[("x-ms-client-request-id", "request-7")],
    );
    azure.poll(&reply.header("location"));
    let effects = azure.happened(&id);
    let accepted = effects.iter().find_map(|effect| match &effect.what {
        What::CallAccepted(call) => Some(call.clone()),
        _ => None,
    });
    let call = accepted.unwrap();
    assert_eq!(
        (call.caller.as_str(), call.kbs.as_slice()),
        ("operator", &[BASELINE.to_owned()][..])
    );
    assert_eq!(call.client_request_id.as_deref(), Some("request-7"));
    assert_eq!(
        (call.maximum_minutes, call.reboot_setting.as_deref()),
        (Some(180), Some("IfRequired"))
    );
    let cause = effects.iter().find_map(|effect| match &effect.what {
        What::RebootStarted { cause } => Some(cause.clone()),
        _ => None,
    });
    assert_eq!(
        cause,
        Some(RebootCause::Install {
            caller: "operator".to_owned(),
            operation_id: call.operation_id.unwrap(),
            client_request_id: Some("request-7".to_owned()),
        })
    );
    assert!(
        effects
            .iter()
            .any(|e| matches!(&e.what, What::KbStaged { kb, .. } if kb == BASELINE))
    );
    assert!(
        effects
            .iter()
            .any(|e| matches!(&e.what, What::KbInstalled { kb, .. } if kb == BASELINE))
    );
    let seqs: Vec<u64> = azure
        .sim
        .effects_since(0)
        .iter()
        .map(|effect| effect.seq)
        .collect();
    assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>());
}
