//! Fleets that were deleted while this process looked, for as long as machines may still bear what
//! they changed.
//!
//! A fleet has no finalizer, so that nobody's deletion ever waits for Azure. What the watch showed
//! of it last is kept here instead, and its settings go back with its own identity, if that lasts.
//! All of it can be lost: then `hotpatch-operator release` puts back by hand. Must never act.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::HotpatchFleet;
use crate::api::fleet::{Mode, OnRelease};
use crate::domain::enrolment::{ClaimIdentity, claim_of};
use crate::domain::fleet::FleetKey;
use crate::domain::snapshot::{Departed, Domain, Snapshot};

/// Deleted fleets that are remembered at once.
const KEPT_MAX: usize = 256;

/// How long a deleted fleet is remembered at most.
const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// How long it is remembered at least: Resource Graph may show for 30 minutes what stood before
/// the last change (azure.md §4).
const LINGERS: TimeDelta = TimeDelta::minutes(45);

/// How long an identity that Azure refuses is tried: a ServiceAccount may be replaced in passing.
const REFUSED_FOR: TimeDelta = TimeDelta::minutes(10);

/// How soon a pass looks again while any is remembered.
const LOOK_EVERY: TimeDelta = TimeDelta::minutes(10);

struct Kept {
    object: Arc<HotpatchFleet>,
    since: DateTime<Utc>,
}

/// A deleted fleet whose settings did not all go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The fleet.
    pub fleet: FleetKey,
    /// Its uid: what `release` asks for.
    pub uid: String,
    /// Why, for people.
    pub why: String,
}

/// The deleted fleets, by uid.
#[derive(Default)]
pub struct Departing {
    kept: BTreeMap<String, Kept>,
    given_up: Vec<GivenUp>,
}

impl Departing {
    /// Takes in fleets that are gone. One that could not have written at its end, as its mode or
    /// its owner forbade it, or that leaves its settings, needs nothing.
    pub fn learn(&mut self, removed: Vec<Arc<HotpatchFleet>>, now: DateTime<Utc>) {
        for object in removed {
            let spec = &object.spec;
            let restores = spec.on_release == OnRelease::Restore;
            let (Some(uid), true) = (object.metadata.uid.clone(), restores) else {
                continue;
            };
            if spec.mode == Mode::Observe || spec.suspend {
                continue;
            }
            if self.kept.len() >= KEPT_MAX {
                let why = format!("more than {KEPT_MAX} fleets were deleted at once");
                self.given_up.push(given_up(&object, &uid, why));
                continue;
            }
            self.kept.insert(uid, Kept { object, since: now });
        }
    }

    /// Returns the namespaces of those that are remembered.
    pub fn namespaces(&self) -> impl Iterator<Item = String> {
        self.objects()
            .filter_map(|object| object.metadata.namespace.clone())
    }

    /// Returns those of a namespace.
    pub fn of<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a HotpatchFleet> {
        self.objects()
            .filter(move |own| own.metadata.namespace.as_deref() == Some(namespace))
    }

    fn objects(&self) -> impl Iterator<Item = &HotpatchFleet> {
        self.kept.values().map(|own| own.object.as_ref())
    }

    /// Forgets those whose machines all have their settings back, and gives up those that cannot:
    /// their identity is gone, or it took too long. Returns what was given up.
    pub fn settle(&mut self, snapshot: &Snapshot, now: DateTime<Utc>) -> Vec<GivenUp> {
        let mut given = std::mem::take(&mut self.given_up);
        self.kept.retain(|uid, kept| {
            let object = kept.object.as_ref();
            let account = &object.spec.service_account_name;
            let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
            let age = now - kept.since;
            let domain = snapshot.domains.get(namespace);
            if let Some(why) = domain.and_then(|own| own.gone(account))
                && age >= REFUSED_FOR
            {
                given.push(given_up(object, uid, why.to_owned()));
                return false;
            }
            let identity = ClaimIdentity::new(&snapshot.cluster_uid, uid).ok();
            let left = domain
                .zip(identity)
                .and_then(|(own, identity)| claimed(own, account, &identity, now));
            if left == Some(0) && age >= LINGERS {
                return false;
            }
            if age >= KEPT_FOR {
                let why = match left {
                    Some(left) => format!("{left} machines could not be written for a day"),
                    None => "its machines could not be read for a day".to_owned(),
                };
                given.push(given_up(object, uid, why));
                return false;
            }
            true
        });
        given
    }

    /// Returns when to look again, while any is remembered.
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        (!self.kept.is_empty()).then(|| now + LOOK_EVERY)
    }
}

fn key(object: &HotpatchFleet) -> FleetKey {
    FleetKey {
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
    }
}

fn given_up(object: &HotpatchFleet, uid: &str, why: String) -> GivenUp {
    GivenUp {
        fleet: key(object),
        uid: uid.to_owned(),
        why,
    }
}

/// Counts the machines that an identity sees and that bear a claim; none where it does not see.
fn claimed(
    domain: &Domain,
    account: &str,
    identity: &ClaimIdentity,
    now: DateTime<Utc>,
) -> Option<usize> {
    let seen = domain.fresh(account, now)?.machines.values();
    let own = seen.filter(|machine| {
        let claim = claim_of(machine).ok().flatten();
        claim.is_some_and(|own| own.identity == *identity)
    });
    Some(own.count())
}

/// Returns a deleted fleet as the domain knows it.
pub(super) fn departed(object: &HotpatchFleet) -> Departed {
    Departed {
        key: key(object),
        uid: object.metadata.uid.clone().unwrap_or_default(),
        service_account: object.spec.service_account_name.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]

    use serde_json::json;

    use super::*;
    use crate::domain::enrolment::{CLAIM_TAG, Claim};
    use crate::domain::testkit::{Placed, domain, due_vm, fleet, snapshot};

    const NOW: DateTime<Utc> = DateTime::<Utc>::UNIX_EPOCH;

    fn object(mode: &str, on_release: &str, suspend: bool) -> Arc<HotpatchFleet> {
        let object = json!({
            "apiVersion": "hotpatch.dev/v1alpha1",
            "kind": "HotpatchFleet",
            "metadata": {"name": "old", "namespace": crate::domain::testkit::NAMESPACE,
                "uid": "uid-old"},
            "spec": {
                "mode": mode, "onRelease": on_release, "suspend": suspend,
                "serviceAccountName": "hotpatch",
                "scope": {"subscriptions": ["00000000-0000-0000-0000-000000000001"]},
                "selector": {"kinds": ["AzureVM"]},
                "policyRef": {"name": "p"},
            },
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    #[test]
    fn only_what_may_write_and_restores_is_remembered() {
        let rows = [
            ("Enforce", "Restore", false, 1),
            ("Enrol", "Restore", false, 1),
            ("Observe", "Restore", false, 0),
            ("Enforce", "Leave", false, 0),
            ("Enforce", "Restore", true, 0),
        ];
        for (mode, on_release, suspend, expected) in rows {
            let mut departing = Departing::default();
            departing.learn(vec![object(mode, on_release, suspend)], NOW);
            assert_eq!(departing.namespaces().count(), expected, "{mode}");
            assert_eq!(departing.next(NOW).is_some(), expected == 1);
        }
    }

    #[test]
    fn a_deleted_fleet_is_forgotten_when_all_is_back_and_given_up_with_a_reason() {
        type Change = fn(&mut Domain);
        // What is known, after how many minutes, whether it is remembered still, and why not.
        let rows: [(&str, bool, Change, i64, bool, &str); 8] = [
            ("claimed", true, |_| {}, 60, true, ""),
            ("claimed", true, |_| {}, 24 * 60, false, "1 machines"),
            ("all back, too soon to be sure", false, |_| {}, 44, true, ""),
            ("all back", false, |_| {}, 45, false, ""),
            ("unread", true, unread, 60, true, ""),
            (
                "unread for a day",
                true,
                unread,
                24 * 60,
                false,
                "not be read",
            ),
            ("refused", true, refused, 9, true, ""),
            (
                "refused for long",
                true,
                refused,
                10,
                false,
                "no such account",
            ),
        ];
        for (what, is_claimed, change, minutes, stays, why) in rows {
            let now = NOW + TimeDelta::minutes(minutes);
            let claim = Claim::new(ClaimIdentity::new("cluster-1", "uid-old").unwrap());
            let (tag, claim) = (CLAIM_TAG, claim.to_string());
            let tags: &[(&str, &str)] = if is_claimed { &[(tag, &claim)] } else { &[] };
            let machine = due_vm("vm01").tags(tags).machine();
            let mut domain = domain([fleet("new")], [machine], now);
            change(&mut domain);
            let mut departing = Departing::default();
            departing.learn(vec![object("Enforce", "Restore", false)], NOW);
            let given = departing.settle(&snapshot(domain), now);
            assert_eq!(departing.next(now).is_some(), stays, "{what}");
            let said: Vec<&str> = given.iter().map(|own| own.why.as_str()).collect();
            match why {
                "" => assert!(said.is_empty(), "{what}: {said:?}"),
                why => assert!(said.concat().contains(why), "{what}: {said:?}"),
            }
        }
    }

    fn unread(domain: &mut Domain) {
        domain.inventory = Err("not yet".to_owned());
    }

    fn refused(domain: &mut Domain) {
        domain.identity_gone = Some("no such account".to_owned());
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let mut departing = Departing::default();
        let all = (0..=KEPT_MAX).map(|number| {
            let mut own = object("Enforce", "Restore", false).as_ref().clone();
            own.metadata.uid = Some(format!("uid-{number:03}"));
            Arc::new(own)
        });
        departing.learn(all.collect(), NOW);
        let none = domain([], [], NOW);
        let given = departing.settle(&snapshot(none), NOW);
        assert_eq!(given.len(), 1);
        assert_eq!(given[0].uid, format!("uid-{KEPT_MAX}"));
    }
}
