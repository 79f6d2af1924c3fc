//! Hotpatch-operator: a Kubernetes operator for Windows Server hotpatching.

pub mod api;
pub mod azure;
pub mod cli;
pub mod controller;
pub mod domain;
pub mod planted;
pub mod record;
pub mod rehearsal;
pub mod simulation;
pub mod status;
pub mod telemetry;
pub mod validate;
