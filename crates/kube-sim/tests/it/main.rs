//! The simulated API server, driven through a real `kube::Client`.
#![allow(clippy::unwrap_used)] // tests may unwrap

mod support;

mod objects;
