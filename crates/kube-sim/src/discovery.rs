//! What the server says about itself: `/version`, `/api`, `/apis` and the resources of each group
//! version, plain and aggregated. Must never look at objects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::path::{self, Route};
use crate::registry::{Builtin, Registry, TypeInfo, VersionInfo, api_version};
use crate::status_error::ApiError;
use crate::store::State;

/// The version of Kubernetes whose behaviour is followed.
const MAJOR_MINOR: (&str, u32) = ("1", 36);

/// Paths besides discovery.
const OTHER_PATHS: [&str; 7] = [
    "/",
    "/healthz",
    "/livez",
    "/openapi/v2",
    "/openapi/v3",
    "/readyz",
    "/version",
];

/// A resource or subresource as discovery tells of it.
pub(crate) struct Entry {
    /// `plural` or `plural/subresource`.
    pub(crate) name: String,
    /// Empty for subresources.
    pub(crate) singular: String,
    pub(crate) namespaced: bool,
    pub(crate) kind: String,
    pub(crate) verbs: &'static [&'static str],
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    /// Group and version of the body, where they differ from the group version's own.
    pub(crate) foreign: Option<(&'static str, &'static str)>,
}

/// Answers a GET of a discovery path in the plain form.
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
            let groups = groups.iter().filter(|(name, _)| !name.is_empty());
            let groups: Vec<Value> = groups.map(|(name, v)| group(name, v)).collect();
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
        _ => Err(ApiError::no_such_path()),
    }
}

/// `/`: the paths that exist.
pub(crate) fn paths(state: &State) -> Value {
    let mut paths: Vec<String> = OTHER_PATHS.map(str::to_owned).into();
    paths.extend(["/api", "/apis"].map(str::to_owned));
    for (group, versions) in groups(&state.registry) {
        let root = match group {
            "" => "/api".to_owned(),
            group => format!("/apis/{group}"),
        };
        paths.extend(versions.iter().map(|version| format!("{root}/{version}")));
        paths.push(root);
    }
    paths.sort();
    paths.dedup();
    json!({"paths": paths})
}

/// `apidiscovery.k8s.io/v2`: everything of `/api` or `/apis` in one answer.
pub(crate) fn aggregated(state: &State, is_core: bool) -> Value {
    let mut items = Vec::new();
    for (group, versions) in groups(&state.registry) {
        if group.is_empty() != is_core {
            continue;
        }
        let versions = versions.iter().map(|version| {
            json!({
                "version": version,
                "freshness": "Current",
                "resources": aggregated_resources(&state.registry, group, version),
            })
        });
        let mut item = json!({"metadata": {}, "versions": versions.collect::<Vec<Value>>()});
        if !is_core {
            item["metadata"]["name"] = group.into();
        }
        items.push(item);
    }
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

fn version() -> Value {
    let (major, minor) = MAJOR_MINOR;
    json!({
        "major": major,
        "minor": minor.to_string(),
        "emulationMajor": major,
        "emulationMinor": minor.to_string(),
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": (minor - 1).to_string(),
        "gitVersion": format!("v{major}.{minor}.3+kube-sim"),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": "in-memory",
    })
}

/// All groups with their served versions, best first.
pub(crate) fn groups(registry: &Registry) -> BTreeMap<&str, Vec<&str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for info in registry.iter() {
        let versions = groups.entry(&info.group).or_default();
        for version in info.versions.iter().filter(|version| version.served) {
            if !versions.contains(&version.name.as_str()) {
                versions.push(&version.name);
            }
        }
    }
    groups.retain(|_, versions| !versions.is_empty());
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

/// The resources of a group version, each with its subresources behind it.
fn of_group_version(registry: &Registry, group: &str, version: &str) -> Vec<Vec<Entry>> {
    let mut found = Vec::new();
    for info in registry.iter().filter(|info| info.group == group) {
        let served = info.versions.iter().find(|v| v.name == version && v.served);
        found.extend(served.map(|served| entries(info, served)));
    }
    found
}

fn resources(registry: &Registry, group: &str, version: &str) -> Result<Value, ApiError> {
    let found = of_group_version(registry, group, version);
    if found.is_empty() {
        return Err(ApiError::no_such_path());
    }
    let plain = found.iter().flatten().map(plain);
    Ok(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version(group, version),
        "resources": plain.collect::<Vec<Value>>(),
    }))
}

fn plain(entry: &Entry) -> Value {
    let mut out = json!({
        "name": entry.name,
        "singularName": entry.singular,
        "namespaced": entry.namespaced,
        "kind": entry.kind,
        "verbs": entry.verbs,
    });
    if let Some((group, version)) = entry.foreign {
        out["group"] = group.into();
        out["version"] = version.into();
    }
    name_lists(entry, &mut out);
    out
}

fn name_lists(entry: &Entry, out: &mut Value) {
    if !entry.short_names.is_empty() {
        out["shortNames"] = entry.short_names.clone().into();
    }
    if !entry.categories.is_empty() {
        out["categories"] = entry.categories.clone().into();
    }
}

fn aggregated_resources(registry: &Registry, group: &str, version: &str) -> Vec<Value> {
    let kind = |entry: &Entry| {
        let (group, version) = entry.foreign.unwrap_or((group, version));
        json!({"group": group, "version": version, "kind": entry.kind})
    };
    let mut out = Vec::new();
    for entries in of_group_version(registry, group, version) {
        let Some((main, subresources)) = entries.split_first() else {
            continue;
        };
        let mut resource = json!({
            "resource": main.name,
            "responseKind": kind(main),
            "scope": if main.namespaced { "Namespaced" } else { "Cluster" },
            "singularResource": main.singular,
            "verbs": main.verbs,
        });
        name_lists(main, &mut resource);
        let subresources = subresources.iter().map(|entry| {
            let name = entry.name.split_once('/').map_or("", |(_, name)| name);
            json!({"subresource": name, "responseKind": kind(entry), "verbs": entry.verbs})
        });
        let subresources: Vec<Value> = subresources.collect();
        if !subresources.is_empty() {
            resource["subresources"] = subresources.into();
        }
        out.push(resource);
    }
    out
}

/// The verbs of a resource, in the order in which the real server lists them.
fn verbs(info: &TypeInfo) -> &'static [&'static str] {
    match info.builtin {
        None => &[
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "create",
            "update",
            "watch",
        ],
        Some(Builtin::Namespace) => &[
            "create", "delete", "get", "list", "patch", "update", "watch",
        ],
        Some(_) => &[
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ],
    }
}

/// A resource and its subresources.
pub(crate) fn entries(info: &TypeInfo, version: &VersionInfo) -> Vec<Entry> {
    let entry = |name: String, verbs| Entry {
        name,
        singular: String::new(),
        namespaced: info.namespaced,
        kind: info.kind.clone(),
        verbs,
        short_names: Vec::new(),
        categories: Vec::new(),
        foreign: None,
    };
    let mut entries = vec![Entry {
        singular: info.singular.clone(),
        short_names: info.short_names.clone(),
        categories: info.categories.clone(),
        ..entry(info.plural.clone(), verbs(info))
    }];
    if version.status {
        let name = format!("{}/status", info.plural);
        entries.push(entry(name, &["get", "patch", "update"]));
    }
    entries
}
