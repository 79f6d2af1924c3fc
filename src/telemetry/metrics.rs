//! The metrics: one table, from which they are registered and documented.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::Census;

/// One metric, as it is documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name as Prometheus shows it.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it counts, without a full stop.
    pub help: &'static str,
}

const fn metric(
    name: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        labels,
        help,
    }
}

/// Every metric. The table of docs/metrics.md is made from this one.
pub const METRICS: [Metric; 14] = [
    metric(
        "hotpatch_build_info",
        "gauge",
        &["version"],
        "Always 1; the label is the version",
    ),
    metric(
        "hotpatch_leader",
        "gauge",
        &[],
        "1 while this process leads, else 0",
    ),
    metric(
        "hotpatch_passes_total",
        "counter",
        &[],
        "Passes: each looks at everything, acts and reports",
    ),
    metric(
        "hotpatch_pass_duration_seconds",
        "histogram",
        &[],
        "How long a pass took",
    ),
    metric(
        "hotpatch_last_pass_timestamp_seconds",
        "gauge",
        &[],
        "When the last pass ended, in seconds since 1970",
    ),
    metric(
        "hotpatch_fleets",
        "gauge",
        &["mode"],
        "Fleets by mode; Unreadable are those that cannot be understood",
    ),
    metric(
        "hotpatch_fleet_conditions",
        "gauge",
        &["condition", "status"],
        "Fleets by type and status of their conditions, such as Halted True",
    ),
    metric(
        "hotpatch_machines",
        "gauge",
        &["kind", "track"],
        "Machines by kind and place on the hotpatch track",
    ),
    metric(
        "hotpatch_machines_held",
        "gauge",
        &[],
        "Machines under a command whose outcome nobody knows: they count as down",
    ),
    metric("hotpatch_runs_open", "gauge", &[], "Runs that are not over"),
    metric(
        "hotpatch_commands_total",
        "counter",
        &["command", "outcome"],
        "Commands to machines: accepted, refused, unknown, or withheld just before they were sent",
    ),
    metric(
        "hotpatch_kube_requests_total",
        "counter",
        &["verb", "resource", "outcome"],
        "Requests to the Kubernetes API",
    ),
    metric(
        "hotpatch_azure_requests_total",
        "counter",
        &["kind", "outcome"],
        "Requests to Azure",
    ),
    metric(
        "hotpatch_watch_failures_total",
        "counter",
        &["kind"],
        "Watches of the Kubernetes API that failed and were begun anew",
    ),
];

/// Upper bounds of the buckets of a pass, in seconds.
const PASS_SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

/// So many labels, all of them words of this program.
type Labels<const N: usize> = [(&'static str, &'static str); N];

#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    pub(super) leader: Gauge,
    pub(super) passes: Counter,
    pub(super) pass_seconds: Histogram,
    pub(super) last_pass: Gauge,
    pub(super) commands: Family<Labels<2>, Counter<u64, AtomicU64>>,
    pub(super) kube_requests: Family<Labels<3>, Counter<u64, AtomicU64>>,
    pub(super) azure_requests: Family<Labels<2>, Counter<u64, AtomicU64>>,
    pub(super) watch_failures: Family<Labels<1>, Counter<u64, AtomicU64>>,
    fleets: Family<Labels<1>, Gauge>,
    conditions: Family<Labels<2>, Gauge>,
    machines: Family<Labels<2>, Gauge>,
    runs_open: Gauge,
    machines_held: Gauge,
    /// Held while counts are replaced, so that no page shows half of them.
    whole: Mutex<()>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut own = Self {
            registry: Registry::default(),
            leader: Gauge::default(),
            passes: Counter::default(),
            pass_seconds: Histogram::new(PASS_SECONDS),
            last_pass: Gauge::default(),
            commands: Family::default(),
            kube_requests: Family::default(),
            azure_requests: Family::default(),
            watch_failures: Family::default(),
            fleets: Family::default(),
            conditions: Family::default(),
            machines: Family::default(),
            runs_open: Gauge::default(),
            machines_held: Gauge::default(),
            whole: Mutex::default(),
        };
        own.register();
        own
    }
}

impl Metrics {
    fn register(&mut self) {
        let build: Family<Labels<1>, Gauge> = Family::default();
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        build.get_or_create(&version).set(1);
        let registry = &mut self.registry;
        for Metric { name, help, .. } in METRICS {
            // The encoder of counters adds the ending itself.
            let plain = name.trim_end_matches("_total");
            match name {
                "hotpatch_build_info" => registry.register(plain, help, build.clone()),
                "hotpatch_leader" => registry.register(plain, help, self.leader.clone()),
                "hotpatch_passes_total" => registry.register(plain, help, self.passes.clone()),
                "hotpatch_pass_duration_seconds" => {
                    registry.register(plain, help, self.pass_seconds.clone());
                }
                "hotpatch_last_pass_timestamp_seconds" => {
                    registry.register(plain, help, self.last_pass.clone());
                }
                "hotpatch_fleets" => registry.register(plain, help, self.fleets.clone()),
                "hotpatch_fleet_conditions" => {
                    registry.register(plain, help, self.conditions.clone());
                }
                "hotpatch_machines" => registry.register(plain, help, self.machines.clone()),
                "hotpatch_machines_held" => {
                    registry.register(plain, help, self.machines_held.clone());
                }
                "hotpatch_runs_open" => registry.register(plain, help, self.runs_open.clone()),
                "hotpatch_commands_total" => registry.register(plain, help, self.commands.clone()),
                "hotpatch_kube_requests_total" => {
                    registry.register(plain, help, self.kube_requests.clone());
                }
                "hotpatch_azure_requests_total" => {
                    registry.register(plain, help, self.azure_requests.clone());
                }
                "hotpatch_watch_failures_total" => {
                    registry.register(plain, help, self.watch_failures.clone());
                }
                other => unreachable!("{other} stands in the table and is not kept"),
            }
        }
    }

    /// Replaces what the last pass counted.
    pub(super) fn count(&self, census: &Census) {
        let _whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let one = census
            .fleets
            .iter()
            .map(|(mode, n)| ([("mode", *mode)], *n));
        replace(&self.fleets, one);
        let two = census.conditions.iter();
        let two = two.map(|((name, status), n)| ([("condition", *name), ("status", *status)], *n));
        replace(&self.conditions, two);
        let two = census.machines.iter();
        let two = two.map(|((kind, track), n)| ([("kind", *kind), ("track", *track)], *n));
        replace(&self.machines, two);
        self.runs_open.set(census.runs_open);
        self.machines_held.set(census.machines_held);
    }

    /// Returns all of them as text.
    pub(super) fn text(&self) -> String {
        let _whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes all that is written to it");
        text
    }
}

fn replace<const N: usize>(
    family: &Family<Labels<N>, Gauge>,
    counts: impl Iterator<Item = (Labels<N>, i64)>,
) {
    family.clear();
    for (labels, count) in counts {
        family.get_or_create(&labels).set(count);
    }
}
