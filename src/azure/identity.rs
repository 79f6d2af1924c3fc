//! Tokens for Azure Resource Manager: who proves what to whom, and how long the answer is kept.
//!
//! A [`Login`] says who asks; an [`Authority`] or [`Imds`] issues; [`Tokens`] keeps what was
//! issued, one refresh at a time for each identity. Must never show a secret, send a proof to
//! another host than the authority's, sleep, ask twice in one call, or stand one identity in for
//! another.

mod answer;
mod authority;
mod imds;
mod kept;
mod refusal;
mod secret;
mod sovereign;

pub use answer::Issued;
pub use authority::{Authority, Login, Proof};
pub use imds::Imds;
pub use kept::{REFRESH_EARLY, RETRY_REST, Stamp, Tokens};
pub use refusal::{Fault, Refusal};
pub use secret::{Secret, wipe};
pub use sovereign::AzureCloud;

/// The audience of the tokens that Kubernetes issues for Entra ID (azure.md §10: workload identity;
/// Entra ID refuses any other with AADSTS700212).
pub const FEDERATION_AUDIENCE: &str = "api://AzureADTokenExchange";

/// The most bytes of a secret, an assertion or a token.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;

/// Tells whether a text is a GUID, as tenants and clients are named: nothing else gets into the
/// address of a token endpoint.
pub fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|own| own.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && groups
            .iter()
            .all(|own| own.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests;
