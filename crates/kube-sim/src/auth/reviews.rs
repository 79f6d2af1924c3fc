//! Resources that are only asked and never stored: TokenRequest, TokenReview, the access reviews
//! (k8s.io/kubernetes `pkg/registry/{authentication,authorization}`).

use bytes::Bytes;
use http::{Method, header, request::Parts};
use serde_json::{Value, json};

use super::User;
use super::rbac::{self, Attributes, allowed};
use super::tokens::{self, texts};
use crate::content::Content;
use crate::fields::builtin::shape;
use crate::fields::compare::compare;
use crate::fields::managed::{Managed, Writer};
use crate::hooks::Verb;
use crate::object::Object;
use crate::options::WriteOptions;
use crate::path::{self, Query, ResourcePath, Route};
use crate::request::Reply;
use crate::status_error::{ApiError, Cause};
use crate::store::State;

/// What a review is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Review {
    Token,
    TokenRequest,
    SelfSubject,
    SelfAccess,
    Access,
    LocalAccess,
    Rules,
}

impl Review {
    fn find(path: &ResourcePath) -> Option<Self> {
        let parts = (path.group.as_str(), path.plural.as_str());
        if path.version != "v1" {
            return None;
        }
        if let Some("token") = path.subresource.as_deref() {
            return (parts == ("", "serviceaccounts")).then_some(Self::TokenRequest);
        }
        Some(match parts {
            ("authentication.k8s.io", "tokenreviews") => Self::Token,
            ("authentication.k8s.io", "selfsubjectreviews") => Self::SelfSubject,
            ("authorization.k8s.io", "selfsubjectaccessreviews") => Self::SelfAccess,
            ("authorization.k8s.io", "subjectaccessreviews") => Self::Access,
            ("authorization.k8s.io", "localsubjectaccessreviews") => Self::LocalAccess,
            ("authorization.k8s.io", "selfsubjectrulesreviews") => Self::Rules,
            _ => return None,
        })
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Token => "TokenReview",
            Self::TokenRequest => "TokenRequest",
            Self::SelfSubject => "SelfSubjectReview",
            Self::SelfAccess => "SelfSubjectAccessReview",
            Self::Access => "SubjectAccessReview",
            Self::LocalAccess => "LocalSubjectAccessReview",
            Self::Rules => "SelfSubjectRulesReview",
        }
    }

    fn api_version(self) -> &'static str {
        match self {
            Self::Token | Self::TokenRequest | Self::SelfSubject => "authentication.k8s.io/v1",
            _ => "authorization.k8s.io/v1",
        }
    }
}

/// Answers a request for a review; `None` when it asks for something else.
pub(crate) fn answer(
    state: &mut State,
    user: &User,
    parts: &Parts,
    body: &Bytes,
) -> Option<Result<Reply, ApiError>> {
    let Route::Resource(path) = path::parse(parts.uri.path()) else {
        return None;
    };
    let review = Review::find(&path)?;
    if parts.method != Method::POST {
        return Some(Err(ApiError::method_not_allowed()));
    }
    Some(make(state, user, parts, body, review, &path))
}

fn make(
    state: &mut State,
    user: &User,
    parts: &Parts,
    body: &Bytes,
    review: Review,
    path: &ResourcePath,
) -> Result<Reply, ApiError> {
    let text = |name| {
        let value = parts.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let media_type = text(header::CONTENT_TYPE)
        .split(';')
        .next()
        .unwrap_or_default();
    if !matches!(media_type, "" | "application/json" | "application/yaml") {
        let accepted = "application/json, application/yaml";
        return Err(ApiError::unsupported_media_type(accepted));
    }
    let content = Content::yaml_or_json(media_type, body).map_err(|error| {
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get \
             version/kind; json parse error: {error}",
            review.kind()
        ))
    })?;
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let options = WriteOptions::read(Verb::Create, &query, text(header::USER_AGENT), false)?;
    let mut asked = content.value;
    if !asked.is_object() {
        asked = json!({});
    }
    asked["kind"] = review.kind().into();
    asked["apiVersion"] = review.api_version().into();
    if review == Review::TokenRequest && asked["spec"]["expirationSeconds"].is_null() {
        asked["spec"]["expirationSeconds"] = 3600.into();
    }
    let managed = owners(state, review, &asked, &options);
    let value = respond(state, user, &asked, review, path)?;
    Ok(Reply::Object(201, Object::new(value, managed)))
}

fn owners(state: &State, review: Review, asked: &Value, options: &WriteOptions) -> Managed {
    if matches!(review, Review::SelfSubject | Review::Rules) {
        return Managed::default();
    }
    let only = json!({"spec": asked["spec"]});
    let changes = |_: &str| {
        let mut changes = compare(shape(review.kind()), &json!({"spec": {}}), &only);
        changes.removed = crate::fields::set::FieldSet::default();
        changes
    };
    let writer = Writer {
        manager: options.manager.clone(),
        api_version: review.api_version().into(),
        subresource: match review {
            Review::TokenRequest => "token".into(),
            _ => "".into(),
        },
    };
    Managed::default().updated(&writer, &state.timestamp().into(), changes)
}

fn respond(
    state: &mut State,
    user: &User,
    asked: &Value,
    review: Review,
    path: &ResourcePath,
) -> Result<Value, ApiError> {
    let spec = &asked["spec"];
    let namespace = path.namespace.as_deref().unwrap_or_default();
    let mut spec_shown = spec.clone();
    let status = match review {
        Review::TokenRequest => {
            let account = path.name.as_deref().unwrap_or_default();
            return tokens::issue(state, namespace, account, asked);
        }
        Review::Token => review_token(state, spec)?,
        Review::SelfSubject => {
            return Ok(json!({
                "kind": review.kind(),
                "apiVersion": review.api_version(),
                "metadata": {"creationTimestamp": state.timestamp()},
                "status": {"userInfo": user_info(user)},
            }));
        }
        Review::SelfAccess => access(state, user, spec)?,
        Review::Access | Review::LocalAccess => {
            let other = subject(spec)?;
            access(state, &other, spec)?
        }
        Review::Rules => {
            let namespace = spec["namespace"].as_str().unwrap_or_default();
            if namespace.is_empty() {
                return Err(ApiError::bad_request("no namespace on request"));
            }
            spec_shown = json!({});
            let rules = rbac::rules(state, user, namespace);
            let (urls, resources): (Vec<Value>, Vec<Value>) = rules
                .into_iter()
                .partition(|rule| rule["nonResourceURLs"].is_array());
            json!({"resourceRules": resources, "nonResourceRules": urls, "incomplete": false})
        }
    };
    Ok(json!({
        "kind": review.kind(),
        "apiVersion": review.api_version(),
        "metadata": {},
        "spec": spec_shown,
        "status": status,
    }))
}

fn review_token(state: &State, spec: &Value) -> Result<Value, ApiError> {
    let token = spec["token"].as_str().unwrap_or_default();
    if token.is_empty() {
        let message = "token is required for TokenReview in authentication";
        return Err(ApiError::bad_request(message));
    }
    Ok(
        match tokens::user_of(state, token, &texts(&spec["audiences"])) {
            Ok((user, audiences)) => json!({
                "authenticated": true,
                "user": user_info(&user),
                "audiences": audiences,
            }),
            Err(error) => json!({"user": {}, "error": error}),
        },
    )
}

fn user_info(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = user.uid.as_str().into();
    }
    if let Some(id) = &user.credential {
        info["extra"] =
            json!({"authentication.kubernetes.io/credential-id": [format!("JTI={id}")]});
    }
    info
}

fn subject(spec: &Value) -> Result<User, ApiError> {
    let name = spec["user"].as_str().unwrap_or_default();
    let groups = texts(&spec["groups"]);
    if name.is_empty() && groups.is_empty() {
        let detail = "at least one of user or group must be specified";
        return Err(invalid("spec.user", &"".into(), detail));
    }
    Ok(User {
        name: name.to_owned(),
        uid: spec["uid"].as_str().unwrap_or_default().to_owned(),
        groups,
        credential: None,
    })
}

/// The answer to a review of the wrong shape; the real server leaves out the kind.
fn invalid(field: &str, value: &Value, detail: &str) -> ApiError {
    let message = match value {
        Value::Null => format!("Invalid value: null: {detail}"),
        _ => format!("Invalid value: {value}: {detail}"),
    };
    let cause = Cause {
        reason: "FieldValueInvalid",
        field: field.to_owned(),
        message,
    };
    ApiError::invalid_kind("authorization.k8s.io", "", "", vec![cause])
}

fn access(state: &State, user: &User, spec: &Value) -> Result<Value, ApiError> {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if resource.is_object() == path.is_object() {
        let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        return Err(invalid("spec.resourceAttributes", &Value::Null, detail));
    }
    let text = |from: &Value, field: &str| from[field].as_str().unwrap_or_default().to_owned();
    let asked = if path.is_object() {
        Attributes::Path {
            verb: text(path, "verb"),
            path: text(path, "path"),
        }
    } else {
        Attributes::Resource {
            verb: text(resource, "verb"),
            group: text(resource, "group"),
            resource: text(resource, "resource"),
            subresource: text(resource, "subresource"),
            namespace: text(resource, "namespace"),
            name: text(resource, "name"),
        }
    };
    let mut status = json!({"allowed": false});
    let reason = match allowed(state, user, &asked) {
        // Without RBAC everybody may do everything.
        None if !state.auth.required => Some(String::new()),
        found => found,
    };
    if let Some(reason) = reason {
        status["allowed"] = true.into();
        if !reason.is_empty() {
            status["reason"] = reason.into();
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reviews_are_found_by_their_address() {
        let table = [
            (
                "/apis/authentication.k8s.io/v1/tokenreviews",
                Some(Review::Token),
            ),
            (
                "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
                Some(Review::Rules),
            ),
            (
                "/api/v1/namespaces/a/serviceaccounts/b/token",
                Some(Review::TokenRequest),
            ),
            ("/api/v1/namespaces/a/configmaps/b/token", None),
            ("/api/v1/namespaces/a/serviceaccounts/b", None),
            (
                "/apis/authorization.k8s.io/v1beta1/subjectaccessreviews",
                None,
            ),
        ];
        for (text, want) in table {
            let Route::Resource(path) = path::parse(text) else {
                panic!("{text} is no resource");
            };
            assert_eq!(Review::find(&path), want, "{text}");
        }
    }
}
