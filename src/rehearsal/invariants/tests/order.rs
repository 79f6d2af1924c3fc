//! The checkers of leaders, evidence, own writes, stages and the audit log, and what planted bugs
//! showed the others to miss.

use super::*;
use crate::rehearsal::world::Put;

/// Lets another process take the lease.
fn taken_over() -> Tale {
    let mut tale = Tale::new();
    tale.at += TimeDelta::minutes(10);
    tale.lease("process-2", 2);
    tale
}

fn command_of(tale: &mut Tale, holder: &str, epoch: i64) {
    tale.run["status"]["epoch"] = json!(epoch);
    tale.step("a", "Starting", "r1");
    tale.lease(holder, epoch);
    tale.effect("a", What::CallAccepted(finish("r1")));
}

#[test]
fn a_new_leader_that_waits_and_raises_its_epoch_is_fine() {
    let mut tale = taken_over();
    tale.at += TimeDelta::minutes(5);
    command_of(&mut tale, "process-2", 2);
    tale.holds();
}

#[test]
fn a_new_leader_that_sends_at_once_is_found() {
    let mut tale = taken_over();
    tale.at += TimeDelta::seconds(2);
    command_of(&mut tale, "process-2", 2);
    tale.violates("fence");
}

#[test]
fn a_new_leader_without_a_higher_epoch_is_found() {
    let mut tale = Tale::new();
    tale.lease("process-2", 1);
    tale.at += TimeDelta::minutes(5);
    command_of(&mut tale, "process-2", 1);
    tale.violates("fence");
}

fn logged(epoch: i64, step: &str) -> Value {
    json!({
        "metadata": {"name": "run-1", "namespace": NAMESPACE}, "spec": {},
        "status": {"epoch": epoch, "machines": [{"id": id("a"), "step": step}]},
    })
}

#[test]
fn an_epoch_that_falls_or_that_rises_with_the_log_is_found() {
    let rows = [
        (logged(1, "Planned"), logged(2, "Planned"), true),
        (logged(1, "Planned"), logged(1, "Starting"), true),
        (logged(1, "Planned"), logged(2, "Starting"), false),
        (logged(2, "Planned"), logged(1, "Planned"), false),
    ];
    for (before, after, is_fine) in rows {
        let mut tale = Tale::new();
        let runs = "hotpatchruns.hotpatch.dev";
        tale.change(runs, "run-1", Some(before), Some(after));
        match is_fine {
            true => tale.holds(),
            false => tale.violates("fence"),
        }
    }
}

/// Writes the log over itself as it stood.
fn relog(tale: &mut Tale, step: &str, request: Option<&str>, command: &str) {
    let before = tale.run.clone();
    let mut entry = json!({"id": id("a"), "step": step, "command": command});
    if let Some(request) = request {
        entry["requestId"] = json!(request);
    }
    tale.run["status"]["machines"] = json!([entry]);
    let after = tale.run.clone();
    tale.change(
        "hotpatchruns.hotpatch.dev",
        "run-1",
        Some(before),
        Some(after),
    );
}

#[test]
fn a_command_that_was_accepted_is_not_taken_back() {
    let mut tale = Tale::new();
    tale.command("a", "r1");
    relog(&mut tale, "Unknown", Some("r1"), "Finish");
    tale.holds();
    relog(&mut tale, "Planned", None, "Finish");
    tale.violates("evidence");
}

#[test]
fn a_command_that_was_refused_may_be_taken_back_and_a_finish_followed_by_a_restart() {
    let mut tale = Tale::new();
    relog(&mut tale, "Starting", Some("r1"), "Finish");
    relog(&mut tale, "Planned", None, "Finish");
    tale.holds();
    let mut tale = Tale::new();
    relog(&mut tale, "Starting", Some("r1"), "Finish");
    tale.lease("process-1", 1);
    tale.effect("a", What::CallAccepted(finish("r1")));
    relog(&mut tale, "Running", Some("r1"), "Finish");
    let ended = What::InstallEnded {
        activity: "r1".to_owned(),
        by: caller("r1"),
        status: azure_sim::InstallStatus::Succeeded,
        reboot: azure_sim::RebootStatus::Required,
    };
    tale.effect("a", ended);
    relog(&mut tale, "Planned", None, "Restart");
    tale.holds();
}

#[test]
fn a_command_that_arrives_after_it_was_given_up_is_found() {
    let mut tale = Tale::new();
    tale.step("a", "Starting", "r1");
    tale.lease("process-1", 1);
    tale.step("a", "Planned", "");
    tale.effect("a", What::CallAccepted(finish("r1")));
    tale.violates("evidence");
}

#[test]
fn a_leader_that_writes_over_its_own_last_write_is_found() {
    let rows = [(1, 6, true), (1, 5, false), (2, 5, true)];
    for (epoch, version, is_fine) in rows {
        let mut tale = Tale::new();
        tale.run["metadata"]["resourceVersion"] = json!("6");
        tale.write_run();
        let put = |epoch, version, status| {
            Happening::Logged(Put {
                run: (NAMESPACE.to_owned(), "run-1".to_owned()),
                epoch,
                version,
                status,
            })
        };
        tale.take_in(put(1, 5, 200));
        tale.take_in(put(epoch, version, 409));
        match is_fine {
            true => tale.holds(),
            false => tale.violates("own-writes"),
        }
    }
}

/// A tale with two stages whose first one was done by another run.
fn staged(step: &str, soaked_minutes: i64) -> Tale {
    let mut tale = Tale::new();
    let mut policy = policy();
    policy["spec"]["stages"] = json!([
        {"name": "canary", "maxUnavailable": 1, "soak": "2h"},
        {"name": "all", "maxUnavailable": 2},
    ]);
    tale.at -= TimeDelta::hours(1);
    tale.write("baselinepolicies.hotpatch.dev", "careful", policy);
    let mut canary = tale.run.clone();
    canary["metadata"]["name"] = json!("run-0");
    canary["spec"]["stage"] = json!("canary");
    let since = NIGHT.parse::<DateTime<Utc>>().unwrap() - TimeDelta::minutes(soaked_minutes);
    canary["status"]["machines"] =
        json!([{"id": id("b"), "step": step, "since": since, "attempts": 1}]);
    tale.write("hotpatchruns.hotpatch.dev", "run-0", canary);
    tale.at = NIGHT.parse().unwrap();
    tale
}

#[test]
fn a_stage_before_the_one_before_is_done_and_soaked_is_found() {
    let rows = [
        ("Succeeded", 121, true),
        ("Succeeded", 119, false),
        ("Running", 300, false),
        ("Skipped", 1, true),
    ];
    for (step, minutes, is_fine) in rows {
        let mut tale = staged(step, minutes);
        tale.command("a", "r1");
        let found = tale
            .violations()
            .iter()
            .any(|own| own.invariant == "stages");
        assert_eq!(
            found,
            !is_fine,
            "{step} since {minutes}: {:?}",
            tale.violations()
        );
    }
}

#[test]
fn a_command_after_more_failures_than_the_run_bears_is_found() {
    for (failed, is_anew, is_fine) in [(2, false, true), (3, false, false), (3, true, true)] {
        let machines = ["a", "b", "c", "d"].map(|name| machine(name, "1")).to_vec();
        let mut tale = Tale::of(machines);
        for name in ["b", "c", "d"].iter().take(failed) {
            let entries = tale.run["status"]["machines"].as_array_mut().unwrap();
            entries.push(json!({"id": id(name), "step": "Failed", "attempts": 1, "since": NIGHT}));
        }
        if is_anew {
            // The run speaks of the machine that stood there before.
            let named = tale.run["spec"]["machines"].as_array_mut().unwrap();
            named[1]["incarnation"]["vmId"] = json!("b-life-0");
            tale.effect("b", What::Recreated);
        }
        tale.write_run();
        tale.command("a", "r1");
        match is_fine {
            true => tale.holds(),
            false => tale.violates("stages"),
        }
    }
}

#[test]
fn a_verdict_without_a_line_and_a_line_without_its_release_are_found() {
    let line = json!({"run": "run-1", "machine": id("a"), "verdict": "Succeeded"});
    for (lines, has_release, is_fine) in [
        (vec![line.clone()], true, true),
        (vec![], true, false),
        (vec![line], false, false),
    ] {
        let mut tale = Tale::new();
        tale.command("a", "r1");
        if has_release {
            let installed = What::KbInstalled {
                kb: "5062553".to_owned(),
                activity: "r1".to_owned(),
                by: caller("r1"),
            };
            tale.effect("a", installed);
        }
        tale.ended("a", "r1");
        tale.world.audit = lines;
        tale.world.now += TimeDelta::hours(3);
        tale.invariants.at_end(&tale.world);
        let found = tale.violations().iter().any(|own| own.invariant == "audit");
        assert_eq!(found, !is_fine, "{:?}", tale.violations());
    }
}

#[test]
fn a_command_of_a_run_that_is_being_deleted_is_found() {
    let mut tale = Tale::new();
    tale.run["metadata"]["deletionTimestamp"] = json!("2025-07-12T20:10:00Z");
    tale.write_run();
    tale.command("a", "r1");
    tale.violates("quiet");
}

#[test]
fn a_reboot_that_is_asked_for_always_is_found() {
    let mut tale = Tale::new();
    tale.step("a", "Starting", "r1");
    tale.lease("process-1", 1);
    let always = Call {
        reboot_setting: Some("Always".to_owned()),
        ..finish("r1")
    };
    tale.effect("a", What::CallAccepted(always));
    tale.violates("pinned");
}

fn settings(tale: &mut Tale, before: Value, after: Value) {
    let by = caller("r1");
    tale.effect("a", What::SettingsChanged { by, before, after });
}

/// Makes the fleet select no VMs any more.
fn let_go(tale: &mut Tale) {
    let mut other = fleet();
    other["spec"]["selector"]["kinds"] = json!(["ArcServer"]);
    tale.write("hotpatchfleets.hotpatch.dev", "servers", other);
}

#[test]
fn a_machine_that_is_let_go_of_gets_back_what_was_changed_and_nothing_else() {
    let (off, on) = (
        json!({"patchMode": "Manual"}),
        json!({"patchMode": "AutomaticByPlatform"}),
    );
    let mut tale = Tale::new();
    settings(&mut tale, off.clone(), on.clone());
    let_go(&mut tale);
    settings(&mut tale, on.clone(), off.clone());
    tale.holds();
    let mut tale = Tale::new();
    let_go(&mut tale);
    settings(&mut tale, off, on);
    tale.violates("owned");
}

#[test]
fn a_machine_that_is_let_go_of_and_keeps_its_claim_is_found() {
    for (hours, is_fine) in [(12, true), (36, false)] {
        let mut tale = Tale::new();
        let by = caller("r1");
        let after = json!({"hotpatch-claim": "x"});
        let before = json!({});
        tale.effect("a", What::TagsChanged { by, before, after });
        let_go(&mut tale);
        tale.world.now += TimeDelta::hours(hours);
        tale.invariants.at_end(&tale.world);
        let found = tale.violations().iter().any(|own| own.invariant == "owned");
        assert_eq!(found, !is_fine, "{:?}", tale.violations());
    }
}

#[test]
fn a_run_that_lingers_and_a_wait_for_a_window_that_is_over_are_found() {
    for (hours, is_fine) in [(10, true), (20, false)] {
        let mut tale = Tale::new();
        tale.world.facts.clear();
        tale.world.now += TimeDelta::hours(hours);
        tale.invariants.at_end(&tale.world);
        let found = tale
            .violations()
            .iter()
            .any(|own| own.expected.contains("run run-1 to end"));
        assert_eq!(found, !is_fine, "{:?}", tale.violations());
        let mut tale = Tale::new();
        let record = json!({
            "spec": {"resourceId": id("a")}, "status": {"reasons": ["AwaitsWindow"]},
        });
        tale.write("hotpatchmachines.hotpatch.dev", "a", record);
        let mut fleet = fleet();
        fleet["status"] = json!({"nextOpening": {
            "start": "2025-07-12T20:00:00Z", "end": "2025-07-13T00:00:00Z",
        }});
        tale.write("hotpatchfleets.hotpatch.dev", "servers", fleet);
        tale.world.now += TimeDelta::hours(hours);
        tale.invariants.at_end(&tale.world);
        let found = tale
            .violations()
            .iter()
            .any(|own| own.found.contains("a window that closed"));
        assert_eq!(found, !is_fine, "{:?}", tale.violations());
    }
}

#[test]
fn a_call_beyond_what_azure_lets_out_is_found_unless_a_new_life_cannot_know() {
    let asked = |tale: &mut Tale, is_throttled| {
        tale.take_in(Happening::Asked {
            at: tale.at,
            call: "GET /a".to_owned(),
            is_throttled,
        });
    };
    let mut first = Tale::new();
    asked(&mut first, false);
    first.holds();
    asked(&mut first, true);
    first.violates("buckets");

    let mut young = Tale::new();
    asked(&mut young, false);
    young.world.lives += 2;
    asked(&mut young, true);
    young.holds();
    young.at += TimeDelta::minutes(4);
    asked(&mut young, true);
    young.violates("buckets");
}
