//! Writes the rows of Resource Graph's tables (azure.md 4).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::graph::Seen;
use crate::machine::Machine;
use crate::patches::Offered;
use crate::shapes::{health, instance_view, instant, local, results};

/// A table of Resource Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Resources,
    PatchAssessment,
    PatchInstallation,
    Health,
    Maintenance,
    Containers,
    Extensibility,
}

impl Table {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name.to_lowercase().as_str() {
            "resources" => Some(Self::Resources),
            "patchassessmentresources" => Some(Self::PatchAssessment),
            "patchinstallationresources" => Some(Self::PatchInstallation),
            "healthresources" => Some(Self::Health),
            "maintenanceresources" => Some(Self::Maintenance),
            "resourcecontainers" => Some(Self::Containers),
            "extensibilityresources" => Some(Self::Extensibility),
            _ => None,
        }
    }

    /// Gives the rows of the table over some machines.
    pub(crate) fn rows(self, seen: &[&Seen], now: DateTime<Utc>) -> Vec<Arc<Value>> {
        let machines: Vec<&Machine> = seen.iter().map(|seen| &seen.machine).collect();
        let shared = match self {
            Self::Containers => containers(&machines),
            Self::Resources => scale_sets(&machines),
            Self::Extensibility => update_summaries(&machines),
            _ => Vec::new(),
        };
        let own = seen.iter().flat_map(|seen| seen.rows(self, now));
        shared.into_iter().map(Arc::new).chain(own).collect()
    }

    /// Writes the rows of one machine. They change with it, and by time as
    /// [`Machine::same_until`] says.
    pub(super) fn own_rows(self, machine: &Machine, now: DateTime<Utc>) -> Vec<Value> {
        match self {
            Self::Resources => resources(machine, now),
            Self::PatchAssessment => assessment(machine, now),
            Self::PatchInstallation => installation(machine, now),
            Self::Health => vec![availability(machine, now)],
            Self::Extensibility => instances(machine),
            Self::Maintenance => assignments(machine),
            Self::Containers => Vec::new(),
        }
    }
}

/// The columns every row has.
fn head(machine: &Machine, id: &str, name: &str, kind: &str) -> Value {
    json!({
        "id": id,
        "name": name,
        "type": kind,
        "tenantId": "11111111-1111-1111-1111-111111111111",
        "kind": "",
        "location": machine.location,
        "resourceGroup": machine.resource_group.to_lowercase(),
        "subscriptionId": machine.subscription,
        "managedBy": "",
        "sku": null,
        "plan": null,
        "tags": null,
        "identity": null,
        "zones": null,
        "extendedLocation": null,
    })
}

/// Writes one row for each scale set that a machine belongs to.
fn scale_sets(machines: &[&Machine]) -> Vec<Value> {
    let mut rows: BTreeMap<String, Value> = BTreeMap::new();
    for machine in machines {
        let Some(vm) = machine.vm() else { continue };
        let Some(id) = &vm.scale_set else { continue };
        rows.entry(id.to_lowercase()).or_insert_with(|| {
            let name = id.rsplit('/').next().unwrap_or_default();
            let mut row = head(
                machine,
                id,
                name,
                "microsoft.compute/virtualmachinescalesets",
            );
            let mode = if vm.uniform { "Uniform" } else { "Flexible" };
            row["properties"] = json!({"orchestrationMode": mode});
            row
        });
    }
    rows.into_values().collect()
}

/// Writes one row for each maintenance configuration that is assigned to a machine.
fn assignments(machine: &Machine) -> Vec<Value> {
    let kind = "microsoft.maintenance/configurationassignments";
    let each = machine.assignments.iter().map(|(name, configuration)| {
        let body = crate::shapes::maintenance::assignment(machine, name, configuration);
        let id = body["id"].as_str().unwrap_or_default().to_lowercase();
        let mut row = head(machine, &id, name, kind);
        row["properties"] = body["properties"].clone();
        row
    });
    each.collect()
}

fn machine_type(machine: &Machine) -> &'static str {
    match machine.vm() {
        Some(_) => "microsoft.compute/virtualmachines",
        None => "microsoft.hybridcompute/machines",
    }
}

fn resources(machine: &Machine, now: DateTime<Utc>) -> Vec<Value> {
    let mut row = head(machine, &machine.id, &machine.name, machine_type(machine));
    row["tags"] = json!(machine.tags);
    if let Some(vm) = machine.vm() {
        let body = crate::shapes::vm::model(machine, now);
        row["properties"] = body["properties"].clone();
        row["properties"]["extended"] = json!({"instanceView": extended(machine, now)});
        if !vm.zones.is_empty() {
            row["zones"] = json!(vm.zones);
        }
        return vec![row];
    }
    let body = crate::shapes::arc::machine(machine, now);
    row["properties"] = body["properties"].clone();
    row["identity"] = body["identity"].clone();
    let mut rows = vec![row];
    if let Some(licence) = machine.arc().and_then(|arc| arc.licence.as_ref()) {
        let id = format!("{}/licenseProfiles/default", machine.id);
        let kind = "microsoft.hybridcompute/machines/licenseprofiles";
        let mut row = head(machine, &id, "default", kind);
        row["properties"] =
            crate::shapes::arc::licence_profile(machine, licence, now)["properties"].clone();
        rows.push(row);
    }
    if machine.local().is_some() {
        rows[0]["kind"] = json!("HCI");
    }
    rows
}

/// What the graph adds to a VM from its instance view.
fn extended(machine: &Machine, now: DateTime<Utc>) -> Value {
    let view = instance_view::instance_view(machine, now);
    let (code, display) = instance_view::power_state(machine);
    json!({
        "powerState": {"code": code, "displayStatus": display, "level": "Info"},
        "osName": view["osName"],
        "osVersion": view["osVersion"],
        "hyperVGeneration": view["hyperVGeneration"],
        "computerName": view["computerName"],
    })
}

fn instances(machine: &Machine) -> Vec<Value> {
    if machine.local().is_none() {
        return Vec::new();
    }
    let body = local::instance(machine);
    let id = body["id"].as_str().unwrap_or_default().to_lowercase();
    let mut row = head(
        machine,
        &id,
        "default",
        "microsoft.azurestackhci/virtualmachineinstances",
    );
    row["properties"] = body["properties"].clone();
    row["extendedLocation"] = body["extendedLocation"].clone();
    vec![row]
}

/// Writes one row for each Azure Local cluster that carries a machine.
fn update_summaries(machines: &[&Machine]) -> Vec<Value> {
    let mut rows: BTreeMap<String, Value> = BTreeMap::new();
    for machine in machines {
        let body = local::update_summary(machine);
        let Some(id) = body["id"].as_str().map(str::to_lowercase) else {
            continue;
        };
        let kind = "microsoft.azurestackhci/clusters/updatesummaries";
        let mut row = head(machine, &id, "default", kind);
        row["properties"] = body["properties"].clone();
        rows.insert(id, row);
    }
    rows.into_values().collect()
}

fn assessment(machine: &Machine, now: DateTime<Utc>) -> Vec<Value> {
    let Some(found) = machine
        .assessment
        .as_ref()
        .filter(|found| !found.forgotten(now))
    else {
        return Vec::new();
    };
    let id = format!("{}/patchassessmentresults/latest", machine.key());
    let kind = format!("{}/patchassessmentresults", machine_type(machine));
    let mut row = head(machine, &id, "latest", &kind);
    row["properties"] = json!({
        "assessmentActivityId": found.activity,
        "status": found.status.as_str(),
        "rebootPending": found.reboot_pending,
        "patchServiceUsed": "WU",
        "osType": machine.guest.os.os_type(),
        "startDateTime": instant(found.started),
        "lastModifiedDateTime": instant(found.modified),
        "startedBy": results::started_by(found.by_platform),
        "errorDetails": results::error(found.error.as_ref()),
        "availablePatchCountByClassification": results::counts(found),
    });
    let mut rows = vec![row];
    for patch in &found.offered {
        let mut row = software_patch(machine, &id, &kind, patch);
        row["properties"]["lastModifiedDateTime"] = json!(instant(found.modified));
        row["properties"]["rebootBehavior"] = json!(patch.reboot_behavior);
        row["properties"]["rebootRequired"] = json!(patch.reboot_behavior != "NeverReboots");
        row["properties"]["publishedDateTime"] = json!(instant(patch.published));
        row["properties"]["assessmentState"] = json!("Available");
        rows.push(row);
    }
    rows
}

fn software_patch(machine: &Machine, parent: &str, kind: &str, patch: &Offered) -> Value {
    let id = format!("{parent}/softwarepatches/{}", patch.patch_id);
    let mut row = head(
        machine,
        &id,
        &patch.patch_id,
        &format!("{kind}/softwarepatches"),
    );
    row["properties"] = json!({
        "patchId": patch.patch_id,
        "patchName": patch.name,
        "kbId": patch.kb,
        "version": "",
        "classifications": [patch.class.input()],
    });
    row
}

fn installation(machine: &Machine, now: DateTime<Utc>) -> Vec<Value> {
    let kind = format!("{}/patchinstallationresults", machine_type(machine));
    let mut rows = Vec::new();
    for record in machine
        .installs
        .iter()
        .filter(|record| !record.forgotten(now))
    {
        let id = format!(
            "{}/patchinstallationresults/{}",
            machine.key(),
            record.activity
        );
        let mut row = head(machine, &id, &record.activity, &kind);
        let mut properties = results::install_counts(record);
        properties["lastModifiedDateTime"] = json!(instant(record.modified));
        properties["startedBy"] = json!(results::started_by(record.by_platform));
        properties["osType"] = json!(machine.guest.os.os_type());
        properties["patchServiceUsed"] = json!("WU");
        properties["maintenanceRunId"] = Value::Null;
        properties["errorDetails"] = results::error(record.error.as_ref());
        row["properties"] = properties;
        rows.push(row);
        for (patch, state) in &record.patches {
            let mut row = software_patch(machine, &id, &kind, patch);
            row["properties"]["installationState"] = json!(state.as_str());
            row["properties"]["rebootBehavior"] = json!(patch.reboot_behavior);
            row["properties"]["lastModifiedDateTime"] = json!(instant(record.modified));
            rows.push(row);
        }
    }
    rows
}

fn availability(machine: &Machine, now: DateTime<Utc>) -> Value {
    let (state, reason, since) = health::availability(machine, now);
    let id = format!(
        "{}/providers/microsoft.resourcehealth/availabilitystatuses/current",
        machine.key()
    );
    let kind = "microsoft.resourcehealth/availabilitystatuses";
    let mut row = head(machine, &id, "current", kind);
    row["properties"] = json!({
        "targetResourceId": machine.id,
        "targetResourceType": machine_type(machine),
        "availabilityState": state.as_str(),
        "previousAvailabilityState": "",
        "reasonType": reason,
        "occurredTime": instant(since),
    });
    row
}

/// Subscriptions and resource groups that hold machines.
fn containers(machines: &[&Machine]) -> Vec<Value> {
    let mut rows: BTreeMap<String, Value> = BTreeMap::new();
    for machine in machines {
        let sub = format!("/subscriptions/{}", machine.subscription);
        let group = format!("{sub}/resourceGroups/{}", machine.resource_group);
        for (id, name, kind) in [
            (
                &sub,
                format!("sub-{}", short(&sub)),
                "microsoft.resources/subscriptions",
            ),
            (
                &group,
                machine.resource_group.clone(),
                "microsoft.resources/subscriptions/resourcegroups",
            ),
        ] {
            let mut row = head(machine, id, &name, kind);
            row["properties"] = json!({"state": "Enabled", "provisioningState": "Succeeded"});
            rows.insert(id.to_lowercase(), row);
        }
    }
    rows.into_values().collect()
}

fn short(text: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes())
        .to_string()
        .chars()
        .take(8)
        .collect()
}
