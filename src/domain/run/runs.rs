//! The runs of a disruption domain, found by their name and by the machines that they name.
//!
//! A planner asks for each of ten thousand machines which runs name it; looking through all runs
//! for each would cost the product of both. Must never decide anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::Run;
use crate::domain::machine::MachineId;

/// Runs by name, open ones and ended ones.
///
/// What a run names is frozen when it is made: the machines of a run that is in here must not
/// change, which [`Runs::get_mut`] could not notice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    by_name: BTreeMap<String, Arc<Run>>,
    /// The names of the runs that name a machine, in order.
    naming: Arc<BTreeMap<MachineId, Vec<Arc<str>>>>,
}

impl Runs {
    /// Returns no runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a run by its name.
    pub fn get(&self, name: &str) -> Option<&Run> {
        self.by_name.get(name).map(AsRef::as_ref)
    }

    /// Returns a run by its name, to be kept while the others move on.
    pub fn shared(&self, name: &str) -> Option<Arc<Run>> {
        self.by_name.get(name).cloned()
    }

    /// Returns a run by its name, to be moved on.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Run> {
        self.by_name.get_mut(name).map(Arc::make_mut)
    }

    /// Tells whether there is a run of a name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Returns the names of all runs, in order.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.by_name.keys()
    }

    /// Returns all runs, in order of their names.
    pub fn values(&self) -> impl Iterator<Item = &Run> {
        self.by_name.values().map(AsRef::as_ref)
    }

    /// Returns all runs, in order of their names, to be kept while the others move on.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.by_name.values()
    }

    /// Returns all runs, in order of their names, to be moved on.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Run> {
        self.by_name.values_mut().map(Arc::make_mut)
    }

    /// Returns all runs with their names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Run)> {
        self.by_name.iter().map(|(name, run)| (name, run.as_ref()))
    }

    /// Returns how many runs there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Tells whether there is no run.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Returns the runs that name a machine, in order of their names.
    pub fn naming(&self, machine: &MachineId) -> impl Iterator<Item = &Run> {
        let names = self.naming.get(machine).into_iter().flatten();
        names.filter_map(|name| self.get(name))
    }

    /// Takes a run in, in the place of one of the same name.
    pub fn insert(&mut self, name: String, run: impl Into<Arc<Run>>) {
        let run = run.into();
        let names_the_same = self.get(&name).is_some_and(|known| {
            let own = run.terms.machines.keys();
            known.terms.machines.len() == run.terms.machines.len()
                && known.terms.machines.keys().eq(own)
        });
        if !names_the_same {
            self.remove(&name);
            let shared: Arc<str> = name.as_str().into();
            let naming = Arc::make_mut(&mut self.naming);
            for machine in run.terms.machines.keys() {
                let names = naming.entry(machine.clone()).or_default();
                let place = names.partition_point(|own| **own < *shared);
                names.insert(place, Arc::clone(&shared));
            }
        }
        self.by_name.insert(name, run);
    }

    /// Takes a run out.
    pub fn remove(&mut self, name: &str) {
        let Some(run) = self.by_name.remove(name) else {
            return;
        };
        let naming = Arc::make_mut(&mut self.naming);
        for machine in run.terms.machines.keys() {
            if let Some(names) = naming.get_mut(machine) {
                names.retain(|own| **own != *name);
            }
        }
    }
}

impl Extend<(String, Run)> for Runs {
    fn extend<T: IntoIterator<Item = (String, Run)>>(&mut self, runs: T) {
        for (name, run) in runs {
            self.insert(name, run);
        }
    }
}

impl FromIterator<(String, Run)> for Runs {
    fn from_iter<T: IntoIterator<Item = (String, Run)>>(runs: T) -> Self {
        let mut own = Self::new();
        own.extend(runs);
        own
    }
}

/// As a map by name.
impl Serialize for Runs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    // tests may unwrap
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::domain::testkit::{due_vm, fleet, run};

    fn named(name: &str, machines: &[&str]) -> Run {
        let machines: Vec<_> = machines.iter().map(|own| due_vm(own).machine()).collect();
        let mut own = run(&fleet("web"), &machines.iter().collect::<Vec<_>>());
        own.name = name.to_owned();
        own
    }

    fn naming(runs: &Runs, machine: &str) -> Vec<String> {
        let id = due_vm(machine).machine().id;
        runs.naming(&id).map(|own| own.name.clone()).collect()
    }

    #[test]
    fn runs_are_found_by_each_machine_that_they_name_in_order_of_their_names() {
        let runs: Runs = [("b", ["x", "y"]), ("a", ["y", "z"]), ("c", ["z", "y"])]
            .map(|(name, machines)| (name.to_owned(), named(name, &machines)))
            .into_iter()
            .collect();
        assert_eq!(naming(&runs, "x"), ["b"]);
        assert_eq!(naming(&runs, "y"), ["a", "b", "c"]);
        assert_eq!(naming(&runs, "z"), ["a", "c"]);
        assert!(naming(&runs, "nobody").is_empty());
    }

    #[test]
    fn a_run_that_is_replaced_or_removed_is_found_by_its_earlier_machines_no_more() {
        let mut runs = Runs::new();
        runs.insert("a".to_owned(), named("a", &["x", "y"]));
        let earlier = runs.clone();
        runs.insert("a".to_owned(), named("a", &["y", "z"]));
        assert!(naming(&runs, "x").is_empty());
        assert_eq!(naming(&runs, "z"), ["a"]);
        runs.remove("a");
        assert!(naming(&runs, "y").is_empty() && runs.is_empty());
        assert_eq!(naming(&earlier, "x"), ["a"], "a copy keeps its own");
    }

    #[test]
    fn a_run_that_moves_on_leaves_the_copies_of_it_as_they_were() {
        let mut runs = Runs::new();
        runs.insert("a".to_owned(), named("a", &["x"]));
        let kept = runs.shared("a").unwrap();
        runs.get_mut("a").unwrap().epoch = 7;
        assert_eq!(runs.get("a").unwrap().epoch, 7);
        assert_ne!(kept.epoch, 7);
    }
}
