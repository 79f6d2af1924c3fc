//! The model's small numbers as values of the domain, and back.
//!
//! Holds the one fleet, its two runs and its three machines. Must never hold a rule: rules are the
//! domain's.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::state::{
    At, Entry, Install, Job, MACHINE_OF, MACHINES, Machine, Order, RECORDS, RUNS, Record,
};
use crate::domain::command::{Command, RequestId};
use crate::domain::evidence::{LastActivity, Operation, Outcome, PollStyle, Reading};
use crate::domain::machine::{
    self, Agent, Assessment, Edition, Facts, Generation, Health, Image, Incarnation, InstallRecord,
    InstallStatus, MachineId, MachineKind, OfferClass, Offered, OsProfile, PatchMode, Placement,
    Power, Product, RebootBehavior, RebootSetting, RebootStatus, ScaleSet, Settings, Tags, VmFacts,
    ZonePlace,
};
use crate::domain::release::Kb;
use crate::domain::run::{Progress, RunMachine, Step, StepReason};
/// The namespace of the model.
pub(super) const NAMESPACE: &str = "model";

/// The cluster's uid.
pub(super) const CLUSTER: &str = "cluster-1";

/// The uid of its fleet.
pub(super) const FLEET_UID: &str = "fleet-1";

/// The instants of the model, in minutes after Saturday 2026-07-18 21:30 UTC. They lie so that
/// the domain's own spans fall between them: the window opens at 30 and closes at 270, nothing may
/// be sent after 195, and what is sent at 1, 2 or 3 may arrive late until just before 3, 4 or 5.
pub(super) const MINUTES: [i64; HOURS] = [0, 40, 110, 165, 235, 290, 490, 630];

/// How many instants there are.
pub(super) const HOURS: usize = 8;

/// The instant at which the second run is announced.
pub(super) const SECOND_RUN: u8 = 2;

/// Names of the machines.
pub(super) const NAMES: [&str; MACHINES] = ["vm-a", "vm-b", "vm-c"];

/// Names of the runs.
pub(super) const RUN_NAMES: [&str; RUNS] = ["run-1", "run-2"];

/// The update that is due.
pub(super) const KB: &str = "KB5099536";

/// Reasons that a step can have here; an entry stores the place, from 1.
const REASONS: [StepReason; 18] = [
    StepReason::WindowClosed,
    StepReason::Aborted,
    StepReason::MachineGone,
    StepReason::Recreated,
    StepReason::AlreadyCurrent,
    StepReason::OutcomeUnknown,
    StepReason::NeverArrived,
    StepReason::Refused,
    StepReason::NoEnd,
    StepReason::NotHealthy,
    StepReason::RebootOwed,
    StepReason::InstallFailed,
    StepReason::OutOfTime,
    StepReason::NothingInstalled,
    StepReason::ForeignContent,
    StepReason::LetGo,
    StepReason::ForeignRun,
    StepReason::Orphaned,
];

/// Returns a model instant.
pub(super) fn instant(hour: u8) -> DateTime<Utc> {
    // 2026-07-18T21:30:00Z
    let first = DateTime::from_timestamp(1_784_410_200, 0).expect("within chrono's range");
    first + TimeDelta::minutes(MINUTES[usize::from(hour)])
}

fn hour_of(at: DateTime<Utc>) -> u8 {
    let hours = 0..HOURS as u8;
    let mut found = hours.filter(|hour| instant(*hour) == at);
    found.next().expect("the domain invents no instants here")
}

/// Returns the number of a reason.
pub(super) fn reason_number(reason: &StepReason) -> u8 {
    let place = REASONS.iter().position(|own| own == reason);
    place.expect("the table holds all reasons of the model") as u8 + 1
}

/// Returns a reason by its number.
pub(super) fn reason(number: u8) -> Option<&'static StepReason> {
    REASONS.get(usize::from(number).checked_sub(1)?)
}

/// Returns an entry as the domain knows it.
pub(super) fn progress(number: usize, entry: &Entry) -> Progress {
    let from_one = |hour: u8| hour.checked_sub(1).map(instant);
    let name = NAMES[MACHINE_OF[number]];
    Progress {
        step: match entry.step {
            At::Planned => Step::Planned,
            At::Starting => Step::Starting,
            At::Running => Step::Running,
            At::Verifying => Step::Verifying,
            At::Succeeded => Step::Succeeded,
            At::Failed => Step::Failed,
            At::Skipped => Step::Skipped,
            At::Unknown => Step::Unknown,
        },
        since: instant(entry.since),
        attempts: u32::from(entry.attempts),
        refusals: u32::from(entry.refusals),
        command: match entry.order {
            Order::None => None,
            Order::Finish => Some(Command::Finish),
            Order::Restart => Some(Command::Restart),
        },
        request: (entry.request > 0).then(|| RequestId(entry.request.to_string())),
        intent_at: from_one(entry.intent),
        activity_before: (entry.before > 0).then(|| activity(name, entry.before)),
        operation: entry
            .operation
            .then(|| Operation::resume("https://model", PollStyle::AsyncOperation)),
        ended_at: from_one(entry.ended),
        throttled_until: None,
        reason: reason(entry.reason).cloned(),
        message: String::new(),
    }
}

/// Returns an entry as the model stores it.
pub(super) fn entry(number: usize, progress: &Progress) -> Entry {
    let small = |count: u32| u8::try_from(count).expect("counts are bounded");
    let from_one = |at: Option<DateTime<Utc>>| at.map_or(0, |at| hour_of(at) + 1);
    let name = NAMES[MACHINE_OF[number]];
    let before = progress.activity_before.as_ref();
    Entry {
        step: match progress.step {
            Step::Planned => At::Planned,
            Step::Starting => At::Starting,
            Step::Running => At::Running,
            Step::Verifying => At::Verifying,
            Step::Succeeded => At::Succeeded,
            Step::Failed => At::Failed,
            Step::Skipped => At::Skipped,
            Step::Unknown | Step::NotUnderstood(_) => At::Unknown,
        },
        order: match progress.command {
            None | Some(Command::Stage) => Order::None,
            Some(Command::Finish) => Order::Finish,
            Some(Command::Restart) => Order::Restart,
        },
        attempts: small(progress.attempts),
        refusals: small(progress.refusals),
        request: progress.request.as_ref().map_or(0, |own| {
            own.0.parse().expect("the model numbers its requests")
        }),
        intent: from_one(progress.intent_at),
        since: hour_of(progress.since),
        ended: from_one(progress.ended_at),
        before: before.map_or(0, |own| {
            let mut numbers = 1..=RECORDS as u8;
            let found = numbers.find(|count| activity(name, *count) == *own);
            found.expect("the model numbers its installs")
        }),
        operation: progress.operation.is_some(),
        reason: progress.reason.as_ref().map_or(0, reason_number),
    }
}

fn activity(name: &str, number: u8) -> String {
    format!("{name}-install-{number}")
}

fn kb() -> Kb {
    KB.parse().expect("well written")
}

fn record(name: &str, number: u8, own: &Record) -> Option<InstallRecord> {
    use InstallStatus::{Failed, InProgress, Succeeded};
    let (status, reboot) = match own.install {
        Install::None => return None,
        Install::InProgress => (InProgress, RebootStatus::NotNeeded),
        Install::Completed => (Succeeded, RebootStatus::Completed),
        Install::Failed => (Failed, RebootStatus::NotNeeded),
        Install::Owed => (Succeeded, RebootStatus::Required),
        Install::Nothing => (Succeeded, RebootStatus::NotNeeded),
    };
    let installs = matches!(own.install, Install::Completed | Install::Owed);
    Some(InstallRecord {
        activity: activity(name, number),
        started: instant(own.started),
        modified: instant(own.changed),
        status,
        reboot,
        installed: installs.then(kb).into_iter().collect(),
        failed: (status == Failed).then(kb).into_iter().collect(),
        window_exceeded: false,
    })
}

/// Returns the installs of a machine, newest first.
fn records(number: usize, machine: &Machine) -> Vec<InstallRecord> {
    let numbered = (1..).zip(&machine.records);
    let found = numbered.filter_map(|(count, own)| record(NAMES[number], count, own));
    let mut found: Vec<InstallRecord> = found.collect();
    found.reverse();
    found
}

/// Returns how our newest command on a machine ended; none while it runs.
pub(super) fn outcome(number: usize, machine: &Machine, order: Order) -> Option<Outcome> {
    if machine.job.is_ours() {
        return None;
    }
    let ended = |status, reboot, installed, failed, activity| Outcome {
        status,
        reboot,
        installed,
        failed,
        activity,
        window_exceeded: false,
        error: None,
    };
    if order == Order::Restart {
        let reboot = RebootStatus::Completed;
        return Some(ended(
            InstallStatus::Succeeded,
            reboot,
            Vec::new(),
            Vec::new(),
            None,
        ));
    }
    let newest = records(number, machine).into_iter().next()?;
    let InstallRecord {
        installed, failed, ..
    } = newest;
    Some(ended(
        newest.status,
        newest.reboot,
        installed,
        failed,
        Some(newest.activity),
    ))
}

fn health(machine: &Machine) -> Health {
    match machine.job.is_down() {
        true => Health::Unhealthy("it reboots".to_owned()),
        false => Health::Healthy,
    }
}

fn busy(machine: &Machine) -> Option<String> {
    let word = match machine.job {
        Job::Installs | Job::Reboots => "installPatches",
        Job::Restarts => "restart",
        Job::Idle | Job::Foreign => return None,
    };
    Some(word.to_owned())
}

/// Returns what a machine says of itself.
pub(super) fn reading(number: usize, machine: &Machine, hour: u8) -> Reading {
    let shown = vm(number, machine, hour);
    let last = records(number, machine).into_iter().next();
    Reading {
        incarnation: shown.incarnation,
        settings: shown.settings,
        power: Power::Running,
        health: shown.health,
        cluster_update: shown.cluster_update,
        busy: shown.busy,
        last_activity: last.map(|own| LastActivity {
            id: own.activity,
            started: Some(own.started),
            status: own.status,
        }),
        shows_installs: true,
        reboot_pending: Some(machine.owes),
        assessed_at: Some(instant(hour)),
        connection: None,
        tags: Tags::default(),
        etag: None,
        server_date: None,
    }
}

/// Returns a machine as an inventory shows it that was read in an hour: an Azure VM with Windows
/// Server 2025 on which the baseline of July 2026 is due until it is installed.
pub(super) fn vm(number: usize, machine: &Machine, hour: u8) -> machine::Machine {
    let offered = Offered {
        kb: kb(),
        class: OfferClass::OperatingSystem,
        reboot: RebootBehavior::Always,
        security: true,
        published: None,
    };
    let name = NAMES[number];
    machine::Machine {
        id: machine_id(number),
        name: name.to_owned(),
        kind: MachineKind::AzureVm,
        incarnation: incarnation(number),
        placement: placement(),
        tags: Tags::default(),
        product: Product::Ws2025,
        edition: Edition::DatacenterAzureEdition,
        build: None,
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
        cluster_update: machine::ClusterUpdate::Quiet,
        health: health(machine),
        busy: busy(machine),
        assessment: Some(Assessment {
            at: instant(hour),
            reboot_pending: machine.owes,
            service: machine::UpdateService::WindowsUpdate,
            offered: (!machine.is_current)
                .then_some(offered)
                .into_iter()
                .collect(),
        }),
        installs: records(number, machine),
    }
}

/// Returns the id of a machine.
pub(super) fn machine_id(number: usize) -> MachineId {
    let name = NAMES[number];
    let provider = "Microsoft.Compute/virtualMachines";
    let id = format!("/subscriptions/s1/resourceGroups/g1/providers/{provider}/{name}");
    MachineId::parse(&id).expect("well formed")
}

fn incarnation(number: usize) -> Incarnation {
    Incarnation {
        vm_id: format!("id-{}", NAMES[number]),
        body: None,
    }
}

fn placement() -> Placement {
    Placement {
        region: "westeurope".to_owned(),
        zone: ZonePlace::Regional,
        availability_set: None,
        flexible_scale_set: None,
        site: None,
        cluster: None,
    }
}

/// Returns a machine as a run names it.
pub(super) fn run_machine(number: usize) -> RunMachine {
    RunMachine {
        id: machine_id(number),
        name: NAMES[number].to_owned(),
        kind: MachineKind::AzureVm,
        incarnation: incarnation(number),
        placement: placement(),
        groups: BTreeMap::new(),
    }
}
