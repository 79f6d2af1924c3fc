//! The one line that says what comes next, in each situation.

use std::sync::Arc;

use hotpatch_operator::domain::fleet::Mode;
use hotpatch_operator::domain::machine::{Health, PatchMode};
use hotpatch_operator::domain::policy::{ApprovalRule, RunGate};
use hotpatch_operator::domain::run::{Step, StepReason};
use hotpatch_operator::status::Access;

use super::build::{Scene, at, fault, ineligible, long_gone, machine, patched, run, word};

fn all_patched() -> Scene {
    Scene::new().at("2025-07-20T12:00:00Z").of_machines(vec![
        patched(machine("c1", "canary"), "2025-07-12T21:00:00Z"),
        patched(machine("b1", "broad"), "2025-07-19T21:00:00Z"),
    ])
}

fn canary_done() -> Scene {
    Scene::new().at("2025-07-12T22:30:00Z").of_machines(vec![
        patched(machine("c1", "canary"), "2025-07-12T21:00:00Z"),
        {
            let mut own = machine("b1", "broad");
            own.assessment.as_mut().unwrap().at = at("2025-07-12T06:00:00Z");
            own
        },
    ])
}

fn failed_run() -> Scene {
    Scene::new().with(|scene| {
        scene.runs = vec![run(
            &["c1"],
            &[(Step::Failed, Some(StepReason::InstallFailed))],
        )];
    })
}

fn situations_of_the_operator() -> Vec<(&'static str, Scene, &'static str)> {
    vec![
        (
            "invalid spec",
            Scene::new().with(|own| own.fleet = Err(fault("InvalidSpec", true))),
            "Waits for an edit of the fleet: InvalidSpec happened",
        ),
        (
            "missing window",
            Scene::new().with(|own| own.fleet = Err(fault("WindowNotFound", false))),
            "Waits: WindowNotFound happened",
        ),
        (
            "denied",
            Scene::new().with(|own| {
                own.access = Access::Denied {
                    action: "x/installPatches/action",
                    message: "403",
                    cure: "",
                };
            }),
            "Waits for a role assignment: Azure refuses x/installPatches/action.",
        ),
        (
            "no token",
            Scene::new().with(|own| {
                own.access = Access::Refused {
                    reason: "FederationMissing",
                    message: "AADSTS70021",
                }
            }),
            "Waits for the Azure identity: AADSTS70021",
        ),
        (
            "unreadable inventory",
            Scene::new().with(|own| own.machines = Err("429 too many requests".to_owned())),
            "Waits for Azure, which could not be read: 429 too many requests",
        ),
        (
            "stale inventory",
            Scene::new().with(|own| own.read_at = at("2025-07-09T11:00:00Z")),
            "Waits for Azure, which was last read 2025-07-09 11:00 UTC; nothing new is started.",
        ),
    ]
}

fn off() -> hotpatch_operator::domain::machine::Machine {
    let mut own = machine("c1", "canary");
    own.settings.hotpatch = false;
    own.settings.patch_mode = PatchMode::AutomaticByOs;
    own
}

fn situations_of_the_rollout() -> Vec<(&'static str, Scene, &'static str)> {
    vec![
        (
            "nothing due",
            all_patched(),
            "Nothing is due: 2 machines at ws2025-2025-07-08.",
        ),
        (
            "waiting for the window",
            Scene::new(),
            "Next: canary of ws2025-2025-07-08 on 1 machine when window saturday-night opens \
             2025-07-12 20:00 UTC.",
        ),
        (
            "window open",
            Scene::new().at("2025-07-12T20:05:00Z").of_machines(vec![{
                let mut own = machine("c1", "canary");
                own.assessment.as_mut().unwrap().at = at("2025-07-12T06:00:00Z");
                own
            }]),
            "Next: canary of ws2025-2025-07-08 on 1 machine in window saturday-night.",
        ),
        (
            "soaking",
            canary_done(),
            "Next: broad of ws2025-2025-07-08 on 1 machine after stage canary has soaked, \
             2025-07-13 21:00 UTC, in the window that opens 2025-07-19 20:00 UTC.",
        ),
        (
            "approval missing",
            Scene::new().of_fleet(|own| own.policy.approval = ApprovalRule::PerRelease),
            "Waits for an approval: canary of ws2025-2025-07-08 on 1 machine; add it to \
             spec.approvals or send a HotpatchRequest with verb Approve.",
        ),
        (
            "no window ever",
            Scene::new().of_fleet(|own| own.windows[0].window = long_gone()),
            "Waits for a window: none of stage canary opens in the next 400 days; \
             ws2025-2025-07-08 is due on 1 machine. Add a MaintenanceWindow to spec.windowRefs.",
        ),
    ]
}

fn situations_of_the_selection() -> Vec<(&'static str, Scene, &'static str)> {
    vec![
        (
            "no machine",
            Scene::new().of_machines(Vec::new()),
            "Nothing to do: the selector matches no machine.",
        ),
        (
            "none eligible",
            Scene::new().of_machines(vec![ineligible("old")]),
            "Nothing to do: of 1 machine none can be hotpatched; status.ineligibleReasons says \
             why.",
        ),
        (
            "observe",
            Scene::new().of_fleet(|own| own.mode = Mode::Observe),
            "Nothing is installed in mode Observe; due: 3 machines.",
        ),
        (
            "observe, not enrolled",
            Scene::new()
                .of_fleet(|own| own.mode = Mode::Observe)
                .of_machines(vec![off()]),
            "Nothing is changed in mode Observe; not enrolled: 1 machine.",
        ),
        (
            "enrol, not enrolled",
            Scene::new()
                .of_fleet(|own| own.mode = Mode::Enrol)
                .of_machines(vec![off()]),
            "Next: hotpatching is turned on for 1 machine.",
        ),
    ]
}

fn situations_of_stops() -> Vec<(&'static str, Scene, &'static str)> {
    vec![
        (
            "suspended",
            Scene::new().of_fleet(|own| own.suspended = true),
            "Suspended: nothing starts until spec.suspend is false.",
        ),
        (
            "paused",
            Scene::new().of_fleet(|own| own.pauses = vec![word(None)]),
            "Paused: nothing starts until the HotpatchRequest is deleted or expires (by ann: \
             storm).",
        ),
        (
            "stage paused",
            Scene::new().of_fleet(|own| own.pauses = vec![word(Some("canary"))]),
            "Waits: canary of ws2025-2025-07-08 on 1 machine: paused: by ann: storm.",
        ),
        (
            "halted",
            failed_run(),
            "Halted: ws2025-2025-07-08: 1 machines failed in stage canary, 0 are allowed; send a \
             HotpatchRequest with verb Retry once the cause is gone.",
        ),
        (
            "stage unproven",
            Scene::new().of_machines(vec![machine("b1", "broad")]),
            "Halted: ws2025-2025-07-08: stage canary has 0 of the 1 machines that must prove it; \
             give it machines, lower minSucceeded or set optional: true.",
        ),
        (
            "unhealthy",
            Scene::new().of_machines(vec![{
                let mut own = machine("c1", "canary");
                own.health = Health::Unhealthy("stopped".to_owned());
                own
            }]),
            "Waits for a person: canary of ws2025-2025-07-08 on 1 machine: it is not healthy; it \
             comes when it is.",
        ),
    ]
}

fn situations_of_runs() -> Vec<(&'static str, Scene, &'static str)> {
    let running = |steps: &[(Step, Option<StepReason>)]| {
        let run = run(&["c1", "b1"], steps);
        Scene::new().with(|own| own.runs = vec![run])
    };
    let under_way = [(Step::Running, None), (Step::Planned, None)];
    vec![
        (
            "run in progress",
            running(&under_way),
            "Now: canary of ws2025-2025-07-08 on 2 machines in run web-run-1: 0 done, 1 under \
             way, 1 to go.",
        ),
        (
            "run announced",
            running(&[(Step::Planned, None), (Step::Planned, None)]).with(|own| {
                Arc::make_mut(&mut own.runs[0].terms).window.start = at("2025-07-12T20:00:00Z");
                Arc::make_mut(&mut own.runs[0].terms).window.end = at("2025-07-13T00:00:00Z");
            }),
            "Next: canary of ws2025-2025-07-08 on 2 machines when window saturday-night opens \
             2025-07-12 20:00 UTC.",
        ),
        (
            "run gated",
            running(&[(Step::Planned, None), (Step::Planned, None)]).with(|own| {
                let condition = "example.com/Drained".to_owned();
                let announce_before = chrono::TimeDelta::minutes(30);
                Arc::make_mut(&mut own.runs[0].terms).gates = vec![RunGate {
                    condition,
                    announce_before,
                }];
            }),
            "Next: canary of ws2025-2025-07-08 on 2 machines once condition example.com/Drained \
             is True on run web-run-1, in window saturday-night.",
        ),
        (
            "suspended with a run",
            running(&under_way).of_fleet(|own| own.suspended = true),
            "Suspended: nothing starts until spec.suspend is false. Followed to their end: 1 \
             machine.",
        ),
        (
            "run held",
            running(&[
                (Step::Unknown, Some(StepReason::OutcomeUnknown)),
                (Step::Succeeded, None),
            ])
            .with(|own| {
                own.machines = Ok(vec![machine("c1", "canary")]);
            }),
            "Waits for evidence or a person: run web-run-1 holds c1; see their HotpatchRun, or \
             send a HotpatchRequest with verb Retry.",
        ),
    ]
}

#[test]
fn the_next_action_is_one_sentence_in_each_situation() {
    let mut all = situations_of_the_operator();
    all.extend(situations_of_the_rollout());
    all.extend(situations_of_the_selection());
    all.extend(situations_of_stops());
    all.extend(situations_of_runs());
    let mut wrong = Vec::new();
    for (name, scene, expected) in all {
        let said = scene.status().next_action.unwrap();
        if said != expected {
            wrong.push(format!(
                "{name}\n  said:     {said}\n  expected: {expected}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
