//! What users write: the kinds of API group `hotpatch.dev`, one file a kind. Serde and schema
//! only; this module decides nothing and reads nothing.
//!
//! House rules, kept by tests: every field has a description; every list, string and map has a
//! bound; no reference names a namespace; every CEL rule says what to do.

// kube's KubeSchema derive repeats each `pub struct` inside a function body.
#![allow(unreachable_pub)]
// Several printer columns have the same type.
#![allow(clippy::duplicated_attributes)]

pub mod conditions;
pub mod fleet;
pub mod machine;
pub mod policy;
pub mod request;
pub mod run;
pub mod schema;
pub mod selector;
mod tidy;
pub mod time;
pub mod window;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

pub use self::fleet::HotpatchFleet;
pub use self::machine::HotpatchMachine;
pub use self::policy::BaselinePolicy;
pub use self::request::HotpatchRequest;
pub use self::run::HotpatchRun;
pub use self::window::MaintenanceWindow;

/// The API group of all kinds.
pub const GROUP: &str = "hotpatch.dev";
/// The one version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// The category that lists all kinds: `kubectl get hotpatch`.
pub const CATEGORY: &str = "hotpatch";

/// Builds the definitions of all kinds: first what people write, then what the operator writes.
///
/// These, not `Kind::crd()`, are what is installed: schemas are tidied on the way.
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    let crds = [
        HotpatchFleet::crd(),
        MaintenanceWindow::crd(),
        BaselinePolicy::crd(),
        HotpatchRequest::crd(),
        HotpatchRun::crd(),
        HotpatchMachine::crd(),
    ];
    crds.into_iter().map(tidy::tidy).collect()
}
