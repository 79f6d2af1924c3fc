//! The same job, killed with -9 in the instant in which half of the machines have accepted their
//! install, and run again: by the operator, and by a script on Microsoft's Python client. What each
//! repeats is counted at the emulated machines.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use azure_sim::serve::{Certificate, Listen, Served};
use azure_sim::{AzureSim, CallOperation, Clock, DEFAULT_SUBSCRIPTION, RebootCause, What};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio::time::Instant;

use super::arena::{self, Arena, Plot};
use super::log::{self, Log};
use super::manifests::Fleet;
use super::months::{BASELINE, BASELINE_KB, having, per};
use super::process::{self, Process};
use super::{Error, instant};

/// A day after the release there are machines, and Azure assesses each within a day.
const MADE: &str = "2025-07-09T16:00:00Z";

/// When the operator starts: one and a half hours before the window.
const START: &str = "2025-07-10T16:30:00Z";

/// What the second life finds: so much time has passed at least.
const RESTART_AFTER: TimeDelta = TimeDelta::seconds(20);

/// When it is given up: before the next release.
const LIMIT: &str = "2025-08-12T16:00:00Z";

/// How often the machines are counted, in Azure's time.
const COUNT_EVERY: TimeDelta = TimeDelta::minutes(10);

/// How many times as fast as real time the script's Azure lives.
const SPEED: i32 = 600;

/// Real seconds between two polls of the script: a minute of its Azure's time.
const POLL_SECONDS: &str = "0.1";

/// How often this process looks at the script.
const LOOK: Duration = Duration::from_millis(20);

/// The longest that one life of the script may take, in looks: half an hour.
const LOOKS_MAX: u32 = 90_000;

/// What doing a job in two lives came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Job {
    pub(crate) machines: usize,
    /// Machines that are current in the end.
    pub(crate) current: usize,
    /// Machines that had accepted an install when the first life was killed.
    pub(crate) installed_at_death: usize,
    /// Installs that were accepted though the machine had accepted one before.
    pub(crate) repeated: usize,
    /// Installs that were refused because something was under way on the machine.
    pub(crate) refused: usize,
    /// Reboots by installs or restarts beyond the first of each machine.
    pub(crate) reboots_repeated: usize,
    /// Requests to Azure by both lives.
    pub(crate) calls_per_machine: f64,
    pub(crate) throttled: u64,
    /// CPU seconds of both lives.
    pub(crate) cpu_seconds: f64,
    /// The most memory of either, in bytes.
    pub(crate) peak_bytes: u64,
}

/// Has the operator do it.
pub(super) async fn by_operator(binary: &Path, machines: usize) -> Result<Job, Error> {
    let plot = plot(machines);
    let mut arena = Arena::new(binary, &plot).await?;
    arena.start(instant(START))?;
    let id = arena.id().unwrap_or(0);
    let fuse = Fuse::lay(&arena.azure, id, machines.div_ceil(2));
    let mut spent = Spent::default();
    let is_over = |own: &mut Arena| {
        spent.note(own.id().unwrap_or(0));
        fuse.has_burnt()
    };
    if !arena.until(is_over, instant(LIMIT)).await? {
        return Err(Error::Unfinished("the operator's first life".to_owned()));
    }
    arena.kill();
    let mut again = Spent::default();
    arena.start(arena.clock.now() + RESTART_AFTER)?;
    let mut looked = arena.clock.now();
    let is_over = |own: &mut Arena| {
        again.note(own.id().unwrap_or(0));
        let is_due = own.clock.now() >= looked + COUNT_EVERY;
        if is_due {
            looked = own.clock.now();
        }
        is_due && having(&own.azure, BASELINE_KB) == machines
    };
    arena.until(is_over, instant(LIMIT)).await?;
    arena.kill();
    let azure = arena.azure.clone();
    Ok(count(&azure, &arena.log, machines, &[spent, again]))
}

/// Has the script do it; `assesses` makes it ask first what is offered.
pub(super) async fn by_script(
    python: &Path,
    machines: usize,
    assesses: bool,
) -> Result<Job, Error> {
    let from = instant(BASELINE) + TimeDelta::hours(1);
    let plot = Plot {
        from,
        ..plot(machines)
    };
    let began = Instant::now();
    let clock: Clock = Arc::new(move || {
        let passed = TimeDelta::from_std(began.elapsed()).unwrap_or_default();
        from + passed * SPEED
    });
    let azure = arena::azure(&Clock::clone(&clock), &plot);
    let log = Log::default();
    log.keep_azure(&azure, &clock);
    let failed = |error: &dyn std::fmt::Display| Error::SetUp(error.to_string());
    let certificate = Certificate::make().map_err(|error| failed(&error))?;
    let path = std::env::temp_dir().join(format!("hotpatch-bench-{}.pem", std::process::id()));
    fs::write(&path, certificate.authority_pem()).map_err(|source| Error::file(&path, source))?;
    let listen = Listen::default().with_certificate(certificate);
    let served = Served::start_as(azure.clone(), listen).map_err(|error| failed(&error))?;
    let start = || {
        let mut command = Command::new(python);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/azure/pool.py");
        command.arg(script).arg(served.endpoint()).arg(&path);
        command
            .arg(DEFAULT_SUBSCRIPTION)
            .args(["--poll-seconds", POLL_SECONDS]);
        command.args(assesses.then_some("--assess"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn();
        child
            .map(Process)
            .map_err(|source| Error::file(python, source))
    };
    let first = start()?;
    let fuse = Fuse::lay(&azure, first.id(), machines.div_ceil(2));
    let first = to_its_end(first).await?;
    if !fuse.has_burnt() {
        return Err(Error::Unfinished("the script's first half".to_owned()));
    }
    let again = to_its_end(start()?).await?;
    drop(served);
    // A certificate that stays is of no use to anybody.
    let _ = fs::remove_file(&path);
    azure.clear_hooks();
    Ok(count(&azure, &log, machines, &[first, again]))
}

fn plot(machines: usize) -> Plot {
    Plot {
        from: instant(MADE),
        patched: (instant(BASELINE) - TimeDelta::days(1)).date_naive(),
        machines,
        foreign_percent: 0,
        poll_after_seconds: 0,
        fleet: Fleet::default(),
    }
}

/// Lets the script run until it ends or is killed.
async fn to_its_end(mut script: Process) -> Result<Spent, Error> {
    let mut spent = Spent::default();
    for _ in 0..LOOKS_MAX {
        spent.note(script.id());
        if script.has_ended() {
            return Ok(spent);
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Error::Unfinished("the script".to_owned()))
}

/// What a life used up, as it was seen last.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    cpu_seconds: f64,
    peak_bytes: u64,
}

impl Spent {
    fn note(&mut self, id: u32) {
        let seconds = process::cpu_seconds(id).unwrap_or(0.0);
        self.cpu_seconds = self.cpu_seconds.max(seconds);
        self.peak_bytes = self.peak_bytes.max(process::peak_bytes(id).unwrap_or(0));
    }
}

/// Kills a process in the instant in which so many installs were accepted.
struct Fuse(Arc<AtomicBool>);

impl Fuse {
    fn lay(azure: &AzureSim, id: u32, at: usize) -> Self {
        let burnt = Arc::new(AtomicBool::new(false));
        let (own, accepted) = (Arc::clone(&burnt), AtomicUsize::new(0));
        azure.after_call(move |method, path, status| {
            let is_install = path.to_ascii_lowercase().ends_with("/installpatches");
            if method != "POST" || !is_install || status >= 300 {
                return;
            }
            if accepted.fetch_add(1, Ordering::Relaxed) + 1 == at {
                own.store(true, Ordering::Release);
                let mut kill = Command::new("kill");
                kill.args(["-KILL", &id.to_string()]).stderr(Stdio::null());
                // Whoever sees the fuse burn may have killed it already.
                let _ = kill.status();
            }
        });
        Self(burnt)
    }

    fn has_burnt(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Counts what the machines accepted.
fn count(azure: &AzureSim, log: &Log, machines: usize, lives: &[Spent]) -> Job {
    let mut installs = BTreeMap::<String, usize>::new();
    let mut reboots = BTreeMap::<String, usize>::new();
    let mut refused = 0;
    for effect in azure.effects_since(0) {
        match effect.what {
            What::CallAccepted(call) if call.operation == CallOperation::Install => {
                *installs.entry(effect.machine_id).or_default() += 1;
            }
            What::CallRefused { call, status, .. }
                if call.operation == CallOperation::Install && status == 409 =>
            {
                refused += 1;
            }
            What::RebootStarted { cause } => {
                if matches!(
                    cause,
                    RebootCause::Install { .. } | RebootCause::Restart { .. }
                ) {
                    *reboots.entry(effect.machine_id).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    let beyond = |counts: &BTreeMap<String, usize>| counts.values().map(|own| own - 1).sum();
    let calls = log.calls(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    Job {
        machines,
        current: having(azure, BASELINE_KB),
        installed_at_death: machines.div_ceil(2),
        repeated: beyond(&installs),
        refused,
        reboots_repeated: beyond(&reboots),
        calls_per_machine: per(calls.len() as u64, machines),
        throttled: log::throttled(&calls),
        cpu_seconds: lives.iter().map(|own| own.cpu_seconds).sum(),
        peak_bytes: lives.iter().map(|own| own.peak_bytes).max().unwrap_or(0),
    }
}
