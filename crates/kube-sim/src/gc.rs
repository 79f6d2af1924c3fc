//! What follows a write: dependents of owners that are gone, foreground deletion, namespaces and
//! CRDs that terminate. Runs inside the request that caused it, in the role of the real cluster's
//! garbage collector and namespace controller; it must never run on its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::delete::{DeleteOptions, FOREGROUND, Propagation, delete};
use crate::hooks::Verb;
use crate::registry::{Builtin, TypeInfo};
use crate::store::{GlobalKey, ObjectKey, State};
use crate::{builtin, crd, meta};

/// Work that a commit leaves behind.
#[derive(Debug)]
pub(crate) enum Task {
    /// Owner references were set: are the owners there?
    CheckOwners(GlobalKey),
    /// An object is gone; who depended on it, and whom did it hold up?
    Gone {
        at: GlobalKey,
        uid: String,
        owners: BTreeSet<String>,
    },
    /// A deletion began and waits for something that the server does itself.
    Terminating(GlobalKey),
}

/// State of one owner reference.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Exists, or is of a kind that this server does not know.
    Solid,
    /// Exists and waits for its dependents to go.
    Waiting,
    /// Does not exist.
    Absent,
}

impl State {
    /// Does all work that commits left behind.
    pub(crate) fn settle(&mut self) {
        if self.tasks.is_empty() {
            return;
        }
        let acting = std::mem::replace(&mut self.acting, (Verb::Collect, None));
        while let Some(task) = self.tasks.pop_front() {
            match task {
                Task::CheckOwners(at) => self.check_owners(&at),
                Task::Terminating(at) => self.terminate(&at),
                Task::Gone { at, uid, owners } => self.after_gone(&at, &uid, &owners),
            }
        }
        self.acting = acting;
    }

    fn after_gone(&mut self, at: &GlobalKey, uid: &str, owners: &BTreeSet<String>) {
        for dependent in self.dependents.get(uid).cloned().unwrap_or_default() {
            self.check_owners(&dependent);
        }
        for owner in owners {
            if let Some(owner) = self.by_uid.get(owner).cloned() {
                self.terminate(&owner);
            }
        }
        if !at.key.namespace.is_empty() {
            let key = ObjectKey {
                namespace: "".into(),
                name: Arc::clone(&at.key.namespace),
            };
            self.terminate(&GlobalKey {
                table: "namespaces".into(),
                key,
            });
        }
        let key = ObjectKey {
            namespace: "".into(),
            name: Arc::clone(&at.table),
        };
        self.terminate(&GlobalKey {
            table: crd::TABLE.into(),
            key,
        });
    }

    /// Moves a deletion on, as far as it waits for the server.
    fn terminate(&mut self, at: &GlobalKey) {
        let Some(object) = self.get(&at.table, &at.key).cloned() else {
            return;
        };
        let Some(info) = self.registry.by_table(&at.table).cloned() else {
            return;
        };
        if !meta::deleting(&object) {
            return;
        }
        if meta::finalizers(&object).contains(&FOREGROUND) {
            self.delete_blocking_dependents(at, &object);
        }
        match info.builtin {
            Some(Builtin::Namespace) => self.finish_namespace(at),
            Some(Builtin::Crd) => self.finish_crd(at),
            _ => {}
        }
    }

    fn delete_blocking_dependents(&mut self, at: &GlobalKey, owner: &Value) {
        let uid = meta::text(owner, "uid");
        for dependent in self.dependents.get(uid).cloned().unwrap_or_default() {
            self.check_owners(&dependent);
        }
        let left = self.dependents.get(uid).cloned().unwrap_or_default();
        let blocked = left.iter().any(|dependent| {
            let found = self.get(&dependent.table, &dependent.key);
            let refs = found.and_then(|d| d["metadata"]["ownerReferences"].as_array());
            let blocks = |r: &Value| r["uid"] == uid && r["blockOwnerDeletion"] == true;
            refs.is_some_and(|refs| refs.iter().any(blocks))
        });
        if !blocked {
            self.drop_finalizer(at, FOREGROUND);
        }
    }

    /// Collects an object whose owners are all gone; drops references to those that are.
    fn check_owners(&mut self, at: &GlobalKey) {
        let Some(object) = self.get(&at.table, &at.key).cloned() else {
            return;
        };
        let Some(info) = self.registry.by_table(&at.table).cloned() else {
            return;
        };
        let refs = object["metadata"]["ownerReferences"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let found: Vec<Owner> = refs.iter().map(|r| self.owner(at, r)).collect();
        if refs.is_empty() || found.iter().all(|owner| *owner == Owner::Solid) {
            return;
        }
        if found.contains(&Owner::Solid) {
            let solid = refs.into_iter().zip(found);
            let solid: Vec<Value> = solid
                .filter(|(_, owner)| *owner == Owner::Solid)
                .map(|(r, _)| r)
                .collect();
            let mut kept = Value::clone(&object);
            kept["metadata"]["ownerReferences"] = solid.into();
            self.rewrite(at, kept, "");
            return;
        }
        if meta::deleting(&object) {
            return;
        }
        let uid = meta::text(&object, "uid");
        let foreground = found.contains(&Owner::Waiting) && self.dependents.contains_key(uid);
        let propagation = if foreground {
            Propagation::Foreground
        } else {
            Propagation::Background
        };
        self.collect(&info, &at.key, propagation);
    }

    fn owner(&self, dependent: &GlobalKey, reference: &Value) -> Owner {
        let text = |field: &str| reference[field].as_str().unwrap_or_default();
        let api_version = text("apiVersion");
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        if self.registry.find_kind(group, text("kind")).is_none() {
            return Owner::Solid;
        }
        let reachable = |at: &&GlobalKey| {
            at.key.namespace.is_empty() || at.key.namespace == dependent.key.namespace
        };
        let found = self.by_uid.get(text("uid")).filter(reachable);
        match found.and_then(|at| self.get(&at.table, &at.key)) {
            None => Owner::Absent,
            Some(owner)
                if meta::deleting(owner) && meta::finalizers(owner).contains(&FOREGROUND) =>
            {
                Owner::Waiting
            }
            Some(_) => Owner::Solid,
        }
    }

    /// Removes all references to an owner that goes without its dependents.
    pub(crate) fn orphan_dependents(&mut self, uid: &str) {
        for at in self.dependents.get(uid).cloned().unwrap_or_default() {
            let Some(object) = self.get(&at.table, &at.key) else {
                continue;
            };
            let mut freed = Value::clone(object);
            if let Some(refs) = freed["metadata"]["ownerReferences"].as_array_mut() {
                refs.retain(|reference| reference["uid"] != uid);
            }
            meta::normalize(&mut freed);
            self.rewrite(&at, freed, "");
        }
    }

    fn collect(&mut self, info: &TypeInfo, key: &ObjectKey, propagation: Propagation) {
        let options = DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        };
        // The object may have gone in between, which is what is wanted.
        let _gone = delete(self, info, key, &options);
    }

    /// Deletes what is left in a terminating namespace, then the namespace.
    fn finish_namespace(&mut self, at: &GlobalKey) {
        let content: Vec<(Arc<str>, ObjectKey)> = self
            .tables
            .iter()
            .flat_map(|(table, rows)| {
                let inside = rows.in_namespace(&at.key.name);
                inside.map(|(key, _)| (Arc::clone(table), key.clone()))
            })
            .collect();
        if content.is_empty() {
            let Some(object) = self.get(&at.table, &at.key) else {
                return;
            };
            if meta::finalizers(object).is_empty() {
                self.commit(&at.table, &at.key, None);
            } else if builtin::held(object) {
                let mut released = Value::clone(object);
                builtin::release(&mut released);
                self.rewrite(at, released, "finalize");
            }
            return;
        }
        self.collect_all(content);
    }

    /// Deletes the objects of a terminating CRD, then lets the CRD go.
    fn finish_crd(&mut self, at: &GlobalKey) {
        let table = self.tables.get(&at.key.name);
        let left: Vec<(Arc<str>, ObjectKey)> = table
            .into_iter()
            .flat_map(|table| table.objects.keys())
            .map(|key| (Arc::clone(&at.key.name), key.clone()))
            .collect();
        if left.is_empty() {
            self.drop_finalizer(at, crd::CLEANUP_FINALIZER);
            return;
        }
        self.collect_all(left);
    }

    fn collect_all(&mut self, content: Vec<(Arc<str>, ObjectKey)>) {
        for (table, key) in content {
            let deleting = self
                .get(&table, &key)
                .is_none_or(|object| meta::deleting(object));
            let info = self.registry.by_table(&table).cloned();
            if let Some(info) = info.filter(|_| !deleting) {
                self.collect(&info, &key, Propagation::Background);
            }
        }
    }

    fn drop_finalizer(&mut self, at: &GlobalKey, name: &str) {
        let Some(object) = self.get(&at.table, &at.key) else {
            return;
        };
        if !meta::finalizers(object).contains(&name) {
            return;
        }
        let mut freed = Value::clone(object);
        if let Some(list) = freed["metadata"]["finalizers"].as_array_mut() {
            list.retain(|finalizer| finalizer != name);
        }
        meta::normalize(&mut freed);
        let gone = meta::finalizers(&freed).is_empty() && !builtin::held(&freed);
        if gone {
            self.commit(&at.table, &at.key, None);
        } else {
            self.rewrite(at, freed, "");
        }
    }
}
