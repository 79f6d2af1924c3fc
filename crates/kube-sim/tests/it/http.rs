//! Plain requests, for what a typed client would not send or not show.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kube_sim::KubeSim;
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const JSON: &str = "application/json";
pub(crate) const YAML: &str = "application/yaml";
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(crate) const APPLY: &str = "application/apply-patch+yaml";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub code: u16,
    pub body: Value,
    pub warnings: Vec<String>,
}

impl Answer {
    /// The body of a success.
    pub(crate) fn good(self) -> Value {
        assert!(self.code < 300, "{self:?}");
        self.body
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn reason(&self) -> &str {
        self.body["reason"].as_str().unwrap_or_default()
    }
}

/// Sends a request as `agent`, with a bearer token when it is not empty.
pub(crate) async fn send_as(
    sim: &KubeSim,
    (agent, token): (&str, &str),
    method: Method,
    path: &str,
    media_type: &str,
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media_type)
        .header("user-agent", agent);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let response = sim.service().oneshot(request).await.unwrap();
    let code = response.status().as_u16();
    let warnings = response.headers().get_all("warning").iter();
    let warnings = warnings.map(|text| text.to_str().unwrap().to_owned());
    let warnings = warnings.collect();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer {
        code,
        body: serde_json::from_slice(&body).unwrap(),
        warnings,
    }
}

/// Sends a request of the client `probe`.
pub(crate) async fn send(
    sim: &KubeSim,
    method: Method,
    path: &str,
    media_type: &str,
    body: impl Into<Bytes>,
) -> Answer {
    send_as(sim, ("probe/1.0 (x)", ""), method, path, media_type, body).await
}

pub(crate) async fn get(sim: &KubeSim, path: &str) -> Answer {
    send(sim, Method::GET, path, JSON, "").await
}

pub(crate) async fn post(sim: &KubeSim, path: &str, body: Value) -> Answer {
    send(sim, Method::POST, path, JSON, body.to_string()).await
}

pub(crate) async fn put(sim: &KubeSim, path: &str, body: Value) -> Answer {
    send(sim, Method::PUT, path, JSON, body.to_string()).await
}

pub(crate) async fn patch(sim: &KubeSim, path: &str, media_type: &str, body: Value) -> Answer {
    send(sim, Method::PATCH, path, media_type, body.to_string()).await
}

/// Who owns what: manager, operation and fields of each entry.
pub(crate) fn owners(object: &Value) -> Value {
    let entries = object["metadata"]["managedFields"].as_array();
    let short = entries.into_iter().flatten().map(|entry| {
        let name = |key: &str| entry[key].as_str().unwrap_or_default();
        let mut who = format!("{} {}", name("manager"), name("operation"));
        if !name("subresource").is_empty() {
            who = format!("{who} {}", name("subresource"));
        }
        json!([who, entry["fieldsV1"]])
    });
    short.collect()
}
