//! Shapes of Microsoft.Maintenance (azure.md 5).

use serde_json::{Value, json};

use crate::machine::Machine;

/// Writes the assignment of a maintenance configuration to a machine.
pub(crate) fn assignment(machine: &Machine, name: &str, configuration: &str) -> Value {
    json!({
        "id": format!(
            "{}/providers/Microsoft.Maintenance/configurationAssignments/{name}",
            machine.id
        ),
        "name": name,
        "type": "Microsoft.Maintenance/configurationAssignments",
        "location": machine.location,
        "properties": {
            "maintenanceConfigurationId": configuration,
            "resourceId": machine.id,
        },
    })
}
