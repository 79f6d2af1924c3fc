//! Writes the refusals that a fault brings.

use chrono::{DateTime, TimeDelta, Utc};

use crate::http::entra;
use crate::http::reply::ArmError;
use crate::http::request::Call;
use crate::strike::Refusal;

/// Writes a refusal as Azure does. The texts of 409, 429 and 503 are not published as a table;
/// clients go by status and code (azure.md §6).
pub(super) fn refusal(which: Refusal, call: &Call, now: DateTime<Utc>) -> ArmError {
    match which {
        Refusal::Conflict => ArmError::new(409, "Conflict")
            .saying("Another operation is in progress on the machine. Retry after it ended."),
        Refusal::Seconds(seconds) => throttled().with("retry-after", seconds.to_string()),
        Refusal::Date(seconds) => {
            let until = now + TimeDelta::seconds(i64::from(seconds));
            throttled().with("retry-after", http_date(until))
        }
        Refusal::Server(status) => server_error(status),
        Refusal::Denied => {
            let scope = format!("/{}", call.spelled.join("/"));
            entra::denied("the caller", &action(call), &scope)
        }
        Refusal::RegionDown => server_error(503).saying("The region is not available."),
        Refusal::TokenExpired => ArmError::new(401, "ExpiredAuthenticationToken")
            .saying("The access token expiry UTC time is earlier than current UTC time.")
            .with(
                "www-authenticate",
                "Bearer error=\"invalid_token\", error_description=\"The access token has \
                     expired.\"",
            ),
    }
}

/// Names the action that a call needs, as a role would: the provider, the types of the resource,
/// and what the method does (Microsoft, "Azure resource provider operations").
fn action(call: &Call) -> String {
    let mut path = call
        .spelled
        .rsplit(|own| own.eq_ignore_ascii_case("providers"));
    let below = path.next().unwrap_or_default();
    let Some((provider, below)) = below.split_first() else {
        return "Microsoft.Resources/subscriptions/read".to_owned();
    };
    let types: Vec<&str> = below.iter().step_by(2).map(String::as_str).collect();
    let asks = provider.eq_ignore_ascii_case("Microsoft.ResourceGraph");
    let does = match call.method.as_str() {
        "POST" if !asks => "action",
        "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        _ => "read",
    };
    format!("{provider}/{}/{does}", types.join("/"))
}

fn throttled() -> ArmError {
    ArmError::new(429, "TooManyRequests").saying("The request was throttled.")
}

/// Gives the error of a server or a gateway.
pub(super) fn server_error(status: u16) -> ArmError {
    let (code, message) = match status {
        502 => ("BadGateway", "The gateway got no valid answer."),
        503 => ("ServiceUnavailable", "The service is not available."),
        504 => ("GatewayTimeout", "The gateway got no answer in time."),
        _ => ("InternalServerError", "The server met an internal error."),
    };
    ArmError::new(status, code).saying(message)
}

/// Writes an instant as HTTP does (RFC 9110 §5.6.7).
pub(super) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
