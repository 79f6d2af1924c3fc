//! The checks of eligibility, each of one thing, with its source.

use super::image::{ImageFit, image_fit};
use super::{Blocker, Reason, hotpatch_by_edition};
use crate::domain::machine::{
    Connection, Edition, Facts, Generation, Licence, Machine, MachineKind, PatchMode, Product,
    ScaleSet,
};

/// The operating-system build of Windows Server 2025.
const WS2025_BUILD: u32 = 26_100;

/// The revision below which an Arc-enabled Windows Server 2025 takes no hotpatches
/// (windowsserverdocs, enable-hotpatch-azure-arc-enabled-servers, 2025-10-30).
const WS2025_REVISION_MIN: u32 = 1_742;

/// Makes sure that Windows runs: no other system has Windows hotpatches.
pub(super) fn windows_runs(machine: &Machine) -> Option<Blocker> {
    (machine.product == Product::NotWindows).then(|| {
        Blocker::new(
            Reason::NotWindows,
            "the machine does not run Windows; exclude it from the fleet",
        )
    })
}

/// Makes sure that the version has hotpatches on this kind: WS2022 and WS2025 on Azure and Azure
/// Local, WS2025 alone on Arc (azure.md §1.1, §2: "WS2022 is not hotpatchable on Arc").
pub(super) fn version_has_hotpatches(machine: &Machine) -> Option<Blocker> {
    let arc = machine.kind == MachineKind::ArcServer;
    match machine.product {
        Product::NotWindows | Product::Ws2025 => None,
        Product::Ws2022 if !arc => None,
        Product::Ws2022 => Some(Blocker::new(
            Reason::UnsupportedVersion,
            "Windows Server 2022 takes no hotpatches through Azure Arc; upgrade it to Windows \
             Server 2025",
        )),
        Product::OtherWindows => Some(Blocker::new(
            Reason::UnsupportedVersion,
            "the machine runs a Windows without hotpatches; upgrade it to Windows Server 2025",
        )),
        Product::Unknown => Some(Blocker::new(
            Reason::VersionUnknown,
            "Azure does not report which Windows version runs; start the machine and see that its \
             agent reports",
        )),
    }
}

/// Makes sure of the edition: Azure Edition on VMs; Standard or Datacenter on Arc, as Azure
/// Edition needs no Arc; any of them on Azure Local, but WS2022 only as Azure Edition
/// (windowsserverdocs, hotpatch and enable-hotpatch-azure-arc-enabled-servers; azure.md §2, §3).
pub(super) fn edition_has_hotpatches(machine: &Machine) -> Option<Blocker> {
    let wrong = |message: String| Some(Blocker::new(Reason::UnsupportedEdition, message));
    let edition = match machine.edition {
        Edition::Unknown => {
            return Some(Blocker::new(
                Reason::EditionUnknown,
                "Azure does not report which edition runs; start the machine and see that its \
                 agent reports",
            ));
        }
        Edition::Standard => "Standard",
        Edition::Datacenter => "Datacenter",
        Edition::DatacenterAzureEdition => "Datacenter: Azure Edition",
        Edition::Other => "another edition",
    };
    let azure_edition = machine.edition == Edition::DatacenterAzureEdition;
    if machine.edition == Edition::Other {
        return wrong(
            "the edition is neither Standard nor Datacenter; install one of these".to_owned(),
        );
    }
    match machine.kind {
        MachineKind::AzureVm if !azure_edition => wrong(format!(
            "the edition is {edition}, and VMs need Datacenter: Azure Edition; redeploy from a \
             hotpatch image"
        )),
        MachineKind::ArcServer if azure_edition => wrong(format!(
            "the edition is {edition}, which is hotpatched without Azure Arc; manage it as an \
             Azure or Azure Local VM"
        )),
        MachineKind::AzureLocalVm if !azure_edition && machine.product == Product::Ws2022 => {
            wrong(format!(
                "the edition is {edition}, and Windows Server 2022 has hotpatches only as \
                 Datacenter: Azure Edition; upgrade it to Windows Server 2025"
            ))
        }
        _ => None,
    }
}

/// Makes sure that a VM's image is one of the exact publisher, offer and SKU that Azure accepts
/// (azure-compute-docs, automatic-vm-guest-patching; azure.md §1.1).
pub(super) fn image_has_hotpatches(machine: &Machine) -> Option<Blocker> {
    let image = &machine.vm()?.image;
    match image_fit(image) {
        ImageFit::Fits => None,
        ImageFit::DesktopWithoutHotpatch { sku } => Some(Blocker::new(
            Reason::UnsupportedImage,
            format!(
                "the image {sku} is the Desktop one without hotpatch; redeploy from \
                 2022-datacenter-azure-edition-hotpatch or a 2025 Azure Edition image"
            ),
        )),
        ImageFit::Unlisted { name } => Some(Blocker::new(
            Reason::UnsupportedImage,
            format!("the image {name} has no hotpatch support; redeploy from a hotpatch image"),
        )),
        ImageFit::Custom { id } => Some(Blocker::new(
            Reason::CustomImage,
            format!(
                "the VM was made from the custom or gallery image {id}, which Azure does not \
                 hotpatch; redeploy from a marketplace image"
            ),
        )),
        ImageFit::Absent => Some(Blocker::new(
            Reason::NoImage,
            "the VM has no image reference, as its disk was attached; redeploy it from a \
             marketplace image",
        )),
    }
}

/// Makes sure that a VM is of generation 2 (Terraform azurerm, windows_virtual_machine; azure.md
/// §1.1).
pub(super) fn generation_is_two(machine: &Machine) -> Option<Blocker> {
    match machine.vm()?.generation {
        Some(Generation::V2) => None,
        Some(Generation::V1) => Some(Blocker::new(
            Reason::GenerationOne,
            "the VM is of generation 1, and hotpatch needs generation 2; upgrade it to Trusted \
             Launch or redeploy it",
        )),
        None => Some(Blocker::new(
            Reason::GenerationUnknown,
            "Azure does not report the VM's generation; start the VM once so that its instance \
             view shows it",
        )),
    }
}

/// Makes sure that no Uniform scale set owns the VM: hotpatch images are not supported there;
/// Flexible ones patch VM by VM (azure.md §1.1).
pub(super) fn scale_set_is_not_uniform(machine: &Machine) -> Option<Blocker> {
    (machine.vm()?.scale_set == ScaleSet::Uniform).then(|| {
        Blocker::new(
            Reason::UniformScaleSet,
            "the VM belongs to a Uniform scale set, which has no hotpatch; use a Flexible one or \
             roll out new images",
        )
    })
}

/// Makes sure that there is an `osProfile`: patch settings live in it, and a VM whose disk was
/// attached has none (azure.md §1.2).
pub(super) fn os_profile_exists(machine: &Machine) -> Option<Blocker> {
    machine.vm()?.os_profile.is_none().then(|| {
        Blocker::new(
            Reason::NoOsProfile,
            "the VM has no osProfile, as its disk was attached, so patch settings cannot be set; \
             redeploy it from an image",
        )
    })
}

/// Makes sure that the VM agent was provisioned: `enableHotpatching` needs `provisionVMAgent`
/// (Compute SDK; azure.md §1.1). An agent that is there and silent is a matter of health.
pub(super) fn agent_is_provisioned(machine: &Machine) -> Option<Blocker> {
    let profile = machine.vm()?.os_profile.as_ref()?;
    (!profile.provision_vm_agent).then(|| {
        Blocker::new(
            Reason::AgentNotProvisioned,
            "provisionVMAgent is false, and hotpatch needs the VM agent; install it and set \
             provisionVMAgent to true",
        )
    })
}

/// Makes sure that extensions may run: assess and install are one (`WindowsPatchExtension`; Update
/// Manager, troubleshoot; azure.md §1.1).
pub(super) fn extensions_are_allowed(machine: &Machine) -> Option<Blocker> {
    let profile = machine.vm()?.os_profile.as_ref()?;
    (!profile.allow_extension_operations).then(|| {
        Blocker::new(
            Reason::ExtensionsDisallowed,
            "allowExtensionOperations is false, so Azure can neither assess nor install; set it \
             to true",
        )
    })
}

/// Makes sure that the patch mode can become AutomaticByPlatform, by [`platform_reachable`].
pub(super) fn platform_mode_is_reachable(machine: &Machine) -> Option<Blocker> {
    let profile = machine.vm()?.os_profile.as_ref()?;
    let mode = machine.settings.patch_mode;
    (!platform_reachable(mode, profile.enable_automatic_updates)).then(|| {
        Blocker::new(
            Reason::PatchModeUnreachable,
            format!(
                "patchMode is {mode:?} with enableAutomaticUpdates={}, from where \
                 AutomaticByPlatform cannot be reached; recreate the VM with the mode set",
                profile.enable_automatic_updates
            ),
        )
    })
}

/// Tells whether AutomaticByPlatform can be reached from a patch mode, and the mode be put back.
///
/// `enableAutomaticUpdates` is fixed at creation (azure-compute-docs, automatic-vm-guest-patching):
///
/// | mode | true | false |
/// |---|---|---|
/// | AutomaticByPlatform | is there | is there |
/// | AutomaticByOS | yes | no: it does not occur, and no way is documented |
/// | Manual | no: only AutomaticByOS changes with it | yes |
/// | absent | yes: the default is AutomaticByOS | yes: the default is Manual |
/// | ImageDefault | no: not a mode of Windows VMs | no |
pub fn platform_reachable(mode: PatchMode, enable_automatic_updates: bool) -> bool {
    match mode {
        PatchMode::AutomaticByPlatform | PatchMode::Unknown => true,
        PatchMode::AutomaticByOs => enable_automatic_updates,
        PatchMode::Manual => !enable_automatic_updates,
        PatchMode::ImageDefault => false,
    }
}

/// Makes sure that no customer-managed schedule drives the VM: the flag it needs and hotpatch
/// exclude each other (azure.md §0.1). The operator never set it, so it never clears it.
pub(super) fn no_schedule_drives_it(machine: &Machine) -> Option<Blocker> {
    machine.vm()?;
    machine.settings.bypass.then(|| {
        Blocker::new(
            Reason::BypassSchedule,
            "bypassPlatformSafetyChecksOnUserSchedule is true, which a customer-managed schedule \
             needs and hotpatch excludes; detach the schedule and set the flag to false",
        )
    })
}

/// Makes sure that an Azure Local VM has guest management: without the Arc agent nothing can be
/// assessed or installed (azure.md §3).
pub(super) fn guest_management_is_on(machine: &Machine) -> Option<Blocker> {
    matches!(machine.facts, Facts::AzureLocalVm(None)).then(|| {
        Blocker::new(
            Reason::GuestManagementOff,
            "guest management is off, so Azure cannot reach the guest; enable it on the Azure \
             Local VM",
        )
    })
}

/// Makes sure that the Arc agent is not in error or expired (azure.md §2). One that is merely
/// disconnected is a matter of health and passes.
pub(super) fn connection_is_sound(machine: &Machine) -> Option<Blocker> {
    (machine.arc()?.connection == Connection::Faulty).then(|| {
        Blocker::new(
            Reason::ConnectionFaulty,
            "the Arc agent is in error or expired; run azcmagent show on the machine and connect \
             it again",
        )
    })
}

/// Makes sure that an Arc machine's build is at least 26100.1742
/// (windowsserverdocs, enable-hotpatch-azure-arc-enabled-servers).
pub(super) fn build_is_recent_enough(machine: &Machine) -> Option<Blocker> {
    machine.arc()?;
    let build = machine.build?;
    let too_old = machine.product == Product::Ws2025
        && !hotpatch_by_edition(machine)
        && (build.build(), build.revision()) < (WS2025_BUILD, WS2025_REVISION_MIN);
    too_old.then(|| {
        Blocker::new(
            Reason::BuildTooOld,
            format!(
                "the build is {build}, and hotpatch needs {WS2025_BUILD}.{WS2025_REVISION_MIN} or \
                 later; install the latest cumulative update"
            ),
        )
    })
}

/// Makes sure that virtualization-based security is not known to be off; Azure Edition guests are
/// set up for it by their image (azure.md §2, §3).
pub(super) fn vbs_is_not_off(machine: &Machine) -> Option<Blocker> {
    (machine.arc()?.vbs_running == Some(false) && !hotpatch_by_edition(machine)).then(|| {
        Blocker::new(
            Reason::VbsOff,
            "virtualization-based security does not run; turn it on with Secure Boot, and restart \
             the machine",
        )
    })
}

/// Makes sure that the licence for the feature Hotpatch was not refused. One that is absent or
/// switched off is what enrolment turns on.
pub(super) fn licence_is_not_refused(machine: &Machine) -> Option<Blocker> {
    (machine.arc()?.licence == Licence::Failed && !hotpatch_by_edition(machine)).then(|| {
        Blocker::new(
            Reason::LicenceFailed,
            "the licence for Hotpatch failed; see that dls.microsoft.com is reachable from the \
             machine, then enable Hotpatch again in its licence profile",
        )
    })
}
