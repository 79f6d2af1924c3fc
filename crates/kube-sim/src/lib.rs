//! An in-memory Kubernetes API server as a [`tower::Service`]: for demos, tests and deterministic
//! simulation.
//!
//! [`KubeSim::client`] gives a [`kube::Client`] that talks to it without sockets. Time comes from
//! the clock given to [`KubeSim::new`] and from tokio's timer, uids from a counter; there are no
//! background tasks and no randomness, so the same requests in the same order give the same
//! answers. The server knows nothing of any operator.
//!
//! Writes follow kube-apiserver 1.36: server-side apply, `managedFields`, merge, JSON and strategic
//! merge patches, field validation, optimistic concurrency, finalizers, namespaces and CRDs that
//! end. Bearer tokens and RBAC are there and off until [`KubeSim::require_auth`].
//!
//! Left out, on purpose:
//!
//! - CBOR bodies (415) and answers in protobuf: every client also reads JSON;
//! - admission webhooks, conversion webhooks and aggregated API servers: nothing to call out to;
//! - client certificates, aggregation of cluster roles, and RBAC's check against
//!   escalation: whoever sets up a simulation decides who may do what;
//! - controllers besides garbage collection, namespaces, and CRD names; these run inside the
//!   request that causes them, so no intermediate state of theirs is ever seen;
//! - the order of several unknown fields in one warning or message of a built-in type, which the
//!   real server takes from the document and this one from the alphabet.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), kube::Error> {
//! use std::sync::Arc;
//!
//! let sim = kube_sim::KubeSim::new(Arc::new(|| chrono::DateTime::UNIX_EPOCH));
//! let version = sim.client().apiserver_version().await?;
//! assert_eq!(version.major, "1");
//! # Ok(())
//! # }
//! ```

mod accept;
mod admit;
mod auth;
mod body;
mod builtin;
mod change;
mod content;
mod crd;
mod decode;
mod delete;
mod discovery;
mod documents;
mod fields;
mod gc;
mod hooks;
#[cfg(feature = "http")]
pub mod http;
mod jsonpath;
mod list_options;
mod meta;
mod names;
mod namespaces;
mod object;
mod openapi;
mod options;
mod patch;
mod path;
mod protobuf;
mod read;
mod registry;
mod request;
mod schema;
mod selector;
mod server_side;
mod service;
mod sim;
mod status_error;
mod store;
mod strategic;
mod table;
mod track;
mod view;
mod watch;
mod write;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use auth::TokenClaims;
pub use body::{ConnectionLost, SimBody};
pub use hooks::{Call, Commit, Fault, Verb};
pub use service::SimService;
pub use sim::KubeSim;

/// Where the server reads the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;
