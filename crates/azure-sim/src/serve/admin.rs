//! What a served emulator offers beside Azure, under `/_sim/`: its switchboard and its counts.
//! Needs no token: only this machine can reach it.
//!
//! | request | does |
//! | --- | --- |
//! | `GET /_sim/faults` | lists the faults that stand |
//! | `POST /_sim/faults` | switches one on: [`Rule`] as JSON, or as text as on the command line |
//! | `DELETE /_sim/faults`, `DELETE /_sim/faults/{id}` | switches all or one off |
//! | `GET /_sim/calls` | counts the requests to Azure by what they ask for |
//! | `DELETE /_sim/calls` | begins to count anew |

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::connection::Desk;
use crate::switchboard::Rule;

/// What all its paths begin with.
const PREFIX: &str = "/_sim/";

/// Answers a request to the emulator itself; none if it is one to Azure.
pub(super) fn answer(desk: &Desk, request: &Request<Bytes>) -> Option<Response<Bytes>> {
    let path = request.uri().path().strip_prefix(PREFIX)?;
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
    let switchboard = desk.sim.switchboard();
    let (status, body) = match (request.method(), words.as_slice()) {
        (&Method::GET, ["faults"]) => {
            let body = json!({"faults": switchboard.standing()});
            (StatusCode::OK, body)
        }
        (&Method::POST, ["faults"]) => match read(request.body()) {
            Ok(rule) => match switchboard.set(rule) {
                Ok(id) => (StatusCode::CREATED, json!({"id": id})),
                Err(error) => bad(&error.to_string()),
            },
            Err(why) => bad(&why),
        },
        (&Method::DELETE, ["faults"]) => {
            switchboard.clear();
            (StatusCode::NO_CONTENT, Value::Null)
        }
        (&Method::DELETE, ["faults", id]) => {
            if id.parse().is_ok_and(|id| switchboard.remove(id)) {
                (StatusCode::NO_CONTENT, Value::Null)
            } else {
                let body = json!({"error": format!("no fault has the number {id}")});
                (StatusCode::NOT_FOUND, body)
            }
        }
        (&Method::GET, ["calls"]) => (StatusCode::OK, json!({"calls": desk.counts.all()})),
        (&Method::DELETE, ["calls"]) => {
            desk.counts.clear();
            (StatusCode::NO_CONTENT, Value::Null)
        }
        _ => {
            let body = json!({"error": "there are /_sim/faults and /_sim/calls"});
            (StatusCode::NOT_FOUND, body)
        }
    };
    Some(write(status, &body))
}

/// Reads a rule: JSON where it begins as JSON does, else text.
fn read(body: &Bytes) -> Result<Rule, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the body is not text".to_owned())?;
    if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        text.trim()
            .parse()
            .map_err(|error: crate::switchboard::RuleError| error.to_string())
    }
}

fn bad(why: &str) -> (StatusCode, Value) {
    (StatusCode::BAD_REQUEST, json!({"error": why}))
}

fn write(status: StatusCode, body: &Value) -> Response<Bytes> {
    let bytes = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    let mut response = Response::new(bytes);
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
