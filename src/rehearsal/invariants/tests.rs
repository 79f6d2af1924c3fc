//! Each checker is fed a short history by hand, a good one and one that is wrong in one thing.

// tests may unwrap
#![allow(clippy::unwrap_used)]

mod border;
mod order;
mod unread;

use std::collections::BTreeMap;
use std::sync::Arc;

use azure_sim::{Actor, Call, CallOperation, Effect, RebootCause, What};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Invariants, Violation};
use crate::api::machine::MachineKind;
use crate::domain::release::OsTrack;
use crate::rehearsal::facts::{Facts, UpdateDomain};
use crate::rehearsal::identities::IDENTITIES;
use crate::rehearsal::world::{Happening, World, Write};

const NAMESPACE: &str = "web";
const OPERATOR: &str = IDENTITIES[0].name;

/// A Saturday night in Berlin: the window opens at 20:00 UTC and closes at midnight.
const NIGHT: &str = "2025-07-12T20:30:00Z";

/// A world under construction, with the checkers that watch it.
struct Tale {
    world: World,
    invariants: Invariants,
    at: DateTime<Utc>,
    seq: u64,
    run: Value,
}

fn machine(name: &str, zone: &str) -> Facts {
    Facts {
        id: id(name),
        name: name.to_owned(),
        kind: MachineKind::AzureVm,
        resource_group: "rg".to_owned(),
        region: "westeurope".to_owned(),
        zone: Some(zone.to_owned()),
        set: None,
        cluster: None,
        tags: BTreeMap::from([("app".to_owned(), "shop".to_owned())]),
        track: Some(OsTrack::Ws2025),
        unfit: None,
    }
}

fn id(name: &str) -> String {
    format!("/subscriptions/s/resourcegroups/rg/providers/microsoft.compute/virtualmachines/{name}")
}

fn fleet() -> Value {
    json!({
        "apiVersion": "hotpatch.dev/v1alpha1",
        "kind": "HotpatchFleet",
        "metadata": {"name": "servers", "namespace": NAMESPACE, "uid": "fleet-1"},
        "spec": {
            "mode": "Enforce",
            "serviceAccountName": "hotpatch",
            "scope": {"subscriptions": ["s"]},
            "selector": {"kinds": ["AzureVM", "ArcServer", "AzureLocalVM"]},
            "policyRef": {"name": "careful"},
            "windowRefs": [{"name": "night"}],
        },
    })
}

fn policy() -> Value {
    json!({
        "apiVersion": "hotpatch.dev/v1alpha1",
        "kind": "BaselinePolicy",
        "metadata": {"name": "careful", "namespace": NAMESPACE},
        "spec": {
            "stages": [{"name": "all", "maxUnavailable": 2}],
            "availability": {"groups": [{"tag": "app", "maxUnavailable": 2}]},
        },
    })
}

fn window() -> Value {
    json!({
        "apiVersion": "hotpatch.dev/v1alpha1",
        "kind": "MaintenanceWindow",
        "metadata": {"name": "night", "namespace": NAMESPACE},
        "spec": {
            "timeZone": "Europe/Berlin",
            "schedule": {"weekly": {"days": ["Saturday"]}},
            "startTime": "22:00",
            "duration": "4h",
        },
    })
}

fn run(machines: &[Facts]) -> Value {
    let named: Vec<Value> = machines
        .iter()
        .map(|own| {
            json!({
                "id": own.id, "name": own.name, "kind": own.kind, "region": own.region,
                "incarnation": {"vmId": format!("{}-life-1", own.name)},
            })
        })
        .collect();
    json!({
        "apiVersion": "hotpatch.dev/v1alpha1",
        "kind": "HotpatchRun",
        "metadata": {"name": "run-1", "namespace": NAMESPACE},
        "spec": {
            "fleetName": "servers", "fleetUid": "fleet-1", "serviceAccountName": "hotpatch",
            "release": "ws2025-2025-07-08", "track": "ws2025", "allowedKbs": ["KB5062553"],
            "action": "Baseline", "cause": "Planned", "stage": "all", "ordinal": 1,
            "window": {
                "name": "night", "start": "2025-07-12T20:00:00Z", "end": "2025-07-13T00:00:00Z",
            },
            "limits": [],
            "health": {
                "settleSeconds": 600, "unknownAfterSeconds": 7200, "resourceHealthRequired": true,
            },
            "failures": {"max": 2, "retries": 1},
            "estimates": {"baselineSeconds": 3600, "reserveSeconds": 900},
            "machines": named,
            "digest": "0".repeat(64),
        },
        "status": {"epoch": 1, "machines": []},
    })
}

impl Tale {
    /// Two machines of one zone and one of another, a fleet, and a run that names all of them.
    fn new() -> Self {
        Self::of(vec![
            machine("a", "1"),
            machine("b", "1"),
            machine("c", "2"),
        ])
    }

    fn of(machines: Vec<Facts>) -> Self {
        let at: DateTime<Utc> = NIGHT.parse().unwrap();
        let run = run(&machines);
        let mut own = Self {
            world: World::new(at, machines),
            invariants: Invariants::new(7, "demo --seed 7"),
            at: at - TimeDelta::hours(1),
            seq: 0,
            run,
        };
        own.write("maintenancewindows.hotpatch.dev", "night", window());
        own.write("baselinepolicies.hotpatch.dev", "careful", policy());
        own.write("hotpatchfleets.hotpatch.dev", "servers", fleet());
        own.at = at;
        own.lease("process-1", 1);
        own.write_run();
        own
    }

    fn take_in(&mut self, happening: Happening) {
        self.world.apply(happening);
        self.invariants.check(&self.world);
    }

    fn write(&mut self, resource: &str, name: &str, object: Value) {
        self.change(resource, name, None, Some(object));
    }

    fn change(&mut self, resource: &str, name: &str, before: Option<Value>, after: Option<Value>) {
        self.take_in(Happening::Written(Write {
            at: self.at,
            resource: resource.to_owned(),
            namespace: NAMESPACE.to_owned(),
            name: name.to_owned(),
            before: before.map(Arc::new),
            after: after.map(Arc::new),
        }));
    }

    fn in_namespace(&mut self, namespace: &str, resource: &str, name: &str, object: Value) {
        self.take_in(Happening::Written(Write {
            at: self.at,
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            before: None,
            after: Some(Arc::new(object)),
        }));
    }

    fn write_run(&mut self) {
        let run = self.run.clone();
        self.change(
            "hotpatchruns.hotpatch.dev",
            "run-1",
            Some(run.clone()),
            Some(run),
        );
    }

    fn lease(&mut self, holder: &str, epoch: i64) {
        let lease = json!({
            "metadata": {"annotations": {"hotpatch.dev/epoch": epoch.to_string()}},
            "spec": {"holderIdentity": holder},
        });
        self.write("leases.coordination.k8s.io", "hotpatch-operator", lease);
    }

    /// Writes the step of a machine into the log of the run.
    fn step(&mut self, name: &str, step: &str, request: &str) {
        let entries = self.run["status"]["machines"].as_array_mut().unwrap();
        entries.retain(|own| own["id"] != id(name).as_str());
        entries.push(json!({"id": id(name), "step": step, "requestId": request}));
        self.write_run();
    }

    fn effect(&mut self, name: &str, what: What) {
        let effect = Effect {
            seq: self.seq,
            at: self.at,
            machine_id: id(name),
            incarnation: format!("{name}-life-1"),
            what,
        };
        self.seq += 1;
        self.take_in(Happening::Effect(effect));
    }

    /// Writes the intent, renews the lease, and has the command accepted.
    fn command(&mut self, name: &str, request: &str) {
        self.step(name, "Starting", request);
        self.lease("process-1", 1);
        self.effect(name, What::CallAccepted(finish(request)));
    }

    fn ended(&mut self, name: &str, request: &str) {
        self.effect(
            name,
            What::InstallEnded {
                activity: request.to_owned(),
                by: caller(request),
                status: azure_sim::InstallStatus::Succeeded,
                reboot: azure_sim::RebootStatus::Completed,
            },
        );
        self.step(name, "Succeeded", request);
    }

    fn reboot(&mut self, name: &str, request: &str) {
        let cause = RebootCause::Install {
            caller: OPERATOR.to_owned(),
            operation_id: "op".to_owned(),
            client_request_id: Some(request.to_owned()),
        };
        self.effect(name, What::RebootStarted { cause });
        self.effect(name, What::RebootEnded { boot_count: 2 });
    }

    fn violations(&self) -> &[Violation] {
        self.invariants.violations()
    }

    /// Asserts that the first thing found is what the named checker finds.
    #[track_caller]
    fn violates(&self, name: &str) {
        let first = self.violations().first().map(ToString::to_string);
        let found = self.violations().iter().any(|own| own.invariant == name);
        assert!(found, "{name} was not violated; first was {first:?}");
    }

    #[track_caller]
    fn holds(&self) {
        let found: Vec<String> = self.violations().iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

fn caller(request: &str) -> Actor {
    Actor::Caller {
        name: OPERATOR.to_owned(),
        client_request_id: Some(request.to_owned()),
        operation_id: "op".to_owned(),
    }
}

fn finish(request: &str) -> Call {
    Call {
        operation: CallOperation::Install,
        caller: OPERATOR.to_owned(),
        client_request_id: Some(request.to_owned()),
        reboot_setting: Some("IfRequired".to_owned()),
        kbs: vec!["5062553".to_owned()],
        maximum_minutes: Some(120),
        ..Call::default()
    }
}

#[test]
fn a_good_history_violates_nothing_and_is_checked_by_every_checker_it_concerns() {
    let mut tale = Tale::new();
    tale.command("a", "r1");
    tale.command("b", "r2");
    tale.reboot("a", "r1");
    tale.ended("a", "r1");
    tale.reboot("b", "r2");
    tale.ended("b", "r2");
    tale.command("c", "r3");
    tale.holds();
    let tallies = tale.invariants.tallies();
    for name in [
        "window", "alone", "once", "budget", "apart", "intent", "quiet", "pinned",
    ] {
        let own = tallies.iter().find(|own| own.name == name).unwrap();
        assert!(own.checks > 0 && own.held, "{name}");
    }
}

#[test]
fn a_command_outside_the_window_is_found() {
    let mut tale = Tale::new();
    tale.at += TimeDelta::hours(6);
    tale.command("a", "r1");
    tale.violates("window");
}

#[test]
fn a_command_that_may_run_past_the_window_is_found() {
    let mut tale = Tale::new();
    tale.at += TimeDelta::minutes(80);
    tale.command("a", "r1");
    tale.violates("window");
}

#[test]
fn a_window_that_an_exclusion_closes_is_closed() {
    let mut tale = Tale::new();
    let mut closed = window();
    closed["spec"]["exclusions"] =
        json!([{"name": "fair", "from": "2025-07-12", "through": "2025-07-13"}]);
    tale.write("maintenancewindows.hotpatch.dev", "night", closed);
    tale.at += TimeDelta::minutes(1);
    tale.command("a", "r1");
    tale.violates("window");
}

#[test]
fn a_command_under_a_running_install_is_found() {
    let mut tale = Tale::new();
    let started = What::InstallStarted {
        activity: "x".to_owned(),
        by: Actor::Platform,
    };
    tale.effect("a", started);
    tale.at += TimeDelta::minutes(5);
    tale.command("a", "r1");
    tale.violates("alone");
}

#[test]
fn an_install_that_began_within_the_age_of_the_evidence_is_excused() {
    use MachineKind::{ArcServer, AzureLocalVm, AzureVm};
    // The kind, how many minutes Resource Graph lags, how many seconds the install runs, and
    // whether it had to be seen.
    let rows = [
        (AzureVm, 30, 30, false),
        (AzureVm, 30, 61, true),
        (ArcServer, 1, 120, false),
        (ArcServer, 1, 121, true),
        (ArcServer, 30, 24 * 60, false),
        (AzureLocalVm, 30, 31 * 60 + 1, true),
    ];
    for (kind, lag, seconds, is_seen) in rows {
        let mut tale = Tale::new();
        tale.world.graph_lag = TimeDelta::minutes(lag);
        tale.world.facts.get_mut(&id("a")).unwrap().kind = kind;
        let started = What::InstallStarted {
            activity: "x".to_owned(),
            by: Actor::Platform,
        };
        tale.effect("a", started);
        tale.at += TimeDelta::seconds(seconds);
        tale.command("a", "r1");
        match is_seen {
            true => tale.violates("alone"),
            false => tale.holds(),
        }
    }
}

#[test]
fn a_second_command_while_the_first_runs_is_found() {
    let mut tale = Tale::new();
    tale.command("a", "r1");
    tale.step("a", "Planned", "r1");
    tale.command("a", "r2");
    tale.violates("alone");
}

#[test]
fn a_command_more_than_the_retries_is_found() {
    let mut tale = Tale::new();
    for request in ["r1", "r2", "r3"] {
        tale.step("a", "Planned", "");
        tale.command("a", request);
        tale.ended("a", request);
    }
    tale.violates("once");
}

#[test]
fn a_command_on_a_machine_that_has_the_release_is_found() {
    let mut tale = Tale::new();
    tale.command("a", "r1");
    let installed = What::KbInstalled {
        kb: "5062553".to_owned(),
        activity: "r1".to_owned(),
        by: caller("r1"),
    };
    // So long ago that an assessment has shown it.
    tale.at -= TimeDelta::hours(27);
    tale.effect("a", installed);
    tale.at += TimeDelta::hours(27);
    tale.ended("a", "r1");
    tale.step("a", "Planned", "");
    tale.command("a", "r2");
    tale.violates("once");
}

#[test]
fn a_reboot_more_than_the_commands_is_found() {
    let mut tale = Tale::new();
    tale.command("a", "r1");
    tale.reboot("a", "r1");
    tale.reboot("a", "r1");
    tale.violates("once");
}

#[test]
fn a_machine_over_the_limit_is_found() {
    let machines = ["a", "b", "c"].map(|name| machine(name, "1")).to_vec();
    let mut tale = Tale::of(machines);
    tale.command("a", "r1");
    tale.command("b", "r2");
    tale.holds();
    tale.command("c", "r3");
    tale.violates("budget");
}

#[test]
fn a_held_machine_and_one_that_is_down_for_long_count_as_unavailable() {
    let machines = ["a", "b", "c"].map(|name| machine(name, "1")).to_vec();
    let mut tale = Tale::of(machines);
    tale.effect(
        "a",
        What::WentUnhealthy {
            why: "hung".to_owned(),
        },
    );
    tale.step("b", "Unknown", "");
    tale.at += TimeDelta::minutes(20);
    tale.command("c", "r3");
    tale.violates("budget");
}

#[test]
fn a_limit_that_the_run_froze_counts_where_it_is_stricter() {
    let machines = ["a", "b"].map(|name| machine(name, "1")).to_vec();
    let mut tale = Tale::of(machines);
    tale.run["spec"]["limits"] =
        json!([{"scope": "group", "key": "app=shop", "maxUnavailable": 1}]);
    tale.write_run();
    tale.command("a", "r1");
    tale.command("b", "r2");
    tale.violates("budget");
}

#[test]
fn an_availability_set_lets_one_through() {
    let in_set = |name: &str| Facts {
        zone: None,
        set: Some(UpdateDomain {
            set: "set".to_owned(),
            number: 0,
        }),
        ..machine(name, "")
    };
    let mut tale = Tale::of(vec![in_set("a"), in_set("b")]);
    tale.command("a", "r1");
    tale.command("b", "r2");
    tale.violates("budget");
}

#[test]
fn what_backs_each_other_up_is_kept_apart() {
    let vm = |name: &str| machine(name, "1");
    let server = |name: &str, site: &str| Facts {
        kind: MachineKind::ArcServer,
        zone: None,
        tags: BTreeMap::from([("site".to_owned(), site.to_owned())]),
        ..machine(name, "")
    };
    let guest = |name: &str, cluster: &str| Facts {
        kind: MachineKind::AzureLocalVm,
        zone: None,
        cluster: Some(cluster.to_owned()),
        ..machine(name, "")
    };
    let in_domain = |name: &str, number| Facts {
        zone: None,
        set: Some(UpdateDomain {
            set: "set".to_owned(),
            number,
        }),
        ..machine(name, "")
    };
    let in_region = |name: &str, region: &str| Facts {
        region: region.to_owned(),
        zone: None,
        ..vm(name)
    };
    let cases = [
        ("zones", vm("a"), machine("b", "2"), true),
        ("one zone", vm("a"), vm("b"), false),
        (
            "no zone",
            vm("a"),
            Facts {
                zone: None,
                ..vm("b")
            },
            false,
        ),
        (
            "a pair",
            in_region("a", "westeurope"),
            in_region("b", "northeurope"),
            true,
        ),
        (
            "regions",
            in_region("a", "westeurope"),
            in_region("b", "eastus"),
            true,
        ),
        ("domains", in_domain("a", 0), in_domain("b", 1), true),
        ("sites", server("a", "x"), server("b", "y"), true),
        ("one site", server("a", "x"), server("b", "x"), false),
        ("clusters", guest("a", "x"), guest("b", "y"), true),
        ("cloud and ground", vm("a"), server("b", "x"), false),
    ];
    for (case, first, second, is_apart) in cases {
        let mut tale = Tale::of(vec![first, second]);
        tale.command("a", "r1");
        tale.command("b", "r2");
        let found = tale.violations().iter().any(|own| own.invariant == "apart");
        assert_eq!(found, is_apart, "{case}");
    }
}

#[test]
fn a_command_without_an_intent_is_found() {
    let mut tale = Tale::new();
    tale.effect("a", What::CallAccepted(finish("r1")));
    tale.violates("intent");
}

#[test]
fn a_command_without_a_renewal_after_its_intent_is_found() {
    let mut tale = Tale::new();
    tale.step("a", "Starting", "r1");
    tale.effect("a", What::CallAccepted(finish("r1")));
    tale.violates("intent");
}

#[test]
fn a_command_after_another_process_took_the_lease_is_found() {
    let mut tale = Tale::new();
    tale.step("a", "Starting", "r1");
    tale.lease("process-1", 1);
    tale.lease("process-2", 2);
    tale.effect("a", What::CallAccepted(finish("r1")));
    tale.violates("intent");
}

#[test]
fn an_intent_of_an_older_epoch_is_found() {
    let mut tale = Tale::new();
    tale.lease("process-1", 5);
    tale.step("a", "Starting", "r1");
    tale.lease("process-1", 5);
    tale.effect("a", What::CallAccepted(finish("r1")));
    tale.violates("intent");
}

#[test]
fn an_intent_on_a_machine_that_is_held_is_found() {
    let mut tale = Tale::new();
    tale.step("a", "Unknown", "");
    tale.command("a", "r1");
    tale.violates("intent");
}

#[test]
fn one_intent_is_good_for_one_command() {
    let mut tale = Tale::new();
    tale.command("a", "r1");
    tale.effect("a", What::CallAccepted(finish("r1")));
    tale.violates("intent");
}

#[test]
fn a_hotpatch_run_that_may_reboot_is_found() {
    let mut tale = Tale::new();
    tale.run["spec"]["action"] = json!("Hotpatch");
    tale.write_run();
    tale.command("a", "r1");
    tale.violates("no-reboot");
}

#[test]
fn a_reboot_by_a_hotpatch_run_is_found() {
    let mut tale = Tale::new();
    tale.run["spec"]["action"] = json!("Hotpatch");
    tale.write_run();
    tale.step("a", "Starting", "r1");
    tale.lease("process-1", 1);
    let call = Call {
        reboot_setting: Some("Never".to_owned()),
        exclude_reboot: true,
        ..finish("r1")
    };
    tale.effect("a", What::CallAccepted(call));
    tale.holds();
    tale.reboot("a", "r1");
    tale.violates("no-reboot");
}

#[test]
fn a_command_after_somebody_said_stop_is_found() {
    let edits: [(&str, Value); 3] = [
        ("/spec/mode", json!("Observe")),
        ("/spec/suspend", json!(true)),
        ("/metadata/uid", json!("another")),
    ];
    for (at, now) in edits {
        let mut tale = Tale::new();
        let mut edited = fleet();
        edited["spec"]["suspend"] = json!(false);
        *edited.pointer_mut(at).unwrap() = now;
        tale.write("hotpatchfleets.hotpatch.dev", "servers", edited);
        tale.at += TimeDelta::minutes(1);
        tale.command("a", "r1");
        tale.violates("quiet");
    }
}

#[test]
fn a_command_after_a_pause_or_a_deletion_is_found_and_one_before_it_was_seen_is_not() {
    let pause = json!({
        "metadata": {"name": "stop", "namespace": NAMESPACE},
        "spec": {"fleetRef": {"name": "servers"}, "verb": "Pause"},
    });
    let mut tale = Tale::new();
    tale.write("hotpatchrequests.hotpatch.dev", "stop", pause);
    tale.at += TimeDelta::seconds(2);
    tale.command("a", "r1");
    tale.holds();
    tale.at += TimeDelta::minutes(1);
    tale.command("b", "r2");
    tale.violates("quiet");

    let mut tale = Tale::new();
    tale.change("hotpatchfleets.hotpatch.dev", "servers", None, None);
    tale.at += TimeDelta::minutes(1);
    tale.command("a", "r1");
    tale.violates("quiet");
}

#[test]
fn a_run_whose_spec_changes_is_found() {
    let mut tale = Tale::new();
    let before = tale.run.clone();
    let mut after = before.clone();
    after["spec"]["failures"]["retries"] = json!(5);
    tale.change(
        "hotpatchruns.hotpatch.dev",
        "run-1",
        Some(before),
        Some(after),
    );
    tale.violates("frozen");
}

#[test]
fn a_command_to_another_incarnation_is_found() {
    let mut tale = Tale::new();
    tale.run["spec"]["machines"][0]["incarnation"]["vmId"] = json!("an earlier life");
    tale.write_run();
    tale.command("a", "r1");
    tale.violates("pinned");
}

#[test]
fn what_the_run_does_not_allow_is_found_when_asked_for_and_when_installed() {
    let calls = [
        Call {
            kbs: vec!["1111111".to_owned()],
            ..finish("r1")
        },
        Call {
            kbs: Vec::new(),
            ..finish("r1")
        },
        Call {
            classifications: vec!["Security".to_owned()],
            ..finish("r1")
        },
    ];
    for call in calls {
        let mut tale = Tale::new();
        tale.step("a", "Starting", "r1");
        tale.lease("process-1", 1);
        tale.effect("a", What::CallAccepted(call));
        tale.violates("pinned");
    }
    let mut tale = Tale::new();
    tale.command("a", "r1");
    let installed = What::KbInstalled {
        kb: "1111111".to_owned(),
        activity: "r1".to_owned(),
        by: caller("r1"),
    };
    tale.effect("a", installed);
    tale.violates("pinned");

    // What an install left to the next reboot outlives its run, and the run that comes anew.
    for (kb, is_allowed) in [("5062553", true), ("1111111", false)] {
        let mut tale = Tale::new();
        tale.command("a", "r1");
        let run = "hotpatchruns.hotpatch.dev";
        tale.change(run, "run-1", Some(tale.run.clone()), None);
        tale.run["spec"]["allowedKbs"] = json!(["KB1111111"]);
        tale.run["status"]["machines"] = json!([]);
        tale.write_run();
        let installed = What::KbInstalled {
            kb: kb.to_owned(),
            activity: "r1".to_owned(),
            by: caller("r1"),
        };
        tale.effect("a", installed);
        let found = tale
            .violations()
            .iter()
            .any(|own| own.invariant == "pinned");
        assert_eq!(found, !is_allowed, "{kb}");
    }
}

#[test]
fn a_setting_that_is_not_ours_is_found() {
    let mut tale = Tale::new();
    let bypass = "bypassPlatformSafetyChecksOnUserSchedule";
    tale.effect(
        "a",
        What::SettingsChanged {
            by: caller("s1"),
            before: json!({"automaticByPlatformSettings": {bypass: true}}),
            after: json!({"automaticByPlatformSettings": {bypass: false}}),
        },
    );
    tale.violates("owned");
}

#[test]
fn a_setting_without_a_claim_is_found_after_hours_and_a_tag_of_others_at_once() {
    let changed = What::SettingsChanged {
        by: caller("s1"),
        before: json!({"patchMode": "AutomaticByOS"}),
        after: json!({"patchMode": "AutomaticByPlatform"}),
    };
    let mut tale = Tale::new();
    tale.effect("a", changed);
    tale.invariants.at_end(&tale.world);
    assert!(!tale.violations().iter().any(|own| own.invariant == "owned"));
    // once the fleet has had the time to claim it
    tale.at += TimeDelta::hours(8);
    tale.write_run();
    tale.invariants.at_end(&tale.world);
    tale.violates("owned");

    let mut tale = Tale::new();
    tale.effect(
        "a",
        What::TagsChanged {
            by: caller("s1"),
            before: json!({"owner": "x"}),
            after: json!({}),
        },
    );
    tale.violates("owned");
}

#[test]
fn a_licence_without_a_claim_is_found() {
    let mut tale = Tale::new();
    tale.effect(
        "a",
        What::LicenceChanged {
            by: caller("s1"),
            enabled: true,
        },
    );
    tale.violates("owned");
}

#[test]
fn a_window_that_opens_twice_on_a_date_is_found() {
    let mut tale = Tale::new();
    tale.command("a", "r1");
    tale.ended("a", "r1");
    tale.run["spec"]["window"]["start"] = json!("2025-07-12T20:15:00Z");
    tale.write_run();
    tale.command("b", "r2");
    tale.violates("one-opening");

    // Written anew while a run was under way: that one keeps the opening that it began in.
    let mut tale = Tale::new();
    tale.run["spec"]["window"]["start"] = json!("2025-07-12T20:15:00Z");
    tale.run["spec"]["window"]["end"] = json!("2025-07-13T00:15:00Z");
    tale.write_run();
    tale.command("a", "r1");
    tale.ended("a", "r1");
    tale.run["spec"]["window"]["start"] = json!("2025-07-12T20:00:00Z");
    tale.run["spec"]["window"]["end"] = json!("2025-07-13T00:00:00Z");
    tale.write_run();
    tale.command("b", "r2");
    assert!(
        !tale
            .violations()
            .iter()
            .any(|own| own.invariant == "one-opening")
    );
}

#[test]
fn a_token_in_an_object_or_an_audit_line_is_found() {
    let mut tale = Tale::new();
    tale.write(
        "events",
        "e",
        json!({"message": format!("refused: Bearer {}", IDENTITIES[0].secret)}),
    );
    tale.violates("secret");

    let mut tale = Tale::new();
    tale.world
        .audit
        .push(json!({"message": IDENTITIES[1].secret}));
    tale.invariants.at_end(&tale.world);
    tale.violates("secret");
}

#[test]
fn a_machine_that_is_neither_current_nor_blocked_is_found_in_the_end() {
    let mut tale = Tale::of(vec![machine("a", "1")]);
    let record = json!({
        "spec": {"resourceId": id("a"), "kind": "AzureVM", "fleet": "servers"},
        "status": {"reasons": ["AwaitsWindow"]},
    });
    tale.write("hotpatchmachines.hotpatch.dev", "a", record);
    tale.invariants.at_end(&tale.world);
    tale.holds();
    tale.change("hotpatchmachines.hotpatch.dev", "a", None, None);
    tale.invariants.at_end(&tale.world);
    tale.violates("liveness");
}

#[test]
fn a_violation_says_how_to_see_it_again() {
    let mut tale = Tale::new();
    tale.effect("a", What::CallAccepted(finish("r1")));
    let text = tale.violations()[0].to_string();
    for part in [
        "2025-07-12 20:30:00 UTC",
        "seed 7",
        "demo --seed 7",
        "virtualmachines/a",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}
