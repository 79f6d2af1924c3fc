#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use std::sync::Arc;

use super::drafts::MOVING_RUNS_MAX;
use super::*;
use crate::domain::evidence::{Answer, OperationState, Outcome};
use crate::domain::machine::{InstallStatus, Machine, RebootStatus};
use crate::domain::run::Step;
use crate::domain::testkit::{
    BASELINE_KB, NAMESPACE, Placed, announced, at, by_id, count, domain, due_vm, faulty, fleet,
    group, hotpatch, hours, kb, minutes, named, opens, percent, put, retry, ring, run, saturdays,
    snapshot, stage, vm, web, word,
};

mod degrade;
mod departed;
mod frozen;
mod grants;
mod guests;
mod passes;
mod recheck;
mod stories;
mod unread;
mod world;

/// Names of the machines that a plan commands, in order.
fn sent(plan: &Plan) -> Vec<String> {
    plan.sends
        .iter()
        .map(|own| own.machine.name().to_owned())
        .collect()
}

/// Names of the machines of each announced run, in order.
fn drafted(plan: &Plan) -> Vec<Vec<String>> {
    let names = |terms: &Terms| {
        terms
            .machines
            .keys()
            .map(|id| id.name().to_owned())
            .collect()
    };
    plan.drafts
        .iter()
        .map(|draft| names(&draft.terms))
        .collect()
}

/// The reason noted for a machine of the fleet `web`.
fn reason(plan: &Plan, machine: &Machine) -> String {
    reason_in(plan, "web", machine)
}

fn reason_in(plan: &Plan, fleet: &str, machine: &Machine) -> String {
    let key = FleetKey {
        namespace: NAMESPACE.into(),
        name: fleet.into(),
    };
    let note = plan
        .outlooks
        .get(&key)
        .and_then(|own| own.notes.get(&machine.id));
    note.map_or("nothing", |own| &own.reason).to_owned()
}

fn json(plan: &Plan) -> String {
    serde_json::to_string_pretty(plan).unwrap()
}

/// So many due VMs of one zone.
fn vms(count: usize) -> Vec<Machine> {
    (1..=count)
        .map(|number| due_vm(&format!("vm{number:02}")).machine())
        .collect()
}

/// A domain with a run of the fleet's first stage on all machines, announced when the window of
/// July opened; the inventory was read a minute before `now`.
fn running(fleet: Fleet, machines: &[Machine], now: DateTime<Utc>) -> Domain {
    let all: Vec<&Machine> = machines.iter().collect();
    let run = run(&fleet, &all);
    let mut domain = domain([fleet], machines.to_vec(), now - minutes(1));
    domain.runs.insert(run.name.clone(), run);
    domain
}

/// The one run of a domain.
fn only(domain: &mut Domain) -> &mut Run {
    domain.runs.values_mut().next().unwrap()
}
