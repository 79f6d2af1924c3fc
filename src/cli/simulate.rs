//! `simulate`: whole rollouts in bad weather, by seed.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;

use crate::simulation::campaign::{self, Sum};
use crate::simulation::class::Class;
use crate::simulation::every::{self, Kind};
use crate::simulation::play::{Played, play};

/// What is simulated.
#[derive(Debug, Args)]
pub struct Options {
    /// Plays this one seed again and tells its story.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Plays so many seeds.
    #[arg(long, default_value_t = 100)]
    pub(super) seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    pub(super) from: u64,
    /// Plays each seed twice and compares what happened, instead.
    #[arg(long)]
    twice: bool,
    /// Writes the operator's own log beside the story of one seed: a filter like that of RUST_LOG.
    #[arg(long, requires = "seed")]
    log: Option<String>,
    /// Tries, in one small rollout, everything of a kind, instead of seeds: `faults` (each request
    /// with each fault), `deaths` (each two), `commands` (each late, or doubled).
    #[arg(long, conflicts_with_all = ["seed", "twice"])]
    every: Option<Kind>,
    /// Tries only this one of them, and tells its story.
    #[arg(long, requires = "every")]
    case: Option<usize>,
    /// Tries only every so many-th of them.
    #[arg(long, default_value_t = 1)]
    pub(super) stride: usize,
    /// Does everything that there is, and ends with one table of it.
    #[arg(long, conflicts_with_all = ["seed", "twice", "every"])]
    whole: bool,
    /// Seeds that a planted bug is hunted for.
    #[arg(long, requires = "whole", default_value_t = 20)]
    pub(super) hunt: u64,
    /// Threads; a seed is played by one alone.
    #[arg(long, default_value_t = threads())]
    pub(super) threads: usize,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Simulates and prints what came of it.
pub fn main(options: &Options) -> ExitCode {
    if let Some(filter) = &options.log {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
            .without_time()
            .with_writer(std::io::stderr)
            .init();
    }
    if let Some(seed) = options.seed {
        return one(seed, options.json);
    }
    if options.whole {
        return super::whole::main(options);
    }
    if let Some(kind) = options.every {
        return every(kind, options);
    }
    let range = options.from..options.from.saturating_add(options.seeds);
    if options.twice {
        let differing = campaign::twice(range, options.threads, &|done| tell(done, 0));
        end();
        let same = options.seeds - differing.len() as u64;
        println!(
            "{same} of {} seeds told the same story twice",
            options.seeds
        );
        for seed in &differing {
            println!("seed {seed} did not");
        }
        return code(differing.is_empty());
    }
    let sum = campaign::seeds(range, options.threads, &tell_seeds());
    end();
    if options.json {
        let text = serde_json::to_string_pretty(&sum).expect("a sum is plain data");
        println!("{text}");
    } else {
        print!("{}", text(&sum));
    }
    code(sum.failed.is_empty())
}

fn every(kind: Kind, options: &Options) -> ExitCode {
    if let Some(number) = options.case {
        let (_, cases) = every::cases(kind);
        let Some(case) = cases.get(number) else {
            eprintln!("there are {} cases", cases.len());
            return ExitCode::FAILURE;
        };
        println!("{}", case.what);
        return match every::attempt(kind, case) {
            Ok(played) => {
                print!("{}", story(&played));
                ExitCode::SUCCESS
            }
            Err(finding) => {
                println!("{}", finding.found);
                ExitCode::FAILURE
            }
        };
    }
    let tried = every::all(kind, options.stride, options.threads, &|done, failed| {
        tell(done as u64, failed);
    });
    end();
    println!(
        "{} cases of {kind:?} in {} requests, {} failed",
        tried.cases,
        tried.steps,
        tried.failed.len()
    );
    for own in &tried.failed {
        println!("\ncase {}: {}\n  {}", own.case, own.what, own.found);
    }
    code(tried.failed.is_empty())
}

fn code(held: bool) -> ExitCode {
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn one(seed: u64, json: bool) -> ExitCode {
    let played = match play(seed) {
        Ok(played) => played,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if json {
        let text = serde_json::to_string_pretty(&played).expect("what was played is plain data");
        println!("{text}");
    } else {
        print!("{}", story(&played));
    }
    code(played.violations.is_empty())
}

/// Shows how far seeds are, and each that fails as soon as it does: the campaign may be long.
pub(super) fn tell_seeds() -> impl Fn(&Sum) + Sync {
    let told = AtomicUsize::new(0);
    move |sum| {
        let failed = sum.failed.len();
        for own in sum.failed.iter().skip(told.swap(failed, Ordering::Relaxed)) {
            end();
            eprintln!("{own}");
        }
        tell(sum.seeds, failed);
    }
}

/// Shows how far it is, where somebody watches.
pub(super) fn tell(seeds: u64, failed: usize) {
    let mut err = std::io::stderr();
    let terminal = err.is_terminal();
    if !terminal && !seeds.is_multiple_of(1_000) {
        return;
    }
    let (start, end) = if terminal {
        ("\r", "\x1b[K")
    } else {
        ("", "\n")
    };
    // Where standard error is closed there is nobody to tell.
    let _ = write!(err, "{start}{seeds} seeds, {failed} failed{end}");
}

pub(super) fn end() {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let _ = writeln!(err);
    }
}

/// Writes one seed for people.
pub fn story(own: &Played) -> String {
    let mut out = format!(
        "hotpatch-operator simulate, seed {}: {:?}, {} machines; all times UTC\n\n",
        own.seed, own.season, own.machines
    );
    let mut acts = own.acts.iter().peekable();
    for line in &own.story {
        while let Some((at, act)) = acts.next_if(|own| own.0 <= line.at) {
            out += &format!("{}  ~ {act:?}\n", at.format("%Y-%m-%d %H:%M"));
        }
        out += &format!("{line}\n");
    }
    for (at, act) in acts {
        out += &format!("{}  ~ {act:?}\n", at.format("%Y-%m-%d %H:%M"));
    }
    for (machine, why) in &own.blocked {
        out += &format!("  {machine} is not current: {why}\n");
    }
    out += "\nfaults:\n";
    for (class, count) in &own.faults.0 {
        out += &format!("  F{:<3}{:<42}{count:>6}\n", class.number(), class.words());
    }
    out += &format!(
        "\n{} requests, {} checks, {} commands, {} reboots, {} lives, {} of {} current\n\
         everything that happened: {}\n",
        own.steps,
        own.checks,
        own.commands,
        own.reboots,
        own.lives,
        own.current,
        own.machines,
        own.digest
    );
    for violation in &own.violations {
        out += &format!("\n{violation}\n");
    }
    out
}

/// Writes what many seeds came to.
pub fn text(sum: &Sum) -> String {
    let mut out = String::new();
    for class in Class::ALL {
        let count = sum.faults.of(class);
        out += &format!("  F{:<3}{:<42}{count:>9}\n", class.number(), class.words());
    }
    out += &format!(
        "{} seeds, {} failed: {} requests, {} checks, {} commands, {} reboots, {} lives, \
         {} of {} machines current\n",
        sum.seeds,
        sum.failed.len(),
        sum.steps,
        sum.checks,
        sum.commands,
        sum.reboots,
        sum.lives,
        sum.current,
        sum.machines
    );
    for violation in &sum.failed {
        out += &format!("\n{violation}\n");
    }
    out
}
