//! Replacing objects: optimistic concurrency, generation, the status subresource.

use serde_json::json;

use super::answer::Outcome;
use super::cases;
use super::world::World;

cases![
    a_stale_update_conflicts,
    a_stale_update_of_a_custom_object_conflicts,
    an_update_of_a_custom_object_names_its_version,
    an_update_of_a_config_map_may_leave_the_version_out,
    a_version_must_be_a_number,
    an_update_keeps_the_name_of_the_url,
    an_update_of_another_uid_conflicts,
    an_update_of_an_absent_object_is_not_found,
    an_update_that_changes_nothing_keeps_the_version,
    a_changed_spec_counts_as_a_generation,
    changed_metadata_counts_as_none,
    an_update_leaves_the_status_alone,
    a_status_update_leaves_the_rest_alone,
    a_status_update_sets_no_metadata,
    a_status_without_subresource_is_part_of_the_object,
    a_status_subresource_exists_only_where_declared,
    an_update_cannot_change_what_the_server_owns,
    a_dry_run_changes_nothing,
    an_update_of_a_lease_creates_it,
    an_update_is_checked_like_a_create,
    an_update_in_another_version_is_the_same_object,
];

const MODIFIED: &str = "the object has been modified; please apply your changes to the latest \
                        version and try again";

async fn a_stale_update_conflicts(w: World) -> Outcome {
    let mut map = w.make_map(json!({"name": "a"}), "1").await?.json;
    w.merge(w.map("a"), json!({"data": {"v": "2"}}))
        .await?
        .code(200)?;
    map["data"]["v"] = "3".into();
    let refused = w.put(w.map("a"), map).await?;
    let message = format!("Operation cannot be fulfilled on configmaps \"a\": {MODIFIED}");
    let details = json!({"name": "a", "kind": "configmaps"});
    refused.refused(409, "Conflict", &message, details)?;
    Ok(())
}

async fn a_stale_update_of_a_custom_object_conflicts(w: World) -> Outcome {
    let mut gadget = w.make_gadget("a", json!({"size": 1})).await?.json;
    w.merge(w.gadget("a"), json!({"spec": {"size": 2}}))
        .await?
        .code(200)?;
    gadget["spec"]["size"] = 3.into();
    let message = format!(
        "Operation cannot be fulfilled on gadgets.{} \"a\": {MODIFIED}",
        w.group
    );
    let details = json!({"name": "a", "group": w.group, "kind": "gadgets"});
    let refused = w.put(w.gadget("a"), gadget.clone()).await?;
    refused.refused(409, "Conflict", &message, details.clone())?;
    let refused = w.put(w.gadget("a/status"), gadget).await?;
    refused.refused(409, "Conflict", &message, details)?;
    Ok(())
}

async fn an_update_of_a_custom_object_names_its_version(w: World) -> Outcome {
    w.make_gadget("a", json!({"size": 1})).await?;
    let message = "Invalid value: 0: must be specified for an update";
    let cause = ("FieldValueInvalid", "metadata.resourceVersion", message);
    let refused = w
        .put(w.gadget("a"), w.gadget_body("a", json!({"size": 2})))
        .await?;
    refused.invalid(("gadgets", &w.group, "a"), &[cause])?;
    Ok(())
}

async fn an_update_of_a_config_map_may_leave_the_version_out(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let body = json!({"metadata": {"name": "a"}, "data": {"v": "2"}});
    let put = w.put(w.map("a"), body).await?;
    put.like(200, json!({"data": {"v": "2"}}))?;
    Ok(())
}

async fn a_version_must_be_a_number(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let body = json!({"metadata": {"name": "a", "resourceVersion": "new"}});
    let refused = w.put(w.map("a"), body).await?;
    let message = "strconv.ParseUint: parsing \"new\": invalid syntax";
    refused.refused(500, "", message, json!(null))?;
    Ok(())
}

async fn an_update_keeps_the_name_of_the_url(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let refused = w
        .put(w.map("a"), json!({"metadata": {"name": "b"}}))
        .await?;
    let message = "the name of the object (b) does not match the name on the URL (a)";
    refused.refused(400, "BadRequest", message, json!(null))?;
    Ok(())
}

async fn an_update_of_another_uid_conflicts(w: World) -> Outcome {
    let made = w.make_map(json!({"name": "a"}), "1").await?;
    let wrong = "11111111-2222-3333-4444-555555555555";
    let refused = w
        .put(w.map("a"), json!({"metadata": {"name": "a", "uid": wrong}}))
        .await?;
    let message = format!(
        "Operation cannot be fulfilled on configmaps \"a\": StorageError: invalid object, Code: \
         4, Key: /registry/configmaps/{}/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition \
         failed: UID in precondition: {wrong}, UID in object meta: {}",
        w.ns,
        made.meta("uid")
    );
    refused.refused(
        409,
        "Conflict",
        &message,
        json!({"name": "a", "kind": "configmaps"}),
    )?;
    Ok(())
}

async fn an_update_of_an_absent_object_is_not_found(w: World) -> Outcome {
    let body = json!({"metadata": {"name": "a"}});
    let refused = w.put(w.map("a"), body).await?;
    let details = json!({"name": "a", "kind": "configmaps"});
    refused.refused(404, "NotFound", "configmaps \"a\" not found", details)?;
    Ok(())
}

async fn an_update_that_changes_nothing_keeps_the_version(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({"size": 1})).await?;
    let put = w.put(w.gadget("a"), made.json.clone()).await?;
    put.code(200)?
        .at("/metadata/resourceVersion", json!(made.rv()))?;
    let patched = w.merge(w.gadget("a"), json!({"spec": {"size": 1}})).await?;
    patched
        .code(200)?
        .at("/metadata/resourceVersion", json!(made.rv()))?;
    Ok(())
}

async fn a_changed_spec_counts_as_a_generation(w: World) -> Outcome {
    let mut gadget = w.make_gadget("a", json!({"size": 1})).await?.json;
    gadget["spec"]["size"] = 2.into();
    let put = w.put(w.gadget("a"), gadget).await?;
    put.code(200)?.at("/metadata/generation", json!(2))?;
    let patched = w.merge(w.gadget("a"), json!({"spec": {"size": 3}})).await?;
    patched.code(200)?.at("/metadata/generation", json!(3))?;
    Ok(())
}

async fn changed_metadata_counts_as_none(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({})).await?;
    let patch = json!({"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}});
    let patched = w.merge(w.gadget("a"), patch).await?;
    patched
        .like(
            200,
            json!({"metadata": {"generation": 1, "labels": {"a": "b"}}}),
        )?
        .holds("a new version", patched.rv() != made.rv())?;
    Ok(())
}

async fn an_update_leaves_the_status_alone(w: World) -> Outcome {
    w.make_gadget("a", json!({})).await?;
    let patched = w
        .merge(w.gadget("a/status"), json!({"status": {"seen": 1}}))
        .await?;
    patched.like(
        200,
        json!({"status": {"seen": 1}, "metadata": {"generation": 1}}),
    )?;
    let mut gadget = patched.json;
    gadget["status"]["seen"] = 2.into();
    gadget["spec"]["size"] = 5.into();
    let put = w.put(w.gadget("a"), gadget).await?;
    put.like(200, json!({"status": {"seen": 1}, "spec": {"size": 5}}))?;
    let patched = w
        .merge(w.gadget("a"), json!({"status": {"seen": 3}}))
        .await?;
    patched.like(200, json!({"status": {"seen": 1}}))?;
    Ok(())
}

async fn a_status_update_leaves_the_rest_alone(w: World) -> Outcome {
    let mut gadget = w.make_gadget("a", json!({"size": 1})).await?.json;
    gadget["status"] = json!({"seen": 7});
    gadget["spec"]["size"] = 9.into();
    let put = w.put(w.gadget("a/status"), gadget).await?;
    put.like(
        200,
        json!({
            "status": {"seen": 7}, "spec": {"size": 1}, "metadata": {"generation": 1},
        }),
    )?;
    let patch = json!({"status": {"seen": 8}, "spec": {"size": 9}});
    let patched = w.merge(w.gadget("a/status"), patch).await?;
    patched.like(200, json!({"status": {"seen": 8}, "spec": {"size": 1}}))?;
    let read = w.get(w.gadget("a/status")).await?;
    read.code(200)?
        .holds("the whole object", read.json == patched.json)?;
    Ok(())
}

async fn a_status_update_sets_no_metadata(w: World) -> Outcome {
    w.make_gadget("a", json!({})).await?;
    let patch = json!({
        "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["x.dev/y"]},
        "status": {"seen": 1},
    });
    let patched = w.merge(w.gadget("a/status"), patch).await?;
    patched.like(
        200,
        json!({
            "metadata": {
                "labels": "<absent>", "annotations": "<absent>", "finalizers": "<absent>",
            },
            "status": {"seen": 1},
        }),
    )?;
    Ok(())
}

async fn a_status_without_subresource_is_part_of_the_object(w: World) -> Outcome {
    let body = json!({
        "apiVersion": format!("{}/v1", w.group), "kind": "Trinket",
        "metadata": {"name": "a"}, "status": {"seen": 1},
    });
    let made = w.post(w.custom("trinkets"), body).await?;
    made.like(201, json!({"status": {"seen": 1}}))?;
    let patched = w
        .merge(w.custom("trinkets/a"), json!({"status": {"seen": 2}}))
        .await?;
    patched.like(
        200,
        json!({"status": {"seen": 2}, "metadata": {"generation": 2}}),
    )?;
    Ok(())
}

async fn a_status_subresource_exists_only_where_declared(w: World) -> Outcome {
    let message = format!("trinkets.{} \"a\" not found", w.group);
    let details = json!({"name": "a", "group": w.group, "kind": "trinkets"});
    let found = w.get(w.custom("trinkets/a/status")).await?;
    found.refused(404, "NotFound", &message, details)?;
    let found = w.get(w.map("a/status")).await?;
    let message = "the server could not find the requested resource";
    found.refused(404, "NotFound", message, json!({}))?;
    Ok(())
}

async fn an_update_cannot_change_what_the_server_owns(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({})).await?;
    let mut gadget = made.json.clone();
    gadget["metadata"]["generation"] = 9.into();
    gadget["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z".into();
    let put = w.put(w.gadget("a"), gadget.clone()).await?;
    put.like(
        200,
        json!({"metadata": {
            "generation": 1,
            "creationTimestamp": made.meta("creationTimestamp"),
            "deletionTimestamp": "<absent>",
            "resourceVersion": made.rv(),
        }}),
    )?;
    Ok(())
}

async fn a_dry_run_changes_nothing(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({"size": 1})).await?;
    let patched = w
        .merge(w.gadget("a?dryRun=All"), json!({"spec": {"size": 2}}))
        .await?;
    patched.like(
        200,
        json!({"spec": {"size": 2}, "metadata": {"generation": 2}}),
    )?;
    let read = w.get(w.gadget("a")).await?;
    read.holds("the old object", read.json == made.json)?;
    let gone = w.delete(w.gadget("a?dryRun=All")).await?;
    gone.code(200)?;
    w.get(w.gadget("a")).await?.code(200)?;
    Ok(())
}

async fn an_update_of_a_lease_creates_it(w: World) -> Outcome {
    let path = w.of("coordination.k8s.io/v1", "leases/l");
    let made = w
        .put(path, json!({"metadata": {"name": "l"}, "spec": {}}))
        .await?;
    made.like(201, json!({"metadata": {"name": "l", "uid": "*"}}))?;
    Ok(())
}

async fn an_update_is_checked_like_a_create(w: World) -> Outcome {
    let mut gadget = w.make_gadget("a", json!({"size": 1})).await?.json;
    gadget["spec"]["size"] = 11.into();
    let refused = w.put(w.gadget("a"), gadget).await?;
    refused.invalid(
        ("Gadget", &w.group, "a"),
        &[(
            "FieldValueInvalid",
            "spec.size",
            "Invalid value: 11: spec.size in body should be less than or equal to 10",
        )],
    )?;
    Ok(())
}

async fn an_update_in_another_version_is_the_same_object(w: World) -> Outcome {
    let (v1, beta) = (format!("{}/v1", w.group), format!("{}/v1beta1", w.group));
    let body = json!({"apiVersion": v1, "kind": "Coin", "metadata": {"name": "a"}, "spec": {}});
    let made = w.post(w.of(&v1, "coins"), body).await?;
    let patched = w
        .merge(w.of(&beta, "coins/a"), json!({"spec": {"n": 2}}))
        .await?;
    patched.like(
        200,
        json!({
            "apiVersion": beta, "metadata": {"uid": made.meta("uid"), "generation": 2},
        }),
    )?;
    let read = w.get(w.of(&v1, "coins/a")).await?;
    read.like(200, json!({"apiVersion": v1, "spec": {"n": 2}}))?;
    Ok(())
}
