//! Deletion: preconditions, finalizers, owners, collections, CRDs.

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Resource, ResourceExt};
use kube_sim::{KubeSim, Verb};
use serde_json::json;

use crate::support::{map, maps, sim, status, widget, widgets};

#[tokio::test(start_paused = true)]
async fn an_object_without_finalizers_goes_at_once() {
    let sim = sim().await;
    let made = widgets(&sim)
        .create(&PostParams::default(), &widget("a", 1))
        .await
        .unwrap();
    let gone = widgets(&sim)
        .delete("a", &DeleteParams::default())
        .await
        .unwrap();
    let details = gone.right().unwrap().details.unwrap();
    assert_eq!(
        (details.name, details.uid),
        ("a".to_owned(), made.uid().unwrap())
    );
    let refused = status(widgets(&sim).get("a").await);
    assert_eq!(refused.message, "widgets.test.dev \"a\" not found");
}

#[tokio::test(start_paused = true)]
async fn an_object_with_finalizers_stays_until_the_last_is_removed() {
    let sim = sim().await;
    let api = widgets(&sim);
    let mut held = widget("a", 1);
    held.finalizers_mut().push("test.dev/hold".to_owned());
    api.create(&PostParams::default(), &held).await.unwrap();
    let going = api
        .delete("a", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(going.meta().deletion_timestamp.is_some());
    assert_eq!(going.meta().deletion_grace_period_seconds, Some(0));
    assert_eq!(going.metadata.generation, Some(2));
    let rv = sim.resource_version();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(
        sim.resource_version(),
        rv,
        "a second delete changes nothing"
    );

    let params = PatchParams::default();
    let more = Patch::Merge(json!({"metadata": {"finalizers": ["test.dev/hold", "test.dev/x"]}}));
    let refused = status(api.patch("a", &params, &more).await);
    assert_eq!(
        refused.details.unwrap().causes[0].field,
        "metadata.finalizers"
    );

    let none = Patch::Merge(json!({"metadata": {"finalizers": []}}));
    api.patch("a", &params, &none).await.unwrap();
    assert!(api.get_opt("a").await.unwrap().is_none());
    let last = sim.history().pop().unwrap();
    assert_eq!((last.verb, last.after.is_none()), (Verb::Patch, true));
}

#[tokio::test(start_paused = true)]
async fn preconditions_guard_a_delete() {
    let sim = sim().await;
    let made = widgets(&sim)
        .create(&PostParams::default(), &widget("a", 1))
        .await
        .unwrap();
    let with = |uid: &str, rv: Option<String>| DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: rv,
        }),
        ..DeleteParams::default()
    };
    let refused = status(widgets(&sim).delete("a", &with("other", None)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    let uid = made.uid().unwrap();
    let stale = with(&uid, Some("1".to_owned()));
    assert_eq!(status(widgets(&sim).delete("a", &stale).await).code, 409);
    widgets(&sim)
        .delete("a", &with(&uid, made.resource_version()))
        .await
        .unwrap();
}

fn owner(map: &ConfigMap, block: bool) -> OwnerReference {
    let mut reference = map.owner_ref(&()).unwrap();
    reference.block_owner_deletion = Some(block);
    reference
}

/// Creates a config map and returns it.
async fn put(
    sim: &KubeSim,
    name: &str,
    finalizers: &[&str],
    owners: &[OwnerReference],
) -> ConfigMap {
    maps(sim)
        .create(&PostParams::default(), &map(name, finalizers, owners))
        .await
        .unwrap()
}

async fn names(sim: &KubeSim) -> String {
    let all = maps(sim).list(&ListParams::default()).await.unwrap();
    let names: Vec<String> = all.items.iter().map(ResourceExt::name_any).collect();
    names.join(" ")
}

#[tokio::test(start_paused = true)]
async fn dependents_follow_their_last_owner() {
    let sim = sim().await;
    let (one, two) = (
        put(&sim, "one", &[], &[]).await,
        put(&sim, "two", &[], &[]).await,
    );
    let child = put(&sim, "child", &[], &[owner(&one, false)]).await;
    put(&sim, "grandchild", &[], &[owner(&child, false)]).await;
    put(
        &sim,
        "shared",
        &[],
        &[owner(&one, false), owner(&two, false)],
    )
    .await;
    maps(&sim)
        .delete("one", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(names(&sim).await, "shared two");
    assert_eq!(
        maps(&sim)
            .get("shared")
            .await
            .unwrap()
            .owner_references()
            .len(),
        1
    );
    put(&sim, "late", &[], &[owner(&one, false)]).await;
    assert_eq!(
        names(&sim).await,
        "shared two",
        "a child of a lost owner is collected"
    );
    let mut foreign = owner(&one, false);
    (foreign.kind, foreign.api_version) = ("Deployment".to_owned(), "apps/v1".to_owned());
    put(&sim, "foreign", &[], &[foreign]).await;
    assert_eq!(
        names(&sim).await,
        "foreign shared two",
        "unknown kinds are not judged"
    );
}

#[tokio::test(start_paused = true)]
async fn foreground_deletion_waits_for_blocking_dependents() {
    let sim = sim().await;
    let top = put(&sim, "top", &[], &[]).await;
    put(&sim, "held", &["test.dev/hold"], &[owner(&top, true)]).await;
    put(&sim, "loose", &["test.dev/hold"], &[owner(&top, false)]).await;
    put(&sim, "plain", &[], &[owner(&top, true)]).await;
    maps(&sim)
        .delete("top", &DeleteParams::foreground())
        .await
        .unwrap();
    assert_eq!(names(&sim).await, "held loose top");
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps(&sim)
        .patch("held", &PatchParams::default(), &none)
        .await
        .unwrap();
    assert_eq!(names(&sim).await, "loose");
}

#[tokio::test(start_paused = true)]
async fn orphans_outlive_their_owner() {
    let sim = sim().await;
    let top = put(&sim, "top", &[], &[]).await;
    put(&sim, "child", &[], &[owner(&top, true)]).await;
    maps(&sim)
        .delete("top", &DeleteParams::orphan())
        .await
        .unwrap();
    assert_eq!(names(&sim).await, "child");
    assert!(
        maps(&sim)
            .get("child")
            .await
            .unwrap()
            .owner_references()
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_collection_is_deleted_by_selector() {
    let sim = sim().await;
    for (name, label) in [("a", "x"), ("b", "y"), ("c", "x")] {
        let mut made = map(name, &[], &[]);
        made.labels_mut().insert("l".to_owned(), label.to_owned());
        maps(&sim)
            .create(&PostParams::default(), &made)
            .await
            .unwrap();
    }
    let which = ListParams::default().labels("l=x");
    maps(&sim)
        .delete_collection(&DeleteParams::default(), &which)
        .await
        .unwrap();
    assert_eq!(names(&sim).await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_crd_takes_its_objects_along() {
    let sim = sim().await;
    let crds: Api<CustomResourceDefinition> = Api::all(sim.client());
    let mut held = widget("held", 1);
    held.finalizers_mut().push("test.dev/hold".to_owned());
    widgets(&sim)
        .create(&PostParams::default(), &held)
        .await
        .unwrap();
    widgets(&sim)
        .create(&PostParams::default(), &widget("free", 1))
        .await
        .unwrap();
    crds.delete("widgets.test.dev", &DeleteParams::default())
        .await
        .unwrap();
    assert!(widgets(&sim).get_opt("free").await.unwrap().is_none());
    let refused = status(
        widgets(&sim)
            .create(&PostParams::default(), &widget("new", 1))
            .await,
    );
    assert_eq!((refused.code, refused.reason.as_str()), (403, "Forbidden"));
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    widgets(&sim)
        .patch("held", &PatchParams::default(), &none)
        .await
        .unwrap();
    assert!(crds.get_opt("widgets.test.dev").await.unwrap().is_none());
    let gone = status(widgets(&sim).list(&ListParams::default()).await);
    assert_eq!(
        (gone.code, gone.message.as_str()),
        (404, "404 page not found")
    );
}
