//! Writes an Arc-enabled machine and its licence profile (Microsoft.HybridCompute, azure.md 2).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::machine::{ArcFacts, Licence, Machine};
use crate::shapes::instant;

/// Writes a HybridCompute machine; `Null` for Azure VMs.
pub(crate) fn machine(machine: &Machine, now: DateTime<Utc>) -> Value {
    let Some(arc) = machine.arc() else {
        return Value::Null;
    };
    json!({
        "name": machine.name,
        "type": "Microsoft.HybridCompute/machines",
        "id": machine.id,
        "identity": {
            "type": "SystemAssigned",
            "principalId": arc.vm_uuid,
            "tenantId": "11111111-1111-1111-1111-111111111111",
        },
        "kind": machine.local().map(|_| "HCI"),
        "location": machine.location,
        "properties": properties(machine, arc, now),
        "tags": machine.tags,
        "resources": [],
    })
}

fn properties(machine: &Machine, arc: &ArcFacts, now: DateTime<Utc>) -> Value {
    let os = machine.guest.os;
    let (status, changed) = machine.arc_status(now);
    let mut out = json!({
        "vmId": machine.incarnation,
        "vmUuid": arc.vm_uuid,
        "displayName": machine.name,
        "machineFqdn": format!("{}.corp.example", machine.name),
        "dnsFqdn": format!("{}.corp.example", machine.name),
        "adFqdn": format!("{}.corp.example", machine.name),
        "domainName": "corp.example",
        "provisioningState": "Succeeded",
        "osProfile": os_profile(machine, now),
        "parentClusterResourceId": machine.local().map(|local| local.cluster.clone()),
        "licenseProfile": licence_view(machine, now),
        "errorDetails": null,
        "hardwareResourceId": null,
    });
    // Without guest management there is no agent that could report any of this.
    if arc.managed {
        let reported = json!({
            "status": status,
            "lastStatusChange": instant(changed),
            "agentVersion": arc.agent_version,
            "osName": os.os_type().to_lowercase(),
            "osType": os.os_type().to_lowercase(),
            "osVersion": format!("10.0.{}", machine.guest.build()),
            "osSku": os.product(),
            "osEdition": os.edition(),
            "detectedProperties": {
                "cloudprovider": arc.cloud_provider,
                "manufacturer": arc.manufacturer,
                "model": arc.model,
            },
            "cloudMetadata": {"provider": arc.cloud_provider},
            "serviceStatuses": services(),
            "firmwareProfile": {"type": "UEFI", "serialNumber": arc.vm_uuid},
        });
        merge(&mut out, reported);
    }
    out
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

fn services() -> Value {
    json!({
        "extensionService": {"startupType": "Automatic", "status": "Running"},
        "guestConfigurationService": {"startupType": "Automatic", "status": "Running"},
    })
}

fn os_profile(machine: &Machine, now: DateTime<Utc>) -> Value {
    let settings = &machine.settings;
    let mut windows = json!({
        "assessmentMode": settings.assessment_mode,
        "patchMode": settings.patch_mode,
    });
    if machine.guest.os.windows() {
        windows["enableHotpatching"] = json!(settings.enable_hotpatching);
        windows["status"] = json!({
            "hotpatchEnablementStatus": machine.hotpatch_status(now),
            "error": null,
        });
        return json!({
            "computerName": machine.name,
            "windowsConfiguration": {"patchSettings": windows},
        });
    }
    json!({"computerName": machine.name, "linuxConfiguration": {"patchSettings": windows}})
}

fn licence_view(machine: &Machine, now: DateTime<Utc>) -> Value {
    let Some(licence) = machine.arc().and_then(|arc| arc.licence.as_ref()) else {
        return json!({"licenseStatus": "Licensed", "licenseChannel": "OEM"});
    };
    let mut out = licence_properties(licence, now);
    out["licenseStatus"] = json!("Licensed");
    out["licenseChannel"] = json!("OEM");
    out
}

/// Writes the licence profile resource.
pub(crate) fn licence_profile(machine: &Machine, licence: &Licence, now: DateTime<Utc>) -> Value {
    json!({
        "name": "default",
        "type": "Microsoft.HybridCompute/machines/licenseProfiles",
        "id": format!("{}/licenseProfiles/default", machine.id),
        "location": licence.location,
        "properties": licence_properties(licence, now),
        "tags": null,
    })
}

fn licence_properties(licence: &Licence, now: DateTime<Utc>) -> Value {
    let mut product = json!({"productType": licence.product_type});
    product["productFeatures"] = match &licence.hotpatch {
        None => json!([]),
        Some(feature) => {
            let mut out = json!({
                "name": "Hotpatch",
                "subscriptionStatus": feature.status(now),
            });
            let since = instant(feature.changed);
            let key = if feature.enabled {
                "enrollmentDate"
            } else {
                "disenrollmentDate"
            };
            out[key] = json!(since);
            json!([out])
        }
    };
    if let Some(payg) = licence.payg {
        product["subscriptionStatus"] = json!(if payg { "Enabled" } else { "Disabled" });
    }
    let mut out = json!({"productProfile": product});
    if let Some(esu) = &licence.esu_profile {
        out["esuProfile"] = esu.clone();
    }
    if let Some(assurance) = &licence.software_assurance {
        out["softwareAssurance"] = assurance.clone();
    }
    out
}
