//! A small CRD and a simulator to test with.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ApiResource, DynamicObject, ObjectMeta, PostParams};
use kube::{CustomResource, CustomResourceExt, KubeSchema};
use kube_sim::KubeSim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A thing with a size.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "test.dev",
    version = "v1",
    kind = "Widget",
    namespaced,
    status = "WidgetStatus",
    selectable = ".spec.color",
    shortname = "wd",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WidgetSpec {
    /// How large.
    #[schemars(range(min = 1, max = 10))]
    pub size: i64,
    /// Which colour.
    #[serde(default = "red")]
    #[x_kube(validation = ("self != 'plaid'", "plaid is not a color"))]
    pub color: String,
    /// Fixed once set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self == oldSelf", "serial cannot change"))]
    pub serial: Option<String>,
    /// Short words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(regex(pattern = "^[a-z]+$"), length(max = 5)))]
    pub words: Vec<String>,
    /// One of two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// One of two.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum Mode {
    /// The first.
    Fast,
    /// The second.
    Slow,
}

fn red() -> String {
    "red".to_owned()
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WidgetStatus {
    /// Seen size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<i64>,
}

/// 1 February 2026, the time at which every test happens.
pub(crate) fn test_time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_769_904_000, 0).unwrap()
}

/// A simulator that serves widgets.
pub(crate) async fn sim() -> KubeSim {
    let sim = KubeSim::new(Arc::new(test_time));
    let crds: Api<CustomResourceDefinition> = Api::all(sim.client());
    crds.create(&PostParams::default(), &Widget::crd())
        .await
        .unwrap();
    sim
}

/// The widgets of the default namespace.
pub(crate) fn widgets(sim: &KubeSim) -> Api<Widget> {
    Api::default_namespaced(sim.client())
}

/// A widget of a size.
pub(crate) fn widget(name: &str, size: i64) -> Widget {
    let spec = WidgetSpec {
        size,
        color: red(),
        serial: None,
        words: Vec::new(),
        mode: None,
    };
    Widget::new(name, spec)
}

/// The status of a failed request.
pub(crate) fn status<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> kube::core::Status {
    match result {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("no API error: {other:?}"),
    }
}

/// Widgets without their Rust type, to send what the type does not allow.
pub(crate) fn raw_widgets(sim: &KubeSim) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<Widget>(&());
    Api::default_namespaced_with(sim.client(), &resource)
}

/// A widget with any spec.
pub(crate) fn raw_widget(name: &str, spec: serde_json::Value) -> DynamicObject {
    let resource = ApiResource::erase::<Widget>(&());
    DynamicObject::new(name, &resource).data(serde_json::json!({"spec": spec}))
}

/// A config map with finalizers and owners.
pub(crate) fn map(name: &str, finalizers: &[&str], owners: &[OwnerReference]) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            finalizers: Some(finalizers.iter().map(|f| (*f).to_owned()).collect()),
            owner_references: Some(owners.to_vec()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}

/// The config maps of the default namespace.
pub(crate) fn maps(sim: &KubeSim) -> Api<ConfigMap> {
    Api::default_namespaced(sim.client())
}
