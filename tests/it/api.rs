//! What users write: good examples pass, and every rule refuses something in words that help.

// tests may unwrap
#![allow(clippy::unwrap_used)]

mod examples;
mod fleet;
mod policy;
mod request;
mod run;
pub(crate) mod structural;
mod window;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hotpatch_operator::api;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::cel::{Validator, apply_defaults};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Where a fault was found and what was said.
pub(crate) type Fault = (String, String);

/// One change of a good object, and the fault that it must raise.
struct Bad {
    /// JSON pointer below the object.
    at: &'static str,
    /// What stands there instead, as YAML; empty takes the field away.
    now: &'static str,
    /// Path of the schema node that refuses it.
    path: &'static str,
    /// The whole message.
    says: &'static str,
}

pub(crate) fn schema(crd: &CustomResourceDefinition) -> Value {
    let version = crd.spec.versions[0].schema.as_ref().unwrap();
    serde_json::to_value(version.open_api_v3_schema.as_ref().unwrap()).unwrap()
}

pub(crate) fn schema_of(kind: &str) -> Value {
    let crds = api::all_crds();
    schema(crds.iter().find(|c| c.spec.names.kind == kind).unwrap())
}

pub(crate) fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Judges an object as an API server would: structure first, then CEL rules.
pub(crate) fn faults(schema: &Value, object: &Value, old: Option<&Value>) -> Vec<Fault> {
    let mut body = object.clone();
    for standard in ["apiVersion", "kind", "metadata"] {
        body.as_object_mut().unwrap().remove(standard);
    }
    let mut found = structural::faults(schema, &apply_defaults(schema, &body));
    if let Err(errors) = Validator::new().validate(schema, object, old) {
        for error in errors {
            found.push((without_indexes(&error.field_path), error.message));
        }
    }
    found
}

fn without_indexes(path: &str) -> String {
    path.split('[')
        .map(|part| part.split_once(']').map_or(part, |(_, rest)| rest))
        .collect::<Vec<_>>()
        .join("[]")
}

pub(crate) fn change(object: &Value, at: &str, now: &str) -> Value {
    let mut changed = object.clone();
    let (parent, name) = at.rsplit_once('/').unwrap();
    let parent = changed
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("no {at}"));
    match (parent, now) {
        (Value::Object(fields), "") => assert!(fields.remove(name).is_some(), "no {at}"),
        (Value::Object(fields), _) => {
            fields.insert(name.to_owned(), yaml(now));
        }
        (Value::Array(items), _) => items[name.parse::<usize>().unwrap()] = yaml(now),
        _ => panic!("{at} is inside a scalar"),
    }
    changed
}

/// The annotations of a bad manifest that say where it is refused, and in which words.
pub(crate) const REFUSED_AT: &str = "hotpatch.dev/refused-at";
pub(crate) const REFUSED_SAYING: &str = "hotpatch.dev/refused-saying";

/// Returns a good object of each kind.
pub(crate) fn good(kind: &str) -> Value {
    yaml(match kind {
        "HotpatchFleet" => fleet::GOOD,
        "MaintenanceWindow" => window::GOOD,
        "BaselinePolicy" => policy::GOOD,
        "HotpatchRequest" => request::GOOD,
        "HotpatchRun" => run::GOOD,
        "HotpatchMachine" => run::MACHINE,
        other => panic!("{other} is no kind"),
    })
}

/// Returns the file of the bad manifests of a kind. They are kept so that a real API server can be
/// tried with them (`crd_quality`).
pub(crate) fn bad_manifests(kind: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad-manifests");
    folder.join(format!("{kind}.yaml"))
}

/// Compares the bad objects of a kind with those that are kept.
fn keep(kind: &str, bad: &[Bad], objects: &[Value]) {
    let mut text =
        format!("# Every one is refused. Made by the tests of {kind} in tests/it/api.\n");
    for (number, (bad, object)) in bad.iter().zip(objects).enumerate() {
        let mut object = object.clone();
        object["metadata"]["name"] = json!(format!("bad-{}", number + 1));
        object["metadata"]["annotations"] = json!({REFUSED_AT: bad.path, REFUSED_SAYING: bad.says});
        if number > 0 {
            text.push_str("---\n");
        }
        text.push_str(&serde_saphyr::to_string(&object).unwrap());
    }
    let path = bad_manifests(kind);
    #[expect(
        clippy::disallowed_methods,
        reason = "how a person asks a test for new goldens"
    )]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let cure = "is stale: run UPDATE_GOLDEN=1 cargo test --test it every_rule_of";
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "tests/bad-manifests/{kind}.yaml {cure}");
}

/// Checks that each bad object raises its fault, and that no rule of the kind is left untried.
fn every_rule_is_hit(kind: &str, good: &str, bad: &[Bad]) {
    let schema = schema_of(kind);
    let good = yaml(good);
    let mut hit = BTreeSet::new();
    let mut objects = Vec::new();
    for Bad {
        at,
        now,
        path,
        says,
    } in bad
    {
        let object = change(&good, at, now);
        let found = faults(&schema, &object, None);
        let expected = ((*path).to_owned(), (*says).to_owned());
        assert!(found.contains(&expected), "{at} = {now}: {found:#?}");
        hit.insert(expected);
        objects.push(object);
    }
    keep(kind, bad, &objects);
    let mut all = BTreeSet::new();
    structural::rules(&schema, "", &mut all);
    // Rules on oldSelf need two objects; each kind tries them in a test of its own.
    all.retain(|(path, says, rule)| {
        !hit.contains(&(path.clone(), says.clone())) && !rule.contains("oldSelf")
    });
    assert!(all.is_empty(), "{kind}: no bad object for {all:#?}");
}

/// Checks a good object: no faults; read and written again, it is what the API server stores.
///
/// So the defaults of serde are those of the schema.
fn is_good<K: DeserializeOwned + Serialize>(kind: &str, text: &str) -> K {
    let schema = schema_of(kind);
    let object = yaml(text);
    assert_eq!(faults(&schema, &object, None), []);
    let typed: K = serde_json::from_value(object.clone()).unwrap();
    let stored = apply_defaults(&schema, &object);
    assert_eq!(serde_json::to_value(&typed).unwrap(), stored, "{kind}");
    typed
}

#[test]
fn the_checker_itself_sees_what_an_api_server_sees() {
    let schema = schema_of("MaintenanceWindow");
    let good = yaml(window::GOOD);
    let cases = [
        ("/spec/timeZone", "", "spec", "timeZone is missing"),
        ("/spec/timeZone", "5", "spec.timeZone", "is no string"),
        ("/spec/timezone", "UTC", "spec.timezone", "unknown field"),
        ("/spec/duration", "PT4H", "spec.duration", "does not match"),
        (
            "/spec/schedule/weekly/days/0",
            "Caturday",
            "spec.schedule.weekly.days[]",
            "not one of",
        ),
        (
            "/spec/exclusions/1/name",
            "year-end",
            "spec.exclusions",
            "duplicate key",
        ),
    ];
    for (at, now, path, says) in cases {
        let found = faults(&schema, &change(&good, at, now), None);
        let told = found.iter().any(|(p, m)| p == path && m.contains(says));
        assert!(told, "{at} = {now}: {found:#?}");
    }
}

#[test]
fn defaults_stand_in_the_schema() {
    let cases = [
        ("HotpatchFleet", "mode", json!("Observe")),
        ("HotpatchFleet", "suspend", json!(false)),
        (
            "HotpatchFleet",
            "hotpatch",
            json!({"installer": "Operator", "when": "AnyTime"}),
        ),
        ("HotpatchFleet", "onRelease", json!("Restore")),
        ("HotpatchFleet", "machineRecords", json!("All")),
        ("BaselinePolicy", "deadlineDays", json!(21)),
        ("BaselinePolicy", "lateBaseline", json!("LatestCumulative")),
        ("BaselinePolicy", "approval", json!("Never")),
        ("BaselinePolicy", "offTrack", json!("NextWindow")),
        (
            "BaselinePolicy",
            "failures",
            json!({"max": 2, "per": "Stage", "retries": 1}),
        ),
        (
            "BaselinePolicy",
            "estimates",
            json!({"baseline": "60m", "reserve": "15m"}),
        ),
        (
            "BaselinePolicy",
            "unplannedBaselines",
            json!({"action": "NextWindow", "ignoreExclusions": false}),
        ),
        (
            "BaselinePolicy",
            "otherUpdates",
            json!({"dotnet": "WithBaseline", "drivers": "Leave", "nonSecurity": "Leave",
                   "sql": "Leave"}),
        ),
        (
            "BaselinePolicy",
            "health",
            json!({"settle": "10m", "unknownAfter": "2h", "resourceHealth": "Required"}),
        ),
        (
            "BaselinePolicy",
            "availability",
            json!({"spread": ["GeoPair", "Region", "Zone", "AvailabilitySet", "Site", "Cluster"]}),
        ),
    ];
    for (kind, field, expected) in cases {
        let schema = schema_of(kind);
        let property = &schema["properties"]["spec"]["properties"][field];
        assert_eq!(property["default"], expected, "{kind} {field}");
    }
}
