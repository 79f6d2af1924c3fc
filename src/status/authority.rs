//! Who else could reboot the machines: `SoleAuthority`, of a fleet and of a machine.

use std::collections::BTreeSet;

use super::picture::Picture;
use super::text;
use super::told::Told;
use crate::domain::authority::{ForeignClaim, Other, Unseen, gathered, others, unseen};
use crate::domain::roster::Member;

const NAME: &str = "SoleAuthority";

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
            "bypassPlatformSafetyChecksOnUserSchedule (built-in policy 9905ca54 sets it) lets \
             schedules of Azure Update Manager drive",
        ),
        Other::Guest => (
            "GuestPolicy",
            "patchMode AutomaticByOS: Windows Update in the guest installs and reboots",
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
            "schedules of Azure Update Manager may drive it: \
             bypassPlatformSafetyChecksOnUserSchedule is true"
        }
        Other::Guest => {
            "Windows Update in the guest installs and reboots: patchMode is AutomaticByOS"
        }
    }
}

fn source(unseen: Unseen) -> &'static str {
    match unseen {
        Unseen::Claim => "the claim tag, which cannot be read",
        Unseen::Settings => "what the patch settings leave to the image",
        Unseen::Maintenance => "maintenance configurations",
        Unseen::Policies => "policy assignments",
        Unseen::GuestPolicy => "policies and WSUS in the guest (no script is run there)",
    }
}

/// Lists sources that nobody looked at.
fn sources(found: impl Iterator<Item = Unseen>) -> String {
    let names: Vec<&str> = found.map(source).collect();
    names.join(", ")
}

/// Tells whether a source could have been read, had it been readable.
fn is_hidden(unseen: Unseen) -> bool {
    matches!(unseen, Unseen::Claim | Unseen::Settings)
}

/// Sets the condition of a fleet: everybody who was found, with the machines, the first as the
/// reason; else where nobody looked.
pub(super) fn tell_fleet(picture: &Picture<'_>, told: &mut Told<'_>) {
    let claims = &picture.outlook.foreign_claims;
    // Machines that cannot be hotpatched are nobody's here, unless what stands against them is the
    // other authority itself.
    let fit = || {
        let all = picture.machines.iter().map(|own| own.member);
        all.filter(|own| {
            own.owner.is_some() || own.blockers.is_empty() || own.machine.settings.bypass
        })
    };
    let claim = |own: &Member| claims.get(&own.machine.id).copied();
    let found = gathered(fit().map(|own| {
        let others = others(&own.machine, own.owner.is_some(), claim(own));
        (own.machine.name.as_str(), others)
    }));
    if let Some((first, _)) = found.first_key_value() {
        let said: Vec<String> = found
            .iter()
            .map(|(other, machines)| format!("{} {}", of_fleet(*other).1, text::names(machines)))
            .collect();
        told.say(NAME, "False", of_fleet(*first).0, said.join(". ") + ".");
        return;
    }
    let blind = gathered(fit().map(|own| {
        let name = own.machine.name.as_str();
        (name, unseen(&own.machine, claim(own)))
    }));
    if blind.is_empty() {
        let text = "No machine of the fleet can be hotpatched, so none is looked at.";
        told.say(NAME, "Unknown", "NotChecked", text);
        return;
    }
    let hidden: Vec<String> = blind
        .iter()
        .filter(|(own, _)| is_hidden(**own))
        .map(|(own, machines)| format!("{} on {}", source(*own), text::names(machines)))
        .collect();
    let rest = sources(blind.keys().copied().filter(|own| !is_hidden(*own)));
    if hidden.is_empty() {
        let text = format!(
            "Nothing was found in patch settings, claims and among fleets; this version does not \
             read: {rest}."
        );
        told.say(NAME, "Unknown", "NotChecked", text);
    } else {
        let text = format!(
            "Not visible: {}. This version does not read: {rest}.",
            hidden.join("; ")
        );
        told.say(NAME, "Unknown", "NotVisible", text);
    }
}

/// Sets the condition of a machine.
pub(super) fn tell_machine(member: &Member, claim: Option<ForeignClaim>, told: &mut Told<'_>) {
    let found = others(&member.machine, member.owner.is_some(), claim);
    if !found.is_empty() {
        let said: Vec<&str> = found.into_iter().map(of_machine).collect();
        let text = format!("Found: {}.", said.join("; "));
        told.say(NAME, "False", "OtherAuthority", text);
        return;
    }
    let blind: BTreeSet<Unseen> = unseen(&member.machine, claim);
    let reason = if blind.iter().any(|own| is_hidden(*own)) {
        "NotVisible"
    } else {
        "NotChecked"
    };
    let text = format!(
        "Nothing was found. Not looked at: {}.",
        sources(blind.into_iter())
    );
    told.say(NAME, "Unknown", reason, text);
}
