//! What is declared becomes domain values or named faults, and a run's record reads back.

// tests may unwrap
#![allow(clippy::unwrap_used)]

mod fleet;
mod request;
mod run;
mod window;

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use hotpatch_operator::validate::{Declared, Found};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{change, yaml};

const FLEET: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: HotpatchFleet
metadata:
  name: web
  namespace: shop
  uid: 6f2a5a52-0000-4000-8000-000000000001
  creationTimestamp: "2026-01-02T03:04:05Z"
spec:
  mode: Enforce
  serviceAccountName: hotpatch
  scope: {subscriptions: [00000000-0000-0000-0000-000000000001]}
  selector:
    kinds: [AzureVM]
    resourceGroups: [RG-Web]
    locations: [West Europe]
    tags: {matchLabels: {app: web}, matchExpressions: [{key: ring, operator: Exists}]}
    exclude:
    - {resourceId: /subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/W9,
       reason: vendor freeze, through: 2027-01-31}
  policyRef: {name: careful}
  windowRefs: [{name: saturday, stages: [canary]}, {name: sunday}]
  exclusions: [{name: freeze, from: 2026-12-18, through: 2027-01-04}]
  approvals: [{release: 2026-10, stage: broad}, {release: ws2025-2026-10-13}]
"#;

const POLICY: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: BaselinePolicy
metadata: {name: careful, namespace: shop}
spec:
  stages:
  - {name: canary, selector: {matchLabels: {ring: canary}}, maxUnavailable: 1, soak: 24h}
  - {name: broad, maxUnavailable: 20%}
  availability:
    spread: [Zone, Region]
    groups: [{tag: App, maxUnavailable: 1, orderTag: order}]
  otherUpdates: {dotnet: Leave}
  runGates: [{conditionType: example.com/Drained}]
"#;

const SATURDAY: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: saturday, namespace: shop}
spec:
  timeZone: Europe/Berlin
  schedule: {weekly: {days: [Saturday]}}
  startTime: "22:00"
  duration: 4h
  exclusions: [{name: launch, from: 2026-11-01, through: 2026-11-03}]
"#;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn object<K: DeserializeOwned>(value: &Value) -> Found<K> {
    Found::Object(Arc::new(serde_json::from_value(value.clone()).unwrap()))
}

fn unreadable<K>(name: &str) -> Found<K> {
    Found::Unreadable {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        uid: None,
        created_at: None,
        deleted_at: None,
        why: "spec.mode: no such word".to_owned(),
    }
}

/// A namespace with a fleet, its policy and its two windows.
struct Namespace {
    fleet: Value,
    policy: Value,
    saturday: Value,
    requests: Vec<Value>,
}

impl Namespace {
    fn good() -> Self {
        let (fleet, policy, saturday) = (yaml(FLEET), yaml(POLICY), yaml(SATURDAY));
        Self {
            fleet,
            policy,
            saturday,
            requests: Vec::new(),
        }
    }

    /// Changes the object that a path names first: `fleet/spec/mode`.
    fn with(mut self, at: &str, now: &str) -> Self {
        let (object, path) = at.split_once('/').unwrap();
        let place = match object {
            "fleet" => &mut self.fleet,
            "policy" => &mut self.policy,
            "window" => &mut self.saturday,
            other => panic!("no {other}"),
        };
        *place = change(place, &format!("/{path}"), now);
        self
    }

    fn declared(&self) -> Declared {
        let sunday = change(&yaml(SATURDAY), "/metadata/name", "sunday");
        Declared {
            fleets: vec![object(&self.fleet)],
            windows: vec![object(&self.saturday), object(&sunday)],
            policies: vec![object(&self.policy)],
            requests: self.requests.iter().map(object).collect(),
            ..Declared::default()
        }
    }
}

/// Reads all documents of one file of `examples/`.
fn examples(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(file);
    std::fs::read_to_string(&path)
        .unwrap()
        .split("\n---\n")
        .map(yaml)
        .collect()
}
