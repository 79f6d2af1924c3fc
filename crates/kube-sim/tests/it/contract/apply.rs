//! Server-side apply: who owns which field, and what follows from it.

use serde_json::{Value, json};

use super::answer::{Answer, Differs, Outcome};
use super::cases;
use super::world::{MERGE, World};

cases![
    an_apply_creates_what_is_not_there,
    an_apply_of_the_same_changes_nothing,
    an_apply_needs_a_manager,
    a_manager_has_a_bounded_name,
    a_field_of_another_manager_conflicts,
    several_conflicts_are_named_by_manager,
    force_takes_a_field_over,
    the_same_value_is_shared,
    a_field_that_an_apply_drops_goes,
    a_shared_field_stays_until_the_last_drops_it,
    an_update_takes_the_fields_it_changes,
    an_updates_manager_is_named,
    an_apply_must_carry_no_managed_fields,
    an_apply_may_name_the_version,
    an_apply_must_be_of_the_kind,
    an_apply_must_be_yaml,
    an_apply_in_yaml_is_understood,
    an_apply_of_an_unknown_field_is_refused,
    a_default_belongs_to_nobody_who_did_not_name_it,
    empty_managed_fields_are_forgotten,
    an_apply_is_checked_like_a_create,
    a_dry_run_applies_nothing,
    only_an_apply_can_force,
];

fn map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// The entry of a manager: its fields, or null.
fn fields<'a>(answer: &'a Answer, manager: &str) -> &'a Value {
    let list = answer.json["metadata"]["managedFields"].as_array();
    let found = list
        .into_iter()
        .flatten()
        .find(|own| own["manager"] == manager);
    found.map_or(&Value::Null, |own| &own["fieldsV1"])
}

pub(super) fn owns(answer: &Answer, manager: &str, wanted: &Value) -> Outcome {
    let good = fields(answer, manager) == wanted;
    answer.holds(&format!("{manager} owns exactly {wanted}"), good)?;
    Ok(())
}

async fn applied(w: &World, manager: &str, how: &str, data: Value) -> Result<Answer, Differs> {
    w.apply(w.map("a"), manager, how, map("a", data)).await
}

pub(super) async fn gadget(
    w: &World,
    manager: &str,
    how: &str,
    spec: Value,
) -> Result<Answer, Differs> {
    w.apply(w.gadget("a"), manager, how, w.gadget_body("a", spec))
        .await
}

async fn an_apply_creates_what_is_not_there(w: World) -> Outcome {
    let made = applied(&w, "one", "", json!({"v": "1"})).await?;
    made.like(
        201,
        json!({
            "data": {"v": "1"},
            "metadata": {"managedFields": [{
                "manager": "one", "operation": "Apply", "apiVersion": "v1", "time": "~Z$",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:v": {}}},
            }]},
        }),
    )?;
    Ok(())
}

async fn an_apply_of_the_same_changes_nothing(w: World) -> Outcome {
    let made = applied(&w, "one", "", json!({"v": "1"})).await?;
    let again = applied(&w, "one", "", json!({"v": "1"})).await?;
    again
        .code(200)?
        .holds("the same object", again.json == made.json)?;
    Ok(())
}

async fn an_apply_needs_a_manager(w: World) -> Outcome {
    let refused = w
        .patch(super::world::APPLY, w.map("a"), map("a", json!({})))
        .await?;
    let cause = (
        "FieldValueRequired",
        "fieldManager",
        "Required value: is required for apply patch",
    );
    refused.invalid(("PatchOptions", "meta.k8s.io", ""), &[cause])?;
    Ok(())
}

async fn a_manager_has_a_bounded_name(w: World) -> Outcome {
    let refused = applied(&w, &"m".repeat(129), "", json!({})).await?;
    let cause = (
        "FieldValueTooLong",
        "fieldManager",
        "Too long: may not be more than 128 bytes",
    );
    refused.invalid(("PatchOptions", "meta.k8s.io", ""), &[cause])?;
    Ok(())
}

async fn a_field_of_another_manager_conflicts(w: World) -> Outcome {
    applied(&w, "one", "", json!({"v": "1"})).await?.code(201)?;
    let refused = applied(&w, "two", "", json!({"v": "2"})).await?;
    let cause = json!({
        "reason": "FieldManagerConflict", "message": "conflict with \"one\"", "field": ".data.v",
    });
    let message = "Apply failed with 1 conflict: conflict with \"one\": .data.v";
    refused.refused(409, "Conflict", message, json!({"causes": [cause]}))?;
    Ok(())
}

async fn several_conflicts_are_named_by_manager(w: World) -> Outcome {
    applied(&w, "one", "", json!({"v": "1", "w": "1"}))
        .await?
        .code(201)?;
    applied(&w, "two", "", json!({"x": "1"})).await?.code(200)?;
    let mut refused = applied(&w, "three", "", json!({"v": "2", "w": "2", "x": "2"})).await?;
    // The real server lists the managers in no order (Go's maps have none).
    if let Some(causes) = refused.json["details"]["causes"].as_array_mut() {
        causes.sort_by_key(|cause| cause["field"].to_string());
    }
    let cause = |of: &str, field: &str| {
        json!({
            "reason": "FieldManagerConflict", "message": format!("conflict with {of:?}"),
            "field": field,
        })
    };
    let message = "Apply failed with 3 conflicts: conflicts with \"one\":\n- .data.v\n- \
                   .data.w\nconflicts with \"two\":\n- .data.x";
    refused.refused(
        409,
        "Conflict",
        message,
        json!({"causes": [
            cause("one", ".data.v"), cause("one", ".data.w"), cause("two", ".data.x"),
        ]}),
    )?;
    Ok(())
}

async fn force_takes_a_field_over(w: World) -> Outcome {
    applied(&w, "one", "", json!({"v": "1", "w": "1"}))
        .await?
        .code(201)?;
    let taken = applied(&w, "two", "&force=true", json!({"v": "2"})).await?;
    taken.like(200, json!({"data": {"v": "2", "w": "1"}}))?;
    owns(&taken, "one", &json!({"f:data": {"f:w": {}}}))?;
    owns(&taken, "two", &json!({"f:data": {"f:v": {}}}))
}

async fn the_same_value_is_shared(w: World) -> Outcome {
    applied(&w, "one", "", json!({"v": "1"})).await?.code(201)?;
    let shared = applied(&w, "two", "", json!({"v": "1"})).await?;
    shared.code(200)?;
    owns(&shared, "one", &json!({"f:data": {"f:v": {}}}))?;
    owns(&shared, "two", &json!({"f:data": {"f:v": {}}}))
}

async fn a_field_that_an_apply_drops_goes(w: World) -> Outcome {
    applied(&w, "one", "", json!({"v": "1", "w": "1"}))
        .await?
        .code(201)?;
    let dropped = applied(&w, "one", "", json!({"w": "1"})).await?;
    dropped.code(200)?.at("/data", json!({"w": "1"}))?;
    owns(&dropped, "one", &json!({"f:data": {"f:w": {}}}))
}

async fn a_shared_field_stays_until_the_last_drops_it(w: World) -> Outcome {
    applied(&w, "one", "", json!({"v": "1", "w": "1"}))
        .await?
        .code(201)?;
    applied(&w, "two", "", json!({"v": "1", "x": "1"}))
        .await?
        .code(200)?;
    let kept = applied(&w, "one", "", json!({"w": "1"})).await?;
    kept.code(200)?
        .at("/data", json!({"v": "1", "w": "1", "x": "1"}))?;
    let gone = applied(&w, "two", "", json!({"x": "1"})).await?;
    gone.code(200)?.at("/data", json!({"w": "1", "x": "1"}))?;
    Ok(())
}

async fn an_update_takes_the_fields_it_changes(w: World) -> Outcome {
    applied(&w, "one", "", json!({"v": "1", "w": "1"}))
        .await?
        .code(201)?;
    let path = w.map("a?fieldManager=hand");
    let changed = w.patch(MERGE, path, json!({"data": {"v": "2"}})).await?;
    changed.code(200)?;
    owns(&changed, "one", &json!({"f:data": {"f:w": {}}}))?;
    owns(&changed, "hand", &json!({"f:data": {"f:v": {}}}))?;
    let refused = applied(&w, "one", "", json!({"v": "1", "w": "1"})).await?;
    let message = "~^Apply failed with 1 conflict: conflict with \"hand\" using v1(: | at )";
    refused.like(409, json!({"message": message}))?;
    Ok(())
}

async fn an_updates_manager_is_named(w: World) -> Outcome {
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "kubectl-edit/v1.36"),
    ];
    let body = json!({"metadata": {"name": "a"}, "data": {"v": "1"}}).to_string();
    let made = w
        .send("POST", &w.core("configmaps"), &headers, body)
        .await?;
    made.like(
        201,
        json!({"metadata": {"managedFields": [{
            "manager": "kubectl-edit", "operation": "Update", "apiVersion": "v1",
            "fieldsV1": {"f:data": {".": {}, "f:v": {}}},
        }]}}),
    )?;
    let path = w.core("configmaps?fieldManager=mine");
    let made = w
        .post(path, json!({"metadata": {"name": "b"}, "data": {"v": "1"}}))
        .await?;
    made.like(
        201,
        json!({"metadata": {"managedFields": [{"manager": "mine"}]}}),
    )?;
    Ok(())
}

async fn an_apply_must_carry_no_managed_fields(w: World) -> Outcome {
    let mut body = map("a", json!({}));
    body["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    let refused = w.apply(w.map("a"), "one", "", body).await?;
    refused.refused(
        400,
        "BadRequest",
        "metadata.managedFields must be nil",
        Value::Null,
    )?;
    Ok(())
}

async fn an_apply_may_name_the_version(w: World) -> Outcome {
    applied(&w, "one", "", json!({"v": "1"})).await?.code(201)?;
    let mut body = map("a", json!({"v": "2"}));
    body["metadata"]["resourceVersion"] = "1".into();
    let refused = w.apply(w.map("a"), "one", "", body).await?;
    let message = "Operation cannot be fulfilled on configmaps \"a\": the object has been \
                   modified; please apply your changes to the latest version and try again";
    refused.refused(
        409,
        "Conflict",
        message,
        json!({"name": "a", "kind": "configmaps"}),
    )?;
    Ok(())
}

async fn an_apply_must_be_of_the_kind(w: World) -> Outcome {
    applied(&w, "one", "", json!({})).await?.code(201)?;
    let refused = w.apply(w.map("a"), "one", "", json!({"data": {}})).await?;
    refused.refused(
        400,
        "BadRequest",
        "invalid object type: /, Kind=",
        Value::Null,
    )?;
    let mut body = map("a", json!({}));
    body["kind"] = "Secret".into();
    let refused = w.apply(w.map("a"), "one", "", body).await?;
    refused.refused(
        400,
        "BadRequest",
        "invalid object type: /v1, Kind=Secret",
        Value::Null,
    )?;
    Ok(())
}

async fn an_apply_must_be_yaml(w: World) -> Outcome {
    applied(&w, "one", "", json!({})).await?.code(201)?;
    let headers = [("content-type", super::world::APPLY)];
    let path = w.map("a?fieldManager=one");
    let refused = w.send("PATCH", &path, &headers, "a: [}").await?;
    refused.refused(400, "BadRequest", "~^error decoding YAML: ", Value::Null)?;
    Ok(())
}

async fn an_apply_in_yaml_is_understood(w: World) -> Outcome {
    let headers = [("content-type", super::world::APPLY)];
    let body =
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  v: |\n    x\n    y\n";
    let path = w.map("a?fieldManager=one");
    let made = w.send("PATCH", &path, &headers, body).await?;
    made.like(201, json!({"data": {"v": "x\ny\n"}}))?;
    Ok(())
}

async fn an_apply_of_an_unknown_field_is_refused(w: World) -> Outcome {
    let mut body = map("a", json!({}));
    body["dat"] = json!({"v": "1"});
    let refused = w.apply(w.map("a"), "one", "", body).await?;
    let message = "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .dat: field not \
                   declared in schema";
    refused.refused(500, "", message, Value::Null)?;
    let refused = gadget(&w, "one", "", json!({"size": 1, "sizes": 2})).await?;
    let message = format!(
        "failed to create typed patch object (/a; {}/v1, Kind=Gadget): .spec.sizes: field not \
         declared in schema",
        w.group
    );
    refused.refused(500, "", &message, Value::Null)?;
    Ok(())
}

async fn a_default_belongs_to_nobody_who_did_not_name_it(w: World) -> Outcome {
    let made = gadget(&w, "one", "", json!({"size": 1})).await?;
    made.like(201, json!({"spec": {"color": "red"}}))?;
    owns(&made, "one", &json!({"f:spec": {"f:size": {}}}))?;
    let taken = gadget(&w, "two", "", json!({"color": "blue"})).await?;
    taken.like(200, json!({"spec": {"color": "blue", "size": 1}}))?;
    Ok(())
}

async fn empty_managed_fields_are_forgotten(w: World) -> Outcome {
    applied(&w, "one", "", json!({"v": "1"})).await?.code(201)?;
    let patch = json!({"metadata": {"managedFields": [{}]}});
    let reset = w.merge(w.map("a"), patch).await?;
    reset.like(200, json!({"metadata": {"managedFields": "<absent>"}}))?;
    applied(&w, "two", "", json!({"v": "1"})).await?.code(200)?;
    Ok(())
}

async fn an_apply_is_checked_like_a_create(w: World) -> Outcome {
    let refused = gadget(&w, "one", "", json!({"size": 11})).await?;
    let message = "Invalid value: 11: spec.size in body should be less than or equal to 10";
    let cause = ("FieldValueInvalid", "spec.size", message);
    refused.invalid(("Gadget", &w.group, "a"), &[cause])?;
    w.get(w.gadget("a")).await?.code(404)?;
    Ok(())
}

async fn a_dry_run_applies_nothing(w: World) -> Outcome {
    let made = applied(&w, "one", "&dryRun=All", json!({"v": "1"})).await?;
    made.like(201, json!({"data": {"v": "1"}}))?;
    w.get(w.map("a")).await?.code(404)?;
    Ok(())
}

async fn only_an_apply_can_force(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let refused = w.merge(w.map("a?force=true"), json!({})).await?;
    let message = "Forbidden: may not be specified for non-apply patch";
    let cause = ("FieldValueForbidden", "force", message);
    refused.invalid(("PatchOptions", "meta.k8s.io", ""), &[cause])?;
    Ok(())
}
