//! Tables, discovery and OpenAPI: what clients learn about types.

use serde_json::{Value, json};

use super::answer::{Answer, Outcome};
use super::cases;
use super::world::World;

cases![
    a_table_has_the_types_columns,
    a_table_of_one_object_has_one_row,
    a_table_of_a_built_in_type_has_its_columns,
    a_table_can_hold_whole_objects,
    metadata_can_be_read_alone,
    the_core_versions_are_listed,
    the_groups_are_listed,
    a_group_is_described,
    a_group_version_lists_its_resources,
    discovery_comes_in_one_piece,
    open_api_has_an_index,
    open_api_describes_a_custom_type,
];

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

async fn a_table_has_the_types_columns(w: World) -> Outcome {
    w.make_gadget("a", json!({"size": 3})).await?;
    let table = w.get_as(TABLE, w.custom("gadgets")).await?;
    table.like(
        200,
        json!({
            "kind": "Table", "apiVersion": "meta.k8s.io/v1",
            "metadata": {"resourceVersion": "*"},
            "columnDefinitions": [
                {"name": "Name", "type": "string", "format": "name", "priority": 0},
                {"name": "Color", "type": "string", "format": "", "priority": 0},
                {"name": "Size", "type": "integer", "format": "", "priority": 1},
                {"name": "Age", "type": "date", "format": "", "priority": 0},
            ],
            "rows": [{
                "cells": ["a", "red", 3, "~^[0-9]+s$|^<invalid>$"],
                "object": {
                    "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                    "metadata": {"name": "a", "uid": "*"},
                },
            }],
        }),
    )?;
    Ok(())
}

async fn a_table_of_one_object_has_one_row(w: World) -> Outcome {
    w.make_gadget("a", json!({})).await?;
    w.make_gadget("b", json!({})).await?;
    let table = w.get_as(TABLE, w.gadget("b")).await?;
    table.like(
        200,
        json!({"kind": "Table", "rows": [{"object": {"metadata": {"name": "b"}}}]}),
    )?;
    let table = w.get_as(TABLE, w.custom("gadgets?limit=1")).await?;
    table.like(
        200,
        json!({
            "metadata": {"continue": "*", "remainingItemCount": 1}, "rows": [{}],
        }),
    )?;
    Ok(())
}

async fn a_table_of_a_built_in_type_has_its_columns(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let table = w.get_as(TABLE, w.core("configmaps")).await?;
    table.like(
        200,
        json!({
            "columnDefinitions": [{"name": "Name"}, {"name": "Data"}, {"name": "Age"}],
            "rows": [{"cells": ["a", 1, "*"]}],
        }),
    )?;
    let lease = json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}});
    w.post(w.of("coordination.k8s.io/v1", "leases"), lease)
        .await?
        .code(201)?;
    let table = w
        .get_as(TABLE, w.of("coordination.k8s.io/v1", "leases"))
        .await?;
    table.like(
        200,
        json!({
            "columnDefinitions": [{"name": "Name"}, {"name": "Holder"}, {"name": "Age"}],
            "rows": [{"cells": ["l", "me", "*"]}],
        }),
    )?;
    let table = w
        .get_as(TABLE, format!("/api/v1/namespaces/{}", w.ns))
        .await?;
    table.like(
        200,
        json!({
            "columnDefinitions": [{"name": "Name"}, {"name": "Status"}, {"name": "Age"}],
            "rows": [{"cells": [w.ns, "Active", "*"]}],
        }),
    )?;
    Ok(())
}

async fn a_table_can_hold_whole_objects(w: World) -> Outcome {
    w.make_gadget("a", json!({"size": 3})).await?;
    let table = w
        .get_as(TABLE, w.custom("gadgets?includeObject=Object"))
        .await?;
    table.like(
        200,
        json!({"rows": [{"object": {"kind": "Gadget", "spec": {"size": 3}}}]}),
    )?;
    let table = w
        .get_as(TABLE, w.custom("gadgets?includeObject=None"))
        .await?;
    table.code(200)?.at("/rows/0/object", Value::Null)?;
    Ok(())
}

async fn metadata_can_be_read_alone(w: World) -> Outcome {
    w.make_gadget("a", json!({"size": 3})).await?;
    let one = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    w.get_as(one, w.gadget("a")).await?.like(
        200,
        json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            "metadata": {"name": "a", "uid": "*"}, "spec": "<absent>",
        }),
    )?;
    let list = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    w.get_as(list, w.custom("gadgets")).await?.like(
        200,
        json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
            "items": [{"kind": "PartialObjectMetadata", "metadata": {"name": "a"},
                       "spec": "<absent>"}],
        }),
    )?;
    Ok(())
}

async fn the_core_versions_are_listed(w: World) -> Outcome {
    w.get("/api")
        .await?
        .like(200, json!({"kind": "APIVersions", "versions": ["v1"]}))?;
    Ok(())
}

async fn the_groups_are_listed(w: World) -> Outcome {
    let groups = w.get("/apis").await?;
    groups.like(200, json!({"kind": "APIGroupList", "apiVersion": "v1"}))?;
    let list = groups.json["groups"].as_array();
    let own = list
        .into_iter()
        .flatten()
        .find(|group| group["name"] == w.group);
    let own = own.cloned().unwrap_or_default();
    let version = |name: &str| {
        json!({
            "groupVersion": format!("{}/{name}", w.group), "version": name,
        })
    };
    let wanted = json!([version("v1"), version("v1beta1")]);
    groups.holds(&wanted.to_string(), own["versions"] == wanted)?;
    groups.holds("v1 is preferred", own["preferredVersion"] == version("v1"))?;
    Ok(())
}

async fn a_group_is_described(w: World) -> Outcome {
    w.get(format!("/apis/{}", w.group)).await?.like(
        200,
        json!({
            "kind": "APIGroup", "apiVersion": "v1", "name": w.group,
            "preferredVersion": {"version": "v1"},
        }),
    )?;
    Ok(())
}

async fn a_group_version_lists_its_resources(w: World) -> Outcome {
    let list = w.get(format!("/apis/{}/v1", w.group)).await?;
    list.like(
        200,
        json!({
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": format!("{}/v1", w.group),
        }),
    )?;
    let resources = list.json["resources"].as_array();
    let find = |name: &str| {
        let mut all = resources.into_iter().flatten();
        all.find(|own| own["name"] == name)
            .cloned()
            .unwrap_or_default()
    };
    let main = find("gadgets");
    let good = main["kind"] == "Gadget"
        && main["namespaced"] == true
        && main["singularName"] == "gadget"
        && main["verbs"]
            == json!([
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "create",
                "update",
                "watch"
            ]);
    list.holds("gadgets with their verbs", good)?;
    let status = find("gadgets/status");
    let good = status["verbs"] == json!(["get", "patch", "update"]);
    list.holds("gadgets/status with its verbs", good)?;
    list.holds(
        "realms have no namespace",
        find("realms")["namespaced"] == false,
    )?;
    Ok(())
}

async fn discovery_comes_in_one_piece(w: World) -> Outcome {
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let all = w.get_as(accept, "/apis").await?;
    all.like(
        200,
        json!({
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        }),
    )?;
    let list = all.json["items"].as_array();
    let own = list
        .into_iter()
        .flatten()
        .find(|item| item["metadata"]["name"] == w.group);
    let own = own.cloned().unwrap_or_default();
    all.holds(
        "the group's first version is v1",
        own["versions"][0]["version"] == "v1",
    )?;
    let resources = own["versions"][0]["resources"].as_array();
    let gadgets = resources
        .into_iter()
        .flatten()
        .find(|r| r["resource"] == "gadgets");
    let gadgets = gadgets.cloned().unwrap_or_default();
    let wanted = json!({
        "resource": "gadgets", "singularResource": "gadget", "scope": "Namespaced",
        "responseKind": {"group": w.group, "version": "v1", "kind": "Gadget"},
        "subresources": [{"subresource": "status"}],
    });
    let why = super::answer::mismatch(&wanted, &gadgets, false);
    all.holds(&format!("{wanted}: {why:?}"), why.is_none())?;
    let core = w.get_as(accept, "/api").await?;
    core.like(200, json!({"kind": "APIGroupDiscoveryList"}))?;
    Ok(())
}

async fn open_api_has_an_index(w: World) -> Outcome {
    let index = w.get("/openapi/v3").await?;
    let own = format!("apis/{}/v1", w.group);
    let url = |key: &str| {
        index.json["paths"][key]["serverRelativeURL"]
            .as_str()
            .unwrap_or_default()
    };
    for key in ["api/v1", "apis/coordination.k8s.io/v1"] {
        let good = url(key).starts_with(&format!("/openapi/v3/{key}?hash="));
        index
            .code(200)?
            .holds(&format!("a URL with a hash of {key}"), good)?;
    }
    w.until("/openapi/v3", "the type is described", |a| {
        !a.json["paths"][&own].is_null()
    })
    .await?;
    Ok(())
}

async fn open_api_describes_a_custom_type(w: World) -> Outcome {
    let own = format!("apis/{}/v1", w.group);
    let described = |a: &Answer| !a.json["paths"][&own].is_null();
    let index = w
        .until("/openapi/v3", "the type is described", described)
        .await?;
    let url = index.json["paths"][&own]["serverRelativeURL"]
        .as_str()
        .unwrap_or_default();
    let document = w.get(url).await?;
    document.like(200, json!({"openapi": "3.0.0", "paths": "*"}))?;
    let schemas = document.json["components"]["schemas"].as_object();
    let mine = schemas.into_iter().flatten().find(|(_, schema)| {
        schema["x-kubernetes-group-version-kind"]
            == json!([{"group": w.group, "version": "v1", "kind": "Gadget"}])
    });
    let text = mine.map(|(_, schema)| &schema["properties"]["spec"]["properties"]["size"]);
    let good = text.is_some_and(|size| size["description"] == "How large.");
    document.holds("the schema of gadgets with its texts", good)?;
    Ok(())
}
