//! One world: an emulated Azure and an emulated Kubernetes on loopback sockets in this process, and
//! the operator's own binary in a process of its own, which alone is measured.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use azure_sim::serve::{CallerClock, Served};
use azure_sim::{AzureSim, Buckets, PatchLevel, VmSpec};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use hotpatch_operator::rehearsal::setup::set_up;
use kube_sim::KubeSim;
use kube_sim::http::{Server, Serving};

use super::log::Log;
use super::process::Process;
use super::{Error, manifests};

/// The token by which the emulated Azure knows the operator.
const TOKEN: &str = "bench-token-0f64be1c2a";

/// Committed writes that the emulated API server remembers for watches.
const HISTORY_EVENTS: usize = 10_000;

/// How often this process looks how far the emulated time has come.
const LOOK: Duration = Duration::from_millis(20);

/// The longest that one stretch may take, in looks: three hours.
const LOOKS_MAX: u32 = 540_000;

static MADE: AtomicU32 = AtomicU32::new(0);

/// What a world is made of.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// When it begins.
    pub(super) from: DateTime<Utc>,
    /// The day as of which the machines are patched.
    pub(super) patched: NaiveDate,
    /// How many virtual machines there are, all in one subscription and region: the fewest buckets.
    pub(super) machines: usize,
    /// The share of the shared buckets that somebody else uses up, in percent.
    pub(super) foreign_percent: u8,
    /// Seconds that clients are asked to wait between two polls.
    pub(super) poll_after_seconds: u32,
    /// The fleet.
    pub(super) fleet: manifests::Fleet,
}

/// A world.
pub(super) struct Arena {
    /// The emulated Azure.
    pub(super) azure: AzureSim,
    /// Its time, which the operator's requests move.
    pub(super) clock: CallerClock,
    /// What reached the emulators.
    pub(super) log: Log,
    operator: Option<Process>,
    binary: PathBuf,
    folder: PathBuf,
    endpoint: String,
    _kube_served: Serving,
    _azure_served: Served,
}

impl Arena {
    /// Makes the world; the operator is not started.
    pub(super) async fn new(binary: &Path, plot: &Plot) -> Result<Self, Error> {
        let clock = CallerClock::starting_at(plot.from);
        let kube = KubeSim::new(clock.as_clock());
        kube.set_history_limit(HISTORY_EVENTS);
        let azure = azure(&clock.as_clock(), plot);
        set_up(&kube.client(), &plot.fleet.manifests())
            .await
            .map_err(|error| Error::SetUp(error.to_string()))?;
        let log = Log::default();
        log.keep(&kube, &azure, &clock.as_clock(), plot.machines as u64);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("hotpatch-bench-{}-{number}", std::process::id()));
        fs::create_dir(&folder).map_err(|source| Error::file(&folder, source))?;
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        let kube_served = Server::bind(kube.clone(), anywhere)
            .map_err(|error| Error::SetUp(error.to_string()))?;
        let azure_served = Served::start(azure.clone(), clock.clone())
            .map_err(|error| Error::SetUp(error.to_string()))?;
        let own = Self {
            endpoint: azure_served.endpoint(),
            _azure_served: azure_served,
            azure,
            clock,
            log,
            operator: None,
            binary: binary.to_owned(),
            folder,
            _kube_served: kube_served,
        };
        own.write("kubeconfig", &own._kube_served.kubeconfig())?;
        own.write("token", TOKEN)?;
        Ok(own)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|source| Error::file(&path, source))
    }

    /// Starts the operator at an instant, or at the world's time if that is later.
    pub(super) fn start(&mut self, from: DateTime<Utc>) -> Result<(), Error> {
        self.clock.move_to(from);
        let from = self.clock.now().to_rfc3339();
        let path = self.folder.join("operator.log");
        let log = File::options().create(true).append(true).open(&path);
        let log = log.map_err(|source| Error::file(&path, source))?;
        let again = log
            .try_clone()
            .map_err(|source| Error::file(&path, source))?;
        let port = free_port()?;
        let child = Command::new(&self.binary)
            .arg("run")
            .arg("--kubeconfig")
            .arg(self.folder.join("kubeconfig"))
            .args(["--identity", "static-token"])
            .args(["--allow-operator-identity", "*"])
            .arg("--token-file")
            .arg(self.folder.join("token"))
            .arg("--audit-log")
            .arg(self.folder.join("audit.jsonl"))
            .args(["--arm-endpoint", &self.endpoint])
            .args(["--lease-duration", "60m", "--lease-renew-every", "29m"])
            .args(["--telemetry-address", &format!("127.0.0.1:{port}")])
            .args(["--virtual-from", &from])
            .args(["--virtual-speed", &u32::MAX.to_string()])
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(again)
            .stderr(log)
            .spawn()
            .map_err(|source| Error::file(&self.binary, source))?;
        let operator = Process(child);
        self.log.measure(operator.id(), port);
        self.operator = Some(operator);
        Ok(())
    }

    /// Kills the operator with -9.
    pub(super) fn kill(&mut self) {
        self.operator = None;
    }

    /// Returns the operator's process id.
    pub(super) fn id(&self) -> Option<u32> {
        self.operator.as_ref().map(Process::id)
    }

    /// Waits until a condition is true, while the operator runs; tells whether that was before
    /// the world's time came to `limit`.
    pub(super) async fn until(
        &mut self,
        mut is_reached: impl FnMut(&mut Self) -> bool,
        limit: DateTime<Utc>,
    ) -> Result<bool, Error> {
        for _ in 0..LOOKS_MAX {
            if is_reached(self) {
                return Ok(true);
            }
            if self.clock.now() >= limit {
                return Ok(false);
            }
            if self.operator.as_mut().is_some_and(Process::has_ended) {
                return Err(Error::Ended(self.last_words()));
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(Error::TooLong(self.clock.now(), self.last_words()))
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.folder.join("operator.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.operator = None;
        self.azure.clear_hooks();
        // What cannot be removed is only a log.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Makes an emulated Azure with its limits on and its machines in it.
pub(super) fn azure(clock: &azure_sim::Clock, plot: &Plot) -> AzureSim {
    let mut options = azure_sim::Options {
        buckets: Buckets {
            enforced: true,
            foreign_percent: plot.foreign_percent,
        },
        invent_releases_through: Some((plot.from + TimeDelta::days(400)).date_naive()),
        ..azure_sim::Options::default()
    };
    options.timings.poll_after_seconds = plot.poll_after_seconds;
    let azure = AzureSim::new(clock.clone(), options);
    for number in 0..plot.machines {
        let spec = VmSpec::ws2025_azure_edition(&format!("vm-{number:05}"));
        let spec = spec.region("westeurope").tag("patching", "hotpatch");
        let spec = spec.assessment_mode("AutomaticByPlatform");
        azure.add_vm(spec.patched(PatchLevel::AsOf(plot.patched)));
    }
    azure
}

/// Finds a port that nobody listens on now.
fn free_port() -> Result<u16, Error> {
    let found = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|own| own.local_addr());
    found
        .map(|own| own.port())
        .map_err(|error| Error::SetUp(error.to_string()))
}
