//! A world in memory for whole rollouts: it makes runs of what is announced, lets commands take
//! their time, assesses, and jumps from one pass to the next.
//!
//! After every pass it asserts what must always hold, by counting for itself: it asks neither
//! `Budget` nor `permission`. Must never help the planner.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::*;
use crate::domain::command::RequestId;
use crate::domain::evidence::{Answers, LogEvidence, Operation, PollStyle, Question, Reading};
use crate::domain::machine::{
    Assessment, Health, InstallRecord, OfferClass, Offered, RebootBehavior, UpdateService,
};
use crate::domain::policy::Limit;
use crate::domain::region::Regions;
use crate::domain::run::follow::unsent;
use crate::domain::run::{MAXIMUM_DURATION_FLOOR, Runs};
use crate::domain::snapshot::{FleetView, Inventory};
use crate::domain::spread::{Place, apart};
use crate::domain::testkit::view;
use crate::domain::window::{FleetWindows, NamedWindow};

/// How long an assessment is good in this world before Azure's own comes.
const ASSESSED_EVERY: TimeDelta = TimeDelta::hours(24);

/// How an install goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goes {
    /// Well, after so many minutes.
    Well(i64),
    /// Not, after so many minutes.
    Wrong(i64),
}

struct Job {
    machine: MachineId,
    began: DateTime<Utc>,
    goes: Goes,
}

impl Job {
    fn ends(&self) -> DateTime<Utc> {
        let (Goes::Well(count) | Goes::Wrong(count)) = self.goes;
        self.began + minutes(count)
    }
}

/// Something that people do during a story.
pub(super) struct Event {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// In words.
    pub(super) what: &'static str,
    /// What.
    pub(super) act: fn(&mut World),
}

/// The world.
pub(super) struct World {
    pub(super) now: DateTime<Utc>,
    pub(super) fleets: Vec<FleetView>,
    pub(super) machines: BTreeMap<MachineId, Machine>,
    pub(super) runs: Runs,
    /// How the next installs of a machine go, by name; else each goes well in 25 minutes.
    pub(super) fate: BTreeMap<String, Vec<Goes>>,
    pub(super) story: String,
    jobs: Vec<Job>,
    accepted: BTreeMap<MachineId, u32>,
    told: BTreeMap<MachineId, String>,
    chance: Option<fastrand::Rng>,
}

impl World {
    pub(super) fn new(
        fleet: Fleet,
        machines: impl IntoIterator<Item = Machine>,
        chance: Option<u64>,
    ) -> Self {
        Self {
            now: opens() - minutes(30),
            fleets: vec![view(fleet)],
            machines: machines
                .into_iter()
                .map(|own| (own.id.clone(), own))
                .collect(),
            runs: Runs::new(),
            fate: BTreeMap::new(),
            story: String::new(),
            jobs: Vec::new(),
            accepted: BTreeMap::new(),
            told: BTreeMap::new(),
            chance: chance.map(fastrand::Rng::with_seed),
        }
    }

    pub(super) fn fleet(&mut self) -> &mut Fleet {
        self.fleets[0].fleet.as_mut().unwrap()
    }

    pub(super) fn machine(&self, name: &str) -> &Machine {
        self.machines.values().find(|own| own.name == name).unwrap()
    }

    /// Runs the world until every machine has the baseline and nothing moves, or until `end`.
    pub(super) fn run(&mut self, end: DateTime<Utc>, mut events: Vec<Event>) {
        events.sort_by_key(|event| std::cmp::Reverse(event.at));
        while self.now < end && !(self.is_done() && events.is_empty()) {
            while events.last().is_some_and(|event| event.at <= self.now) {
                let event = events.pop().unwrap();
                writeln!(self.story, "{}  {}", self.clock(), event.what).unwrap();
                (event.act)(self);
            }
            self.work();
            let wake_at = self.pass();
            let next = events.last().map_or(end, |event| event.at);
            assert!(wake_at > self.now, "the plan asks for a pass in the past");
            self.now = wake_at.min(next).max(self.now + minutes(1));
        }
    }

    pub(super) fn is_done(&self) -> bool {
        let current = |own: &Machine| {
            own.installs
                .iter()
                .any(|record| record.installed.contains(&kb(BASELINE_KB)))
        };
        self.machines.values().all(current) && self.runs.values().all(|run| !run.is_open())
    }

    fn clock(&self) -> String {
        self.now.format("%a %m-%d %H:%M").to_string()
    }

    /// Lets time act on the machines.
    fn work(&mut self) {
        let now = self.now;
        for machine in self.machines.values_mut() {
            let Some(job) = self.jobs.iter().find(|job| job.machine == machine.id) else {
                let daily = machine
                    .assessment
                    .as_ref()
                    .map(|own| own.at + ASSESSED_EVERY);
                if daily.is_none_or(|at| at <= now) {
                    assess(machine, now);
                }
                continue;
            };
            let record = machine.installs.first_mut().unwrap();
            record.modified = now.min(job.ends());
            let half = job.began + (job.ends() - job.began) / 2;
            if now < job.ends() {
                if now >= half && matches!(job.goes, Goes::Well(_)) {
                    machine.health = Health::Unhealthy("it restarts".into());
                }
                continue;
            }
            machine.busy = None;
            machine.health = Health::Healthy;
            match job.goes {
                Goes::Well(_) => {
                    record.status = InstallStatus::Succeeded;
                    record.reboot = RebootStatus::Completed;
                    record.installed = vec![kb(BASELINE_KB)];
                }
                Goes::Wrong(_) => record.status = InstallStatus::Failed,
            }
        }
        self.jobs.retain(|job| now < job.ends());
    }

    fn domain(&mut self) -> Domain {
        let mut fleets = self.fleets.clone();
        if let Some(chance) = &mut self.chance {
            chance.shuffle(&mut fleets);
            for fleet in fleets.iter_mut().filter_map(|own| own.fleet.as_mut().ok()) {
                chance.shuffle(&mut fleet.windows);
            }
        }
        let inventory = Inventory::of(self.now, by_id(self.machines.values().cloned()));
        let mut domain = Domain {
            fleets,
            runs: self.runs.clone(),
            inventory: Ok(inventory),
            sights: BTreeMap::new(),
            departed: Vec::new(),
            answers: BTreeMap::new(),
            held: BTreeMap::new(),
            unreadable_runs: Vec::new(),
            unread_deletions: BTreeMap::new(),
            identity_gone: None,
        };
        domain.answers = questions(&domain, self.now)
            .into_iter()
            .map(|(run, asked)| {
                let answers: Answers = asked
                    .into_iter()
                    .map(|(id, own)| (id.clone(), self.answer(&id, own)))
                    .collect();
                (run, answers)
            })
            .collect();
        domain
    }

    fn answer(&self, id: &MachineId, question: Question) -> Answer {
        match question {
            Question::Operation(_) => {
                Answer::Operation(OperationState::Running { again_seconds: 30 })
            }
            Question::Reading => Answer::Reading(Box::new(reading(&self.machines[id]))),
            Question::Log { since, .. } => Answer::Log(LogEvidence::Accepted {
                at: since,
                operation: None,
            }),
        }
    }

    /// One pass: plan, assert, act, tell. Returns when the next is due.
    fn pass(&mut self) -> DateTime<Utc> {
        let domain = self.domain();
        let plan = plan(&snapshot(domain), self.now);
        self.allowed(&plan);
        let mut lines = Vec::new();
        for own in &plan.moves {
            let run = self.runs.get_mut(&own.run.name).unwrap();
            let before = run
                .progress
                .insert(own.machine.clone(), own.progress.clone())
                .unwrap();
            let text = own.progress.message.as_str();
            let (from, to) = (before.step.word(), own.progress.step.word());
            lines.push(format!("{} {from} -> {to}: {text}", own.machine.name()));
        }
        for (key, end) in &plan.ends {
            self.runs.get_mut(&key.name).unwrap().end = Some(*end);
            lines.push(format!("run {} ends: {end:?}", key.name));
        }
        self.send(&plan, &mut lines);
        for draft in &plan.drafts {
            let run = announced(draft, self.now);
            let names: Vec<&str> = run.terms.machines.keys().map(MachineId::name).collect();
            let until = run.terms.window.end.format("%H:%M");
            lines.push(format!(
                "run {} is announced until {until}: {}",
                run.name,
                names.join(", ")
            ));
            assert!(!self.runs.contains_key(&run.name), "a name is used twice");
            self.runs.insert(run.name.clone(), run);
        }
        for id in plan.assessments.iter().map(|own| &own.machine) {
            let machine = self.machines.get_mut(id).unwrap();
            assess(machine, self.now);
            lines.push(format!("{} is assessed", id.name()));
        }
        self.held_back(&plan, &mut lines);
        let bounds = self.bounds();
        if !lines.is_empty() {
            for line in lines.iter().chain(&bounds) {
                writeln!(self.story, "{}  {line}", self.clock()).unwrap();
            }
            self.story.push('\n');
        }
        if plan.drafts.is_empty() {
            plan.wake_at
        } else {
            self.now + minutes(1)
        }
    }

    /// Does with the commands of a plan what the shell does; with chance, not with all of them.
    fn send(&mut self, plan: &Plan, lines: &mut Vec<String>) {
        let mut sends: Vec<&Send> = plan.sends.iter().collect();
        if let Some(chance) = &mut self.chance {
            chance.shuffle(&mut sends);
        }
        for own in sends {
            let id = &own.machine;
            let run = self.runs.get_mut(&own.run.name).unwrap();
            let before = run.progress[id].clone();
            let machine = self.machines.get_mut(id).unwrap();
            let intent = Progress {
                attempts: before.attempts + 1,
                command: Some(own.command),
                request: Some(RequestId(format!(
                    "request-{}-{}",
                    id.name(),
                    before.attempts + 1
                ))),
                intent_at: Some(self.now),
                activity_before: machine.last_install().map(|record| record.activity.clone()),
                ..before.at(Step::Starting, self.now, None, "about to be commanded")
            };
            let lost = self
                .chance
                .as_mut()
                .is_some_and(|chance| chance.u8(..10) == 0);
            if lost {
                run.progress
                    .insert(id.clone(), unsent(&intent, self.now, "the lease was lost"));
                continue;
            }
            let operation = Operation::resume("https://management/1", PollStyle::Location);
            let unrecorded = self
                .chance
                .as_mut()
                .is_some_and(|chance| chance.u8(..10) == 0);
            let running = Progress {
                operation: Some(operation),
                ..intent.at(Step::Running, self.now, None, "the command was accepted")
            };
            run.progress
                .insert(id.clone(), if unrecorded { intent } else { running });
            let told = self
                .fate
                .get_mut(&machine.name)
                .filter(|own| !own.is_empty());
            let mut goes = told.map_or(Goes::Well(25), |own| own.remove(0));
            if let (Some(chance), Goes::Well(count)) = (&mut self.chance, goes) {
                goes = Goes::Well(count + chance.i64(-10..20));
            }
            let number = machine.installs.len() + 1;
            machine
                .installs
                .insert(0, started(&machine.name, number, self.now));
            machine.busy = Some("installPatches".into());
            *self.accepted.entry(id.clone()).or_default() += 1;
            self.jobs.push(Job {
                machine: id.clone(),
                began: self.now,
                goes,
            });
            lines.push(format!("{} is sent {:?}", id.name(), own.command));
        }
    }

    /// Tells of machines that are held back, each time for another reason.
    fn held_back(&mut self, plan: &Plan, lines: &mut Vec<String>) {
        let mut why: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (id, note) in plan.outlooks.values().flat_map(|own| &own.notes) {
            let told = self.told.insert(id.clone(), note.reason.clone());
            let is_news = told.as_ref() != Some(&note.reason);
            let is_step = !matches!(Step::parse(&note.reason), Step::NotUnderstood(_));
            if is_news
                && !is_step
                && !["AwaitsRun", "Due", "Current"].contains(&note.reason.as_str())
            {
                let text = format!("{}: {}", note.reason, note.message);
                why.entry(text).or_default().push(id.name());
            }
        }
        for (text, names) in why {
            let verb = if names.len() == 1 { "waits" } else { "wait" };
            lines.push(format!("{} {verb}, {text}", names.join(", ")));
        }
    }
}

fn started(name: &str, number: usize, now: DateTime<Utc>) -> InstallRecord {
    InstallRecord {
        activity: format!("{name}-install-{number}"),
        started: now,
        modified: now,
        status: InstallStatus::InProgress,
        reboot: RebootStatus::NotNeeded,
        installed: Vec::new(),
        failed: Vec::new(),
        window_exceeded: false,
    }
}

fn assess(machine: &mut Machine, now: DateTime<Utc>) {
    let current = machine
        .installs
        .iter()
        .any(|record| record.installed.contains(&kb(BASELINE_KB)));
    let offered = Offered {
        kb: kb(BASELINE_KB),
        class: OfferClass::OperatingSystem,
        reboot: RebootBehavior::Always,
        security: true,
        published: None,
    };
    let offered = if current { Vec::new() } else { vec![offered] };
    machine.assessment = Some(Assessment {
        at: now,
        reboot_pending: false,
        service: UpdateService::WindowsUpdate,
        offered,
    });
}

fn reading(machine: &Machine) -> Reading {
    Reading {
        incarnation: machine.incarnation.clone(),
        settings: machine.settings,
        power: machine.power,
        cluster_update: machine.cluster_update,
        health: machine.health.clone(),
        busy: machine.busy.clone(),
        last_activity: None,
        shows_installs: true,
        reboot_pending: machine.assessment.as_ref().map(|own| own.reboot_pending),
        assessed_at: machine.assessment.as_ref().map(|own| own.at),
        connection: None,
        tags: machine.tags.clone(),
        etag: None,
        server_date: None,
    }
}

/// What must always hold.
impl World {
    /// Asserts that each command of a plan is allowed, knowing only the world.
    fn allowed(&self, plan: &Plan) {
        for own in &plan.sends {
            let what = format!("{} at {}", own.machine.name(), self.clock());
            let run = self.runs.get(&own.run.name).unwrap();
            assert!(
                run.is_open() && run.progress.contains_key(&own.machine),
                "{what}: no run"
            );
            assert!(
                self.jobs.iter().all(|job| job.machine != own.machine),
                "{what}: twice"
            );
            let machine = &self.machines[&own.machine];
            assert_eq!(machine.health, Health::Healthy, "{what}");
            let view = self
                .fleets
                .iter()
                .find(|view| view.uid == run.terms.fleet_uid);
            let fleet = view.unwrap_or_else(|| panic!("{what}: no fleet"));
            let fleet = fleet
                .fleet
                .as_ref()
                .unwrap_or_else(|_| panic!("{what}: unresolved"));
            assert!(
                fleet.pauses.is_empty() && !fleet.suspended,
                "{what}: stopped"
            );
            let windows: Vec<NamedWindow<'_>> = fleet
                .windows
                .iter()
                .map(|own| NamedWindow {
                    name: &own.name,
                    window: &own.window,
                })
                .collect();
            let all = FleetWindows {
                windows: &windows,
                fleet_exclusions: &fleet.exclusions,
            };
            let open = all
                .open_at(self.now)
                .unwrap_or_else(|| panic!("{what}: no window"));
            let end = open.opening.end.min(run.terms.window.end);
            let needed = MAXIMUM_DURATION_FLOOR + fleet.policy.estimates.reserve;
            assert!(
                self.now + needed <= end && own.until <= end,
                "{what}: too late"
            );
            let accepted = self.accepted.get(&own.machine).copied().unwrap_or(0);
            let words = fleet.retries.len() as u32;
            assert!(
                accepted <= run.terms.retries + words,
                "{what}: {accepted} before"
            );
        }
    }

    fn engaged(&self) -> BTreeMap<&MachineId, &Machine> {
        let open = self.runs.values().filter(|run| run.is_open());
        open.flat_map(Run::engaged)
            .filter_map(|(own, _)| self.machines.get_key_value(&own.id))
            .collect()
    }

    /// Asserts the bounds of availability, and tells them in prose.
    fn bounds(&self) -> Vec<String> {
        let engaged = self.engaged();
        for a in engaged.values() {
            for b in engaged.values() {
                let place = |own: &'_ Machine| (own.kind, own.placement.clone());
                let ((kind_a, at_a), (kind_b, at_b)) = (place(a), place(b));
                let a_place = Place {
                    kind: kind_a,
                    placement: &at_a,
                };
                let b_place = Place {
                    kind: kind_b,
                    placement: &at_b,
                };
                let spread = crate::domain::policy::Spread::ALL;
                let found = apart(a_place, b_place, spread, Regions::embedded());
                assert!(a.id == b.id || found.is_none(), "{} and {}", a.name, b.name);
            }
        }
        let moving = |view: &FleetView| {
            self.runs
                .values()
                .filter(|run| run.terms.fleet_uid == view.uid && run.is_moving())
                .filter(|run| !run.is_sent_out())
                .count()
        };
        assert!(
            self.fleets.iter().all(|view| moving(view) <= 1),
            "two runs of a fleet that still send"
        );
        let mut lines = Vec::new();
        for fleet in self
            .fleets
            .iter()
            .filter_map(|view| view.fleet.as_ref().ok())
        {
            for (place, stage) in fleet.policy.stages.iter().enumerate() {
                let of_stage = |own: &&Machine| {
                    fleet
                        .policy
                        .stage_of(&own.tags)
                        .is_some_and(|(found, _)| found == place)
                };
                let members: Vec<&Machine> = self.machines.values().filter(of_stage).collect();
                lines.extend(self.bound(&members, stage.max_unavailable, &stage.name));
            }
            for rule in &fleet.policy.groups {
                let mut groups: BTreeMap<&str, Vec<&Machine>> = BTreeMap::new();
                for machine in self.machines.values() {
                    if let Some(value) = machine.tags.get(&rule.tag) {
                        groups.entry(value).or_default().push(machine);
                    }
                }
                for (value, members) in groups {
                    let name = format!("{}={value}", rule.tag);
                    lines.extend(self.bound(&members, rule.max_unavailable, &name));
                }
            }
        }
        lines
    }

    fn bound(&self, members: &[&Machine], limit: Limit, name: &str) -> Option<String> {
        let engaged = self.engaged();
        let down = members
            .iter()
            .filter(|own| engaged.contains_key(&own.id) || own.health != Health::Healthy)
            .count();
        let allowed = limit.of(members.len());
        let of = members.len();
        assert!(
            down <= allowed as usize,
            "{name}: {down} of {of} unavailable > {allowed}"
        );
        (of > 0).then(|| format!("[{name}] {down} of {of} unavailable <= {allowed} allowed"))
    }
}
