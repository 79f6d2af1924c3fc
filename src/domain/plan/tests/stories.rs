//! Whole rollouts, told pass by pass and compared with the golden files in `tests/rollouts`.
//!
//! Each story also runs under seeds: fleets, windows and commands come in any order, commands take
//! longer or shorter, some are never sent and of some the answer is lost. Then only the bounds and
//! the end are asserted.

use std::path::PathBuf;

use super::world::{Event, Goes, World};
use super::*;
use crate::domain::policy::Stage;

/// The seeds under which each story runs again.
const SEEDS: std::ops::Range<u64> = 1..5;

struct Story {
    name: &'static str,
    world: fn(Option<u64>) -> World,
    events: fn() -> Vec<Event>,
    /// A time by which every machine has the baseline.
    done_by: &'static str,
}

fn tell(story: &Story) {
    let end = at(story.done_by);
    let mut world = (story.world)(None);
    world.run(end, (story.events)());
    compare(story.name, &world.story);
    assert!(world.is_done(), "{}: not done by {end}", story.name);
    for seed in SEEDS {
        eprintln!("{} under seed {seed}", story.name);
        let mut world = (story.world)(Some(seed));
        // A command that was not sent, or took its time, may cost a window.
        world.run(end + hours(24 * 14), (story.events)());
        assert!(
            world.is_done(),
            "{} under seed {seed}: not done\n{}",
            story.name,
            world.story
        );
    }
}

fn compare(name: &str, told: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/rollouts")
        .join(format!("{name}.golden"));
    #[expect(
        clippy::disallowed_methods,
        reason = "how a person asks a test for new goldens"
    )]
    let is_update = std::env::var_os("UPDATE_GOLDEN").is_some();
    if is_update {
        std::fs::write(&path, told).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = golden.lines().zip(told.lines()).position(|(a, b)| a != b);
    let line = differs.unwrap_or(golden.lines().count().min(told.lines().count()));
    let shown = |text: &str| text.lines().nth(line).unwrap_or("(its end)").to_owned();
    assert!(
        golden == told,
        "the story is told otherwise than in tests/rollouts/{name}.golden, line {}:\n\
         golden: {}\n   now: {}\nif it is right now, run: UPDATE_GOLDEN=1 cargo test --lib {name}",
        line + 1,
        shown(&golden),
        shown(told),
    );
}

fn nothing() -> Vec<Event> {
    Vec::new()
}

#[test]
fn three_machines_in_three_zones() {
    tell(&Story {
        name: "three_machines_in_three_zones",
        world: |seed| {
            let machines = ["az1", "az2", "az3"]
                .map(|zone| due_vm(&format!("web-{zone}")).zone(zone).machine());
            World::new(fleet("web"), machines, seed)
        },
        events: nothing,
        done_by: "2026-07-19T02:00:00Z",
    });
}

#[test]
fn canary_then_broad_with_a_soak() {
    tell(&Story {
        name: "canary_then_broad_with_a_soak",
        world: |seed| {
            let mut fleet = web(|policy| {
                policy.stages = vec![
                    Stage {
                        soak: hours(24),
                        ..ring("canary", count(1))
                    },
                    stage("broad", percent(20)),
                ];
            });
            let sunday =
                crate::domain::testkit::window("UTC", chrono::Weekday::Sun, "22:00", hours(6));
            fleet.windows.push(named("sunday-night", sunday));
            let mut machines = vms(10);
            machines.push(due_vm("canary1").tags(&[("ring", "canary")]).machine());
            World::new(fleet, machines, seed)
        },
        events: nothing,
        done_by: "2026-07-27T04:00:00Z",
    });
}

#[test]
fn two_paired_regions() {
    tell(&Story {
        name: "two_paired_regions",
        world: |seed| {
            let regions = ["westeurope", "northeurope"];
            let machines = regions.into_iter().flat_map(|region| {
                [1, 2].map(|number| {
                    due_vm(&format!("{region}-{number}"))
                        .region(region)
                        .machine()
                })
            });
            World::new(fleet("web"), machines, seed)
        },
        events: nothing,
        done_by: "2026-07-19T02:00:00Z",
    });
}

#[test]
fn a_group_of_three_with_an_order() {
    tell(&Story {
        name: "a_group_of_three_with_an_order",
        world: |seed| {
            let fleet = web(|policy| policy.groups = vec![group("app", count(1))]);
            let member = |name: &str, order: &str| {
                due_vm(name)
                    .tags(&[("app", "shop"), ("patch-order", order)])
                    .machine()
            };
            let machines = [
                member("db", "1"),
                member("cache", "2"),
                member("front", "10"),
            ];
            World::new(fleet, machines, seed)
        },
        events: nothing,
        done_by: "2026-07-19T02:00:00Z",
    });
}

#[test]
fn a_failure_halts_and_a_request_goes_on() {
    tell(&Story {
        name: "a_failure_halts_and_a_request_goes_on",
        world: |seed| {
            let fleet = web(|policy| {
                policy.stages = vec![stage("all", count(1))];
                policy.failures.max = count(0);
            });
            let mut world = World::new(fleet, vms(4), seed);
            world.fate.insert("vm02".into(), vec![Goes::Wrong(20)]);
            world
        },
        events: || {
            vec![Event {
                at: at("2026-07-20T09:00:00Z"),
                what: "ada asks to try vm02 again: the disk was full",
                act: |world| {
                    let word = retry(world.machine("vm02"), world.now);
                    world.fleet().retries.push(word);
                },
            }]
        },
        done_by: "2026-07-26T02:00:00Z",
    });
}

#[test]
fn the_window_closes_and_the_next_one_goes_on() {
    tell(&Story {
        name: "the_window_closes_and_the_next_one_goes_on",
        world: |seed| {
            let fleet = web(|policy| policy.stages = vec![stage("all", count(1))]);
            let mut world = World::new(fleet, vms(5), seed);
            for number in 1..=5 {
                world
                    .fate
                    .insert(format!("vm{number:02}"), vec![Goes::Well(80)]);
            }
            world
        },
        events: nothing,
        done_by: "2026-08-02T02:00:00Z",
    });
}

#[test]
fn a_pause_in_the_middle_of_a_run() {
    tell(&Story {
        name: "a_pause_in_the_middle_of_a_run",
        world: |seed| {
            let fleet = web(|policy| policy.stages = vec![stage("all", count(2))]);
            World::new(fleet, vms(4), seed)
        },
        events: || {
            vec![
                Event {
                    at: at("2026-07-18T22:10:00Z"),
                    what: "ada pauses everything",
                    act: |world| world.fleet().pauses.push(word(None, None)),
                },
                Event {
                    at: at("2026-07-19T00:00:00Z"),
                    what: "ada lifts the pause",
                    act: |world| world.fleet().pauses.clear(),
                },
            ]
        },
        done_by: "2026-07-19T02:00:00Z",
    });
}

#[test]
fn a_policy_vanishes_in_the_middle_of_a_run() {
    tell(&Story {
        name: "a_policy_vanishes_in_the_middle_of_a_run",
        world: |seed| {
            let fleet = web(|policy| policy.stages = vec![stage("all", count(2))]);
            World::new(fleet, vms(4), seed)
        },
        events: || {
            vec![
                Event {
                    at: at("2026-07-18T22:10:00Z"),
                    what: "the policy is deleted",
                    act: |world| {
                        let fleet = world.fleet().clone();
                        world.fleets[0] = faulty(&fleet);
                    },
                },
                Event {
                    at: at("2026-07-20T09:00:00Z"),
                    what: "the policy is there again",
                    act: |world| {
                        let fleet = web(|policy| policy.stages = vec![stage("all", count(2))]);
                        world.fleets[0] = crate::domain::testkit::view(fleet);
                    },
                },
            ]
        },
        done_by: "2026-07-26T02:00:00Z",
    });
}
