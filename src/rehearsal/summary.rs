//! The closing table: what was reached, what it cost, and how far the limits were used.

use std::collections::{BTreeMap, BTreeSet};

use azure_sim::What;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::facts::Facts;
use super::invariants::liveness::{is_current, reasons};
use super::limits::limits;
use super::truth::{Cause, Reboot};
use super::world::World;
use crate::api::machine::MachineKind;
use crate::api::run::RunAction;
use crate::domain::release::{Catalogue, OsTrack};

/// How far a limit was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peak {
    /// What it counts.
    pub limit: String,
    /// The most machines of it that were unavailable at once: under command or not serving.
    pub most: usize,
    /// How many may be.
    pub allowed: u32,
}

/// The peaks of all limits.
#[derive(Clone, Debug, Default)]
pub struct Peaks(BTreeMap<String, (usize, u32)>);

impl Peaks {
    /// Takes in what happened last.
    pub fn note(&mut self, world: &World) {
        let effect = world.just_effect().map(|effect| &effect.what);
        let counts = matches!(
            effect,
            Some(What::RebootStarted { .. } | What::WentUnhealthy { .. })
        ) || world
            .just_sent()
            .is_some_and(|sent| sent.is_accepted() && sent.is_disruptive());
        if !counts {
            return;
        }
        let gone: BTreeSet<String> = world
            .open_commands()
            .filter(|sent| sent.is_disruptive())
            .map(|sent| sent.machine.clone())
            .chain(down(world))
            .collect();
        let namespaces: BTreeSet<&String> = world.fleets.all().map(|(name, _)| &name.0).collect();
        for namespace in namespaces {
            for limit in limits(world, namespace, world.now) {
                let key = limit.key.rsplit('/').next().unwrap_or(&limit.key);
                let seen = self.0.entry(format!("{} {key}", limit.scope)).or_default();
                seen.0 = seen.0.max(limit.members.intersection(&gone).count());
                seen.1 = limit.max;
            }
        }
    }

    fn list(&self) -> Vec<Peak> {
        let peak = |(limit, (most, allowed)): (&String, &(usize, u32))| Peak {
            limit: limit.clone(),
            most: *most,
            allowed: *allowed,
        };
        self.0.iter().map(peak).collect()
    }
}

fn down(world: &World) -> impl Iterator<Item = String> {
    let machines = world.machines.iter();
    machines
        .filter(|(_, own)| own.down_since.is_some())
        .map(|(id, _)| id.clone())
}

/// One row: machines of one track and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The track.
    pub track: String,
    /// The kind.
    pub kind: String,
    /// Machines.
    pub machines: usize,
    /// Machines that really have the newest release and owe no reboot.
    pub current: usize,
    /// Installs sent for hotpatches.
    pub hotpatch_commands: usize,
    /// Reboots that the operator caused before the baseline was released.
    pub hotpatch_reboots: usize,
    /// Commands sent for baselines.
    pub baseline_commands: usize,
    /// Reboots that the operator caused since.
    pub baseline_reboots: usize,
    /// The longest time a machine was down because of the operator, in minutes.
    pub longest_outage_minutes: i64,
}

/// The closing table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Machines that can be hotpatched, by track and kind.
    pub rows: Vec<Row>,
    /// Machines that cannot, by the reason that the operator gives.
    pub unfit: BTreeMap<String, usize>,
    /// Reboots by others of machines that can be hotpatched.
    pub foreign_reboots: usize,
    /// Reboots by others of machines that cannot: they patch themselves.
    pub unfit_reboots: usize,
    /// How far the limits were used.
    pub peaks: Vec<Peak>,
    /// The longest outage of each app group, in minutes.
    pub group_outages: BTreeMap<String, i64>,
}

/// The tag whose values are shown as groups.
const GROUP_TAG: &str = "app";

impl Summary {
    /// Sums a world up.
    pub fn of(world: &World, peaks: &Peaks) -> Self {
        let mut rows: BTreeMap<(OsTrack, MachineKind), Row> = BTreeMap::new();
        let mut own = Self {
            peaks: peaks.list(),
            ..Self::default()
        };
        for facts in world.facts.values() {
            let Some(track) = facts.track.filter(|_| facts.unfit.is_none()) else {
                *own.unfit.entry(reason_of(world, facts)).or_default() += 1;
                continue;
            };
            let row = rows.entry((track, facts.kind)).or_insert_with(|| Row {
                track: track.to_string(),
                kind: kind_name(facts.kind).to_owned(),
                ..Row::default()
            });
            row.machines += 1;
            row.current += usize::from(is_current(world, facts));
        }
        own.commands(world, &mut rows);
        own.reboots(world, &mut rows);
        own.rows = rows.into_values().collect();
        own
    }

    fn commands(&self, world: &World, rows: &mut BTreeMap<(OsTrack, MachineKind), Row>) {
        for sent in world.sent.iter().filter(|own| own.is_accepted()) {
            let row = world
                .facts
                .get(&sent.machine)
                .and_then(|own| rows.get_mut(&key(own)?));
            let action = world.run_of(sent).map(|run| run.spec.action);
            match (row, action) {
                (Some(row), Some(RunAction::Hotpatch)) => row.hotpatch_commands += 1,
                (Some(row), _) => row.baseline_commands += 1,
                (None, _) => {}
            }
        }
    }

    fn reboots(&mut self, world: &World, rows: &mut BTreeMap<(OsTrack, MachineKind), Row>) {
        for reboot in &world.reboots {
            let Some(facts) = world.facts.get(&reboot.machine) else {
                continue;
            };
            if !is_ours(reboot) {
                let fit = facts.unfit.is_none();
                self.foreign_reboots += usize::from(fit);
                self.unfit_reboots += usize::from(!fit);
                continue;
            }
            let minutes = outage(reboot, world.now).num_minutes();
            if let Some(value) = facts.tag(GROUP_TAG) {
                let group = self.group_outages.entry(value.to_owned()).or_default();
                *group = (*group).max(minutes);
            }
            let Some(row) = key(facts).and_then(|key| rows.get_mut(&key)) else {
                continue;
            };
            row.longest_outage_minutes = row.longest_outage_minutes.max(minutes);
            let baseline = facts
                .track
                .and_then(|track| Catalogue::embedded().latest_baseline(track, world.now))
                .map(|release| release.published_at());
            if baseline.is_some_and(|at| reboot.at >= at) {
                row.baseline_reboots += 1;
            } else {
                row.hotpatch_reboots += 1;
            }
        }
    }
}

/// Returns why the operator says that a machine cannot be hotpatched: the reason for which it was
/// made so, if that is among those it gives, else the first one.
pub fn reason_of(world: &World, facts: &Facts) -> String {
    let given = reasons(world, &facts.id);
    let found = given
        .iter()
        .find(|own| Some(own.as_str()) == facts.unfit)
        .or(given.first());
    found.cloned().unwrap_or_else(|| "unknown".to_owned())
}

fn key(facts: &Facts) -> Option<(OsTrack, MachineKind)> {
    Some((facts.track.filter(|_| facts.unfit.is_none())?, facts.kind))
}

/// Tells whether a reboot is of our making, the second one of an update included.
fn is_ours(reboot: &Reboot) -> bool {
    matches!(reboot.cause, Cause::Command(_) | Cause::UpdateAgain)
}

fn outage(reboot: &Reboot, now: DateTime<Utc>) -> TimeDelta {
    reboot.ended.unwrap_or(now) - reboot.at
}

/// Returns the name of a kind as users write it.
pub fn kind_name(kind: MachineKind) -> &'static str {
    match kind {
        MachineKind::AzureVm => "AzureVM",
        MachineKind::ArcServer => "ArcServer",
        MachineKind::AzureLocalVm => "AzureLocalVM",
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{:<8}{:<14}{:>9}{:>9}   {:>20}   {:>20}   {:>8}",
            "track", "kind", "machines", "current", "hotpatch month", "baseline month", "longest"
        )?;
        writeln!(
            f,
            "{:<8}{:<14}{:>9}{:>9}   {:>11}{:>9}   {:>11}{:>9}   {:>8}",
            "", "", "", "", "commands", "reboots", "commands", "reboots", "outage"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:<8}{:<14}{:>9}{:>9}   {:>11}{:>9}   {:>11}{:>9}   {:>6} m",
                row.track,
                row.kind,
                row.machines,
                row.current,
                row.hotpatch_commands,
                row.hotpatch_reboots,
                row.baseline_commands,
                row.baseline_reboots,
                row.longest_outage_minutes,
            )?;
        }
        let unfit: usize = self.unfit.values().sum();
        let reasons = self.unfit.len();
        writeln!(
            f,
            "not hotpatchable: {unfit} machines, for {reasons} reasons"
        )?;
        writeln!(
            f,
            "reboots by others: {} on hotpatched machines, {} on those that are not",
            self.foreign_reboots, self.unfit_reboots
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "{:<36}{:>18}{:>9}",
            "limit", "most unavailable", "allowed"
        )?;
        for peak in &self.peaks {
            writeln!(f, "{:<36}{:>18}{:>9}", peak.limit, peak.most, peak.allowed)?;
        }
        for (group, minutes) in &self.group_outages {
            writeln!(
                f,
                "longest outage in group {GROUP_TAG}={group}: {minutes} minutes"
            )?;
        }
        Ok(())
    }
}
