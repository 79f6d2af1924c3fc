//! What a test or a simulation may watch and break: calls, injected faults, committed writes.
//! Holds plain data; it must never touch stored objects.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::fields::managed::Managed;
use crate::object::Object;

/// What a request asks for, or what led to a committed write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads a collection.
    List,
    /// Streams changes.
    Watch,
    /// Creates one object.
    Create,
    /// Replaces one object.
    Update,
    /// Patches one object.
    Patch,
    /// Deletes one object.
    Delete,
    /// Deletes a collection.
    DeleteCollection,
    /// The server itself: garbage collection, a namespace or a CRD that goes away.
    Collect,
    /// [`crate::KubeSim::force_object`].
    Force,
}

impl Verb {
    /// The verb as RBAC rules and audit logs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Collect => "collect",
            Self::Force => "force",
        }
    }
}

/// A request for a known resource, as hooks see it.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is asked.
    pub verb: Verb,
    /// `plural` for the core group, else `plural.group`.
    pub resource: String,
    /// Namespace of the URL; absent for cluster scope and for lists over all namespaces.
    pub namespace: Option<String>,
    /// Name of the URL; for a create, the name in the body.
    pub name: Option<String>,
    /// Such as `status`.
    pub subresource: Option<String>,
    /// The request's JSON body.
    pub body: Option<Arc<Value>>,
}

/// What a hook wants to happen to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the call goes through.
    None,
    /// The server refuses with a `metav1.Status`; the call is not applied.
    Status {
        /// HTTP status code.
        code: u16,
        /// `metav1.StatusReason`, such as `TooManyRequests`.
        reason: String,
        /// Text for people.
        message: String,
        /// Sent as `Retry-After` header and in `details.retryAfterSeconds`.
        retry_after_seconds: Option<u32>,
    },
    /// The connection breaks before the call is applied.
    DropBefore,
    /// The call is applied and its reply is lost.
    DropAfter,
    /// The call is applied after this much tokio time.
    Delay(Duration),
}

/// A committed write: one step of the stored state.
#[derive(Debug)]
pub struct Commit {
    /// The resource version that this write created.
    pub rv: u64,
    /// When, by the simulator's clock.
    pub time: DateTime<Utc>,
    /// What led to the write. `Delete` may leave an object that waits for finalizers.
    pub verb: Verb,
    /// `plural` for the core group, else `plural.group`; events are filed under `events`.
    pub resource: Arc<str>,
    /// Namespace; absent for cluster scope.
    pub namespace: Option<Arc<str>>,
    /// Name.
    pub name: Arc<str>,
    /// Subresource through which the write came, such as `status`.
    pub subresource: Option<Arc<str>>,
    /// The object before; absent for a creation.
    pub before: Option<Arc<Value>>,
    /// The object after; absent when it is gone.
    pub after: Option<Arc<Value>>,
    /// Who owned the fields of `before` and who owns those of `after`.
    pub(crate) managed: (Managed, Managed),
    /// What watchers are shown: `after`, or the last state under the deletion's version.
    pub(crate) shown: Object,
    /// `shown` as JSON, made once for all watchers.
    pub(crate) json: OnceLock<Bytes>,
}

impl Commit {
    /// The object before, with the owners of its fields.
    pub(crate) fn object_before(&self) -> Option<Object> {
        let value = Arc::clone(self.before.as_ref()?);
        let managed = self.managed.0.clone();
        Some(Object { value, managed })
    }

    /// The object after, with the owners of its fields.
    pub(crate) fn object_after(&self) -> Option<Object> {
        let value = Arc::clone(self.after.as_ref()?);
        let managed = self.managed.1.clone();
        Some(Object { value, managed })
    }
}

/// Called before a call is applied.
pub(crate) type Before = Arc<dyn Fn(&Call) -> Fault + Send + Sync>;
/// Called after a call, with the HTTP status code that the server gave.
pub(crate) type After = Arc<dyn Fn(&Call, u16) + Send + Sync>;

/// The installed hooks, in order of installation.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) before: Vec<Before>,
    pub(crate) after: Vec<After>,
}

impl Hooks {
    pub(crate) fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// The first fault that any hook asks for; every hook is called.
    pub(crate) fn fault(&self, call: &Call) -> Fault {
        let mut chosen = Fault::None;
        for hook in &self.before {
            let fault = hook(call);
            if chosen == Fault::None {
                chosen = fault;
            }
        }
        chosen
    }
}
