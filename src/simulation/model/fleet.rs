//! The fleet of the model and its two runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{NaiveTime, TimeDelta, Weekday};

use super::state::{ENTRIES, Entry, MACHINE_OF, RUN_OF};
use super::values::{
    FLEET_UID, KB, NAMESPACE, RUN_NAMES, SECOND_RUN, instant, machine_id, progress, run_machine,
};
use crate::domain::due::{Action, Cause, Installer, LateBaseline, OffTrackRule, UnplannedRule};
use crate::domain::fleet::{
    Fleet, FleetKey, FleetScope, FleetSelector, FleetWindow, HotpatchWhen, Mode, Wants,
};
use crate::domain::machine::MachineKind;
use crate::domain::policy::{
    ApprovalRule, Estimates, FailureRule, HealthRule, Limit, Policy, Spread, Stage, TagSelector,
};
use crate::domain::release::ReleaseId;
use crate::domain::run::{FrozenLimit, LimitKey, Run, RunWindow, Terms};
use crate::domain::snapshot::FleetView;
use crate::domain::window::{Schedule, Weekdays, WindowSpec};
use crate::domain::zone::Zone;

const STAGE: &str = "all";

fn key() -> FleetKey {
    FleetKey {
        namespace: NAMESPACE.to_owned(),
        name: "web".to_owned(),
    }
}

fn release() -> ReleaseId {
    "ws2025-2026-07-14".parse().expect("well written")
}

fn policy(budget: u8) -> Policy {
    Policy {
        name: "availability-first".to_owned(),
        deadline_days: 21,
        late_baseline: LateBaseline::LatestCumulative,
        stages: vec![Stage {
            name: STAGE.to_owned(),
            selector: TagSelector::default(),
            max_unavailable: Limit::Count(u32::from(budget)),
            soak: TimeDelta::zero(),
            min_succeeded: 1,
            optional: false,
        }],
        spread: Spread::ALL,
        groups: Vec::new(),
        health: HealthRule {
            settle: TimeDelta::minutes(10),
            unknown_after: TimeDelta::hours(2),
        },
        run_gates: Vec::new(),
        failures: FailureRule {
            max: Limit::Count(3),
            per_release: false,
            retries: 1,
        },
        approval: ApprovalRule::Never,
        unplanned: UnplannedRule::NextWindow,
        off_track: OffTrackRule::NextWindow,
        estimates: Estimates {
            baseline: TimeDelta::minutes(60),
            reserve: TimeDelta::minutes(15),
        },
    }
}

fn window() -> FleetWindow {
    let days = Weekdays::new([Weekday::Sat]).expect("not empty");
    let start = NaiveTime::from_hms_opt(22, 0, 0).expect("a time");
    let (zone, schedule) = (Zone::utc(), Schedule::Weekly { days });
    let spec = WindowSpec::new(zone, schedule, start, TimeDelta::hours(4), Vec::new());
    FleetWindow {
        name: "saturday-night".to_owned(),
        window: spec.expect("within bounds"),
        stages: BTreeSet::new(),
    }
}

/// Returns the fleet, whose one stage may have so many machines unavailable.
pub(super) fn fleet(budget: u8, suspended: bool) -> Fleet {
    Fleet {
        key: key(),
        uid: FLEET_UID.to_owned(),
        created_at: instant(0) - TimeDelta::days(60),
        mode: Mode::Enforce,
        suspended,
        service_account: "hotpatch".to_owned(),
        selector: FleetSelector {
            kinds: BTreeSet::from([MachineKind::AzureVm]),
            resource_groups: BTreeSet::new(),
            locations: BTreeSet::new(),
            tags: TagSelector::default(),
            exclude: Vec::new(),
        },
        policy: policy(budget),
        windows: vec![window()],
        exclusions: Vec::new(),
        installer: Installer::Operator,
        hotpatch_when: HotpatchWhen::AnyTime,
        restore_on_release: true,
        approvals: Vec::new(),
        pauses: Vec::new(),
        aborts: Vec::new(),
        retries: Vec::new(),
        stage_retries: Vec::new(),
    }
}

/// Returns the fleet as found.
pub(super) fn view(fleet: Fleet) -> FleetView {
    FleetView {
        key: fleet.key.clone(),
        uid: fleet.uid.clone(),
        created_at: fleet.created_at,
        wants: Some(Wants {
            mode: fleet.mode,
            suspended: fleet.suspended,
            scope: FleetScope {
                subscriptions: BTreeSet::from(["s1".to_owned()]),
                has_groups: false,
            },
            selector: fleet.selector.clone(),
            service_account: fleet.service_account.clone(),
        }),
        fleet: Ok(fleet),
    }
}

/// Returns what a run froze.
pub(super) fn terms(run: usize, fleet: &Fleet) -> Terms {
    let key = LimitKey::Stage {
        fleet: fleet.key.name.clone(),
        stage: STAGE.to_owned(),
    };
    let max = fleet.policy.stages[0].max_unavailable.of(3);
    let numbers = (0..ENTRIES).filter(|own| RUN_OF[*own] == run);
    let machines = numbers.map(|own| run_machine(MACHINE_OF[own]));
    Terms {
        fleet: fleet.key.name.clone(),
        fleet_uid: fleet.uid.clone(),
        service_account: fleet.service_account.clone(),
        release: release(),
        kbs: BTreeSet::from([KB.parse().expect("well written")]),
        published_until: release().date(),
        action: Action::Baseline,
        cause: Cause::Planned,
        stage: STAGE.to_owned(),
        ordinal: run as u32 + 1,
        window: RunWindow {
            name: "saturday-night".to_owned(),
            start: instant(0) + TimeDelta::minutes(30),
            end: instant(0) + TimeDelta::minutes(270),
        },
        limits: vec![FrozenLimit { key, max }],
        spread: fleet.policy.spread,
        health: fleet.policy.health,
        retries: fleet.policy.failures.retries,
        max_failed: Some(3),
        failed_per_release: false,
        gates: Vec::new(),
        estimates: fleet.policy.estimates,
        machines: machines.map(|own| (own.id.clone(), own)).collect(),
    }
}

/// Returns a run as it is stored.
pub(super) fn run(number: usize, terms: &Terms, entries: &[Entry; ENTRIES]) -> Run {
    let numbers = (0..ENTRIES).filter(|own| RUN_OF[*own] == number);
    let progress: BTreeMap<_, _> = numbers
        .map(|own| (machine_id(MACHINE_OF[own]), progress(own, &entries[own])))
        .collect();
    Run {
        fleet: key(),
        name: RUN_NAMES[number].to_owned(),
        uid: format!("uid-{}", RUN_NAMES[number]),
        created_at: instant(if number == 0 { 0 } else { SECOND_RUN }),
        terms: Arc::new(terms.clone()),
        end: Run::conclusion(&progress),
        progress,
        deleted_at: None,
        orphaned: None,
        gates_open: BTreeSet::new(),
        epoch: 1,
        quarantined: None,
    }
}
