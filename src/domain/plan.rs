//! The plan: everything one pass will do, and why it leaves every other machine alone.
//!
//! [`plan`] is a function: the same snapshot gives the same plan, whatever the order in which it
//! was gathered. Controller, CLI and forecast ask it; nothing else decides. Must never read a
//! clock, and must never act.
//!
//! One pass plans all fleets, because limits are shared: first the runs that exist move on, then
//! their commands are granted within permission and budget, then each idle fleet may announce its
//! next run, and last come settings, assessments, and guests to look in.

mod candidates;
mod ceilings;
mod commands;
mod departed;
mod drafts;
mod guests;
mod outlook;
mod recheck;
mod runs;
mod settings;
mod terms;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, Serializer};

use super::authority::ForeignClaim;
use super::authority::steering::Steering;
use super::command::Command;
use super::enrolment::Change;
use super::evidence::Question;
use super::fleet::{Fleet, FleetKey};
use super::machine::MachineId;
use super::release::ReleaseId;
use super::rollout::Rollout;
use super::roster::{Roster, owners};
use super::run::follow::question;
use super::run::{Progress, Run, RunEnd, Terms};
use super::snapshot::{Domain, Snapshot};

use outlook::{in_order, judge_rollouts, outlooks};

pub use recheck::Recheck;

/// The most commands one pass sends in a disruption domain: what Azure's guest-patch bucket lets
/// out in 15 seconds (200 a minute per subscription and region; azure.md §6).
pub const COMMANDS_PER_PASS_MAX: usize = 50;

/// How soon the next pass comes while commands run.
pub const PROGRESS_EVERY: TimeDelta = TimeDelta::minutes(2);

/// How soon the next pass comes while machines wait in an open window. What they wait for, as a
/// place in the budget, mostly comes with a pass that looks at machines at work; this finds the
/// rest, as health.
pub const WAITING_EVERY: TimeDelta = TimeDelta::minutes(5);

/// How soon the next pass comes while machines are held.
pub const EVIDENCE_EVERY: TimeDelta = TimeDelta::minutes(10);

/// How soon the next pass comes when nothing else asks for one. Each reads the whole inventory, so
/// this is most of what an idle month costs in Resource Graph queries.
pub const IDLE_EVERY: TimeDelta = TimeDelta::hours(6);

/// How soon the next pass comes while a machine that is due waits to be healthy.
pub const HEALTH_EVERY: TimeDelta = TimeDelta::hours(1);

/// A run of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RunKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl RunKey {
    /// Returns the key of a run.
    pub fn of(run: &Run) -> Self {
        Self {
            namespace: run.fleet.namespace.clone(),
            name: run.name.clone(),
        }
    }
}

impl std::fmt::Display for RunKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Writes a map under `namespace/name`: JSON takes no other keys than texts.
fn by_name<K: std::fmt::Display, V: Serialize, S: Serializer>(
    map: &BTreeMap<K, V>,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_map(map.iter().map(|(key, value)| (key.to_string(), value)))
}

/// A machine of a run that moves to another step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// The run.
    pub run: RunKey,
    /// The machine.
    pub machine: MachineId,
    /// Where it stands from now on.
    pub progress: Progress,
}

/// A command that may be sent, if one more look at the machine finds nothing against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Send {
    /// The run.
    pub run: RunKey,
    /// The machine.
    pub machine: MachineId,
    /// The command.
    pub command: Command,
    /// The end of the time in which it must be done.
    pub until: DateTime<Utc>,
}

/// A run to be announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Draft {
    /// Its fleet.
    pub fleet: FleetKey,
    /// What it freezes.
    pub terms: Terms,
}

/// A machine whose settings go back for a fleet that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restore {
    /// The fleet as it was called.
    pub fleet: FleetKey,
    /// The ServiceAccount whose identity acts, as it did.
    pub service_account: String,
    /// What to write.
    pub change: Change,
}

/// A machine to be assessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assessing {
    /// Its fleet.
    pub fleet: FleetKey,
    /// The machine.
    pub machine: MachineId,
    /// When the command ended whose verdict waits for it: only a newer assessment will do.
    pub newer_than: Option<DateTime<Utc>>,
}

/// A guest to be asked whether virtualization-based security runs in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuestLook {
    /// Its fleet.
    pub fleet: FleetKey,
    /// The machine: an Arc server or a VM.
    pub machine: MachineId,
}

/// Why a machine is left alone, or what is being done with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The CamelCase reason.
    pub reason: String,
    /// The same for people.
    pub message: String,
}

impl Note {
    pub(super) fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            message: message.into(),
        }
    }
}

/// What a pass found out about a fleet.
#[derive(Clone, Debug, Serialize)]
pub struct Outlook {
    /// Its machines.
    pub roster: Roster,
    /// Claims on its machines that are not its own.
    pub foreign_claims: BTreeMap<MachineId, ForeignClaim>,
    /// The schedules and policies that its identity sees.
    pub steering: Arc<Steering>,
    /// The releases that concern it, oldest first.
    pub rollouts: BTreeMap<ReleaseId, Rollout>,
    /// One note for each machine.
    pub notes: BTreeMap<MachineId, Note>,
    /// Why no run was announced, if one is due.
    pub waits: Option<Note>,
    /// When its next window opens, if something waits for one.
    pub next_window: Option<DateTime<Utc>>,
}

/// Everything one pass will do, and why it leaves the rest alone.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Machines of runs that move to another step.
    pub moves: Vec<Move>,
    /// Runs that end.
    #[serde(serialize_with = "by_name")]
    pub ends: BTreeMap<RunKey, RunEnd>,
    /// Runs whose work can be followed no longer, with the reason, or again, without one.
    #[serde(serialize_with = "by_name")]
    pub orphaned: BTreeMap<RunKey, Option<String>>,
    /// Runs that are being deleted, cannot be understood, and are let go of.
    pub abandoned: BTreeSet<RunKey>,
    /// Commands to send.
    pub sends: Vec<Send>,
    /// Runs to announce.
    pub drafts: Vec<Draft>,
    /// Settings to change: all of them, however many one pass makes.
    pub changes: Vec<(FleetKey, Change)>,
    /// Settings to put back for fleets that were deleted.
    pub restores: Vec<Restore>,
    /// Machines to assess, the most urgent first: all of them, however many one pass asks for.
    pub assessments: Vec<Assessing>,
    /// Guests to look in: all of them, however many one pass asks and however lately they answered.
    pub guest_looks: Vec<GuestLook>,
    /// What was found out about each fleet that can be planned for.
    #[serde(serialize_with = "by_name")]
    pub outlooks: BTreeMap<FleetKey, Outlook>,
    /// When the next pass is due, whatever happens.
    pub wake_at: DateTime<Utc>,
}

impl Plan {
    fn new(now: DateTime<Utc>) -> Self {
        Self {
            moves: Vec::new(),
            ends: BTreeMap::new(),
            orphaned: BTreeMap::new(),
            abandoned: BTreeSet::new(),
            sends: Vec::new(),
            drafts: Vec::new(),
            changes: Vec::new(),
            restores: Vec::new(),
            assessments: Vec::new(),
            guest_looks: Vec::new(),
            outlooks: BTreeMap::new(),
            wake_at: now + IDLE_EVERY,
        }
    }

    fn wake_by(&mut self, at: DateTime<Utc>, now: DateTime<Utc>) {
        if at > now {
            self.wake_at = self.wake_at.min(at);
        }
    }
}

/// One disruption domain while it is planned: its runs as they will stand, its fleets as judged.
struct Pass<'a> {
    namespace: &'a str,
    domain: Domain,
    outlooks: BTreeMap<FleetKey, Outlook>,
    run_commands: bool,
    now: DateTime<Utc>,
}

impl Pass<'_> {
    fn view(&self) -> View<'_> {
        View {
            domain: &self.domain,
            outlooks: &self.outlooks,
            now: self.now,
        }
    }

    fn fleet(&self, key: &FleetKey) -> Option<&Fleet> {
        self.view().fleet(key)
    }

    fn note(&mut self, fleet: &FleetKey, machine: &MachineId, note: Note) {
        if let Some(outlook) = self.outlooks.get_mut(fleet) {
            outlook.notes.insert(machine.clone(), note);
        }
    }
}

/// What granting a command looks at: the same when a pass is planned and when one of its commands
/// is about to be sent.
#[derive(Clone, Copy)]
struct View<'a> {
    domain: &'a Domain,
    outlooks: &'a BTreeMap<FleetKey, Outlook>,
    now: DateTime<Utc>,
}

impl<'a> View<'a> {
    fn fleet(self, key: &FleetKey) -> Option<&'a Fleet> {
        let view = self.domain.fleets.iter().find(|view| &view.key == key)?;
        view.fleet.as_ref().ok()
    }
}

/// Returns everything that is right to do now.
///
/// Guarantees: no command for a machine that no open run names; none outside the window its run
/// froze and its fleet's windows now; all commands together within every limit of the domain; at
/// most one moving run a fleet. Same snapshot, same plan.
pub fn plan(snapshot: &Snapshot, now: DateTime<Utc>) -> Plan {
    let mut plan = Plan::new(now);
    let owners = owners(snapshot, now);
    for (namespace, domain) in &snapshot.domains {
        let mut pass = Pass {
            namespace,
            domain: in_order(domain),
            outlooks: BTreeMap::new(),
            run_commands: snapshot.run_commands,
            now,
        };
        pass.outlooks = outlooks(domain, snapshot, &owners, now);
        settings::explain(&mut pass);
        let wishes = runs::advance(&mut pass, &mut plan);
        judge_rollouts(&mut pass, snapshot);
        commands::grant(&mut pass, wishes, &mut plan);
        drafts::announce(&mut pass, &mut plan);
        settings::change(&mut pass, snapshot, &mut plan);
        departed::restore(&pass, snapshot, &mut plan);
        settings::assess(&mut pass, &mut plan);
        guests::look_in(&pass, &mut plan);
        plan.outlooks.append(&mut pass.outlooks);
    }
    for track in super::release::OsTrack::ALL {
        if let Some(next) = snapshot.catalogue.next(track, now) {
            plan.wake_by(next.published_at(), now);
        }
    }
    plan
}

/// Returns what the open runs of a domain need to know before they are planned, by run.
pub fn questions(
    domain: &Domain,
    now: DateTime<Utc>,
) -> BTreeMap<String, BTreeMap<MachineId, Question>> {
    domain
        .runs
        .iter()
        .filter(|(_, run)| run.is_open())
        .map(|(name, run)| {
            let inventory = domain.seen_by(&run.terms.service_account).ok();
            let asked = run
                .progress
                .iter()
                .filter_map(|(id, progress)| {
                    let seen = inventory.and_then(|own| own.machines.get(id));
                    let asked = question(&run.terms, progress, seen.map(AsRef::as_ref), now)?;
                    Some((id.clone(), asked))
                })
                .collect();
            (name.clone(), asked)
        })
        .collect()
}

#[cfg(test)]
mod tests;
