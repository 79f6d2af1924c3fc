//! The operator as a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How fast the operator's time may run: an hour in a second.
const SPEED: &str = "3600";

/// How long the operator may take to end when it is asked to, in steps of [`STEP`].
const STOP_STEPS: u32 = 500;

const STEP: Duration = Duration::from_millis(20);

/// What the operator is started with.
pub(super) struct Start<'a> {
    pub(super) kubeconfig: &'a Path,
    pub(super) endpoint: &'a str,
    pub(super) token: &'a Path,
    pub(super) folder: &'a Path,
    /// What its clock shows at the start.
    pub(super) from: &'a str,
}

/// A running operator; dropping it kills it.
pub(super) struct Operator {
    child: Child,
    log: PathBuf,
}

impl Operator {
    pub(super) fn start(start: &Start<'_>) -> Self {
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
            .arg("--token-file")
            .arg(start.token)
            .arg("--audit-log")
            .arg(start.folder.join("audit.jsonl"))
            .args(["--arm-endpoint", start.endpoint])
            .args(["--lease-duration", "20m", "--lease-renew-every", "5m"])
            .args(["--telemetry-address", "127.0.0.1:0"])
            .args(["--virtual-from", start.from, "--virtual-speed", SPEED])
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Fails if the operator ended by itself.
    pub(super) fn assert_lives(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!(
                "the operator ended by itself, {status}:\n{}",
                self.last_words()
            );
        }
    }

    /// Asks the operator to end, as a kubelet does, and waits until it has.
    pub(super) async fn stop(mut self) -> ExitStatus {
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

    pub(super) fn last_words(&self) -> String {
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
