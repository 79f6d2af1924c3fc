//! Runs as they were last read: one that did not change since is not judged again.
//!
//! Reading a run checks each of its machines and digests what it froze; a pass asks for all runs,
//! and each command for its own. Must never answer for another version of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::HotpatchRun;
use crate::domain::run::{Run, Runs};
use crate::validate::{self, Declared, QuarantinedRun};

/// The last reading of each run, by namespace and name.
#[derive(Default)]
pub struct Readings(Mutex<BTreeMap<(String, String), Reading>>);

struct Reading {
    object: Arc<HotpatchRun>,
    read: Result<Arc<Run>, QuarantinedRun>,
}

impl Reading {
    /// Tells whether an object is the one that was read: itself, or the same version of it.
    fn is_of(&self, object: &Arc<HotpatchRun>) -> bool {
        let (own, other) = (&self.object.metadata, &object.metadata);
        let same = own.resource_version == other.resource_version && own.uid == other.uid;
        Arc::ptr_eq(&self.object, object)
            || (same && own.resource_version.is_some() && own.uid.is_some())
    }
}

impl Readings {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Reading>> {
        // The map is whole between any two statements that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a run, as [`validate::run`] does.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(&self, object: &Arc<HotpatchRun>) -> Result<Arc<Run>, QuarantinedRun> {
        let meta = &object.metadata;
        let key = (
            meta.namespace.clone().unwrap_or_default(),
            meta.name.clone().unwrap_or_default(),
        );
        let mut readings = self.lock();
        if let Some(known) = readings.get(&key).filter(|own| own.is_of(object)) {
            return known.read.clone();
        }
        let read = validate::run(object).map(Arc::new);
        let reading = Reading {
            object: Arc::clone(object),
            read: read.clone(),
        };
        readings.insert(key, reading);
        read
    }

    /// Reads the runs of a namespace, as [`validate::runs`] does, and forgets those of it that are
    /// gone.
    pub fn read_all(&self, namespace: &str, declared: &Declared) -> (Runs, Vec<QuarantinedRun>) {
        let objects = declared.runs.iter().filter_map(|own| own.object());
        let names: BTreeSet<&str> = objects
            .filter_map(|own| own.metadata.name.as_deref())
            .collect();
        self.lock()
            .retain(|(own, name), _| own != namespace || names.contains(name.as_str()));
        validate::runs(declared, |object| self.read(object))
    }
}

#[cfg(test)]
mod tests {
    // tests may unwrap
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::domain::testkit::{NAMESPACE, due_vm, fleet, terms};
    use crate::record::run_object;
    use crate::validate::Found;

    fn object(version: &str) -> Arc<HotpatchRun> {
        let (machine, own) = (due_vm("a").machine(), fleet("web"));
        let terms = terms(&own, &[&machine]);
        let mut object = run_object(NAMESPACE, "web", "uid-web", &terms, &BTreeMap::new());
        object.metadata.uid = Some("run-1".to_owned());
        object.metadata.resource_version = Some(version.to_owned());
        Arc::new(object)
    }

    #[test]
    fn a_version_of_a_run_is_read_once() {
        let readings = Readings::default();
        let first = readings.read(&object("7")).unwrap();
        assert!(Arc::ptr_eq(&first, &readings.read(&object("7")).unwrap()));
        assert!(!Arc::ptr_eq(&first, &readings.read(&object("8")).unwrap()));
    }

    #[test]
    fn what_has_no_version_is_read_each_time() {
        let readings = Readings::default();
        let bare = |epoch: i64| {
            let mut own = Arc::unwrap_or_clone(object("7"));
            own.metadata.resource_version = None;
            own.metadata.labels = Some([("x".to_owned(), epoch.to_string())].into());
            Arc::new(own)
        };
        let first = readings.read(&bare(1)).unwrap();
        assert!(!Arc::ptr_eq(&first, &readings.read(&bare(2)).unwrap()));
    }

    #[test]
    fn a_run_that_is_gone_is_forgotten_in_its_own_namespace_only() {
        let readings = Readings::default();
        let declared = Declared {
            runs: vec![Found::Object(object("7"))],
            ..Declared::default()
        };
        let (runs, broken) = readings.read_all(NAMESPACE, &declared);
        assert_eq!((runs.len(), broken), (1, Vec::new()));
        readings.read_all("other", &Declared::default());
        assert_eq!(readings.lock().len(), 1);
        readings.read_all(NAMESPACE, &Declared::default());
        assert!(readings.lock().is_empty());
    }
}
