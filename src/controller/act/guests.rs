//! Asks guests what no API of Azure shows, by a script that changes nothing, and deletes the script
//! behind itself. Must never ask one that the plan does not name.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::Deeds;
use crate::azure::{Cloud, Error, GuestAnswer};
use crate::controller::Shell;
use crate::controller::guests::{Guest, Guests, Script};
use crate::controller::lease::Leadership;
use crate::controller::observe::Observed;
use crate::domain::fleet::FleetKey;
use crate::domain::machine::{Machine, MachineId};
use crate::domain::plan::{GuestLook, Plan};
use crate::record::request_id;

/// The most guests of a disruption domain that are asked at the same time, and in one pass.
const ASKED_AT_ONCE: usize = 20;

/// How soon a guest is asked after that has not answered.
const ANSWER_PAUSE: TimeDelta = TimeDelta::minutes(1);

/// How long an answer is waited for.
const ANSWERED_WITHIN: TimeDelta = TimeDelta::hours(1);

/// How long the script is tried to be deleted: an abandoned one stays until the guest is asked
/// again.
const DELETED_WITHIN: TimeDelta = TimeDelta::hours(3);

/// How soon a guest that answered is asked again: whoever turns virtualization-based security on
/// sees it within a day, or at once, as Azure finds the machine fit.
const ASKED_AGAIN_AFTER: TimeDelta = TimeDelta::hours(24);

/// How soon a guest is asked again that did not answer, or could not be asked.
const UNANSWERED_REST: TimeDelta = TimeDelta::hours(6);

/// Hears the guests that were asked, and asks those of the plan that do not rest.
pub(super) async fn ask(
    shell: &Shell,
    leadership: &Leadership,
    observed: &Observed,
    plan: &Plan,
    guests: &mut Guests,
    deeds: &mut Deeds,
) {
    let now = shell.clock.now();
    guests.forget(now);
    for (id, guest) in &mut guests.0 {
        hear(shell, leadership, observed, id, guest, deeds).await;
    }
    let mut asked = guests.asked();
    let mut refused: BTreeSet<&FleetKey> = BTreeSet::new();
    for wanted in &plan.guest_looks {
        let asked = asked.entry(wanted.fleet.namespace.clone()).or_default();
        if *asked >= ASKED_AT_ONCE || refused.contains(&wanted.fleet) {
            continue;
        }
        let place = place_of(observed, wanted);
        let place = place.filter(|(_, machine)| !guests.rests(machine, now));
        let Some((cloud, machine)) = place else {
            continue;
        };
        if !leadership.may_send() {
            break;
        }
        *asked += 1;
        if !begin(shell, &cloud, wanted, machine, guests, deeds).await {
            refused.insert(&wanted.fleet);
        }
    }
    if !guests.asked().is_empty() {
        deeds.again_by(now + ANSWER_PAUSE);
    }
}

fn place_of<'a>(observed: &'a Observed, wanted: &GuestLook) -> Option<(Cloud, &'a Machine)> {
    let cloud = observed.cloud_of(&wanted.fleet)?;
    let domain = observed.snapshot.domains.get(&wanted.fleet.namespace)?;
    let inventory = domain.inventory.as_ref().ok()?;
    let machine = inventory.machines.get(&wanted.machine)?;
    Some((cloud.in_region(&machine.placement.region), machine))
}

/// Has the script run in a guest. Returns false where the fleet's next one would fare alike.
async fn begin(
    shell: &Shell,
    cloud: &Cloud,
    wanted: &GuestLook,
    machine: &Machine,
    guests: &mut Guests,
    deeds: &mut Deeds,
) -> bool {
    let (now, id) = (shell.clock.now(), &machine.id);
    let minute = u32::try_from(now.timestamp() / 60).unwrap_or_default();
    let request = request_id(&wanted.fleet.to_string(), id, minute, 0);
    let region = &machine.placement.region;
    let asked = cloud.ask_guest(id, machine.kind, region, request).await;
    let refusal = asked.as_ref().err();
    deeds.answered(&wanted.fleet, id, machine.kind, "look", refusal);
    if let Some(error @ Error::Throttled { .. }) = refusal {
        deeds.unasked(error, now);
        shell.telemetry.command("look", "withheld");
        return false;
    }
    let outcome = if asked.is_ok() { "accepted" } else { "failed" };
    shell.telemetry.command("look", outcome);
    if let Some(error) = refusal {
        tracing::info!(machine = %id, %error, "its guest could not be asked");
    }
    // One whose request was lost may have been asked.
    let is_refused = refusal.is_some_and(Error::is_sure_refusal);
    let before = guests.0.get(id);
    let before = before.filter(|own| own.incarnation == machine.incarnation);
    let guest = Guest {
        fleet: wanted.fleet.clone(),
        kind: machine.kind,
        incarnation: machine.incarnation.clone(),
        region: region.clone(),
        asked_at: now,
        again_at: now + UNANSWERED_REST,
        script: if is_refused {
            Script::Gone
        } else {
            Script::Runs
        },
        vbs_running: before.and_then(|own| own.vbs_running),
    };
    guests.0.insert(id.clone(), guest);
    !matches!(
        refusal,
        Some(Error::Denied { .. } | Error::Unauthorised { .. } | Error::Identity(_))
    )
}

/// Hears what a guest has to say, and deletes its script when it ended.
async fn hear(
    shell: &Shell,
    leadership: &Leadership,
    observed: &Observed,
    id: &MachineId,
    guest: &mut Guest,
    deeds: &mut Deeds,
) {
    let now = shell.clock.now();
    let cloud = observed.cloud_of(&guest.fleet);
    let (Some(cloud), true) = (cloud, now - guest.asked_at < DELETED_WITHIN) else {
        // Without its fleet nobody may act for it.
        guest.script = Script::Gone;
        return;
    };
    let cloud = cloud.in_region(&guest.region);
    if guest.script == Script::Runs {
        match cloud.guest_answer(id, guest.kind).await {
            Ok(answer) => {
                let before = guest.vbs_running;
                take(id, guest, answer, now);
                // The plan of this pass did not know it.
                deeds.follow_up |= guest.vbs_running != before;
            }
            Err(error) => {
                deeds.unasked(&error, now);
                tracing::info!(machine = %id, %error, "its guest could not be heard");
                take(id, guest, GuestAnswer::Awaited, now);
            }
        }
    }
    if guest.script == Script::Ended && leadership.may_send() {
        match cloud.clear_guest(id, guest.kind).await {
            Ok(()) => guest.script = Script::Gone,
            Err(error) => {
                deeds.unasked(&error, now);
                tracing::info!(machine = %id, %error, "its run command could not be deleted");
            }
        }
    }
}

/// Takes in what came of asking a guest.
fn take(id: &MachineId, guest: &mut Guest, answer: GuestAnswer, now: DateTime<Utc>) {
    guest.script = match answer {
        GuestAnswer::Awaited if now - guest.asked_at < ANSWERED_WITHIN => Script::Runs,
        GuestAnswer::Awaited => Script::Ended,
        GuestAnswer::Gone => Script::Gone,
        GuestAnswer::VbsRuns(runs) => {
            guest.vbs_running = Some(runs);
            guest.again_at = guest.asked_at + ASKED_AGAIN_AFTER;
            Script::Ended
        }
        GuestAnswer::Silent(why) => {
            tracing::info!(machine = %id, why, "its guest did not answer");
            Script::Ended
        }
    };
}
