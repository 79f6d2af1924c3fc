//! Grants commands to machines that wish for one: permission, order within groups, budget.

use std::collections::{BTreeMap, BTreeSet};

use super::ceilings::budget;
use super::runs::Wish;
use super::{COMMANDS_PER_PASS_MAX, Note, Pass, Plan, Send, View};
use chrono::{DateTime, Utc};

use crate::domain::batch::{domain_key, group_order, waits_for};
use crate::domain::budget::{Budget, Refusal};
use crate::domain::command::Command;
use crate::domain::due::Cause;
use crate::domain::fleet::Fleet;
use crate::domain::machine::{Health, MachineId};
use crate::domain::permission::{Standing, permission};
use crate::domain::rollout::may_try;
use crate::domain::roster::Member;
use crate::domain::run::{LimitKey, Run, RunMachine};
use crate::domain::snapshot::Domain;
use crate::domain::spread::Place;
use crate::planted::{self, Bug};

/// Tells whether the identity of a run sees enough to act on.
pub(super) fn sees(domain: &Domain, run: &str, now: DateTime<Utc>) -> bool {
    let run = domain.runs.get(run);
    run.is_some_and(|run| domain.fresh(&run.terms.service_account, now).is_some())
}

/// Grants the wishes that permission, order and budget allow, in turn; notes why for the others.
pub(super) fn grant(pass: &mut Pass<'_>, wishes: Vec<Wish>, plan: &mut Plan) {
    if wishes.is_empty() {
        return;
    }
    let now = pass.now;
    let (mut wishes, blind): (Vec<Wish>, Vec<Wish>) = wishes
        .into_iter()
        .partition(|wish| sees(&pass.domain, &wish.run.name, now));
    for wish in &blind {
        let text = "the inventory is too old to act on";
        refuse(pass, wish, "InventoryStale", text);
    }
    let Some(mut budget) = budget(pass.view(), &BTreeSet::new()) else {
        return;
    };
    sort(pass, &mut wishes);
    let mut granted = 0;
    for wish in wishes {
        let Some(run) = pass.domain.runs.shared(&wish.run.name) else {
            continue;
        };
        let Some(machine) = run.terms.machines.get(&wish.machine) else {
            continue;
        };
        let until = match allowed(pass.view(), &run) {
            Ok(until) => until,
            Err((reason, text)) => {
                refuse(pass, &wish, reason, &text);
                continue;
            }
        };
        if let Some((reason, text)) = unfit(pass.view(), &run, &wish.machine) {
            refuse(pass, &wish, reason, &text);
            continue;
        }
        if granted == COMMANDS_PER_PASS_MAX {
            refuse(
                pass,
                &wish,
                "Paced",
                "more commands than Azure lets out at once are waiting",
            );
            continue;
        }
        if let Err(refusal) = take(pass.view(), &mut budget, &run, machine) {
            refuse(pass, &wish, refusal.reason(), &refusal.to_string());
            continue;
        }
        granted += 1;
        let Wish {
            run,
            machine,
            command,
        } = wish;
        plan.sends.push(Send {
            run,
            machine,
            command,
            until,
        });
    }
}

/// Takes a machine of a run into the budget, if every limit and failure domain lets it.
pub(super) fn take(
    pass: View<'_>,
    budget: &mut Budget,
    run: &Run,
    machine: &RunMachine,
) -> Result<(), Refusal> {
    let frozen: BTreeMap<LimitKey, u32> = run
        .terms
        .limits
        .iter()
        .map(|limit| (limit.key.clone(), limit.max))
        .collect();
    let spread = pass.fleet(&run.fleet).map_or(run.terms.spread, |fleet| {
        run.terms.spread.stricter(fleet.policy.spread)
    });
    let place = Place {
        kind: machine.kind,
        placement: &machine.placement,
    };
    budget.admit(&machine.id, place, spread, &frozen)?;
    let (name, kind) = (&machine.name, machine.kind);
    if !planted::is(Bug::ForgetIntents) {
        budget.engage(&machine.id, name, kind, &machine.placement, spread);
    }
    Ok(())
}

/// Sorts wishes by their run's age, then by whose turn it is within the run.
fn sort(pass: &Pass<'_>, wishes: &mut [Wish]) {
    wishes.sort_by_cached_key(|wish| {
        let run = pass.domain.runs.get(&wish.run.name);
        let fleet = run.and_then(|run| pass.fleet(&run.fleet));
        let member = run.and_then(|run| {
            pass.outlooks
                .get(&run.fleet)
                .and_then(|own| own.roster.get(&wish.machine))
        });
        let order = fleet
            .zip(member)
            .map(|(fleet, member)| group_order(fleet, member));
        let domain = run
            .and_then(|run| run.terms.machines.get(&wish.machine))
            .map(|machine| {
                let (a, b, c, d, e) = domain_key(machine.kind, &machine.placement);
                (a.to_owned(), b.to_owned(), c, d.to_owned(), e.to_owned())
            });
        (
            run.map(|run| run.created_at),
            wish.run.clone(),
            domain,
            order,
            wish.machine.clone(),
        )
    });
}

/// Returns until when a run may command now, or what withholds it.
pub(super) fn allowed(pass: View<'_>, run: &Run) -> Result<DateTime<Utc>, (&'static str, String)> {
    let standing = match pass.domain.standing(run) {
        // A fleet that is found but could not be judged is not ready.
        Standing::Ready(fleet) if !pass.outlooks.contains_key(&fleet.key) => {
            Standing::Unresolved("its machines could not be read")
        }
        standing => standing,
    };
    let halted = pass
        .outlooks
        .get(&run.fleet)
        .and_then(|outlook| outlook.rollouts.get(&run.terms.release))
        .and_then(|rollout| {
            let now = rollout.halt(&run.terms.stage);
            now.or_else(|| rollout.halt_of(&run.terms))
        });
    permission(run, standing, halted.as_deref(), pass.now)
        .map_err(|withheld| (withheld.reason(), withheld.to_string()))
}

/// Returns what is against commanding this one machine now.
pub(super) fn unfit(pass: View<'_>, run: &Run, id: &MachineId) -> Option<(&'static str, String)> {
    let outlook = pass.outlooks.get(&run.fleet)?;
    let Some(member) = outlook.roster.get(id) else {
        return Some((
            "NotSelected",
            "the fleet does not select it any more".to_owned(),
        ));
    };
    if let Some(why) = pass.domain.held.get(id) {
        return Some(("Quarantined", format!("held: {why}")));
    }
    if let Some(other) = another_run(pass, run, id) {
        return Some(("InAnotherRun", format!("run {other} names it too")));
    }
    if member.owner.is_some() {
        let text = "another fleet acts on it".to_owned();
        return Some(("OwnedByAnotherFleet", text));
    }
    if let Some(why) = &member.excluded {
        return Some(("Excluded", format!("left out: {why}")));
    }
    if let Some(blocker) = member.blockers.first() {
        return Some(("NotEligible", blocker.message.clone()));
    }
    let fleet = pass.fleet(&run.fleet)?;
    let stage = member
        .stage
        .and_then(|place| fleet.policy.stages.get(place));
    if stage.is_none_or(|own| own.name != run.terms.stage) {
        let text = format!("stage {} does not take it any more", run.terms.stage);
        return Some(("StageChanged", text));
    }
    let groups = &run.terms.machines.get(id)?.groups;
    if let Some((tag, _)) = groups
        .iter()
        .find(|(tag, value)| member.machine.tags.get(tag) != Some(value.as_str()))
    {
        let text = format!("its tag {tag} is another one than when the run was made");
        return Some(("GroupChanged", text));
    }
    if let Some(why) = out_of_order(member) {
        return Some(why);
    }
    let settles = |cause| cause == Cause::RebootOwed;
    let still_due = member.due().is_some_and(|due| {
        due.release == run.terms.release
            && due.action == run.terms.action
            && settles(due.cause) == settles(run.terms.cause)
            && !due.kbs.is_disjoint(&run.terms.kbs)
    });
    let owes_restart = run
        .progress
        .get(id)
        .is_some_and(|own| own.command == Some(Command::Restart));
    if !still_due && !owes_restart {
        return Some((
            "NotDue",
            "the release is not due on it by what is known now".to_owned(),
        ));
    }
    let earlier = earlier_of_its_groups(pass, run, fleet, member)?;
    Some(("GroupOrder", format!("{earlier} of its group goes first")))
}

/// Returns what is against commanding a machine in the state in which it is.
fn out_of_order(member: &Member) -> Option<(&'static str, String)> {
    if member.dormant {
        let text = "it is switched off or silent; it comes when it is back";
        return Some(("Dormant", text.to_owned()));
    }
    match &member.machine.health {
        Health::Healthy => {}
        Health::Unknown(_) if planted::is(Bug::UnknownIsFit) => {}
        Health::Unhealthy(why) => return Some(("Unhealthy", format!("it is not healthy: {why}"))),
        Health::Unknown(why) => return Some(("HealthUnknown", format!("health unknown: {why}"))),
    }
    if let Some((reason, text)) = member.machine.cluster_update.hold() {
        return Some((reason, text.to_owned()));
    }
    let operation = member.machine.busy.as_ref()?;
    Some(("Busy", format!("an operation is on it: {operation}")))
}

/// Returns the run that has a machine before this one: one that commands or holds it, or an older
/// one that still plans to.
fn another_run<'a>(pass: View<'a>, run: &Run, id: &MachineId) -> Option<&'a str> {
    let mut open = pass.domain.runs.naming(id).filter(|own| own.is_open());
    open.find(|other| {
        let is_older = (other.created_at, &other.name) < (run.created_at, &run.name);
        let step = other.progress.get(id).map(|own| &own.step);
        other.name != run.name
            && step.is_some_and(|own| own.is_engaged() || (is_older && !own.is_final()))
    })
    .map(|other| other.name.as_str())
}

/// Returns the name of the member of one of its groups that must be done before a machine.
fn earlier_of_its_groups<'a>(
    pass: View<'a>,
    run: &Run,
    fleet: &Fleet,
    member: &Member,
) -> Option<&'a str> {
    let roster = &pass.outlooks.get(&run.fleet)?.roster;
    let may_go = |other: &Member| {
        // A member that is down or blocked for good must not hold up the rest of its group for
        // ever; it counts as unavailable in the group's limit anyway.
        let blocked = other
            .blockers
            .iter()
            .any(|blocker| !blocker.reason.is_unknown());
        let left_out = other.excluded.is_some() || other.owner.is_some() || other.dormant;
        let down = matches!(other.machine.health, Health::Unhealthy(_));
        !(blocked || left_out || down)
            && (other.due().is_none()
                || run.terms.machines.contains_key(&other.machine.id)
                || may_try(fleet, pass.domain, other, pass.now))
    };
    let is_worked_on = |other: &Member| {
        let naming = pass.domain.runs.naming(&other.machine.id);
        let mut open = naming.filter(|run| run.is_open());
        open.any(|run| {
            run.progress
                .get(&other.machine.id)
                .is_some_and(|own| own.step.is_engaged())
        })
    };
    let release = run.terms.release;
    let earlier = waits_for(fleet, member, release, roster, may_go, is_worked_on)?;
    Some(&earlier.machine.name)
}

fn refuse(pass: &mut Pass<'_>, wish: &Wish, reason: &str, text: &str) {
    let Some(run) = pass.domain.runs.get(&wish.run.name) else {
        return;
    };
    let fleet = run.fleet.clone();
    let text = format!("run {}: {text}", wish.run.name);
    pass.note(&fleet, &wish.machine, Note::new(reason, text));
}
