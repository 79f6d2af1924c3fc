//! Events of the Activity Log (api-version 2015-04-01).

use serde::Deserialize;

/// One page of events.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Events {
    /// The events.
    pub value: Vec<Event>,
    /// Where the next page is.
    pub next_link: Option<String>,
}

/// One event.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Event {
    /// When it happened.
    pub event_timestamp: Option<String>,
    /// The call it belongs to.
    pub http_request: Option<HttpRequest>,
    /// Started, Accepted, Succeeded, Failed.
    pub status: Option<Localizable>,
    /// The HTTP status, as a word (`Conflict`) or a number.
    pub sub_status: Option<Localizable>,
    /// Kept together with the other events of the call.
    pub correlation_id: Option<String>,
}

/// `httpRequest`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRequest {
    /// What the caller sent as `x-ms-client-request-id`.
    pub client_request_id: Option<String>,
}

/// A word and its translation.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Localizable {
    /// The word.
    pub value: Option<String>,
    /// Its translation.
    pub localized_value: Option<String>,
}
