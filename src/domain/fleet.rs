//! A fleet as declared: which machines, what may be done to them, when, and by whose word.
//!
//! Holds valid values only; a spec that cannot be understood never becomes a [`Fleet`]. Must
//! never hold what was observed.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::due::Installer;
use super::machine::{Machine, MachineId, MachineKind};
use super::policy::{Policy, TagSelector};
use super::release::{ReleaseId, ReleaseRef};
use super::window::{Exclusion, WindowSpec};

/// A fleet's namespace and name. The namespace is its disruption domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FleetKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl fmt::Display for FleetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// How far the operator may go. Each mode may do all that the earlier ones may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Mode {
    /// Read, report, forecast.
    Observe,
    /// Change patch settings too.
    Enrol,
    /// Install and reboot too.
    Enforce,
}

/// A machine that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExcludedMachine {
    /// The machine.
    pub id: MachineId,
    /// Why.
    pub reason: String,
    /// The last day of the exclusion (UTC), or none for no end.
    pub through: Option<NaiveDate>,
}

/// Which machines belong to a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FleetSelector {
    /// Their kinds.
    pub kinds: BTreeSet<MachineKind>,
    /// Their resource groups, lower-cased; empty means any.
    pub resource_groups: BTreeSet<String>,
    /// Their regions, normalised; empty means any.
    pub locations: BTreeSet<String>,
    /// Their tags.
    pub tags: TagSelector,
    /// Those left out.
    pub exclude: Vec<ExcludedMachine>,
}

impl FleetSelector {
    /// Tells whether a machine belongs to the fleet; those left out belong to it still, they are
    /// only not acted on.
    pub fn matches(&self, machine: &Machine) -> bool {
        self.kinds.contains(&machine.kind)
            && (self.resource_groups.is_empty()
                || self.resource_groups.contains(machine.id.resource_group()))
            && (self.locations.is_empty() || self.locations.contains(&machine.placement.region))
            && self.tags.matches(&machine.tags)
    }

    /// Returns why a machine is left out today, if it is.
    pub fn exclusion(&self, id: &MachineId, now: DateTime<Utc>) -> Option<&ExcludedMachine> {
        self.exclude.iter().find(|excluded| {
            &excluded.id == id
                && excluded
                    .through
                    .is_none_or(|through| now.date_naive() <= through)
        })
    }
}

/// Where a fleet looks for machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FleetScope {
    /// Subscriptions, lower-cased.
    pub subscriptions: BTreeSet<String>,
    /// Whether it names management groups: these may hold any subscription.
    pub has_groups: bool,
}

impl FleetScope {
    /// Tells whether a machine may lie in the scope.
    pub fn may_hold(&self, id: &MachineId) -> bool {
        self.has_groups || self.subscriptions.contains(id.subscription())
    }

    /// Tells whether something in a subscription, which may be unknown, may lie in the scope.
    pub fn may_hold_in(&self, subscription: Option<String>) -> bool {
        self.has_groups || subscription.is_none_or(|own| self.subscriptions.contains(&own))
    }
}

/// Which machines a fleet wants, by its own spec alone: this is known also while what it refers to
/// is not, and while its inventory cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wants {
    /// The ServiceAccount whose Azure identity acts.
    pub service_account: String,
    /// How far the operator may go.
    pub mode: Mode,
    /// Whether its owner stopped it.
    pub suspended: bool,
    /// Where.
    pub scope: FleetScope,
    /// Which.
    pub selector: FleetSelector,
}

/// A window that a fleet uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FleetWindow {
    /// The MaintenanceWindow's name.
    pub name: String,
    /// What it says.
    pub window: WindowSpec,
    /// The stages it serves; empty means all.
    pub stages: BTreeSet<String>,
}

/// When hotpatches may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum HotpatchWhen {
    /// At any time: they do not reboot.
    AnyTime,
    /// In the fleet's windows.
    InWindow,
}

/// A word given on a release and, it may be, on one stage of it: an approval or a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Word {
    /// The releases; none means all.
    pub release: Option<ReleaseRef>,
    /// The stage; none means all.
    pub stage: Option<String>,
    /// Who gave it and why, for people.
    pub origin: String,
}

impl Word {
    /// Tells whether the word covers a stage of a release.
    pub fn covers(&self, release: ReleaseId, stage: &str) -> bool {
        self.release.is_none_or(|own| own.matches(release))
            && self.stage.as_deref().is_none_or(|own| own == stage)
    }
}

/// A person's word on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MachineWord {
    /// The machine.
    pub id: MachineId,
    /// When it was given.
    pub at: DateTime<Utc>,
    /// Who gave it and why.
    pub origin: String,
}

/// A fleet as declared, with what it refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fleet {
    /// Its namespace and name.
    pub key: FleetKey,
    /// Its uid.
    pub uid: String,
    /// When it was created: older fleets come first where two want one machine.
    pub created_at: DateTime<Utc>,
    /// How far the operator may go.
    pub mode: Mode,
    /// Whether its owner stopped it in Git.
    pub suspended: bool,
    /// The ServiceAccount whose Azure identity acts.
    pub service_account: String,
    /// Which machines.
    pub selector: FleetSelector,
    /// How they may be rebooted.
    pub policy: Policy,
    /// When.
    pub windows: Vec<FleetWindow>,
    /// Days on which nothing is done, in the zone of each window.
    pub exclusions: Vec<Exclusion>,
    /// Who installs hotpatches.
    pub installer: Installer,
    /// When hotpatches are installed.
    pub hotpatch_when: HotpatchWhen,
    /// Whether settings go back when a machine leaves.
    pub restore_on_release: bool,
    /// Approvals, from the spec and from requests.
    pub approvals: Vec<Word>,
    /// Pauses in force.
    pub pauses: Vec<Word>,
    /// Aborts in force: runs they cover send nothing more and end.
    pub aborts: Vec<Word>,
    /// Requests to try machines again or to let go of a hold.
    pub retries: Vec<MachineWord>,
    /// Requests to try the failed machines of a stage again, and when each was given. They do not
    /// let go of machines whose state cannot be told: that is said machine by machine.
    pub stage_retries: Vec<(Word, DateTime<Utc>)>,
}

impl Fleet {
    /// Returns the pause that covers a stage of a release, if there is one.
    pub fn pause(&self, release: ReleaseId, stage: &str) -> Option<&Word> {
        self.pauses
            .iter()
            .find(|pause| pause.covers(release, stage))
    }
}
