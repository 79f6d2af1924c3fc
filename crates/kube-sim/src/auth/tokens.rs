//! Service account tokens: opaque texts from a counter, bound to the account's uid, to audiences
//! and to a time.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AUTHENTICATED, TokenClaims, User};
use crate::status_error::{ApiError, Cause};
use crate::store::{ObjectKey, State};

/// The audience of the server itself, and of tokens that ask for none.
pub(crate) const OWN_AUDIENCE: &str = "https://kubernetes.default.svc";
/// Bounds of k8s.io/kubernetes `pkg/apis/authentication/validation`.
const MIN_SECONDS: i64 = 600;
const MAX_SECONDS: i64 = 1 << 32;
const DEFAULT_SECONDS: i64 = 3600;
const TOKEN_SPACE: Uuid = Uuid::from_u128(0x6b75_6265_2d73_696d_5f74_6f6b_656e_7331);

/// A token that was issued.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    namespace: String,
    account: String,
    uid: String,
    audiences: Vec<String>,
    expires: DateTime<Utc>,
}

/// Issues a token for a service account; `body` is the request's TokenRequest.
pub(crate) fn issue(
    state: &mut State,
    namespace: &str,
    account: &str,
    body: &Value,
) -> Result<Value, ApiError> {
    let key = ObjectKey::new(Some(namespace), account);
    let found = state.get("serviceaccounts", &key);
    let uid = found.map(|found| found["metadata"]["uid"].clone());
    let Some(uid) = uid.as_ref().and_then(Value::as_str).map(str::to_owned) else {
        return Err(ApiError::not_found_named("serviceaccounts", account));
    };
    let seconds = body["spec"]["expirationSeconds"].as_i64();
    let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
    check(account, body, seconds)?;
    let bound = &body["spec"]["boundObjectRef"];
    if !bound.is_null() {
        let kind = bound["kind"].as_str().unwrap_or_default().to_lowercase();
        let name = bound["name"].as_str().unwrap_or_default();
        return Err(ApiError::not_found_named(&format!("{kind}s"), name));
    }
    let audiences = match texts(&body["spec"]["audiences"]) {
        none if none.is_empty() => vec![OWN_AUDIENCE.to_owned()],
        some => some,
    };
    let now = state.now();
    let expires = now + Duration::seconds(seconds);
    let number = state.auth.issued.len() as u64;
    let id = Uuid::new_v5(&TOKEN_SPACE, &number.to_be_bytes());
    let token = format!("kube-sim.{}.{id}", number + 1);
    let issued = Issued {
        namespace: namespace.to_owned(),
        account: account.to_owned(),
        uid: uid.clone(),
        audiences: audiences.clone(),
        expires,
    };
    state.auth.issued.insert(token.clone(), issued);
    Ok(json!({
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": account,
            "namespace": namespace,
            "uid": uid,
            "creationTimestamp": state.timestamp(),
        },
        "spec": {
            "audiences": audiences,
            "expirationSeconds": seconds,
            "boundObjectRef": null,
        },
        "status": {
            "token": token,
            "expirationTimestamp": expires.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        },
    }))
}

fn check(account: &str, body: &Value, seconds: i64) -> Result<(), ApiError> {
    let invalid = |name: &str, field: &str, value: Value, detail: &str| {
        let cause = Cause::invalid(field, &value, detail);
        let group = "authentication.k8s.io";
        Err(ApiError::invalid_kind(
            group,
            "TokenRequest",
            name,
            vec![cause],
        ))
    };
    let name = body["metadata"]["name"].as_str().unwrap_or_default();
    if !name.is_empty() && name != account {
        let detail = "must match the service account name if specified";
        return invalid(account, "metadata.name", name.into(), detail);
    }
    let field = "spec.expirationSeconds";
    if seconds < MIN_SECONDS {
        let detail = "may not specify a duration less than 10 minutes";
        return invalid("", field, seconds.into(), detail);
    }
    if seconds > MAX_SECONDS {
        let detail = "may not specify a duration larger than 2^32 seconds";
        return invalid("", field, seconds.into(), detail);
    }
    Ok(())
}

/// What a token says, as somebody reads it who trusts the issuer's keys and asks no server: also
/// one that has expired, or whose account is gone.
pub(crate) fn claims_of(state: &State, token: &str) -> Option<TokenClaims> {
    let issued = state.auth.issued.get(token)?;
    Some(TokenClaims {
        subject: format!(
            "system:serviceaccount:{}:{}",
            issued.namespace, issued.account
        ),
        audiences: issued.audiences.clone(),
        expires: issued.expires,
    })
}

/// The user behind a token, and for which of the audiences it is good; the error says why not.
pub(crate) fn user_of(
    state: &State,
    token: &str,
    audiences: &[String],
) -> Result<(User, Vec<String>), String> {
    let own = [OWN_AUDIENCE.to_owned()];
    let wanted = if audiences.is_empty() {
        &own[..]
    } else {
        audiences
    };
    let invalid = || "invalid bearer token".to_owned();
    if let Some(user) = state.auth.fixed.get(token) {
        return Ok((user.clone(), wanted.to_vec()));
    }
    let issued = state.auth.issued.get(token).ok_or_else(invalid)?;
    let good: Vec<String> = wanted
        .iter()
        .filter(|wanted| issued.audiences.contains(wanted))
        .cloned()
        .collect();
    if good.is_empty() {
        return Err(format!(
            "[invalid bearer token, token audiences {:?} is invalid for the target audiences \
             {wanted:?}]",
            issued.audiences
        ));
    }
    let key = ObjectKey::new(Some(&issued.namespace), &issued.account);
    let account = state.get("serviceaccounts", &key);
    let same = account.is_some_and(|account| account["metadata"]["uid"] == issued.uid.as_str());
    if !same || state.now() >= issued.expires {
        return Err(invalid());
    }
    let Issued {
        namespace, account, ..
    } = issued;
    let user = User {
        name: format!("system:serviceaccount:{namespace}:{account}"),
        uid: issued.uid.clone(),
        groups: vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            AUTHENTICATED.to_owned(),
        ],
        credential: token.rsplit_once('.').map(|(_, id)| id.to_owned()),
    };
    Ok((user, good))
}

/// The texts of a list.
pub(super) fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
