//! Reads what an identity sees, and keeps it for as long as it is good.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::timeout;

use super::{Access, Known, Memory, Principal};
use crate::azure::{Cloud, Error, Scope};
use crate::domain::machine::MachineId;
use crate::domain::snapshot::Inventory;

/// An inventory younger than this is not read again, except for the machines that are worked on.
/// Well under the age at which nothing may be commanded any more.
const INVENTORY_REST: TimeDelta = TimeDelta::minutes(5);

/// A glimpse of the machines that are worked on younger than this is not taken again.
const GLIMPSE_REST: TimeDelta = TimeDelta::seconds(45);

/// The longest the inventory of one identity may take.
const INVENTORY_TIMEOUT: Duration = Duration::from_secs(120);

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
        && now - known.inventory.at < INVENTORY_REST
    {
        if !engaged.is_empty() && now - known.glimpsed_at >= GLIMPSE_REST {
            glimpse(known, cloud, engaged, now).await;
        }
        return Ok(known.inventory.clone());
    }
    let read = timeout(INVENTORY_TIMEOUT, cloud.inventory(scope, now)).await;
    let read = read.unwrap_or_else(|_| {
        let what = "the inventory".to_owned();
        let why = format!("it took longer than {} s", INVENTORY_TIMEOUT.as_secs());
        Err(Error::Transient { what, why })
    });
    match read {
        Ok(read) => {
            let rows = read
                .unreadable
                .iter()
                .map(|row| format!("{}: {}", row.id, row.why));
            memory.unreadable.insert(who.clone(), rows.collect());
            memory.access.insert(who.clone(), Access::Valid);
            let machines = read
                .machines
                .into_iter()
                .map(|machine| (machine.id.clone(), machine))
                .collect();
            let inventory = Inventory {
                at: read.at,
                machines,
            };
            let known = Known {
                scope: scope.clone(),
                inventory: inventory.clone(),
                glimpsed_at: read.at,
            };
            memory.inventories.insert(who.clone(), known);
            Ok(inventory)
        }
        Err(error) => {
            let (namespace, account) = who;
            tracing::warn!(namespace, account, %error, "the inventory could not be read");
            let why = error.to_string();
            memory.access.insert(who.clone(), Access::Failed(error));
            // What was known serves for reports; it is too old to act on before long.
            memory
                .inventories
                .get(who)
                .map(|known| known.inventory.clone())
                .ok_or(why)
        }
    }
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
