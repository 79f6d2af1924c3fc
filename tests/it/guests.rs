//! What only a guest can say: whether virtualization-based security runs on an Arc server that
//! Azure finds unfit for hotpatching, or on a VM that gets no hotpatches for no reason.

// Tests may unwrap: a panic is how they fail.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use azure_sim::switchboard::Rule;
use azure_sim::{CallOperation, What};
use chrono::TimeDelta;
use hotpatch_operator::api::HotpatchMachine;
use hotpatch_operator::azure::LOOK_SCRIPT;
use hotpatch_operator::rehearsal::world::World;
use hotpatch_operator::rehearsal::{Ended, Rehearsal};
use serde_json::Value;

use crate::rehearsal::{FLEET, NIGHTS, QUICK, options, paused};

/// A quiet morning: no window is open, and nothing was released lately.
const MORNING: &str = "2025-07-01T06:00:00Z";

/// The Arc server.
const BRANCH: &str = "/branch-1";

const RECORDS: &str = "hotpatchmachines.hotpatch.dev";

/// Begins a morning on which virtualization-based security does not run on the Arc server.
async fn begin(run_commands: bool) -> Rehearsal {
    let mut options = options(1, MORNING.parse().unwrap(), &[QUICK, NIGHTS, FLEET]);
    options.run_commands = run_commands;
    let own = Rehearsal::new(options).await.unwrap();
    own.azure.set_vbs(&branch(&own), false);
    own
}

fn branch(own: &Rehearsal) -> String {
    let ids = own.look(|world| world.facts.keys().cloned().collect::<Vec<_>>());
    ids.into_iter().find(|id| id.ends_with(BRANCH)).unwrap()
}

async fn pass(own: &mut Rehearsal, hours: i64) {
    let until = own.now() + TimeDelta::hours(hours);
    assert_eq!(own.run_until(|_, _| false, until).await, Ended::TimeUp);
}

/// The record of a machine, by the end of its id.
fn record_of(own: &Rehearsal, name: &str) -> HotpatchMachine {
    let objects = own.kube.list_objects(RECORDS).into_iter();
    let read = |object: Arc<Value>| serde_json::from_value(Value::clone(&object)).unwrap();
    let mut all = objects.map(read);
    let is_it = |own: &HotpatchMachine| {
        let id = own.spec.resource_id.to_ascii_lowercase();
        id.ends_with(name)
    };
    all.find(is_it).unwrap()
}

/// The reasons of the Arc server, and what is said of it.
fn said(own: &Rehearsal) -> (Vec<String>, String) {
    let status = record_of(own, BRANCH).status.unwrap();
    (status.reasons, status.message.unwrap_or_default())
}

/// The scripts that ran, and how many run commands were deleted.
fn scripts(own: &Rehearsal) -> (Vec<String>, usize) {
    let mut scripts = Vec::new();
    let mut deleted = 0;
    for effect in own.azure.effects_since(0) {
        let What::CallAccepted(call) = effect.what else {
            continue;
        };
        match call.operation {
            CallOperation::RunCommand => scripts.push(call.script.unwrap()),
            CallOperation::RunCommandDeletion => deleted += 1,
            _ => {}
        }
    }
    (scripts, deleted)
}

/// Tells whether nothing was asked after the last deletion.
fn last_is_a_deletion(own: &Rehearsal) -> bool {
    let mut operations = own.azure.effects_since(0).into_iter().rev();
    operations.find_map(|effect| match effect.what {
        What::CallAccepted(call) => match call.operation {
            CallOperation::RunCommand => Some(false),
            CallOperation::RunCommandDeletion => Some(true),
            _ => None,
        },
        _ => None,
    }) == Some(true)
}

fn held(mut own: Rehearsal) {
    let report = own.finish();
    assert!(report.has_held(), "{:?}", report.violations);
}

#[test]
fn a_guest_without_virtualization_based_security_says_so_until_it_runs() {
    paused(async {
        let mut own = begin(true).await;
        pass(&mut own, 7).await;
        let (reasons, message) = said(&own);
        assert_eq!(reasons, ["VbsOff"], "{message}");
        assert!(message.contains("turn it on"), "{message}");
        let (ran, deleted) = scripts(&own);
        assert_eq!((ran, deleted), (vec![LOOK_SCRIPT.to_owned()], 1));
        // It is turned on: Azure finds the machine fit, and nobody asks the guest any more.
        own.azure.set_vbs(&branch(&own), true);
        pass(&mut own, 48).await;
        let (reasons, message) = said(&own);
        assert!(!reasons.contains(&"VbsOff".to_owned()), "{message}");
        assert_eq!(scripts(&own).0.len(), 1);
        held(own);
    });
}

#[test]
fn a_guest_that_stays_without_it_is_asked_once_a_day_and_never_in_a_window() {
    paused(async {
        let mut own = begin(true).await;
        pass(&mut own, 74).await;
        assert_eq!(said(&own).0, ["VbsOff"]);
        let asked: Vec<_> = own
            .azure
            .effects_since(0)
            .into_iter()
            .filter(
                |effect| matches!(&effect.what, What::CallAccepted(call) if call.script.is_some()),
            )
            .map(|effect| effect.at)
            .collect();
        assert!((3..=4).contains(&asked.len()), "{asked:?}");
        for at in asked {
            // From 20:00 to 02:00 in Berlin.
            let hour = at.format("%H").to_string().parse::<u32>().unwrap();
            assert!(!(18..24).contains(&hour), "{at}");
        }
        held(own);
    });
}

#[test]
fn without_scripts_no_guest_is_asked_and_its_machine_says_what_would_tell() {
    paused(async {
        let mut own = begin(false).await;
        pass(&mut own, 7).await;
        let (reasons, message) = said(&own);
        assert!(!reasons.contains(&"VbsOff".to_owned()), "{reasons:?}");
        assert!(message.contains("--allow-run-commands"), "{message}");
        assert_eq!(scripts(&own), (Vec::new(), 0));
        held(own);
    });
}

#[test]
fn a_process_that_dies_while_a_guest_is_asked_leaves_nothing_behind() {
    paused(async {
        let mut own = begin(true).await;
        let limit = own.now() + TimeDelta::hours(12);
        let azure = own.azure.clone();
        let is_asked = |_: &World, _| {
            let effects = azure.effects_since(0);
            effects
                .iter()
                .any(|own| matches!(&own.what, What::CallAccepted(call) if call.script.is_some()))
        };
        assert_eq!(own.run_until(is_asked, limit).await, Ended::Reached);
        own.restart();
        pass(&mut own, 7).await;
        assert_eq!(said(&own).0, ["VbsOff"]);
        assert!(scripts(&own).1 > 0);
        assert!(last_is_a_deletion(&own));
        held(own);
    });
}

#[test]
fn a_guest_that_cannot_be_asked_is_asked_again_hours_later() {
    paused(async {
        let mut own = begin(true).await;
        let rule: Rule = "server-error=503,method=PUT,path=/runCommands/,count=1"
            .parse()
            .unwrap();
        own.azure.switchboard().set(rule).unwrap();
        pass(&mut own, 7).await;
        assert_eq!(own.azure.switchboard().standing()[0].struck, 1);
        assert!(!said(&own).0.contains(&"VbsOff".to_owned()));
        pass(&mut own, 18).await;
        assert_eq!(said(&own).0, ["VbsOff"]);
        held(own);
    });
}

#[test]
fn a_look_that_is_denied_names_the_right_and_who_grants_it() {
    paused(async {
        let mut own = begin(true).await;
        let rule: Rule = "denied,method=PUT,path=/runCommands/".parse().unwrap();
        own.azure.switchboard().set(rule).unwrap();
        pass(&mut own, 7).await;
        let fleets = own.kube.list_objects("hotpatchfleets.hotpatch.dev");
        let conditions = fleets[0]["status"]["conditions"].to_string();
        let action = "machines/runCommands/write";
        assert!(conditions.contains(action), "{conditions}");
        assert!(
            conditions.contains("hotpatch-run-command.json"),
            "{conditions}"
        );
        assert!(said(&own).1.contains("ActionRequired"));
        held(own);
    });
}

/// The hour before the hotpatch of June 2025, a Tuesday.
const EVE: &str = "2025-06-10T16:00:00Z";

/// Windows that are far away.
const SUNDAYS: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: nights}
spec:
  timeZone: UTC
  schedule: {weekly: {days: [Sunday]}}
  startTime: "20:00"
  duration: 4h
"#;

#[test]
fn a_vm_that_is_offered_the_standard_update_for_no_reason_is_asked_and_its_record_says_why() {
    paused(async {
        let mut options = options(1, EVE.parse().unwrap(), &[QUICK, SUNDAYS, FLEET]);
        options.run_commands = true;
        let mut own = Rehearsal::new(options).await.unwrap();
        let ids = own.look(|world| world.facts.keys().cloned().collect::<Vec<_>>());
        let vm = ids.iter().find(|id| id.ends_with("/shop-1")).unwrap();
        own.azure.set_vbs(vm, false);
        pass(&mut own, 20).await;
        let conditions = record_of(&own, "/shop-1").status.unwrap().conditions;
        let current = conditions
            .iter()
            .find(|own| own.type_ == "Current")
            .unwrap();
        assert_eq!(current.reason, "OffTrack", "{current:?}");
        let says = "Virtualization-based security does not run in its guest";
        assert!(current.message.contains(says), "{current:?}");
        assert_eq!(scripts(&own), (vec![LOOK_SCRIPT.to_owned()], 1));
        held(own);
    });
}
