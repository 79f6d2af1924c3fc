//! Texts that must not be seen: they are wiped when they are let go of.

use bytes::Bytes;
use zeroize::{Zeroize, Zeroizing};

use crate::azure::endpoint::Token;

/// Wipes an answer that held a secret, if nobody else holds it.
pub fn wipe(body: Bytes) {
    if let Ok(mut body) = body.try_into_mut() {
        body.zeroize();
    }
}

/// A client secret or an assertion. It shows no part of itself, and is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret; white space around it is none of it.
    ///
    /// Returns none where nothing is left, or more than [`super::SECRET_BYTES_MAX`] bytes.
    pub fn new(text: String) -> Option<Self> {
        let text = Zeroizing::new(text);
        let plain = text.trim();
        if plain.is_empty() || plain.len() > super::SECRET_BYTES_MAX {
            return None;
        }
        Some(Self(Zeroizing::new(plain.to_owned())))
    }

    /// Takes it for a bearer token, if it can be one.
    pub fn token(&self) -> Option<Token> {
        Token::new(&self.0).ok()
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
