//! Defaults, pruning, and schemas that are tightened under an object.

use serde_json::{Value, json};

use super::answer::{Differs, Outcome};
use super::world::World;
use super::{UNCHECKED, cases};

cases![
    defaults_are_filled_in,
    defaults_below_a_default_are_filled_in,
    a_null_without_nullable_takes_the_default,
    unknown_fields_are_pruned,
    unknown_fields_are_kept_where_preserved,
    an_int_or_string_takes_both,
    a_nullable_field_keeps_null,
    a_null_where_none_may_be_is_dropped,
    an_unchanged_fault_does_not_block_a_change,
    a_changed_field_must_be_right,
];

async fn makes(w: &World, spec: Value, wanted: Value) -> Result<(), Differs> {
    let made = w
        .post(w.custom("gadgets"), w.gadget_body("a", spec))
        .await?;
    made.code(201)?.at("/spec", wanted)?;
    Ok(())
}

/// A type whose schema was tightened under an object: `size` had no bound, and `word` no pattern.
async fn tightened(w: &World) -> Result<String, Differs> {
    let group = format!("tight.{}.dev", w.ns);
    let open = json!({"size": {"type": "integer"}, "word": {"type": "string"},
                      "tags": {"type": "array", "items": {"type": "string"}}});
    let version = |p| super::fixtures::version("v1", super::fixtures::spec_schema(p), json!(null));
    let crd = super::fixtures::crd(&group, "Thing", "Namespaced", vec![version(open)]);
    let path = w.of(&format!("{group}/v1"), "things");
    w.define(&crd, &path).await?;
    let body = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Thing", "metadata": {"name": "a"},
        "spec": {"size": 50, "word": "A", "tags": ["x"]},
    });
    w.post(&path, body).await?.code(201)?;
    let tight = json!({"size": {"type": "integer", "maximum": 10},
                       "word": {"type": "string", "pattern": "^[a-z]+$"},
                       "tags": {"type": "array", "items": {"type": "string"}}});
    let crds = super::world::CRDS;
    let patch = json!({"spec": {"versions": [version(tight)]}});
    w.merge(format!("{crds}/things.{group}"), patch)
        .await?
        .code(200)?;
    let bad = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Thing",
        "metadata": {"generateName": "b-"}, "spec": {"size": 11},
    });
    for _ in 0..100 {
        if w.post(&path, bad.clone()).await?.code == 422 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(format!("{path}/a"))
}

async fn defaults_are_filled_in(w: World) -> Outcome {
    let spec = json!({"ports": [{"name": "a"}, {"name": "b", "protocol": "UDP"}]});
    let wanted = json!({
        "color": "red",
        "ports": [{"name": "a", "protocol": "TCP"}, {"name": "b", "protocol": "UDP"}],
    });
    makes(&w, spec, wanted).await
}

async fn defaults_below_a_default_are_filled_in(w: World) -> Outcome {
    let wanted = json!({
        "color": "red", "nested": {"name": "n", "level": 3, "more": {"on": true}},
    });
    makes(&w, json!({"nested": {"name": "n"}}), wanted).await
}

async fn a_null_without_nullable_takes_the_default(w: World) -> Outcome {
    makes(&w, json!({"color": null}), json!({"color": "red"})).await?;
    let patched = w
        .merge(w.gadget("a"), json!({"spec": {"color": null}}))
        .await?;
    patched.code(200)?.at("/spec", json!({"color": "red"}))?;
    Ok(())
}

async fn unknown_fields_are_pruned(w: World) -> Outcome {
    let spec = json!({
        "size": 1, "sizes": 2, "nested": {"name": "n", "what": 1, "more": {"off": 1}},
        "ports": [{"name": "a", "what": 1}],
    });
    let wanted = json!({
        "color": "red", "size": 1, "nested": {"name": "n", "level": 3, "more": {"on": true}},
        "ports": [{"name": "a", "protocol": "TCP"}],
    });
    makes(&w, spec, wanted).await
}

async fn unknown_fields_are_kept_where_preserved(w: World) -> Outcome {
    let open = json!({"n": 1, "what": {"deep": [1, {"er": null}]}});
    makes(
        &w,
        json!({"open": open}),
        json!({"color": "red", "open": open}),
    )
    .await
}

async fn an_int_or_string_takes_both(w: World) -> Outcome {
    makes(&w, json!({"port": 80}), json!({"color": "red", "port": 80})).await?;
    let patched = w
        .merge(w.gadget("a"), json!({"spec": {"port": "http"}}))
        .await?;
    patched.like(200, json!({"spec": {"port": "http"}}))?;
    let refused = w
        .merge(w.gadget("a"), json!({"spec": {"port": true}}))
        .await?;
    let message = "Invalid value: \"boolean\": spec.port in body must be of type integer,string: \
                   \"boolean\"";
    let fault = ("FieldValueTypeInvalid", "spec.port", message);
    refused.invalid(("Gadget", &w.group, "a"), &[fault, UNCHECKED])?;
    Ok(())
}

async fn a_nullable_field_keeps_null(w: World) -> Outcome {
    makes(
        &w,
        json!({"note": null}),
        json!({"color": "red", "note": null}),
    )
    .await
}

async fn a_null_where_none_may_be_is_dropped(w: World) -> Outcome {
    let spec = json!({"size": null, "nested": {"name": "n", "more": null}, "ports": null});
    let wanted = json!({
        "color": "red", "nested": {"name": "n", "level": 3, "more": {"on": true}},
    });
    makes(&w, spec, wanted).await
}

async fn an_unchanged_fault_does_not_block_a_change(w: World) -> Outcome {
    let path = tightened(&w).await?;
    let patched = w
        .merge(&path, json!({"spec": {"tags": ["x", "y"]}}))
        .await?;
    patched.like(200, json!({"spec": {"size": 50, "tags": ["x", "y"]}}))?;
    let patched = w.merge(&path, json!({"spec": {"size": 9}})).await?;
    patched.like(200, json!({"spec": {"size": 9, "word": "A"}}))?;
    Ok(())
}

async fn a_changed_field_must_be_right(w: World) -> Outcome {
    let path = tightened(&w).await?;
    let refused = w.merge(&path, json!({"spec": {"size": 51}})).await?;
    refused.like(
        422,
        json!({"details": {"causes": [{
            "reason": "FieldValueInvalid", "field": "spec.size",
            "message": "Invalid value: 51: spec.size in body should be less than or equal to 10",
        }]}}),
    )?;
    Ok(())
}
