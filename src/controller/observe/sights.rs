//! Looks with every identity of a namespace, each at its own scope.
//!
//! Fleets of one identity share one reading. What an identity sees is kept apart from what others
//! see, so that no fleet is shown, or acts on, a machine that its own identity does not see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::inventory::{inventory, known};
use super::{Access, Memory, Principal};
use crate::azure::{Cloud, Error, Scope};
use crate::controller::Shell;
use crate::domain::machine::MachineId;
use crate::domain::region::Regions;
use crate::domain::run::Run;
use crate::domain::snapshot::{Domain, Inventory, Sighted};
use crate::validate::{Declared, Found};

/// What is looked at with one identity.
#[derive(Default)]
struct Errand {
    /// The ServiceAccounts that stand for it.
    accounts: BTreeSet<String>,
    subscriptions: BTreeSet<String>,
    groups: BTreeSet<String>,
    /// The machines that its open runs command or hold.
    engaged: BTreeSet<MachineId>,
}

impl Errand {
    fn scope(&self) -> Scope {
        Scope {
            subscriptions: self.subscriptions.iter().cloned().collect(),
            management_groups: self.groups.iter().cloned().collect(),
        }
    }
}

/// Reads the machines of a namespace into its domain. Returns the cloud of each ServiceAccount.
pub(super) async fn look(
    shell: &Shell,
    memory: &mut Memory,
    namespace: &str,
    declared: &Declared,
    domain: &mut Domain,
) -> BTreeMap<String, Cloud> {
    let mut clouds = BTreeMap::new();
    let mut sights = Vec::new();
    for (principal, errand) in errands(shell, memory, namespace, declared, domain.runs.values()) {
        let who = (namespace.to_owned(), principal);
        // Any of its accounts stands for it.
        let account = errand.accounts.first().cloned().unwrap_or_default();
        let now = shell.clock.now();
        let found = shell.clouds.cloud(namespace, &account, now).await;
        let sighted = sighted(memory, &who, found.as_ref(), &errand, now).await;
        if let Ok(cloud) = found {
            let names = errand.accounts.iter().cloned();
            clouds.extend(names.map(|own| (own, cloud.clone())));
        }
        sights.push((errand.accounts, sighted));
    }
    merge(domain, sights);
    clouds
}

async fn sighted(
    memory: &mut Memory,
    who: &Principal,
    cloud: Result<&Cloud, &Error>,
    errand: &Errand,
    now: DateTime<Utc>,
) -> Sighted {
    memory.looked.insert(who.clone());
    let inventory = match cloud {
        Ok(cloud) => {
            if let Some(Access::Failed(Error::Identity(_))) = memory.access.get(who) {
                memory.access.insert(who.clone(), Access::Valid);
            }
            inventory(memory, who, cloud, &errand.scope(), &errand.engaged, now).await
        }
        Err(error) => {
            tracing::warn!(namespace = %who.0, account = %who.1, %error, "no identity");
            let failed = Access::Failed(error.clone());
            memory.access.insert(who.clone(), failed);
            // What was known serves for reports and budgets; it is too old to act on before long.
            known(memory, who, &errand.scope(), now).ok_or_else(|| error.to_string())
        }
    };
    match memory.access.get(who) {
        Some(Access::Failed(_)) => memory.retries.failed(who, now),
        _ => memory.retries.succeeded(who),
    }
    Sighted {
        inventory,
        gone: gone(memory.access.get(who)),
    }
}

/// Tells why Azure does not let an identity in, in whichever way. That nobody answers for now says
/// nothing of it.
fn gone(access: Option<&Access>) -> Option<String> {
    match access {
        Some(Access::Failed(Error::Identity(refusal))) if refusal.fault.is_passing() => None,
        Some(Access::Failed(
            error @ (Error::Identity(_) | Error::Unauthorised { .. } | Error::Denied { .. }),
        )) => Some(error.to_string()),
        _ => None,
    }
}

/// Puts together what all identities see. Where there is one, it sees everything.
fn merge(domain: &mut Domain, mut sights: Vec<(BTreeSet<String>, Sighted)>) {
    if sights.len() <= 1 {
        if let Some((_, only)) = sights.pop() {
            domain.inventory = only.inventory;
            domain.identity_gone = only.gone;
        }
        return;
    }
    let mut all: Option<Inventory> = None;
    for inventory in sights
        .iter()
        .filter_map(|(_, own)| own.inventory.as_ref().ok())
    {
        match &mut all {
            None => all = Some(inventory.clone()),
            Some(all) => {
                all.at = all.at.min(inventory.at);
                all.regions = Regions::both(&all.regions, &inventory.regions);
                for (id, machine) in &inventory.machines {
                    let kept = all.machines.entry(id.clone());
                    kept.or_insert_with(|| Arc::clone(machine));
                }
            }
        }
    }
    let nothing = || "no identity of this namespace can read its machines".to_owned();
    domain.inventory = all.ok_or_else(nothing);
    for (accounts, sighted) in sights {
        for account in accounts {
            domain.sights.insert(account, sighted.clone());
        }
    }
}

/// Returns what is to be looked at with each identity: the scopes of its fleets, also of those
/// that were deleted and whose settings go back, and the subscriptions of the machines that its
/// open runs name, though their fleet be gone.
fn errands<'a>(
    shell: &Shell,
    memory: &Memory,
    namespace: &str,
    declared: &Declared,
    runs: impl Iterator<Item = &'a Run>,
) -> BTreeMap<String, Errand> {
    let mut errands: BTreeMap<String, Errand> = BTreeMap::new();
    let mut of = |account: &str, tell: &mut dyn FnMut(&mut Errand)| {
        let principal = shell.clouds.principal(account).to_owned();
        let errand = errands.entry(principal).or_default();
        errand.accounts.insert(account.to_owned());
        tell(errand);
    };
    let declared = declared.fleets.iter().filter_map(Found::object);
    let live = declared.filter(|own| own.metadata.deletion_timestamp.is_none());
    let departed = memory.departing.of(namespace);
    for fleet in live.map(AsRef::as_ref).chain(departed) {
        let scope = &fleet.spec.scope;
        of(&fleet.spec.service_account_name, &mut |errand| {
            let ids = scope.subscriptions.iter();
            errand
                .subscriptions
                .extend(ids.map(|id| id.to_ascii_lowercase()));
            errand
                .groups
                .extend(scope.management_groups.iter().cloned());
        });
    }
    for run in runs.filter(|run| run.is_open()) {
        of(&run.terms.service_account, &mut |errand| {
            let ids = run.terms.machines.keys();
            errand
                .subscriptions
                .extend(ids.map(|id| id.subscription().to_owned()));
            let engaged = run.engaged().map(|(machine, _)| machine.id.clone());
            errand.engaged.extend(engaged);
        });
    }
    errands.retain(|_, own| !own.subscriptions.is_empty() || !own.groups.is_empty());
    errands
}
