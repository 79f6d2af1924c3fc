//! Get and list, with selectors and pages that show one moment. Must never change stored objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::object::Object;
use crate::path::Query;
use crate::selector::{Fields, Labels};
use crate::status_error::{ApiError, Cause};
use crate::store::{ObjectKey, State};
use crate::table::Printer;
use crate::view::{self, View};
use crate::write::Target;

/// Which objects of a collection are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) labels: Labels,
    pub(crate) fields: Fields,
}

impl Selection {
    /// Reads the selectors of a request and checks that the resource knows the fields.
    pub(crate) fn read(target: &Target, query: &Query) -> Result<Self, ApiError> {
        let labels = Labels::parse(query.get("labelSelector").unwrap_or_default())?;
        let field_text = query.get("fieldSelector").unwrap_or_default();
        let fields = Fields::parse(field_text)?;
        let info = &target.info;
        for path in fields.paths() {
            let known = path == "metadata.name"
                || (path == "metadata.namespace" && info.namespaced)
                || target
                    .version()
                    .selectable
                    .iter()
                    .any(|field| field == path);
            if !known {
                return Err(ApiError::bad_request(format!(
                    "Unable to find {:?} that match label selector {:?}, field selector \
                     {field_text:?}: field label not supported: {path}",
                    format!("{}, Resource={}", target.version().api_version, info.plural),
                    query.get("labelSelector").unwrap_or_default(),
                )));
            }
        }
        let namespace = target.namespace.as_deref().map(Arc::from);
        Ok(Self {
            namespace,
            labels,
            fields,
        })
    }

    /// Whether every object of the scope is selected.
    pub(crate) fn is_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether the address is inside the scope.
    pub(crate) fn covers(&self, namespace: Option<&Arc<str>>) -> bool {
        self.namespace.is_none() || self.namespace.as_ref() == namespace
    }

    /// Whether an object, in the version of the request, passes the selectors.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }
}

/// Reads one object.
pub(crate) fn get(state: &State, target: &Target, view: View) -> Result<Object, ApiError> {
    let (info, name) = (&target.info, target.named()?);
    let stored = state.get(&info.table, &target.key(name));
    let stored = stored.ok_or_else(|| ApiError::not_found(info, name))?;
    Ok(view.show(view::from_storage(info, target.version, stored)))
}

/// Where a list continues: the version it shows and the last key it gave.
struct Continue {
    rv: u64,
    after: ObjectKey,
}

impl Continue {
    fn encode(&self) -> String {
        let text = format!("{}/{}/{}", self.rv, self.after.namespace, self.after.name);
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    fn decode(token: &str) -> Option<Self> {
        let bytes: Option<Vec<u8>> = (0..token.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(token.get(at..at + 2)?, 16).ok())
            .collect();
        let text = String::from_utf8(bytes?).ok()?;
        let mut parts = text.splitn(3, '/');
        let rv = parts.next()?.parse().ok()?;
        let (namespace, name) = (parts.next()?, parts.next()?);
        Some(Self {
            rv,
            after: ObjectKey::new(Some(namespace), name),
        })
    }
}

/// Lists a collection.
pub(crate) fn list(
    state: &State,
    target: &Target,
    query: &Query,
    view: View,
) -> Result<Vec<u8>, ApiError> {
    let selection = Selection::read(target, query)?;
    let bad_number = |name: &str| ApiError::bad_request(format!("invalid {name}"));
    let limit = match query.get("limit") {
        None => 0,
        Some(text) => text.parse::<usize>().map_err(|_| bad_number("limit"))?,
    };
    let token = query.get("continue").map(|token| {
        Continue::decode(token).ok_or_else(|| {
            ApiError::bad_request("continue key is not valid: not a token of this server")
        })
    });
    let token = token.transpose()?;
    let asked = wanted_version(state, query)?;
    let exact = query.get("resourceVersionMatch") == Some("Exact");
    let (rv, undo) = match (&token, asked) {
        (Some(token), _) => (token.rv, undo(state, target, token.rv, true)?),
        (None, Some(rv)) if exact => (rv, undo(state, target, rv, false)?),
        _ => (state.rv, BTreeMap::new()),
    };
    let found = objects(state, target, &selection, &undo);
    let found: Vec<(ObjectKey, Object)> = match &token {
        Some(token) => found
            .into_iter()
            .filter(|(key, _)| *key > token.after)
            .collect(),
        None => found,
    };
    let (page, metadata) = page(&selection, &found, limit, rv);
    Ok(render(state, target, view, page, &metadata))
}

/// The objects of a page and the metadata of its list.
fn page<'a>(
    selection: &Selection,
    found: &'a [(ObjectKey, Object)],
    limit: usize,
    rv: u64,
) -> (&'a [(ObjectKey, Object)], Value) {
    let page = if limit == 0 {
        found
    } else {
        &found[..limit.min(found.len())]
    };
    let mut metadata = json!({"resourceVersion": rv.to_string()});
    if page.len() < found.len()
        && let Some((last, _)) = page.last()
    {
        metadata["continue"] = Continue {
            rv,
            after: last.clone(),
        }
        .encode()
        .into();
        if selection.is_all() {
            metadata["remainingItemCount"] = (found.len() - page.len()).into();
        }
    }
    (page, metadata)
}

fn render(
    state: &State,
    target: &Target,
    view: View,
    page: &[(ObjectKey, Object)],
    metadata: &Value,
) -> Vec<u8> {
    if let View::Table(include) = view {
        let printer = Printer::new(state, &target.info, target.version, include);
        let objects = page.iter().map(|(_, object)| object);
        return printer.table(metadata, objects, state.now()).into_bytes();
    }
    let (kind, api_version) = view.list_kind(&target.info, target.version);
    let head = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
    let mut out = head.to_string().into_bytes();
    out.pop();
    out.extend_from_slice(b",\"items\":[");
    for (at, (_, object)) in page.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let mut text = String::new();
        view.show(object.clone()).write(&mut text);
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(b"]}");
    out
}

/// The `resourceVersion` of a request; zero and absence both mean any version.
pub(crate) fn asked_version(query: &Query) -> Result<Option<u64>, ApiError> {
    let Some(text) = query.get("resourceVersion") else {
        return Ok(None);
    };
    let rv: u64 = text.parse().map_err(|_| {
        ApiError::bad_request(format!(
            "resourceVersion: Invalid value: {text:?}: not a number"
        ))
    })?;
    Ok(Some(rv).filter(|rv| *rv > 0))
}

/// The `resourceVersion` of a list; 504 when it lies in the future.
fn wanted_version(state: &State, query: &Query) -> Result<Option<u64>, ApiError> {
    let Some(rv) = asked_version(query)? else {
        return Ok(None);
    };
    if rv > state.rv {
        let message = format!("Too large resource version: {rv}, current: {}", state.rv);
        let mut error = ApiError::new(504, "Timeout", message);
        error.retry_after_seconds = Some(1);
        error.causes.push(Cause {
            reason: "ResourceVersionTooLarge",
            field: String::new(),
            message: "Too large resource version".to_owned(),
        });
        return Err(error);
    }
    Ok(Some(rv))
}

/// What has to be put back to see a table as it was at `rv`.
fn undo(
    state: &State,
    target: &Target,
    rv: u64,
    continues: bool,
) -> Result<BTreeMap<ObjectKey, Option<Object>>, ApiError> {
    let mut before = BTreeMap::new();
    let table = state.tables.get(&target.info.table);
    if rv < table.map_or(state.compacted_rv, |table| table.compacted_rv) {
        return Err(ApiError::expired(if continues {
            "The provided continue parameter is too old to display a consistent list result. \
             You must start a new list without the continue parameter."
        } else {
            "The resourceVersion for the provided list is too old."
        }));
    }
    for commit in table.into_iter().flat_map(|table| table.log.iter().rev()) {
        if commit.rv <= rv {
            break;
        }
        let key = ObjectKey::new(commit.namespace.as_deref(), &commit.name);
        before.insert(key, commit.object_before());
    }
    Ok(before)
}

/// The selected objects in the version of the request, by key.
pub(crate) fn objects(
    state: &State,
    target: &Target,
    selection: &Selection,
    undo: &BTreeMap<ObjectKey, Option<Object>>,
) -> Vec<(ObjectKey, Object)> {
    let mut found = Vec::new();
    let mut take = |key: &ObjectKey, stored: &Object| {
        let object = view::from_storage(&target.info, target.version, stored);
        if selection.matches(&object) {
            found.push((key.clone(), object));
        }
    };
    if let Some(table) = state.tables.get(&target.info.table) {
        let fresh = |(key, _): &(&ObjectKey, &Object)| !undo.contains_key(*key);
        match &selection.namespace {
            Some(namespace) => {
                table
                    .in_namespace(namespace)
                    .filter(fresh)
                    .for_each(|(k, o)| take(k, o));
            }
            None => table
                .objects
                .iter()
                .filter(fresh)
                .for_each(|(k, o)| take(k, o)),
        }
    }
    if !undo.is_empty() {
        for (key, old) in undo {
            if let Some(old) = old
                .as_ref()
                .filter(|_| selection.covers(Some(&key.namespace)))
            {
                take(key, old);
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    found
}
