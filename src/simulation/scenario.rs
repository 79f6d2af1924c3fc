//! What a seed makes: machines, policy, windows, assumptions, replicas, weather, and what people
//! and clouds do meanwhile. Must draw everything in one order, so that a seed stays a story.

use azure_sim::{Assumptions, PatchLevel, Timings};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use fastrand::Rng;
use std::time::Duration;

use super::act::{Act, drawn};
use super::class::Class;
use super::pairs;
use super::storm::{Away, Forecast, Spell};
use crate::controller::lease::Tenure;
use crate::rehearsal::population::Population;
use crate::rehearsal::weather::RetryAfter;

/// How long after the end of all faults the fleet has to become current.
const CALM_DAYS: i64 = 3;

/// The most things that people and clouds do.
const ACTS_MAX: usize = 8;

/// The most spells.
const SPELLS_MAX: usize = 3;

/// The place of the server among the three machines of the plain rollout, by their ids.
const SERVER: usize = 2;

/// A time of the year with something of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Season {
    /// A hotpatch comes out.
    Hotpatch,
    /// A baseline comes out.
    Baseline,
    /// A baseline is due in the night in which a local hour comes twice.
    Autumn,
    /// A baseline is due in the night in which a local hour is missing.
    Spring,
}

impl Season {
    /// Returns when the story begins.
    fn begins(self) -> DateTime<Utc> {
        let (date, hour) = match self {
            Self::Hotpatch => ((2025, 6, 10), 15),
            Self::Baseline => ((2025, 7, 8), 15),
            Self::Autumn => ((2025, 10, 24), 12),
            Self::Spring => ((2026, 3, 27), 12),
        };
        let date = NaiveDate::from_ymd_opt(date.0, date.1, date.2).unwrap_or_default();
        date.and_hms_opt(hour, 0, 0).unwrap_or_default().and_utc()
    }

    /// Returns how the machines stand at the beginning.
    fn level(self) -> PatchLevel {
        let day = |year, month, day| {
            PatchLevel::AsOf(NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default())
        };
        match self {
            Self::Hotpatch | Self::Baseline => PatchLevel::Current,
            Self::Autumn => day(2025, 10, 1),
            Self::Spring => day(2026, 1, 1),
        }
    }

    /// Returns when the nights' window opens by the clocks of Berlin, and its hours.
    fn night(self) -> (&'static str, u32) {
        match self {
            Self::Hotpatch | Self::Baseline => ("20:00", 6),
            // From before the change of the clocks until after it.
            Self::Autumn | Self::Spring => ("01:30", 5),
        }
    }
}

/// What a seed makes.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// The time of the year.
    pub season: Season,
    /// When it begins.
    pub begins: DateTime<Utc>,
    /// When all faults stop and the specs rest.
    pub calm_from: DateTime<Utc>,
    /// When the fleet must be current, or say why it is not.
    pub ends: DateTime<Utc>,
    /// The machines.
    pub population: Population,
    /// The policy, the windows and the fleet, as YAML.
    pub manifests: Vec<String>,
    /// What is assumed of Azure.
    pub assumptions: Assumptions,
    /// How long things take there.
    pub timings: Timings,
    /// How long leadership holds.
    pub tenure: Tenure,
    /// Whether the operator may run scripts in guests.
    pub run_commands: bool,
    /// Whether there are two replicas.
    pub is_doubled: bool,
    /// The weather.
    pub forecast: Forecast,
    /// What people and clouds do, in order.
    pub acts: Vec<(DateTime<Utc>, Act)>,
}

impl Scenario {
    /// Makes the scenario of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5eed_0f57_0217);
        let season = match rng.u8(0..8) {
            0..=1 => Season::Hotpatch,
            2..=5 => Season::Baseline,
            6 => Season::Autumn,
            _ => Season::Spring,
        };
        let begins = season.begins();
        let calm_from = begins + TimeDelta::hours(rng.i64(20..=60));
        let population = Population::drawn(&mut rng, season.level());
        let rows = pairs::rows();
        let row = usize::try_from(seed).unwrap_or(0) % rows.len();
        let mut timings = Timings::default();
        if rng.u8(0..6) == 0 {
            timings.operation_kept_minutes = 5;
        }
        let mut manifests = vec![policy(&mut rng), night(&mut rng, season), fleet(&mut rng)];
        let tenure = tenure(&mut rng);
        let run_commands = rng.u8(0..3) > 0;
        let is_doubled = rng.u8(0..3) == 0;
        let forecast = forecast(&mut rng, begins, calm_from);
        let acts = acts(&mut rng, begins, calm_from);
        let population = if rng.u8(0..4) == 0 {
            manifests.extend(other_team(&manifests));
            population.shared(rng.usize(2..=3))
        } else {
            population
        };
        Self {
            seed,
            season,
            begins,
            calm_from,
            ends: calm_from + TimeDelta::days(CALM_DAYS),
            population,
            manifests,
            assumptions: rows[row].clone(),
            timings,
            tenure,
            run_commands,
            is_doubled,
            forecast,
            acts,
        }
    }

    /// Makes the one rollout in which everything small is tried: three machines, one baseline, no
    /// weather but what is put in. The server's install leaves its reboot owed, so that a script
    /// restarts it.
    pub fn plain() -> Self {
        let mut rng = Rng::with_seed(1);
        let begins = Season::Baseline.begins() + TimeDelta::hours(26);
        let policy = "apiVersion: hotpatch.dev/v1alpha1\nkind: BaselinePolicy\n\
                      metadata: {name: quick}\nspec:\n  \
                      stages: [{name: all, maxUnavailable: 2}]\n  \
                      availability: {spread: []}\n";
        let fleet = "apiVersion: hotpatch.dev/v1alpha1\nkind: HotpatchFleet\n\
                     metadata: {name: small}\nspec:\n  mode: Enforce\n  \
                     serviceAccountName: hotpatch\n  \
                     scope: {subscriptions: [00000000-0000-0000-0000-000000000001]}\n  \
                     selector: {kinds: [AzureVM, ArcServer]}\n  policyRef: {name: quick}\n  \
                     windowRefs: [{name: nights}]\n";
        Self {
            seed: 1,
            season: Season::Baseline,
            begins,
            calm_from: begins + TimeDelta::hours(13),
            ends: begins + TimeDelta::days(CALM_DAYS),
            population: Population::trio(PatchLevel::BehindBaseline),
            manifests: vec![
                policy.to_owned(),
                night(&mut rng, Season::Baseline),
                fleet.to_owned(),
            ],
            assumptions: Assumptions::default(),
            timings: Timings::default(),
            tenure: Tenure {
                duration: Duration::from_secs(60 * 60),
                renew_every: Duration::from_secs(30 * 60),
            },
            run_commands: true,
            is_doubled: false,
            forecast: Forecast::calm(begins),
            acts: vec![(begins + TimeDelta::minutes(1), Act::Vetoes(SERVER))],
        }
    }

    /// Returns the classes of faults that lie in the scenario itself.
    pub fn classes(&self) -> Vec<Class> {
        let mut classes = Vec::new();
        if matches!(self.season, Season::Autumn | Season::Spring) {
            classes.push(Class::ClockChange);
        }
        if self.assumptions.graph_lag_minutes > 1 {
            classes.push(Class::GraphLag);
        }
        if self.timings.operation_kept_minutes < 60 {
            classes.push(Class::StuckOperation);
        }
        classes
    }
}

/// Returns what another team applies: the same in its own namespace, for its own machines.
fn other_team(manifests: &[String]) -> Vec<String> {
    let their = |text: &String| {
        text.replace("{name: small}", "{name: tills, namespace: tills}")
            .replace("patching: hotpatch", "patching: tills")
            .replace(
                "metadata: {name: quick}",
                "metadata: {name: quick, namespace: tills}",
            )
            .replace(
                "metadata: {name: nights}",
                "metadata: {name: nights, namespace: tills}",
            )
    };
    manifests.iter().map(their).collect()
}

fn policy(rng: &mut Rng) -> String {
    let max = ["1", "2", "3", "50%", "100%"][rng.usize(0..5)];
    let soak = [0, 1, 4][rng.usize(0..3)];
    let retries = rng.u8(0..=2);
    let failures = rng.u8(1..=3);
    let quoted = |own: &str| {
        if own.ends_with('%') {
            format!("\"{own}\"")
        } else {
            own.to_owned()
        }
    };
    let stages = if rng.bool() {
        format!("  - {{name: all, maxUnavailable: {}}}", quoted(max))
    } else {
        format!(
            "  - {{name: canary, selector: {{matchLabels: {{ring: canary}}}}, \
             maxUnavailable: 1, soak: {soak}h, optional: true}}\n  \
             - {{name: broad, maxUnavailable: {}}}",
            quoted(max)
        )
    };
    let availability = match rng.u8(0..3) {
        0 => "{spread: []}",
        1 => "{groups: [{tag: app, maxUnavailable: 1}]}",
        _ => {
            "{spread: [Zone, AvailabilitySet, Site, Cluster], \
             groups: [{tag: app, maxUnavailable: 1}]}"
        }
    };
    format!(
        "apiVersion: hotpatch.dev/v1alpha1\nkind: BaselinePolicy\nmetadata: {{name: quick}}\n\
         spec:\n  stages:\n{stages}\n  availability: {availability}\n  \
         failures: {{max: {failures}, per: Stage, retries: {retries}}}\n  \
         health: {{settle: 10m, unknownAfter: 2h, resourceHealth: Required}}\n"
    )
}

fn night(rng: &mut Rng, season: Season) -> String {
    let (start, hours) = season.night();
    let hours = hours + rng.u32(0..=1);
    format!(
        "apiVersion: hotpatch.dev/v1alpha1\nkind: MaintenanceWindow\nmetadata: {{name: nights}}\n\
         spec:\n  timeZone: Europe/Berlin\n  schedule:\n    weekly: {{days: [Monday, Tuesday, \
         Wednesday, Thursday, Friday, Saturday, Sunday]}}\n  startTime: \"{start}\"\n  \
         duration: {hours}h\n"
    )
}

fn fleet(rng: &mut Rng) -> String {
    let when = ["AnyTime", "InWindow"][rng.usize(0..2)];
    let installer = if rng.u8(0..5) == 0 {
        "Platform"
    } else {
        "Operator"
    };
    format!(
        "apiVersion: hotpatch.dev/v1alpha1\nkind: HotpatchFleet\nmetadata: {{name: small}}\n\
         spec:\n  mode: Enforce\n  serviceAccountName: hotpatch\n  \
         scope: {{subscriptions: [00000000-0000-0000-0000-000000000001]}}\n  \
         selector:\n    kinds: [AzureVM, ArcServer, AzureLocalVM]\n    \
         tags: {{matchLabels: {{patching: hotpatch}}}}\n  policyRef: {{name: quick}}\n  \
         windowRefs: [{{name: nights}}]\n  hotpatch: {{installer: {installer}, when: {when}}}\n"
    )
}

fn tenure(rng: &mut Rng) -> Tenure {
    // A short one costs more requests than all the rest of a seed.
    let (duration, renew_every) = match rng.u8(0..24) {
        0 => (2 * 60, 45),
        1..=9 => (10 * 60, 5 * 60),
        _ => (60 * 60, 30 * 60),
    };
    Tenure {
        duration: Duration::from_secs(duration),
        renew_every: Duration::from_secs(renew_every),
    }
}

fn forecast(rng: &mut Rng, begins: DateTime<Utc>, calm_from: DateTime<Utc>) -> Forecast {
    let minutes = (calm_from - begins).num_minutes();
    let spells = (0..rng.usize(0..=SPELLS_MAX)).map(|_| {
        let from = begins + TimeDelta::minutes(rng.i64(0..minutes));
        let long = TimeDelta::minutes(rng.i64(2..=120));
        let what = match rng.u8(0..7) {
            0 | 1 => Away::ApiServer,
            2 | 3 => Away::Azure,
            4 => Away::Patience(
                [
                    RetryAfter::Unsaid,
                    RetryAfter::Seconds(rng.u32(1..=600)),
                    RetryAfter::Date(rng.u32(1..=600)),
                ][rng.usize(0..3)],
            ),
            5 => Away::Token,
            _ => Away::Rights,
        };
        Spell {
            from,
            until: (from + long).min(calm_from),
            what,
        }
    });
    let spells = spells.collect();
    // From light to heavy.
    let (per_read, per_write, per_command) = [
        (100, 300, 5_000),
        (500, 2_000, 15_000),
        (2_000, 6_000, 40_000),
    ][rng.usize(0..3)];
    Forecast {
        per_read,
        per_write,
        per_command,
        deaths_max: rng.u32(0..=6),
        spells,
        calm_from,
    }
}

fn acts(
    rng: &mut Rng,
    begins: DateTime<Utc>,
    calm_from: DateTime<Utc>,
) -> Vec<(DateTime<Utc>, Act)> {
    let minutes = (calm_from - begins).num_minutes();
    let mut all = Vec::new();
    for _ in 0..rng.usize(0..=ACTS_MAX) {
        let at = begins + TimeDelta::minutes(rng.i64(1..minutes));
        let (act, back) = drawn(rng);
        if let Some(back) = back {
            let later = at + TimeDelta::minutes(rng.i64(3..=300));
            all.push((later.min(calm_from), back));
        }
        all.push((at, act));
    }
    all.sort_by_key(|own| own.0);
    all
}
