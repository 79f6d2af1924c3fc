//! CRDs: registration, pruning, defaults, structural validation and CEL.

use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::{CustomResourceExt, Discovery, ResourceExt};
use kube_sim::KubeSim;
use serde_json::json;

use crate::support::{Widget, raw_widget, raw_widgets, sim, status, test_time, widget, widgets};

#[tokio::test(start_paused = true)]
async fn a_crd_is_established_and_served_as_soon_as_it_is_created() {
    let sim = KubeSim::new(Arc::new(test_time));
    assert_eq!(
        status(widgets(&sim).list(&ListParams::default()).await).code,
        404
    );
    let crds: Api<CustomResourceDefinition> = Api::all(sim.client());
    let made = crds
        .create(&PostParams::default(), &Widget::crd())
        .await
        .unwrap();
    let conditions = made.status.unwrap().conditions.unwrap();
    let names: Vec<&str> = conditions.iter().map(|c| c.type_.as_str()).collect();
    assert_eq!(names, ["NamesAccepted", "Established"]);
    assert!(
        conditions
            .iter()
            .all(|condition| condition.status == "True")
    );
    assert_eq!(
        widgets(&sim)
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        0
    );

    let discovery = Discovery::new(sim.client()).run().await.unwrap();
    let group = discovery.get("test.dev").unwrap();
    assert_eq!(
        group.recommended_kind("Widget").unwrap().0.plural,
        "widgets"
    );
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_are_pruned_and_defaults_filled_in() {
    let sim = sim().await;
    let asked = raw_widget("a", json!({"size": 2, "unknown": {"x": 1}}));
    let made = raw_widgets(&sim)
        .create(&PostParams::default(), &asked)
        .await
        .unwrap();
    assert_eq!(made.data["spec"], json!({"size": 2, "color": "red"}));
    let params = PatchParams {
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"spec": {"other": 1}}));
    let refused = status(raw_widgets(&sim).patch("a", &params, &patch).await);
    assert_eq!(refused.code, 422);
    assert!(
        refused
            .message
            .ends_with("strict decoding error: unknown field \"spec.other\"")
    );
}

#[tokio::test(start_paused = true)]
async fn every_wrong_field_is_named_with_its_path() {
    let sim = sim().await;
    let table = [
        (json!({}), "spec.size", "Required value"),
        (
            json!({"size": 0}),
            "spec.size",
            "Invalid value: 0: spec.size in body should be greater than or equal to 1",
        ),
        (
            json!({"size": 11}),
            "spec.size",
            "Invalid value: 11: spec.size in body should be less than or equal to 10",
        ),
        (
            json!({"size": "big"}),
            "spec.size",
            "Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
        ),
        (
            json!({"size": 1, "words": ["ok", "Bad"]}),
            "spec.words[1]",
            "Invalid value: \"Bad\": spec.words[1] in body should match '^[a-z]+$'",
        ),
        (
            json!({"size": 1, "words": ["toolong"]}),
            "spec.words[0]",
            "Too long: may not be more than 5 bytes",
        ),
        (
            json!({"size": 1, "mode": "Odd"}),
            "spec.mode",
            "Unsupported value: \"Odd\": supported values: \"Fast\", \"Slow\"",
        ),
        (
            json!({"size": 1, "color": "plaid"}),
            "spec.color",
            "Invalid value: \"plaid\": plaid is not a color",
        ),
    ];
    for (spec, field, message) in table {
        let asked = raw_widget("a", spec.clone());
        let refused = status(
            raw_widgets(&sim)
                .create(&PostParams::default(), &asked)
                .await,
        );
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (422, "Invalid"),
            "{spec}"
        );
        let cause = &refused.details.unwrap().causes[0];
        assert_eq!(
            (cause.field.as_str(), cause.message.as_str()),
            (field, message),
            "{spec}"
        );
        let start = "Widget.test.dev \"a\" is invalid: ";
        let text = refused.message.strip_prefix(start).unwrap();
        assert!(text.contains(&format!("{field}: {message}")), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn transition_rules_see_the_old_value() {
    let sim = sim().await;
    let mut first = widget("a", 1);
    first.spec.serial = Some("s1".to_owned());
    widgets(&sim)
        .create(&PostParams::default(), &first)
        .await
        .unwrap();
    let params = PatchParams::default();
    let same = Patch::Merge(json!({"spec": {"serial": "s1", "size": 2}}));
    widgets(&sim).patch("a", &params, &same).await.unwrap();
    let other = Patch::Merge(json!({"spec": {"serial": "s2"}}));
    let refused = status(widgets(&sim).patch("a", &params, &other).await);
    let cause = &refused.details.unwrap().causes[0];
    assert_eq!(cause.field, "spec.serial");
    assert_eq!(cause.message, "Invalid value: \"s2\": serial cannot change");
}

#[tokio::test(start_paused = true)]
async fn stored_garbage_can_be_read_and_its_status_written_but_not_made_worse() {
    let sim = sim().await;
    let garbage = json!({
        "apiVersion": "test.dev/v1", "kind": "Widget", "spec": {"size": 99, "color": "red"},
    });
    sim.force_object("widgets.test.dev", Some("default"), "a", Some(garbage));
    assert_eq!(widgets(&sim).get("a").await.unwrap().spec.size, 99);
    let params = PatchParams::default();
    let seen = Patch::Merge(json!({"status": {"seen": 99}}));
    widgets(&sim)
        .patch_status("a", &params, &seen)
        .await
        .unwrap();
    let worse = Patch::Merge(json!({"spec": {"size": 100}}));
    assert_eq!(
        status(widgets(&sim).patch("a", &params, &worse).await).code,
        422
    );
}

#[tokio::test(start_paused = true)]
async fn an_updated_crd_swaps_the_schema() {
    let sim = sim().await;
    let crds: Api<CustomResourceDefinition> = Api::all(sim.client());
    let name = "widgets.test.dev";
    let operations = json!([{
        "op": "replace",
        "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/maximum",
        "value": 20,
    }]);
    let patch = Patch::<()>::Json(serde_json::from_value(operations).unwrap());
    let before = crds.get(name).await.unwrap();
    let after = crds
        .patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(
        after.metadata.generation,
        before.metadata.generation.map(|g| g + 1)
    );
    assert_eq!(after.uid(), before.uid());
    widgets(&sim)
        .create(&PostParams::default(), &widget("a", 15))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_crd_with_a_broken_rule_or_a_wrong_name_is_refused() {
    let sim = KubeSim::new(Arc::new(test_time));
    let crds: Api<CustomResourceDefinition> = Api::all(sim.client());
    let mut broken = serde_json::to_value(Widget::crd()).unwrap();
    broken["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] =
        json!([{"rule": "self.spec.size >"}]);
    let broken: CustomResourceDefinition = serde_json::from_value(broken).unwrap();
    let refused = status(crds.create(&PostParams::default(), &broken).await);
    let field = &refused.details.unwrap().causes[0].field;
    assert_eq!(
        field,
        "spec.validation.openAPIV3Schema.x-kubernetes-validations[0].rule"
    );
    let mut misnamed = Widget::crd();
    misnamed.metadata.name = Some("gadgets.test.dev".to_owned());
    let refused = status(crds.create(&PostParams::default(), &misnamed).await);
    assert_eq!(refused.details.unwrap().causes[0].field, "metadata.name");
}

#[tokio::test(start_paused = true)]
async fn every_served_version_shows_every_object() {
    let sim = sim().await;
    widgets(&sim)
        .create(&PostParams::default(), &widget("a", 1))
        .await
        .unwrap();
    let crds: Api<CustomResourceDefinition> = Api::all(sim.client());
    let mut crd = crds.get("widgets.test.dev").await.unwrap();
    let mut second = crd.spec.versions[0].clone();
    second.name = "v2".to_owned();
    crd.spec.versions[0].storage = false;
    crd.spec.versions.push(second);
    let crd = crds
        .replace("widgets.test.dev", &PostParams::default(), &crd)
        .await
        .unwrap();
    assert_eq!(crd.status.unwrap().stored_versions.unwrap(), ["v1", "v2"]);

    let mut resource = kube::api::ApiResource::erase::<Widget>(&());
    (resource.version, resource.api_version) = ("v2".to_owned(), "test.dev/v2".to_owned());
    let newer: Api<kube::api::DynamicObject> =
        Api::default_namespaced_with(sim.client(), &resource);
    let seen = newer.get("a").await.unwrap();
    assert_eq!(seen.types.unwrap().api_version, "test.dev/v2");
    let patch = Patch::Merge(json!({"spec": {"size": 2}}));
    newer
        .patch("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let stored = sim
        .get_object("widgets.test.dev", Some("default"), "a")
        .unwrap();
    assert_eq!(stored["apiVersion"], "test.dev/v2");
    assert_eq!(widgets(&sim).get("a").await.unwrap().spec.size, 2);
    let listed = widgets(&sim).list(&ListParams::default()).await.unwrap();
    assert_eq!(listed.types.api_version, "test.dev/v1");
}
