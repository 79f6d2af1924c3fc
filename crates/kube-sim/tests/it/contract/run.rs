//! Runs the cases on each server and says how many are as stated.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use kube_sim::KubeSim;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::answer::{Differs, Outcome};
use super::goals::{NON_GOALS, PENDING};
use super::world::{CRDS, World};
use super::{Case, all_cases, fixtures};

/// Bound of one case.
const CASE_LIMIT: Duration = Duration::from_secs(240);
/// Cases under way at once on a real server.
const AT_ONCE: usize = 8;

/// Where the kubeconfig of the real server is named.
const KUBECONFIG: &str = "CONTRACT_KUBECONFIG";
/// The token of the simulator's administrator.
const ADMINISTRATOR: &str = "contract-administrator";
/// Runs only the cases whose name contains this text.
const ONLY: &str = "CONTRACT_ONLY";

#[tokio::test(start_paused = true)]
async fn the_simulator_keeps_the_contract() {
    let begin = tokio::time::Instant::now();
    let clock = move || {
        let past = chrono::Duration::from_std(begin.elapsed()).unwrap_or_default();
        crate::support::test_time() + past
    };
    let sim = KubeSim::new(Arc::new(clock));
    sim.add_token(ADMINISTRATOR, "administrator", &["system:masters"]);
    sim.require_auth();
    let world = World {
        client: administrator(&sim),
        stranger: sim.client(),
        ns: String::new(),
        group: "fixtures.contract.dev".to_owned(),
        sim: Some(sim),
    };
    install(&world)
        .await
        .expect("the fixtures can be installed");
    let mut results = Vec::new();
    for (at, case) in chosen().into_iter().enumerate() {
        results.push((case, run(&world, case, at).await));
    }
    let verdict = judge_simulator(&results);
    let text = verdict.report("kube-sim", "documented non-goals");
    write!(std::io::stdout(), "{text}").expect("stdout is open");
    assert!(verdict.differs.is_empty(), "{text}");
}

#[tokio::test]
#[ignore = "needs a real API server: make e2e"]
async fn a_real_server_keeps_the_contract() {
    let world = real_world().await;
    install(&world)
        .await
        .expect("the fixtures can be installed");
    let version = world.get("/version").await.expect("a server answers");
    let results: Vec<(&Case, Outcome)> = futures::stream::iter(chosen().into_iter().enumerate())
        .map(|(at, case)| {
            let world = world.clone();
            async move { (case, run(&world, case, at).await) }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    remove(&world).await;
    let mut verdict = Verdict::default();
    for (case, outcome) in &results {
        verdict.count(case, outcome);
    }
    let server = format!("kube-apiserver {}", server_version(&version.json));
    let text = verdict.report(&server, "skipped");
    write!(std::io::stdout(), "{text}").expect("stdout is open");
    assert!(verdict.differs.is_empty(), "{text}");
}

/// The version a server names, or what it derives it from when it was built without one.
fn server_version(version: &Value) -> String {
    let text = |key: &str| version[key].as_str().unwrap_or_default();
    match text("gitVersion") {
        built if built.contains('$') => format!("v{}.{}", text("major"), text("minor")),
        built => built.to_owned(),
    }
}

#[allow(clippy::disallowed_methods)] // the test binary has no command line of its own
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A client that names itself to the simulator, as a kubeconfig's does to a real server.
fn administrator(sim: &KubeSim) -> Client {
    let token = HeaderValue::from_static("Bearer contract-administrator");
    let service = sim
        .service()
        .map_request(move |mut request: Request<Body>| {
            let headers = request.headers_mut();
            if !headers.contains_key(AUTHORIZATION) {
                headers.insert(AUTHORIZATION, token.clone());
            }
            request
        });
    Client::new(service, "default")
}

fn chosen() -> Vec<&'static Case> {
    let only = setting(ONLY).unwrap_or_default();
    let mut all = all_cases();
    all.retain(|case| case.name().contains(&only));
    all
}

async fn real_world() -> World {
    let path = setting(KUBECONFIG)
        .unwrap_or_else(|| panic!("set {KUBECONFIG} to the kubeconfig of a throwaway server"));
    let file = Kubeconfig::read_from(&path)
        .unwrap_or_else(|error| panic!("{KUBECONFIG}={path} cannot be read: {error}"));
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap_or_else(|error| panic!("{KUBECONFIG}={path} is no kubeconfig: {error}"));
    config.default_retry = false;
    let mut bare = config.clone();
    bare.auth_info = kube::config::AuthInfo::default();
    let client = Client::try_from(config).expect("the kubeconfig makes a client");
    // Whatever is new on the server is named after a suffix that it has drawn itself.
    let spaces = kube::Api::<k8s_openapi::api::core::v1::Namespace>::all(client.clone());
    let space = json!({"metadata": {"generateName": "contract-"}});
    let space = serde_json::from_value(space).expect("a namespace");
    let made = spaces.create(&Default::default(), &space).await;
    let name = made
        .unwrap_or_else(|error| panic!("{KUBECONFIG}={path}: no server: {error}"))
        .metadata
        .name
        .unwrap_or_default();
    World {
        client,
        stranger: Client::try_from(bare).expect("the kubeconfig makes a client"),
        group: format!("fixtures.{name}.dev"),
        ns: name,
        sim: None,
    }
}

async fn install(world: &World) -> Outcome {
    for crd in fixtures::crds(&world.group) {
        let plural = crd["spec"]["names"]["plural"].as_str().unwrap_or_default();
        let served = format!("/apis/{}/v1/{plural}", world.group);
        world.define(&crd, &served).await?;
    }
    Ok(())
}

/// Takes away what the run left on a real server; what fails here is no finding.
async fn remove(world: &World) {
    for crd in fixtures::crds(&world.group) {
        let name = crd["metadata"]["name"].as_str().unwrap_or_default();
        let _kept = world.delete(format!("{CRDS}/{name}")).await;
    }
    let _kept = world
        .delete(format!("/api/v1/namespaces/{}", world.ns))
        .await;
}

/// Runs a case in a namespace of its own.
async fn run(world: &World, case: &Case, at: usize) -> Outcome {
    let base = if world.ns.is_empty() {
        "contract"
    } else {
        &world.ns
    };
    let world = World {
        ns: format!("{base}-{at}"),
        ..world.clone()
    };
    let space = json!({"metadata": {"name": world.ns}});
    world.post("/api/v1/namespaces", space).await?.code(201)?;
    let outcome = match tokio::time::timeout(CASE_LIMIT, (case.run)(world.clone())).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Differs::plain(format!("none within {CASE_LIMIT:?}"))),
    };
    tidy(&world).await;
    outcome
}

/// Takes away what a case may have left; what fails here is no finding.
async fn tidy(world: &World) {
    for part in ["rules", "tight", "types"] {
        for plural in ["things", "others"] {
            let name = format!("{plural}.{part}.{}.dev", world.ns);
            let _kept = world.delete(format!("{CRDS}/{name}")).await;
        }
    }
    let _kept = world
        .delete(format!("/api/v1/namespaces/{}", world.ns))
        .await;
}

/// What a run found.
#[derive(Default)]
struct Verdict {
    cases: usize,
    as_stated: usize,
    /// What fails the run.
    differs: Vec<String>,
    /// What is known and does not.
    known: Vec<String>,
    pending: Vec<String>,
}

impl Verdict {
    fn count(&mut self, case: &Case, outcome: &Outcome) {
        self.cases += 1;
        match outcome {
            Ok(()) => self.as_stated += 1,
            Err(differs) => self.differs.push(format!("{}\n{differs}", case.name())),
        }
    }

    fn report(&self, server: &str, known: &str) -> String {
        let mut out = String::new();
        for text in &self.differs {
            writeln!(out, "  differs: {text}").expect("memory can be written");
        }
        for text in &self.pending {
            writeln!(out, "  pending: {text}").expect("memory can be written");
        }
        for text in &self.known {
            writeln!(out, "  {known}: {text}").expect("memory can be written");
        }
        write!(
            out,
            "contract: {} cases on {server}: {} as stated, {} differ, {} {known}",
            self.cases,
            self.as_stated,
            self.differs.len(),
            self.known.len()
        )
        .expect("memory can be written");
        match self.pending.len() {
            0 => out.push('\n'),
            count => out.push_str(&format!(", {count} pending\n")),
        }
        out
    }
}

fn judge_simulator(results: &[(&Case, Outcome)]) -> Verdict {
    let mut verdict = Verdict::default();
    for (case, outcome) in results {
        let name = case.name();
        let goal = NON_GOALS.iter().find(|(own, _)| *own == name);
        let pending = PENDING.contains(&name.as_str());
        match (goal, outcome) {
            (Some((_, why)), Err(_)) => {
                verdict.cases += 1;
                verdict.known.push(format!("{name}: {why}"));
            }
            (Some(_), Ok(())) => {
                verdict.cases += 1;
                let text = "is listed as a non-goal, but is as stated: take it off the list";
                verdict.differs.push(format!("{name} {text}"));
            }
            (None, Err(differs)) if pending => {
                verdict.cases += 1;
                verdict.pending.push(format!("{name}\n{differs}"));
            }
            _ => verdict.count(case, outcome),
        }
    }
    for name in NON_GOALS
        .iter()
        .map(|(name, _)| *name)
        .chain(PENDING.iter().copied())
    {
        if setting(ONLY).is_none() && !results.iter().any(|(case, _)| case.name() == name) {
            verdict
                .differs
                .push(format!("{name} is listed, but there is no such case"));
        }
    }
    verdict
}
