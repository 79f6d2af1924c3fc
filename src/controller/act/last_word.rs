//! The last word of people: what is declared, read from the API server itself just before
//! anything is sent. A watch may be late or silent, and a Pause that stands already must not wait
//! for it.
//!
//! It only ever withholds: a command goes where the views of this pass and the last word both let
//! it.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use crate::controller::mirror::{found, watched};
use crate::controller::observe::Mirrors;
use crate::planted::{self, Bug};
use crate::validate::{Declared, Found};

/// What is declared in a namespace, by the API server itself.
pub(super) enum LastWord {
    /// What the views show.
    Known,
    /// Something else: the views are behind. Runs and names of machines are not in it.
    News(Box<Declared>),
    /// It could not be read.
    Unread(kube::Error),
}

/// Reads what is declared in these namespaces. (reads)
pub(super) async fn last_words(
    client: &Client,
    mirrors: &Mirrors,
    namespaces: BTreeSet<String>,
) -> BTreeMap<String, LastWord> {
    let mut words = BTreeMap::new();
    let namespaces = planted::pick(Bug::SkipLastWord, namespaces, BTreeSet::new());
    for namespace in namespaces {
        let word = match read(client, &namespace).await {
            Ok(declared) if is_known(&declared, mirrors, &namespace) => LastWord::Known,
            Ok(declared) => LastWord::News(Box::new(declared)),
            Err(error) => LastWord::Unread(error),
        };
        words.insert(namespace, word);
    }
    words
}

async fn read(client: &Client, namespace: &str) -> Result<Declared, kube::Error> {
    let (fleets, windows, policies, requests) = futures::try_join!(
        list(client, namespace),
        list(client, namespace),
        list(client, namespace),
        list(client, namespace),
    )?;
    Ok(Declared {
        fleets,
        windows,
        policies,
        requests,
        ..Declared::default()
    })
}

async fn list<K>(client: &Client, namespace: &str) -> Result<Vec<Found<K>>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let api = watched::<K>(client, Some(namespace));
    // Without a resourceVersion the answer is what is stored, not what some cache has of it
    // (Kubernetes, "Resource versions", semantics for get and list).
    let all = api.list(&ListParams::default()).await?;
    let mut by_name: BTreeMap<_, _> = BTreeMap::new();
    for object in all.items {
        let (key, _, found) = found::<K>(object);
        by_name.insert(key, found);
    }
    Ok(by_name.into_values().collect())
}

/// Tells whether the views show what is declared. One that does not is read anew: its watch may
/// be silent for long.
fn is_known(word: &Declared, mirrors: &Mirrors, namespace: &str) -> bool {
    let views = mirrors.declared(namespace);
    // Each is asked, so that all that are behind are read anew at once.
    let fleets = mirrors.fleets.agrees(word.fleets == views.fleets);
    let windows = mirrors.windows.agrees(word.windows == views.windows);
    let policies = mirrors.policies.agrees(word.policies == views.policies);
    let requests = mirrors.requests.agrees(word.requests == views.requests);
    fleets && windows && policies && requests
}
