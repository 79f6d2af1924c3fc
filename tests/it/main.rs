//! The integration tests of the operator, in one binary so that it is linked once.

mod api;
mod azure;
mod bad_input;
mod crds;
mod protocol;
mod rehearsal;
mod status;
mod tidy;
mod validate;
