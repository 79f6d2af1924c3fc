//! Where Azure Resource Manager answers, and the token that only it may see.
//!
//! Must never let an address from an answer lead elsewhere, and never show the token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::HeaderValue;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use zeroize::Zeroizing;

use super::error::Error;
use crate::planted::{self, Bug};

/// The longest address that is accepted, in bytes (ARM's poll addresses reach 4 KB,
/// azure.md §6).
pub const URL_BYTES_MAX: usize = 8 * 1024;

/// The hosts that may be spoken to without TLS: an emulator on the same machine.
const PLAIN_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Tells whether a host, as an address spells it, is this machine.
pub fn is_this_machine(host: &str) -> bool {
    PLAIN_HOSTS.contains(&host)
}

/// The base address of Azure Resource Manager: a scheme and a host, no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    authority: Authority,
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an absolute address.
    #[error("endpoint \"{0}\" is not of the form https://host")]
    Form(String),
    /// Not HTTPS, and not on this machine.
    #[error("endpoint \"{0}\" does not use https")]
    Plain(String),
}

impl Endpoint {
    /// The public cloud.
    pub const PUBLIC: &str = "https://management.azure.com";

    /// Parses a base address, such as [`Endpoint::PUBLIC`]. A trailing slash is dropped.
    ///
    /// # Errors
    /// [`EndpointError`] where it is not `https://host[:port]` (`http` only for the same
    /// machine), or carries a path, a query or credentials.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let form = || EndpointError::Form(text.chars().take(120).collect());
        let uri: Uri = text.parse().map_err(|_| form())?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(form());
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(form());
        }
        let (host, port) = place(scheme, authority).ok_or_else(form)?;
        if *scheme != Scheme::HTTPS && !is_this_machine(&host) {
            return Err(EndpointError::Plain(text.chars().take(120).collect()));
        }
        Ok(Self {
            scheme: scheme.clone(),
            host,
            port,
            authority: authority.clone(),
        })
    }

    /// Returns the host's name, lower-cased.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Builds an address here from a path and query that starts with a slash.
    pub(crate) fn at(&self, what: &str, path_and_query: &str) -> Result<Uri, Error> {
        let invalid = |why: &str| Error::Invalid {
            what: what.to_owned(),
            code: "InvalidAddress".to_owned(),
            target: None,
            message: why.to_owned(),
        };
        if path_and_query.len() > URL_BYTES_MAX {
            return Err(invalid("the address is too long"));
        }
        let path: PathAndQuery = path_and_query
            .parse()
            .map_err(|_| invalid("the address does not parse"))?;
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .map_err(|_| invalid("the address does not parse"))
    }

    /// Accepts an absolute address from an answer, if it leads here.
    ///
    /// # Errors
    /// [`Error::Malformed`] naming the host where it leads elsewhere: the token goes nowhere else.
    pub(crate) fn follow(&self, what: &str, url: &str) -> Result<Uri, Error> {
        if url.len() > URL_BYTES_MAX {
            return Err(Error::malformed(
                what,
                "it leads to an address that is too long",
            ));
        }
        let uri: Uri = url
            .parse()
            .map_err(|_| Error::malformed(what, "it leads to an address that does not parse"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::malformed(
                what,
                "it leads to an address without a host",
            ));
        };
        let here = place(scheme, authority)
            .is_some_and(|(host, port)| host == self.host && port == self.port);
        if !here || *scheme != self.scheme {
            let host = authority.host();
            let why = format!("it leads to {scheme}://{host}, which is not the endpoint");
            return Err(Error::malformed(what, why));
        }
        Ok(uri)
    }
}

/// Returns host and port, or none where the authority is not just a host and a port that is
/// written or known.
fn place(scheme: &Scheme, authority: &Authority) -> Option<(String, u16)> {
    let host = authority.host();
    // Credentials before the host, or anything else around it, leave no such rest.
    let rest = authority
        .as_str()
        .strip_prefix(host)
        .filter(|_| !host.is_empty())?;
    let port = match rest.strip_prefix(':') {
        Some(port) => port.parse().ok()?,
        None if !rest.is_empty() => return None,
        None if *scheme == Scheme::HTTPS => 443,
        None if *scheme == Scheme::HTTP => 80,
        None => return None,
    };
    Some((host.to_ascii_lowercase(), port))
}

/// A bearer token for the endpoint. It has no way to be shown: its `Debug` prints no part of it.
/// Its text is wiped when the last clone of it goes, those in requests among them.
#[derive(Clone)]
pub struct Token {
    header: HeaderValue,
    unaccepted: Arc<AtomicBool>,
}

/// What stands before a token in its header (RFC 6750, 2.1).
const BEARER: &str = "Bearer ";

/// Says that a token holds characters that no header may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token holds characters that a header cannot carry")]
pub struct TokenError;

impl Token {
    /// Takes a bearer token, without the word `Bearer`.
    ///
    /// # Errors
    /// [`TokenError`] where it is empty or cannot stand in a header.
    pub fn new(secret: &str) -> Result<Self, TokenError> {
        let plain = !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_graphic());
        if !plain {
            return Err(TokenError);
        }
        // Room for all of it at once: a text that grows leaves its earlier copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(BEARER.len() + secret.len()));
        text.extend_from_slice(BEARER.as_bytes());
        text.extend_from_slice(secret.as_bytes());
        let mut header =
            HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(|_| TokenError)?;
        header.set_sensitive(true);
        Ok(Self {
            header,
            unaccepted: Arc::default(),
        })
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Notes that the endpoint did not accept it (401), on all clones.
    pub(crate) fn note_unaccepted(&self) {
        self.unaccepted.store(true, Ordering::Relaxed);
    }

    /// Tells whether the endpoint did not accept it.
    pub(crate) fn is_unaccepted(&self) -> bool {
        self.unaccepted.load(Ordering::Relaxed)
    }

    /// Takes the token out of a text from outside: a proxy's answer may echo what it was sent.
    pub(crate) fn redact(&self, text: &str) -> String {
        let secret = self
            .header
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix(BEARER));
        secret.map_or_else(String::new, |secret| {
            text.replace(secret, planted::pick(Bug::TellToken, "(token)", secret))
        })
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]
    use super::*;

    #[test]
    fn an_endpoint_is_a_scheme_and_a_host_and_nothing_else() {
        let good = [
            "https://management.azure.com",
            "https://Management.azure.com/",
            "https://localhost:8443",
            "http://127.0.0.1:8080",
        ];
        for text in good {
            assert!(Endpoint::parse(text).is_ok(), "{text}");
        }
        let bad = [
            "",
            "management.azure.com",
            "http://management.azure.com",
            "ftp://localhost",
            "https://management.azure.com/path",
            "https://me@management.azure.com",
            "https://management.azure.com?x=1",
            "https://host:port",
        ];
        for text in bad {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_addresses_on_the_endpoint_are_followed() {
        let endpoint = Endpoint::parse(Endpoint::PUBLIC).unwrap();
        let good = [
            "https://management.azure.com/subscriptions/s?x=1",
            "https://MANAGEMENT.azure.com:443/a",
        ];
        for url in good {
            assert!(endpoint.follow("it", url).is_ok(), "{url}");
        }
        let bad = [
            "http://management.azure.com/a",
            "https://management.azure.com:8443/a",
            "https://management.azure.com.evil.example/a",
            "https://evil.example/a",
            "https://management.azure.com@evil.example/a",
            "https://evil.example@management.azure.com/a",
            "//management.azure.com/a",
            "/a",
            "eastus2euap",
            "",
            "https://management.azure.com:/a",
        ];
        for url in bad {
            let error = endpoint.follow("it", url).unwrap_err();
            assert!(matches!(error, Error::Malformed { .. }), "{url}");
        }
        let error = endpoint.follow("it", "https://evil.example/a").unwrap_err();
        assert!(error.to_string().contains("evil.example"), "{error}");
    }

    #[test]
    fn a_token_never_shows() {
        let token = Token::new("canary-secret").unwrap();
        assert!(!format!("{token:?}{:?}", token.header()).contains("canary"));
        assert!(Token::new("two words").is_err() && Token::new("").is_err());
        assert!(Token::new("line\nbreak").is_err());
    }
}
