//! The table of all conditions.
