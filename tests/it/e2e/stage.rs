//! What every story on a real API server begins with: the control plane, the chart, a namespace
//! with the examples, and machines in an emulated Azure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use azure_sim::serve::{CallerClock, Served};
use azure_sim::{AzureSim, CallOperation, Effect, MachineView, RebootCause, What};
use chrono::{DateTime, TimeDelta, Utc};
use control_plane::{Assets, ControlPlane};
use hotpatch_operator::rehearsal::facts::Facts;
use hotpatch_operator::rehearsal::population::Population;
use serde_json::Value;
use tokio::time::Instant;

use crate::operator::{Operator, Start};

/// The token by which the emulated Azure knows the operator; it must show nowhere.
pub(super) const SECRET: &str = "e2e-token-8d1f0b6c52a94e7e";

/// Lines of the log in which a process says how it ended.
const LAST_LINES: usize = 10;

/// The name under which Azure knows it.
const OPERATOR: &str = "hotpatch-operator";

/// Where the chart is installed, and under which name.
pub(super) const SYSTEM: &str = "hotpatch-system";

/// Where the fleet is.
pub(super) const NAMESPACE: &str = "web";

/// How fast the operator's time may run: an hour in a second.
const SPEED: u32 = 3_600;

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The longest that anything may take, in real time.
pub(super) const PATIENCE: Duration = Duration::from_secs(420);

/// Everything of a story.
pub(super) struct Stage {
    // The operator ends before what it speaks to.
    pub(super) operator: Option<Operator>,
    pub(super) plane: ControlPlane,
    pub(super) azure: AzureSim,
    pub(super) clock: CallerClock,
    pub(super) facts: Vec<Facts>,
    served: Served,
    folder: PathBuf,
}

impl Stage {
    /// Starts everything but the operator, at a virtual instant.
    pub(super) fn set(story: &str, from: &str) -> Self {
        let assets = Assets::find().expect("the binaries of Kubernetes");
        let plane = ControlPlane::start(&assets).expect("a control plane");
        let clock = CallerClock::starting_at(instant(from));
        let options = azure_sim::Options {
            tokens: BTreeMap::from([(SECRET.to_owned(), OPERATOR.to_owned())]),
            ..azure_sim::Options::default()
        };
        let azure = AzureSim::new(clock.as_clock(), options);
        let facts = Population::small().place(&azure);
        let served = Served::start(azure.clone(), clock.clone()).expect("a port");
        let folder = std::env::temp_dir().join(format!("e2e-{story}-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("azure-token"), SECRET).unwrap();
        let own = Self {
            operator: None,
            plane,
            azure,
            clock,
            facts,
            served,
            folder,
        };
        own.install();
        own.write_kubeconfig();
        own.kubectl(&["create", "namespace", NAMESPACE]);
        own.kubectl(&["create", "serviceaccount", "hotpatch", "-n", NAMESPACE]);
        own.kubectl(&["apply", "-n", NAMESPACE, "-f", "examples/"]);
        own
    }

    /// Installs the chart, as the README says.
    fn install(&self) {
        let mut helm = Command::new(&self.plane.assets().helm);
        helm.args(["install", OPERATOR, "charts/hotpatch-operator"])
            .args(["--namespace", SYSTEM, "--create-namespace"])
            .arg("--kubeconfig")
            .arg(self.plane.kubeconfig());
        succeed(&mut helm);
    }

    /// Writes the kubeconfig of the operator: its own ServiceAccount, as the chart made it.
    fn write_kubeconfig(&self) {
        let token = self.kubectl(&[
            "create",
            "token",
            OPERATOR,
            "-n",
            SYSTEM,
            "--duration",
            "12h",
        ]);
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: own\n\
             clusters:\n- name: own\n  cluster:\n    server: {}\n    certificate-authority: {}\n\
             users:\n- name: own\n  user:\n    token: {}\n\
             contexts:\n- name: own\n  context:\n    cluster: own\n    user: own\n",
            self.plane.address(),
            self.plane.authority().display(),
            token.trim(),
        );
        std::fs::write(self.folder.join("kubeconfig"), text).unwrap();
    }

    /// Starts the operator with its clock at a virtual instant.
    pub(super) fn start_operator(&mut self, from: &str) {
        self.clock.move_to(instant(from));
        self.operator = Some(Operator::start(&Start {
            kubeconfig: &self.folder.join("kubeconfig"),
            endpoint: &self.served.endpoint(),
            token: &self.folder.join("azure-token"),
            folder: &self.folder,
            from,
            speed: SPEED,
        }));
    }

    /// Stops the operator, which gives up its lease, unless a command was on its way just then:
    /// nobody may follow before it has arrived.
    pub(super) async fn stop_operator(&mut self) {
        let operator = self.operator.take().expect("an operator that runs");
        let status = operator.stop().await;
        assert!(status.success(), "the operator ended with {status}");
        let holder = self.kubectl(&[
            "get",
            "lease",
            OPERATOR,
            "-n",
            SYSTEM,
            "-o",
            "jsonpath={.spec.holderIdentity}",
        ]);
        let log = std::fs::read_to_string(self.folder.join("operator.log")).unwrap_or_default();
        let last = log.lines().rev().take(LAST_LINES);
        let was_sending = last
            .into_iter()
            .any(|line| line.contains("a command was on its way"));
        assert!(
            holder.is_empty() || was_sending,
            "the lease is given up at the end, and {holder} holds it:\n{log}"
        );
    }

    /// Runs kubectl as an administrator and returns what it prints.
    pub(super) fn kubectl(&self, arguments: &[&str]) -> String {
        let mut command = self.plane.kubectl();
        succeed(command.args(arguments))
    }

    /// Asks for one object or list; none where kubectl cannot say.
    pub(super) fn read(&self, arguments: &[&str]) -> Option<Value> {
        let mut command = self.plane.kubectl();
        command.args(["get", "-o", "json", "--request-timeout=5s"]);
        let output = command.args(arguments).output().unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Returns the runs of the fleet.
    pub(super) fn runs(&self) -> Vec<Value> {
        let found = self.read(&["hotpatchruns", "-n", NAMESPACE]);
        let items = found.and_then(|own| own["items"].as_array().cloned());
        items.unwrap_or_default()
    }

    /// Waits until something is so, and fails with the operator's last words if it never is.
    pub(super) async fn until(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        while !is_so(self) {
            if let Some(operator) = &mut self.operator {
                operator.assert_lives();
            }
            if started.elapsed() > PATIENCE {
                let words = self.operator.as_ref().map(Operator::last_words);
                let now = self.clock.now();
                panic!(
                    "not within {PATIENCE:?}: {what}. It is {now}.\n{}\n{}",
                    words.unwrap_or_default(),
                    self.kubectl(&["get", "hpf,hpr,hpm", "-A"])
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Tells whether each machine that can be hotpatched has a KB in effect and owes no reboot.
    pub(super) fn all_have(&self, kb: &str) -> bool {
        let machines = self.azure.machines();
        let has = |own: &MachineView| own.installed.contains(kb) && own.pending_reboot.is_empty();
        self.fit().iter().all(|id| {
            let found = machines.iter().find(|own| own.id.eq_ignore_ascii_case(id));
            found.is_some_and(has)
        })
    }

    /// Returns the ids of the machines that can be hotpatched.
    pub(super) fn fit(&self) -> BTreeSet<String> {
        let fit = self.facts.iter().filter(|own| own.unfit.is_none());
        fit.map(|own| own.id.clone()).collect()
    }

    /// Tells whether a run has a machine under a command.
    pub(super) fn is_commanding(&self) -> bool {
        self.runs().iter().any(|run| {
            let machines = run["status"]["machines"].as_array();
            machines
                .into_iter()
                .flatten()
                .any(|own| own["step"] == "Running")
        })
    }

    /// Tells whether a condition of the fleet is true.
    pub(super) fn is_true(&self, condition: &str) -> bool {
        let fleet = self.read(&["hotpatchfleet", "servers", "-n", NAMESPACE]);
        let conditions = fleet.and_then(|own| own["status"]["conditions"].as_array().cloned());
        conditions
            .into_iter()
            .flatten()
            .any(|own| own["type"] == condition && own["status"] == "True")
    }

    /// Returns the folder with the operator's log and audit lines.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns what really happened in Azure from an instant on.
    pub(super) fn effects_from(&self, from: &str) -> Vec<Effect> {
        let from = instant(from);
        let all = self.azure.effects_since(0);
        all.into_iter().filter(|own| own.at >= from).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.operator.take());
        if std::thread::panicking() {
            eprintln!("the operator's log is kept in {}", self.folder.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("cannot remove {}: {error}", self.folder.display());
        }
    }
}

pub(super) fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn succeed(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(
        status.success(),
        "{command:?} failed:\n{said}{}",
        String::from_utf8_lossy(&stderr)
    );
    said
}

/// From when a machine was down, and until when.
type Down = (DateTime<Utc>, Option<DateTime<Utc>>);

/// What the machines went through, by what Azure saw.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    /// Accepted commands to install, by machine.
    pub(super) installs: BTreeMap<String, u32>,
    /// Reboots of our commands, by machine, each with its end.
    pub(super) reboots: BTreeMap<String, Vec<Down>>,
    /// Reboots of anybody else.
    pub(super) foreign: u32,
}

impl Deeds {
    pub(super) fn of(effects: &[Effect]) -> Self {
        let mut own = Self::default();
        for effect in effects {
            let machine = effect.machine_id.clone();
            match &effect.what {
                What::CallAccepted(call) if call.operation == CallOperation::Install => {
                    *own.installs.entry(machine).or_default() += 1;
                }
                What::RebootStarted { cause } => match cause {
                    RebootCause::Install { .. } => {
                        own.reboots
                            .entry(machine)
                            .or_default()
                            .push((effect.at, None));
                    }
                    _ => own.foreign += 1,
                },
                What::RebootEnded { .. } => {
                    if let Some(last) = own.reboots.get_mut(&machine).and_then(|own| own.last_mut())
                    {
                        last.1 = Some(effect.at);
                    }
                }
                _ => {}
            }
        }
        own
    }

    /// Returns the greatest number of machines that were down at once, among those chosen.
    pub(super) fn most_down(&self, is_chosen: impl Fn(&str) -> bool) -> usize {
        let chosen = || self.reboots.iter().filter(|(id, _)| is_chosen(id));
        let spans: Vec<_> = chosen().flat_map(|(_, own)| own).collect();
        let down_at = |at: DateTime<Utc>| {
            let is_down = |(from, to): &&&Down| *from <= at && to.is_none_or(|to| at < to);
            spans.iter().filter(is_down).count()
        };
        spans
            .iter()
            .map(|(from, _)| down_at(*from))
            .max()
            .unwrap_or(0)
    }
}

/// Tells whether an instant lies in one of the examples' windows of July 2025: Thursday after
/// Patch Tuesday, 21:00 to 03:00 in Berlin, and Saturday, 22:00 to 06:00. UTC is two hours earlier.
pub(super) fn is_in_window(at: DateTime<Utc>) -> bool {
    let openings = [
        ("2025-07-10T19:00:00Z", TimeDelta::hours(6)),
        ("2025-07-12T20:00:00Z", TimeDelta::hours(8)),
        ("2025-07-19T20:00:00Z", TimeDelta::hours(8)),
        ("2025-07-26T20:00:00Z", TimeDelta::hours(8)),
    ];
    openings.iter().any(|(from, length)| {
        let from = instant(from);
        from <= at && at < from + *length
    })
}
