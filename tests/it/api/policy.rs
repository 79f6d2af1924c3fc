use hotpatch_operator::api::BaselinePolicy;

use super::{Bad, every_rule_is_hit, is_good};

pub(super) const GOOD: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: BaselinePolicy
metadata: {name: availability-first, namespace: web}
spec:
  deadlineDays: 21
  stages:
  - {name: canary, selector: {matchLabels: {ring: canary}}, maxUnavailable: 1, soak: 24h}
  - {name: broad, maxUnavailable: 20%}
  availability:
    spread: [Zone, Region]
    groups: [{tag: app, maxUnavailable: 1, orderTag: patch-order}]
  health:
    settle: 10m
    prometheus: [{name: errors, query: "sum(rate(errors[5m]))", max: "0.01"}]
  runGates: [{conditionType: example.com/Drained}]
  failures: {max: 10%}
  objectives: [{percent: 95, within: 7d}, {percent: 100, within: 36h}]
"#;

const LEAST: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: BaselinePolicy
metadata: {name: all}
spec: {stages: [{name: all, maxUnavailable: 1}]}
"#;

const LABEL: &str = "must be a DNS label: lower case letters, digits and '-', with a letter or \
                     digit at both ends, such as 'canary'";
const COUNT: &str = "must be a whole number from 0 (0 = nothing) or a percentage from \"1%\" to \
                     \"100%\"; write 0 where you mean nothing, \"0%\" is refused";
const PERCENT: &str = "percent must be from 1 to 100, written as a number without '%'";
const DEADLINE: &str = "deadlineDays must be from 1 to 90 days after the release";

#[test]
fn every_rule_of_a_policy_refuses_something() {
    let bad = |at, now, path, says| Bad {
        at,
        now,
        path,
        says,
    };
    let unavailable = |now| {
        let at = "/spec/stages/0/maxUnavailable";
        bad(at, now, "spec.stages[].maxUnavailable", COUNT)
    };
    let percent = |now| {
        bad(
            "/spec/objectives/0/percent",
            now,
            "spec.objectives[].percent",
            PERCENT,
        )
    };
    let term = |now, says| {
        let path = "spec.stages[].selector.matchExpressions[]";
        bad("/spec/stages/0/selector/matchExpressions", now, path, says)
    };
    every_rule_is_hit(
        "BaselinePolicy",
        GOOD,
        &[
            bad(
                "/spec/stages",
                "[]",
                "spec.stages",
                "stages needs at least one stage, such as {name: all, maxUnavailable: 1}",
            ),
            bad(
                "/spec/stages/1/name",
                "canary",
                "spec.stages",
                "each stage needs a name of its own: rename one of those that are the same",
            ),
            bad("/spec/stages/1/name", "Broad", "spec.stages[].name", LABEL),
            unavailable("0%"),
            unavailable("101%"),
            unavailable("'5'"),
            unavailable("1.5%"),
            unavailable("-1"),
            unavailable("01%"),
            bad(
                "/spec/availability/groups/0/maxUnavailable",
                "0%",
                "spec.availability.groups[].maxUnavailable",
                COUNT,
            ),
            bad("/spec/failures/max", "all", "spec.failures.max", COUNT),
            bad(
                "/spec/failures/retries",
                "6",
                "spec.failures.retries",
                "retries must be from 0 (never try again) to 5",
            ),
            bad(
                "/spec/stages/0/minSucceeded",
                "0",
                "spec.stages[].minSucceeded",
                "minSucceeded must be at least 1: a stage without a success proves nothing; set \
                 optional: true to pass an empty stage",
            ),
            bad("/spec/deadlineDays", "0", "spec.deadlineDays", DEADLINE),
            bad("/spec/deadlineDays", "91", "spec.deadlineDays", DEADLINE),
            percent("0"),
            percent("101"),
            term(
                "[{key: a, operator: In}]",
                "operators In and NotIn need at least one entry in values",
            ),
            term(
                "[{key: a, operator: Exists, values: [b]}]",
                "operators Exists and DoesNotExist take no values: remove them",
            ),
            bad(
                "/spec/stages/0/selector/matchLabels",
                "{'': canary}",
                "spec.stages[].selector",
                "matchLabels: the name of a tag has 1 to 512 characters",
            ),
            bad(
                "/spec/health/prometheus/0/name",
                "A",
                "spec.health.prometheus[].name",
                LABEL,
            ),
            bad(
                "/spec/health/prometheus/0/endpoint",
                "https://prometheus",
                "spec.health.prometheus[].endpoint",
                LABEL,
            ),
            bad(
                "/spec/runGates/0/conditionType",
                "is drained",
                "spec.runGates[].conditionType",
                "must be a condition type, such as 'example.com/Drained'",
            ),
        ],
    );
}

#[test]
fn good_policies_pass_and_read_back_as_stored() {
    let policy: BaselinePolicy = is_good("BaselinePolicy", GOOD);
    policy.validate_cel().unwrap();
    is_good::<BaselinePolicy>("BaselinePolicy", LEAST);
}

#[test]
fn counts_and_percentages_at_their_edges_pass() {
    for edge in ["0", "1", "100", "5000", "1%", "99%", "100%"] {
        let text = LEAST.replace("maxUnavailable: 1", &format!("maxUnavailable: {edge}"));
        is_good::<BaselinePolicy>("BaselinePolicy", &text);
    }
}

#[test]
fn an_empty_spread_stays_empty() {
    let text = GOOD.replace("[Zone, Region]", "[]");
    let policy: BaselinePolicy = is_good("BaselinePolicy", &text);
    assert_eq!(policy.spec.availability.spread, []);
}
