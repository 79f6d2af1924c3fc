//! Holds the hooks by which a test spoils calls. Must never touch the world: a fault happens
//! between the client and the router.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response, StatusCode};

/// What happens to a call instead of, or after, its being handled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the call is handled.
    #[default]
    None,
    /// The call is not handled; this status, body and `Retry-After` in seconds are answered.
    Status(u16, String, Option<u64>),
    /// The connection breaks before the call arrives.
    DropBefore,
    /// The call is handled and the connection breaks before the answer arrives.
    DropAfter,
}

/// The connection broke: the caller cannot know whether the call was handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection broke before an answer arrived")]
pub struct Disconnected {
    is_reset: bool,
}

impl Disconnected {
    pub(crate) fn closed() -> Self {
        Self { is_reset: false }
    }

    pub(crate) fn reset() -> Self {
        Self { is_reset: true }
    }

    /// Tells whether the connection was reset, rather than closed.
    #[must_use]
    pub fn is_reset(self) -> bool {
        self.is_reset
    }
}

type Before = Arc<dyn Fn(&Request<Bytes>) -> Fault + Send + Sync>;
type After = Arc<dyn Fn(&str, &str, u16) + Send + Sync>;

/// The hooks of one emulator, in the order they were set.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    before: Arc<Mutex<Vec<Before>>>,
    after: Arc<Mutex<Vec<After>>>,
}

impl Hooks {
    pub(crate) fn add_before(&self, hook: Before) {
        self.before
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(hook);
    }

    pub(crate) fn add_after(&self, hook: After) {
        self.after
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(hook);
    }

    pub(crate) fn clear(&self) {
        self.before
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.after
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Asks the hooks for a fault; the first that is not none counts. No lock is held while a
    /// hook runs, so that it may look at the emulator.
    pub(crate) fn fault(&self, request: &Request<Bytes>) -> Fault {
        let hooks = self
            .before
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        hooks
            .iter()
            .map(|hook| hook(request))
            .find(|fault| *fault != Fault::None)
            .unwrap_or_default()
    }

    pub(crate) fn done(&self, method: &str, path: &str, status: u16) {
        let hooks = self
            .after
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for hook in &hooks {
            hook(method, path, status);
        }
    }
}

/// Writes the answer of a status fault.
pub(crate) fn status_response(
    status: u16,
    body: &str,
    retry_after: Option<u64>,
) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_owned()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json; charset=utf-8"),
    );
    if let Some(seconds) = retry_after {
        headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from(seconds));
    }
    response
}
