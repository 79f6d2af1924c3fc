//! The last word of people: what is declared, read from the API server itself just before
//! anything is sent. A watch may be late or silent, and a Pause that stands already must not wait
//! for it.
//!
//! It only ever withholds: a command goes where the views of this pass and the last word both let
//! it.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::{Api, ListParams, ObjectMeta};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use super::runs::Work;
use crate::api::HotpatchRun;
use crate::controller::mirror::{found, watched};
use crate::controller::observe::Mirrors;
use crate::domain::plan::RunKey;
use crate::planted::{self, Bug};
use crate::validate::{Declared, Found};

/// What is declared in a namespace, by the API server itself.
pub(super) enum LastWord {
    /// What the views show.
    Known,
    /// Something else: the views are behind. Runs and names of machines are not in it.
    News(Box<Declared>),
    /// Somebody else wrote, made or deleted a run, and no view shows it: what it commands or holds
    /// is not counted.
    UnseenRun(String),
    /// It could not be read.
    Unread(kube::Error),
}

/// Which life of a run there is, and in which version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Version {
    uid: Option<String>,
    version: Option<String>,
}

impl Version {
    /// Returns the name of an object, and its version.
    fn of(meta: &ObjectMeta) -> (String, Self) {
        let version = Self {
            uid: meta.uid.clone(),
            version: meta.resource_version.clone(),
        };
        (meta.name.clone().unwrap_or_default(), version)
    }
}

/// Versions of runs, by name.
type Versions = BTreeMap<String, Version>;

/// Reads what is declared in these namespaces. (reads)
pub(super) async fn last_words(
    client: &Client,
    mirrors: &Mirrors,
    work: &BTreeMap<RunKey, Work>,
    namespaces: BTreeSet<String>,
) -> BTreeMap<String, LastWord> {
    let mut words = BTreeMap::new();
    let namespaces = planted::pick(Bug::SkipLastWord, namespaces, BTreeSet::new());
    for namespace in namespaces {
        let word = match read(client, &namespace).await {
            Ok((declared, runs)) => {
                let is_known = is_known(&declared, mirrors, &namespace);
                match unseen(&runs, mirrors, work, &namespace) {
                    Some(run) => LastWord::UnseenRun(run),
                    None if is_known => LastWord::Known,
                    None => LastWord::News(Box::new(declared)),
                }
            }
            Err(error) => LastWord::Unread(error),
        };
        words.insert(namespace, word);
    }
    words
}

/// Reads what is declared, and which versions of runs there are: their contents are long, and only
/// whether they are those of the views matters.
async fn read(client: &Client, namespace: &str) -> Result<(Declared, Versions), kube::Error> {
    let runs: Api<HotpatchRun> = Api::namespaced(client.clone(), namespace);
    let all = ListParams::default();
    let (fleets, windows, policies, requests, runs) = futures::try_join!(
        list(client, namespace),
        list(client, namespace),
        list(client, namespace),
        list(client, namespace),
        runs.list_metadata(&all),
    )?;
    let runs = runs.items.into_iter().map(|own| Version::of(&own.metadata));
    let declared = Declared {
        fleets,
        windows,
        policies,
        requests,
        ..Declared::default()
    };
    Ok((declared, runs.collect()))
}

/// Returns a run that is another one, or another version, than the views and the writes of this
/// pass show. Then all runs are read anew.
fn unseen(
    runs: &Versions,
    mirrors: &Mirrors,
    work: &BTreeMap<RunKey, Work>,
    namespace: &str,
) -> Option<String> {
    let mut known = Versions::new();
    for found in mirrors.runs.of_namespace(namespace) {
        let (name, version) = match &found {
            Found::Object(object) => Version::of(&object.metadata),
            // One that nobody can read holds whatever it holds, in this version or another.
            Found::Unreadable { name, .. } => match runs.get(name) {
                Some(version) => (name.clone(), version.clone()),
                None => (name.clone(), Version::default()),
            },
        };
        known.insert(name, version);
    }
    let own = work.iter().filter(|(key, _)| key.namespace == namespace);
    let own = own.filter_map(|(_, own)| own.object());
    known.extend(own.map(|object| Version::of(&object.metadata)));
    let names: BTreeSet<&String> = known.keys().chain(runs.keys()).collect();
    let mut names = names.into_iter();
    let unseen = names.find(|name| known.get(*name) != runs.get(*name));
    mirrors.runs.agrees(unseen.is_none());
    unseen.cloned()
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
