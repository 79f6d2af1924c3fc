//! Lists, pages, selectors, namespaces.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::support::{Widget, map, maps, sim, status, widget, widgets};

#[tokio::test(start_paused = true)]
async fn pages_show_one_moment_even_when_objects_change_in_between() {
    let sim = sim().await;
    let api = widgets(&sim);
    for name in ["a", "b", "c", "d", "e"] {
        api.create(&PostParams::default(), &widget(name, 1))
            .await
            .unwrap();
    }
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    let names: Vec<String> = first.items.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    let token = first.metadata.continue_.clone().unwrap();

    api.delete("c", &Default::default()).await.unwrap();
    api.create(&PostParams::default(), &widget("cc", 1))
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"spec": {"size": 7}}));
    api.patch("d", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let rest = api
        .list(&ListParams::default().continue_token(&token))
        .await
        .unwrap();
    let rest_seen: Vec<(String, i64)> = rest
        .items
        .iter()
        .map(|w| (w.name_any(), w.spec.size))
        .collect();
    let want = [("c", 1), ("d", 1), ("e", 1)].map(|(name, size)| (name.to_owned(), size));
    assert_eq!(rest_seen, want);
    assert_eq!(
        rest.metadata.resource_version,
        first.metadata.resource_version
    );

    sim.compact();
    api.create(&PostParams::default(), &widget("f", 1))
        .await
        .unwrap();
    let refused = status(
        api.list(&ListParams::default().continue_token(&token))
            .await,
    );
    assert_eq!((refused.code, refused.reason.as_str()), (410, "Expired"));
}

#[tokio::test(start_paused = true)]
async fn selectors_choose_by_label_name_and_declared_field() {
    let sim = sim().await;
    let api = widgets(&sim);
    for (name, color) in [("a", "red"), ("b", "blue"), ("c", "red")] {
        let mut made = widget(name, 1);
        made.spec.color = color.to_owned();
        made.labels_mut()
            .insert("color".to_owned(), color.to_owned());
        api.create(&PostParams::default(), &made).await.unwrap();
    }
    let table = [
        (ListParams::default().labels("color in (red)"), "ac"),
        (ListParams::default().labels("color!=red"), "b"),
        (ListParams::default().fields("metadata.name=b"), "b"),
        (
            ListParams::default().fields("spec.color=red,metadata.name!=a"),
            "c",
        ),
        (ListParams::default().fields("metadata.namespace=other"), ""),
    ];
    for (params, want) in table {
        let found = api.list(&params).await.unwrap();
        let names: String = found.items.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, want, "{params:?}");
    }
    let refused = status(api.list(&ListParams::default().fields("spec.size=1")).await);
    assert_eq!(refused.code, 400);
    assert!(
        refused
            .message
            .ends_with("field label not supported: spec.size")
    );
}

#[tokio::test(start_paused = true)]
async fn a_namespace_must_exist_and_not_be_going_away() {
    let sim = sim().await;
    let there: Api<ConfigMap> = Api::namespaced(sim.client(), "team");
    let refused = status(
        there
            .create(&PostParams::default(), &map("m", &[], &[]))
            .await,
    );
    assert_eq!(refused.code, 404);
    assert_eq!(refused.message, "namespaces \"team\" not found");

    let namespaces: Api<Namespace> = Api::all(sim.client());
    let team: Namespace = serde_json::from_value(json!({"metadata": {"name": "team"}})).unwrap();
    let made = namespaces
        .create(&PostParams::default(), &team)
        .await
        .unwrap();
    assert_eq!(made.status.unwrap().phase.unwrap(), "Active");
    there
        .create(&PostParams::default(), &map("free", &[], &[]))
        .await
        .unwrap();
    there
        .create(
            &PostParams::default(),
            &map("held", &["test.dev/hold"], &[]),
        )
        .await
        .unwrap();

    namespaces
        .delete("team", &Default::default())
        .await
        .unwrap();
    let going = namespaces.get("team").await.unwrap();
    assert_eq!(going.status.unwrap().phase.unwrap(), "Terminating");
    assert!(there.get_opt("free").await.unwrap().is_none());
    let refused = status(
        there
            .create(&PostParams::default(), &map("new", &[], &[]))
            .await,
    );
    assert_eq!((refused.code, refused.reason.as_str()), (403, "Forbidden"));
    assert_eq!(
        refused.details.unwrap().causes[0].reason,
        "NamespaceTerminating"
    );

    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    there
        .patch("held", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert!(namespaces.get_opt("team").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn generated_names_differ_and_are_the_same_in_every_run() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let sim = sim().await;
        let unnamed = ConfigMap {
            metadata: ObjectMeta {
                generate_name: Some("map-".to_owned()),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        };
        let mut made = Vec::new();
        for _ in 0..2 {
            let one = maps(&sim)
                .create(&PostParams::default(), &unnamed)
                .await
                .unwrap();
            made.push((one.name_any(), one.uid().unwrap()));
        }
        assert_ne!(made[0], made[1]);
        runs.push(made);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_answers_and_changes_nothing() {
    let sim = sim().await;
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let before = sim.resource_version();
    let made = widgets(&sim).create(&dry, &widget("a", 1)).await.unwrap();
    assert_eq!(made.spec.color, "red");
    assert_eq!(
        status(widgets(&sim).create(&dry, &widget("a", 0)).await).code,
        422
    );
    assert_eq!(sim.resource_version(), before);
    assert!(widgets(&sim).get_opt("a").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn metadata_alone_can_be_asked_for() {
    let sim = sim().await;
    widgets(&sim)
        .create(&PostParams::default(), &widget("a", 1))
        .await
        .unwrap();
    let partial: PartialObjectMeta<Widget> = widgets(&sim).get_metadata("a").await.unwrap();
    assert_eq!(partial.types.unwrap().kind, "PartialObjectMetadata");
    assert_eq!(partial.metadata.generation, Some(1));
    let list = widgets(&sim)
        .list_metadata(&ListParams::default())
        .await
        .unwrap();
    assert_eq!(list.items[0].meta().name.as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn names_must_be_dns_names() {
    let sim = sim().await;
    for name in ["Upper", "under_score", "-dash", "dot."] {
        let refused = status(
            maps(&sim)
                .create(&PostParams::default(), &map(name, &[], &[]))
                .await,
        );
        assert_eq!(
            refused.details.unwrap().causes[0].field,
            "metadata.name",
            "{name}"
        );
    }
}
