//! Hotpatch-operator: a Kubernetes operator for Windows Server hotpatching.

pub mod domain;
