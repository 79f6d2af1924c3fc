//! The action that a request needs, by Azure's rules of naming: the provider, the types of the
//! path without the names between them, and what the method does (Microsoft Learn, "Azure
//! resource provider operations": `{provider}/{types}/{read|write|delete|action}`).

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;

/// Operations that providers registered under other names than the rules give.
const REGISTERED: [(&str, &str); 4] = [
    // A query is a POST, and registered as a read.
    (
        "microsoft.resourcegraph/resources/action",
        "microsoft.resourcegraph/resources/read",
    ),
    // States are only read by queries.
    (
        "microsoft.policyinsights/policystates/read",
        "microsoft.policyinsights/policystates/queryresults/read",
    ),
    // Of a VM there is one assessment, named `latest`, which is part of the operation's name.
    (
        "microsoft.compute/virtualmachines/patchassessmentresults/read",
        "microsoft.compute/virtualmachines/patchassessmentresults/latest/read",
    ),
    (
        "microsoft.compute/virtualmachines/patchassessmentresults/softwarepatches/read",
        "microsoft.compute/virtualmachines/patchassessmentresults/latest/softwarepatches/read",
    ),
];

/// Returns all actions that a request needs, in lower case.
pub(super) fn actions(request: &http::Request<Bytes>) -> BTreeSet<String> {
    let path = request.uri().path().to_ascii_lowercase();
    let mut found = BTreeSet::from([action(request.method().as_str(), &path)]);
    if path == "/providers/microsoft.resourcegraph/resources" {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let rows = types(body["query"].as_str().unwrap());
        assert!(!rows.is_empty(), "a query names no type of rows: {body}");
        found.extend(rows.iter().map(|kind| registered(format!("{kind}/read"))));
    }
    found
}

/// Tells the action from method and path.
fn action(method: &str, path: &str) -> String {
    let mut types = Vec::new();
    let mut last_is_type = true;
    match path.rsplit_once("/providers/") {
        Some((_, below)) => {
            let mut segments = below.split('/');
            types.push(segments.next().unwrap());
            for (index, segment) in segments.enumerate() {
                last_is_type = index % 2 == 0;
                if last_is_type {
                    types.push(segment);
                }
            }
        }
        // What lies above all providers belongs to Azure Resource Manager's own.
        None => {
            let names = path.trim_start_matches('/').split('/').step_by(2);
            types.push("microsoft.resources");
            types.extend(names);
        }
    }
    let does = match method {
        "GET" => "read",
        "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        "POST" if last_is_type => "action",
        other => panic!("no rule for {other} {path}"),
    };
    registered(format!("{}/{does}", types.join("/")))
}

fn registered(action: String) -> String {
    REGISTERED
        .iter()
        .find(|(by_rule, _)| *by_rule == action)
        .map_or(action, |(_, own)| (*own).to_owned())
}

/// Returns the types of rows that a query asks for: every literal that looks like one.
fn types(query: &str) -> BTreeSet<String> {
    let literals = query.split('\'').skip(1).step_by(2);
    literals
        .map(str::to_ascii_lowercase)
        .filter(|own| own.starts_with("microsoft.") && own.contains('/'))
        .collect()
}

#[test]
fn paths_become_actions_by_the_rules() {
    let group = "/subscriptions/s/resourcegroups/g/providers";
    let cases = [
        (
            "GET",
            format!("{group}/microsoft.compute/virtualmachines/vm"),
            "microsoft.compute/virtualmachines/read",
        ),
        (
            "GET",
            "/subscriptions/s/providers/microsoft.compute/virtualmachines".to_owned(),
            "microsoft.compute/virtualmachines/read",
        ),
        (
            "POST",
            format!("{group}/microsoft.compute/virtualmachines/vm/restart"),
            "microsoft.compute/virtualmachines/restart/action",
        ),
        (
            "PUT",
            format!("{group}/microsoft.hybridcompute/machines/m/licenseprofiles/default"),
            "microsoft.hybridcompute/machines/licenseprofiles/write",
        ),
        (
            "POST",
            format!(
                "{group}/microsoft.hybridcompute/machines/m/providers/\
                 microsoft.azurestackhci/virtualmachineinstances/default/restart"
            ),
            "microsoft.azurestackhci/virtualmachineinstances/restart/action",
        ),
        (
            "GET",
            "/subscriptions/s/providers/microsoft.compute/locations/l/operations/o".to_owned(),
            "microsoft.compute/locations/operations/read",
        ),
        (
            "GET",
            "/subscriptions/s/locations".to_owned(),
            "microsoft.resources/subscriptions/locations/read",
        ),
        (
            "GET",
            "/subscriptions/s/providers/microsoft.insights/eventtypes/management/values".to_owned(),
            "microsoft.insights/eventtypes/values/read",
        ),
        (
            "POST",
            "/providers/microsoft.resourcegraph/resources".to_owned(),
            "microsoft.resourcegraph/resources/read",
        ),
    ];
    for (method, path, expected) in cases {
        assert_eq!(action(method, &path), expected, "{method} {path}");
    }
    let query = "x | where type in~ ('microsoft.a/b', 'Microsoft.A/b/c') and y == 'Failed'";
    assert_eq!(types(query).len(), 2);
}
