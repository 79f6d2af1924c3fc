//! The names of custom resources: which of a CRD's names are free, and what its status says of it.
//! Follows k8s.io/apiextensions-apiserver `pkg/controller/status` and `pkg/controller/establish`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::crd;
use crate::registry::{Registry, TypeInfo};
use crate::store::{GlobalKey, ObjectKey, State};

/// Whether a CRD's status says that its type is served.
pub(crate) fn is_established(crd: &Value) -> bool {
    let conditions = crd["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .filter(|condition| condition["type"] == "Established")
        .any(|condition| condition["status"] == "True")
}

/// The name that another resource of the group has already, with the field that holds it. The last
/// conflict counts, as in the real server.
fn conflict(registry: &Registry, spec: &Value) -> Option<(&'static str, &'static str, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let group = text(&spec["group"]);
    let plural = text(&spec["names"]["plural"]);
    let others: Vec<&Arc<TypeInfo>> = registry
        .iter()
        .filter(|info| info.group == group && info.plural != plural)
        .collect();
    let is_resource = |name: &str| {
        others.iter().any(|info| {
            info.plural == name
                || info.singular == name
                || info.short_names.iter().any(|own| own == name)
        })
    };
    let is_kind = |name: &str| {
        let mut others = others.iter();
        others.any(|info| info.kind == name || info.list_kind == name)
    };
    let names = &spec["names"];
    let short = names["shortNames"].as_array().into_iter().flatten();
    let short = short.map(text).find(|name| is_resource(name));
    let taken = |field: &str, by: &dyn Fn(&str) -> bool| {
        Some(text(&names[field])).filter(|name| !name.is_empty() && by(name))
    };
    [
        ("plural", "PluralConflict", taken("plural", &is_resource)),
        (
            "singular",
            "SingularConflict",
            taken("singular", &is_resource),
        ),
        ("shortNames", "ShortNamesConflict", short),
        ("kind", "KindConflict", taken("kind", &is_kind)),
        ("listKind", "ListKindConflict", taken("listKind", &is_kind)),
    ]
    .into_iter()
    .rev()
    .find_map(|(field, reason, name)| Some((field, reason, name?)))
}

/// The status of a new CRD.
pub(crate) fn status(registry: &Registry, crd: &Value, now: &str) -> Value {
    let mut status = crd::established(crd, now);
    let Some((_, reason, name)) = conflict(registry, &crd["spec"]) else {
        return status;
    };
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "False", "lastTransitionTime": now,
            "reason": reason, "message": message,
        })
    };
    let in_use = format!("{name:?} is already in use");
    status["conditions"] = json!([
        condition("NamesAccepted", reason, &in_use),
        condition("Established", "NotAccepted", "not all names are accepted"),
    ]);
    let mut accepted = crd["spec"]["names"].clone();
    let mut rest = crd["spec"].clone();
    while let Some((field, ..)) = conflict(registry, &rest) {
        for names in [&mut accepted, &mut rest["names"]] {
            if let Some(names) = names.as_object_mut() {
                names.remove(field);
            }
        }
    }
    if accepted["kind"].is_null() {
        accepted["kind"] = "".into();
    }
    status["acceptedNames"] = accepted;
    status
}

impl State {
    /// Accepts the names of CRDs that waited for others to go.
    pub(crate) fn accept_names(&mut self) {
        let table = self.tables.get(crd::TABLE);
        let waiting: Vec<ObjectKey> = table
            .into_iter()
            .flat_map(|table| &table.objects)
            .filter(|(_, crd)| !is_established(crd))
            .map(|(key, _)| key.clone())
            .collect();
        for key in waiting {
            let Some(crd) = self.get(crd::TABLE, &key).cloned() else {
                continue;
            };
            let status = status(&self.registry, &crd, &self.timestamp());
            if status["conditions"][0]["status"] == "True" {
                let mut accepted = Value::clone(&crd);
                accepted["status"] = status;
                let table = crd::TABLE.into();
                self.rewrite(&GlobalKey { table, key }, accepted, "status");
            }
        }
    }
}
