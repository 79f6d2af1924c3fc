//! What scenes are made of: a small or large population, manifests, and things that go wrong.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use azure_sim::Fault;
use chrono::{DateTime, TimeDelta, Utc};
use hotpatch_operator::controller::lease::Tenure;
use hotpatch_operator::rehearsal::population::Population;
use hotpatch_operator::rehearsal::world::World;
use hotpatch_operator::rehearsal::{Ended, Options, Rehearsal};
use serde_json::{Value, json};

use crate::rehearsal::{NIGHTS, options};

pub(super) const NAMESPACE: &str = "web";
pub(super) const FLEETS: &str = "hotpatchfleets.hotpatch.dev";
pub(super) const POLICIES: &str = "baselinepolicies.hotpatch.dev";
pub(super) const WINDOWS: &str = "maintenancewindows.hotpatch.dev";
pub(super) const REQUESTS: &str = "hotpatchrequests.hotpatch.dev";
pub(super) const RUNS: &str = "hotpatchruns.hotpatch.dev";

/// The hour before the hotpatch of June 2025.
pub(super) const JUNE: &str = "2025-06-10T16:00:00Z";

/// The hour before the baseline of July 2025.
pub(super) const JULY: &str = "2025-07-08T16:00:00Z";

/// How often it is looked whether a checker has found something.
const SLICE_HOURS: i64 = 3;

thread_local! {
    /// The checker that is waited for.
    pub(super) static AWAITED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// What a scene begins with.
pub(super) struct Setting {
    pub(super) epoch: &'static str,
    pub(super) policy: Value,
    pub(super) window: String,
    pub(super) fleets: Vec<Value>,
    pub(super) is_large: bool,
    /// Whether every other machine is another team's, in a namespace of its own.
    pub(super) is_shared: bool,
    /// How often the lease is renewed where that matters; it holds six times as long.
    pub(super) renews_every: Option<Duration>,
    /// How many minutes Resource Graph and the Activity Log are behind, where that matters.
    pub(super) lag_minutes: Option<u32>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            epoch: JULY,
            policy: policy(2),
            window: NIGHTS.to_owned(),
            fleets: vec![fleet()],
            is_large: false,
            is_shared: false,
            renews_every: None,
            lag_minutes: None,
        }
    }
}

impl Setting {
    /// The default one with so many machines at once.
    pub(super) fn wide(max: u32) -> Self {
        Self {
            policy: policy(max),
            ..Self::default()
        }
    }

    /// The same policy, window and fleet, in the other namespace and for its machines.
    fn other_team(&self) -> Vec<String> {
        let mut fleet = fleet_of("tills", &["AzureVM", "ArcServer", "AzureLocalVM"]);
        fleet["spec"]["selector"]["tags"]["matchLabels"]["patching"] = json!("tills");
        let mut policy = self.policy.clone();
        for own in [&mut fleet, &mut policy] {
            own["metadata"]["namespace"] = json!("tills");
        }
        let window = self
            .window
            .replace("{name: nights}", "{name: nights, namespace: tills}");
        vec![policy.to_string(), window, fleet.to_string()]
    }

    pub(super) async fn begin(&self) -> Rehearsal {
        let mut manifests = vec![self.policy.to_string(), self.window.clone()];
        manifests.extend(self.fleets.iter().map(Value::to_string));
        let texts: Vec<&str> = manifests.iter().map(String::as_str).collect();
        let mut own: Options = options(1, self.epoch.parse().unwrap(), &texts);
        if self.is_large {
            own.population = Population::demo();
        }
        if let Some(renew_every) = self.renews_every {
            own.tenure = Tenure {
                duration: renew_every * 6,
                renew_every,
            };
        }
        if let Some(minutes) = self.lag_minutes {
            own.assumptions.graph_lag_minutes = minutes;
            own.assumptions.activity_log_delay_minutes = minutes;
        }
        if self.is_shared {
            own.population = own.population.shared(2);
            own.manifests.extend(self.other_team());
        }
        own.replay = "make planted".to_owned();
        Rehearsal::new(own).await.unwrap()
    }
}

/// A policy of one stage that lets so many machines go at once and keeps none apart.
pub(super) fn policy(max: u32) -> Value {
    json!({
        "apiVersion": "hotpatch.dev/v1alpha1", "kind": "BaselinePolicy",
        "metadata": {"name": "quick"},
        "spec": {
            "stages": [{"name": "all", "maxUnavailable": max}],
            "availability": {"spread": []},
        },
    })
}

/// The same, keeping apart what stands in different domains of a kind.
pub(super) fn spread(max: u32, kind: &str) -> Value {
    let mut own = policy(max);
    own["spec"]["availability"]["spread"] = json!([kind]);
    own
}

/// The fleet of the rehearsals.
pub(super) fn fleet() -> Value {
    json!({
        "apiVersion": "hotpatch.dev/v1alpha1", "kind": "HotpatchFleet",
        "metadata": {"name": "small"},
        "spec": {
            "mode": "Enforce", "serviceAccountName": "hotpatch",
            "scope": {"subscriptions": ["00000000-0000-0000-0000-000000000001"]},
            "selector": {
                "kinds": ["AzureVM", "ArcServer", "AzureLocalVM"],
                "tags": {"matchLabels": {"patching": "hotpatch"}},
            },
            "policyRef": {"name": "quick"}, "windowRefs": [{"name": "nights"}],
        },
    })
}

/// A fleet of another name that selects other kinds.
pub(super) fn fleet_of(name: &str, kinds: &[&str]) -> Value {
    let mut own = fleet();
    own["metadata"]["name"] = json!(name);
    own["spec"]["selector"]["kinds"] = json!(kinds);
    own
}

/// Lets time pass until something is the case, for at most so many hours; tells whether it was.
pub(super) async fn until(
    own: &mut Rehearsal,
    hours: i64,
    mut is_reached: impl FnMut(&World) -> bool,
) -> bool {
    let limit = own.now() + TimeDelta::hours(hours);
    while own.now() < limit && !is_found(own) {
        let slice = limit.min(own.now() + TimeDelta::hours(SLICE_HOURS));
        match own.run_until(|world, _| is_reached(world), slice).await {
            Ended::Reached => return true,
            Ended::TimeUp => {}
            Ended::Killed | Ended::Stopped => return false,
        }
    }
    false
}

pub(super) async fn pass_hours(own: &mut Rehearsal, hours: i64) {
    until(own, hours, |_| false).await;
}

/// Tells whether the checker that is waited for has found something: the rest tells nothing more.
fn is_found(own: &Rehearsal) -> bool {
    let awaited = AWAITED.get();
    let mut found = own.violations().into_iter();
    awaited.is_some_and(|name| found.any(|own| own.invariant == name))
}

/// Tells whether all work is done.
pub(super) fn is_over(world: &World, kb: &str) -> bool {
    let ended = |run: &Arc<hotpatch_operator::api::HotpatchRun>| {
        let status = run.status.as_ref();
        status.is_some_and(|own| own.completed_at.is_some())
    };
    let mut fit = world.facts.values().filter(|own| own.unfit.is_none());
    !world.runs.is_empty()
        && fit.all(|own| world.machines[&own.id].installed.contains(kb))
        && world.runs.values().all(ended)
}

pub(super) fn object(own: &Rehearsal, resource: &str, name: &str) -> Value {
    let found = own.kube.get_object(resource, Some(NAMESPACE), name);
    found.map(|found| Value::clone(&found)).unwrap_or_default()
}

pub(super) fn force(own: &Rehearsal, resource: &str, name: &str, change: impl FnOnce(&mut Value)) {
    let mut found = object(own, resource, name);
    change(&mut found);
    own.kube
        .force_object(resource, Some(NAMESPACE), name, Some(found));
}

/// The id of a machine by its name.
pub(super) fn id_of(own: &Rehearsal, name: &str) -> String {
    own.look(|world| {
        let mut all = world.facts.values();
        all.find(|own| own.name == name).unwrap().id.clone()
    })
}

/// Applies a fault to the first call that is meant, and to no other.
pub(super) fn once(
    own: &Rehearsal,
    is_meant: impl Fn(&http::Request<bytes::Bytes>) -> bool + Send + Sync + 'static,
    fault: Fault,
) {
    let done = AtomicBool::new(false);
    own.azure.on_call(move |request| {
        if is_meant(request) && !done.swap(true, Ordering::SeqCst) {
            return fault.clone();
        }
        Fault::None
    });
}

pub(super) fn is_install(request: &http::Request<bytes::Bytes>) -> bool {
    request.method() == http::Method::POST && request.uri().path().contains("/installPatches")
}

/// The side effects around the first command of a rollout, each by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// The first write of a run's log.
    pub(super) log: u64,
    /// The mark that comes before the write of the first intents.
    pub(super) mark: u64,
    /// The renewal of the lease between them and the command.
    pub(super) renewal: u64,
}

impl Places {
    /// Finds them in what a process did.
    pub(super) fn of(log: &[String]) -> Self {
        let install = log.iter().position(|own| own.contains("/installPatches"));
        let install = install.expect("a command was sent");
        let first = log
            .iter()
            .position(|own| own.contains("/hotpatchruns/") && own.contains("/status"));
        let first = first.expect("a log was written");
        assert!(
            log[install - 1].contains("/leases/"),
            "{}",
            log[install - 1]
        );
        assert!(log[install - 2].contains("/status"), "{}", log[install - 2]);
        Self {
            log: first as u64 + 1,
            mark: install as u64 - 2,
            renewal: install as u64,
        }
    }
}

/// Reads the time as tests write it.
pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
