//! One request to Azure Resource Manager and what its answer means.
//!
//! Its bucket is asked before a request and told of the answer. Must never retry, sleep, or send
//! the token elsewhere than to the endpoint.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, IF_MATCH, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use serde::de::DeserializeOwned;

use super::action;
use super::buckets::Pace;
use super::endpoint::{Endpoint, Token};
use super::error::{Error, bounded};
use super::rights::{self, Right};
use super::transport::{Transport, TransportError};
use super::wire::error::Envelope;
use crate::domain::command::RequestId;

/// Seconds to wait where Azure says "later" and not when (azure.md §6: 30 s by default).
pub(super) const RETRY_AFTER_SECONDS_DEFAULT: u64 = 30;

/// The longest wait that is believed, in seconds.
pub(super) const RETRY_AFTER_SECONDS_MAX: u64 = 3600;

/// How the operator names itself to Azure.
const AGENT: &str = concat!("hotpatch-operator/", env!("CARGO_PKG_VERSION"));

/// What a request is for Azure: something that may take effect, or not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Read,
    Write,
}

/// An answer in the two hundreds, or one that the caller asked to see.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The action that the request needs.
    pub(super) needs: Option<&'static Right>,
    /// The Azure action that the call needs, where it was denied.
    pub(super) denied: Option<String>,
}

impl Reply {
    /// Parses the body.
    pub(super) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Error::malformed(what, format!("its body: {error}")))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns Azure's clock.
    pub(super) fn date(&self) -> Option<DateTime<Utc>> {
        http_date(self.headers.get(DATE)?.to_str().ok()?)
    }

    /// Returns the seconds to wait: `Retry-After` in seconds or as an HTTP date, which is taken
    /// against the answer's own `Date` because no clock of ours is asked.
    pub(super) fn retry_after(&self) -> Option<u64> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let seconds = match text.parse::<u64>() {
            Ok(seconds) => seconds,
            Err(_) => {
                let left = http_date(text)? - self.date()?;
                u64::try_from(left.num_seconds()).unwrap_or(0)
            }
        };
        Some(seconds.min(RETRY_AFTER_SECONDS_MAX))
    }
}

/// Parses an HTTP date, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|date| date.with_timezone(&Utc))
}

/// The client.
#[derive(Clone)]
pub(super) struct Arm {
    transport: Arc<dyn Transport>,
    pub(super) endpoint: Arc<Endpoint>,
    token: Token,
    pace: Option<Pace>,
}

impl Arm {
    pub(super) fn new(transport: Arc<dyn Transport>, endpoint: Endpoint, token: Token) -> Self {
        Self {
            transport,
            endpoint: Arc::new(endpoint),
            token,
            pace: None,
        }
    }

    pub(super) fn with_pace(&self, pace: Option<Pace>) -> Self {
        Self {
            pace,
            ..self.clone()
        }
    }

    pub(super) fn pace(&self) -> Option<&Pace> {
        self.pace.as_ref()
    }

    pub(super) fn with_token(&self, token: Token) -> Self {
        Self {
            token,
            ..self.clone()
        }
    }

    /// Reads a path of the endpoint.
    pub(super) async fn get(&self, what: &str, path: &str) -> Result<Reply, Error> {
        let uri = self.endpoint.at(what, path)?;
        let reply = self
            .send(what, Method::GET, uri, Effect::Read, &[], Bytes::new())
            .await?;
        self.accept(what, Effect::Read, reply)
    }

    /// Reads an address that an answer gave, if it is on the endpoint; the status is the caller's
    /// to judge.
    pub(super) async fn poll(&self, what: &str, url: &str) -> Result<Reply, Error> {
        let uri = self.endpoint.follow(what, url)?;
        self.send(what, Method::GET, uri, Effect::Read, &[], Bytes::new())
            .await
    }

    /// Reads an address that an answer gave as its next page.
    pub(super) async fn follow(&self, what: &str, url: &str) -> Result<Reply, Error> {
        let reply = self.poll(what, url).await?;
        self.accept(what, Effect::Read, reply)
    }

    /// Asks Resource Graph: a POST that takes no effect, so that its loss is no riddle.
    pub(super) async fn query(
        &self,
        what: &str,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Reply, Error> {
        let uri = self.endpoint.at(what, path)?;
        let body = Bytes::from(body.to_string());
        self.send(what, Method::POST, uri, Effect::Read, &[], body)
            .await
    }

    /// Sends a command, once: a POST, or the PUT of a named run command.
    pub(super) async fn command(
        &self,
        what: &str,
        method: Method,
        path: &str,
        request: &RequestId,
        body: Option<&serde_json::Value>,
    ) -> Result<Reply, Error> {
        let uri = self.endpoint.at(what, path)?;
        let id = HeaderValue::from_str(&request.0).map_err(|_| Error::Invalid {
            what: what.to_owned(),
            code: "InvalidRequestId".to_owned(),
            target: Some("x-ms-client-request-id".to_owned()),
            message: "the request id cannot stand in a header".to_owned(),
        })?;
        let headers = [
            ("x-ms-client-request-id", id),
            (
                "x-ms-return-client-request-id",
                HeaderValue::from_static("true"),
            ),
        ];
        let body = body.map(ToString::to_string).unwrap_or_default().into();
        let reply = self
            .send(what, method, uri, Effect::Write, &headers, body)
            .await?;
        self.accept(what, Effect::Write, reply)
    }

    /// Deletes a resource; one that is not there is as good as deleted.
    pub(super) async fn delete(&self, what: &str, path: &str) -> Result<(), Error> {
        let uri = self.endpoint.at(what, path)?;
        let reply = self
            .send(what, Method::DELETE, uri, Effect::Write, &[], Bytes::new())
            .await?;
        match self.accept(what, Effect::Write, reply) {
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes a resource: PATCH or PUT, with `If-Match` where an etag is given.
    pub(super) async fn write(
        &self,
        what: &str,
        method: Method,
        path: &str,
        etag: Option<&str>,
        body: &serde_json::Value,
    ) -> Result<Reply, Error> {
        let uri = self.endpoint.at(what, path)?;
        let mut headers = Vec::new();
        if let Some(etag) = etag {
            let value = HeaderValue::from_str(etag)
                .map_err(|_| Error::malformed(what, "an etag that no header can carry"))?;
            headers.push((IF_MATCH.as_str(), value));
        }
        let body = Bytes::from(body.to_string());
        let reply = self
            .send(what, method, uri, Effect::Write, &headers, body)
            .await?;
        self.accept(what, Effect::Write, reply)
    }

    async fn send(
        &self,
        what: &str,
        method: Method,
        uri: Uri,
        effect: Effect,
        headers: &[(&'static str, HeaderValue)],
        body: Bytes,
    ) -> Result<Reply, Error> {
        let path = uri.path().to_owned();
        if let Some(pace) = &self.pace {
            pace.take(what, &method, &path)?;
        }
        let mut request = http::Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        let own = request.headers_mut();
        own.insert(AUTHORIZATION, self.token.header());
        own.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        for (name, value) in headers {
            own.insert(*name, value.clone());
        }
        if !request.body().is_empty() {
            request
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let needs = rights::of_request(request.method().as_str(), request.uri().path());
        match self.transport.send(request).await {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                if head.status == StatusCode::UNAUTHORIZED {
                    self.token.note_unaccepted();
                }
                let denied = (head.status == StatusCode::FORBIDDEN).then(|| {
                    let message = Envelope::read(&body).message;
                    self.clean(&action::denied(&message, &method, &path))
                });
                let reply = Reply {
                    status: head.status,
                    headers: head.headers,
                    body,
                    needs,
                    denied,
                };
                if let Some(pace) = &self.pace {
                    pace.heard(&method, &path, &reply);
                }
                Ok(reply)
            }
            Err(TransportError::AnswerLost(why)) if effect == Effect::Write => {
                Err(Error::Ambiguous {
                    what: what.to_owned(),
                    why: self.clean(&why),
                })
            }
            Err(TransportError::NotSent(why) | TransportError::AnswerLost(why)) => {
                Err(Error::Transient {
                    what: what.to_owned(),
                    why: self.clean(&why),
                })
            }
        }
    }

    fn clean(&self, text: &str) -> String {
        bounded(&self.token.redact(text))
    }

    fn accept(&self, what: &str, effect: Effect, reply: Reply) -> Result<Reply, Error> {
        if reply.status.is_success() {
            Ok(reply)
        } else {
            Err(self.refusal(what, effect, &reply))
        }
    }

    /// Says what a refused read means.
    pub(super) fn refused_read(&self, what: &str, reply: &Reply) -> Error {
        self.refusal(what, Effect::Read, reply)
    }

    /// Says what an answer outside the two hundreds means.
    fn refusal(&self, what: &str, effect: Effect, reply: &Reply) -> Error {
        let what = what.to_owned();
        let Envelope {
            code,
            message,
            target,
        } = self.envelope(reply);
        match reply.status.as_u16() {
            401 => Error::Unauthorised { what },
            403 => Error::Denied {
                // What Azure says it lacks, or else what the table of rights says it needs.
                action: reply
                    .denied
                    .clone()
                    .or_else(|| reply.needs.map(|right| right.action.to_owned()))
                    .unwrap_or(what),
                message,
            },
            404 => Error::NotFound { what },
            409 | 412 => Error::Conflict {
                what,
                code,
                message,
            },
            429 => {
                let until_seconds = reply.retry_after().unwrap_or(RETRY_AFTER_SECONDS_DEFAULT);
                Error::Throttled {
                    until_seconds,
                    what,
                }
            }
            // A gateway's 408 does not say how far the request got.
            400..=499 if reply.status != StatusCode::REQUEST_TIMEOUT => Error::Invalid {
                what,
                code,
                target,
                message,
            },
            status => {
                let why = bounded(&format!("{status} {code}: {message}"));
                match effect {
                    Effect::Read => Error::Transient { what, why },
                    Effect::Write => Error::Ambiguous { what, why },
                }
            }
        }
    }

    /// Reads what a refused answer says, without the token, should anybody have echoed it.
    pub(super) fn envelope(&self, reply: &Reply) -> Envelope {
        let found = Envelope::read(&reply.body);
        Envelope {
            code: self.clean(&found.code),
            message: self.clean(&found.message),
            target: found.target.map(|target| self.clean(&target)),
        }
    }
}
