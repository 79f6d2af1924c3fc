//! A Kubernetes operator for Windows Server hotpatching.

pub mod api;
pub mod cli;
