//! What the server says without looking at objects: health, version, discovery and OpenAPI, as
//! HTTP answers with their media types and entity tags. Must never change state.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use uuid::Uuid;

use crate::accept::{self, Clause};
use crate::body::{Kind, SimBody};
use crate::path::{self, Query, Route};
use crate::sim::Inner;
use crate::status_error::ApiError;
use crate::store::State;
use crate::{discovery, openapi};

/// Namespace of entity tags.
const TAG_SPACE: Uuid = Uuid::from_u128(0x6b75_6265_2d73_696d_5f65_7461_6773_5f6e);

/// The only media type of most answers.
const JSON: &str = "application/json";
/// The media type of aggregated discovery.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
/// The media type of health checks and of paths that do not exist.
const TEXT: &str = "text/plain; charset=utf-8";

/// A document, before it becomes an answer.
struct Document {
    media_type: &'static str,
    bytes: Bytes,
    /// Whether clients may keep it and ask by its tag.
    is_kept: bool,
}

impl Document {
    fn json(value: &serde_json::Value) -> Self {
        Self {
            media_type: JSON,
            bytes: value.to_string().into(),
            is_kept: false,
        }
    }

    fn text(text: String) -> Self {
        Self {
            media_type: TEXT,
            bytes: text.into(),
            is_kept: false,
        }
    }

    fn kept(mut self) -> Self {
        self.is_kept = true;
        self
    }
}

/// Answers a GET of anything but a resource.
pub(crate) fn answer(inner: &Inner, parts: &Parts) -> Result<Response<SimBody>, ApiError> {
    let path = parts.uri.path();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let accept = text(&parts.headers, header::ACCEPT);
    let document = inner.with(|state| document(state, path, &query, accept))?;
    Ok(respond(
        document,
        text(&parts.headers, header::IF_NONE_MATCH),
    ))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// The answer to a path that leads nowhere.
pub(crate) fn no_such_page() -> Response<SimBody> {
    let page = Document::text("404 page not found\n".to_owned());
    let mut response = respond(page, "");
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn document(state: &State, path: &str, query: &Query, accept: &str) -> Result<Document, ApiError> {
    match path::parse(path) {
        Route::Health(check) => Ok(Document::text(health(&check, query))),
        Route::Root => Ok(Document::json(&discovery::paths(state))),
        Route::OpenApiV2 => {
            takes_json(accept)?;
            Ok(Document::json(&openapi::v2()).kept())
        }
        Route::OpenApiV3(None) => Ok(Document::json(&index(state)).kept()),
        Route::OpenApiV3(Some(group_version)) => {
            takes_json(accept)?;
            let found = openapi::v3(state, &group_version).ok_or_else(ApiError::no_such_path)?;
            Ok(Document::json(&found).kept())
        }
        route @ (Route::CoreVersions | Route::Groups) if wants_aggregated(accept) => {
            let found = discovery::aggregated(state, route == Route::CoreVersions);
            let mut document = Document::json(&found).kept();
            document.media_type = AGGREGATED;
            Ok(document)
        }
        _ => discovery::answer(state, path).map(|found| Document::json(&found)),
    }
}

fn takes_json(accept: &str) -> Result<(), ApiError> {
    let good = Clause::all(accept).any(|clause| clause.takes_json());
    if good {
        Ok(())
    } else {
        Err(accept::not_acceptable())
    }
}

/// Whether aggregated discovery comes before the plain one in the client's wishes.
fn wants_aggregated(accept: &str) -> bool {
    let mut clauses = Clause::all(accept).filter(Clause::takes_json);
    let known = |clause: &Clause<'_>| {
        let wanted = clause.conversion();
        wanted.is_none() || wanted == Some(("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList"))
    };
    clauses
        .find(known)
        .is_some_and(|clause| clause.conversion().is_some())
}

/// `/healthz`, `/livez` and `/readyz`: a server without parts has nothing that could be ill.
fn health(check: &str, query: &Query) -> String {
    if query.has("verbose") {
        format!("[+]ping ok\n{check} check passed\n")
    } else {
        "ok".to_owned()
    }
}

/// The index of OpenAPI v3 documents, each with the tag of its content.
fn index(state: &State) -> serde_json::Value {
    let mut paths = serde_json::Map::new();
    for group_version in openapi::group_versions(state) {
        let Some(found) = openapi::v3(state, &group_version) else {
            continue;
        };
        let tag = tag(found.to_string().as_bytes());
        let url = format!("/openapi/v3/{group_version}?hash={tag}");
        paths.insert(group_version, serde_json::json!({"serverRelativeURL": url}));
    }
    serde_json::json!({"paths": paths})
}

/// A tag that changes with the content.
fn tag(content: &[u8]) -> String {
    let hash = Uuid::new_v5(&TAG_SPACE, content);
    hash.simple().to_string().to_uppercase()
}

fn respond(document: Document, known_tag: &str) -> Response<SimBody> {
    let tag = document
        .is_kept
        .then(|| format!("\"{}\"", tag(&document.bytes)));
    let is_known = tag.as_deref() == Some(known_tag);
    let body = if is_known {
        Bytes::new()
    } else {
        document.bytes
    };
    let mut response = Response::new(SimBody(Kind::Whole(Some(body))));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(document.media_type),
    );
    if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
        headers.insert(header::ETAG, tag);
        headers.insert(header::VARY, HeaderValue::from_static("Accept"));
        let control = HeaderValue::from_static("no-cache, private");
        headers.insert(header::CACHE_CONTROL, control);
    }
    response
}
