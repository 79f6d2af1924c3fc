//! Restarts by run command: an Arc server whose install left its reboot owed is restarted by a
//! script in its guest, in the same window, once, and only where the installation allows scripts.

// tests may unwrap
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use azure_sim::{CallOperation, What};
use chrono::{DateTime, TimeDelta, Utc};
use hotpatch_operator::azure::RESTART_SCRIPT;
use hotpatch_operator::rehearsal::world::World;
use hotpatch_operator::rehearsal::{Ended, Rehearsal};

use crate::rehearsal::{FLEET, NIGHTS, QUICK, options, paused};

/// An hour before the baseline of July 2025 comes out.
const EPOCH: &str = "2025-07-08T16:00:00Z";

/// The baseline of July 2025.
const KB: &str = "5062553";

/// Plays the nights of three days, in which the first reboot that an install wants on each machine
/// does not come about.
async fn play(run_commands: bool) -> (Rehearsal, Vec<String>) {
    let epoch: DateTime<Utc> = EPOCH.parse().unwrap();
    let mut options = options(3, epoch, &[QUICK, NIGHTS, FLEET]);
    options.run_commands = run_commands;
    let mut own = Rehearsal::new(options).await.unwrap();
    let ids: Vec<String> = own.look(|world| world.facts.keys().cloned().collect());
    for id in &ids {
        own.azure.keep_up(id);
    }
    let until = epoch + TimeDelta::days(3);
    assert_eq!(own.run_until(|_, _| false, until).await, Ended::TimeUp);
    (own, ids)
}

fn of_name<'a>(ids: &'a [String], name: &str) -> &'a str {
    ids.iter().find(|id| id.ends_with(name)).unwrap()
}

/// What was commanded on a machine, in order.
fn commands(own: &Rehearsal, id: &str) -> Vec<CallOperation> {
    let of = |world: &World| {
        let sent = world.sent.iter().filter(|sent| sent.machine == id);
        sent.map(|sent| sent.call.operation).collect()
    };
    own.look(of)
}

#[test]
fn an_arc_server_that_owes_its_reboot_is_restarted_by_a_script_in_the_same_window() {
    paused(async {
        let (mut own, ids) = play(true).await;
        let arc = of_name(&ids, "/branch-1").to_owned();
        use CallOperation::{Install, Restart, RunCommand};
        assert_eq!(commands(&own, &arc), [Install, RunCommand]);
        for vm in ["/canary-0", "/shop-1", "/guest-1"] {
            let vm = of_name(&ids, vm);
            assert_eq!(commands(&own, vm), [Install, Restart], "{vm}");
        }
        let views: BTreeMap<String, _> = own
            .azure
            .machines()
            .into_iter()
            .map(|view| (view.id.to_ascii_lowercase(), view))
            .collect();
        for id in ids.iter().filter(|id| !id.ends_with("/file-1")) {
            assert!(views[id].installed.contains(KB), "{id}");
            assert!(views[id].pending_reboot.is_empty(), "{id}");
        }
        let effects = own.azure.effects_since(0);
        let of_arc = |effect: &&azure_sim::Effect| effect.machine_id == arc;
        let reboots = effects.iter().filter(of_arc);
        let reboots = reboots.filter(|own| matches!(own.what, What::RebootStarted { .. }));
        assert_eq!(reboots.count(), 1);
        let scripts: Vec<_> = effects
            .iter()
            .filter(of_arc)
            .filter_map(|own| match &own.what {
                What::CallAccepted(call) => call.script.as_deref(),
                _ => None,
            })
            .collect();
        assert_eq!(scripts, [RESTART_SCRIPT]);
        let deleted = effects.iter().filter(of_arc).filter(|own| {
            matches!(&own.what, What::CallAccepted(call)
                if call.operation == CallOperation::RunCommandDeletion)
        });
        assert_eq!(deleted.count(), 1);
        let report = own.finish();
        assert!(report.has_held(), "{:?}", report.violations);
    });
}

#[test]
fn without_scripts_it_keeps_its_reboot_owed_and_its_run_says_what_would_restart_it() {
    paused(async {
        let (mut own, ids) = play(false).await;
        let arc = of_name(&ids, "/branch-1").to_owned();
        // The next night's install finds nothing to install, and settles the reboot.
        use CallOperation::Install;
        assert_eq!(commands(&own, &arc), [Install, Install]);
        let messages: Vec<String> = own.look(|world| {
            let runs = world.runs.values();
            let entries = runs.flat_map(|run| run.status.iter().flat_map(|own| &own.machines));
            entries
                .filter(|own| own.id.eq_ignore_ascii_case(&arc))
                .filter_map(|own| own.message.clone())
                .collect()
        });
        let says = |part: &str| messages.iter().any(|own| own.contains(part));
        assert!(says("--allow-run-commands"), "{messages:?}");
        assert!(says("roles/hotpatch-run-command.json"), "{messages:?}");
        let report = own.finish();
        let broken: Vec<_> = report.violations.iter().collect();
        assert!(report.has_held(), "{broken:?}");
    });
}
