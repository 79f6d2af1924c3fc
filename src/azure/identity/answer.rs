//! What a token endpoint answers.

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::refusal::{Fault, Refusal};
use super::secret::wipe;
use crate::azure::endpoint::Token;
use crate::azure::transport::TransportError;

/// The longest life that is believed, in seconds: a managed identity's token lives for a day.
const LIFE_SECONDS_MAX: i64 = 24 * 3600;

/// A token as it was issued.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The token.
    pub token: Token,
    /// Seconds that it lives, counted from before it was asked for.
    pub life_seconds: i64,
}

/// A text that is wiped when it is dropped.
struct Wiped(Zeroizing<String>);

impl<'de> Deserialize<'de> for Wiped {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Zeroizing::new(text)))
    }
}

/// A number that some endpoints write as a text (IMDS does, azure.md §10).
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(i64),
    Text(String),
}

#[derive(Deserialize)]
struct Good {
    access_token: Wiped,
    expires_in: Number,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Bad {
    error: String,
    error_codes: Vec<u64>,
    error_description: String,
}

/// Reads the answer of a token endpoint and wipes it.
///
/// # Errors
/// [`Refusal`], in which nothing of the answer is quoted but its codes.
pub(super) fn read(
    from: &str,
    answer: Result<http::Response<Bytes>, TransportError>,
) -> Result<Issued, Refusal> {
    let unavailable = |why: &str| {
        let text = format!("{from} {why}; it is asked again");
        Refusal::new(Fault::TokenUnavailable, text)
    };
    let answer = answer.map_err(|error| match error {
        TransportError::NotSent(_) => unavailable("cannot be reached"),
        TransportError::AnswerLost(_) => unavailable("did not answer"),
    })?;
    let (head, body) = answer.into_parts();
    let status = head.status;
    let read = if status.is_success() {
        good(&body).ok_or_else(|| unavailable("answered without a token that can be used"))
    } else if status.is_client_error() && !matches!(status.as_u16(), 408 | 410 | 429) {
        let bad: Bad = serde_json::from_slice(&body).unwrap_or_default();
        Err(refused(from, status, &bad))
    } else {
        Err(unavailable(&format!("answered {}", status.as_u16())))
    };
    wipe(body);
    read
}

fn good(body: &[u8]) -> Option<Issued> {
    let good: Good = serde_json::from_slice(body).ok()?;
    let seconds = match good.expires_in {
        Number::Plain(seconds) => seconds,
        Number::Text(text) => text.parse().ok()?,
    };
    let token = Token::new(&good.access_token.0).ok()?;
    (seconds > 0).then(|| Issued {
        token,
        life_seconds: seconds.min(LIFE_SECONDS_MAX),
    })
}

fn refused(from: &str, status: http::StatusCode, bad: &Bad) -> Refusal {
    let mut codes = bad.error_codes.clone();
    codes.extend(code_of(&bad.error_description));
    let refusal = Refusal::of_codes(&codes, &bad.error);
    if codes.is_empty() {
        let text = format!("{from} answered {}: {}", status.as_u16(), refusal.message);
        return Refusal::new(refusal.fault, text);
    }
    refusal
}

/// Returns the code at the front of a description, `AADSTS700016: …`.
fn code_of(description: &str) -> Option<u64> {
    let rest = description.strip_prefix("AADSTS")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}
