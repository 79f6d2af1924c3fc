//! What the definitions refuse, explain and still load: on the embedded API here, and on a real API
//! server where `make e2e` gives one (`crds_on_a_real_server_…`, ignored otherwise).
//!
//! The definitions are tried under another group on the real server, so that these tests and those
//! that install the real ones do not meet.

// tests may unwrap
#![allow(clippy::unwrap_used)]

mod bounds;
mod embedded;
mod real;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::api::{REFUSED_AT, REFUSED_SAYING, bad_manifests, structural, yaml};

/// The kinds with their plurals.
const KINDS: [(&str, &str); 6] = [
    ("HotpatchFleet", "hotpatchfleets"),
    ("MaintenanceWindow", "maintenancewindows"),
    ("BaselinePolicy", "baselinepolicies"),
    ("HotpatchRequest", "hotpatchrequests"),
    ("HotpatchRun", "hotpatchruns"),
    ("HotpatchMachine", "hotpatchmachines"),
];

/// Updates that a rule on `oldSelf` refuses: kind, what changes in a good object, to what, and what
/// is said.
const UPDATES: [(&str, &str, &str, &str); 2] = [
    (
        "HotpatchRequest",
        "/spec/stage",
        "canary",
        "a request cannot be changed: delete it and create another",
    ),
    (
        "HotpatchRun",
        "/spec/limits/0/maxUnavailable",
        "5",
        "the spec of a run cannot be changed: delete the run to abort it",
    ),
];

/// An object that is refused, where and in which words.
struct Refused {
    object: Value,
    name: String,
    at: String,
    says: String,
}

/// Reads the bad manifests of a kind.
fn refused(kind: &str) -> Vec<Refused> {
    let text = std::fs::read_to_string(bad_manifests(kind)).unwrap();
    let objects = text.split("\n---\n").map(yaml);
    objects
        .map(|object| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let metadata = &object["metadata"];
            Refused {
                name: text(&metadata["name"]),
                at: text(&metadata["annotations"][REFUSED_AT]),
                says: text(&metadata["annotations"][REFUSED_SAYING]),
                object,
            }
        })
        .collect()
}

/// Reads a definition as it is kept in `crds/`.
fn definition(plural: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let file = folder.join(format!("hotpatch.dev_{plural}.yaml"));
    yaml(&std::fs::read_to_string(file).unwrap())
}

fn schema(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

#[test]
fn every_rule_of_the_definitions_has_a_bad_manifest_with_its_message() {
    let mut missing = Vec::new();
    let mut count = 0;
    for (kind, plural) in KINDS {
        let mut hit: BTreeSet<(String, String)> = refused(kind)
            .into_iter()
            .map(|own| (own.at, own.says))
            .collect();
        let updates = UPDATES.iter().filter(|own| own.0 == kind);
        hit.extend(updates.map(|own| ("spec".to_owned(), own.3.to_owned())));
        let mut rules = BTreeSet::new();
        structural::rules(schema(&definition(plural)), "", &mut rules);
        count += rules.len();
        missing.extend(
            rules
                .into_iter()
                .filter(|(at, says, _)| !hit.contains(&(at.clone(), says.clone())))
                .map(|rule| (kind, rule)),
        );
    }
    assert!(count > 40, "only {count} rules were read");
    assert!(missing.is_empty(), "no bad manifest for {missing:#?}");
}
