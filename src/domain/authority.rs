//! Who else could reboot a machine for updates, as far as it shows.
//!
//! Holds what is found on the machine itself (patch settings, claims, the update service that its
//! assessment names), among fleets, and in the schedules and policies of [`steering`]. What is not
//! found is proof only where somebody looked: [`Finding::unseen`] names where nobody did. Must
//! never decide whether a machine is commanded.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use self::steering::{Does, Makes, Source, Steering, Why, is_driven};
use super::enrolment::{ClaimIdentity, claim_of};
use super::machine::{Machine, MachineKind, PatchMode, RebootSetting, UpdateService};

pub mod steering;

/// Somebody else who could reboot a machine; the first is told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Other {
    /// An older fleet, or one that claims the machine, of this cluster.
    Fleet,
    /// The operator of another cluster.
    Cluster,
    /// Azure's own patching, which installs and reboots.
    Platform,
    /// A schedule of Azure Update Manager, or the flag that hands a VM over to one.
    Schedule,
    /// An Azure Policy that hands the machine to a schedule.
    Policy,
    /// Windows Update in the guest, which installs and reboots by itself.
    Guest,
    /// A WSUS server, whose policy and deadlines in the guest install and reboot.
    Wsus,
}

/// A source that nobody looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Unseen {
    /// The claim tag, which cannot be read.
    Claim,
    /// What Azure does under settings that it does not tell.
    Settings,
    /// Assignments of maintenance configurations.
    Maintenance(Why),
    /// What a schedule does that is assigned and does not show; why, where that is known.
    Schedule(Option<Why>),
    /// Assignments of Azure Policy.
    Policies(Why),
    /// Which update service the guest uses: no assessment says.
    Guest,
}

/// What was found about one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding<'a> {
    /// Who else could reboot it, each with the names of the schedules and policies behind it.
    pub others: BTreeMap<Other, BTreeSet<&'a str>>,
    /// Where nobody looked, each with the names of what does not show.
    pub unseen: BTreeMap<Unseen, BTreeSet<&'a str>>,
    /// Schedules that are assigned and reboot nothing as things are.
    pub idle: BTreeSet<&'a str>,
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
                "another fleet of this cluster claims it, until that one lets go of it, or is \
                 known to be gone"
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

/// Looks at one machine. `is_owned` says that another fleet acts on it.
pub fn look<'a>(
    machine: &Machine,
    is_owned: bool,
    claim: Option<ForeignClaim>,
    steering: &'a Steering,
) -> Finding<'a> {
    let mut found = Finding::default();
    for other in others(machine, is_owned, claim) {
        found.others.entry(other).or_default();
    }
    for own in unseen(machine, claim, steering) {
        found.unseen.entry(own).or_default();
    }
    let is_driven = is_driven(machine);
    for schedule in steering.schedules_of(machine) {
        let name = schedule.name();
        match schedule.does {
            Does::Nothing => {}
            Does::Reboots | Does::Hidden if !is_driven => {
                found.idle.insert(name);
            }
            Does::Reboots => {
                found
                    .others
                    .entry(Other::Schedule)
                    .or_default()
                    .insert(name);
            }
            Does::Installs => {
                found.idle.insert(name);
            }
            Does::Hidden => {
                let why = steering.why_unseen(Source::Configurations, machine);
                let names = found.unseen.entry(Unseen::Schedule(why)).or_default();
                names.insert(name);
            }
        }
    }
    for policy in steering.policies_of(machine) {
        if policy.makes != Makes::Assessment {
            let names = found.others.entry(Other::Policy).or_default();
            names.insert(&policy.name);
        }
    }
    found
}

/// Returns who else shows on a machine itself that could reboot it.
///
/// Under `rebootSetting: Never` the platform may install, and is asked not to reboot: that is the
/// state the operator itself asks for, and no other authority. An absent setting is `IfRequired`
/// (azure.md §1.1). A schedule needs the bypass flag, which has no other use (azure.md §5).
fn others(machine: &Machine, is_owned: bool, claim: Option<ForeignClaim>) -> BTreeSet<Other> {
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
        (Other::Wsus, service(machine) == UpdateService::Wsus),
    ];
    let found = found.into_iter().filter(|(_, is_found)| *is_found);
    found.map(|(other, _)| other).collect()
}

/// Returns where nobody looked for a machine.
///
/// What Azure calls `Manual` and `AutomaticByPlatform` switches Windows Update's own schedule in
/// the guest off (AVGP, "Patch orchestration modes"), so that what is left of the guest is the
/// service that it takes its updates from, which the last assessment names.
fn unseen(machine: &Machine, claim: Option<ForeignClaim>, steering: &Steering) -> BTreeSet<Unseen> {
    let mut sources = BTreeSet::new();
    if claim == Some(ForeignClaim::Unreadable) {
        sources.insert(Unseen::Claim);
    }
    let mode = machine.settings.patch_mode;
    if matches!(mode, PatchMode::Unknown | PatchMode::ImageDefault) {
        sources.insert(Unseen::Settings);
    }
    if service(machine) == UpdateService::Unknown {
        sources.insert(Unseen::Guest);
    }
    let maintenance = steering.why_unseen(Source::Maintenance, machine);
    sources.extend(maintenance.map(Unseen::Maintenance));
    let policies = steering.why_unseen(Source::Policies, machine);
    sources.extend(policies.map(Unseen::Policies));
    sources
}

fn service(machine: &Machine) -> UpdateService {
    let last = machine.assessment.as_ref();
    last.map_or(UpdateService::Unknown, |own| own.service)
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
            let nobody = Steering::default();
            let is_unread = unseen(&machine, found, &nobody).contains(&Unseen::Claim);
            assert_eq!(is_unread, expected == Some(ForeignClaim::Unreadable));
        }
    }

    #[test]
    fn an_older_fleet_comes_first() {
        let mut machine = due_vm("vm1").machine();
        machine.settings.patch_mode = PatchMode::AutomaticByPlatform;
        machine.settings.reboot = RebootSetting::Always;
        for (is_owned, first) in [(true, Other::Fleet), (false, Other::Platform)] {
            let nobody = Steering::default();
            let found = look(&machine, is_owned, None, &nobody);
            assert_eq!(found.others.first_key_value().unwrap().0, &first);
        }
    }

    #[test]
    fn the_update_service_is_told_by_the_last_assessment_or_by_nobody() {
        use UpdateService::{Unknown, WindowsUpdate, Wsus};
        let rows = [
            (Some(WindowsUpdate), false, false),
            (Some(Wsus), true, false),
            (Some(Unknown), false, true),
            (None, false, true),
        ];
        for (service, is_wsus, is_unseen) in rows {
            let mut machine = due_vm("vm1").assessed("2026-08-12T00:00:00Z").machine();
            match service {
                Some(service) => machine.assessment.as_mut().unwrap().service = service,
                None => machine.assessment = None,
            }
            let nobody = Steering::default();
            let found = look(&machine, false, None, &nobody);
            assert_eq!(
                found.others.contains_key(&Other::Wsus),
                is_wsus,
                "{service:?}"
            );
            assert_eq!(
                found.unseen.contains_key(&Unseen::Guest),
                is_unseen,
                "{service:?}"
            );
        }
    }
}
