//! Roles and bindings: defaults and field checks of k8s.io/kubernetes `pkg/apis/rbac`.

use serde_json::{Value, json};

use crate::status_error::Cause;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Fills in the API groups of a binding.
pub(super) fn default(binding: &mut Value) {
    let missing = |value: &Value| value.as_str().unwrap_or_default().is_empty();
    if binding["roleRef"].is_object() && missing(&binding["roleRef"]["apiGroup"]) {
        binding["roleRef"]["apiGroup"] = GROUP.into();
    }
    for subject in binding["subjects"].as_array_mut().into_iter().flatten() {
        let named = matches!(subject["kind"].as_str(), Some("User" | "Group"));
        if named && missing(&subject["apiGroup"]) {
            subject["apiGroup"] = GROUP.into();
        }
    }
}

/// Checks the rules of a role; only cluster roles may speak of other URLs.
pub(super) fn validate_rules(role: &Value, namespaced: bool, causes: &mut Vec<Cause>) {
    let rules = role["rules"].as_array().into_iter().flatten();
    for (at, rule) in rules.enumerate() {
        let path = format!("rules[{at}]");
        let empty = |field: &str| rule[field].as_array().is_none_or(Vec::is_empty);
        if empty("verbs") {
            let detail = "verbs must contain at least one value";
            causes.push(Cause::required(format!("{path}.verbs"), detail));
        }
        if !empty("nonResourceURLs") {
            let (field, urls) = (format!("{path}.nonResourceURLs"), &rule["nonResourceURLs"]);
            let named = ["apiGroups", "resources", "resourceNames"];
            if namespaced {
                let detail = "namespaced rules cannot apply to non-resource URLs";
                causes.push(Cause::invalid(field, urls, detail));
            } else if named.iter().any(|name| !empty(name)) {
                let detail = "rules cannot apply to both regular resources and non-resource URLs";
                causes.push(Cause::invalid(field, urls, detail));
            }
            continue;
        }
        for (field, detail) in [
            (
                "apiGroups",
                "resource rules must supply at least one api group",
            ),
            (
                "resources",
                "resource rules must supply at least one resource",
            ),
        ] {
            if empty(field) {
                causes.push(Cause::required(format!("{path}.{field}"), detail));
            }
        }
    }
}

/// Checks a binding; its role never changes.
pub(super) fn validate_binding(
    new: &Value,
    old: Option<&Value>,
    namespaced: bool,
    causes: &mut Vec<Cause>,
) {
    let role = &new["roleRef"];
    if old.is_some_and(|old| old["roleRef"] != *role) {
        let shown = json!({
            "APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"],
        });
        causes.push(Cause::invalid("roleRef", &shown, "cannot change roleRef"));
        return;
    }
    let roles: &[&str] = match namespaced {
        true => &["Role", "ClusterRole"],
        false => &["ClusterRole"],
    };
    check_kind("roleRef.kind", &role["kind"], roles, causes);
    if role["name"].as_str().unwrap_or_default().is_empty() {
        causes.push(Cause::required("roleRef.name", ""));
    }
    let subjects = new["subjects"].as_array().into_iter().flatten();
    for (at, subject) in subjects.enumerate() {
        let path = format!("subjects[{at}]");
        if subject["name"].as_str().unwrap_or_default().is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        }
        let kinds = ["ServiceAccount", "User", "Group"];
        check_kind(&format!("{path}.kind"), &subject["kind"], &kinds, causes);
        let homeless = subject["namespace"].as_str().unwrap_or_default().is_empty();
        if subject["kind"] == "ServiceAccount" && homeless && !namespaced {
            causes.push(Cause::required(format!("{path}.namespace"), ""));
        }
    }
}

fn check_kind(field: &str, value: &Value, allowed: &[&str], causes: &mut Vec<Cause>) {
    if !allowed.iter().any(|kind| value == kind) {
        let allowed: Vec<String> = allowed.iter().map(|kind| (*kind).to_owned()).collect();
        causes.push(Cause::unsupported(field, value, &allowed));
    }
}
