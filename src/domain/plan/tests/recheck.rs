//! What was granted is asked again at each send, of the world as it is by then.

use std::collections::BTreeSet;

use super::*;
use crate::domain::fleet::Mode;
use crate::domain::policy::Limit;
use crate::domain::run::{Runs, StepReason};

fn now() -> DateTime<Utc> {
    opens() + minutes(30)
}

/// A domain in which a pass was planned and its intents are written, with what it found out.
struct Planned {
    domain: Domain,
    plan: Plan,
}

impl Planned {
    fn new(fleet: Fleet, machines: &[Machine]) -> Self {
        Self::of(running(fleet, machines, now()))
    }

    fn of(mut domain: Domain) -> Self {
        let plan = plan(&snapshot(domain.clone()), now());
        for own in &plan.sends {
            let run = domain.runs.get_mut(&own.run.name).unwrap();
            let machine = domain.inventory.as_ref().unwrap().machines[&own.machine].clone();
            put(run, &machine, Step::Starting, now());
        }
        Self { domain, plan }
    }

    fn ask(&self, mut recheck: Recheck<'_>) -> Vec<String> {
        let ask = |own: &Send| {
            let name = own.machine.name().to_owned();
            match recheck.ask(&own.run.name, &own.machine, now()) {
                Ok(_) => name,
                Err(why) => format!("{name}: {}", why.reason),
            }
        };
        self.plan.sends.iter().map(ask).collect()
    }

    /// Nothing was declared since; these were found down.
    fn unchanged(&self, down: &[&Machine]) -> Vec<String> {
        let down: BTreeSet<MachineId> = down.iter().map(|own| own.id.clone()).collect();
        let domain = self.domain.clone();
        self.ask(Recheck::of_plan(domain, &self.plan.outlooks, &down, now()))
    }

    /// Something changed since.
    fn changed(&self, change: impl FnOnce(&mut Domain)) -> Vec<String> {
        let mut domain = self.domain.clone();
        change(&mut domain);
        let snapshot = snapshot(domain);
        let none = BTreeSet::new();
        self.ask(Recheck::of_news(&snapshot, NAMESPACE, &none, now()).unwrap())
    }
}

fn policy_of(domain: &mut Domain) -> &mut crate::domain::policy::Policy {
    &mut domain.fleets[0].fleet.as_mut().unwrap().policy
}

fn limited(max: u32) -> Fleet {
    web(|policy| policy.stages = vec![stage("all", count(max))])
}

#[test]
fn what_was_granted_is_granted_again_while_nothing_changes() {
    let planned = Planned::new(limited(3), &vms(4));
    assert_eq!(planned.unchanged(&[]), ["vm01", "vm02", "vm03"]);
    assert_eq!(planned.changed(|_| {}), ["vm01", "vm02", "vm03"]);
}

#[test]
fn intents_are_withdrawn_until_a_limit_that_was_narrowed_holds() {
    let planned = Planned::new(limited(3), &vms(4));
    for (max, wanted) in [
        (2, ["vm01: BudgetExhausted", "vm02", "vm03"]),
        (
            1,
            ["vm01: BudgetExhausted", "vm02: BudgetExhausted", "vm03"],
        ),
        (
            0,
            [
                "vm01: BudgetExhausted",
                "vm02: BudgetExhausted",
                "vm03: BudgetExhausted",
            ],
        ),
    ] {
        let answers = planned.changed(|own| {
            policy_of(own).stages[0].max_unavailable = Limit::Count(max);
        });
        assert_eq!(answers, wanted, "limit {max}");
    }
    let widened = planned.changed(|own| policy_of(own).stages[0].max_unavailable = Limit::Count(9));
    assert_eq!(widened, ["vm01", "vm02", "vm03"]);
}

#[test]
fn a_machine_that_the_looks_found_down_takes_its_share() {
    let machines = vms(4);
    let planned = Planned::new(limited(3), &machines);
    assert_eq!(
        planned.unchanged(&[&machines[3]]),
        ["vm01: BudgetExhausted", "vm02", "vm03"]
    );
    assert_eq!(
        planned.unchanged(&[&machines[0]]).len(),
        3,
        "one that is asked about is counted once"
    );
}

#[test]
fn whatever_narrows_between_plan_and_send_withdraws_the_command() {
    type Change = fn(&mut Domain);
    let rows: [(&str, Change); 12] = [
        ("Suspended", |own| {
            own.fleets[0].fleet.as_mut().unwrap().suspended = true;
        }),
        ("ModeForbids", |own| {
            own.fleets[0].fleet.as_mut().unwrap().mode = Mode::Observe;
        }),
        ("Paused", |own| {
            let fleet = own.fleets[0].fleet.as_mut().unwrap();
            fleet.pauses.push(word(None, None));
        }),
        ("Aborted", |own| {
            let fleet = own.fleets[0].fleet.as_mut().unwrap();
            fleet.aborts.push(word(None, None));
        }),
        ("FleetGone", |own| own.fleets.clear()),
        ("FleetUnresolved", |own| {
            own.fleets[0] = faulty(&fleet("web"))
        }),
        ("WindowClosed", |own| {
            own.fleets[0].fleet.as_mut().unwrap().windows.clear();
        }),
        ("Excluded", |own| {
            let id = only(own).terms.machines.keys().next().unwrap().clone();
            let excluded = crate::domain::fleet::ExcludedMachine {
                id,
                reason: "vendor".into(),
                through: None,
            };
            let fleet = own.fleets[0].fleet.as_mut().unwrap();
            fleet.selector.exclude.push(excluded);
        }),
        ("StageChanged", |own| {
            policy_of(own).stages.insert(0, stage("canary", count(1)));
        }),
        ("InventoryStale", |own| {
            own.inventory.as_mut().unwrap().at = now() - minutes(11);
        }),
        ("RunGone", |own| own.runs = Runs::new()),
        ("RunGone", |own| {
            let id = only(own).terms.machines.keys().next().unwrap().clone();
            let planned = Progress::planned(now());
            only(own).progress.insert(id, planned);
        }),
    ];
    for (expected, change) in rows {
        let planned = Planned::new(limited(1), &vms(1));
        assert_eq!(planned.unchanged(&[]), ["vm01"]);
        assert_eq!(
            planned.changed(change),
            [format!("vm01: {expected}")],
            "{expected}"
        );
    }
}

#[test]
fn a_halt_that_came_since_withdraws_the_command() {
    let mut fleet = limited(3);
    fleet.policy.failures.max = Limit::Count(0);
    let machines = vms(3);
    let mut domain = running(fleet, &machines, now());
    put(only(&mut domain), &machines[2], Step::Running, opens());
    let planned = Planned::of(domain);
    assert_eq!(planned.unchanged(&[]), ["vm01", "vm02"]);
    let halted = planned.changed(|own| {
        put(only(own), &machines[2], Step::Failed, now());
        let progress = only(own).progress.get_mut(&machines[2].id).unwrap();
        progress.reason = Some(StepReason::InstallFailed);
    });
    assert_eq!(halted, ["vm01: Halted", "vm02: Halted"]);
}

#[test]
fn another_run_that_took_its_share_meanwhile_is_counted() {
    let machines = vms(4);
    let planned = Planned::new(limited(2), &machines[..2]);
    assert_eq!(planned.unchanged(&[]), ["vm01", "vm02"]);
    let others = planned.changed(|own| {
        let inventory = own.inventory.as_mut().unwrap();
        inventory.machines.extend(by_id(machines[2..].to_vec()));
        let fleet = own.fleets[0].fleet.clone().unwrap();
        let mut other = run(&fleet, &[&machines[2], &machines[3]]);
        other.name = "web-2".into();
        put(&mut other, &machines[2], Step::Unknown, now());
        own.runs.insert(other.name.clone(), other);
    });
    assert_eq!(others, ["vm01: BudgetExhausted", "vm02"]);
}

#[test]
fn a_machine_that_two_runs_name_is_commanded_by_one() {
    let machines = vms(1);
    let fleet = limited(3);
    let both = |step: Option<Step>| {
        let mut domain = running(fleet.clone(), &machines, now());
        let mut younger = run(&fleet, &[&machines[0]]);
        younger.name = "web-younger".into();
        younger.created_at = opens() + minutes(5);
        if let Some(step) = step {
            put(&mut younger, &machines[0], step, opens() + minutes(6));
        }
        domain.runs.insert(younger.name.clone(), younger);
        plan(&snapshot(domain), now())
    };
    let planned = both(None);
    assert_eq!(sent(&planned), ["vm01"], "by the older one");
    let older = run(&fleet, &[&machines[0]]).name;
    assert_eq!(planned.sends[0].run.name, older);
    for step in [
        Step::Starting,
        Step::Running,
        Step::Verifying,
        Step::Unknown,
    ] {
        let name = step.word().to_owned();
        assert_eq!(
            sent(&both(Some(step))),
            [""; 0],
            "{name} in the younger one"
        );
    }

    let mut granted = Planned::new(limited(3), &machines);
    assert_eq!(granted.unchanged(&[]), ["vm01"]);
    let taken = granted.changed(|own| {
        let mut other = run(&fleet, &[&machines[0]]);
        other.name = "web-0".into();
        put(&mut other, &machines[0], Step::Running, now());
        own.runs.insert(other.name.clone(), other);
    });
    assert_eq!(taken, ["vm01: InAnotherRun"]);
    granted.domain.runs = Runs::new();
    assert_eq!(granted.unchanged(&[]), ["vm01: RunGone"]);
}
