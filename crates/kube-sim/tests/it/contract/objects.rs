//! Creating and reading single objects.

use serde_json::json;

use super::answer::Outcome;
use super::cases;
use super::world::World;

cases![
    a_create_fills_in_what_the_server_owns,
    a_config_map_has_no_generation,
    a_second_create_of_a_name_conflicts,
    an_absent_object_is_not_found,
    an_absent_custom_object_is_not_found,
    a_create_must_not_name_a_resource_version,
    a_create_in_another_namespace_than_the_urls_is_refused,
    a_create_needs_a_namespace_that_exists,
    a_create_of_another_kind_is_refused,
    a_create_of_another_version_is_refused,
    a_custom_object_needs_kind_and_version,
    a_built_in_object_needs_neither,
    a_body_that_is_no_json_is_refused,
    a_client_cannot_set_what_the_server_owns,
    a_dry_run_creates_nothing,
    a_dry_run_must_be_all,
    a_post_to_a_name_is_not_allowed,
    a_namespaced_create_needs_a_namespace_in_the_url,
    a_cluster_object_has_no_namespace,
    an_object_is_served_in_every_served_version,
];

async fn a_create_fills_in_what_the_server_owns(w: World) -> Outcome {
    let made = w.make_gadget("a", json!({"size": 1})).await?;
    made.like(
        201,
        json!({
            "apiVersion": format!("{}/v1", w.group),
            "kind": "Gadget",
            "metadata": {
                "name": "a",
                "namespace": w.ns,
                "uid": "~^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
                "resourceVersion": "~^[1-9][0-9]*$",
                "generation": 1,
                "creationTimestamp": "~^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
                "deletionTimestamp": "<absent>",
                "selfLink": "<absent>",
            },
            "spec": {"size": 1, "color": "red"},
            "status": "<absent>",
        }),
    )?;
    let read = w.get(w.gadget("a")).await?;
    read.code(200)?
        .holds("what create returned", read.json == made.json)?;
    Ok(())
}

async fn a_config_map_has_no_generation(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let again = w.get(w.map("a")).await?;
    again.like(
        200,
        json!({"metadata": {"generation": "<absent>"}, "kind": "ConfigMap"}),
    )?;
    Ok(())
}

async fn a_second_create_of_a_name_conflicts(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let again = w
        .post(w.core("configmaps"), json!({"metadata": {"name": "a"}}))
        .await?;
    let details = json!({"name": "a", "kind": "configmaps"});
    again.refused(
        409,
        "AlreadyExists",
        "configmaps \"a\" already exists",
        details,
    )?;
    w.make_gadget("a", json!({})).await?;
    let again = w
        .post(w.custom("gadgets"), w.gadget_body("a", json!({})))
        .await?;
    let message = format!("gadgets.{} \"a\" already exists", w.group);
    let details = json!({"name": "a", "group": w.group, "kind": "gadgets"});
    again.refused(409, "AlreadyExists", &message, details)?;
    Ok(())
}

async fn an_absent_object_is_not_found(w: World) -> Outcome {
    let message = "configmaps \"a\" not found";
    let details = json!({"name": "a", "kind": "configmaps"});
    let found = w.get(w.map("a")).await?;
    found.refused(404, "NotFound", message, details.clone())?;
    let found = w.delete(w.map("a")).await?;
    found.refused(404, "NotFound", message, details.clone())?;
    let found = w.merge(w.map("a"), json!({})).await?;
    found.refused(404, "NotFound", message, details)?;
    Ok(())
}

async fn an_absent_custom_object_is_not_found(w: World) -> Outcome {
    let message = format!("gadgets.{} \"a\" not found", w.group);
    let details = json!({"name": "a", "group": w.group, "kind": "gadgets"});
    for path in [w.gadget("a"), w.gadget("a/status")] {
        let found = w.get(path).await?;
        found.refused(404, "NotFound", &message, details.clone())?;
    }
    let body = w.gadget_body("a", json!({}));
    let found = w.put(w.gadget("a"), body).await?;
    found.refused(404, "NotFound", &message, details)?;
    Ok(())
}

async fn a_create_must_not_name_a_resource_version(w: World) -> Outcome {
    let body = json!({"metadata": {"name": "a", "resourceVersion": "1"}});
    let refused = w.post(w.core("configmaps"), body).await?;
    let message = "resourceVersion should not be set on objects to be created";
    refused.refused(500, "", message, json!(null))?;
    Ok(())
}

async fn a_create_in_another_namespace_than_the_urls_is_refused(w: World) -> Outcome {
    let body = json!({"metadata": {"name": "a", "namespace": "default"}});
    let refused = w.post(w.core("configmaps"), body).await?;
    let message =
        "the namespace of the provided object does not match the namespace sent on the request";
    refused.refused(400, "BadRequest", message, json!(null))?;
    Ok(())
}

async fn a_create_needs_a_namespace_that_exists(w: World) -> Outcome {
    let body = json!({"metadata": {"name": "a"}});
    let refused = w
        .post("/api/v1/namespaces/nowhere/configmaps", body)
        .await?;
    let details = json!({"name": "nowhere", "kind": "namespaces"});
    refused.refused(404, "NotFound", "namespaces \"nowhere\" not found", details)?;
    Ok(())
}

async fn a_create_of_another_kind_is_refused(w: World) -> Outcome {
    let body = json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}});
    let refused = w.post(w.core("configmaps"), body).await?;
    let message = "Secret in version \"v1\" cannot be handled as a ConfigMap: converting \
                   (v1.Secret) to (core.ConfigMap): unknown conversion";
    refused.refused(400, "BadRequest", message, json!(null))?;
    Ok(())
}

async fn a_create_of_another_version_is_refused(w: World) -> Outcome {
    let mut body = w.gadget_body("a", json!({}));
    body["apiVersion"] = format!("{}/v2", w.group).into();
    let refused = w.post(w.custom("gadgets"), body).await?;
    let message = format!(
        "the API version in the data ({}/v2) does not match the expected API version ({}/v1)",
        w.group, w.group
    );
    refused.refused(400, "BadRequest", &message, json!(null))?;
    Ok(())
}

async fn a_custom_object_needs_kind_and_version(w: World) -> Outcome {
    let body = json!({"apiVersion": format!("{}/v1", w.group), "metadata": {"name": "a"}});
    let refused = w.post(w.custom("gadgets"), body).await?;
    let wanted = "~^the object provided is unrecognized \\(must be of type Gadget\\): Object \
                  'Kind' is missing in '\\{\"apiVersion\":.*'";
    refused.refused(400, "BadRequest", wanted, json!(null))?;
    let body = json!({"kind": "Gadget", "metadata": {"name": "a"}});
    let refused = w.post(w.custom("gadgets"), body).await?;
    let message = format!(
        "the API version in the data () does not match the expected API version ({}/v1)",
        w.group
    );
    refused.refused(400, "BadRequest", &message, json!(null))?;
    Ok(())
}

async fn a_built_in_object_needs_neither(w: World) -> Outcome {
    let made = w
        .post(w.core("configmaps"), json!({"metadata": {"name": "a"}}))
        .await?;
    made.like(201, json!({"kind": "ConfigMap", "apiVersion": "v1"}))?;
    Ok(())
}

async fn a_body_that_is_no_json_is_refused(w: World) -> Outcome {
    let headers = [("content-type", "application/json")];
    let refused = w
        .send("POST", &w.core("configmaps"), &headers, "{\"a\":")
        .await?;
    refused.like(
        400,
        json!({"kind": "Status", "reason": "BadRequest", "code": 400}),
    )?;
    Ok(())
}

async fn a_client_cannot_set_what_the_server_owns(w: World) -> Outcome {
    let mut body = w.gadget_body("a", json!({}));
    for (field, value) in [
        ("uid", json!("11111111-2222-3333-4444-555555555555")),
        ("creationTimestamp", json!("2001-01-01T00:00:00Z")),
        ("deletionTimestamp", json!("2001-01-01T00:00:00Z")),
        ("deletionGracePeriodSeconds", json!(7)),
        ("generation", json!(42)),
        ("selfLink", json!("/x")),
    ] {
        body["metadata"][field] = value;
    }
    body["status"] = json!({"seen": 9});
    let made = w.post(w.custom("gadgets"), body).await?;
    made.like(
        201,
        json!({
            "metadata": {
                "uid": "~^([^1]|1[^1]|11[^1]|111[^1])",
                "creationTimestamp": "~^20[^0]",
                "deletionTimestamp": "<absent>",
                "deletionGracePeriodSeconds": "<absent>",
                "generation": 1,
            },
            "status": "<absent>",
        }),
    )?;
    Ok(())
}

async fn a_dry_run_creates_nothing(w: World) -> Outcome {
    let path = w.core("configmaps?dryRun=All");
    let made = w.post(path, json!({"metadata": {"name": "a"}})).await?;
    made.like(
        201,
        json!({"metadata": {"name": "a", "uid": "*", "resourceVersion": "<absent>"}}),
    )?;
    w.get(w.map("a")).await?.code(404)?;
    Ok(())
}

async fn a_dry_run_must_be_all(w: World) -> Outcome {
    let path = w.core("configmaps?dryRun=Some");
    let refused = w.post(path, json!({"metadata": {"name": "a"}})).await?;
    refused.invalid(
        ("CreateOptions", "meta.k8s.io", ""),
        &[(
            "FieldValueNotSupported",
            "dryRun",
            "Unsupported value: [\"Some\"]: supported values: \"All\"",
        )],
    )?;
    w.get(w.map("a")).await?.code(404)?;
    Ok(())
}

async fn a_post_to_a_name_is_not_allowed(w: World) -> Outcome {
    let refused = w
        .post(w.map("a"), json!({"metadata": {"name": "a"}}))
        .await?;
    let message = "the server does not allow this method on the requested resource";
    refused.refused(405, "MethodNotAllowed", message, json!({}))?;
    Ok(())
}

async fn a_namespaced_create_needs_a_namespace_in_the_url(w: World) -> Outcome {
    let refused = w
        .post("/api/v1/configmaps", json!({"metadata": {"name": "a"}}))
        .await?;
    let message = "the server does not allow this method on the requested resource";
    refused.refused(405, "MethodNotAllowed", message, json!({}))?;
    Ok(())
}

async fn a_cluster_object_has_no_namespace(w: World) -> Outcome {
    let path = format!("/apis/{}/v1/realms", w.group);
    let body = json!({
        "apiVersion": format!("{}/v1", w.group),
        "kind": "Realm",
        "metadata": {"name": w.ns},
    });
    let made = w.post(&path, body).await?;
    made.like(
        201,
        json!({"metadata": {"name": w.ns, "namespace": "<absent>"}}),
    )?;
    w.delete(format!("{path}/{}", w.ns)).await?.code(200)?;
    Ok(())
}

async fn an_object_is_served_in_every_served_version(w: World) -> Outcome {
    let (v1, beta) = (format!("{}/v1", w.group), format!("{}/v1beta1", w.group));
    let body = json!({
        "apiVersion": beta, "kind": "Coin", "metadata": {"name": "a"}, "spec": {"n": 1},
    });
    let made = w.post(w.of(&beta, "coins"), body).await?;
    made.like(201, json!({"apiVersion": beta, "spec": {"n": 1}}))?;
    let read = w.get(w.of(&v1, "coins/a")).await?;
    read.like(200, json!({"apiVersion": v1, "spec": {"n": 1}}))?;
    w.get(w.of(&format!("{}/v1alpha1", w.group), "coins/a"))
        .await?
        .code(404)?;
    Ok(())
}
