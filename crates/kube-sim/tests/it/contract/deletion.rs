//! Deleting objects: answers, preconditions, finalizers.

use serde_json::json;

use super::answer::Outcome;
use super::cases;
use super::world::World;

cases![
    a_deletion_answers_with_what_is_gone,
    a_deletion_of_a_custom_object_answers_with_what_is_gone,
    a_finalizer_holds_a_deleted_object,
    a_second_deletion_changes_nothing,
    the_last_finalizer_lets_go,
    an_update_without_finalizers_lets_go,
    no_finalizer_can_be_added_while_deleting,
    a_deleting_object_can_still_be_changed,
    a_deletion_cannot_be_undone,
    a_deletion_can_name_the_uid,
    a_deletion_can_name_the_version,
    a_policy_must_be_known,
    a_policy_excludes_orphan_dependents,
    a_collection_is_deleted_by_selector,
    a_collection_deletion_honours_finalizers,
    a_deletion_keeps_its_dry_run,
    a_deletion_of_a_subresource_is_not_allowed,
];

const HELD: &str = "x.dev/held";

async fn a_deletion_answers_with_what_is_gone(w: World) -> Outcome {
    let made = w.make_map(json!({"name": "a"}), "1").await?;
    let gone = w.delete(w.map("a")).await?;
    gone.code(200)?.at(
        "",
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": "a", "kind": "configmaps", "uid": made.meta("uid")},
        }),
    )?;
    w.get(w.map("a")).await?.code(404)?;
    Ok(())
}

async fn a_deletion_of_a_custom_object_answers_with_what_is_gone(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({})).await?;
    let gone = w.delete(w.gadget("a")).await?;
    gone.code(200)?.at(
        "",
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {
                "name": "a", "group": w.group, "kind": "gadgets", "uid": made.meta("uid"),
            },
        }),
    )?;
    Ok(())
}

async fn held(w: &World) -> Result<super::answer::Answer, super::answer::Differs> {
    let mut body = w.gadget_body("a", json!({"size": 1}));
    body["metadata"]["finalizers"] = json!([HELD]);
    let made = w.post(w.custom("gadgets"), body).await?;
    made.code(201)?;
    Ok(made)
}

async fn free(w: &World) -> Outcome {
    let patch = json!({"metadata": {"finalizers": null}});
    w.merge(w.gadget("a"), patch).await?.code(200)?;
    Ok(())
}

async fn a_finalizer_holds_a_deleted_object(w: World) -> Outcome {
    held(&w).await?;
    let deleting = w.delete(w.gadget("a")).await?;
    deleting.like(
        200,
        json!({"kind": "Gadget", "metadata": {
            "deletionTimestamp": "~Z$", "deletionGracePeriodSeconds": 0, "generation": 2,
            "finalizers": [HELD],
        }}),
    )?;
    let read = w.get(w.gadget("a")).await?;
    read.code(200)?
        .holds("what delete returned", read.json == deleting.json)?;
    free(&w).await
}

async fn a_second_deletion_changes_nothing(w: World) -> Outcome {
    held(&w).await?;
    let first = w.delete(w.gadget("a")).await?;
    let second = w.delete(w.gadget("a")).await?;
    second.like(
        200,
        json!({"metadata": {
            "resourceVersion": first.rv(), "deletionTimestamp": first.meta("deletionTimestamp"),
        }}),
    )?;
    free(&w).await
}

async fn the_last_finalizer_lets_go(w: World) -> Outcome {
    held(&w).await?;
    w.delete(w.gadget("a")).await?.code(200)?;
    let patch = json!({"metadata": {"finalizers": null}});
    let last = w.merge(w.gadget("a"), patch).await?;
    last.like(
        200,
        json!({"kind": "Gadget", "metadata": {"finalizers": "<absent>"}}),
    )?;
    w.get(w.gadget("a")).await?.code(404)?;
    Ok(())
}

async fn an_update_without_finalizers_lets_go(w: World) -> Outcome {
    held(&w).await?;
    let mut deleting = w.delete(w.gadget("a")).await?.json;
    deleting["metadata"]["finalizers"] = json!([]);
    w.put(w.gadget("a"), deleting).await?.code(200)?;
    w.get(w.gadget("a")).await?.code(404)?;
    Ok(())
}

async fn no_finalizer_can_be_added_while_deleting(w: World) -> Outcome {
    held(&w).await?;
    w.delete(w.gadget("a")).await?.code(200)?;
    let patch = json!({"metadata": {"finalizers": [HELD, "x.dev/more"]}});
    let refused = w.merge(w.gadget("a"), patch).await?;
    let message = "Forbidden: no new finalizers can be added if the object is being deleted, \
                   found new finalizers []string{\"x.dev/more\"}";
    // The real server validates metadata of custom objects twice.
    let cause = ("FieldValueForbidden", "metadata.finalizers", message);
    refused.invalid(("Gadget", &w.group, "a"), &[cause, cause])?;
    free(&w).await
}

async fn a_deleting_object_can_still_be_changed(w: World) -> Outcome {
    held(&w).await?;
    w.delete(w.gadget("a")).await?.code(200)?;
    let patched = w.merge(w.gadget("a"), json!({"spec": {"size": 2}})).await?;
    patched.like(
        200,
        json!({"spec": {"size": 2}, "metadata": {"generation": 3}}),
    )?;
    let patched = w
        .merge(w.gadget("a/status"), json!({"status": {"seen": 2}}))
        .await?;
    patched.like(200, json!({"status": {"seen": 2}}))?;
    free(&w).await
}

async fn a_deletion_cannot_be_undone(w: World) -> Outcome {
    held(&w).await?;
    w.delete(w.gadget("a")).await?.code(200)?;
    let patch = json!({"metadata": {"deletionTimestamp": null}});
    let patched = w.merge(w.gadget("a"), patch).await?;
    patched.like(200, json!({"metadata": {"deletionTimestamp": "*"}}))?;
    free(&w).await
}

async fn a_deletion_can_name_the_uid(w: World) -> Outcome {
    let made = w.make_map(json!({"name": "a"}), "1").await?;
    let wrong = "11111111-2222-3333-4444-555555555555";
    let with = |uid: &str| json!({"preconditions": {"uid": uid}});
    let refused = w.delete_with(w.map("a"), with(wrong)).await?;
    let message = format!(
        "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition ({wrong}) \
         does not match the UID in record ({}). The object might have been deleted and then \
         recreated",
        made.meta("uid")
    );
    refused.refused(
        409,
        "Conflict",
        &message,
        json!({"name": "a", "kind": "ConfigMap"}),
    )?;
    w.delete_with(w.map("a"), with(&made.meta("uid")))
        .await?
        .code(200)?;
    Ok(())
}

async fn a_deletion_can_name_the_version(w: World) -> Outcome {
    let made = w.make_map(json!({"name": "a"}), "1").await?;
    let changed = w.merge(w.map("a"), json!({"data": {"v": "2"}})).await?;
    let with = |rv: &str| json!({"preconditions": {"resourceVersion": rv}});
    let refused = w.delete_with(w.map("a"), with(&made.rv())).await?;
    let message = format!(
        "Operation cannot be fulfilled on ConfigMap \"a\": the ResourceVersion in the \
         precondition ({}) does not match the ResourceVersion in record ({}). The object might \
         have been modified",
        made.rv(),
        changed.rv()
    );
    refused.refused(
        409,
        "Conflict",
        &message,
        json!({"name": "a", "kind": "ConfigMap"}),
    )?;
    w.delete_with(w.map("a"), with(&changed.rv()))
        .await?
        .code(200)?;
    Ok(())
}

async fn a_policy_must_be_known(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let refused = w
        .delete_with(w.map("a"), json!({"propagationPolicy": "Sideways"}))
        .await?;
    let message = "Unsupported value: \"Sideways\": supported values: \"Foreground\", \
                   \"Background\", \"Orphan\", \"nil\"";
    refused.invalid(
        ("DeleteOptions", "meta.k8s.io", ""),
        &[("FieldValueNotSupported", "propagationPolicy", message)],
    )?;
    Ok(())
}

async fn a_policy_excludes_orphan_dependents(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let both = json!({"propagationPolicy": "Background", "orphanDependents": false});
    let refused = w.delete_with(w.map("a"), both).await?;
    let message = "Invalid value: \"Background\": orphanDependents and deletionPropagation cannot \
                   be both set";
    refused.invalid(
        ("DeleteOptions", "meta.k8s.io", ""),
        &[("FieldValueInvalid", "propagationPolicy", message)],
    )?;
    Ok(())
}

async fn a_collection_is_deleted_by_selector(w: World) -> Outcome {
    for (name, label) in [("a", "1"), ("b", "2"), ("c", "1")] {
        w.make_map(json!({"name": name, "labels": {"n": label}}), "1")
            .await?;
    }
    let gone = w.delete(w.core("configmaps?labelSelector=n%3D1")).await?;
    gone.like(200, json!({"kind": "ConfigMapList", "apiVersion": "v1"}))?
        .lists(&["a", "c"])?;
    w.get(w.core("configmaps")).await?.lists(&["b"])?;
    Ok(())
}

async fn a_collection_deletion_honours_finalizers(w: World) -> Outcome {
    held(&w).await?;
    w.make_gadget("b", json!({})).await?;
    let gone = w.delete(w.custom("gadgets")).await?;
    gone.like(200, json!({"kind": "GadgetList"}))?;
    let left = w.get(w.custom("gadgets")).await?;
    left.lists(&["a"])?
        .at("/items/0/metadata/deletionTimestamp", json!("*"))?;
    free(&w).await
}

async fn a_deletion_keeps_its_dry_run(w: World) -> Outcome {
    held(&w).await?;
    let dry = w
        .delete_with(w.gadget("a"), json!({"dryRun": ["All"]}))
        .await?;
    dry.like(200, json!({"metadata": {"deletionTimestamp": "*"}}))?;
    let read = w.get(w.gadget("a")).await?;
    read.like(200, json!({"metadata": {"deletionTimestamp": "<absent>"}}))?;
    free(&w).await
}

async fn a_deletion_of_a_subresource_is_not_allowed(w: World) -> Outcome {
    held(&w).await?;
    let refused = w.delete(w.gadget("a/status")).await?;
    refused.like(405, json!({"reason": "MethodNotAllowed"}))?;
    free(&w).await
}
