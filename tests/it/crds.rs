//! The definitions as they are installed: complete, bounded, readable, and the same as in `crds/`.

// tests may unwrap
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use hotpatch_operator::api;
use hotpatch_operator::cli::crds;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use crate::api::{schema, structural};

const KINDS: [(&str, &str, &str); 6] = [
    ("HotpatchFleet", "hotpatchfleets", "hpf"),
    ("MaintenanceWindow", "maintenancewindows", "hpw"),
    ("BaselinePolicy", "baselinepolicies", "hpp"),
    ("HotpatchRequest", "hotpatchrequests", "hpq"),
    ("HotpatchRun", "hotpatchruns", "hpr"),
    ("HotpatchMachine", "hotpatchmachines", "hpm"),
];

const COLUMNS: [(&str, &[&str]); 6] = [
    (
        "HotpatchFleet",
        &[
            "Ready", "Mode", "Machines", "Current", "Due", "Blocked", "Next", "Action", "Age",
        ],
    ),
    ("MaintenanceWindow", &["Open", "Next", "Zone", "Age"]),
    ("BaselinePolicy", &["Stages", "Deadline", "Ready", "Age"]),
    (
        "HotpatchRequest",
        &["Verb", "Fleet", "State", "Reason", "Message", "Age"],
    ),
    (
        "HotpatchRun",
        &[
            "Action", "Release", "Stage", "Machines", "Done", "Failed", "State", "Age",
        ],
    ),
    (
        "HotpatchMachine",
        &["Eligible", "Track", "Due", "Reason", "Run", "Age"],
    ),
];

/// `kubectl apply` keeps the whole object in an annotation, which holds 256 KiB; half is room for
/// growth.
const MAX_BYTES: usize = 128 * 1024;

/// Visits every schema node of every kind with its path.
fn each_node(mut visit: impl FnMut(&str, &Value)) {
    for crd in api::all_crds() {
        walk(&schema(&crd), &crd.spec.names.kind, &mut visit);
    }
}

fn walk(node: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, node);
    for (name, property) in node["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), visit);
    }
    for (field, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if node[field].is_object() {
            walk(&node[field], &format!("{path}{mark}"), visit);
        }
    }
}

/// Fails with all faults at once.
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_files_in_crds_are_what_the_code_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let files = crds::files();
    for (name, text) in &files {
        let found = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            found == *text,
            "crds/ is stale: run `make crds` ({name} differs)"
        );
    }
    let expected: BTreeSet<String> = files.into_iter().map(|(name, _)| name).collect();
    let entries = std::fs::read_dir(&folder).unwrap();
    let found: BTreeSet<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, expected, "crds/ is stale: run `make crds`");
}

#[test]
fn the_printed_stream_reads_back_as_the_definitions() {
    let text = crds::print();
    let documents: Vec<&str> = text.split("---\n").collect();
    let crds = api::all_crds();
    assert_eq!(documents.len(), crds.len());
    for (document, crd) in documents.iter().zip(crds) {
        let read: CustomResourceDefinition = serde_saphyr::from_str(document).unwrap();
        assert_eq!(read, crd);
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    assert_eq!(crds::files(), crds::files());
}

#[test]
fn a_definition_fits_the_annotation_of_kubectl_apply() {
    for (name, text) in crds::files() {
        assert!(text.len() < MAX_BYTES, "{name} has {} bytes", text.len());
    }
}

#[test]
fn every_kind_is_namespaced_named_and_has_a_status() {
    let crds = api::all_crds();
    let names: Vec<_> = crds
        .iter()
        .map(|c| {
            let names = &c.spec.names;
            let short = names.short_names.as_ref().unwrap();
            assert_eq!(c.spec.group, api::GROUP);
            assert_eq!(c.spec.scope, "Namespaced");
            assert_eq!(
                names.categories.as_deref(),
                Some(&[api::CATEGORY.to_owned()][..])
            );
            assert_eq!(c.spec.versions[0].name, api::VERSION);
            let subresources = c.spec.versions[0].subresources.as_ref().unwrap();
            assert!(subresources.status.is_some());
            (
                names.kind.as_str(),
                names.plural.as_str(),
                short[0].as_str(),
            )
        })
        .collect();
    assert_eq!(names, KINDS);
}

#[test]
fn every_status_has_a_generation_and_conditions_by_type() {
    for crd in api::all_crds() {
        let status = schema(&crd)["properties"]["status"]["properties"].clone();
        assert!(status["observedGeneration"].is_object());
        let conditions = &status["conditions"];
        assert_eq!(
            conditions["x-kubernetes-list-map-keys"],
            serde_json::json!(["type"])
        );
    }
}

#[test]
fn every_property_has_a_description() {
    let mut faults = Vec::new();
    each_node(|path, node| {
        let text = node["description"].as_str().unwrap_or_default();
        let is_item = path.ends_with("[]") || path.ends_with("{}");
        if !is_item && (text.len() < 10 || !text.ends_with('.')) {
            faults.push(format!("{path}: {text:?}"));
        }
    });
    none(faults);
}

#[test]
fn no_description_is_left_from_the_library() {
    let mut faults = Vec::new();
    each_node(|path, node| {
        let text = node["description"].as_str().unwrap_or_default();
        if text.contains("Auto-generated") || text.contains("wrapper around time.Time") {
            faults.push(path.to_owned());
        }
    });
    none(faults);
}

#[test]
fn no_reference_names_a_namespace_and_no_spec_holds_an_address() {
    let mut faults = Vec::new();
    each_node(|path, _| {
        let name = path.rsplit('.').next().unwrap_or_default();
        let address = path.contains(".spec.") && ["url", "token", "ca"].contains(&name);
        if name.eq_ignore_ascii_case("namespace") || address {
            faults.push(path.to_owned());
        }
    });
    none(faults);
}

#[test]
fn every_string_list_and_map_has_a_bound() {
    let mut faults = Vec::new();
    each_node(|path, node| {
        let has = |key: &str| !node[key].is_null();
        let known_format = ["date-time", "date"].contains(&node["format"].as_str().unwrap_or(""));
        let bounded = match node["type"].as_str() {
            Some("string") => has("maxLength") || has("enum") || known_format,
            Some("array") => has("maxItems"),
            Some("object") => has("properties") || has("maxProperties"),
            Some("integer" | "boolean") => true,
            Some(_) => false,
            None => node["x-kubernetes-int-or-string"] == true && has("maxLength"),
        };
        if !bounded {
            faults.push(path.to_owned());
        }
    });
    none(faults);
}

#[test]
fn every_list_says_how_it_is_merged_and_has_whole_keys() {
    let mut faults = Vec::new();
    each_node(|path, node| {
        if node["type"] != "array" {
            return;
        }
        let kind = node["x-kubernetes-list-type"].as_str().unwrap_or("none");
        let fits = match kind {
            "atomic" => true,
            "set" => node["items"]["type"] == "string",
            "map" => {
                let keys = node["x-kubernetes-list-map-keys"].as_array().unwrap();
                keys.iter()
                    .all(|key| is_key(&node["items"], key.as_str().unwrap()))
            }
            _ => false,
        };
        if !fits {
            faults.push(format!("{path}: {kind}"));
        }
    });
    none(faults);
}

/// The key of a list map must be required or have a default.
fn is_key(item: &Value, key: &str) -> bool {
    let required = item["required"]
        .as_array()
        .is_some_and(|r| r.iter().any(|f| f == key));
    let property = &item["properties"][key];
    property.is_object() && (required || !property["default"].is_null())
}

#[test]
fn schemas_are_structural_and_use_formats_that_api_servers_know() {
    let mut faults = Vec::new();
    let known = ["date-time", "date", "int32", "int64"];
    each_node(|path, node| {
        let foreign = ["nullable", "$ref", "anyOf", "oneOf", "allOf", "title"];
        let found: Vec<_> = foreign
            .iter()
            .filter(|key| !node[**key].is_null())
            .collect();
        let format = node["format"].as_str();
        if !found.is_empty() || format.is_some_and(|f| !known.contains(&f)) {
            faults.push(format!("{path}: {found:?} {format:?}"));
        }
    });
    none(faults);
}

#[test]
fn every_rule_has_a_message_in_one_line() {
    for crd in api::all_crds() {
        let mut rules = BTreeSet::new();
        structural::rules(&schema(&crd), "", &mut rules);
        assert!(!rules.is_empty(), "{}", crd.spec.names.kind);
        for (path, message, rule) in rules {
            let readable = message.len() > 20 && !message.contains('\n');
            assert!(readable, "{path}: {rule}: {message:?}");
        }
    }
}

#[test]
fn printer_columns_are_those_of_the_design_and_point_at_fields() {
    for (crd, (kind, expected)) in api::all_crds().iter().zip(COLUMNS) {
        let columns = crd.spec.versions[0]
            .additional_printer_columns
            .as_ref()
            .unwrap();
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!((crd.spec.names.kind.as_str(), &names[..]), (kind, expected));
        for column in columns {
            let found = points_at(&schema(crd), &column.json_path);
            assert!(found, "{kind}: column {} points nowhere", column.name);
            assert!(column.description.is_some(), "{kind} {}", column.name);
        }
    }
}

#[test]
fn selectable_fields_point_at_fields() {
    for crd in api::all_crds() {
        for field in crd.spec.versions[0].selectable_fields.iter().flatten() {
            assert!(
                points_at(&schema(&crd), &field.json_path),
                "{}",
                field.json_path
            );
        }
    }
}

/// Follows a JSON path through a schema; any index or filter in brackets means an item.
fn points_at(root: &Value, json_path: &str) -> bool {
    if json_path.starts_with(".metadata.") {
        return true;
    }
    let mut plain = String::new();
    let mut depth = 0;
    for c in json_path.chars() {
        match c {
            '[' => {
                depth += 1;
                plain.push_str(".[]");
            }
            ']' => depth -= 1,
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let mut node = root;
    for part in plain.split('.').filter(|p| !p.is_empty()) {
        node = match part {
            "[]" => &node["items"],
            name => &node["properties"][name],
        };
    }
    node.is_object()
}
