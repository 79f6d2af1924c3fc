//! A local view of one kind, kept by a watch, that knows how fresh it is.
//!
//! After a write nothing may be decided from a view older than that write: [`Mirror::wrote`] notes
//! the write, [`Mirror::is_fresh`] tells whether the watch has come that far. Resource versions
//! compare as integers within a kind (Kubernetes, KEP-5504, "Comparable Resource Version").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, Event};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::api::time::from_k8s;
use crate::planted::{self, Bug};
use crate::telemetry::Telemetry;
use crate::validate::Found;

/// How long one watch request lasts, in seconds.
const WATCH_SECONDS: u32 = 1_800;

/// How long a watch may leave out a write of ours before everything is listed anew.
const SILENT_AFTER: Duration = Duration::from_secs(30);

/// Own writes that are remembered, so that their echo wakes nobody; and changes, as they may turn
/// out to be own writes.
const VERSIONS_MAX: usize = 4_096;

/// Removed objects that are kept until somebody asks for them.
const REMOVED_MAX: usize = 512;

/// An object's namespace and name.
pub type Key = (String, String);

/// A local view of one kind.
pub struct Mirror<K> {
    state: Mutex<State<K>>,
    advanced: Notify,
    /// Told when the view is behind, though its watch says nothing.
    behind: Notify,
}

struct State<K> {
    objects: BTreeMap<Key, Found<K>>,
    /// What a list that is being received has brought so far.
    arriving: Option<BTreeMap<Key, Found<K>>>,
    /// Our last write when that list was asked for: it is at least as new as that.
    written_before: u64,
    listed: bool,
    seen: u64,
    written: u64,
    own: BTreeSet<u64>,
    /// Changes that were taken for somebody else's.
    foreign: BTreeSet<u64>,
    changes: u64,
    /// What was deleted, as it was last seen.
    removed: Vec<Arc<K>>,
}

impl<K> Default for Mirror<K> {
    fn default() -> Self {
        let state = State {
            objects: BTreeMap::new(),
            arriving: None,
            written_before: 0,
            listed: false,
            seen: 0,
            written: 0,
            own: BTreeSet::new(),
            foreign: BTreeSet::new(),
            changes: 0,
            removed: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            advanced: Notify::new(),
            behind: Notify::new(),
        }
    }
}

impl<K: Resource> State<K> {
    /// Keeps an object that was known under a key, unless what is there now is the same one.
    fn lost(&mut self, key: &Key, was: &Found<K>) {
        let Some(object) = was.object() else { return };
        let now = self.objects.get(key);
        let is_there = match now {
            Some(Found::Object(now)) => now.meta().uid == object.meta().uid,
            Some(Found::Unreadable { uid, .. }) => *uid == object.meta().uid,
            None => false,
        };
        if !is_there && self.removed.len() < REMOVED_MAX {
            self.removed.push(Arc::clone(object));
        }
    }
}

/// Remembers a version; the oldest ones are forgotten.
fn remember(versions: &mut BTreeSet<u64>, version: u64) {
    versions.insert(version);
    while versions.len() > VERSIONS_MAX {
        versions.pop_first();
    }
}

/// Reads a resource version; an object without one is as old as can be.
pub fn version(text: Option<String>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl<K> Mirror<K>
where
    K: Resource<DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        // The state is whole between any two statements that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns all objects, by namespace and name.
    pub fn objects(&self) -> BTreeMap<Key, Found<K>> {
        self.lock().objects.clone()
    }

    /// Returns the objects of a namespace.
    pub fn of_namespace(&self, namespace: &str) -> Vec<Found<K>> {
        let state = self.lock();
        let from = (namespace.to_owned(), String::new());
        let own = state
            .objects
            .range(from..)
            .take_while(|((other, _), _)| other == namespace);
        own.map(|(_, found)| found.clone()).collect()
    }

    /// Returns one object.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Found<K>> {
        self.lock()
            .objects
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    /// Notes a write of ours, by the object that the server returned.
    pub fn wrote(&self, object: &K) {
        self.wrote_version(version(object.resource_version()));
    }

    /// Notes a write of ours by its version. The watch may have shown it before its answer came:
    /// then it was no change after all.
    pub fn wrote_version(&self, version: u64) {
        let mut state = self.lock();
        state.written = state.written.max(version);
        if state.foreign.remove(&version) {
            state.changes -= 1;
        } else {
            remember(&mut state.own, version);
        }
    }

    /// Notes a read past this view: nothing older than this version may be decided from any more.
    pub fn read_version(&self, version: u64) {
        let mut state = self.lock();
        state.written = state.written.max(version);
        remember(&mut state.own, version);
    }

    /// Returns how often somebody else's change came in: while it stays the same, what was decided
    /// from this view still stands.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Returns what was deleted since this was last asked, as it was last seen.
    pub fn take_removed(&self) -> Vec<Arc<K>> {
        std::mem::take(&mut self.lock().removed)
    }

    /// Tells whether the view has come as far as our last write.
    pub fn is_fresh(&self) -> bool {
        let state = self.lock();
        state.listed && (state.seen >= state.written || planted::is(Bug::SkipFreshness))
    }

    /// Waits until the view has come as far as our last write. A watch that does not bring it
    /// there may be silent for long, so then everything is listed anew.
    pub async fn fresh(&self) {
        loop {
            let advanced = self.advanced.notified();
            if self.is_fresh() {
                return;
            }
            if timeout(SILENT_AFTER, advanced).await.is_err() {
                self.behind.notify_one();
            }
        }
    }

    /// Takes note of whether the view agrees with what the server says, and returns it: where it
    /// does not, everything is listed anew.
    pub fn agrees(&self, is_so: bool) -> bool {
        if !is_so {
            self.behind.notify_one();
        }
        is_so
    }

    /// Takes one event of the watch; tells whether somebody else's change came with it.
    fn take(&self, event: Event<DeserializeGuard<K>>) -> bool {
        let mut state = self.lock();
        let foreign = match event {
            Event::Init => {
                state.arriving = Some(BTreeMap::new());
                state.written_before = state.written;
                false
            }
            Event::InitApply(object) => {
                let (key, version, found) = found(object);
                state.seen = state.seen.max(version);
                if let Some(arriving) = &mut state.arriving {
                    arriving.insert(key, found);
                }
                false
            }
            Event::InitDone => {
                let arrived = state.arriving.take().unwrap_or_default();
                let before = std::mem::replace(&mut state.objects, arrived);
                for (key, was) in before {
                    state.lost(&key, &was);
                }
                state.seen = state.seen.max(state.written_before);
                state.listed = true;
                true
            }
            Event::Apply(object) => {
                let (key, version, found) = found(object);
                state.seen = state.seen.max(version);
                if let Some(was) = state.objects.insert(key.clone(), found) {
                    state.lost(&key, &was);
                }
                let is_foreign = !state.own.remove(&version);
                if is_foreign {
                    remember(&mut state.foreign, version);
                }
                is_foreign
            }
            Event::Delete(object) => {
                let (key, version, _) = found(object);
                state.seen = state.seen.max(version);
                if let Some(was) = state.objects.remove(&key) {
                    state.lost(&key, &was);
                }
                true
            }
        };
        state.changes += u64::from(foreign);
        drop(state);
        self.advanced.notify_waiters();
        foreign
    }
}

/// Reads what a list or a watch brought: its key, its version, and what it is, without who manages
/// which field: that is longer than a run itself, nobody asks for it, and the API server keeps it
/// where an update leaves it out (Kubernetes, "Server-Side Apply", clearing managedFields).
pub(super) fn found<K>(guard: DeserializeGuard<K>) -> (Key, u64, Found<K>)
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    match guard.0 {
        Ok(mut object) => {
            object.meta_mut().managed_fields = None;
            let key = (object.namespace().unwrap_or_default(), object.name_any());
            let version = version(object.resource_version());
            (key, version, Found::Object(Arc::new(object)))
        }
        Err(invalid) => {
            let meta = invalid.metadata;
            let key = (
                meta.namespace.unwrap_or_default(),
                meta.name.unwrap_or_default(),
            );
            let found = Found::Unreadable {
                namespace: key.0.clone(),
                name: key.1.clone(),
                uid: meta.uid,
                created_at: meta.creation_timestamp.as_ref().and_then(from_k8s),
                deleted_at: meta.deletion_timestamp.as_ref().and_then(from_k8s),
                why: invalid.error.to_string(),
            };
            (key, version(meta.resource_version), found)
        }
    }
}

/// What a mirror is kept by.
pub struct Watch {
    /// The kind that is watched.
    pub kind: &'static str,
    /// The API server.
    pub client: Client,
    /// The one namespace that is watched; none is all.
    pub namespace: Option<String>,
    /// Who is woken by every change that is not ours.
    pub dirty: Arc<Notify>,
    /// Who is told of lists and failures.
    pub telemetry: Telemetry,
}

/// Returns the objects of one namespace, or of all.
pub fn watched<K>(client: &Client, namespace: Option<&str>) -> Api<DeserializeGuard<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Keeps a mirror up to date for ever.
pub async fn keep<K>(mirror: Arc<Mirror<K>>, watch: Watch)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    let begin = || {
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        let api = watched(&watch.client, watch.namespace.as_deref());
        watcher::watcher(api, config).boxed()
    };
    let mut events = begin();
    let mut failures: u32 = 0;
    loop {
        let event = tokio::select! {
            biased;
            () = mirror.behind.notified() => {
                tracing::info!(kind = watch.kind, "the watch is behind: listing anew");
                events = begin();
                continue;
            }
            event = events.next() => event,
        };
        let Some(event) = event else { return };
        match event {
            Ok(event) => {
                failures = 0;
                if matches!(event, Event::InitDone) {
                    watch.telemetry.listed(watch.kind);
                }
                if mirror.take(event) {
                    watch.dirty.notify_one();
                }
            }
            Err(error) => {
                tracing::warn!(kind = watch.kind, %error, "watch failed");
                watch.telemetry.watch_failed(watch.kind);
                failures = failures.saturating_add(1);
                let pause = pause_after(failures);
                // Who finds the view behind does not wait for the next try of its watch.
                if timeout(pause, mirror.behind.notified()).await.is_ok() {
                    events = begin();
                }
            }
        }
    }
}

/// How long to wait after so many failures in a row: from one second, doubled, to one minute.
fn pause_after(failures: u32) -> Duration {
    const FIRST_SECONDS: u64 = 1;
    const LAST_SECONDS: u64 = 60;
    let doubled = FIRST_SECONDS << failures.saturating_sub(1).min(6);
    Duration::from_secs(doubled.min(LAST_SECONDS))
}

#[cfg(test)]
mod tests {
    // tests may unwrap
    #![allow(clippy::unwrap_used)]

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
    use serde_json::json;

    use super::*;
    use crate::api::MaintenanceWindow;

    fn window(name: &str, version: u64) -> MaintenanceWindow {
        serde_json::from_value(json!({
            "apiVersion": "hotpatch.dev/v1alpha1",
            "kind": "MaintenanceWindow",
            "metadata": {
                "name": name, "namespace": "web", "resourceVersion": version.to_string(),
            },
            "spec": {
                "timeZone": "UTC", "schedule": {"weekly": {"days": ["Saturday"]}},
                "startTime": "22:00", "duration": "4h",
            },
        }))
        .unwrap()
    }

    fn guarded(name: &str, version: u64) -> DeserializeGuard<MaintenanceWindow> {
        DeserializeGuard(Ok(window(name, version)))
    }

    fn listed() -> Mirror<MaintenanceWindow> {
        let mirror = Mirror::default();
        assert!(!mirror.is_fresh(), "nothing was listed");
        mirror.take(Event::Init);
        mirror.take(Event::InitApply(guarded("a", 5)));
        assert!(!mirror.is_fresh(), "the list is not whole");
        mirror.take(Event::InitDone);
        assert!(mirror.is_fresh());
        mirror
    }

    #[test]
    fn a_view_keeps_an_object_without_who_manages_its_fields() {
        let mut own = window("a", 6);
        own.metadata.managed_fields = Some(vec![ManagedFieldsEntry::default()]);
        let mirror = listed();
        mirror.take(Event::Apply(DeserializeGuard(Ok(own))));
        let found = mirror.get("web", "a").unwrap();
        assert_eq!(*found.object().unwrap().as_ref(), window("a", 6));
    }

    #[test]
    fn a_view_is_fresh_only_once_it_has_come_as_far_as_our_last_write() {
        let mirror = listed();
        mirror.wrote(&window("a", 9));
        assert!(!mirror.is_fresh());
        mirror.take(Event::Apply(guarded("b", 8)));
        assert!(!mirror.is_fresh(), "older than the write");
        mirror.take(Event::Apply(guarded("a", 9)));
        assert!(mirror.is_fresh());
        mirror.wrote_version(12);
        mirror.take(Event::Delete(guarded("b", 13)));
        assert!(mirror.is_fresh(), "what came after it is newer still");
    }

    #[test]
    fn a_list_is_as_new_as_the_writes_before_it_was_asked_for_and_no_newer() {
        let mirror = listed();
        mirror.wrote(&window("a", 9));
        mirror.take(Event::Init);
        mirror.wrote(&window("a", 11));
        mirror.take(Event::InitApply(guarded("b", 8)));
        mirror.take(Event::InitDone);
        assert!(
            !mirror.is_fresh(),
            "it may have been read before the second write"
        );
        mirror.take(Event::Init);
        mirror.take(Event::InitDone);
        assert!(mirror.is_fresh());
    }

    #[test]
    fn what_was_deleted_is_told_once_also_by_a_list_and_by_another_object_of_its_name() {
        let of_uid = |name: &str, uid: &str, version: u64| {
            let mut own = window(name, version);
            own.metadata.uid = Some(uid.to_owned());
            DeserializeGuard(Ok(own))
        };
        let mirror = Mirror::default();
        mirror.take(Event::Init);
        for name in ["a", "b", "c", "d"] {
            mirror.take(Event::InitApply(of_uid(name, name, 5)));
        }
        mirror.take(Event::InitDone);
        let told = || {
            let removed = mirror.take_removed().into_iter();
            removed
                .filter_map(|own| own.metadata.uid.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(told(), [""; 0]);
        mirror.take(Event::Apply(of_uid("a", "a", 6)));
        assert_eq!(told(), [""; 0], "it only changed");
        mirror.take(Event::Delete(of_uid("b", "b", 7)));
        mirror.take(Event::Apply(of_uid("c", "c2", 8)));
        assert_eq!(told(), ["b", "c"]);
        assert_eq!(told(), [""; 0], "once");
        mirror.take(Event::Init);
        mirror.take(Event::InitApply(of_uid("a", "a", 6)));
        mirror.take(Event::InitApply(of_uid("c", "c2", 8)));
        mirror.take(Event::InitDone);
        assert_eq!(told(), ["d"], "the list is without it");
    }

    #[test]
    fn only_what_others_write_is_a_change() {
        let mirror = listed();
        let before = mirror.changes();
        mirror.wrote(&window("a", 9));
        assert!(!mirror.take(Event::Apply(guarded("a", 9))));
        assert_eq!(mirror.changes(), before);
        assert!(mirror.take(Event::Apply(guarded("a", 10))));
        assert!(mirror.take(Event::Delete(guarded("a", 11))));
        assert_eq!(mirror.changes(), before + 2);
    }

    #[test]
    fn what_the_watch_shows_before_the_answer_comes_is_no_change_once_it_came() {
        let mirror = listed();
        let before = mirror.changes();
        assert!(mirror.take(Event::Apply(guarded("a", 9))), "nobody knows");
        assert!(mirror.take(Event::Apply(guarded("b", 10))));
        mirror.wrote(&window("a", 9));
        assert_eq!(mirror.changes(), before + 1, "the other is somebody's");
        assert!(mirror.is_fresh());
        mirror.read_version(10);
        assert_eq!(mirror.changes(), before + 1, "who reads it changed nothing");
    }
}
