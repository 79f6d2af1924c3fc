//! A hotpatch month and a baseline month, with the API server killed and the definitions applied
//! anew in mid-rollout.

use std::collections::BTreeSet;
use std::process::Command;

use azure_sim::What;
use serde_json::Value;

use super::stage::{Deeds, NAMESPACE, SECRET, SYSTEM, Stage, is_in_window};

/// Half an hour after the hotpatch of June 2025 is out.
const HOTPATCH: &str = "2025-06-10T17:30:00Z";
const HOTPATCH_KB: &str = "5060841";

/// Half an hour after the baseline of July 2025 is out.
const BASELINE: &str = "2025-07-08T17:30:00Z";
const BASELINE_KB: &str = "5062553";

#[tokio::test]
#[ignore = "needs a real API server: make e2e"]
async fn rollout_on_a_real_api_server() {
    let mut stage = Stage::set("rollout", "2025-06-09T08:00:00Z");
    hotpatch(&mut stage).await;
    baseline(&mut stage).await;
    what_people_see(&stage);
    no_secret_shows(&stage);
}

/// No machine reboots, and each gets the hotpatch by one command.
async fn hotpatch(stage: &mut Stage) {
    let fit = stage.fit();
    assert_eq!(fit.len(), 6);
    stage.start_operator(HOTPATCH);
    stage
        .until("every machine has the hotpatch", |own| {
            own.all_have(HOTPATCH_KB)
        })
        .await;
    stage.until("all runs are complete", all_complete).await;
    stage.stop_operator().await;
    let deeds = Deeds::of(&stage.effects_from(HOTPATCH));
    assert!(
        deeds.reboots.is_empty(),
        "a hotpatch reboots nothing: {:?}",
        deeds.reboots
    );
    assert_eq!(deeds.foreign, 0);
    let commanded: BTreeSet<String> = deeds.installs.keys().cloned().collect();
    assert_eq!(commanded, fit);
    assert!(
        deeds.installs.values().all(|own| *own == 1),
        "{:?}",
        deeds.installs
    );
}

/// Each machine reboots once, in a window and within every limit, though the API server dies and
/// the definitions are applied anew while machines are under command.
async fn baseline(stage: &mut Stage) {
    stage.start_operator(BASELINE);
    stage
        .until("the canary is under command", Stage::is_commanding)
        .await;
    stage.plane.kill_api_server();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    stage
        .plane
        .start_api_server()
        .expect("the API server starts again");
    stage
        .until("the canary's run is complete", all_complete)
        .await;
    stage
        .until("the broad stage is under command", Stage::is_commanding)
        .await;
    upgrade(stage);
    stage
        .until("every machine has the baseline", |own| {
            own.all_have(BASELINE_KB)
        })
        .await;
    stage.until("all runs are complete", all_complete).await;
    stage
        .until("the fleet says so", |own| own.is_true("RolloutComplete"))
        .await;
    stage.stop_operator().await;

    let effects = stage.effects_from(BASELINE);
    let deeds = Deeds::of(&effects);
    let fit = stage.fit();
    let rebooted: BTreeSet<String> = deeds.reboots.keys().cloned().collect();
    assert_eq!(rebooted, fit);
    assert!(
        deeds.reboots.values().all(|own| own.len() == 1),
        "{:?}",
        deeds.reboots
    );
    assert!(
        deeds.installs.values().all(|own| *own == 1),
        "{:?}",
        deeds.installs
    );
    assert_eq!(deeds.foreign, 0);
    for (id, reboots) in &deeds.reboots {
        assert!(
            is_in_window(reboots[0].0),
            "{id} went down at {}",
            reboots[0].0
        );
    }
    assert_eq!(
        deeds.most_down(|id| id.contains("shop-")),
        1,
        "the limit of the group"
    );
    assert_eq!(deeds.most_down(|_| true), 1, "20 % of six, rounded down");
    let refused = effects
        .iter()
        .filter(|own| matches!(own.what, What::CallRefused { .. }));
    assert_eq!(refused.count(), 0, "nothing is sent that Azure refuses");
}

fn all_complete(stage: &Stage) -> bool {
    let runs = stage.runs();
    let is_complete = |run: &Value| {
        let conditions = run["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|own| own["type"] == "Complete" && own["status"] == "True")
    };
    !runs.is_empty() && runs.iter().all(is_complete)
}

/// Applies the definitions anew, as `helm upgrade` and as `kubectl apply` do.
fn upgrade(stage: &Stage) {
    let mut helm = Command::new(&stage.plane.assets().helm);
    helm.args(["upgrade", "hotpatch-operator", "charts/hotpatch-operator"])
        .args(["--namespace", SYSTEM, "--set", "logs.filter=debug"])
        .arg("--kubeconfig")
        .arg(stage.plane.kubeconfig());
    assert!(helm.output().unwrap().status.success());
    stage.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "crds/"]);
}

/// Status, events, lease and finalizers are as a person would expect them.
fn what_people_see(stage: &Stage) {
    for condition in ["Ready", "Accepted", "ResolvedRefs", "Discovered"] {
        assert!(stage.is_true(condition), "{condition} of the fleet");
    }
    let events = stage
        .read(&["events.events.k8s.io", "-n", NAMESPACE])
        .unwrap();
    let events = events["items"].as_array().unwrap();
    assert!(!events.is_empty(), "there are events");
    let of_run = |own: &&Value| own["regarding"]["kind"] == "HotpatchRun";
    assert!(
        events.iter().any(|own| of_run(&own)),
        "there are events of runs"
    );
    for run in stage.runs() {
        let finalizers = run["metadata"]["finalizers"].as_array();
        assert!(
            finalizers.is_none_or(Vec::is_empty),
            "a terminal run holds nothing: {run}"
        );
    }
    let records = stage.read(&["hotpatchmachines", "-n", NAMESPACE]).unwrap();
    assert_eq!(
        records["items"].as_array().map(Vec::len),
        Some(stage.facts.len())
    );
    let table = stage.kubectl(&["get", "hpf,hpr", "-n", NAMESPACE]);
    println!("{table}");
}

/// The operator's Azure token is nowhere to be read.
fn no_secret_shows(stage: &Stage) {
    let all = [
        "hpf,hpr,hpm,hpw,hpp,events.events.k8s.io",
        "leases.coordination.k8s.io,configmaps",
    ];
    for kinds in all {
        let text = stage.kubectl(&["get", kinds, "-A", "-o", "yaml"]);
        assert!(!text.contains(SECRET), "the token shows among {kinds}");
    }
    for file in ["operator.log", "audit.jsonl"] {
        let text = std::fs::read_to_string(stage.folder().join(file)).unwrap();
        assert!(
            !text.is_empty() && !text.contains(SECRET),
            "the token shows in {file}"
        );
    }
}
