//! The integration tests of the operator, in one binary so that it is linked once.

mod api;
mod azure;
mod bad_input;
mod bench;
mod chart;
mod crd_quality;
mod crds;
mod e2e;
mod enrolment;
mod faults;
mod guests;
mod identity;
mod kill;
mod operator;
mod pace;
#[cfg(feature = "planted-bugs")]
mod planted;
mod protocol;
mod records;
mod rehearsal;
mod rights;
mod scripts;
mod served;
mod simulation;
mod status;
mod telemetry;
mod tidy;
mod validate;
