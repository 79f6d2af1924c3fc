//! The end of a namespace: what its status says while its content goes, as the namespace
//! controller tells it (k8s.io/kubernetes `pkg/controller/namespace/deletion`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::meta;
use crate::store::{GlobalKey, State};

impl State {
    /// Writes into a terminating namespace what is left in it.
    pub(crate) fn tell_remains(&mut self, at: &GlobalKey) {
        let Some(namespace) = self.get(&at.table, &at.key).cloned() else {
            return;
        };
        let mut resources: BTreeMap<String, usize> = BTreeMap::new();
        let mut finalizers: BTreeMap<String, usize> = BTreeMap::new();
        for (name, table) in &self.tables {
            // The controller writes a resource without a group with a dot, too.
            let shown = if name.contains('.') {
                name.to_string()
            } else {
                format!("{name}.")
            };
            for (_, object) in table.in_namespace(&at.key.name) {
                *resources.entry(shown.clone()).or_default() += 1;
                for finalizer in meta::finalizers(object) {
                    *finalizers.entry(finalizer.to_owned()).or_default() += 1;
                }
            }
        }
        let conditions = conditions(&resources, &finalizers);
        let now = self.timestamp();
        let old = namespace["status"]["conditions"].as_array();
        let timed = conditions.into_iter().map(|mut condition| {
            let mut same = old.into_iter().flatten().filter(|old| {
                old["type"] == condition["type"] && old["status"] == condition["status"]
            });
            let since = same.next().map(|old| old["lastTransitionTime"].clone());
            condition["lastTransitionTime"] = since.unwrap_or_else(|| now.as_str().into());
            condition
        });
        let mut told = Value::clone(&namespace);
        told["status"]["conditions"] = timed.collect();
        if told != *namespace.value {
            self.rewrite(at, told, "status");
        }
    }
}

fn conditions(
    resources: &BTreeMap<String, usize>,
    finalizers: &BTreeMap<String, usize>,
) -> Vec<Value> {
    let list = |counts: &BTreeMap<String, usize>, verb: &str| {
        let parts: Vec<String> = counts
            .iter()
            .map(|(name, count)| format!("{name} {verb} {count} resource instances"))
            .collect();
        parts.join(", ")
    };
    let remaining = if resources.is_empty() {
        (
            "False",
            "ContentRemoved",
            "All content successfully removed".to_owned(),
        )
    } else {
        let text = format!("Some resources are remaining: {}", list(resources, "has"));
        ("True", "SomeResourcesRemain", text)
    };
    let finalizing = if finalizers.is_empty() {
        let text = "All content-preserving finalizers finished".to_owned();
        ("False", "ContentHasNoFinalizers", text)
    } else {
        let text = format!(
            "Some content in the namespace has finalizers remaining: {}",
            list(finalizers, "in")
        );
        ("True", "SomeFinalizersRemain", text)
    };
    let fixed = |text: &str| text.to_owned();
    [
        (
            "NamespaceDeletionDiscoveryFailure",
            ("False", "ResourcesDiscovered", fixed("All resources successfully discovered")),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            ("False", "ParsedGroupVersions", fixed("All legacy kube types successfully parsed")),
        ),
        (
            "NamespaceDeletionContentFailure",
            (
                "False",
                "ContentDeleted",
                fixed("All content successfully deleted, may be waiting on finalization"),
            ),
        ),
        ("NamespaceContentRemaining", remaining),
        ("NamespaceFinalizersRemaining", finalizing),
    ]
    .into_iter()
    .map(|(kind, (status, reason, message))| {
        json!({"type": kind, "status": status, "reason": reason, "message": message})
    })
    .collect()
}
