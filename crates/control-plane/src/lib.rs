//! A real etcd, kube-apiserver and kube-controller-manager on loopback, for tests.
//!
//! [`Assets::find`] gets the binaries: those that the environment names, else those built once
//! from their Go modules (`tools/go.mod`) and kept in the user's cache. [`ControlPlane::start`]
//! runs them on free ports with throwaway certificates in a folder of its own; dropping it ends
//! all of them and removes the folder. Must never be part of the product, and never talk to a
//! cluster that it did not start.

mod assets;
mod certificates;
mod plane;
mod process;

pub use assets::{Assets, AssetsError, UNAVAILABLE};
pub use plane::{ControlPlane, PlaneError};
