//! Describes Arc-enabled servers and Azure Local VMs.

use crate::os::Os;
use crate::spec::{Common, PatchLevel, shared_methods};

/// Says how far the licence of an Arc machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LicenceState {
    /// There is no licence profile.
    Missing,
    /// The Hotpatch feature is enabled.
    Enabled,
    /// The Hotpatch feature is disabled.
    Disabled,
    /// The Hotpatch feature failed to be enabled.
    Failed,
    /// The Hotpatch feature stays Enabling, as in the incident of October 2025.
    StuckEnabling,
}

/// Describes an Arc-enabled server to be added.
#[derive(Debug, Clone)]
pub struct ArcSpec {
    pub(crate) common: Common,
    pub(crate) licence: LicenceState,
    pub(crate) licence_fails: bool,
    pub(crate) disconnected: bool,
    pub(crate) cloud_provider: String,
    pub(crate) agent_version: String,
}

shared_methods!(ArcSpec);

impl ArcSpec {
    /// Describes a connected server that is licensed and enabled for hotpatch.
    #[must_use]
    pub fn new(name: &str, os: Os) -> Self {
        let mut common = Common::new(name, os);
        common.hotpatch = Some(true);
        common.patch_mode = Some("Manual".to_owned());
        Self {
            common,
            licence: LicenceState::Enabled,
            licence_fails: false,
            disconnected: false,
            cloud_provider: "N/A".to_owned(),
            agent_version: "1.58.03228.2572".to_owned(),
        }
    }

    /// Describes a sound Windows Server 2025 Standard server.
    #[must_use]
    pub fn ws2025_standard(name: &str) -> Self {
        Self::new(name, Os::Ws2025Standard)
    }

    /// Describes a sound Windows Server 2025 Datacenter server.
    #[must_use]
    pub fn ws2025_datacenter(name: &str) -> Self {
        Self::new(name, Os::Ws2025Datacenter)
    }

    /// Describes a Windows Server 2022 server, which Arc cannot hotpatch.
    #[must_use]
    pub fn ws2022(name: &str) -> Self {
        Self::new(name, Os::Ws2022Datacenter).not_enrolled()
    }

    /// Takes licence and intent away.
    #[must_use]
    pub fn not_enrolled(mut self) -> Self {
        self.common.hotpatch = None;
        self.licence = LicenceState::Missing;
        self
    }

    /// Sets how far the licence is.
    #[must_use]
    pub fn licence(mut self, state: LicenceState) -> Self {
        self.licence = state;
        self
    }

    /// Makes the next write of the licence end in Failed.
    #[must_use]
    pub fn licence_fails(mut self) -> Self {
        self.licence_fails = true;
        self
    }

    /// Leaves virtualization-based security off.
    #[must_use]
    pub fn without_vbs(mut self) -> Self {
        self.common.guest.vbs = false;
        self
    }

    /// Leaves the agent disconnected.
    #[must_use]
    pub fn disconnected(mut self) -> Self {
        self.disconnected = true;
        self
    }

    /// Gives the guest an old build (`26100.1591`) and no updates.
    #[must_use]
    pub fn build(mut self, build: &str) -> Self {
        self.common.guest.build = Some(build.to_owned());
        self.common.guest.level = PatchLevel::Bare;
        self
    }

    /// Sets the cloud the server runs in, as the agent detects it (`AWS`, `GCP`).
    #[must_use]
    pub fn cloud_provider(mut self, name: &str) -> Self {
        self.cloud_provider = name.to_owned();
        self
    }
}

/// Describes an Azure Local VM to be added.
#[derive(Debug, Clone)]
pub struct LocalSpec {
    pub(crate) common: Common,
    pub(crate) cluster: String,
    pub(crate) managed: bool,
    pub(crate) licence: LicenceState,
}

shared_methods!(LocalSpec);

impl LocalSpec {
    /// Describes a VM on an Azure Local cluster, with guest management.
    #[must_use]
    pub fn new(name: &str, os: Os) -> Self {
        let mut common = Common::new(name, os);
        let azure_edition = os.azure_edition();
        common.hotpatch = (!azure_edition).then_some(true);
        common.patch_mode = Some("Manual".to_owned());
        let licence = if azure_edition {
            LicenceState::Missing
        } else {
            LicenceState::Enabled
        };
        Self {
            common,
            cluster: "cluster-1".to_owned(),
            managed: true,
            licence,
        }
    }

    /// Describes a sound Windows Server 2025 Azure Edition VM.
    #[must_use]
    pub fn ws2025_azure_edition(name: &str) -> Self {
        Self::new(name, Os::Ws2025AzureEdition)
    }

    /// Sets the cluster, named without its id.
    #[must_use]
    pub fn cluster(mut self, name: &str) -> Self {
        self.cluster = name.to_owned();
        self
    }

    /// Takes guest management away: there is no Arc agent in the guest.
    #[must_use]
    pub fn without_guest_management(mut self) -> Self {
        self.managed = false;
        self
    }

    /// Sets how far the licence is.
    #[must_use]
    pub fn licence(mut self, state: LicenceState) -> Self {
        self.licence = state;
        self
    }
}
