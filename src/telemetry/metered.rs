//! Counts the requests of both clients, by what they ask for and what they came to.
//!
//! Looks at method, path and status, never at headers or bodies, where credentials are.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use tower::Service;

use super::{Outcome, Telemetry};
use crate::azure::{Transport, TransportError};

/// Resources of which requests are counted by name; all others are `other`.
const RESOURCES: [&str; 10] = [
    "hotpatchfleets",
    "maintenancewindows",
    "baselinepolicies",
    "hotpatchrequests",
    "hotpatchruns",
    "hotpatchmachines",
    "leases",
    "events",
    "configmaps",
    "namespaces",
];

/// Returns what an HTTP status means for a caller.
fn outcome(status: http::StatusCode) -> Outcome {
    match status.as_u16() {
        ..=399 => "ok",
        401 | 403 => "denied",
        404 | 410 => "gone",
        409 | 412 => "conflict",
        429 => "throttled",
        400..=499 => "refused",
        _ => "failed",
    }
}

/// A client of the Kubernetes API whose requests are counted.
#[derive(Clone)]
pub struct MeteredKube<S> {
    inner: S,
    telemetry: Telemetry,
}

impl<S> MeteredKube<S> {
    /// Counts the requests that go through `inner`.
    pub fn new(inner: S, telemetry: Telemetry) -> Self {
        Self { inner, telemetry }
    }
}

impl<S, B, R> Service<Request<B>> for MeteredKube<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (verb, resource) = asked(request.method(), request.uri());
        let telemetry = self.telemetry.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let outcome = answer.as_ref().map_or("lost", |own| outcome(own.status()));
            telemetry.kube_request(verb, resource, outcome);
            // Lists and watches go on beside the controller's loop and tell nothing of it.
            if verb != "list" && verb != "watch" {
                telemetry.turned();
            }
            answer
        })
    }
}

/// Reads verb and resource from a request, as RBAC does (Kubernetes, "Determine the Request Verb").
fn asked(method: &Method, uri: &http::Uri) -> (&'static str, &'static str) {
    let mut steps = uri.path().split('/').filter(|step| !step.is_empty());
    // Either /api/VERSION or /apis/GROUP/VERSION.
    let skipped = if steps.next() == Some("apis") { 2 } else { 1 };
    let mut steps = steps.skip(skipped).peekable();
    let mut plural = steps.next();
    let mut name = steps.next();
    if plural == Some("namespaces") && steps.peek().is_some() {
        plural = steps.next();
        name = steps.next();
    }
    let resource = RESOURCES.iter().find(|own| plural == Some(**own));
    let is_watch = uri
        .query()
        .is_some_and(|query| query.split('&').any(|own| own == "watch=true"));
    let verb = match (method, name.is_some()) {
        (&Method::GET, _) if is_watch => "watch",
        (&Method::GET, true) => "get",
        (&Method::GET, false) => "list",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, _) => "delete",
        _ => "other",
    };
    (verb, resource.copied().unwrap_or("other"))
}

/// A way to Azure whose requests are counted.
pub struct MeteredTransport {
    inner: Arc<dyn Transport>,
    telemetry: Telemetry,
}

impl MeteredTransport {
    /// Counts the requests that go through `inner`.
    pub fn new(inner: Arc<dyn Transport>, telemetry: Telemetry) -> Self {
        Self { inner, telemetry }
    }
}

impl Transport for MeteredTransport {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let kind = kind(request.method(), request.uri().path());
        Box::pin(async move {
            let answer = self.inner.send(request).await;
            let outcome = match &answer {
                Ok(answer) => outcome(answer.status()),
                Err(TransportError::NotSent(_)) => "not_sent",
                Err(TransportError::AnswerLost(_)) => "lost",
            };
            self.telemetry.azure_request(kind, outcome);
            // Only passes ask Azure, so an answer is a sign of life of the controller's loop.
            self.telemetry.turned();
            answer
        })
    }
}

/// Returns what a request asks of Azure.
fn kind(method: &Method, path: &str) -> &'static str {
    let path = path.to_ascii_lowercase();
    let ends = |own: &str| path.trim_end_matches('/').ends_with(own);
    match method.as_str() {
        "POST" if path.contains("/microsoft.resourcegraph/") => "graph",
        "POST" if ends("/installpatches") => "install",
        "POST" if ends("/assesspatches") => "assess",
        "POST" if ends("/restart") => "restart",
        "PUT" | "GET" | "DELETE" if path.contains("/runcommands/") => "run_command",
        "PUT" | "PATCH" => "settings",
        "GET" if path.contains("/microsoft.insights/") => "activity_log",
        "GET" if path.contains("operation") => "operation",
        "GET" => "read",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]
    use super::*;

    #[test]
    fn a_request_to_kubernetes_is_named_as_rights_name_it() {
        let own = "/apis/hotpatch.dev/v1alpha1";
        let cases = [
            (
                "GET",
                "/api/v1/namespaces/kube-system".to_owned(),
                "get namespaces",
            ),
            (
                "GET",
                format!("{own}/hotpatchruns?limit=500"),
                "list hotpatchruns",
            ),
            (
                "GET",
                format!("{own}/hotpatchruns?a=b&watch=true"),
                "watch hotpatchruns",
            ),
            (
                "POST",
                format!("{own}/namespaces/web/hotpatchruns"),
                "create hotpatchruns",
            ),
            (
                "PUT",
                format!("{own}/namespaces/web/hotpatchruns/a/status"),
                "update hotpatchruns",
            ),
            (
                "PATCH",
                format!("{own}/namespaces/web/hotpatchruns/a"),
                "patch hotpatchruns",
            ),
            (
                "DELETE",
                format!("{own}/namespaces/web/hotpatchruns/a"),
                "delete hotpatchruns",
            ),
            (
                "GET",
                "/api/v1/namespaces/web/configmaps/c".to_owned(),
                "get configmaps",
            ),
            (
                "GET",
                "/api/v1/namespaces/web/secrets/s".to_owned(),
                "get other",
            ),
            ("GET", "/version".to_owned(), "list other"),
        ];
        for (method, path, expected) in cases {
            let method = method.parse().unwrap();
            let (verb, resource) = asked(&method, &path.parse().unwrap());
            assert_eq!(format!("{verb} {resource}"), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_request_to_azure_is_named_by_what_it_does() {
        let vm = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v";
        let cases = [
            (
                "POST",
                "/providers/Microsoft.ResourceGraph/resources".to_owned(),
                "graph",
            ),
            ("POST", format!("{vm}/installPatches"), "install"),
            ("POST", format!("{vm}/assessPatches"), "assess"),
            ("POST", format!("{vm}/restart"), "restart"),
            ("POST", format!("{vm}/runCommand"), "other"),
            ("PUT", format!("{vm}/runCommands/r"), "run_command"),
            ("GET", format!("{vm}/runCommands/r"), "run_command"),
            ("DELETE", format!("{vm}/runCommands/r"), "run_command"),
            ("PATCH", vm.to_owned(), "settings"),
            ("GET", vm.to_owned(), "read"),
            (
                "GET",
                "/subscriptions/s/providers/Microsoft.Compute/locations/l/operations/o".to_owned(),
                "operation",
            ),
            (
                "GET",
                "/subscriptions/s/providers/Microsoft.Insights/eventtypes/management/values"
                    .to_owned(),
                "activity_log",
            ),
        ];
        for (method, path, expected) in cases {
            assert_eq!(kind(&method.parse().unwrap(), &path), expected, "{path}");
        }
    }

    #[test]
    fn every_status_has_a_word() {
        let cases = [
            (200, "ok"),
            (302, "ok"),
            (403, "denied"),
            (404, "gone"),
            (409, "conflict"),
            (422, "refused"),
            (429, "throttled"),
            (503, "failed"),
        ];
        for (status, expected) in cases {
            assert_eq!(
                outcome(http::StatusCode::from_u16(status).unwrap()),
                expected
            );
        }
    }
}
