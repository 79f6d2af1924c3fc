//! Create, read, update, patch, status: one object at a time.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::support::{WidgetStatus, sim, status, test_time, widget, widgets};

#[tokio::test(start_paused = true)]
async fn a_created_object_gets_its_system_metadata() {
    let sim = sim().await;
    let made = widgets(&sim)
        .create(&PostParams::default(), &widget("a", 3))
        .await
        .unwrap();
    assert_eq!(made.metadata.generation, Some(1));
    assert_eq!(made.uid().unwrap().len(), 36);
    assert_eq!(
        made.resource_version().unwrap(),
        sim.resource_version().to_string()
    );
    assert_eq!(
        made.metadata.creation_timestamp.unwrap().0.as_second(),
        test_time().timestamp()
    );
    assert_eq!(widgets(&sim).get("a").await.unwrap().spec.size, 3);
    let all = widgets(&sim).list(&ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 1);
    let again = widgets(&sim)
        .create(&PostParams::default(), &widget("a", 3))
        .await;
    let refused = status(again);
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (409, "AlreadyExists")
    );
    assert_eq!(refused.message, "widgets.test.dev \"a\" already exists");
}

#[tokio::test(start_paused = true)]
async fn spec_and_status_change_through_their_own_endpoints_only() {
    let sim = sim().await;
    let api = widgets(&sim);
    let mut asked = widget("a", 3);
    asked.status = Some(WidgetStatus { seen: Some(9) });
    let made = api.create(&PostParams::default(), &asked).await.unwrap();
    assert_eq!(made.status, None, "the status of a new object is dropped");

    let mut both = made.clone();
    both.spec.size = 4;
    both.status = Some(WidgetStatus { seen: Some(4) });
    let updated = api
        .replace("a", &PostParams::default(), &both)
        .await
        .unwrap();
    assert_eq!((updated.spec.size, updated.status.clone()), (4, None));
    assert_eq!(updated.metadata.generation, Some(2));

    let mut both = updated.clone();
    both.spec.size = 5;
    both.status = Some(WidgetStatus { seen: Some(5) });
    let seen = api
        .replace_status("a", &PostParams::default(), &both)
        .await
        .unwrap();
    assert_eq!(
        (seen.spec.size, seen.status.clone()),
        (4, Some(WidgetStatus { seen: Some(5) }))
    );
    assert_eq!(seen.metadata.generation, Some(2));
    assert_ne!(seen.resource_version(), updated.resource_version());

    let patch = Patch::Merge(json!({"status": {"seen": 6}}));
    let seen = api
        .patch_status("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(seen.status, Some(WidgetStatus { seen: Some(6) }));
    let again = api
        .patch_status("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(
        again.resource_version(),
        seen.resource_version(),
        "a no-op writes nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stale_resource_version_is_a_conflict() {
    let sim = sim().await;
    let api = widgets(&sim);
    let first = api
        .create(&PostParams::default(), &widget("a", 3))
        .await
        .unwrap();
    let mut second = first.clone();
    second.spec.size = 4;
    api.replace("a", &PostParams::default(), &second)
        .await
        .unwrap();
    let refused = status(api.replace("a", &PostParams::default(), &second).await);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    assert!(
        refused
            .message
            .contains("please apply your changes to the latest version")
    );

    let mut unversioned = second.clone();
    unversioned.metadata.resource_version = None;
    let refused = status(api.replace("a", &PostParams::default(), &unversioned).await);
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));

    let mut other = api.get("a").await.unwrap();
    other.metadata.uid = Some("other".to_owned());
    let refused = status(api.replace("a", &PostParams::default(), &other).await);
    assert_eq!(refused.code, 409);
    assert!(
        refused
            .message
            .contains("Precondition failed: UID in precondition: other")
    );
}

#[tokio::test(start_paused = true)]
async fn patches_merge_or_follow_json_patch() {
    let sim = sim().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(sim.client());
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some("m".to_owned()),
            ..ObjectMeta::default()
        },
        data: Some([("a".to_owned(), "1".to_owned())].into()),
        ..ConfigMap::default()
    };
    maps.create(&PostParams::default(), &map).await.unwrap();
    let params = PatchParams::default();
    let patch = Patch::Merge(json!({"data": {"a": null, "b": "2"}}));
    let merged = maps.patch("m", &params, &patch).await.unwrap();
    assert_eq!(
        merged.data.unwrap(),
        [("b".to_owned(), "2".to_owned())].into()
    );

    let operations = json!([
        {"op": "test", "path": "/data/b", "value": "2"},
        {"op": "add", "path": "/data/c", "value": "3"},
    ]);
    let patch = Patch::<ConfigMap>::Json(serde_json::from_value(operations).unwrap());
    let patched = maps.patch("m", &params, &patch).await.unwrap();
    assert_eq!(patched.data.unwrap().len(), 2);

    let operations = json!([{"op": "test", "path": "/data/b", "value": "no"}]);
    let patch = Patch::<ConfigMap>::Json(serde_json::from_value(operations).unwrap());
    let refused = status(maps.patch("m", &params, &patch).await);
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));

    let stale = Patch::Merge(json!({"metadata": {"resourceVersion": "1"}, "data": {"z": "1"}}));
    assert_eq!(status(maps.patch("m", &params, &stale).await).code, 409);
}
