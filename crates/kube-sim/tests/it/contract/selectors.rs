//! Label and field selectors of lists.

use serde_json::json;

use super::answer::Outcome;
use super::cases;
use super::world::World;

cases![
    labels_select_by_equality_and_sets,
    a_label_selector_must_be_one,
    a_label_selector_checks_its_values,
    fields_select_by_name_and_namespace,
    an_unknown_field_of_a_config_map_is_refused,
    an_unknown_field_of_a_custom_object_is_refused,
    selectable_fields_select,
    a_field_selector_must_be_one,
    namespaces_select_by_phase,
    both_selectors_must_match,
    a_list_is_ordered_by_namespace_and_name,
    a_list_says_its_kind_and_version,
    an_empty_list_has_empty_items,
];

async fn three(w: &World) -> Outcome {
    for (name, labels) in [
        ("a", json!({"app": "web", "tier": "1"})),
        ("b", json!({"app": "db"})),
        ("c", json!({"tier": "2"})),
    ] {
        w.make_map(json!({"name": name, "labels": labels}), "1")
            .await?;
    }
    Ok(())
}

async fn labels_select_by_equality_and_sets(w: World) -> Outcome {
    three(&w).await?;
    let table: [(&str, &[&str]); 12] = [
        ("app=web", &["a"]),
        ("app==db", &["b"]),
        ("app!=web", &["b", "c"]),
        ("app", &["a", "b"]),
        ("!app", &["c"]),
        ("app in (web,db)", &["a", "b"]),
        ("app in (web, x),tier", &["a"]),
        ("app notin (web)", &["b", "c"]),
        ("tier in (1,2),app notin (db)", &["a", "c"]),
        ("app=web,tier=2", &[]),
        ("app=", &[]),
        ("tier>1", &["c"]),
    ];
    for (selector, names) in table {
        let query = selector
            .replace(' ', "+")
            .replace('=', "%3D")
            .replace('>', "%3E");
        let list = w
            .get(w.core(&format!("configmaps?labelSelector={query}")))
            .await?;
        list.lists(names)?;
    }
    Ok(())
}

async fn a_label_selector_must_be_one(w: World) -> Outcome {
    let refused = w
        .get(w.core("configmaps?labelSelector=app+near+(web)"))
        .await?;
    let message = "unable to parse requirement: found 'near', expected: in, notin, =, ==, !=, gt, \
                   lt";
    refused.refused(400, "BadRequest", message, json!(null))?;
    Ok(())
}

async fn a_label_selector_checks_its_values(w: World) -> Outcome {
    let refused = w.get(w.core("configmaps?labelSelector=app%3D%2Bx")).await?;
    refused.like(
        400,
        json!({"reason": "BadRequest", "message": "~^unable to parse requirement"}),
    )?;
    Ok(())
}

async fn fields_select_by_name_and_namespace(w: World) -> Outcome {
    three(&w).await?;
    let list = w
        .get(w.core("configmaps?fieldSelector=metadata.name%3Db"))
        .await?;
    list.lists(&["b"])?;
    let list = w
        .get(w.core("configmaps?fieldSelector=metadata.name!%3Db"))
        .await?;
    list.lists(&["a", "c"])?;
    let query = format!("metadata.namespace%3D{},metadata.name%3D%3Dc", w.ns);
    let list = w
        .get(format!("/api/v1/configmaps?fieldSelector={query}"))
        .await?;
    list.lists(&["c"])?;
    Ok(())
}

async fn an_unknown_field_of_a_config_map_is_refused(w: World) -> Outcome {
    let refused = w.get(w.core("configmaps?fieldSelector=data.v%3D1")).await?;
    let message = "\"data.v\" is not a known field selector: only \"metadata.name\", \
                   \"metadata.namespace\"";
    refused.refused(400, "BadRequest", message, json!(null))?;
    Ok(())
}

async fn an_unknown_field_of_a_custom_object_is_refused(w: World) -> Outcome {
    for query in ["", "watch=true&"] {
        let path = w.custom(&format!("gadgets?{query}fieldSelector=spec.mode%3DFast"));
        let refused = w.get(path).await?;
        let message = "field label not supported: spec.mode";
        refused.refused(400, "BadRequest", message, json!(null))?;
    }
    Ok(())
}

async fn selectable_fields_select(w: World) -> Outcome {
    w.make_gadget("a", json!({"color": "blue", "size": 3}))
        .await?;
    w.make_gadget("b", json!({})).await?;
    let table: [(&str, &[&str]); 4] = [
        ("spec.color%3Dblue", &["a"]),
        ("spec.color%3Dred", &["b"]),
        ("spec.size%3D3,spec.color!%3Dred", &["a"]),
        ("spec.size!%3D3", &["b"]),
    ];
    for (selector, names) in table {
        let list = w
            .get(w.custom(&format!("gadgets?fieldSelector={selector}")))
            .await?;
        list.lists(names)?;
    }
    Ok(())
}

async fn a_field_selector_must_be_one(w: World) -> Outcome {
    let refused = w
        .get(w.core("configmaps?fieldSelector=metadata.name"))
        .await?;
    let message = "invalid selector: 'metadata.name'; can't understand 'metadata.name'";
    refused.refused(400, "BadRequest", message, json!(null))?;
    Ok(())
}

async fn namespaces_select_by_phase(w: World) -> Outcome {
    let query = format!("status.phase%3DActive,metadata.name%3D{}", w.ns);
    let list = w
        .get(format!("/api/v1/namespaces?fieldSelector={query}"))
        .await?;
    list.lists(&[&w.ns])?;
    let query = format!("status.phase!%3DActive,metadata.name%3D{}", w.ns);
    let list = w
        .get(format!("/api/v1/namespaces?fieldSelector={query}"))
        .await?;
    list.lists(&[])?;
    Ok(())
}

async fn both_selectors_must_match(w: World) -> Outcome {
    three(&w).await?;
    let path = w.core("configmaps?fieldSelector=metadata.name!%3Da&labelSelector=app");
    w.get(path).await?.lists(&["b"])?;
    Ok(())
}

async fn a_list_is_ordered_by_namespace_and_name(w: World) -> Outcome {
    let other = w.another_namespace("x").await?;
    for (ns, name) in [
        (&other, "a"),
        (&w.ns, "c"),
        (&w.ns, "B1"),
        (&w.ns, "a.b"),
        (&w.ns, "a"),
    ] {
        let path = format!("/api/v1/namespaces/{ns}/configmaps");
        let meta = json!({"name": name.to_lowercase(), "labels": {"case": w.ns}});
        w.post(path, json!({"metadata": meta})).await?.code(201)?;
    }
    let list = w
        .get(format!("/api/v1/configmaps?labelSelector=case%3D{}", w.ns))
        .await?;
    list.lists(&["a", "a", "a.b", "b1", "c"])?;
    w.delete(format!("/api/v1/namespaces/{other}"))
        .await?
        .code(200)?;
    Ok(())
}

async fn a_list_says_its_kind_and_version(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    let list = w.get(w.core("configmaps")).await?;
    list.like(
        200,
        json!({
            "kind": "ConfigMapList", "apiVersion": "v1",
            "metadata": {"resourceVersion": "*", "continue": "<absent>",
                         "remainingItemCount": "<absent>"},
            "items": [{"kind": "<absent>", "apiVersion": "<absent>", "metadata": {"name": "a"}}],
        }),
    )?;
    w.make_gadget("a", json!({})).await?;
    let list = w.get(w.custom("gadgets")).await?;
    list.like(
        200,
        json!({
            "kind": "GadgetList", "apiVersion": format!("{}/v1", w.group),
            "items": [{"kind": "Gadget", "apiVersion": format!("{}/v1", w.group)}],
        }),
    )?;
    Ok(())
}

async fn an_empty_list_has_empty_items(w: World) -> Outcome {
    for path in [w.core("configmaps"), w.custom("gadgets")] {
        let list = w.get(path).await?;
        list.code(200)?.at("/items", json!([]))?;
    }
    Ok(())
}
