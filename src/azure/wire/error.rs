//! The error envelope of ARM (azure.md §6).

use serde::{Deserialize, Serialize};

use crate::azure::error::bounded;

/// An error as ARM words it, also inside results that arrive with 200.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ApiError {
    /// The code; the thing to match on.
    pub code: Option<String>,
    /// For people.
    pub message: Option<String>,
    /// The property it is about.
    pub target: Option<String>,
    /// Errors below it.
    pub details: Option<Vec<ApiError>>,
}

impl ApiError {
    /// Writes `code: message`, bounded; none where it says nothing. Compute puts an error with
    /// code `Success` beside results that went well.
    pub fn line(&self) -> Option<String> {
        let code = self.code.as_deref().unwrap_or_default();
        let message = self.message.as_deref().unwrap_or_default();
        let says_nothing = code.is_empty() && message.is_empty();
        if says_nothing || code.eq_ignore_ascii_case("success") {
            return None;
        }
        Some(bounded(&format!("{code}: {message}")))
    }
}

#[derive(Deserialize)]
struct Body {
    error: ApiError,
}

/// What a refused answer's body says; empty texts where it says nothing.
pub(crate) struct Envelope {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) target: Option<String>,
}

impl Envelope {
    /// Reads a body that may be anything. One that is no envelope is not quoted: it may be the
    /// page of a proxy, and whatever it echoes. The texts are not yet bounded.
    pub(crate) fn read(body: &[u8]) -> Self {
        let error = serde_json::from_slice::<Body>(body)
            .map(|body| body.error)
            .unwrap_or_default();
        // A word that says nothing stands before the one that does, as Resource Graph words it.
        let is_vague = |error: &ApiError| {
            let code = error.code.as_deref().unwrap_or_default();
            code.is_empty() || code.eq_ignore_ascii_case("BadRequest")
        };
        let detail = error.details.iter().flatten().find(|own| !is_vague(own));
        let told = match detail {
            Some(detail) if is_vague(&error) => detail.clone(),
            _ => error,
        };
        Self {
            code: told.code.unwrap_or_default(),
            message: told.message.unwrap_or_default(),
            target: told.target,
        }
    }
}
