//! How a request reaches Azure: over HTTPS, or in process to the emulator.
//!
//! A transport sends one request once and returns one answer. It must never retry, follow a
//! redirect, or look into what it carries.

use bytes::Bytes;
use futures::future::BoxFuture;

mod https;
mod sim;

pub use https::{BODY_BYTES_MAX, HttpsError, HttpsTransport, REQUEST_TIMEOUT, Roots};
pub use sim::SimTransport;

/// Sends one request to Azure and waits for its answer.
pub trait Transport: Send + Sync {
    /// Sends a request with an absolute address.
    ///
    /// # Errors
    /// [`TransportError`], which tells whether the request may have left.
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>>;
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The request certainly did not leave: no connection came about.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The request may have arrived: the connection broke, the time ran out, or the answer could
    /// not be read.
    #[error("the answer was lost: {0}")]
    AnswerLost(String),
}
