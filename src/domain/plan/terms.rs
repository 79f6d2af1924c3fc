//! What a run freezes when it is made.

use std::collections::BTreeSet;

use super::{Outlook, Pass};
use crate::domain::batch::Batch;
use crate::domain::budget::Budget;
use crate::domain::fleet::{Fleet, FleetKey};
use crate::domain::machine::Machine;
use crate::domain::permission::Span;
use crate::domain::release::ReleaseId;
use crate::domain::run::{FrozenLimit, LimitKey, RunMachine, RunWindow, Terms};

/// Returns how many failed machines a run made now bears, at its size of today.
fn max_failed(fleet: &Fleet, outlook: &Outlook, release: ReleaseId, stage: &str) -> u32 {
    let rule = fleet.policy.failures;
    let stages = outlook.rollouts.get(&release).into_iter();
    let counted = stages
        .flat_map(|own| &own.stages)
        .filter(|own| rule.per_release || own.name == stage);
    rule.max.of(counted.map(|own| own.machines as usize).sum())
}

#[expect(
    clippy::too_many_arguments,
    reason = "everything that a run freezes, from where it stands"
)]
pub(super) fn terms(
    pass: &Pass<'_>,
    fleet: &Fleet,
    outlook: &Outlook,
    batch: &Batch<'_>,
    stage: &str,
    span: Span,
    window: String,
    budget: &Budget,
) -> Terms {
    let ordinal = next_ordinal(pass, fleet, batch.release, stage);
    let limits = limits(fleet, batch, budget);
    let published_until = batch
        .members
        .iter()
        .filter_map(|member| member.due())
        .map(|due| due.published_until)
        .min()
        .unwrap_or(batch.release.date());
    Terms {
        fleet: fleet.key.name.clone(),
        fleet_uid: fleet.uid.clone(),
        service_account: fleet.service_account.clone(),
        release: batch.release,
        kbs: batch.kbs.clone(),
        published_until,
        action: batch.action,
        cause: batch.cause,
        stage: stage.to_owned(),
        ordinal,
        window: RunWindow {
            name: window,
            start: span.start,
            end: span.end,
        },
        limits: limits.into_iter().collect(),
        spread: fleet.policy.spread,
        health: fleet.policy.health,
        retries: fleet.policy.failures.retries,
        max_failed: Some(max_failed(fleet, outlook, batch.release, stage)),
        failed_per_release: fleet.policy.failures.per_release,
        gates: fleet.policy.run_gates.clone(),
        estimates: fleet.policy.estimates,
        machines: batch
            .members
            .iter()
            .map(|member| {
                (
                    member.machine.id.clone(),
                    run_machine(fleet, &member.machine),
                )
            })
            .collect(),
    }
}

fn is_of_another_fleet(key: &LimitKey, fleet: &FleetKey) -> bool {
    matches!(key, LimitKey::Stage { fleet: own, .. } if *own != fleet.name)
}

fn run_machine(fleet: &Fleet, machine: &Machine) -> RunMachine {
    RunMachine {
        id: machine.id.clone(),
        name: machine.name.clone(),
        kind: machine.kind,
        incarnation: machine.incarnation.clone(),
        placement: machine.placement.clone(),
        groups: fleet
            .policy
            .groups
            .iter()
            .filter_map(|rule| {
                let value = machine.tags.get(&rule.tag)?;
                Some((rule.tag.to_ascii_lowercase(), value.to_owned()))
            })
            .collect(),
    }
}

/// Returns 1 + the highest number of a run of the same fleet, release and stage.
fn next_ordinal(pass: &Pass<'_>, fleet: &Fleet, release: ReleaseId, stage: &str) -> u32 {
    let of_stage = pass.domain.runs.values().filter(|run| {
        let terms = &run.terms;
        terms.fleet_uid == fleet.uid && terms.release == release && terms.stage == stage
    });
    of_stage.map(|run| run.terms.ordinal).max().unwrap_or(0) + 1
}

/// Returns the limits that count any machine of a batch, but for the stages of other fleets.
fn limits(fleet: &Fleet, batch: &Batch<'_>, budget: &Budget) -> BTreeSet<FrozenLimit> {
    let members = batch.members.iter();
    members
        .flat_map(|member| budget.ceilings_of(&member.machine.id))
        .filter(|ceiling| !is_of_another_fleet(&ceiling.key, &fleet.key))
        .map(|ceiling| FrozenLimit {
            key: ceiling.key.clone(),
            max: ceiling.max,
        })
        .collect()
}
