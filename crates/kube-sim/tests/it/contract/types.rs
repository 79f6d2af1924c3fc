//! CustomResourceDefinitions: what the server makes of them and when it refuses them.

use serde_json::{Value, json};

use super::answer::{Answer, Outcome};
use super::cases;
use super::fixtures::{crd, open_schema, spec_schema, version};
use super::world::{CRDS, World};

cases![
    a_definition_is_accepted_and_established,
    a_definition_fills_in_its_names,
    a_definition_is_named_after_plural_and_group,
    a_definition_needs_one_storage_version,
    a_definition_needs_schemas,
    a_schema_must_be_structural,
    a_default_must_fit_its_schema,
    a_changed_schema_is_served,
    a_version_can_be_added_and_stored,
    a_stored_version_cannot_be_dropped,
    scope_and_kind_cannot_change,
    a_conflicting_name_is_not_accepted,
    a_deleted_definition_takes_its_objects_along,
    a_deleted_definition_waits_for_its_objects,
    a_definition_counts_generations,
    the_objects_of_a_new_type_can_be_watched_at_once,
];

fn group(w: &World) -> String {
    format!("types.{}.dev", w.ns)
}

fn thing(w: &World, properties: Value) -> Value {
    let v1 = version("v1", spec_schema(properties), Value::Null);
    crd(&group(w), "Thing", "Namespaced", vec![v1])
}

fn things(w: &World) -> String {
    w.of(&format!("{}/v1", group(w)), "things")
}

fn definition(w: &World) -> String {
    format!("{CRDS}/things.{}", group(w))
}

fn body(w: &World, spec: Value) -> Value {
    json!({
        "apiVersion": format!("{}/v1", group(w)), "kind": "Thing",
        "metadata": {"name": "a"}, "spec": spec,
    })
}

fn condition<'a>(crd: &'a Answer, kind: &str) -> &'a Value {
    let list = crd.json["status"]["conditions"].as_array();
    let found = list.into_iter().flatten().find(|c| c["type"] == kind);
    found.unwrap_or(&Value::Null)
}

async fn a_definition_is_accepted_and_established(w: World) -> Outcome {
    w.define(&thing(&w, json!({})), &things(&w)).await?;
    let settled = |a: &Answer| condition(a, "Established")["status"] == "True";
    let crd = w
        .until(definition(&w), "the type is established", settled)
        .await?;
    crd.like(
        200,
        json!({"status": {
            "acceptedNames": {
                "plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList",
            },
            "storedVersions": ["v1"],
        }}),
    )?;
    let accepted = condition(&crd, "NamesAccepted");
    let good = accepted["status"] == "True"
        && accepted["reason"] == "NoConflicts"
        && accepted["message"] == "no conflicts found";
    crd.holds("NamesAccepted, for NoConflicts", good)?;
    let established = condition(&crd, "Established");
    let good = established["reason"] == "InitialNamesAccepted"
        && established["message"] == "the initial names have been accepted";
    crd.holds("Established, for InitialNamesAccepted", good)?;
    Ok(())
}

async fn a_definition_fills_in_its_names(w: World) -> Outcome {
    let made = w.define(&thing(&w, json!({})), &things(&w)).await?;
    made.like(
        201,
        json!({"spec": {
        "names": {"plural": "things", "singular": "thing", "kind": "Thing",
                  "listKind": "ThingList"},
        "conversion": {"strategy": "None"},
    }, "metadata": {"generation": 1}}),
    )?;
    Ok(())
}

async fn a_definition_is_named_after_plural_and_group(w: World) -> Outcome {
    let mut crd = thing(&w, json!({}));
    crd["metadata"]["name"] = "other".into();
    let refused = w.post(CRDS, crd).await?;
    let message = "Invalid value: \"other\": must be spec.names.plural+\".\"+spec.group";
    refused.invalid(
        ("CustomResourceDefinition", "apiextensions.k8s.io", "other"),
        &[("FieldValueInvalid", "metadata.name", message)],
    )?;
    Ok(())
}

async fn a_definition_needs_one_storage_version(w: World) -> Outcome {
    let mut crd = thing(&w, json!({}));
    crd["spec"]["versions"][0]["storage"] = false.into();
    let refused = w.post(CRDS, crd).await?;
    refused.like(
        422,
        json!({"details": {"causes": [
            {"field": "spec.versions",
             "message": "~must have exactly one version marked as storage version$"},
            {"field": "status.storedVersions"},
        ]}}),
    )?;
    Ok(())
}

async fn a_definition_needs_schemas(w: World) -> Outcome {
    let mut crd = thing(&w, json!({}));
    crd["spec"]["versions"][0]["schema"] = Value::Null;
    let refused = w.post(CRDS, crd).await?;
    refused.like(
        422,
        json!({"details": {"causes": [{
            "reason": "FieldValueRequired",
            "field": "spec.versions[0].schema.openAPIV3Schema",
            "message": "Required value",
        }]}}),
    )?;
    Ok(())
}

async fn a_schema_must_be_structural(w: World) -> Outcome {
    let refused = w
        .post(CRDS, thing(&w, json!({"x": {"description": "no type"}})))
        .await?;
    let name = format!("things.{}", group(&w));
    refused.invalid(
        ("CustomResourceDefinition", "apiextensions.k8s.io", &name),
        &[(
            "FieldValueRequired",
            "spec.validation.openAPIV3Schema.properties[spec].properties[x].type",
            "Required value: must not be empty for specified object fields",
        )],
    )?;
    Ok(())
}

async fn a_default_must_fit_its_schema(w: World) -> Outcome {
    let property = json!({"x": {"type": "integer", "default": "text"}});
    let refused = w.post(CRDS, thing(&w, property)).await?;
    refused.like(
        422,
        json!({"details": {"causes": [{
            "field": "~properties\\[x\\].default$", "message": "~must be of type integer",
        }]}}),
    )?;
    Ok(())
}

async fn a_changed_schema_is_served(w: World) -> Outcome {
    w.define(&thing(&w, json!({})), &things(&w)).await?;
    let pruned = w.post(things(&w), body(&w, json!({"x": 1}))).await?;
    pruned.code(201)?.at("/spec", json!({}))?;
    let changed = thing(&w, json!({"x": {"type": "integer"}}));
    let patch = json!({"spec": {"versions": changed["spec"]["versions"]}});
    w.merge(definition(&w), patch).await?.code(200)?;
    let path = format!("{}/a", things(&w));
    for _ in 0..100 {
        let patched = w.merge(&path, json!({"spec": {"x": 2}})).await?;
        if patched.json["spec"]["x"] == 2 {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    w.get(&path).await?.like(200, json!({"spec": {"x": 2}}))?;
    Ok(())
}

async fn a_version_can_be_added_and_stored(w: World) -> Outcome {
    w.define(&thing(&w, json!({})), &things(&w)).await?;
    w.post(things(&w), body(&w, json!({}))).await?.code(201)?;
    let mut old = version("v1", open_schema(), Value::Null);
    old["storage"] = false.into();
    let new = version("v2", open_schema(), Value::Null);
    w.merge(definition(&w), json!({"spec": {"versions": [old, new]}}))
        .await?
        .code(200)?;
    let path = w.of(&format!("{}/v2", group(&w)), "things/a");
    let read = w
        .until(path, "the new version is served", |a| a.code == 200)
        .await?;
    read.like(200, json!({"apiVersion": format!("{}/v2", group(&w))}))?;
    let both = json!(["v1", "v2"]);
    let stored = |a: &Answer| a.json["status"]["storedVersions"] == both;
    w.until(definition(&w), "both versions count as stored", stored)
        .await?;
    Ok(())
}

async fn a_stored_version_cannot_be_dropped(w: World) -> Outcome {
    w.define(&thing(&w, json!({})), &things(&w)).await?;
    let new = version("v2", open_schema(), Value::Null);
    let refused = w
        .merge(definition(&w), json!({"spec": {"versions": [new]}}))
        .await?;
    let name = format!("things.{}", group(&w));
    refused.invalid(
        ("CustomResourceDefinition", "apiextensions.k8s.io", &name),
        &[(
            "FieldValueInvalid",
            "status.storedVersions[0]",
            "Invalid value: \"v1\": missing from spec.versions; v1 was previously a storage \
             version, and must remain in spec.versions until a storage migration ensures no data \
             remains persisted in v1 and removes v1 from status.storedVersions",
        )],
    )?;
    Ok(())
}

async fn scope_and_kind_cannot_change(w: World) -> Outcome {
    w.define(&thing(&w, json!({})), &things(&w)).await?;
    let settled = |a: &Answer| condition(a, "Established")["status"] == "True";
    w.until(definition(&w), "the type is established", settled)
        .await?;
    let patch = json!({"spec": {"scope": "Cluster", "group": "other.dev"}});
    let refused = w.merge(definition(&w), patch).await?;
    refused.like(422, json!({"details": {"causes": "*"}}))?;
    for (field, message) in [
        (
            "spec.scope",
            "Invalid value: \"Cluster\": field is immutable",
        ),
        (
            "spec.group",
            "Invalid value: \"other.dev\": field is immutable",
        ),
    ] {
        let causes = refused.json["details"]["causes"].as_array();
        let mut causes = causes.into_iter().flatten();
        let good = causes.any(|c| c["field"] == field && c["message"] == message);
        refused.holds(&format!("{field}: {message}"), good)?;
    }
    Ok(())
}

async fn a_conflicting_name_is_not_accepted(w: World) -> Outcome {
    w.define(&thing(&w, json!({})), &things(&w)).await?;
    let mut other = crd(
        &group(&w),
        "Other",
        "Namespaced",
        vec![version("v1", open_schema(), Value::Null)],
    );
    other["spec"]["names"]["kind"] = "Thing".into();
    other["spec"]["names"]["listKind"] = "OtherList".into();
    w.post(CRDS, other).await?.code(201)?;
    let judged = |a: &Answer| condition(a, "NamesAccepted")["status"] == "False";
    let path = format!("{CRDS}/others.{}", group(&w));
    let judged = w.until(&path, "the names are not accepted", judged).await?;
    let found = condition(&judged, "NamesAccepted").clone();
    let good =
        found["reason"] == "KindConflict" && found["message"] == "\"Thing\" is already in use";
    judged.holds("KindConflict: \"Thing\" is already in use", good)?;
    let found = condition(&judged, "Established").clone();
    let good = found["status"] == "False" && found["reason"] == "NotAccepted";
    judged.holds("not Established, for NotAccepted", good)?;
    w.get(w.of(&format!("{}/v1", group(&w)), "others"))
        .await?
        .code(404)?;
    Ok(())
}

async fn a_deleted_definition_takes_its_objects_along(w: World) -> Outcome {
    w.define(&thing(&w, json!({})), &things(&w)).await?;
    w.post(things(&w), body(&w, json!({}))).await?.code(201)?;
    w.delete(definition(&w)).await?.code(200)?;
    w.until_gone(definition(&w)).await?;
    w.until(things(&w), "the type is served no more", |a| a.code == 404)
        .await?;
    w.define(&thing(&w, json!({})), &things(&w)).await?;
    w.get(things(&w)).await?.lists(&[])?;
    Ok(())
}

async fn a_deleted_definition_waits_for_its_objects(w: World) -> Outcome {
    w.define(&thing(&w, json!({})), &things(&w)).await?;
    let mut held = body(&w, json!({}));
    held["metadata"]["finalizers"] = json!(["x.dev/y"]);
    w.post(things(&w), held).await?.code(201)?;
    let deleting = w.delete(definition(&w)).await?;
    deleting.like(
        200,
        json!({"metadata": {
            "deletionTimestamp": "*",
            "finalizers": ["customresourcecleanup.apiextensions.k8s.io"],
        }}),
    )?;
    let told = |a: &Answer| condition(a, "Terminating")["status"] == "True";
    w.until(definition(&w), "the type is terminating", told)
        .await?;
    let path = format!("{}/a", things(&w));
    let begun = |a: &Answer| !a.json["metadata"]["deletionTimestamp"].is_null();
    w.until(&path, "the object is being deleted", begun).await?;
    let refused = w
        .post(things(&w), {
            let mut more = body(&w, json!({}));
            more["metadata"]["name"] = "b".into();
            more
        })
        .await?;
    let message = format!(
        "things.{} \"b\" is forbidden: create not allowed while custom resource definition is \
         terminating",
        group(&w)
    );
    let details = json!({"name": "b", "group": group(&w), "kind": "things"});
    refused.refused(403, "Forbidden", &message, details)?;
    w.merge(&path, json!({"metadata": {"finalizers": null}}))
        .await?
        .code(200)?;
    w.until_gone(definition(&w)).await
}

async fn a_definition_counts_generations(w: World) -> Outcome {
    w.define(&thing(&w, json!({})), &things(&w)).await?;
    let labels = json!({"metadata": {"labels": {"a": "b"}}});
    w.merge(definition(&w), labels)
        .await?
        .like(200, json!({"metadata": {"generation": 1}}))?;
    let changed = thing(&w, json!({"x": {"type": "integer"}}));
    let patch = json!({"spec": {"versions": changed["spec"]["versions"]}});
    w.merge(definition(&w), patch)
        .await?
        .like(200, json!({"metadata": {"generation": 2}}))?;
    Ok(())
}

async fn the_objects_of_a_new_type_can_be_watched_at_once(w: World) -> Outcome {
    w.define(&thing(&w, json!({})), &things(&w)).await?;
    let list = w.get(things(&w)).await?;
    let mut watch = w
        .watch(things(&w), &format!("resourceVersion={}", list.rv()))
        .await?;
    w.post(things(&w), body(&w, json!({}))).await?.code(201)?;
    watch
        .expect("ADDED", json!({"metadata": {"name": "a"}}))
        .await?;
    Ok(())
}
