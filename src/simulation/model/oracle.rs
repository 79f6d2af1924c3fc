//! The operator's own decisions: `domain::plan`, `domain::plan::Recheck`, `domain::clearance` and
//! `domain::run::follow` asked with the model's values, each question once.
//!
//! What is remembered of an answer is exact: the whole question is its key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Flaw;
use super::fingerprint::Mixed;
use super::fleet::{fleet, run, terms, view};
use super::state::{
    At, ENTRIES, Entry, Line, MACHINE_OF, MACHINES, Machine, RUN_OF, RUNS, Word, bit, bits,
    entries_of,
};
use super::values::{
    CLUSTER, FLEET_UID, NAMESPACE, RUN_NAMES, SECOND_RUN, entry, instant, machine_id, outcome,
    progress, reading, run_machine, vm,
};
use crate::domain::clearance::clearance;
use crate::domain::enrolment::ClaimIdentity;
use crate::domain::evidence::{Answer, LogEvidence, OperationState, Question};
use crate::domain::fleet::Fleet;
use crate::domain::plan::{Plan, Recheck, plan, questions};
use crate::domain::release::Catalogue;
use crate::domain::run::Terms;
use crate::domain::run::follow::{refused, unsent};
use crate::domain::snapshot::{Domain, Inventory, Snapshot};

/// Everything that a plan is made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Sight {
    pub(super) hour: u8,
    pub(super) suspended: bool,
    pub(super) entries: [Entry; ENTRIES],
    pub(super) seen: [Machine; MACHINES],
    pub(super) log: [Line; ENTRIES],
    /// Whether every source lags, so that nothing of this hour shows and questions about
    /// operations and machines stay without an answer.
    pub(super) late: bool,
}

/// What a plan comes to here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    /// The entries as the plan moves them.
    pub(super) entries: [Entry; ENTRIES],
    /// Entries that it would command.
    pub(super) sends: u8,
}

/// Everything that is asked just before a command is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ask {
    pub(super) hour: u8,
    pub(super) seen_at: u8,
    pub(super) suspended: bool,
    pub(super) entries: [Entry; ENTRIES],
    pub(super) seen: [Machine; MACHINES],
    pub(super) down: u8,
    pub(super) entry: u8,
}

/// A last look: what the plan saw, and what the machine says.
type Look = (usize, u8, Machine, u8, Machine);

/// Asks the domain.
pub(super) struct Oracle {
    flaw: Option<Flaw>,
    /// Open for business, and suspended.
    fleets: [Fleet; 2],
    terms: [Terms; RUNS],
    catalogue: Arc<Catalogue>,
    plans: HashMap<Sight, Planned, Mixed>,
    asks: HashMap<Ask, bool, Mixed>,
    looks: HashMap<Look, bool, Mixed>,
}

impl Oracle {
    /// Knows a fleet that may have so many machines unavailable.
    pub(super) fn new(budget: u8, flaw: Option<Flaw>) -> Self {
        let fleets = [fleet(budget, false), fleet(budget, true)];
        Self {
            flaw,
            terms: std::array::from_fn(|run| terms(run, &fleets[0])),
            fleets,
            catalogue: Arc::new(Catalogue::embedded().clone()),
            plans: HashMap::default(),
            asks: HashMap::default(),
            looks: HashMap::default(),
        }
    }

    /// Returns how many different questions were asked of the domain.
    pub(super) fn questions(&self) -> u64 {
        (self.plans.len() + self.asks.len() + self.looks.len()) as u64
    }

    /// Plans: `domain::plan::plan`, with the answers that `domain::plan::questions` asks for.
    pub(super) fn plan(&mut self, sight: &Sight) -> Planned {
        if let Some(known) = self.plans.get(sight) {
            return *known;
        }
        let mut planned = Planned {
            entries: sight.entries,
            sends: 0,
        };
        for runs in self.views() {
            self.plan_of(sight, *runs, &mut planned);
        }
        self.plans.insert(*sight, planned);
        planned
    }

    /// The runs that are looked at together, as bits: all; a flawed budget looks at each alone.
    fn views(&self) -> &'static [u8] {
        match self.flaw {
            Some(Flaw::ForgetIntents) => &[0b01, 0b10],
            _ => &[0b11],
        }
    }

    fn plan_of(&self, sight: &Sight, runs: u8, planned: &mut Planned) {
        let now = instant(sight.hour);
        let mut domain = self.domain(sight.hour, sight.suspended, runs, &sight.entries);
        domain.inventory = Ok(inventory(&sight.seen, sight.hour));
        for (name, asked) in questions(&domain, now) {
            let answers = asked.into_iter().filter_map(|(id, question)| {
                let number = number_of(&name, id.name())?;
                Some((id, answer(sight, number, &question)?))
            });
            let answers = answers.collect();
            domain.answers.insert(name, answers);
        }
        let made = plan(&self.snapshot(domain), now);
        apply(&made, planned);
    }

    fn domain(&self, hour: u8, suspended: bool, runs: u8, entries: &[Entry; ENTRIES]) -> Domain {
        let is_there = |number: &usize| *number == 0 || hour >= SECOND_RUN;
        let runs = bits(runs).filter(is_there).map(|number| {
            let name = RUN_NAMES[number].to_owned();
            (name, run(number, &self.terms[number], entries))
        });
        Domain {
            fleets: vec![view(self.fleets[usize::from(suspended)].clone())],
            runs: runs.collect(),
            inventory: Err("not read".to_owned()),
            sights: BTreeMap::new(),
            departed: Vec::new(),
            answers: BTreeMap::new(),
            held: BTreeMap::new(),
            unreadable_runs: Vec::new(),
            unread_deletions: BTreeMap::new(),
            identity_gone: None,
        }
    }

    fn snapshot(&self, domain: Domain) -> Snapshot {
        Snapshot {
            catalogue: Arc::clone(&self.catalogue),
            cluster_uid: CLUSTER.to_owned(),
            run_commands: false,
            domains: BTreeMap::from([(NAMESPACE.to_owned(), domain)]),
            sees_every_fleet: true,
        }
    }

    /// Asks once more, just before a command is sent: `domain::plan::Recheck`.
    pub(super) fn ask(&mut self, ask: &Ask) -> bool {
        if let Some(known) = self.asks.get(ask) {
            return *known;
        }
        let number = usize::from(ask.entry);
        let views = self.views().iter();
        let runs = views.copied().find(|own| own & bit(RUN_OF[number]) != 0);
        let runs = runs.unwrap_or_default();
        let mut domain = self.domain(ask.hour, ask.suspended, runs, &ask.entries);
        domain.inventory = Ok(inventory(&ask.seen, ask.seen_at));
        let down: BTreeSet<_> = bits(ask.down).map(machine_id).collect();
        let now = instant(ask.hour);
        let recheck = Recheck::of_news(&self.snapshot(domain), NAMESPACE, &down, now);
        let id = machine_id(MACHINE_OF[number]);
        let granted =
            recheck.is_some_and(|mut own| own.ask(RUN_NAMES[RUN_OF[number]], &id, now).is_ok());
        self.asks.insert(*ask, granted);
        granted
    }

    /// Looks at a machine once more: `domain::clearance::clearance`.
    pub(super) fn look(&mut self, number: usize, seen: (u8, Machine), now: (u8, Machine)) -> bool {
        let key = (number, seen.0, seen.1, now.0, now.1);
        if let Some(known) = self.looks.get(&key) {
            return *known;
        }
        let own = ClaimIdentity::new(CLUSTER, FLEET_UID).expect("well formed");
        let planned = run_machine(number);
        let shown = vm(number, &seen.1, seen.0);
        let read = reading(number, &now.1, now.0);
        let clear = clearance(&planned, &shown, &read, &own, instant(now.0)).is_ok();
        self.looks.insert(key, clear);
        clear
    }
}

/// Returns an entry whose command was certainly not sent: `follow::unsent`.
pub(super) fn not_sent(number: usize, own: &Entry, hour: u8) -> Entry {
    entry(number, &unsent(&progress(number, own), instant(hour), ""))
}

/// Returns an entry whose command was surely refused: `follow::refused`.
pub(super) fn sure_refusal(number: usize, own: &Entry, hour: u8) -> Entry {
    entry(number, &refused(&progress(number, own), instant(hour), ""))
}

fn inventory(seen: &[Machine; MACHINES], hour: u8) -> Inventory {
    let machines = seen.iter().enumerate();
    let machines =
        machines.map(|(number, own)| (machine_id(number), Arc::new(vm(number, own, hour))));
    Inventory::of(instant(hour), machines.collect())
}

fn number_of(run: &str, machine: &str) -> Option<usize> {
    let run = RUN_NAMES.iter().position(|own| *own == run)?;
    let name = |own: usize| super::values::NAMES[MACHINE_OF[own]];
    bits(entries_of(run)).find(|own| name(*own) == machine)
}

/// Answers as Azure would: honestly, though perhaps late.
fn answer(sight: &Sight, number: usize, question: &Question) -> Option<Answer> {
    let now = instant(sight.hour);
    let own = &sight.entries[number];
    let machine = &sight.seen[MACHINE_OF[number]];
    match question {
        Question::Log { .. } => {
            let line = &sight.log[number];
            let hidden = line.request != own.request || (sight.late && line.hour == sight.hour);
            let at = instant(line.hour);
            Some(Answer::Log(match line.word {
                _ if hidden => LogEvidence::Absent {
                    searched_until: now,
                },
                Word::Absent => LogEvidence::Absent {
                    searched_until: now,
                },
                Word::Accepted => LogEvidence::Accepted {
                    at,
                    operation: None,
                },
                Word::Refused => LogEvidence::Refused {
                    at,
                    status: "Failed".to_owned(),
                },
            }))
        }
        _ if sight.late => None,
        Question::Operation(_) => {
            let number = MACHINE_OF[number];
            let state = match outcome(number, machine, own.order) {
                Some(ended) => OperationState::Ended(ended),
                None => OperationState::Running { again_seconds: 30 },
            };
            Some(Answer::Operation(state))
        }
        Question::Reading => {
            let read = reading(MACHINE_OF[number], machine, sight.hour);
            Some(Answer::Reading(Box::new(read)))
        }
    }
}

/// Takes over what a plan says of the runs it saw.
fn apply(made: &Plan, planned: &mut Planned) {
    for own in &made.moves {
        if let Some(number) = number_of(&own.run.name, own.machine.name()) {
            planned.entries[number] = entry(number, &own.progress);
        }
    }
    for own in &made.sends {
        if let Some(number) = number_of(&own.run.name, own.machine.name()) {
            planned.sends |= bit(number);
        }
    }
}

/// Tells whether an entry waits for evidence.
pub(super) fn is_held(own: &Entry) -> bool {
    own.step == At::Unknown
}
