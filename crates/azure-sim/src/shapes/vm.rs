//! Writes an Azure VM (Microsoft.Compute/virtualMachines, azure.md 1.2).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::machine::{Image, Machine, VmFacts};

/// Writes the model of a VM; `Null` for other machines.
pub(crate) fn model(machine: &Machine, now: DateTime<Utc>) -> Value {
    let Some(vm) = machine.vm() else {
        return Value::Null;
    };
    let mut out = json!({
        "name": machine.name,
        "id": machine.id,
        "type": "Microsoft.Compute/virtualMachines",
        "location": machine.location,
        "tags": machine.tags,
        "etag": machine.etag(),
        "properties": properties(machine, vm, now),
    });
    if !vm.zones.is_empty() {
        out["zones"] = json!(vm.zones);
    }
    out
}

fn properties(machine: &Machine, vm: &VmFacts, now: DateTime<Utc>) -> Value {
    let updating = machine.updating_until.is_some_and(|until| now < until);
    let mut out = json!({
        "vmId": machine.incarnation,
        "hardwareProfile": {"vmSize": vm.vm_size},
        "storageProfile": storage(machine, vm),
        "networkProfile": {"networkInterfaces": [{"id": nic_id(machine)}]},
        "provisioningState": if updating { "Updating" } else { "Succeeded" },
        "timeCreated": crate::shapes::instant(machine.created),
    });
    if vm.os_profile {
        out["osProfile"] = os_profile(machine, vm);
    }
    if let Some(security) = &vm.security_type {
        out["securityProfile"] = json!({
            "securityType": security,
            "uefiSettings": {"secureBootEnabled": true, "vTpmEnabled": true},
        });
    }
    if let Some(id) = &vm.availability_set {
        out["availabilitySet"] = json!({"id": id});
    }
    if let Some(id) = &vm.scale_set {
        out["virtualMachineScaleSet"] = json!({"id": id});
        out["platformFaultDomain"] = json!(vm.fault_domain.unwrap_or(0));
    }
    if let Some(licence) = &vm.license_type {
        out["licenseType"] = json!(licence);
    }
    out
}

fn os_profile(machine: &Machine, vm: &VmFacts) -> Value {
    let mut out = json!({
        "computerName": machine.name,
        "adminUsername": "azureadmin",
        "secrets": [],
        "allowExtensionOperations": vm.allow_extension_operations,
    });
    if machine.guest.os.windows() {
        let mut windows = json!({
            "provisionVMAgent": vm.provision_vm_agent,
            "enableAutomaticUpdates": vm.enable_automatic_updates,
            "patchSettings": machine.settings.to_json(),
        });
        if let Some(zone) = &vm.time_zone {
            windows["timeZone"] = json!(zone);
        }
        out["windowsConfiguration"] = windows;
    } else {
        out["linuxConfiguration"] = json!({
            "disablePasswordAuthentication": true,
            "provisionVMAgent": vm.provision_vm_agent,
            "patchSettings": {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"},
        });
    }
    out
}

fn storage(machine: &Machine, vm: &VmFacts) -> Value {
    let image = match &vm.image {
        Image::Marketplace {
            publisher,
            offer,
            sku,
        } => json!({
            "publisher": publisher,
            "offer": offer,
            "sku": sku,
            "version": "latest",
            "exactVersion": format!("{}.250101", machine.guest.image_build),
        }),
        Image::Gallery { id } => json!({"id": id}),
    };
    json!({
        "imageReference": image,
        "osDisk": {
            "osType": machine.guest.os.os_type(),
            "name": format!("{}_OsDisk_1", machine.name),
            "createOption": "FromImage",
            "caching": "ReadWrite",
            "managedDisk": {"storageAccountType": "Premium_LRS", "id": vm.os_disk_id},
            "diskSizeGB": 127,
        },
        "dataDisks": [],
    })
}

fn nic_id(machine: &Machine) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/networkInterfaces/{}-nic",
        machine.subscription, machine.resource_group, machine.name
    )
}
