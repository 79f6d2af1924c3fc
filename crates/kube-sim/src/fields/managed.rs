//! Who owns which fields of an object: `metadata.managedFields`, kept compact and written as JSON
//! only when an object is shown. Follows k8s.io/apimachinery `util/managedfields`.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::compare::Changes;
use super::set::{FieldSet, quote};

/// Update entries of one object above this many are put together, oldest first
/// (`DefaultMaxUpdateManagers`).
const MAX_UPDATE_ENTRIES: usize = 10;
/// Name of the entry that old entries become.
const ANCIENT: &str = "ancient-changes";

/// How a manager came to own fields; in the order in which entries are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Apply,
    Update,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Who writes, through which door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) manager: Arc<str>,
    pub(crate) api_version: Arc<str>,
    /// Empty for the object itself.
    pub(crate) subresource: Arc<str>,
}

/// A field set that is encoded at most once.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) set: FieldSet,
    text: OnceLock<Box<str>>,
}

impl From<FieldSet> for Fields {
    fn from(set: FieldSet) -> Self {
        Self {
            set,
            text: OnceLock::new(),
        }
    }
}

/// The fields of one manager.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) writer: Writer,
    pub(crate) operation: Operation,
    /// Absent for an apply that changed nothing.
    pub(crate) time: Option<Arc<str>>,
    pub(crate) fields: Arc<Fields>,
}

impl Entry {
    /// Whether it stands for the same manager: appliers are one across versions.
    pub(crate) fn is_of(&self, writer: &Writer, operation: Operation) -> bool {
        self.operation == operation
            && self.writer.manager == writer.manager
            && self.writer.subresource == writer.subresource
            && (operation == Operation::Apply || self.writer.api_version == writer.api_version)
    }

    /// The manager as messages name it.
    pub(crate) fn shown(&self) -> String {
        let writer = &self.writer;
        let mut text = format!("{:?}", writer.manager);
        if !writer.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", writer.subresource));
        }
        if self.operation == Operation::Update {
            text.push_str(&format!(" using {}", writer.api_version));
        }
        text
    }

    fn same_but_time(&self, other: &Self) -> bool {
        self.operation == other.operation
            && self.writer == other.writer
            && (Arc::ptr_eq(&self.fields, &other.fields) || self.fields.set == other.fields.set)
    }

    fn encode(&self, out: &mut String) {
        let text = |name: &str, value: &str, out: &mut String| {
            out.push_str(name);
            quote(value, out);
        };
        text("{\"manager\":", &self.writer.manager, out);
        text(",\"operation\":", self.operation.as_str(), out);
        text(",\"apiVersion\":", &self.writer.api_version, out);
        if let Some(time) = &self.time {
            text(",\"time\":", time, out);
        }
        out.push_str(",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":");
        out.push_str(self.fields.text.get_or_init(|| {
            let mut text = String::new();
            self.fields.set.encode(&mut text);
            text.into()
        }));
        if !self.writer.subresource.is_empty() {
            text(",\"subresource\":", &self.writer.subresource, out);
        }
        out.push('}');
    }

    fn decode(value: &Value) -> Option<Self> {
        let text = |field: &str| value[field].as_str().unwrap_or_default();
        let operation = match text("operation") {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        let fields = match value.get("fieldsV1") {
            None | Some(Value::Null) => FieldSet::default(),
            Some(fields) => FieldSet::decode(fields)?,
        };
        Some(Self {
            writer: Writer {
                manager: text("manager").into(),
                api_version: text("apiVersion").into(),
                subresource: text("subresource").into(),
            },
            operation,
            time: value["time"].as_str().map(Arc::from),
            fields: Arc::new(fields.into()),
        })
    }
}

/// All owners of an object's fields; clones are cheap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Managed(Option<Arc<Vec<Entry>>>);

impl Managed {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        self.0.as_ref().map_or(&[], |entries| entries.as_slice())
    }

    fn from_entries(mut entries: Vec<Entry>) -> Self {
        entries.retain(|entry| !entry.fields.set.is_empty());
        if entries.is_empty() {
            return Self::default();
        }
        entries.sort_by(|a, b| {
            let key = |entry: &Entry| {
                let time = entry.time.as_deref().unwrap_or_default().to_owned();
                (entry.operation, time)
            };
            let name = |entry: &Entry| {
                let writer = &entry.writer;
                [&writer.manager, &writer.api_version, &writer.subresource].map(Arc::clone)
            };
            key(a).cmp(&key(b)).then_with(|| name(a).cmp(&name(b)))
        });
        Self(Some(Arc::new(entries)))
    }

    /// Whether nothing but times differs.
    pub(crate) fn same_but_times(&self, other: &Self) -> bool {
        let (own, other) = (self.entries(), other.entries());
        own.len() == other.len()
            && own.iter().all(|entry| {
                let same = |other: &Entry| entry.same_but_time(other);
                other.iter().any(same)
            })
    }

    /// Writes `metadata.managedFields`.
    pub(crate) fn encode(&self, out: &mut String) {
        out.push('[');
        for (at, entry) in self.entries().iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            entry.encode(out);
        }
        out.push(']');
    }

    /// `metadata.managedFields` as a value.
    pub(crate) fn to_value(&self) -> Value {
        let mut text = String::new();
        self.encode(&mut text);
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// What holds after a write that carried `metadata.managedFields`: a list of one empty entry
    /// resets, nothing or nonsense keeps what was there, anything else replaces it.
    pub(crate) fn given(&self, given: Option<&Value>) -> Self {
        let Some(list) = given.and_then(Value::as_array) else {
            return self.clone();
        };
        if let [only] = list.as_slice()
            && only.as_object().is_some_and(serde_json::Map::is_empty)
        {
            return Self::default();
        }
        let decoded: Option<Vec<Entry>> = list.iter().map(Entry::decode).collect();
        match decoded.map(|entries| self.reuse(entries)) {
            Some(found) if !found.is_empty() => found,
            _ => self.clone(),
        }
    }

    /// Takes over entries that this already has, with what they have in memory.
    fn reuse(&self, entries: Vec<Entry>) -> Self {
        let same = entries.len() == self.entries().len()
            && entries
                .iter()
                .zip(self.entries())
                .all(|(a, b)| a.same_but_time(b) && a.time == b.time);
        if same {
            self.clone()
        } else {
            Self::from_entries(entries)
        }
    }

    /// Gives the fields that a write touched to its writer. `changes` tells what a write did in
    /// terms of a version.
    pub(crate) fn updated(
        &self,
        writer: &Writer,
        now: &Arc<str>,
        changes: impl Fn(&str) -> Changes,
    ) -> Self {
        let own = changes(&writer.api_version);
        if own.touched.is_empty() && own.removed.is_empty() {
            return self.clone();
        }
        let mut taken = false;
        let mut entries = Vec::with_capacity(self.entries().len() + 1);
        for entry in self.entries() {
            let same_version = entry.writer.api_version == writer.api_version;
            let other = (!same_version).then(|| changes(&entry.writer.api_version));
            let theirs = other.as_ref().unwrap_or(&own);
            let mut entry = entry.clone();
            let mine = entry.is_of(writer, Operation::Update);
            let lost = if mine {
                theirs.removed.clone()
            } else {
                theirs.removed.union(&theirs.touched)
            };
            let mut left = entry.fields.set.difference(&lost);
            if mine && !own.touched.is_empty() {
                left = left.union(&own.touched);
                entry.time = Some(Arc::clone(now));
                taken = true;
            }
            if left != entry.fields.set {
                entry.fields = Arc::new(left.into());
            }
            entries.push(entry);
        }
        if !taken && !own.touched.is_empty() {
            entries.push(Entry {
                writer: writer.clone(),
                operation: Operation::Update,
                time: Some(Arc::clone(now)),
                fields: Arc::new(own.touched.into()),
            });
        }
        Self::from_entries(capped(entries))
    }

    /// Replaces what an applier owns; the others lose what the apply changed.
    pub(crate) fn applied(&self, applier: Entry, changes: &Changes) -> Self {
        let mut entries: Vec<Entry> = Vec::with_capacity(self.entries().len() + 1);
        let lost = changes.touched.union(&changes.removed);
        for entry in self.entries() {
            if entry.is_of(&applier.writer, Operation::Apply) {
                continue;
            }
            let mut entry = entry.clone();
            let left = entry.fields.set.difference(&lost);
            if left != entry.fields.set {
                entry.fields = Arc::new(left.into());
            }
            entries.push(entry);
        }
        entries.push(applier);
        Self::from_entries(entries)
    }

    /// The entry of an applier.
    pub(crate) fn applier(&self, writer: &Writer) -> Option<&Entry> {
        let mut entries = self.entries().iter();
        entries.find(|entry| entry.is_of(writer, Operation::Apply))
    }
}

/// Puts the oldest update entries of a version together when there are too many.
fn capped(mut entries: Vec<Entry>) -> Vec<Entry> {
    let updates = |entries: &[Entry]| -> usize {
        let updates = entries.iter().filter(|e| e.operation == Operation::Update);
        updates.count()
    };
    let mut excess = updates(&entries).saturating_sub(MAX_UPDATE_ENTRIES);
    if excess == 0 {
        return entries;
    }
    entries.sort_by(|a, b| {
        let key = |entry: &Entry| (entry.operation, entry.time.clone());
        key(a).cmp(&key(b))
    });
    let mut ancient: Vec<Entry> = Vec::new();
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.operation == Operation::Apply || excess == 0 {
            kept.push(entry);
            continue;
        }
        let bucket = ancient
            .iter_mut()
            .find(|own| own.writer.api_version == entry.writer.api_version);
        match bucket {
            Some(bucket) => {
                let set = bucket.fields.set.union(&entry.fields.set);
                bucket.fields = Arc::new(set.into());
                bucket.time = entry.time;
                excess -= 1;
            }
            None => {
                let mut bucket = entry;
                bucket.writer.manager = ANCIENT.into();
                bucket.writer.subresource = "".into();
                ancient.push(bucket);
            }
        }
    }
    ancient.append(&mut kept);
    ancient
}
