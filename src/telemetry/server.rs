//! Serves `/livez`, `/readyz` and `/metrics` over HTTP, to read and nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::Telemetry;

/// Connections at the same time; more wait.
pub const CONNECTIONS_MAX: usize = 64;

/// The longest a connection is kept, whatever it does.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);

/// The longest a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait when no connection can be taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What Prometheus asks for.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, telemetry: Telemetry) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no connection could be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let telemetry = telemetry.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer(&telemetry, request.method(), request.uri().path());
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // A peer that goes away or stays too long is no news.
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
            drop(seat);
        });
    }
}

fn answer(telemetry: &Telemetry, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return page(
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT_TYPE,
            "only GET\n".to_owned(),
        );
    }
    match path {
        "/livez" => verdict(telemetry.is_live()),
        "/readyz" => verdict(telemetry.is_ready()),
        "/metrics" => page(StatusCode::OK, METRICS_TYPE, telemetry.exposition()),
        _ => page(
            StatusCode::NOT_FOUND,
            TEXT_TYPE,
            "here are /livez, /readyz and /metrics\n".to_owned(),
        ),
    }
}

fn verdict(found: Result<(), String>) -> Response<Full<Bytes>> {
    match found {
        Ok(()) => page(StatusCode::OK, TEXT_TYPE, "ok\n".to_owned()),
        Err(why) => page(
            StatusCode::SERVICE_UNAVAILABLE,
            TEXT_TYPE,
            format!("{why}\n"),
        ),
    }
}

fn page(status: StatusCode, media_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let value = header::HeaderValue::from_static(media_type);
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}
