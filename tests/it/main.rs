//! The integration tests of the operator, in one binary so that it is linked once.

mod api;
mod azure;
mod bad_input;
mod crds;
mod rehearsal;
mod served;
mod status;
mod tidy;
mod validate;
