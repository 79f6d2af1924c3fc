//! What reached both emulators, and when. Counted here and nowhere else: no client is asked what it
//! sent. Must never change what is answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use azure_sim::{AzureSim, Clock};
use chrono::{DateTime, Utc};
use kube_sim::{KubeSim, Verb};
use serde::Serialize;

use super::process;

/// What a request to Azure asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Asks {
    Graph,
    Install,
    Assess,
    Restart,
    Settings,
    Machine,
    Operation,
    Activity,
    Else,
}

impl Asks {
    fn of(method: &str, path: &str) -> Self {
        let path = path.to_ascii_lowercase();
        let end = path.rsplit('/').next().unwrap_or_default();
        match (method, end) {
            ("POST", "resources") => Self::Graph,
            ("POST", "installpatches") => Self::Install,
            ("POST", "assesspatches") => Self::Assess,
            ("POST", "restart") => Self::Restart,
            ("PATCH" | "PUT", _) => Self::Settings,
            _ if path.contains("/operations/") || path.contains("operationresults/") => {
                Self::Operation
            }
            _ if path.contains("microsoft.insights") => Self::Activity,
            ("GET", _) if path.contains("/virtualmachines/") => Self::Machine,
            _ => Self::Else,
        }
    }
}

/// A request to Azure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) at: DateTime<Utc>,
    pub(crate) asks: Asks,
    pub(crate) status: u16,
}

/// What the measured process had used up when the emulated Azure's time had come so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) cpu_seconds: f64,
    pub(super) passes: f64,
}

/// When the status of the fleet first counted every machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstPlan {
    pub(super) at: DateTime<Utc>,
    pub(super) cpu_seconds: f64,
}

#[derive(Debug, Default)]
struct Kept {
    asked: Vec<Asked>,
    /// Writes of Kubernetes that were taken, leases apart.
    written: Vec<(DateTime<Utc>, String)>,
    first_plan: Option<FirstPlan>,
    /// The instants at which a sample is wanted, the latest first.
    wanted: Vec<DateTime<Utc>>,
    samples: Vec<Sample>,
    /// The measured process and the port of its metrics.
    measured: Option<(u32, u16)>,
}

/// The log of one world.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<Kept>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a log of two emulators; `machines` is what a fleet's status counts when it is right.
    pub(super) fn keep(&self, kube: &KubeSim, azure: &AzureSim, clock: &Clock, machines: u64) {
        self.keep_azure(azure, clock);
        let (own, now) = (self.clone(), Clock::clone(clock));
        kube.on_response(move |call, status| {
            let is_write = matches!(
                call.verb,
                Verb::Create | Verb::Update | Verb::Patch | Verb::Delete | Verb::DeleteCollection
            );
            if !is_write || status >= 300 || call.resource.starts_with("leases.") {
                return;
            }
            let is_fleet = call.resource.starts_with("hotpatchfleets.");
            let counts = call
                .body
                .as_ref()
                .map(|own| &own["status"]["counts"]["machines"]);
            let is_right = counts.is_some_and(|own| own.as_u64() == Some(machines));
            own.wrote(now(), &call.resource, is_fleet && is_right);
        });
    }

    /// Keeps a log of an emulated Azure alone.
    pub(super) fn keep_azure(&self, azure: &AzureSim, clock: &Clock) {
        let (own, now) = (self.clone(), Clock::clone(clock));
        azure.after_call(move |method, path, status| {
            own.asked(now(), Asks::of(method, path), status);
        });
    }

    /// Measures this process from now on.
    pub(super) fn measure(&self, id: u32, port: u16) {
        self.lock().measured = Some((id, port));
    }

    /// Wants a sample at each of these instants.
    pub(super) fn sample_at(&self, mut instants: Vec<DateTime<Utc>>) {
        instants.sort_unstable();
        instants.reverse();
        self.lock().wanted = instants;
    }

    fn asked(&self, at: DateTime<Utc>, asks: Asks, status: u16) {
        let (due, measured) = {
            let mut kept = self.lock();
            kept.asked.push(Asked { at, asks, status });
            let before = kept.wanted.len();
            while kept.wanted.last().is_some_and(|own| *own <= at) {
                kept.wanted.pop();
            }
            (before - kept.wanted.len(), kept.measured)
        };
        let Some((id, port)) = measured.filter(|_| due > 0) else {
            return;
        };
        let sample = Sample {
            cpu_seconds: process::cpu_seconds(id).unwrap_or(f64::NAN),
            passes: process::passes(port).unwrap_or(f64::NAN),
        };
        let samples = std::iter::repeat_n(sample, due);
        self.lock().samples.extend(samples);
    }

    fn wrote(&self, at: DateTime<Utc>, resource: &str, shows_all: bool) {
        let mut kept = self.lock();
        kept.written.push((at, resource.to_owned()));
        if shows_all && kept.first_plan.is_none() {
            let id = kept.measured.map_or(0, |own| own.0);
            let cpu_seconds = process::cpu_seconds(id).unwrap_or(f64::NAN);
            kept.first_plan = Some(FirstPlan { at, cpu_seconds });
        }
    }

    /// Returns the requests to Azure between two instants.
    pub(super) fn calls(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Asked> {
        let kept = self.lock();
        let within = kept
            .asked
            .iter()
            .filter(|own| own.at >= from && own.at < to);
        within.copied().collect()
    }

    /// Returns when the first install was accepted.
    pub(super) fn first_install(&self) -> Option<DateTime<Utc>> {
        let kept = self.lock();
        let mut own = kept.asked.iter();
        let first = own.find(|own| own.asks == Asks::Install && own.status < 300);
        first.map(|own| own.at)
    }

    /// Counts the writes of Kubernetes between two instants, by resource.
    pub(super) fn writes(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (at, resource) in &self.lock().written {
            if *at >= from && *at < to {
                *counts.entry(resource.clone()).or_insert(0) += 1;
            }
        }
        counts
    }

    /// Returns when the fleet's status first counted every machine.
    pub(super) fn first_plan(&self) -> Option<FirstPlan> {
        self.lock().first_plan
    }

    /// Returns the samples, in the order of the instants.
    pub(super) fn samples(&self) -> Vec<Sample> {
        self.lock().samples.clone()
    }
}

/// Returns how many of some requests were refused because a bucket was empty.
pub(super) fn throttled(calls: &[Asked]) -> u64 {
    calls.iter().filter(|own| own.status == 429).count() as u64
}

/// Counts requests by what they ask for.
pub(super) fn by_kind(calls: &[Asked]) -> BTreeMap<Asks, u64> {
    let mut counts = BTreeMap::new();
    for own in calls {
        *counts.entry(own.asks).or_insert(0) += 1;
    }
    counts
}
