//! The rights that the chart gives the operator are those that it uses, no more and no fewer.
//!
//! A rehearsal is the witness: every request of the operator's client is put down as the right
//! that a real API server would ask for, and compared with `files/rbac` of the chart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use azure_sim::AzureSim;
use chrono::TimeDelta;
use hotpatch_operator::api::HotpatchRun;
use hotpatch_operator::azure::transport::SimTransport;
use hotpatch_operator::azure::{Cloud, Endpoint, Token};
use hotpatch_operator::controller::RELEASES_CONFIGMAP;
use hotpatch_operator::controller::audit::Lines;
use hotpatch_operator::controller::clock::Clock;
use hotpatch_operator::controller::clouds::OneCloud;
use hotpatch_operator::controller::lease::{LEASE_NAME, Tenure};
use hotpatch_operator::controller::{Settings, Shell, run};
use hotpatch_operator::rehearsal::truth::Truth;
use hotpatch_operator::rehearsal::world::World;
use hotpatch_operator::rehearsal::{Ended, Rehearsal};
use hotpatch_operator::telemetry::Telemetry;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PostParams};
use kube_sim::{Call, Fault, KubeSim, Verb};
use serde::Deserialize;
use serde_json::{Value, json};

use super::yaml;
use crate::rehearsal::{FLEET, NIGHTS, QUICK, options, paused};

/// Where the operator of a rehearsal is, and its fleets.
const OWN: &str = "hotpatch-system";
const FLEETS: &str = "web";

/// The hour before the baseline of July 2025.
const EVE: &str = "2025-07-08T16:00:00Z";

/// That baseline.
const BASELINE: &str = "5062553";

/// The files of rules, and whether they hold in the operator's namespace only.
const FILES: [(&str, bool); 3] = [
    ("files/rbac/watched.yaml", false),
    ("files/rbac/cluster.yaml", false),
    ("files/rbac/own.yaml", true),
];

/// Rights that are granted and that no rehearsal uses, and why they are granted.
const UNUSED: [(&str, &str); 1] = [(
    "create events",
    "one store with two doors: clients of the older one, such as libraries, ask for this right",
)];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
    verbs: Vec<String>,
}

/// One right: a verb on a resource, for one name or for all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    verb: String,
    /// `plural[.group][/subresource]`.
    resource: String,
    name: Option<String>,
    own_namespace: bool,
}

impl Right {
    /// Tells whether it covers what a call asks for.
    fn covers(&self, asked: &Asked) -> bool {
        let named = match &self.name {
            None => true,
            // A server cannot limit what has no name in its address.
            Some(name) => asked.verb != "create" && asked.name.as_ref() == Some(name),
        };
        let place = !self.own_namespace || asked.namespace.as_deref() == Some(OWN);
        named && place && self.verb == asked.verb && self.resource == asked.resource
    }

    fn text(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        format!("{} {} {name}", self.verb, self.resource)
            .trim()
            .to_owned()
    }
}

/// What one call asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    verb: String,
    resource: String,
    namespace: Option<String>,
    name: Option<String>,
}

impl From<&Call> for Asked {
    fn from(call: &Call) -> Self {
        let below = call.subresource.iter().map(|own| format!("/{own}"));
        Self {
            verb: call.verb.as_str().to_owned(),
            resource: call.resource.clone() + &below.collect::<String>(),
            namespace: call.namespace.clone(),
            name: call.name.clone(),
        }
    }
}

fn rules(file: &str) -> Vec<Rule> {
    yaml(file)
}

/// Expands rules into single rights.
fn rights(rules: &[Rule], own_namespace: bool) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in rules {
        for (group, resource, verb) in combinations(rule) {
            let (plural, below) = resource.split_once('/').unwrap_or((resource, ""));
            let group = if group.is_empty() {
                ""
            } else {
                &format!(".{group}")
            };
            let slash = if below.is_empty() { "" } else { "/" };
            let names: Vec<Option<String>> = match rule.resource_names.as_slice() {
                [] => vec![None],
                names => names.iter().cloned().map(Some).collect(),
            };
            rights.extend(names.into_iter().map(|name| Right {
                verb: verb.to_owned(),
                resource: format!("{plural}{group}{slash}{below}"),
                name,
                own_namespace,
            }));
        }
    }
    rights
}

fn combinations(rule: &Rule) -> impl Iterator<Item = (&str, &str, &str)> {
    rule.api_groups.iter().flat_map(move |group| {
        rule.resources.iter().flat_map(move |resource| {
            let verbs = rule.verbs.iter();
            verbs.map(move |verb| (group.as_str(), resource.as_str(), verb.as_str()))
        })
    })
}

fn granted() -> BTreeSet<Right> {
    let sets = FILES.iter().map(|(file, own)| rights(&rules(file), *own));
    sets.flatten().collect()
}

/// Returns what was asked for without a right, and the rights that nobody used.
fn compare(granted: &BTreeSet<Right>, asked: &BTreeSet<Asked>) -> (Vec<Asked>, Vec<String>) {
    let refused = asked
        .iter()
        .filter(|asked| !granted.iter().any(|right| right.covers(asked)));
    let idle = granted
        .iter()
        .filter(|right| !asked.iter().any(|asked| right.covers(asked)))
        .map(Right::text)
        .filter(|text| !UNUSED.iter().any(|(right, _)| right == text));
    (refused.cloned().collect(), idle.collect())
}

fn object(own: &Rehearsal, resource: &str, name: &str) -> Value {
    let found = own.kube.get_object(resource, Some(FLEETS), name);
    Value::clone(&found.unwrap_or_else(|| panic!("no {resource} {name}")))
}

/// Puts an object down past the API: no right is asked for that, and nothing is validated.
fn force(own: &Rehearsal, resource: &str, name: &str, object: Value) {
    own.kube
        .force_object(resource, Some(FLEETS), name, Some(object));
}

async fn pass_hours(own: &mut Rehearsal, hours: i64) {
    let until = own.now() + TimeDelta::hours(hours);
    assert_eq!(own.run_until(|_, _| false, until).await, Ended::TimeUp);
}

/// Watches the requests of the operator; one write of a command's outcome meets a conflict.
fn witness(own: &Rehearsal) -> Arc<Mutex<BTreeSet<Asked>>> {
    let asked = Arc::new(Mutex::new(BTreeSet::new()));
    let (into, conflicted) = (Arc::clone(&asked), AtomicBool::new(false));
    own.kube.on_request(move |call| {
        into.lock().unwrap().insert(Asked::from(call));
        let is_outcome = call.verb == Verb::Update
            && call.resource.starts_with("hotpatchruns.")
            && call.body.as_ref().is_some_and(|body| {
                let machines = body["status"]["machines"].as_array();
                machines.is_some_and(|all| all.iter().any(|own| own["step"] == "Running"))
            });
        if is_outcome && !conflicted.swap(true, Ordering::SeqCst) {
            return Fault::Status {
                code: 409,
                reason: "Conflict".to_owned(),
                message: "somebody else was faster".to_owned(),
                retry_after_seconds: None,
            };
        }
        Fault::None
    });
    asked
}

/// Makes every declared kind unreadable in turn: the operator then reads and tells the raw object.
async fn break_declarations(own: &mut Rehearsal) {
    let broken = [
        (
            "maintenancewindows.hotpatch.dev",
            "nights",
            "/spec/timeZone",
        ),
        ("baselinepolicies.hotpatch.dev", "quick", "/spec/stages"),
        ("hotpatchfleets.hotpatch.dev", "small", "/spec/mode"),
        ("hotpatchrequests.hotpatch.dev", "hold", "/spec/verb"),
    ];
    for (resource, name, field) in broken {
        let mut bad = object(own, resource, name);
        *bad.pointer_mut(field).unwrap() = json!(7);
        force(own, resource, name, bad);
        pass_hours(own, 1).await;
    }
}

/// Makes one run old that is not the newest of its release and stage.
fn age_a_run(own: &Rehearsal) {
    let mut newest: BTreeMap<String, Value> = BTreeMap::new();
    for run in own.kube.list_objects("hotpatchruns.hotpatch.dev") {
        let key = format!("{} {}", run["spec"]["release"], run["spec"]["stage"]);
        let Some(other) = newest.get(&key) else {
            newest.insert(key, Value::clone(&run));
            continue;
        };
        let is_newer = run["spec"]["ordinal"].as_i64() > other["spec"]["ordinal"].as_i64();
        let mut old = if is_newer {
            other.clone()
        } else {
            Value::clone(&run)
        };
        old["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
        let name = old["metadata"]["name"].as_str().unwrap().to_owned();
        force(own, "hotpatchruns.hotpatch.dev", &name, old);
        return;
    }
    panic!("no stage had two runs");
}

async fn everything_that_is_asked_for() -> BTreeSet<Asked> {
    let options = options(1, EVE.parse().unwrap(), &[QUICK, NIGHTS, FLEET]);
    let mut own = Rehearsal::new(options).await.unwrap();
    let asked = witness(&own);
    let limit = own.now() + TimeDelta::days(6);
    let is_done = |world: &World| {
        let is_let_go = |run: &Arc<HotpatchRun>| {
            let has_ended = run
                .status
                .as_ref()
                .is_some_and(|own| own.completed_at.is_some());
            has_ended && run.metadata.finalizers.as_ref().is_none_or(Vec::is_empty)
        };
        let is_current = |own: &Truth| own.installed.contains(BASELINE);
        world.machines.values().all(is_current) && world.runs.values().all(is_let_go)
    };
    let ended = own.run_until(|world, _| is_done(world), limit).await;
    assert_eq!(ended, Ended::Reached, "runs begin and end");
    let request = json!({
        "apiVersion": "hotpatch.dev/v1alpha1", "kind": "HotpatchRequest",
        "metadata": {"name": "hold", "namespace": FLEETS},
        "spec": {"fleetRef": {"name": "small"}, "verb": "Pause"},
    });
    force(&own, "hotpatchrequests.hotpatch.dev", "hold", request);
    age_a_run(&own);
    let mut fleet = object(&own, "hotpatchfleets.hotpatch.dev", "small");
    fleet["spec"]["machineRecords"] = json!("None");
    force(&own, "hotpatchfleets.hotpatch.dev", "small", fleet);
    pass_hours(&mut own, 3).await;
    break_declarations(&mut own).await;
    own.kill();
    let found = asked.lock().unwrap();
    BTreeSet::clone(&found)
}

#[test]
fn the_chart_grants_what_the_operator_uses_and_nothing_else() {
    let asked = paused(everything_that_is_asked_for());
    let (refused, idle) = compare(&granted(), &asked);
    assert!(
        refused.is_empty(),
        "used and not granted in charts/hotpatch-operator/files/rbac: {refused:#?}"
    );
    assert!(
        idle.is_empty(),
        "granted in charts/hotpatch-operator/files/rbac and never used: {idle:#?}"
    );
}

/// Runs the controller for some virtual minutes over an empty cluster; returns what it asked for.
async fn asked_when_watching(namespace: &str) -> BTreeSet<Asked> {
    let clock = Clock::starting_at(EVE.parse().unwrap());
    let kube = KubeSim::new(clock.as_fn());
    let crds: Api<CustomResourceDefinition> = Api::all(kube.client());
    for crd in hotpatch_operator::api::all_crds() {
        crds.create(&PostParams::default(), &crd).await.unwrap();
    }
    let namespaces: Api<Namespace> = Api::all(kube.client());
    let mut home = Namespace::default();
    home.metadata.name = Some(OWN.to_owned());
    namespaces
        .create(&PostParams::default(), &home)
        .await
        .unwrap();
    let asked = Arc::new(Mutex::new(BTreeSet::new()));
    let into = Arc::clone(&asked);
    kube.on_request(move |call| {
        into.lock().unwrap().insert(Asked::from(call));
        Fault::None
    });
    let azure = AzureSim::new(clock.as_fn(), azure_sim::Options::default());
    let endpoint = Endpoint::parse(Endpoint::PUBLIC).unwrap();
    let transport = Arc::new(SimTransport::new(azure));
    let cloud = Cloud::new(transport, endpoint, Token::new("token").unwrap());
    let shell = Shell {
        witness: Arc::new(hotpatch_operator::controller::witness::Unwatched),
        kube: kube.client(),
        clouds: Arc::new(OneCloud(cloud)),
        clock,
        audit: Arc::new(Lines::new(std::io::sink())),
        telemetry: Telemetry::default(),
        settings: Settings {
            holder: "one".to_owned(),
            namespace: OWN.to_owned(),
            tenure: Tenure::default(),
            watched: Some(namespace.to_owned()),
            requested_by_is_enforced: true,
            run_commands: false,
        },
    };
    let telemetry = shell.telemetry.clone();
    let shutdown = tokio::time::sleep(std::time::Duration::from_secs(300));
    run(shell, shutdown).await.unwrap();
    assert_eq!(telemetry.is_ready(), Ok(()));
    kube.clear_hooks();
    let found = asked.lock().unwrap();
    BTreeSet::clone(&found)
}

#[test]
fn one_that_watches_a_namespace_asks_for_no_other() {
    let asked = paused(asked_when_watching("web"));
    let lists = asked.iter().filter(|own| own.verb == "list").count();
    assert_eq!(lists, 6, "{asked:#?}");
    for own in asked {
        let place = own.namespace.as_deref();
        let is_cluster = own.verb == "get" && own.name.as_deref() == Some("kube-system");
        assert!(
            is_cluster || [Some("web"), Some(OWN)].contains(&place),
            "{own:?}"
        );
    }
}

#[test]
fn a_missing_right_and_an_idle_one_are_both_found() {
    let rule = |verbs: &[&str], names: &[&str]| Rule {
        api_groups: vec![String::new()],
        resources: vec!["configmaps".to_owned()],
        resource_names: names.iter().map(|own| (*own).to_owned()).collect(),
        verbs: verbs.iter().map(|own| (*own).to_owned()).collect(),
    };
    let ask = |verb: &str, namespace: &str, name: &str| Asked {
        verb: verb.to_owned(),
        resource: "configmaps".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
    };
    let cases = [
        (rule(&["get"], &["a"]), ask("get", OWN, "a"), true),
        (rule(&["get"], &["a"]), ask("get", OWN, "b"), false),
        (rule(&["get"], &["a"]), ask("get", FLEETS, "a"), false),
        (rule(&["list"], &[]), ask("get", OWN, "a"), false),
        (rule(&["create"], &["a"]), ask("create", OWN, "a"), false),
        (rule(&["create"], &[]), ask("create", OWN, "a"), true),
    ];
    for (rule, asked, is_granted) in cases {
        let (refused, idle) = compare(&rights(&[rule], true), &BTreeSet::from([asked.clone()]));
        assert_eq!(refused.is_empty(), is_granted, "{asked:?}");
        assert_eq!(idle.is_empty(), is_granted, "{asked:?}");
    }
}

#[test]
fn names_in_the_rules_are_those_in_the_code() {
    let named: BTreeSet<Right> = granted();
    for (resource, name) in [
        ("leases.coordination.k8s.io", LEASE_NAME),
        ("configmaps", RELEASES_CONFIGMAP),
    ] {
        let found = named
            .iter()
            .any(|own| own.resource == resource && own.name.as_deref() == Some(name));
        assert!(found, "{resource} {name}");
    }
}

/// The files of rules of the chart, for the operator and for people.
const ALL: [&str; 6] = [
    "files/rbac/watched.yaml",
    "files/rbac/cluster.yaml",
    "files/rbac/own.yaml",
    "files/rbac/people-view.yaml",
    "files/rbac/people-edit.yaml",
    "files/rbac/people-request.yaml",
];

#[test]
fn no_rule_has_a_wildcard_or_touches_secrets_or_rights() {
    let entries = std::fs::read_dir(super::path("files/rbac")).unwrap();
    assert_eq!(
        entries.count(),
        ALL.len(),
        "a file of rules is not looked at"
    );
    for file in ALL {
        for rule in rules(file) {
            for (group, resource, verb) in combinations(&rule) {
                let right = format!("{file}: {verb} {resource}.{group}");
                assert!(!right.contains('*'), "{right}");
                let plural = resource.split('/').next().unwrap();
                assert!(plural != "secrets", "{right}");
                assert!(group != "rbac.authorization.k8s.io", "{right}");
                let strong = ["escalate", "bind", "impersonate"];
                assert!(!strong.contains(&verb), "{right}");
            }
        }
    }
}

#[test]
fn people_never_get_to_write_what_the_operator_writes() {
    let own = ["hotpatchruns", "hotpatchmachines"];
    for file in &ALL[3..] {
        for rule in rules(file) {
            for (_, resource, verb) in combinations(&rule) {
                let reads = ["get", "list", "watch"].contains(&verb);
                let theirs = own.contains(&resource) || resource.contains('/');
                assert!(reads || !theirs, "{file}: {verb} {resource}");
                let approves = resource == "hotpatchrequests" && !reads;
                let is_request = file.ends_with("people-request.yaml");
                assert!(!approves || is_request, "{file}: {verb} {resource}");
            }
        }
    }
}
