//! The status of every kind.
