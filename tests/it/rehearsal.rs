//! Rehearsals of the whole operator: the demo holds and repeats, and a process may die anywhere.

// tests may unwrap
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use azure_sim::Assumptions;
use chrono::{DateTime, TimeDelta, Utc};
use hotpatch_operator::cli::demo::{self, Progress};
use hotpatch_operator::controller::lease::Tenure;
use hotpatch_operator::rehearsal::gate::Side;
use hotpatch_operator::rehearsal::population::Population;
use hotpatch_operator::rehearsal::truth::Cause;
use hotpatch_operator::rehearsal::world::World;
use hotpatch_operator::rehearsal::{EXAMPLES, Ended, Options, Rehearsal, Report};
use kube_sim::Commit;

/// Crash points of a sweep that are tried unless `HOTPATCH_SWEEP=all` asks for every one.
const POINTS_BY_DEFAULT: usize = 12;

/// The nights of the small world: every day, four hours.
pub(crate) const NIGHTS: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: nights}
spec:
  timeZone: Europe/Berlin
  schedule:
    weekly: {days: [Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday]}
  startTime: "20:00"
  duration: 6h
"#;

pub(crate) const QUICK: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: BaselinePolicy
metadata: {name: quick}
spec:
  stages:
  - {name: canary, selector: {matchLabels: {ring: canary}}, maxUnavailable: 1}
  - {name: broad, maxUnavailable: 2}
  availability:
    groups: [{tag: app, maxUnavailable: 1}]
"#;

pub(crate) const FLEET: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: HotpatchFleet
metadata: {name: small}
spec:
  mode: Enforce
  serviceAccountName: hotpatch
  scope: {subscriptions: [00000000-0000-0000-0000-000000000001]}
  selector:
    kinds: [AzureVM, ArcServer, AzureLocalVM]
    tags: {matchLabels: {patching: hotpatch}}
  policyRef: {name: quick}
  windowRefs: [{name: nights}]
"#;

pub(crate) fn paused<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

#[test]
fn the_demo_holds_and_its_fleet_becomes_current() {
    let (report, is_current) = demo::rehearse(2, &mut Progress::quiet()).unwrap();
    let text = demo::text(&report, 2);
    assert!(report.has_held(), "{text}");
    assert!(is_current, "{text}");
    for row in &report.summary.rows {
        assert_eq!(row.current, row.machines, "{text}");
        assert_eq!(row.hotpatch_reboots, 0, "{text}");
        assert!(
            row.hotpatch_commands > 0 && row.baseline_commands > 0,
            "{text}"
        );
    }
    for peak in &report.summary.peaks {
        assert!(peak.most <= peak.allowed as usize, "{text}");
    }
    let unfit = &report.summary.unfit;
    assert_eq!(unfit.len(), 12, "each for another reason: {unfit:?}");
    assert!(unfit.values().all(|count| *count == 1), "{unfit:?}");
    for own in report.invariants.iter() {
        assert!(own.checks > 0, "{} was never checked\n{text}", own.name);
    }
}

#[test]
fn one_seed_tells_one_story_and_another_seed_another() {
    let days = |seed| {
        paused(async move {
            let epoch = "2025-06-10T08:00:00Z".parse().unwrap();
            let mut own = Rehearsal::new(options(seed, epoch, &EXAMPLES))
                .await
                .unwrap();
            own.run_until(|_, _| false, epoch + TimeDelta::days(3))
                .await;
            demo::json(&own.finish())
        })
    };
    let once = days(1);
    assert_eq!(once, days(1));
    assert_ne!(once, days(2));
}

pub(crate) fn options(seed: u64, epoch: DateTime<Utc>, manifests: &[&str]) -> Options {
    Options {
        seed,
        epoch,
        population: Population::small(),
        manifests: manifests.iter().map(|text| (*text).to_owned()).collect(),
        assumptions: Assumptions::default(),
        timings: azure_sim::Timings::default(),
        tenure: Tenure {
            duration: Duration::from_secs(10 * 60),
            renew_every: Duration::from_secs(5 * 60),
        },
        run_commands: false,
        replay: format!("cargo test --test it rehearsal # seed {seed}"),
    }
}

/// Has every write that the API server commits to one resource noted, in order.
pub(crate) fn on_commits(
    own: &Rehearsal,
    resource: &'static str,
    note: impl Fn(&Commit) + Send + Sync + 'static,
) {
    let (kube, seen) = (own.kube.clone(), Mutex::new(0));
    own.kube.on_response(move |_, _| {
        let mut seen = seen.lock().unwrap();
        for commit in kube.history_since(*seen) {
            *seen = commit.rv;
            if *commit.resource == *resource {
                note(&commit);
            }
        }
    });
}

/// A release to roll out in the small world.
struct Story {
    name: &'static str,
    /// An hour before the release.
    epoch: &'static str,
    kb: &'static str,
    reboots: bool,
}

const STORIES: [Story; 2] = [
    Story {
        name: "hotpatch",
        epoch: "2025-06-10T16:00:00Z",
        kb: "5060841",
        reboots: false,
    },
    Story {
        name: "baseline",
        epoch: "2025-07-08T16:00:00Z",
        kb: "5062553",
        reboots: true,
    },
];

impl Story {
    async fn begin(&self) -> Rehearsal {
        let manifests = [QUICK, NIGHTS, FLEET];
        Rehearsal::new(options(1, self.epoch.parse().unwrap(), &manifests))
            .await
            .unwrap()
    }

    fn is_over(&self, world: &World) -> bool {
        world
            .machines
            .values()
            .all(|own| own.installed.contains(self.kb))
            && !world.runs.is_empty()
            && world.runs.values().all(|run| {
                run.status
                    .as_ref()
                    .is_some_and(|status| status.completed_at.is_some())
            })
    }

    /// Plays the story; where the process dies another one takes its place.
    async fn play(&self, crash: Option<(u64, Side)>) -> (Rehearsal, bool) {
        let mut own = self.begin().await;
        if let Some((number, side)) = crash {
            own.kill_at(number, side);
        }
        let limit = own.now() + TimeDelta::days(6);
        let mut is_killed = false;
        loop {
            match own.run_until(|world, _| self.is_over(world), limit).await {
                Ended::Killed => {
                    assert!(!is_killed, "a process dies once");
                    is_killed = true;
                    own.restart();
                }
                Ended::Reached => return (own, is_killed),
                other => {
                    let at = own.now();
                    let report = own.finish();
                    panic!(
                        "{} with crash {crash:?}: {other:?} at {at}\n{}",
                        self.name,
                        demo::text(&report, 1)
                    );
                }
            }
        }
    }

    fn judge(&self, world: &World, report: &Report, crash: Option<(u64, Side)>) {
        let text = || format!("{} {crash:?}\n{}", self.name, demo::text(report, 1));
        assert!(report.has_held(), "{}", text());
        let mut reboots: BTreeMap<&str, u32> = BTreeMap::new();
        for reboot in world
            .reboots
            .iter()
            .filter(|own| matches!(own.cause, Cause::Command(_)))
        {
            *reboots.entry(&reboot.machine).or_default() += 1;
        }
        let wanted = u32::from(self.reboots);
        for machine in world.facts.keys() {
            let found = reboots.get(machine.as_str()).copied().unwrap_or(0);
            assert_eq!(found, wanted, "reboots of {machine}; {}", text());
        }
    }
}

/// The numbers of the side effects at which a crash tells something: of renewals of the lease in a
/// row only the first and the last.
fn points(log: &[String]) -> Vec<u64> {
    let is_renewal = |index: usize| log.get(index).is_some_and(|own| own.contains("/leases/"));
    (0..log.len())
        .filter(|index| {
            let inside = *index > 0 && is_renewal(index - 1) && is_renewal(index + 1);
            !(is_renewal(*index) && inside)
        })
        .map(|index| index as u64 + 1)
        .collect()
}

#[test]
fn a_process_may_die_anywhere_in_a_hotpatch_and_no_machine_is_commanded_twice() {
    sweep(&STORIES[0]);
}

#[test]
fn a_process_may_die_anywhere_in_a_baseline_and_no_machine_reboots_twice() {
    sweep(&STORIES[1]);
}

/// Kills the process at its side effects, one by one, before and after each is applied.
fn sweep(story: &Story) {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a person asks a test for a part of it"
    )]
    let all = std::env::var("HOTPATCH_SWEEP").is_ok_and(|word| word == "all");
    let log = paused(async {
        let (mut own, _) = story.play(None).await;
        let log = own.gate.log();
        let report = own.finish();
        own.look(|world| story.judge(world, &report, None));
        log
    });
    let points = points(&log);
    let stride = if all {
        1
    } else {
        points.len().div_ceil(POINTS_BY_DEFAULT).max(1)
    };
    let mut covered = 0;
    for (index, number) in points
        .iter()
        .enumerate()
        .filter(|(index, _)| index % stride == 0)
    {
        // Without the whole sweep the sides take turns.
        let sides = [Side::Before, Side::After];
        for side in sides
            .iter()
            .skip(if all { 0 } else { (index / stride) % 2 })
            .step_by(if all { 1 } else { 2 })
        {
            let crash = Some((*number, *side));
            paused(async {
                let (mut own, is_killed) = story.play(crash).await;
                assert!(is_killed, "{} {crash:?} never came", story.name);
                let report = own.finish();
                own.look(|world| story.judge(world, &report, crash));
            });
            covered += 1;
        }
    }
    println!(
        "{}: {covered} crashes at {} of {} points",
        story.name,
        points.len(),
        log.len()
    );
}
