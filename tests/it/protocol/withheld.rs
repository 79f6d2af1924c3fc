//! What was withheld at the last moment comes again soon.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use azure_sim::switchboard::Rule;
use chrono::{DateTime, Utc};
use kube_sim::{Fault, Verb};

use super::*;
use crate::rehearsal::{on_commits, paused};

const LEASES: &str = "leases.coordination.k8s.io";

/// Half a minute, and what a pass takes.
const SOON: TimeDelta = TimeDelta::seconds(35);

/// A day later Azure has assessed all machines, and the window is about to open.
async fn eve_of_the_night() -> Rehearsal {
    let mut own = begin(&wide(1)).await;
    pass_hours(&mut own, 20).await;
    assert_eq!(commands(&own), 0);
    own
}

/// When the first command was accepted.
async fn first_command(own: &mut Rehearsal) -> DateTime<Utc> {
    until(own, |world| world.sent.iter().any(|own| own.is_accepted())).await;
    own.look(|world| {
        let mut accepted = world.sent.iter().filter(|own| own.is_accepted());
        accepted.next().map(|own| own.at)
    })
    .unwrap()
}

#[test]
fn a_command_that_a_failed_renewal_withheld_is_sent_half_a_minute_later() {
    paused(async {
        let mut own = eve_of_the_night().await;
        let is_intended = Arc::<AtomicBool>::default();
        let intended = Arc::clone(&is_intended);
        on_commits(&own, RUNS, move |commit| {
            let after = commit.after.as_ref();
            let machines = after.and_then(|own| own["status"]["machines"].as_array());
            let mut machines = machines.into_iter().flatten();
            if machines.any(|own| own["step"] == "Starting") {
                intended.store(true, Ordering::SeqCst);
            }
        });
        let withheld_at = Arc::<Mutex<Option<DateTime<Utc>>>>::default();
        let (noted, clock) = (Arc::clone(&withheld_at), own.shared_clock());
        own.kube.on_request(move |call| {
            let is_renewal = call.verb == Verb::Update && call.resource == LEASES;
            let mut noted = noted.lock().unwrap();
            if is_renewal && is_intended.load(Ordering::SeqCst) && noted.is_none() {
                *noted = Some(clock());
                return Fault::DropBefore;
            }
            Fault::None
        });
        let sent_at = first_command(&mut own).await;
        let withheld_at = withheld_at.lock().unwrap().unwrap();
        let waited = sent_at - withheld_at;
        assert!(waited < SOON, "{withheld_at} to {sent_at}");
        held(&own);
    });
}

#[test]
fn a_machine_whose_last_look_was_in_vain_is_looked_at_again_half_a_minute_later() {
    paused(async {
        let mut own = eve_of_the_night().await;
        let rule: Rule = "server-error=503,method=GET,path=/resourceGroups/,count=1"
            .parse()
            .unwrap();
        own.azure.switchboard().set(rule).unwrap();
        let withheld_at = Arc::<Mutex<Option<DateTime<Utc>>>>::default();
        let (noted, clock) = (Arc::clone(&withheld_at), own.shared_clock());
        own.azure.after_call(move |_, _, status| {
            if status == 503 {
                noted.lock().unwrap().get_or_insert(clock());
            }
        });
        let sent_at = first_command(&mut own).await;
        let withheld_at = withheld_at.lock().unwrap().unwrap();
        assert!(sent_at - withheld_at < SOON, "{withheld_at} to {sent_at}");
        held(&own);
    });
}
