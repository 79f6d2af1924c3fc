//! Tables: the columns of built-in types and of CRDs, in get, list and watch.

use http::Request;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube_sim::KubeSim;
use serde_json::{Value, json};

use crate::support::{Widget, map, maps, sim, widget, widgets};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// The documents that a GET of a path answers with, one a line.
pub(crate) async fn lines(sim: &KubeSim, path: &str, accept: &str) -> Vec<Value> {
    let request = Request::get(path)
        .header("accept", accept)
        .body(Vec::new())
        .unwrap();
    let text = sim.client().request_text(request).await.unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn table(sim: &KubeSim, path: &str) -> Value {
    lines(sim, path, TABLE).await.remove(0)
}

fn columns(table: &Value) -> Vec<String> {
    let columns = table["columnDefinitions"].as_array().unwrap().iter();
    columns
        .map(|c| format!("{}/{}/{}", c["name"], c["type"], c["priority"]).replace('"', ""))
        .collect()
}

fn cells(table: &Value) -> Vec<Value> {
    let rows = table["rows"].as_array().unwrap().iter();
    rows.map(|row| row["cells"].clone()).collect()
}

/// Gives widgets columns of every type.
async fn with_columns(sim: &KubeSim) {
    let column = |name: &str, kind: &str, path: &str, priority: i64| {
        json!({"name": name, "type": kind, "jsonPath": path, "priority": priority,
               "description": format!("The {name}.")})
    };
    let mut crd = serde_json::to_value(Widget::crd()).unwrap();
    crd["spec"]["versions"][0]["additionalPrinterColumns"] = json!([
        column("Size", "integer", ".spec.size", 0),
        column("Color", "string", ".spec.color", 0),
        column("Words", "string", ".spec.words[*]", 1),
        column("All", "string", ".spec.words", 1),
        column("Seen", "integer", ".status.seen", 0),
        column("Age", "date", ".metadata.creationTimestamp", 0),
    ]);
    let crds: Api<CustomResourceDefinition> = Api::all(sim.client());
    let patch = Patch::Merge(json!({"spec": crd["spec"]}));
    crds.patch("widgets.test.dev", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let mut one = widget("a", 3);
    one.spec.words = vec!["x".to_owned(), "y".to_owned()];
    widgets(sim)
        .create(&PostParams::default(), &one)
        .await
        .unwrap();
}

const WIDGETS: &str = "/apis/test.dev/v1/namespaces/default/widgets";

#[tokio::test(start_paused = true)]
async fn a_crd_says_its_columns_and_their_values_keep_their_types() {
    let sim = sim().await;
    with_columns(&sim).await;
    let found = table(&sim, WIDGETS).await;
    assert_eq!(found["kind"], "Table");
    assert_eq!(found["apiVersion"], "meta.k8s.io/v1");
    assert_eq!(
        found["metadata"]["resourceVersion"],
        sim.resource_version().to_string()
    );
    let want = [
        "Name/string/0",
        "Size/integer/0",
        "Color/string/0",
        "Words/string/1",
        "All/string/1",
        "Seen/integer/0",
        "Age/date/0",
    ];
    assert_eq!(columns(&found), want);
    assert_eq!(found["columnDefinitions"][0]["format"], "name");
    assert_eq!(found["columnDefinitions"][1]["description"], "The Size.");
    let want = json!(["a", 3, "red", "x y", "[\"x\",\"y\"]", null, "0s"]);
    assert_eq!(cells(&found), [want]);
    let object = &found["rows"][0]["object"];
    assert_eq!(object["kind"], "PartialObjectMetadata");
    assert_eq!(object["metadata"]["name"], "a");
    assert_eq!(object["spec"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_crd_without_columns_shows_name_and_age() {
    let sim = sim().await;
    widgets(&sim)
        .create(&PostParams::default(), &widget("a", 3))
        .await
        .unwrap();
    let found = table(&sim, WIDGETS).await;
    assert_eq!(columns(&found), ["Name/string/0", "Age/date/0"]);
    assert_eq!(cells(&found), [json!(["a", "0s"])]);
}

#[tokio::test(start_paused = true)]
async fn rows_carry_as_much_of_the_object_as_is_asked_for() {
    let sim = sim().await;
    with_columns(&sim).await;
    let object = |found: Value| found["rows"][0]["object"].clone();
    let none = table(&sim, &format!("{WIDGETS}?includeObject=None")).await;
    assert_eq!(object(none), Value::Null);
    let whole = table(&sim, &format!("{WIDGETS}?includeObject=Object")).await;
    assert_eq!(object(whole)["spec"]["size"], 3);
    let request = Request::get(format!("{WIDGETS}?includeObject=Foo"))
        .header("accept", TABLE)
        .body(Vec::new())
        .unwrap();
    let refused = sim.client().request_text(request).await.unwrap_err();
    assert!(refused.to_string().contains("includeObject"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn one_object_and_one_page_are_tables_too() {
    let sim = sim().await;
    with_columns(&sim).await;
    widgets(&sim)
        .create(&PostParams::default(), &widget("b", 4))
        .await
        .unwrap();
    let one = table(&sim, &format!("{WIDGETS}/b")).await;
    assert_eq!(cells(&one)[0][0], "b");
    let page = table(&sim, &format!("{WIDGETS}?limit=1")).await;
    assert_eq!(cells(&page).len(), 1);
    assert_eq!(page["metadata"]["remainingItemCount"], 1);
    let token = page["metadata"]["continue"].as_str().unwrap();
    let rest = table(&sim, &format!("{WIDGETS}?limit=1&continue={token}")).await;
    assert_eq!(cells(&rest)[0][0], "b");
    assert_eq!(rest["metadata"]["continue"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn only_the_first_event_of_a_watch_carries_the_columns() {
    let sim = sim().await;
    with_columns(&sim).await;
    for size in [4, 5] {
        let patch = Patch::Merge(json!({"spec": {"size": size}}));
        widgets(&sim)
            .patch("a", &PatchParams::default(), &patch)
            .await
            .unwrap();
    }
    let rv = sim.resource_version() - 2;
    let query = format!("watch=1&timeoutSeconds=1&allowWatchBookmarks=1&resourceVersion={rv}");
    let events = lines(&sim, &format!("{WIDGETS}?{query}"), TABLE).await;
    let kinds: Vec<&str> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["MODIFIED", "MODIFIED", "BOOKMARK"]);
    let tables: Vec<&Value> = events.iter().map(|event| &event["object"]).collect();
    assert!(tables.iter().all(|found| found["kind"] == "Table"));
    assert!(tables[0]["columnDefinitions"].is_array());
    assert_eq!(tables[1]["columnDefinitions"], Value::Null);
    assert_eq!(cells(tables[0])[0][1], 4);
    assert_eq!(cells(tables[1])[0][1], 5);
    let bookmark = &tables[2]["rows"][0]["object"]["metadata"];
    assert_eq!(bookmark["resourceVersion"], (rv + 2).to_string());
}

#[tokio::test(start_paused = true)]
async fn built_in_types_have_the_columns_that_people_know() {
    let sim = sim().await;
    let mut found = map("m", &[], &[]);
    found.data = Some([("k".to_owned(), "v".to_owned())].into());
    maps(&sim)
        .create(&PostParams::default(), &found)
        .await
        .unwrap();
    let event = json!({
        "metadata": {"namespace": "default"}, "type": "Normal", "reason": "Done",
        "note": "it is done ", "regarding": {"kind": "Widget", "name": "a", "namespace": "default"},
        "action": "Do", "reportingController": "test.dev/own", "reportingInstance": "own-1",
        "eventTime": "2026-01-31T23:00:00.000000Z",
    });
    sim.force_object(
        "events",
        Some("default"),
        "e",
        Some({
            let mut core = event;
            core["involvedObject"] = core["regarding"].take();
            core["message"] = core["note"].take();
            core["reportingComponent"] = core["reportingController"].take();
            core
        }),
    );
    let lease = json!({"spec": {"holderIdentity": "me"}});
    let leases = "leases.coordination.k8s.io";
    sim.force_object(leases, Some("default"), "l", Some(lease));
    let event = json!([
        "60m",
        "Normal",
        "Done",
        "widget/a",
        "",
        "test.dev/own, own-1",
        "it is done",
        "60m",
        1,
        "e"
    ]);
    let cases = [
        (
            "/api/v1/namespaces",
            "Name Status Age",
            json!(["default", "Active", "0s"]),
        ),
        (
            "/api/v1/namespaces/default/configmaps",
            "Name Data Age",
            json!(["m", 1, "0s"]),
        ),
        (
            "/apis/coordination.k8s.io/v1/leases",
            "Name Holder Age",
            json!(["l", "me", "0s"]),
        ),
        (
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            "Name Created At",
            json!(["widgets.test.dev", "2026-02-01T00:00:00Z"]),
        ),
        (
            "/api/v1/events",
            "Last Seen Type Reason Object Subobject Source Message First Seen Count Name",
            event.clone(),
        ),
        (
            "/apis/events.k8s.io/v1/events",
            "Last Seen Type Reason Object Subobject Source Message First Seen Count Name",
            event,
        ),
    ];
    for (path, want, row) in cases {
        let found = table(&sim, path).await;
        let names = found["columnDefinitions"].as_array().unwrap().iter();
        let names: Vec<&str> = names.map(|c| c["name"].as_str().unwrap()).collect();
        assert_eq!(names.join(" "), want, "{path}");
        assert_eq!(cells(&found)[0], row, "{path}");
    }
}
