//! Liveness: at the end every machine is current or says what stands in its way.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Fault, Invariant};
use crate::api::fleet::Mode;
use crate::api::request::Verb;
use crate::api::{HotpatchFleet, HotpatchRun};
use crate::domain::release::Catalogue;
use crate::rehearsal::facts::Facts;
use crate::rehearsal::limits::engaged;
use crate::rehearsal::shelf::Name;
use crate::rehearsal::truth::Truth;
use crate::rehearsal::world::World;

/// How long after a window what was to happen in it must have come to an end; a pass comes every
/// six hours at the least.
const LATE: TimeDelta = TimeDelta::hours(12);

/// Checks the end of the rehearsal, machine by machine and run by run.
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
            let mut fleets = world.fleets.all();
            let is_wanted = fleets.any(|(name, fleet)| wants(world, name, fleet, facts));
            if !is_wanted || !world.machines.get(&facts.id).is_some_and(|own| own.exists) {
                continue;
            }
            checks += 1;
            if let Some(over) = stale_wait(world, facts) {
                let text = "the newest release, or a window that is still to come";
                let found = format!("it waits for a window that closed {over}");
                return Err(Fault::on(&facts.id, text, found));
            }
            if is_current(world, facts) || !reasons(world, &facts.id).is_empty() {
                continue;
            }
            return Err(Fault::on(
                &facts.id,
                "the newest release, or a named blocker",
                "neither",
            ));
        }
        for (name, run) in &world.runs {
            checks += 1;
            if let Some(text) = lingers(world, name, run) {
                return Err(Fault {
                    machine: None,
                    expected: format!("run {} to end with its window", name.1),
                    found: text,
                });
            }
        }
        Ok(checks)
    }
}

/// Tells whether a fleet selects a machine and is to act on it. Where a person said stop to a whole
/// fleet, the fleet is the blocker and says so itself.
fn wants(world: &World, name: &Name, fleet: &HotpatchFleet, facts: &Facts) -> bool {
    let is_paused = world.requests.all().any(|(own, request)| {
        let spec = &request.spec;
        own.0 == name.0 && spec.verb == Verb::Pause && spec.fleet_ref.name == name.1
    });
    let acts = fleet.spec.mode == Mode::Enforce && !fleet.spec.suspend && !is_paused;
    acts && facts.is_selected(&fleet.spec.selector)
}

/// Tells since when the window is over that the fleet of a machine is said to wait for, if it is
/// over for so long that a later pass must have seen it.
fn stale_wait(world: &World, facts: &Facts) -> Option<DateTime<Utc>> {
    if is_current(world, facts) || facts.unfit.is_some() {
        return None;
    }
    let mut fleets = world.fleets.all().map(|(_, fleet)| fleet);
    let fleet = fleets.find(|own| facts.is_selected(&own.spec.selector))?;
    let over = fleet.status.as_ref()?.next_opening.as_ref()?.end;
    (over + LATE < world.now).then_some(over)
}

/// Tells why a run lingers on: its window is long over, and nothing that it commanded is under way
/// or held.
fn lingers(world: &World, name: &Name, run: &HotpatchRun) -> Option<String> {
    let over = run.spec.window.as_ref()?.end + LATE;
    let is_open = !world.deleted_runs.contains(name)
        && run
            .status
            .as_ref()
            .is_none_or(|own| own.completed_at.is_none());
    (is_open && over < world.now && engaged(run).next().is_none())
        .then(|| format!("it stands open with nothing under way, and should not since {over}"))
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
    // Off the track the same fixes come with the standard update of the day, or a later one; out of
    // band they came a day before the hotpatch (2025-10-23 and 24, one build).
    let standard = catalogue.latest_standard(track, world.now);
    let standard = standard.filter(|own| own.date + TimeDelta::days(1) >= latest.id.date());
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
