//! The limits of a namespace, worked out anew from the stored objects and the facts: how many
//! machines of a stage, group, availability set or cluster may be unavailable at once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::facts::Facts;
use super::world::World;
use crate::api::machine::MachineKind;
use crate::api::policy::BaselinePolicySpec;
use crate::api::{HotpatchFleet, HotpatchRun};
use crate::domain::snapshot::ARC_SILENT_AFTER;

/// A set or cluster lets one machine in five through (Automatic VM Guest Patching, azure.md §7).
const SET_PERCENT: u32 = 20;

/// Below this many members a set lets one machine through.
const SET_SMALL: usize = 10;

/// A machine that goes down by itself is known to the operator at the latest after this time: its
/// inventory may be 10 minutes old, and Resource Graph lags behind.
fn seen_after(graph_lag: TimeDelta) -> TimeDelta {
    TimeDelta::minutes(14) + graph_lag
}

/// One limit with the machines it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What it is: `stage`, `group`, `availabilitySet` or `cluster`.
    pub scope: &'static str,
    /// Which one.
    pub key: String,
    /// The machines it counts.
    pub members: BTreeSet<String>,
    /// How many of them may be unavailable.
    pub max: u32,
}

/// Works out a count or a share: shares round down and are never nothing.
pub fn resolve(limit: &IntOrString, members: usize) -> u32 {
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    match limit {
        IntOrString::Int(count) => u32::try_from(*count).unwrap_or(0),
        IntOrString::String(text) => {
            let percent: u32 = text.trim_end_matches('%').parse().unwrap_or(0);
            percent_of(percent, members)
        }
    }
}

fn percent_of(percent: u32, members: u32) -> u32 {
    let share = u64::from(percent) * u64::from(members) / 100;
    u32::try_from(share)
        .unwrap_or(u32::MAX)
        .max(1)
        .min(members.max(1))
}

/// Returns the machines that a fleet selects and has not left out.
pub fn members_of<'a>(world: &'a World, fleet: &HotpatchFleet) -> Vec<&'a Facts> {
    let left_out: BTreeSet<String> = fleet
        .spec
        .selector
        .exclude
        .iter()
        .map(|own| own.resource_id.to_ascii_lowercase())
        .collect();
    world
        .facts
        .values()
        .filter(|own| own.is_selected(&fleet.spec.selector) && !left_out.contains(&own.id))
        .filter(|own| {
            world
                .machines
                .get(&own.id)
                .is_some_and(|truth| truth.exists)
        })
        .collect()
}

/// Returns the name of the stage that takes a machine.
pub fn stage_of<'a>(policy: &'a BaselinePolicySpec, machine: &Facts) -> Option<&'a str> {
    let takes = |own: &&crate::api::policy::Stage| {
        own.selector
            .as_ref()
            .is_none_or(|tags| machine.has_tags(tags))
    };
    policy
        .stages
        .iter()
        .find(takes)
        .map(|own| own.name.as_str())
}

/// Returns the limits of a namespace by the objects as they stood at an instant.
pub fn limits(world: &World, namespace: &str, seen: DateTime<Utc>) -> Vec<Limit> {
    let mut found: BTreeMap<(&'static str, String), Limit> = BTreeMap::new();
    let mut everybody: BTreeMap<&str, &Facts> = BTreeMap::new();
    let fleets: Vec<_> = world
        .fleets
        .all_at(seen)
        .filter(|(name, _)| name.0 == namespace)
        .collect();
    for (_, fleet) in &fleets {
        everybody.extend(
            members_of(world, fleet)
                .into_iter()
                .map(|own| (own.id.as_str(), own)),
        );
    }
    for (name, fleet) in &fleets {
        let policy = (name.0.clone(), fleet.spec.policy_ref.name.clone());
        let Some(policy) = world.policies.at(&policy, seen) else {
            continue;
        };
        let members = members_of(world, fleet);
        for stage in &policy.spec.stages {
            let own: BTreeSet<String> = members
                .iter()
                .filter(|own| stage_of(&policy.spec, own) == Some(&stage.name))
                .map(|own| own.id.clone())
                .collect();
            let max = resolve(&stage.max_unavailable, own.len());
            add(
                &mut found,
                "stage",
                format!("{}/{}", name.1, stage.name),
                own,
                max,
            );
        }
        for rule in &policy.spec.availability.groups {
            for (value, own) in grouped(&everybody, |own| own.tag(&rule.tag)) {
                let max = resolve(&rule.max_unavailable, own.len());
                let key = format!("{}={value}", rule.tag.to_ascii_lowercase());
                add(&mut found, "group", key, own, max);
            }
        }
    }
    for (key, own) in grouped(&everybody, |own| {
        own.set.as_ref().map(|set| set.set.as_str())
    }) {
        let max = set_max(own.len());
        add(&mut found, "availabilitySet", key, own, max);
    }
    for (key, own) in grouped(&everybody, |own| own.cluster.as_deref()) {
        let max = set_max(own.len());
        add(&mut found, "cluster", key, own, max);
    }
    found.into_values().collect()
}

fn set_max(members: usize) -> u32 {
    if members < SET_SMALL {
        return 1;
    }
    percent_of(SET_PERCENT, u32::try_from(members).unwrap_or(u32::MAX))
}

fn add(
    found: &mut BTreeMap<(&'static str, String), Limit>,
    scope: &'static str,
    key: String,
    members: BTreeSet<String>,
    max: u32,
) {
    let limit = found.entry((scope, key.clone())).or_insert(Limit {
        scope,
        key,
        members,
        max,
    });
    limit.max = limit.max.min(max);
}

fn grouped<'a>(
    machines: &BTreeMap<&str, &'a Facts>,
    key: impl Fn(&'a Facts) -> Option<&'a str>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for own in machines.values() {
        if let Some(key) = key(own) {
            groups
                .entry(key.to_owned())
                .or_default()
                .insert(own.id.clone());
        }
    }
    groups
}

/// Tells whether a step of a run's log means that its machine is commanded or held.
pub fn is_engaged(step: &str) -> bool {
    !matches!(step, "Planned" | "Succeeded" | "Failed" | "Skipped")
}

/// Returns the machines of a run that are commanded or held, by its log.
pub fn engaged(run: &HotpatchRun) -> impl Iterator<Item = String> {
    let entries = run.status.iter().flat_map(|status| &status.machines);
    entries
        .filter(|own| is_engaged(&own.step))
        .map(|own| own.id.to_ascii_lowercase())
}

/// Tells whether a server of Arc is silent for so long that it counts neither above nor below any
/// line: nobody can tell it from one that was switched off.
fn is_silent_for_long(world: &World, id: &str, since: Option<DateTime<Utc>>) -> bool {
    let is_server = world
        .facts
        .get(id)
        .is_some_and(|own| own.kind == MachineKind::ArcServer);
    is_server && since.is_some_and(|since| world.now - since > ARC_SILENT_AFTER)
}

/// Returns the machines that are unavailable and known to be: commanded or held by a run of the
/// namespace, under a command in truth, or down for longer than it takes to see.
pub fn unavailable(world: &World, namespace: &str) -> BTreeSet<String> {
    let mut machines: BTreeSet<String> = world
        .runs
        .iter()
        .filter(|(name, _)| name.0 == namespace && !world.deleted_runs.contains(*name))
        .flat_map(|(_, run)| engaged(run))
        .collect();
    machines.extend(world.known_commands().map(|own| own.machine.clone()));
    let seen = |since: DateTime<Utc>| world.now - since > seen_after(world.graph_lag);
    machines.extend(
        world
            .machines
            .iter()
            .filter(|(_, truth)| truth.down_since.is_some_and(seen) && !truth.is_off)
            .filter(|(id, truth)| !is_silent_for_long(world, id, truth.down_since))
            .map(|(id, _)| id.clone()),
    );
    machines
}
