//! Wire shapes: what Azure sends and takes, as thin serde models with the fields that are read.
//!
//! Every field may be missing or null and unknown ones are ignored. Must never hold a decision:
//! what a shape means is said in `read_as`.

pub mod activity;
pub mod arc;
pub mod error;
pub mod graph;
pub mod local;
pub mod locations;
pub mod run_command;
pub mod steering;
pub mod vm;

/// Compute: the version of the official examples in use (azure.md §1; first with etags is
/// believed to be earlier).
pub const API_COMPUTE: &str = "2024-11-01";

/// HybridCompute machines and licence profiles: stable, same shapes as the examples of
/// 2025-09-16-preview (azure.md §2, unverified there).
pub const API_HYBRID: &str = "2025-01-13";

/// Run commands of HybridCompute machines: in preview, the version of the official example
/// (azure.md §2).
pub const API_HYBRID_SCRIPTS: &str = "2025-09-16-preview";

/// Azure Local virtual machine instances (azure.md §3).
pub const API_LOCAL: &str = "2024-01-01";

/// Resource Graph (azure.md §4).
pub const API_GRAPH: &str = "2021-03-01";

/// Subscriptions: list locations, the first version in use with `availabilityZoneMappings`
/// (Azure REST reference, "Subscriptions - List Locations").
pub const API_LOCATIONS: &str = "2022-12-01";

/// Permissions of a caller (Azure REST reference, "Permissions - List For Resource Group").
pub const API_AUTHORIZATION: &str = "2022-04-01";

/// Activity Log (Azure REST reference, "Activity Logs - List").
pub const API_ACTIVITY: &str = "2015-04-01";
