//! Everything one planning pass knows, as valid values: what is declared, what is running, what
//! was observed.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::authority::steering::Steering;
use super::evidence::Answers;
use super::fleet::{Fleet, FleetKey, Wants};
use super::machine::{Machine, MachineId};
use super::permission::Standing;
use super::region::Regions;
use super::release::Catalogue;
use super::run::{Run, Runs};

/// An inventory older than this allows no command and no run: what cannot be read allows nothing.
pub const INVENTORY_AGE_MAX: TimeDelta = TimeDelta::minutes(10);

/// An Arc machine silent for longer than this is dormant (its heartbeat comes every 5 minutes;
/// azure.md §2).
pub const ARC_SILENT_AFTER: TimeDelta = TimeDelta::hours(24);

/// Why a fleet cannot be planned for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The CamelCase reason.
    pub reason: &'static str,
    /// The same for people, with the next step.
    pub message: String,
    /// Whether only an edit of the fleet itself can cure it.
    pub stalls: bool,
}

/// A fleet as found: valid with everything it refers to, or at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FleetView {
    /// Its namespace and name.
    pub key: FleetKey,
    /// Its uid.
    pub uid: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// The machines that it wants; none where its own spec cannot be understood.
    pub wants: Option<Wants>,
    /// What it says.
    pub fleet: Result<Fleet, Fault>,
}

/// The machines of a disruption domain, as read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// When the read began.
    pub at: DateTime<Utc>,
    /// The machines.
    pub machines: BTreeMap<MachineId, Arc<Machine>>,
    /// The schedules and policies that act on them.
    pub steering: Arc<Steering>,
    /// The regions and their pairs.
    #[serde(skip)]
    pub regions: Arc<Regions>,
}

impl Inventory {
    /// Makes an inventory of machines alone: nobody has looked at what steers them, and the
    /// regions are those embedded in the program.
    pub fn of(at: DateTime<Utc>, machines: BTreeMap<MachineId, Arc<Machine>>) -> Self {
        Self {
            at,
            machines,
            steering: Arc::default(),
            regions: Regions::shared(),
        }
    }
}

/// What one identity sees of a disruption domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sighted {
    /// The machines that it sees, or why it sees none.
    pub inventory: Result<Inventory, String>,
    /// Why Azure does not let it in, if it does not.
    pub gone: Option<String>,
}

/// A fleet that was deleted, and whose settings go back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Departed {
    /// Its namespace and name.
    pub key: FleetKey,
    /// Its uid.
    pub uid: String,
    /// The ServiceAccount whose Azure identity acted.
    pub service_account: String,
}

/// Why a ServiceAccount that nobody looked with sees nothing.
const NOT_LOOKED: &str = "nothing was read with this identity";

/// One disruption domain: a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// Its fleets, oldest first, then by name.
    pub fleets: Vec<FleetView>,
    /// Fleets of it that were deleted lately, whose settings go back.
    pub departed: Vec<Departed>,
    /// Its runs, by name, open ones and ended ones.
    pub runs: Runs,
    /// Its machines, or why they could not be read: all that any identity of it sees.
    pub inventory: Result<Inventory, String>,
    /// What each ServiceAccount sees by itself, where more than one acts here. Where this is empty,
    /// one identity acts for all, and what it sees is `inventory` and `identity_gone`.
    pub sights: BTreeMap<String, Sighted>,
    /// The answers to what its runs asked, by run.
    pub answers: BTreeMap<String, Answers>,
    /// Machines that runs name which cannot be read: held, each with what is wrong.
    pub held: BTreeMap<MachineId, String>,
    /// Runs of which not even the machines can be read: while there are any, none is announced.
    pub unreadable_runs: Vec<String>,
    /// Runs that cannot be read and are being deleted, and since when.
    pub unread_deletions: BTreeMap<String, DateTime<Utc>>,
    /// Why Azure does not let the one identity of the namespace in, if it does not: it is gone, or
    /// its rights are. None says nothing about reads that failed for another reason.
    pub identity_gone: Option<String>,
}

impl Domain {
    /// Returns how the fleet of a run stands.
    pub fn standing(&self, run: &Run) -> Standing<'_> {
        let found = self
            .fleets
            .iter()
            .find(|view| view.uid == run.terms.fleet_uid);
        match found.map(|view| &view.fleet) {
            Some(Ok(fleet)) => Standing::Ready(fleet),
            Some(Err(fault)) => Standing::Unresolved(&fault.message),
            None => Standing::Gone,
        }
    }

    /// Returns what a ServiceAccount sees. One that nobody looked with sees nothing.
    ///
    /// # Errors
    /// Why its machines could not be read.
    pub fn seen_by(&self, account: &str) -> Result<&Inventory, &str> {
        let inventory = if self.sights.is_empty() {
            &self.inventory
        } else {
            &self.sights.get(account).ok_or(NOT_LOOKED)?.inventory
        };
        inventory.as_ref().map_err(String::as_str)
    }

    /// Returns what a ServiceAccount sees, if it is fresh enough to act on.
    pub fn fresh(&self, account: &str, now: DateTime<Utc>) -> Option<&Inventory> {
        let seen = self.seen_by(account).ok();
        seen.filter(|inventory| now - inventory.at <= INVENTORY_AGE_MAX)
    }

    /// Returns the fleets whose machines nobody can count now: their identity has not read them, or
    /// too long ago, or their spec does not even say which they are. What their machines share with
    /// others allows nothing. One that is suspended is not waited for: that is its owner's word.
    pub fn unread(&self, now: DateTime<Utc>) -> impl Iterator<Item = &FleetView> {
        self.fleets.iter().filter(move |view| match &view.wants {
            Some(own) => !own.suspended && self.fresh(&own.service_account, now).is_none(),
            None => true,
        })
    }

    /// Tells why Azure does not let a ServiceAccount in, if it does not.
    pub fn gone(&self, account: &str) -> Option<&str> {
        if self.sights.is_empty() {
            return self.identity_gone.as_deref();
        }
        self.sights.get(account)?.gone.as_deref()
    }
}

/// Everything one planning pass knows.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Microsoft's releases.
    pub catalogue: Arc<Catalogue>,
    /// The cluster's uid: part of the claim on a machine.
    pub cluster_uid: String,
    /// Whether the installation lets scripts run in guests.
    pub run_commands: bool,
    /// The disruption domains, by namespace.
    pub domains: BTreeMap<String, Domain>,
    /// Whether these are all fleets of the cluster: a claim of this cluster by another one is then
    /// by a fleet that is gone.
    pub sees_every_fleet: bool,
}
