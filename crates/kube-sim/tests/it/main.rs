//! The simulated API server, driven through a real `kube::Client`.
#![allow(clippy::unwrap_used)] // tests may unwrap

mod support;

mod apply;
mod auth;
mod builtins;
mod collections;
mod deletion;
mod hooks;
mod http;
mod objects;
mod schemas;
mod watches;
