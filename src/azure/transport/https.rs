//! HTTPS with the roots of the system, or with one file of roots.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::{Transport, TransportError};

/// The longest a request may take, connection and body included. The lease's arithmetic counts on
/// it: after this time nothing of ours is on the wire any more.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest answer that is read, in bytes: twice what Resource Graph sends at most
/// (azure.md §4).
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How long an idle connection is kept: shorter than the other side keeps it, so that a command
/// seldom meets a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait for a connection, within [`REQUEST_TIMEOUT`].
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Whose certificates are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roots<'a> {
    /// Those of the system.
    System,
    /// Only these, in PEM: for a private endpoint, an inspecting proxy or an emulator.
    Only(&'a [u8]),
}

/// Why there is no transport.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// The roots of the system cannot be read.
    #[error("cannot read the system's root certificates")]
    System(#[source] std::io::Error),
    /// The PEM file holds something else than certificates.
    #[error("cannot read the root certificates: {0}")]
    Pem(String),
    /// The PEM file holds no certificate.
    #[error("the file of root certificates holds no certificate")]
    NoRoots,
    /// The TLS library does not accept its settings.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
}

/// The transport to Microsoft.
pub struct HttpsTransport {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl HttpsTransport {
    /// Makes a transport that trusts `roots`.
    ///
    /// # Errors
    /// [`HttpsError`] where the roots cannot be read.
    pub fn new(roots: Roots<'_>) -> Result<Self, HttpsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = HttpsConnectorBuilder::new();
        let builder = match roots {
            Roots::System => builder
                .with_provider_and_native_roots(provider)
                .map_err(HttpsError::System)?,
            Roots::Only(pem) => {
                let config = ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .map_err(HttpsError::Tls)?
                    .with_root_certificates(store(pem)?)
                    .with_no_client_auth();
                builder.with_tls_config(config)
            }
        };
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = builder.https_or_http().enable_http1().wrap_connector(http);
        // The client gives a request to a second connection only where the first returned it
        // whole, no byte of it written; that is no second sending.
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(hyper_util::rt::TokioTimer::new())
            .build(connector);
        Ok(Self { client })
    }

    async fn exchange(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let answer = self
            .client
            .request(request.map(Full::new))
            .await
            .map_err(|error| {
                if error.is_connect() {
                    TransportError::NotSent(chain(&error))
                } else {
                    TransportError::AnswerLost(chain(&error))
                }
            })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| TransportError::AnswerLost(format!("reading the body: {error}")))?;
        Ok(http::Response::from_parts(head, body.to_bytes()))
    }
}

impl Transport for HttpsTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let limit = REQUEST_TIMEOUT.as_secs();
            tokio::time::timeout(REQUEST_TIMEOUT, self.exchange(request))
                .await
                .unwrap_or_else(|_| {
                    Err(TransportError::AnswerLost(format!(
                        "no answer within {limit} s"
                    )))
                })
        })
    }
}

fn store(pem: &[u8]) -> Result<RootCertStore, HttpsError> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| HttpsError::Pem(error.to_string()))?;
        store
            .add(certificate)
            .map_err(|error| HttpsError::Pem(error.to_string()))?;
    }
    if store.is_empty() {
        Err(HttpsError::NoRoots)
    } else {
        Ok(store)
    }
}

/// Writes an error with its causes: hyper's own text alone says next to nothing.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// Takes one connection, reads from it once and answers with `answer`.
    fn serve(answer: &'static str) -> (u16, std::thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut read = [0; 1024];
            let _ = stream.read(&mut read).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        (port, server)
    }

    fn request(port: u16) -> http::Request<Bytes> {
        http::Request::post(format!("http://127.0.0.1:{port}/x"))
            .body(Bytes::new())
            .unwrap()
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        assert!(matches!(
            HttpsTransport::new(Roots::Only(b"")),
            Err(HttpsError::NoRoots)
        ));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            HttpsTransport::new(Roots::Only(broken)),
            Err(HttpsError::Pem(_))
        ));
    }

    #[tokio::test]
    async fn a_refused_connection_is_not_sent_and_a_broken_one_is_an_answer_lost() {
        let transport = HttpsTransport::new(Roots::System).unwrap();
        let (port, server) = serve("");
        let lost = transport.send(request(port)).await.unwrap_err();
        assert!(matches!(lost, TransportError::AnswerLost(_)), "{lost}");
        server.join().unwrap();
        let refused = transport.send(request(port)).await.unwrap_err();
        assert!(matches!(refused, TransportError::NotSent(_)), "{refused}");
    }

    #[tokio::test]
    async fn an_answer_is_carried_whole_and_redirects_are_not_followed() {
        let transport = HttpsTransport::new(Roots::System).unwrap();
        let (port, server) = serve(
            "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.invalid/\r\n\
             Content-Length: 2\r\n\r\n{}",
        );
        let answer = transport.send(request(port)).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.body().as_ref()),
            (302, &b"{}"[..])
        );
        server.join().unwrap();
    }
}
