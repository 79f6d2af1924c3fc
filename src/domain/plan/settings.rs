//! What is said of machines that no run concerns, and the settings and assessments they need.

use super::departed::is_departed;
use super::{Assessing, Note, Outlook, Pass, Plan};
use crate::domain::due::Verdict;
use crate::domain::enrolment::{ClaimIdentity, Desired, claim_of, difference, restore, take_over};
use crate::domain::fleet::{Fleet, Mode};
use crate::domain::machine::{Health, Machine};
use crate::domain::permission::open_span;
use crate::domain::roster::{Member, in_open_runs};
use crate::domain::run::{Step, StepReason};
use crate::domain::snapshot::Snapshot;
use crate::planted::{self, Bug};

/// Writes the note of each machine by what it is alone; runs and drafts write over it.
pub(super) fn explain(pass: &mut Pass<'_>) {
    let held = &pass.domain.held;
    for outlook in pass.outlooks.values_mut() {
        let notes = outlook
            .roster
            .values()
            .map(|member| {
                let id = &member.machine.id;
                let note = match held.get(id) {
                    Some(why) => Note::new("Quarantined", format!("held: {why}")),
                    None => explanation(member, pass.namespace),
                };
                (id.clone(), note)
            })
            .collect();
        outlook.notes = notes;
    }
}

fn explanation(member: &Member, namespace: &str) -> Note {
    if let Some(blocker) = member.blockers.first() {
        let all: Vec<&str> = member
            .blockers
            .iter()
            .map(|own| own.message.as_str())
            .collect();
        return Note::new(blocker.reason.to_string(), all.join("; "));
    }
    if let Some(why) = &member.excluded {
        return Note::new("Excluded", format!("left out: {why}"));
    }
    if let Some(owner) = &member.owner {
        // Messages never name another namespace's objects.
        let text = if owner.namespace == namespace {
            format!("fleet {} is older and acts on it", owner.name)
        } else {
            "a fleet of another namespace is older and acts on it".to_owned()
        };
        return Note::new("OwnedByAnotherFleet", text);
    }
    if member.dormant {
        return Note::new(
            "Dormant",
            "it is switched off or silent; it comes when it is back",
        );
    }
    if member.stage.is_none() {
        return Note::new("NoStage", "no stage of the policy takes it");
    }
    match &member.verdict {
        Verdict::Current { release, .. } => {
            Note::new("Current", format!("it has {release}, the newest release"))
        }
        Verdict::Wait(wait) => Note::new(wait.reason.to_string(), wait.message.clone()),
        Verdict::Due(due) => Note::new("Due", format!("{} is due", due.release)),
    }
}

/// Returns the settings to write: what the fleets in Enrol and Enforce want and do not find, and
/// the way back for machines that a fleet lets go of. A change keeps a machine busy for a while, so
/// those that a run names, or is about to, are left alone until it is over.
pub(super) fn change(pass: &mut Pass<'_>, snapshot: &Snapshot, plan: &mut Plan) {
    let mut busy = in_open_runs(&pass.domain);
    for draft in &plan.drafts {
        busy.extend(draft.terms.machines.keys().cloned());
    }
    let fleets: Vec<Fleet> = pass
        .domain
        .fleets
        .iter()
        .filter_map(|view| view.fleet.clone().ok())
        .collect();
    for fleet in fleets
        .iter()
        .filter(|own| own.mode >= Mode::Enrol && !own.suspended)
    {
        if pass
            .domain
            .fresh(&fleet.service_account, pass.now)
            .is_none()
        {
            continue;
        }
        let Ok(identity) = ClaimIdentity::new(&snapshot.cluster_uid, &fleet.uid) else {
            continue;
        };
        let Some(outlook) = pass.outlooks.get_mut(&fleet.key) else {
            continue;
        };
        let Outlook { roster, notes, .. } = outlook;
        for member in roster.values() {
            let machine = &member.machine;
            let fit = member.blockers.is_empty()
                && member.owner.is_none()
                && member.excluded.is_none()
                && !member.dormant
                && machine.busy.is_none();
            if !fit || busy.contains(&machine.id) {
                continue;
            }
            let desired = Desired::of(machine, fleet.mode == Mode::Enforce);
            let claim = claim_of(machine).ok().flatten();
            let is_orphan = claim.is_some_and(|own| is_departed(snapshot, &own.identity));
            let change = if is_orphan { take_over } else { difference };
            match change(machine, &desired, &identity) {
                Ok(Some(change)) => {
                    plan.changes.push((fleet.key.clone(), change));
                }
                Ok(None) => {}
                Err(refusal) => {
                    notes.insert(
                        machine.id.clone(),
                        Note::new("SettingsRefused", refusal.to_string()),
                    );
                }
            }
        }
        if fleet.restore_on_release {
            let released = released(pass, fleet, &identity);
            plan.changes.extend(
                released
                    .iter()
                    .filter(|(machine, _)| !busy.contains(&machine.id))
                    .map(|(_, change)| (fleet.key.clone(), change.clone())),
            );
        }
    }
}

/// Returns the machines that bear a fleet's claim and are not selected by it any more.
fn released<'a>(
    pass: &'a Pass<'_>,
    fleet: &Fleet,
    identity: &ClaimIdentity,
) -> Vec<(&'a Machine, crate::domain::enrolment::Change)> {
    let Ok(inventory) = pass.domain.seen_by(&fleet.service_account) else {
        return Vec::new();
    };
    inventory
        .machines
        .values()
        .map(AsRef::as_ref)
        .filter(|machine| !fleet.selector.matches(machine) && !planted::is(Bug::NoRestore))
        .filter_map(|machine| {
            let claim = claim_of(machine).ok()??;
            (claim.identity == *identity).then(|| (machine, restore(machine, &claim)))
        })
        .collect()
}

/// Returns the machines to assess: first those that are judged after a command and were not
/// assessed since it ended; then those whose last assessment is too old to say what is due, of
/// fleets in Enforce, while none of the fleet's windows is open.
pub(super) fn assess(pass: &mut Pass<'_>, plan: &mut Plan) {
    let busy = in_open_runs(&pass.domain);
    plan.assessments.extend(judged(pass));
    for view in &pass.domain.fleets {
        let Ok(fleet) = &view.fleet else { continue };
        let Some(outlook) = pass.outlooks.get(&fleet.key) else {
            continue;
        };
        let fresh = pass
            .domain
            .fresh(&fleet.service_account, pass.now)
            .is_some();
        if fleet.mode != Mode::Enforce || fleet.suspended || !fresh || in_window(pass, fleet) {
            continue;
        }
        for member in outlook.roster.values() {
            let asks = matches!(&member.verdict, Verdict::Wait(wait) if wait.assess);
            let id = &member.machine.id;
            let fit = asks
                && member.is_actionable()
                && !member.is_down()
                && member.machine.busy.is_none()
                && !busy.contains(id);
            if fit {
                plan.assessments.push(Assessing {
                    fleet: fleet.key.clone(),
                    machine: id.clone(),
                    newer_than: None,
                });
            }
        }
    }
}

/// Returns the machines that settled after a command and wait for an assessment newer than it.
fn judged<'a>(pass: &'a Pass<'_>) -> impl Iterator<Item = Assessing> + 'a {
    let open = pass.domain.runs.values().filter(|run| {
        let fleet = pass
            .fleet(&run.fleet)
            .filter(|own| own.uid == run.terms.fleet_uid);
        run.is_open() && fleet.is_some_and(|own| own.mode == Mode::Enforce && !own.suspended)
    });
    open.flat_map(|run| {
        run.engaged()
            .map(move |(machine, progress)| (run, machine, progress))
    })
    .filter(move |(run, machine, progress)| {
        let unjudged = progress.step == Step::Verifying && progress.reason.is_none();
        let awaits = unjudged || progress.reason == Some(StepReason::NotHealthy);
        let ended = progress.ended_at.unwrap_or(progress.since);
        let inventory = pass.domain.fresh(&run.terms.service_account, pass.now);
        let seen = inventory.and_then(|own| own.machines.get(&machine.id));
        awaits
            && pass.now - ended >= run.terms.health.settle
            && seen.is_some_and(|seen| {
                seen.health == Health::Healthy
                    && seen.busy.is_none()
                    && seen.assessment.as_ref().is_none_or(|own| own.at < ended)
            })
    })
    .map(|(run, machine, progress)| Assessing {
        fleet: run.fleet.clone(),
        machine: machine.id.clone(),
        newer_than: Some(progress.ended_at.unwrap_or(progress.since)),
    })
}

/// Tells whether one of a fleet's windows is open.
pub(super) fn in_window(pass: &Pass<'_>, fleet: &Fleet) -> bool {
    fleet.policy.stages.iter().any(|stage| {
        open_span(
            fleet,
            &stage.name,
            crate::domain::due::Action::Baseline,
            pass.now,
        )
        .is_some()
    })
}
