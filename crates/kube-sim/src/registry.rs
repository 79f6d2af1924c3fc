//! Which resources exist: built-in types and those that CRDs added. Holds names, scope, versions
//! and rules per resource; it must never hold objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fields::builtin::shape;
use crate::fields::shape::Shape;
use crate::schema::Schema;

/// A built-in type with rules of its own; `None` in [`TypeInfo`] means a custom resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    Namespace,
    ConfigMap,
    ServiceAccount,
    /// core/v1, which is also the stored form.
    CoreEvent,
    /// events.k8s.io/v1, another face of the same objects.
    Event,
    Lease,
    Crd,
}

/// One version of a resource.
#[derive(Clone, Debug)]
pub(crate) struct VersionInfo {
    pub(crate) name: String,
    /// `version` or `group/version`, as objects carry it.
    pub(crate) api_version: String,
    pub(crate) served: bool,
    /// Whether `/status` is a resource of its own.
    pub(crate) status: bool,
    /// Absent for built-in types, which keep what they are given.
    pub(crate) schema: Option<Arc<Schema>>,
    /// How its values are told apart and merged.
    pub(crate) shape: Arc<Shape>,
    /// Paths a field selector may name besides name and namespace.
    pub(crate) selectable: Vec<String>,
}

/// One resource.
#[derive(Clone, Debug)]
pub(crate) struct TypeInfo {
    pub(crate) group: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    /// `plural` or `plural.group`, as messages and hooks name the resource.
    pub(crate) qualified: Arc<str>,
    /// Under which name the objects are stored.
    pub(crate) table: Arc<str>,
    pub(crate) versions: Vec<VersionInfo>,
    /// Index of the version in which objects are stored.
    pub(crate) storage: usize,
    pub(crate) builtin: Option<Builtin>,
    /// Whether `metadata.generation` counts changes.
    pub(crate) generation: bool,
    /// Whether an update may leave out `metadata.resourceVersion`.
    pub(crate) unconditional_update: bool,
    /// Whether PUT creates what does not exist.
    pub(crate) create_on_update: bool,
}

impl TypeInfo {
    /// Below which key of etcd the real server keeps the objects; some messages show it.
    pub(crate) fn storage_prefix(&self) -> String {
        match self.builtin {
            Some(Builtin::Crd) | None => format!("{}/{}", self.group, self.plural),
            Some(_) => self.plural.clone(),
        }
    }
}

/// `version` or `group/version`.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    }
}

/// `plural` or `plural.group`.
pub(crate) fn qualified(group: &str, plural: &str) -> String {
    match group {
        "" => plural.to_owned(),
        group => format!("{plural}.{group}"),
    }
}

/// All resources by qualified name.
#[derive(Debug)]
pub(crate) struct Registry {
    types: BTreeMap<Arc<str>, Arc<TypeInfo>>,
}

impl Registry {
    pub(crate) fn with_builtin_types() -> Self {
        let types = builtin_types()
            .into_iter()
            .map(|info| (Arc::clone(&info.qualified), Arc::new(info)));
        Self {
            types: types.collect(),
        }
    }

    /// Finds a resource by URL parts, with the index of a served version.
    pub(crate) fn find(
        &self,
        group: &str,
        version: &str,
        plural: &str,
    ) -> Option<(Arc<TypeInfo>, usize)> {
        let info = match group {
            "" => self.types.get(plural)?,
            group => self.types.get(qualified(group, plural).as_str())?,
        };
        let at = info
            .versions
            .iter()
            .position(|v| v.name == version && v.served)?;
        Some((Arc::clone(info), at))
    }

    /// Finds a resource by kind and any version of a group, as owner references name it.
    pub(crate) fn find_kind(&self, group: &str, kind: &str) -> Option<&Arc<TypeInfo>> {
        self.types
            .values()
            .find(|info| info.group == group && info.kind == kind)
    }

    /// The resource whose objects a table stores, in its stored form.
    pub(crate) fn by_table(&self, table: &str) -> Option<&Arc<TypeInfo>> {
        self.types.get(table)
    }

    pub(crate) fn insert(&mut self, info: TypeInfo) {
        self.types
            .insert(Arc::clone(&info.qualified), Arc::new(info));
    }

    pub(crate) fn remove(&mut self, qualified: &str) {
        self.types.remove(qualified);
    }

    /// All resources, in the order of their qualified names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<TypeInfo>> {
        self.types.values()
    }
}

/// A namespaced v1 type without subresources.
fn builtin_type(
    builtin: Builtin,
    group: &str,
    plural: &str,
    kind: &str,
    short: &[&str],
) -> TypeInfo {
    let qualified: Arc<str> = qualified(group, plural).into();
    TypeInfo {
        group: group.to_owned(),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        short_names: short.iter().map(|name| (*name).to_owned()).collect(),
        categories: Vec::new(),
        namespaced: true,
        table: Arc::clone(&qualified),
        qualified,
        versions: vec![VersionInfo {
            name: "v1".to_owned(),
            api_version: api_version(group, "v1"),
            served: true,
            status: false,
            schema: None,
            shape: Arc::new(shape(kind).clone()),
            selectable: Vec::new(),
        }],
        storage: 0,
        builtin: Some(builtin),
        generation: false,
        unconditional_update: true,
        create_on_update: false,
    }
}

fn builtin_types() -> Vec<TypeInfo> {
    let mut namespace = builtin_type(Builtin::Namespace, "", "namespaces", "Namespace", &["ns"]);
    namespace.namespaced = false;
    namespace.versions[0].status = true;
    namespace.versions[0].selectable = vec!["status.phase".to_owned()];
    let mut core_event = builtin_type(Builtin::CoreEvent, "", "events", "Event", &["ev"]);
    core_event.create_on_update = true;
    core_event.versions[0].selectable = event_fields("involvedObject");
    let more = ["source", "reportingComponent"].map(str::to_owned);
    core_event.versions[0].selectable.extend(more);
    let mut event = builtin_type(Builtin::Event, "events.k8s.io", "events", "Event", &["ev"]);
    event.table = Arc::clone(&core_event.table);
    event.create_on_update = true;
    event.versions[0].shape = Arc::new(shape("NewEvent").clone());
    event.versions[0].selectable = event_fields("regarding");
    event.versions[0]
        .selectable
        .push("reportingController".to_owned());
    let mut lease = builtin_type(
        Builtin::Lease,
        "coordination.k8s.io",
        "leases",
        "Lease",
        &[],
    );
    lease.unconditional_update = false;
    lease.create_on_update = true;
    let group = "apiextensions.k8s.io";
    let (plural, kind) = ("customresourcedefinitions", "CustomResourceDefinition");
    let mut crd = builtin_type(Builtin::Crd, group, plural, kind, &["crd", "crds"]);
    crd.namespaced = false;
    crd.versions[0].status = true;
    crd.categories = vec!["api-extensions".to_owned()];
    crd.generation = true;
    crd.unconditional_update = false;
    let account = builtin_type(
        Builtin::ServiceAccount,
        "",
        "serviceaccounts",
        "ServiceAccount",
        &["sa"],
    );
    let map = builtin_type(Builtin::ConfigMap, "", "configmaps", "ConfigMap", &["cm"]);
    vec![namespace, map, account, core_event, event, lease, crd]
}

fn event_fields(subject: &str) -> Vec<String> {
    let parts = [
        "kind",
        "namespace",
        "name",
        "uid",
        "apiVersion",
        "resourceVersion",
        "fieldPath",
    ];
    let mut fields: Vec<String> = parts
        .iter()
        .map(|part| format!("{subject}.{part}"))
        .collect();
    fields.extend(["reason", "type"].map(str::to_owned));
    fields
}
