//! What the server says about itself: `/version`, `/api`, `/apis` and the resources of each group
//! version, in the plain form. Must never look at objects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::path::{self, Route};
use crate::registry::{Registry, TypeInfo, VersionInfo};
use crate::status_error::ApiError;
use crate::store::State;

/// The version of Kubernetes whose behaviour is followed.
const MAJOR_MINOR: (&str, &str) = ("1", "34");

/// Answers a GET of a discovery path.
pub(crate) fn answer(state: &State, path: &str) -> Result<Value, ApiError> {
    let registry = &state.registry;
    match path::parse(path) {
        Route::Version => Ok(version()),
        Route::CoreVersions => Ok(json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [],
        })),
        Route::Groups => {
            let groups = groups(registry);
            let groups: Vec<Value> = groups.iter().map(|(name, v)| group(name, v)).collect();
            Ok(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        Route::Group(name) => {
            let groups = groups(registry);
            let versions = groups
                .get(name.as_str())
                .ok_or_else(ApiError::no_such_path)?;
            let mut found = group(&name, versions);
            found["kind"] = "APIGroup".into();
            found["apiVersion"] = "v1".into();
            Ok(found)
        }
        Route::GroupVersion { group, version } => resources(registry, &group, &version),
        Route::Resource(_) | Route::Unknown => Err(ApiError::no_such_path()),
    }
}

fn version() -> Value {
    let (major, minor) = MAJOR_MINOR;
    json!({
        "major": major,
        "minor": minor,
        "gitVersion": format!("v{major}.{minor}.0+kube-sim"),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": "in-memory",
    })
}

/// Named groups with their served versions, best first.
fn groups(registry: &Registry) -> BTreeMap<&str, Vec<&str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for info in registry.iter().filter(|info| !info.group.is_empty()) {
        let versions = groups.entry(&info.group).or_default();
        for version in info.versions.iter().filter(|version| version.served) {
            if !versions.contains(&version.name.as_str()) {
                versions.push(&version.name);
            }
        }
    }
    groups
}

fn group(name: &str, versions: &[&str]) -> Value {
    let entry =
        |version: &&str| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({
        "name": name,
        "versions": versions.iter().map(entry).collect::<Vec<Value>>(),
        "preferredVersion": versions.first().map(entry),
    })
}

fn resources(registry: &Registry, group: &str, version: &str) -> Result<Value, ApiError> {
    let mut found = Vec::new();
    for info in registry.iter().filter(|info| info.group == group) {
        let served = info.versions.iter().find(|v| v.name == version && v.served);
        if let Some(served) = served {
            found.extend(entries(info, served));
        }
    }
    if found.is_empty() {
        return Err(ApiError::no_such_path());
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    Ok(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": found,
    }))
}

fn entries(info: &TypeInfo, version: &VersionInfo) -> Vec<Value> {
    let mut main = json!({
        "name": info.plural,
        "singularName": info.singular,
        "namespaced": info.namespaced,
        "kind": info.kind,
        "verbs": [
            "delete", "deletecollection", "get", "list", "patch", "create", "update", "watch",
        ],
    });
    if !info.short_names.is_empty() {
        main["shortNames"] = info.short_names.clone().into();
    }
    if !info.categories.is_empty() {
        main["categories"] = info.categories.clone().into();
    }
    let mut entries = vec![main];
    if version.status {
        entries.push(json!({
            "name": format!("{}/status", info.plural),
            "singularName": "",
            "namespaced": info.namespaced,
            "kind": info.kind,
            "verbs": ["get", "patch", "update"],
        }));
    }
    entries
}
