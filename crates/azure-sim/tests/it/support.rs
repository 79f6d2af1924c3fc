//! A world with a clock that tests turn, and calls in one line.

use std::sync::{Arc, Mutex};

use azure_sim::{Assumptions, AzureSim, Effect, Options, What};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::Request;
use serde_json::{Value, json};

pub(crate) struct Azure {
    pub(crate) sim: AzureSim,
    clock: Arc<Mutex<DateTime<Utc>>>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers
            .get(name)
            .map(|v| v.to_str().unwrap().to_owned())
            .unwrap_or_default()
    }

    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    let text = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    DateTime::parse_from_rfc3339(&text).unwrap().to_utc()
}

impl Azure {
    pub(crate) fn new(start: &str) -> Self {
        Self::with(start, Options::default())
    }

    pub(crate) fn assuming(start: &str, assumptions: Assumptions) -> Self {
        Self::with(
            start,
            Options {
                assumptions,
                ..Options::default()
            },
        )
    }

    pub(crate) fn with(start: &str, options: Options) -> Self {
        let clock = Arc::new(Mutex::new(at(start)));
        let shown = clock.clone();
        let sim = AzureSim::new(Arc::new(move || *shown.lock().unwrap()), options);
        Self { sim, clock }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        *self.clock.lock().unwrap()
    }

    pub(crate) fn set(&self, to: &str) {
        *self.clock.lock().unwrap() = at(to);
        self.sim.advance();
    }

    pub(crate) fn minutes(&self, minutes: i64) {
        *self.clock.lock().unwrap() += TimeDelta::minutes(minutes);
        self.sim.advance();
    }

    pub(crate) fn days(&self, days: i64) {
        self.minutes(days * 24 * 60);
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.send_with(method, path, body, &[])
    }

    pub(crate) fn send_with(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Reply {
        let path = path
            .strip_prefix("https://management.azure.com")
            .unwrap_or(path);
        let uri = match path.split_once('?') {
            Some(_) if path.contains("api-version=") => path.to_owned(),
            Some((path, query)) => format!("{path}?api-version=2024-11-01&{query}"),
            None => format!("{path}?api-version=2024-11-01"),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(uri.replace(' ', "%20"));
        if headers.iter().all(|(name, _)| *name != "authorization") {
            request = request.header("authorization", "Bearer operator");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        let response = self.sim.handle(request.body(bytes).unwrap());
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = if response.body().is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(response.body()).unwrap()
        };
        Reply {
            status,
            headers,
            body,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let reply = self.send("GET", path, &Value::Null);
        assert_eq!(reply.status, 200, "GET {path}: {}", reply.body);
        reply.body
    }

    /// Sends a command and polls its Location to the end; gives the result.
    pub(crate) fn run(&self, path: &str, body: &Value) -> Value {
        let reply = self.send("POST", path, body);
        assert_eq!(reply.status, 202, "POST {path}: {}", reply.body);
        self.poll(&reply.header("location")).body
    }

    pub(crate) fn poll(&self, location: &str) -> Reply {
        for _ in 0..1500 {
            let reply = self.send("GET", location, &Value::Null);
            if reply.status != 202 {
                return reply;
            }
            self.minutes(1);
        }
        panic!("{location} never ends");
    }

    pub(crate) fn assess(&self, id: &str) -> Value {
        self.run(&format!("{id}/assessPatches"), &Value::Null)
    }

    pub(crate) fn install(&self, id: &str, reboot: &str, kbs: &[&str]) -> Value {
        self.run(&format!("{id}/installPatches"), &install_body(reboot, kbs))
    }

    pub(crate) fn query(&self, text: &str) -> Vec<Value> {
        let reply = self.graph(&json!({"query": text, "options": {"$top": 1000}}));
        assert_eq!(reply.status, 200, "{text}: {}", reply.body);
        reply.body["data"].as_array().unwrap().clone()
    }

    pub(crate) fn graph(&self, body: &Value) -> Reply {
        self.send("POST", "/providers/Microsoft.ResourceGraph/resources", body)
    }

    /// Gives what happened to a machine.
    pub(crate) fn happened(&self, id: &str) -> Vec<Effect> {
        let id = id.to_lowercase();
        self.sim
            .effects_since(0)
            .into_iter()
            .filter(|e| e.machine_id == id)
            .collect()
    }

    pub(crate) fn reboots(&self, id: &str) -> usize {
        let started = |e: &&Effect| matches!(e.what, What::RebootStarted { .. });
        self.happened(id).iter().filter(started).count()
    }
}

/// Gives the body of an install pinned to some KBs.
pub(crate) fn install_body(reboot: &str, kbs: &[&str]) -> Value {
    json!({
        "maximumDuration": "PT3H",
        "rebootSetting": reboot,
        "windowsParameters": {"kbNumbersToInclude": kbs},
    })
}

/// Lists the KBs on offer in the result of a VM's assessment.
pub(crate) fn offered(assessment: &Value) -> Vec<String> {
    let patches = assessment["availablePatches"].as_array().unwrap();
    patches
        .iter()
        .map(|patch| patch["kbId"].as_str().unwrap().to_owned())
        .collect()
}

/// Lists only the cumulative updates and hotpatches on offer.
pub(crate) fn offered_releases(assessment: &Value) -> Vec<String> {
    let invented_dotnet = |kb: &String| kb.starts_with("91");
    offered(assessment)
        .into_iter()
        .filter(|kb| kb != "2267602" && !invented_dotnet(kb))
        .collect()
}
