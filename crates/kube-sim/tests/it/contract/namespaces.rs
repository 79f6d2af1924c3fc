//! Namespaces: what is in them lives and ends with them.

use serde_json::json;

use super::answer::{Answer, Outcome};
use super::cases;
use super::world::World;

cases![
    a_namespace_starts_active,
    a_namespace_name_must_be_a_label,
    a_deleted_namespace_takes_its_objects_along,
    nothing_new_enters_a_terminating_namespace,
    a_terminating_namespace_waits_for_finalizers,
    the_first_namespaces_stay,
];

async fn a_namespace_starts_active(w: World) -> Outcome {
    let read = w.get(format!("/api/v1/namespaces/{}", w.ns)).await?;
    read.like(
        200,
        json!({
            "kind": "Namespace", "apiVersion": "v1",
            "metadata": {"name": w.ns, "labels": {"kubernetes.io/metadata.name": w.ns},
                         "namespace": "<absent>"},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }),
    )?;
    Ok(())
}

async fn a_namespace_name_must_be_a_label(w: World) -> Outcome {
    let refused = w
        .post("/api/v1/namespaces", json!({"metadata": {"name": "a.b"}}))
        .await?;
    let message = "Invalid value: \"a.b\": must not contain dots";
    refused.invalid(
        ("Namespace", "", "a.b"),
        &[("FieldValueInvalid", "metadata.name", message)],
    )?;
    Ok(())
}

async fn a_deleted_namespace_takes_its_objects_along(w: World) -> Outcome {
    let name = w.another_namespace("gone").await?;
    let path = format!("/api/v1/namespaces/{name}");
    let map = format!("{path}/configmaps");
    w.post(&map, json!({"metadata": {"name": "a"}}))
        .await?
        .code(201)?;
    let gadgets = format!("/apis/{}/v1/namespaces/{name}/gadgets", w.group);
    w.post(&gadgets, w.gadget_body("a", json!({})))
        .await?
        .code(201)?;
    let deleting = w.delete(&path).await?;
    deleting.like(
        200,
        json!({
            "kind": "Namespace", "status": {"phase": "Terminating"},
            "metadata": {"deletionTimestamp": "*"},
        }),
    )?;
    w.until_gone(format!("{map}/a")).await?;
    w.until_gone(format!("{gadgets}/a")).await?;
    w.until_gone(&path).await
}

/// A namespace that cannot end, because of an object in it.
async fn stuck(w: &World) -> Result<String, super::answer::Differs> {
    let name = w.another_namespace("stuck").await?;
    let path = format!("/api/v1/namespaces/{name}");
    let meta = json!({"name": "held", "finalizers": ["x.dev/y"]});
    w.post(format!("{path}/configmaps"), json!({"metadata": meta}))
        .await?
        .code(201)?;
    w.delete(&path).await?.code(200)?;
    let begun = |a: &Answer| !a.json["metadata"]["deletionTimestamp"].is_null();
    w.until(
        format!("{path}/configmaps/held"),
        "the object is being deleted",
        begun,
    )
    .await?;
    Ok(name)
}

async fn free(w: &World, name: &str) -> Outcome {
    let path = format!("/api/v1/namespaces/{name}");
    let patch = json!({"metadata": {"finalizers": null}});
    w.merge(format!("{path}/configmaps/held"), patch)
        .await?
        .code(200)?;
    w.until_gone(path).await
}

async fn nothing_new_enters_a_terminating_namespace(w: World) -> Outcome {
    let name = stuck(&w).await?;
    let text =
        format!("unable to create new content in namespace {name} because it is being terminated");
    let cause = json!({
        "reason": "NamespaceTerminating",
        "message": format!("namespace {name} is being terminated"),
        "field": "metadata.namespace",
    });
    let path = format!("/api/v1/namespaces/{name}/configmaps");
    let refused = w.post(path, json!({"metadata": {"name": "new"}})).await?;
    let details = json!({"name": "new", "kind": "configmaps", "causes": [cause]});
    let message = format!("configmaps \"new\" is forbidden: {text}");
    refused.refused(403, "Forbidden", &message, details)?;
    let path = format!("/apis/{}/v1/namespaces/{name}/gadgets", w.group);
    let refused = w.post(path, w.gadget_body("new", json!({}))).await?;
    let details = json!({"name": "new", "group": w.group, "kind": "gadgets", "causes": [cause]});
    let message = format!("gadgets.{} \"new\" is forbidden: {text}", w.group);
    refused.refused(403, "Forbidden", &message, details)?;
    free(&w, &name).await
}

async fn a_terminating_namespace_waits_for_finalizers(w: World) -> Outcome {
    let name = stuck(&w).await?;
    let path = format!("/api/v1/namespaces/{name}");
    w.get(&path)
        .await?
        .like(200, json!({"status": {"phase": "Terminating"}}))?;
    let patched = w
        .merge(
            format!("{path}/configmaps/held"),
            json!({"data": {"v": "2"}}),
        )
        .await?;
    patched.like(200, json!({"data": {"v": "2"}}))?;
    free(&w, &name).await
}

async fn the_first_namespaces_stay(w: World) -> Outcome {
    for name in ["default", "kube-system"] {
        let refused = w.delete(format!("/api/v1/namespaces/{name}")).await?;
        let message =
            format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted");
        let details = json!({"name": name, "kind": "namespaces"});
        refused.refused(403, "Forbidden", &message, details)?;
    }
    Ok(())
}
