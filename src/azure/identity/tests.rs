//! Tests of the identities.
