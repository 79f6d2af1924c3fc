//! Holds answers and errors in the envelope of Azure Resource Manager (azure.md 6).

use ::http::{HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::http::refuse::http_date;
use crate::http::request::Call;

/// An answer before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: Some(body),
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Writes the answer with the headers ARM puts on every one.
    pub(crate) fn write(self, call: &Call, now: DateTime<Utc>) -> Response<Bytes> {
        let bytes = self
            .body
            .map(|body| Bytes::from(body.to_string()))
            .unwrap_or_default();
        let has_body = !bytes.is_empty();
        let shown = now + TimeDelta::seconds(call.bends.skew_seconds);
        let mut response = Response::new(bytes);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut headers = vec![
            ("date", http_date(shown)),
            ("x-ms-request-id", call.request_id.clone()),
            ("x-ms-correlation-request-id", call.correlation.clone()),
            (
                "x-ms-routing-request-id",
                format!("AZURESIM:{}", call.request_id),
            ),
        ];
        headers.extend(call.rates());
        if has_body {
            headers.push(("content-type", "application/json; charset=utf-8".to_owned()));
        }
        if let (true, Some(id)) = (call.return_client_request_id, &call.client_request_id) {
            headers.push(("x-ms-client-request-id", id.clone()));
        }
        headers.extend(self.headers);
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// A refusal: status, code, message, target and details.
#[derive(Debug, Clone)]
pub(crate) struct ArmError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) target: Option<Box<str>>,
    /// Code, target and message.
    pub(crate) details: Vec<(String, Option<String>, String)>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl ArmError {
    pub(crate) fn new(status: u16, code: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: String::new(),
            target: None,
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    pub(crate) fn at(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into().into_boxed_str());
        self
    }

    pub(crate) fn detail(mut self, code: &str, message: impl Into<String>) -> Self {
        self.details.push((code.to_owned(), None, message.into()));
        self
    }

    pub(crate) fn detail_at(mut self, code: &str, target: &str, message: &str) -> Self {
        let target = Some(target.to_owned());
        self.details
            .push((code.to_owned(), target, message.to_owned()));
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 400 InvalidParameter with its target, the code Compute uses for patch settings.
    pub(crate) fn invalid(target: &str, message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameter")
            .saying(message)
            .at(target)
    }

    pub(crate) fn not_found(message: &str) -> Self {
        Self::new(404, "NotFound").saying(message)
    }

    pub(crate) fn machine_not_found(key: &str) -> Self {
        let name = key.rsplit('/').next().unwrap_or_default();
        let message = format!("The Resource '{name}' under its resource group was not found.");
        Self::new(404, "ResourceNotFound").saying(message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed")
            .saying("The requested resource does not support this HTTP method.")
    }

    pub(crate) fn into_reply(self) -> Reply {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(target) = self.target {
            error["target"] = json!(target);
        }
        if !self.details.is_empty() {
            let details: Vec<Value> = self
                .details
                .iter()
                .map(|(code, target, message)| {
                    let mut detail = json!({"code": code, "message": message});
                    if let Some(target) = target {
                        detail["target"] = json!(target);
                    }
                    detail
                })
                .collect();
            error["details"] = json!(details);
        }
        let body = Some(json!({"error": error}));
        Reply {
            status: self.status,
            headers: self.headers,
            body,
        }
    }
}
