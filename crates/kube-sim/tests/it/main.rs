//! The simulated API server, driven through a real `kube::Client`.
#![allow(clippy::unwrap_used)] // tests may unwrap

mod support;

mod apply;
mod auth;
mod builtins;
mod collections;
mod contract;
mod decoding;
mod deletion;
mod discovery;
mod gadgets;
mod hooks;
mod http;
mod lifecycle;
mod objects;
mod owners;
mod scale;
mod schemas;
mod serving;
mod tables;
mod watches;
