//! The operator as a process of its own.

// tests may unwrap
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long the operator may take to end when it is asked to, in steps of [`STEP`].
const STOP_STEPS: u32 = 500;

const STEP: Duration = Duration::from_millis(20);

/// What the operator is started with.
pub(crate) struct Start<'a> {
    pub(crate) kubeconfig: &'a Path,
    pub(crate) endpoint: &'a str,
    pub(crate) token: &'a Path,
    pub(crate) folder: &'a Path,
    /// What its clock shows at the start.
    pub(crate) from: &'a str,
    /// How many virtual seconds may pass in a real one.
    pub(crate) speed: u32,
}

/// A running operator; dropping it kills it.
pub(crate) struct Operator {
    child: Child,
    log: PathBuf,
}

impl Operator {
    pub(crate) fn start(start: &Start<'_>) -> Self {
        let log = start.folder.join("operator.log");
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_hotpatch-operator"))
            .arg("run")
            .arg("--kubeconfig")
            .arg(start.kubeconfig)
            .args(["--identity", "static-token"])
            .args(["--allow-operator-identity", "*"])
            .arg("--token-file")
            .arg(start.token)
            .arg("--audit-log")
            .arg(start.folder.join("audit.jsonl"))
            .args(["--arm-endpoint", start.endpoint])
            .args(["--lease-duration", "20m", "--lease-renew-every", "5m"])
            .args(["--telemetry-address", "127.0.0.1:0"])
            .args(["--virtual-from", start.from])
            .args(["--virtual-speed", &start.speed.to_string()])
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Returns its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Fails if the operator ended by itself.
    pub(crate) fn assert_lives(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!(
                "the operator ended by itself, {status}:\n{}",
                self.last_words()
            );
        }
    }

    /// Asks the operator to end, as a kubelet does, and waits until it has.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(asked.success(), "SIGTERM could not be sent");
        for _ in 0..STOP_STEPS {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(STEP).await;
        }
        panic!(
            "the operator does not end on SIGTERM:\n{}",
            self.last_words()
        );
    }

    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // Errors mean that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
