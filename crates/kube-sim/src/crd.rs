//! CustomResourceDefinitions: from a CRD object to a registered type. Follows
//! k8s.io/apiextensions-apiserver `pkg/apis/apiextensions/validation`; it must never store
//! anything.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::fields::shape::Shape;
use crate::registry::{TypeInfo, VersionInfo, api_version, qualified};
use crate::schema::Schema;
use crate::status_error::Cause;

/// Where CRD objects are stored.
pub(crate) const TABLE: &str = "customresourcedefinitions.apiextensions.k8s.io";
/// Finalizer that holds a CRD until its objects are gone.
pub(crate) const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

const ACCEPTED: &str = "the initial names have been accepted";

/// Fills in what a CRD's author may leave out.
pub(crate) fn default(crd: &mut Value) {
    let Some(spec) = crd.get_mut("spec").filter(|spec| spec.is_object()) else {
        return;
    };
    let Some(kind) = spec["names"]["kind"].as_str().map(str::to_owned) else {
        return;
    };
    let names = &mut spec["names"];
    for (field, fallback) in [
        ("singular", kind.to_lowercase()),
        ("listKind", format!("{kind}List")),
    ] {
        if names[field].is_null() {
            names[field] = fallback.into();
        }
    }
    if spec["conversion"].is_null() {
        spec["conversion"] = json!({"strategy": "None"});
    }
}

/// The status of a CRD whose names were accepted and whose type is served.
pub(crate) fn established(crd: &Value, now: &str) -> Value {
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastTransitionTime": now,
        })
    };
    let spec = &crd["spec"];
    json!({
        "acceptedNames": spec["names"],
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", ACCEPTED),
        ],
        "storedVersions": storage_versions(spec),
    })
}

/// Follows a changed spec in an established CRD's status.
pub(crate) fn follow(crd: &mut Value) {
    let names = crd["spec"]["names"].clone();
    let added = storage_versions(&crd["spec"]);
    let status = &mut crd["status"];
    status["acceptedNames"] = names;
    if !status["storedVersions"].is_array() {
        status["storedVersions"] = json!([]);
    }
    if let Some(stored) = status["storedVersions"].as_array_mut() {
        let fresh: Vec<Value> = added.into_iter().filter(|v| !stored.contains(v)).collect();
        stored.extend(fresh);
    }
}

fn storage_versions(spec: &Value) -> Vec<Value> {
    let versions = spec["versions"].as_array().into_iter().flatten();
    versions
        .filter(|v| v["storage"] == true)
        .map(|v| v["name"].clone())
        .collect()
}

/// Reads a CRD's spec into a type; the error lists every field that is wrong.
pub(crate) fn type_info(spec: &Value) -> Result<TypeInfo, Vec<Cause>> {
    let mut causes = Vec::new();
    let group = text(spec, "group", "spec.group", &mut causes);
    let names = &spec["names"];
    let plural = text(names, "plural", "spec.names.plural", &mut causes);
    let kind = text(names, "kind", "spec.names.kind", &mut causes);
    let namespaced = is_namespaced(&spec["scope"], &mut causes);
    let list = spec["versions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    // A schema that all versions share is told of as if it stood outside of them.
    let schema = |version: &Value| version["schema"].clone();
    let alike = list
        .windows(2)
        .all(|pair| schema(&pair[0]) == schema(&pair[1]));
    let mut versions: Vec<VersionInfo> = list
        .iter()
        .enumerate()
        .map(|(at, v)| version_info((at, alike), &group, v, &mut causes))
        .collect();
    let storage: Vec<&str> = list
        .iter()
        .filter(|version| version["storage"] == true)
        .filter_map(|version| version["name"].as_str())
        .collect();
    if storage.len() != 1 {
        let detail = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &spec["versions"], detail));
    }
    if !causes.is_empty() {
        return Err(causes);
    }
    versions.sort_by_key(|version| std::cmp::Reverse(priority(&version.name)));
    let stored = |version: &VersionInfo| storage.contains(&version.name.as_str());
    let storage = versions.iter().position(stored).unwrap_or_default();
    let strings = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let or = |field: &str, fallback: String| {
        names[field].as_str().map(str::to_owned).unwrap_or(fallback)
    };
    let qualified: Arc<str> = qualified(&group, &plural).into();
    Ok(TypeInfo {
        singular: or("singular", kind.to_lowercase()),
        list_kind: or("listKind", format!("{kind}List")),
        short_names: strings(&names["shortNames"]),
        categories: strings(&names["categories"]),
        group,
        plural,
        kind,
        namespaced,
        table: Arc::clone(&qualified),
        qualified,
        versions,
        storage,
        builtin: None,
        generation: true,
        unconditional_update: false,
        create_on_update: false,
    })
}

fn is_namespaced(scope: &Value, causes: &mut Vec<Cause>) -> bool {
    if !matches!(scope.as_str(), Some("Namespaced" | "Cluster")) {
        let allowed = ["Cluster", "Namespaced"].map(str::to_owned);
        causes.push(Cause::unsupported("spec.scope", scope, &allowed));
    }
    scope == "Namespaced"
}

fn text(value: &Value, field: &str, path: &str, causes: &mut Vec<Cause>) -> String {
    let found = value[field].as_str().unwrap_or_default();
    if found.is_empty() {
        causes.push(Cause::required(path, ""));
    }
    found.to_owned()
}

fn version_info(
    (at, alike): (usize, bool),
    group: &str,
    version: &Value,
    causes: &mut Vec<Cause>,
) -> VersionInfo {
    let path = format!("spec.versions[{at}]");
    let name = text(version, "name", &format!("{path}.name"), causes);
    let root = &version["schema"]["openAPIV3Schema"];
    let schema_path = format!("{path}.schema.openAPIV3Schema");
    let schema = if root.is_object() {
        let path = match alike {
            true => "spec.validation.openAPIV3Schema",
            false => schema_path.as_str(),
        };
        Schema::parse_root(root, path, causes)
    } else {
        causes.push(Cause::required(schema_path, ""));
        None
    };
    let fields = version["selectableFields"].as_array().into_iter().flatten();
    let fields = fields.filter_map(|field| field["jsonPath"].as_str());
    VersionInfo {
        api_version: api_version(group, &name),
        name,
        served: version["served"] == true,
        status: version["subresources"]["status"].is_object(),
        schema: schema.map(Arc::new),
        shape: Arc::new(Shape::of_custom(root)),
        selectable: fields
            .map(|path| path.trim_start_matches('.').to_owned())
            .collect(),
    }
}

/// Orders versions as discovery does: stable before beta before alpha, newest first.
fn priority(name: &str) -> (u8, u64, u64) {
    let parse = || {
        let rest = name.strip_prefix('v')?;
        let (major, tail) = match rest.find(|c: char| !c.is_ascii_digit()) {
            None => (rest.parse().ok()?, ""),
            Some(end) => (rest[..end].parse().ok()?, &rest[end..]),
        };
        let minor = |tail: &str| tail.parse::<u64>().ok();
        match (tail, tail.strip_prefix("beta"), tail.strip_prefix("alpha")) {
            ("", _, _) => Some((3, major, 0)),
            (_, Some(tail), _) => Some((2, major, minor(tail)?)),
            (_, _, Some(tail)) => Some((1, major, minor(tail)?)),
            _ => None,
        }
    };
    parse().unwrap_or_default()
}
