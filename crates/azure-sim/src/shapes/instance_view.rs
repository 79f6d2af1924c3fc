//! Writes the instance view of an Azure VM (azure.md 1.2, 1.3, 11).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::machine::{Machine, Power, VmFacts};
use crate::patches::PatchState;
use crate::shapes::{instant, results};

/// Writes the instance view of a VM; `Null` for other machines.
pub(crate) fn instance_view(machine: &Machine, now: DateTime<Utc>) -> Value {
    let Some(vm) = machine.vm() else {
        return Value::Null;
    };
    let mut out = json!({
        "disks": [{
            "name": format!("{}_OsDisk_1", machine.name),
            "statuses": [status("ProvisioningState/succeeded", "Provisioning succeeded",
                                Some(machine.created))],
        }],
        "bootDiagnostics": {},
        "extensions": [],
        "isVMInStandbyPool": false,
        "hyperVGeneration": format!("V{}", vm.generation),
        "statuses": statuses(machine, now),
    });
    if let Some(domain) = vm.update_domain {
        out["platformUpdateDomain"] = json!(domain);
    }
    if let Some(domain) = vm.fault_domain {
        out["platformFaultDomain"] = json!(domain);
    }
    if !matches!(machine.guest.power, Power::Stopped | Power::Deallocated) {
        out["computerName"] = json!(machine.name);
        out["osName"] = json!(machine.guest.os.product());
        out["osVersion"] = json!(os_version(machine));
        out["vmAgent"] = vm_agent(machine, vm, now);
    }
    if vm.os_profile && machine.guest.os.windows() {
        out["patchStatus"] = patch_status(machine, now);
    }
    out
}

/// The version Azure shows carries no trustworthy revision (azure.md 1.2).
fn os_version(machine: &Machine) -> String {
    let major = machine
        .guest
        .image_build
        .split('.')
        .next()
        .unwrap_or_default();
    format!("Microsoft Windows NT 10.0.{major}.0")
}

/// Gives the code and display of a VM's power state. A guest that reboots or hangs is running
/// to Azure.
pub(crate) fn power_state(machine: &Machine) -> (&'static str, &'static str) {
    match machine.guest.power {
        Power::Up | Power::Rebooting | Power::Hung => ("PowerState/running", "VM running"),
        Power::Stopped => ("PowerState/stopped", "VM stopped"),
        Power::Deallocated => ("PowerState/deallocated", "VM deallocated"),
    }
}

fn statuses(machine: &Machine, now: DateTime<Utc>) -> Value {
    let updating = machine.updating_until.is_some_and(|until| now < until);
    let (code, display) = if updating {
        ("ProvisioningState/updating", "Updating")
    } else {
        ("ProvisioningState/succeeded", "Provisioning succeeded")
    };
    let (power, power_display) = power_state(machine);
    json!([
        status(code, display, Some(machine.created)),
        status(power, power_display, None)
    ])
}

fn status(code: &str, display: &str, time: Option<DateTime<Utc>>) -> Value {
    let mut out = json!({"code": code, "level": "Info", "displayStatus": display});
    if let Some(time) = time {
        out["time"] = json!(instant(time));
    }
    out
}

fn vm_agent(machine: &Machine, vm: &VmFacts, now: DateTime<Utc>) -> Value {
    let ready = machine.guest.power == Power::Up && vm.agent_ready && vm.provision_vm_agent;
    let mut found = if ready {
        status("ProvisioningState/succeeded", "Ready", Some(now))
    } else {
        status("ProvisioningState/Unavailable", "Not Ready", Some(now))
    };
    found["message"] = json!(if ready {
        "GuestAgent is running and processing the extensions."
    } else {
        found["level"] = json!("Warning");
        "VM status blob is found but not yet populated."
    });
    let version = if ready { "2.7.41491.1172" } else { "Unknown" };
    json!({"vmAgentVersion": version, "statuses": [found], "extensionHandlers": []})
}

fn patch_status(machine: &Machine, now: DateTime<Utc>) -> Value {
    let mut out = json!({"configurationStatuses": configuration(machine, now)});
    if let Some(found) = &machine.assessment {
        let critical = results::critical_and_security(found);
        out["availablePatchSummary"] = json!({
            "status": found.status.as_str(),
            "assessmentActivityId": found.activity,
            "rebootPending": found.reboot_pending,
            "criticalAndSecurityPatchCount": critical,
            "otherPatchCount": found.offered.len() - critical,
            "startTime": instant(found.started),
            "lastModifiedTime": instant(found.modified),
            "error": results::error(found.error.as_ref()),
        });
    }
    if let Some(record) = machine.last_install() {
        out["lastPatchInstallationSummary"] = json!({
            "status": record.status.as_str(),
            "installationActivityId": record.activity,
            "maintenanceWindowExceeded": record.exceeded,
            "notSelectedPatchCount": record.count(PatchState::NotSelected),
            "excludedPatchCount": record.count(PatchState::Excluded),
            "pendingPatchCount": record.count(PatchState::Pending),
            "installedPatchCount": record.count(PatchState::Installed),
            "failedPatchCount": record.count(PatchState::Failed),
            "startTime": instant(record.started),
            "lastModifiedTime": instant(record.modified),
            "error": results::error(record.error.as_ref()),
        });
    }
    out
}

fn configuration(machine: &Machine, now: DateTime<Utc>) -> Value {
    let state = if now >= machine.settings_ready_at {
        "Ready"
    } else {
        "Pending"
    };
    let time = machine.settings_ready_at.min(now);
    let one = |name: &str| {
        status(
            &format!("{name}/{state}"),
            &format!("Status_{name}_{state}"),
            Some(time),
        )
    };
    json!([
        one("PatchModeConfigurationState"),
        one("AssessmentModeConfigurationState")
    ])
}
