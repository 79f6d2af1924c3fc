use hotpatch_operator::api::run::{HotpatchRunStatus, RunMachineStatus, RunOperation};
use hotpatch_operator::api::{HotpatchMachine, HotpatchRun};
use serde_json::json;

use super::{Bad, change, every_rule_is_hit, faults, is_good, schema_of, yaml};

pub(super) const GOOD: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: HotpatchRun
metadata: {name: web-ws2025-2026-10-13-broad-1-0a1b2c3d, namespace: web}
spec:
  fleetName: web
  fleetUid: 6f2a5a52-0000-4000-8000-000000000001
  serviceAccountName: hotpatch
  release: ws2025-2026-10-13
  track: ws2025
  allowedKbs: [KB5066835]
  maxPatchPublishDate: 2026-10-13
  action: Baseline
  cause: Planned
  stage: broad
  ordinal: 1
  window: {name: saturday-night, start: "2026-10-17T20:00:00Z", end: "2026-10-18T00:00:00Z"}
  limits:
  - {scope: stage, key: broad, maxUnavailable: 4}
  - {scope: group, key: app=web, maxUnavailable: 1}
  spread: [GeoPair, Region, Zone]
  health: {settleSeconds: 600, unknownAfterSeconds: 7200}
  failures: {retries: 1}
  runGates: [{conditionType: example.com/Drained, announceBeforeSeconds: 1800}]
  estimates: {baselineSeconds: 3600, reserveSeconds: 900}
  machines:
  - id: /subscriptions/0/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web-1
    name: web-1
    kind: AzureVM
    incarnation: {vmId: 5c1f0000-0000-4000-8000-000000000001, osDiskId: /subscriptions/0/disk}
    region: westeurope
    zone: westeurope-az1
    groups: [app=web]
  digest: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
status:
  epoch: 3
  startedAt: "2026-10-17T20:01:00Z"
  machines:
  - id: /subscriptions/0/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web-1
    step: Running
    since: "2026-10-17T20:01:00Z"
    attempts: 1
    refusals: 0
    command: Finish
    requestId: 1f0a0000-0000-5000-8000-000000000001
    intentAt: "2026-10-17T20:00:58Z"
    rebootCommanded: true
    operation: {style: Location, url: "https://management.azure.com/operations/1"}
"#;

const NAME: &str = "must be the name of an object in this namespace: lower case letters, digits, \
                    '-' and '.', with a letter or digit at both ends";

#[test]
fn every_rule_of_a_run_refuses_something() {
    let bad = |at, now, path, says| Bad {
        at,
        now,
        path,
        says,
    };
    every_rule_is_hit(
        "HotpatchRun",
        GOOD,
        &[
            bad("/spec/fleetName", "Web", "spec.fleetName", NAME),
            bad(
                "/spec/serviceAccountName",
                "Web",
                "spec.serviceAccountName",
                NAME,
            ),
            bad("/spec/window/name", "Web", "spec.window.name", NAME),
            bad(
                "/spec/stage",
                "Broad",
                "spec.stage",
                "must be a DNS label: lower case letters, digits and '-', with a letter or digit \
                 at both ends, such as 'canary'",
            ),
            bad(
                "/spec/runGates/0/conditionType",
                "x y",
                "spec.runGates[].conditionType",
                "must be a condition type, such as 'example.com/Drained'",
            ),
        ],
    );
}

#[test]
fn a_good_run_passes_and_reads_back_as_stored() {
    let run: HotpatchRun = is_good("HotpatchRun", GOOD);
    let status = run.status.unwrap();
    assert!(status.not_understood.is_empty());
    let operation = status.machines[0].operation.as_ref();
    assert_eq!(operation.map(|o| o.style.as_str()), Some("Location"));
}

#[test]
fn the_spec_of_a_run_never_changes_and_its_status_may() {
    let says = "the spec of a run cannot be changed: delete the run to abort it";
    let schema = schema_of("HotpatchRun");
    let old = yaml(GOOD);
    for (at, now) in [
        ("/spec/limits/0/maxUnavailable", "5"),
        ("/spec/machines/0/zone", ""),
    ] {
        let found = faults(&schema, &change(&old, at, now), Some(&old));
        assert_eq!(found, [("spec".to_owned(), says.to_owned())], "{at}");
    }
    let new = change(&old, "/status/machines/0/step", "Verifying");
    assert_eq!(faults(&schema, &new, Some(&old)), []);
}

#[test]
fn a_run_needs_a_machine_and_a_whole_digest() {
    let schema = schema_of("HotpatchRun");
    for (at, now) in [("/spec/machines", "[]"), ("/spec/digest", "e3b0")] {
        let found = faults(&schema, &change(&yaml(GOOD), at, now), None);
        assert_eq!(found.len(), 1, "{at}: {found:?}");
    }
}

#[test]
fn what_a_later_version_wrote_is_seen_and_kept() {
    let stored = json!({
        "id": "/a/b",
        "step": "Teleporting",
        "attempts": 1,
        "rebootCommanded": false,
        "beam": {"strength": 3},
    });
    let entry: RunMachineStatus = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(entry.step, "Teleporting");
    assert_eq!(entry.not_understood.keys().collect::<Vec<_>>(), ["beam"]);
    assert_eq!(serde_json::to_value(&entry).unwrap(), stored);
}

#[test]
fn a_field_of_a_wrong_type_is_set_aside_and_kept_and_the_others_count() {
    let stored = json!({
        "epoch": "three",
        "startedAt": "yesterday",
        "observedGeneration": 1,
        "machines": [
            {"id": "/a/b", "step": "Running", "attempts": -1, "since": "2026-10-17T20:01:00Z",
             "rebootCommanded": true},
            {"id": "/a/c", "step": 5, "rebootCommanded": false},
            {"id": ["/a/d"], "step": "Planned", "rebootCommanded": false},
        ],
    });
    let status: HotpatchRunStatus = serde_json::from_value(stored.clone()).unwrap();
    let aside: Vec<&String> = status.not_understood.keys().collect();
    assert_eq!(aside, ["epoch", "startedAt"]);
    let aside = |n: usize| {
        status.machines[n]
            .not_understood
            .keys()
            .next()
            .unwrap()
            .as_str()
    };
    assert_eq!((aside(0), aside(1), aside(2)), ("attempts", "step", "id"));
    assert_eq!(status.machines[0].step, "Running");
    assert!(status.machines[0].since.is_some());
    assert_eq!(serde_json::to_value(&status).unwrap(), stored);
    let text = serde_json::to_string(&status).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&text).unwrap(),
        stored
    );
}

#[test]
fn a_status_that_is_no_object_is_an_error() {
    assert!(serde_json::from_value::<HotpatchRunStatus>(json!("x")).is_err());
    let found: HotpatchRunStatus = serde_json::from_value(json!({"machines": [5]})).unwrap();
    assert_eq!(
        found.not_understood.keys().collect::<Vec<_>>(),
        ["machines"]
    );
}

#[test]
fn an_entry_that_says_nothing_new_stays_small() {
    let entry = RunMachineStatus {
        id: "/a/b".to_owned(),
        step: "Starting".to_owned(),
        operation: Some(RunOperation {
            url: "https://management.azure.com/operations/1".to_owned(),
            style: "Location".to_owned(),
        }),
        ..RunMachineStatus::default()
    };
    let written = serde_json::to_value(&entry).unwrap();
    let fields: Vec<&String> = written.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["id", "operation", "rebootCommanded", "step"]);
}

pub(super) const MACHINE: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: HotpatchMachine
metadata: {name: web-1-0a1b2c3d, namespace: web}
spec:
  resourceId: /subscriptions/0/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web-1
  kind: AzureVM
  fleet: web
status:
  eligible: false
  reasons: [NotTrustedLaunch]
  settings: {patchMode: AutomaticByOS}
"#;

#[test]
fn every_rule_of_a_machine_refuses_something() {
    let bad = |at, now, path, says| Bad {
        at,
        now,
        path,
        says,
    };
    every_rule_is_hit(
        "HotpatchMachine",
        MACHINE,
        &[
            bad("/spec/fleet", "Web", "spec.fleet", NAME),
            bad(
                "/spec/resourceId",
                "web-1",
                "spec.resourceId",
                "must be a whole Azure resource id, starting with '/subscriptions/'",
            ),
        ],
    );
    is_good::<HotpatchMachine>("HotpatchMachine", MACHINE);
}
