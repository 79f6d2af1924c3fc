//! Counts requests by what they ask for and how they were answered. Ids are left out, so that
//! the counts stay few.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// Kinds of requests that are told apart; more are counted together.
const KINDS_MAX: usize = 1024;

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    method: String,
    path: String,
    status: Option<u16>,
}

/// How many of a kind there were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Count {
    method: String,
    /// The path without ids.
    path: String,
    /// The status of the answer; none where it was lost.
    status: Option<u16>,
    count: u64,
}

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<Kind, u64>>);

impl Counts {
    pub(super) fn add(&self, method: &str, path: &str, status: Option<u16>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kind = Kind {
            method: method.to_owned(),
            path: without_ids(path),
            status,
        };
        if counts.len() >= KINDS_MAX && !counts.contains_key(&kind) {
            kind.path = "/*".to_owned();
        }
        *counts.entry(kind).or_default() += 1;
    }

    pub(super) fn all(&self) -> Vec<Count> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each = counts.iter().map(|(kind, count)| Count {
            method: kind.method.clone(),
            path: kind.path.clone(),
            status: kind.status,
            count: *count,
        });
        each.collect()
    }

    pub(super) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Writes `*` for what is behind a word that names a collection.
fn without_ids(path: &str) -> String {
    const COLLECTIONS: [&str; 9] = [
        "subscriptions",
        "resourcegroups",
        "virtualmachines",
        "machines",
        "locations",
        "operations",
        "operationstatuses",
        "runcommands",
        "maintenanceconfigurations",
    ];
    let mut out = String::new();
    let mut is_id = false;
    for word in path.split('/').filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        out.push('/');
        out.push_str(if is_id { "*" } else { &word });
        let names_place = word == "operationresults" || word.ends_with("operationresults");
        is_id = !is_id && (names_place || COLLECTIONS.contains(&word.as_str()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_left_out_and_words_are_kept() {
        let cases = [
            (
                "/subscriptions/S/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v/\
                 installPatches",
                "/subscriptions/*/resourcegroups/*/providers/microsoft.compute/virtualmachines/*/\
                 installpatches",
            ),
            (
                "/subscriptions/s/providers/Microsoft.Compute/virtualMachines",
                "/subscriptions/*/providers/microsoft.compute/virtualmachines",
            ),
            (
                "/subscriptions/s/providers/Microsoft.HybridCompute/locations/l/\
                 updateCenterOperationResults/i",
                "/subscriptions/*/providers/microsoft.hybridcompute/locations/*/\
                 updatecenteroperationresults/*",
            ),
        ];
        for (path, want) in cases {
            assert_eq!(without_ids(path), want);
        }
    }

    #[test]
    fn kinds_are_bounded() {
        let counts = Counts::default();
        for number in 0..2 * KINDS_MAX {
            counts.add("GET", &format!("/{number}"), Some(404));
        }
        let all = counts.all();
        assert_eq!(all.len(), KINDS_MAX + 1);
        assert_eq!(
            all.iter().map(|own| own.count).sum::<u64>(),
            2 * KINDS_MAX as u64
        );
    }
}
