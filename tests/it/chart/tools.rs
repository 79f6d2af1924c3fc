//! Real Helm and kubectl against a real API server, as `make e2e` gives them.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Why a test that needs these is ignored; `make e2e` runs it.
pub(crate) const HELM: &str = "HOTPATCH_HELM";
pub(crate) const KUBECTL: &str = "HOTPATCH_KUBECTL";
pub(crate) const KUBECONFIG: &str = "HOTPATCH_E2E_KUBECONFIG";

/// The longest to wait for something that a server does by itself, such as establishing a
/// definition.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a program said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) is_ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Returns what it printed, or fails with what it complained of.
    pub(crate) fn ok(self, what: &str) -> String {
        assert!(self.is_ok, "{what}: {}{}", self.err, self.out);
        self.out
    }

    /// Returns what it complained of, or fails because it did not.
    pub(crate) fn refused(self, what: &str) -> String {
        assert!(!self.is_ok, "{what} was accepted: {}", self.out);
        self.err
    }
}

/// Reads a setting of `make e2e`.
pub(crate) fn setting(name: &str) -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "how `make e2e` tells a test where the real programs are"
    )]
    let found = std::env::var_os(name);
    let found = found.unwrap_or_else(|| panic!("{name} is not set: run `make e2e`"));
    assert!(!found.is_empty(), "{name} is empty: run `make e2e`");
    PathBuf::from(found)
}

fn run(program: &str, args: &[&str], input: &str) -> Said {
    let path = setting(program);
    let mut command = Command::new(&path);
    command.args(args);
    command.env_remove("KUBECONFIG");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{program}={}: {error}", path.display()));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // Another thread writes, so that neither side waits for the other with a full pipe.
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said {
        is_ok: output.status.success(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// Runs Helm without a server.
pub(crate) fn helm_alone(args: &[&str]) -> Said {
    run(HELM, args, "")
}

/// Runs Helm on the server.
pub(crate) fn helm(args: &[&str]) -> Said {
    let config = setting(KUBECONFIG);
    let config = config.to_str().unwrap();
    run(HELM, &[args, &["--kubeconfig", config]].concat(), "")
}

/// Runs kubectl on the server, with `input` on its standard input.
pub(crate) fn kubectl(args: &[&str], input: &str) -> Said {
    let config = setting(KUBECONFIG);
    let config = config.to_str().unwrap();
    run(KUBECTL, &[args, &["--kubeconfig", config]].concat(), input)
}

/// Reads one object; null where there is none.
pub(crate) fn get(args: &[&str]) -> Value {
    let common: &[&str] = &["get", "-o", "json", "--ignore-not-found"];
    let text = kubectl(&[common, args].concat(), "").ok(&args.join(" "));
    if text.trim().is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&text).unwrap()
}

/// Tries until `attempt` gives something.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    #[expect(clippy::disallowed_methods, reason = "a real server keeps real time")]
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(found) => return found,
            Err(why) => assert!(begun.elapsed() < PATIENCE, "{what}: {why}"),
        }
        #[expect(clippy::disallowed_methods, reason = "a real server keeps real time")]
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Makes a namespace that no other test uses; it is left behind, because a server without a
/// controller manager never removes one.
pub(crate) fn namespace(stem: &str, labels: &[(&str, &str)]) -> String {
    let name = format!("{stem}-{}", std::process::id());
    kubectl(&["create", "namespace", &name], "").ok("create a namespace");
    for (key, value) in labels {
        let label = format!("{key}={value}");
        kubectl(&["label", "namespace", &name, &label], "").ok("label a namespace");
    }
    name
}
