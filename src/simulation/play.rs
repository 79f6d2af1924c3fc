//! Plays one seed from its beginning to its end, and says what happened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::act::Act;
use super::class::{Class, Counts};
use super::scenario::{Scenario, Season};
use super::stage::Stage;
use super::storm::Storm;
use crate::controller::clock::Clock;
use crate::rehearsal::invariants::Violation;
use crate::rehearsal::invariants::liveness::{is_current, reasons};
use crate::rehearsal::story::Line;
use crate::rehearsal::truth::Cause;
use crate::rehearsal::weather::Weather;
use crate::rehearsal::world::World;
use crate::rehearsal::{Options, Rehearsal};

/// So long after the end of all faults a night has passed in which everything could be tried.
const REST_HOURS: i64 = 30;

/// Tells the time.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// What one seed came to.
#[derive(Clone, Debug, Serialize)]
pub struct Played {
    /// The seed.
    pub seed: u64,
    /// The time of the year.
    pub season: Season,
    /// The digest of everything that happened, in order: the same for the same seed.
    pub digest: String,
    /// How many machines there were.
    pub machines: usize,
    /// Those that became current.
    pub current: usize,
    /// Virtual seconds.
    pub seconds: i64,
    /// Requests, each followed by all checks.
    pub steps: u64,
    /// Checks made.
    pub checks: u64,
    /// Commands that arrived.
    pub commands: usize,
    /// Reboots, by whomever.
    pub reboots: usize,
    /// The most reboots of one machine by our commands.
    pub reboots_most: usize,
    /// Lives of the process.
    pub lives: u32,
    /// What stands in the way of each machine that is not current.
    pub blocked: BTreeMap<String, String>,
    /// The faults, by class.
    pub faults: Counts,
    /// What people and clouds did.
    pub acts: Vec<(DateTime<Utc>, Act)>,
    /// What was violated, first things first.
    pub violations: Vec<Violation>,
    /// The story.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub story: Vec<Line>,
}

/// Why a seed cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rehearsal cannot be set up.
    #[error("seed {seed} cannot be set up: {source}")]
    Rehearsal {
        /// The seed.
        seed: u64,
        /// Why.
        source: crate::rehearsal::Error,
    },
    /// There is no runtime.
    #[error("cannot make a runtime: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Plays a seed.
///
/// # Errors
/// [`Error`] where it cannot be set up.
pub fn play(seed: u64) -> Result<Played, Error> {
    perform(&Scenario::of(seed))
}

/// Plays a scenario.
///
/// # Errors
/// [`Error`] where it cannot be set up.
pub fn perform(own: &Scenario) -> Result<Played, Error> {
    let replay = format!("hotpatch-operator simulate --seed {}", own.seed);
    perform_in(own, replay, |now, counts| {
        let storm = Storm::new(own.seed, own.forecast.clone(), now, counts);
        Arc::new(Mutex::new(storm))
    })
}

/// Plays a scenario in a weather of its own; `replay` is the command that plays it again.
///
/// # Errors
/// [`Error`] where it cannot be set up.
pub fn perform_in(
    own: &Scenario,
    replay: String,
    weather: impl FnOnce(Now, Arc<Mutex<Counts>>) -> Arc<Mutex<dyn Weather>>,
) -> Result<Played, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(async {
        let counts = Arc::new(Mutex::new(Counts::default()));
        for class in own.classes() {
            note(&counts, class);
        }
        // Its clock and the rehearsal's begin in the same instant of a time that stands still.
        let now = Clock::starting_at(own.begins).as_fn();
        let weather = weather(now, Arc::clone(&counts));
        rehearse(own, replay, weather, &counts).await
    })
}

async fn rehearse(
    own: &Scenario,
    replay: String,
    weather: Arc<Mutex<dyn Weather>>,
    counts: &Mutex<Counts>,
) -> Result<Played, Error> {
    let options = Options {
        seed: own.seed,
        epoch: own.begins,
        population: own.population.clone(),
        manifests: own.manifests.clone(),
        assumptions: own.assumptions.clone(),
        timings: own.timings.clone(),
        tenure: own.tenure,
        run_commands: own.run_commands,
        replay,
    };
    let rehearsal = Rehearsal::in_weather(options, Some(Arc::clone(&weather))).await;
    let rehearsal = rehearsal.map_err(|source| Error::Rehearsal {
        seed: own.seed,
        source,
    })?;
    let mut stage = Stage::new(rehearsal, weather, own);
    for (at, act) in &own.acts {
        stage.pass(*at, |_| false).await;
        if let Some(class) = act.class() {
            note(counts, class);
        }
        act.happen(&mut stage).await;
    }
    stage.pass(own.calm_from, |_| false).await;
    stage.calm_down().await;
    // What was still being deleted when it should have come back.
    let soon = own.calm_from + TimeDelta::hours(1);
    stage.pass(soon, |_| false).await;
    stage.restore().await;
    // A whole night of peace, and everything that can be done is done.
    let rested = own.calm_from + TimeDelta::hours(REST_HOURS);
    let is_settled = |world: &World| world.now >= rested && is_blocked(world);
    stage
        .pass(own.ends, |world| is_over(world) || is_settled(world))
        .await;
    Ok(conclude(own, stage, counts))
}

fn note(counts: &Mutex<Counts>, class: Class) {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    counts.note(class);
}

/// Tells whether nothing is left to do.
fn is_over(world: &World) -> bool {
    let there = |id: &str| world.machines.get(id).is_some_and(|own| own.exists);
    let mut all = world.facts.values().filter(|own| there(&own.id));
    all.all(|own| is_current(world, own)) && is_idle(world)
}

/// Tells whether nothing can be done until somebody lifts what stands in the way.
fn is_blocked(world: &World) -> bool {
    let there = |id: &str| world.machines.get(id).is_some_and(|own| own.exists);
    let mut all = world.facts.values().filter(|own| there(&own.id));
    let is_blocked = |id: &str| {
        let reasons = reasons(world, id);
        !reasons.is_empty() && !reasons.iter().any(|own| own == "AwaitsWindow")
    };
    all.all(|own| is_current(world, own) || is_blocked(&own.id)) && is_idle(world)
}

/// Tells whether no run is under way.
fn is_idle(world: &World) -> bool {
    let done = |run: &crate::api::HotpatchRun| {
        let status = run.status.as_ref();
        status.is_some_and(|own| own.completed_at.is_some())
    };
    let mut runs = world.runs.iter();
    runs.all(|(name, run)| done(run) || world.deleted_runs.contains(name))
}

/// Returns what the records and the runs say of the machines that are not current.
fn blocked(world: &World) -> BTreeMap<String, String> {
    let behind = world.facts.values().filter(|own| !is_current(world, own));
    let says = |id: &str| {
        let mut words = reasons(world, id);
        words.extend(message(world, id));
        for (name, run) in &world.runs {
            let entries = run.status.iter().flat_map(|own| &own.machines);
            let own = entries.filter(|own| own.id.eq_ignore_ascii_case(id));
            let ended = |step: &str| matches!(step, "Succeeded" | "Failed" | "Skipped");
            let open = own.filter(|own| !ended(&own.step));
            words.extend(open.map(|own| {
                format!(
                    "{} in {}: {}",
                    own.step,
                    name.1,
                    own.message.as_deref().unwrap_or_default()
                )
            }));
        }
        if let Some(truth) = world.machines.get(id).filter(|own| !own.pending.is_empty()) {
            words.push(format!("in truth {:?} wait for a reboot", truth.pending));
        }
        words.join("; ")
    };
    behind
        .map(|own| (own.name.clone(), says(&own.id)))
        .collect()
}

/// Returns how often our commands rebooted the machine that they rebooted most.
fn reboots_most(world: &World) -> usize {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reboot in &world.reboots {
        if matches!(reboot.cause, Cause::Command(_)) {
            *counts.entry(&reboot.machine).or_default() += 1;
        }
    }
    counts.into_values().max().unwrap_or(0)
}

/// Returns the line that a machine's record shows.
fn message(world: &World, id: &str) -> Option<String> {
    let is_its = |record: &&Arc<serde_json::Value>| {
        let own = record["spec"]["resourceId"].as_str();
        own.is_some_and(|own| own.eq_ignore_ascii_case(id))
    };
    let record = world.records.values().find(is_its)?;
    Some(record["status"]["message"].as_str()?.to_owned())
}

fn conclude(own: &Scenario, mut stage: Stage, counts: &Mutex<Counts>) -> Played {
    let report = stage.rehearsal.finish();
    let (machines, current, commands, reboots) = stage.rehearsal.look(|world| {
        let current = world.facts.values().filter(|own| is_current(world, own));
        let sent = world.sent.len();
        (
            world.facts.len(),
            current.count(),
            sent,
            world.reboots.len(),
        )
    });
    let mut violations = report.violations;
    if stage.stopped > 0 {
        violations.push(Violation {
            invariant: "runs-on",
            at: report.ended,
            machine: None,
            expected: "a process that ends only when it is asked to".to_owned(),
            found: format!("{} that ended by themselves", stage.stopped),
            seed: own.seed,
            replay: format!("hotpatch-operator simulate --seed {}", own.seed),
        });
    }
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    Played {
        seed: own.seed,
        season: own.season,
        digest: report.digest,
        machines,
        current,
        seconds: (report.ended - own.begins).num_seconds(),
        steps: report.steps,
        checks: report.invariants.iter().map(|own| own.checks).sum(),
        commands,
        reboots,
        reboots_most: stage.rehearsal.look(reboots_most),
        lives: stage.lives,
        blocked: stage.rehearsal.look(blocked),
        faults: counts.clone(),
        acts: own.acts.clone(),
        violations,
        story: report.story,
    }
}
