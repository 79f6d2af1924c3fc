//! Field ownership: sets of field paths, the shapes that say what a field is, and the entries of
//! `metadata.managedFields`. Must never know stored objects or requests.

pub(crate) mod apply;
pub(crate) mod builtin;
pub(crate) mod compare;
pub(crate) mod known;
pub(crate) mod managed;
pub(crate) mod merge;
pub(crate) mod set;
pub(crate) mod shape;
