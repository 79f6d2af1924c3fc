//! Writes down where the machines of a run stand.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::words;
use crate::api::conditions::{Finding, set_condition};
use crate::api::run::{
    HotpatchRunStatus, MAX_ACTIVITY, MAX_OPERATION_URL, MAX_STEP_MESSAGE, RunCounts,
    RunMachineStatus, RunOperation,
};
use crate::domain::machine::MachineId;
use crate::domain::permission::ANY_TIME;
use crate::domain::run::{Progress, Run, RunEnd, Step, StepReason, is_held};

/// How a quarantine begins whose cause is the digest.
pub(crate) const DIGEST_MISMATCH: &str = "its spec does not fit its digest";

/// Machines that a message names.
const NAMED_MAX: usize = 5;

/// Writes the status of a run: every machine, counts and conditions.
///
/// Guarantees: conditions of other controllers, fields not understood, and the entries of machines
/// that are held because they are not understood stay as they were in `previous`; a machine that
/// is not understood and had no entry gets none. Equal to `previous` where nothing changed.
pub fn run_status(
    previous: Option<&HotpatchRunStatus>,
    run: &Run,
    now: DateTime<Utc>,
) -> HotpatchRunStatus {
    let mut status = previous.cloned().unwrap_or_default();
    status.observed_generation.get_or_insert(1);
    status.epoch = run.epoch;
    let begun = run
        .progress
        .values()
        .any(|own| own.attempts > 0 || own.step.is_engaged());
    if begun && status.started_at.is_none() {
        status.started_at = Some(now);
    }
    if run.end.is_some() && status.completed_at.is_none() {
        status.completed_at = Some(now);
    }
    status.counts = Some(counts(run));
    status.machines = machines(&status.machines, run);
    conditions(&mut status.conditions, run, status.observed_generation, now);
    status
}

fn counts(run: &Run) -> RunCounts {
    let number = |wanted: &[Step]| {
        let number = run
            .progress
            .values()
            .filter(|own| wanted.contains(&own.step))
            .count();
        u32::try_from(number).unwrap_or(u32::MAX)
    };
    let held = run
        .progress
        .values()
        .filter(|own| is_held(&own.step))
        .count();
    RunCounts {
        machines: u32::try_from(run.terms.machines.len()).unwrap_or(u32::MAX),
        planned: number(&[Step::Planned]),
        running: number(&[Step::Starting, Step::Running]),
        verifying: number(&[Step::Verifying]),
        succeeded: number(&[Step::Succeeded]),
        failed: number(&[Step::Failed]),
        skipped: number(&[Step::Skipped]),
        unknown: u32::try_from(held).unwrap_or(u32::MAX),
    }
}

fn machines(previous: &[RunMachineStatus], run: &Run) -> Vec<RunMachineStatus> {
    let mut earlier: BTreeMap<MachineId, Vec<&RunMachineStatus>> = BTreeMap::new();
    let mut strange = Vec::new();
    for entry in previous {
        match MachineId::parse(&entry.id) {
            Ok(id) if run.progress.contains_key(&id) => earlier.entry(id).or_default().push(entry),
            _ => strange.push(entry.clone()),
        }
    }
    let mut written = Vec::with_capacity(run.progress.len());
    for (id, progress) in &run.progress {
        let earlier = earlier.get(id).map(Vec::as_slice).unwrap_or_default();
        if matches!(progress.step, Step::NotUnderstood(_)) {
            written.extend(earlier.iter().map(|own| (*own).clone()));
        } else {
            written.push(entry(id, progress, earlier.first().copied()));
        }
    }
    written.extend(strange);
    written
}

fn entry(
    id: &MachineId,
    progress: &Progress,
    earlier: Option<&RunMachineStatus>,
) -> RunMachineStatus {
    let disruptive = progress
        .command
        .is_some_and(|command| command.is_disruptive());
    let is_final = progress.step.is_final();
    let fits = |text: &String, max: u32| text.chars().nth(max as usize).is_none();
    RunMachineStatus {
        id: id.as_str().to_owned(),
        step: progress.step.word().to_owned(),
        since: Some(progress.since),
        attempts: Some(progress.attempts),
        refusals: Some(progress.refusals),
        command: progress
            .command
            .map(|command| words::command(command).to_owned()),
        request_id: progress.request.as_ref().map(|request| request.0.clone()),
        intent_at: progress.intent_at,
        activity_before: progress
            .activity_before
            .clone()
            .filter(|activity| fits(activity, MAX_ACTIVITY)),
        // A URL that does not fit is left out: the traces on the machine are followed instead.
        operation: progress
            .operation
            .as_ref()
            .filter(|operation| fits(&operation.url, MAX_OPERATION_URL))
            .map(|operation| RunOperation {
                url: operation.url.clone(),
                style: operation.style.to_string(),
            }),
        ended_at: progress.ended_at,
        throttled_until: progress.throttled_until,
        finished_at: is_final.then_some(progress.since),
        hold_since: (progress.step == Step::Unknown).then_some(progress.since),
        reason: progress
            .reason
            .as_ref()
            .map(|reason| reason.word().to_owned()),
        message: Some(
            progress
                .message
                .chars()
                .take(MAX_STEP_MESSAGE as usize)
                .collect(),
        )
        .filter(|message: &String| !message.is_empty()),
        reboot_commanded: disruptive && progress.attempts > 0,
        late_effect: earlier.and_then(|earlier| earlier.late_effect.clone()),
        not_understood: BTreeMap::new(),
    }
}

fn conditions(
    conditions: &mut Vec<Condition>,
    run: &Run,
    generation: Option<i64>,
    now: DateTime<Utc>,
) {
    let announced = Finding {
        name: "Announced",
        status: "True",
        reason: "Announced",
        message: format!("for {}", when(run)),
    };
    let found = [
        complete(run, now),
        failed(run),
        announced,
        claimed(run, now),
        held(run),
    ];
    let was = conditions.iter().any(|own| own.type_ == "Orphaned");
    let orphaned = (was || run.orphaned.is_some()).then(|| orphaned(run));
    for finding in found.into_iter().chain(orphaned) {
        set_condition(conditions, finding, generation, now);
    }
}

fn when(run: &Run) -> String {
    let window = &run.terms.window;
    let (start, end) = (window.start.to_rfc3339(), window.end.to_rfc3339());
    if window.name == ANY_TIME {
        format!("any time from {start} to {end}")
    } else {
        format!("window {} from {start} to {end}", window.name)
    }
}

fn complete(run: &Run, now: DateTime<Utc>) -> Finding {
    let of = |step: Step| run.progress.values().filter(|own| own.step == step).count();
    let message = format!(
        "{} of {} machines succeeded, {} failed, {} passed over",
        of(Step::Succeeded),
        run.terms.machines.len(),
        of(Step::Failed),
        of(Step::Skipped)
    );
    let finding = |status, reason| Finding {
        name: "Complete",
        status,
        reason,
        message,
    };
    if run.end.is_some() {
        return finding("True", end_reason(run));
    }
    let begun = run
        .progress
        .values()
        .any(|own| own.attempts > 0 || own.step.is_engaged());
    let waits = now < run.terms.window.start || closed_gate(run).is_some();
    let reason = if run.quarantined.is_some() || !run.is_moving() {
        "Held"
    } else if run.deleted_at.is_some() {
        "Draining"
    } else if !begun && waits {
        "Announced"
    } else {
        "Running"
    };
    finding("False", reason)
}

/// Says how an ended run ended.
fn end_reason(run: &Run) -> &'static str {
    let skipped = |wanted: StepReason| {
        move |own: &Progress| own.step == Step::Skipped && own.reason.as_ref() == Some(&wanted)
    };
    let closed = skipped(StepReason::WindowClosed);
    let done = |own: &Progress| {
        own.step == Step::Succeeded
            || skipped(StepReason::AlreadyCurrent)(own)
            || skipped(StepReason::MachineGone)(own)
            || skipped(StepReason::Recreated)(own)
    };
    if run.progress.values().any(skipped(StepReason::Orphaned)) {
        "Orphaned"
    } else if run.progress.values().any(skipped(StepReason::Aborted)) {
        "Aborted"
    } else if run.end == Some(RunEnd::Failed) {
        "PartlySucceeded"
    } else if !run.progress.is_empty()
        && run
            .progress
            .values()
            .all(|own| closed(own) && own.attempts == 0)
    {
        "WindowClosed"
    } else if run.progress.values().all(done) {
        "Succeeded"
    } else {
        "PartlySucceeded"
    }
}

fn failed(run: &Run) -> Finding {
    let failed = |own: &Progress| own.step == Step::Failed;
    let foreign = |own: &Progress| failed(own) && own.reason == Some(StepReason::ForeignContent);
    let (status, reason, message) = if run.progress.values().any(foreign) {
        ("True", "ForeignContent", named(run, foreign))
    } else if run.progress.values().any(failed) {
        ("True", "MachinesFailed", named(run, failed))
    } else {
        ("False", "NotFailed", String::new())
    };
    Finding {
        name: "Failed",
        status,
        reason,
        message,
    }
}

/// Names machines, by name and reason, a few of them.
fn named(run: &Run, wanted: impl Fn(&Progress) -> bool) -> String {
    let all: Vec<String> = run
        .progress
        .iter()
        .filter(|(_, own)| wanted(own))
        .map(|(id, own)| {
            let name = run
                .terms
                .machines
                .get(id)
                .map_or(id.name(), |own| own.name.as_str());
            let reason = own.reason.as_ref().map_or("", |reason| reason.word());
            format!("{name} ({reason})")
        })
        .collect();
    let told = all
        .iter()
        .take(NAMED_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match all.len().saturating_sub(NAMED_MAX) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

fn closed_gate(run: &Run) -> Option<&str> {
    let gates = run.terms.gates.iter().map(|gate| gate.condition.as_str());
    gates
        .into_iter()
        .find(|gate| !run.gates_open.contains(*gate))
}

fn claimed(run: &Run, now: DateTime<Utc>) -> Finding {
    let window = &run.terms.window;
    let (status, reason, message) = if run.end.is_some() {
        ("False", "Released", "the run has ended".to_owned())
    } else if let Some(gate) = closed_gate(run) {
        (
            "False",
            "WaitingForGate",
            format!("condition {gate} is not True on the run"),
        )
    } else if now < window.start || now >= window.end {
        (
            "False",
            "WaitingForWindow",
            format!("the run is for {}", when(run)),
        )
    } else {
        (
            "True",
            "Claimed",
            format!("the run may command within {}", when(run)),
        )
    };
    Finding {
        name: "Claimed",
        status,
        reason,
        message,
    }
}

fn orphaned(run: &Run) -> Finding {
    let (status, reason, message) = match &run.orphaned {
        Some(why) => ("True", "IdentityGone", why.clone()),
        None => ("False", "NotOrphaned", String::new()),
    };
    Finding {
        name: "Orphaned",
        status,
        reason,
        message,
    }
}

fn held(run: &Run) -> Finding {
    let strange = |own: &Progress| matches!(own.step, Step::NotUnderstood(_));
    let unknown = |own: &Progress| own.step == Step::Unknown;
    let (status, reason, message) = match &run.quarantined {
        Some(what) if what.starts_with(DIGEST_MISMATCH) => ("True", "DigestMismatch", what.clone()),
        Some(what) => ("True", "NotUnderstood", what.clone()),
        None if run.progress.values().any(strange) => {
            ("True", "NotUnderstood", named(run, strange))
        }
        None if run.progress.values().any(unknown) => {
            ("True", "MachineUnknown", named(run, unknown))
        }
        None => ("False", "NotHeld", String::new()),
    };
    Finding {
        name: "Held",
        status,
        reason,
        message,
    }
}
