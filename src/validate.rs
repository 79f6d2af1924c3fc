//! What people and the operator wrote becomes domain values that cannot be wrong, or named faults.
//!
//! Pure: no I/O, no async, no clock. After this module nothing fails: a fleet is valid with all it
//! refers to or carries a [`Fault`](crate::domain::snapshot::Fault); a run's machine is understood
//! or held; a request is in force or refused in words. Whatever narrows (a pause, an exclusion, an
//! abort) and cannot be understood stops more than it would have, never less. Must never look at
//! machines, and never name an object of another namespace.

mod faults;
mod fields;
mod fleet;
mod notes;
mod policy;
mod request;
mod run;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;

use crate::api::{
    BaselinePolicy, HotpatchFleet, HotpatchRequest, HotpatchRun, MaintenanceWindow, time,
};
use crate::domain::machine::MachineId;

pub use self::fleet::{fleets, is_deleted};
pub use self::notes::{Unsupported, Warning, WindowNotes, unsupported, warnings, window_notes};
pub use self::policy::policy;
pub use self::request::{RequestJudgement, Ruling, requests};
pub use self::run::{QuarantinedRun, run, runs};
pub use self::window::window;

/// An object as found in the API server.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<K> {
    /// It could be read as its type.
    Object(Arc<K>),
    /// What is stored does not fit the type.
    Unreadable {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its uid, where the metadata has one.
        uid: Option<String>,
        /// When it was created, where the metadata says so.
        created_at: Option<DateTime<Utc>>,
        /// Since when it is being deleted, where the metadata says so.
        deleted_at: Option<DateTime<Utc>>,
        /// What does not fit, and where.
        why: String,
    },
}

impl<K> Found<K> {
    /// Returns the object, if it could be read.
    pub fn object(&self) -> Option<&Arc<K>> {
        match self {
            Self::Object(object) => Some(object),
            Self::Unreadable { .. } => None,
        }
    }
}

impl<K: Resource<DynamicType = ()>> Found<K> {
    /// Returns its name; empty where the metadata has none.
    pub fn name(&self) -> &str {
        match self {
            Self::Object(object) => object.meta().name.as_deref().unwrap_or_default(),
            Self::Unreadable { name, .. } => name,
        }
    }

    /// Returns its namespace; empty where the metadata has none.
    pub fn namespace(&self) -> &str {
        match self {
            Self::Object(object) => object.meta().namespace.as_deref().unwrap_or_default(),
            Self::Unreadable { namespace, .. } => namespace,
        }
    }
}

/// What is declared in one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// Its fleets.
    pub fleets: Vec<Found<HotpatchFleet>>,
    /// Its windows.
    pub windows: Vec<Found<MaintenanceWindow>>,
    /// Its policies.
    pub policies: Vec<Found<BaselinePolicy>>,
    /// Its requests.
    pub requests: Vec<Found<HotpatchRequest>>,
    /// Its runs.
    pub runs: Vec<Found<HotpatchRun>>,
    /// The names under which requests may mean machines: names of HotpatchMachines, with the
    /// machine of each. Must be made from the inventory that is planned with, so that a name that
    /// is missing here is a machine that cannot be acted on.
    pub machine_names: BTreeMap<String, MachineId>,
}

/// Returns the object of a name and namespace.
fn find<'a, K: Resource<DynamicType = ()>>(
    list: &'a [Found<K>],
    namespace: &str,
    name: &str,
) -> Option<&'a Found<K>> {
    list.iter()
        .find(|found| found.name() == name && found.namespace() == namespace)
}

/// Returns when an object was created; the epoch for one that was never stored, as in a file.
fn created_at(meta: &ObjectMeta) -> DateTime<Utc> {
    meta.creation_timestamp
        .as_ref()
        .and_then(time::from_k8s)
        .unwrap_or(DateTime::UNIX_EPOCH)
}
