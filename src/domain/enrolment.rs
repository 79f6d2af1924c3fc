//! Enrolment: the patch settings a fleet wants against those a machine has, and the way back.
//!
//! Holds the difference and the claim that remembers what stood before. Must never write a
//! setting itself, and never names a setting the operator does not own (design: licence money
//! fields, `productProfile.subscriptionStatus`, `esuProfile`, `softwareAssurance`; and
//! `bypassPlatformSafetyChecksOnUserSchedule`, which somebody else's schedule depends on).

use serde::Serialize;

use super::eligibility::{self, Blocker};
use super::machine::{
    Facts, Licence, Machine, MachineId, PatchMode, RebootSetting, Settings, Tags,
};
use crate::planted::{self, Bug};

mod claim;
mod let_go;
mod readback;
#[cfg(test)]
mod tests;

pub use claim::{CLAIM_BYTES_MAX, Claim, ClaimError, ClaimIdentity, Earlier, UID_BYTES_MAX};
pub use let_go::{Kept, Wanted, let_go};
pub use readback::{Enrolled, Pending, enrolled, lacks_something};

/// The Azure tag that carries a [`Claim`] on a machine.
pub const CLAIM_TAG: &str = "hotpatch-claim";

/// The settings to write; only what differs is present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SettingsPatch {
    /// `patchMode`.
    pub patch_mode: Option<PatchMode>,
    /// `assessmentMode`: `AutomaticByPlatform` if true, else `ImageDefault`.
    pub periodic_assessment: Option<bool>,
    /// `enableHotpatching`.
    pub hotpatch: Option<bool>,
    /// `automaticByPlatformSettings.rebootSetting`.
    pub reboot: Option<RebootSetting>,
    /// `automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule`.
    pub bypass: Option<bool>,
}

/// What to do with the claim tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TagChange {
    /// Leave the tags alone.
    Keep,
    /// Set [`CLAIM_TAG`] to this text.
    Set(String),
    /// Remove [`CLAIM_TAG`].
    Remove,
}

/// One change of a machine's patch settings: written as one request, so that the claim and the
/// settings it remembers never part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The machine.
    pub machine: MachineId,
    /// The differences.
    pub settings: SettingsPatch,
    /// Switches the licence feature Hotpatch of an Arc machine on (true) or off (false).
    pub licence: Option<bool>,
    /// The claim.
    pub tag: TagChange,
    /// Whose claim it takes the place of, or lets go of: nothing is written where the machine
    /// itself bears another one by then.
    pub replaces: Option<ClaimIdentity>,
}

impl SettingsPatch {
    /// Tells whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a fleet wants of one machine; none in a field means that the field is not ours there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Desired {
    /// `patchMode`; VMs only.
    pub patch_mode: Option<PatchMode>,
    /// Whether Azure assesses every 24 h.
    pub periodic_assessment: Option<bool>,
    /// `enableHotpatching`.
    pub hotpatch: Option<bool>,
    /// `rebootSetting`; VMs only, and only while the operator owns the reboots.
    pub reboot: Option<RebootSetting>,
    /// Whether the licence feature Hotpatch is on; Arc only.
    pub licence: Option<bool>,
}

impl Desired {
    /// Says what is wanted of a machine whose fleet may change settings (mode Enrol or Enforce).
    ///
    /// `owns_reboots` is true in Enforce: then VMs get `rebootSetting: Never`, so that the
    /// platform, which cannot be switched off on a hotpatch VM, stages but leaves the reboot to
    /// windows. It is a request, not a guarantee (azure.md §0.9). Who installs hotpatches makes no
    /// difference to the settings: both ways need AutomaticByPlatform (azure.md §1.1).
    ///
    /// A guest whose edition brings hotpatch gets periodic assessment only: its licence profile
    /// must not be written and hotpatch cannot be switched there (azure.md §3).
    pub fn of(machine: &Machine, owns_reboots: bool) -> Self {
        let assessed = Self {
            patch_mode: None,
            periodic_assessment: Some(true),
            hotpatch: None,
            reboot: None,
            licence: None,
        };
        match &machine.facts {
            Facts::AzureVm(_) => Self {
                patch_mode: Some(PatchMode::AutomaticByPlatform),
                hotpatch: Some(true),
                reboot: owns_reboots.then_some(RebootSetting::Never),
                ..assessed
            },
            _ if eligibility::hotpatch_by_edition(machine) => assessed,
            Facts::ArcServer(_) | Facts::AzureLocalVm(_) => Self {
                hotpatch: Some(true),
                licence: Some(true),
                ..assessed
            },
        }
    }
}

/// Why no settings may be written on a machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be hotpatched.
    #[error("the machine cannot be hotpatched: {}", listed(.0))]
    Ineligible(Vec<Blocker>),
    /// Another fleet or another cluster claims it.
    #[error(
        "the machine is claimed by fleet {} of cluster {}; release it there, or with \
         `hotpatch-operator release`",
        .0.fleet,
        .0.cluster
    )]
    ClaimedElsewhere(ClaimIdentity),
    /// Its claim tag cannot be read, so nobody knows what stood before.
    #[error("the tag {CLAIM_TAG} on the machine cannot be read: {0}")]
    ClaimUnreadable(#[from] ClaimError),
}

fn listed(blockers: &[Blocker]) -> String {
    let reasons: Vec<String> = blockers.iter().map(|b| b.reason.to_string()).collect();
    reasons.join(", ")
}

/// Reads the claim on a machine, by whomever.
///
/// # Errors
/// [`ClaimError`] where there is a claim tag that cannot be read.
pub fn claim_of(machine: &Machine) -> Result<Option<Claim>, ClaimError> {
    machine.tags.get(CLAIM_TAG).map(str::parse).transpose()
}

/// Says what to write so that a machine has what is desired; none where it has it already.
///
/// The claim goes in the same change as the settings. It remembers each setting as it stood before
/// the *first* time we changed it: a later change adds what is new and overwrites nothing. A
/// machine that needs no change is not claimed. Where the operator gives up the reboots, the
/// reboot setting that it took over goes back to what stood before.
///
/// # Errors
/// [`Refusal`] where the machine is ineligible, claimed by another, or its claim is unreadable.
pub fn difference(
    machine: &Machine,
    desired: &Desired,
    identity: &ClaimIdentity,
) -> Result<Option<Change>, Refusal> {
    let found = claim_of(machine)?;
    if let Some(claim) = found.as_ref().filter(|claim| claim.identity != *identity) {
        return Err(Refusal::ClaimedElsewhere(claim.identity.clone()));
    }
    let blockers = eligibility::blockers(machine);
    if !blockers.is_empty() {
        return Err(Refusal::Ineligible(blockers));
    }
    let settings = settings_difference(machine, desired, found.as_ref());
    let licence = licence_difference(machine, desired);
    if settings.is_empty() && licence.is_none() {
        return Ok(None);
    }
    let mut claim = found
        .clone()
        .unwrap_or_else(|| Claim::new(identity.clone()));
    remember(&mut claim.earlier, machine, &settings, licence);
    let tag = if found.as_ref() == Some(&claim) || planted::is(Bug::ForgetEarlier) {
        TagChange::Keep
    } else {
        TagChange::Set(claim.to_string())
    };
    if matches!(&tag, TagChange::Set(text) if text.len() > CLAIM_BYTES_MAX) {
        return Err(ClaimError::TooLong.into());
    }
    Ok(Some(Change {
        machine: machine.id.clone(),
        settings,
        licence,
        tag,
        replaces: None,
    }))
}

/// Says what to write so that a machine that a deleted fleet claimed is claimed by another one:
/// its settings as [`difference`] says, and the claim, which still remembers what stood before the
/// first of them changed it.
///
/// # Errors
/// As [`difference`].
pub fn take_over(
    machine: &Machine,
    desired: &Desired,
    identity: &ClaimIdentity,
) -> Result<Option<Change>, Refusal> {
    let Some(claim) = claim_of(machine)? else {
        return difference(machine, desired, identity);
    };
    let replaces = Some(claim.identity.clone());
    let claim = Claim {
        identity: identity.clone(),
        ..claim
    };
    let text = claim.to_string();
    let mut own = machine.clone();
    let others = machine
        .tags
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case(CLAIM_TAG));
    let tags = others.chain([(CLAIM_TAG, text.as_str())]);
    own.tags = Tags::new(tags.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let change = difference(&own, desired, identity)?.unwrap_or_else(|| Change {
        machine: machine.id.clone(),
        settings: SettingsPatch::default(),
        licence: None,
        tag: TagChange::Keep,
        replaces: None,
    });
    let tag = match change.tag {
        TagChange::Keep => TagChange::Set(text),
        own => own,
    };
    Ok(Some(Change {
        tag,
        replaces,
        ..change
    }))
}

fn settings_difference(
    machine: &Machine,
    desired: &Desired,
    claim: Option<&Claim>,
) -> SettingsPatch {
    let now = &machine.settings;
    let handed_back = || {
        let earlier = claim?.earlier.reboot?;
        (now.reboot == RebootSetting::Never).then(|| writable(earlier))
    };
    let reboot = desired.reboot.or_else(handed_back);
    SettingsPatch {
        patch_mode: desired.patch_mode.filter(|mode| *mode != now.patch_mode),
        periodic_assessment: desired
            .periodic_assessment
            .filter(|on| *on != now.periodic_assessment),
        hotpatch: desired.hotpatch.filter(|on| *on != now.hotpatch),
        reboot: reboot.filter(|setting| *setting != now.reboot),
        bypass: planted::pick(Bug::ForeignSetting, None, Some(false)),
    }
}

/// An unreadable or absent `rebootSetting` cannot be written; Azure treats it as IfRequired.
fn writable(reboot: RebootSetting) -> RebootSetting {
    match reboot {
        RebootSetting::Unknown => RebootSetting::IfRequired,
        known => known,
    }
}

fn licence_difference(machine: &Machine, desired: &Desired) -> Option<bool> {
    let wanted = desired.licence?;
    let on = match machine.arc()?.licence {
        Licence::Enabled | Licence::Enabling => true,
        Licence::Absent | Licence::Disabled => false,
        // Refused is a blocker; what is not known is not written.
        Licence::Failed | Licence::Unknown => return None,
    };
    (on != wanted).then_some(wanted)
}

fn remember(
    earlier: &mut Earlier,
    machine: &Machine,
    settings: &SettingsPatch,
    licence: Option<bool>,
) {
    fn once<T>(slot: &mut Option<T>, changed: bool, value: T) {
        if changed && slot.is_none() {
            *slot = Some(value);
        }
    }
    let Settings {
        patch_mode,
        periodic_assessment,
        hotpatch,
        reboot,
        bypass: _,
    } = machine.settings;
    once(
        &mut earlier.patch_mode,
        settings.patch_mode.is_some(),
        patch_mode,
    );
    once(
        &mut earlier.periodic_assessment,
        settings.periodic_assessment.is_some(),
        periodic_assessment,
    );
    once(&mut earlier.hotpatch, settings.hotpatch.is_some(), hotpatch);
    once(&mut earlier.reboot, settings.reboot.is_some(), reboot);
    once(&mut earlier.licence, licence.is_some(), false);
}

/// Says how to put a machine back: exactly the settings that the claim remembers, and of these
/// only those that still have our value; what somebody changed since is theirs. The claim goes.
///
/// The patch mode stays where Azure allows no way back (see
/// [`platform_reachable`](eligibility::platform_reachable)), and where somebody's schedule has come
/// to rest on it. A mode that was absent goes back to the default of its kind.
pub fn restore(machine: &Machine, claim: &Claim) -> Change {
    let now = &machine.settings;
    let earlier = &claim.earlier;
    let licence_on = machine
        .arc()
        .is_some_and(|arc| matches!(arc.licence, Licence::Enabled | Licence::Enabling));
    Change {
        machine: machine.id.clone(),
        settings: SettingsPatch {
            patch_mode: restored_mode(machine, earlier.patch_mode),
            periodic_assessment: earlier
                .periodic_assessment
                .filter(|was| now.periodic_assessment && !was),
            hotpatch: earlier.hotpatch.filter(|was| now.hotpatch && !was),
            reboot: earlier
                .reboot
                .map(writable)
                .filter(|was| now.reboot == RebootSetting::Never && *was != RebootSetting::Never),
            bypass: None,
        },
        licence: earlier.licence.filter(|was| licence_on && !was),
        tag: TagChange::Remove,
        replaces: Some(claim.identity.clone()),
    }
}

fn restored_mode(machine: &Machine, earlier: Option<PatchMode>) -> Option<PatchMode> {
    let Facts::AzureVm(vm) = &machine.facts else {
        return None;
    };
    let automatic = vm.os_profile.as_ref()?.enable_automatic_updates;
    let default = if automatic {
        PatchMode::AutomaticByOs
    } else {
        PatchMode::Manual
    };
    let target = match earlier? {
        PatchMode::Unknown => default,
        known => known,
    };
    let ours = machine.settings.patch_mode == PatchMode::AutomaticByPlatform;
    let returns = target != PatchMode::AutomaticByPlatform
        && eligibility::platform_reachable(target, automatic);
    (ours && returns && !machine.settings.bypass).then_some(target)
}
