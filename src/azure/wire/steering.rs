//! Rows of the queries for schedules and policies, and the rights of a caller.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A row of the query for assignments of maintenance configurations.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AssignmentRow {
    /// `<machine, resource group or subscription>/providers/Microsoft.Maintenance/
    /// configurationAssignments/<name>`.
    pub id: Option<String>,
    /// `properties.maintenanceConfigurationId`, lower-cased.
    pub configuration: Option<String>,
    /// `properties.filter`, of a dynamic scope.
    pub filter: Option<Filter>,
    /// `properties.maintenanceScope` of the configuration; none where it does not show.
    pub scope: Option<String>,
    /// `properties.installPatches.rebootSetting` of the configuration.
    pub reboot: Option<String>,
}

/// What a dynamic scope asks of machines (Microsoft.Maintenance, api-version 2023-04-01).
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Filter {
    /// Resource types.
    pub resource_types: Option<Vec<String>>,
    /// Resource groups.
    pub resource_groups: Option<Vec<String>>,
    /// `Windows`, `Linux`.
    pub os_types: Option<Vec<String>>,
    /// Regions, by name or display name.
    pub locations: Option<Vec<String>>,
    /// Tags.
    pub tag_settings: Option<TagSettings>,
}

/// The tags that a dynamic scope asks for.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TagSettings {
    /// The values of each tag that count.
    pub tags: Option<BTreeMap<String, Vec<String>>>,
    /// `Any` or `All`.
    pub filter_operator: Option<String>,
}

/// A row of the query for policies.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PolicyRow {
    /// Of an assignment, or of one of the states that tell of it.
    pub id: Option<String>,
    /// Id of the assignment, lower-cased.
    pub assignment: Option<String>,
    /// Name of the definition.
    pub definition: Option<String>,
    /// Scope of the assignment, lower-cased.
    pub scope: Option<String>,
    /// Its effect, lower-cased, where it is told.
    pub effect: Option<String>,
    /// `Default` or `DoNotEnforce`, of an assignment.
    pub enforcement: Option<String>,
    /// `properties.notScopes` of an assignment, as a list in JSON, lower-cased.
    pub except: Option<String>,
    /// The subscription of states, lower-cased; empty for an assignment.
    pub subscription: Option<String>,
}

/// The answer to `GET <scope>/providers/Microsoft.Authorization/permissions` (api-version
/// 2022-04-01).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Permissions {
    /// One for each role that the caller has there.
    pub value: Vec<Permission>,
    /// Where the next page begins.
    pub next_link: Option<String>,
}

/// What one role allows.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Permission {
    /// Actions, in which `*` stands for anything.
    pub actions: Option<Vec<String>>,
    /// Actions taken out of them.
    pub not_actions: Option<Vec<String>>,
}
