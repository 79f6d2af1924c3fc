//! Entra ID: a proof of who asks, for a token (OAuth 2.0 client credentials).

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method};
use zeroize::Zeroizing;

use super::answer::{self, Issued};
use super::refusal::{Fault, Refusal};
use super::secret::Secret;
use super::{AzureCloud, is_guid};
use crate::azure::endpoint::Endpoint;
use crate::azure::transport::Transport;

/// What a federated assertion is (RFC 7523, 2.2; azure.md §10).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How Entra ID is called in messages.
const NAME: &str = "Entra ID";

/// Who asks for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    tenant: String,
    client: String,
}

impl Login {
    /// Names a tenant and a client id in it.
    ///
    /// # Errors
    /// [`Refusal`] with [`Fault::NoIdentity`], naming which of them is no GUID.
    pub fn new(tenant: &str, client: &str) -> Result<Self, Refusal> {
        for (name, value) in [("tenant", tenant), ("client", client)] {
            if !is_guid(value) {
                let wrong = if value.is_empty() {
                    "is missing"
                } else {
                    "is no GUID"
                };
                let text = format!("the {name} id of the Azure identity {wrong}");
                return Err(Refusal::new(Fault::NoIdentity, text));
            }
        }
        Ok(Self {
            tenant: tenant.to_ascii_lowercase(),
            client: client.to_ascii_lowercase(),
        })
    }

    /// Returns the tenant's id.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Returns the client id.
    pub fn client(&self) -> &str {
        &self.client
    }
}

/// What proves who asks.
#[derive(Debug)]
pub enum Proof {
    /// A token that another issuer signed: a federated assertion.
    Assertion(Secret),
    /// A client secret.
    ClientSecret(Secret),
}

/// Entra ID of one cloud.
#[derive(Debug, Clone)]
pub struct Authority {
    endpoint: Endpoint,
    scope: String,
}

impl Authority {
    /// Makes Entra ID at `endpoint`, which issues tokens for Azure Resource Manager of `cloud`.
    pub fn new(endpoint: Endpoint, cloud: AzureCloud) -> Self {
        Self {
            endpoint,
            scope: format!("{}.default", cloud.audience()),
        }
    }

    /// Asks once for a token. The proof goes to this authority and nowhere else; an answer that
    /// leads elsewhere is a refusal.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn token(
        &self,
        transport: &dyn Transport,
        login: &Login,
        proof: &Proof,
    ) -> Result<Issued, Refusal> {
        let path = format!("/{}/oauth2/v2.0/token", login.tenant);
        let uri = self.endpoint.at(NAME, &path);
        let uri = uri.map_err(|_| Refusal::new(Fault::NoIdentity, "the tenant is no tenant"))?;
        let mut request = http::Request::new(self.form(login, proof));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        answer::read(NAME, transport.send(request).await)
    }

    /// Writes the body; it is wiped when the request is.
    fn form(&self, login: &Login, proof: &Proof) -> Bytes {
        let (names, secret) = match proof {
            Proof::Assertion(secret) => (
                [
                    ("client_assertion_type", ASSERTION_TYPE),
                    ("client_assertion", secret.expose()),
                ]
                .to_vec(),
                secret,
            ),
            Proof::ClientSecret(secret) => ([("client_secret", secret.expose())].to_vec(), secret),
        };
        let plain = [
            ("grant_type", "client_credentials"),
            ("client_id", &login.client),
            ("scope", &self.scope),
        ];
        // Room for all of it: a text that grows leaves its earlier copies behind.
        let room = 3 * secret.expose().len() + 1024;
        let mut body = Zeroizing::new(Vec::with_capacity(room));
        for (name, value) in plain.into_iter().chain(names) {
            if !body.is_empty() {
                body.push(b'&');
            }
            body.extend_from_slice(name.as_bytes());
            body.push(b'=');
            escape(value, &mut body);
        }
        Bytes::from_owner(body)
    }
}

/// Writes a value of a form: all but unreserved characters (RFC 3986, 2.3) as octets.
fn escape(value: &str, into: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(byte);
        } else {
            let digits = [byte >> 4, byte & 15].map(|own| HEX[usize::from(own)]);
            into.extend_from_slice(&[b'%', digits[0], digits[1]]);
        }
    }
}
