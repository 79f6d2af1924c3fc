//! Writes the instance of an Azure Local VM (Microsoft.AzureStackHCI, azure.md 3).

use serde_json::{Value, json};

use crate::machine::{Machine, Power};

/// Writes `virtualMachineInstances/default`; `Null` for machines of another kind.
pub(crate) fn instance(machine: &Machine) -> Value {
    let (Some(local), Some(arc)) = (machine.local(), machine.arc()) else {
        return Value::Null;
    };
    let power = match machine.guest.power {
        Power::Up | Power::Rebooting | Power::Hung => "Running",
        Power::Stopped | Power::Deallocated => "Stopped",
    };
    let mut properties = json!({
        "storageProfile": {"imageReference": {"id": local.image_id}},
        "hardwareProfile": {"vmSize": local.vm_size},
        "osProfile": {
            "computerName": machine.name,
            "adminUsername": "localadmin",
            "windowsConfiguration": {
                "provisionVMAgent": arc.managed,
                "provisionVMConfigAgent": true,
                "enableAutomaticUpdates": false,
            },
        },
        "networkProfile": {"networkInterfaces": [{"id": format!("{}-nic", machine.name)}]},
        "securityProfile": {"enableTPM": true, "uefiSettings": {"secureBootEnabled": true}},
        "provisioningState": "Succeeded",
        "status": {"powerState": power},
        "vmId": arc.vm_uuid,
    });
    if arc.managed {
        properties["guestAgentInstallStatus"] = json!({
            "vmUuid": arc.vm_uuid,
            "status": "Succeeded",
            "agentVersion": arc.agent_version,
        });
    }
    json!({
        "id": format!("{}{SUFFIX}", machine.id),
        "extendedLocation": {"name": local.custom_location, "type": "CustomLocation"},
        "name": "default",
        "type": "Microsoft.AzureStackHCI/virtualMachineInstances",
        "properties": properties,
    })
}

const SUFFIX: &str = "/providers/Microsoft.AzureStackHCI/virtualMachineInstances/default";
