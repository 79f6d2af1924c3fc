//! Real kubectl against the served demo.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::demo::{Demo, binary};

/// Slow enough that nothing moves while a test looks.
const SLOW: &str = "0.01";

/// Makes folders of tests differ.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// kubectl, a demo, and a folder for its files and caches.
struct Kubectl {
    demo: Demo,
    kubectl: PathBuf,
    folder: PathBuf,
}

/// What a kubectl printed.
struct Said {
    is_ok: bool,
    out: String,
    err: String,
}

impl Kubectl {
    fn start(speed: &str) -> Self {
        let kubectl = binary("HOTPATCH_KUBECTL");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("hotpatch-kubectl-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self {
            demo: Demo::start_with_machines(speed),
            kubectl,
            folder,
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.kubectl);
        command
            .args(line.split_whitespace())
            .env("KUBECONFIG", &self.demo.kubeconfig)
            .env("KUBECACHEDIR", self.folder.join("cache"))
            .env("HOME", &self.folder)
            .current_dir(&self.folder);
        command
    }

    fn said(command: &mut Command) -> Said {
        let done = command.output().unwrap();
        Said {
            is_ok: done.status.success(),
            out: String::from_utf8_lossy(&done.stdout).into_owned(),
            err: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }

    /// Runs a line that must succeed; returns what it printed.
    fn run(&self, line: &str) -> String {
        let said = Self::said(&mut self.command(line));
        assert!(said.is_ok, "kubectl {line}: {}{}", said.out, said.err);
        said.out
    }

    /// Runs a line that must fail; returns why.
    fn refused(&self, line: &str) -> String {
        let said = Self::said(&mut self.command(line));
        assert!(!said.is_ok, "kubectl {line} went through: {}", said.out);
        said.err
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }
}

impl Drop for Kubectl {
    fn drop(&mut self) {
        // It is only a folder of a test.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Fails unless a text has all of some words.
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "lacks {word:?}:\n{text}");
    }
}

const PAUSE: &str = "\
apiVersion: hotpatch.dev/v1alpha1
kind: HotpatchRequest
metadata: {name: pause-web, labels: {from: test}}
spec:
  fleetRef: {name: servers}
  verb: Pause
  reason: the shop runs a campaign tonight
  requestedBy: alex@example.com
";

const WINDOW: &str = "\
apiVersion: hotpatch.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: lunch}
spec:
  timeZone: Europe/Berlin
  schedule: {weekly: {days: [Monday]}}
  startTime: \"12:00\"
  duration: 2h
";

#[test]
#[ignore = "needs kubectl: make e2e"]
fn kubectl_gets_every_kind_in_every_form() {
    let own = Kubectl::start(SLOW);
    let fleets = own.run("get hpf");
    has(
        &fleets,
        &[
            "NAME", "READY", "MODE", "MACHINES", "AGE", "servers", "Enforce",
        ],
    );
    let machines = own.run("get hpm");
    assert_eq!(
        machines.lines().count(),
        63,
        "a head and 62 machines\n{machines}"
    );
    has(&machines, &["ELIGIBLE", "TRACK", "DUE", "REASON", "RUN"]);
    has(
        &own.run("get hpw,hpp"),
        &["OPEN", "saturday-night", "availability-first"],
    );
    has(
        &own.run("get hotpatch"),
        &["hotpatchfleet.hotpatch.dev/servers", "maintenancewindow"],
    );
    has(&own.run("get hpf -A"), &["NAMESPACE", "web"]);
    has(
        &own.run("get hpf servers -o yaml"),
        &["apiVersion: hotpatch.dev/v1alpha1", "mode: Enf"],
    );
    has(
        &own.run("get hpf servers -o json"),
        &["\"kind\": \"HotpatchFleet\""],
    );
    assert_eq!(
        own.run("get hpf -o name"),
        "hotpatchfleet.hotpatch.dev/servers\n"
    );
    assert_eq!(
        own.run("get hpf -o jsonpath={.items[0].spec.mode}"),
        "Enforce"
    );
    has(&own.run("get hpf -o wide"), &["NEXT"]);
    assert_eq!(own.run("get hpm --no-headers -l no=such"), "");
    assert_eq!(
        own.run("get hpm --no-headers --field-selector spec.fleet=none"),
        ""
    );
    let chosen = own.run("get hpm --no-headers --field-selector spec.fleet=servers");
    assert_eq!(chosen.lines().count(), 62);
    let paged = own.run("get hpm -o name --chunk-size=10");
    assert_eq!(
        paged,
        own.run("get hpm -o name"),
        "pages make the same list"
    );
    has(&own.run("get ns"), &["STATUS", "Active", "hotpatch-system"]);
    has(
        &own.run("get lease -n hotpatch-system"),
        &["HOLDER", "hotpatch-operator-1"],
    );
    has(
        &own.run("get crd"),
        &["CREATED AT", "hotpatchruns.hotpatch.dev"],
    );
    has(&own.run("get sa"), &["hotpatch"]);
    has(
        &own.run("get events"),
        &["LAST SEEN", "hotpatchfleet/servers"],
    );
    has(&own.run("events"), &["HotpatchFleet/servers"]);
    has(
        &own.refused("get hpm nobody"),
        &["(NotFound)", "\"nobody\" not found"],
    );
    has(
        &own.refused("get nonsense"),
        &["doesn't have a resource type"],
    );
}

#[test]
#[ignore = "needs kubectl: make e2e"]
fn kubectl_describes_and_explains() {
    let own = Kubectl::start(SLOW);
    let fleet = own.run("describe hpf servers");
    has(
        &fleet,
        &[
            "Kind:         HotpatchFleet",
            "Conditions:",
            "Events:",
            "NotYetSupported",
        ],
    );
    has(&own.run("describe ns web"), &["Status:       Active"]);
    let explained = own.run("explain hpf.spec.mode");
    has(
        &explained,
        &["FIELD: mode <string>", "ENUM:", "Observe", "DESCRIPTION:"],
    );
    for kind in [
        "hpf", "hpw", "hpp", "hpq", "hpr", "hpm", "crd", "ns", "cm", "lease", "ev",
    ] {
        let all = own.run(&format!("explain {kind} --recursive"));
        has(&all, &["FIELDS:", "metadata\t<ObjectMeta>"]);
    }
    has(
        &own.refused("explain hpf.spec.nonsense"),
        &["field \"nonsense\" does not exist"],
    );
    has(
        &own.run("api-resources"),
        &["hotpatchfleets", "hpf", "HotpatchFleet", "leases"],
    );
    has(
        &own.run("api-resources --categories=hotpatch -o name"),
        &["hotpatchruns.hotpatch.dev"],
    );
    has(
        &own.run("api-versions"),
        &["hotpatch.dev/v1alpha1", "events.k8s.io/v1"],
    );
    has(&own.run("version"), &["Server Version: v1.36"]);
}

#[test]
#[ignore = "needs kubectl: make e2e"]
fn kubectl_applies_diffs_edits_and_deletes() {
    let own = Kubectl::start(SLOW);
    own.write("window.yaml", WINDOW);
    own.write("later.yaml", &WINDOW.replace("12:00", "13:00"));
    own.write(
        "bad.yaml",
        &WINDOW.replace("duration: 2h", "duration: 2h\n  colour: red"),
    );
    has(
        &own.run("create -f window.yaml --dry-run=server"),
        &["created (server dry run)"],
    );
    has(&own.run("apply -f window.yaml"), &["lunch created"]);
    has(&own.run("apply -f window.yaml"), &["lunch unchanged"]);
    let diff = Kubectl::said(&mut own.command("diff -f later.yaml"));
    assert!(!diff.is_ok, "a difference is an exit code");
    has(
        &diff.out,
        &["-  startTime: \"12:00\"", "+  startTime: \"13:00\""],
    );
    has(&own.run("apply -f later.yaml"), &["lunch configured"]);
    has(&own.run("diff -f later.yaml"), &[]);
    has(
        &own.refused("apply -f bad.yaml"),
        &["unknown field \"spec.colour\""],
    );
    has(&own.refused("create -f window.yaml"), &["(AlreadyExists)"]);
    has(&own.run("replace -f window.yaml"), &["lunch replaced"]);
    let mut edit = own.command("edit hpw lunch");
    edit.env("EDITOR", "sed -i s/2h/3h/");
    assert!(Kubectl::said(&mut edit).is_ok);
    assert_eq!(own.run("get hpw lunch -o jsonpath={.spec.duration}"), "3h");
    has(&own.run("label hpw lunch a=b"), &["labeled"]);
    has(&own.run("annotate hpw lunch c=d"), &["annotated"]);
    assert_eq!(
        own.run("get hpw -l a=b -o name"),
        "maintenancewindow.hotpatch.dev/lunch\n"
    );
    has(
        &own.refused("patch hpf servers --type=merge -p {\"spec\":{\"mode\":\"X\"}}"),
        &["Unsupported value: \"X\": supported values: \"Observe\", \"Enrol\", \"Enforce\""],
    );
    has(&own.run("delete hpw lunch"), &["deleted"]);
    has(&own.run("wait --for=delete hpw/lunch --timeout=5s"), &[]);
}

#[test]
#[ignore = "needs kubectl: make e2e"]
fn kubectl_waits_and_watches_while_the_operator_reacts() {
    let own = Kubectl::start("0.1");
    has(
        &own.run("wait hpf/servers --for=condition=Ready --timeout=20s"),
        &["condition met"],
    );
    has(
        &own.run("wait hpf/servers --for=jsonpath={.spec.mode}=Enforce --timeout=5s"),
        &["condition met"],
    );
    let mut watch = own.command("get hpq --watch --no-headers");
    let mut watch: Child = watch.stdout(Stdio::piped()).spawn().unwrap();
    own.write("pause.yaml", PAUSE);
    has(&own.run("apply -f pause.yaml"), &["pause-web created"]);
    let active = "wait hpq/pause-web --for=jsonpath={.status.state}=Active --timeout=20s";
    has(&own.run(active), &["condition met"]);
    own.run("delete hpq pause-web --wait=true --timeout=20s");
    watch.kill().unwrap();
    let seen = watch.wait_with_output().unwrap().stdout;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    has(&seen, &["pause-web", "Pause", "Active"]);
}

#[test]
#[ignore = "needs kubectl: make e2e"]
fn kubectl_creates_built_in_objects_which_it_sends_as_protobuf() {
    let own = Kubectl::start(SLOW);
    has(&own.run("create ns foo"), &["namespace/foo created"]);
    let map = "create configmap m -n foo --from-literal=a=b";
    has(&own.run(map), &["configmap/m created"]);
    assert_eq!(own.run("get cm m -n foo -o jsonpath={.data.a}"), "b");
    has(&own.refused(map), &["already exists"]);
    has(
        &own.run("create sa bob -n foo"),
        &["serviceaccount/bob created"],
    );
    has(&own.run("get sa -n foo"), &["bob"]);
    has(&own.run("delete ns foo --timeout=20s"), &["deleted"]);
    has(&own.refused("get cm m -n foo"), &["(NotFound)"]);
}

#[test]
#[ignore = "needs kubectl: make e2e"]
fn kubectl_applies_a_built_in_object_again() {
    let own = Kubectl::start(SLOW);
    let map = |value: &str| {
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: m}}, data: {{a: {value}, b: x}}}}"
        )
    };
    own.write("map.yaml", &map("one"));
    has(&own.run("apply -f map.yaml"), &["configmap/m created"]);
    own.write("map.yaml", &map("two").replace(", b: x", ""));
    has(&own.run("apply -f map.yaml"), &["configmap/m configured"]);
    assert_eq!(own.run("get cm m -o jsonpath={.data}"), "{\"a\":\"two\"}");
    has(&own.run("apply -f map.yaml"), &["configmap/m unchanged"]);
}

#[test]
#[ignore = "needs kubectl: make e2e"]
fn kubectl_applies_server_side_and_meets_conflicts() {
    let own = Kubectl::start(SLOW);
    own.write("window.yaml", WINDOW);
    own.write("later.yaml", &WINDOW.replace("12:00", "13:00"));
    has(
        &own.run("apply --server-side -f window.yaml"),
        &["lunch serverside-applied"],
    );
    let other = "apply --server-side --field-manager=other -f later.yaml";
    has(
        &own.refused(other),
        &["conflict with \"kubectl\"", ".spec.startTime"],
    );
    has(
        &own.run(&format!("{other} --force-conflicts")),
        &["lunch serverside-applied"],
    );
    assert_eq!(
        own.run("get hpw lunch -o jsonpath={.spec.startTime}"),
        "13:00"
    );
    has(
        &own.run("get hpw lunch -o yaml --show-managed-fields"),
        &["manager: other"],
    );
}

#[test]
#[ignore = "needs kubectl and plays the whole demo: make e2e"]
fn kubectl_still_gets_after_the_story_is_over() {
    let mut own = Kubectl::start("1000");
    own.demo.await_line("The fleet is current.");
    let current = own.run("get hpf servers -o jsonpath={.status.counts.current}");
    assert_eq!(current, "50");
    assert_eq!(own.demo.end("-INT").code(), Some(0));
}

#[test]
#[ignore = "needs kubectl: make e2e"]
fn kubectl_applies_all_crds_and_examples_again() {
    let own = Kubectl::start(SLOW);
    let root = env!("CARGO_MANIFEST_DIR");
    has(
        &own.run(&format!("apply -f {root}/crds")),
        &["hotpatchruns.hotpatch.dev configured"],
    );
    has(
        &own.run(&format!("apply -f {root}/examples")),
        &["servers configured"],
    );
    has(
        &own.run(&format!("apply -f {root}/examples")),
        &["servers unchanged"],
    );
    assert_eq!(own.run("get hpm --no-headers").lines().count(), 62);
}
