//! Holds the emulated world and its time: machines, the queue of timed events, and the logs.
//! Must never know HTTP: the router reads and changes the world through its methods.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::activity::ActivityLog;
use crate::effects::{Actor, Effect, RebootCause, What};
use crate::entra::Entra;
use crate::graph::GraphHistory;
use crate::http::KeptAnswer;
use crate::kql;
use crate::machine::Machine;
use crate::operations::{OPERATIONS_SWEPT_FROM, Operation};
use crate::options::{Minutes, Options};
use crate::policies::Assigned;
use crate::releases::History;
use crate::throttle::Throttle;

/// Something that happens at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The next step of a job is due.
    JobStep { machine: String, job: u64 },
    /// A job that nobody took up is given up.
    WaitExpires { machine: String, job: u64 },
    /// A job whose reboot never ended is given up.
    RebootExpires { machine: String, job: u64 },
    /// A guest is back from the reboot with this number.
    RebootEnds { machine: String, boot: u32 },
    /// The platform assesses a machine with periodic assessment.
    PeriodicAssessment {
        machine: String,
        incarnation: String,
    },
    /// The platform or Windows Update looks for something to install.
    SelfPatching {
        machine: String,
        incarnation: String,
    },
    /// A maintenance configuration comes due.
    Schedule { configuration: String },
    /// A release comes on offer.
    Release,
    /// A run command's script is to run.
    ScriptDue {
        machine: String,
        name: String,
        operation: String,
    },
    /// A guest that was told to restart goes down.
    ShutsDown { machine: String, cause: RebootCause },
    /// An operation without a job has had its time.
    OperationEnds { id: String },
    /// A setting that takes its time shows its result; for Resource Graph alone.
    Settles { machine: String },
}

/// The emulated world. All state is here; all order is by sorted maps.
pub(crate) struct World {
    pub(crate) now: DateTime<Utc>,
    pub(crate) options: Options,
    pub(crate) history: History,
    pub(crate) machines: BTreeMap<String, Machine>,
    pub(crate) operations: BTreeMap<String, Operation>,
    /// How many operations there are when those nobody can ask about are dropped next.
    pub(crate) operations_swept_at: usize,
    pub(crate) activity: ActivityLog,
    pub(crate) effects: Vec<Effect>,
    pub(crate) graph: GraphHistory,
    /// What Resource Graph answered of late, the latest first.
    pub(crate) kept_answers: VecDeque<KeptAnswer>,
    /// The queries that were asked of Resource Graph.
    pub(crate) queries: kql::Memory,
    /// Instants of the Resource Graph queries of each caller in the last quota period.
    pub(crate) graph_queries: BTreeMap<String, Vec<DateTime<Utc>>>,
    /// Physical zone of logical zones 1 to 3, by lower-cased subscription and region.
    pub(crate) zones: BTreeMap<(String, String), [u8; 3]>,
    /// Maintenance configurations by lower-cased id.
    pub(crate) maintenance: BTreeMap<String, Value>,
    /// Dynamic scopes by lower-cased id.
    pub(crate) scopes: BTreeMap<String, Value>,
    /// Assignments of policies by lower-cased id.
    pub(crate) policies: BTreeMap<String, Assigned>,
    /// Actions that nobody is allowed, in lower case.
    pub(crate) withheld: BTreeSet<String>,
    /// What is left of Azure's limits.
    pub(crate) throttle: Throttle,
    pub(crate) entra: Entra,
    events: BTreeMap<(DateTime<Utc>, u64), Event>,
    dirty: BTreeSet<String>,
    rng: fastrand::Rng,
    counter: u64,
}

impl World {
    pub(crate) fn new(now: DateTime<Utc>, options: Options) -> Self {
        let history = History::new(
            options.unverified_rows_are_real,
            &options.extra_releases,
            options.invent_releases_through,
        );
        let mut world = Self {
            now,
            rng: fastrand::Rng::with_seed(options.seed),
            options,
            machines: BTreeMap::new(),
            operations: BTreeMap::new(),
            operations_swept_at: OPERATIONS_SWEPT_FROM,
            activity: ActivityLog::default(),
            effects: Vec::new(),
            graph: GraphHistory::default(),
            kept_answers: VecDeque::new(),
            queries: kql::Memory::default(),
            graph_queries: BTreeMap::new(),
            zones: BTreeMap::new(),
            maintenance: BTreeMap::new(),
            scopes: BTreeMap::new(),
            policies: BTreeMap::new(),
            withheld: BTreeSet::new(),
            throttle: Throttle::default(),
            entra: Entra::default(),
            events: BTreeMap::new(),
            dirty: BTreeSet::new(),
            counter: 0,
            history,
        };
        let days: BTreeSet<_> = world.history.all().map(|row| row.published_at()).collect();
        for at in days.into_iter().filter(|at| *at > now) {
            world.schedule(at, Event::Release);
        }
        world
    }

    /// Processes all events up to `now` in order of time, then sets the clock to it. Time
    /// never runs backwards.
    pub(crate) fn advance_to(&mut self, now: DateTime<Utc>) {
        while let Some((&(at, seq), _)) = self.events.first_key_value() {
            if at > now {
                break;
            }
            let Some(event) = self.events.remove(&(at, seq)) else {
                break;
            };
            self.now = self.now.max(at);
            self.process(event);
            self.publish();
        }
        self.now = self.now.max(now);
    }

    /// Gives the instant of the next event.
    pub(crate) fn next_event_at(&self) -> Option<DateTime<Utc>> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn schedule(&mut self, at: DateTime<Utc>, event: Event) {
        let seq = self.next_number();
        self.events.insert((at, seq), event);
    }

    fn process(&mut self, event: Event) {
        match event {
            Event::JobStep { machine, job } => self.step_job(&machine, job),
            Event::WaitExpires { machine, job } => self.expire_wait(&machine, job),
            Event::RebootExpires { machine, job } => self.expire_reboot(&machine, job),
            Event::RebootEnds { machine, boot } => self.end_reboot(&machine, boot),
            Event::PeriodicAssessment {
                machine,
                incarnation,
            } => {
                self.periodic_assessment(&machine, &incarnation);
            }
            Event::SelfPatching {
                machine,
                incarnation,
            } => {
                self.self_patching(&machine, &incarnation);
            }
            Event::Schedule { configuration } => self.run_schedule(&configuration),
            Event::Release => self.release_published(),
            Event::ScriptDue {
                machine,
                name,
                operation,
            } => {
                self.script_due(&machine, &name, &operation);
            }
            Event::ShutsDown { machine, cause } => self.shut_down(&machine, cause),
            Event::OperationEnds { id } => self.close_operation(&id, None, None),
            Event::Settles { machine } => self.touch(&machine),
        }
    }

    /// Marks a machine as changed, so that Resource Graph shows it after its lag.
    pub(crate) fn touch(&mut self, key: &str) {
        self.dirty.insert(key.to_owned());
    }

    /// Hands what changed at this instant to Resource Graph.
    pub(crate) fn publish(&mut self) {
        let lag = self.graph_lag();
        for key in std::mem::take(&mut self.dirty) {
            let machine = self.machines.get(&key).cloned();
            self.graph.record(&key, self.now, lag, machine);
        }
    }

    /// Gives the seconds that a client is asked to wait between polls.
    pub(crate) fn poll_after(&self) -> String {
        self.options.timings.poll_after_seconds.to_string()
    }

    pub(crate) fn graph_lag(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.options.assumptions.graph_lag_minutes))
    }

    pub(crate) fn effect(&mut self, key: &str, what: What) {
        let incarnation = self
            .machines
            .get(key)
            .map(|m| m.incarnation.clone())
            .unwrap_or_default();
        self.effects.push(Effect {
            seq: self.effects.len() as u64,
            at: self.now,
            machine_id: key.to_owned(),
            incarnation,
            what,
        });
        self.touch(key);
    }

    /// Gives a number that no other thing in this world has.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Gives a GUID that follows from the seed.
    pub(crate) fn guid(&mut self) -> String {
        let number = self.next_number();
        let name = format!("azure-sim/{}/{number}", self.options.seed);
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
    }

    /// Draws a duration from a range, to the second; Arc machines are slower.
    pub(crate) fn draw(&mut self, key: &str, range: Minutes) -> TimeDelta {
        let (low, high) = (
            u64::from(range.0) * 60,
            u64::from(range.1.max(range.0)) * 60,
        );
        let seconds = self.rng.u64(low..=high);
        let arc = self
            .machines
            .get(key)
            .is_some_and(|machine| machine.arc().is_some());
        let percent = if arc {
            u64::from(self.options.timings.arc_slower_percent)
        } else {
            0
        };
        TimeDelta::seconds(i64::try_from(seconds + seconds * percent / 100).unwrap_or(i64::MAX))
    }

    /// Gives a generator for one purpose of one machine, independent of the order of calls.
    pub(crate) fn own_rng(&self, key: &str, purpose: &str) -> fastrand::Rng {
        let name = format!("{}/{key}/{purpose}", self.options.seed);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes());
        fastrand::Rng::with_seed(id.as_u64_pair().0)
    }

    pub(crate) fn machine(&self, id: &str) -> Option<&Machine> {
        self.machines.get(&id.to_lowercase())
    }

    /// Writes settings and everything that follows from them.
    pub(crate) fn write_settings(
        &mut self,
        key: &str,
        by: Actor,
        change: impl FnOnce(&mut crate::machine::PatchSettings),
    ) {
        let Some(machine) = self.machines.get(key) else {
            return;
        };
        let before = machine.settings.clone();
        let mut after = before.clone();
        change(&mut after);
        if before == after {
            return;
        }
        let range = match machine.arc() {
            Some(_) => self.options.timings.arc_enrolment,
            None => self.options.timings.vm_enrolment,
        };
        // The written-down ten minutes of Arc are not stretched by its slower guest.
        let mut rng = self.own_rng(key, &format!("enrolment/{}", self.now));
        let minutes = i64::from(rng.u32(range.0..=range.1.max(range.0)));
        let ready = self.now + TimeDelta::minutes(minutes);
        let (old, new) = (before.to_json(), after.to_json());
        if let Some(machine) = self.machines.get_mut(key) {
            machine.settings = after;
            machine.settings_ready_at = ready;
            machine.revision += 1;
        }
        self.schedule(
            ready,
            Event::Settles {
                machine: key.to_owned(),
            },
        );
        self.effect(
            key,
            What::SettingsChanged {
                by,
                before: old,
                after: new,
            },
        );
        self.arm_timers(key);
    }
}
