//! A transport that answers from a script and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::{DateTime, TimeZone, Utc};
use futures::future::BoxFuture;
use hotpatch_operator::azure::{Cloud, Endpoint, Scope, Token, Transport, TransportError};
use hotpatch_operator::domain::command::{InstallOrder, RequestId};
use hotpatch_operator::domain::machine::MachineId;
use serde_json::{Value, json};

/// What no answer, error or log may ever show.
pub(crate) const CANARY: &str = "canary-secret-token";

pub(crate) type Answer = Result<http::Response<Bytes>, TransportError>;

/// Answers in order; the last call past the end fails the test.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<http::Request<Bytes>>>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let answers = Mutex::new(answers.into_iter().collect());
        Arc::new(Self {
            answers,
            seen: Mutex::default(),
        })
    }

    pub(crate) fn cloud(self: &Arc<Self>) -> Cloud {
        let endpoint = Endpoint::parse(Endpoint::PUBLIC).unwrap();
        Cloud::new(self.clone(), endpoint, Token::new(CANARY).unwrap())
    }

    pub(crate) fn seen(&self) -> Vec<http::Request<Bytes>> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn bodies(&self) -> Vec<Value> {
        let parse = |r: &http::Request<Bytes>| serde_json::from_slice(r.body()).unwrap_or_default();
        self.seen().iter().map(parse).collect()
    }
}

impl Transport for Script {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Answer> {
        self.seen.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move { answer.expect("a call beyond the script") })
    }
}

pub(crate) fn ok(status: u16, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let body = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    Ok(response.body(body).unwrap())
}

pub(crate) fn error(status: u16, code: &str) -> Answer {
    let body = json!({"error": {"code": code, "message": "as scripted", "target": "it"}});
    ok(status, &[], &body)
}

/// A page of Resource Graph.
pub(crate) fn page(rows: &[Value], token: Option<&str>) -> Answer {
    let mut body = json!({"totalRecords": rows.len(), "count": rows.len(),
        "resultTruncated": "false", "facets": [], "data": rows});
    if let Some(token) = token {
        body["$skipToken"] = json!(token);
    }
    ok(200, &[], &body)
}

pub(crate) fn empty_pages(count: usize) -> Vec<Answer> {
    (0..count).map(|_| page(&[], None)).collect()
}

pub(crate) const VM: &str = "/subscriptions/s1/resourceGroups/rg/providers/\
                             Microsoft.Compute/virtualMachines/vm1";
pub(crate) const ARC: &str = "/subscriptions/s1/resourceGroups/rg/providers/\
                              Microsoft.HybridCompute/machines/arc1";

pub(crate) fn id(text: &str) -> MachineId {
    MachineId::parse(text).unwrap()
}

pub(crate) fn scope() -> Scope {
    Scope {
        subscriptions: vec!["s1".into()],
        management_groups: vec![],
    }
}

pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 3, 0, 0).unwrap()
}

pub(crate) fn request() -> RequestId {
    RequestId("5f2c2d0e-9d0a-5c6c-8f6a-0123456789ab".to_owned())
}

pub(crate) fn order() -> InstallOrder {
    InstallOrder {
        kbs: vec!["KB5070893".parse().unwrap()],
        may_reboot: false,
        exclude_rebooting: true,
        published_until: chrono::NaiveDate::from_ymd_opt(2026, 11, 10).unwrap(),
        maximum_duration: chrono::TimeDelta::minutes(120),
    }
}
