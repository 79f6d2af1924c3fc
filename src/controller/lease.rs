//! Leadership: a Lease taken and renewed by compare-and-swap, and what it allows.
//!
//! A Lease alone fences nothing, so three things are added: a command is sent only after a renewal
//! that followed its intent; sending stops a request's length before the lease could pass to
//! another; and a new leader sends nothing until whatever the old one sent must have arrived.
//! Time is counted by tokio's monotonic clock from before each renewal. Must never act on the
//! times another process wrote, except to wait longer, or to write an audit line once more.

mod tenure;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use k8s_openapi::api::coordination::v1::{Lease as LeaseObject, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};
use tokio::time::Instant;

use crate::api::time::{from_k8s, to_k8s};
use crate::azure::transport::REQUEST_TIMEOUT;
use crate::planted::{self, Bug};

pub use self::tenure::{DURATION_MAX, DURATION_MIN, Tenure, TenureError};

/// The Lease's name.
pub const LEASE_NAME: &str = "hotpatch-operator";

/// The annotation that counts the leaders: each takes a higher epoch than any before.
pub const EPOCH_ANNOTATION: &str = "hotpatch.dev/epoch";

/// What is added to the longest request, for scheduling and clocks that run at different speeds.
pub const MARGIN: Duration = Duration::from_secs(5);

/// Why leadership is not held.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process holds it.
    #[error("the lease is held by {0}")]
    HeldBy(String),
    /// Another process wrote the lease since: we lead no longer.
    #[error("the lease was taken by another process")]
    Lost,
    /// The API server could not be asked.
    #[error("cannot {act} the lease: {source}")]
    Api {
        /// What was tried.
        act: &'static str,
        /// Why it failed.
        source: Box<kube::Error>,
    },
}

impl Error {
    fn api(act: &'static str) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Api {
            act,
            source: Box::new(source),
        }
    }
}

/// Leadership while it is held.
#[derive(Debug)]
struct Held {
    object: LeaseObject,
    /// Taken before the renewal was sent.
    renewed: Instant,
    /// Before this instant an earlier leader's commands may still arrive.
    quiet_until: Instant,
    /// Whether there was no lease to take: somebody may have deleted that of a leader who lives.
    found_none: bool,
    /// When whoever held it before wrote it last.
    last_sign: Option<DateTime<Utc>>,
}

/// This process's claim to leadership.
#[derive(Debug)]
pub struct Leadership {
    api: Api<LeaseObject>,
    namespace: String,
    holder: String,
    tenure: Tenure,
    held: Option<Held>,
    /// Whether a command is on its way. It stays so where the process is stopped meanwhile.
    is_sending: AtomicBool,
    /// The lease of another holder as last seen, and since when it has not changed.
    rival: Option<(String, Instant)>,
}

impl Leadership {
    /// Makes a claim that is not held yet.
    pub fn new(client: Client, namespace: &str, holder: &str, tenure: Tenure) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            holder: holder.to_owned(),
            tenure,
            held: None,
            is_sending: AtomicBool::new(false),
            rival: None,
        }
    }

    /// Tells whether leadership was won and not lost since.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Returns the epoch that the lease carries.
    pub fn epoch(&self) -> i64 {
        self.held.as_ref().map_or(0, |held| epoch_of(&held.object))
    }

    /// Returns when the leader before this one gave its last sign of life, where there was one.
    pub fn last_sign(&self) -> Option<DateTime<Utc>> {
        self.held.as_ref().and_then(|held| held.last_sign)
    }

    /// Returns how long to wait until nothing an earlier leader sent can still be on its way.
    pub fn quiet_for(&self) -> Duration {
        let now = Instant::now();
        self.held
            .as_ref()
            .map_or(Duration::ZERO, |held| held.quiet_until.duration_since(now))
    }

    /// Tells whether a command sent now would be answered before the lease could pass to another.
    pub fn may_send(&self) -> bool {
        let room = self
            .tenure
            .duration
            .saturating_sub(REQUEST_TIMEOUT)
            .saturating_sub(MARGIN);
        self.held.as_ref().is_some_and(|held| {
            let now = Instant::now();
            now >= held.quiet_until && now < held.renewed + room
        })
    }

    /// Returns when the next renewal is due.
    pub fn renewal_due(&self) -> Option<Instant> {
        self.held
            .as_ref()
            .map(|held| held.renewed + self.tenure.renew_every)
    }

    /// Tries to win leadership.
    ///
    /// # Errors
    /// [`Error::HeldBy`] while another process holds it, [`Error::Lost`] where another one was
    /// faster, [`Error::Api`].
    pub async fn acquire(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        let asked = Instant::now();
        let found = self
            .api
            .get_opt(LEASE_NAME)
            .await
            .map_err(Error::api("read"))?;
        let Some(found) = found else {
            let lease = self.lease(None, 1, now);
            let made = self.api.create(&PostParams::default(), &lease).await;
            let object = made.map_err(lost_on_conflict("create"))?;
            self.held = Some(Held {
                object,
                renewed: asked,
                quiet_until: asked,
                found_none: true,
                last_sign: None,
            });
            return Ok(());
        };
        let holder = found
            .spec
            .as_ref()
            .and_then(|spec| spec.holder_identity.clone());
        let holder = holder.filter(|name| !name.is_empty());
        let mut quiet_until = asked;
        if holder.as_ref() == Some(&self.holder) {
            // An earlier life of this very process: it is gone, what it sent may not be.
            quiet_until = asked + REQUEST_TIMEOUT + MARGIN;
        } else if let Some(holder) = holder {
            let version = found.resource_version().unwrap_or_default();
            let since = match &self.rival {
                Some((seen, since)) if *seen == version => *since,
                _ => {
                    self.rival = Some((version, asked));
                    asked
                }
            };
            let theirs = held_seconds(&found).unwrap_or(self.tenure.duration);
            if asked.duration_since(since) < theirs {
                return Err(Error::HeldBy(holder));
            }
            quiet_until = asked + REQUEST_TIMEOUT + MARGIN;
        }
        quiet_until = planted::pick(Bug::SkipQuiet, quiet_until, asked);
        let epoch = epoch_of(&found) + planted::pick(Bug::SameEpoch, 1, 0);
        let last_sign = found
            .spec
            .as_ref()
            .and_then(|spec| spec.renew_time.as_ref());
        let last_sign = last_sign.and_then(|at| from_k8s(&Time(at.0)));
        let lease = self.lease(Some(&found), epoch, now);
        let won = self
            .api
            .replace(LEASE_NAME, &PostParams::default(), &lease)
            .await;
        let object = won.map_err(lost_on_conflict("take"))?;
        self.held = Some(Held {
            object,
            renewed: asked,
            quiet_until,
            found_none: false,
            last_sign,
        });
        self.rival = None;
        Ok(())
    }

    /// Renews leadership by compare-and-swap. A failure means that nothing may be sent.
    ///
    /// # Errors
    /// [`Error::Lost`] where another process wrote the lease, or it is not held;
    /// [`Error::Api`] where the API server could not be asked.
    pub async fn renew(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        let asked = Instant::now();
        let held = self.held.as_ref().ok_or(Error::Lost)?;
        let lease = self.lease(Some(&held.object), epoch_of(&held.object), now);
        let (quiet_until, found_none) = (held.quiet_until, held.found_none);
        let last_sign = held.last_sign;
        match self
            .api
            .replace(LEASE_NAME, &PostParams::default(), &lease)
            .await
        {
            Ok(object) => {
                self.held = Some(Held {
                    object,
                    renewed: asked,
                    quiet_until,
                    found_none,
                    last_sign,
                });
                Ok(())
            }
            Err(error) => {
                let error = lost_unless_ours("renew")(error);
                if matches!(error, Error::Lost) {
                    self.held = None;
                }
                Err(error)
            }
        }
    }

    /// Waits as long as a lease holds where none was found although somebody led before: it may
    /// have been deleted under a leader who lives, and who notices at its next renewal only.
    pub fn wait_out_an_unknown_holder(&mut self) {
        let long = self.tenure.duration + REQUEST_TIMEOUT + MARGIN;
        if let Some(held) = self.held.as_mut().filter(|own| own.found_none) {
            held.quiet_until = held.quiet_until.max(held.renewed + long);
            held.found_none = false;
        }
    }

    /// Tells whether nobody else can hold the lease yet, by our own clock.
    pub fn is_current(&self) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|held| Instant::now() < held.renewed + self.tenure.duration)
    }

    /// Raises the epoch to at least `floor`, as the runs found demand it.
    ///
    /// # Errors
    /// As [`Self::renew`].
    pub async fn raise_epoch(&mut self, floor: i64, now: DateTime<Utc>) -> Result<(), Error> {
        let held = self.held.as_mut().ok_or(Error::Lost)?;
        let floor = planted::pick(Bug::SameEpoch, floor, 0);
        let epoch = epoch_of(&held.object).max(floor);
        held.object
            .annotations_mut()
            .insert(EPOCH_ANNOTATION.to_owned(), epoch.to_string());
        self.renew(now).await
    }

    /// Notes that a command leaves, or that it was answered.
    pub fn sends(&self, is_sending: bool) {
        self.is_sending.store(is_sending, Ordering::SeqCst);
    }

    /// Gives leadership up, so that the next one need not wait for it to run out; unless a command
    /// was on its way when the process was stopped: then the lease runs out by itself.
    ///
    /// # Errors
    /// As [`Self::renew`].
    pub async fn release(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        if self.is_sending.load(Ordering::SeqCst) {
            tracing::info!("stopped while a command was on its way: the lease runs out by itself");
            return Ok(());
        }
        match self.give_up(&held.object, now).await {
            // A renewal that was on its way when the process was stopped is ours as well.
            Err(Error::Lost) => {
                let found = self.api.get_opt(LEASE_NAME).await;
                let found = found.map_err(Error::api("read"))?.ok_or(Error::Lost)?;
                let holder = found.spec.as_ref();
                let holder = holder.and_then(|spec| spec.holder_identity.as_ref());
                if holder != Some(&self.holder) {
                    return Err(Error::Lost);
                }
                self.give_up(&found, now).await
            }
            released => released,
        }
    }

    async fn give_up(&self, held: &LeaseObject, now: DateTime<Utc>) -> Result<(), Error> {
        let mut lease = self.lease(Some(held), epoch_of(held), now);
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = None;
        }
        let params = PostParams::default();
        let released = self.api.replace(LEASE_NAME, &params, &lease).await;
        released.map(|_| ()).map_err(lost_unless_ours("release"))
    }

    fn lease(&self, found: Option<&LeaseObject>, epoch: i64, now: DateTime<Utc>) -> LeaseObject {
        let seconds = i32::try_from(self.tenure.duration.as_secs()).unwrap_or(i32::MAX);
        let before = found.and_then(|found| found.spec.as_ref());
        let same_holder =
            before.is_some_and(|spec| spec.holder_identity.as_deref() == Some(&self.holder));
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        let acquired = before
            .and_then(|spec| spec.acquire_time.clone())
            .filter(|_| same_holder);
        let stamp = || MicroTime(to_k8s(now).0);
        let mut annotations = found
            .map(|found| found.annotations().clone())
            .unwrap_or_default();
        annotations.insert(EPOCH_ANNOTATION.to_owned(), epoch.to_string());
        LeaseObject {
            metadata: ObjectMeta {
                name: Some(LEASE_NAME.to_owned()),
                namespace: Some(self.namespace.clone()),
                resource_version: found.and_then(ResourceExt::resource_version),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.holder.clone()),
                lease_duration_seconds: Some(seconds),
                acquire_time: Some(acquired.unwrap_or_else(stamp)),
                renew_time: Some(stamp()),
                lease_transitions: Some(transitions + i32::from(!same_holder)),
                ..LeaseSpec::default()
            }),
        }
    }
}

fn epoch_of(lease: &LeaseObject) -> i64 {
    lease
        .annotations()
        .get(EPOCH_ANNOTATION)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

fn held_seconds(lease: &LeaseObject) -> Option<Duration> {
    let seconds = lease.spec.as_ref()?.lease_duration_seconds?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// As [`lost_on_conflict`], and where somebody deleted it: who takes it next need not wait for us.
fn lost_unless_ours(act: &'static str) -> impl FnOnce(kube::Error) -> Error {
    move |error| match error {
        kube::Error::Api(status) if status.is_not_found() => Error::Lost,
        error => lost_on_conflict(act)(error),
    }
}

fn lost_on_conflict(act: &'static str) -> impl FnOnce(kube::Error) -> Error {
    move |error| match error {
        kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => {
            Error::Lost
        }
        source => Error::Api {
            act,
            source: Box::new(source),
        },
    }
}
