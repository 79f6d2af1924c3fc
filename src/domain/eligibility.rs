//! Eligibility: every reason for which a machine cannot be hotpatched, each with its next step.
//!
//! Holds a chain of named checks over the facts of one machine. Must never stop at the first
//! reason, never decide what is done about it, and never read a fact that is not on the machine.
//!
//! A fact that Azure did not report closes the door too, under a reason of its own
//! ([`Reason::is_unknown`]): what cannot be read allows nothing. Three facts are excused, because
//! Azure's own evaluation stands in for them before anything is installed (see
//! [`enrolled`](super::enrolment::enrolled)): virtualization-based security, which no API shows;
//! the build of an Arc machine, which may be stale or bare of a revision (azure.md §8); the
//! agent's readiness, which is health and passes.

use std::fmt;

use serde::Serialize;

use super::machine::{Agent, Edition, Machine, MachineKind};

mod checks;
mod image;
#[cfg(test)]
mod tests;

pub use checks::platform_reachable;
pub use image::{HOTPATCH_SKUS, IMAGE_OFFER, IMAGE_PUBLISHER, ImageFit, image_fit};

/// Why a machine cannot be hotpatched. Displayed in CamelCase, as a condition's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Reason {
    /// It runs no Windows.
    NotWindows,
    /// Its version of Windows has no hotpatches on a machine of its kind.
    UnsupportedVersion,
    /// Azure does not say which version runs.
    VersionUnknown,
    /// Its edition has no hotpatches on a machine of its kind.
    UnsupportedEdition,
    /// Azure does not say which edition runs.
    EditionUnknown,
    /// It was made from a marketplace image without hotpatch support.
    UnsupportedImage,
    /// It was made from a custom or gallery image.
    CustomImage,
    /// It was made from no image: its disk was attached.
    NoImage,
    /// It is a generation 1 VM.
    GenerationOne,
    /// Azure does not say which generation it is.
    GenerationUnknown,
    /// It belongs to a Uniform scale set.
    UniformScaleSet,
    /// It has no `osProfile` to write settings into.
    NoOsProfile,
    /// It was created without the VM agent.
    AgentNotProvisioned,
    /// Extensions may not be operated on it.
    ExtensionsDisallowed,
    /// Its patch mode cannot become AutomaticByPlatform.
    PatchModeUnreachable,
    /// A customer-managed schedule drives it, which excludes hotpatching.
    BypassSchedule,
    /// Its build is older than the first that takes hotpatches.
    BuildTooOld,
    /// Virtualization-based security is off.
    VbsOff,
    /// Its Arc agent is in error, expired, or in a state not understood.
    ConnectionFaulty,
    /// Its licence for the feature Hotpatch was refused.
    LicenceFailed,
    /// It is an Azure Local VM without guest management.
    GuestManagementOff,
}

impl Reason {
    /// Tells whether the reason is a fact that is missing, not one that speaks against it.
    pub fn is_unknown(self) -> bool {
        matches!(
            self,
            Self::VersionUnknown | Self::EditionUnknown | Self::GenerationUnknown
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One reason with the value that was found and the next step a person can take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Blocker {
    /// Why.
    pub reason: Reason,
    /// One plain sentence: what was found, and what to do.
    pub message: String,
}

impl Blocker {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

/// The checks, in the order in which their reasons are reported.
const CHECKS: [fn(&Machine) -> Option<Blocker>; 16] = [
    checks::windows_runs,
    checks::version_has_hotpatches,
    checks::edition_has_hotpatches,
    checks::image_has_hotpatches,
    checks::generation_is_two,
    checks::scale_set_is_not_uniform,
    checks::os_profile_exists,
    checks::agent_is_provisioned,
    checks::extensions_are_allowed,
    checks::platform_mode_is_reachable,
    checks::no_schedule_drives_it,
    checks::guest_management_is_on,
    checks::connection_is_sound,
    checks::build_is_recent_enough,
    checks::vbs_is_not_off,
    checks::licence_is_not_refused,
];

/// Collects every reason for which a machine cannot be hotpatched; empty means that it can.
pub fn blockers(machine: &Machine) -> Vec<Blocker> {
    CHECKS.iter().filter_map(|check| check(machine)).collect()
}

/// What is worth knowing about an eligible machine although it blocks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Caution {
    /// Whether virtualization-based security runs is not known: only the guest says, and only a
    /// run command reads it (azure.md §2).
    VbsUnknown,
    /// Azure reports no build with a revision, so the lowest supported one is unproven.
    BuildUnknown,
    /// The VM agent does not answer: the machine is unhealthy, not ineligible, as agents recover.
    AgentNotReady,
    /// Hotpatch is part of the guest's edition: it is observed and installed, never switched
    /// (azure.md §3).
    HotpatchByEdition,
}

impl fmt::Display for Caution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Lists what is worth knowing about a machine although it blocks nothing.
pub fn cautions(machine: &Machine) -> Vec<Caution> {
    let mut found = Vec::new();
    if hotpatch_by_edition(machine) {
        found.push(Caution::HotpatchByEdition);
    } else if let Some(arc) = machine.arc() {
        if arc.vbs_running.is_none() {
            found.push(Caution::VbsUnknown);
        }
        if machine.build.is_none() {
            found.push(Caution::BuildUnknown);
        }
    }
    if machine.vm().is_some_and(|vm| vm.agent == Agent::NotReady) {
        found.push(Caution::AgentNotReady);
    }
    found
}

/// Tells whether hotpatch comes with the guest's edition and has no switch: an Azure Local VM with
/// Datacenter: Azure Edition (windowsserverdocs, enable-hotpatch-azure-edition; azure.md §3).
pub fn hotpatch_by_edition(machine: &Machine) -> bool {
    machine.kind == MachineKind::AzureLocalVm && machine.edition == Edition::DatacenterAzureEdition
}
