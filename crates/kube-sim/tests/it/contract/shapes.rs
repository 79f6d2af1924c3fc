//! Structural schemas: defaults, pruning, and what is refused in which words.

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
    a_value_of_the_wrong_type_is_refused,
    a_number_out_of_bounds_is_refused,
    a_text_that_does_not_fit_is_refused,
    an_unknown_choice_is_refused,
    a_missing_field_is_refused,
    a_value_of_the_wrong_format_is_refused,
    too_many_elements_are_refused,
    duplicates_in_sets_and_maps_are_refused,
    one_of_two_schemas_must_fit,
    all_faults_are_named_at_once,
    a_list_element_is_named_by_its_index,
    a_key_of_a_map_is_named,
    a_status_is_checked_like_a_spec,
    an_unchanged_fault_does_not_block_a_change,
    a_changed_field_must_be_right,
];

/// One fault of a gadget's spec: reason, field and message.
type Fault = (&'static str, &'static str, &'static str);

/// Creates gadgets whose spec has these faults and nothing wrong besides.
async fn refuses(w: &World, table: &[(Value, &[Fault])]) -> Outcome {
    for (spec, faults) in table {
        let refused = w
            .post(w.custom("gadgets"), w.gadget_body("a", spec.clone()))
            .await?;
        refused.invalid(("Gadget", &w.group, "a"), faults)?;
    }
    Ok(())
}

async fn makes(w: &World, spec: Value, wanted: Value) -> Result<(), Differs> {
    let made = w
        .post(w.custom("gadgets"), w.gadget_body("a", spec))
        .await?;
    made.code(201)?.at("/spec", wanted)?;
    Ok(())
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

async fn a_value_of_the_wrong_type_is_refused(w: World) -> Outcome {
    let table: [(Value, &[Fault]); 5] = [
        (
            json!({"size": "1"}),
            &[
                (
                    "FieldValueTypeInvalid",
                    "spec.size",
                    "Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
                ),
                UNCHECKED,
            ],
        ),
        (
            json!({"size": 1.5}),
            &[
                (
                    "FieldValueTypeInvalid",
                    "spec.size",
                    "Invalid value: \"number\": spec.size in body must be of type integer: \
                     \"number\"",
                ),
                (
                    "FieldValueInvalid",
                    "<nil>",
                    "Invalid value: \"\": Checked value must be of type integer (default format) \
                     in spec.size",
                ),
                UNCHECKED,
            ],
        ),
        (
            json!({"word": 5}),
            &[
                (
                    "FieldValueTypeInvalid",
                    "spec.word",
                    "Invalid value: \"integer\": spec.word in body must be of type string: \"integer\"",
                ),
                UNCHECKED,
            ],
        ),
        (
            json!({"nested": []}),
            &[
                (
                    "FieldValueTypeInvalid",
                    "spec.nested",
                    "Invalid value: \"array\": spec.nested in body must be of type object: \"array\"",
                ),
                UNCHECKED,
            ],
        ),
        (
            json!({"steps": {}}),
            &[
                (
                    "FieldValueTypeInvalid",
                    "spec.steps",
                    "Invalid value: \"object\": spec.steps in body must be of type array: \"object\"",
                ),
                UNCHECKED,
            ],
        ),
    ];
    refuses(&w, &table).await
}

async fn a_number_out_of_bounds_is_refused(w: World) -> Outcome {
    let table: [(Value, &[Fault]); 4] = [
        (
            json!({"size": 0}),
            &[(
                "FieldValueInvalid",
                "spec.size",
                "Invalid value: 0: spec.size in body should be greater than or equal to 1",
            )],
        ),
        (
            json!({"size": 11}),
            &[(
                "FieldValueInvalid",
                "spec.size",
                "Invalid value: 11: spec.size in body should be less than or equal to 10",
            )],
        ),
        (
            json!({"share": 0}),
            &[(
                "FieldValueInvalid",
                "spec.share",
                "Invalid value: 0: spec.share in body should be greater than 0",
            )],
        ),
        (
            json!({"ratio": 0.7}),
            &[(
                "FieldValueInvalid",
                "spec.ratio",
                "Invalid value: 0.7: spec.ratio in body should be a multiple of 0.5",
            )],
        ),
    ];
    refuses(&w, &table).await
}

async fn a_text_that_does_not_fit_is_refused(w: World) -> Outcome {
    let table: [(Value, &[Fault]); 3] = [
        (
            json!({"word": "AB"}),
            &[(
                "FieldValueInvalid",
                "spec.word",
                "Invalid value: \"AB\": spec.word in body should match '^[a-z]+$'",
            )],
        ),
        (
            json!({"word": "a"}),
            &[(
                "FieldValueInvalid",
                "spec.word",
                "Invalid value: \"a\": spec.word in body should be at least 2 chars long",
            )],
        ),
        (
            json!({"word": "abcdef"}),
            &[
                (
                    "FieldValueTooLong",
                    "spec.word",
                    "Too long: may not be more than 5 bytes",
                ),
                UNCHECKED,
            ],
        ),
    ];
    refuses(&w, &table).await
}

async fn an_unknown_choice_is_refused(w: World) -> Outcome {
    let fault = (
        "FieldValueNotSupported",
        "spec.mode",
        "Unsupported value: \"Idle\": supported values: \"Fast\", \"Slow\"",
    );
    refuses(&w, &[(json!({"mode": "Idle"}), &[fault, UNCHECKED])]).await
}

async fn a_missing_field_is_refused(w: World) -> Outcome {
    let table: [(Value, &[Fault]); 2] = [
        (
            json!({"nested": {}}),
            &[
                ("FieldValueRequired", "spec.nested.name", "Required value"),
                UNCHECKED,
            ],
        ),
        (
            json!({"ports": [{"number": 1}]}),
            &[
                ("FieldValueRequired", "spec.ports[0].name", "Required value"),
                UNCHECKED,
            ],
        ),
    ];
    refuses(&w, &table).await
}

async fn a_value_of_the_wrong_format_is_refused(w: World) -> Outcome {
    let table: [(Value, &[Fault]); 3] = [
        (
            json!({"when": "noon"}),
            &[
                (
                    "FieldValueTypeInvalid",
                    "spec.when",
                    "Invalid value: \"noon\": spec.when in body must be of type date-time: \"noon\"",
                ),
                UNCHECKED,
            ],
        ),
        (
            json!({"wait": "long"}),
            &[
                (
                    "FieldValueTypeInvalid",
                    "spec.wait",
                    "Invalid value: \"long\": spec.wait in body must be of type duration: \"long\"",
                ),
                UNCHECKED,
            ],
        ),
        (
            json!({"id": "5"}),
            &[
                (
                    "FieldValueTypeInvalid",
                    "spec.id",
                    "Invalid value: \"5\": spec.id in body must be of type uuid: \"5\"",
                ),
                UNCHECKED,
            ],
        ),
    ];
    refuses(&w, &table).await
}

async fn too_many_elements_are_refused(w: World) -> Outcome {
    let ports: Vec<Value> = (0..5).map(|n| json!({"name": format!("p{n}")})).collect();
    let table: [(Value, &[Fault]); 2] = [
        (
            json!({"ports": ports}),
            &[
                (
                    "FieldValueTooMany",
                    "spec.ports",
                    "Too many: 5: must have at most 4 items",
                ),
                UNCHECKED,
            ],
        ),
        (
            json!({"labels": {"a": "1", "b": "2", "c": "3"}}),
            &[
                (
                    "FieldValueTooMany",
                    "spec.labels",
                    "Too many: 3: must have at most 2 items",
                ),
                UNCHECKED,
            ],
        ),
    ];
    refuses(&w, &table).await
}

async fn duplicates_in_sets_and_maps_are_refused(w: World) -> Outcome {
    let table: [(Value, &[Fault]); 2] = [
        (
            json!({"tags": ["a", "b", "a"]}),
            &[(
                "FieldValueDuplicate",
                "spec.tags[2]",
                "Duplicate value: \"a\"",
            )],
        ),
        (
            json!({"ports": [{"name": "a"}, {"name": "a"}]}),
            &[(
                "FieldValueDuplicate",
                "spec.ports[1]",
                "Duplicate value: {\"name\":\"a\"}",
            )],
        ),
    ];
    refuses(&w, &table).await
}

async fn one_of_two_schemas_must_fit(w: World) -> Outcome {
    let faults: [Fault; 3] = [
        (
            "FieldValueInvalid",
            "<nil>",
            "Invalid value: \"\": \"spec.either\" must validate one and only one schema (oneOf). \
             Found none valid",
        ),
        ("FieldValueRequired", "spec.either.a", "Required value"),
        UNCHECKED,
    ];
    refuses(&w, &[(json!({"either": {}}), &faults)]).await?;
    let faults: [Fault; 1] = [(
        "FieldValueInvalid",
        "<nil>",
        "Invalid value: \"\": \"spec.either\" must validate one and only one schema (oneOf). \
             Found 2 valid alternatives",
    )];
    refuses(&w, &[(json!({"either": {"a": "1", "b": "2"}}), &faults)]).await
}

async fn all_faults_are_named_at_once(w: World) -> Outcome {
    let faults: [Fault; 2] = [
        (
            "FieldValueInvalid",
            "spec.size",
            "Invalid value: 11: spec.size in body should be less than or equal to 10",
        ),
        // Of one text only the first fault: length, pattern, then choice.
        (
            "FieldValueInvalid",
            "spec.word",
            "Invalid value: \"A\": spec.word in body should be at least 2 chars long",
        ),
    ];
    refuses(&w, &[(json!({"size": 11, "word": "A"}), &faults)]).await
}

async fn a_list_element_is_named_by_its_index(w: World) -> Outcome {
    let fault = (
        "FieldValueInvalid",
        "spec.steps[1]",
        "Invalid value: \"\": spec.steps[1] in body should be at least 1 chars long",
    );
    refuses(&w, &[(json!({"steps": ["a", ""]}), &[fault])]).await
}

async fn a_key_of_a_map_is_named(w: World) -> Outcome {
    let fault = (
        "FieldValueTypeInvalid",
        "spec.labels.k",
        "Invalid value: \"integer\": spec.labels.k in body must be of type string: \"integer\"",
    );
    refuses(&w, &[(json!({"labels": {"k": 1}}), &[fault, UNCHECKED])]).await
}

async fn a_status_is_checked_like_a_spec(w: World) -> Outcome {
    w.make_gadget("a", json!({})).await?;
    let status = json!({"seen": 1, "conditions": [{"type": "Ready"}]});
    let refused = w
        .merge(w.gadget("a/status"), json!({"status": status}))
        .await?;
    let fault = (
        "FieldValueRequired",
        "status.conditions[0].status",
        "Required value",
    );
    refused.invalid(("Gadget", &w.group, "a"), &[fault, UNCHECKED])?;
    let refused = w
        .merge(w.gadget("a/status"), json!({"status": {"seen": "x"}}))
        .await?;
    refused.like(
        422,
        json!({"details": {"causes": [
            {
                "reason": "FieldValueTypeInvalid", "field": "status.seen",
                "message": "~seen in body must be of type integer: \"string\"$",
            },
            {"field": "<nil>"},
        ]}}),
    )?;
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
