//! One connection: HTTP/1.1, bare or in TLS, with bounded heads and bodies. Must never decide
//! what a request means.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::admin;
use super::clock::CallerClock;
use super::counts::Counts;
use super::wire::{Reset, Wire};
use crate::fault::Disconnected;
use crate::http::request::SCHEME_HEADER;
use crate::sim::AzureSim;

/// The largest request that is read, in bytes (ARM's bound is 4 MB).
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bound of a request's head, in bytes: tokens and poll addresses are some kilobytes long.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bound of the number of a request's headers.
const HEADERS_MAX: usize = 100;

/// How long a connection may stand idle, or take to send a head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long TLS may take to come about.
#[cfg(feature = "https")]
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How a connection is dressed.
pub(super) enum Dress {
    Plain,
    #[cfg(feature = "https")]
    Tls(tokio_rustls::TlsAcceptor),
}

/// What all connections share.
pub(super) struct Desk {
    pub(super) sim: AzureSim,
    pub(super) counts: Counts,
    clock: Option<CallerClock>,
    dress: Dress,
    scheme: HeaderValue,
}

impl Desk {
    pub(super) fn new(
        sim: AzureSim,
        clock: Option<CallerClock>,
        dress: Dress,
        scheme: &'static str,
    ) -> Self {
        Self {
            sim,
            counts: Counts::default(),
            clock,
            dress,
            scheme: HeaderValue::from_static(scheme),
        }
    }
}

/// Serves a connection to its end.
pub(super) async fn serve(stream: TcpStream, desk: Arc<Desk>) {
    let reset = Reset::default();
    let wire = Wire::new(stream, reset.clone());
    match &desk.dress {
        Dress::Plain => converse(wire, &desk, reset).await,
        #[cfg(feature = "https")]
        Dress::Tls(acceptor) => {
            let accepted = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(wire)).await;
            // Whoever does not trust the certificate, or speaks no TLS, knows it by himself.
            if let Ok(Ok(stream)) = accepted {
                converse(stream, &desk, reset).await;
            }
        }
    }
}

async fn converse<S>(stream: S, desk: &Arc<Desk>, reset: Reset)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| answer(request, desk, &reset));
    // An error is a connection that broke: the client's, or ours by a fault.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    desk: &Arc<Desk>,
    reset: &Reset,
) -> Result<Response<Full<Bytes>>, Disconnected> {
    let (mut head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX);
    let body = match tokio::time::timeout(BODY_TIMEOUT, body.collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Ok(refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLarge"));
        }
        Ok(Err(_)) => return Ok(refuse(StatusCode::BAD_REQUEST, "InvalidRequestContent")),
        Err(_) => return Ok(refuse(StatusCode::REQUEST_TIMEOUT, "RequestTimeout")),
    };
    head.headers.insert(SCHEME_HEADER, desk.scheme.clone());
    let request = Request::from_parts(head, body);
    if let Some(response) = admin::answer(desk, &request) {
        return Ok(response.map(Full::new));
    }
    if let Some(clock) = &desk.clock {
        clock.learn(request.headers());
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = desk.sim.call(request);
    let status = answered.as_ref().ok().map(|own| own.status().as_u16());
    desk.counts.add(method.as_str(), &path, status);
    answered
        .map(|response| response.map(Full::new))
        .inspect_err(|broken| {
            if broken.is_reset() {
                reset.order();
            }
        })
}

/// Writes a refusal before the router.
fn refuse(status: StatusCode, code: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({"error": {"code": code, "message": "The request was not read."}});
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
