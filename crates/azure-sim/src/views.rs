//! Holds what tests and stories may see of the world without asking its API.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::machine::{Facts, Machine, Power};
use crate::offer::on_baseline;
use crate::os::Os;
use crate::world::World;

/// Says what kind of resource a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MachineKind {
    /// `Microsoft.Compute/virtualMachines`.
    AzureVm,
    /// `Microsoft.HybridCompute/machines`.
    ArcServer,
    /// `Microsoft.HybridCompute/machines` of kind HCI with a virtual machine instance.
    AzureLocalVm,
}

/// Says what Resource Health shows for a machine (`availabilityState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It serves.
    Available,
    /// It does not serve.
    Unavailable,
    /// It serves badly.
    Degraded,
    /// Azure cannot tell.
    Unknown,
}

impl Health {
    /// Gives the word used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Unavailable => "Unavailable",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        }
    }
}

/// Shows the truth about one machine at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineView {
    /// The resource id as Azure spells it.
    pub id: String,
    /// The name.
    pub name: String,
    /// The kind.
    pub kind: MachineKind,
    /// The `vmId`; a machine made anew has another.
    pub incarnation: String,
    /// The operating system.
    pub os: Os,
    /// Whether the guest answers.
    pub up: bool,
    /// Whether a job runs or waits on it.
    pub busy: bool,
    /// Boots since it was made.
    pub boot_count: u32,
    /// The end of the last boot.
    pub boot_time: DateTime<Utc>,
    /// KBs in effect, digits only.
    pub installed: BTreeSet<String>,
    /// KBs that wait for a reboot, digits only.
    pub pending_reboot: BTreeSet<String>,
    /// Whether it sits on the newest baseline with nothing but hotpatches after it.
    pub on_baseline: bool,
    /// Whether Windows Update treats it as one of the hotpatch track.
    pub enrolled: bool,
    /// The build in effect.
    pub current_build: String,
}

pub(crate) fn view(world: &World, machine: &Machine) -> MachineView {
    let guest = &machine.guest;
    MachineView {
        id: machine.id.clone(),
        name: machine.name.clone(),
        kind: match machine.facts {
            Facts::Vm(_) => MachineKind::AzureVm,
            Facts::Arc(_) => MachineKind::ArcServer,
            Facts::Local(..) => MachineKind::AzureLocalVm,
        },
        incarnation: machine.incarnation.clone(),
        os: guest.os,
        up: guest.power == Power::Up,
        busy: machine.job.is_some(),
        boot_count: guest.boot_count,
        boot_time: guest.boot_time,
        installed: guest.installed.keys().cloned().collect(),
        pending_reboot: guest.pending.keys().cloned().collect(),
        on_baseline: on_baseline(guest, &world.history, world.now),
        enrolled: machine.enrolled(world.now),
        current_build: guest.build(),
    }
}
