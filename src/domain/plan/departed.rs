//! The way back for machines whose fleet was deleted.
//!
//! Must never touch a machine that a living fleet may want, that something is under way on, or
//! whose claim is not that of the deleted fleet.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Pass, Plan, Restore};
use crate::domain::enrolment::{ClaimIdentity, claim_of, restore as way_back};
use crate::domain::fleet::Mode;
use crate::domain::machine::{Machine, MachineId};
use crate::domain::roster::in_open_runs;
use crate::domain::snapshot::{Domain, FleetView, Snapshot};

/// Tells whether a claim is that of a fleet of this cluster that is known to be gone: its deletion
/// was seen, or every fleet that there is is another one.
pub(super) fn is_departed(snapshot: &Snapshot, claim: &ClaimIdentity) -> bool {
    let domains = || snapshot.domains.values();
    let mut departed = domains().flat_map(|own| &own.departed);
    let mut living = domains().flat_map(|own| &own.fleets);
    claim.cluster == snapshot.cluster_uid
        && (departed.any(|own| own.uid == claim.fleet)
            || (snapshot.sees_every_fleet && !living.any(|own| own.uid == claim.fleet)))
}

/// Returns the settings of machines to their deleted fleets' way back.
pub(super) fn restore(pass: &Pass<'_>, snapshot: &Snapshot, plan: &mut Plan) {
    if pass.domain.departed.is_empty() {
        return;
    }
    let named: BTreeSet<MachineId> = snapshot.domains.values().flat_map(in_open_runs).collect();
    for departed in &pass.domain.departed {
        let account = &departed.service_account;
        let Ok(identity) = ClaimIdentity::new(&snapshot.cluster_uid, &departed.uid) else {
            continue;
        };
        let Some(seen) = pass.domain.fresh(account, pass.now) else {
            continue;
        };
        for machine in seen.machines.values() {
            let claim = claim_of(machine).ok().flatten();
            let Some(claim) = claim.filter(|own| own.identity == identity) else {
                continue;
            };
            let rests = machine.busy.is_none() && !named.contains(&machine.id);
            if !rests || is_wanted(snapshot, machine, pass.now) {
                continue;
            }
            plan.restores.push(Restore {
                fleet: departed.key.clone(),
                service_account: account.clone(),
                change: way_back(machine, &claim),
            });
        }
    }
}

/// Tells whether a living fleet may want a machine: that one takes the claim over.
fn is_wanted(snapshot: &Snapshot, machine: &Machine, now: DateTime<Utc>) -> bool {
    snapshot.domains.values().any(|domain| {
        let mut fleets = domain.fleets.iter();
        fleets.any(|view| may_want(domain, view, machine, now))
    })
}

fn may_want(domain: &Domain, view: &FleetView, machine: &Machine, now: DateTime<Utc>) -> bool {
    let Some(wants) = &view.wants else {
        // Nobody can tell what it wants.
        return true;
    };
    let seen = domain.fresh(&wants.service_account, now);
    wants.mode >= Mode::Enrol
        && wants.scope.may_hold(&machine.id)
        && wants.selector.matches(machine)
        && wants.selector.exclusion(&machine.id, now).is_none()
        && seen.is_none_or(|own| own.machines.contains_key(&machine.id))
}
