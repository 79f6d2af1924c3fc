//! Holds the builders by which tests and stories put machines into the world. Each ineligible
//! case an operator must recognise is one method away from a sound machine.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::machine::Power;
use crate::os::Os;

mod arc;
mod vm;

pub use arc::{ArcSpec, LicenceState, LocalSpec};
pub use vm::VmSpec;

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
            pub fn os(mut self, os: $crate::Os) -> Self {
                self.common.guest.os = os;
                self
            }

            /// Sets which updates the guest has.
            #[must_use]
            pub fn patched(mut self, level: $crate::PatchLevel) -> Self {
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
                self.common.guest.power = $crate::machine::Power::Stopped;
                self
            }
        }
    };
}

use shared_methods;
