//! One seed, one world.

use azure_sim::{ArcSpec, Options, VmSpec};

use crate::support::{Azure, install_body};

fn story(seed: u64) -> String {
    let azure = Azure::with(
        "2025-08-01",
        Options {
            seed,
            ..Options::default()
        },
    );
    for n in 0..5 {
        azure
            .sim
            .add_vm(VmSpec::ws2025_azure_edition(&format!("web-{n}")));
        azure
            .sim
            .add_arc(ArcSpec::ws2025_standard(&format!("arc-{n}")));
    }
    azure.set("2025-10-14T18:00:00Z");
    for machine in azure.sim.machines() {
        let path = format!("{}/installPatches", machine.id);
        azure.send("POST", &path, &install_body("IfRequired", &["5066835"]));
    }
    azure.set("2025-11-30");
    format!(
        "{:?}{:?}",
        azure.sim.effects_since(0),
        azure.query("patchinstallationresources")
    )
}

#[test]
fn the_same_seed_and_calls_give_the_same_world() {
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

#[test]
fn time_may_pass_in_one_leap_or_in_many_steps() {
    let leap = Azure::new("2025-08-01");
    let steps = Azure::new("2025-08-01");
    for azure in [&leap, &steps] {
        azure.sim.add_vm(VmSpec::ws2025_azure_edition("web-1"));
    }
    leap.set("2025-10-30");
    while let Some(next) = steps.sim.next_event_at().filter(|at| *at <= leap.now()) {
        steps.set(&next.to_rfc3339());
    }
    steps.set("2025-10-30");
    let (leap, steps) = (leap.sim.effects_since(0), steps.sim.effects_since(0));
    assert!(leap.len() > 5);
    assert_eq!(leap, steps);
}
