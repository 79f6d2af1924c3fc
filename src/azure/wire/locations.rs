//! Locations of a subscription with its zones and pairs (api-version 2022-12-01).

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
    /// What Azure says about it.
    pub metadata: Option<LocationMetadata>,
    /// Which physical zone each zone number of this subscription is.
    pub availability_zone_mappings: Option<Vec<ZoneMapping>>,
}

/// What Azure says about a location.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LocationMetadata {
    /// The regions that it is paired with.
    pub paired_region: Option<Vec<PairedRegion>>,
}

/// A region that another names as its pair.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PairedRegion {
    /// `northeurope`.
    pub name: Option<String>,
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
