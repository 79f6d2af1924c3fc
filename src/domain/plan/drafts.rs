//! Announces the next run of each fleet: when none moves, or when those that move have nothing left
//! to send and more of the same work may go beside them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::candidates::{candidates, is_free};
use super::ceilings::budget;
use super::terms::terms;
use super::{Draft, Note, Outlook, Pass, Plan};
use crate::domain::batch::{Candidate, batch, in_turn};
use crate::domain::budget::Budget;
use crate::domain::due::Action;
use crate::domain::fleet::{Fleet, Mode};
use crate::domain::machine::MachineId;
use crate::domain::permission::{Span, next_span, open_span};
use crate::domain::roster::Member;
use crate::domain::run::{RUN_MACHINES_MAX, Run, Terms};
use crate::domain::spread::Place;

/// The most runs of one fleet that move at once: as many as 10,000 machines need.
pub(super) const MOVING_RUNS_MAX: usize = 40;

/// Announces runs for the fleets of a domain, oldest fleet first.
pub(super) fn announce(pass: &mut Pass<'_>, plan: &mut Plan) {
    let now = pass.now;
    let Some(mut budget) = budget(pass.view(), &BTreeSet::new()) else {
        return;
    };
    for send in plan
        .sends
        .iter()
        .filter(|send| send.run.namespace == pass.namespace)
    {
        let Some(run) = pass.domain.runs.get(&send.run.name) else {
            continue;
        };
        if let Some(own) = run.terms.machines.get(&send.machine) {
            budget.engage(
                &own.id,
                &own.name,
                own.kind,
                &own.placement,
                run.terms.spread,
            );
        }
    }
    let fleets: Vec<Fleet> = pass
        .domain
        .fleets
        .iter()
        .filter_map(|view| view.fleet.clone().ok())
        .collect();
    for fleet in fleets {
        if pass.domain.fresh(&fleet.service_account, now).is_none() {
            continue;
        }
        let Some(outlook) = pass.outlooks.get(&fleet.key) else {
            continue;
        };
        let found = next_run(pass, &fleet, outlook, &budget);
        let Some(outlook) = pass.outlooks.get_mut(&fleet.key) else {
            continue;
        };
        outlook.notes.extend(found.notes);
        outlook.waits = found.waits;
        outlook.next_window = found.next_window;
        if let Some(at) = found.wake_at {
            plan.wake_by(at, now);
        }
        plan.drafts.extend(found.draft.map(|terms| Draft {
            fleet: fleet.key.clone(),
            terms,
        }));
    }
}

/// What was found for a fleet.
#[derive(Default)]
pub(super) struct Found {
    draft: Option<Terms>,
    pub(super) notes: BTreeMap<MachineId, Note>,
    waits: Option<Note>,
    next_window: Option<DateTime<Utc>>,
    wake_at: Option<DateTime<Utc>>,
}

impl Found {
    pub(super) fn wake_by(&mut self, at: DateTime<Utc>) {
        self.wake_at = Some(self.wake_at.map_or(at, |own| own.min(at)));
    }
}

fn next_run(pass: &Pass<'_>, fleet: &Fleet, outlook: &Outlook, budget: &Budget) -> Found {
    let now = pass.now;
    let mut found = Found::default();
    if let Some(why) = barred(pass, fleet) {
        found.waits = Some(why);
        return found;
    }
    let mut candidates = candidates(pass, fleet, outlook, &mut found);
    in_turn(fleet, &mut candidates, now);
    let mut spans = with_windows(fleet, &mut candidates, now, &mut found);
    let candidates = beside(pass, fleet, candidates, &spans, budget, &mut found);
    let free: Vec<Candidate<'_>> = candidates
        .into_iter()
        .filter(|candidate| is_free(fleet, candidate, budget, &mut found))
        .collect();
    let Some(lead) = free.first() else {
        return found;
    };
    let Some((span, name)) = spans.remove(&(lead.stage, lead.due.action)).flatten() else {
        return found;
    };
    let stage = &fleet.policy.stages[lead.stage];
    let size = capacity(fleet, outlook, lead, span, now);
    if let Some(batch) = batch(&free, fleet.policy.spread, size, budget.regions()) {
        let terms = terms(
            pass,
            fleet,
            outlook,
            &batch,
            &stage.name,
            span,
            name,
            budget,
        );
        found.draft = Some(terms);
    }
    found
}

/// Returns the candidates that may go beside the runs of their fleet that move; the others await
/// one of those. Where all commands of the moving runs are out, more of the same work may follow
/// at once while the window is open: what may be down together is the budget's to say, not how
/// many machines one run can name.
fn beside<'a>(
    pass: &Pass<'_>,
    fleet: &Fleet,
    candidates: Vec<Candidate<'a>>,
    spans: &Spans,
    budget: &Budget,
    found: &mut Found,
) -> Vec<Candidate<'a>> {
    let runs = pass.domain.runs.values();
    let moving: Vec<&Run> = runs
        .filter(|run| run.fleet == fleet.key && run.is_moving())
        .collect();
    let sends = moving.iter().find(|run| !run.is_sent_out());
    let Some(awaited) = sends.or(moving.last()) else {
        return candidates;
    };
    let may_follow = sends.is_none() && moving.len() < MOVING_RUNS_MAX;
    let follows = |candidate: &Candidate<'_>| {
        let span = spans.get(&(candidate.stage, candidate.due.action));
        let span = span.and_then(Option::as_ref);
        may_follow
            && span.is_some_and(|(span, _)| span.start <= pass.now)
            && moving.iter().all(|run| is_same_work(run, fleet, candidate))
    };
    let (mut next, mut others): (Vec<_>, Vec<_>) = candidates.into_iter().partition(follows);
    let admits = |candidate: &Candidate<'_>| {
        let machine = &candidate.member.machine;
        let spread = fleet.policy.spread;
        let refused = budget.admit(&machine.id, Place::of(machine), spread, &BTreeMap::new());
        refused.is_ok()
    };
    // A run that could send nothing now would only wait as well.
    if !next.iter().any(admits) {
        others.append(&mut next);
    }
    for candidate in others {
        let text = format!("waits for run {}, which is under way", awaited.name);
        let note = Note::new("AwaitsRun", text);
        let id = candidate.member.machine.id.clone();
        found.notes.insert(id, note);
    }
    next
}

fn is_same_work(run: &Run, fleet: &Fleet, candidate: &Candidate<'_>) -> bool {
    let (terms, due) = (&run.terms, candidate.due);
    terms.release == due.release
        && terms.action == due.action
        && terms.cause == due.cause
        && terms.stage == fleet.policy.stages[candidate.stage].name
}

/// Windows in which a run made now may act, by stage and action.
type Spans = BTreeMap<(usize, Action), Option<(Span, String)>>;

/// Keeps the machines whose stage has a window in which a run made now may act; notes for the
/// others when theirs opens.
fn with_windows(
    fleet: &Fleet,
    candidates: &mut Vec<Candidate<'_>>,
    now: DateTime<Utc>,
    found: &mut Found,
) -> Spans {
    let mut spans = Spans::new();
    let mut opens: BTreeMap<usize, Option<DateTime<Utc>>> = BTreeMap::new();
    candidates.retain(|candidate| {
        let stage = &fleet.policy.stages[candidate.stage];
        let action = candidate.due.action;
        let span = spans
            .entry((candidate.stage, action))
            .or_insert_with(|| usable_span(fleet, &stage.name, action, now));
        if span.is_some() {
            return true;
        }
        let next = opens
            .entry(candidate.stage)
            .or_insert_with(|| next_span(fleet, &stage.name, now).map(|(span, _)| span.start));
        let text = next.map_or_else(
            || {
                format!(
                    "no window of stage {} opens in the next 400 days",
                    stage.name
                )
            },
            |at| {
                format!(
                    "waits for the window that opens {}",
                    at.format("%Y-%m-%d %H:%M UTC")
                )
            },
        );
        let note = Note::new(
            if next.is_some() {
                "AwaitsWindow"
            } else {
                "NoWindow"
            },
            text,
        );
        found
            .notes
            .insert(candidate.member.machine.id.clone(), note);
        false
    });
    for at in opens.values().flatten() {
        found.next_window = Some(found.next_window.map_or(*at, |own| own.min(*at)));
        let lead = fleet
            .policy
            .run_gates
            .iter()
            .map(|gate| gate.announce_before)
            .max();
        let announce = *at - lead.unwrap_or_default();
        found.wake_by(if announce > now { announce } else { *at });
    }
    spans
}

/// Returns why a fleet may have no run at all now.
fn barred(pass: &Pass<'_>, fleet: &Fleet) -> Option<Note> {
    let note = |reason: &str, text: &str| Some(Note::new(reason, text));
    if fleet.mode != Mode::Enforce {
        return note(
            "ModeForbids",
            "the fleet's mode is not Enforce: nothing is installed",
        );
    }
    if fleet.suspended {
        return note("Suspended", "the fleet is suspended");
    }
    if let Some(run) = pass.domain.unreadable_runs.first() {
        let text = format!("run {run} cannot be read: delete it once it is known what it did");
        return note("RunUnreadable", &text);
    }
    if let Some(other) = unresolved_neighbour(pass, fleet) {
        let text = format!(
            "fleet {other} of this namespace cannot be resolved: its limits are not known, and \
             until they are no run is announced here"
        );
        return note("NeighbourUnresolved", &text);
    }
    None
}

/// Returns another fleet of the domain whose limits for groups are not known. They are every
/// fleet's, so what it would have limited is left alone.
fn unresolved_neighbour<'a>(pass: &'a Pass<'_>, fleet: &Fleet) -> Option<&'a str> {
    let mut others = pass.domain.fleets.iter();
    others
        .find(|view| view.uid != fleet.uid && view.fleet.is_err())
        .map(|view| view.key.name.as_str())
}

/// Returns the span in which a run made now may act: the open one if there is time enough left
/// in it, or the next one if its gates want it announced already.
fn usable_span(
    fleet: &Fleet,
    stage: &str,
    action: Action,
    now: DateTime<Utc>,
) -> Option<(Span, String)> {
    let estimate = match action {
        Action::Hotpatch => crate::domain::run::MAXIMUM_DURATION_FLOOR,
        Action::Baseline => fleet
            .policy
            .estimates
            .baseline
            .max(crate::domain::run::MAXIMUM_DURATION_FLOOR),
    };
    let needed = estimate + fleet.policy.estimates.reserve;
    if let Some((span, name)) = open_span(fleet, stage, action, now)
        && span.end - now >= needed
    {
        return Some((span, name));
    }
    let lead = fleet
        .policy
        .run_gates
        .iter()
        .map(|gate| gate.announce_before)
        .max()?;
    let (span, name) = next_span(fleet, stage, now)?;
    (span.start - now <= lead && span.end - span.start >= needed).then_some((span, name))
}

/// Returns how many machines can be done before the span ends: as many at once as the stage
/// allows, as often as the estimate fits. More would only be passed over when it closes.
fn capacity(
    fleet: &Fleet,
    outlook: &Outlook,
    lead: &Candidate<'_>,
    span: Span,
    now: DateTime<Utc>,
) -> usize {
    let stage = &fleet.policy.stages[lead.stage];
    let members = outlook
        .roster
        .values()
        .filter(|own: &&Member| own.stage == Some(lead.stage) && own.excluded.is_none())
        .filter(|own| !own.dormant)
        .count();
    let at_once = i64::from(stage.max_unavailable.of(members)).max(1);
    let each = match lead.due.action {
        Action::Hotpatch => crate::domain::run::MAXIMUM_DURATION_FLOOR,
        Action::Baseline => fleet
            .policy
            .estimates
            .baseline
            .max(crate::domain::run::MAXIMUM_DURATION_FLOOR),
    };
    let left = span.end - span.start.max(now) - fleet.policy.estimates.reserve;
    let rounds = (left.num_minutes() / each.num_minutes().max(1)).max(1);
    usize::try_from(at_once * rounds)
        .unwrap_or(RUN_MACHINES_MAX)
        .min(RUN_MACHINES_MAX)
}
