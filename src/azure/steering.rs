//! What schedules and policies do to machines, from Resource Graph, and where nobody may look.
//!
//! Two queries and one call for each subscription, once in an hour: what is assigned changes
//! slowly, and Resource Graph's quota (15 queries in 5 s, azure.md §4) is for the machines. Nothing
//! here fails a caller: what cannot be read is named in what is returned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use self::found::{Policies, Schedules};
use self::part::Part;
use super::arm::Arm;
use super::error::{Error, bounded};
use super::graph::targets;
use super::kept::Kept;
use super::permitted::{Permitted, permitted};
use super::port::Scope;
use super::rights::cure;
use crate::domain::authority::steering::{Source, Steering, Why};

mod found;
mod part;
mod queries;
#[cfg(test)]
mod tests;

/// How long rights are kept, in seconds.
const RIGHTS_SECONDS: i64 = 3600;

/// Scopes kept at most.
const SCOPES_MAX: usize = 64;

/// The right without which no right is known.
const PERMISSIONS: &str = "Microsoft.Authorization/permissions/read";

/// The rights of each source: without one its rows are missing, and nothing says so (Resource
/// Graph overview, "Permissions in Azure Resource Graph").
const NEEDED: [(Source, &str); 4] = [
    (
        Source::Maintenance,
        "Microsoft.Maintenance/configurationAssignments/read",
    ),
    (
        Source::Configurations,
        "Microsoft.Maintenance/maintenanceConfigurations/read",
    ),
    (
        Source::Policies,
        "Microsoft.PolicyInsights/policyStates/queryResults/read",
    ),
    (
        Source::Policies,
        "Microsoft.Authorization/policyAssignments/read",
    ),
];

/// What was read, and what is being read, by scope.
#[derive(Debug)]
pub(super) struct Steerings {
    known: Mutex<BTreeMap<Scope, Known>>,
    rights: Kept<Permitted>,
}

impl Default for Steerings {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            rights: Kept::new(RIGHTS_SECONDS),
        }
    }
}

/// What is known of one scope.
#[derive(Debug)]
struct Known {
    used: DateTime<Utc>,
    schedules: Part<Schedules>,
    policies: Part<Policies>,
}

impl Steerings {
    /// Returns what steers the machines of a scope, which lie in `subscriptions`: as it is known,
    /// or read anew where that has grown old.
    pub(super) async fn of(
        &self,
        arm: &Arm,
        scope: &Scope,
        subscriptions: &[String],
        now: DateTime<Utc>,
    ) -> Steering {
        let Ok(targets) = targets(scope) else {
            return Steering::default();
        };
        let mut known = self.take(scope, now);
        let maintenance = known.schedules.of(arm, &targets, now).await;
        let policies = known.policies.of(arm, &targets, now).await;
        self.keep(scope, known);
        let unseen = [
            (Source::Maintenance, maintenance.as_ref().err()),
            (Source::Policies, policies.as_ref().err()),
        ];
        let unseen = unseen.map(|(source, why)| why.map(|why| (source, why.clone())));
        let rights = self.rights.each(subscriptions, now, |own| async move {
            permitted(arm, &own).await
        });
        let rights = rights.await;
        let blind = rights
            .iter()
            .map(|(own, rights)| (own.as_str().into(), blind(rights)));
        Steering {
            maintenance: maintenance.unwrap_or_default(),
            policies: policies.unwrap_or_default(),
            unseen: unseen.into_iter().flatten().collect(),
            subscriptions: blind.collect(),
        }
    }

    fn take(&self, scope: &Scope, now: DateTime<Utc>) -> Known {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // What is good stays: a caller may give up on us before anything is kept again.
        let lent = all.get_mut(scope).map(|own| Known {
            used: now,
            schedules: own.schedules.lend(),
            policies: own.policies.lend(),
        });
        lent.unwrap_or_else(|| Known {
            used: now,
            schedules: Part::default(),
            policies: Part::default(),
        })
    }

    fn keep(&self, scope: &Scope, known: Known) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= SCOPES_MAX && !all.contains_key(scope) {
            let oldest = all.iter().min_by_key(|(_, own)| own.used);
            if let Some(oldest) = oldest.map(|(scope, _)| scope.clone()) {
                all.remove(&oldest);
            }
        }
        all.insert(scope.clone(), known);
    }
}

/// Returns where nobody may look with these rights; where they could not be read, nobody knows.
fn blind(rights: &Result<Arc<Permitted>, Error>) -> BTreeMap<Source, Why> {
    let needed = NEEDED.into_iter();
    match rights {
        Ok(rights) => needed
            .filter(|(_, action)| !rights.grants(action))
            .map(|(source, action)| (source, lacks(action)))
            .collect(),
        Err(error) => {
            let why = match error {
                Error::Denied { .. } => lacks(PERMISSIONS),
                error => Why::Failed(bounded(&error.to_string()).into()),
            };
            needed.map(|(source, _)| (source, why.clone())).collect()
        }
    }
}

fn lacks(action: &'static str) -> Why {
    let cure = cure(action).into();
    Why::Lacks { action, cure }
}

/// Lists subscriptions, each once, sorted.
pub(super) fn subscriptions<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    let found: BTreeSet<&str> = ids.collect();
    found.into_iter().map(str::to_owned).collect()
}
