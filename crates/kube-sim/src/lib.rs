//! An in-memory Kubernetes API server as a [`tower::Service`]: for demos, tests and deterministic
//! simulation.
//!
//! [`KubeSim::client`] gives a [`kube::Client`] that talks to it without sockets. Time comes from
//! the clock given to [`KubeSim::new`] and from tokio's timer, uids from a counter; there are no
//! background tasks and no randomness, so the same requests in the same order give the same
//! answers. The server knows nothing of any operator.
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
mod meta;
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

pub use body::{ConnectionLost, SimBody};
pub use hooks::{Call, Commit, Fault, Verb};
pub use service::SimService;
pub use sim::KubeSim;

/// Where the server reads the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;
