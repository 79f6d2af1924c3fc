//! Reads baseline policies.

use std::collections::BTreeSet;

use super::faults::Faults;
use super::fields::{limit, span, tags};
use crate::api::policy::{self as api, BaselinePolicySpec};
use crate::api::{BaselinePolicy, conditions};
use crate::domain::due::{LateBaseline, OffTrackRule, UnplannedRule};
use crate::domain::policy::{
    ApprovalRule, Estimates, FailureRule, GroupRule, HealthRule, Policy, RunGate, Stage,
};
use crate::domain::snapshot::Fault;
use crate::record::words;

/// Days from a release within which the deadline of a policy lies.
const DEADLINE_DAYS: std::ops::RangeInclusive<u32> = 1..=90;
/// Most retries of a failed machine.
const RETRIES_MAX: u32 = 5;

/// Reads a policy.
///
/// # Errors
/// One fault, `InvalidSpec`, for all that is wrong.
pub fn policy(object: &BaselinePolicy) -> Result<Policy, Fault> {
    let spec = &object.spec;
    let mut faults = Faults::default();
    if !DEADLINE_DAYS.contains(&spec.deadline_days) {
        let text = format!(
            "spec.deadlineDays: {} is not from 1 to 90 days",
            spec.deadline_days
        );
        faults.spec("InvalidSpec", text);
    }
    let stages = stages(spec, &mut faults);
    let groups = groups(spec, &mut faults);
    let health = health(spec, &mut faults);
    let run_gates = run_gates(spec, &mut faults);
    let failures = failures(spec, &mut faults);
    let estimates = estimates(spec, &mut faults);
    if let (Some(health), Some(failures), Some(estimates)) = (health, failures, estimates)
        && faults.is_empty()
    {
        return Ok(Policy {
            name: object.metadata.name.clone().unwrap_or_default(),
            deadline_days: spec.deadline_days,
            late_baseline: match spec.late_baseline {
                api::LateBaseline::Hold => LateBaseline::Hold,
                api::LateBaseline::LatestCumulative => LateBaseline::LatestCumulative,
            },
            stages,
            spread: words::spread(&spec.availability.spread),
            groups,
            health,
            run_gates,
            failures,
            approval: match spec.approval {
                api::ApprovalNeed::Never => ApprovalRule::Never,
                api::ApprovalNeed::PerRelease => ApprovalRule::PerRelease,
                api::ApprovalNeed::PerStage => ApprovalRule::PerStage,
            },
            unplanned: match spec.unplanned_baselines.action {
                api::UnplannedAction::NextWindow => UnplannedRule::NextWindow,
                api::UnplannedAction::Approve => UnplannedRule::Approve,
            },
            off_track: match spec.off_track {
                api::OffTrackAction::NextWindow => OffTrackRule::NextWindow,
                api::OffTrackAction::UntilBaseline => OffTrackRule::UntilBaseline,
            },
            estimates,
        });
    }
    Err(faults.expect("a policy that is not made has a fault"))
}

fn stages(spec: &BaselinePolicySpec, faults: &mut Faults) -> Vec<Stage> {
    if spec.stages.is_empty() {
        let text = "spec.stages: there is none; add one, such as {name: all, maxUnavailable: 1}";
        faults.spec("InvalidSpec", text.to_owned());
    }
    let mut names = BTreeSet::new();
    let mut stages = Vec::with_capacity(spec.stages.len());
    for stage in &spec.stages {
        let at = format!("spec.stages[{}]", stage.name);
        if !is_label(&stage.name) {
            let text = "is no stage name; use lower case letters, digits and '-'";
            faults.spec(
                "InvalidSpec",
                format!("spec.stages: {:?} {text}", stage.name),
            );
        }
        if !names.insert(&stage.name) {
            let text = format!("{at}: two stages have this name; rename one of them");
            faults.spec("InvalidSpec", text);
        }
        if stage.min_succeeded == 0 {
            let text = format!(
                "{at}.minSucceeded: 0 proves nothing; set it to 1 or more, or optional: true"
            );
            faults.spec("InvalidSpec", text);
        }
        let selector = tags(&format!("{at}.selector"), stage.selector.as_ref(), faults);
        let max = faults.take(limit(
            &format!("{at}.maxUnavailable"),
            &stage.max_unavailable,
        ));
        let soak = faults.take(span(&format!("{at}.soak"), &stage.soak));
        if let (Some(max_unavailable), Some(soak)) = (max, soak) {
            stages.push(Stage {
                name: stage.name.clone(),
                selector,
                max_unavailable,
                soak,
                min_succeeded: stage.min_succeeded,
                optional: stage.optional,
            });
        }
    }
    stages
}

/// Tells whether a text is a DNS label (RFC 1123), as names of stages are.
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.bytes().next().is_some_and(plain) && text.bytes().last().is_some_and(plain);
    ends && text.len() <= 63 && text.bytes().all(|byte| plain(byte) || byte == b'-')
}

fn groups(spec: &BaselinePolicySpec, faults: &mut Faults) -> Vec<GroupRule> {
    let mut seen = BTreeSet::new();
    let mut groups = Vec::with_capacity(spec.availability.groups.len());
    for group in &spec.availability.groups {
        let at = format!("spec.availability.groups[{}]", group.tag);
        if group.tag.is_empty() || group.order_tag.as_deref() == Some("") {
            faults.spec(
                "InvalidSpec",
                format!("{at}: a tag has no name; name it or remove it"),
            );
        }
        if !seen.insert(group.tag.to_ascii_lowercase()) {
            let text = "two groups have this tag, as names of tags compare without regard to \
                        case; remove one";
            faults.spec("InvalidSpec", format!("{at}: {text}"));
        }
        let max = limit(&format!("{at}.maxUnavailable"), &group.max_unavailable);
        if let Some(max_unavailable) = faults.take(max) {
            groups.push(GroupRule {
                tag: group.tag.clone(),
                max_unavailable,
                order_tag: group.order_tag.clone(),
            });
        }
    }
    groups
}

fn health(spec: &BaselinePolicySpec, faults: &mut Faults) -> Option<HealthRule> {
    let settle = faults.take(span("spec.health.settle", &spec.health.settle));
    let unknown_after = faults.take(span("spec.health.unknownAfter", &spec.health.unknown_after));
    let (settle, unknown_after) = (settle?, unknown_after?);
    if unknown_after <= settle {
        let text = format!(
            "spec.health.unknownAfter: {} must be longer than settle, {}, or every machine is \
             held before it is judged",
            spec.health.unknown_after, spec.health.settle
        );
        faults.spec("InvalidSpec", text);
    }
    Some(HealthRule {
        settle,
        unknown_after,
    })
}

fn run_gates(spec: &BaselinePolicySpec, faults: &mut Faults) -> Vec<RunGate> {
    let mut gates: Vec<RunGate> = Vec::with_capacity(spec.run_gates.len());
    for gate in &spec.run_gates {
        let at = format!("spec.runGates[{}]", gate.condition_type);
        if conditions::find("HotpatchRun", &gate.condition_type).is_some() {
            let text = "the operator sets this condition itself; name one that another controller \
                        sets, such as example.com/Drained";
            faults.spec("InvalidSpec", format!("{at}: {text}"));
        }
        if gate.condition_type.is_empty()
            || gates.iter().any(|own| own.condition == gate.condition_type)
        {
            let text = format!("{at}: the condition has no name or stands here twice; remove it");
            faults.spec("InvalidSpec", text);
        }
        let announce = span(&format!("{at}.announceBefore"), &gate.announce_before);
        if let Some(announce_before) = faults.take(announce) {
            gates.push(RunGate {
                condition: gate.condition_type.clone(),
                announce_before,
            });
        }
    }
    gates
}

fn failures(spec: &BaselinePolicySpec, faults: &mut Faults) -> Option<FailureRule> {
    let retries = spec.failures.retries;
    if retries > RETRIES_MAX {
        let text = format!("spec.failures.retries: {retries} is more than {RETRIES_MAX}");
        faults.spec(
            "InvalidSpec",
            format!("{text}; set it to 0 (never try again) to 5"),
        );
    }
    let max = faults.take(limit("spec.failures.max", &spec.failures.max))?;
    let per_release = spec.failures.per == api::FailureScope::Release;
    Some(FailureRule {
        max,
        per_release,
        retries,
    })
}

fn estimates(spec: &BaselinePolicySpec, faults: &mut Faults) -> Option<Estimates> {
    let baseline = faults.take(span("spec.estimates.baseline", &spec.estimates.baseline));
    let reserve = faults.take(span("spec.estimates.reserve", &spec.estimates.reserve));
    Some(Estimates {
        baseline: baseline?,
        reserve: reserve?,
    })
}
