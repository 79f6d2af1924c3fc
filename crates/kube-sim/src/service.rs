//! The HTTP face: a tower service that runs hooks around each request and renders its answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::BodyExt as _;
use tower::BoxError;

use crate::auth::{self, reviews};
use crate::body::{ConnectionLost, Kind, SimBody};
use crate::documents;
use crate::hooks::{Call, Fault, Verb};
use crate::path::{self, Route};
use crate::request::{Answer, Asked, Reply};
use crate::sim::Inner;
use crate::status_error::ApiError;

/// The server as a [`tower::Service`]; clones serve the same state.
#[derive(Clone)]
pub struct SimService {
    inner: Arc<Inner>,
}

impl SimService {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }
}

impl<B> tower::Service<Request<B>> for SimService
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<SimBody>;
    type Error = ConnectionLost;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(|error| {
                let error: BoxError = error.into();
                ConnectionLost::Body(error.to_string())
            })?;
            answer(&inner, &parts, body.to_bytes()).await
        })
    }
}

async fn answer(
    inner: &Arc<Inner>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<SimBody>, ConnectionLost> {
    if let Some(fault) = token_fault(inner, parts) {
        return fault;
    }
    let reviewed = inner.with(|state| {
        let user = auth::guard(state, parts)?;
        reviews::answer(state, &user, parts, &body).transpose()
    });
    if let Some(result) = reviewed.transpose() {
        return Ok(render(Answer {
            result,
            warnings: Vec::new(),
        }));
    }
    let asked = match Asked::read(inner, parts, &body) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            return Ok(documents::answer(inner, parts).unwrap_or_else(refuse));
        }
        Err(error) => return Ok(refuse(error)),
    };
    let Some(hooks) = inner.hooks().filter(|hooks| !hooks.is_empty()) else {
        return Ok(render(asked.apply(inner)));
    };
    let call = asked.call();
    let fault = hooks.fault(&call);
    let answer = match &fault {
        Fault::DropBefore => return Err(ConnectionLost::Before),
        Fault::Status {
            code,
            reason,
            message,
            retry_after_seconds,
        } => {
            let mut error = ApiError::new(*code, reason, message.as_str());
            error.retry_after_seconds = *retry_after_seconds;
            error.into()
        }
        Fault::Delay(wait) => {
            tokio::time::sleep(*wait).await;
            asked.apply(inner)
        }
        Fault::None | Fault::DropAfter => asked.apply(inner),
    };
    let response = render(answer);
    for hook in &hooks.after {
        hook(&call, response.status().as_u16());
    }
    match fault {
        Fault::DropAfter => Err(ConnectionLost::After),
        _ => Ok(response),
    }
}

/// What befalls a request for a service account's token before it is looked at, by the hooks. What
/// the hooks want done after it is not.
fn token_fault(
    inner: &Arc<Inner>,
    parts: &Parts,
) -> Option<Result<Response<SimBody>, ConnectionLost>> {
    let hooks = inner.hooks()?;
    let Route::Resource(path) = path::parse(parts.uri.path()) else {
        return None;
    };
    let is_token = path.plural == "serviceaccounts" && path.subresource.as_deref() == Some("token");
    if !is_token || !path.group.is_empty() || parts.method != http::Method::POST {
        return None;
    }
    let call = Call {
        verb: Verb::Create,
        resource: path.plural,
        namespace: path.namespace,
        name: path.name,
        subresource: path.subresource,
        body: None,
    };
    match hooks.fault(&call) {
        Fault::DropBefore => Some(Err(ConnectionLost::Before)),
        Fault::Status {
            code,
            reason,
            message,
            retry_after_seconds,
        } => {
            let mut error = ApiError::new(code, &reason, message);
            error.retry_after_seconds = retry_after_seconds;
            Some(Ok(render(error.into())))
        }
        Fault::None | Fault::Delay(_) | Fault::DropAfter => None,
    }
}

/// The answer of a failed request.
pub(crate) fn refuse(error: ApiError) -> Response<SimBody> {
    if error.is_no_such_path() {
        return documents::no_such_page();
    }
    render(error.into())
}

fn render(answer: Answer) -> Response<SimBody> {
    let (code, retry_after, body) = match answer.result {
        Ok(Reply::Object(code, object)) => {
            (code, None, Kind::Whole(Some(object.to_string().into())))
        }
        Ok(Reply::Raw(code, bytes)) => (code, None, Kind::Whole(Some(bytes.into()))),
        Ok(Reply::Watch(watch)) => (200, None, Kind::Watch(watch)),
        Err(error) => {
            let text = error.to_json().to_string();
            (
                error.code,
                error.retry_after_seconds,
                Kind::Whole(Some(text.into())),
            )
        }
    };
    let mut response = Response::new(SimBody(body));
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    for warning in &answer.warnings {
        let text = format!("299 - {}", quoted(warning));
        if let Ok(value) = header::HeaderValue::from_str(&text) {
            headers.append(header::WARNING, value);
        }
    }
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A text as a quoted string of RFC 7230.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
