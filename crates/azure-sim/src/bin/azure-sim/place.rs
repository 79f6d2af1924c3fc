//! The machines of a served emulator: a mixed fleet of any size, the same for the same size.

use azure_sim::{ArcSpec, AzureSim, LocalSpec, PatchLevel, VmSpec};
use chrono::NaiveDate;

/// The regions over which machines are spread.
const REGIONS: [&str; 4] = ["westeurope", "northeurope", "eastus2", "centralus"];

/// Of so many machines each, one is an Azure Local VM and three are Arc-enabled servers.
const MIX: usize = 20;

/// Adds `count` machines, patched as of a day.
pub(crate) fn machines(sim: &AzureSim, count: usize, patched: NaiveDate) {
    let level = PatchLevel::AsOf(patched);
    for number in 0..count {
        let ring = if number % 10 == 0 { "canary" } else { "broad" };
        let region = REGIONS[number % REGIONS.len()];
        match number % MIX {
            7 => {
                let spec = LocalSpec::ws2025_azure_edition(&format!("hci-{number:05}"));
                sim.add_local(spec.patched(level).tag("ring", ring).region(region));
            }
            3 | 11 | 18 => {
                let spec = ArcSpec::ws2025_datacenter(&format!("arc-{number:05}"));
                sim.add_arc(spec.patched(level).tag("ring", ring).region(region));
            }
            at => {
                let name = format!("vm-{number:05}");
                let spec = if at % 5 == 0 {
                    VmSpec::ws2022_azure_edition(&name)
                } else {
                    VmSpec::ws2025_azure_edition(&name)
                };
                let zone = [1, 2, 3][number / REGIONS.len() % 3];
                let spec = spec.patched(level).tag("ring", ring);
                sim.add_vm(spec.region(region).zone(zone));
            }
        }
    }
}
