//! Azure Local virtual machine instances (api-version 2024-01-01; azure.md §3).

use serde::{Deserialize, Serialize};

/// An instance, the extension resource of an Arc machine of kind `HCI`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Instance {
    /// Resource id.
    pub id: Option<String>,
    /// The rest.
    pub properties: Option<InstanceProperties>,
}

/// `properties` of an instance.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InstanceProperties {
    /// What ARM does with it.
    pub provisioning_state: Option<String>,
    /// How it fares.
    pub status: Option<InstanceStatus>,
}

/// `status` of an instance.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InstanceStatus {
    /// Running, Stopped and the like.
    pub power_state: Option<String>,
}
