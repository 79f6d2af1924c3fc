//! Each fault of the emulator's switchboard against the whole operator, in one rollout of a
//! hotpatch over six machines: what it did, by the requests that reached the emulator, and by what
//! it wrote.
//!
//! In all of them a command whose outcome was unknown is not sent again unless it is proved that it
//! never arrived, no machine accepts two, every checker holds, and the rollout ends by itself when
//! the fault is over.

// Tests may unwrap: a panic is how they fail.
#![allow(clippy::unwrap_used)]

mod commands;
mod denied;
mod reads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use azure_sim::switchboard::Rule;
use azure_sim::{CallOperation, Fault, What};
use chrono::{DateTime, TimeDelta, Utc};
use hotpatch_operator::rehearsal::world::World;
use hotpatch_operator::rehearsal::{Ended, Rehearsal};

use crate::rehearsal::{FLEET, NIGHTS, QUICK, options, paused};

/// Two hours before the first window after the hotpatch of June 2025.
const EVE: &str = "2025-06-10T16:00:00Z";

const KB: &str = "5060841";

/// The longest that a rollout may take with a fault in it.
const PATIENCE: TimeDelta = TimeDelta::days(9);

/// How long absence must last to prove that a command never arrived: on a VM, and on a machine
/// whose agent keeps what was sent while it was away.
const HORIZON_VM: TimeDelta = TimeDelta::hours(2);
const HORIZON_ARC: TimeDelta = TimeDelta::hours(7);

/// An install that the operator sent.
#[derive(Clone, Debug)]
struct Post {
    at: DateTime<Utc>,
    /// The machine's name.
    machine: String,
    is_arc: bool,
    /// What the emulator answered, also where the answer was lost; none where the call was.
    answered: Option<u16>,
}

impl Post {
    /// Tells whether the operator cannot know from the answer what became of it.
    fn is_unknown(&self) -> bool {
        self.answered.is_none_or(|status| status >= 500)
    }
}

/// What a rollout with a fault came to.
struct Told {
    posts: Vec<Post>,
    /// Reads of the Activity Log.
    log_reads: u32,
    /// Queries of Resource Graph.
    queries: u32,
    /// Steps in which each machine was written down, in the order of their names.
    steps: BTreeSet<String>,
    /// Conditions of the fleet that were ever false or unknown, with their reasons.
    complaints: BTreeSet<String>,
    /// What conditions of the fleet that were not true said.
    said: BTreeSet<String>,
    /// When every machine had the hotpatch and every run had ended.
    ended: DateTime<Utc>,
    /// How often the faults struck.
    struck: u32,
}

impl Told {
    /// Counts the posts that were answered so.
    fn answered(&self, status: Option<u16>) -> usize {
        let own = self.posts.iter();
        own.filter(|post| post.answered == status).count()
    }

    fn has_been(&self, step: &str) -> bool {
        self.steps.contains(step)
    }

    /// Gives the seconds between each refused command and the next one to the same machine.
    fn waits_after(&self, status: u16) -> Vec<i64> {
        let posts = self.posts.iter().enumerate();
        let refused = posts.filter(|(_, post)| post.answered == Some(status));
        let wait = |(index, post): (usize, &Post)| {
            let mut later = self.posts[index + 1..].iter();
            let next = later.find(|own| own.machine == post.machine)?;
            Some((next.at - post.at).num_seconds())
        };
        refused.filter_map(wait).collect()
    }
}

/// What is counted at the emulator's door.
#[derive(Default)]
struct Counted {
    posts: Vec<Post>,
    log_reads: u32,
    queries: u32,
    /// The number of the post whose answer is awaited.
    open: Option<usize>,
}

/// Counts every request at the door, whether the switchboard lets it in or not.
fn count(own: &Rehearsal) -> Arc<Mutex<Counted>> {
    let counted = Arc::<Mutex<Counted>>::default();
    let clock = own.shared_clock();
    let at_door = Arc::clone(&counted);
    own.azure.on_call(move |request| {
        let path = request.uri().path().to_lowercase();
        let mut counted = at_door.lock().unwrap();
        counted.open = None;
        if path.contains("microsoft.insights/eventtypes") {
            counted.log_reads += 1;
        } else if path.contains("microsoft.resourcegraph") {
            counted.queries += 1;
        } else if let Some(id) = path.strip_suffix("/installpatches") {
            counted.open = Some(counted.posts.len());
            counted.posts.push(Post {
                at: clock(),
                machine: id.rsplit('/').next().unwrap().to_owned(),
                is_arc: path.contains("hybridcompute"),
                answered: None,
            });
        }
        Fault::None
    });
    let answered = Arc::clone(&counted);
    own.azure.after_call(move |_, _, status| {
        let mut counted = answered.lock().unwrap();
        if let Some(open) = counted.open.take() {
            counted.posts[open].answered = Some(status);
        }
    });
    counted
}

/// Notes what the operator has written.
fn note(world: &World, told: &mut Told) {
    for run in world.runs.values() {
        let machines = run.status.iter().flat_map(|own| &own.machines);
        told.steps.extend(machines.map(|own| own.step.clone()));
    }
    for (_, fleet) in world.fleets.all_at(world.now) {
        let conditions = fleet.status.iter().flat_map(|own| &own.conditions);
        for own in conditions.filter(|own| own.status != "True") {
            told.complaints
                .insert(format!("{} {}", own.type_, own.reason));
            told.said.insert(own.message.clone());
        }
    }
}

fn is_over(world: &World) -> bool {
    let has = |own: &hotpatch_operator::rehearsal::truth::Truth| own.installed.contains(KB);
    let ended = |own: &Arc<hotpatch_operator::api::HotpatchRun>| {
        let status = own.status.as_ref();
        status.is_some_and(|status| status.completed_at.is_some())
    };
    world.machines.values().all(has) && !world.runs.is_empty() && world.runs.values().all(ended)
}

/// Plays a rollout with faults, which are switched off after so many hours.
fn play(faults: &[&str], off_after_hours: i64) -> Told {
    paused(async {
        let manifests = [QUICK, NIGHTS, FLEET];
        let epoch: DateTime<Utc> = EVE.parse().unwrap();
        let mut own = Rehearsal::new(options(1, epoch, &manifests)).await.unwrap();
        let counted = count(&own);
        for text in faults {
            let rule: Rule = text.parse().unwrap();
            own.azure.switchboard().set(rule).unwrap();
        }
        let mut told = Told {
            posts: Vec::new(),
            log_reads: 0,
            queries: 0,
            steps: BTreeSet::new(),
            complaints: BTreeSet::new(),
            said: BTreeSet::new(),
            ended: epoch,
            struck: 0,
        };
        let off = epoch + TimeDelta::hours(off_after_hours);
        for limit in [off, epoch + PATIENCE] {
            let looked = own.run_until(
                |world, _| {
                    note(world, &mut told);
                    is_over(world)
                },
                limit,
            );
            match looked.await {
                Ended::Reached => break,
                Ended::TimeUp if limit == off => {
                    let standing = own.azure.switchboard().standing();
                    told.struck = standing.iter().map(|own| own.struck).sum();
                    own.azure.switchboard().clear();
                }
                other => panic!("{faults:?}: {other:?} at {}: {}", own.now(), why(&own)),
            }
        }
        let standing = own.azure.switchboard().standing();
        told.struck += standing.iter().map(|own| own.struck).sum::<u32>();
        told.ended = own.now();
        let counted = counted.lock().unwrap();
        told.posts.clone_from(&counted.posts);
        told.log_reads = counted.log_reads;
        told.queries = counted.queries;
        judge(faults, &own, &told);
        told
    })
}

/// Shows where the runs stand.
fn why(own: &Rehearsal) -> String {
    own.look(|world| {
        let runs = world.runs.values();
        let each = runs.filter_map(|run| serde_json::to_string(&run.status).ok());
        each.collect::<Vec<String>>().join("\n")
    })
}

/// What holds whatever the fault.
fn judge(faults: &[&str], own: &Rehearsal, told: &Told) {
    let violations: Vec<String> = own.violations().iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{faults:?}: {violations:#?}");
    let mut accepted = BTreeMap::<String, u32>::new();
    for effect in own.azure.effects_since(0) {
        if let What::CallAccepted(call) = &effect.what
            && call.operation == CallOperation::Install
        {
            *accepted.entry(effect.machine_id).or_default() += 1;
        }
    }
    assert!(
        accepted.values().all(|count| *count == 1),
        "{faults:?}: {accepted:?}"
    );
    for (index, post) in told.posts.iter().enumerate() {
        let mut later = told.posts[index + 1..].iter();
        let Some(next) = later.find(|own| own.machine == post.machine) else {
            continue;
        };
        let horizon = if post.is_arc { HORIZON_ARC } else { HORIZON_VM };
        let is_proved = next.at - post.at >= horizon;
        assert!(
            !post.is_unknown() || is_proved,
            "{faults:?}: {post:?}, then {next:?}"
        );
    }
}
