//! The story of a rehearsal: dated lines that a person reads on one or two screens.

use std::collections::{BTreeMap, BTreeSet};

use azure_sim::What;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;

use super::identities::is_ours;
use super::invariants::liveness::{is_current, reasons};
use super::shelf::Name;
use super::summary::reason_of;
use super::truth::Cause;
use super::world::World;
use crate::api::HotpatchRun;
use crate::api::run::{RunAction, RunMachine};
use crate::domain::release::{Catalogue, OsTrack, ReleaseId};

/// After this long without another one a series of changes is told.
const SERIES_ENDS_AFTER: TimeDelta = TimeDelta::hours(1);

/// A dated line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Line {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub text: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}  {}", self.at.format("%Y-%m-%d %H:%M"), self.text)
    }
}

/// A series of changes of settings that is told as one.
#[derive(Clone, Debug, Default)]
struct Enrolment {
    first: Option<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
    switched_on: BTreeSet<String>,
    adjusted: BTreeSet<String>,
}

/// Collects the lines.
#[derive(Clone, Debug, Default)]
pub struct Story {
    lines: Vec<Line>,
    enrolment: Enrolment,
    told_until: Option<DateTime<Utc>>,
    is_discovered: bool,
    /// Number of each run within its month.
    numbers: BTreeMap<Name, usize>,
    runs_of_month: BTreeMap<String, usize>,
    told_runs: BTreeSet<Name>,
    told_openings: BTreeSet<(String, DateTime<Utc>)>,
    stages_begun: BTreeSet<(String, String)>,
    /// When the last run of a release ended, by release.
    last_end: BTreeMap<String, (String, DateTime<Utc>)>,
}

impl Story {
    /// Returns the lines in order of time.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = self.lines.clone();
        lines.sort_by_key(|line| line.at);
        lines
    }

    /// Returns the lines in the order in which they were told, without the first `known` ones.
    pub fn told(&self, known: usize) -> &[Line] {
        self.lines.get(known..).unwrap_or_default()
    }

    fn tell(&mut self, at: DateTime<Utc>, text: impl Into<String>) {
        self.lines.push(Line {
            at,
            text: text.into(),
        });
    }

    /// Takes in what happened last.
    pub fn note(&mut self, world: &World) {
        if let Some(write) = world.just_written() {
            let name = (write.namespace.clone(), write.name.clone());
            match (write.resource.as_str(), write.after.as_deref()) {
                ("hotpatchruns.hotpatch.dev", Some(_)) => self.run(world, &name),
                ("hotpatchmachines.hotpatch.dev", Some(_)) => self.discovery(world),
                _ => {}
            }
        }
        if let Some(effect) = world.just_effect() {
            self.effect(world, &effect.machine_id, effect.at, &effect.what);
        }
    }

    /// Tells what is told because time passed.
    pub fn tick(&mut self, world: &World) {
        let since = self.told_until.unwrap_or(world.epoch);
        self.told_until = Some(world.now);
        for track in OsTrack::ALL {
            for release in Catalogue::embedded().between(track, since, world.now) {
                if !release.is_commandable() {
                    continue;
                }
                let kb = release
                    .effective_kb()
                    .map_or_else(String::new, |kb| kb.to_string());
                let kind = if release.is_baseline() {
                    "baseline"
                } else {
                    "hotpatch"
                };
                let at = release.published_at();
                self.tell(at, format!("released   {track} {kb}, a {kind}"));
            }
        }
        let over = |last: DateTime<Utc>| world.now - last >= SERIES_ENDS_AFTER;
        if self.enrolment.last.is_some_and(over) {
            self.tell_enrolment();
        }
    }

    /// Tells what was held back.
    pub fn end(&mut self, world: &World) {
        self.tick(world);
        self.tell_enrolment();
        let all = world.facts.values().filter(|own| own.unfit.is_none());
        let (mut machines, mut current) = (0, 0);
        for facts in all {
            machines += 1;
            current += usize::from(is_current(world, facts));
        }
        self.tell(
            world.now,
            format!("the end    {current} of {machines} machines are current"),
        );
    }

    /// Tells once what was found, as soon as every machine has its record.
    fn discovery(&mut self, world: &World) {
        if self.is_discovered || world.records.len() < world.facts.len() {
            return;
        }
        let unfit: Vec<_> = world
            .facts
            .values()
            .filter(|own| own.unfit.is_some())
            .collect();
        if unfit.iter().any(|own| reasons(world, &own.id).is_empty()) {
            return;
        }
        self.is_discovered = true;
        let (all, cannot) = (world.facts.len(), unfit.len());
        let can = all - cannot;
        let text = format!("found      {all} machines: {can} can be hotpatched, {cannot} cannot:");
        self.tell(world.now, text);
        let named: Vec<String> = unfit
            .iter()
            .map(|own| format!("{} ({})", own.name, reason_of(world, own)))
            .collect();
        for part in named.chunks(3) {
            self.tell(world.now, format!("           {}", part.join(", ")));
        }
    }

    fn effect(&mut self, world: &World, machine: &str, at: DateTime<Utc>, what: &What) {
        let switched_on = match what {
            What::SettingsChanged { by, before, after } if is_ours(by) => {
                before["enableHotpatching"] != Value::Bool(true)
                    && after["enableHotpatching"] == Value::Bool(true)
            }
            What::LicenceChanged { by, enabled, .. } if is_ours(by) => *enabled,
            What::RebootStarted { .. } => {
                self.foreign_reboot(world, machine, at);
                return;
            }
            _ => return,
        };
        let series = &mut self.enrolment;
        series.first.get_or_insert(at);
        series.last = Some(at);
        if switched_on {
            series.adjusted.remove(machine);
            series.switched_on.insert(machine.to_owned());
        } else if !series.switched_on.contains(machine) {
            series.adjusted.insert(machine.to_owned());
        }
    }

    /// A reboot that nobody commanded, on a machine that can be hotpatched, is worth a line.
    fn foreign_reboot(&mut self, world: &World, machine: &str, at: DateTime<Utc>) {
        let fit = world
            .facts
            .get(machine)
            .is_some_and(|own| own.unfit.is_none());
        let cause = world.reboots.last().map(|own| &own.cause);
        let who = match cause {
            Some(Cause::Platform) => "Azure's own patching",
            Some(Cause::Guest) => "Windows Update",
            Some(Cause::Foreign) => "somebody else",
            _ => return,
        };
        if fit {
            let text = format!("reboot     of {} by {who}", world.name_of(machine));
            self.tell(at, text);
        }
    }

    fn tell_enrolment(&mut self) {
        let series = std::mem::take(&mut self.enrolment);
        let Some(at) = series.first else { return };
        let (on, adjusted) = (series.switched_on.len(), series.adjusted.len());
        if on > 0 {
            let text = "hotpatching turned on, earlier settings noted on each";
            self.tell(at, format!("enrolled   {on} machines: {text}"));
        }
        if adjusted > 0 {
            let text = "more: assessments daily, reboots left to windows";
            self.tell(at, format!("enrolled   {adjusted} {text}"));
        }
    }

    fn run(&mut self, world: &World, name: &Name) {
        let Some(run) = world.runs.get(name) else {
            return;
        };
        if self.told_runs.contains(name) {
            return;
        }
        if !self.numbers.contains_key(name) {
            self.begin(world, name, run);
        }
        let ended = run.status.as_ref().and_then(|status| status.completed_at);
        if let Some(ended) = ended {
            self.told_runs.insert(name.clone());
            self.last_end
                .insert(run.spec.release.clone(), (run.spec.stage.clone(), ended));
            self.tell_run(world, name, run, ended);
        }
    }

    fn begin(&mut self, world: &World, name: &Name, run: &HotpatchRun) {
        let spec = &run.spec;
        let month: String = spec
            .release
            .parse::<ReleaseId>()
            .map_or_else(|_| spec.release.clone(), |own| own.month().to_string());
        let count = self.runs_of_month.entry(month).or_default();
        *count += 1;
        self.numbers.insert(name.clone(), *count);
        let stage = (spec.release.clone(), spec.stage.clone());
        if self.stages_begun.insert(stage)
            && let Some((before, ended)) = self.last_end.get(&spec.release).cloned()
        {
            // From the first proof on, which is a little before the run of the stage ended.
            let hours = (world.now - ended + TimeDelta::minutes(30)).num_hours();
            let text = format!("soaked     {}: {hours} hours in stage {before}", short(run));
            self.tell(world.now, text);
        }
        if let Some(window) = &spec.window
            && spec.action != RunAction::Hotpatch
            && self
                .told_openings
                .insert((window.name.clone(), window.start))
        {
            let end = window.end.format("%H:%M");
            self.tell(
                window.start,
                format!("window     {} opens until {end}", window.name),
            );
        }
    }

    fn tell_run(&mut self, world: &World, name: &Name, run: &HotpatchRun, ended: DateTime<Utc>) {
        let status = run.status.as_ref();
        let started = status.and_then(|own| own.started_at).unwrap_or(ended);
        let count = |step: &str| {
            let entries = status.into_iter().flat_map(|own| &own.machines);
            entries.filter(|own| own.step == step).count()
        };
        let reboots = world.reboots.iter();
        let reboots = reboots
            .filter(|own| world.run_of_reboot(own) == Some(name))
            .count();
        let reboots = match reboots {
            1 => "1 reboot".to_owned(),
            many => format!("{many} reboots"),
        };
        let (failed, skipped) = (count("Failed"), count("Skipped"));
        let mut result = match run.spec.action {
            RunAction::Hotpatch => format!("{} hotpatched", count("Succeeded")),
            _ => format!("{} updated", count("Succeeded")),
        };
        if failed > 0 {
            result += &format!(", {failed} FAILED");
        }
        if skipped > 0 {
            result += &format!(", {skipped} left for later");
        }
        let number = self.numbers.get(name).copied().unwrap_or(0);
        let until = ended.format("%H:%M");
        let text = format!(
            "run {number:<3}    {:<6}  {:<17}  {:<33}  {result}, {reboots}, until {until}",
            run.spec.stage,
            short(run),
            place(&run.spec.machines),
        );
        self.tell(started, text);
    }
}

fn short(run: &HotpatchRun) -> String {
    let kb = run.spec.allowed_kbs.first().map_or("", String::as_str);
    format!("{} {kb}", run.spec.track)
}

/// Says where the machines of a run stand.
fn place(machines: &[RunMachine]) -> String {
    let mut parts: BTreeSet<String> = BTreeSet::new();
    for machine in machines {
        let last = |id: &String| id.rsplit('/').next().unwrap_or(id).to_owned();
        let part = if let Some(zone) = &machine.zone {
            zone.clone()
        } else if let Some(set) = &machine.availability_set {
            match machine.update_domain {
                Some(domain) => format!("{} domain {domain}", last(set)),
                None => last(set),
            }
        } else if let Some(site) = &machine.site {
            site.clone()
        } else if let Some(cluster) = &machine.cluster {
            last(cluster)
        } else {
            machine.region.clone()
        };
        parts.insert(part);
    }
    parts.into_iter().collect::<Vec<_>>().join(", ")
}
