//! Objects of one kind with their recent past, so that a checker can ask what stood in the
//! cluster a moment ago.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Namespace and name of an object.
pub type Name = (String, String);

/// States of one object that are kept; older ones are forgotten.
const VERSIONS_MAX: usize = 64;

/// An object as it stood from an instant on; none where it was not there.
type Version<K> = (DateTime<Utc>, Option<Arc<K>>);

/// Objects of one kind with their recent past.
#[derive(Clone, Debug)]
pub struct Shelf<K> {
    versions: BTreeMap<Name, Vec<Version<K>>>,
}

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Self {
            versions: BTreeMap::new(),
        }
    }
}

impl<K: DeserializeOwned> Shelf<K> {
    /// Notes a write; an object that does not read as its kind counts as gone.
    pub fn write(&mut self, name: Name, at: DateTime<Utc>, after: Option<&Value>) {
        let object = after
            .and_then(|value| K::deserialize(value).ok())
            .map(Arc::new);
        let versions = self.versions.entry(name).or_default();
        if versions.len() >= VERSIONS_MAX {
            versions.remove(0);
        }
        versions.push((at, object));
    }
}

impl<K> Shelf<K> {
    /// Returns an object as it stood at an instant.
    pub fn at(&self, name: &Name, at: DateTime<Utc>) -> Option<Arc<K>> {
        let versions = self.versions.get(name)?;
        versions
            .iter()
            .rev()
            .find(|(since, _)| *since <= at)?
            .1
            .clone()
    }

    /// Returns an object as it stands.
    pub fn get(&self, name: &Name) -> Option<&Arc<K>> {
        self.versions.get(name)?.last()?.1.as_ref()
    }

    /// Returns the objects that stood at an instant, by namespace and name.
    pub fn all_at(&self, at: DateTime<Utc>) -> impl Iterator<Item = (&Name, Arc<K>)> {
        self.versions
            .keys()
            .filter_map(move |name| Some((name, self.at(name, at)?)))
    }

    /// Returns the objects that stand, by namespace and name.
    pub fn all(&self) -> impl Iterator<Item = (&Name, &Arc<K>)> {
        self.versions
            .iter()
            .filter_map(|(name, own)| Some((name, own.last()?.1.as_ref()?)))
    }
}
