//! An emulator of the parts of Azure that patch Windows servers: Azure Resource Manager for
//! virtual machines, Arc-enabled servers and Azure Local VMs, Azure Resource Graph, the Activity
//! Log, Resource Health, and the guests with Azure's own patching of them.
//!
//! [`AzureSim`] is a handle on one world. A request is answered synchronously by
//! [`AzureSim::handle`]; what takes time is an event in the world's queue, and every request
//! first processes what is due by the caller's clock. Under one seed and one sequence of calls
//! everything is the same, byte for byte.
//!
//! Layers, imports run downward: the handle (`sim`, `foreign`, `assign`), the router (`http`), the
//! documents (`shapes`, `graph`, `kql`), the engine (`engine`, `install`, `power`, `platform`,
//! `schedules`), the world (`world`, `machine`). Faults lie between a client and the router and
//! know no world. Nothing here knows who calls: no Kubernetes, no operator.

mod activity;
mod assign;
pub mod assumptions;
mod effects;
mod engine;
mod entra;
mod fault;
mod foreign;
mod graph;
mod http;
mod identities;
mod install;
mod job;
mod kql;
mod machine;
mod offer;
mod operations;
mod options;
mod os;
mod patches;
mod platform;
mod policies;
mod populate;
mod power;
mod regions;
mod releases;
mod run_command;
mod schedules;
#[cfg(feature = "serve")]
pub mod serve;
mod shapes;
mod sim;
mod spec;
mod strike;
pub mod switchboard;
mod throttle;
mod views;
mod world;
mod writes;

pub use effects::{Actor, Call, CallOperation, Effect, RebootCause, What};
pub use entra::{Assertion, Federated, Identity};
pub use fault::{Disconnected, Fault};
pub use options::{
    Assumptions, BaselineReports, HotpatchReports, Minutes, Options, SecondOperation, TagsPatch,
    Timings,
};
pub use os::Os;
pub use patches::{InstallStatus, RebootStatus};
pub use policies::Assigned;
pub use releases::{
    DEFINITION_KB, DOTNET_KB_FIRST, INVENTED_KB_FIRST, Release, ReleaseKind, Track,
};
pub use sim::{AzureSim, Clock};
pub use spec::{
    ArcSpec, DEFAULT_RESOURCE_GROUP, DEFAULT_SUBSCRIPTION, GuestSpec, LicenceState, LocalSpec,
    PatchLevel, VmSpec,
};
pub use throttle::Buckets;
pub use views::{Health, MachineKind, MachineView};
