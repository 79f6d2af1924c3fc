//! Rehearsals: the real controller on a virtual clock, over a simulated Kubernetes and a simulated
//! Azure, judged after every request.
//!
//! The controller here is [`crate::controller::run`] itself; nothing in it knows of a rehearsal.
//! Must never help it: what it does not find out through its two clients it does not know.

pub mod doubt;
pub mod facts;
pub mod gate;
pub mod identities;
pub mod invariants;
pub mod leap;
mod life;
pub mod limits;
pub mod openings;
mod options;
pub mod pace;
pub mod population;
mod replicas;
mod report;
mod scene;
pub mod setup;
pub mod shelf;
pub mod story;
pub mod summary;
pub mod truth;
mod ways;
pub mod weather;
pub mod world;

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use azure_sim::{AzureSim, Buckets};
use chrono::{DateTime, TimeDelta, Utc};
use kube_sim::KubeSim;
use sha2::{Digest, Sha256};

use self::gate::{Gate, Side};
use self::identities::IDENTITIES;
use self::invariants::{Invariants, Violation};
use self::life::Life;
pub use self::options::Options;
pub use self::report::Report;
use self::scene::{Scene, Watched, locked, observe, watch};
use self::setup::set_up;
pub(crate) use self::setup::{NAMESPACE, OPERATOR_NAMESPACE, OTHER_NAMESPACE};
use self::story::{Line, Story};
use self::summary::{Peaks, Summary};
use self::weather::{Astray, Weather};
use self::world::World;
use crate::controller::clock::Clock;
use crate::controller::lease::Tenure;
use crate::telemetry::Telemetry;

/// How often a condition is looked at, in virtual time.
pub const LOOK_EVERY: Duration = Duration::from_secs(5 * 60);

/// Committed writes that the simulated API server remembers.
const HISTORY_EVENTS: usize = 20_000;

/// The files that `kubectl apply -f examples/` applies.
pub const EXAMPLES: [&str; 3] = [
    include_str!("../../examples/policy.yaml"),
    include_str!("../../examples/windows.yaml"),
    include_str!("../../examples/fleet.yaml"),
];

/// Why a rehearsal cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A manifest is no Kubernetes object.
    #[error("manifest {number} cannot be read: {why}")]
    Manifest {
        /// Its number, from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The simulated API server refused something.
    #[error("cannot {act}: {source}")]
    Kube {
        /// What was tried.
        act: String,
        /// Why it failed.
        source: Box<kube::Error>,
    },
}

/// How a stretch of a rehearsal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The condition came true.
    Reached,
    /// The time was up.
    TimeUp,
    /// The controller was killed.
    Killed,
    /// The controller ended by itself, which it must not.
    Stopped,
}

/// The real controller over both simulators.
pub struct Rehearsal {
    /// The simulated Kubernetes.
    pub kube: KubeSim,
    /// The simulated Azure.
    pub azure: AzureSim,
    /// The way to both.
    pub gate: Gate,
    /// What the living process tells of itself.
    pub telemetry: Telemetry,
    /// By how many milliseconds the clock of every process is wrong.
    pub skew_millis: Arc<AtomicI64>,
    clock: Clock,
    shared: pace::SharedClock,
    tenure: Tenure,
    scene: Watched,
    seed: u64,
    life: Option<Life>,
    /// A second replica, with its own way.
    second: Option<(Life, Gate)>,
    lives: u32,
}

impl Rehearsal {
    /// Sets both simulators up, applies the manifests as a user would, and starts the controller.
    ///
    /// Needs a current-thread runtime of tokio with its time paused.
    ///
    /// # Errors
    /// [`Error`] where a manifest cannot be read or is refused.
    pub async fn new(options: Options) -> Result<Self, Error> {
        Self::in_weather(options, None).await
    }

    /// Like [`Rehearsal::new`], with weather on the way to both simulators.
    ///
    /// # Errors
    /// [`Error`] where a manifest cannot be read or is refused.
    pub async fn in_weather(
        options: Options,
        weather: Option<Arc<Mutex<dyn Weather>>>,
    ) -> Result<Self, Error> {
        let astray = Astray::default();
        let clock = Clock::starting_at(options.epoch);
        let shared = pace::on_all_threads(&clock);
        let kube = KubeSim::new(Arc::clone(&shared));
        kube.set_history_limit(HISTORY_EVENTS);
        let azure_options = azure_sim::Options {
            seed: options.seed,
            assumptions: options.assumptions.clone(),
            timings: options.timings.clone(),
            tokens: IDENTITIES
                .iter()
                .map(|own| (own.secret.to_owned(), own.name.to_owned()))
                .collect(),
            buckets: Buckets::ENFORCED,
            ..azure_sim::Options::default()
        };
        let azure = AzureSim::new(clock.as_fn(), azure_options);
        let facts = options.population.place(&azure);
        let mut world = World::new(options.epoch, facts);
        world.astray = astray.clone();
        world.run_commands = options.run_commands;
        let lag_minutes = i64::from(options.assumptions.graph_lag_minutes);
        world.graph_lag = TimeDelta::minutes(lag_minutes);
        for view in azure.machines() {
            if let Some(truth) = world.machines.get_mut(&view.id.to_ascii_lowercase()) {
                truth.incarnation = view.incarnation;
                truth.installed = view.installed;
                truth.pending = view.pending_reboot;
            }
        }
        let scene = Arc::new(Mutex::new(Scene {
            world,
            invariants: Invariants::new(options.seed, options.replay.clone()),
            story: Story::default(),
            peaks: Peaks::default(),
            seq: azure.effects_since(0).len() as u64,
            rv: 0,
            steps: 0,
            log: Sha256::new(),
        }));
        watch(&kube, &azure, &scene);
        set_up(&kube.client(), &options.manifests).await?;
        let mut own = Self {
            kube,
            azure,
            gate: Gate::in_weather(weather, astray),
            telemetry: Telemetry::default(),
            skew_millis: Arc::default(),
            clock,
            shared,
            tenure: options.tenure,
            scene,
            seed: options.seed,
            life: None,
            second: None,
            lives: 0,
        };
        own.restart();
        Ok(own)
    }

    /// Starts a fresh process over the same simulators; one that lives is killed first.
    pub fn restart(&mut self) {
        self.kill();
        self.gate = self.gate.next();
        self.life = Some(self.start(self.gate.clone()));
    }

    /// Kills the controller at once: all its memory is lost, nothing is tidied up.
    pub fn kill(&mut self) {
        self.gate.close();
        if let Some(life) = self.life.take() {
            life.task.abort();
        }
    }

    /// Makes the process die at the `number`-th side effect from now on, counted from 1: the
    /// request is lost, or its answer is.
    pub fn kill_at(&self, number: u64, side: Side) {
        self.gate.kill_at(number, side);
    }

    /// Lets time pass until a condition is true, which is asked every five virtual minutes, or
    /// exactly until the limit.
    pub async fn run_until(
        &mut self,
        mut is_reached: impl FnMut(&World, u64) -> bool,
        limit: DateTime<Utc>,
    ) -> Ended {
        loop {
            let left = (limit - self.clock.now()).to_std().unwrap_or_default();
            if left.is_zero() {
                return Ended::TimeUp;
            }
            let look = LOOK_EVERY.min(left);
            let gate = self.gate.clone();
            let Some(life) = self.life.as_mut() else {
                return Ended::Killed;
            };
            let ended = tokio::select! {
                biased;
                () = gate.until_cut() => Some(Ended::Killed),
                _ = &mut life.task => Some(Ended::Stopped),
                () = tokio::time::sleep(look) => None,
            };
            if let Some(ended) = ended {
                if ended == Ended::Killed {
                    self.kill();
                } else {
                    self.life = None;
                }
                return ended;
            }
            observe(&self.kube, &self.azure, &self.scene, false);
            let mut scene = locked(&self.scene);
            let now = self.clock.now();
            scene.world.now = scene.world.now.max(now);
            let steps = scene.steps;
            let Scene { world, story, .. } = &mut *scene;
            story.tick(world);
            if is_reached(world, steps) {
                return Ended::Reached;
            }
        }
    }

    /// Judges the end and returns everything that is to be said.
    pub fn finish(&mut self) -> Report {
        self.kill();
        self.kill_second();
        observe(&self.kube, &self.azure, &self.scene, false);
        {
            let mut scene = locked(&self.scene);
            let Scene {
                world, invariants, ..
            } = &mut *scene;
            invariants.at_end(world);
        }
        self.break_off()
    }

    /// Returns everything that is to be said, without judging what was left undone: somebody
    /// broke it off, or took part.
    pub fn break_off(&mut self) -> Report {
        self.kill();
        observe(&self.kube, &self.azure, &self.scene, false);
        let mut scene = locked(&self.scene);
        let scene = &mut *scene;
        scene.story.end(&scene.world);
        Report {
            story: scene.story.lines(),
            summary: Summary::of(&scene.world, &scene.peaks),
            invariants: scene.invariants.tallies(),
            violations: scene.invariants.violations().to_vec(),
            steps: scene.steps,
            ended: scene.world.now,
            digest: scene.digest(),
        }
    }

    /// Looks at the world.
    pub fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&locked(&self.scene).world)
    }

    /// Returns what was violated so far.
    pub fn violations(&self) -> Vec<Violation> {
        locked(&self.scene).invariants.violations().to_vec()
    }

    /// Returns the lines of the story in the order in which they were told, without the first
    /// `known` ones.
    pub fn told(&self, known: usize) -> Vec<Line> {
        locked(&self.scene).story.told(known).to_vec()
    }

    /// Returns the clock, for any thread.
    pub fn shared_clock(&self) -> pace::SharedClock {
        Arc::clone(&self.shared)
    }

    /// Returns the time.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        self.kill();
        self.kill_second();
        // The hooks hold what holds the hooks.
        self.kube.clear_hooks();
        self.azure.clear_hooks();
    }
}
