//! Locations of a subscription with its zones (api-version 2022-12-01).

use serde::Deserialize;

/// The answer to `GET /subscriptions/{id}/locations`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Locations {
    /// The locations.
    pub value: Vec<Location>,
}

/// One location.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Location {
    /// `westeurope`.
    pub name: Option<String>,
    /// Which physical zone each zone number of this subscription is.
    pub availability_zone_mappings: Option<Vec<ZoneMapping>>,
}

/// One zone.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ZoneMapping {
    /// `1`.
    pub logical_zone: Option<String>,
    /// `westeurope-az2`.
    pub physical_zone: Option<String>,
}
