//! How many intents are written at once: what the buckets let out in a few seconds.
//!
//! An intent that cannot be sent soon is worth nothing and would have to be taken back. Where there
//! is not enough for all, fleets take turns. Must never add a command.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::Deeds;
use super::runs::Work;
use crate::azure::buckets::{Pool, shares};
use crate::controller::observe::Observed;
use crate::domain::command::Command;
use crate::domain::fleet::FleetKey;
use crate::domain::plan::{Note, RunKey};

/// The time for which intents are written ahead (design §4).
pub(super) const INTENTS_AHEAD: TimeDelta = TimeDelta::seconds(15);

/// How soon a pass looks again at what a bucket did not let out.
const PACED_PAUSE: TimeDelta = TimeDelta::seconds(5);

/// How many installs each fleet was let through of a pool that has not enough for all.
pub(super) type Served = BTreeMap<Pool, BTreeMap<FleetKey, u32>>;

/// Withdraws what the buckets would not let out soon.
pub(super) fn pace(
    observed: &Observed,
    work: &mut BTreeMap<RunKey, Work>,
    served: &mut Served,
    deeds: &mut Deeds,
    now: chrono::DateTime<chrono::Utc>,
) {
    let (wanted, room) = wishes(observed, work);
    served.retain(|pool, _| wanted.contains_key(pool));
    let mut left: BTreeMap<Pool, BTreeMap<FleetKey, u32>> = BTreeMap::new();
    for (pool, wanted) in &wanted {
        let there = room.get(pool).copied().unwrap_or(0);
        let before = served.entry(pool.clone()).or_default();
        let given = shares(wanted, before, there);
        if given == *wanted {
            before.clear();
        } else {
            for (fleet, count) in &given {
                *before.entry(fleet.clone()).or_insert(0) += count;
            }
        }
        left.insert(pool.clone(), given);
    }
    for own in work.values_mut() {
        let fleet = own.run.fleet.clone();
        let planned = std::mem::take(&mut own.planned);
        for (id, command) in planned {
            let Some(pool) = pool_of(own, &id, command) else {
                own.planned.push((id, command));
                continue;
            };
            let share = left.get_mut(&pool).and_then(|own| own.get_mut(&fleet));
            match share {
                Some(share) if *share > 0 => {
                    *share -= 1;
                    own.planned.push((id, command));
                }
                _ => {
                    let note = Note {
                        reason: "Paced".to_owned(),
                        message: format!("Azure lets no more installs out of {pool} for now"),
                    };
                    deeds.notes.insert((fleet.namespace.clone(), id), note);
                    deeds.again_by(now + PACED_PAUSE);
                }
            }
        }
    }
}

/// Returns how many installs each fleet wants of each pool, and how many each pool has.
fn wishes(observed: &Observed, work: &BTreeMap<RunKey, Work>) -> (Served, BTreeMap<Pool, u32>) {
    let mut wanted = Served::new();
    let mut room = BTreeMap::new();
    for own in work.values() {
        let Some(cloud) = observed.clouds.get(&own.run.fleet.namespace) else {
            continue;
        };
        for (id, command) in &own.planned {
            let Some(pool) = pool_of(own, id, *command) else {
                continue;
            };
            room.entry(pool.clone()).or_insert_with(|| {
                let machine = own.run.terms.machines.get(id);
                let region = machine.map_or("", |own| own.placement.region.as_str());
                let cloud = cloud.in_region(region);
                cloud.installs_within(id, INTENTS_AHEAD)
            });
            let fleets = wanted.entry(pool).or_default();
            *fleets.entry(own.run.fleet.clone()).or_insert(0) += 1;
        }
    }
    (wanted, room)
}

/// Names the pool that a command draws on; a restart draws on none that is scarce.
fn pool_of(work: &Work, id: &crate::domain::machine::MachineId, command: Command) -> Option<Pool> {
    let machine = work.run.terms.machines.get(id)?;
    let is_install = matches!(command, Command::Stage | Command::Finish);
    is_install.then(|| Pool::of(id, machine.kind, &machine.placement.region))
}
