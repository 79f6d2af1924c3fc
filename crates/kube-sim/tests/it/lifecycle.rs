//! The ends of namespaces and of custom resource definitions.

use http::Method;
use kube_sim::KubeSim;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::http::{JSON, MERGE, get, owners, patch, post, put, send};
use crate::support::test_time;

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn sim() -> KubeSim {
    KubeSim::new(Arc::new(test_time))
}

async fn delete(sim: &KubeSim, path: &str) -> Value {
    send(sim, Method::DELETE, path, JSON, "").await.good()
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().unwrap();
    conditions.iter().find(|c| c["type"] == kind).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_terminating_namespace_tells_what_is_left_and_takes_nothing_new() {
    let sim = sim();
    post(
        &sim,
        "/api/v1/namespaces",
        json!({"metadata": {"name": "t"}}),
    )
    .await
    .good();
    let maps = "/api/v1/namespaces/t/configmaps";
    post(&sim, maps, json!({"metadata": {"name": "free"}}))
        .await
        .good();
    let held = json!({"metadata": {"name": "held", "finalizers": ["a.b/c"]}});
    post(&sim, maps, held).await.good();
    let going = delete(&sim, "/api/v1/namespaces/t").await;
    assert_eq!(going["status"]["phase"], "Terminating");

    let left = get(&sim, "/api/v1/namespaces/t").await.good();
    let remaining = condition(&left, "NamespaceContentRemaining");
    assert_eq!(
        (
            &remaining["status"],
            &remaining["reason"],
            &remaining["message"]
        ),
        (
            &json!("True"),
            &json!("SomeResourcesRemain"),
            &json!("Some resources are remaining: configmaps. has 1 resource instances"),
        )
    );
    assert_eq!(
        condition(&left, "NamespaceFinalizersRemaining")["message"],
        "Some content in the namespace has finalizers remaining: a.b/c in 1 resource instances"
    );
    assert_eq!(
        condition(&left, "NamespaceDeletionContentFailure")["status"],
        "False"
    );
    assert_eq!(owners(&left)[0][0], "kube-controller-manager Update status");

    let refused = post(&sim, maps, json!({"metadata": {"name": "new"}})).await;
    assert_eq!((refused.code, refused.reason()), (403, "Forbidden"));
    assert_eq!(
        refused.message(),
        "configmaps \"new\" is forbidden: unable to create new content in namespace t because it \
         is being terminated"
    );
    assert_eq!(
        refused.body["details"]["causes"],
        json!([{
            "reason": "NamespaceTerminating",
            "message": "namespace t is being terminated",
            "field": "metadata.namespace",
        }])
    );
    let freed = json!({"metadata": {"finalizers": null}});
    patch(&sim, &format!("{maps}/held"), MERGE, freed)
        .await
        .good();
    assert_eq!(get(&sim, "/api/v1/namespaces/t").await.code, 404);
}

#[tokio::test(start_paused = true)]
async fn the_finalize_door_alone_changes_the_finalizers_of_a_namespace() {
    let sim = sim();
    let at = "/api/v1/namespaces/t";
    let mut made = post(
        &sim,
        "/api/v1/namespaces",
        json!({"metadata": {"name": "t"}}),
    )
    .await
    .good();
    made["spec"]["finalizers"] = json!(["a.b/c"]);
    let kept = put(&sim, at, made).await.good();
    assert_eq!(kept["spec"]["finalizers"], json!(["kubernetes"]));
    assert_eq!(get(&sim, &format!("{at}/finalize")).await.code, 405);
    let mut other = get(&sim, at).await.good();
    other["spec"]["finalizers"] = json!(["kubernetes", "a.b/c"]);
    let changed = put(&sim, &format!("{at}/finalize"), other).await.good();
    assert_eq!(
        changed["spec"]["finalizers"],
        json!(["kubernetes", "a.b/c"])
    );
    let refused = send(&sim, Method::DELETE, "/api/v1/namespaces/default", JSON, "").await;
    assert_eq!(
        refused.message(),
        "namespaces \"default\" is forbidden: this namespace may not be deleted"
    );
}

fn crd(plural: &str, kind: &str) -> Value {
    json!({
        "metadata": {"name": format!("{plural}.test.dev")},
        "spec": {
            "group": "test.dev", "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "shortNames": [&plural[..2]]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }],
        },
    })
}

#[tokio::test(start_paused = true)]
async fn a_type_whose_names_are_taken_waits_until_they_are_free() {
    let sim = sim();
    post(&sim, CRDS, crd("widgets", "Widget")).await.good();
    let late = post(&sim, CRDS, crd("wodgets", "Widget")).await.good();
    let names = condition(&late, "NamesAccepted");
    assert_eq!(
        (&names["status"], &names["reason"], &names["message"]),
        (
            &json!("False"),
            &json!("ListKindConflict"),
            &json!("\"WidgetList\" is already in use"),
        )
    );
    assert_eq!(condition(&late, "Established")["reason"], "NotAccepted");
    assert_eq!(
        late["status"]["acceptedNames"],
        json!({"plural": "wodgets", "singular": "", "shortNames": ["wo"], "kind": ""})
            .as_object()
            .map(|names| {
                let mut names = names.clone();
                names.remove("singular");
                Value::Object(names)
            })
            .unwrap()
    );
    let wodgets = "/apis/test.dev/v1/namespaces/default/wodgets";
    assert_eq!(get(&sim, wodgets).await.code, 404);
    delete(&sim, &format!("{CRDS}/widgets.test.dev")).await;
    let now = get(&sim, &format!("{CRDS}/wodgets.test.dev")).await.good();
    assert_eq!(condition(&now, "Established")["status"], "True");
    get(&sim, wodgets).await.good();
}

#[tokio::test(start_paused = true)]
async fn the_objects_of_a_type_go_with_its_definition() {
    let sim = sim();
    post(&sim, CRDS, crd("widgets", "Widget")).await.good();
    let widgets = "/apis/test.dev/v1/namespaces/default/widgets";
    let widget = json!({"apiVersion": "test.dev/v1", "kind": "Widget",
                        "metadata": {"name": "a", "finalizers": ["a.b/c"]}});
    post(&sim, widgets, widget.clone()).await.good();
    delete(&sim, &format!("{CRDS}/widgets.test.dev")).await;
    let going = get(&sim, &format!("{widgets}/a")).await.good();
    assert!(!going["metadata"]["deletionTimestamp"].is_null());
    let mut other = widget;
    other["metadata"] = json!({"name": "b"});
    assert_eq!(post(&sim, widgets, other).await.code, 403);
    let freed = json!({"metadata": {"finalizers": null}});
    patch(&sim, &format!("{widgets}/a"), MERGE, freed)
        .await
        .good();
    assert_eq!(
        get(&sim, &format!("{CRDS}/widgets.test.dev")).await.code,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn a_deletion_may_ask_for_one_object_in_one_state() {
    let sim = sim();
    let maps = "/api/v1/namespaces/default/configmaps";
    let made = post(&sim, maps, json!({"metadata": {"name": "m"}}))
        .await
        .good();
    let (uid, rv) = (
        &made["metadata"]["uid"],
        &made["metadata"]["resourceVersion"],
    );
    let (uid, rv) = (uid.as_str().unwrap(), rv.as_str().unwrap());
    let table = [
        (
            json!({"uid": "z"}),
            format!(
                "Operation cannot be fulfilled on ConfigMap \"m\": the UID in the precondition (z) \
                 does not match the UID in record ({uid}). The object might have been deleted and \
                 then recreated"
            ),
        ),
        (
            json!({"resourceVersion": "1"}),
            format!(
                "Operation cannot be fulfilled on ConfigMap \"m\": the ResourceVersion in the \
                 precondition (1) does not match the ResourceVersion in record ({rv}). The object \
                 might have been modified"
            ),
        ),
    ];
    for (preconditions, message) in table {
        let body = json!({"preconditions": preconditions}).to_string();
        let refused = send(&sim, Method::DELETE, &format!("{maps}/m"), JSON, body).await;
        assert_eq!((refused.code, refused.message()), (409, message.as_str()));
    }
}
