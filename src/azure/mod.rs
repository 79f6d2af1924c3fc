//! The cloud behind one narrow port, in domain words.
//!
//! [`Cloud`] is the only thing the controller knows of Azure. Below it the same ARM client speaks
//! to Microsoft over HTTPS or to the emulator in process: only the [`transport`] differs. Must
//! never sleep inside a call, retry a command, or decide what is right to do.

mod act;
mod arm;
pub mod endpoint;
pub mod error;
mod evidence;
mod gather;
mod graph;
pub mod identity;
mod inventory;
mod kept;
mod operation;
mod places;
mod port;
mod progress;
mod read;
mod read_as;
mod resources;
mod row;
mod tables;
pub mod transport;
pub mod wire;

use std::sync::Arc;

pub use endpoint::{Endpoint, Token};
pub use error::Error;
pub use port::{
    Inventory, LastActivity, LogEvidence, Operation, OperationState, Outcome, PollStyle, Progress,
    Reading, Scope, UnreadableRow,
};
pub use transport::{Transport, TransportError};

use crate::domain::command::{InstallOrder, RequestId};
use crate::domain::enrolment::Change;
use crate::domain::machine::{MachineId, MachineKind};
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

/// Azure as one identity sees it. Cheap to clone; clones share what was learned (places,
/// half-read inventories).
#[derive(Clone)]
pub struct Cloud {
    arm: arm::Arm,
    places: Arc<places::Places>,
    unfinished: Arc<inventory::Unfinished>,
}

impl Cloud {
    /// Makes the cloud that `token`'s identity sees at `endpoint`.
    pub fn new(transport: Arc<dyn Transport>, endpoint: Endpoint, token: Token) -> Self {
        Self {
            arm: arm::Arm::new(transport, endpoint, token),
            places: Arc::default(),
            unfinished: Arc::default(),
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
        progress::progress(&self.arm, scope, machines).await
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
    /// Settings and claim go in one PATCH. When the claim changes, the machine is read first, and
    /// where it has an etag the PATCH carries `If-Match`: a change in between is
    /// [`Error::Conflict`]. The licence is a resource of its own: it is written after the claim is
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

    /// Asks how an operation fares.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Malformed`] where its address leads off the endpoint.
    pub async fn operation(&self, operation: &Operation) -> Result<OperationState, Error> {
        operation::state(&self.arm, operation).await
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
