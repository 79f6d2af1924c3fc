//! Owned: settings are changed only where they are ours to change, and always with a claim.

use std::collections::{BTreeMap, BTreeSet};

use azure_sim::What;
use chrono::TimeDelta;
use serde_json::Value;

use super::{Fault, Invariant};
use crate::api::HotpatchFleet;
use crate::api::fleet::{Mode, OnRelease};
use crate::rehearsal::identities::is_ours;
use crate::rehearsal::world::World;

/// The patch settings that the operator may write, as paths below `patchSettings`.
const OWNED: [&str; 4] = [
    "patchMode",
    "assessmentMode",
    "enableHotpatching",
    "automaticByPlatformSettings.rebootSetting",
];

/// A machine that is let go of has its settings back after this time.
const RESTORED_AFTER: TimeDelta = TimeDelta::days(1);

/// A fleet has its claim on a machine after this time, whatever Resource Graph shows meanwhile: the
/// next idle pass reads it anew.
const CLAIMED_AFTER: TimeDelta = TimeDelta::hours(7);

/// The licence feature, among the paths that were changed.
const LICENCE: &str = "licence";

/// Checks changes of settings, tags and licences.
#[derive(Default)]
pub(super) struct Owned {
    /// The paths that the operator changed on each machine: those may go back to what stood
    /// before, also when no fleet selects the machine any more.
    changed: BTreeMap<String, BTreeSet<String>>,
}

impl Invariant for Owned {
    fn name(&self) -> &'static str {
        "owned"
    }

    fn states(&self) -> &'static str {
        "only settings of ours change, only on machines of a fleet, and the earlier ones are noted"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(effect) = world.just_effect() else {
            return Ok(0);
        };
        let machine = &effect.machine_id;
        match &effect.what {
            What::SettingsChanged { by, before, after } if is_ours(by) => {
                let mut paths = BTreeSet::new();
                changed("", before, after, &mut paths);
                let not_ours = paths.iter().find(|path| !OWNED.contains(&path.as_str()));
                if let Some(path) = not_ours {
                    let text = format!("a change of {} only", OWNED.join(", "));
                    return Err(Fault::on(machine, text, format!("a change of {path}")));
                }
                self.allowed(world, machine, paths)
            }
            What::TagsChanged { by, before, after } if is_ours(by) => {
                let mut paths = BTreeSet::new();
                changed("", before, after, &mut paths);
                let claim = crate::domain::enrolment::CLAIM_TAG;
                match paths.iter().find(|path| !path.eq_ignore_ascii_case(claim)) {
                    Some(tag) => {
                        let text = format!("a change of tag {claim} only");
                        Err(Fault::on(machine, text, format!("a change of {tag}")))
                    }
                    None => Ok(1),
                }
            }
            What::LicenceChanged { by, .. } if is_ours(by) => {
                let claimed = world
                    .machines
                    .get(machine)
                    .is_some_and(|own| own.is_claimed);
                if !claimed {
                    let text = "the claim in the tags before the licence";
                    return Err(Fault::on(machine, text, "no claim"));
                }
                self.allowed(world, machine, BTreeSet::from([LICENCE.to_owned()]))
            }
            _ => Ok(0),
        }
    }

    fn at_end(&mut self, world: &World) -> Result<u64, Fault> {
        let mut checks = 0;
        for (id, truth) in &world.machines {
            if !truth.exists {
                continue;
            }
            if truth.is_claimed && is_released(world, id) {
                let text = "the settings back that a fleet changed and let go of";
                return Err(Fault::on(id, text, "a claim still"));
            }
            if truth.settings_ours && has_taken(world, id) {
                checks += 1;
                if !truth.is_claimed {
                    let text = "a claim on each machine whose settings we changed";
                    return Err(Fault::on(id, text, "none"));
                }
            }
        }
        Ok(checks)
    }
}

impl Owned {
    fn allowed(
        &mut self,
        world: &World,
        machine: &str,
        paths: BTreeSet<String>,
    ) -> Result<u64, Fault> {
        let known = self.changed.entry(machine.to_owned()).or_default();
        let fit = world
            .facts
            .get(machine)
            .is_some_and(|own| own.unfit.is_none());
        if takes(world, machine) && fit {
            known.extend(paths);
            return Ok(3);
        }
        if !paths.is_empty() && paths.is_subset(known) {
            return Ok(2);
        }
        let text = "changes only on machines that a fleet selects and that can be hotpatched";
        Err(Fault::on(machine, text, "a change"))
    }
}

/// Tells whether a fleet selects a machine, and has done so for as long as a claim may take.
fn has_taken(world: &World, machine: &str) -> bool {
    let Some(facts) = world.facts.get(machine) else {
        return false;
    };
    let seen = world.now - CLAIMED_AFTER;
    world.fleets.all().any(|(name, fleet)| {
        let before = world.fleets.at(name, seen);
        let did = |own: &HotpatchFleet| {
            own.metadata.uid == fleet.metadata.uid && facts.is_selected(&own.spec.selector)
        };
        facts.is_selected(&fleet.spec.selector) && before.is_some_and(|own| did(&own))
    })
}

/// Tells whether a fleet selects a machine.
fn takes(world: &World, machine: &str) -> bool {
    let facts = world.facts.get(machine);
    let mut fleets = world.fleets.all();
    facts.is_some_and(|own| fleets.any(|(_, fleet)| own.is_selected(&fleet.spec.selector)))
}

/// Tells whether all fleets, each of which puts back what it lets go of and may act, have let a
/// machine go for so long that it must have its settings back.
fn is_released(world: &World, machine: &str) -> bool {
    let Some(facts) = world.facts.get(machine) else {
        return false;
    };
    let seen = world.now - RESTORED_AFTER;
    let mut fleets = world.fleets.all().peekable();
    fleets.peek().is_some()
        && fleets.all(|(name, fleet)| {
            let before = world.fleets.at(name, seen);
            let acts = fleet.spec.mode != Mode::Observe && !fleet.spec.suspend;
            let was_out = before.is_some_and(|own| !facts.is_selected(&own.spec.selector));
            let restores = fleet.spec.on_release == OnRelease::Restore;
            acts && restores && was_out && !facts.is_selected(&fleet.spec.selector)
        })
}

fn changed(path: &str, before: &Value, after: &Value, into: &mut BTreeSet<String>) {
    if before == after {
        return;
    }
    let (old, new) = (before.as_object(), after.as_object());
    if old.is_none() && new.is_none() {
        into.insert(path.to_owned());
        return;
    }
    let keys: BTreeSet<&String> = old
        .into_iter()
        .chain(new)
        .flat_map(|own| own.keys())
        .collect();
    for key in keys {
        let below = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        changed(&below, &before[key], &after[key], into);
    }
}
