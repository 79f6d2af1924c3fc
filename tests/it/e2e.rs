//! The operator's own binary against a real kube-apiserver, with the rights that the chart grants
//! and no others, and against the emulated Azure over loopback. Run by `make e2e`.

// tests may unwrap
#![allow(clippy::unwrap_used)]

mod endings;
mod rollout;
mod stage;
