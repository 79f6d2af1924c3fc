//! Who else could reboot the machines: `SoleAuthority`, of a fleet and of a machine.

use std::collections::{BTreeMap, BTreeSet};

use super::picture::Picture;
use super::text;
use super::told::Told;
use crate::domain::authority::steering::{Steering, Why};
use crate::domain::authority::{Finding, ForeignClaim, Other, Unseen, look};
use crate::domain::roster::Member;

const NAME: &str = "SoleAuthority";

/// What is said where nothing else is found.
const SOLE: &str = "Nobody else was found in claims, patch settings, maintenance configurations, \
                    policy assignments and the update services that assessments name.";

/// The reason of a fleet's condition, and what is said of the machines that are named after it.
fn of_fleet(other: Other) -> (&'static str, &'static str) {
    match other {
        Other::Fleet => ("OtherFleet", "Another fleet acts on, or claims,"),
        Other::Cluster => ("OtherCluster", "Another cluster claims"),
        Other::Platform => (
            "PlatformStaging",
            "Azure's own patching may install and reboot",
        ),
        Other::Schedule => (
            "MaintenanceConfiguration",
            "An assigned schedule of Azure Update Manager, or the flag \
             bypassPlatformSafetyChecksOnUserSchedule, which lets one drive (built-in policy \
             9905ca54 sets it), may install and reboot",
        ),
        Other::Policy => (
            "PolicyAssignment",
            "An Azure Policy hands to schedules of Azure Update Manager",
        ),
        Other::Guest => (
            "GuestPolicy",
            "patchMode AutomaticByOS: Windows Update in the guest installs and reboots",
        ),
        Other::Wsus => (
            "GuestPolicy",
            "WSUS, by the policy of the guest, may install and reboot",
        ),
    }
}

/// What is said of one machine.
fn of_machine(other: Other) -> &'static str {
    match other {
        Other::Fleet => "another fleet acts on it, or claims it",
        Other::Cluster => "another cluster claims it",
        Other::Platform => {
            "Azure's own patching may install and reboot: patchMode is AutomaticByPlatform and \
             rebootSetting is not Never"
        }
        Other::Schedule => {
            "schedules of Azure Update Manager may drive it: one is assigned, or \
             bypassPlatformSafetyChecksOnUserSchedule is true"
        }
        Other::Policy => "an Azure Policy hands it to schedules of Azure Update Manager",
        Other::Guest => {
            "Windows Update in the guest installs and reboots: patchMode is AutomaticByOS"
        }
        Other::Wsus => {
            "its assessment names WSUS, whose policy in the guest may install and reboot"
        }
    }
}

fn source(unseen: &Unseen) -> String {
    match unseen {
        Unseen::Claim => "the claim tag, which cannot be read".to_owned(),
        Unseen::Settings => "what the patch settings leave to the image".to_owned(),
        Unseen::Maintenance(why) => format!("maintenance configurations{}", because(why)),
        Unseen::Schedule(why) => {
            let outside = " (they lie outside of what the identity sees)".to_owned();
            let why = why.as_ref().map_or(outside, because);
            format!("what assigned maintenance configurations do{why}")
        }
        Unseen::Policies(why) => format!("policy assignments{}", because(why)),
        Unseen::Guest => {
            "policy and WSUS in the guest, as no assessment names its update service".to_owned()
        }
    }
}

/// Says why nobody could look, and what would help.
fn because(why: &Why) -> String {
    match why {
        Why::NotYet => " (nobody has looked yet)".to_owned(),
        Why::Lacks { action, cure } => format!(" (it needs {action}: {cure})"),
        Why::Failed(text) => format!(" ({text})"),
    }
}

/// Tells whether somebody tried to look, in vain.
fn is_hidden(unseen: &Unseen) -> bool {
    !matches!(
        unseen,
        Unseen::Maintenance(Why::NotYet) | Unseen::Policies(Why::NotYet)
    )
}

fn reason<'a>(mut unseen: impl Iterator<Item = &'a Unseen>) -> &'static str {
    if unseen.any(is_hidden) {
        "NotVisible"
    } else {
        "NotChecked"
    }
}

/// Machines, with the names of the schedules and policies that were found with them.
#[derive(Default)]
struct Group<'a> {
    machines: Vec<&'a str>,
    names: BTreeSet<&'a str>,
}

impl Group<'_> {
    fn said(&self) -> String {
        format!("{}{}", text::names(&self.machines), named(&self.names))
    }
}

fn named(names: &BTreeSet<&str>) -> String {
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<&&str> = names.iter().collect();
    format!(" ({})", text::names(&names))
}

/// What was found of all machines of a fleet.
#[derive(Default)]
struct Found<'a> {
    others: BTreeMap<Other, Group<'a>>,
    unseen: BTreeMap<Unseen, Group<'a>>,
    idle: Group<'a>,
    looked: bool,
}

impl<'a> Found<'a> {
    fn add(&mut self, machine: &'a str, finding: Finding<'a>) {
        self.looked = true;
        for (other, names) in finding.others {
            let group = self.others.entry(other).or_default();
            group.machines.push(machine);
            group.names.extend(names);
        }
        for (unseen, names) in finding.unseen {
            let group = self.unseen.entry(unseen).or_default();
            group.machines.push(machine);
            group.names.extend(names);
        }
        if !finding.idle.is_empty() {
            self.idle.machines.push(machine);
            self.idle.names.extend(finding.idle);
        }
    }

    fn blind(&self) -> String {
        let each = self.unseen.iter();
        let each = each.map(|(own, group)| format!("{} on {}", source(own), group.said()));
        each.collect::<Vec<String>>().join("; ")
    }
}

/// Sets the condition of a fleet: everybody who was found, with the machines, the first as the
/// reason; else where nobody looked; else that nobody was found.
pub(super) fn tell_fleet(picture: &Picture<'_>, told: &mut Told<'_>) {
    let outlook = picture.outlook;
    let mut found = Found::default();
    for member in picture.machines.iter().map(|own| own.member) {
        // Machines that cannot be hotpatched are nobody's here, unless what stands against them is
        // the other authority itself.
        let is_owned = member.owner.is_some();
        if !is_owned && !member.blockers.is_empty() && !member.machine.settings.bypass {
            continue;
        }
        let claim = outlook.foreign_claims.get(&member.machine.id).copied();
        let finding = look(&member.machine, is_owned, claim, &outlook.steering);
        found.add(&member.machine.name, finding);
    }
    if !found.looked {
        let text = "No machine of the fleet can be hotpatched, so none is looked at.";
        told.say(NAME, "Unknown", "NotChecked", text);
    } else if let Some((first, _)) = found.others.first_key_value() {
        let each = found.others.iter();
        let each = each.map(|(other, group)| format!("{} {}.", of_fleet(*other).1, group.said()));
        let mut said: Vec<String> = each.collect();
        if !found.unseen.is_empty() {
            said.push(format!("Not visible: {}.", found.blind()));
        }
        told.say(NAME, "False", of_fleet(*first).0, said.join(" "));
    } else if !found.unseen.is_empty() {
        let text = format!("Nothing was found. Not visible: {}.", found.blind());
        told.say(NAME, "Unknown", reason(found.unseen.keys()), text);
    } else {
        let idle = match found.idle.machines.as_slice() {
            [] => String::new(),
            _ => format!(
                " Schedules are assigned that reboot nothing as things are: {}.",
                found.idle.said()
            ),
        };
        told.say(NAME, "True", NAME, format!("{SOLE}{idle}"));
    }
}

/// Sets the condition of a machine.
pub(super) fn tell_machine(
    member: &Member,
    claim: Option<ForeignClaim>,
    steering: &Steering,
    told: &mut Told<'_>,
) {
    let found = look(&member.machine, member.owner.is_some(), claim, steering);
    let blind: Vec<String> = found
        .unseen
        .iter()
        .map(|(own, names)| format!("{}{}", source(own), named(names)))
        .collect();
    let blind = blind.join("; ");
    if !found.others.is_empty() {
        let each = found.others.iter();
        let each = each.map(|(other, names)| format!("{}{}", of_machine(*other), named(names)));
        let said: Vec<String> = each.collect();
        let rest = match blind.as_str() {
            "" => String::new(),
            _ => format!(" Not visible: {blind}."),
        };
        let text = format!("Found: {}.{rest}", said.join("; "));
        told.say(NAME, "False", "OtherAuthority", text);
    } else if !blind.is_empty() {
        let text = format!("Nothing was found. Not visible: {blind}.");
        told.say(NAME, "Unknown", reason(found.unseen.keys()), text);
    } else {
        let idle = match named(&found.idle).as_str() {
            "" => String::new(),
            names => format!(" Schedules are assigned that reboot nothing as things are:{names}."),
        };
        told.say(NAME, "True", NAME, format!("{SOLE}{idle}"));
    }
}
