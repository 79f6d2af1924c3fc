use hotpatch_operator::api::HotpatchRequest;
use kube::ResourceExt;

use super::{Bad, change, every_rule_is_hit, faults, is_good, schema_of, yaml};

pub(super) const GOOD: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: HotpatchRequest
metadata: {name: hold-web, namespace: web}
spec:
  fleetRef: {name: web}
  verb: Pause
  release: 2026-10
  stage: broad
  machines: [web-1]
  reason: incident 4711
  requestedBy: alex@example.com
  expiresAt: "2026-10-20T08:00:00Z"
"#;

const NEEDS_MACHINES: &str =
    "verbs Exclude, InstallNow and Rollback need at least one entry in machines";
const NEEDS_REASON: &str =
    "verbs Abort, Exclude, Retry and Rollback need a reason for those who read it later";
const NEEDS_RELEASE: &str =
    "verb Approve needs release: a month such as '2026-10', or a release id";
const RETRY: &str = "verb Retry needs machines, or the release and stage that were halted";
const EXPIRES: &str =
    "expiresAt has a meaning for verbs Pause, Approve and Exclude only: remove it";
const CHANGED: &str = "a request cannot be changed: delete it and create another";

#[test]
fn every_rule_of_a_request_refuses_something() {
    let bad = |at, now, path, says| Bad {
        at,
        now,
        path,
        says,
    };
    let spec = |now, says| bad("/spec", now, "spec", says);
    every_rule_is_hit(
        "HotpatchRequest",
        GOOD,
        &[
            spec("{fleetRef: {name: a}, verb: Approve}", NEEDS_RELEASE),
            spec(
                "{fleetRef: {name: a}, verb: Exclude, reason: r}",
                NEEDS_MACHINES,
            ),
            spec(
                "{fleetRef: {name: a}, verb: InstallNow, machines: []}",
                NEEDS_MACHINES,
            ),
            spec(
                "{fleetRef: {name: a}, verb: Rollback, reason: r}",
                NEEDS_MACHINES,
            ),
            spec(
                "{fleetRef: {name: a}, verb: Retry, reason: r, stage: s}",
                RETRY,
            ),
            spec("{fleetRef: {name: a}, verb: Abort}", NEEDS_REASON),
            spec(
                "{fleetRef: {name: a}, verb: Abort, reason: '  '}",
                NEEDS_REASON,
            ),
            spec(
                "{fleetRef: {name: a}, verb: Exclude, machines: [m]}",
                NEEDS_REASON,
            ),
            spec(
                "{fleetRef: {name: a}, verb: Retry, machines: [m]}",
                NEEDS_REASON,
            ),
            spec(
                "{fleetRef: {name: a}, verb: Rollback, machines: [m]}",
                NEEDS_REASON,
            ),
            bad("/spec/verb", "AssessNow", "spec", EXPIRES),
            bad(
                "/spec/fleetRef/name",
                "Web",
                "spec.fleetRef.name",
                "must be the name of an object in this namespace: lower case letters, digits, '-' \
                 and '.', with a letter or digit at both ends",
            ),
            bad(
                "/spec/release",
                "latest",
                "spec.release",
                "must be a month for all tracks, such as '2026-10', or one release id, such as \
                 'ws2025-2026-10-13'",
            ),
            bad(
                "/spec/stage",
                "all stages",
                "spec.stage",
                "must be a DNS label: lower case letters, digits and '-', with a letter or digit \
                 at both ends, such as 'canary'",
            ),
        ],
    );
}

#[test]
fn each_verb_has_a_good_request() {
    let specs = [
        "{fleetRef: {name: a}, verb: Pause}",
        "{fleetRef: {name: a}, verb: Approve, release: 2026-10}",
        "{fleetRef: {name: a}, verb: Retry, machines: [m], reason: r}",
        "{fleetRef: {name: a}, verb: Retry, release: ws2025-2026-10-13, stage: s, reason: r}",
        "{fleetRef: {name: a}, verb: Abort, reason: r}",
        "{fleetRef: {name: a}, verb: Exclude, machines: [m], reason: r}",
        "{fleetRef: {name: a}, verb: AssessNow}",
        "{fleetRef: {name: a}, verb: InstallNow, machines: [m]}",
        "{fleetRef: {name: a}, verb: Rollback, machines: [m], reason: r}",
    ];
    let schema = schema_of("HotpatchRequest");
    for spec in specs {
        let object = change(&yaml(GOOD), "/spec", spec);
        assert_eq!(faults(&schema, &object, None), [], "{spec}");
    }
    is_good::<HotpatchRequest>("HotpatchRequest", GOOD);
}

#[test]
fn a_request_never_changes() {
    let schema = schema_of("HotpatchRequest");
    let old = yaml(GOOD);
    let new = change(&old, "/spec/stage", "");
    let found = faults(&schema, &new, Some(&old));
    assert_eq!(found, [("spec".to_owned(), CHANGED.to_owned())]);
    assert_eq!(faults(&schema, &old, Some(&old)), []);
}

#[test]
fn labels_of_a_request_may_change() {
    let old: HotpatchRequest = is_good("HotpatchRequest", GOOD);
    let mut new = old.clone();
    new.labels_mut().insert("team".to_owned(), "web".to_owned());
    new.validate_cel_update(&old).unwrap();
}
