//! The writes of a pass: runs, commands, settings, and what guests are asked.
//!
//! The order is the run protocol's and is what makes a crash at any instant harmless: a last look
//! at each machine, the intents in one write, a renewal of the lease, the commands, their
//! outcomes. Decides nothing: a plan allowed each command, and whatever turns up on the way only
//! withdraws it.

mod ends;
mod fence;
mod guests;
mod last_word;
mod pace;
mod recheck;
mod runs;
mod scripts;
mod send;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::Shell;
use super::lease::Leadership;
use super::observe::{Answer, Asked, Mirrors, Observed};
use crate::azure::Error;
use crate::domain::command::Command;
use crate::domain::fleet::FleetKey;
use crate::domain::machine::{MachineId, MachineKind};
use crate::domain::plan::{COMMANDS_PER_PASS_MAX, Note, PROGRESS_EVERY, Plan, RunKey};
use crate::domain::run::Run;
use crate::planted::{self, Bug};

use self::last_word::last_words;
use self::recheck::Asking;
use self::runs::Work;

pub use fence::{Stored, fence, raise_epochs};
pub use settings::Rests;

/// How soon a pass follows one that sent all that the limits allowed: places in them come free one
/// after another, and are given away together, as machines are judged.
const PLACES_PAUSE: TimeDelta = PROGRESS_EVERY;

/// What acting came to, for status and for the next pass.
#[derive(Default)]
pub struct Deeds {
    /// Runs as they stood before the pass and as they stand now, where they changed.
    pub runs: Vec<(Run, Run)>,
    /// Runs that were announced.
    pub announced: Vec<Run>,
    /// Why a command or a change that the plan allowed was withdrawn or failed, by machine.
    pub notes: BTreeMap<(String, MachineId), Note>,
    /// Machines that the last looks found unavailable, or could not see.
    pub down: BTreeSet<(String, MachineId)>,
    /// Whether anything was done that the next pass should follow up at once.
    pub follow_up: bool,
    /// Whether a run was written.
    pub moved: bool,
    /// Whether a write was refused in a way that trying again at once does not cure.
    pub refused: bool,
    /// Runs that were given up without being understood.
    pub abandoned: Vec<RunKey>,
    /// When to come back for what a bucket did not let out.
    pub again_at: Option<DateTime<Utc>>,
    /// What Azure answered to looks, commands and changes.
    pub answers: Vec<Answer>,
    /// Whether leadership was found lost.
    pub lost: bool,
}

impl Deeds {
    /// Has the next pass come by then.
    fn again_by(&mut self, at: DateTime<Utc>) {
        self.again_at = Some(self.again_at.map_or(at, |own| own.min(at)));
    }

    /// Notes that Azure could not be asked: what was throttled is asked again when it may be.
    fn unasked(&mut self, error: &Error, now: DateTime<Utc>) {
        if let Some(at) = error.again_at(now) {
            self.again_by(at);
        }
    }

    /// Notes what Azure answered to a call of a fleet on a machine.
    fn answered(
        &mut self,
        fleet: &FleetKey,
        machine: &MachineId,
        kind: MachineKind,
        asked: &'static str,
        refusal: Option<&Error>,
    ) {
        self.answers.push(Answer {
            fleet: fleet.clone(),
            asked: Asked::on(machine, kind, asked),
            refusal: refusal.cloned(),
        });
    }

    /// Notes that a write failed: what is in passing is tried again soon, the rest later.
    fn failed(&mut self, error: &kube::Error) {
        let passes = match error {
            kube::Error::Api(status) => status.is_conflict() || status.is_not_found(),
            _ => true,
        };
        self.follow_up |= passes;
        self.refused |= !passes;
    }
}

/// A command with its intent written, about to be sent.
struct Intent {
    run: RunKey,
    machine: MachineId,
    command: Command,
    /// When the machine was last looked at.
    looked_at: DateTime<Utc>,
}

/// Carries out a plan. (writes)
pub async fn act(
    shell: &Shell,
    mirrors: &Mirrors,
    leadership: &mut Leadership,
    observed: &Observed,
    plan: &Plan,
    rests: &mut Rests,
) -> Deeds {
    let mut deeds = Deeds::default();
    let mut work = runs::gather(observed, plan);
    let now = shell.clock.now();
    pace::pace(observed, &mut work, &mut rests.pacing, &mut deeds, now);
    for own in work.values_mut() {
        send::look(shell, observed, own, &mut deeds).await;
    }
    let intents = write_intents(shell, mirrors, leadership.epoch(), &mut work, &mut deeds).await;
    if !intents.is_empty() {
        let namespaces = intents.iter().map(|own| own.run.namespace.clone());
        let words = last_words(&shell.kube, mirrors, &work, namespaces.collect()).await;
        let renewed = match planted::is(Bug::SkipRenewal) {
            false => leadership.renew(shell.clock.now()).await,
            true => Ok(()),
        };
        if let Err(error) = &renewed {
            tracing::warn!(%error, "the lease could not be renewed: nothing is sent");
            deeds.lost = !leadership.is_held();
        }
        let may_send = renewed.is_ok();
        let commanded: BTreeSet<RunKey> = intents.iter().map(|own| own.run.clone()).collect();
        let mut asking = Asking::new(mirrors, observed, plan, deeds.down.clone(), words);
        let (begun, answered) = (shell.clock.now(), deeds.answers.len());
        send::send(
            shell,
            leadership,
            &mut asking,
            &mut work,
            intents,
            may_send,
            &mut deeds,
        )
        .await;
        let sent = deeds.answers.len() - answered;
        rests.pacing.sent(sent, shell.clock.now() - begun);
        if sent > 0 {
            let own = commanded.iter().filter_map(|key| work.get(key));
            deeds.follow_up |= goes_on(sent, own.map(|own| &own.run));
            deeds.again_by(shell.clock.now() + PLACES_PAUSE);
        }
        for own in work.values_mut().filter(|own| own.is_touched()) {
            runs::record(shell, mirrors, leadership.epoch(), own, &mut deeds).await;
        }
    }
    settle(
        shell, mirrors, leadership, observed, plan, rests, &mut deeds,
    )
    .await;
    for own in work.into_values() {
        if let Some(pair) = own.changed() {
            deeds.runs.push(pair);
        }
    }
    deeds
}

/// Tells whether the next pass follows at once one that sent so many commands of some runs: more
/// waits for its turn, or the next run may go beside one that is sent out. Otherwise a place has to
/// come free first.
fn goes_on<'a>(sent: usize, mut commanded: impl Iterator<Item = &'a Run>) -> bool {
    sent >= COMMANDS_PER_PASS_MAX || commanded.any(Run::is_sent_out)
}

/// Writes what is about to be commanded; returns what was written.
async fn write_intents(
    shell: &Shell,
    mirrors: &Mirrors,
    epoch: i64,
    work: &mut BTreeMap<RunKey, Work>,
    deeds: &mut Deeds,
) -> Vec<Intent> {
    let mut intents = Vec::new();
    for (key, own) in work {
        if runs::write(shell, mirrors, epoch, own, deeds).await {
            let cleared = own.cleared.drain(..);
            intents.extend(cleared.map(|(machine, command, looked_at)| Intent {
                run: key.clone(),
                machine,
                command,
                looked_at,
            }));
        }
    }
    intents
}

/// Does what needs no intent: announces, lets go, writes settings, asks for assessments, and asks
/// guests. Only a leader does.
async fn settle(
    shell: &Shell,
    mirrors: &Mirrors,
    leadership: &mut Leadership,
    observed: &Observed,
    plan: &Plan,
    rests: &mut Rests,
    deeds: &mut Deeds,
) {
    if !deeds.lost && !leadership.may_send() {
        // Reading and looking may have taken longer than the lease holds.
        if let Err(error) = leadership.renew(shell.clock.now()).await {
            tracing::warn!(%error, "the lease could not be renewed: nothing more is done");
            deeds.lost = !leadership.is_held();
            deeds.follow_up = true;
        }
    }
    if !deeds.lost && leadership.is_current() {
        runs::announce(shell, mirrors, plan, deeds).await;
        deeds.abandoned = ends::let_go(shell, mirrors, observed, plan).await;
        let lead = &*leadership;
        settings::change(shell, lead, observed, plan, rests, deeds).await;
        settings::assess(shell, lead, observed, plan, rests, deeds).await;
        scripts::clear(shell, lead, observed, &mut rests.cleared, deeds).await;
        guests::ask(shell, lead, observed, plan, &mut rests.guests, deeds).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::run::Step;
    use crate::domain::testkit::{due_vm, fleet, opens, put, run};

    #[test]
    fn a_pass_follows_at_once_where_more_can_be_sent() {
        use Step::{Planned, Running};
        // How many were sent, where the two machines of the run stand, and whether it goes on.
        let rows = [
            (1, [Running, Planned], false),
            (2, [Running, Running], true),
            (COMMANDS_PER_PASS_MAX - 1, [Running, Planned], false),
            (COMMANDS_PER_PASS_MAX, [Running, Planned], true),
        ];
        let machines = ["vm1", "vm2"].map(|name| due_vm(name).machine());
        for (sent, steps, expected) in rows {
            let mut own = run(&fleet("web"), &machines.each_ref());
            for (machine, step) in machines.iter().zip(steps.clone()) {
                put(&mut own, machine, step, opens());
            }
            let found = goes_on(sent, [&own].into_iter());
            assert_eq!(found, expected, "{sent} {steps:?}");
        }
    }
}
