//! The simulated API server, driven through a real `kube::Client`.
#![allow(clippy::unwrap_used)] // tests may unwrap

mod support;

mod apply;
mod builtins;
mod collections;
mod deletion;
mod discovery;
mod hooks;
mod http;
mod objects;
mod scale;
mod schemas;
mod serving;
mod tables;
mod watches;
