use hotpatch_operator::api::HotpatchFleet;

use super::{Bad, every_rule_is_hit, is_good};

pub(super) const GOOD: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: HotpatchFleet
metadata: {name: web, namespace: web}
spec:
  mode: Enforce
  serviceAccountName: hotpatch
  scope:
    subscriptions: [00000000-0000-0000-0000-000000000001]
    managementGroups: [platform]
  selector:
    kinds: [AzureVM, ArcServer, AzureLocalVM]
    resourceGroups: [rg-web]
    locations: [westeurope]
    tags:
      matchLabels: {app: web}
      matchExpressions:
      - {key: tier, operator: In, values: [front, back]}
      - {key: frozen, operator: DoesNotExist}
    exclude:
    - resourceId: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/web-9
      reason: vendor freeze
      through: 2027-01-31
  policyRef: {name: availability-first}
  windowRefs: [{name: saturday-night, stages: [broad]}, {name: patch-tuesday}]
  exclusions: [{name: year-end-freeze, from: 2026-12-18, through: 2027-01-04}]
  approvals: [{release: 2026-10, stage: broad}, {release: ws2025-2026-11-10}]
"#;

const LEAST: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: HotpatchFleet
metadata: {name: web}
spec:
  serviceAccountName: hotpatch
  scope: {managementGroups: [platform]}
  selector: {kinds: [ArcServer]}
  policyRef: {name: availability-first}
"#;

const LABEL: &str = "must be a DNS label: lower case letters, digits and '-', with a letter or \
                     digit at both ends, such as 'canary'";
const NAME: &str = "must be the name of an object in this namespace: lower case letters, digits, \
                    '-' and '.', with a letter or digit at both ends";
const SCOPE: &str = "scope needs at least one entry in subscriptions or managementGroups";
const GUID: &str = "subscriptions takes subscription ids (GUIDs), such as \
                    00000000-0000-0000-0000-000000000001, not names";
const KINDS: &str =
    "kinds needs at least one of AzureVM, ArcServer and AzureLocalVM, each named once";
const RELEASE: &str = "must be a month for all tracks, such as '2026-10', or one release id, such \
                       as 'ws2025-2026-10-13'";
const NEEDS_VALUES: &str = "operators In and NotIn need at least one entry in values";
const NO_VALUES: &str = "operators Exists and DoesNotExist take no values: remove them";

#[test]
fn every_rule_of_a_fleet_refuses_something() {
    let bad = |at, now, path, says| Bad {
        at,
        now,
        path,
        says,
    };
    let kinds = |now| bad("/spec/selector/kinds", now, "spec.selector.kinds", KINDS);
    let term = |now, says| {
        let path = "spec.selector.tags.matchExpressions[]";
        bad("/spec/selector/tags/matchExpressions/0", now, path, says)
    };
    let release = |now| {
        bad(
            "/spec/approvals/0/release",
            now,
            "spec.approvals[].release",
            RELEASE,
        )
    };
    every_rule_is_hit(
        "HotpatchFleet",
        GOOD,
        &[
            bad("/spec/scope", "{}", "spec.scope", SCOPE),
            bad("/spec/scope", "{subscriptions: []}", "spec.scope", SCOPE),
            bad(
                "/spec/scope/subscriptions/0",
                "prod",
                "spec.scope.subscriptions",
                GUID,
            ),
            kinds("[]"),
            kinds("[AzureVM, AzureVM]"),
            term("{key: a, operator: In}", NEEDS_VALUES),
            term("{key: a, operator: NotIn, values: []}", NEEDS_VALUES),
            term("{key: a, operator: Exists, values: [b]}", NO_VALUES),
            bad(
                "/spec/selector/tags/matchLabels",
                "{'': web}",
                "spec.selector.tags",
                "matchLabels: the name of a tag has 1 to 512 characters",
            ),
            bad(
                "/spec/selector/exclude/0/resourceId",
                "web-9",
                "spec.selector.exclude[].resourceId",
                "must be a whole Azure resource id, starting with '/subscriptions/'",
            ),
            bad(
                "/spec/serviceAccountName",
                "Hot_Patch",
                "spec.serviceAccountName",
                NAME,
            ),
            bad(
                "/spec/policyRef/name",
                "web/policy",
                "spec.policyRef.name",
                NAME,
            ),
            bad(
                "/spec/windowRefs/0/name",
                "web-",
                "spec.windowRefs[].name",
                NAME,
            ),
            bad(
                "/spec/windowRefs/0/stages/0",
                "Broad",
                "spec.windowRefs[].stages[]",
                LABEL,
            ),
            bad(
                "/spec/exclusions/0/name",
                "a b",
                "spec.exclusions[].name",
                LABEL,
            ),
            bad(
                "/spec/exclusions/0/from",
                "'2027-01-05'",
                "spec.exclusions[]",
                "an exclusion must not end before it begins: set through to the same day as from, \
                 or later",
            ),
            release("'2026-13'"),
            release("October"),
            release("'2026-10-13'"),
            bad(
                "/spec/approvals/0/stage",
                "Broad!",
                "spec.approvals[].stage",
                "stage must be the name of a stage of the policy, such as 'broad', or be left out \
                 for all stages",
            ),
        ],
    );
}

#[test]
fn good_fleets_pass_and_read_back_as_stored() {
    let fleet: HotpatchFleet = is_good("HotpatchFleet", GOOD);
    fleet.validate_cel().unwrap();
    assert_eq!(fleet.spec.approvals[1].stage, "");
    is_good::<HotpatchFleet>("HotpatchFleet", LEAST);
}
