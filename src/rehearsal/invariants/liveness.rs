//! Liveness: at the end every machine is current or says what stands in its way.

use super::{Fault, Invariant};
use crate::domain::release::Catalogue;
use crate::rehearsal::facts::Facts;
use crate::rehearsal::truth::Truth;
use crate::rehearsal::world::World;

/// Checks the end of the rehearsal, machine by machine.
pub(super) struct Liveness;

impl Invariant for Liveness {
    fn name(&self) -> &'static str {
        "liveness"
    }

    fn states(&self) -> &'static str {
        "in the end every machine is current or has a named blocker"
    }

    fn check(&mut self, _: &World) -> Result<u64, Fault> {
        Ok(0)
    }

    fn at_end(&mut self, world: &World) -> Result<u64, Fault> {
        let mut checks = 0;
        for facts in world.facts.values() {
            let selected = world
                .fleets
                .all()
                .any(|(_, fleet)| facts.is_selected(&fleet.spec.selector));
            if !selected || !world.machines.get(&facts.id).is_some_and(|own| own.exists) {
                continue;
            }
            checks += 1;
            if is_current(world, facts) || !reasons(world, &facts.id).is_empty() {
                continue;
            }
            return Err(Fault::on(
                &facts.id,
                "the newest release, or a named blocker",
                "neither",
            ));
        }
        Ok(checks)
    }
}

/// Tells whether a machine really has the newest release of its track, and owes no reboot.
pub(crate) fn is_current(world: &World, facts: &Facts) -> bool {
    let Some(track) = facts.track.filter(|_| facts.unfit.is_none()) else {
        return false;
    };
    let catalogue = Catalogue::embedded();
    let Some(latest) = catalogue.latest_effective(track, world.now) else {
        return false;
    };
    // Off the track the same fixes come with the standard update of the day, or a later one.
    let standard = catalogue.latest_standard(track, world.now);
    let standard = standard.filter(|own| own.date >= latest.id.date());
    let kbs = [latest.effective_kb(), standard.map(|own| own.kb)];
    let has = |truth: &Truth| {
        let mut kbs = kbs.iter().flatten().map(|kb| kb.number().to_string());
        kbs.any(|kb| truth.installed.contains(&kb)) && truth.pending.is_empty()
    };
    world.machines.get(&facts.id).is_some_and(has)
}

/// Returns the reasons that the machine's record shows.
pub(crate) fn reasons(world: &World, machine: &str) -> Vec<String> {
    let record = world.records.values().find(|record| {
        let id = record["spec"]["resourceId"].as_str();
        id.is_some_and(|own| own.eq_ignore_ascii_case(machine))
    });
    let reasons = record.and_then(|record| record["status"]["reasons"].as_array());
    let words = reasons.into_iter().flatten().filter_map(|own| own.as_str());
    words.map(str::to_owned).collect()
}
