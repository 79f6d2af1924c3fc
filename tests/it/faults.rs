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
use http::Method;

use crate::rehearsal::{FLEET, NIGHTS, QUICK, options, paused};

/// Two hours before the first window after the hotpatch of June 2025.
const EVE: &str = "2025-06-10T16:00:00Z";

const KB: &str = "5060841";

/// The same before the baseline of July 2025, and its KB.
const EVE_OF_BASELINE: &str = "2025-07-08T16:00:00Z";
const KB_OF_BASELINE: &str = "5062553";

/// What is rolled out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Story {
    /// A hotpatch: one install for each machine.
    Hotpatch,
    /// A baseline of which each machine owes its reboot after the install, so that a restart of
    /// its own follows.
    Owed,
}

/// The longest that a rollout may take with a fault in it.
const PATIENCE: TimeDelta = TimeDelta::days(9);

/// How long absence must last to prove that a command never arrived: on a VM, and on a machine
/// whose agent keeps what was sent while it was away.
const HORIZON_VM: TimeDelta = TimeDelta::hours(2);
const HORIZON_ARC: TimeDelta = TimeDelta::hours(7);

/// An install that the operator sent, or another command.
#[derive(Clone, Debug)]
struct Post {
    at: DateTime<Utc>,
    what: &'static str,
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
    /// The restarts and assessments that it asked for, also those by a script.
    others: Vec<Post>,
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
    /// What was said of each machine, in its record and in its run, by its name.
    of_machines: BTreeSet<(String, String)>,
    /// Reboots of each machine, by its name.
    reboots: BTreeMap<String, u32>,
    /// Machines that owe a reboot in the end.
    owing: Vec<String>,
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

    /// Gives what each command of a kind to a machine was answered, in order.
    fn answers(&self, what: &str, machine: &str) -> Vec<Option<u16>> {
        let all = self.posts.iter().chain(&self.others);
        let own = all.filter(|own| own.what == what && own.machine == machine);
        own.map(|post| post.answered).collect()
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

/// Returns the machine of a command, and what it does; none where the request is no command.
fn commanded<'a>(method: &Method, path: &'a str) -> Option<(&'a str, &'static str)> {
    const LOCAL: &str = "/providers/microsoft.azurestackhci/virtualmachineinstances/default";
    if *method == Method::PUT {
        let (id, _) = path.split_once("/runcommands/")?;
        return Some((id, "script"));
    }
    let (id, verb) = path.rsplit_once('/')?;
    let what = match (method == Method::POST, verb) {
        (true, "installpatches") => "install",
        (true, "restart") => "restart",
        (true, "assesspatches") => "assess",
        _ => return None,
    };
    Some((id.strip_suffix(LOCAL).unwrap_or(id), what))
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
        } else if let Some((id, what)) = commanded(request.method(), &path) {
            counted.open = Some(counted.posts.len());
            counted.posts.push(Post {
                at: clock(),
                what,
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

/// Returns the name of a machine.
fn named(id: &str) -> String {
    id.rsplit('/').next().unwrap_or_default().to_lowercase()
}

/// Notes what the operator has written.
fn note(world: &World, told: &mut Told) {
    for run in world.runs.values() {
        for own in run.status.iter().flat_map(|own| &own.machines) {
            told.steps.insert(own.step.clone());
            let says = own.message.clone().unwrap_or_default();
            told.of_machines.insert((named(&own.id), says));
        }
    }
    for record in world.records.values() {
        let name = named(record["spec"]["resourceId"].as_str().unwrap_or_default());
        let says = record["status"].to_string();
        told.of_machines.insert((name, says));
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

fn is_over(world: &World, story: Story) -> bool {
    let kb = match story {
        Story::Hotpatch => KB,
        Story::Owed => KB_OF_BASELINE,
    };
    let has = |own: &hotpatch_operator::rehearsal::truth::Truth| own.installed.contains(kb);
    let ended = |own: &Arc<hotpatch_operator::api::HotpatchRun>| {
        let status = own.status.as_ref();
        status.is_some_and(|status| status.completed_at.is_some())
    };
    world.machines.values().all(has) && !world.runs.is_empty() && world.runs.values().all(ended)
}

/// Begins a story; of one with reboots owed, the first reboot that an install wants on each
/// machine does not come about.
async fn begin(story: Story) -> Rehearsal {
    let manifests = [QUICK, NIGHTS, FLEET];
    let epoch = match story {
        Story::Hotpatch => EVE,
        Story::Owed => EVE_OF_BASELINE,
    };
    let mut options = options(1, epoch.parse().unwrap(), &manifests);
    options.run_commands = story == Story::Owed;
    let own = Rehearsal::new(options).await.unwrap();
    let ids: Vec<String> = own.look(|world| world.facts.keys().cloned().collect());
    for id in ids.iter().filter(|_| story == Story::Owed) {
        own.azure.keep_up(id);
    }
    own
}

/// Plays a rollout of a hotpatch with faults, which are switched off after so many hours.
fn play(faults: &[&str], off_after_hours: i64) -> Told {
    play_of(Story::Hotpatch, faults, off_after_hours)
}

fn play_of(story: Story, faults: &[&str], off_after_hours: i64) -> Told {
    paused(async {
        let mut own = begin(story).await;
        let epoch = own.now();
        let counted = count(&own);
        for text in faults {
            let rule: Rule = text.parse().unwrap();
            own.azure.switchboard().set(rule).unwrap();
        }
        let mut told = Told {
            posts: Vec::new(),
            others: Vec::new(),
            log_reads: 0,
            queries: 0,
            steps: BTreeSet::new(),
            complaints: BTreeSet::new(),
            said: BTreeSet::new(),
            of_machines: BTreeSet::new(),
            reboots: BTreeMap::new(),
            owing: Vec::new(),
            ended: epoch,
            struck: 0,
        };
        let off = epoch + TimeDelta::hours(off_after_hours);
        for limit in [off, epoch + PATIENCE] {
            let looked = own.run_until(
                |world, _| {
                    note(world, &mut told);
                    is_over(world, story)
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
        let all = counted.posts.iter().cloned();
        (told.posts, told.others) = all.partition(|post| post.what == "install");
        told.log_reads = counted.log_reads;
        told.queries = counted.queries;
        ends(&own, &mut told);
        judge(story, faults, &own, &told);
        told
    })
}

/// Puts down how the machines stand in the end.
fn ends(own: &Rehearsal, told: &mut Told) {
    for effect in own.azure.effects_since(0) {
        if matches!(effect.what, What::RebootStarted { .. }) {
            *told.reboots.entry(named(&effect.machine_id)).or_default() += 1;
        }
    }
    let views = own.azure.machines().into_iter();
    let owing = views.filter(|view| !view.pending_reboot.is_empty());
    told.owing = owing.map(|view| named(&view.id)).collect();
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
fn judge(story: Story, faults: &[&str], own: &Rehearsal, told: &Told) {
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
    // A reboot that one night's install leaves owed is what the next night's is for.
    let most = if story == Story::Owed { 2 } else { 1 };
    assert!(
        accepted.values().all(|count| *count <= most),
        "{faults:?}: {accepted:?}"
    );
    let asks = |own: &&Post| own.what != "assess";
    let commands: Vec<&Post> = told.posts.iter().chain(&told.others).filter(asks).collect();
    for (index, post) in commands.iter().enumerate() {
        let mut later = commands[index + 1..].iter();
        let same = |own: &&&Post| own.machine == post.machine && own.what == post.what;
        let Some(next) = later.find(same) else {
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
