//! What a case works with: a client, a namespace of its own, and raw requests.

use std::fmt::Display;
use std::time::Duration;

use futures::StreamExt as _;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use kube_sim::KubeSim;
use serde_json::Value;

use super::answer::{Answer, Differs};

/// How long a case waits for one line of a watch.
const LINE_WAIT: Duration = Duration::from_secs(15);
/// How long a watch must stay silent to count as silent.
const SILENCE: Duration = Duration::from_millis(700);
/// How long a case waits for a controller.
const CONTROLLER_WAIT: Duration = Duration::from_secs(150);
/// How often it looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// One server as one case sees it.
#[derive(Clone)]
pub(super) struct World {
    /// Speaks as an administrator.
    pub client: Client,
    /// Carries no credentials of its own.
    pub stranger: Client,
    /// The case's own namespace; exists.
    pub ns: String,
    /// Group of the shared fixture CRDs.
    pub group: String,
    /// The simulator behind it, absent for a real server.
    pub sim: Option<KubeSim>,
}

/// The kinds of patch bodies.
pub(super) const MERGE: &str = "application/merge-patch+json";
pub(super) const JSON_PATCH: &str = "application/json-patch+json";
pub(super) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(super) const APPLY: &str = "application/apply-patch+yaml";

impl World {
    /// Path of a built-in core resource in the case's namespace.
    pub(super) fn core(&self, plural: &str) -> String {
        format!("/api/v1/namespaces/{}/{plural}", self.ns)
    }

    /// Path of a config map in the case's namespace.
    pub(super) fn map(&self, name: &str) -> String {
        self.core(&format!("configmaps/{name}"))
    }

    /// Path of a resource of a named group in the case's namespace.
    pub(super) fn of(&self, group_version: &str, plural: &str) -> String {
        format!("/apis/{group_version}/namespaces/{}/{plural}", self.ns)
    }

    /// Path of a fixture resource in the case's namespace; `tail` may go on behind the plural.
    pub(super) fn custom(&self, tail: &str) -> String {
        self.of(&format!("{}/v1", self.group), tail)
    }

    /// Path of a gadget in the case's namespace.
    pub(super) fn gadget(&self, name: &str) -> String {
        self.custom(&format!("gadgets/{name}"))
    }

    /// Sends a request with headers and reads the whole answer.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Result<Answer, Differs> {
        send_by(&self.client, method, path, headers, body.into()).await
    }

    /// Sends a request under a bearer token and no other credentials.
    pub(super) async fn send_with_token(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, Differs> {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        send_by(&self.stranger, method, path, &headers, body.into_bytes()).await
    }

    pub(super) async fn get(&self, path: impl Display) -> Result<Answer, Differs> {
        self.send("GET", &path.to_string(), &[], "").await
    }

    pub(super) async fn get_as(&self, accept: &str, path: impl Display) -> Result<Answer, Differs> {
        let headers = [("accept", accept)];
        self.send("GET", &path.to_string(), &headers, "").await
    }

    async fn json(&self, method: &str, path: String, body: Value) -> Result<Answer, Differs> {
        let headers = [("content-type", "application/json")];
        self.send(method, &path, &headers, body.to_string()).await
    }

    pub(super) async fn post(&self, path: impl Display, body: Value) -> Result<Answer, Differs> {
        self.json("POST", path.to_string(), body).await
    }

    pub(super) async fn put(&self, path: impl Display, body: Value) -> Result<Answer, Differs> {
        self.json("PUT", path.to_string(), body).await
    }

    pub(super) async fn delete(&self, path: impl Display) -> Result<Answer, Differs> {
        self.send("DELETE", &path.to_string(), &[], "").await
    }

    /// Deletes with `DeleteOptions` in the body.
    pub(super) async fn delete_with(
        &self,
        path: impl Display,
        options: Value,
    ) -> Result<Answer, Differs> {
        self.json("DELETE", path.to_string(), options).await
    }

    pub(super) async fn patch(
        &self,
        kind: &str,
        path: impl Display,
        patch: Value,
    ) -> Result<Answer, Differs> {
        let headers = [("content-type", kind)];
        self.send("PATCH", &path.to_string(), &headers, patch.to_string())
            .await
    }

    pub(super) async fn merge(&self, path: impl Display, patch: Value) -> Result<Answer, Differs> {
        self.patch(MERGE, path, patch).await
    }

    /// Applies as a field manager; `how` may add query parameters, such as `&force=true`.
    pub(super) async fn apply(
        &self,
        path: impl Display,
        manager: &str,
        how: &str,
        object: Value,
    ) -> Result<Answer, Differs> {
        let path = format!("{path}?fieldManager={manager}{how}");
        self.patch(APPLY, path, object).await
    }

    /// Creates a gadget with a spec.
    pub(super) async fn make_gadget(&self, name: &str, spec: Value) -> Result<Answer, Differs> {
        let body = self.gadget_body(name, spec);
        let made = self.post(self.custom("gadgets"), body).await?;
        made.code(201)?;
        Ok(made)
    }

    /// A gadget as a request body.
    pub(super) fn gadget_body(&self, name: &str, spec: Value) -> Value {
        serde_json::json!({
            "apiVersion": format!("{}/v1", self.group),
            "kind": "Gadget",
            "metadata": {"name": name},
            "spec": spec,
        })
    }

    /// Creates a config map with a value in `data.v`; `meta` is its metadata.
    pub(super) async fn make_map(&self, meta: Value, value: &str) -> Result<Answer, Differs> {
        let body = serde_json::json!({"metadata": meta, "data": {"v": value}});
        let made = self.post(self.core("configmaps"), body).await?;
        made.code(201)?;
        Ok(made)
    }

    /// Opens a watch; `query` goes behind `watch=true`.
    pub(super) async fn watch(&self, path: impl Display, query: &str) -> Result<Watching, Differs> {
        let path = path.to_string();
        let glue = if query.is_empty() { "" } else { "&" };
        let path = format!("{path}?watch=true{glue}{query}");
        let request = request("GET", &path, &[], Vec::new())?;
        let response = self.client.send(request).await?;
        let (parts, body) = response.into_parts();
        if parts.status != 200 {
            let text = body.collect().await?.to_bytes();
            return Err(Answer::new(format!("GET {path}"), &parts, &text).differs("a watch"));
        }
        Ok(Watching {
            what: format!("GET {path}"),
            frames: body.into_data_stream().boxed(),
            unread: Vec::new(),
            seen: Vec::new(),
        })
    }

    /// Reads a path until the answer is as wanted.
    pub(super) async fn until(
        &self,
        path: impl Display,
        wanted: &str,
        good: impl Fn(&Answer) -> bool,
    ) -> Result<Answer, Differs> {
        let path = path.to_string();
        let looks = CONTROLLER_WAIT.as_millis() / LOOK_EVERY.as_millis();
        let mut last = self.get(&path).await?;
        for _ in 0..looks {
            if good(&last) {
                return Ok(last);
            }
            tokio::time::sleep(LOOK_EVERY).await;
            last = self.get(&path).await?;
        }
        Err(last.differs(format!("{wanted}, within {CONTROLLER_WAIT:?}")))
    }

    /// Waits until an object is gone.
    pub(super) async fn until_gone(&self, path: impl Display) -> Result<(), Differs> {
        self.until(path, "the object goes away", |a| a.code == 404)
            .await
            .map(drop)
    }

    /// Defines a CRD and waits until its type is served at `served`.
    pub(super) async fn define(&self, crd: &Value, served: &str) -> Result<Answer, Differs> {
        let made = self.post(CRDS, crd.clone()).await?;
        made.code(201)?;
        self.until(served, "the new type is served", |a| a.code == 200)
            .await?;
        Ok(made)
    }

    /// Creates a namespace of the case besides its own and returns its name.
    pub(super) async fn another_namespace(&self, suffix: &str) -> Result<String, Differs> {
        let name = format!("{}-{suffix}", self.ns);
        let body = serde_json::json!({"metadata": {"name": name}});
        self.post("/api/v1/namespaces", body).await?.code(201)?;
        Ok(name)
    }
}

/// Path of the collection of CRDs.
pub(super) const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Request<Body>, Differs> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
        .body(Body::from(body))
        .map_err(|error| Differs::plain(format!("{method} {path} is no request: {error}")))
}

async fn send_by(
    client: &Client,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Answer, Differs> {
    let shown = String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
    let response = client.send(request(method, path, headers, body)?).await?;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    Ok(Answer::new(
        format!("{method} {path} {shown}"),
        &parts,
        &bytes,
    ))
}

/// An open watch.
pub(super) struct Watching {
    what: String,
    frames: futures::stream::BoxStream<'static, Result<bytes::Bytes, kube::Error>>,
    unread: Vec<u8>,
    seen: Vec<Value>,
}

impl Watching {
    /// The next event, or `None` when the server ends the watch.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, Differs> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let event: Value = serde_json::from_slice(&line)
                    .map_err(|error| self.differs(format!("lines of JSON, not {error}")))?;
                self.seen.push(event.clone());
                return Ok(Some(event));
            }
            match tokio::time::timeout(LINE_WAIT, self.frames.next()).await {
                Err(_) => return Err(self.differs(format!("an event within {LINE_WAIT:?}"))),
                Ok(None) => return Ok(None),
                Ok(Some(frame)) => self.unread.extend_from_slice(&frame?),
            }
        }
    }

    /// The next event, which must be of a type and have the object.
    pub(super) async fn expect(&mut self, kind: &str, object: Value) -> Result<Value, Differs> {
        let found = self.next().await?.unwrap_or(Value::Null);
        let wanted = serde_json::json!({"type": kind, "object": object});
        match super::answer::mismatch(&wanted, &found, false) {
            None => Ok(found["object"].clone()),
            Some(why) => Err(self.differs(format!("{wanted} ({why})"))),
        }
    }

    /// The server must end the watch without another event.
    pub(super) async fn ends(&mut self) -> Result<(), Differs> {
        match self.next().await? {
            None => Ok(()),
            Some(_) => Err(self.differs("the end of the watch")),
        }
    }

    /// Nothing may come for a while.
    pub(super) async fn silent(&mut self) -> Result<(), Differs> {
        match tokio::time::timeout(SILENCE, self.next()).await {
            Err(_) => Ok(()),
            Ok(found) => {
                found?;
                Err(self.differs("silence"))
            }
        }
    }

    /// A difference that shows what came so far.
    pub(super) fn differs(&self, wanted: impl Display) -> Differs {
        let lines: Vec<String> = self.seen.iter().map(Value::to_string).collect();
        Differs {
            wanted: wanted.to_string(),
            answer: format!("{}\n{}", self.what, lines.join("\n")),
        }
    }
}

/// The text of a header, empty when absent.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}
