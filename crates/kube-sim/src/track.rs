//! Field ownership of each write: which changes count for whom. Follows k8s.io/apiserver
//! `endpoints/handlers` and the reset fields of each type's strategy; it must never change what an
//! object holds besides its owners.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::fields::compare::{Changes, compare};
use crate::fields::managed::{Managed, Writer};
use crate::fields::set::FieldSet;
use crate::object::Object;
use crate::registry::{Builtin, TypeInfo};
use crate::store::{GlobalKey, State};
use crate::view;
use crate::write::Target;

/// The manager for what the server does in the role of the real cluster's controllers.
const CONTROLLERS: &str = "kube-controller-manager";

/// Metadata that nobody owns (`managedfields` `stripSet`).
const UNOWNED_METADATA: [&str; 9] = [
    "f:name",
    "f:namespace",
    "f:creationTimestamp",
    "f:selfLink",
    "f:uid",
    "f:clusterName",
    "f:generation",
    "f:managedFields",
    "f:resourceVersion",
];

/// Drops what a writer cannot own: the fields of the system, and those that belong to another
/// endpoint.
pub(crate) fn ownable(info: &TypeInfo, version: usize, subresource: &str, set: &mut FieldSet) {
    let separate = info.versions[version].status;
    set.retain(|step, node| {
        let elsewhere = match subresource {
            "status" => step != "f:status",
            _ => separate && step == "f:status",
        };
        if elsewhere || matches!(step, "f:apiVersion" | "f:kind") {
            return false;
        }
        if step == "f:metadata" {
            node.member = false;
            node.below
                .retain(|step, _| !UNOWNED_METADATA.contains(&step));
        }
        true
    });
}

/// The writer behind a request.
pub(crate) fn writer(target: &Target, manager: &Arc<str>) -> Writer {
    Writer {
        manager: Arc::clone(manager),
        api_version: target.version().api_version.as_str().into(),
        subresource: target.subresource.as_deref().unwrap_or_default().into(),
    }
}

/// The owners of a new object's fields.
pub(crate) fn created(
    target: &Target,
    body: &Value,
    given: Option<&Value>,
    manager: &Arc<str>,
    now: &str,
) -> Managed {
    let (info, version) = (&target.info, target.version);
    let changes = |_: &str| {
        let blank = blank(info, body);
        let mut changes = compare(&target.version().shape, &blank, body);
        ownable(info, version, "", &mut changes.touched);
        changes.removed = FieldSet::default();
        changes
    };
    let owners = Managed::default().given(given);
    owners.updated(&writer(target, manager), &now.into(), changes)
}

/// The owners after an update from `old` to `new`, both in the version of the request.
pub(crate) fn updated(
    target: &Target,
    old: &Object,
    new: &Value,
    given: Option<&Value>,
    manager: &Arc<str>,
    now: &str,
) -> Managed {
    let subresource = target.subresource.as_deref().unwrap_or_default();
    let kept = given.filter(|_| subresource.is_empty());
    let owners = old.managed.given(kept);
    if *old.value == *new {
        return owners;
    }
    let (info, version) = (&target.info, target.version);
    let writer = writer(target, manager);
    let changes = |api_version: &str| {
        let mut changes = changes_in(info, version, api_version, old, new);
        ownable(info, version, subresource, &mut changes.touched);
        ownable(info, version, subresource, &mut changes.removed);
        changes
    };
    owners.updated(&writer, &now.into(), changes)
}

/// A change in the terms of another version: only events have fields of other names there.
fn changes_in(
    info: &TypeInfo,
    version: usize,
    api_version: &str,
    old: &Value,
    new: &Value,
) -> Changes {
    let own = &info.versions[version];
    if own.api_version == api_version
        || !matches!(info.builtin, Some(Builtin::Event | Builtin::CoreEvent))
    {
        return compare(&own.shape, old, new);
    }
    let face = |object: &Value| view::other_event_face(object.clone(), api_version);
    let row = if api_version == "v1" {
        "Event"
    } else {
        "NewEvent"
    };
    compare(crate::fields::builtin::shape(row), &face(old), &face(new))
}

/// An object of a built-in type as it decodes from nothing: what is there already was not added.
fn blank(info: &TypeInfo, body: &Value) -> Value {
    let mut blank = match info.builtin {
        Some(Builtin::Namespace) => json!({"spec": {}, "status": {}}),
        Some(Builtin::Lease) => json!({"spec": {}}),
        Some(Builtin::CoreEvent) => json!({
            "involvedObject": {}, "source": {}, "firstTimestamp": null, "lastTimestamp": null,
            "eventTime": null, "reportingComponent": "", "reportingInstance": "",
        }),
        Some(Builtin::Event) => json!({
            "eventTime": null, "regarding": {}, "deprecatedSource": {},
            "deprecatedFirstTimestamp": null, "deprecatedLastTimestamp": null,
        }),
        Some(Builtin::Crd) => json!({
            "spec": {
                "group": "", "scope": "", "versions": null, "names": {"plural": "", "kind": ""},
            },
            "status": {},
        }),
        _ => json!({}),
    };
    blank["metadata"] = json!({});
    for field in ["apiVersion", "kind"] {
        blank[field] = body[field].clone();
    }
    blank
}

impl State {
    /// Stores a change that the server makes by itself, on behalf of the cluster's controllers.
    pub(crate) fn rewrite(&mut self, at: &GlobalKey, value: Value, subresource: &str) {
        let (Some(info), Some(old)) = (
            self.registry.by_table(&at.table).cloned(),
            self.get(&at.table, &at.key).cloned(),
        ) else {
            return;
        };
        let target = Target {
            version: info.storage,
            info,
            namespace: None,
            name: None,
            subresource: Some(subresource.to_owned()).filter(|name| !name.is_empty()),
        };
        let now = self.timestamp();
        let managed = updated(&target, &old, &value, None, &CONTROLLERS.into(), &now);
        self.commit(&at.table, &at.key, Some(Object::new(value, managed)));
    }
}
