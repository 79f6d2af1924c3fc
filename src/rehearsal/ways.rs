//! The ways from the operator to both simulators, through the gate and the weather. Must never
//! look into what they carry beyond what tells a read from a write.

mod carried;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use azure_sim::AzureSim;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use kube::client::Body;
use kube_sim::{ConnectionLost, SimService};
use serde_json::json;
use tokio::time::sleep;

use self::carried::Carried;
use super::gate::{Gate, Side};
use super::weather::{Fault, Passing, RetryAfter, To};
use crate::azure::transport::REQUEST_TIMEOUT;
use crate::azure::{Transport, TransportError};

/// The header that carries a command's request id (ARM, "Common request headers").
const REQUEST_ID: &str = "x-ms-client-request-id";

/// Tells the time, for dates in headers.
pub(super) type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// A future that never ends: the process that waits for it is dead.
async fn never<T>() -> T {
    std::future::pending().await
}

async fn wait(long: Duration) {
    if !long.is_zero() {
        sleep(long).await;
    }
}

/// The Kubernetes API behind the gate.
#[derive(Clone)]
pub(super) struct KubeWay {
    /// The simulator.
    pub service: SimService,
    /// The gate.
    pub gate: Gate,
    /// The time.
    pub now: Now,
}

impl tower::Service<Request<Body>> for KubeWay {
    type Response = Response<Carried>;
    type Error = ConnectionLost;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let own = self.clone();
        Box::pin(async move {
            let path = request.uri().path();
            let query = request.uri().query().unwrap_or_default();
            let passing = Passing {
                number: 0,
                to: To::Kube,
                // Reviews are questions, although they are created.
                is_effect: request.method() != Method::GET && !path.ends_with("reviews"),
                is_watch: query.contains("watch="),
                method: request.method().as_str(),
                path,
            };
            match own.gate.admit(passing) {
                Some(fault) => own.carry(request, fault).await,
                None => never().await,
            }
        })
    }
}

impl KubeWay {
    /// Applies a request whose answer nobody hears.
    async fn apply_unheard(&self, request: Request<Body>) {
        self.gate.astray().is_not_heard(request.uri().path());
        let _ = self.apply(request).await;
    }

    async fn apply(&self, request: Request<Body>) -> Result<Response<Carried>, ConnectionLost> {
        let answer = tower::Service::call(&mut self.service.clone(), request).await?;
        Ok(answer.map(Carried::plain))
    }

    async fn carry(
        self,
        request: Request<Body>,
        fault: Fault,
    ) -> Result<Response<Carried>, ConnectionLost> {
        match fault {
            Fault::None => self.apply(request).await,
            Fault::Refused {
                status,
                retry_after,
            } => Ok(self.refusal(status, retry_after)),
            Fault::NotSent | Fault::RequestLost => Err(ConnectionLost::Before),
            Fault::AnswerLost => {
                self.apply_unheard(request).await;
                Err(ConnectionLost::After)
            }
            Fault::AnswerSpoilt(status) => {
                self.apply_unheard(request).await;
                Ok(self.refusal(status, RetryAfter::Unsaid))
            }
            Fault::Late(long) => {
                tokio::spawn(async move {
                    sleep(long).await;
                    self.apply_unheard(request).await;
                });
                sleep(REQUEST_TIMEOUT.min(long)).await;
                Err(ConnectionLost::After)
            }
            Fault::Twice(long) => {
                let (request, copy) = twice(request).await?;
                let again = self.clone();
                tokio::spawn(async move {
                    sleep(long).await;
                    again.apply_unheard(copy).await;
                });
                self.apply(request).await
            }
            Fault::Slow(before, after) => {
                wait(before).await;
                let answer = self.apply(request).await;
                wait(after).await;
                answer
            }
            Fault::Death(Side::Before) => never().await,
            Fault::Death(Side::After) => {
                self.apply_unheard(request).await;
                never().await
            }
            Fault::Silent(long) => {
                let answer = self.apply(request).await?;
                Ok(answer.map(|_| Carried::silent(long)))
            }
            Fault::Lagging(lag) => {
                let answer = self.apply(request).await?;
                Ok(answer.map(|body| body.lagging(lag)))
            }
        }
    }

    fn refusal(&self, status: u16, retry_after: RetryAfter) -> Response<Carried> {
        let reason = match status {
            403 => "Forbidden",
            409 => "Conflict",
            410 => "Expired",
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "InternalError",
        };
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "the weather is bad", "reason": reason, "code": status,
        });
        let mut answer = Response::new(Carried::whole(body.to_string().into()));
        *answer.status_mut() = code(status);
        tell(answer.headers_mut(), retry_after, (self.now)());
        answer
    }
}

/// Reads a request and returns it twice.
async fn twice(request: Request<Body>) -> Result<(Request<Body>, Request<Body>), ConnectionLost> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await;
    let body = body
        .map_err(|error| ConnectionLost::Body(error.to_string()))?
        .to_bytes();
    let copy = Request::from_parts(parts.clone(), Body::from(body.clone()));
    Ok((Request::from_parts(parts, Body::from(body)), copy))
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn tell(headers: &mut HeaderMap, retry_after: RetryAfter, now: DateTime<Utc>) {
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let text = match retry_after {
        RetryAfter::Unsaid => return,
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Date(seconds) => (now + TimeDelta::seconds(i64::from(seconds)))
            .format("%a, %d %b %Y %H:%M:%S GMT")
            .to_string(),
    };
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(header::RETRY_AFTER, value);
    }
}

/// Azure behind the gate.
#[derive(Clone)]
pub(super) struct AzureWay {
    /// The simulator.
    pub sim: AzureSim,
    /// The gate.
    pub gate: Gate,
    /// The time.
    pub now: Now,
}

type Answer = Result<Response<Bytes>, TransportError>;

impl Transport for AzureWay {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Answer> {
        let own = self.clone();
        Box::pin(async move {
            let path = request.uri().path();
            let graph = path
                .to_ascii_lowercase()
                .contains("microsoft.resourcegraph");
            let passing = Passing {
                number: 0,
                to: To::Azure,
                is_effect: request.method() != Method::GET && !graph,
                is_watch: false,
                method: request.method().as_str(),
                path,
            };
            match own.gate.admit(passing) {
                Some(fault) => own.carry(request, fault).await,
                None => never().await,
            }
        })
    }
}

impl AzureWay {
    fn apply(&self, request: Request<Bytes>) -> Answer {
        let answer = self.sim.call(request);
        answer.map_err(|lost| TransportError::AnswerLost(lost.to_string()))
    }

    async fn carry(self, request: Request<Bytes>, fault: Fault) -> Answer {
        let lost = || Err(TransportError::AnswerLost("the weather is bad".to_owned()));
        match fault {
            Fault::None | Fault::Silent(_) | Fault::Lagging(_) => self.apply(request),
            Fault::Refused {
                status,
                retry_after,
            } => Ok(self.refusal(status, retry_after)),
            Fault::NotSent => Err(TransportError::NotSent("no connection".to_owned())),
            Fault::RequestLost => lost(),
            Fault::AnswerLost => {
                let _ = self.apply(request);
                lost()
            }
            Fault::AnswerSpoilt(status) => {
                let _ = self.apply(request);
                Ok(self.refusal(status, RetryAfter::Unsaid))
            }
            Fault::Late(long) => {
                if let Some(id) = id_of(&request) {
                    self.gate.astray().delays(id);
                }
                tokio::spawn(async move {
                    sleep(long).await;
                    let _ = self.apply(request);
                });
                sleep(REQUEST_TIMEOUT.min(long)).await;
                lost()
            }
            Fault::Twice(long) => {
                if let Some(id) = id_of(&request) {
                    self.gate.astray().doubles(id);
                }
                let (copy, again) = (request.clone(), self.clone());
                tokio::spawn(async move {
                    sleep(long).await;
                    let _ = again.apply(copy);
                });
                self.apply(request)
            }
            Fault::Slow(before, after) => {
                wait(before).await;
                let answer = self.apply(request);
                wait(after).await;
                answer
            }
            Fault::Death(Side::Before) => never().await,
            Fault::Death(Side::After) => {
                let _ = self.apply(request);
                never().await
            }
        }
    }

    fn refusal(&self, status: u16, retry_after: RetryAfter) -> Response<Bytes> {
        let word = match status {
            401 => "ExpiredAuthenticationToken",
            403 => "AuthorizationFailed",
            404 => "ResourceNotFound",
            409 => "Conflict",
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            504 => "GatewayTimeout",
            _ => "InternalServerError",
        };
        let body = json!({"error": {"code": word, "message": "the weather is bad"}});
        let mut answer = Response::new(Bytes::from(body.to_string()));
        *answer.status_mut() = code(status);
        let now = (self.now)();
        tell(answer.headers_mut(), retry_after, now);
        let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(value) = HeaderValue::try_from(date) {
            answer.headers_mut().insert(header::DATE, value);
        }
        answer
    }
}

fn id_of(request: &Request<Bytes>) -> Option<&str> {
    request.headers().get(REQUEST_ID)?.to_str().ok()
}
