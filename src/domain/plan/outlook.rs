//! Judges the machines and the rollouts of every fleet of a domain.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Outlook, Pass};
use crate::domain::authority::foreign_claim;
use crate::domain::enrolment::ClaimIdentity;
use crate::domain::fleet::FleetKey;
use crate::domain::machine::MachineId;
use crate::domain::release::ReleaseId;
use crate::domain::rollout::rollout;
use crate::domain::roster::roster;
use crate::domain::snapshot::{Domain, Snapshot};

/// Judges the machines of every fleet of a domain that can be planned for.
pub(super) fn outlooks(
    domain: &Domain,
    snapshot: &Snapshot,
    owners: &BTreeMap<MachineId, FleetKey>,
    now: DateTime<Utc>,
) -> BTreeMap<FleetKey, Outlook> {
    let fleets = domain.fleets.iter();
    fleets
        .filter_map(|view| view.fleet.as_ref().ok())
        .filter_map(|fleet| Some((fleet, domain.seen_by(&fleet.service_account).ok()?)))
        .map(|(fleet, inventory)| {
            let roster = roster(fleet, inventory, owners, &snapshot.catalogue, now);
            let own = ClaimIdentity::new(&snapshot.cluster_uid, &fleet.uid).ok();
            let foreign_claims = roster
                .values()
                .filter_map(|member| {
                    let claim = foreign_claim(&member.machine, own.as_ref()?)?;
                    Some((member.machine.id.clone(), claim))
                })
                .collect();
            let outlook = Outlook {
                roster,
                foreign_claims,
                steering: Arc::clone(&inventory.steering),
                rollouts: BTreeMap::new(),
                notes: BTreeMap::new(),
                waits: None,
                next_window: None,
            };
            (fleet.key.clone(), outlook)
        })
        .collect()
}

/// Returns a domain with its fleets in order: oldest first, then by name.
pub(super) fn in_order(domain: &Domain) -> Domain {
    let mut domain = domain.clone();
    domain
        .fleets
        .sort_by(|a, b| (a.created_at, &a.key).cmp(&(b.created_at, &b.key)));
    domain
}

/// Judges every release that concerns a fleet: due ones, those of its runs, and the latest.
pub(super) fn judge_rollouts(pass: &mut Pass<'_>, snapshot: &Snapshot) {
    let now = pass.now;
    let keys: Vec<FleetKey> = pass.outlooks.keys().cloned().collect();
    for key in keys {
        let Some(fleet) = pass.fleet(&key).cloned() else {
            continue;
        };
        let Some(outlook) = pass.outlooks.get(&key) else {
            continue;
        };
        let mut releases: Vec<ReleaseId> = outlook
            .roster
            .values()
            .filter_map(|member| member.due().map(|due| due.release))
            .chain(
                pass.domain
                    .runs
                    .values()
                    .filter(|run| run.fleet == key && run.is_open())
                    .map(|run| run.terms.release),
            )
            .chain(outlook.roster.values().filter_map(|member| {
                snapshot
                    .catalogue
                    .latest_effective(member.os_track?, now)
                    .map(|own| own.id)
            }))
            .collect();
        releases.sort_unstable();
        releases.dedup();
        let rollouts = releases
            .into_iter()
            .map(|id| (id, rollout(&fleet, &pass.domain, &outlook.roster, id, now)))
            .collect();
        if let Some(outlook) = pass.outlooks.get_mut(&key) {
            outlook.rollouts = rollouts;
        }
    }
}
