//! One connection: HTTP/1.1 with bounded headers and bodies. Must never decide what a request
//! means.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::body::Served;
use crate::ConnectionLost;
use crate::request::{self, MAX_BODY_BYTES};
use crate::service::{self, SimService};

/// Bound of a request's head, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bound of the number of a request's headers.
const HEADERS_MAX: usize = 100;
/// How long a connection may stand idle, or take to send a head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Serves a connection to its end, or until the server stops.
pub(super) async fn serve(
    stream: TcpStream,
    service: SimService,
    mut stopping: watch::Receiver<bool>,
) {
    // Without it small answers wait for the client's acknowledgement; it only costs time.
    let _ = stream.set_nodelay(true);
    let watched = stopping.clone();
    let answer = service_fn(move |request| answer(service.clone(), request, watched.clone()));
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), answer)
    );
    // What ends a connection is nobody's business here: the client sees it too.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(
    service: SimService,
    request: Request<Incoming>,
    stopping: watch::Receiver<bool>,
) -> Result<Response<Served>, ConnectionLost> {
    let (parts, body) = request.into_parts();
    // One byte more than is allowed, so that the service itself says what is too large.
    let body = Limited::new(body, MAX_BODY_BYTES);
    let read = tokio::time::timeout(BODY_TIMEOUT, body.collect()).await;
    let late = || ConnectionLost::Body("it did not arrive in time".to_owned());
    let response = match read.map_err(|_| late())? {
        Ok(body) => {
            let request = Request::from_parts(parts, Full::<Bytes>::new(body.to_bytes()));
            service.oneshot(request).await?
        }
        Err(error) if error.is::<LengthLimitError>() => service::refuse(request::too_large()),
        Err(error) => return Err(ConnectionLost::Body(error.to_string())),
    };
    Ok(response.map(|body| Served::new(body, &stopping)))
}
