//! Writes the results of assessments and installs.

use serde_json::{Value, json};

use crate::machine::Machine;
use crate::patches::{Assessment, Classification, InstallRecord, Offered, PatchError, PatchState};
use crate::shapes::instant;

/// Writes the error inside a result; null when there is none.
pub(crate) fn error(error: Option<&PatchError>) -> Value {
    error.map_or(
        Value::Null,
        |error| json!({"code": error.code, "message": error.message, "details": []}),
    )
}

/// Writes the last assessment of a machine as the body its kind answers with.
pub(crate) fn assessment(machine: &Machine) -> Value {
    match (&machine.assessment, machine.vm()) {
        (None, _) => Value::Null,
        (Some(found), Some(_)) => vm_assessment(found),
        (Some(found), None) => arc_assessment(found, machine),
    }
}

fn vm_assessment(found: &Assessment) -> Value {
    let patches: Vec<Value> = found
        .offered
        .iter()
        .map(|patch| {
            let mut out = patch_head(patch);
            out["rebootBehavior"] = json!(patch.reboot_behavior);
            out["activityId"] = json!(found.activity);
            out["publishedDate"] = json!(patch.published.format("%Y-%m-%dT%H:%M:%SZ").to_string());
            out["lastModifiedDateTime"] = json!(instant(found.modified));
            out["assessmentState"] = json!("Available");
            out
        })
        .collect();
    let critical = critical_and_security(found);
    json!({
        "status": found.status.as_str(),
        "assessmentActivityId": found.activity,
        "rebootPending": found.reboot_pending,
        "criticalAndSecurityPatchCount": critical,
        "otherPatchCount": found.offered.len() - critical,
        "startDateTime": instant(found.started),
        "availablePatches": patches,
        "error": error(found.error.as_ref()),
    })
}

pub(crate) fn critical_and_security(found: &Assessment) -> usize {
    found
        .offered
        .iter()
        .filter(|patch| patch.class.is_critical_or_security())
        .count()
}

fn patch_head(patch: &Offered) -> Value {
    json!({
        "patchId": patch.patch_id,
        "name": patch.name,
        "version": "",
        "kbId": patch.kb,
        "classifications": [patch.class.display()],
    })
}

fn arc_assessment(found: &Assessment, machine: &Machine) -> Value {
    json!({
        "assessmentActivityId": found.activity,
        "availablePatchCountByClassification": counts(found),
        "errorDetails": error(found.error.as_ref()),
        "lastModifiedDateTime": instant(found.modified),
        "osType": machine.guest.os.os_type(),
        "patchServiceUsed": service(machine),
        "rebootPending": found.reboot_pending,
        "startDateTime": instant(found.started),
        "startedBy": started_by(found.by_platform),
        "status": found.status.as_str(),
    })
}

/// Names the service that a guest takes its updates from.
pub(crate) fn service(machine: &Machine) -> &'static str {
    if machine.wsus { "WU_WSUS" } else { "WU" }
}

/// Writes how many patches of each classification are on offer.
pub(crate) fn counts(found: &Assessment) -> Value {
    let mut out = json!({});
    for class in Classification::ALL {
        let count = found
            .offered
            .iter()
            .filter(|patch| patch.class == class)
            .count();
        out[class.count_key()] = json!(count);
    }
    out
}

pub(crate) fn started_by(by_platform: bool) -> &'static str {
    if by_platform { "Platform" } else { "User" }
}

/// Writes the last install of a machine as the body its kind answers with.
pub(crate) fn install(machine: &Machine) -> Value {
    match (machine.last_install(), machine.vm()) {
        (None, _) => Value::Null,
        (Some(record), Some(_)) => vm_install(record),
        (Some(record), None) => {
            let mut out = install_counts(record);
            out["errorDetails"] = error(record.error.as_ref());
            out["lastModifiedDateTime"] = json!(instant(record.modified));
            out["osType"] = json!(machine.guest.os.os_type());
            out["startedBy"] = json!(started_by(record.by_platform));
            out
        }
    }
}

fn vm_install(record: &InstallRecord) -> Value {
    let patches: Vec<Value> = record
        .patches
        .iter()
        .map(|(patch, state)| {
            let mut out = patch_head(patch);
            out["installationState"] = json!(state.as_str());
            out
        })
        .collect();
    let mut out = install_counts(record);
    out["patches"] = json!(patches);
    out["error"] = error(record.error.as_ref());
    out
}

/// Writes what the install results of all kinds share.
pub(crate) fn install_counts(record: &InstallRecord) -> Value {
    json!({
        "status": record.status.as_str(),
        "installationActivityId": record.activity,
        "rebootStatus": record.reboot.as_str(),
        "maintenanceWindowExceeded": record.exceeded,
        "excludedPatchCount": record.count(PatchState::Excluded),
        "notSelectedPatchCount": record.count(PatchState::NotSelected),
        "pendingPatchCount": record.count(PatchState::Pending),
        "installedPatchCount": record.count(PatchState::Installed),
        "failedPatchCount": record.count(PatchState::Failed),
        "startDateTime": instant(record.started),
    })
}
