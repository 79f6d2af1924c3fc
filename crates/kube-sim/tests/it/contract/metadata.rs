//! What the metadata of a new object may hold.

use serde_json::json;

use super::answer::Outcome;
use super::world::World;
use super::{UNCHECKED, cases};

cases![
    a_name_must_be_a_subdomain,
    an_object_needs_a_name,
    a_generated_name_is_the_prefix_and_five_letters,
    a_long_generated_name_is_cut,
    a_given_name_wins_over_generate_name,
    two_generated_names_differ,
    labels_are_checked,
    finalizers_are_checked,
    owner_references_are_checked,
    annotations_have_a_bound,
    unknown_metadata_is_dropped,
    metadata_of_the_wrong_type_is_refused,
];

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                         characters, '-' or '.', and must start and end with an alphanumeric \
                         character (e.g. 'example.com', regex used for validation is \
                         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

async fn a_name_must_be_a_subdomain(w: World) -> Outcome {
    let refused = w
        .post(w.core("configmaps"), json!({"metadata": {"name": "A_b"}}))
        .await?;
    let message = format!("Invalid value: \"A_b\": {SUBDOMAIN}");
    refused.invalid(
        ("ConfigMap", "", "A_b"),
        &[("FieldValueInvalid", "metadata.name", &message)],
    )?;
    let refused = w
        .post(w.custom("gadgets"), w.gadget_body("A_b", json!({})))
        .await?;
    refused.invalid(
        ("Gadget", &w.group, "A_b"),
        &[("FieldValueInvalid", "metadata.name", &message)],
    )?;
    Ok(())
}

async fn an_object_needs_a_name(w: World) -> Outcome {
    let cause = (
        "FieldValueRequired",
        "metadata.name",
        "Required value: name or generateName is required",
    );
    let refused = w
        .post(w.core("configmaps"), json!({"metadata": {}}))
        .await?;
    refused.invalid(("ConfigMap", "", ""), &[cause])?;
    let mut body = w.gadget_body("", json!({}));
    body["metadata"] = json!({});
    let refused = w.post(w.custom("gadgets"), body).await?;
    refused.invalid(("Gadget", &w.group, ""), &[cause, UNCHECKED])?;
    Ok(())
}

async fn a_generated_name_is_the_prefix_and_five_letters(w: World) -> Outcome {
    let made = w.make_map(json!({"generateName": "made-"}), "1").await?;
    let name = "~^made-[bcdfghjklmnpqrstvwxz2456789]{5}$";
    made.like(
        201,
        json!({"metadata": {"name": name, "generateName": "made-"}}),
    )?;
    Ok(())
}

async fn a_long_generated_name_is_cut(w: World) -> Outcome {
    let prefix = "a".repeat(80);
    let made = w.make_map(json!({"generateName": prefix}), "1").await?;
    made.like(
        201,
        json!({"metadata": {"name": "~^a{58}[b-z0-9]{5}$", "generateName": prefix}}),
    )?;
    Ok(())
}

async fn a_given_name_wins_over_generate_name(w: World) -> Outcome {
    let made = w
        .make_map(json!({"generateName": "made-", "name": "given"}), "1")
        .await?;
    made.like(
        201,
        json!({"metadata": {"name": "given", "generateName": "made-"}}),
    )?;
    Ok(())
}

async fn two_generated_names_differ(w: World) -> Outcome {
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..20 {
        names.insert(
            w.make_map(json!({"generateName": "n-"}), "1")
                .await?
                .meta("name"),
        );
    }
    let list = w.get(w.core("configmaps?labelSelector=")).await?;
    list.holds("20 names", names.len() == 20)?;
    Ok(())
}

async fn labels_are_checked(w: World) -> Outcome {
    let meta = json!({"name": "a", "labels": {"ok": "no spaces", "/bad": "x"}});
    let refused = w
        .post(w.core("configmaps"), json!({"metadata": meta}))
        .await?;
    refused.invalid(
        ("ConfigMap", "", "a"),
        &[
            (
                "FieldValueInvalid",
                "metadata.labels",
                "Invalid value: \"/bad\": prefix part must be non-empty",
            ),
            (
                "FieldValueInvalid",
                "metadata.labels",
                "Invalid value: \"no spaces\": a valid label must be an empty string or consist \
                 of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                 alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
                 for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            ),
        ],
    )?;
    Ok(())
}

async fn finalizers_are_checked(w: World) -> Outcome {
    let meta = json!({"name": "a", "finalizers": ["plain"]});
    let refused = w
        .post(w.core("configmaps"), json!({"metadata": meta}))
        .await?;
    refused.like(
        422,
        json!({"reason": "Invalid", "details": {"causes": [{}]}}),
    )?;
    let meta = json!({"name": "a", "finalizers": ["a b/c"]});
    let refused = w
        .post(w.core("configmaps"), json!({"metadata": meta}))
        .await?;
    refused.like(
        422,
        json!({"reason": "Invalid", "details": {"causes": [{}]}}),
    )?;
    Ok(())
}

async fn owner_references_are_checked(w: World) -> Outcome {
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": ""});
    let meta = json!({"name": "a", "ownerReferences": [owner]});
    let refused = w
        .post(w.core("configmaps"), json!({"metadata": meta}))
        .await?;
    refused.invalid(
        ("ConfigMap", "", "a"),
        &[(
            "FieldValueInvalid",
            "metadata.ownerReferences.uid",
            "Invalid value: \"\": must not be empty",
        )],
    )?;
    Ok(())
}

async fn annotations_have_a_bound(w: World) -> Outcome {
    let meta = json!({"name": "a", "annotations": {"a": "x".repeat(256 * 1024)}});
    let refused = w
        .post(w.core("configmaps"), json!({"metadata": meta}))
        .await?;
    refused.invalid(
        ("ConfigMap", "", "a"),
        &[(
            "FieldValueTooLong",
            "metadata.annotations",
            "Too long: may not be more than 262144 bytes",
        )],
    )?;
    Ok(())
}

async fn unknown_metadata_is_dropped(w: World) -> Outcome {
    let mut body = w.gadget_body("a", json!({}));
    body["metadata"]["colour"] = "red".into();
    body["top"] = 1.into();
    let made = w.post(w.custom("gadgets"), body).await?;
    made.like(
        201,
        json!({"metadata": {"colour": "<absent>"}, "top": "<absent>"}),
    )?;
    Ok(())
}

async fn metadata_of_the_wrong_type_is_refused(w: World) -> Outcome {
    let body = json!({"metadata": {"name": "a", "labels": {"a": 1}}});
    let refused = w.post(w.core("configmaps"), body).await?;
    let message = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot \
                   unmarshal number into Go struct field ObjectMeta.metadata.labels of type string";
    refused.refused(400, "BadRequest", message, json!(null))?;
    Ok(())
}
