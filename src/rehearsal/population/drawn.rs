//! Small populations, drawn: what a simulation plays with.

use azure_sim::{ArcSpec, LocalSpec, PatchLevel, VmSpec};
use fastrand::Rng;

use super::{Population, Seat, TEAM_TAG, resource};
use crate::domain::release::OsTrack;
use crate::rehearsal::OTHER_NAMESPACE;
use crate::rehearsal::facts::UpdateDomain;

/// The fewest machines.
const MACHINES_MIN: usize = 3;

/// The most machines.
const MACHINES_MAX: usize = 7;

impl Population {
    /// Draws three to seven machines of all kinds, which stand at this patch level.
    pub fn drawn(rng: &mut Rng, level: PatchLevel) -> Self {
        let mut own = Self::default();
        for number in 0..rng.usize(MACHINES_MIN..=MACHINES_MAX) {
            let seat = seat(rng, number).at(level);
            let seat = match rng.u8(0..6) {
                0 => seat.tag("ring", "canary"),
                1..=3 => seat.tag("app", ["shop", "mail"][rng.usize(0..2)]),
                _ => seat,
            };
            let seat = if rng.u8(0..8) == 0 {
                seat.behind()
            } else {
                seat
            };
            own.seat(seat);
        }
        own
    }

    /// Gives every so many-th machine, from the first on, to the team of the other namespace.
    #[must_use]
    pub fn shared(mut self, every: usize) -> Self {
        let seats = std::mem::take(&mut self.seats).into_iter().enumerate();
        let given = seats.map(|(place, seat)| match place.is_multiple_of(every.max(1)) {
            true => seat.tag(TEAM_TAG, OTHER_NAMESPACE),
            false => seat,
        });
        self.seats = given.collect();
        self
    }

    /// Returns three machines at this patch level: two VMs in zones of their own, and a server at a
    /// site.
    pub fn trio(level: PatchLevel) -> Self {
        let mut own = Self::default();
        for (name, zone) in [("vm-1", 1), ("vm-2", 2)] {
            let spec = VmSpec::ws2025_azure_edition(name);
            let seat = Seat::vm(spec, name, OsTrack::Ws2025, "westeurope").zone(zone);
            own.seat(seat.at(level));
        }
        let spec = ArcSpec::ws2025_standard("server-1");
        own.seat(Seat::arc(spec, "server-1").tag("site", "berlin").at(level));
        own
    }

    /// Returns as many machines as asked for, in zones and groups like the demo's: a yardstick.
    pub fn of_size(machines: usize) -> Self {
        let mut own = Self::default();
        for number in 0..machines {
            let name = format!("vm-{number:04}");
            let spec = VmSpec::ws2025_azure_edition(&name);
            let zone = u8::try_from(number % 3).unwrap_or(0) + 1;
            let region = ["northeurope", "westeurope"][number / 3 % 2];
            let seat = Seat::vm(spec, &name, OsTrack::Ws2025, region).zone(zone);
            let seat = seat.tag("app", &format!("app-{}", number / 6));
            let seat = if number % 20 == 0 {
                seat.tag("ring", "canary")
            } else {
                seat
            };
            own.seat(seat);
        }
        own
    }
}

fn seat(rng: &mut Rng, number: usize) -> Seat {
    let name = format!("m-{number}");
    let region = ["northeurope", "westeurope"][usize::from(rng.u8(0..4) == 0)];
    match rng.u8(0..10) {
        0..=3 => {
            let zone = rng.u8(1..=3);
            let spec = VmSpec::ws2025_azure_edition(&name);
            let spec = if rng.u8(0..5) == 0 {
                spec.os_patching()
            } else {
                spec
            };
            Seat::vm(spec, &name, OsTrack::Ws2025, region).zone(zone)
        }
        4 => {
            let spec = VmSpec::ws2022_azure_edition(&name);
            Seat::vm(spec, &name, OsTrack::Ws2022AzureEdition, region)
        }
        5 | 6 => {
            let domain = rng.u32(0..3);
            let spec = VmSpec::ws2025_azure_edition(&name).availability_set("as-sim", domain);
            let mut seat = Seat::vm(spec, &name, OsTrack::Ws2025, "northeurope");
            let set = resource("Microsoft.Compute", "availabilitySets/AS-SIM");
            seat.facts.set = Some(UpdateDomain {
                set,
                number: domain,
            });
            seat
        }
        7 | 8 => {
            let spec = ArcSpec::ws2025_standard(&name);
            let spec = if rng.u8(0..4) == 0 {
                spec.not_enrolled()
            } else {
                spec
            };
            Seat::arc(spec, &name).tag("site", ["berlin", "hamburg"][rng.usize(0..2)])
        }
        _ => {
            let spec = LocalSpec::ws2025_azure_edition(&name);
            Seat::local(spec, &name, "stack-1")
        }
    }
}
