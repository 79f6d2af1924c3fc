//! A hotpatch month and a baseline month in one life of the operator.

use std::collections::BTreeMap;
use std::path::Path;

use azure_sim::AzureSim;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::arena::{Arena, Plot};
use super::log::{self, Asks};
use super::manifests::Fleet;
use super::{Error, instant, process};

/// The day before the hotpatch, so that nothing is left to settle when its month begins.
const EPOCH: &str = "2025-06-09T08:00:00Z";

/// The month of a hotpatch: from one Patch Tuesday to the next, and the update that it brings.
pub(super) const HOTPATCH: &str = "2025-06-10T17:00:00Z";
pub(super) const HOTPATCH_KB: &str = "5060841";

/// The month of a baseline.
pub(super) const BASELINE: &str = "2025-07-08T17:00:00Z";
pub(super) const BASELINE_KB: &str = "5062553";

/// A week at its end, in which nothing is left to do.
const IDLE_FROM: &str = "2025-08-04T00:00:00Z";
const IDLE_TO: &str = "2025-08-11T00:00:00Z";

/// Where it ends, an hour before the next release.
const END: &str = "2025-08-12T16:00:00Z";

/// What a month came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Month {
    /// Machines that have the month's update at its end.
    pub(super) current: usize,
    /// Requests to Azure, by what they ask for.
    pub(super) calls: BTreeMap<Asks, u64>,
    pub(super) calls_per_machine: f64,
    /// Answers 429.
    pub(super) throttled: u64,
    /// Writes of Kubernetes by resource, leases apart.
    pub(super) writes: BTreeMap<String, u64>,
    pub(super) writes_per_machine: f64,
    pub(super) cpu_seconds: f64,
}

/// What a life came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Life {
    pub(super) machines: usize,
    /// Virtual seconds from the start of the process until the fleet's status counted every
    /// machine.
    pub(super) first_plan_seconds: f64,
    /// CPU seconds of the process until then.
    pub(super) first_plan_cpu_seconds: f64,
    pub(super) hotpatch: Month,
    pub(super) baseline: Month,
    /// Passes of the idle week.
    pub(super) idle_passes: f64,
    /// CPU seconds of one of them.
    pub(super) idle_pass_cpu_seconds: f64,
    /// The most memory that was resident, in bytes.
    pub(super) peak_bytes: u64,
}

/// Lives through both months.
pub(super) async fn live(binary: &Path, machines: usize, fleet: Fleet) -> Result<Life, Error> {
    let plot = Plot {
        from: instant(EPOCH),
        patched: instant(EPOCH).date_naive(),
        machines,
        foreign_percent: 0,
        poll_after_seconds: 15,
        fleet,
    };
    let mut arena = Arena::new(binary, &plot).await?;
    let marks = [HOTPATCH, BASELINE, IDLE_FROM, IDLE_TO, END].map(instant);
    arena.log.sample_at(marks.to_vec());
    arena.start(plot.from)?;
    let late = instant(END) + TimeDelta::days(2);
    let mut current = Vec::new();
    for (count, kb) in [(2, HOTPATCH_KB), (marks.len(), BASELINE_KB)] {
        let is_over = |own: &mut Arena| own.log.samples().len() >= count;
        if !arena.until(is_over, late).await? {
            return Err(Error::Unfinished("the months".to_owned()));
        }
        current.push(having(&arena.azure, kb));
    }
    let peak_bytes = arena.id().and_then(process::peak_bytes).unwrap_or(0);
    arena.kill();
    let samples = arena.log.samples();
    let first = arena.log.first_plan();
    let first = first.ok_or_else(|| Error::Unfinished("the first plan".to_owned()))?;
    let month = |index: usize, from: DateTime<Utc>, to: DateTime<Utc>, cpu_seconds: f64| {
        let calls = arena.log.calls(from, to);
        let writes = arena.log.writes(from, to);
        Month {
            current: current[index],
            calls_per_machine: per(calls.len() as u64, machines),
            throttled: log::throttled(&calls),
            calls: log::by_kind(&calls),
            writes_per_machine: per(writes.values().sum(), machines),
            writes,
            cpu_seconds,
        }
    };
    let spent = |from: usize, to: usize| samples[to].cpu_seconds - samples[from].cpu_seconds;
    let idle_passes = samples[3].passes - samples[2].passes;
    Ok(Life {
        machines,
        first_plan_seconds: (first.at - plot.from).as_seconds_f64(),
        first_plan_cpu_seconds: first.cpu_seconds,
        hotpatch: month(0, marks[0], marks[1], spent(0, 1)),
        baseline: month(1, marks[1], marks[4], spent(1, 4)),
        idle_passes,
        idle_pass_cpu_seconds: spent(2, 3) / idle_passes,
        peak_bytes,
    })
}

/// Counts the machines on which an update is in effect.
pub(super) fn having(azure: &AzureSim, kb: &str) -> usize {
    let machines = azure.machines();
    let has = machines
        .iter()
        .filter(|own| own.installed.contains(kb) && own.pending_reboot.is_empty());
    has.count()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of calls and machines are far below 2^52"
)]
pub(super) fn per(count: u64, machines: usize) -> f64 {
    count as f64 / machines.max(1) as f64
}
