//! Machines of one kind, as many as wanted.

use azure_sim::VmSpec;

use super::{Population, Seat};
use crate::domain::release::OsTrack;

impl Population {
    /// Returns so many VMs without any group, for what depends on how many there are.
    pub fn crowd(machines: usize) -> Self {
        let mut own = Self::default();
        for number in 0..machines {
            let name = format!("vm-{number:04}");
            let spec = VmSpec::ws2025_azure_edition(&name);
            own.seat(Seat::vm(spec, &name, OsTrack::Ws2025, "westeurope"));
        }
        own
    }
}
