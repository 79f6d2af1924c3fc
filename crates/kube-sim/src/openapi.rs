//! OpenAPI documents: one a group version, from built-in types and from the schemas of CRDs. What
//! `kubectl explain` prints and what kubectl's validation looks for. Must never look at objects.

mod paths;
mod schemas;

use serde_json::{Map, Value, json};

use crate::discovery;
use crate::registry::{TypeInfo, VersionInfo};
use crate::store::State;

/// The minimal OpenAPI v2 document: this server describes itself in version 3.
pub(crate) fn v2() -> Value {
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "1.36"},
        "paths": {},
        "definitions": {},
    })
}

/// The documents that there are: `api/VERSION` and `apis/GROUP/VERSION`.
pub(crate) fn group_versions(state: &State) -> Vec<String> {
    let groups = discovery::groups(&state.registry).into_iter();
    let names = groups.flat_map(|(group, versions)| {
        versions.into_iter().map(move |version| match group {
            "" => format!("api/{version}"),
            group => format!("apis/{group}/{version}"),
        })
    });
    names.collect()
}

/// A type in one of its versions.
#[derive(Clone, Copy)]
struct Kind<'a> {
    info: &'a TypeInfo,
    version: &'a VersionInfo,
}

impl Kind<'_> {
    fn gvk(&self) -> Value {
        json!({
            "group": self.info.group,
            "version": self.version.name,
            "kind": self.info.kind,
        })
    }
}

/// The document of a group version, if there is one.
pub(crate) fn v3(state: &State, group_version: &str) -> Option<Value> {
    let parts: Vec<&str> = group_version.split('/').collect();
    let (group, version) = match parts.as_slice() {
        ["api", version] => ("", *version),
        ["apis", group, version] => (*group, *version),
        _ => return None,
    };
    let mut document = Document::default();
    for info in state.registry.iter().filter(|info| info.group == group) {
        let served = info.versions.iter().find(|v| v.name == version && v.served);
        if let Some(version) = served {
            document.add(state, Kind { info, version });
        }
    }
    (!document.paths.is_empty()).then(|| document.finish())
}

/// A document in the making.
#[derive(Default)]
struct Document {
    paths: Map<String, Value>,
    schemas: schemas::Schemas,
}

impl Document {
    fn add(&mut self, state: &State, kind: Kind<'_>) {
        let name = self.schemas.add(state, kind);
        let list = self.schemas.add_list(kind, &name);
        paths::add(kind, &name, &list, &mut self.paths);
    }

    fn finish(self) -> Value {
        json!({
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": "v1.36"},
            "paths": self.paths,
            "components": {"schemas": self.schemas.finish()},
        })
    }
}
