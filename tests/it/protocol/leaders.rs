//! Two replicas over the same cluster and the same Azure.

use std::time::Duration;

use chrono::DateTime;
use hotpatch_operator::rehearsal::gate::{Gate, Side};
use serde_json::json;

use super::*;
use crate::rehearsal::paused;

/// How long an old leader stands still: longer than its lease.
const STOPPED: Duration = Duration::from_secs(40 * 60);

fn is_over(world: &World) -> bool {
    let all = world.machines.values();
    let ended = |run: &std::sync::Arc<hotpatch_operator::api::HotpatchRun>| {
        let status = run.status.as_ref();
        status.is_some_and(|own| own.completed_at.is_some())
    };
    !world.runs.is_empty()
        && all.clone().all(|own| own.installed.contains("5062553"))
        && world.runs.values().all(ended)
}

/// Tells whether a side effect changes or commands a machine.
fn acts(effect: &str) -> bool {
    let words = [
        "installPatches",
        "assessPatches",
        "/restart",
        "PATCH /subscriptions",
    ];
    words.iter().any(|word| effect.contains(word))
}

/// Plays until all is done; returns when that was.
async fn play(own: &mut Rehearsal) -> DateTime<chrono::Utc> {
    let limit = own.now() + TimeDelta::days(6);
    let ended = own.run_until(|world, _| is_over(world), limit).await;
    assert_eq!(ended, Ended::Reached, "at {}", own.now());
    own.now()
}

/// The places at which stopping a leader tells something: around each write and each command.
fn places(log: &[String]) -> Vec<u64> {
    let of = |word: &'static str| {
        let found = log.iter().enumerate();
        let mut found = found.filter(move |(_, own)| own.contains(word));
        let first = found.next();
        let later = found.nth(2);
        first
            .into_iter()
            .chain(later)
            .map(|(index, _)| index as u64 + 1)
    };
    let mut all: Vec<u64> = of("hotpatchruns")
        .chain(of("/status"))
        .chain(of("installPatches"))
        .collect();
    // The renewal between intents and commands is the last chance to notice.
    let before = |index: usize| log[index].contains("/leases/") && acts(&log[index + 1]);
    all.extend(
        (0..log.len() - 1)
            .filter(|index| before(*index))
            .map(|index| index as u64 + 1)
            .take(2),
    );
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn a_leader_that_stood_still_while_another_took_over_sends_nothing_when_it_wakes() {
    let log = paused(async {
        let mut own = begin(&wide(2)).await;
        play(&mut own).await;
        own.gate.log()
    });
    let places = places(&log);
    assert!(places.len() > 5, "{places:?}");
    for number in places {
        let is_command = log.get(number as usize - 1).is_some_and(|own| acts(own));
        for side in [Side::Before, Side::After] {
            // A command that is itself late is Azure's to take; the machine is held meanwhile.
            paused(async {
                let mut own = begin(&wide(2)).await;
                own.gate.stop_at(number, side, STOPPED);
                let stopped = own.gate.clone();
                own.join();
                let what = format!("{side:?} {number}: {}", log[number as usize - 1]);
                play(&mut own).await;
                let later: Vec<String> = stopped.log().into_iter().skip(number as usize).collect();
                let sent: Vec<&String> = later.iter().filter(|own| acts(own)).collect();
                assert_eq!(sent, [""; 0], "{what} (command: {is_command})");
                if is_command && side == Side::Before {
                    // It left long ago, and arrives when nobody can take it back: nothing else may
                    // have been sent to its machine meanwhile.
                    let twice = own.violations().into_iter().find(|own| {
                        !["intent", "window", "budget", "quiet"].contains(&own.invariant)
                    });
                    assert!(twice.is_none(), "{what}: {twice:?}");
                } else {
                    held(&own);
                }
            });
        }
    }
}

#[test]
fn an_old_and_a_new_version_stand_side_by_side_and_the_new_one_goes_on() {
    paused(async {
        let mut own = begin(&wide(2)).await;
        until(&mut own, |world| !world.sent.is_empty()).await;
        let new: Gate = own.join();
        pass_hours(&mut own, 0).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(
            !new.log().iter().any(|own| acts(own)),
            "one leads at a time"
        );
        own.hand_over().await;
        play(&mut own).await;
        assert!(new.log().iter().any(|own| acts(own)));
        held(&own);
    });
}

#[test]
fn the_second_replica_takes_over_when_the_first_dies() {
    paused(async {
        let mut own = begin(&wide(2)).await;
        until(&mut own, |world| !world.sent.is_empty()).await;
        let second = own.join();
        let now = own.now();
        own.gate.kill_at(1, Side::Before);
        let limit = now + TimeDelta::hours(2);
        let ended = own.run_until(|_, _| false, limit).await;
        assert_eq!(ended, Ended::Killed);
        own.promote();
        play(&mut own).await;
        assert!(second.log().iter().any(|own| acts(own)));
        held(&own);
    });
}

#[test]
fn a_new_leader_fences_runs_that_it_cannot_read() {
    let damages: [fn(&mut Value); 3] = [
        |run| run["spec"]["release"] = json!("banana"),
        |run| run["spec"]["machines"] = json!("none"),
        |run| run["status"]["epoch"] = json!("banana"),
    ];
    for damage in damages {
        paused(async {
            let mut own = begin(&wide(2)).await;
            until(&mut own, |world| world.open_commands().count() == 2).await;
            let name = own
                .look(|world| world.runs.keys().next().cloned())
                .unwrap()
                .1;
            force(&own, RUNS, &name, damage);
            own.restart();
            pass_hours(&mut own, 1).await;
            let epoch = object(&own, RUNS, &name)["status"]["epoch"].clone();
            let leads = own.look(|world| world.lease.epoch);
            assert_eq!(epoch, json!(leads));
        });
    }
}

#[test]
fn a_leader_whose_lease_was_deleted_is_waited_for() {
    paused(async {
        let mut own = begin(&wide(2)).await;
        until(&mut own, |world| world.open_commands().count() == 2).await;
        let leases = "leases.coordination.k8s.io";
        own.kill();
        own.kube
            .force_object(leases, Some("hotpatch-system"), "hotpatch-operator", None);
        own.restart();
        let from = own.gate.log().len();
        let taken = own.now();
        // The lease of the rehearsal holds for ten minutes.
        until(&mut own, |world| world.now - taken > TimeDelta::minutes(9)).await;
        let early: Vec<String> = own.gate.log().into_iter().skip(from).collect();
        assert!(!early.iter().any(|own| acts(own)), "{early:?}");
        play(&mut own).await;
        held(&own);
    });
}

#[test]
fn a_leader_that_finds_a_run_of_a_later_epoch_leads_anew_and_goes_on() {
    paused(async {
        let mut own = begin(&wide(1)).await;
        until(&mut own, |world| world.open_commands().count() == 1).await;
        let name = own
            .look(|world| world.runs.keys().next().cloned())
            .unwrap()
            .1;
        // Its writer led by a lease that somebody deleted, and does not know it yet.
        force(&own, RUNS, &name, |run| run["status"]["epoch"] = json!(40));
        until(&mut own, |world| world.lease.epoch > 40).await;
        play(&mut own).await;
        held(&own);
    });
}
