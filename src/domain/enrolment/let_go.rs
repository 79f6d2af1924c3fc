//! Letting go of machines by hand: whose settings go back, and why others stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, ClaimError, ClaimIdentity, claim_of, restore};
use crate::domain::machine::{Machine, MachineId};

/// Which machines a person wants to be let go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The uid of the cluster that the person speaks for.
    pub cluster: String,
    /// All machines that a fleet with this uid claims.
    pub fleet: Option<String>,
    /// Single machines.
    pub machines: BTreeSet<MachineId>,
}

/// Why a machine stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kept {
    /// It was not found in the scope.
    #[error("it was not found in the scope")]
    NotFound,
    /// Nobody claims it, so nobody knows what stood before.
    #[error("nobody claims it")]
    NoClaim,
    /// Another cluster, or a fleet that is not meant, claims it.
    #[error("it is claimed by fleet {} of cluster {}", .0.fleet, .0.cluster)]
    ClaimedElsewhere(ClaimIdentity),
    /// Its claim cannot be read, so nobody knows what stood before.
    #[error("its claim cannot be read: {0}")]
    Unreadable(ClaimError),
    /// Something runs on it.
    #[error("it is busy: {0}")]
    Busy(String),
}

/// Says for each machine that is wanted what to write, or why it stays as it is.
///
/// What is written is what [`restore`] says, as for `onRelease: Restore`. A machine is never let go
/// whose claim is not the cluster's, nor, where a fleet is named, of another fleet.
pub fn let_go<'a>(
    found: impl Iterator<Item = &'a Machine>,
    wanted: &Wanted,
) -> BTreeMap<MachineId, Result<Change, Kept>> {
    let mut verdicts: BTreeMap<MachineId, Result<Change, Kept>> = wanted
        .machines
        .iter()
        .map(|id| (id.clone(), Err(Kept::NotFound)))
        .collect();
    for machine in found {
        let claim = claim_of(machine);
        let is_of_fleet = matches!(
            (&claim, &wanted.fleet),
            (Ok(Some(claim)), Some(fleet)) if claim.identity.fleet == *fleet
        );
        if !is_of_fleet && !wanted.machines.contains(&machine.id) {
            continue;
        }
        let is_meant = |own: &ClaimIdentity| {
            let fleet = wanted.fleet.as_ref();
            own.cluster == wanted.cluster && fleet.is_none_or(|fleet| own.fleet == *fleet)
        };
        let verdict = match (claim, &machine.busy) {
            (Err(error), _) => Err(Kept::Unreadable(error)),
            (Ok(None), _) => Err(Kept::NoClaim),
            (Ok(Some(claim)), _) if !is_meant(&claim.identity) => {
                Err(Kept::ClaimedElsewhere(claim.identity))
            }
            (Ok(Some(_)), Some(what)) => Err(Kept::Busy(what.clone())),
            (Ok(Some(claim)), None) => Ok(restore(machine, &claim)),
        };
        verdicts.insert(machine.id.clone(), verdict);
    }
    verdicts
}

#[cfg(test)]
mod tests {
    // tests may unwrap
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::domain::enrolment::{CLAIM_TAG, Claim, TagChange};
    use crate::domain::machine::Tags;
    use crate::domain::testkit::due_vm;

    fn claimed(name: &str, cluster: &str, fleet: &str) -> Machine {
        let mut machine = due_vm(name).machine();
        let claim = Claim::new(ClaimIdentity::new(cluster, fleet).unwrap());
        machine.tags = Tags::new([(CLAIM_TAG.to_owned(), claim.to_string())]);
        machine
    }

    fn wanted(fleet: Option<&str>, machines: &[&Machine]) -> Wanted {
        Wanted {
            cluster: "c1".to_owned(),
            fleet: fleet.map(str::to_owned),
            machines: machines.iter().map(|own| own.id.clone()).collect(),
        }
    }

    #[test]
    fn a_fleets_machines_are_let_go_and_nobody_elses() {
        let all = [
            claimed("ours", "c1", "f1"),
            claimed("other-fleet", "c1", "f2"),
            claimed("other-cluster", "c2", "f1"),
            due_vm("free").machine(),
        ];
        let found = let_go(all.iter(), &wanted(Some("f1"), &[]));
        assert_eq!(found.len(), 2, "{found:?}");
        let change = found[&all[0].id].as_ref().unwrap();
        assert_eq!(change.tag, TagChange::Remove);
        let refused = &found[&all[2].id];
        assert!(
            matches!(refused, Err(Kept::ClaimedElsewhere(_))),
            "{refused:?}"
        );
    }

    #[test]
    fn each_listed_machine_is_let_go_or_says_why_not() {
        let mut busy = claimed("busy", "c1", "f1");
        busy.busy = Some("installPatches".to_owned());
        let mut unread = due_vm("unread").machine();
        unread.tags = Tags::new([(CLAIM_TAG.to_owned(), "v9 what".to_owned())]);
        let all = [
            claimed("ours", "c1", "f1"),
            claimed("other-fleet", "c1", "f2"),
            claimed("other-cluster", "c2", "f1"),
            due_vm("free").machine(),
            busy,
            unread,
        ];
        let gone = due_vm("gone").machine();
        let list: Vec<&Machine> = all.iter().chain([&gone]).collect();
        let found = let_go(all.iter(), &wanted(None, &list));
        assert_eq!(found.len(), 7);
        let said = |name: &str| {
            let (_, verdict) = found
                .iter()
                .find(|(id, _)| id.as_str().ends_with(&format!("/{name}")))
                .unwrap();
            verdict
                .as_ref()
                .map_or_else(ToString::to_string, |_| "let go".to_owned())
        };
        assert_eq!(said("ours"), "let go");
        assert_eq!(said("other-fleet"), "let go");
        assert_eq!(
            said("other-cluster"),
            "it is claimed by fleet f1 of cluster c2"
        );
        assert_eq!(said("free"), "nobody claims it");
        assert_eq!(said("busy"), "it is busy: installPatches");
        assert!(said("unread").starts_with("its claim cannot be read"));
        assert_eq!(said("gone"), "it was not found in the scope");
        let narrow = let_go(all.iter(), &wanted(Some("f1"), &[&all[1]]));
        let refused = &narrow[&all[1].id];
        assert!(
            matches!(refused, Err(Kept::ClaimedElsewhere(_))),
            "{refused:?}"
        );
    }
}
