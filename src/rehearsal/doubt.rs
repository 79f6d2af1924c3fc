//! Doubts: what a pass planned is planned once more with one thing that it knew made unknown.
//!
//! The plan is a function, so this costs no request and changes nothing. Must never judge; the
//! checker `unknown` does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;

use super::scene::{Watched, locked};
use super::world::Happening;
use crate::controller::witness::Witness;
use crate::domain::machine::{
    Agent, ClusterUpdate, Connection, Edition, Facts, Health, InstallStatus, Licence, Machine,
    MachineId, OfferClass, Power, Product, RebootBehavior, RebootStatus, ZonePlace,
};
use crate::domain::plan::{Plan, plan};
use crate::domain::run::{Progress, Step};
use crate::domain::snapshot::{Domain, Fault, INVENTORY_AGE_MAX, Snapshot};

/// Doubts of a pass that sends something.
const DOUBTS_OF_A_SEND: u32 = 2;

/// One in so many passes that could send and do not is doubted.
const DOUBTED_OF_SILENT: u32 = 2;

/// Things that are tried until one changes anything.
const TRIES_MAX: u32 = 6;

/// How often it is asked who goes in the place of those that lost their turn.
const TURNS_MAX: usize = 20;

/// A command that a plan would send: the run, the machine and the command.
pub type Sending = (String, String, String);

/// What a pass would have sent, had it known one thing less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// When the pass planned.
    pub at: DateTime<Utc>,
    /// What was made unknown.
    pub lost: &'static str,
    /// Whose, by lower-cased id; none where it is a whole namespace's.
    pub machine: Option<String>,
    /// What the pass sends.
    pub sent: BTreeSet<Sending>,
    /// What it would send.
    pub doubted: BTreeSet<Sending>,
    /// What it would send if this machine were known to be out, or if it and those that lost their
    /// turn only had to wait, and those in their place that lost theirs; asked where another one
    /// takes a turn.
    pub in_turn: BTreeSet<Sending>,
}

type Loss = (&'static str, fn(&mut Machine));

/// Every fact of a machine that a command depends on and that Azure may leave open.
///
/// Not here, because no word for unknown stands for them: patch mode, image and OS profile (absent
/// is a fact and has consequences), tags, and the list of installs.
const LOSSES: [Loss; 17] = [
    ("health", |own| own.health = unknown()),
    ("cluster update", |own| {
        if own.cluster_update != ClusterUpdate::Quiet || own.placement.cluster.is_some() {
            own.cluster_update = ClusterUpdate::Unknown;
        }
    }),
    ("assessment", |own| own.assessment = None),
    ("power", |own| own.power = Power::Unknown),
    ("product", |own| own.product = Product::Unknown),
    ("edition", |own| own.edition = Edition::Unknown),
    ("agent", |own| {
        if let Facts::AzureVm(vm) = &mut own.facts {
            vm.agent = Agent::Unknown;
        }
    }),
    ("connection", |own| {
        if let Facts::ArcServer(arc) | Facts::AzureLocalVm(Some(arc)) = &mut own.facts {
            arc.connection = Connection::Faulty;
        }
    }),
    ("licence", |own| {
        if let Facts::ArcServer(arc) | Facts::AzureLocalVm(Some(arc)) = &mut own.facts {
            arc.licence = Licence::Unknown;
        }
    }),
    ("virtualization-based security", |own| {
        if let Facts::ArcServer(arc) | Facts::AzureLocalVm(Some(arc)) = &mut own.facts {
            arc.vbs_running = None;
        }
    }),
    ("enablement", |own| {
        if let Facts::ArcServer(arc) | Facts::AzureLocalVm(Some(arc)) = &mut own.facts {
            arc.enablement = None;
        }
    }),
    ("zone", |own| {
        if own.placement.zone != ZonePlace::Regional {
            own.placement.zone = ZonePlace::Unknown;
        }
    }),
    ("update domain", |own| {
        if let Some(set) = &mut own.placement.availability_set {
            set.update_domain = None;
        }
    }),
    ("reboot behaviour of its offers", |own| {
        for offer in own.assessment.iter_mut().flat_map(|own| &mut own.offered) {
            offer.reboot = RebootBehavior::Unknown;
        }
    }),
    ("class of its offers", |own| {
        for offer in own.assessment.iter_mut().flat_map(|own| &mut own.offered) {
            offer.class = OfferClass::Unknown;
        }
    }),
    ("reboots of its installs", |own| {
        for install in &mut own.installs {
            install.reboot = RebootStatus::Unknown;
        }
    }),
    ("outcome of its last install", |own| {
        if let Some(install) = own.installs.first_mut() {
            install.status = InstallStatus::Unknown;
        }
    }),
];

fn unknown() -> Health {
    Health::Unknown("nobody could look".to_owned())
}

type Blindness = (&'static str, fn(&mut Domain));

/// Every read that serves a whole namespace.
const BLINDNESSES: [Blindness; 3] = [
    ("inventory", |own| {
        own.inventory = Err("it could not be read".to_owned());
    }),
    ("a fresh inventory", |own| {
        if let Ok(inventory) = &mut own.inventory {
            inventory.at -= INVENTORY_AGE_MAX + TimeDelta::minutes(1);
        }
    }),
    ("what a fleet refers to", |own| {
        if let Some(view) = own.fleets.first_mut() {
            view.fleet = Err(Fault {
                reason: "PolicyUnreadable",
                message: "its policy could not be read".to_owned(),
                stalls: false,
            });
        }
    }),
];

/// Doubts what a controller plans.
pub(super) struct Doubter {
    rng: Mutex<Rng>,
    scene: Watched,
}

impl Doubter {
    pub(super) fn new(seed: u64, scene: Watched) -> Self {
        Self {
            rng: Mutex::new(Rng::with_seed(seed)),
            scene,
        }
    }
}

impl Witness for Doubter {
    fn planned(&self, snapshot: &Snapshot, found: &Plan, now: DateTime<Utc>) {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let is_silent = found.sends.is_empty();
        // Nothing is ever sent without a run, and a failure that nobody has heard of halts nobody.
        let could_send = asked(snapshot, now).next().is_some();
        let has_failed = found
            .moves
            .iter()
            .any(|own| tells_of_failure(&own.progress));
        if !could_send || has_failed || (is_silent && rng.u32(0..DOUBTED_OF_SILENT) != 0) {
            return;
        }
        for _ in 0..if is_silent { 1 } else { DOUBTS_OF_A_SEND } {
            if let Some(doubt) = doubt(snapshot, found, &mut rng, now) {
                locked(&self.scene).take_in(Happening::Doubted(Arc::new(doubt)));
            }
        }
    }
}

/// Tells whether a machine that comes to stand so may count as failed from then on.
fn tells_of_failure(progress: &Progress) -> bool {
    let is_sick = progress.step == Step::Unknown || progress.step == Step::Verifying;
    progress.step == Step::Failed || (is_sick && progress.reason.is_some())
}

/// Returns the machines that a run in its window still plans to command, each with its namespace.
fn asked(
    snapshot: &Snapshot,
    now: DateTime<Utc>,
) -> impl Iterator<Item = (&str, &str, &MachineId, &Step)> {
    let domains = snapshot.domains.iter();
    let runs = domains.flat_map(|(space, own)| own.runs.iter().map(move |run| (space, run)));
    let open = runs.filter(move |(_, (_, run))| {
        run.is_open() && run.terms.window.start <= now && now < run.terms.window.end
    });
    open.flat_map(|(space, (name, run))| {
        let progress = run.progress.iter();
        let left = progress.filter(|(_, own)| !own.step.is_final());
        left.map(move |(id, own)| (space.as_str(), name.as_str(), id, &own.step))
    })
}

/// Takes one thing away and plans anew. None where nothing was found to take away.
fn doubt(snapshot: &Snapshot, found: &Plan, rng: &mut Rng, now: DateTime<Utc>) -> Option<Doubt> {
    let (less, lost, machine) = (0..TRIES_MAX).find_map(|_| less(snapshot, rng, now))?;
    let (sent, doubted) = (sendings(found), sendings(&plan(&less, now)));
    let mut in_turn = BTreeSet::new();
    if !doubted.is_subset(&sent) {
        let mut waiting = beyond(&sent, &doubted);
        if let Some((space, id)) = &machine {
            let mut out = snapshot.clone();
            change(&mut out, space, id, |own| {
                own.health = Health::Unhealthy("it is out".to_owned());
            });
            in_turn.extend(sendings(&plan(&out, now)));
            waiting.insert(id.to_string().to_ascii_lowercase());
        }
        // Whoever would go in their place and does not has lost its turn as well: a whole fleet has
        // where nobody knows what it refers to.
        for _ in 0..TURNS_MAX {
            let next = sendings(&plan(&where_they_wait(snapshot, &waiting), now));
            let before = waiting.len();
            waiting.append(&mut beyond(&next, &doubted));
            in_turn.extend(next);
            if waiting.len() == before {
                break;
            }
        }
    }
    Some(Doubt {
        at: now,
        lost,
        machine: machine.map(|(_, id)| id.to_string().to_ascii_lowercase()),
        sent,
        doubted,
        in_turn,
    })
}

/// Returns the machines to which more is sent in one plan than in another.
fn beyond(more: &BTreeSet<Sending>, less: &BTreeSet<Sending>) -> BTreeSet<String> {
    let lost = more.difference(less);
    lost.map(|(_, machine, _)| machine.clone()).collect()
}

/// Returns what is known, had these machines only to wait.
fn where_they_wait(snapshot: &Snapshot, machines: &BTreeSet<String>) -> Snapshot {
    let mut waits = snapshot.clone();
    let ids: Vec<MachineId> = machines
        .iter()
        .filter_map(|own| MachineId::parse(own).ok())
        .collect();
    for space in snapshot.domains.keys() {
        for id in &ids {
            change(&mut waits, space, id, |own| {
                own.busy = Some("something else".to_owned());
            });
        }
    }
    waits
}

fn sendings(plan: &Plan) -> BTreeSet<Sending> {
    let sends = plan.sends.iter();
    sends
        .map(|own| {
            let machine = own.machine.to_string().to_ascii_lowercase();
            (own.run.to_string(), machine, format!("{:?}", own.command))
        })
        .collect()
}

type Less = (Snapshot, &'static str, Option<(String, MachineId)>);

/// Returns what is known without one thing, or nothing where that thing was not known anyway.
fn less(snapshot: &Snapshot, rng: &mut Rng, now: DateTime<Utc>) -> Option<Less> {
    let all: Vec<_> = asked(snapshot, now).collect();
    let (space, run, id, _) = *all.get(rng.usize(0..all.len().max(1)))?;
    let mut less = snapshot.clone();
    let domain = less.domains.get_mut(space)?;
    let kind = rng.u8(0..8);
    if kind == 0 {
        let (lost, blind) = BLINDNESSES[rng.usize(0..BLINDNESSES.len())];
        blind(domain);
        return Some((less, lost, None));
    }
    let whose = Some((space.to_owned(), id.clone()));
    if kind == 1 {
        domain.answers.get_mut(run)?.remove(id)?;
        return Some((less, "evidence", whose));
    }
    // Health decides most, and a neighbour's as much as its own.
    let health = LOSSES[0];
    let (lost, lose) = if kind < 5 {
        health
    } else {
        LOSSES[rng.usize(1..LOSSES.len())]
    };
    let seen = snapshot.domains.get(space)?.inventory.as_ref().ok()?;
    let is_down = |own: &&Arc<Machine>| matches!(own.health, Health::Unhealthy(_));
    let down: Vec<&Arc<Machine>> = seen.machines.values().filter(is_down).collect();
    let id = match down.len() {
        many if many > 0 && kind < 4 => down[rng.usize(0..many)].id.clone(),
        _ if kind == 7 => {
            let all: Vec<&MachineId> = seen.machines.keys().collect();
            (*all.get(rng.usize(0..all.len().max(1)))?).clone()
        }
        _ => id.clone(),
    };
    let is_less = change(&mut less, space, &id, lose);
    is_less.then(|| (less, lost, Some((space.to_owned(), id))))
}

/// Changes what is known of a machine; tells whether it is another now.
fn change(
    snapshot: &mut Snapshot,
    space: &str,
    id: &MachineId,
    lose: impl FnOnce(&mut Machine),
) -> bool {
    let Some(domain) = snapshot.domains.get_mut(space) else {
        return false;
    };
    // One identity acts in each namespace of a rehearsal, so this is all that is seen of it.
    let seen = domain.inventory.as_mut().ok();
    let Some(known) = seen.and_then(|own| own.machines.get_mut(id)) else {
        return false;
    };
    let before = Arc::clone(known);
    lose(Arc::make_mut(known));
    *before != **known
}
