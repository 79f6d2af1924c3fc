//! `demo`: the real controller on a virtual clock, over both simulators, judged at every step.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;

use super::serve;
use crate::controller::lease::Tenure;
use crate::rehearsal::invariants::liveness::is_current;
use crate::rehearsal::population::Population;
use crate::rehearsal::world::World;
use crate::rehearsal::{EXAMPLES, Ended, Options as Rehearse, Rehearsal, Report};

/// The eve of a hotpatch: Patch Tuesday is 2025-06-10, the next baseline 2025-07-08.
const EPOCH: &str = "2025-06-09T08:00:00Z";

/// After this the demo gives up: the next release after the baseline.
const LIMIT: &str = "2025-08-12T00:00:00Z";

/// From here on the fleet may be called current: the baseline is out.
const BASELINE: &str = "2025-07-08T18:00:00Z";

/// How long the fleet is watched after it became current, for what comes late.
const AFTERMATH: TimeDelta = TimeDelta::hours(2);

/// How long leadership holds in the demo: nobody else wants it, and most requests would otherwise
/// be its renewals.
pub const TENURE: Tenure = Tenure {
    duration: Duration::from_secs(20 * 60),
    renew_every: Duration::from_secs(5 * 60),
};

/// How often the progress is shown where nobody watches a terminal.
const PROGRESS_DAYS: TimeDelta = TimeDelta::days(7);

/// How a demo runs.
#[derive(Debug, Args)]
pub struct Options {
    /// Repeats the same demo exactly: durations, order and all.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Prints the story, the tables and the invariants as JSON.
    #[arg(long)]
    pub json: bool,
    /// Lets kubectl watch and take part.
    #[command(flatten)]
    pub serving: serve::Options,
}

/// Runs the demo and prints it.
pub fn main(options: &Options) -> ExitCode {
    if options.serving.serve {
        return serve::main(options.seed, &options.serving);
    }
    match rehearse(options.seed, &mut Progress::new()) {
        Ok((report, is_current)) => {
            let text = if options.json {
                json(&report)
            } else {
                text(&report, options.seed)
            };
            print!("{text}");
            if report.has_held() && is_current {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("the demo could not run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rehearsal cannot be set up.
    #[error(transparent)]
    Rehearsal(#[from] crate::rehearsal::Error),
    /// There is no runtime.
    #[error("cannot make a runtime: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Runs the demo without printing it; tells whether the fleet became current.
///
/// # Errors
/// [`Error`] where it cannot be set up.
pub fn rehearse(seed: u64, progress: &mut Progress) -> Result<(Report, bool), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(async {
        let mut rehearsal = Rehearsal::new(cast(seed)).await?;
        let is_reached = |world: &World, steps: u64| {
            progress.show(world, steps);
            is_over(world)
        };
        let ended = rehearsal.run_until(is_reached, instant(LIMIT)).await;
        let later = rehearsal.now() + AFTERMATH;
        if ended == Ended::Reached {
            rehearsal.run_until(|_, _| false, later).await;
        }
        progress.end();
        let is_current = rehearsal.look(all_current);
        Ok((rehearsal.finish(), is_current))
    })
}

/// What the demo is made of.
pub(super) fn cast(seed: u64) -> Rehearse {
    Rehearse {
        seed,
        epoch: instant(EPOCH),
        population: Population::demo(),
        manifests: EXAMPLES.map(str::to_owned).to_vec(),
        assumptions: azure_sim::Assumptions::default(),
        timings: azure_sim::Timings::default(),
        tenure: TENURE,
        run_commands: false,
        replay: format!("hotpatch-operator demo --seed {seed}"),
    }
}

/// Tells whether the story is at its end: the baseline is out, and the fleet is current.
pub(super) fn is_over(world: &World) -> bool {
    world.now > instant(BASELINE) && all_current(world)
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("a constant of this file")
}

/// Tells whether every machine that can be hotpatched is current, and no run is open.
fn all_current(world: &World) -> bool {
    let mut fit = world.facts.values().filter(|own| own.unfit.is_none());
    let done = |run: &crate::api::HotpatchRun| {
        run.status
            .as_ref()
            .is_some_and(|status| status.completed_at.is_some())
    };
    fit.all(|own| is_current(world, own)) && world.runs.values().all(|run| done(run))
}

/// Shows how far the demo is, on standard error.
pub struct Progress {
    is_terminal: bool,
    is_quiet: bool,
    shown: Option<DateTime<Utc>>,
}

impl Progress {
    /// Shows a live line on a terminal, and a line a week elsewhere.
    pub fn new() -> Self {
        Self {
            is_terminal: std::io::stderr().is_terminal(),
            is_quiet: false,
            shown: None,
        }
    }

    /// Shows nothing.
    pub fn quiet() -> Self {
        Self {
            is_terminal: false,
            is_quiet: true,
            shown: None,
        }
    }

    fn show(&mut self, world: &World, steps: u64) {
        let pause = if self.is_terminal {
            TimeDelta::hours(6)
        } else {
            PROGRESS_DAYS
        };
        if self.is_quiet || self.shown.is_some_and(|at| world.now - at < pause) {
            return;
        }
        self.shown = Some(world.now);
        let (mut machines, mut current) = (0, 0);
        for facts in world.facts.values().filter(|own| own.unfit.is_none()) {
            machines += 1;
            current += usize::from(is_current(world, facts));
        }
        let line = format!(
            "{}  {current}/{machines} current  {} commands  {} reboots  {steps} steps checked",
            world.now.format("%a %Y-%m-%d %H:%M"),
            world.sent.len(),
            world.reboots.len(),
        );
        let mut err = std::io::stderr().lock();
        // Where standard error is closed there is nobody to tell.
        let _ = if self.is_terminal {
            write!(err, "\r{line}\x1b[K").and_then(|()| err.flush())
        } else {
            writeln!(err, "{line}")
        };
    }

    fn end(&mut self) {
        if self.is_terminal && self.shown.is_some() {
            let _ = writeln!(std::io::stderr());
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes a report as JSON.
pub fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report is plain data");
    text.push('\n');
    text
}

/// Writes a report for people.
pub fn text(report: &Report, seed: u64) -> String {
    let mut out = format!("hotpatch-operator demo, seed {seed}; all times UTC\n\n");
    for line in &report.story {
        out += &format!("{line}\n");
    }
    out += &format!("\n{}\n", report.summary);
    let checks: u64 = report.invariants.iter().map(|own| own.checks).sum();
    out += &format!(
        "checked after each of {} requests, {checks} checks:\n",
        report.steps
    );
    for own in &report.invariants {
        let word = if own.held { "held" } else { "VIOLATED" };
        out += &format!(
            "  {word:<9}{:<12}{:>7}  {}\n",
            own.name, own.checks, own.states
        );
    }
    for violation in &report.violations {
        out += &format!("\n{violation}\n");
    }
    out
}
