//! Holds the builders by which tests and stories put machines into the world. Each ineligible
//! case an operator must recognise is one method away from a sound machine.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::machine::{Image, Power};
use crate::os::Os;

/// The subscription machines are put in when a builder names none.
pub const DEFAULT_SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000001";
/// The resource group machines are put in when a builder names none.
pub const DEFAULT_RESOURCE_GROUP: &str = "rg-apps";

/// Says which updates a guest has when it comes into the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchLevel {
    /// All there is at that moment, by the track the machine is on.
    Current,
    /// All there was on that day, by the track the machine is on.
    AsOf(NaiveDate),
    /// The newest baseline and nothing after it.
    Baseline,
    /// The state before the newest baseline: the earlier one and its hotpatches.
    BehindBaseline,
    /// The newest standard cumulative update: off the hotpatch track.
    OffTrack,
    /// Nothing but the first image.
    Bare,
}

/// Describes the operating system of a machine to be added.
#[derive(Debug, Clone)]
pub struct GuestSpec {
    pub(crate) os: Os,
    pub(crate) level: PatchLevel,
    pub(crate) pending: Vec<String>,
    pub(crate) vbs: bool,
    pub(crate) power: Power,
    pub(crate) build: Option<String>,
}

impl GuestSpec {
    /// Describes a guest that runs, is current and has VBS on.
    #[must_use]
    pub fn new(os: Os) -> Self {
        Self {
            os,
            level: PatchLevel::Current,
            pending: Vec::new(),
            vbs: true,
            power: Power::Up,
            build: None,
        }
    }
}

/// What machines of all kinds have in common.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) name: String,
    pub(crate) subscription: String,
    pub(crate) resource_group: String,
    pub(crate) location: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) guest: GuestSpec,
    pub(crate) patch_mode: Option<String>,
    pub(crate) assessment_mode: Option<String>,
    pub(crate) hotpatch: Option<bool>,
}

impl Common {
    fn new(name: &str, os: Os) -> Self {
        Self {
            name: name.to_owned(),
            subscription: DEFAULT_SUBSCRIPTION.to_owned(),
            resource_group: DEFAULT_RESOURCE_GROUP.to_owned(),
            location: "westeurope".to_owned(),
            tags: BTreeMap::new(),
            guest: GuestSpec::new(os),
            patch_mode: None,
            assessment_mode: None,
            hotpatch: None,
        }
    }
}

/// Writes the methods the three builders share.
macro_rules! shared_methods {
    ($spec:ident) => {
        impl $spec {
            /// Sets the subscription id.
            #[must_use]
            pub fn subscription(mut self, id: &str) -> Self {
                self.common.subscription = id.to_owned();
                self
            }

            /// Sets the resource group.
            #[must_use]
            pub fn resource_group(mut self, name: &str) -> Self {
                self.common.resource_group = name.to_owned();
                self
            }

            /// Sets the Azure region (`westeurope`).
            #[must_use]
            pub fn region(mut self, name: &str) -> Self {
                self.common.location = name.to_owned();
                self
            }

            /// Adds a tag.
            #[must_use]
            pub fn tag(mut self, name: &str, value: &str) -> Self {
                self.common.tags.insert(name.to_owned(), value.to_owned());
                self
            }

            /// Sets the operating system of the guest, whatever the image says.
            #[must_use]
            pub fn os(mut self, os: Os) -> Self {
                self.common.guest.os = os;
                self
            }

            /// Sets which updates the guest has.
            #[must_use]
            pub fn patched(mut self, level: PatchLevel) -> Self {
                self.common.guest.level = level;
                self
            }

            /// Adds a KB, digits only, that was installed and waits for a reboot.
            #[must_use]
            pub fn pending_reboot(mut self, kb: &str) -> Self {
                self.common.guest.pending.push(kb.to_owned());
                self
            }

            /// Sets `patchMode`.
            #[must_use]
            pub fn patch_mode(mut self, mode: &str) -> Self {
                self.common.patch_mode = Some(mode.to_owned());
                self
            }

            /// Sets `assessmentMode`.
            #[must_use]
            pub fn assessment_mode(mut self, mode: &str) -> Self {
                self.common.assessment_mode = Some(mode.to_owned());
                self
            }

            /// Sets `enableHotpatching`.
            #[must_use]
            pub fn hotpatch(mut self, on: bool) -> Self {
                self.common.hotpatch = Some(on);
                self
            }

            /// Leaves the machine powered off.
            #[must_use]
            pub fn stopped(mut self) -> Self {
                self.common.guest.power = Power::Stopped;
                self
            }
        }
    };
}

/// Describes an Azure VM to be added.
#[derive(Debug, Clone)]
pub struct VmSpec {
    pub(crate) common: Common,
    pub(crate) zones: Vec<String>,
    pub(crate) image: Image,
    pub(crate) generation: u8,
    pub(crate) availability_set: Option<String>,
    pub(crate) update_domain: Option<u32>,
    pub(crate) fault_domain: Option<u32>,
    pub(crate) scale_set: Option<(String, bool)>,
    pub(crate) os_profile: bool,
    pub(crate) provision_vm_agent: bool,
    pub(crate) agent_ready: bool,
    pub(crate) allow_extension_operations: bool,
    pub(crate) enable_automatic_updates: bool,
    pub(crate) reboot_setting: Option<String>,
    pub(crate) bypass: Option<bool>,
    pub(crate) security_type: Option<String>,
    pub(crate) license_type: Option<String>,
    pub(crate) time_zone: Option<String>,
}

shared_methods!(VmSpec);

impl VmSpec {
    /// Describes a VM of a marketplace image that is set up as the portal does it for hotpatch
    /// images: platform patching, hotpatch on, reboots if required.
    #[must_use]
    pub fn new(name: &str, os: Os, sku: &str) -> Self {
        let mut common = Common::new(name, os);
        common.patch_mode = Some("AutomaticByPlatform".to_owned());
        common.assessment_mode = Some("ImageDefault".to_owned());
        common.hotpatch = Some(true);
        Self {
            common,
            zones: Vec::new(),
            image: Image::Marketplace {
                publisher: "MicrosoftWindowsServer".to_owned(),
                offer: "WindowsServer".to_owned(),
                sku: sku.to_owned(),
            },
            generation: 2,
            availability_set: None,
            update_domain: None,
            fault_domain: None,
            scale_set: None,
            os_profile: true,
            provision_vm_agent: true,
            agent_ready: true,
            allow_extension_operations: true,
            enable_automatic_updates: true,
            reboot_setting: Some("IfRequired".to_owned()),
            bypass: Some(false),
            security_type: Some("TrustedLaunch".to_owned()),
            license_type: None,
            time_zone: None,
        }
    }

    /// Describes a sound Windows Server 2025 Azure Edition VM.
    #[must_use]
    pub fn ws2025_azure_edition(name: &str) -> Self {
        Self::new(
            name,
            Os::Ws2025AzureEdition,
            "2025-datacenter-azure-edition",
        )
    }

    /// Describes a sound Windows Server 2022 Azure Edition VM.
    #[must_use]
    pub fn ws2022_azure_edition(name: &str) -> Self {
        Self::new(
            name,
            Os::Ws2022AzureEdition,
            "2022-datacenter-azure-edition-core",
        )
    }

    /// Describes a VM of the 2022 Azure Edition image that cannot be hotpatched.
    #[must_use]
    pub fn ws2022_desktop_without_hotpatch(name: &str) -> Self {
        Self::new(
            name,
            Os::Ws2022AzureEdition,
            "2022-datacenter-azure-edition",
        )
        .os_patching()
    }

    /// Describes a Windows Server 2019 VM.
    #[must_use]
    pub fn ws2019(name: &str) -> Self {
        Self::new(name, Os::Ws2019Datacenter, "2019-datacenter").os_patching()
    }

    /// Describes a Linux VM.
    #[must_use]
    pub fn linux(name: &str) -> Self {
        let mut spec = Self::new(name, Os::Linux, "server").os_patching();
        spec.image = Image::Marketplace {
            publisher: "Canonical".to_owned(),
            offer: "ubuntu-24_04-lts".to_owned(),
            sku: "server".to_owned(),
        };
        spec.common.patch_mode = Some("ImageDefault".to_owned());
        spec
    }

    /// Leaves patching to Windows Update in the guest: Azure's default for other images.
    #[must_use]
    pub fn os_patching(mut self) -> Self {
        self.common.patch_mode = Some("AutomaticByOS".to_owned());
        self.common.hotpatch = None;
        self.reboot_setting = None;
        self.bypass = None;
        self
    }

    /// Puts the VM in a logical zone of its region.
    #[must_use]
    pub fn zone(mut self, zone: u8) -> Self {
        self.zones = vec![zone.to_string()];
        self
    }

    /// Sets the SKU of the marketplace image.
    #[must_use]
    pub fn sku(mut self, name: &str) -> Self {
        if let Image::Marketplace { sku, .. } = &mut self.image {
            name.clone_into(sku);
        }
        self
    }

    /// Makes the VM one of a gallery image.
    #[must_use]
    pub fn gallery_image(mut self, id: &str) -> Self {
        self.image = Image::Gallery { id: id.to_owned() };
        self
    }

    /// Makes the VM one of generation 1.
    #[must_use]
    pub fn generation_1(mut self) -> Self {
        self.generation = 1;
        self.security_type = None;
        self
    }

    /// Puts the VM in an availability set, named without its id, and an update domain.
    #[must_use]
    pub fn availability_set(mut self, name: &str, update_domain: u32) -> Self {
        self.availability_set = Some(name.to_owned());
        self.update_domain = Some(update_domain);
        self.fault_domain = Some(update_domain % 3);
        self
    }

    /// Makes the VM a member of a Flexible scale set, in a fault domain.
    #[must_use]
    pub fn flexible_scale_set(mut self, name: &str, fault_domain: u32) -> Self {
        self.scale_set = Some((name.to_owned(), false));
        self.fault_domain = Some(fault_domain);
        self
    }

    /// Makes the VM a member of a Uniform scale set, which refuses to be patched by itself.
    #[must_use]
    pub fn uniform_scale_set(mut self, name: &str) -> Self {
        self.scale_set = Some((name.to_owned(), true));
        self
    }

    /// Takes the OS profile away, as on VMs made from a specialised disk.
    #[must_use]
    pub fn without_os_profile(mut self) -> Self {
        self.os_profile = false;
        self.common.patch_mode = None;
        self.common.hotpatch = None;
        self
    }

    /// Forbids extension operations.
    #[must_use]
    pub fn without_extension_operations(mut self) -> Self {
        self.allow_extension_operations = false;
        self
    }

    /// Sets `provisionVMAgent` to false.
    #[must_use]
    pub fn without_vm_agent(mut self) -> Self {
        self.provision_vm_agent = false;
        self.common.hotpatch = None;
        self.os_patching()
    }

    /// Leaves the VM agent Not Ready.
    #[must_use]
    pub fn agent_not_ready(mut self) -> Self {
        self.agent_ready = false;
        self
    }

    /// Sets the create-only `enableAutomaticUpdates`.
    #[must_use]
    pub fn automatic_updates(mut self, on: bool) -> Self {
        self.enable_automatic_updates = on;
        self
    }

    /// Sets `automaticByPlatformSettings.rebootSetting`.
    #[must_use]
    pub fn reboot_setting(mut self, setting: &str) -> Self {
        self.reboot_setting = Some(setting.to_owned());
        self
    }

    /// Sets `bypassPlatformSafetyChecksOnUserSchedule` and, with true, hotpatch off.
    #[must_use]
    pub fn bypass(mut self, on: bool) -> Self {
        self.bypass = Some(on);
        if on {
            self.common.hotpatch = Some(false);
        }
        self
    }

    /// Sets the Windows time zone of the guest.
    #[must_use]
    pub fn time_zone(mut self, name: &str) -> Self {
        self.time_zone = Some(name.to_owned());
        self
    }

    /// Leaves the VM deallocated by its owner.
    #[must_use]
    pub fn deallocated(mut self) -> Self {
        self.common.guest.power = Power::Deallocated;
        self
    }
}

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
