//! Who calls, and whether they may: bearer tokens and RBAC, both off until
//! [`crate::KubeSim::require_auth`]. Impersonation of users and groups is part of it; client
//! certificates, webhooks, and impersonated uids and extras are not.

pub(crate) mod rbac;
pub(crate) mod reviews;
pub(crate) mod tokens;

use std::collections::BTreeMap;

use http::{HeaderValue, Method, header, request::Parts};

use crate::path::{self, Query, ResourcePath, Route};
use crate::registry::qualified;
use crate::status_error::ApiError;
use crate::store::State;
use rbac::{Attributes, allowed};
use tokens::Issued;

const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The group that may do everything.
const MASTERS: &str = "system:masters";

/// A caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) groups: Vec<String>,
    /// Id of an issued token.
    pub(crate) credential: Option<String>,
}

impl User {
    fn plain(name: &str, groups: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            uid: String::new(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            credential: None,
        }
    }
}

/// What the server knows of callers.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    /// Whether callers are authenticated and authorized at all.
    pub(crate) required: bool,
    /// Users by fixed token.
    pub(crate) fixed: BTreeMap<String, User>,
    /// Service account tokens that were issued.
    pub(crate) issued: BTreeMap<String, Issued>,
}

/// Adds a fixed token of a user.
pub(crate) fn add_token(auth: &mut Auth, token: &str, user: &str, groups: &[&str]) {
    let mut known = User::plain(user, groups);
    known.groups.push(AUTHENTICATED.to_owned());
    auth.fixed.insert(token.to_owned(), known);
}

/// What a token of a service account says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenClaims {
    /// `system:serviceaccount:<namespace>:<name>`.
    pub subject: String,
    /// For whom it is meant.
    pub audiences: Vec<String>,
    /// When it ends.
    pub expires: chrono::DateTime<chrono::Utc>,
}

/// Finds out who calls and whether they may.
pub(crate) fn guard(state: &State, parts: &Parts) -> Result<User, ApiError> {
    let user = authenticate(state, parts)?;
    if !state.auth.required {
        return Ok(user);
    }
    let user = impersonated(state, user, parts)?;
    let asked = attributes(parts);
    if allowed(state, &user, &asked).is_some() {
        return Ok(user);
    }
    Err(refused(&user, &asked))
}

/// The user whom a caller plays, where it plays one and may (k8s.io/apiserver
/// `filters/impersonation`).
fn impersonated(state: &State, user: User, parts: &Parts) -> Result<User, ApiError> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let Some(name) = parts.headers.get("impersonate-user").map(text) else {
        return Ok(user);
    };
    let groups = parts.headers.get_all("impersonate-group");
    let mut groups: Vec<String> = groups.iter().map(text).collect();
    let played = |resource: &str, name: &String| Attributes::Resource {
        verb: "impersonate".to_owned(),
        group: String::new(),
        resource: resource.to_owned(),
        subresource: String::new(),
        namespace: String::new(),
        name: name.clone(),
    };
    let mut asked = vec![played("users", &name)];
    asked.extend(groups.iter().map(|group| played("groups", group)));
    for own in &asked {
        if allowed(state, &user, own).is_none() {
            return Err(refused(&user, own));
        }
    }
    let account = name.strip_prefix("system:serviceaccount:");
    if let Some((namespace, _)) = account.and_then(|own| own.split_once(':'))
        && groups.is_empty()
    {
        groups.push("system:serviceaccounts".to_owned());
        groups.push(format!("system:serviceaccounts:{namespace}"));
    }
    if name != "system:anonymous" && !groups.iter().any(|own| own == AUTHENTICATED) {
        groups.push(AUTHENTICATED.to_owned());
    }
    Ok(User {
        name,
        uid: String::new(),
        groups,
        credential: None,
    })
}

fn authenticate(state: &State, parts: &Parts) -> Result<User, ApiError> {
    let header = parts.headers.get(header::AUTHORIZATION);
    let token = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(token) = token.map(str::trim) else {
        return Ok(if state.auth.required {
            User::plain("system:anonymous", &[UNAUTHENTICATED])
        } else {
            User::plain("system:admin", &[MASTERS, AUTHENTICATED])
        });
    };
    match tokens::user_of(state, token, &[]) {
        Ok((user, _)) => Ok(user),
        Err(_) if !state.auth.required => {
            Ok(User::plain("system:admin", &[MASTERS, AUTHENTICATED]))
        }
        Err(_) => Err(ApiError::new(401, "Unauthorized", "Unauthorized")),
    }
}

/// What a request asks for in the terms of RBAC (k8s.io/apiserver `request.RequestInfo`).
fn attributes(parts: &Parts) -> Attributes {
    let method = &parts.method;
    let Route::Resource(path) = path::parse(parts.uri.path()) else {
        return Attributes::Path {
            verb: method.as_str().to_lowercase(),
            path: parts.uri.path().to_owned(),
        };
    };
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let verb = match (method, path.name.is_some()) {
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, true) => "delete",
        (&Method::DELETE, false) => "deletecollection",
        _ if query.flag("watch") => "watch",
        (_, true) => "get",
        (_, false) => "list",
    };
    let ResourcePath {
        group,
        plural,
        namespace,
        name,
        subresource,
        ..
    } = path;
    let of_namespace = group.is_empty() && plural == "namespaces";
    Attributes::Resource {
        verb: verb.to_owned(),
        namespace: if of_namespace {
            name.clone().unwrap_or_default()
        } else {
            namespace.unwrap_or_default()
        },
        group,
        resource: plural,
        subresource: subresource.unwrap_or_default(),
        name: name.unwrap_or_default(),
    }
}

/// The answer to what a user may not do.
fn refused(user: &User, asked: &Attributes) -> ApiError {
    let who = &user.name;
    match asked {
        Attributes::Path { verb, path } => {
            let message = format!("forbidden: User {who:?} cannot {verb} path {path:?}");
            ApiError::new(403, "Forbidden", message)
        }
        Attributes::Resource {
            verb,
            group,
            resource,
            subresource,
            namespace,
            name,
        } => {
            let whole = match subresource.as_str() {
                "" => resource.clone(),
                sub => format!("{resource}/{sub}"),
            };
            let place = match namespace.as_str() {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace {namespace:?}"),
            };
            let subject = match name.as_str() {
                "" => qualified(group, resource),
                name => format!("{} {name:?}", qualified(group, resource)),
            };
            let message = format!(
                "{subject} is forbidden: User {who:?} cannot {verb} resource {whole:?} in API \
                 group {group:?} {place}"
            );
            ApiError::new(403, "Forbidden", message).about(name, group, resource)
        }
    }
}
