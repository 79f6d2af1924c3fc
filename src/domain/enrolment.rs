//! Enrolment: the patch settings a fleet wants against those a machine has, and the way back.
//!
//! Holds the difference and the claim that remembers what stood before. Must never write a
//! setting itself, and never names a setting the operator does not own (design: licence money
//! fields, `productProfile.subscriptionStatus`, `esuProfile`, `softwareAssurance`).

use serde::Serialize;

use super::machine::{MachineId, PatchMode, RebootSetting};

/// The Azure tag that carries a [`Claim`](super::enrolment) on a machine.
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
}
