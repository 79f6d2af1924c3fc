//! The status of a fleet: kstatus, conditions, counts, releases, and that it rests.

use std::sync::Arc;

use hotpatch_operator::api::fleet::{FleetCounts, MachineRecords};
use hotpatch_operator::domain::enrolment::CLAIM_TAG;
use hotpatch_operator::domain::fleet::{ExcludedMachine, Mode};
use hotpatch_operator::domain::machine::{Health, Machine, PatchMode, Power, RebootSetting, Tags};
use hotpatch_operator::domain::policy::{ApprovalRule, Limit};
use hotpatch_operator::domain::run::{Step, StepReason};
use hotpatch_operator::domain::window::Exclusion;
use hotpatch_operator::status::Access;

use super::build::{
    RELEASE, Scene, at, fault, fleet, id, ineligible, long_gone, machine, patched, run, word,
};
use super::{assert_in_table, told};

const DENIED: Access<'_> = Access::Denied {
    action: "x/read",
    message: "403",
    cure: "roles/x.json grants it",
};

/// A scene in which every machine is changed.
fn with_machines(change: fn(&mut Machine)) -> Scene {
    Scene::new().with(|own| own.machines.as_mut().unwrap().iter_mut().for_each(change))
}

fn claim(machine: &mut Machine, text: &str) {
    machine.tags = Tags::new(
        machine
            .tags
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .chain([(CLAIM_TAG.to_owned(), text.to_owned())]),
    );
}

const READY: &str = "True/Working False/UpToDate False/NotStalled";

fn changed(mut machine: Machine, change: impl FnOnce(&mut Machine)) -> Machine {
    change(&mut machine);
    machine
}

fn faulty(reason: &'static str, stalls: bool) -> Scene {
    Scene::new().with(|own| own.fleet = Err(fault(reason, stalls)))
}

fn with_access(access: Access<'static>) -> Scene {
    Scene::new().with(|own| own.access = access)
}

fn with_run(steps: &[(Step, Option<StepReason>)]) -> Scene {
    let names = &["c1", "b1"][..steps.len()];
    Scene::new().with(|own| own.runs = vec![run(names, steps)])
}

fn first_pass() -> Scene {
    Scene::new().with(|own| {
        own.access = Access::Unknown;
        own.machines = Err("not read yet".to_owned());
    })
}

/// Every situation in which the operator can do its work.
fn working() -> Vec<Scene> {
    vec![
        Scene::new(),
        Scene::new().of_machines(Vec::new()),
        Scene::new().of_machines(vec![ineligible("old")]),
        Scene::new().of_fleet(|own| own.mode = Mode::Observe),
        Scene::new().of_fleet(|own| own.mode = Mode::Enrol),
        Scene::new().of_fleet(|own| own.suspended = true),
        Scene::new().of_fleet(|own| own.pauses = vec![word(None)]),
        Scene::new().of_fleet(|own| own.policy.approval = ApprovalRule::PerStage),
        Scene::new().of_fleet(|own| own.windows.clear()),
        Scene::new().of_fleet(|own| own.windows[0].window = long_gone()),
        Scene::new().of_fleet(|own| own.policy.stages[0].max_unavailable = Limit::Count(0)),
        Scene::new()
            .of_fleet(|own| {
                let (from, through) = ("2025-07-12", "2025-07-13");
                let freeze =
                    Exclusion::new("freeze", from.parse().unwrap(), through.parse().unwrap());
                own.exclusions = vec![freeze.unwrap()];
            })
            .at("2025-07-12T21:00:00Z"),
        Scene::new().at("2025-07-12T21:00:00Z"),
        Scene::new().at("2025-08-05T21:00:00Z"),
        Scene::new().of_machines(vec![machine("b1", "broad")]),
        Scene::new().of_machines(vec![patched(
            machine("c1", "canary"),
            "2025-07-09T09:00:00Z",
        )]),
        Scene::new().of_machines(vec![changed(machine("c1", "canary"), |own| {
            own.assessment = None;
        })]),
        Scene::new().of_machines(vec![changed(machine("c1", "canary"), |own| {
            own.settings.reboot = RebootSetting::IfRequired;
        })]),
        Scene::new().of_machines(vec![changed(machine("c1", "none"), |own| {
            own.power = Power::Off;
        })]),
        with_run(&[(Step::Running, None), (Step::Planned, None)]),
        with_run(&[(Step::Unknown, Some(StepReason::OutcomeUnknown))]),
        with_run(&[(Step::Failed, Some(StepReason::InstallFailed))]),
        with_run(&[(Step::Failed, Some(StepReason::ForeignContent))]),
        Scene::new().with(|own| own.unsupported = vec!["spec.x: because".to_owned()]),
        Scene::new().with(|own| own.records = MachineRecords::None),
        Scene::new().with(|own| own.limited = true),
    ]
}

/// Every situation in which it cannot, with what kstatus then says: Ready, Reconciling, Stalled.
fn not_working() -> Vec<(Scene, &'static str)> {
    let reference = "False/RefsNotResolved True/WaitingForReference False/NotStalled";
    let credentials = "False/CredentialsNotValid True/WaitingForCredentials False/NotStalled";
    let inventory = "False/NotDiscovered True/WaitingForInventory False/NotStalled";
    let stalled = "False/NotAccepted False/UpToDate True/InvalidSpec";
    vec![
        (faulty("InvalidSpec", true), stalled),
        (faulty("Unreadable", true), stalled),
        (faulty("SomethingNew", true), stalled),
        (
            faulty("NamespaceNotAllowed", false),
            "False/NotAccepted True/WaitingForInstallation False/NotStalled",
        ),
        (faulty("PolicyNotFound", false), reference),
        (faulty("PolicyInvalid", false), reference),
        (faulty("WindowNotFound", false), reference),
        (faulty("WindowInvalid", false), reference),
        (faulty("EndpointNotFound", false), reference),
        (faulty("SomethingNew", false), reference),
        (
            faulty("StageNotFound", true),
            "False/RefsNotResolved False/UpToDate True/InvalidSpec",
        ),
        (faulty("ServiceAccountNotFound", false), credentials),
        (faulty("NotOptedIn", false), credentials),
        (faulty("NoIdentity", false), credentials),
        (with_access(DENIED), credentials),
        (
            with_access(Access::Refused {
                reason: "FederationMissing",
                message: "AADSTS700213",
            }),
            credentials,
        ),
        (
            Scene::new().with(|own| own.machines = Err("429".to_owned())),
            inventory,
        ),
        (
            Scene::new().with(|own| own.read_at = at("2025-07-09T11:40:00Z")),
            inventory,
        ),
        (
            first_pass(),
            "Unknown/Starting True/WaitingForCredentials False/NotStalled",
        ),
    ]
}

fn kstatus(scene: &Scene) -> String {
    let status = scene.status();
    ["Ready", "Reconciling", "Stalled"]
        .map(|name| told(&status.conditions, name))
        .join(" ")
}

#[test]
fn ready_follows_from_the_operators_work_alone() {
    for (place, scene) in working().iter().enumerate() {
        assert_eq!(kstatus(scene), READY, "working situation {place}");
    }
    for (place, (scene, expected)) in not_working().iter().enumerate() {
        assert_eq!(kstatus(scene), *expected, "failing situation {place}");
    }
}

#[test]
fn every_condition_stands_in_the_table_and_all_of_it_is_told() {
    let all = working()
        .into_iter()
        .chain(not_working().into_iter().map(|(scene, _)| scene));
    for scene in all {
        let status = scene.status();
        assert_in_table("HotpatchFleet", &status.conditions);
        for row in hotpatch_operator::api::conditions::all() {
            if row.kind == "HotpatchFleet" {
                assert_ne!(told(&status.conditions, row.name), "absent", "{}", row.name);
            }
        }
        let count = status.conditions.len();
        assert!(
            count <= hotpatch_operator::api::schema::MAX_CONDITIONS as usize,
            "{count}"
        );
    }
}

#[test]
fn a_status_rests_while_nothing_happens() {
    let all = working()
        .into_iter()
        .chain(not_working().into_iter().map(|(scene, _)| scene));
    for (place, scene) in all.enumerate() {
        let first = scene.status();
        assert_eq!(
            scene.status_after(Some(&first)),
            first,
            "situation {place}, same instant"
        );
        let later = scene.with(|own| {
            own.now += chrono::TimeDelta::minutes(1);
            own.read_at += chrono::TimeDelta::minutes(1);
        });
        let next = later.status_after(Some(&first));
        // An inventory that goes stale says by its own time of reading since when.
        if told(&first.conditions, "Discovered") != "False/Stale" {
            assert_eq!(next, first, "situation {place}, a minute later");
        }
    }
}

#[test]
fn transition_times_move_with_the_status_only() {
    let before = Scene::new().status();
    let scene = Scene::new()
        .of_fleet(|own| own.suspended = true)
        .at("2025-07-09T13:00:00Z");
    let after = scene
        .with(|own| own.generation = 2)
        .status_after(Some(&before));
    let time = |status: &hotpatch_operator::api::fleet::HotpatchFleetStatus, name: &str| {
        let own = status
            .conditions
            .iter()
            .find(|own| own.type_ == name)
            .unwrap();
        assert_eq!(
            own.observed_generation, status.observed_generation,
            "{name}"
        );
        own.last_transition_time.clone()
    };
    assert_eq!(time(&after, "Ready"), time(&before, "Ready"));
    assert_ne!(time(&after, "Paused"), time(&before, "Paused"));
}

type Case = (Scene, &'static str, &'static str);

fn patches() -> Vec<Case> {
    let current = || patched(machine("c1", "canary"), "2025-07-09T09:00:00Z");
    let off = || {
        changed(machine("c1", "canary"), |own| {
            own.settings.hotpatch = false;
            own.settings.patch_mode = PatchMode::AutomaticByOs;
        })
    };
    vec![
        (Scene::new(), "Enrolled", "True/AllEnrolled"),
        (
            Scene::new().of_machines(vec![off()]),
            "Enrolled",
            "False/NotEnrolled",
        ),
        (
            Scene::new()
                .of_machines(vec![off()])
                .of_fleet(|own| own.mode = Mode::Observe),
            "Enrolled",
            "False/ObserveOnly",
        ),
        (Scene::new(), "Compliant", "True/WithinDeadline"),
        (
            Scene::new().of_machines(vec![current()]),
            "Compliant",
            "True/Compliant",
        ),
        (
            Scene::new().of_machines(vec![current()]),
            "RolloutComplete",
            "True/Complete",
        ),
        (
            Scene::new().of_machines(Vec::new()),
            "RolloutComplete",
            "True/NothingDue",
        ),
        (Scene::new(), "RolloutComplete", "False/Waiting"),
        (
            Scene::new().of_fleet(|own| own.policy.approval = ApprovalRule::PerRelease),
            "RolloutComplete",
            "False/WaitingForApproval",
        ),
        (
            Scene::new().of_fleet(|own| own.suspended = true),
            "RolloutComplete",
            "False/Blocked",
        ),
        (
            with_run(&[(Step::Running, None), (Step::Planned, None)]),
            "RolloutComplete",
            "False/InProgress",
        ),
    ]
}

fn stops() -> Vec<Case> {
    vec![
        (
            with_run(&[(Step::Failed, Some(StepReason::InstallFailed))]),
            "Halted",
            "True/TooManyFailures",
        ),
        (
            with_run(&[(Step::Failed, Some(StepReason::ForeignContent))]),
            "Halted",
            "True/ForeignContent",
        ),
        (
            Scene::new().of_machines(vec![machine("b1", "broad")]),
            "Halted",
            "True/StageUnproven",
        ),
        (Scene::new(), "Halted", "False/NotHalted"),
        (Scene::new(), "Paused", "False/NotPaused"),
        (
            Scene::new().of_fleet(|own| own.suspended = true),
            "Paused",
            "True/Suspended",
        ),
        (
            Scene::new().of_fleet(|own| own.pauses = vec![word(Some("broad"))]),
            "Paused",
            "True/PauseRequested",
        ),
    ]
}

fn windows_and_the_rest() -> Vec<Case> {
    vec![
        (Scene::new(), "WindowOpen", "False/Closed"),
        (
            Scene::new().at("2025-07-12T21:00:00Z"),
            "WindowOpen",
            "True/Open",
        ),
        (
            Scene::new().of_fleet(|own| own.windows.clear()),
            "WindowOpen",
            "False/NoWindow",
        ),
        (
            Scene::new().of_fleet(|own| own.windows[0].window = long_gone()),
            "WindowOpen",
            "False/NeverOpens",
        ),
        (Scene::new(), "Feasible", "Unknown/NotForecast"),
        (
            Scene::new().of_fleet(|own| own.windows.clear()),
            "Feasible",
            "False/NoWindowInTime",
        ),
        (
            Scene::new().of_fleet(|own| own.policy.deadline_days = 3),
            "Feasible",
            "False/NoWindowInTime",
        ),
        (
            Scene::new().of_fleet(|own| own.policy.stages[0].max_unavailable = Limit::Count(0)),
            "Feasible",
            "False/BudgetNothing",
        ),
        (Scene::new(), "SoleAuthority", "Unknown/NotChecked"),
        (
            with_machines(|own| own.settings.reboot = RebootSetting::IfRequired),
            "SoleAuthority",
            "False/PlatformStaging",
        ),
        (
            with_machines(|own| own.settings.bypass = true),
            "SoleAuthority",
            "False/MaintenanceConfiguration",
        ),
        (
            with_machines(|own| own.settings.patch_mode = PatchMode::AutomaticByOs),
            "SoleAuthority",
            "False/GuestPolicy",
        ),
        (
            with_machines(|own| claim(own, "v1 c=elsewhere f=theirs")),
            "SoleAuthority",
            "False/OtherCluster",
        ),
        (
            with_machines(|own| claim(own, "v1 c=cluster f=theirs")),
            "SoleAuthority",
            "False/OtherFleet",
        ),
        (
            with_machines(|own| claim(own, "v9 what")),
            "SoleAuthority",
            "Unknown/NotVisible",
        ),
        (Scene::new(), "ObjectivesMet", "Unknown/NotReported"),
        (Scene::new(), "NotYetSupported", "False/AllSupported"),
        (
            Scene::new().with(|own| own.unsupported = vec!["spec.x: why".to_owned()]),
            "NotYetSupported",
            "True/FieldsIgnored",
        ),
        (Scene::new(), "RecordsComplete", "True/Complete"),
        (
            Scene::new().with(|own| own.limited = true),
            "RecordsComplete",
            "False/LimitExceeded",
        ),
    ]
}

#[test]
fn each_condition_says_what_is() {
    let cases = [patches(), stops(), windows_and_the_rest()].concat();
    for (scene, name, expected) in cases {
        let status = scene.status();
        assert_eq!(
            told(&status.conditions, name),
            expected,
            "{:?}",
            status.next_action
        );
    }
}

#[test]
fn a_machine_past_its_deadline_is_told_by_name() {
    let overdue = changed(machine("c1", "canary"), |own| {
        own.assessment.as_mut().unwrap().at = at("2025-08-01T06:00:00Z");
    });
    let scene = Scene::new()
        .of_machines(vec![overdue])
        .at("2025-08-01T12:00:00Z");
    let status = scene.status();
    assert_eq!(told(&status.conditions, "Compliant"), "False/Overdue");
    assert_eq!(told(&status.conditions, "Feasible"), "False/DeadlinePassed");
    let own = status
        .conditions
        .iter()
        .find(|own| own.type_ == "Compliant")
        .unwrap();
    assert!(own.message.contains("c1"), "{}", own.message);
    assert_eq!(status.counts.unwrap().overdue, 1);
}

#[test]
fn an_excluded_opening_names_the_exclusion_and_the_next_opening() {
    let scene = Scene::new()
        .of_fleet(|own| {
            let date = |text: &str| text.parse().unwrap();
            let freeze = Exclusion::new("freeze", date("2025-07-12"), date("2025-07-13"));
            own.exclusions = vec![freeze.unwrap()];
        })
        .at("2025-07-12T21:00:00Z");
    let status = scene.status();
    let own = status
        .conditions
        .iter()
        .find(|own| own.type_ == "WindowOpen")
        .unwrap();
    assert_eq!(own.reason, "Excluded");
    assert_eq!(
        own.message,
        "Exclusion freeze of the fleet closes window saturday-night. The next opening is of \
         saturday-night, 2025-07-19 20:00 UTC."
    );
    assert_eq!(
        status.next_opening.unwrap().start,
        at("2025-07-19T20:00:00Z")
    );
}

#[test]
fn machines_are_counted_by_what_is_known_of_them() {
    let machines = vec![
        patched(machine("done", "canary"), "2025-07-09T09:00:00Z"),
        machine("due", "broad"),
        ineligible("old"),
        changed(machine("off", "broad"), |own| own.power = Power::Off),
        changed(machine("sick", "broad"), |own| {
            own.health = Health::Unhealthy("x".to_owned())
        }),
        changed(machine("dark", "broad"), |own| own.assessment = None),
        changed(machine("plain", "broad"), |own| {
            own.settings.hotpatch = false
        }),
        machine("left-out", "broad"),
        changed(machine("lost", "broad"), |own| {
            own.tags = Default::default()
        }),
    ];
    let scene = Scene::new().of_machines(machines).of_fleet(|own| {
        own.selector.exclude = vec![ExcludedMachine {
            id: id("left-out"),
            reason: "vendor".to_owned(),
            through: None,
        }];
    });
    let status = scene.status();
    let expected = FleetCounts {
        machines: 9,
        eligible: 8,
        ineligible: 1,
        enrolled: 7,
        current: 1,
        due: 5,
        overdue: 0,
        reboot_owed: 0,
        off_track: 0,
        unavailable: 1,
        dormant: 1,
        unknown: 1,
        blocked: 2,
        in_progress: 0,
        failed: 0,
        excluded: 1,
    };
    assert_eq!(status.counts, Some(expected));
    assert_eq!(
        status.ineligible_reasons,
        [("GenerationOne".to_owned(), 1)].into()
    );
}

#[test]
fn machines_of_a_run_count_as_in_progress_and_unavailable_once_commanded() {
    let steps = [(Step::Running, None), (Step::Planned, None)];
    let counts = with_run(&steps).status().counts.unwrap();
    assert_eq!(
        (counts.in_progress, counts.unavailable, counts.blocked),
        (2, 1, 0)
    );
    let held = [(Step::Unknown, Some(StepReason::OutcomeUnknown))];
    let counts = with_run(&held).status().counts.unwrap();
    assert_eq!(
        (counts.in_progress, counts.unavailable, counts.blocked),
        (1, 1, 1)
    );
    let failed = [(Step::Failed, Some(StepReason::InstallFailed))];
    let counts = with_run(&failed).status().counts.unwrap();
    assert_eq!((counts.in_progress, counts.failed), (0, 1));
}

#[test]
fn releases_runs_and_openings_are_reported() {
    let scene = with_run(&[(Step::Running, None), (Step::Planned, None)]);
    let status = scene.status();
    let release = &status.releases[0];
    assert_eq!(
        (release.track.as_str(), release.release.as_str()),
        ("ws2025", RELEASE)
    );
    assert_eq!(release.baseline.as_deref(), Some(RELEASE));
    assert_eq!((release.machines, release.current), (3, 0));
    assert_eq!(release.deadline, Some("2025-07-29".parse().unwrap()));
    let current = status.current_run.unwrap();
    assert_eq!(
        (current.name.as_str(), current.stage.as_str()),
        ("web-run-1", "canary")
    );
    let opening = status.next_opening.unwrap();
    assert_eq!(opening.start, at("2025-07-12T20:00:00Z"));
    assert_eq!(opening.end, at("2025-07-13T00:00:00Z"));
}

#[test]
fn coming_runs_are_foreseen_in_order_and_only_where_they_can_come() {
    let status = Scene::new().status();
    let runs: Vec<(&str, u32)> = status
        .upcoming
        .iter()
        .map(|own| (own.stage.as_str(), own.machines))
        .collect();
    assert_eq!(runs, [("canary", 1), ("broad", 2)]);
    assert_eq!(
        status.upcoming[0].not_before,
        Some(at("2025-07-12T20:00:00Z"))
    );
    assert!(
        Scene::new()
            .of_fleet(|own| own.mode = Mode::Observe)
            .status()
            .upcoming
            .is_empty()
    );
    assert!(
        Scene::new()
            .of_fleet(|own| own.suspended = true)
            .status()
            .upcoming
            .is_empty()
    );
}

#[test]
fn what_was_known_is_kept_while_azure_cannot_be_read() {
    let before = with_run(&[(Step::Failed, Some(StepReason::InstallFailed))]).status();
    let blind = with_run(&[(Step::Failed, Some(StepReason::InstallFailed))])
        .with(|own| own.machines = Err("503".to_owned()));
    let after = blind.status_after(Some(&before));
    assert_eq!(after.counts, before.counts);
    assert_eq!(told(&after.conditions, "Halted"), "True/TooManyFailures");
    assert_eq!(told(&after.conditions, "Compliant"), "Unknown/NotKnown");
    assert_eq!(
        told(&blind.status().conditions, "Halted"),
        "Unknown/NotKnown"
    );
}

#[test]
fn a_run_of_an_earlier_fleet_of_the_same_name_is_not_current() {
    let scene = with_run(&[(Step::Running, None)])
        .with(|own| Arc::make_mut(&mut own.runs[0].terms).fleet_uid = "earlier".to_owned());
    assert_eq!(scene.status().current_run, None);
    assert_eq!(fleet().uid, "fleet-uid");
}
