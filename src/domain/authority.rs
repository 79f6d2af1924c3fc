//! Who else could reboot a machine for updates, as far as it shows.
//!
//! Holds what is found on the machine itself: patch settings, claims, other fleets. What is not
//! found is no proof: [`unseen`] names the sources that nobody looked at. Must never decide
//! whether a machine is commanded.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::enrolment::{ClaimIdentity, claim_of};
use super::machine::{Machine, MachineKind, PatchMode, RebootSetting};

/// Somebody else who could reboot a machine; the first is told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Other {
    /// An older fleet, or one that claims the machine, of this cluster.
    Fleet,
    /// The operator of another cluster.
    Cluster,
    /// Azure's own patching, which installs and reboots.
    Platform,
    /// A schedule of Azure Update Manager: the flag that hands a VM over to one is set.
    Schedule,
    /// Windows Update in the guest, which installs and reboots by itself.
    Guest,
}

/// A source that nobody looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Unseen {
    /// The claim tag, which cannot be read.
    Claim,
    /// What Azure does under settings that it does not tell.
    Settings,
    /// Assignments of maintenance configurations.
    Maintenance,
    /// Assignments of Azure Policy.
    Policies,
    /// Group policy and WSUS in the guest: only a script in the guest could tell, and the operator
    /// runs none.
    GuestPolicy,
}

/// A claim on a machine that is not its fleet's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum ForeignClaim {
    /// Of another cluster.
    Cluster,
    /// Of another fleet of this cluster.
    Fleet,
    /// Nobody can tell whose.
    Unreadable,
}

impl ForeignClaim {
    /// Says why nothing is installed on the machine, and what ends it.
    pub fn says(self) -> &'static str {
        match self {
            Self::Cluster => {
                "the operator of another cluster claims it: one of both has to let it go \
                 (hotpatch-operator release)"
            }
            Self::Fleet => {
                "another fleet of this cluster claims it, until that one lets go of it, or is known \
                 to be gone"
            }
            Self::Unreadable => {
                "its claim tag cannot be read, so that nobody can tell whose it is: repair or \
                 remove the tag"
            }
        }
    }
}

/// Returns whose claim a machine bears, if it is not this one.
pub fn foreign_claim(machine: &Machine, own: &ClaimIdentity) -> Option<ForeignClaim> {
    match claim_of(machine) {
        Err(_) => Some(ForeignClaim::Unreadable),
        Ok(None) => None,
        Ok(Some(claim)) if claim.identity == *own => None,
        Ok(Some(claim)) if claim.identity.cluster != own.cluster => Some(ForeignClaim::Cluster),
        Ok(Some(_)) => Some(ForeignClaim::Fleet),
    }
}

/// Returns who else is found that could reboot a machine. `is_owned` says that another fleet acts
/// on it.
///
/// Under `rebootSetting: Never` the platform may install, and is asked not to reboot: that is the
/// state the operator itself asks for, and no other authority. An absent setting is `IfRequired`
/// (azure.md §1.1). A schedule needs the bypass flag, which has no other use (azure.md §5).
pub fn others(machine: &Machine, is_owned: bool, claim: Option<ForeignClaim>) -> BTreeSet<Other> {
    let settings = &machine.settings;
    let is_vm = machine.kind == MachineKind::AzureVm;
    let by_platform = settings.patch_mode == PatchMode::AutomaticByPlatform;
    let may_reboot = settings.reboot != RebootSetting::Never;
    let found = [
        (Other::Fleet, is_owned || claim == Some(ForeignClaim::Fleet)),
        (Other::Cluster, claim == Some(ForeignClaim::Cluster)),
        (Other::Platform, is_vm && by_platform && may_reboot),
        (Other::Schedule, is_vm && by_platform && settings.bypass),
        (
            Other::Guest,
            settings.patch_mode == PatchMode::AutomaticByOs,
        ),
    ];
    let found = found.into_iter().filter(|(_, is_found)| *is_found);
    found.map(|(other, _)| other).collect()
}

/// Returns where nobody looked for a machine.
pub fn unseen(machine: &Machine, claim: Option<ForeignClaim>) -> BTreeSet<Unseen> {
    let mut sources = BTreeSet::from([Unseen::Maintenance, Unseen::Policies, Unseen::GuestPolicy]);
    if claim == Some(ForeignClaim::Unreadable) {
        sources.insert(Unseen::Claim);
    }
    let mode = machine.settings.patch_mode;
    if matches!(mode, PatchMode::Unknown | PatchMode::ImageDefault) {
        sources.insert(Unseen::Settings);
    }
    sources
}

/// Gathers what is said of many machines, by what is said: names in the order given.
pub fn gathered<'a, T: Ord>(
    machines: impl Iterator<Item = (&'a str, BTreeSet<T>)>,
) -> BTreeMap<T, Vec<&'a str>> {
    let mut all: BTreeMap<T, Vec<&'a str>> = BTreeMap::new();
    for (name, found) in machines {
        for own in found {
            all.entry(own).or_default().push(name);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    // tests may unwrap
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::domain::enrolment::{CLAIM_TAG, Claim};
    use crate::domain::machine::Tags;
    use crate::domain::testkit::due_vm;

    fn own() -> ClaimIdentity {
        ClaimIdentity::new("cluster-1", "fleet-1").unwrap()
    }

    #[test]
    fn who_else_could_reboot_a_vm_is_told_from_its_settings() {
        use PatchMode::{AutomaticByOs, AutomaticByPlatform, Manual};
        use RebootSetting::{Always, IfRequired, Never, Unknown};
        let rows: [(PatchMode, RebootSetting, bool, &[Other]); 8] = [
            (AutomaticByPlatform, Never, false, &[]),
            (AutomaticByPlatform, IfRequired, false, &[Other::Platform]),
            (AutomaticByPlatform, Always, false, &[Other::Platform]),
            (AutomaticByPlatform, Unknown, false, &[Other::Platform]),
            (AutomaticByPlatform, Never, true, &[Other::Schedule]),
            (
                AutomaticByPlatform,
                IfRequired,
                true,
                &[Other::Platform, Other::Schedule],
            ),
            (AutomaticByOs, Never, false, &[Other::Guest]),
            (Manual, IfRequired, true, &[]),
        ];
        for (mode, reboot, bypass, expected) in rows {
            let mut machine = due_vm("vm1").machine();
            machine.settings.patch_mode = mode;
            machine.settings.reboot = reboot;
            machine.settings.bypass = bypass;
            let found: Vec<Other> = others(&machine, false, None).into_iter().collect();
            assert_eq!(found, expected, "{mode:?} {reboot:?} {bypass}");
        }
    }

    #[test]
    fn a_claim_is_told_by_whose_it_is() {
        let claim = |cluster: &str, fleet: &str| {
            Claim::new(ClaimIdentity::new(cluster, fleet).unwrap()).to_string()
        };
        let rows = [
            (None, None),
            (Some(claim("cluster-1", "fleet-1")), None),
            (
                Some(claim("cluster-1", "fleet-2")),
                Some(ForeignClaim::Fleet),
            ),
            (
                Some(claim("cluster-2", "fleet-1")),
                Some(ForeignClaim::Cluster),
            ),
            (Some("v9 what".to_owned()), Some(ForeignClaim::Unreadable)),
        ];
        for (tag, expected) in rows {
            let mut machine = due_vm("vm1").machine();
            machine.settings.patch_mode = PatchMode::Manual;
            let tags = tag.iter().map(|text| (CLAIM_TAG.to_owned(), text.clone()));
            machine.tags = Tags::new(tags.collect::<BTreeMap<String, String>>());
            let found = foreign_claim(&machine, &own());
            assert_eq!(found, expected, "{tag:?}");
            let named = others(&machine, false, found);
            assert_eq!(
                named.contains(&Other::Cluster),
                expected == Some(ForeignClaim::Cluster)
            );
            assert_eq!(
                named.contains(&Other::Fleet),
                expected == Some(ForeignClaim::Fleet)
            );
            let is_unread = unseen(&machine, found).contains(&Unseen::Claim);
            assert_eq!(is_unread, expected == Some(ForeignClaim::Unreadable));
        }
    }

    #[test]
    fn an_older_fleet_comes_first_and_machines_are_gathered_by_what_is_found() {
        let mut machine = due_vm("vm1").machine();
        machine.settings.patch_mode = PatchMode::AutomaticByPlatform;
        machine.settings.reboot = RebootSetting::Always;
        let found = [("a", true), ("b", false)]
            .map(|(name, is_owned)| (name, others(&machine, is_owned, None)));
        let all = gathered(found.into_iter());
        assert_eq!(all.first_key_value(), Some((&Other::Fleet, &vec!["a"])));
        assert_eq!(all[&Other::Platform], ["a", "b"]);
    }
}
