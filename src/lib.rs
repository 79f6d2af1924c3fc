//! Hotpatch-operator: a Kubernetes operator for Windows Server hotpatching.

pub mod azure;
pub mod domain;
