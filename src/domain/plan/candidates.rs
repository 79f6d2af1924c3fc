//! Which machines could go next, and why the others cannot: their own state, their stage's, and
//! what is worked on beside them. Windows and runs under way are looked at elsewhere.

use std::collections::BTreeMap;

use super::drafts::Found;
use super::{HEALTH_EVERY, Note, Outlook, Pass};
use crate::domain::batch::Candidate;
use crate::domain::budget::{Budget, Refusal};
use crate::domain::due::Cause;
use crate::domain::fleet::Fleet;
use crate::domain::rollout::{StageState, is_approved, may_try};
use crate::domain::roster::{Member, in_open_runs};
use crate::domain::spread::Place;

/// Returns the machines that could go next by their own state and their stage's, noting why the
/// others cannot.
pub(super) fn candidates<'a>(
    pass: &Pass<'_>,
    fleet: &Fleet,
    outlook: &'a Outlook,
    found: &mut Found,
) -> Vec<Candidate<'a>> {
    let busy = in_open_runs(&pass.domain);
    let mut list = Vec::new();
    for member in outlook.roster.values() {
        let (Some(due), Some(stage)) = (member.due(), member.stage) else {
            continue;
        };
        if !member.is_actionable() || busy.contains(&member.machine.id) {
            continue;
        }
        let candidate = Candidate { member, due, stage };
        match held_back(pass, fleet, outlook, &candidate, found) {
            Some(note) => {
                found.notes.insert(member.machine.id.clone(), note);
            }
            None => list.push(candidate),
        }
    }
    list
}

/// Returns why a machine cannot be touched as it is now.
fn unready(outlook: &Outlook, member: &Member) -> Option<Note> {
    if member.is_down() {
        let text = "it is not healthy; it comes when it is";
        return Some(Note::new("Unhealthy", text));
    }
    if let Some(claim) = outlook.foreign_claims.get(&member.machine.id) {
        return Some(Note::new("ClaimedElsewhere", claim.says()));
    }
    let (reason, text) = member.machine.cluster_update.hold()?;
    Some(Note::new(reason, text))
}

fn held_back(
    pass: &Pass<'_>,
    fleet: &Fleet,
    outlook: &Outlook,
    candidate: &Candidate<'_>,
    found: &mut Found,
) -> Option<Note> {
    let Candidate { member, due, stage } = *candidate;
    let stage = &fleet.policy.stages[stage];
    if let Some(note) = unready(outlook, member) {
        found.wake_by(pass.now + HEALTH_EVERY);
        return Some(note);
    }
    if let Some(pause) = fleet.pause(due.release, &stage.name) {
        return Some(Note::new("Paused", format!("paused: {}", pause.origin)));
    }
    if let Some(abort) = fleet
        .aborts
        .iter()
        .find(|own| own.covers(due.release, &stage.name))
    {
        return Some(Note::new("Aborted", format!("aborted: {}", abort.origin)));
    }
    let rollout = outlook.rollouts.get(&due.release)?;
    let progress = rollout.stage(&stage.name)?;
    if let Some(why) = progress.halt() {
        return Some(Note::new("Halted", why));
    }
    if progress.state == StageState::Waiting && due.cause != Cause::RebootOwed {
        let before = rollout
            .stages
            .iter()
            .take_while(|own| own.name != stage.name)
            .find(|own| own.state != StageState::Done);
        return before.map(|own| match &own.state {
            StageState::Soaking { until } => {
                found.wake_by(*until);
                let until = until.format("%Y-%m-%d %H:%M UTC");
                Note::new("Soaking", format!("stage {} soaks until {until}", own.name))
            }
            StageState::Unproven { succeeded, needed } => Note::new(
                "StageUnproven",
                format!(
                    "stage {}: {succeeded} of {needed} machines prove it",
                    own.name
                ),
            ),
            StageState::Halted { .. } => {
                Note::new("Halted", format!("stage {} is halted", own.name))
            }
            _ => Note::new("AwaitsStage", format!("stage {} comes first", own.name)),
        });
    }
    if !is_approved(fleet, due.release, &stage.name, due.cause) {
        let text = format!("{} in stage {} needs an approval", due.release, stage.name);
        return Some(Note::new("NotApproved", text));
    }
    if !may_try(fleet, &pass.domain, member, pass.now) {
        let text = "it was tried; the next try is in a later window, or needs a Retry request";
        return Some(Note::new("AwaitsRetry", text));
    }
    None
}

/// Tells whether no machine being worked on keeps a candidate out of the next batch.
pub(super) fn is_free(
    fleet: &Fleet,
    candidate: &Candidate<'_>,
    budget: &Budget,
    found: &mut Found,
) -> bool {
    let machine = &candidate.member.machine;
    match budget.admit(
        &machine.id,
        Place::of(machine),
        fleet.policy.spread,
        &BTreeMap::new(),
    ) {
        Err(refusal @ Refusal::Apart { .. }) => {
            let note = Note::new("KeptApart", refusal.to_string());
            found.notes.insert(machine.id.clone(), note);
            false
        }
        Err(refusal @ Refusal::Unread { .. }) => {
            let note = Note::new(refusal.reason(), refusal.to_string());
            found.notes.insert(machine.id.clone(), note);
            false
        }
        // A run for it would only ever wait.
        Err(Refusal::Full { key, max: 0, .. }) => {
            let text = format!(
                "{key} lets no machine be unavailable (maxUnavailable 0): nothing is done on it \
                 until that is raised"
            );
            let note = Note::new("LimitIsZero", text);
            found.notes.insert(machine.id.clone(), note);
            false
        }
        _ => true,
    }
}
