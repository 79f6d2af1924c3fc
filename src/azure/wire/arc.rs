//! Arc-enabled servers and their licence profiles (api-version 2025-01-13; azure.md §2).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::vm::WindowsConfiguration;

/// A machine (`GET …/Microsoft.HybridCompute/machines/{name}`).
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ArcMachine {
    /// Resource id.
    pub id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// `HCI` for an Azure Local VM.
    pub kind: Option<String>,
    /// Where its record is kept.
    pub location: Option<String>,
    /// Tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// Entity tag; not seen in the documents.
    pub etag: Option<String>,
    /// The rest.
    pub properties: Option<ArcProperties>,
}

/// `properties` of a machine.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ArcProperties {
    /// Connected, Disconnected, Error, AwaitingConnection, Expired.
    pub status: Option<String>,
    /// Since when.
    pub last_status_change: Option<String>,
    /// What ARM does with it.
    pub provisioning_state: Option<String>,
    /// The id that changes when it is onboarded anew.
    pub vm_id: Option<String>,
    /// The id of its hardware.
    pub vm_uuid: Option<String>,
    /// Operating system.
    pub os_profile: Option<ArcOsProfile>,
    /// Licences.
    pub license_profile: Option<LicenceProfileProperties>,
    /// `Standard`, `Datacenter`.
    pub os_edition: Option<String>,
    /// `Windows Server 2025 Datacenter`.
    pub os_sku: Option<String>,
    /// `10.0.26100.1742`.
    pub os_version: Option<String>,
    /// windows or linux.
    pub os_type: Option<String>,
    /// The Azure Local cluster.
    pub parent_cluster_resource_id: Option<String>,
}

/// `osProfile` of a machine.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ArcOsProfile {
    /// Windows settings.
    pub windows_configuration: Option<WindowsConfiguration>,
}

/// `patchSettings.status`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PatchSettingsStatus {
    /// Unknown, PendingEvaluation, Disabled, ActionRequired, Enabled.
    pub hotpatch_enablement_status: Option<String>,
    /// What is wrong.
    pub error: Option<ApiError>,
}

/// A licence profile (`GET …/licenseProfiles/default`).
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct LicenceProfile {
    /// Resource id.
    pub id: Option<String>,
    /// The rest.
    pub properties: Option<LicenceProfileProperties>,
}

/// `properties` of a licence profile, and `licenseProfile` of a machine.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LicenceProfileProperties {
    /// What is licensed. Of this profile the operator reads and writes one feature only.
    pub product_profile: Option<ProductProfile>,
}

/// `productProfile`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProductProfile {
    /// WindowsServer, WindowsIoTEnterprise.
    pub product_type: Option<String>,
    /// The features.
    pub product_features: Option<Vec<ProductFeature>>,
}

/// One feature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProductFeature {
    /// `Hotpatch`.
    pub name: Option<String>,
    /// Unknown, Enabling, Enabled, Disabled, Disabling, Failed.
    pub subscription_status: Option<String>,
}
