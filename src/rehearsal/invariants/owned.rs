//! Owned: settings are changed only where they are ours to change, and always with a claim.

use std::collections::BTreeSet;

use azure_sim::{Actor, What};
use serde_json::Value;

use super::{Fault, Invariant};
use crate::rehearsal::world::World;

/// The patch settings that the operator may write, as paths below `patchSettings`.
const OWNED: [&str; 4] = [
    "patchMode",
    "assessmentMode",
    "enableHotpatching",
    "automaticByPlatformSettings.rebootSetting",
];

/// Checks changes of settings, tags and licences.
pub(super) struct Owned;

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
            What::SettingsChanged { by, before, after } if is_ours(by, world) => {
                let mut paths = BTreeSet::new();
                changed("", before, after, &mut paths);
                let not_ours = paths.iter().find(|path| !OWNED.contains(&path.as_str()));
                if let Some(path) = not_ours {
                    let text = format!("a change of {} only", OWNED.join(", "));
                    return Err(Fault::on(machine, text, format!("a change of {path}")));
                }
                selected(world, machine).map(|checks| checks + 1)
            }
            What::TagsChanged { by, before, after } if is_ours(by, world) => {
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
            What::LicenceChanged { by, .. } if is_ours(by, world) => {
                let claimed = world
                    .machines
                    .get(machine)
                    .is_some_and(|own| own.is_claimed);
                if !claimed {
                    let text = "the claim in the tags before the licence";
                    return Err(Fault::on(machine, text, "no claim"));
                }
                selected(world, machine).map(|checks| checks + 1)
            }
            _ => Ok(0),
        }
    }

    fn at_end(&mut self, world: &World) -> Result<u64, Fault> {
        let mut checks = 0;
        for (id, truth) in &world.machines {
            if truth.settings_ours && truth.exists {
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

fn is_ours(by: &Actor, world: &World) -> bool {
    matches!(by, Actor::Caller { name, .. } if *name == world.operator)
}

fn selected(world: &World, machine: &str) -> Result<u64, Fault> {
    let facts = world.facts.get(machine);
    let mut fleets = world.fleets.all();
    let taken =
        facts.is_some_and(|own| fleets.any(|(_, fleet)| own.is_selected(&fleet.spec.selector)));
    let fit = facts.is_some_and(|own| own.unfit.is_none());
    if taken && fit {
        return Ok(2);
    }
    let text = "changes only on machines that a fleet selects and that can be hotpatched";
    Err(Fault::on(machine, text, "a change"))
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
