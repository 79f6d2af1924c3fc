//! Structural schemas: defaults, pruning, and what is refused in which words.

use serde_json::{Value, json};

use super::answer::Outcome;
use super::world::World;
use super::{UNCHECKED, cases};

cases![
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

async fn a_value_of_the_wrong_type_is_refused(w: World) -> Outcome {
    let table: [(Value, &[Fault]); 5] = [
        (
            json!({"size": "1"}),
            &[
                (
                    "FieldValueTypeInvalid",
                    "spec.size",
                    "Invalid value: \"string\": spec.size in body \
                     must be of type integer: \"string\"",
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
                    "Invalid value: \"integer\": spec.word in body \
                     must be of type string: \"integer\"",
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
                    "Invalid value: \"array\": spec.nested in body \
                     must be of type object: \"array\"",
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
                    "Invalid value: \"object\": spec.steps in body \
                     must be of type array: \"object\"",
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
                    "Invalid value: \"noon\": spec.when in body \
                     must be of type date-time: \"noon\"",
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
