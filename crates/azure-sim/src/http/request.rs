//! Reads a request: path, query, identity and body. Must never judge it.

use ::http::Request;
use bytes::Bytes;
use serde_json::Value;

use crate::effects::{Actor, CallOperation};
use crate::http::reply::ArmError;
use crate::strike::Bends;
use crate::world::World;

/// Where clients find the emulator when they send no Host header.
const PUBLIC_HOST: &str = "management.azure.com";

/// Says how a client that came through a listener reached it; without it, by HTTPS.
pub(crate) const SCHEME_HEADER: &str = "x-forwarded-proto";

/// One request, read.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Path segments, lower case.
    pub(crate) segments: Vec<String>,
    /// Path segments as the caller spelled them.
    pub(crate) spelled: Vec<String>,
    query: Vec<(String, String)>,
    /// Scheme and host by which the client came, for the addresses that it is told.
    pub(crate) origin: String,
    pub(crate) token: Option<String>,
    pub(crate) caller: String,
    pub(crate) client_request_id: Option<String>,
    pub(crate) return_client_request_id: bool,
    pub(crate) request_id: String,
    pub(crate) correlation: String,
    pub(crate) if_match: Option<String>,
    body: Bytes,
    /// The machine it is addressed to, once routed.
    pub(crate) machine: Option<String>,
    /// What it is addressed to below the machine, where that has events of its own.
    pub(crate) child: Option<String>,
    /// What it asks for, if it acts or writes, for the effect log.
    pub(crate) note: Option<crate::effects::Call>,
    /// The operation it started.
    pub(crate) operation: Option<String>,
    /// Its name in the Activity Log, for calls that act or write.
    pub(crate) activity_name: Option<&'static str>,
    /// What is answered otherwise than it is.
    pub(crate) bends: Bends,
    /// The headers that tell what is left of the limits; none while no limit holds.
    pub(crate) rates: Vec<(&'static str, String)>,
}

impl Call {
    pub(crate) fn read(world: &mut World, request: &Request<Bytes>) -> Self {
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let token = header("authorization")
            .and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned))
            .filter(|token| !token.is_empty());
        let host = header("host")
            .or_else(|| request.uri().authority().map(ToString::to_string))
            .unwrap_or_else(|| PUBLIC_HOST.to_owned());
        let scheme = header(SCHEME_HEADER).unwrap_or_else(|| "https".to_owned());
        let request_id = world.guid();
        Self {
            method: request.method().to_string(),
            segments: segments(request.uri().path())
                .iter()
                .map(|part| part.to_lowercase())
                .collect(),
            spelled: segments(request.uri().path()),
            query: pairs(request.uri().query().unwrap_or_default()),
            origin: format!("{scheme}://{host}"),
            token,
            caller: String::new(),
            client_request_id: header("x-ms-client-request-id"),
            return_client_request_id: header("x-ms-return-client-request-id")
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
            correlation: header("x-ms-correlation-request-id")
                .unwrap_or_else(|| request_id.clone()),
            request_id,
            if_match: header("if-match"),
            body: request.body().clone(),
            machine: None,
            child: None,
            note: None,
            operation: None,
            activity_name: None,
            bends: Bends::default(),
            rates: Vec::new(),
        }
    }

    /// Gives a query parameter; names compare without regard to case.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self
            .query
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Reads the body as a JSON object; an empty body is an empty object.
    pub(crate) fn json(&self) -> Result<Value, ArmError> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        let refuse = || {
            ArmError::new(400, "InvalidRequestContent")
                .saying("The request content was invalid and could not be deserialized.")
        };
        let value: Value = serde_json::from_slice(&self.body).map_err(|_| refuse())?;
        if value.is_object() {
            Ok(value)
        } else {
            Err(refuse())
        }
    }

    /// Notes what the call asks for, before it is accepted or refused.
    pub(crate) fn acts(&mut self, operation: CallOperation, activity_name: &'static str) {
        self.activity_name = Some(activity_name);
        self.note = Some(crate::effects::Call {
            operation,
            caller: self.caller.clone(),
            client_request_id: self.client_request_id.clone(),
            ..crate::effects::Call::default()
        });
    }

    /// Gives the caller as the one who did something.
    pub(crate) fn actor(&self, operation_id: &str) -> Actor {
        Actor::Caller {
            name: self.caller.clone(),
            client_request_id: self.client_request_id.clone(),
            operation_id: operation_id.to_owned(),
        }
    }

    /// Gives the subscription its path names.
    pub(crate) fn subscription(&self) -> Option<String> {
        match self.segments.as_slice() {
            [first, sub, ..] if first == "subscriptions" => Some(sub.clone()),
            _ => None,
        }
    }

    /// Gives the headers that tell what is left of the limits. While none holds, ARM's are
    /// those of somebody who begins.
    pub(crate) fn rates(&self) -> Vec<(&'static str, String)> {
        if !self.rates.is_empty() {
            return self.rates.clone();
        }
        let (name, left) = if self.method == "GET" {
            ("x-ms-ratelimit-remaining-subscription-reads", "249")
        } else {
            ("x-ms-ratelimit-remaining-subscription-writes", "199")
        };
        vec![(name, left.to_owned())]
    }

    pub(crate) fn api_version(&self) -> &str {
        self.query("api-version").unwrap_or_default()
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(decode)
        .collect()
}

/// Reads a query, or a form.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(&value.replace('+', " ")))
        })
        .collect()
}

/// Undoes percent encoding; what is not valid stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
