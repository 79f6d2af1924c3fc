//! Objects, resource versions and history: the state behind the API. Every change goes through
//! [`State::commit`]; nothing here must judge whether a change is allowed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::gc::Task;
use crate::hooks::{Commit, Verb};
use crate::object::Object;
use crate::registry::{Builtin, Registry};

/// Committed writes that a table, and the history log, keep unless told otherwise.
pub(crate) const DEFAULT_HISTORY_EVENTS: usize = 50_000;

/// Namespace of the deterministic uids.
const UID_SPACE: Uuid = Uuid::from_u128(0x6b75_6265_2d73_696d_5f75_6964_735f_6e73);

/// Address of an object inside its table; the namespace is empty for cluster scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectKey {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl ObjectKey {
    pub(crate) fn new(namespace: Option<&str>, name: &str) -> Self {
        Self {
            namespace: namespace.unwrap_or_default().into(),
            name: name.into(),
        }
    }
}

/// Address of an object anywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GlobalKey {
    pub(crate) table: Arc<str>,
    pub(crate) key: ObjectKey,
}

/// The objects of one resource with their recent history.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) objects: BTreeMap<ObjectKey, Object>,
    pub(crate) log: VecDeque<Arc<Commit>>,
    /// Every commit up to this version may be missing from `log`.
    pub(crate) compacted_rv: u64,
    /// Watches that wait for the next commit, by id, woken in that order.
    pub(crate) wakers: BTreeMap<u64, Waker>,
}

impl Table {
    /// The objects of one namespace, by name.
    pub(crate) fn in_namespace(
        &self,
        namespace: &Arc<str>,
    ) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        let first = ObjectKey {
            namespace: Arc::clone(namespace),
            name: "".into(),
        };
        let inside = Arc::clone(namespace);
        self.objects
            .range(first..)
            .take_while(move |(key, _)| key.namespace == inside)
    }
}

/// Everything the server remembers.
pub(crate) struct State {
    pub(crate) rv: u64,
    pub(crate) registry: Registry,
    pub(crate) tables: BTreeMap<Arc<str>, Table>,
    pub(crate) history: VecDeque<Arc<Commit>>,
    pub(crate) history_limit: usize,
    /// Versions up to this one cannot be replayed for any resource.
    pub(crate) compacted_rv: u64,
    /// Watches with an older number end at their next poll.
    pub(crate) watch_epoch: u64,
    pub(crate) next_watch_id: u64,
    /// Work that a commit left for the garbage collector.
    pub(crate) tasks: VecDeque<Task>,
    /// Objects by owner uid.
    pub(crate) dependents: BTreeMap<String, BTreeSet<GlobalKey>>,
    /// Objects by uid.
    pub(crate) by_uid: BTreeMap<String, GlobalKey>,
    /// Woken after the lock is released.
    pub(crate) wakes: Vec<Waker>,
    /// What the present request does, for the history.
    pub(crate) acting: (Verb, Option<Arc<str>>),
    /// What the present request is to be warned of.
    pub(crate) warnings: Vec<String>,
    uids_made: u64,
    names_made: u64,
    clock: crate::Clock,
}

impl State {
    pub(crate) fn new(clock: crate::Clock) -> Self {
        Self {
            rv: 0,
            registry: Registry::with_builtin_types(),
            tables: BTreeMap::new(),
            history: VecDeque::new(),
            history_limit: DEFAULT_HISTORY_EVENTS,
            compacted_rv: 0,
            watch_epoch: 0,
            next_watch_id: 0,
            tasks: VecDeque::new(),
            dependents: BTreeMap::new(),
            by_uid: BTreeMap::new(),
            wakes: Vec::new(),
            acting: (Verb::Force, None),
            warnings: Vec::new(),
            uids_made: 0,
            names_made: 0,
            clock,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// The present time as object metadata writes it, in whole seconds.
    pub(crate) fn timestamp(&self) -> String {
        self.now().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    pub(crate) fn next_uid(&mut self) -> String {
        self.uids_made += 1;
        Uuid::new_v5(&UID_SPACE, &self.uids_made.to_be_bytes()).to_string()
    }

    /// Five letters for `generateName`, from the alphabet of the real server.
    pub(crate) fn next_name_suffix(&mut self) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        const LETTERS: usize = 5;
        self.names_made += 1;
        let seed = Uuid::new_v5(&UID_SPACE, format!("name {}", self.names_made).as_bytes());
        let letters = seed.as_bytes().iter().take(LETTERS);
        letters
            .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
            .collect()
    }

    pub(crate) fn table_mut(&mut self, table: &Arc<str>) -> &mut Table {
        let compacted_rv = self.compacted_rv;
        self.tables
            .entry(Arc::clone(table))
            .or_insert_with(|| Table {
                compacted_rv,
                ..Table::default()
            })
    }

    pub(crate) fn get(&self, table: &str, key: &ObjectKey) -> Option<&Object> {
        self.tables.get(table)?.objects.get(key)
    }

    /// Stores `after` (or removes the object) under the next resource version.
    pub(crate) fn commit(
        &mut self,
        table: &Arc<str>,
        key: &ObjectKey,
        after: Option<Object>,
    ) -> Object {
        self.rv += 1;
        let rv = self.rv;
        let stamp = |object: Object| {
            let mut value = Arc::unwrap_or_clone(object.value);
            value["metadata"]["resourceVersion"] = rv.to_string().into();
            Object::new(value, object.managed)
        };
        let before = self.get(table, key).cloned();
        let after = after.map(stamp);
        let shown = match (&after, &before) {
            (Some(after), _) => after.clone(),
            (None, Some(before)) => stamp(before.clone()),
            (None, None) => stamp(Value::Object(serde_json::Map::new()).into()),
        };
        let commit = Arc::new(Commit {
            rv,
            time: self.now(),
            verb: self.acting.0,
            resource: Arc::clone(table),
            namespace: Some(&key.namespace)
                .filter(|text| !text.is_empty())
                .cloned(),
            name: Arc::clone(&key.name),
            subresource: self.acting.1.clone(),
            before: before.as_ref().map(|object| Arc::clone(&object.value)),
            after: after.as_ref().map(|object| Arc::clone(&object.value)),
            managed: (owners(before.as_ref()), owners(after.as_ref())),
            shown: shown.clone(),
            json: OnceLock::new(),
        });
        let at = GlobalKey {
            table: Arc::clone(table),
            key: key.clone(),
        };
        self.index(&at, before.as_deref(), after.as_deref());
        self.record(&at, commit, after);
        self.register_types(table, before.as_deref(), &shown);
        shown
    }

    fn record(&mut self, at: &GlobalKey, commit: Arc<Commit>, after: Option<Object>) {
        let limit = self.history_limit;
        let table = self.table_mut(&at.table);
        match after {
            Some(after) => table.objects.insert(at.key.clone(), after),
            None => table.objects.remove(&at.key),
        };
        table.log.push_back(Arc::clone(&commit));
        while table.log.len() > limit {
            if let Some(dropped) = table.log.pop_front() {
                table.compacted_rv = dropped.rv;
            }
        }
        let woken = std::mem::take(&mut table.wakers);
        self.wakes.extend(woken.into_values());
        self.history.push_back(commit);
        while self.history.len() > limit {
            self.history.pop_front();
        }
    }

    /// Keeps the uid and owner indexes, and notes what the garbage collector has to look at.
    fn index(&mut self, at: &GlobalKey, before: Option<&Value>, after: Option<&Value>) {
        let uid = |object: Option<&Value>| {
            object
                .and_then(|o| o["metadata"]["uid"].as_str())
                .map(str::to_owned)
        };
        let (old_uid, new_uid) = (uid(before), uid(after));
        if let Some(new_uid) = new_uid.clone() {
            self.by_uid.entry(new_uid).or_insert_with(|| at.clone());
        }
        let (old_refs, new_refs) = (owner_refs(before), owner_refs(after));
        if old_refs != new_refs {
            for owner in owner_uids(old_refs) {
                if let Some(set) = self.dependents.get_mut(owner) {
                    set.remove(at);
                    if set.is_empty() {
                        self.dependents.remove(owner);
                    }
                }
            }
            let mut owned = false;
            for owner in owner_uids(new_refs) {
                owned = true;
                self.dependents
                    .entry(owner.to_owned())
                    .or_default()
                    .insert(at.clone());
            }
            if owned {
                self.tasks.push_back(Task::CheckOwners(at.clone()));
            }
        }
        if let Some(old_uid) = old_uid.filter(|_| new_uid.is_none()) {
            self.by_uid.remove(&old_uid);
            let owners = owner_uids(old_refs).map(str::to_owned).collect();
            self.tasks.push_back(Task::Gone {
                at: at.clone(),
                uid: old_uid,
                owners,
            });
        }
    }

    /// A committed CRD is served at once, and a removed one no more.
    fn register_types(&mut self, table: &Arc<str>, before: Option<&Value>, shown: &Value) {
        let is_crd = |info: &Arc<crate::registry::TypeInfo>| info.builtin == Some(Builtin::Crd);
        if !self.registry.by_table(table).is_some_and(is_crd) {
            return;
        }
        let name = shown["metadata"]["name"].as_str().unwrap_or_default();
        let key = ObjectKey::new(None, name);
        if self.get(table, &key).is_none() {
            self.registry.remove(name);
        } else if before.is_none_or(|before| before["spec"] != shown["spec"])
            && let Ok(info) = crate::crd::type_info(&shown["spec"])
        {
            self.registry.insert(info);
        }
    }
}

fn owners(object: Option<&Object>) -> crate::fields::managed::Managed {
    object
        .map(|object| object.managed.clone())
        .unwrap_or_default()
}

fn owner_refs(object: Option<&Value>) -> Option<&Value> {
    object?.get("metadata")?.get("ownerReferences")
}

fn owner_uids(refs: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = refs
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    list.iter().filter_map(|owner| owner["uid"].as_str())
}
