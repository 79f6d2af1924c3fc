//! The Instance Metadata Service: the managed identity of the machine that the operator runs on.

use bytes::Bytes;
use http::{HeaderValue, Uri};

use super::answer::{self, Issued};
use super::refusal::{Fault, Refusal};
use super::{AzureCloud, is_guid};
use crate::azure::endpoint::is_this_machine;
use crate::azure::transport::Transport;

/// The address of the service on every Azure machine, link-local and without TLS (azure.md §10).
const HOST: &str = "169.254.169.254";

/// The version of its API (azure.md §10: "How to use managed identities on an Azure VM").
const API_VERSION: &str = "2018-02-01";

/// The service.
#[derive(Debug, Clone)]
pub struct Imds {
    base: String,
    client: Option<String>,
    audience: &'static str,
}

impl Imds {
    /// Makes the service of this machine, for tokens of `cloud`. Without a client id the machine
    /// must have one identity, which then answers.
    ///
    /// # Errors
    /// [`Refusal`] where the client id is no GUID.
    pub fn new(client: Option<&str>, cloud: AzureCloud) -> Result<Self, Refusal> {
        if client.is_some_and(|own| !is_guid(own)) {
            let text = "the client id of the managed identity is no GUID";
            return Err(Refusal::new(Fault::NoIdentity, text));
        }
        Ok(Self {
            base: format!("http://{HOST}"),
            client: client.map(str::to_ascii_lowercase),
            audience: cloud.audience(),
        })
    }

    /// Returns the same service behind another address on this machine: a pod's own proxy, or an
    /// emulator. None where it is not `http://host[:port]` on this machine.
    #[must_use]
    pub fn at(self, base: &str) -> Option<Self> {
        let uri: Uri = base.parse().ok()?;
        let plain = uri.scheme_str() == Some("http")
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
            && uri.host().is_some_and(is_this_machine)
            && !base.contains('@');
        let base = base.trim_end_matches('/').to_owned();
        plain.then_some(Self { base, ..self })
    }

    /// Asks once for a token.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn token(&self, transport: &dyn Transport) -> Result<Issued, Refusal> {
        let audience = self.audience.replace(':', "%3A").replace('/', "%2F");
        let client = self.client.as_ref();
        let client = client.map_or_else(String::new, |own| format!("&client_id={own}"));
        let uri: Uri = format!(
            "{}/metadata/identity/oauth2/token?api-version={API_VERSION}&resource={audience}{client}",
            self.base
        )
        .parse()
        .map_err(|_| Refusal::new(Fault::NoIdentity, "the metadata address does not parse"))?;
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert("metadata", HeaderValue::from_static("true"));
        answer::read(
            "the machine's metadata service",
            transport.send(request).await,
        )
    }
}
