//! Moves the machines of open runs on, and collects what they wish to be commanded.

use chrono::{DateTime, Utc};

use super::{EVIDENCE_EVERY, Move, Note, PROGRESS_EVERY, Pass, Plan, RunKey, WAITING_EVERY};
use crate::domain::command::Command;
use crate::domain::due::Verdict;
use crate::domain::fleet::Fleet;
use crate::domain::machine::{Machine, MachineId};
use crate::domain::permission::{Standing, is_aborted, last_start, open_span};
use crate::domain::rollout::{failed_installs, is_retried};
use crate::domain::roster::{Member, runs_of};
use crate::domain::run::follow::{Next, Sight, next};
use crate::domain::run::{DELETED_KEPT_MAX, Progress, Run, RunMachine, Step, StepReason, is_held};
use crate::planted::{self, Bug};

/// The most steps a machine takes in one pass.
const STEPS_PER_PASS_MAX: usize = 4;

/// A machine that is ready to be commanded, if everything else allows it.
pub(super) struct Wish {
    pub(super) run: RunKey,
    pub(super) machine: MachineId,
    pub(super) command: Command,
}

/// Moves every machine of every open run on, in the pass's copy of the runs and in the plan.
pub(super) fn advance(pass: &mut Pass<'_>, plan: &mut Plan) -> Vec<Wish> {
    let mut wishes = Vec::new();
    let names: Vec<String> = pass
        .domain
        .runs
        .values()
        .filter(|run| run.is_open())
        .map(|run| run.name.clone())
        .collect();
    for name in names {
        let Some(run) = pass.domain.runs.shared(&name) else {
            continue;
        };
        let key = RunKey::of(&run);
        for (id, machine) in &run.terms.machines {
            let Some(before) = run.progress.get(id) else {
                continue;
            };
            if before.step.is_final() {
                continue;
            }
            let (after, said) = steps(pass, &run, machine, before);
            wake(plan, &run, &after, pass.now);
            note(pass, &run, id, &after, &said);
            if let Said::Wish(command) = said {
                wishes.push(Wish {
                    run: key.clone(),
                    machine: id.clone(),
                    command,
                });
            }
            if after != *before {
                if let Some(own) = pass.domain.runs.get_mut(&name) {
                    own.progress.insert(id.clone(), after.clone());
                }
                plan.moves.push(Move {
                    run: key.clone(),
                    machine: id.clone(),
                    progress: after,
                });
            }
        }
        close(pass, plan, &name, key);
    }
    abandon(pass, plan);
    wishes
}

/// Notes of a run whose machines moved on whether its work can be followed, and whether it ended.
fn close(pass: &mut Pass<'_>, plan: &mut Plan, name: &str, key: RunKey) {
    let Some(moved) = pass.domain.runs.shared(name) else {
        return;
    };
    let gone = pass.domain.gone(&moved.terms.service_account);
    let orphaned = orphaned(&moved, gone.map(str::to_owned));
    let turned = orphaned.is_some() != moved.orphaned.is_some();
    let end = Run::conclusion(&moved.progress).filter(|_| moved.quarantined.is_none());
    drop(moved);
    if !turned && end.is_none() {
        return;
    }
    let Some(own) = pass.domain.runs.get_mut(name) else {
        return;
    };
    if turned {
        own.orphaned.clone_from(&orphaned);
        plan.orphaned.insert(key.clone(), orphaned);
    }
    if let Some(end) = end {
        own.end = Some(end);
        plan.ends.insert(key, end);
    }
}

/// Tells why the work of a run cannot be followed, if it cannot.
fn orphaned(run: &Run, identity_gone: Option<String>) -> Option<String> {
    let given_up = |own: &&Progress| own.reason == Some(StepReason::Orphaned);
    let last = run.progress.values().find(given_up);
    match last {
        Some(own) => Some(own.message.clone()),
        None => identity_gone.filter(|_| run.engaged().next().is_some()),
    }
}

/// Finds the runs that are being deleted and cannot be understood: they end by themselves once
/// nothing that they may have commanded can be under way.
fn abandon(pass: &Pass<'_>, plan: &mut Plan) {
    let quarantined = pass.domain.runs.values().filter(|run| run.is_open());
    let quarantined = quarantined
        .filter(|run| run.quarantined.is_some())
        .filter_map(|run| Some((run.name.clone(), run.deleted_at?)));
    let unread = pass.domain.unread_deletions.clone();
    for (name, deleted_at) in quarantined.chain(unread) {
        let over = deleted_at + DELETED_KEPT_MAX;
        if pass.now >= over {
            plan.abandoned.insert(RunKey {
                namespace: pass.namespace.to_owned(),
                name,
            });
        } else {
            plan.wake_by(over, pass.now);
        }
    }
}

enum Said {
    Waits(String),
    Wish(Command),
}

fn steps(pass: &Pass<'_>, run: &Run, machine: &RunMachine, before: &Progress) -> (Progress, Said) {
    let mut progress = before.clone();
    for _ in 0..STEPS_PER_PASS_MAX {
        let sight = sight(pass, run, machine, &progress);
        match next(run, machine, &progress, &sight, pass.now) {
            Next::Stay(why) => return (progress, Said::Waits(why)),
            Next::Command(command) => return (progress, Said::Wish(command)),
            Next::Become(further) => progress = further,
        }
    }
    let said = progress.message.clone();
    (progress, Said::Waits(said))
}

/// Gathers what is known of a machine. An inventory that cannot be read is as old as can be, for
/// then a machine that is not seen is not gone.
fn sight<'a>(
    pass: &'a Pass<'_>,
    run: &Run,
    machine: &RunMachine,
    progress: &Progress,
) -> Sight<'a> {
    let inventory = pass.domain.seen_by(&run.terms.service_account).ok();
    let seen = inventory
        .and_then(|own| own.machines.get(&machine.id))
        .map(AsRef::as_ref);
    let fleet = match pass.domain.standing(run) {
        Standing::Ready(fleet) => Some(fleet),
        Standing::Unresolved(_) | Standing::Gone => None,
    };
    let gone = matches!(pass.domain.standing(run), Standing::Gone);
    let member = pass
        .outlooks
        .get(&run.fleet)
        .and_then(|outlook| outlook.roster.get(&machine.id));
    let until = fleet
        .filter(|_| pass.now >= run.terms.window.start)
        .and_then(|fleet| open_span(fleet, &run.terms.stage, run.terms.action, pass.now))
        .map_or(run.terms.window.end, |(span, _)| span.end);
    let by_runs = seen.map_or(0, |seen| {
        earlier_attempts(pass, run, seen, fleet.zip(member))
    });
    let shown = fleet.zip(member).map_or(0, |(fleet, member)| {
        let failed = failed_installs(fleet, member, run.terms.release).count();
        u32::try_from(failed).unwrap_or(u32::MAX)
    });
    let earlier = by_runs.max(shown.saturating_sub(progress.attempts));
    Sight {
        machine: seen,
        read_at: inventory.map_or(DateTime::UNIX_EPOCH, |own| own.at),
        answer: pass
            .domain
            .answers
            .get(&run.name)
            .and_then(|own| own.get(&machine.id)),
        has_release: has_release(run, progress, member, seen),
        let_go: fleet.is_some_and(|fleet| {
            fleet
                .retries
                .iter()
                .any(|word| word.id == machine.id && word.at >= progress.since)
        }),
        aborted: (run.deleted_at.is_some() && !planted::is(Bug::IgnoreDeletion))
            || gone
            || fleet.is_some_and(|own| is_aborted(run, Some(own))),
        deleted_at: run.deleted_at,
        identity_gone: pass.domain.gone(&run.terms.service_account).is_some(),
        retries: fleet.map_or(run.terms.retries, |own| {
            run.terms.retries.min(own.policy.failures.retries)
        }),
        last_start: last_start(&run.terms, until),
        earlier_attempts: earlier,
        run_commands: pass.run_commands,
    }
}

/// Tells whether a machine has the release of a run; none if nobody can tell. Whether it can be
/// hotpatched is another question, so where that is open, what it was offered since its command
/// decides.
fn has_release(
    run: &Run,
    progress: &Progress,
    member: Option<&Member>,
    seen: Option<&Machine>,
) -> Option<bool> {
    match member.map(|own| &own.verdict) {
        Some(Verdict::Current { release, .. }) => Some(*release == run.terms.release),
        Some(Verdict::Due(_)) => Some(false),
        Some(Verdict::Wait(wait)) if wait.reason.is_of_the_release() => Some(false),
        Some(Verdict::Wait(_)) | None => {
            let assessment = seen?.assessment.as_ref()?;
            let mut offered = assessment.offered.iter().map(|own| own.kb);
            let lacks = assessment.at >= progress.intent_at?
                && offered.any(|kb| run.terms.kbs.contains(&kb));
            lacks.then_some(false)
        }
    }
}

/// Counts the tries of earlier runs; those before a person asked for another one count no more.
fn earlier_attempts(
    pass: &Pass<'_>,
    run: &Run,
    seen: &Machine,
    known: Option<(&Fleet, &Member)>,
) -> u32 {
    runs_of(&pass.domain, &seen.id, run.terms.release)
        .filter(|other| other.name != run.name)
        .filter(|other| {
            let named = other.terms.machines.get(&seen.id);
            named.is_some_and(|own| own.incarnation == seen.incarnation)
        })
        .filter_map(|other| other.progress.get(&seen.id))
        .filter(|own| {
            !known.is_some_and(|(fleet, member)| {
                is_retried(fleet, member, run.terms.release, own.since)
            })
        })
        .map(|own| own.attempts)
        .sum()
}

fn wake(plan: &mut Plan, run: &Run, progress: &Progress, now: DateTime<Utc>) {
    let at = match &progress.step {
        Step::Running | Step::Starting => now + PROGRESS_EVERY,
        Step::Verifying => {
            let settled = progress.ended_at.unwrap_or(progress.since) + run.terms.health.settle;
            settled.max(now + PROGRESS_EVERY)
        }
        step if is_held(step) => now + EVIDENCE_EVERY,
        Step::Planned if now < run.terms.window.start => run.terms.window.start,
        Step::Planned => {
            let until = progress.throttled_until.filter(|until| *until > now);
            let next = now + WAITING_EVERY;
            until.map_or(next, |until| until.min(next))
        }
        _ => return,
    };
    plan.wake_by(at, now);
}

fn note(pass: &mut Pass<'_>, run: &Run, id: &MachineId, progress: &Progress, said: &Said) {
    let member = pass
        .outlooks
        .get(&run.fleet)
        .and_then(|outlook| outlook.roster.get(id));
    let is_current = member.is_some_and(|own| matches!(own.verdict, Verdict::Current { .. }));
    if progress.step == Step::Succeeded && is_current {
        // That it has the release says it all, now and later.
        return;
    }
    let text = match said {
        Said::Waits(why) if !why.is_empty() => why.as_str(),
        _ => progress.message.as_str(),
    };
    let step = progress.step.word();
    let reason = progress.reason.as_ref().map_or(step, |why| why.word());
    let text = match text {
        "" => format!("run {}: {step}", run.name),
        text => format!("run {}: {step}: {text}", run.name),
    };
    let fleet = run.fleet.clone();
    pass.note(&fleet, id, Note::new(reason, text));
}
