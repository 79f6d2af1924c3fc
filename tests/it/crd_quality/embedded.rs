//! The embedded API refuses what it must, in the words of the definitions.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kube::api::{Api, DynamicObject, PostParams};
use kube::core::cel::apply_defaults;
use kube::core::{ApiResource, GroupVersionKind};
use kube_sim::KubeSim;
use serde_json::{Value, json};

use super::bounds::broken;
use super::{KINDS, UPDATES, definition, refused, schema};
use crate::api::{change, good, structural};

/// Runs a test on an embedded API with all definitions and the namespace of the objects.
fn on_the_embedded_api<T>(work: impl AsyncFnOnce(kube::Client) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let sim = KubeSim::new(Arc::new(move || now));
        let client = sim.client();
        let crds: Api<DynamicObject> = Api::all_with(
            client.clone(),
            &ApiResource::from_gvk(&GroupVersionKind::gvk(
                "apiextensions.k8s.io",
                "v1",
                "CustomResourceDefinition",
            )),
        );
        for (_, plural) in KINDS {
            let crd = serde_json::from_value(definition(plural)).unwrap();
            crds.create(&PostParams::default(), &crd).await.unwrap();
        }
        let namespaces: Api<DynamicObject> = Api::all_with(
            client.clone(),
            &ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace")),
        );
        let web = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}});
        let web = serde_json::from_value(web).unwrap();
        namespaces
            .create(&PostParams::default(), &web)
            .await
            .unwrap();
        work(client).await
    })
}

fn api(client: &kube::Client, kind: &str, plural: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("hotpatch.dev", "v1alpha1", kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    Api::namespaced_with(client.clone(), "web", &resource)
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

/// Returns what the server says of a refused object.
fn words(answer: Result<DynamicObject, kube::Error>, what: &str) -> String {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 422 => status.message.clone(),
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn the_embedded_api_refuses_every_bad_manifest_in_the_words_of_its_rule() {
    let mut told = 0;
    on_the_embedded_api(async |client| {
        for (kind, plural) in KINDS {
            let (api, whole) = (api(&client, kind, plural), definition(plural));
            for own in refused(kind) {
                let what = format!("{kind} {} at {}", own.name, own.at);
                let body = json!({"spec": own.object["spec"]});
                let body = apply_defaults(schema(&whole), &body);
                let is_loose = !structural::faults(schema(&whole), &body).is_empty();
                let answer = api
                    .create(&PostParams::default(), &object(own.object))
                    .await;
                let said = words(answer, &what);
                // Of a wrong structure a server may say no more than that.
                assert!(is_loose || said.contains(&own.says), "{what}: {said}");
                told += usize::from(!is_loose);
            }
        }
    });
    assert!(told > 60, "only {told} rules were asked");
}

#[test]
fn the_embedded_api_refuses_updates_that_a_rule_forbids() {
    on_the_embedded_api(async |client| {
        for (kind, at, now, says) in UPDATES {
            let plural = KINDS.iter().find(|own| own.0 == kind).unwrap().1;
            let api = api(&client, kind, plural);
            let good = good(kind);
            let stored = api
                .create(&PostParams::default(), &object(good.clone()))
                .await;
            let stored = stored.unwrap();
            let mut bad = object(change(&good, at, now));
            bad.metadata.resource_version = stored.metadata.resource_version.clone();
            let name = stored.metadata.name.unwrap();
            let answer = api.replace(&name, &PostParams::default(), &bad).await;
            let said = words(answer, kind);
            assert!(said.contains(says), "{kind}: {said}");
        }
    });
}

#[test]
fn the_embedded_api_names_every_bound_that_is_broken() {
    let mut faults = Vec::new();
    let mut count = 0;
    on_the_embedded_api(async |client| {
        for (kind, plural) in KINDS {
            let api = api(&client, kind, plural);
            for own in broken(schema(&definition(plural))) {
                count += 1;
                let bad = json!({
                    "apiVersion": "hotpatch.dev/v1alpha1", "kind": kind,
                    "metadata": {"name": "bad", "namespace": "web"}, "spec": own.spec,
                });
                let what = format!("{kind} {} {}", own.at, own.bound);
                let answer = api.create(&PostParams::default(), &object(bad)).await;
                let said = words(answer, &what);
                if !said.contains(&own.at) || !said.contains(&own.says) {
                    faults.push(format!("{what}: not {:?} in {said:.300}", own.says));
                }
            }
        }
    });
    assert!(count > 150, "only {count} bounds were tried");
    assert!(
        faults.is_empty(),
        "{} of {count}: {faults:#?}",
        faults.len()
    );
}
