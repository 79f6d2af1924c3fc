//! Requests for resources: from URL, headers and body to a verb on a target, and to its answer.
//! What a verb means is decided elsewhere.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, header, request::Parts};
use serde_json::{Value, json};

use crate::accept;
use crate::content::Content;
use crate::decode;
use crate::delete::{self, DeleteOptions};
use crate::hooks::{Call, Verb};
use crate::meta;
use crate::object::Object;
use crate::options::WriteOptions;
use crate::path::{self, Query, ResourcePath, Route};
use crate::protobuf;
use crate::read::{self, Selection};
use crate::sim::Inner;
use crate::status_error::ApiError;
use crate::store::State;
use crate::table::Printer;
use crate::view::{Include, View};
use crate::watch::Watch;
use crate::write::{self, Change, Target};

/// Bound of a request body, as in the real server's `MaxRequestBodyBytes`.
pub(crate) const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";
const APPLY_PATCH: &str = "application/apply-patch+yaml";
const JSON: &str = "application/json";
const YAML: &str = "application/yaml";

/// What a verb gives back, before it becomes HTTP.
pub(crate) enum Reply {
    Object(u16, Object),
    Raw(u16, Vec<u8>),
    Watch(Box<Watch>),
}

/// A reply with what the client is to be warned of.
pub(crate) struct Answer {
    pub(crate) result: Result<Reply, ApiError>,
    pub(crate) warnings: Vec<String>,
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        Self {
            result: Err(error),
            warnings: Vec::new(),
        }
    }
}

/// A request for a known resource.
pub(crate) struct Asked {
    verb: Verb,
    target: Target,
    query: Query,
    view: View,
    media_type: String,
    user_agent: String,
    body: Option<Arc<Value>>,
    /// What is to be said of keys that occur twice in the body.
    duplicates: Vec<String>,
}

impl Asked {
    /// Reads a request; `None` means discovery.
    pub(crate) fn read(
        inner: &Inner,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Option<Self>, ApiError> {
        let path = match path::parse(parts.uri.path()) {
            Route::Resource(path) => path,
            Route::Unknown => return Err(ApiError::no_such_path()),
            _ if parts.method == Method::GET => return Ok(None),
            _ => return Err(ApiError::method_not_allowed()),
        };
        let target = inner.with(|state| resolve(state, path))?;
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let verb = verb(&parts.method, &target, &query)?;
        let text = |name| {
            let value = parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default()
        };
        let media_type = text(header::CONTENT_TYPE)
            .split(';')
            .next()
            .unwrap_or_default();
        if body.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        let reads = matches!(verb, Verb::Get | Verb::List | Verb::Watch);
        let deletes = matches!(verb, Verb::Delete | Verb::DeleteCollection);
        let parsed = if reads || (deletes && body.is_empty()) {
            None
        } else {
            Some(parse(verb, &target, media_type, body)?)
        };
        let (parsed, duplicates) = match parsed {
            Some(content) => (Some(Arc::new(content.value)), content.duplicates),
            None => (None, Vec::new()),
        };
        Ok(Some(Self {
            verb,
            target,
            view: accept::view(text(header::ACCEPT), &query)?,
            query,
            media_type: media_type.to_owned(),
            user_agent: text(header::USER_AGENT).to_owned(),
            body: parsed,
            duplicates,
        }))
    }

    /// The request as hooks see it.
    pub(crate) fn call(&self) -> Call {
        let in_body = || {
            let body = self.body.as_deref().filter(|_| self.verb == Verb::Create)?;
            Some(meta::text(body, "name").to_owned()).filter(|name| !name.is_empty())
        };
        Call {
            verb: self.verb,
            resource: self.target.info.qualified.to_string(),
            namespace: self.target.namespace.clone(),
            name: self.target.name.clone().or_else(in_body),
            subresource: self.target.subresource.clone(),
            body: self.body.clone(),
        }
    }

    /// Carries the request out.
    pub(crate) fn apply(self, inner: &Arc<Inner>) -> Answer {
        inner.with(|state| {
            state.acting = (self.verb, self.target.subresource.as_deref().map(Arc::from));
            let result = match self.view {
                View::Table(include) => self.apply_to_table(inner, state, include),
                _ => self.apply_to(inner, state),
            };
            Answer {
                result,
                warnings: std::mem::take(&mut state.warnings),
            }
        })
    }

    /// Carries the request out for a client that wants a table.
    fn apply_to_table(
        self,
        inner: &Arc<Inner>,
        state: &mut State,
        include: Include,
    ) -> Result<Reply, ApiError> {
        let (info, version) = (Arc::clone(&self.target.info), self.target.version);
        let reply = self.apply_to(inner, state)?;
        match &reply {
            // The outcome of a deletion is shown as it is.
            Reply::Object(code, object) if object["kind"] == info.kind.as_str() => {
                let printer = Printer::new(state, &info, version, include);
                let table = printer.of_one(object, state.now());
                Ok(Reply::Raw(*code, table.into_bytes()))
            }
            _ => Ok(reply),
        }
    }

    fn apply_to(self, inner: &Arc<Inner>, state: &mut State) -> Result<Reply, ApiError> {
        let view = self.view;
        match self.verb {
            Verb::Get => {
                read::get(state, &self.target, view).map(|object| Reply::Object(200, object))
            }
            Verb::List => {
                read::list(state, &self.target, &self.query, view).map(|list| Reply::Raw(200, list))
            }
            Verb::Watch => Watch::open(inner, state, self.target, &self.query, view)
                .map(|watch| Reply::Watch(Box::new(watch))),
            Verb::Create => {
                let options = self.options()?;
                let body = owned(self.body)?;
                let made = write::create(state, &self.target, body, &options)?;
                Ok(Reply::Object(201, view.show(made)))
            }
            Verb::Update | Verb::Patch => {
                let (options, change) = (self.options()?, self.change()?);
                let (object, created) = write::update(state, &self.target, change, &options)?;
                Ok(Reply::Object(
                    if created { 201 } else { 200 },
                    view.show(object),
                ))
            }
            Verb::Delete => {
                let (target, info) = (&self.target, &self.target.info);
                let wanted = DeleteOptions::read(self.body.as_deref(), &self.query)?;
                let outcome = delete::delete(state, info, &target.key(target.named()?), &wanted)?;
                state.settle();
                Ok(Reply::Object(200, outcome.reply(info)))
            }
            Verb::DeleteCollection => self.delete_collection(state),
            Verb::Collect | Verb::Force => Err(ApiError::method_not_allowed()),
        }
    }

    fn options(&self) -> Result<WriteOptions, ApiError> {
        let applies = self.verb == Verb::Patch && self.media_type == APPLY_PATCH;
        let mut options = WriteOptions::read(self.verb, &self.query, &self.user_agent, applies)?;
        options.duplicates.clone_from(&self.duplicates);
        Ok(options)
    }

    fn change(&self) -> Result<Change, ApiError> {
        let body = self.body.clone().ok_or_else(no_body)?;
        Ok(match (self.verb, self.media_type.as_str()) {
            (Verb::Update, _) => Change::Replace(Value::clone(&body)),
            (_, JSON_PATCH) => Change::Json(body),
            (_, STRATEGIC_PATCH) => Change::Strategic(body),
            (_, APPLY_PATCH) => Change::Apply(body),
            _ => Change::Merge(body),
        })
    }

    fn delete_collection(&self, state: &mut State) -> Result<Reply, ApiError> {
        let info = &self.target.info;
        let wanted = DeleteOptions::read(self.body.as_deref(), &self.query)?;
        let selection = Selection::read(&self.target, &self.query)?;
        let none = std::collections::BTreeMap::new();
        let found = read::objects(state, &self.target, &selection, &none);
        let mut items = Vec::new();
        for (key, object) in found {
            // Refused objects stay, as in the real server, and fail the whole request.
            delete::delete(state, info, &key, &wanted)?;
            items.push(object);
        }
        state.settle();
        let (kind, api_version) = View::Whole.list_kind(info, self.target.version);
        let items: Vec<&Value> = items.iter().map(|object| &**object).collect();
        let list = json!({
            "kind": kind,
            "apiVersion": api_version,
            "metadata": {"resourceVersion": state.rv.to_string()},
            "items": items,
        });
        Ok(Reply::Object(200, list.into()))
    }
}

/// The answer to a body that is too large.
pub(crate) fn too_large() -> ApiError {
    let message = format!("Request entity too large: limit is {MAX_BODY_BYTES}");
    ApiError::new(413, "RequestEntityTooLarge", message)
}

fn no_body() -> ApiError {
    ApiError::bad_request("the request needs a body")
}

fn owned(body: Option<Arc<Value>>) -> Result<Value, ApiError> {
    body.map(Arc::unwrap_or_clone).ok_or_else(no_body)
}

/// Finds the resource that a URL names.
fn resolve(state: &State, path: ResourcePath) -> Result<Target, ApiError> {
    let found = state
        .registry
        .find(&path.group, &path.version, &path.plural);
    let (info, version) = found.ok_or_else(ApiError::no_such_path)?;
    let misplaced = if info.namespaced {
        path.namespace.is_none() && path.name.is_some()
    } else {
        path.namespace.is_some()
    };
    let subresource = match path.subresource.as_deref() {
        None => true,
        Some("status") => info.versions[version].status,
        Some(_) => false,
    };
    if misplaced || !subresource {
        return Err(ApiError::no_such_path());
    }
    Ok(Target {
        info,
        version,
        namespace: path.namespace,
        name: path.name,
        subresource: path.subresource,
    })
}

fn verb(method: &Method, target: &Target, query: &Query) -> Result<Verb, ApiError> {
    let (named, sub) = (target.name.is_some(), target.subresource.is_some());
    let verb = match (method.as_str(), named, sub) {
        ("GET", true, true) => Verb::Get,
        ("GET", _, false) if query.flag("watch") => Verb::Watch,
        ("GET", true, false) => Verb::Get,
        ("GET", false, _) => Verb::List,
        ("POST", false, _) if !target.info.namespaced || target.namespace.is_some() => Verb::Create,
        ("PUT", true, _) => Verb::Update,
        ("PATCH", true, _) => Verb::Patch,
        ("DELETE", true, false) => Verb::Delete,
        ("DELETE", false, _) if !target.info.namespaced || target.namespace.is_some() => {
            Verb::DeleteCollection
        }
        _ => return Err(ApiError::method_not_allowed()),
    };
    Ok(verb)
}

fn check_media_type(verb: Verb, target: &Target, media_type: &str) -> Result<(), ApiError> {
    const PATCHES: [&str; 3] = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH];
    let custom = target.info.builtin.is_none();
    if verb != Verb::Patch {
        return if matches!(media_type, "" | JSON | YAML) {
            Ok(())
        } else {
            Err(ApiError::unsupported_media_type(&[JSON, YAML].join(", ")))
        };
    }
    if PATCHES.contains(&media_type) || (media_type == STRATEGIC_PATCH && !custom) {
        return Ok(());
    }
    if custom {
        return Err(ApiError::unsupported_media_type(&PATCHES.join(", ")));
    }
    // The router of the built-in types refuses before the handler can name what it takes.
    let message = "415: Unsupported Media Type";
    Err(ApiError::new(415, "UnsupportedMediaType", message))
}

/// Parses a body, in the words of the handler that would have read it.
fn parse(verb: Verb, target: &Target, media_type: &str, body: &Bytes) -> Result<Content, ApiError> {
    // Custom resources have no protobuf form; the options of a deletion always have.
    let deletes = matches!(verb, Verb::Delete | Verb::DeleteCollection);
    let has_protobuf = deletes || target.info.builtin.is_some();
    if media_type == protobuf::MEDIA_TYPE && has_protobuf && verb != Verb::Patch {
        let value = protobuf::to_json(body).map_err(|error| {
            ApiError::bad_request(format!("couldn't decode the request body: {error}"))
        })?;
        return Ok(Content {
            value,
            duplicates: Vec::new(),
        });
    }
    check_media_type(verb, target, media_type)?;
    match (verb, media_type) {
        (_, APPLY_PATCH) => Content::yaml(body).map_err(|error| {
            let message = format!("error decoding YAML: error converting YAML to JSON: {error}");
            ApiError::bad_request(message)
        }),
        (Verb::Patch, _) => Content::json(body)
            .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}"))),
        (_, YAML) => Content::yaml(body)
            .map_err(|error| unreadable(target, &format!("error converting YAML: {error}"), body)),
        _ => Content::json(body).map_err(|error| {
            let detail = format!("couldn't get version/kind; json parse error: {error}");
            unreadable(target, &detail, body)
        }),
    }
}

fn unreadable(target: &Target, detail: &str, body: &Bytes) -> ApiError {
    let text = String::from_utf8_lossy(body);
    decode::unrecognized(
        target,
        detail,
        if text.is_empty() { "<empty>" } else { &text },
    )
}
