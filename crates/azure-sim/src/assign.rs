//! What tests assign behind the API's back: schedules, dynamic scopes and policies; and the rights
//! that they take away.

use serde_json::{Value, json};

use crate::policies::Assigned;
use crate::sim::AzureSim;

impl AzureSim {
    /// Makes or changes a maintenance configuration of guest scope, by its resource id: it installs
    /// at `start` (`2026-01-31 22:00`, UTC) and then as `recurs` says (`Day`, `2Weeks Sat`), with
    /// this reboot setting.
    pub fn put_schedule(&self, id: &str, start: &str, recurs: &str, reboot: &str) {
        let properties = json!({
            "maintenanceScope": "InGuestPatch",
            "visibility": "Custom",
            "extensionProperties": {"InGuestPatchMode": "User"},
            "maintenanceWindow": {
                "startDateTime": start,
                "expirationDateTime": "9999-12-31 23:59:59",
                "duration": "03:55",
                "timeZone": "UTC",
                "recurEvery": recurs,
            },
            "installPatches": {
                "rebootSetting": reboot,
                "windowsParameters": {"classificationsToInclude": ["Critical", "Security"]},
            },
        });
        let body = json!({"location": "westeurope", "properties": properties});
        self.with(|world| world.put_schedule(id, &body));
    }

    /// Assigns a maintenance configuration to a machine; `None` takes the assignment away.
    pub fn assign(&self, machine: &str, name: &str, configuration: Option<&str>) {
        let key = machine.to_lowercase();
        self.with(|world| {
            if let Some(machine) = world.machines.get_mut(&key) {
                match configuration {
                    Some(own) => machine.assignments.insert(name.to_owned(), own.to_owned()),
                    None => machine.assignments.remove(name),
                };
            }
            world.touch(&key);
        });
    }

    /// Assigns a maintenance configuration by a filter (`properties.filter`) to what lies within a
    /// subscription or resource group.
    pub fn assign_by_filter(&self, within: &str, name: &str, configuration: &str, filter: &Value) {
        let id =
            format!("{within}/providers/Microsoft.Maintenance/configurationAssignments/{name}");
        let properties = json!({"maintenanceConfigurationId": configuration, "filter": filter});
        self.with(|world| world.put_scope(&id, &properties));
    }

    /// Assigns built-in policies.
    pub fn assign_policy(&self, policy: Assigned) {
        self.with(|world| {
            world.policies.insert(policy.id().to_lowercase(), policy);
            world.graph.changed();
        });
    }

    /// Lets nobody do this any more: rows that need it go missing, and permissions say so.
    pub fn withhold(&self, action: &str) {
        self.with(|world| {
            world.withheld.insert(action.to_lowercase());
            world.graph.changed();
        });
    }

    /// Names a WSUS server in the policy of a guest, or takes it away.
    pub fn set_wsus(&self, machine: &str, on: bool) {
        let key = machine.to_lowercase();
        self.with(|world| {
            if let Some(machine) = world.machines.get_mut(&key) {
                machine.wsus = on;
            }
            world.touch(&key);
        });
    }
}
