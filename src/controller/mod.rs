//! The shell around the core: it reads, asks the core what is right, writes, and waits.
//!
//! One planning pass at a time plans all fleets; watches only say that something changed. Nothing
//! that is needed survives in memory: whatever is here can be lost at any instant. Must never
//! decide; `domain` does.

pub mod act;
pub mod audit;
mod census;
pub mod clock;
pub mod clouds;
pub mod events;
pub mod guests;
pub mod lease;
pub mod mirror;
pub mod observe;
pub mod publish;
mod releases;
mod rest;
pub mod witness;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use kube::{Client, ResourceExt};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use self::act::{Rests, Stored, act, fence, raise_epochs};
use self::audit::{Audit, Told};
use self::clock::Clock;
use self::clouds::Clouds;
use self::events::Emitter;
use self::lease::{Leadership, Tenure};
use self::mirror::{Watch, keep};
use self::observe::{Memory, Mirrors, observe};
use self::publish::{departures, publish};
pub use self::releases::RELEASES_CONFIGMAP;
use self::releases::catalogue;
use self::witness::Witness;
use crate::domain::plan::plan;
use crate::telemetry::{Standing, Telemetry};
use crate::validate::Found;

/// How long to wait after a failure of the API server.
const API_PAUSE: Duration = Duration::from_secs(5);

/// How this process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name in the lease; another one for every life of the process.
    pub holder: String,
    /// The operator's own namespace.
    pub namespace: String,
    /// How long leadership holds.
    pub tenure: Tenure,
    /// The one namespace whose fleets are looked after; none is all.
    pub watched: Option<String>,
    /// Whether the API server ensures that `requestedBy` is the user who asks, so that it is shown
    /// as a fact.
    pub requested_by_is_enforced: bool,
    /// Whether scripts may run in guests: what restarts an Arc server, and what looks into one.
    pub run_commands: bool,
}

/// Everything outside the core.
#[derive(Clone)]
pub struct Shell {
    /// Kubernetes.
    pub kube: Client,
    /// Azure.
    pub clouds: Arc<dyn Clouds>,
    /// The time.
    pub clock: Clock,
    /// Where verdicts are put down.
    pub audit: Arc<dyn Audit>,
    /// Who looks on: nobody, but in a rehearsal.
    pub witness: Arc<dyn Witness>,
    /// What the process tells of itself; nothing is decided from it.
    pub telemetry: Telemetry,
    /// How this process runs.
    pub settings: Settings,
}

/// Why the controller cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster's uid is part of every claim on a machine.
    #[error("cannot read namespace kube-system, whose uid names the cluster: {0}")]
    Cluster(#[source] Box<kube::Error>),
}

/// Runs the controller until `shutdown` resolves, then gives the lease up.
///
/// All memory is in the future: dropping it is as good as a crash, and a crash is harmless.
///
/// # Errors
/// [`Error`] where it cannot start.
pub async fn run(shell: Shell, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
    let namespaces: Api<Namespace> = Api::all(shell.kube.clone());
    let system = namespaces
        .get("kube-system")
        .await
        .map_err(|error| Error::Cluster(Box::new(error)))?;
    let dirty = Arc::new(Notify::new());
    let mirrors = Mirrors::default();
    let watches = watch(&shell, &mirrors, &dirty);
    let settings = &shell.settings;
    let leadership = Leadership::new(
        shell.kube.clone(),
        &settings.namespace,
        &settings.holder,
        settings.tenure,
    );
    let mut controller = Controller {
        cluster_uid: system.uid().unwrap_or_default(),
        events: Emitter::new(&settings.holder),
        memory: Memory::default(),
        rests: Rests::default(),
        told: Told::after(None),
        planned_changes: 0,
        shell,
        mirrors,
        leadership,
    };
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            () = controller.turn(&dirty) => {}
        }
    }
    drop(watches);
    let now = controller.shell.clock.now();
    if let Err(error) = controller.leadership.release(now).await {
        tracing::info!(%error, "the lease could not be given up; it runs out by itself");
    }
    Ok(())
}

fn watch(shell: &Shell, mirrors: &Mirrors, dirty: &Arc<Notify>) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    let mut kinds = Vec::new();
    let mut watch = |kind, dirty: &Arc<Notify>| {
        kinds.push(kind);
        Watch {
            kind,
            client: shell.kube.clone(),
            namespace: shell.settings.watched.clone(),
            dirty: Arc::clone(dirty),
            telemetry: shell.telemetry.clone(),
        }
    };
    // Nothing is decided from machine records, so their changes wake nobody.
    let nobody = Arc::new(Notify::new());
    let fleets = keep(Arc::clone(&mirrors.fleets), watch("HotpatchFleet", dirty));
    let windows = keep(
        Arc::clone(&mirrors.windows),
        watch("MaintenanceWindow", dirty),
    );
    let policies = keep(
        Arc::clone(&mirrors.policies),
        watch("BaselinePolicy", dirty),
    );
    let requests = keep(
        Arc::clone(&mirrors.requests),
        watch("HotpatchRequest", dirty),
    );
    let runs = keep(Arc::clone(&mirrors.runs), watch("HotpatchRun", dirty));
    let machines = keep(
        Arc::clone(&mirrors.machines),
        watch("HotpatchMachine", &nobody),
    );
    shell.telemetry.awaits(&kinds);
    watches.spawn(fleets);
    watches.spawn(windows);
    watches.spawn(policies);
    watches.spawn(requests);
    watches.spawn(runs);
    watches.spawn(machines);
    watches
}

struct Controller {
    cluster_uid: String,
    shell: Shell,
    mirrors: Mirrors,
    leadership: Leadership,
    memory: Memory,
    rests: Rests,
    told: Told,
    events: Emitter,
    /// [`Mirrors::changes`] when the last pass began to read.
    planned_changes: u64,
}

impl Controller {
    /// One turn: leads if it can, passes once, and waits for the next reason to.
    async fn turn(&mut self, dirty: &Notify) {
        self.shell.telemetry.turned();
        if !self.leadership.is_held() {
            let led = self.lead().await;
            self.shell.telemetry.stands(match &led {
                Ok(()) if self.leadership.is_held() => Standing::Leading,
                Ok(()) | Err(lease::Error::HeldBy(_) | lease::Error::Lost) => Standing::StandingBy,
                Err(lease::Error::Api { .. }) => Standing::Unknown,
            });
            if let Err(error) = led {
                tracing::debug!(%error, "not leading");
                sleep(self.shell.settings.tenure.renew_every).await;
            }
            return;
        }
        self.mirrors.fresh().await;
        if self.is_overtaken() {
            // Who wrote it may have led by a lease that somebody deleted. Leading anew fences it.
            tracing::warn!("a run bears a later epoch than the lease: leading anew");
            let now = self.shell.clock.now();
            if let Err(error) = self.leadership.release(now).await {
                tracing::info!(%error, "the lease could not be given up");
            }
            return;
        }
        let begun = Instant::now();
        let next = self.pass().await;
        let at = self.shell.clock.now().timestamp();
        self.shell.telemetry.passed(begun.elapsed(), at);
        if !self.leadership.is_held() {
            self.shell.telemetry.stands(Standing::StandingBy);
            return;
        }
        self.rest(dirty, next).await;
    }

    /// Tells whether some run bears a later epoch than ours, though we hold the lease.
    fn is_overtaken(&self) -> bool {
        let own = self.leadership.epoch();
        let runs = self.mirrors.runs.objects();
        let mut epochs = runs.values().filter_map(Found::object);
        epochs.any(|run| run.status.as_ref().is_some_and(|status| status.epoch > own))
    }

    /// Wins the lease, takes the open runs over, and waits until nothing an earlier leader sent
    /// can still be on its way.
    async fn lead(&mut self) -> Result<(), lease::Error> {
        self.leadership.acquire(self.shell.clock.now()).await?;
        self.told = Told::after(self.leadership.last_sign());
        let taken = self.take_over().await;
        if let Err(error) = taken {
            tracing::warn!(%error, "the open runs could not be taken over");
            let now = self.shell.clock.now();
            self.leadership.release(now).await?;
            sleep(API_PAUSE).await;
            return Ok(());
        }
        let quiet = self.leadership.quiet_for();
        tracing::info!(
            epoch = self.leadership.epoch(),
            quiet_seconds = quiet.as_secs(),
            "leading"
        );
        let until = Instant::now() + quiet;
        while Instant::now() < until {
            let due = self.leadership.renewal_due().unwrap_or(until);
            sleep_until(due.min(until)).await;
            self.shell.telemetry.turned();
            self.leadership.renew(self.shell.clock.now()).await?;
        }
        Ok(())
    }

    async fn take_over(&mut self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let found = fence(&self.shell, &self.mirrors).await?;
        let highest = found.iter().filter_map(Stored::epoch).max().unwrap_or(0);
        self.leadership
            .raise_epoch(highest.saturating_add(1), self.shell.clock.now())
            .await?;
        if highest > 0 {
            self.leadership.wait_out_an_unknown_holder();
        }
        let epoch = self.leadership.epoch();
        raise_epochs(&self.shell.kube, &self.mirrors, found, epoch).await?;
        Ok(())
    }

    /// The six steps of a pass. Returns when the next one is due.
    async fn pass(&mut self) -> Instant {
        let catalogue = catalogue(&self.shell.kube, &self.shell.settings.namespace).await;
        // observe (reads), validate (pure)
        let mut observed = observe(
            &self.shell,
            &self.mirrors,
            &mut self.memory,
            &self.cluster_uid,
            &catalogue,
        )
        .await;
        self.rests.guests.tell(&mut observed.snapshot);
        self.planned_changes = observed.changes;
        let now = self.shell.clock.now();
        let audit = Arc::clone(&self.shell.audit);
        self.told
            .tell_stored(audit.as_ref(), &observed.snapshot, now);
        // plan (pure)
        let mut plan = plan(&observed.snapshot, now);
        self.shell.witness.planned(&observed.snapshot, &plan, now);
        // act (writes)
        let deeds = act(
            &self.shell,
            &self.mirrors,
            &mut self.leadership,
            &observed,
            &plan,
            &mut self.rests,
        )
        .await;
        let at = self.shell.clock.now();
        self.memory.denials.learn(&deeds.answers, at);
        let given_up = self.memory.departing.settle(&observed.snapshot, at);
        let (shell, cluster) = (&self.shell, &self.cluster_uid);
        departures(shell, &mut self.events, cluster, given_up, at).await;
        self.told.tell_changed(&*self.shell.audit, &deeds.runs, at);
        if deeds.lost {
            return Instant::now();
        }
        self.shell
            .telemetry
            .counted(&census::census(&self.mirrors, &observed, &plan, &deeds));
        // status (pure), publish (writes)
        let more = publish(
            &self.shell,
            &self.mirrors,
            &self.memory,
            &observed,
            &mut plan,
            &deeds,
            &mut self.events,
        )
        .await;
        self.next_pass(&plan, &deeds, more, now)
    }
}
