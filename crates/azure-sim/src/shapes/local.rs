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

/// Writes `updateSummaries/default` of the cluster under a machine; `Null` where there is none.
pub(crate) fn update_summary(machine: &Machine) -> Value {
    let Some((local, state)) = machine
        .local()
        .and_then(|local| Some((local, local.cluster_state.as_ref()?)))
    else {
        return Value::Null;
    };
    json!({
        "id": format!("{}/updateSummaries/default", local.cluster),
        "name": "default",
        "type": "Microsoft.AzureStackHCI/clusters/updateSummaries",
        "properties": {
            "provisioningState": "Succeeded",
            "state": state,
            "healthState": "Success",
        },
    })
}

const SUFFIX: &str = "/providers/Microsoft.AzureStackHCI/virtualMachineInstances/default";
