//! Writes patch settings and asks for assessments.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::Deeds;
use super::pace::{PACED_PAUSE, Pacing};
use super::scripts::Cleared;
use crate::azure::buckets::Pool;
use crate::azure::{Cloud, Error};
use crate::controller::Shell;
use crate::controller::guests::Guests;
use crate::controller::lease::Leadership;
use crate::controller::observe::Observed;
use crate::domain::enrolment::Change;
use crate::domain::fleet::FleetKey;
use crate::domain::machine::{MachineId, MachineKind};
use crate::domain::plan::{Assessing, Note, Plan};
use crate::record::request_id;

/// The most settings changes one pass makes in a disruption domain: while they are written, nothing
/// else happens.
const CHANGES_PER_PASS_MAX: usize = 50;

/// The most assessments one pass asks for in a disruption domain; they share the bucket of the
/// installs and must never use it up.
const ASSESSMENTS_PER_PASS_MAX: usize = 10;

/// How soon more assessments are asked for than one pass does.
const ASSESSMENTS_PAUSE: TimeDelta = TimeDelta::seconds(30);

/// How long a machine's settings are left to settle after a change: Azure Arc takes about ten
/// minutes to read a change back (windowsserverdocs, enable-hotpatch-azure-arc-enabled-servers;
/// azure.md §2).
const CHANGE_REST: TimeDelta = TimeDelta::minutes(20);

/// How soon a change is tried again after somebody else's came between.
const CONFLICT_REST: TimeDelta = TimeDelta::seconds(30);

/// How long an assessment may take to show before another one is asked for.
const ASSESSMENT_REST: TimeDelta = TimeDelta::hours(6);

/// The same for a machine whose verdict waits for it: every machine that waits counts as
/// unavailable. An assessment takes minutes; one that was asked for before the command ended does
/// not count at all.
const VERDICT_REST: TimeDelta = TimeDelta::minutes(30);

/// How soon an assessment is asked for again after a refusal.
const REFUSED_REST: TimeDelta = TimeDelta::minutes(5);

/// What was asked of machines lately. It can be lost: a change is written as a difference, and one
/// assessment more does no harm.
#[derive(Default)]
pub struct Rests {
    changed: BTreeMap<MachineId, DateTime<Utc>>,
    /// When an assessment was asked for, and whether Azure took it on.
    assessed: BTreeMap<MachineId, (DateTime<Utc>, bool)>,
    /// What the commands before tell of how many may follow.
    pub(super) pacing: Pacing,
    /// Which run commands were deleted.
    pub(super) cleared: Cleared,
    /// What guests said of themselves.
    pub guests: Guests,
}

impl Rests {
    /// Tells whether an assessment may be asked for: none was that will do, or it took too long.
    fn may_assess(&self, wanted: &Assessing, now: DateTime<Utc>) -> bool {
        let Some((asked, is_taken)) = self.assessed.get(&wanted.machine) else {
            return true;
        };
        if !is_taken {
            return now - *asked >= REFUSED_REST;
        }
        match wanted.newer_than {
            Some(ended) => *asked < ended || now - *asked >= VERDICT_REST,
            None => now - *asked >= ASSESSMENT_REST,
        }
    }
}

/// Returns a cloud in the region of a machine that a fleet's namespace knows, the machine's kind,
/// and that region.
fn place_of<'a>(
    observed: &'a Observed,
    fleet: &FleetKey,
    id: &MachineId,
    cloud: &Cloud,
) -> Option<(Cloud, MachineKind, &'a str)> {
    let domain = observed.snapshot.domains.get(&fleet.namespace)?;
    let machine = domain.inventory.as_ref().ok()?.machines.get(id)?;
    let region = &machine.placement.region;
    Some((cloud.in_region(region), machine.kind, region))
}

/// Writes the settings that a plan changes, and puts those of deleted fleets back: as many as a
/// pass makes, of those that do not rest.
pub(super) async fn change(
    shell: &Shell,
    leadership: &Leadership,
    observed: &Observed,
    plan: &Plan,
    rests: &mut Rests,
    deeds: &mut Deeds,
) {
    let now = shell.clock.now();
    rests.changed.retain(|_, at| now - *at < CHANGE_REST);
    let changes = plan.changes.iter();
    let changes = changes.map(|(fleet, change)| (fleet, change, None));
    let restores = plan.restores.iter();
    let restores = restores.map(|own| (&own.fleet, &own.change, Some(&own.service_account)));
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    let mut spent: BTreeSet<(&FleetKey, &str)> = BTreeSet::new();
    for (fleet, change, restored_by) in changes.chain(restores) {
        let pool = (fleet, change.machine.subscription());
        if rests.changed.contains_key(&change.machine) || spent.contains(&pool) {
            continue;
        }
        let cloud = match restored_by {
            None => observed.cloud_of(fleet),
            Some(account) => observed.cloud(&fleet.namespace, account),
        };
        let place = cloud.and_then(|own| place_of(observed, fleet, &change.machine, own));
        let Some((cloud, kind, _)) = place else {
            continue;
        };
        let word = restored_by.map_or("settings", |_| "restore");
        let made = made.entry(&fleet.namespace).or_default();
        if *made == CHANGES_PER_PASS_MAX {
            deeds.follow_up = true;
            continue;
        }
        *made += 1;
        if !leadership.may_send() {
            return;
        }
        rests.changed.insert(change.machine.clone(), now);
        let changed = cloud.change(change, kind).await;
        deeds.answered(fleet, &change.machine, kind, word, changed.as_ref().err());
        if let Err(Error::Throttled { .. }) = &changed {
            spent.insert(pool);
        }
        let outcome = written(fleet, change, changed, rests, deeds, now);
        shell.telemetry.command(word, outcome);
    }
}

/// Puts down what became of a change, and says it in one word.
fn written(
    fleet: &FleetKey,
    change: &Change,
    changed: Result<(), Error>,
    rests: &mut Rests,
    deeds: &mut Deeds,
    now: DateTime<Utc>,
) -> &'static str {
    let id = &change.machine;
    let error = match changed {
        Ok(()) => {
            tracing::info!(machine = %id, fleet = %fleet, "settings changed");
            return "accepted";
        }
        Err(error @ Error::Throttled { .. }) => {
            // What of it was written is no difference any more; the rest comes when there is room.
            rests.changed.remove(id);
            let room = error.again_at(now).unwrap_or(now);
            deeds.again_by(room.max(now + PACED_PAUSE));
            return "withheld";
        }
        Err(error) => error,
    };
    if let Error::Conflict { .. } = &error {
        // Somebody changed the machine since it was read: it is read anew, and soon.
        rests.changed.remove(id);
        deeds.again_by(now + CONFLICT_REST);
    }
    tracing::warn!(machine = %id, %error, "the settings could not be changed");
    let note = Note {
        reason: "SettingsNotWritten".to_owned(),
        message: error.to_string(),
    };
    deeds
        .notes
        .insert((fleet.namespace.clone(), id.clone()), note);
    "failed"
}

/// Asks for the assessments of a plan.
pub(super) async fn assess(
    shell: &Shell,
    leadership: &Leadership,
    observed: &Observed,
    plan: &Plan,
    rests: &mut Rests,
    deeds: &mut Deeds,
) {
    let now = shell.clock.now();
    rests
        .assessed
        .retain(|_, (at, _)| now - *at < ASSESSMENT_REST);
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    let mut spent: BTreeSet<(&FleetKey, Pool)> = BTreeSet::new();
    for wanted in &plan.assessments {
        let (fleet, id) = (&wanted.fleet, &wanted.machine);
        if !rests.may_assess(wanted, now) {
            continue;
        }
        let cloud = observed.cloud_of(fleet);
        let place = cloud.and_then(|own| place_of(observed, fleet, id, own));
        let Some((cloud, kind, region)) = place else {
            continue;
        };
        let pool = (fleet, Pool::of(id, kind, region));
        if spent.contains(&pool) {
            continue;
        }
        let made = made.entry(&fleet.namespace).or_default();
        if *made == ASSESSMENTS_PER_PASS_MAX {
            deeds.again_by(now + ASSESSMENTS_PAUSE);
            continue;
        }
        *made += 1;
        if !leadership.may_send() {
            return;
        }
        let minute = u32::try_from(now.timestamp() / 60).unwrap_or_default();
        let request = request_id(&fleet.to_string(), id, minute, 0);
        let asked = cloud.assess(id, kind, request).await;
        deeds.answered(fleet, id, kind, "assess", asked.as_ref().err());
        if let Err(error @ Error::Throttled { .. }) = &asked {
            // The others of its pool fare alike; they come when there is room.
            deeds.unasked(error, now);
            spent.insert(pool);
            shell.telemetry.command("assess", "withheld");
            continue;
        }
        rests.assessed.insert(id.clone(), (now, asked.is_ok()));
        let outcome = if asked.is_ok() { "accepted" } else { "failed" };
        shell.telemetry.command("assess", outcome);
        if let Err(error) = asked {
            tracing::info!(machine = %id, %error, "the assessment could not be asked for");
            let note = Note {
                reason: "NotAssessed".to_owned(),
                message: error.to_string(),
            };
            deeds
                .notes
                .insert((fleet.namespace.clone(), id.clone()), note);
        }
    }
}

#[cfg(test)]
mod tests {
    // tests may unwrap
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::domain::fleet::FleetKey;

    #[test]
    fn a_verdict_waits_for_no_assessment_that_was_asked_for_before_its_command_ended() {
        let ended: DateTime<Utc> = "2026-07-18T23:00:00Z".parse().unwrap();
        let minutes = TimeDelta::minutes;
        // When one was asked for and taken on, when it is now, whether a verdict waits.
        let rows = [
            (None, 0, true, true),
            (Some((-300, true)), 10, true, true),
            (Some((-300, true)), 10, false, false),
            (Some((11, true)), 20, true, false),
            (Some((11, true)), 41, true, true),
            (Some((11, true)), 370, false, false),
            (Some((11, true)), 371, false, true),
            (Some((11, false)), 15, true, false),
            (Some((11, false)), 16, true, true),
            (Some((11, false)), 16, false, true),
        ];
        let machine = crate::domain::testkit::due_vm("vm1").machine().id;
        for (asked, now, judged, expected) in rows {
            let mut rests = Rests::default();
            if let Some((at, taken)) = asked {
                let asked = (ended + minutes(at), taken);
                rests.assessed.insert(machine.clone(), asked);
            }
            let wanted = Assessing {
                fleet: FleetKey {
                    namespace: "web".to_owned(),
                    name: "web".to_owned(),
                },
                machine: machine.clone(),
                newer_than: judged.then_some(ended),
            };
            let found = rests.may_assess(&wanted, ended + minutes(now));
            assert_eq!(found, expected, "{asked:?} at {now}, judged {judged}");
        }
    }
}
