//! The command line: one file a verb, and rendering.

pub mod crds;
