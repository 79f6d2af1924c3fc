//! What each fault of the switchboard does to a call: the answer, and whether it was handled.

use azure_sim::switchboard::{Rule, Trouble};
use azure_sim::{Disconnected, Options, VmSpec};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use crate::support::Azure;

const START: &str = "2025-11-20T06:00:00Z";
const GRAPH: &str = "/providers/Microsoft.ResourceGraph/resources";

fn world() -> (Azure, String) {
    let azure = Azure::with(START, Options::default());
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    (azure, id)
}

/// Sends a call through the faults.
fn call(
    azure: &Azure,
    method: &str,
    path: &str,
    body: &Value,
) -> Result<Response<Bytes>, Disconnected> {
    let uri = if path.contains('?') {
        path.to_owned()
    } else {
        format!("{path}?api-version=2024-11-01")
    };
    let bytes = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("authorization", "Bearer operator");
    azure.sim.call(request.body(bytes).unwrap())
}

fn at(path: &str) -> String {
    format!("https://management.azure.com{path}")
}

fn status(answer: &Result<Response<Bytes>, Disconnected>) -> Option<u16> {
    answer.as_ref().ok().map(|own| own.status().as_u16())
}

fn body(answer: Result<Response<Bytes>, Disconnected>) -> Value {
    serde_json::from_slice(answer.unwrap().body()).unwrap()
}

fn set(azure: &Azure, rule: &str) {
    azure.sim.switchboard().set(rule.parse().unwrap()).unwrap();
}

/// Tells whether an assessment runs: another is refused.
fn is_assessing(azure: &Azure, id: &str) -> bool {
    azure
        .send("POST", &format!("{id}/assessPatches"), &Value::Null)
        .status
        == 409
}

#[test]
fn each_fault_of_a_command_answers_as_it_says_and_handles_it_or_not() {
    let cases = [
        ("lost-reply", None, true),
        ("reset-before", None, false),
        ("reset-after", None, true),
        ("conflict", Some(409), false),
        ("throttled-seconds=30", Some(429), false),
        ("throttled-date=30", Some(429), false),
        ("server-error=500", Some(500), false),
        ("server-error=502", Some(502), false),
        ("server-error=503", Some(503), false),
        ("server-error=504", Some(504), false),
        ("server-error-after=500", Some(500), true),
        ("server-error-after=504", Some(504), true),
        ("region-down,region=westeurope", Some(503), false),
        ("token-expired", Some(401), false),
        ("denied", Some(403), false),
        ("skewed-date=600", Some(202), true),
    ];
    for (rule, want, handled) in cases {
        let (azure, id) = world();
        set(&azure, rule);
        let answer = call(
            &azure,
            "POST",
            &at(&format!("{id}/assessPatches")),
            &Value::Null,
        );
        assert_eq!(status(&answer), want, "{rule}");
        assert_eq!(is_assessing(&azure, &id), handled, "{rule}");
        assert_eq!(azure.sim.switchboard().standing()[0].struck, 1, "{rule}");
    }
}

#[test]
fn a_denied_call_names_the_action_that_is_missing() {
    let cases = [
        (
            "POST",
            "/assessPatches",
            "Microsoft.Compute/virtualMachines/assessPatches/action",
        ),
        (
            "POST",
            "/installPatches",
            "Microsoft.Compute/virtualMachines/installPatches/action",
        ),
        ("PATCH", "", "Microsoft.Compute/virtualMachines/write"),
        ("GET", "", "Microsoft.Compute/virtualMachines/read"),
        (
            "GET",
            "/instanceView",
            "Microsoft.Compute/virtualMachines/instanceView/read",
        ),
    ];
    let (azure, id) = world();
    set(&azure, "denied");
    for (method, below, action) in cases {
        let path = at(&format!("{id}{below}"));
        let answer = call(&azure, method, &path, &Value::Null).unwrap();
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        let error = &body["error"];
        assert_eq!(error["code"], "AuthorizationFailed", "{method} {below}");
        let text = error["message"].as_str().unwrap();
        assert!(text.contains(&format!("'{action}'")), "{text}");
    }
}

#[test]
fn a_reply_is_lost_only_when_it_is_a_good_one() {
    let (azure, id) = world();
    set(&azure, "lost-reply,count=1");
    let missing = call(&azure, "GET", &at(&format!("{id}x")), &Value::Null);
    assert_eq!(status(&missing), Some(404));
    let lost = call(&azure, "GET", &at(&id), &Value::Null);
    assert!(!lost.unwrap_err().is_reset());
    let next = call(&azure, "GET", &at(&id), &Value::Null);
    assert_eq!(status(&next), Some(200), "once");
}

#[test]
fn when_to_come_again_is_told_in_seconds_or_as_a_date() {
    for (rule, want) in [
        ("throttled-seconds=90", "90"),
        ("throttled-date=90", "Thu, 20 Nov 2025 06:01:30 GMT"),
    ] {
        let (azure, id) = world();
        set(&azure, rule);
        let answer = call(&azure, "GET", &at(&id), &Value::Null).unwrap();
        assert_eq!(answer.headers()["retry-after"], want);
        assert_eq!(answer.headers()["date"], "Thu, 20 Nov 2025 06:00:00 GMT");
    }
}

#[test]
fn a_skewed_clock_shows_in_the_date_and_nowhere_else() {
    let (azure, id) = world();
    set(&azure, "skewed-date=-600");
    let answer = call(&azure, "GET", &at(&id), &Value::Null).unwrap();
    assert_eq!(answer.headers()["date"], "Thu, 20 Nov 2025 05:50:00 GMT");
    assert_eq!(answer.status(), 200);
}

#[test]
fn an_operation_is_stuck_while_the_fault_stands_and_then_has_ended() {
    for way in ["location", "azure-asyncoperation"] {
        let (azure, id) = world();
        set(&azure, "stuck-operation,machine=vm");
        let sent = call(
            &azure,
            "POST",
            &at(&format!("{id}/assessPatches")),
            &Value::Null,
        );
        let poll = sent.unwrap().headers()[way].to_str().unwrap().to_owned();
        azure.minutes(600);
        let answer = call(&azure, "GET", &poll, &Value::Null).unwrap();
        match way {
            "location" => assert_eq!(answer.status(), 202),
            _ => assert!(answer.body().windows(10).any(|own| own == b"InProgress")),
        }
        azure.sim.switchboard().clear();
        let answer = call(&azure, "GET", &poll, &Value::Null).unwrap();
        assert_eq!(answer.status(), 200, "{way}");
        assert!(answer.body().windows(9).any(|own| own == b"Succeeded"));
    }
}

#[test]
fn an_expired_result_is_not_found() {
    let (azure, id) = world();
    set(&azure, "expired-operation");
    let sent = call(
        &azure,
        "POST",
        &at(&format!("{id}/assessPatches")),
        &Value::Null,
    );
    let poll = sent.unwrap().headers()["location"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(status(&call(&azure, "GET", &poll, &Value::Null)), Some(404));
}

#[test]
fn a_region_is_down_alone() {
    let (azure, id) = world();
    let far = VmSpec::ws2025_azure_edition("far").region("northeurope");
    let far = azure.sim.add_vm(far);
    set(&azure, "region-down,region=WestEurope");
    assert_eq!(
        status(&call(&azure, "GET", &at(&id), &Value::Null)),
        Some(503)
    );
    assert_eq!(
        status(&call(&azure, "GET", &at(&far), &Value::Null)),
        Some(200)
    );
}

/// Asks for the names of all VMs, page by page; gives the pages.
fn pages(azure: &Azure, top: u32) -> Vec<Value> {
    let query = "resources | project id, name, tags | order by id asc";
    let mut pages = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut options = json!({"$top": top});
        if token.is_string() {
            options["$skipToken"] = token;
        }
        let page = json!({"query": query, "options": options});
        let page = body(call(azure, "POST", &at(GRAPH), &page));
        token = page["$skipToken"].clone();
        pages.push(page);
        if !token.is_string() {
            return pages;
        }
        assert!(pages.len() < 100, "it never ends");
    }
}

fn names(pages: &[Value]) -> Vec<String> {
    let rows = pages
        .iter()
        .flat_map(|page| page["data"].as_array().unwrap());
    rows.map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

fn ten() -> Azure {
    let azure = Azure::with(START, Options::default());
    for number in 0..10 {
        let region = if number < 4 { "eastus2" } else { "westeurope" };
        let spec = VmSpec::ws2025_azure_edition(&format!("vm-{number}"));
        azure.sim.add_vm(spec.region(region));
    }
    azure
}

#[test]
fn rows_go_missing_by_machine_region_and_chance() {
    let left = |rule: &str| {
        let azure = ten();
        set(&azure, rule);
        names(&pages(&azure, 100))
    };
    let one = left("missing-rows,machine=vm-3");
    assert!(one.len() == 9 && !one.contains(&"vm-3".to_owned()));
    assert_eq!(left("missing-rows,region=eastus2").len(), 6);
    assert_eq!(left("missing-rows,region=eastus2,machine=vm-9").len(), 10);
    let chance = left("missing-rows,probability=0.5").len();
    assert!((1..10).contains(&chance), "{chance} of 10");
    assert_eq!(
        left("missing-rows,probability=0.5").len(),
        chance,
        "by the seed"
    );
}

#[test]
fn rows_are_doubled_across_pages_and_none_is_lost() {
    let azure = ten();
    set(&azure, "duplicate-rows");
    let found = pages(&azure, 4);
    let all = names(&found);
    assert_eq!(found[0]["totalRecords"], 10);
    let unique: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), unique.len()), (12, 10), "{all:?}");
    assert_eq!(all[3], all[4], "the last row of a page begins the next");
}

#[test]
fn a_truncated_page_says_so_and_has_no_next_one() {
    let azure = ten();
    set(&azure, "truncated-page");
    let found = pages(&azure, 4);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["resultTruncated"], "true");
    assert_eq!(names(&found), ["vm-0", "vm-1"]);
}

#[test]
fn resource_graph_lags_as_long_as_the_fault_stands() {
    let (azure, id) = world();
    azure.minutes(60);
    azure.sim.retag(&id, "app", Some("new"));
    azure.minutes(20);
    let shown = || pages(&azure, 100)[0]["data"][0]["tags"]["app"].clone();
    assert_eq!(shown(), "new");
    set(&azure, "graph-lag=30");
    assert_eq!(shown(), Value::Null, "also what it showed before");
    azure.minutes(11);
    assert_eq!(shown(), "new");
}

#[test]
fn hooks_come_before_the_switchboard_and_the_router_alone_knows_neither() {
    let (azure, id) = world();
    azure
        .sim
        .switchboard()
        .set(Rule::new(Trouble::Conflict))
        .unwrap();
    azure.sim.on_call(|_| azure_sim::Fault::DropBefore);
    assert!(call(&azure, "GET", &at(&id), &Value::Null).is_err());
    assert_eq!(azure.sim.switchboard().standing()[0].struck, 0);
    assert_eq!(azure.send("GET", &id, &Value::Null).status, 200);
}
