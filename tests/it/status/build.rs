//! Fleets, machines and runs as tests want them: one good one of each, changed by the test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc, Weekday};
use hotpatch_operator::api::fleet::{HotpatchFleetStatus, MachineRecords};
use hotpatch_operator::domain::authority::steering::Steering;
use hotpatch_operator::domain::due::{
    Action, Cause, Installer, LateBaseline, OffTrackRule, UnplannedRule,
};
use hotpatch_operator::domain::fleet::{
    Fleet, FleetKey, FleetScope, FleetSelector, FleetWindow, HotpatchWhen, Mode, Wants, Word,
};
use hotpatch_operator::domain::machine::{
    Agent, Assessment, ClusterUpdate, Edition, Facts, Generation, Health, Image, Incarnation,
    InstallRecord, InstallStatus, Machine, MachineId, MachineKind, OfferClass, Offered, OsProfile,
    PatchMode, Placement, Power, Product, RebootBehavior, RebootSetting, RebootStatus, ScaleSet,
    Settings, Tags, UpdateService, VmFacts, ZonePlace,
};
use hotpatch_operator::domain::plan::{Plan, plan};
use hotpatch_operator::domain::policy::{
    ApprovalRule, Estimates, FailureRule, HealthRule, Limit, Policy, Spread, Stage, TagRule,
    TagSelector,
};
use hotpatch_operator::domain::release::{Catalogue, ReleaseId};
use hotpatch_operator::domain::run::{
    Progress, Run, RunMachine, RunWindow, Step, StepReason, Terms,
};
use hotpatch_operator::domain::snapshot::{Domain, Fault, FleetView, Inventory, Snapshot};
use hotpatch_operator::domain::window::{Schedule, Weekdays, WindowSpec};
use hotpatch_operator::domain::zone::Zone;
use hotpatch_operator::status::{self, Access, FleetInput};

/// The day after the baseline of July 2025; a Wednesday.
pub(crate) const NOW: &str = "2025-07-09T12:00:00Z";
/// That baseline.
pub(crate) const RELEASE: &str = "ws2025-2025-07-08";
const KB: &str = "KB5062553";
/// The subscription of every machine.
pub(crate) const SUBSCRIPTION: &str = "s1";

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn release() -> ReleaseId {
    RELEASE.parse().unwrap()
}

pub(crate) fn saturday_night() -> WindowSpec {
    WindowSpec::new(
        Zone::parse("Europe/Berlin").unwrap(),
        Schedule::Weekly {
            days: Weekdays::new([Weekday::Sat]).unwrap(),
        },
        NaiveTime::from_hms_opt(22, 0, 0).unwrap(),
        TimeDelta::hours(4),
        Vec::new(),
    )
    .unwrap()
}

/// A window that opened once, long ago.
pub(crate) fn long_gone() -> WindowSpec {
    WindowSpec::new(
        Zone::utc(),
        Schedule::Once {
            date: "2024-01-06".parse().unwrap(),
        },
        NaiveTime::from_hms_opt(22, 0, 0).unwrap(),
        TimeDelta::hours(4),
        Vec::new(),
    )
    .unwrap()
}

fn stage(name: &str, selector: TagSelector) -> Stage {
    Stage {
        name: name.to_owned(),
        selector,
        max_unavailable: Limit::Count(1),
        soak: TimeDelta::hours(24),
        min_succeeded: 1,
        optional: false,
    }
}

pub(crate) fn policy() -> Policy {
    let canary = TagRule::Equals("ring".to_owned(), "canary".to_owned());
    Policy {
        name: "availability-first".to_owned(),
        deadline_days: 21,
        late_baseline: LateBaseline::LatestCumulative,
        stages: vec![
            stage("canary", TagSelector(vec![canary])),
            stage(
                "broad",
                TagSelector(vec![TagRule::Exists("ring".to_owned())]),
            ),
        ],
        spread: Spread::ALL,
        groups: Vec::new(),
        health: HealthRule {
            settle: TimeDelta::minutes(10),
            unknown_after: TimeDelta::hours(2),
        },
        run_gates: Vec::new(),
        failures: FailureRule {
            max: Limit::Count(0),
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

pub(crate) fn key() -> FleetKey {
    FleetKey {
        namespace: "shop".to_owned(),
        name: "web".to_owned(),
    }
}

pub(crate) fn fleet() -> Fleet {
    Fleet {
        stage_retries: Vec::new(),
        key: key(),
        uid: "fleet-uid".to_owned(),
        created_at: at("2025-01-01T00:00:00Z"),
        mode: Mode::Enforce,
        suspended: false,
        service_account: "hotpatch".to_owned(),
        selector: FleetSelector {
            kinds: BTreeSet::from([MachineKind::AzureVm]),
            resource_groups: BTreeSet::new(),
            locations: BTreeSet::new(),
            tags: TagSelector::default(),
            exclude: Vec::new(),
        },
        policy: policy(),
        windows: vec![FleetWindow {
            name: "saturday-night".to_owned(),
            window: saturday_night(),
            stages: BTreeSet::new(),
        }],
        exclusions: Vec::new(),
        installer: Installer::Operator,
        hotpatch_when: HotpatchWhen::AnyTime,
        restore_on_release: true,
        approvals: Vec::new(),
        pauses: Vec::new(),
        aborts: Vec::new(),
        retries: Vec::new(),
    }
}

pub(crate) fn word(stage: Option<&str>) -> Word {
    Word {
        release: None,
        stage: stage.map(str::to_owned),
        origin: "by ann: storm".to_owned(),
    }
}

pub(crate) fn id(name: &str) -> MachineId {
    let id = format!(
        "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"
    );
    MachineId::parse(&id).unwrap()
}

/// An enrolled and healthy VM on which the baseline is due.
pub(crate) fn machine(name: &str, ring: &str) -> Machine {
    Machine {
        id: id(name),
        name: name.to_owned(),
        kind: MachineKind::AzureVm,
        incarnation: Incarnation {
            vm_id: format!("vm-{name}"),
            body: None,
        },
        placement: Placement {
            region: "westeurope".to_owned(),
            zone: ZonePlace::Regional,
            availability_set: None,
            flexible_scale_set: None,
            site: None,
            cluster: None,
        },
        tags: Tags::new([("ring".to_owned(), ring.to_owned())]),
        product: Product::Ws2025,
        edition: Edition::DatacenterAzureEdition,
        build: Some("26100.4270".parse().unwrap()),
        facts: Facts::AzureVm(VmFacts {
            image: Image::Marketplace {
                publisher: "MicrosoftWindowsServer".to_owned(),
                offer: "WindowsServer".to_owned(),
                sku: "2025-datacenter-azure-edition".to_owned(),
            },
            generation: Some(Generation::V2),
            scale_set: ScaleSet::None,
            os_profile: Some(OsProfile {
                allow_extension_operations: true,
                provision_vm_agent: true,
                enable_automatic_updates: true,
            }),
            agent: Agent::Ready,
            vbs_running: None,
        }),
        settings: Settings {
            patch_mode: PatchMode::AutomaticByPlatform,
            periodic_assessment: true,
            hotpatch: true,
            reboot: RebootSetting::Never,
            bypass: false,
        },
        power: Power::Running,
        health: Health::Healthy,
        cluster_update: ClusterUpdate::Quiet,
        busy: None,
        assessment: Some(Assessment {
            at: at("2025-07-09T06:00:00Z"),
            reboot_pending: false,
            service: UpdateService::WindowsUpdate,
            offered: vec![Offered {
                kb: KB.parse().unwrap(),
                class: OfferClass::OperatingSystem,
                reboot: RebootBehavior::Always,
                security: true,
                published: Some("2025-07-08".parse().unwrap()),
            }],
        }),
        installs: Vec::new(),
    }
}

/// Gives a machine the baseline at a time.
pub(crate) fn patched(mut machine: Machine, when: &str) -> Machine {
    machine.build = Some("26100.4652".parse().unwrap());
    machine.assessment = None;
    machine.installs = vec![InstallRecord {
        activity: format!("activity-{}", machine.name),
        started: at(when) - TimeDelta::minutes(30),
        modified: at(when),
        status: InstallStatus::Succeeded,
        reboot: RebootStatus::Completed,
        installed: vec![KB.parse().unwrap()],
        failed: Vec::new(),
        window_exceeded: false,
    }];
    machine
}

/// A machine of generation 1: it cannot be hotpatched.
pub(crate) fn ineligible(name: &str) -> Machine {
    let mut machine = machine(name, "broad");
    if let Facts::AzureVm(vm) = &mut machine.facts {
        vm.generation = Some(Generation::V1);
    }
    machine
}

pub(crate) fn run(names: &[&str], steps: &[(Step, Option<StepReason>)]) -> Run {
    let since = at("2025-07-09T11:55:00Z");
    let machines: BTreeMap<MachineId, RunMachine> = names
        .iter()
        .map(|name| {
            let own = machine(name, "canary");
            let named = RunMachine {
                id: own.id.clone(),
                name: own.name,
                kind: own.kind,
                incarnation: own.incarnation,
                placement: own.placement,
                groups: BTreeMap::new(),
            };
            (own.id, named)
        })
        .collect();
    let progress = names
        .iter()
        .zip(steps)
        .map(|(name, (step, reason))| {
            let planned = Progress::planned(since);
            let attempts = u32::from(*step != Step::Planned);
            (
                id(name),
                Progress {
                    attempts,
                    ..planned.at(step.clone(), since, reason.clone(), "")
                },
            )
        })
        .collect();
    Run {
        fleet: key(),
        name: "web-run-1".to_owned(),
        uid: "run-uid".to_owned(),
        created_at: at("2025-07-09T10:00:00Z"),
        terms: Arc::new(terms(machines)),
        end: Run::conclusion(&progress),
        progress,
        deleted_at: None,
        orphaned: None,
        gates_open: BTreeSet::new(),
        epoch: 1,
        quarantined: None,
    }
}

fn terms(machines: BTreeMap<MachineId, RunMachine>) -> Terms {
    let policy = policy();
    Terms {
        fleet: "web".to_owned(),
        fleet_uid: "fleet-uid".to_owned(),
        service_account: "hotpatch".to_owned(),
        release: release(),
        kbs: BTreeSet::from([KB.parse().unwrap()]),
        published_until: "2025-07-08".parse().unwrap(),
        action: Action::Baseline,
        cause: Cause::Planned,
        stage: "canary".to_owned(),
        ordinal: 1,
        window: RunWindow {
            name: "saturday-night".to_owned(),
            start: at("2025-07-09T10:00:00Z"),
            end: at("2025-07-09T14:00:00Z"),
        },
        limits: Vec::new(),
        spread: policy.spread,
        health: policy.health,
        retries: 1,
        max_failed: Some(2),
        failed_per_release: false,
        gates: Vec::new(),
        estimates: policy.estimates,
        machines,
    }
}

pub(crate) fn fault(reason: &'static str, stalls: bool) -> Fault {
    Fault {
        reason,
        message: format!("{reason} happened"),
        stalls,
    }
}

/// One situation: what is declared, running and observed.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) fleet: Result<Fleet, Fault>,
    pub(crate) machines: Result<Vec<Machine>, String>,
    pub(crate) steering: Arc<Steering>,
    pub(crate) read_at: DateTime<Utc>,
    pub(crate) runs: Vec<Run>,
    pub(crate) access: Access<'static>,
    pub(crate) unsupported: Vec<String>,
    pub(crate) records: MachineRecords,
    pub(crate) limited: bool,
    pub(crate) generation: i64,
    pub(crate) now: DateTime<Utc>,
}

impl Scene {
    /// A fleet in Enforce with one canary and two broad machines, all due, before its window.
    pub(crate) fn new() -> Self {
        let machines = vec![
            machine("c1", "canary"),
            machine("b1", "broad"),
            machine("b2", "broad"),
        ];
        Self {
            fleet: Ok(fleet()),
            machines: Ok(machines),
            steering: Arc::default(),
            read_at: at(NOW),
            runs: Vec::new(),
            access: Access::Valid,
            unsupported: Vec::new(),
            records: MachineRecords::All,
            limited: false,
            generation: 1,
            now: at(NOW),
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn of_fleet(self, change: impl FnOnce(&mut Fleet)) -> Self {
        self.with(|scene| change(scene.fleet.as_mut().unwrap()))
    }

    pub(crate) fn of_machines(self, machines: Vec<Machine>) -> Self {
        self.with(|scene| scene.machines = Ok(machines))
    }

    /// Nobody steers the machines but who is found here: somebody looked everywhere.
    pub(crate) fn steered(self, change: impl FnOnce(&mut Steering)) -> Self {
        let mut steering = Steering {
            unseen: BTreeMap::new(),
            subscriptions: BTreeMap::from([(SUBSCRIPTION.into(), BTreeMap::new())]),
            ..Steering::default()
        };
        change(&mut steering);
        self.with(|scene| scene.steering = Arc::new(steering))
    }

    pub(crate) fn at(self, now: &str) -> Self {
        let now = at(now);
        self.with(|scene| (scene.now, scene.read_at) = (now, now))
    }

    pub(crate) fn domain(&self) -> Domain {
        let inventory = self.machines.clone().map(|machines| {
            let machines = machines.into_iter();
            let machines = machines.map(|own| (own.id.clone(), Arc::new(own)));
            Inventory {
                steering: Arc::clone(&self.steering),
                ..Inventory::of(self.read_at, machines.collect())
            }
        });
        let view = FleetView {
            key: key(),
            uid: "fleet-uid".to_owned(),
            created_at: at("2025-01-01T00:00:00Z"),
            wants: self.fleet.as_ref().ok().map(|own| Wants {
                service_account: own.service_account.clone(),
                mode: own.mode,
                suspended: own.suspended,
                scope: FleetScope::default(),
                selector: own.selector.clone(),
            }),
            fleet: self.fleet.clone(),
        };
        Domain {
            sights: BTreeMap::new(),
            departed: Vec::new(),
            held: BTreeMap::new(),
            unreadable_runs: Vec::new(),
            unread_deletions: BTreeMap::new(),
            identity_gone: None,
            fleets: vec![view],
            runs: self
                .runs
                .iter()
                .map(|run| (run.name.clone(), run.clone()))
                .collect(),
            inventory,
            answers: BTreeMap::new(),
        }
    }

    pub(crate) fn plan(&self) -> (Domain, Plan) {
        let domain = self.domain();
        let snapshot = Snapshot {
            catalogue: Arc::new(Catalogue::embedded().clone()),
            cluster_uid: "cluster".to_owned(),
            run_commands: false,
            sees_every_fleet: false,
            domains: BTreeMap::from([("shop".to_owned(), domain.clone())]),
        };
        (domain, plan(&snapshot, self.now))
    }

    pub(crate) fn status_after(
        &self,
        previous: Option<&HotpatchFleetStatus>,
    ) -> HotpatchFleetStatus {
        let (domain, plan) = self.plan();
        let input = FleetInput {
            view: &domain.fleets[0],
            generation: Some(self.generation),
            previous,
            outlook: plan.outlooks.get(&key()),
            domain: &domain,
            machine_records: self.records,
            records_limited: self.limited,
            unsupported: &self.unsupported,
            access: self.access,
        };
        status::fleet(&input, self.now)
    }

    pub(crate) fn status(&self) -> HotpatchFleetStatus {
        self.status_after(None)
    }
}
