//! Answers as Entra ID's token endpoint and as the Instance Metadata Service, and checks at Azure
//! Resource Manager what they issued (azure.md 10).

use ::http::{HeaderMap, Request, Response, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::entra::{Entra, Identity};
use crate::http::reply::ArmError;
use crate::http::request::{Call, pairs};
use crate::world::World;

/// The audience of an assertion.
const AUDIENCE: &str = "api://AzureADTokenExchange";

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Whom tokens may be for: Azure Resource Manager in its clouds.
const RESOURCES: [&str; 3] = [
    "https://management.azure.com/",
    "https://management.usgovcloudapi.net/",
    "https://management.chinacloudapi.cn/",
];

/// A refusal: status, word of OAuth 2.0, code and text.
type Refused = (u16, &'static str, u64, String);

/// Answers a request for a token; none is a request for something else.
pub(crate) fn token(world: &mut World, request: &Request<Bytes>) -> Option<Response<Bytes>> {
    let path: Vec<&str> = request.uri().path().split('/').skip(1).collect();
    let is_imds = path == ["metadata", "identity", "oauth2", "token"];
    let tenant = match path.as_slice() {
        [tenant, "oauth2", "v2.0", "token"] => tenant.to_lowercase(),
        _ if is_imds => String::new(),
        _ => return None,
    };
    let now = world.now;
    let entra = &mut world.entra;
    if entra.down {
        let body = json!({"error": "temporarily_unavailable"});
        return Some(response(503, &body, now));
    }
    let answer = if is_imds {
        imds(entra, request).map(|client| (client, true))
    } else {
        exchange(entra, request, &tenant, now).map(|client| (client, false))
    };
    Some(match answer {
        Ok((client, as_text)) => {
            let life = entra.life().num_seconds();
            let token = entra.issue(&client, now);
            let life = if as_text {
                json!(life.to_string())
            } else {
                json!(life)
            };
            let body = json!({
                "token_type": "Bearer", "expires_in": life, "access_token": token,
            });
            response(200, &body, now)
        }
        Err((status, error, code, text)) => {
            let body = json!({
                "error": error,
                "error_description": format!("AADSTS{code}: {text} Trace ID: 0 Timestamp: {now}"),
                "error_codes": [code],
            });
            response(status, &body, now)
        }
    })
}

/// Judges a request at the token endpoint; returns the client that it proves to be.
fn exchange(
    entra: &Entra,
    request: &Request<Bytes>,
    tenant: &str,
    now: DateTime<Utc>,
) -> Result<String, Refused> {
    let text = String::from_utf8_lossy(request.body());
    let form = pairs(&text);
    let field = |name: &str| {
        let found = form.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let bad = |code, text: &str| (400, "invalid_request", code, text.to_owned());
    if request.method() != "POST" || field("grant_type") != "client_credentials" {
        return Err(bad(900_144, "The request body must contain 'grant_type'."));
    }
    let resource = field("scope").strip_suffix(".default");
    if !resource.is_some_and(|own| RESOURCES.contains(&own)) {
        return Err((
            400,
            "invalid_resource",
            500_011,
            "The resource principal was not found in the tenant.".to_owned(),
        ));
    }
    if !entra
        .identities
        .values()
        .any(|own| own.tenant.eq_ignore_ascii_case(tenant))
    {
        return Err(bad(90_002, &format!("Tenant '{tenant}' not found.")));
    }
    let client = field("client_id").to_lowercase();
    let known = entra.identities.get(&client);
    let known = known.filter(|own| own.tenant.eq_ignore_ascii_case(tenant));
    let Some(known) = known.filter(|_| !entra.revoked.contains(&client)) else {
        let text =
            format!("Application with identifier '{client}' was not found in the directory.");
        return Err((400, "unauthorized_client", 700_016, text));
    };
    let proven = if field("client_assertion_type") == ASSERTION_TYPE {
        assertion(entra, known, field("client_assertion"), now)
    } else {
        secret(known, field("client_secret"))
    };
    proven.map(|()| client)
}

fn refuse(code: u64, text: &str) -> Result<(), Refused> {
    Err((401, "invalid_client", code, text.to_owned()))
}

fn secret(known: &Identity, given: &str) -> Result<(), Refused> {
    if !given.is_empty() && known.secret.as_deref() == Some(given) {
        return Ok(());
    }
    refuse(7_000_215, "Invalid client secret provided.")
}

fn assertion(
    entra: &Entra,
    known: &Identity,
    given: &str,
    now: DateTime<Utc>,
) -> Result<(), Refused> {
    let read = entra.issuers.as_ref().and_then(|read| read(given));
    let Some(read) = read else {
        return refuse(700_027, "Client assertion failed signature validation.");
    };
    if now >= read.expires {
        return refuse(
            700_024,
            "Client assertion is not within its valid time range.",
        );
    }
    let all = &known.federated;
    if !all.iter().any(|own| own.issuer == read.issuer) {
        return refuse(
            700_211,
            "No matching federated identity record found for issuer.",
        );
    }
    let is_theirs = all
        .iter()
        .any(|own| own.issuer == read.issuer && own.subject == read.subject);
    if !is_theirs {
        return refuse(
            700_213,
            "No matching federated identity record found for subject.",
        );
    }
    if !read.audiences.iter().any(|own| own == AUDIENCE) {
        return refuse(
            700_212,
            "No matching federated identity record found for audience.",
        );
    }
    Ok(())
}

/// Judges a request at the metadata service; returns the client of the managed identity.
fn imds(entra: &Entra, request: &Request<Bytes>) -> Result<String, Refused> {
    let bad = |text: &str| (400, "invalid_request", 0, text.to_owned());
    let is_asked = request
        .headers()
        .get("metadata")
        .is_some_and(|own| own == "true");
    if request.method() != "GET" || !is_asked {
        return Err(bad("Required metadata header not specified."));
    }
    let query = pairs(request.uri().query().unwrap_or_default());
    let field = |name: &str| {
        let found = query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.to_lowercase())
    };
    if !field("resource").is_some_and(|own| RESOURCES.contains(&own.as_str())) {
        return Err(bad("The resource is not known."));
    }
    let client = field("client_id");
    let mut managed = entra.identities.iter().filter(|(own, identity)| {
        identity.managed
            && !entra.revoked.contains(*own)
            && client.as_ref().is_none_or(|client| client == *own)
    });
    match (managed.next(), managed.next()) {
        (Some((client, _)), None) => Ok(client.clone()),
        (None, _) => Err(bad("Identity not found")),
        _ => Err(bad("Multiple user assigned identities exist.")),
    }
}

/// Judges the token of a call, if Entra ID issued it or knows anybody at all; returns the caller.
pub(crate) fn caller(world: &World, call: &Call, token: &str) -> Result<Option<String>, ArmError> {
    let entra = &world.entra;
    if entra.identities.is_empty() || world.options.tokens.contains_key(token) {
        return Ok(None);
    }
    let refuse = |code: &str, text: &str| Err(ArmError::new(401, code).saying(text));
    let Some(issued) = entra.issued.get(token) else {
        return refuse("InvalidAuthenticationToken", "The access token is invalid.");
    };
    if world.now >= issued.expires {
        let text = "The access token expiry UTC time is earlier than current UTC time.";
        return refuse("ExpiredAuthenticationToken", text);
    }
    let known = entra.identities.get(&issued.client);
    let Some(known) = known.filter(|_| !entra.revoked.contains(&issued.client)) else {
        return refuse("InvalidAuthenticationToken", "The identity was revoked.");
    };
    if let ["subscriptions", sub, ..] =
        call.segments.iter().map(String::as_str).collect::<Vec<_>>()[..]
        && !known.subscriptions.contains(sub)
    {
        let action = "Microsoft.Resources/subscriptions/read";
        return Err(denied(
            &known.name,
            action,
            &format!("/subscriptions/{sub}"),
        ));
    }
    Ok(Some(known.name.clone()))
}

/// The refusal of a caller without the right (azure.md 6).
pub(crate) fn denied(caller: &str, action: &str, scope: &str) -> ArmError {
    ArmError::new(403, "AuthorizationFailed").saying(format!(
        "The client '{caller}' with object id '{caller}' does not have authorization to perform \
         action '{action}' over scope '{scope}' or the scope is invalid."
    ))
}

fn response(status: u16, body: &Value, now: DateTime<Utc>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(
        "content-type",
        ::http::HeaderValue::from_static("application/json; charset=utf-8"),
    );
    let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = ::http::HeaderValue::from_str(&date) {
        headers.insert("date", date);
    }
    response
}
