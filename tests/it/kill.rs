//! The operator's own binary, killed with -9 in the very instant in which Azure gets a command,
//! and started again: what then happens is counted at the emulated machines.

// tests may unwrap
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use azure_sim::serve::{CallerClock, Served};
use azure_sim::{AzureSim, CallOperation, Fault, What};
use chrono::{DateTime, TimeDelta, Utc};
use hotpatch_operator::rehearsal::population::Population;
use hotpatch_operator::rehearsal::setup::set_up;
use kube_sim::KubeSim;
use kube_sim::http::{Server, Serving};
use serde_json::Value;

use crate::operator::{Operator, Start};
use crate::rehearsal::{FLEET, NIGHTS, QUICK};

/// The day before the hotpatch of June 2025, and an hour before its release.
const EPOCH: &str = "2025-06-09T08:00:00Z";
const START: &str = "2025-06-10T16:00:00Z";
const HOTPATCH_KB: &str = "5060841";

/// An hour before the baseline of July 2025.
const AGAIN: &str = "2025-07-08T16:00:00Z";
const BASELINE_KB: &str = "5062553";

/// Kills of each kind that `make test` tries; `HOTPATCH_KILLS` asks for more.
const KILLS_BY_DEFAULT: u32 = 4;

/// Worlds that are played at once at most; each mostly waits for its sockets to be quiet.
const LANES_MAX: u32 = 4;

/// What a restarted process finds that its predecessor left: so much time has passed at least.
const RESTART_AFTER: TimeDelta = TimeDelta::seconds(20);

/// The longest that one rollout may take, in real time, in steps of [`STEP`].
const STEPS_MAX: u32 = 6_000;

const STEP: Duration = Duration::from_millis(20);

/// How fast the operator's time may run: as fast as it can.
const SPEED: u32 = u32::MAX;

const TOKEN: &str = "kill-token-41c7d09be2";

/// What befalls a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    /// Azure accepts it, and the process is dead before the answer: between the intent and the
    /// recorded operation.
    KilledAccepted,
    /// The process is dead before Azure gets it.
    KilledUnsent,
    /// Azure accepts it and the answer is lost; the process lives.
    ReplyLost,
}

const BLOWS: [Blow; 3] = [Blow::KilledAccepted, Blow::ReplyLost, Blow::KilledUnsent];

/// What strikes each machine's first command, and what was struck.
#[derive(Default)]
struct Striker {
    process: Option<u32>,
    struck: BTreeMap<String, Blow>,
    next: usize,
}

impl Striker {
    fn strike(&mut self, path: &str) -> Fault {
        let Some(machine) = path.strip_suffix("/installpatches") else {
            return Fault::None;
        };
        if self.struck.contains_key(machine) {
            return Fault::None;
        }
        let blow = BLOWS[self.next % BLOWS.len()];
        self.next += 1;
        self.struck.insert(machine.to_owned(), blow);
        if blow != Blow::ReplyLost {
            let id = self
                .process
                .take()
                .expect("a process that sends")
                .to_string();
            let killed = Command::new("kill").args(["-KILL", &id]).status();
            assert!(killed.is_ok_and(|status| status.success()), "kill -9 {id}");
        }
        match blow {
            Blow::KilledAccepted | Blow::ReplyLost => Fault::DropAfter,
            Blow::KilledUnsent => Fault::DropBefore,
        }
    }
}

/// One world in which a rollout is struck at each machine.
struct Arena {
    operator: Option<Operator>,
    kube: KubeSim,
    azure: AzureSim,
    clock: CallerClock,
    striker: Arc<Mutex<Striker>>,
    fit: BTreeSet<String>,
    /// Serves until the arena is gone.
    _kube_served: Serving,
    azure_served: Served,
    folder: PathBuf,
    lives: u32,
    /// Steps in which a machine stood in the log when the process came back, with their counts.
    found: BTreeMap<String, u32>,
}

impl Arena {
    async fn new(seed: u64) -> Self {
        let clock = CallerClock::starting_at(instant(EPOCH));
        let kube = KubeSim::new(clock.as_clock());
        let options = azure_sim::Options {
            seed,
            tokens: BTreeMap::from([(TOKEN.to_owned(), "operator".to_owned())]),
            ..azure_sim::Options::default()
        };
        let azure = AzureSim::new(clock.as_clock(), options);
        let facts = Population::small().place(&azure);
        let fit = facts.iter().filter(|own| own.unfit.is_none());
        let fit = fit.map(|own| own.id.clone()).collect();
        let manifests = [QUICK, NIGHTS, FLEET].map(str::to_owned);
        set_up(&kube.client(), &manifests).await.unwrap();
        let striker = Arc::<Mutex<Striker>>::default();
        let own = Arc::clone(&striker);
        azure.on_call(move |request| {
            let path = request.uri().path().to_ascii_lowercase();
            own.lock().unwrap().strike(&path)
        });
        let folder = std::env::temp_dir().join(format!("kill-{seed}-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let kube_served = Server::bind(kube.clone(), "127.0.0.1:0".parse().unwrap()).unwrap();
        std::fs::write(folder.join("kubeconfig"), kube_served.kubeconfig()).unwrap();
        std::fs::write(folder.join("token"), TOKEN).unwrap();
        Self {
            operator: None,
            azure_served: Served::start(azure.clone(), clock.clone()).unwrap(),
            kube,
            azure,
            clock,
            striker,
            fit,
            _kube_served: kube_served,
            folder,
            lives: 0,
            found: BTreeMap::new(),
        }
    }

    fn start(&mut self, from: DateTime<Utc>) {
        self.clock.move_to(from);
        let operator = Operator::start(&Start {
            kubeconfig: &self.folder.join("kubeconfig"),
            endpoint: &self.azure_served.endpoint(),
            token: &self.folder.join("token"),
            folder: &self.folder,
            from: &from.to_rfc3339(),
            speed: SPEED,
        });
        self.striker.lock().unwrap().process = Some(operator.id());
        self.operator = Some(operator);
        self.lives += 1;
    }

    /// Plays a rollout to its end, starting the process again whenever it was killed.
    async fn play(&mut self, from: &str, kb: &str) {
        self.striker.lock().unwrap().struck.clear();
        self.start(instant(from).max(self.clock.now()));
        for _ in 0..STEPS_MAX {
            if self.operator.as_mut().is_some_and(Operator::has_ended) {
                let was_killed = self.striker.lock().unwrap().process.is_none();
                assert!(
                    was_killed,
                    "the operator ended by itself:\n{}",
                    self.words()
                );
                self.note_steps();
                self.start(self.clock.now() + RESTART_AFTER);
            }
            if self.is_done(kb) {
                self.operator = None;
                return;
            }
            tokio::time::sleep(STEP).await;
        }
        panic!("not done at {}:\n{}", self.clock.now(), self.words());
    }

    fn words(&self) -> String {
        self.operator
            .as_ref()
            .map(Operator::last_words)
            .unwrap_or_default()
    }

    fn runs(&self) -> Vec<Arc<Value>> {
        self.kube.list_objects("hotpatchruns.hotpatch.dev")
    }

    fn is_done(&self, kb: &str) -> bool {
        let machines = self.azure.machines();
        let has = |id: &String| {
            let found = machines.iter().find(|own| own.id.eq_ignore_ascii_case(id));
            found.is_some_and(|own| own.installed.contains(kb) && own.pending_reboot.is_empty())
        };
        let is_over = |run: &Arc<Value>| !run["status"]["completedAt"].is_null();
        self.fit.iter().all(has) && self.runs().iter().all(is_over)
    }

    /// Notes where the killed process left the machines of open runs.
    fn note_steps(&mut self) {
        for run in self.runs() {
            if !run["status"]["completedAt"].is_null() {
                continue;
            }
            for machine in run["status"]["machines"].as_array().into_iter().flatten() {
                let step = machine["step"].as_str().unwrap_or("none").to_owned();
                *self.found.entry(step).or_default() += 1;
            }
        }
    }

    /// Returns what was struck, and the machines that accepted more than one command.
    fn count(&self, since: &str) -> (BTreeMap<Blow, u32>, Vec<String>) {
        let since = instant(since);
        let mut accepted = BTreeMap::<String, u32>::new();
        for effect in self.azure.effects_since(0) {
            let What::CallAccepted(call) = &effect.what else {
                continue;
            };
            if effect.at >= since && call.operation == CallOperation::Install {
                *accepted.entry(effect.machine_id.clone()).or_default() += 1;
            }
        }
        let mut blows = BTreeMap::new();
        for blow in self.striker.lock().unwrap().struck.values() {
            *blows.entry(*blow).or_default() += 1;
        }
        let twice = accepted.into_iter().filter(|(_, count)| *count > 1);
        (
            blows,
            twice.map(|(id, count)| format!("{count} × {id}")).collect(),
        )
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        drop(self.operator.take());
        self.azure.clear_hooks();
        if std::thread::panicking() {
            eprintln!("the operator's log is kept in {}", self.folder.display());
        } else {
            std::fs::remove_dir_all(&self.folder).unwrap();
        }
    }
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Returns how many blows of each kind are asked for.
fn kills() -> u32 {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long to try is asked from outside"
    )]
    let asked = std::env::var("HOTPATCH_KILLS").ok();
    asked.map_or(KILLS_BY_DEFAULT, |text| {
        text.parse().expect("HOTPATCH_KILLS is a number")
    })
}

/// What came of one or several worlds.
#[derive(Default)]
struct Tally {
    blows: BTreeMap<Blow, u32>,
    found: BTreeMap<String, u32>,
    doubles: Vec<String>,
    lives: u32,
}

impl Tally {
    fn has_all(&self, wanted: u32) -> bool {
        let count = |blow| self.blows.get(blow).copied().unwrap_or(0);
        BLOWS.iter().all(|blow| count(blow) >= wanted)
    }

    fn add(&mut self, other: Self) {
        for (blow, count) in other.blows {
            *self.blows.entry(blow).or_default() += count;
        }
        for (step, count) in other.found {
            *self.found.entry(step).or_default() += count;
        }
        self.doubles.extend(other.doubles);
        self.lives += other.lives;
    }
}

/// Plays a hotpatch and a baseline in one world.
async fn one_world(seed: u64) -> Tally {
    let mut tally = Tally::default();
    let mut arena = Arena::new(seed).await;
    for (from, kb) in [(START, HOTPATCH_KB), (AGAIN, BASELINE_KB)] {
        arena.play(from, kb).await;
        let (blows, twice) = arena.count(from);
        let doubles = twice.into_iter();
        tally.add(Tally {
            blows,
            doubles: doubles
                .map(|own| format!("seed {seed}, {from}: {own}"))
                .collect(),
            ..Tally::default()
        });
    }
    tally.found = std::mem::take(&mut arena.found);
    tally.lives = arena.lives;
    tally
}

/// Plays worlds, several at once, until there were enough blows of each kind.
fn worlds(wanted: u32) -> Tally {
    let (all, seeds) = (Mutex::<Tally>::default(), AtomicU64::new(1));
    let lanes = LANES_MAX.min(wanted.div_ceil(KILLS_BY_DEFAULT));
    let lane = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        while !all.lock().unwrap().has_all(wanted) {
            let played = runtime.block_on(one_world(seeds.fetch_add(1, Ordering::Relaxed)));
            let mut all = all.lock().unwrap();
            all.add(played);
            if wanted > KILLS_BY_DEFAULT {
                eprintln!("{:?} of {wanted} each", all.blows);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(lane);
        }
    });
    all.into_inner().unwrap()
}

#[test]
fn a_process_killed_with_9_around_a_command_repeats_nothing() {
    let Tally {
        blows,
        found,
        doubles,
        lives,
    } = worlds(kills());
    println!("kill -9 and lost answers: {blows:?} in {lives} lives of the process");
    println!("where a killed process had left the machines of its open runs: {found:?}");
    println!("machines that accepted a second command: {}", doubles.len());
    assert!(doubles.is_empty(), "{doubles:#?}");
    assert!(
        found.contains_key("Starting"),
        "a kill between intent and operation: {found:?}"
    );
}
