//! What the process tells of itself: whether it lives, whether it is ready, and counts.
//!
//! Counts go in, pages come out. Nothing is decided from them, and no label can be made of anything
//! but words of this program: labels are `&'static str`, so neither a token, a machine nor a
//! namespace can become one, and their number is bounded. Must never read the wall clock.

mod census;
mod health;
mod metered;
mod metrics;
mod server;

use std::sync::Arc;
use std::time::Duration;

pub use census::Census;
pub use health::{LIVE_WITHIN, Standing};
pub use metered::{MeteredKube, MeteredTransport};
pub use metrics::{METRICS, Metric};
pub use server::{CONNECTIONS_MAX, serve};

use health::Health;
use metrics::Metrics;

/// What the process tells of itself. Clones tell of the same process.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    metrics: Metrics,
    health: Health,
}

/// What one request of a client came to, in one word.
pub type Outcome = &'static str;

impl Telemetry {
    /// Notes that the controller's loop goes on.
    pub fn turned(&self) {
        self.inner.health.turned();
    }

    /// Notes the kinds of which a list must have come before the process is ready.
    pub fn awaits(&self, kinds: &[&'static str]) {
        self.inner.health.awaits(kinds);
    }

    /// Notes that a kind was listed.
    pub fn listed(&self, kind: &str) {
        self.inner.health.listed(kind);
    }

    /// Notes whether the process leads.
    pub fn stands(&self, standing: Standing) {
        self.inner.health.stands(standing);
        self.inner
            .metrics
            .leader
            .set((standing == Standing::Leading).into());
    }

    /// Notes the end of a pass: how long it took, and when it was in seconds since 1970.
    pub fn passed(&self, took: Duration, at: i64) {
        self.turned();
        let metrics = &self.inner.metrics;
        metrics.passes.inc();
        metrics.pass_seconds.observe(took.as_secs_f64());
        metrics.last_pass.set(at);
    }

    /// Replaces what the last pass counted.
    pub fn counted(&self, census: &Census) {
        self.inner.metrics.count(census);
    }

    /// Notes a command that was to be sent to a machine.
    pub fn command(&self, command: &'static str, outcome: Outcome) {
        let labels = [("command", command), ("outcome", outcome)];
        self.inner.metrics.commands.get_or_create(&labels).inc();
    }

    /// Notes that the watch of a kind failed.
    pub fn watch_failed(&self, kind: &'static str) {
        let labels = [("kind", kind)];
        self.inner
            .metrics
            .watch_failures
            .get_or_create(&labels)
            .inc();
    }

    fn kube_request(&self, verb: &'static str, resource: &'static str, outcome: Outcome) {
        let labels = [("verb", verb), ("resource", resource), ("outcome", outcome)];
        self.inner
            .metrics
            .kube_requests
            .get_or_create(&labels)
            .inc();
    }

    fn azure_request(&self, kind: &'static str, outcome: Outcome) {
        let labels = [("kind", kind), ("outcome", outcome)];
        self.inner
            .metrics
            .azure_requests
            .get_or_create(&labels)
            .inc();
    }

    /// Tells whether the controller's loop went on lately.
    ///
    /// # Errors
    /// In words, since when it did not.
    pub fn is_live(&self) -> Result<(), String> {
        self.inner.health.is_live()
    }

    /// Tells whether every kind was listed and the process leads or stands by.
    ///
    /// # Errors
    /// In words, what is still missing.
    pub fn is_ready(&self) -> Result<(), String> {
        self.inner.health.is_ready()
    }

    /// Returns all metrics in the text format of Prometheus (`OpenMetrics` 1.0).
    pub fn exposition(&self) -> String {
        self.inner.metrics.text()
    }
}

#[cfg(test)]
mod tests;
