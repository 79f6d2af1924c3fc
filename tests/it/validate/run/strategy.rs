//! Runs of all shapes: by chance, and one by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use hotpatch_operator::domain::command::{Command, RequestId};
use hotpatch_operator::domain::due::{Action, Cause};
use hotpatch_operator::domain::evidence::{Operation, PollStyle};
use hotpatch_operator::domain::fleet::FleetKey;
use hotpatch_operator::domain::machine::{
    AvailabilitySetPlace, Incarnation, MachineId, MachineKind, Placement, ZonePlace,
};
use hotpatch_operator::domain::policy::{Estimates, HealthRule, RunGate, Spread};
use hotpatch_operator::domain::run::{
    FrozenLimit, LimitKey, Progress, Run, RunMachine, RunWindow, Step, StepReason, Terms,
};
use hotpatch_operator::record::run_name;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::at;

/// Returns the id of a VM by its name.
pub(super) fn over(name: &str) -> MachineId {
    let path = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines";
    MachineId::parse(&format!("{path}/{name}")).unwrap()
}

fn seconds() -> impl Strategy<Value = TimeDelta> {
    (0_i64..400_000_000).prop_map(TimeDelta::seconds)
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (1_700_000_000_i64..1_900_000_000, 0_u32..1_000_000_000)
        .prop_map(|(second, nano)| DateTime::from_timestamp(second, nano).unwrap())
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 =%äß:/.-]{1,20}"
}

fn kind() -> impl Strategy<Value = MachineKind> {
    select(vec![
        MachineKind::AzureVm,
        MachineKind::ArcServer,
        MachineKind::AzureLocalVm,
    ])
}

fn placement() -> impl Strategy<Value = Placement> {
    let zone = prop_oneof![
        Just(ZonePlace::Regional),
        Just(ZonePlace::Unknown),
        "[a-z]{3,9}-az[1-3]".prop_map(ZonePlace::Physical),
    ];
    let set = (text(), option::of(0_u32..20))
        .prop_map(|(id, update_domain)| AvailabilitySetPlace { id, update_domain });
    let sets = (option::of(set), option::of((text(), option::of(0_u32..5))));
    let others = (option::of(text()), option::of(text()));
    (text(), zone, sets, others).prop_map(|(region, zone, sets, (site, cluster))| Placement {
        region,
        zone,
        availability_set: sets.0,
        flexible_scale_set: sets.1,
        site,
        cluster,
    })
}

fn machine() -> impl Strategy<Value = RunMachine> {
    let groups = btree_map("[a-z3D=%-]{1,12}", "[A-Za-z0-9= %]{0,12}", 0..4);
    let parts = (
        "[a-z0-9-]{1,15}",
        kind(),
        text(),
        option::of(text()),
        placement(),
        groups,
    );
    parts.prop_map(|(name, kind, vm_id, body, placement, groups)| {
        let path = match kind {
            MachineKind::AzureVm => "Microsoft.Compute/virtualMachines",
            _ => "Microsoft.HybridCompute/machines",
        };
        let id = format!("/subscriptions/s/resourceGroups/rg/providers/{path}/{name}");
        RunMachine {
            id: MachineId::parse(&id).unwrap(),
            name,
            kind,
            incarnation: Incarnation { vm_id, body },
            placement,
            groups,
        }
    })
}

fn spread() -> impl Strategy<Value = Spread> {
    any::<[bool; 6]>().prop_map(|own| Spread {
        geo_pair: own[0],
        region: own[1],
        zone: own[2],
        availability_set: own[3],
        site: own[4],
        cluster: own[5],
    })
}

fn limit_key() -> impl Strategy<Value = LimitKey> {
    let name = || "[a-z]([a-z-]{0,8}[a-z])?";
    prop_oneof![
        (name(), name()).prop_map(|(fleet, stage)| LimitKey::Stage { fleet, stage }),
        ("[a-z3D=%-]{1,12}", "[A-Za-z0-9= %]{0,12}")
            .prop_map(|(tag, value)| LimitKey::Group { tag, value }),
        text().prop_map(LimitKey::AvailabilitySet),
        text().prop_map(LimitKey::Cluster),
    ]
}

fn window() -> impl Strategy<Value = RunWindow> {
    let parts = (
        select(vec!["saturday-night", "any-time"]),
        time(),
        seconds(),
    );
    parts.prop_map(|(name, start, long)| RunWindow {
        name: name.to_owned(),
        start,
        end: start + long,
    })
}

fn gates() -> impl Strategy<Value = Vec<RunGate>> {
    let names = btree_set("example\\.com/[A-Z][a-z]{1,8}", 0..4);
    (names, seconds()).prop_map(|(names, announce_before)| {
        let gate = |condition| RunGate {
            condition,
            announce_before,
        };
        names.into_iter().map(gate).collect()
    })
}

fn cause() -> impl Strategy<Value = Cause> {
    select(vec![
        Cause::Planned,
        Cause::Unplanned,
        Cause::LateBaseline,
        Cause::OffTrack,
        Cause::RebootOwed,
        Cause::OutOfBand,
    ])
}

fn terms() -> impl Strategy<Value = Terms> {
    let releases = vec![
        "ws2025-2026-10-13",
        "ws2022-2026-02-10",
        "ws2025-2026-10-13-2",
    ];
    let name = || "[a-z]([a-z0-9-]{0,60}[a-z0-9])?";
    let what = (
        (name(), name()),
        select(releases),
        btree_set(5_000_000_u32..6_000_000, 0..6),
        select(vec![Action::Hotpatch, Action::Baseline]),
        cause(),
        1_u32..,
        window(),
        btree_map(limit_key(), any::<u32>(), 0..6),
        spread(),
    );
    let machines = vec(machine(), 1..6);
    let health = (seconds(), seconds());
    let failures = (0_u32..=5, proptest::option::of(0_u32..=250), any::<bool>());
    let how = (health, failures, gates(), (seconds(), seconds()), machines);
    (what, how).prop_map(|(what, how)| {
        let ((fleet, stage), release, kbs, action, cause, ordinal, window, limits, spread) = what;
        let ((settle, unknown_after), retries, gates, (baseline, reserve), machines) = how;
        let limit = |(key, max)| FrozenLimit { key, max };
        let kb = |kb: u32| kb.to_string().parse().unwrap();
        Terms {
            fleet,
            fleet_uid: "6f2a5a52-0000-4000-8000-000000000001".to_owned(),
            service_account: "hotpatch".to_owned(),
            release: release.parse().unwrap(),
            kbs: kbs.into_iter().map(kb).collect(),
            published_until: at("2026-10-14T00:00:00Z").date_naive(),
            action,
            cause,
            stage,
            ordinal,
            window,
            limits: limits.into_iter().map(limit).collect(),
            spread,
            health: HealthRule {
                settle,
                unknown_after,
            },
            retries: retries.0,
            max_failed: retries.1,
            failed_per_release: retries.1.is_some() && retries.2,
            gates,
            estimates: Estimates { baseline, reserve },
            machines: machines
                .into_iter()
                .map(|own| (own.id.clone(), own))
                .collect(),
        }
    })
}

/// Why a machine stands at a step, one of a few for each.
fn reason(step: &Step, pick: usize) -> Option<StepReason> {
    let words: &[&str] = match step {
        Step::Failed => &["InstallFailed", "ForeignContent", "RebootOwed"],
        Step::Skipped => &["WindowClosed", "LetGo", "RebootOwed", "OfALaterVersion"],
        Step::Unknown => &["OutcomeUnknown", "NotHealthy", "OfALaterVersion"],
        Step::Planned => &["Refused", "RebootOwed"],
        _ => return None,
    };
    Some(StepReason::parse(words[pick % words.len()]))
}

fn operation() -> impl Strategy<Value = Operation> {
    let styles = vec![
        PollStyle::AsyncOperation,
        PollStyle::Location,
        PollStyle::RunCommand,
        PollStyle::Immediate,
    ];
    (text(), select(styles)).prop_map(|(url, style)| Operation::resume(url, style))
}

/// A machine at a step, with the marks that the step has.
fn progress() -> impl Strategy<Value = Progress> {
    let commands = [Command::Stage, Command::Finish, Command::Restart];
    let sent = (operation(), time(), time(), option::of(text()));
    let said = (0_usize..12, option::of("[a-zé ]{1,40}"));
    let counts = (1_u32..6, 0_u32..4);
    let step = select(super::STEPS.to_vec());
    (step, time(), counts, select(commands.to_vec()), sent, said).prop_map(
        |(step, since, (attempts, refusals), command, sent, (pick, message))| {
            let (operation, intent_at, ended_at, activity_before) = sent;
            let is_sent = step != Step::Planned;
            let is_ended = matches!(step, Step::Verifying | Step::Succeeded);
            Progress {
                reason: reason(&step, pick),
                step,
                since,
                attempts,
                refusals,
                command: Some(command),
                request: is_sent.then(|| RequestId("1f0a-1".to_owned())),
                intent_at: is_sent.then_some(intent_at),
                activity_before,
                operation: Some(operation).filter(|_| is_sent),
                ended_at: is_ended.then_some(ended_at),
                throttled_until: Some(ended_at).filter(|_| !is_sent && attempts > 2),
                message: message.unwrap_or_default(),
            }
        },
    )
}

/// A run as the operator writes it.
pub(super) fn a_run() -> impl Strategy<Value = Run> {
    let created = 1_700_000_000_i64..1_900_000_000;
    let rest = (
        created,
        vec(progress(), 6),
        any::<[bool; 4]>(),
        0_i64..1_000,
    );
    (terms(), rest).prop_map(
        |(terms, (created, steps, [deleting, open, ends, orphaned], epoch))| {
            let progress: BTreeMap<MachineId, Progress> =
                terms.machines.keys().cloned().zip(steps).collect();
            let gates = terms.gates.iter().filter(|_| open);
            let gates_open = gates.map(|gate| gate.condition.clone()).collect();
            Run {
                fleet: FleetKey {
                    namespace: "shop".to_owned(),
                    name: terms.fleet.clone(),
                },
                name: run_name(&terms),
                uid: "0a1b2c3d".to_owned(),
                created_at: DateTime::from_timestamp(created, 0).unwrap(),
                end: Run::conclusion(&progress).filter(|_| ends),
                terms: Arc::new(terms),
                progress,
                deleted_at: deleting.then(|| DateTime::from_timestamp(created + 60, 0).unwrap()),
                orphaned: orphaned.then(|| "denied".to_owned()),
                gates_open,
                epoch,
                quarantined: None,
            }
        },
    )
}

fn example_machine(number: u32) -> (MachineId, RunMachine) {
    let id = over(&format!("w{number}"));
    let machine = RunMachine {
        id: id.clone(),
        name: format!("W{number}"),
        kind: MachineKind::AzureVm,
        incarnation: Incarnation {
            vm_id: format!("vm-{number}"),
            body: Some(format!("/disks/{number}")),
        },
        placement: Placement {
            region: "westeurope".to_owned(),
            zone: ZonePlace::Physical("westeurope-az1".to_owned()),
            availability_set: None,
            flexible_scale_set: None,
            site: None,
            cluster: None,
        },
        groups: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
    };
    (id, machine)
}

pub(super) fn example_terms() -> Terms {
    let (fleet, stage) = ("web".to_owned(), "broad".to_owned());
    Terms {
        fleet: fleet.clone(),
        fleet_uid: "6f2a5a52-0000-4000-8000-000000000001".to_owned(),
        service_account: "hotpatch".to_owned(),
        release: "ws2025-2026-10-13".parse().unwrap(),
        kbs: BTreeSet::from(["KB5066835".parse().unwrap()]),
        published_until: at("2026-10-13T00:00:00Z").date_naive(),
        action: Action::Baseline,
        cause: Cause::Planned,
        stage: stage.clone(),
        ordinal: 1,
        window: RunWindow {
            name: "saturday-night".to_owned(),
            start: at("2026-10-17T20:00:00Z"),
            end: at("2026-10-18T00:00:00Z"),
        },
        limits: vec![FrozenLimit {
            key: LimitKey::Stage { fleet, stage },
            max: 4,
        }],
        spread: Spread::ALL,
        health: HealthRule {
            settle: TimeDelta::minutes(10),
            unknown_after: TimeDelta::hours(2),
        },
        retries: 1,
        max_failed: Some(2),
        failed_per_release: false,
        gates: vec![RunGate {
            condition: "example.com/Drained".to_owned(),
            announce_before: TimeDelta::minutes(30),
        }],
        estimates: Estimates {
            baseline: TimeDelta::hours(1),
            reserve: TimeDelta::minutes(15),
        },
        machines: (1..=3).map(example_machine).collect(),
    }
}

/// Returns a run of three machines, all at one step, with every field set that the step may have.
pub(super) fn example(step: Step) -> Run {
    let terms = example_terms();
    let all = terms.machines.keys().cloned();
    Run {
        fleet: FleetKey {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        },
        name: run_name(&terms),
        uid: "0a1b2c3d".to_owned(),
        created_at: at("2026-10-17T19:30:00Z"),
        progress: all.map(|id| (id, at_step(&step))).collect(),
        terms: Arc::new(terms),
        end: None,
        deleted_at: None,
        orphaned: None,
        gates_open: BTreeSet::from(["example.com/Drained".to_owned()]),
        epoch: 3,
        quarantined: None,
    }
}

fn at_step(step: &Step) -> Progress {
    if *step == Step::Planned {
        return Progress::planned(at("2026-10-17T19:30:00Z"));
    }
    let is_ended = matches!(step, Step::Verifying | Step::Succeeded | Step::Failed);
    let reason = match step {
        Step::Unknown => Some(StepReason::OutcomeUnknown),
        Step::Failed => Some(StepReason::InstallFailed),
        Step::Skipped => Some(StepReason::NeverArrived),
        _ => None,
    };
    let operation = Operation {
        url: "https://management.azure.com/operations/1".to_owned(),
        style: PollStyle::Location,
        outcome: None,
    };
    Progress {
        step: step.clone(),
        since: at("2026-10-17T20:30:00Z"),
        attempts: 1,
        refusals: 1,
        command: Some(Command::Finish),
        request: Some(RequestId("1f0a0000-0000-5000-8000-000000000001".to_owned())),
        intent_at: Some(at("2026-10-17T20:05:00Z")),
        activity_before: Some("a-17".to_owned()),
        operation: Some(operation).filter(|_| *step != Step::Starting),
        ended_at: is_ended.then(|| at("2026-10-17T20:29:00Z")),
        throttled_until: (*step == Step::Planned).then(|| at("2026-10-17T20:59:00Z")),
        reason,
        message: "as expected".to_owned(),
    }
}
