//! Describes Azure VMs.

use crate::machine::{Image, Power};
use crate::os::Os;
use crate::spec::{Common, shared_methods};

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
