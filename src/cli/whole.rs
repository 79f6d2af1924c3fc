//! `simulate --whole`: everything that the simulation can show, and one table of it.

use std::process::ExitCode;

use super::simulate::{Options, end, tell, tell_seeds};
use crate::controller::clock::Clock;
use crate::planted::Bug;
use crate::simulation::campaign;
use crate::simulation::class::Class;
use crate::simulation::every::{self, Kind};
use crate::simulation::hunt::hunt;
use crate::simulation::model::{Bounds, explore};
use crate::simulation::yardstick;

/// Seconds of a year.
const YEAR_SECONDS: f64 = 365.25 * 24.0 * 3600.0;

/// Ticks of a processor's time in a second, as Linux tells them (proc(5), `/proc/pid/stat`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The table, as far as it is.
#[derive(Default)]
struct Table {
    rows: Vec<(String, String, bool)>,
    begun: i64,
}

impl Table {
    /// Tells on standard error what comes now.
    fn begins(&mut self, what: &str) {
        self.begun = Clock::Wall.now().timestamp();
        eprintln!("==> {what}");
    }

    fn row(&mut self, what: &str, count: String, held: bool) {
        end();
        let took = Clock::Wall.now().timestamp() - self.begun;
        let count = format!("{count}  ({took} s)");
        eprintln!("    {count}");
        self.rows.push((what.to_owned(), count, held));
    }

    fn print(&self) -> bool {
        println!("\n{:<30}{:<9}counted", "simulated", "");
        for (what, count, held) in &self.rows {
            let word = if *held { "held" } else { "FAILED" };
            println!("{what:<30}{word:<9}{count}");
        }
        self.rows.iter().all(|own| own.2)
    }
}

/// Runs everything and prints the table.
pub(super) fn main(options: &Options) -> ExitCode {
    let mut table = Table::default();
    seeds(options, &mut table);
    twice(options, &mut table);
    for kind in [Kind::Faults, Kind::Deaths, Kind::Commands] {
        small(options, kind, &mut table);
    }
    model(&mut table);
    planted(options, &mut table);
    speed(&mut table);
    if table.print() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn seeds(options: &Options, table: &mut Table) {
    table.begins("stories in bad weather");
    let range = options.from..options.from.saturating_add(options.seeds);
    let sum = campaign::seeds(range, options.threads, &tell_seeds());
    for violation in &sum.failed {
        println!("{violation}");
    }
    let count = format!(
        "{} seeds, {} failed; {} requests, {} checks, {} lives, {} of {} machines current",
        sum.seeds,
        sum.failed.len(),
        sum.steps,
        sum.checks,
        sum.lives,
        sum.current,
        sum.machines
    );
    table.row("stories in bad weather", count, sum.failed.is_empty());
    let met = Class::ALL.iter().filter(|own| sum.faults.of(**own) > 0);
    let met = met.count();
    let count = format!(
        "{met} of {} classes, {} faults",
        Class::ALL.len(),
        sum.faults.total()
    );
    table.begins("classes of faults");
    for class in Class::ALL {
        let number = class.number();
        println!(
            "  F{number:<3}{:<42}{:>9}",
            class.words(),
            sum.faults.of(class)
        );
    }
    // A few seeds need not meet every class.
    let enough = met == Class::ALL.len() || options.seeds < 200;
    table.row("classes of faults", count, enough);
}

fn twice(options: &Options, table: &mut Table) {
    let seeds = options.seeds.div_ceil(10);
    table.begins("the same story twice");
    let range = options.from..options.from + seeds;
    let differing = campaign::twice(range, options.threads, &|done| {
        tell(done, 0);
    });
    let count = format!("{} of {seeds} seeds", seeds - differing.len() as u64);
    table.row("the same story twice", count, differing.is_empty());
}

fn small(options: &Options, kind: Kind, table: &mut Table) {
    let what = match kind {
        Kind::Faults => "each request, each fault",
        Kind::Deaths => "each two deaths",
        Kind::Commands => "each command late or doubled",
    };
    table.begins(what);
    let tried = every::all(kind, options.stride, options.threads, &|done, failed| {
        tell(done as u64, failed);
    });
    for own in &tried.failed {
        println!("case {}: {}\n  {}", own.case, own.what, own.found);
    }
    let share = match options.stride {
        0 | 1 => "all".to_owned(),
        stride => format!("one in {stride}"),
    };
    let count = format!(
        "{} cases ({share}) in {} requests, {} failed",
        tried.cases,
        tried.steps,
        tried.failed.len()
    );
    table.row(what, count, tried.failed.is_empty());
}

fn model(table: &mut Table) {
    table.begins("a model, explored whole");
    let (mut states, mut transitions, mut held) = (0, 0, true);
    for bounds in Bounds::WHOLE {
        let explored = explore(bounds, None, &mut |_| {});
        states += explored.states;
        transitions += explored.transitions;
        held &= explored.violation.is_none();
        println!("  {:>9} states: {}", explored.states, explored.bounds);
        if let Some(violation) = &explored.violation {
            println!("{violation:?}");
        }
    }
    let count = format!("{states} states, {transitions} transitions");
    table.row("a model, explored whole", count, held);
}

fn planted(options: &Options, table: &mut Table) {
    table.begins("planted bugs, by seeds");
    if !cfg!(feature = "planted-bugs") {
        let count = "none: built without the feature planted-bugs".to_owned();
        table.row("planted bugs, by seeds", count, true);
        return;
    }
    let range = options.from..options.from + options.hunt;
    let catches = campaign::over(Bug::ALL, options.threads, &|bug| hunt(*bug, range.clone()));
    let mut found = 0;
    for (bug, caught) in Bug::ALL.iter().zip(&catches) {
        let seeds = match caught {
            Some(own) => format!("{} seeds (seed {})", own.seeds_needed, own.seed),
            None => format!("not in {} seeds: its scene", options.hunt),
        };
        found += usize::from(caught.is_some());
        println!("  {:<26}{:<12}{seeds}", bug.name(), bug.checker());
        println!("      {}", bug.wrong());
    }
    let count = format!(
        "{found} of {} within {} seeds each; all in their scenes: make planted",
        Bug::ALL.len(),
        options.hunt
    );
    table.row("planted bugs, by seeds", count, true);
}

fn speed(table: &mut Table) {
    table.begins("speed");
    let before = processor_seconds();
    let Ok(played) = yardstick::measure() else {
        table.row("speed", "it could not be set up".to_owned(), false);
        return;
    };
    let held = played.violations.is_empty();
    let used = processor_seconds().zip(before);
    let count = match used.map(|(after, before)| after - before) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a figure for people, of some digits"
        )]
        Some(used) if used > 0.0 => {
            let years = played.seconds as f64 / YEAR_SECONDS;
            let speed = years / (used / 60.0);
            format!(
                "{speed:.1} fleet-years a processor minute; {} machines, {} days, {} requests, \
                 {used:.1} s",
                played.machines,
                yardstick::DAYS,
                played.steps
            )
        }
        _ => "no measure of processor time here".to_owned(),
    };
    table.row("speed", count, held);
}

/// Returns the processor time of this process; none where the system does not tell.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name may hold blanks; fields are counted behind it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}
