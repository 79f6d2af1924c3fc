//! Garbage collection: what happens to dependents.

use serde_json::{Value, json};

use super::answer::{Answer, Outcome};
use super::cases;
use super::world::World;

cases![
    dependents_go_after_their_owner,
    dependents_of_dependents_go_too,
    a_foreground_deletion_waits_for_its_dependents,
    a_foreground_deletion_does_not_wait_for_others,
    orphans_stay_and_forget_their_owner,
    a_dependent_with_another_owner_stays,
    a_dependent_of_an_absent_owner_goes,
    an_owner_of_unknown_kind_holds_its_dependents,
    custom_objects_own_and_are_owned,
];

/// A reference to an owner.
fn owner(of: &Answer) -> Value {
    json!({
        "apiVersion": of.json["apiVersion"], "kind": of.json["kind"],
        "name": of.meta("name"), "uid": of.meta("uid"),
    })
}

async fn dependents_go_after_their_owner(w: World) -> Outcome {
    let top = w.make_map(json!({"name": "top"}), "1").await?;
    w.make_map(
        json!({"name": "sub", "ownerReferences": [owner(&top)]}),
        "1",
    )
    .await?;
    w.delete(w.map("top")).await?.code(200)?;
    w.get(w.map("top")).await?.code(404)?;
    w.until_gone(w.map("sub")).await
}

async fn dependents_of_dependents_go_too(w: World) -> Outcome {
    let top = w.make_map(json!({"name": "top"}), "1").await?;
    let mid = w
        .make_map(
            json!({"name": "mid", "ownerReferences": [owner(&top)]}),
            "1",
        )
        .await?;
    w.make_map(
        json!({"name": "sub", "ownerReferences": [owner(&mid)]}),
        "1",
    )
    .await?;
    w.delete(w.map("top")).await?.code(200)?;
    w.until_gone(w.map("sub")).await?;
    w.until_gone(w.map("mid")).await
}

async fn a_foreground_deletion_waits_for_its_dependents(w: World) -> Outcome {
    let top = w.make_map(json!({"name": "top"}), "1").await?;
    let mut blocking = owner(&top);
    blocking["blockOwnerDeletion"] = true.into();
    let meta = json!({"name": "sub", "ownerReferences": [blocking], "finalizers": ["x.dev/y"]});
    w.make_map(meta, "1").await?;
    let deleting = w
        .delete_with(w.map("top"), json!({"propagationPolicy": "Foreground"}))
        .await?;
    deleting.like(
        200,
        json!({"metadata": {
            "deletionTimestamp": "*", "finalizers": ["foregroundDeletion"],
        }}),
    )?;
    let begun = |a: &Answer| !a.json["metadata"]["deletionTimestamp"].is_null();
    w.until(w.map("sub"), "the dependent is being deleted", begun)
        .await?;
    w.get(w.map("top")).await?.code(200)?;
    w.merge(w.map("sub"), json!({"metadata": {"finalizers": null}}))
        .await?
        .code(200)?;
    w.until_gone(w.map("sub")).await?;
    w.until_gone(w.map("top")).await
}

async fn a_foreground_deletion_does_not_wait_for_others(w: World) -> Outcome {
    let top = w.make_map(json!({"name": "top"}), "1").await?;
    let refs = json!([owner(&top)]);
    let meta = json!({"name": "sub", "ownerReferences": refs, "finalizers": ["x.dev/y"]});
    w.make_map(meta, "1").await?;
    w.delete_with(w.map("top"), json!({"propagationPolicy": "Foreground"}))
        .await?
        .code(200)?;
    w.until_gone(w.map("top")).await?;
    let begun = |a: &Answer| !a.json["metadata"]["deletionTimestamp"].is_null();
    w.until(w.map("sub"), "the dependent is being deleted", begun)
        .await?;
    w.merge(w.map("sub"), json!({"metadata": {"finalizers": null}}))
        .await?
        .code(200)?;
    Ok(())
}

async fn orphans_stay_and_forget_their_owner(w: World) -> Outcome {
    let top = w.make_map(json!({"name": "top"}), "1").await?;
    w.make_map(
        json!({"name": "sub", "ownerReferences": [owner(&top)]}),
        "1",
    )
    .await?;
    let options = json!({"propagationPolicy": "Orphan"});
    w.delete_with(w.map("top"), options).await?.code(200)?;
    w.until_gone(w.map("top")).await?;
    let sub = w.get(w.map("sub")).await?;
    sub.like(200, json!({"metadata": {"ownerReferences": "<absent>"}}))?;
    Ok(())
}

async fn a_dependent_with_another_owner_stays(w: World) -> Outcome {
    let one = w.make_map(json!({"name": "one"}), "1").await?;
    let two = w.make_map(json!({"name": "two"}), "1").await?;
    let refs = json!([owner(&one), owner(&two)]);
    w.make_map(json!({"name": "sub", "ownerReferences": refs}), "1")
        .await?;
    w.delete(w.map("one")).await?.code(200)?;
    let freed = |a: &Answer| a.json["metadata"]["ownerReferences"] == json!([owner(&two)]);
    w.until(w.map("sub"), "one owner is left", freed).await?;
    Ok(())
}

async fn a_dependent_of_an_absent_owner_goes(w: World) -> Outcome {
    let top = w.make_map(json!({"name": "top"}), "1").await?;
    let mut absent = owner(&top);
    absent["uid"] = "11111111-2222-3333-4444-555555555555".into();
    w.make_map(json!({"name": "sub", "ownerReferences": [absent]}), "1")
        .await?;
    w.until_gone(w.map("sub")).await?;
    w.get(w.map("top")).await?.code(200)?;
    Ok(())
}

async fn an_owner_of_unknown_kind_holds_its_dependents(w: World) -> Outcome {
    let unknown = json!({
        "apiVersion": "no.such.group.dev/v1", "kind": "None", "name": "n",
        "uid": "11111111-2222-3333-4444-555555555555",
    });
    let made = w
        .make_map(json!({"name": "sub", "ownerReferences": [unknown]}), "1")
        .await?;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let read = w.get(w.map("sub")).await?;
    read.code(200)?
        .holds("it stays as it is", read.json == made.json)?;
    Ok(())
}

async fn custom_objects_own_and_are_owned(w: World) -> Outcome {
    let top = w.make_gadget("top", json!({})).await?;
    let mut body = w.gadget_body("sub", json!({}));
    body["metadata"]["ownerReferences"] = json!([owner(&top)]);
    w.post(w.custom("gadgets"), body).await?.code(201)?;
    w.make_map(
        json!({"name": "sub", "ownerReferences": [owner(&top)]}),
        "1",
    )
    .await?;
    w.delete(w.gadget("top")).await?.code(200)?;
    w.until_gone(w.map("sub")).await?;
    w.until_gone(w.gadget("sub")).await
}
