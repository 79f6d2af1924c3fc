use std::path::Path;

use hotpatch_operator::api::{BaselinePolicy, HotpatchFleet, MaintenanceWindow};
use serde_json::Value;

use super::{faults, schema_of, yaml};

/// Reads all documents of one file of `examples/`.
fn documents(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    text.split("\n---\n").map(yaml).collect()
}

fn named<'a>(objects: &'a [Value], name: &str) -> &'a Value {
    let found = objects.iter().find(|o| o["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no example named {name}"))
}

#[test]
fn every_example_is_valid_and_names_no_namespace() {
    for file in ["fleet.yaml", "windows.yaml", "policy.yaml"] {
        for object in documents(file) {
            let schema = schema_of(object["kind"].as_str().unwrap());
            assert_eq!(faults(&schema, &object, None), [], "{file}");
            assert_eq!(object["apiVersion"], "hotpatch.dev/v1alpha1", "{file}");
            assert!(object["metadata"].get("namespace").is_none(), "{file}");
        }
    }
}

#[test]
fn every_example_reads_as_its_type() {
    for object in documents("windows.yaml") {
        serde_json::from_value::<MaintenanceWindow>(object).unwrap();
    }
    for object in documents("policy.yaml") {
        serde_json::from_value::<BaselinePolicy>(object).unwrap();
    }
    for object in documents("fleet.yaml") {
        serde_json::from_value::<HotpatchFleet>(object).unwrap();
    }
}

#[test]
fn the_example_fleet_names_only_what_the_other_examples_hold() {
    let fleet = documents("fleet.yaml").remove(0);
    let fleet: HotpatchFleet = serde_json::from_value(fleet).unwrap();
    let policies = documents("policy.yaml");
    let policy = named(&policies, &fleet.spec.policy_ref.name);
    let stages = policy["spec"]["stages"].as_array().unwrap();
    let windows = documents("windows.yaml");
    for window in fleet.spec.window_refs {
        named(&windows, &window.name);
        for stage in window.stages {
            assert!(
                stages.iter().any(|s| s["name"] == stage.as_str()),
                "stage {stage}"
            );
        }
    }
}

#[test]
fn every_kind_shown_in_the_readme_is_valid() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let blocks = readme.split("```yaml\n").skip(1);
    let kinds: Vec<String> = blocks
        .map(|block| {
            let object = yaml(block.split("```").next().unwrap());
            let kind = object["kind"].as_str().unwrap().to_owned();
            assert_eq!(faults(&schema_of(&kind), &object, None), [], "{kind}");
            kind
        })
        .collect();
    let shown = [
        "HotpatchFleet",
        "MaintenanceWindow",
        "BaselinePolicy",
        "HotpatchRequest",
    ];
    assert_eq!(kinds, shown);
}
