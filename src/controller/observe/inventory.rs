//! Reads what an identity sees, and keeps it for as long as it is good.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::timeout;

use super::{Access, Known, Memory, Principal};
use crate::azure::{Cloud, Error, Scope};
use crate::domain::authority::steering::Steering;
use crate::domain::machine::{Machine, MachineId};
use crate::domain::snapshot::{INVENTORY_AGE_MAX, Inventory};

/// An inventory younger than this is not read again, except for the machines that are worked on.
/// Well under the age at which nothing may be commanded any more.
const INVENTORY_REST: TimeDelta = TimeDelta::minutes(5);

/// A glimpse of the machines that are worked on younger than this is not taken again.
const GLIMPSE_REST: TimeDelta = TimeDelta::seconds(45);

/// The longest the inventory of one identity may take.
const INVENTORY_TIMEOUT: Duration = Duration::from_secs(120);

/// The longest a look at what steers machines may take.
const STEERING_TIMEOUT: Duration = Duration::from_secs(20);

/// Returns what one identity sees: read anew when it has grown old, else as it is known with
/// a fresh glimpse of the machines that are worked on.
pub(super) async fn inventory(
    memory: &mut Memory,
    who: &Principal,
    cloud: &Cloud,
    scope: &Scope,
    engaged: &BTreeSet<MachineId>,
    now: DateTime<Utc>,
) -> Result<Inventory, String> {
    if let Some(known) = memory.inventories.get_mut(who)
        && known.scope == *scope
        && known.eyes == cloud.eyes()
        && now - known.inventory.at < INVENTORY_REST
    {
        if !engaged.is_empty() && now - known.glimpsed_at >= GLIMPSE_REST {
            glimpse(known, cloud, engaged, now).await;
        }
        return Ok(known.inventory.clone());
    }
    if let Some(known) = read_by_another(memory, cloud, scope, now) {
        let inventory = known.inventory.clone();
        memory.access.insert(who.clone(), Access::Valid);
        memory.inventories.insert(who.clone(), known);
        return Ok(inventory);
    }
    let read = timeout(INVENTORY_TIMEOUT, cloud.inventory(scope, now)).await;
    let read = read.unwrap_or_else(|_| {
        let what = "the inventory".to_owned();
        let why = format!("it took longer than {} s", INVENTORY_TIMEOUT.as_secs());
        Err(Error::Transient { what, why })
    });
    let read = match read {
        Ok(read) => read,
        Err(error) => return unread(memory, who, scope, error, now),
    };
    let rows = read
        .unreadable
        .iter()
        .map(|row| format!("{}: {}", row.id, row.why));
    memory.unreadable.insert(who.clone(), rows.collect());
    memory.access.insert(who.clone(), Access::Valid);
    let machines: BTreeMap<MachineId, Arc<Machine>> = read
        .machines
        .into_iter()
        .map(|machine| (machine.id.clone(), machine))
        .collect();
    let before = memory.inventories.get(who);
    let before = before.map(|own| Arc::clone(&own.inventory.steering));
    let steering = steering(cloud, scope, &machines, now).await;
    let inventory = Inventory {
        steering: steering.or(before).unwrap_or_default(),
        regions: read.regions,
        ..Inventory::of(read.at, machines)
    };
    let known = Known {
        eyes: cloud.eyes(),
        scope: scope.clone(),
        inventory: inventory.clone(),
        glimpsed_at: read.at,
    };
    memory.inventories.insert(who.clone(), known);
    Ok(inventory)
}

/// Looks at what steers machines. The machines are there without it: whatever befalls it, it is not
/// waited for long.
async fn steering(
    cloud: &Cloud,
    scope: &Scope,
    machines: &BTreeMap<MachineId, Arc<Machine>>,
    now: DateTime<Utc>,
) -> Option<Arc<Steering>> {
    if machines.is_empty() {
        return None;
    }
    let read = cloud.steering(scope, machines.keys(), now);
    timeout(STEERING_TIMEOUT, read).await.ok().map(Arc::new)
}

/// Returns what another namespace read a moment ago with the same eyes: it need not be read again.
fn read_by_another(
    memory: &Memory,
    cloud: &Cloud,
    scope: &Scope,
    now: DateTime<Utc>,
) -> Option<Known> {
    let known = memory.inventories.values().find(|known| {
        known.scope == *scope
            && known.eyes == cloud.eyes()
            && now - known.inventory.at < INVENTORY_REST
    })?;
    Some(Known {
        eyes: known.eyes.clone(),
        scope: known.scope.clone(),
        inventory: known.inventory.clone(),
        glimpsed_at: known.inventory.at,
    })
}

/// Notes why an inventory could not be read, and returns what was known: it serves for reports,
/// and is too old to act on before long; at once where it was read of less than the scope of today.
fn unread(
    memory: &mut Memory,
    who: &Principal,
    scope: &Scope,
    error: Error,
    now: DateTime<Utc>,
) -> Result<Inventory, String> {
    let (namespace, account) = who;
    let why = match error.again_at(now) {
        Some(at) => {
            // It goes on where it stopped; nothing is wrong with the identity.
            memory.again_at = Some(memory.again_at.map_or(at, |own| own.min(at)));
            tracing::debug!(namespace, account, %error, "the inventory is not read to its end yet");
            "it is being read, as fast as Azure lets it out".to_owned()
        }
        None => {
            tracing::warn!(namespace, account, %error, "the inventory could not be read");
            let why = error.to_string();
            let failed = Access::Failed(error);
            memory.access.insert(who.clone(), failed);
            why
        }
    };
    known(memory, who, scope, now).ok_or(why)
}

/// Returns what is known of what an identity sees. What was read of less than the scope of today
/// is too old to act on: nobody counts the machines that it leaves out.
pub(super) fn known(
    memory: &Memory,
    who: &Principal,
    scope: &Scope,
    now: DateTime<Utc>,
) -> Option<Inventory> {
    let known = memory.inventories.get(who)?;
    let mut inventory = known.inventory.clone();
    if !covers(&known.scope, scope) {
        let too_old = now - INVENTORY_AGE_MAX - TimeDelta::seconds(1);
        inventory.at = inventory.at.min(too_old);
    }
    Some(inventory)
}

/// Tells whether one scope has all that another one names.
fn covers(known: &Scope, wanted: &Scope) -> bool {
    let all = |known: &[String], wanted: &[String]| wanted.iter().all(|own| known.contains(own));
    all(&known.subscriptions, &wanted.subscriptions)
        && all(&known.management_groups, &wanted.management_groups)
}

/// Looks again at the machines that are worked on. Without an answer they stay as they were known.
async fn glimpse(
    known: &mut Known,
    cloud: &Cloud,
    engaged: &BTreeSet<MachineId>,
    now: DateTime<Utc>,
) {
    match cloud.progress(&known.scope, engaged).await {
        Ok(glimpses) => {
            known.glimpsed_at = now;
            for (id, glimpse) in glimpses {
                if let Some(machine) = known.inventory.machines.get_mut(&id) {
                    *machine = Arc::new(machine.with_glimpse(glimpse));
                }
            }
        }
        Err(error) => tracing::info!(%error, "no glimpse of the machines that are worked on"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use futures::future::BoxFuture;

    use super::*;
    use crate::azure::{Endpoint, Token, Transport, TransportError};

    /// An Azure without machines that counts what it is asked, and refuses from a number on.
    struct Empty {
        asked: AtomicUsize,
        spent_from: usize,
    }

    impl Transport for Empty {
        fn send(
            &self,
            _: http::Request<Bytes>,
        ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst);
            let answer = if asked < self.spent_from {
                http::Response::new(Bytes::from_static(br#"{"count": 0, "data": []}"#))
            } else {
                let answer = http::Response::builder().status(429);
                let answer = answer.header("retry-after", "7");
                answer.body(Bytes::new()).unwrap()
            };
            Box::pin(std::future::ready(Ok(answer)))
        }
    }

    fn cloud(azure: &Arc<Empty>) -> Cloud {
        let endpoint = Endpoint::parse(Endpoint::PUBLIC).unwrap();
        Cloud::new(azure.clone(), endpoint, Token::new("t").unwrap())
    }

    fn scope(subscription: &str) -> Scope {
        Scope {
            subscriptions: vec![subscription.to_owned()],
            management_groups: Vec::new(),
        }
    }

    fn azure(spent_from: usize) -> Arc<Empty> {
        let asked = AtomicUsize::new(0);
        Arc::new(Empty { asked, spent_from })
    }

    const NOW: DateTime<Utc> = DateTime::<Utc>::UNIX_EPOCH;

    #[tokio::test]
    async fn one_snapshot_serves_all_namespaces_of_one_identity_and_scope() {
        let azure = azure(usize::MAX);
        let (own, other) = (cloud(&azure), cloud(&azure));
        let own_again = own.with_token(Token::new("fresh").unwrap());
        let mut memory = Memory::default();
        // Namespace, cloud, scope, minutes since the start, and the queries so far.
        let rows = [
            ("a", &own, "s1", 0, 1),
            ("b", &own_again, "s1", 1, 1),
            ("c", &own, "s2", 1, 2),
            ("d", &other, "s1", 1, 3),
            ("b", &own, "s1", 4, 3),
            ("b", &own, "s1", 5, 4),
            ("a", &own, "s1", 5, 4),
        ];
        for (namespace, cloud, subscription, minutes, queries) in rows {
            let now = NOW + TimeDelta::minutes(minutes);
            let none = BTreeSet::new();
            let scope = scope(subscription);
            let who = (namespace.to_owned(), String::new());
            let found = inventory(&mut memory, &who, cloud, &scope, &none, now).await;
            assert!(found.is_ok(), "{found:?}");
            let asked = azure.asked.load(Ordering::SeqCst);
            assert_eq!(asked, queries, "{namespace} {subscription} at {minutes}");
        }
    }

    #[tokio::test]
    async fn what_was_read_of_less_than_the_scope_of_today_is_too_old_to_act_on() {
        // The scope that is wanted after `s1` and `s2` were read, and whether what is known serves.
        let rows = [("s1", true), ("s2", true), ("s3", false)];
        for (wanted, serves) in rows {
            let azure = azure(1);
            let mut memory = Memory::default();
            let (cloud, none) = (cloud(&azure), BTreeSet::new());
            let who = ("a".to_owned(), String::new());
            let mut both = scope("s1");
            both.subscriptions.push("s2".to_owned());
            let read = inventory(&mut memory, &who, &cloud, &both, &none, NOW).await;
            assert!(read.is_ok(), "{read:?}");
            let now = NOW + TimeDelta::minutes(1);
            let scope = scope(wanted);
            let found = inventory(&mut memory, &who, &cloud, &scope, &none, now).await;
            let age = now - found.unwrap().at;
            assert_eq!(age <= INVENTORY_AGE_MAX, serves, "{wanted}: {age}");
        }
    }

    #[tokio::test]
    async fn a_spent_quota_is_a_later_pass_and_no_fault_of_the_identity() {
        let azure = azure(0);
        let mut memory = Memory::default();
        let (cloud, scope, none) = (cloud(&azure), scope("s1"), BTreeSet::new());
        let who = ("a".to_owned(), String::new());
        let found = inventory(&mut memory, &who, &cloud, &scope, &none, NOW).await;
        assert!(found.is_err());
        assert_eq!(memory.again_at, Some(NOW + TimeDelta::seconds(7)));
        assert!(memory.access.is_empty(), "{:?}", memory.access);
    }
}
