//! The cloud behind one narrow port, in domain words.
//!
//! [`Cloud`] is the only thing the controller knows of Azure. Below it the same ARM client speaks
//! to Microsoft over HTTPS or to the emulator in process: only the [`transport`] differs. Must
//! never sleep inside a call, retry a command, or decide what is right to do.

mod act;
mod action;
mod arm;
pub mod buckets;
mod claims;
pub mod endpoint;
pub mod error;
mod evidence;
mod gather;
mod graph;
mod guest;
mod half;
pub mod identity;
mod inventory;
mod joined;
mod kept;
mod operation;
mod permitted;
mod places;
mod port;
mod progress;
mod queries;
mod read;
mod read_as;
mod resources;
pub mod rights;
mod row;
mod run_command;
mod steering;
mod tables;
pub mod transport;
pub mod wire;

use std::sync::Arc;

pub use endpoint::{Endpoint, Token};
pub use error::Error;
pub use port::{
    GuestAnswer, Inventory, LastActivity, LogEvidence, Operation, OperationState, Outcome,
    PollStyle, Progress, Reading, Scope, UnreadableRow,
};
pub use transport::{Transport, TransportError};

use self::buckets::{Buckets, Now, Pace};
pub use self::guest::LOOK_SCRIPT;
pub use self::run_command::RESTART_SCRIPT;
use crate::domain::authority::steering::Steering;
use crate::domain::command::{Command, InstallOrder, RequestId, RestartOrder};
use crate::domain::enrolment::Change;
use crate::domain::machine::{MachineId, MachineKind};
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

/// Azure as one identity sees it. Cheap to clone; clones share what was learned (places,
/// half-read inventories, how much one query may ask for).
#[derive(Clone)]
pub struct Cloud {
    arm: arm::Arm,
    places: Arc<places::Places>,
    unfinished: Arc<inventory::Unfinished>,
    learned: Arc<queries::Learned>,
    steerings: Arc<steering::Steerings>,
}

/// Whose eyes a cloud sees with. Holds no token.
#[derive(Clone, Debug)]
pub struct Eyes(Arc<queries::Learned>);

impl PartialEq for Eyes {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Eyes {}

impl Cloud {
    /// Makes the cloud that `token`'s identity sees at `endpoint`.
    pub fn new(transport: Arc<dyn Transport>, endpoint: Endpoint, token: Token) -> Self {
        Self {
            arm: arm::Arm::new(transport, endpoint, token),
            places: Arc::default(),
            unfinished: Arc::default(),
            learned: Arc::default(),
            steerings: Arc::default(),
        }
    }

    /// Returns the same cloud with a fresh token of the same identity; what was learned is kept.
    #[must_use]
    pub fn with_token(&self, token: Token) -> Self {
        Self {
            arm: self.arm.with_token(token),
            ..self.clone()
        }
    }

    /// Returns the same cloud, which asks `buckets` before each call as `principal` and tells them
    /// of each answer, by the clock `now`. Without it a cloud sends whatever it is told to.
    #[must_use]
    pub fn paced(&self, buckets: Arc<Buckets>, principal: &str, now: Now) -> Self {
        let pace = Pace::new(buckets, principal, now);
        Self {
            arm: self.arm.with_pace(Some(pace)),
            ..self.clone()
        }
    }

    /// Returns the same cloud for calls on machines of a region, by whose buckets they go.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        let pace = self.arm.pace().map(|pace| pace.in_region(region));
        Self {
            arm: self.arm.with_pace(pace),
            ..self.clone()
        }
    }

    /// Returns how many installs of machines of this one's subscription, kind and region may be
    /// sent within `horizon`; this cloud being [`Cloud::in_region`] of it.
    pub fn installs_within(&self, machine: &MachineId, horizon: TimeDelta) -> u32 {
        let pace = self.arm.pace();
        pace.map_or(u32::MAX, |pace| pace.installs(machine, horizon))
    }

    /// Tells whether a command may be sent to a machine within `horizon`; this cloud being
    /// [`Cloud::in_region`] of it. Asks nobody, and takes nothing.
    ///
    /// # Errors
    /// [`Error::Throttled`] with the time for which Azure said that it takes no more, or in which
    /// an empty bucket has a token again.
    pub fn has_room(
        &self,
        machine: &MachineId,
        command: Command,
        horizon: TimeDelta,
    ) -> Result<(), Error> {
        let Some(pace) = self.arm.pace() else {
            return Ok(());
        };
        let (what, act) = match command {
            Command::Stage | Command::Finish => ("install", "installPatches"),
            Command::Restart => ("restart", "restart"),
        };
        let (what, path) = (format!("{what} of {machine}"), format!("{machine}/{act}"));
        pace.has_room(&what, &path, horizon)
    }

    /// Names whose eyes this cloud sees with: what another of the same eyes reads, this would.
    pub fn eyes(&self) -> Eyes {
        Eyes(Arc::clone(&self.learned))
    }

    /// Reads all machines of a scope from Resource Graph: what they are, their last assessment,
    /// their installs and their health.
    ///
    /// Rows that do not parse are named in the result. Where the quota of Resource Graph runs out
    /// midway, the error says when to ask again, and the next call goes on from there; such a
    /// half-read inventory is kept for five minutes.
    ///
    /// # Errors
    /// [`Error`]; never half an inventory.
    pub async fn inventory(&self, scope: &Scope, now: DateTime<Utc>) -> Result<Inventory, Error> {
        inventory::inventory(self, scope, now).await
    }

    /// Tells what schedules and policies do to machines of a scope: read once in an hour, in two
    /// queries of Resource Graph, and one call for the rights in each subscription of the machines.
    ///
    /// Never fails: what could not be read, and the rights that are lacking, are named in what is
    /// returned. A reading that the quota stops goes on with the next call.
    pub async fn steering<'a>(
        &self,
        scope: &Scope,
        machines: impl Iterator<Item = &'a MachineId>,
        now: DateTime<Utc>,
    ) -> Steering {
        let subscriptions = steering::subscriptions(machines.map(MachineId::subscription));
        let all = &self.steerings;
        all.of(&self.arm, scope, &subscriptions, now).await
    }

    /// Reads the newest installs, health and power of these machines only, from Resource Graph.
    ///
    /// A machine that Resource Graph does not show is absent from the result.
    ///
    /// # Errors
    /// [`Error`]; a row that does not parse is [`Error::Malformed`], because a missing install
    /// could pass for one that never was.
    pub async fn progress(
        &self,
        scope: &Scope,
        machines: &BTreeSet<MachineId>,
    ) -> Result<BTreeMap<MachineId, Progress>, Error> {
        progress::progress(&self.arm, &self.learned, scope, machines).await
    }

    /// Reads the machine itself, just before acting on it or to confirm an end: one call.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn read(&self, machine: &MachineId, kind: MachineKind) -> Result<Reading, Error> {
        read::read(&self.arm, machine, kind).await
    }

    /// Writes a change of patch settings, claim and licence.
    ///
    /// Settings and claim go in one PATCH. A VM, and any machine whose claim changes, is read
    /// first, and where it has an etag the PATCH carries `If-Match`: a change in between is
    /// [`Error::Conflict`], and so is a claim that somebody else made meanwhile. The next try
    /// reads anew. The licence is a resource of its own: it is written after the claim is
    /// set, and before the claim is removed.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Unsupported`] for a setting that the kind does not have.
    pub async fn change(&self, change: &Change, kind: MachineKind) -> Result<(), Error> {
        act::change(&self.arm, change, kind).await
    }

    /// Asks for an assessment.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn assess(
        &self,
        machine: &MachineId,
        kind: MachineKind,
        request: RequestId,
    ) -> Result<Operation, Error> {
        act::assess(&self.arm, machine, kind, &request).await
    }

    /// Sends an install, once.
    ///
    /// # Errors
    /// [`Error`]; see [`Error::is_sure_refusal`].
    pub async fn install(
        &self,
        machine: &MachineId,
        kind: MachineKind,
        order: &InstallOrder,
        request: RequestId,
    ) -> Result<Operation, Error> {
        act::install(&self.arm, machine, kind, order, &request).await
    }

    /// Sends a restart, once, to an Azure VM or an Azure Local VM.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for an Arc server (ARM has no such command, azure.md §2), else
    /// [`Error`]; see [`Error::is_sure_refusal`].
    pub async fn restart(
        &self,
        machine: &MachineId,
        kind: MachineKind,
        request: RequestId,
    ) -> Result<Operation, Error> {
        act::restart(&self.arm, machine, kind, &request).await
    }

    /// Restarts an Arc server by [`RESTART_SCRIPT`] in its guest; sent once.
    ///
    /// # Errors
    /// [`Error`]; see [`Error::is_sure_refusal`].
    pub async fn restart_by_script(
        &self,
        machine: &MachineId,
        order: &RestartOrder,
        request: RequestId,
    ) -> Result<Operation, Error> {
        run_command::restart(&self.arm, machine, order, &request).await
    }

    /// Deletes the run command that restarted an Arc server. To be asked for once it ended: a
    /// script that runs is ended with it. Harmless when repeated.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn clear_restart(
        &self,
        machine: &MachineId,
        request: &RequestId,
    ) -> Result<(), Error> {
        run_command::clear(&self.arm, machine, request).await
    }

    /// Has [`LOOK_SCRIPT`] run in the guest of an Arc server or a VM; sent once, harmless when
    /// repeated.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Unsupported`] for an Azure Local VM.
    pub async fn ask_guest(
        &self,
        machine: &MachineId,
        kind: MachineKind,
        location: &str,
        request: RequestId,
    ) -> Result<(), Error> {
        guest::ask(&self.arm, machine, kind, location, &request).await
    }

    /// Asks what a guest answered.
    ///
    /// # Errors
    /// As of [`Cloud::ask_guest`].
    pub async fn guest_answer(
        &self,
        machine: &MachineId,
        kind: MachineKind,
    ) -> Result<GuestAnswer, Error> {
        guest::answer(&self.arm, machine, kind).await
    }

    /// Deletes the run command that asked a guest. Harmless when repeated.
    ///
    /// # Errors
    /// As of [`Cloud::ask_guest`].
    pub async fn clear_guest(&self, machine: &MachineId, kind: MachineKind) -> Result<(), Error> {
        guest::clear(&self.arm, machine, kind).await
    }

    /// Asks how an operation fares.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Malformed`] where its address leads off the endpoint.
    pub async fn operation(&self, operation: &Operation) -> Result<OperationState, Error> {
        operation::state(&self.arm, operation).await
    }

    /// Looks for the run command of an Arc server's restart, and where there is none, in Azure's
    /// Activity Log from `since` to `now`.
    ///
    /// # Errors
    /// [`Error`]; never [`LogEvidence::Absent`] unless the whole span was read.
    pub async fn evidence_of_restart(
        &self,
        machine: &MachineId,
        request: RequestId,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<LogEvidence, Error> {
        run_command::evidence(&self.arm, machine, &request, since, now).await
    }

    /// Searches Azure's Activity Log from `since` to `now` for a command with this request id.
    ///
    /// # Errors
    /// [`Error`]; never [`LogEvidence::Absent`] unless the whole span was read.
    pub async fn evidence(
        &self,
        machine: &MachineId,
        request: RequestId,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<LogEvidence, Error> {
        evidence::evidence(&self.arm, machine, &request, since, now).await
    }
}
