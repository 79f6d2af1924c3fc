//! One contract, two servers: what a client of a Kubernetes API may rely on, as named cases that
//! run against the simulator and against a real kube-apiserver.
//!
//! The cases were written by watching the real server. A case that differs on the simulator is a
//! bug of the simulator or stands in [`goals`] with the reason.

mod answer;
mod fixtures;
mod goals;
mod run;
mod world;

mod access;
mod apply;
mod apply_lists;
mod builtins;
mod collection;
mod defaults;
mod deletion;
mod discovery;
mod metadata;
mod namespaces;
mod objects;
mod paging;
mod patches;
mod rule_values;
mod rules;
mod selectors;
mod serving;
mod shapes;
mod types;
mod updates;
mod watch_options;
mod watches;

use std::pin::Pin;

use answer::Outcome;
use world::World;

/// One statement about the API.
pub(super) struct Case {
    /// Path of the function that holds it.
    path: &'static str,
    run: fn(World) -> Pin<Box<dyn Future<Output = Outcome> + Send>>,
}

impl Case {
    /// The statement in words, behind the name of its file.
    fn name(&self) -> String {
        let mut parts = self.path.rsplit("::");
        let statement = parts.next().unwrap_or_default().replace('_', " ");
        format!("{}: {statement}", parts.next().unwrap_or_default())
    }
}

/// The cause that stands last where CEL rules were left out because of the others.
const UNCHECKED: (&str, &str, &str) = (
    "FieldValueInvalid",
    "<nil>",
    "Invalid value: null: some validation rules were not checked because the object was invalid; \
     correct the existing errors to complete validation",
);

/// Lists functions of a file as cases; the name of a function is the statement.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        /// The cases of this file.
        pub(super) const CASES: &[super::Case] = &[
            $(super::Case {
                path: concat!(module_path!(), "::", stringify!($case)),
                run: |world| Box::pin($case(world)),
            }),*
        ];
    };
}
use cases;

/// All cases that may run beside each other.
fn all_cases() -> Vec<&'static Case> {
    [
        access::CASES,
        apply::CASES,
        apply_lists::CASES,
        builtins::CASES,
        collection::CASES,
        defaults::CASES,
        deletion::CASES,
        discovery::CASES,
        metadata::CASES,
        namespaces::CASES,
        objects::CASES,
        paging::CASES,
        patches::CASES,
        rule_values::CASES,
        rules::CASES,
        selectors::CASES,
        serving::CASES,
        shapes::CASES,
        types::CASES,
        updates::CASES,
        watch_options::CASES,
        watches::CASES,
    ]
    .into_iter()
    .flatten()
    .collect()
}
