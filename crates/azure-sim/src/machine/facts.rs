//! What only one kind of machine has.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// What only one kind of machine has.
#[derive(Debug, Clone)]
pub(crate) enum Facts {
    Vm(VmFacts),
    Arc(ArcFacts),
    Local(ArcFacts, LocalFacts),
}

/// What only an Azure VM has.
#[derive(Debug, Clone)]
pub(crate) struct VmFacts {
    pub(crate) vm_size: String,
    pub(crate) zones: Vec<String>,
    pub(crate) image: Image,
    pub(crate) os_disk_id: String,
    pub(crate) security_type: Option<String>,
    pub(crate) generation: u8,
    pub(crate) availability_set: Option<String>,
    pub(crate) scale_set: Option<String>,
    /// A Uniform scale set member: `properties.virtualMachineScaleSet` is set and there is no
    /// VM resource to patch.
    pub(crate) uniform: bool,
    pub(crate) update_domain: Option<u32>,
    pub(crate) fault_domain: Option<u32>,
    pub(crate) license_type: Option<String>,
    pub(crate) time_zone: Option<String>,
    pub(crate) os_profile: bool,
    pub(crate) provision_vm_agent: bool,
    pub(crate) agent_ready: bool,
    pub(crate) allow_extension_operations: bool,
    pub(crate) enable_automatic_updates: bool,
}

/// Where a VM's OS disk came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Image {
    Marketplace {
        publisher: String,
        offer: String,
        sku: String,
    },
    Gallery {
        id: String,
    },
}

/// What Arc-enabled machines have.
#[derive(Debug, Clone)]
pub(crate) struct ArcFacts {
    /// The agent stopped sending heartbeats then, though the guest may run.
    pub(crate) agent_down_since: Option<DateTime<Utc>>,
    pub(crate) last_status_change: DateTime<Utc>,
    pub(crate) agent_version: String,
    pub(crate) vm_uuid: String,
    pub(crate) cloud_provider: String,
    pub(crate) manufacturer: String,
    pub(crate) model: String,
    pub(crate) licence: Option<Licence>,
    /// The next write of the licence ends in Failed instead of Enabled.
    pub(crate) licence_fails: bool,
    /// Guest management on Azure Local; true on plain Arc machines.
    pub(crate) managed: bool,
}

/// The licence profile of an Arc machine.
#[derive(Debug, Clone)]
pub(crate) struct Licence {
    pub(crate) location: String,
    pub(crate) product_type: String,
    /// `productProfile.subscriptionStatus`: the pay-as-you-go subscription.
    pub(crate) payg: Option<bool>,
    pub(crate) hotpatch: Option<Feature>,
    pub(crate) esu_profile: Option<Value>,
    pub(crate) software_assurance: Option<Value>,
}

/// The Hotpatch feature of a licence profile.
#[derive(Debug, Clone)]
pub(crate) struct Feature {
    pub(crate) enabled: bool,
    pub(crate) changed: DateTime<Utc>,
    pub(crate) settles: DateTime<Utc>,
    pub(crate) fails: bool,
}

impl Feature {
    /// Gives the `subscriptionStatus` read at `now`.
    pub(crate) fn status(&self, now: DateTime<Utc>) -> &'static str {
        match (self.enabled, now >= self.settles) {
            (true, true) if self.fails => "Failed",
            (true, true) => "Enabled",
            (true, false) => "Enabling",
            (false, true) => "Disabled",
            (false, false) => "Disabling",
        }
    }
}

/// What only an Azure Local VM has.
#[derive(Debug, Clone)]
pub(crate) struct LocalFacts {
    pub(crate) cluster: String,
    /// `state` of the cluster's update summary; none where there is no summary.
    pub(crate) cluster_state: Option<String>,
    pub(crate) custom_location: String,
    pub(crate) image_id: String,
    pub(crate) vm_size: String,
}

/// Image SKUs that can be hotpatched (AVGP, WSD), lower case.
const HOTPATCH_SKUS: [&str; 8] = [
    "2022-datacenter-azure-edition-core",
    "2022-datacenter-azure-edition-core-smalldisk",
    "2022-datacenter-azure-edition-hotpatch",
    "2022-datacenter-azure-edition-hotpatch-smalldisk",
    "2025-datacenter-azure-edition",
    "2025-datacenter-azure-edition-smalldisk",
    "2025-datacenter-azure-edition-core",
    "2025-datacenter-azure-edition-core-smalldisk",
];

impl VmFacts {
    /// Tells whether the image is one that hotpatching can be enabled on.
    pub(crate) fn image_supports_hotpatch(&self) -> bool {
        match &self.image {
            Image::Marketplace {
                publisher,
                offer,
                sku,
            } => {
                publisher.eq_ignore_ascii_case("MicrosoftWindowsServer")
                    && offer.eq_ignore_ascii_case("WindowsServer")
                    && HOTPATCH_SKUS.contains(&sku.to_lowercase().as_str())
                    && self.generation == 2
            }
            Image::Gallery { .. } => false,
        }
    }
}
