//! Lists in pages and lists of a moment.

use serde_json::{Value, json};

use super::answer::{Answer, Differs, Outcome};
use super::cases;
use super::world::World;

cases![
    pages_follow_each_other_at_one_version,
    changes_between_pages_stay_unseen,
    a_page_with_a_selector_says_no_remaining_count,
    a_limit_that_fits_has_no_next_page,
    a_continue_token_must_be_one,
    a_continue_token_excludes_a_version,
    a_limit_must_be_a_number,
    a_list_can_show_a_past_moment,
    a_list_not_older_than_a_version_shows_what_is_newer,
    a_version_match_needs_a_version,
    a_version_match_must_be_known,
    an_exact_match_needs_a_version_above_zero,
    a_list_of_the_future_is_refused,
    a_list_version_must_be_a_number,
    a_list_at_version_zero_is_served,
];

async fn five(w: &World) -> Result<Vec<Answer>, Differs> {
    let mut made = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        made.push(w.make_gadget(name, json!({})).await?);
    }
    Ok(made)
}

async fn pages_follow_each_other_at_one_version(w: World) -> Outcome {
    five(&w).await?;
    let first = w.get(w.custom("gadgets?limit=2")).await?;
    first.lists(&["a", "b"])?.like(
        200,
        json!({"metadata": {
            "continue": "*", "remainingItemCount": 3, "resourceVersion": "*",
        }}),
    )?;
    let token = first.meta("continue");
    let second = w
        .get(w.custom(&format!("gadgets?limit=2&continue={token}")))
        .await?;
    second.lists(&["c", "d"])?.like(
        200,
        json!({"metadata": {
            "continue": "*", "remainingItemCount": 1, "resourceVersion": first.rv(),
        }}),
    )?;
    let token = second.meta("continue");
    let third = w
        .get(w.custom(&format!("gadgets?limit=2&continue={token}")))
        .await?;
    third.lists(&["e"])?.like(
        200,
        json!({"metadata": {
            "continue": "", "remainingItemCount": "<absent>", "resourceVersion": first.rv(),
        }}),
    )?;
    Ok(())
}

async fn changes_between_pages_stay_unseen(w: World) -> Outcome {
    five(&w).await?;
    let first = w.get(w.custom("gadgets?limit=2")).await?;
    w.delete(w.gadget("c")).await?.code(200)?;
    w.make_gadget("bb", json!({})).await?;
    w.merge(w.gadget("d"), json!({"spec": {"color": "blue"}}))
        .await?
        .code(200)?;
    let token = first.meta("continue");
    let rest = w
        .get(w.custom(&format!("gadgets?continue={token}")))
        .await?;
    rest.lists(&["c", "d", "e"])?
        .at("/items/1/spec/color", json!("red"))?;
    Ok(())
}

async fn a_page_with_a_selector_says_no_remaining_count(w: World) -> Outcome {
    five(&w).await?;
    let page = w.get(w.custom("gadgets?limit=2&labelSelector=!x")).await?;
    page.lists(&["a", "b"])?.like(
        200,
        json!({"metadata": {
            "continue": "*", "remainingItemCount": "<absent>",
        }}),
    )?;
    Ok(())
}

async fn a_limit_that_fits_has_no_next_page(w: World) -> Outcome {
    five(&w).await?;
    let page = w.get(w.custom("gadgets?limit=5")).await?;
    page.like(
        200,
        json!({"metadata": {
            "continue": "", "remainingItemCount": "<absent>",
        }}),
    )?
    .lists(&["a", "b", "c", "d", "e"])?;
    Ok(())
}

async fn a_continue_token_must_be_one(w: World) -> Outcome {
    let refused = w.get(w.custom("gadgets?limit=2&continue=nonsense")).await?;
    refused.refused(
        400,
        "BadRequest",
        "~^invalid continue token: continue key is not valid: ",
        Value::Null,
    )?;
    Ok(())
}

async fn a_continue_token_excludes_a_version(w: World) -> Outcome {
    five(&w).await?;
    let first = w.get(w.custom("gadgets?limit=2")).await?;
    let query = format!(
        "continue={}&resourceVersion={}",
        first.meta("continue"),
        first.rv()
    );
    let refused = w.get(w.custom(&format!("gadgets?{query}"))).await?;
    let message = "specifying resource version is not allowed when using continue";
    refused.refused(400, "BadRequest", message, Value::Null)?;
    Ok(())
}

async fn a_limit_must_be_a_number(w: World) -> Outcome {
    let refused = w.get(w.core("configmaps?limit=many")).await?;
    let message = "strconv.ParseInt: parsing \"many\": invalid syntax";
    refused.refused(400, "BadRequest", message, Value::Null)?;
    Ok(())
}

async fn a_list_can_show_a_past_moment(w: World) -> Outcome {
    let made = five(&w).await?;
    let rv = made[2].rv();
    let path = w.custom(&format!(
        "gadgets?resourceVersion={rv}&resourceVersionMatch=Exact"
    ));
    w.get(path)
        .await?
        .lists(&["a", "b", "c"])?
        .at("/metadata/resourceVersion", json!(rv))?;
    Ok(())
}

async fn a_list_not_older_than_a_version_shows_what_is_newer(w: World) -> Outcome {
    let made = five(&w).await?;
    let rv = made[4].rv();
    let path = w.custom(&format!(
        "gadgets?resourceVersion={rv}&resourceVersionMatch=NotOlderThan"
    ));
    w.get(path).await?.lists(&["a", "b", "c", "d", "e"])?;
    let path = w.custom(&format!("gadgets?resourceVersion={rv}"));
    w.get(path).await?.lists(&["a", "b", "c", "d", "e"])?;
    Ok(())
}

async fn a_version_match_needs_a_version(w: World) -> Outcome {
    let refused = w
        .get(w.core("configmaps?resourceVersionMatch=Exact"))
        .await?;
    let message = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided";
    refused.invalid(
        ("ListOptions", "meta.k8s.io", ""),
        &[("FieldValueForbidden", "resourceVersionMatch", message)],
    )?;
    Ok(())
}

async fn a_version_match_must_be_known(w: World) -> Outcome {
    let refused = w
        .get(w.core("configmaps?resourceVersion=5&resourceVersionMatch=Near"))
        .await?;
    let message = "Unsupported value: \"Near\": supported values: \"Exact\", \"NotOlderThan\", \
                   \"\"";
    refused.invalid(
        ("ListOptions", "meta.k8s.io", ""),
        &[("FieldValueNotSupported", "resourceVersionMatch", message)],
    )?;
    Ok(())
}

async fn an_exact_match_needs_a_version_above_zero(w: World) -> Outcome {
    let refused = w
        .get(w.core("configmaps?resourceVersion=0&resourceVersionMatch=Exact"))
        .await?;
    let message = "Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \
                   \"0\"";
    refused.invalid(
        ("ListOptions", "meta.k8s.io", ""),
        &[("FieldValueForbidden", "resourceVersionMatch", message)],
    )?;
    Ok(())
}

async fn a_list_of_the_future_is_refused(w: World) -> Outcome {
    let refused = w.get(w.custom("gadgets?resourceVersion=999999999")).await?;
    refused.refused(
        504,
        "Timeout",
        "~^Timeout: Too large resource version: 999999999, current: [0-9]+$",
        json!({
            "causes": [{
                "reason": "ResourceVersionTooLarge", "message": "Too large resource version",
            }],
            "retryAfterSeconds": 1,
        }),
    )?;
    Ok(())
}

async fn a_list_version_must_be_a_number(w: World) -> Outcome {
    let refused = w.get(w.core("configmaps?resourceVersion=new")).await?;
    refused.like(400, json!({"reason": "BadRequest"}))?;
    Ok(())
}

async fn a_list_at_version_zero_is_served(w: World) -> Outcome {
    w.get(w.core("configmaps?resourceVersion=0"))
        .await?
        .code(200)?;
    w.make_map(json!({"name": "a"}), "1").await?;
    w.until(w.core("configmaps?resourceVersion=0"), "the map", |a| {
        a.names() == ["a"]
    })
    .await?;
    let found = w.get(w.map("a?resourceVersion=0")).await?;
    found.code(200)?;
    Ok(())
}
