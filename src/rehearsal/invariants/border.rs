//! Border: a namespace acts with its own identity, on its own machines, and tells nobody else's
//! names.

use std::collections::{BTreeMap, BTreeSet};

use azure_sim::{Actor, What};

use super::{Fault, Invariant};
use crate::rehearsal::identities::namespace_of;
use crate::rehearsal::shelf::Name;
use crate::rehearsal::world::{World, Write};

/// The group of the operator's own kinds.
const OURS: &str = ".hotpatch.dev";

/// Checks that nothing crosses from one namespace to another.
#[derive(Default)]
pub(super) struct Border {
    /// The namespaces of the fleets that ever selected a machine, by its id.
    of_machine: BTreeMap<String, BTreeSet<String>>,
    /// The names of all fleets so far.
    fleets: BTreeSet<Name>,
}

impl Invariant for Border {
    fn name(&self) -> &'static str {
        "border"
    }

    fn states(&self) -> &'static str {
        "a namespace acts with its own identity, on its own machines, and shows no other's names"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        if let Some(write) = world.just_written() {
            self.learn(world, write);
            return self.written(write);
        }
        let Some(effect) = world.just_effect() else {
            return Ok(0);
        };
        let Some(namespace) = caller(&effect.what).and_then(namespace_of) else {
            return Ok(0);
        };
        self.is_its(namespace, &effect.machine_id)?;
        let run = world
            .just_arrived()
            .and_then(|sent| Some((sent, sent.run.as_ref()?)));
        match run {
            Some((sent, run)) if run.0 != namespace => Err(Fault::on(
                &sent.machine,
                format!("the identity of namespace {} for its run {}", run.0, run.1),
                format!("the identity of namespace {namespace}"),
            )),
            _ => Ok(1),
        }
    }
}

impl Border {
    /// Keeps which machines a fleet takes.
    fn learn(&mut self, world: &World, write: &Write) {
        if write.resource != "hotpatchfleets.hotpatch.dev" {
            return;
        }
        let name = (write.namespace.clone(), write.name.clone());
        if let Some(fleet) = world.fleets.get(&name) {
            let facts = world.facts.values();
            for own in facts.filter(|own| own.is_selected(&fleet.spec.selector)) {
                let namespaces = self.of_machine.entry(own.id.clone()).or_default();
                namespaces.insert(write.namespace.clone());
            }
        }
        self.fleets.insert(name);
    }

    fn is_its(&self, namespace: &str, machine: &str) -> Result<(), Fault> {
        let namespaces = self.of_machine.get(machine);
        if namespaces.is_some_and(|own| own.contains(namespace)) {
            return Ok(());
        }
        let text = format!("a machine that a fleet of namespace {namespace} selects");
        Err(Fault::on(machine, text, "another one"))
    }

    /// Judges what is written in a namespace: runs name its machines only, nothing names what
    /// stands in another.
    fn written(&self, write: &Write) -> Result<u64, Fault> {
        let Some(after) = write
            .after
            .as_ref()
            .filter(|_| write.resource.ends_with(OURS))
        else {
            return Ok(0);
        };
        if write.resource == "hotpatchruns.hotpatch.dev" {
            let machines = after["spec"]["machines"].as_array();
            for machine in machines.into_iter().flatten() {
                let id = machine["id"].as_str().unwrap_or_default();
                self.is_its(&write.namespace, &id.to_ascii_lowercase())?;
            }
        }
        let others = || {
            let others = self.fleets.iter();
            others.filter(|(namespace, _)| *namespace != write.namespace)
        };
        if others().next().is_none() {
            return Ok(1);
        }
        let status = after["status"].to_string();
        match others().find(|(_, fleet)| is_named(&status, fleet)) {
            Some((namespace, fleet)) => Err(Fault {
                machine: None,
                expected: format!(
                    "no name of namespace {namespace} in namespace {}",
                    write.namespace
                ),
                found: format!("fleet {fleet} in {} {}", write.resource, write.name),
            }),
            None => Ok(2),
        }
    }
}

/// Returns who called, where a call is what happened.
fn caller(what: &What) -> Option<&str> {
    let by = match what {
        What::CallAccepted(call) | What::CallRefused { call, .. } => return Some(&call.caller),
        What::SettingsChanged { by, .. }
        | What::TagsChanged { by, .. }
        | What::LicenceChanged { by, .. } => by,
        _ => return None,
    };
    match by {
        Actor::Caller { name, .. } => Some(name),
        _ => None,
    }
}

/// Tells whether a text holds a name as a word of its own, or as the beginning or the end of one
/// with hyphens: so runs are found by their fleets.
fn is_named(text: &str, name: &str) -> bool {
    let mut found = text.match_indices(name);
    found.any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        ![before, after]
            .into_iter()
            .flatten()
            .any(char::is_alphanumeric)
    })
}
