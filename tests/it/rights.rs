//! The Azure roles grant what the client uses, no more and no less.
//!
//! Rehearsals are the witness: every request is put down, and the action that it needs is told
//! from its method and path by Azure's own naming rules, never from the table of the client.

// tests may unwrap
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use azure_sim::{AzureSim, Fault};
use bytes::Bytes;
use hotpatch_operator::azure::rights::{ACTIONS_MAX, Role};
use hotpatch_operator::cli::roles;
use serde_json::Value;

mod naming;
mod plays;

#[test]
fn the_files_in_roles_are_what_the_code_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("roles");
    let files = roles::files();
    for (name, text) in &files {
        let found = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            found == *text,
            "roles/ is stale: run `make roles` ({name} differs)"
        );
    }
    let expected: BTreeSet<String> = files.into_iter().map(|(name, _)| name).collect();
    let entries = std::fs::read_dir(&folder).unwrap();
    let found: BTreeSet<String> = entries
        .map(|own| own.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, expected, "roles/ is stale: run `make roles`");
}

/// Reads the actions that the committed role files grant.
fn granted() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("roles");
    let mut actions = BTreeSet::new();
    for role in Role::ALL {
        let text = std::fs::read_to_string(folder.join(role.file())).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        for empty in ["NotActions", "DataActions", "NotDataActions"] {
            assert_eq!(value[empty], Value::Array(Vec::new()), "{role:?} {empty}");
        }
        let own = value["Actions"].as_array().unwrap();
        assert!(
            (1..=ACTIONS_MAX).contains(&own.len()),
            "{role:?} has {}",
            own.len()
        );
        for action in own {
            let action = action.as_str().unwrap();
            assert!(!action.contains('*'), "{role:?}: {action}");
            assert!(
                actions.insert(action.to_ascii_lowercase()),
                "{action} twice"
            );
        }
        let scopes = value["AssignableScopes"].as_array().unwrap();
        assert_eq!(scopes.len(), 1, "{role:?}");
    }
    actions
}

#[test]
fn the_roles_grant_what_the_client_uses_and_nothing_else() {
    let used = plays::everything_that_is_used();
    let granted = granted();
    let (missing, idle) = compare(&used, &granted);
    assert!(
        missing.is_empty() && idle.is_empty(),
        "used and not granted: add the call to src/azure/rights/ and run `make roles`: \
         {missing:#?}\ngranted and never used: take it out there: {idle:#?}"
    );
}

/// Returns what is used without being granted, and what is granted and never used.
fn compare<'a>(
    used: &'a BTreeSet<String>,
    granted: &'a BTreeSet<String>,
) -> (Vec<&'a String>, Vec<&'a String>) {
    let missing = used.difference(granted).collect();
    (missing, granted.difference(used).collect())
}

#[test]
fn a_missing_right_and_an_idle_one_are_both_found() {
    let set = |all: &[&str]| all.iter().map(|own| (*own).to_owned()).collect();
    let granted: BTreeSet<String> = granted();
    let mut used = granted.clone();
    used.remove("microsoft.compute/virtualmachines/restart/action");
    used.extend::<BTreeSet<String>>(set(&["microsoft.compute/virtualmachines/delete"]));
    let (missing, idle) = compare(&used, &granted);
    assert_eq!(missing, ["microsoft.compute/virtualmachines/delete"]);
    assert_eq!(idle, ["microsoft.compute/virtualmachines/restart/action"]);
}

/// Puts down the actions of every request that an emulated Azure gets.
fn witness(azure: &AzureSim, into: &Arc<Mutex<BTreeSet<String>>>) {
    let into = Arc::clone(into);
    azure.on_call(move |request: &http::Request<Bytes>| {
        into.lock().unwrap().extend(naming::actions(request));
        Fault::None
    });
}
