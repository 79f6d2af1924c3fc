//! A real API server takes the definitions, refuses what it must, explains every field, and goes on
//! with objects that an older definition let in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::bounds::broken;
use super::{KINDS, UPDATES, definition, refused, schema};
use crate::api::{change, good};
use crate::chart::tools::{Said, eventually, get, kubectl, namespace};

/// Returns a definition under another group.
fn regrouped(plural: &str, group: &str) -> Value {
    let mut own = definition(plural);
    own["metadata"]["name"] = json!(format!("{plural}.{group}"));
    own["spec"]["group"] = json!(group);
    own
}

/// Puts an object under another group, in a namespace.
fn placed(mut object: Value, group: &str, namespace: &str) -> Value {
    object["apiVersion"] = json!(format!("{group}/v1alpha1"));
    object["metadata"]["namespace"] = json!(namespace);
    object
}

fn stream(objects: &[Value]) -> String {
    let texts: Vec<String> = objects.iter().map(Value::to_string).collect();
    texts.join("\n---\n")
}

/// Installs definitions, and fails on a refusal and on any warning.
fn install(definitions: &[Value]) {
    let args = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    let said = kubectl(&args, &stream(definitions));
    assert!(said.is_ok && said.err.is_empty(), "{}", said.err);
    for own in definitions {
        let name = format!("crd/{}", own["metadata"]["name"].as_str().unwrap());
        kubectl(
            &[
                "wait",
                "--for=condition=Established",
                &name,
                "--timeout=30s",
            ],
            "",
        )
        .ok(&name);
        let stored = get(&[&name]);
        let conditions = stored["status"]["conditions"].to_string();
        assert!(
            !conditions.contains("NonStructuralSchema"),
            "{name}: {conditions}"
        );
    }
}

fn install_all(group: &str) {
    let all: Vec<Value> = KINDS.iter().map(|own| regrouped(own.1, group)).collect();
    install(&all);
    // A server answers for a new kind some moments after it is established.
    for (_, plural) in KINDS {
        let resource = format!("{plural}.{group}");
        eventually(&resource, || {
            let said = kubectl(&["get", &resource, "-A"], "");
            said.is_ok.then_some(()).ok_or(said.err)
        });
    }
}

fn remove(group: &str) {
    let names = KINDS.map(|own| format!("{}.{group}", own.1));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    kubectl(
        &[&["delete", "crd", "--ignore-not-found"], names.as_slice()].concat(),
        "",
    )
    .ok("remove");
}

/// Offers many objects at once, none of which may be taken; returns what is said of each by name.
fn offer(objects: &[Value]) -> BTreeMap<String, String> {
    let args = ["create", "--dry-run=server", "--validate=ignore", "-f", "-"];
    let Said { out, err, .. } = kubectl(&args, &stream(objects));
    assert!(out.is_empty(), "accepted: {out}");
    // `… Kind.group "name" is invalid: …` each, to the next one's name.
    const MARK: &str = "\" is invalid:";
    let mut found = BTreeMap::new();
    let marks: Vec<usize> = err.match_indices(MARK).map(|own| own.0).collect();
    for (number, at) in marks.iter().enumerate() {
        let name = err[..*at].rsplit('"').next().unwrap_or_default();
        let end = marks.get(number + 1).copied().unwrap_or(err.len());
        found.insert(name.to_owned(), err[at + MARK.len()..end].to_owned());
    }
    found
}

#[test]
#[ignore = "needs kubectl and a real API server: make e2e"]
fn crds_on_a_real_server_apply_without_a_warning() {
    let group = "warnings.hotpatch.test";
    install_all(group);
    remove(group);
}

#[test]
#[ignore = "needs kubectl and a real API server: make e2e"]
fn crds_on_a_real_server_refuse_every_bad_manifest() {
    let group = "rules.hotpatch.test";
    let own = namespace("crd-rules", &[]);
    install_all(group);
    let mut faults = Vec::new();
    let mut count = 0;
    for (kind, _) in KINDS {
        let bad = refused(kind);
        let objects = bad
            .iter()
            .map(|bad| placed(bad.object.clone(), group, &own));
        let said = offer(&objects.collect::<Vec<_>>());
        count += bad.len();
        for bad in bad {
            let text = said.get(&bad.name).cloned().unwrap_or_default();
            // A real server writes indexes and keys where the manifest has brackets.
            if !text.contains(&bad.says) {
                faults.push(format!(
                    "{kind} {}: not {:?} in {text:?}",
                    bad.name, bad.says
                ));
            }
        }
    }
    for (kind, at, now, says) in UPDATES {
        count += 1;
        let good = placed(good(kind), group, &own);
        kubectl(&["create", "-f", "-"], &good.to_string()).ok(kind);
        let changed = change(&good, at, now).to_string();
        let said = kubectl(&["replace", "-f", "-"], &changed).refused(kind);
        if !said.contains(says) {
            faults.push(format!("{kind}: not {says:?} in {said:?}"));
        }
    }
    remove(group);
    println!(
        "{count} bad manifests, {} not refused as they should",
        faults.len()
    );
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
#[ignore = "needs kubectl and a real API server: make e2e"]
fn crds_on_a_real_server_name_every_bound_that_is_broken() {
    let group = "bounds.hotpatch.test";
    let own = namespace("crd-bounds", &[]);
    install_all(group);
    let mut faults = Vec::new();
    let mut count = 0;
    for (kind, plural) in KINDS {
        let broken = broken(schema(&definition(plural)));
        count += broken.len();
        let objects = broken.iter().enumerate().map(|(number, broken)| {
            json!({
                "apiVersion": format!("{group}/v1alpha1"), "kind": kind,
                "metadata": {"name": format!("bad-{number}"), "namespace": own},
                "spec": broken.spec,
            })
        });
        let said = offer(&objects.collect::<Vec<_>>());
        for (number, broken) in broken.iter().enumerate() {
            let text = said
                .get(&format!("bad-{number}"))
                .cloned()
                .unwrap_or_default();
            if !text.contains(&broken.at) || !text.contains(&broken.says) {
                let (at, bound, says) = (&broken.at, broken.bound, &broken.says);
                faults.push(format!("{kind} {at} {bound}: not {says:?} in {text:.300}"));
            }
        }
    }
    remove(group);
    println!("{count} bounds, {} not named as they should", faults.len());
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Lists the schema nodes without a description.
fn silent(schema: &Value, at: &str, into: &mut Vec<String>) {
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        let is_told = below["description"]
            .as_str()
            .is_some_and(|own| !own.trim().is_empty());
        if !is_told && below["allOf"].is_null() && below["$ref"].is_null() {
            into.push(at.clone());
        }
        silent(below, &at, into);
        silent(&below["items"], &at, into);
        silent(&below["additionalProperties"], &at, into);
    }
}

#[test]
#[ignore = "needs kubectl and a real API server: make e2e"]
fn crds_on_a_real_server_explain_every_field() {
    let group = "explain.hotpatch.test";
    install_all(group);
    let path = format!("/openapi/v3/apis/{group}/v1alpha1");
    let published = eventually("the published schema", || {
        let said = kubectl(&["get", "--raw", &path], "");
        let whole = KINDS.iter().all(|own| said.out.contains(own.0));
        (said.is_ok && whole).then_some(said.out).ok_or(said.err)
    });
    let published: Value = serde_json::from_str(&published).unwrap();
    for (kind, plural) in KINDS {
        let schemas = published["components"]["schemas"].as_object().unwrap();
        let ending = format!(".{kind}");
        let own = schemas
            .iter()
            .find(|own| own.0.ends_with(&ending))
            .unwrap()
            .1;
        let mut faults = Vec::new();
        for part in ["spec", "status"] {
            silent(
                &own["properties"][part],
                &format!("{kind}.{part}"),
                &mut faults,
            );
        }
        assert!(
            faults.is_empty(),
            "no description is published for {faults:#?}"
        );
        let version = format!("--api-version={group}/v1alpha1");
        for field in ["", ".spec", ".status", ".status.conditions"] {
            let said = kubectl(&["explain", &version, &format!("{plural}{field}")], "");
            let said = said.ok(&format!("explain {plural}{field}"));
            assert!(said.contains("DESCRIPTION:"), "{said}");
            assert!(!said.contains("<no description>"), "{said}");
        }
        let said = kubectl(&["explain", "--recursive", &version, plural], "").ok("explain");
        assert!(!said.contains("<no description>"), "{said}");
        assert!(said.contains("observedGeneration"), "{said}");
    }
    remove(group);
}

/// Makes a definition of an earlier day: no rule, no bound, and without one field.
fn earlier(plural: &str, group: &str, without: &str) -> Value {
    fn loosen(node: &mut Value) {
        match node {
            Value::Object(fields) => {
                for bound in [
                    "x-kubernetes-validations",
                    "pattern",
                    "maxLength",
                    "minLength",
                    "maxItems",
                    "minItems",
                ] {
                    // A field of that name is a map, a bound is not.
                    if fields.get(bound).is_some_and(|own| !own.is_object()) {
                        fields.remove(bound);
                    }
                }
                fields.values_mut().for_each(loosen);
            }
            Value::Array(items) => items.iter_mut().for_each(loosen),
            _ => {}
        }
    }
    let mut own = regrouped(plural, group);
    let schema = &mut own["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    loosen(schema);
    let fields = &mut schema["properties"]["spec"]["properties"];
    assert!(fields.as_object_mut().unwrap().remove(without).is_some());
    own
}

#[test]
#[ignore = "needs kubectl and a real API server: make e2e"]
fn crds_on_a_real_server_still_load_what_an_earlier_definition_let_in() {
    let group = "earlier.hotpatch.test";
    let own = namespace("crd-earlier", &[]);
    let policies = "baselinepolicies";
    install(&[
        earlier("maintenancewindows", group, "exclusions"),
        earlier(policies, group, "deadlineDays"),
    ]);
    let mut window = good("MaintenanceWindow");
    window["spec"].as_object_mut().unwrap().remove("exclusions");
    window["spec"]["duration"] = json!("four hours");
    let window = placed(window, group, &own);
    let mut policy = good("BaselinePolicy");
    policy["spec"]
        .as_object_mut()
        .unwrap()
        .remove("deadlineDays");
    let policy = placed(policy, group, &own);
    for object in [&window, &policy] {
        eventually("an object of an earlier day", || {
            let said = kubectl(&["create", "-f", "-"], &object.to_string());
            said.is_ok.then_some(()).ok_or(said.err)
        });
    }
    install_all(group);
    let (window_name, policy_name) = (
        window["metadata"]["name"].as_str().unwrap(),
        policy["metadata"]["name"].as_str().unwrap(),
    );
    let windows = format!("maintenancewindows.{group}");
    let at = |args: &[&str]| kubectl(&[args, &["-n", &own]].concat(), "");
    // The rules of today are in force once a fresh object of that sort is refused.
    let mut fresh = window.clone();
    fresh["metadata"]["name"] = json!("fresh");
    eventually("the rules of today", || {
        let said = kubectl(
            &["create", "--dry-run=server", "-f", "-"],
            &fresh.to_string(),
        );
        if said.is_ok {
            Err("it was let in".to_owned())
        } else {
            Ok(())
        }
    });
    let stored = get(&[&windows, window_name, "-n", &own]);
    assert_eq!(stored["spec"]["duration"], "four hours", "it still loads");
    at(&["label", &windows, window_name, "team=web"]).ok("a label");
    let status = r#"{"status":{"observedGeneration":1,"open":false}}"#;
    let patch = [
        "patch",
        &windows,
        window_name,
        "--type=merge",
        "--subresource=status",
        "-p",
    ];
    at(&[&patch[..], &[status]].concat()).ok("a status");
    let stored = get(&[&windows, window_name, "-n", &own]);
    assert_eq!(stored["status"]["observedGeneration"], 1);
    let patch = ["patch", &windows, window_name, "--type=merge", "-p"];
    let other = r#"{"spec":{"startTime":"21:00"}}"#;
    at(&[&patch[..], &[other]].concat()).ok("another field may change");
    let worse = r#"{"spec":{"duration":"five hours"}}"#;
    let said = at(&[&patch[..], &[worse]].concat()).refused("a bad field that changes");
    assert!(said.contains("spec.duration"), "{said}");
    let mended = r#"{"spec":{"duration":"4h"}}"#;
    at(&[&patch[..], &[mended]].concat()).ok("it can be mended");
    let stored = get(&[&format!("{policies}.{group}"), policy_name, "-n", &own]);
    assert_eq!(
        stored["spec"]["deadlineDays"], 21,
        "a new field has its default"
    );
    let typed: Result<hotpatch_operator::api::BaselinePolicy, _> = serde_json::from_value(stored);
    assert!(typed.is_ok(), "{typed:?}");
    remove(group);
}
