//! The Helm chart: its rights are those that the operator uses, its files agree with the tree, and
//! real Helm installs, upgrades and removes it on a real API server.
//!
//! What needs Helm is ignored unless `make e2e` asks for it, and is named `chart_…`.

// tests may unwrap
#![allow(clippy::unwrap_used)]

mod files;
mod helm;
mod install;
mod rbac;
pub(crate) mod tools;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Returns a path in the chart.
fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("charts/hotpatch-operator")
        .join(file)
}

/// Reads a file of the chart.
fn read(file: &str) -> String {
    let path = path(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads a YAML file of the chart.
fn yaml<T: DeserializeOwned>(file: &str) -> T {
    serde_saphyr::from_str(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
