//! What the server says about itself: health, version, discovery in both forms, OpenAPI.

use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use kube_sim::KubeSim;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::sim;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json";

async fn ask(sim: &KubeSim, path: &str, headers: &[(&str, &str)]) -> Response<String> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
    let (parts, body) = sim.service().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, String::from_utf8(bytes.into()).unwrap())
}

async fn json_of(sim: &KubeSim, path: &str) -> Value {
    let answer = ask(sim, path, &[]).await;
    assert_eq!(answer.status(), 200, "{path}: {}", answer.body());
    serde_json::from_str(answer.body()).unwrap()
}

fn header<'a>(answer: &'a Response<String>, name: &str) -> &'a str {
    answer
        .headers()
        .get(name)
        .map_or("", |v| v.to_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn health_is_plain_text_and_a_path_to_nowhere_too() {
    let sim = sim().await;
    for path in ["/healthz", "/livez", "/readyz", "/readyz/ping"] {
        let answer = ask(&sim, path, &[]).await;
        assert_eq!(
            (answer.status().as_u16(), answer.body().as_str()),
            (200, "ok")
        );
        assert!(header(&answer, "content-type").starts_with("text/plain"));
    }
    let verbose = ask(&sim, "/readyz?verbose", &[]).await;
    assert!(verbose.body().ends_with("readyz check passed\n"));
    for path in [
        "/nope",
        "/apis/nope",
        "/apis/test.dev/v1/nopes",
        "/apis/test.dev/v9",
    ] {
        let answer = ask(&sim, path, &[]).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.body(), "404 page not found\n", "{path}");
    }
    let nobody = ask(&sim, "/apis/test.dev/v1/namespaces/default/widgets/x", &[]).await;
    assert!(
        nobody.body().contains("\"kind\":\"Status\""),
        "an object is missed in JSON"
    );
    let version = json_of(&sim, "/version").await;
    assert_eq!(
        (&version["major"], &version["minor"]),
        (&json!("1"), &json!("36"))
    );
}

#[tokio::test(start_paused = true)]
async fn aggregated_discovery_tells_everything_in_two_answers() {
    let sim = sim().await;
    let answer = ask(&sim, "/apis", &[("accept", AGGREGATED)]).await;
    let media_type = header(&answer, "content-type");
    assert_eq!(
        media_type,
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    let found: Value = serde_json::from_str(answer.body()).unwrap();
    assert_eq!(found["kind"], "APIGroupDiscoveryList");
    let groups = found["items"].as_array().unwrap();
    let own = groups
        .iter()
        .find(|group| group["metadata"]["name"] == "test.dev")
        .unwrap();
    let kind = json!({"group": "test.dev", "version": "v1", "kind": "Widget"});
    let verbs = [
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "create",
        "update",
        "watch",
    ];
    let want = json!([{
        "version": "v1",
        "freshness": "Current",
        "resources": [{
            "resource": "widgets",
            "responseKind": kind,
            "scope": "Namespaced",
            "singularResource": "widget",
            "verbs": verbs,
            "shortNames": ["wd"],
            "subresources": [{
                "subresource": "status",
                "responseKind": kind,
                "verbs": ["get", "patch", "update"],
            }],
        }],
    }]);
    assert_eq!(own["versions"], want);
    let core = ask(&sim, "/api", &[("accept", AGGREGATED)]).await;
    assert!(core.body().contains("\"resource\":\"namespaces\""));
    assert!(!core.body().contains("widgets"));
    let plain = ask(&sim, "/apis", &[("accept", "application/json")]).await;
    assert!(
        plain.body().contains("APIGroupList"),
        "who asks for the plain form gets it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_document_is_not_sent_again_to_who_knows_its_tag() {
    let sim = sim().await;
    for path in [
        "/apis",
        "/openapi/v3",
        "/openapi/v3/apis/test.dev/v1",
        "/openapi/v2",
    ] {
        let first = ask(&sim, path, &[("accept", AGGREGATED)]).await;
        let tag = header(&first, "etag").to_owned();
        assert!(tag.len() > 10, "{path}");
        let again = [("accept", AGGREGATED), ("if-none-match", tag.as_str())];
        let again = ask(&sim, path, &again).await;
        assert_eq!(
            (again.status().as_u16(), again.body().as_str()),
            (304, ""),
            "{path}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_group_version_has_an_openapi_document_that_hangs_together() {
    let sim = sim().await;
    let index = json_of(&sim, "/openapi/v3").await;
    let paths = index["paths"].as_object().unwrap();
    let names: Vec<&String> = paths.keys().collect();
    assert_eq!(
        names,
        [
            "api/v1",
            "apis/apiextensions.k8s.io/v1",
            "apis/coordination.k8s.io/v1",
            "apis/events.k8s.io/v1",
            "apis/test.dev/v1",
        ]
    );
    for entry in paths.values() {
        let url = entry["serverRelativeURL"].as_str().unwrap();
        let document = json_of(&sim, url).await;
        let schemas = &document["components"]["schemas"];
        for target in references(&document) {
            let name = target.strip_prefix("#/components/schemas/").unwrap();
            assert!(schemas[name].is_object(), "{url} lacks {name}");
        }
    }
}

/// All targets of references in a document.
fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().flat_map(references).collect(),
        Value::Object(map) => {
            let own = map.get("$ref").and_then(Value::as_str);
            own.into_iter()
                .chain(map.values().flat_map(references))
                .collect()
        }
        _ => Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn openapi_has_what_explain_and_validation_look_for() {
    let sim = sim().await;
    let document = json_of(&sim, "/openapi/v3/apis/test.dev/v1").await;
    let path = "/apis/test.dev/v1/namespaces/{namespace}/widgets/{name}";
    let patch = &document["paths"][path]["patch"];
    let gvk = json!({"group": "test.dev", "version": "v1", "kind": "Widget"});
    assert_eq!(patch["x-kubernetes-group-version-kind"], gvk);
    let mut names = patch["parameters"].as_array().unwrap().iter();
    assert!(names.any(|parameter| parameter["name"] == "fieldValidation"));
    let schema = &document["components"]["schemas"]["dev.test.v1.Widget"];
    assert_eq!(schema["x-kubernetes-group-version-kind"], json!([gvk]));
    let spec = &schema["properties"]["spec"];
    assert_eq!(spec["properties"]["size"]["description"], "How large.");
    assert_eq!(spec["required"], json!(["size"]));
    let list = &document["components"]["schemas"]["dev.test.v1.WidgetList"];
    assert_eq!(
        list["x-kubernetes-group-version-kind"][0]["kind"],
        "WidgetList"
    );

    let core = json_of(&sim, "/openapi/v3/api/v1").await;
    let schemas = &core["components"]["schemas"];
    let map = &schemas["io.k8s.api.core.v1.ConfigMap"];
    assert!(map["properties"]["data"]["description"].is_string());
    assert_eq!(map["required"], Value::Null, "metadata may be left out");
    assert!(map["properties"]["metadata"]["allOf"][0]["$ref"].is_string());
    assert!(schemas["io.k8s.api.core.v1.ConfigMapList"].is_object());
}

#[tokio::test(start_paused = true)]
async fn openapi_follows_a_changed_crd() {
    let sim = sim().await;
    let before = json_of(&sim, "/openapi/v3").await;
    let crds = "customresourcedefinitions.apiextensions.k8s.io";
    let mut crd = Value::clone(&sim.get_object(crds, None, "widgets.test.dev").unwrap());
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "Another.".into();
    sim.force_object(crds, None, "widgets.test.dev", Some(crd));
    let after = json_of(&sim, "/openapi/v3").await;
    assert_ne!(
        before["paths"]["apis/test.dev/v1"],
        after["paths"]["apis/test.dev/v1"]
    );
    assert_eq!(before["paths"]["api/v1"], after["paths"]["api/v1"]);
}
