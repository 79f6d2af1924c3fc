//! Real Helm installs, upgrades and uninstalls the chart on a real API server, and what people own
//! survives. Ignored unless `make e2e` asks.
//!
//! No kubelet is needed: a Deployment that exists is enough. The server must not have the
//! definitions of `hotpatch.dev` yet; they are removed at the end.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::helm::RELEASE;
use super::path;
use super::tools::{eventually, get, helm, kubectl, namespace};

/// The definition that the older chart lacks a field of.
const OLDER: &str = "files/crds/hotpatch.dev_baselinepolicies.yaml";

/// Copies the chart, with an older definition of a policy that has no field `objectives`.
fn older_chart() -> PathBuf {
    let to = std::env::temp_dir().join(format!("hotpatch-chart-{}", std::process::id()));
    copy(&path(""), &to);
    let text = std::fs::read_to_string(to.join(OLDER)).unwrap();
    let mut crd: Value = serde_saphyr::from_str(&text).unwrap();
    let version = &mut crd["spec"]["versions"][0];
    let spec = &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let gone = spec["properties"]
        .as_object_mut()
        .unwrap()
        .remove("objectives");
    assert!(gone.is_some());
    // Rules that speak of the field go with it.
    let rules = spec["x-kubernetes-validations"].as_array_mut();
    if let Some(rules) = rules {
        rules.retain(|own| !own["rule"].as_str().unwrap().contains("objectives"));
    }
    std::fs::write(to.join(OLDER), serde_json::to_string(&crd).unwrap()).unwrap();
    to
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn examples() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    folder.to_str().unwrap().to_owned()
}

fn crds() -> Vec<String> {
    let tree = hotpatch_operator::api::all_crds();
    tree.into_iter()
        .filter_map(|own| own.metadata.name)
        .collect()
}

/// Asks whether the operator may do something.
fn may(account: &str, args: &[&str]) -> bool {
    let who = format!("--as={account}");
    let said = kubectl(&[&["auth", "can-i", "--quiet", &who], args].concat(), "");
    assert!(
        said.err.is_empty() || said.err.contains("Warning"),
        "{args:?}: {}",
        said.err
    );
    said.is_ok
}

fn rights(own: &str) {
    let account = format!("system:serviceaccount:{own}:{RELEASE}");
    let runs = "hotpatchruns.hotpatch.dev";
    let cases: [(&[&str], bool); 14] = [
        (&["watch", "hotpatchfleets.hotpatch.dev", "-A"], true),
        (
            &[
                "update",
                "hotpatchfleets.hotpatch.dev",
                "--subresource=status",
                "-A",
            ],
            true,
        ),
        (&["update", "hotpatchfleets.hotpatch.dev", "-A"], false),
        (&["patch", runs, "-A"], true),
        (&["update", runs, "-A"], false),
        (&["create", "events.events.k8s.io", "-A"], true),
        (&["get", "namespaces/kube-system"], true),
        (&["get", "namespaces/default"], false),
        (
            &[
                "update",
                "leases.coordination.k8s.io/hotpatch-operator",
                "-n",
                own,
            ],
            true,
        ),
        (
            &["update", "leases.coordination.k8s.io/other", "-n", own],
            false,
        ),
        (
            &["create", "leases.coordination.k8s.io", "-n", "default"],
            false,
        ),
        (&["get", "configmaps/hotpatch-releases", "-n", own], true),
        (&["get", "secrets", "-A"], false),
        (
            &[
                "create",
                "serviceaccounts/x",
                "--subresource=token",
                "-n",
                own,
            ],
            false,
        ),
    ];
    for (args, expected) in cases {
        assert_eq!(may(&account, args), expected, "{args:?}");
    }
}

/// Only the user who asks may stand in `requestedBy`.
fn requests(own: &str) {
    let me = kubectl(&["auth", "whoami", "-o", "json"], "").ok("whoami");
    let me: Value = serde_json::from_str(&me).unwrap();
    let me = me["status"]["userInfo"]["username"].as_str().unwrap();
    let request = |name: &str, by: Option<&str>| {
        let mut object = json!({
            "apiVersion": "hotpatch.dev/v1alpha1", "kind": "HotpatchRequest",
            "metadata": {"name": name, "namespace": own},
            "spec": {"fleetRef": {"name": "servers"}, "verb": "Pause"},
        });
        if let Some(by) = by {
            object["spec"]["requestedBy"] = json!(by);
        }
        kubectl(&["create", "-f", "-"], &object.to_string())
    };
    let told = format!("requestedBy must be the user who asks: write requestedBy: {me}");
    let mut tries = 0;
    // A server takes a policy up some seconds after it was made.
    eventually("the admission policy", || {
        tries += 1;
        let said = request(&format!("stranger-{tries}"), Some("somebody-else"));
        if said.is_ok {
            Err("a stranger was let in".to_owned())
        } else {
            Ok(said)
        }
    });
    for by in [Some("somebody-else"), None] {
        let why = request("refused", by).refused("a request by another");
        assert!(why.contains(&told), "{why}");
    }
    request("pause", Some(me)).ok("a request by the user");
}

/// The pod of the Deployment, as its controller would make it, in a namespace that enforces the
/// restricted profile.
fn pod_is_admitted(own: &str) {
    let deployment = get(&["deployment", RELEASE, "-n", own]);
    let template = &deployment["spec"]["template"];
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "pod", "namespace": own, "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    });
    let said = kubectl(&["create", "--dry-run=server", "-f", "-"], &pod.to_string());
    assert!(said.is_ok && said.err.is_empty(), "{}", said.err);
    let mut loose = pod;
    loose["spec"]["containers"][0]["securityContext"] = json!({});
    let said = kubectl(
        &["create", "--dry-run=server", "-f", "-"],
        &loose.to_string(),
    );
    assert!(
        said.refused("a loose pod").contains("restricted"),
        "the profile is enforced here"
    );
}

fn has_objectives() -> bool {
    let crd = get(&["crd", "baselinepolicies.hotpatch.dev"]);
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["properties"]["spec"]["properties"]["objectives"].is_object()
}

/// The uids of everything that people declared.
fn declared(own: &str) -> Vec<String> {
    let found = get(&[
        "hotpatchfleets,maintenancewindows,baselinepolicies",
        "-n",
        own,
    ]);
    let items = found["items"].as_array().unwrap();
    let uids = items
        .iter()
        .map(|own| own["metadata"]["uid"].as_str().unwrap());
    uids.map(str::to_owned).collect()
}

fn clean_up(own: &str) {
    kubectl(&["delete", "hotpatch", "--all", "-n", own], "").ok("delete what was declared");
    let names = crds();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    kubectl(&[&["delete", "crd"], names.as_slice()].concat(), "").ok("delete definitions");
}

#[test]
#[ignore = "needs helm: make e2e"]
fn chart_installs_upgrades_and_uninstalls() {
    let found = get(&["crd", "hotpatchfleets.hotpatch.dev"]);
    assert!(
        found.is_null(),
        "this server has the definitions already: use a fresh one"
    );
    let own = namespace(
        "chart",
        &[("pod-security.kubernetes.io/enforce", "restricted")],
    );
    let (older, chart) = (older_chart(), path(""));
    let (older, chart) = (older.to_str().unwrap().to_owned(), chart.to_str().unwrap());
    let notes = helm(&["install", RELEASE, &older, "-n", &own]).ok("helm install");
    for step in [
        "No image is published",
        "kubectl apply -n NAMESPACE -f examples/",
        "hpf,hpm",
    ] {
        assert!(notes.contains(step), "{step}: {notes}");
    }
    assert!(!has_objectives());
    let names = crds();
    for name in &names {
        let name = format!("crd/{name}");
        kubectl(
            &[
                "wait",
                "--for=condition=Established",
                &name,
                "--timeout=30s",
            ],
            "",
        )
        .ok(&name);
    }
    eventually("apply the examples", || {
        let said = kubectl(
            &["apply", "-n", &own, "-f", &examples(), "--validate=false"],
            "",
        );
        said.is_ok.then_some(()).ok_or(said.err)
    });
    let uids = declared(&own);
    assert_eq!(uids.len(), 4);
    rights(&own);
    requests(&own);
    pod_is_admitted(&own);

    helm(&["upgrade", RELEASE, chart, "-n", &own, "--set", "replicas=3"]).ok("helm upgrade");
    assert!(has_objectives(), "the definitions were upgraded");
    assert_eq!(
        get(&["deployment", RELEASE, "-n", &own])["spec"]["replicas"],
        3
    );
    assert_eq!(
        declared(&own),
        uids,
        "what was declared survives an upgrade"
    );
    helm(&["rollback", RELEASE, "-n", &own]).ok("helm rollback");
    helm(&["upgrade", RELEASE, chart, "-n", &own]).ok("helm upgrade again");

    helm(&["uninstall", RELEASE, "-n", &own]).ok("helm uninstall");
    let left = "deploy,sa,svc,pdb,role,rolebinding,clusterrole,clusterrolebinding,\
                validatingadmissionpolicy,validatingadmissionpolicybinding";
    let left = get(&[
        left,
        "-A",
        "-l",
        &format!("app.kubernetes.io/instance={RELEASE}"),
    ]);
    let left: Vec<&Value> = left["items"].as_array().into_iter().flatten().collect();
    let ours: Vec<&&Value> = left
        .iter()
        .filter(|own| own["metadata"]["name"] != "default")
        .collect();
    assert!(ours.is_empty(), "left behind: {ours:#?}");
    for name in &names {
        assert!(!get(&["crd", name]).is_null(), "{name} is gone");
    }
    assert_eq!(
        declared(&own),
        uids,
        "what was declared survives an uninstall"
    );

    helm(&["install", RELEASE, chart, "-n", &own]).ok("helm install over kept definitions");
    assert_eq!(declared(&own), uids);
    helm(&["uninstall", RELEASE, "-n", &own]).ok("helm uninstall");
    clean_up(&own);
    std::fs::remove_dir_all(older).unwrap();
}
