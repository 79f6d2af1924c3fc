//! Stages: a stage begins when the one before is done and soaked, and stops when too many failed.

use chrono::{DateTime, TimeDelta, Utc};

use super::once::SHOWN_AFTER;
use super::{Fault, Invariant, WATCH_GRACE};
use crate::api::HotpatchRun;
use crate::api::policy::{BaselinePolicySpec, FailureScope};
use crate::api::request::Verb;
use crate::api::run::RunMachineStatus;
use crate::rehearsal::limits::is_engaged;
use crate::rehearsal::openings::length;
use crate::rehearsal::shelf::Name;
use crate::rehearsal::truth::{Sent, Truth};
use crate::rehearsal::world::World;

/// Checks the order of stages, their soak and their failures.
pub(super) struct Stages;

impl Invariant for Stages {
    fn name(&self) -> &'static str {
        "stages"
    }

    fn states(&self) -> &'static str {
        "a stage begins when the one before is done and soaked, and stops when too many failed"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(sent) = world.just_sent().filter(|own| own.is_accepted()) else {
            return Ok(0);
        };
        let Some((name, run)) = sent.run.as_ref().zip(world.run_of(sent)) else {
            return Ok(0);
        };
        let of_release: Vec<(&Name, &HotpatchRun)> = world
            .runs
            .iter()
            .filter(|(own, other)| {
                // Whoever deletes a run takes back what it proved.
                own.0 == name.0
                    && !world.deleted_runs.contains(*own)
                    && other.spec.fleet_uid == run.spec.fleet_uid
                    && other.spec.release == run.spec.release
            })
            .map(|(own, other)| (own, other.as_ref()))
            .collect();
        failures(world, sent, run, &of_release)?;
        // What is installed and waits for its reboot is exposed, and waits for no other stage; that
        // somebody rebooted it shows with the next assessment.
        let truth = world.machines.get(&sent.machine);
        let owes = |own: &Truth| {
            let shown = own
                .effective_at
                .is_some_and(|at| sent.at - at < SHOWN_AFTER);
            shown || !own.pending.is_empty()
        };
        if truth.is_some_and(owes) {
            return Ok(1);
        }
        let seen = sent.at - WATCH_GRACE;
        let Some(policy) = policy_at(world, name, run, seen) else {
            return Ok(1);
        };
        let stages = policy.stages.iter();
        let earlier = stages.take_while(|own| own.name != run.spec.stage);
        for stage in earlier {
            let soak = length(&stage.soak).unwrap_or_default();
            proven(sent, &stage.name, soak, &of_release)?;
        }
        Ok(2)
    }
}

fn policy_at(
    world: &World,
    name: &Name,
    run: &HotpatchRun,
    seen: DateTime<Utc>,
) -> Option<BaselinePolicySpec> {
    let fleet = (name.0.clone(), run.spec.fleet_name.clone());
    let fleet = world.fleets.at(&fleet, seen)?;
    let policy = (name.0.clone(), fleet.spec.policy_ref.name.clone());
    Some(world.policies.at(&policy, seen)?.spec.clone())
}

fn entries(run: &HotpatchRun) -> impl Iterator<Item = &RunMachineStatus> {
    run.status.iter().flat_map(|status| &status.machines)
}

/// Checks that nobody of an earlier stage is worked on, and that its last success is old enough.
fn proven(
    sent: &Sent,
    stage: &str,
    soak: TimeDelta,
    of_release: &[(&Name, &HotpatchRun)],
) -> Result<(), Fault> {
    let own = of_release.iter().filter(|(_, run)| run.spec.stage == stage);
    let is_over = |run: &HotpatchRun| {
        let status = run.status.as_ref();
        status.is_some_and(|own| own.completed_at.is_some())
    };
    for (entry, is_over) in own.flat_map(|(_, run)| entries(run).map(|one| (one, is_over(run)))) {
        if is_engaged(&entry.step) && !is_over {
            let text = format!("stage {stage} to be done first");
            return Err(Fault::on(
                &sent.machine,
                text,
                format!("{} of it", entry.step),
            ));
        }
        let ended = entry.ended_at.or(entry.since);
        let since = ended.filter(|_| entry.step == "Succeeded");
        if let Some(since) = since.filter(|since| sent.at < *since + soak) {
            let text = format!("stage {stage} to soak until {}", since + soak);
            return Err(Fault::on(&sent.machine, text, "a command"));
        }
    }
    Ok(())
}

/// Checks that no more machines failed than the run bears: by their last word, and without the
/// release in truth. Where a person asked to try again, or to leave one out, which then counts no
/// more, it is theirs to say.
fn failures(
    world: &World,
    sent: &Sent,
    run: &HotpatchRun,
    of_release: &[(&Name, &HotpatchRun)],
) -> Result<(), Fault> {
    let Some(max) = run.spec.failures.max else {
        return Ok(());
    };
    if world
        .requests
        .all()
        .any(|(_, own)| matches!(own.spec.verb, Verb::Retry | Verb::Exclude))
    {
        return Ok(());
    }
    let per_release = run.spec.failures.per == Some(FailureScope::Release);
    let counted: Vec<(&HotpatchRun, &RunMachineStatus)> = of_release
        .iter()
        .filter(|(_, own)| per_release || own.spec.stage == run.spec.stage)
        .flat_map(|(_, own)| entries(own).map(|entry| (*own, entry)))
        .collect();
    // A release comes as one KB or another, by what each machine takes.
    let kbs = of_release.iter().flat_map(|(_, own)| &own.spec.allowed_kbs);
    let failed = world.facts.keys().filter(|id| {
        let Some(truth) = world.machines.get(*id).filter(|own| own.exists) else {
            return false;
        };
        let own = counted.iter().filter(|(run, own)| {
            own.id.eq_ignore_ascii_case(id) && is_of_this_life(run, id, &truth.incarnation)
        });
        let last = own
            .map(|(_, own)| own)
            .filter(|own| own.attempts.unwrap_or(0) > 0)
            .max_by_key(|own| own.since);
        let lacks = |kb: &String| !truth.installed.contains(kb.trim_start_matches("KB"));
        last.is_some_and(|own| own.step == "Failed") && kbs.clone().all(lacks)
    });
    let count = failed.count();
    if count > max as usize {
        let text = format!("silence in stage {}: {max} may fail", run.spec.stage);
        return Err(Fault::on(&sent.machine, text, format!("{count} failed")));
    }
    Ok(())
}

/// Tells whether a run names the machine that now bears an id: one that was made anew is another
/// one, which has failed nothing. Nothing happened yet on one whose life is not known.
fn is_of_this_life(run: &HotpatchRun, id: &str, incarnation: &str) -> bool {
    let named = run
        .spec
        .machines
        .iter()
        .find(|own| own.id.eq_ignore_ascii_case(id));
    let vm_id = named.and_then(|own| own.incarnation.vm_id.as_ref());
    incarnation.is_empty() || vm_id.is_none_or(|own| own == incarnation)
}
