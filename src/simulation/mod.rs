//! What is proved of the run protocol by exploring it: a model of it, small enough to see whole.
//!
//! Must never be known to anything below the command line, and must never decide anything for the
//! operator.

pub mod model;
