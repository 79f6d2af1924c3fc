//! How much Azure lets out: token buckets, asked before each call and fed by each answer.
//!
//! The buckets of Compute belong to a subscription, a region or a VM, whoever asks; those of
//! Resource Manager and Resource Graph to a principal. So one [`Buckets`] serves all identities of
//! a process. An empty bucket is [`Error::Throttled`], which becomes a requeue. Must never sleep,
//! and never read a clock: the time is an argument.

mod bucket;
mod fair;
mod headers;
mod policy;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;

use self::bucket::Bucket;
pub use self::bucket::Rate;
pub use self::fair::shares;
use self::policy::{Draw, Policy, draw};
use super::arm::{RETRY_AFTER_SECONDS_DEFAULT, Reply};
use super::error::Error;
use crate::domain::machine::{MachineId, MachineKind};

/// Buckets that are kept at most before those that are full again are dropped.
const BUCKETS_KEPT: usize = 4096;

/// Part of the bucket for assess and install that assessments leave to installs: a quarter. An
/// assessment can wait, a window cannot.
const LEFT_TO_INSTALLS: u32 = 150;

/// Which bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    policy: Policy,
    subscription: String,
    /// The principal, the region, or the VM.
    whose: Whose,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Principal(String),
    Region(String),
    Vm(String),
}

/// All buckets of a process.
#[derive(Debug, Default)]
pub struct Buckets(Mutex<BTreeMap<Key, Bucket>>);

/// What a call draws on: each bucket, its rate, and the tokens it leaves alone.
type Drawn = Vec<(Key, Rate, u32)>;

impl Buckets {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Bucket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a token from each bucket, or none.
    fn take(&self, drawn: &Drawn, now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
        let mut buckets = self.lock();
        if buckets.len() > BUCKETS_KEPT {
            buckets.retain(|key, bucket| {
                let (shared, own) = key.policy.rates();
                let rate = match key.whose {
                    Whose::Vm(_) => own.unwrap_or(shared),
                    _ => shared,
                };
                !bucket.is_idle(rate, now)
            });
        }
        if let Some(until) = again_at(&mut buckets, drawn, now) {
            return Err(until);
        }
        for (key, _, _) in drawn {
            if let Some(bucket) = buckets.get_mut(key) {
                bucket.take();
            }
        }
        Ok(())
    }

    /// Returns what the tightest of some buckets lets out within `horizon`.
    fn allowance(&self, drawn: &Drawn, now: DateTime<Utc>, horizon: TimeDelta) -> u32 {
        let mut buckets = self.lock();
        let rooms = drawn.iter().map(|(key, rate, reserve)| {
            let bucket = buckets
                .entry(key.clone())
                .or_insert_with(|| Bucket::full(*rate, now));
            bucket.allowance(*rate, now, horizon, *reserve)
        });
        rooms.min().unwrap_or(u32::MAX)
    }

    /// Takes note of an answer.
    fn heard(&self, drawn: &Drawn, reply: &Reply, now: DateTime<Utc>) {
        let mut buckets = self.lock();
        let mut empty = Vec::new();
        for (key, rate, _) in drawn {
            let remaining = headers::remaining(key.policy, &reply.headers);
            let left = match key.whose {
                Whose::Vm(_) => remaining.own,
                _ => remaining.shared,
            };
            let (Some(left), Some(bucket)) = (left, buckets.get_mut(key)) else {
                continue;
            };
            bucket.heard(*rate, left, now);
            if left == 0 {
                empty.push(key);
            }
        }
        let seconds = reply.retry_after().unwrap_or(RETRY_AFTER_SECONDS_DEFAULT);
        let until = headers::closed_until(reply.status, &reply.headers, seconds, now);
        let Some(until) = until else { return };
        // What the answer calls empty refused the call; where it says nothing, the provider's
        // bucket did (azure.md §6), and any of its two may have.
        let is_provider = |key: &Key| {
            !matches!(
                key.policy,
                Policy::ArmReads | Policy::ArmWrites | Policy::ArmDeletes
            )
        };
        let mut closed = empty;
        if closed.is_empty() {
            let provider = drawn
                .iter()
                .map(|own| &own.0)
                .filter(|key| is_provider(key));
            closed = provider.collect();
        }
        if closed.is_empty() {
            closed = drawn.iter().map(|own| &own.0).collect();
        }
        for key in closed {
            if let Some(bucket) = buckets.get_mut(key) {
                bucket.close(until);
            }
        }
    }
}

/// Returns when all of some buckets have a token, where one of them has none now.
fn again_at(
    buckets: &mut BTreeMap<Key, Bucket>,
    drawn: &Drawn,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let waits = drawn.iter().filter_map(|(key, rate, reserve)| {
        let bucket = buckets
            .entry(key.clone())
            .or_insert_with(|| Bucket::full(*rate, now));
        bucket.check(*rate, now, *reserve).err()
    });
    waits.max()
}

/// Says that a call is withheld.
fn withheld(what: &str, now: DateTime<Utc>, until: DateTime<Utc>) -> Error {
    let millis = (until - now).num_milliseconds().max(1);
    Error::Throttled {
        until_seconds: u64::try_from(millis.div_euclid(1000) + 1).unwrap_or(1),
        what: what.to_owned(),
    }
}

/// The clock that a paced cloud asks.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The buckets as one principal draws on them.
#[derive(Clone)]
pub(super) struct Pace {
    buckets: Arc<Buckets>,
    principal: String,
    region: String,
    now: Now,
}

impl Pace {
    pub(super) fn new(buckets: Arc<Buckets>, principal: &str, now: Now) -> Self {
        Self {
            buckets,
            principal: principal.to_owned(),
            region: String::new(),
            now,
        }
    }

    pub(super) fn in_region(&self, region: &str) -> Self {
        Self {
            region: region.to_ascii_lowercase(),
            ..self.clone()
        }
    }

    /// Names the buckets that a request draws on.
    fn drawn(&self, draw: &Draw, is_assessment: bool) -> Drawn {
        let key = |policy, whose| Key {
            policy,
            subscription: draw.subscription.clone(),
            whose,
        };
        let mut drawn = Vec::new();
        if let Some(policy) = draw.arm {
            let whose = Whose::Principal(self.principal.clone());
            drawn.push((key(policy, whose), policy.rates().0, 0));
        }
        let Some(policy) = draw.provider else {
            return drawn;
        };
        let (shared, own) = policy.rates();
        let whose = match policy {
            Policy::Graph => Whose::Principal(self.principal.clone()),
            _ => Whose::Region(draw.region.clone().unwrap_or_else(|| self.region.clone())),
        };
        let reserve = if is_assessment { LEFT_TO_INSTALLS } else { 0 };
        drawn.push((key(policy, whose), shared, reserve));
        if let (Some(rate), Some(vm)) = (own, &draw.vm) {
            drawn.push((key(policy, Whose::Vm(vm.clone())), rate, 0));
        }
        drawn
    }

    fn of_request(&self, method: &Method, path: &str) -> Drawn {
        let is_assessment = path.to_ascii_lowercase().ends_with("/assesspatches");
        self.drawn(&draw(method, path), is_assessment)
    }

    /// Takes what a request needs.
    ///
    /// # Errors
    /// [`Error::Throttled`]: nothing was taken, and nothing was sent.
    pub(super) fn take(&self, what: &str, method: &Method, path: &str) -> Result<(), Error> {
        let now = (self.now)();
        let drawn = self.of_request(method, path);
        let taken = self.buckets.take(&drawn, now);
        taken.map_err(|until| withheld(what, now, until))
    }

    /// Tells whether a request could go within `horizon`. Takes nothing.
    ///
    /// # Errors
    /// [`Error::Throttled`] where it could not.
    pub(super) fn has_room(&self, what: &str, path: &str, horizon: TimeDelta) -> Result<(), Error> {
        let now = (self.now)();
        let drawn = self.of_request(&Method::POST, path);
        match again_at(&mut self.buckets.lock(), &drawn, now) {
            Some(until) if until > now + horizon => Err(withheld(what, now, until)),
            _ => Ok(()),
        }
    }

    /// Takes note of the answer to a request.
    pub(super) fn heard(&self, method: &Method, path: &str, reply: &Reply) {
        let drawn = self.of_request(method, path);
        self.buckets.heard(&drawn, reply, (self.now)());
    }

    /// Returns how many installs of machines like this one may be sent within `horizon`.
    pub(super) fn installs(&self, machine: &MachineId, horizon: TimeDelta) -> u32 {
        let path = format!("{machine}/installpatches");
        let mut drawn = self.of_request(&Method::POST, &path);
        // The machine's own bucket says nothing of the others.
        drawn.retain(|(key, _, _)| !matches!(key.whose, Whose::Vm(_)));
        self.buckets.allowance(&drawn, (self.now)(), horizon)
    }
}

/// Machines whose installs draw on the same bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pool {
    subscription: String,
    /// None for Arc machines, which have no bucket of a region.
    region: Option<String>,
}

impl Pool {
    /// Names the pool of a machine.
    pub fn of(machine: &MachineId, kind: MachineKind, region: &str) -> Self {
        Self {
            subscription: machine.subscription().to_owned(),
            region: (kind == MachineKind::AzureVm).then(|| region.to_owned()),
        }
    }
}

impl std::fmt::Display for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "subscription {}", self.subscription)?;
        match &self.region {
            Some(region) => write!(f, " in {region}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
