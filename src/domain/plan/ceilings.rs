//! The limits of a disruption domain, each with the machines it counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::View;
use crate::domain::budget::{Budget, Ceiling, set_limit};
use crate::domain::machine::{Health, Machine, MachineId, MachineKind, Placement};
use crate::domain::policy::Spread;
use crate::domain::run::{LimitKey, Progress, Run, RunMachine, Step};
use crate::domain::snapshot::{ARC_SILENT_AFTER, FleetView};
use crate::planted::{self, Bug};

/// The name of the cluster in which all guests stand whose cluster is not known.
const UNKNOWN_CLUSTER: &str = "unknown";

/// Returns the budget of a domain: every limit of every fleet, of sets and clusters, and those
/// that open runs carry, against the machines that are unavailable now: those that the inventory
/// shows so, and those that were found so since.
pub(super) fn budget(pass: View<'_>, found_down: &BTreeSet<MachineId>) -> Option<Budget> {
    let inventory = pass.domain.inventory.as_ref().ok()?;
    let awake: Vec<&Machine> = inventory
        .machines
        .values()
        .map(AsRef::as_ref)
        .filter(|machine| !machine.is_dormant(pass.now, ARC_SILENT_AFTER))
        .collect();
    let excluded = excluded(pass);
    let counted: Vec<&Machine> = awake
        .iter()
        .copied()
        .filter(|machine| !excluded.contains(&machine.id))
        .collect();
    let mut ceilings: BTreeMap<LimitKey, Ceiling> = BTreeMap::new();
    stages(pass, &mut ceilings);
    groups(pass, &counted, &mut ceilings);
    sets(&awake, &mut ceilings);
    for run in pass.domain.runs.values().filter(|run| run.is_open()) {
        frozen(run, &counted, &mut ceilings);
    }
    under_command(pass, &mut ceilings);
    let hidden = hidden(pass, ceilings.keys());
    let down = awake
        .iter()
        .filter(|machine| machine.health != Health::Healthy)
        .filter(|machine| {
            let is_unknown = matches!(machine.health, Health::Unknown(_));
            !(is_unknown && planted::is(Bug::UnknownIsHealthy))
        })
        .map(|machine| machine.id.clone())
        .chain(pass.domain.held.keys().cloned())
        .chain(found_down.iter().cloned());
    let budget = Budget::new(ceilings.into_values().collect(), down);
    let mut budget = budget.in_regions(Arc::clone(&inventory.regions));
    budget.unread(hidden);
    for machine in pass
        .domain
        .held
        .keys()
        .filter_map(|id| inventory.machines.get(id))
    {
        // What the run that names it froze is not known: every failure domain keeps apart.
        let placement = &machine.placement;
        budget.engage(
            &machine.id,
            &machine.name,
            machine.kind,
            placement,
            Spread::ALL,
        );
    }
    let open = pass.domain.runs.values().filter(|run| run.is_open());
    for run in open.skip(planted::pick(Bug::OneRunCounts, 0, 1)) {
        let forgotten =
            |own: &Progress| own.step == Step::Starting && planted::is(Bug::ForgetIntents);
        for (machine, _) in run.engaged().filter(|(_, own)| !forgotten(own)) {
            budget.engage(
                &machine.id,
                &machine.name,
                machine.kind,
                &machine.placement,
                run.terms.spread,
            );
        }
    }
    Some(budget)
}

/// Machines that every fleet which selects them leaves out.
fn excluded(pass: View<'_>) -> BTreeSet<MachineId> {
    let mut left_out = BTreeSet::new();
    let mut kept = BTreeSet::new();
    for outlook in pass.outlooks.values() {
        for (id, member) in &outlook.roster {
            let own = if member.excluded.is_some() {
                &mut left_out
            } else {
                &mut kept
            };
            own.insert(id.clone());
        }
    }
    left_out.difference(&kept).cloned().collect()
}

fn add(ceilings: &mut BTreeMap<LimitKey, Ceiling>, ceiling: Ceiling) {
    match ceilings.get_mut(&ceiling.key) {
        // Two fleets may limit one group: the stricter word counts.
        Some(known) => known.max = known.max.min(ceiling.max),
        None => {
            ceilings.insert(ceiling.key.clone(), ceiling);
        }
    }
}

fn stages(pass: View<'_>, ceilings: &mut BTreeMap<LimitKey, Ceiling>) {
    for (key, outlook) in pass.outlooks {
        let Some(fleet) = pass.fleet(key) else {
            continue;
        };
        for (place, stage) in fleet.policy.stages.iter().enumerate() {
            let members: BTreeSet<MachineId> = outlook
                .roster
                .values()
                .filter(|member| {
                    member.stage == Some(place) && member.excluded.is_none() && !member.dormant
                })
                .map(|member| member.machine.id.clone())
                .collect();
            let max = stage.max_unavailable.of(members.len());
            let key = LimitKey::Stage {
                fleet: key.name.clone(),
                stage: stage.name.clone(),
            };
            add(ceilings, Ceiling { key, members, max });
        }
    }
}

/// Groups are the domain's, not a fleet's: every machine of the namespace that bears the tag
/// counts, whichever fleet made the rule.
fn groups(pass: View<'_>, counted: &[&Machine], ceilings: &mut BTreeMap<LimitKey, Ceiling>) {
    for (key, outlook) in pass.outlooks {
        let Some(fleet) = pass.fleet(key) else {
            continue;
        };
        let own = |id: &MachineId| outlook.roster.contains_key(id);
        let rules = fleet.policy.groups.iter();
        for rule in rules.filter(|_| !planted::is(Bug::IgnoreGroups)) {
            for (value, mut members) in by_tag(counted, &rule.tag) {
                members.retain(|id| own(id) || !planted::is(Bug::OwnGroupOnly));
                let max = rule.max_unavailable.of(members.len());
                let key = LimitKey::Group {
                    tag: rule.tag.to_ascii_lowercase(),
                    value,
                };
                add(ceilings, Ceiling { key, members, max });
            }
        }
    }
}

fn by_tag(machines: &[&Machine], tag: &str) -> BTreeMap<String, BTreeSet<MachineId>> {
    let mut groups: BTreeMap<String, BTreeSet<MachineId>> = BTreeMap::new();
    for machine in machines {
        if let Some(value) = machine.tags.get(tag) {
            groups
                .entry(value.to_owned())
                .or_default()
                .insert(machine.id.clone());
        }
    }
    groups
}

fn sets(awake: &[&Machine], ceilings: &mut BTreeMap<LimitKey, Ceiling>) {
    let mut sets: BTreeMap<LimitKey, BTreeSet<MachineId>> = BTreeMap::new();
    for machine in awake {
        let placement = &machine.placement;
        let set = placement
            .availability_set
            .as_ref()
            .map(|set| LimitKey::AvailabilitySet(set.id.clone()));
        let cluster = cluster_of(machine.kind, placement).map(LimitKey::Cluster);
        for key in set.into_iter().chain(cluster) {
            sets.entry(key).or_default().insert(machine.id.clone());
        }
    }
    for (key, members) in sets {
        let max = set_limit(members.len());
        add(ceilings, Ceiling { key, members, max });
    }
}

/// Limits that a run froze stay in force when the rule they came from is gone: widening never
/// reaches a run that exists.
fn frozen(run: &Run, counted: &[&Machine], ceilings: &mut BTreeMap<LimitKey, Ceiling>) {
    for limit in &run.terms.limits {
        let ceiling = ceilings.entry(limit.key.clone()).or_insert_with(|| {
            let members = match &limit.key {
                LimitKey::Group { tag, value } => {
                    by_tag(counted, tag).remove(value).unwrap_or_default()
                }
                _ => BTreeSet::new(),
            };
            Ceiling {
                key: limit.key.clone(),
                members,
                max: limit.max,
            }
        });
        let own = run
            .terms
            .machines
            .values()
            .filter(|own| counts(&limit.key, own));
        ceiling.members.extend(own.map(|own| own.id.clone()));
    }
}

/// Counts what open runs command or hold in every limit that the run itself says they share: also
/// where nobody sees them.
fn under_command(pass: View<'_>, ceilings: &mut BTreeMap<LimitKey, Ceiling>) {
    let seen = pass.domain.inventory.as_ref().ok();
    let open = pass.domain.runs.values().filter(|run| run.is_open());
    for (machine, _) in open.flat_map(Run::engaged) {
        if seen.is_some_and(|own| own.machines.contains_key(&machine.id)) {
            continue;
        }
        let shared = ceilings
            .iter_mut()
            .filter(|(key, _)| !matches!(key, LimitKey::Stage { .. }) && counts(key, machine));
        for (_, ceiling) in shared {
            ceiling.members.insert(machine.id.clone());
        }
    }
}

/// Returns the limits that may count machines which nobody can read now, each with their fleet. A
/// stage's machines are read by its own fleet, which does nothing while it cannot. A set lies in
/// one subscription; a group or a cluster may have machines anywhere.
fn hidden<'a>(
    pass: View<'_>,
    keys: impl Iterator<Item = &'a LimitKey>,
) -> BTreeMap<LimitKey, String> {
    let unread: Vec<&FleetView> = pass.domain.unread(pass.now).collect();
    let may_count = |key: &LimitKey, view: &FleetView| match key {
        LimitKey::Stage { .. } => false,
        LimitKey::AvailabilitySet(id) => {
            let scope = view.wants.as_ref().map(|own| &own.scope);
            scope.is_none_or(|own| own.may_hold_in(subscription_of(id)))
        }
        LimitKey::Group { .. } | LimitKey::Cluster(_) => true,
    };
    keys.filter_map(|key| {
        let view = unread.iter().find(|view| may_count(key, view))?;
        Some((key.clone(), view.key.name.clone()))
    })
    .collect()
}

/// Returns the subscription in which a resource lies, lower-cased.
fn subscription_of(id: &str) -> Option<String> {
    let id = id.to_ascii_lowercase();
    let rest = id.strip_prefix("/subscriptions/")?;
    Some(rest.split('/').next()?.to_owned())
}

/// Returns the cluster of an Azure Local VM; all whose cluster is not known stand in one.
fn cluster_of(kind: MachineKind, placement: &Placement) -> Option<String> {
    let known = placement.cluster.clone();
    known.or_else(|| (kind == MachineKind::AzureLocalVm).then(|| UNKNOWN_CLUSTER.to_owned()))
}

/// Tells whether a limit that a run froze counts a machine of it.
fn counts(key: &LimitKey, machine: &RunMachine) -> bool {
    match key {
        LimitKey::Stage { .. } => true,
        LimitKey::Group { tag, value } => machine.groups.get(tag) == Some(value),
        LimitKey::AvailabilitySet(id) => machine
            .placement
            .availability_set
            .as_ref()
            .is_some_and(|own| own.id == *id),
        LimitKey::Cluster(id) => cluster_of(machine.kind, &machine.placement).as_ref() == Some(id),
    }
}
