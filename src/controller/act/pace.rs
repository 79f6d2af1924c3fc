//! How many intents are written at once: what the buckets let out in a few seconds.
//!
//! An intent that cannot be sent soon is worth nothing and would have to be taken back: what is
//! written ahead is what the buckets let out while the commands before it are sent. Where there is
//! not enough for all, fleets take turns. Must never add a command.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Deeds;
use super::runs::Work;
use crate::azure::Cloud;
use crate::azure::buckets::{Pool, shares};
use crate::controller::observe::Observed;
use crate::domain::command::Command;
use crate::domain::fleet::FleetKey;
use crate::domain::plan::{Note, RunKey};

/// The longest time for which intents are written ahead (design §4).
const INTENTS_AHEAD: TimeDelta = TimeDelta::seconds(15);

/// How soon a pass looks again at what a bucket did not let out. Its burst is much more than it
/// gets in that time, so that nothing runs over.
pub(super) const PACED_PAUSE: TimeDelta = TimeDelta::seconds(10);

/// How many installs each fleet was let through of a pool that has not enough for all.
type Served = BTreeMap<Pool, BTreeMap<FleetKey, u32>>;

/// What is known from the passes before. It can be lost.
#[derive(Default)]
pub(super) struct Pacing {
    /// Whose turn it is where a bucket has not enough for all.
    served: Served,
    /// How long Azure took to answer a command of the last pass that sent one.
    took: TimeDelta,
}

/// What a pool lets out.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// While the commands are sent.
    there: u32,
    /// How much more than now in [`PACED_PAUSE`].
    gain: u32,
}

impl Room {
    /// Returns how many of so many commands are worth a pass: each pass looks, writes and reads,
    /// so that a few that trickle in are waited for until there are more.
    fn worth(self, wanted: u32) -> u32 {
        let trickles = self.there.saturating_mul(2) < wanted.min(self.gain);
        if trickles { 0 } else { self.there }
    }
}

impl Pacing {
    /// Notes how long it took to send so many commands.
    pub(super) fn sent(&mut self, commands: usize, took: TimeDelta) {
        if let Some(one) = i32::try_from(commands)
            .ok()
            .and_then(|own| took.checked_div(own))
        {
            self.took = one.max(TimeDelta::zero());
        }
    }

    /// Returns for how long ahead intents for so many commands are written: until the last of them
    /// is on its way.
    fn ahead(&self, commands: usize) -> TimeDelta {
        let all = i32::try_from(commands).ok();
        let all = all.and_then(|own| self.took.checked_mul(own));
        all.map_or(INTENTS_AHEAD, |own| own.min(INTENTS_AHEAD))
    }
}

/// Withdraws what the buckets would not let out soon.
pub(super) fn pace(
    observed: &Observed,
    work: &mut BTreeMap<RunKey, Work>,
    pacing: &mut Pacing,
    deeds: &mut Deeds,
    now: DateTime<Utc>,
) {
    withhold(observed, work, deeds, now);
    let all = work.values().map(|own| own.planned.len()).sum();
    let (wanted, room) = wishes(observed, work, pacing.ahead(all));
    let served = &mut pacing.served;
    served.retain(|pool, _| wanted.contains_key(pool));
    let mut left: BTreeMap<Pool, BTreeMap<FleetKey, u32>> = BTreeMap::new();
    for (pool, wanted) in &wanted {
        let all = wanted.values().copied().fold(0, u32::saturating_add);
        let there = room.get(pool).map_or(0, |own| own.worth(all));
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

/// Withdraws what Azure said that it takes later only, by `Retry-After` or by an empty bucket.
fn withhold(
    observed: &Observed,
    work: &mut BTreeMap<RunKey, Work>,
    deeds: &mut Deeds,
    now: DateTime<Utc>,
) {
    for own in work.values_mut() {
        let Some(cloud) = cloud_of(observed, own).cloned() else {
            continue;
        };
        let (run, namespace) = (&own.run, &own.run.fleet.namespace);
        own.planned.retain(|(id, command)| {
            let machine = run.terms.machines.get(id);
            let region = machine.map_or("", |own| own.placement.region.as_str());
            let room = cloud
                .in_region(region)
                .has_room(id, *command, INTENTS_AHEAD);
            let Err(error) = room else {
                return true;
            };
            deeds.unasked(&error, now);
            let note = Note {
                reason: "Paced".to_owned(),
                // Without the seconds: each pass would write others.
                message: "Azure takes no such command for it for now".to_owned(),
            };
            deeds.notes.insert((namespace.clone(), id.clone()), note);
            false
        });
    }
}

fn cloud_of<'a>(observed: &'a Observed, work: &Work) -> Option<&'a Cloud> {
    let account = &work.run.terms.service_account;
    observed.cloud(&work.run.fleet.namespace, account)
}

/// Returns how many installs each fleet wants of each pool, and how many each pool has in a time.
fn wishes(
    observed: &Observed,
    work: &BTreeMap<RunKey, Work>,
    ahead: TimeDelta,
) -> (Served, BTreeMap<Pool, Room>) {
    let mut wanted = Served::new();
    let mut room = BTreeMap::new();
    for own in work.values() {
        let Some(cloud) = cloud_of(observed, own) else {
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
                let within = |time| cloud.installs_within(id, time);
                let now = within(TimeDelta::zero());
                Room {
                    there: within(ahead),
                    gain: within(PACED_PAUSE).saturating_sub(now),
                }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]

    use std::sync::Arc;

    use bytes::Bytes;
    use futures::future::BoxFuture;

    use super::*;
    use crate::azure::{Endpoint, Token, Transport, TransportError};
    use crate::controller::act::runs::gather;
    use crate::domain::command::RequestId;
    use crate::domain::machine::{Machine, MachineKind};
    use crate::domain::plan::{Send, plan};
    use crate::domain::testkit::{closes, domain, due_vm, fleet, opens, run, snapshot};

    /// Pacing asks nobody.
    struct Nowhere;

    impl Transport for Nowhere {
        fn send(
            &self,
            _: http::Request<Bytes>,
        ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
            let nobody = TransportError::NotSent("nobody is there".to_owned());
            Box::pin(std::future::ready(Err(nobody)))
        }
    }

    /// Two fleets of one namespace, with a run each, that want these many installs.
    fn wanting(wants: [usize; 2]) -> (Observed, BTreeMap<RunKey, Work>) {
        let now: DateTime<Utc> = opens();
        let fleets = ["a", "b"].map(fleet);
        let machines: Vec<Vec<Machine>> = ["a", "b"]
            .iter()
            .zip(wants)
            .map(|(name, count)| {
                let names = (0..count).map(|number| format!("{name}{number:03}"));
                names.map(|name| due_vm(&name).machine()).collect()
            })
            .collect();
        let all: Vec<Machine> = machines.iter().flatten().cloned().collect();
        let mut domain = domain(fleets.clone(), all, now);
        let mut sends = Vec::new();
        for (fleet, machines) in fleets.iter().zip(&machines) {
            let run = run(fleet, &machines.iter().collect::<Vec<_>>());
            let key = RunKey::of(&run);
            sends.extend(machines.iter().map(|machine| Send {
                run: key.clone(),
                machine: machine.id.clone(),
                command: Command::Finish,
                until: closes(),
            }));
            domain.runs.insert(run.name.clone(), run);
        }
        let namespace = fleets[0].key.namespace.clone();
        let account = domain.runs.values().next().unwrap();
        let account = account.terms.service_account.clone();
        let endpoint = Endpoint::parse(Endpoint::PUBLIC).unwrap();
        let cloud = Cloud::new(Arc::new(Nowhere), endpoint, Token::new("t").unwrap());
        let cloud = cloud.paced(Arc::default(), "operator", Arc::new(opens));
        let mut plan = plan(&snapshot(domain.clone()), now);
        plan.sends = sends;
        let observed = Observed {
            snapshot: snapshot(domain),
            declared: BTreeMap::new(),
            clouds: BTreeMap::from([((namespace, account), cloud)]),
            changes: 0,
        };
        let work = gather(&observed, &plan);
        (observed, work)
    }

    #[test]
    fn no_more_is_intended_than_goes_out_soon_and_fleets_take_turns() {
        // Writes are the tightest bucket: 200 at once.
        let rows = [
            ([150, 40], [150, 40]),
            ([250, 40], [160, 40]),
            ([250, 250], [100, 100]),
            ([0, 300], [0, 200]),
        ];
        for (wants, expected) in rows {
            let (observed, mut work) = wanting(wants);
            let (mut pacing, mut deeds) = (Pacing::default(), Deeds::default());
            pace(&observed, &mut work, &mut pacing, &mut deeds, opens());
            let mut found = [0, 0];
            for own in work.values() {
                found[usize::from(own.run.fleet.name == "b")] += own.planned.len();
            }
            assert_eq!(found, expected, "{wants:?}");
            let withheld: usize = wants.iter().sum::<usize>() - expected.iter().sum::<usize>();
            assert_eq!(deeds.notes.len(), withheld, "{wants:?}");
            assert!(deeds.notes.values().all(|note| note.reason == "Paced"));
            assert_eq!(deeds.again_at.is_some(), withheld > 0, "{wants:?}");
        }
    }

    #[test]
    fn intents_are_written_ahead_for_as_long_as_sending_takes() {
        // Commands sent before and how long they took in all, commands wanted, and how far ahead.
        let rows = [
            (0, 0, 500, 0),
            (10, 0, 500, 0),
            (10, 5_000, 0, 0),
            (10, 5_000, 8, 4_000),
            (10, 5_000, 30, 15_000),
            (10, 5_000, 500, 15_000),
            (10, -5_000, 500, 0),
        ];
        for (commands, took, wanted, expected) in rows {
            let mut pacing = Pacing::default();
            pacing.sent(commands, TimeDelta::milliseconds(took));
            let ahead = pacing.ahead(wanted);
            assert_eq!(
                ahead,
                TimeDelta::milliseconds(expected),
                "{commands} in {took} ms"
            );
        }
    }

    #[test]
    fn a_few_that_trickle_in_are_waited_for() {
        // What is there, what more comes soon, how many are wanted, and how many go.
        let rows = [
            (0, 33, 100, 0),
            (6, 33, 100, 0),
            (16, 33, 100, 0),
            (17, 33, 100, 17),
            (6, 33, 12, 6),
            (5, 33, 12, 0),
            (1, 0, 100, 1),
            (600, 0, 100, 600),
            (u32::MAX, 0, 100, u32::MAX),
        ];
        for (there, gain, wanted, expected) in rows {
            let room = Room { there, gain };
            assert_eq!(room.worth(wanted), expected, "{room:?} {wanted}");
        }
    }

    #[test]
    fn a_bucket_that_is_nearly_empty_lets_out_what_fills_it_while_commands_are_sent() {
        // Ten of the 200 writes are left, and ten more come each second. How long a command took
        // before, and how many of 100 are intended.
        for (took, expected) in [(0, 0), (1_000, 100)] {
            let (observed, mut work) = wanting([100, 0]);
            let cloud = observed.clouds.values().next().unwrap();
            let ids: Vec<_> = work.values().flat_map(|own| own.planned.clone()).collect();
            let draw = async {
                for (number, (id, _)) in ids.iter().cycle().take(190).enumerate() {
                    let request = RequestId(number.to_string());
                    // Nobody is there to answer; what was drawn is drawn.
                    drop(cloud.restart(id, MachineKind::AzureVm, request).await);
                }
            };
            futures::executor::block_on(draw);
            let (mut pacing, mut deeds) = (Pacing::default(), Deeds::default());
            pacing.sent(1, TimeDelta::milliseconds(took));
            pace(&observed, &mut work, &mut pacing, &mut deeds, opens());
            let found: usize = work.values().map(|own| own.planned.len()).sum();
            assert_eq!(found, expected, "{took} ms");
            assert_eq!(deeds.again_at.is_some(), found < 100, "{took} ms");
        }
    }
}
