//! Reads the log entries of a run's machines.
//!
//! Each step has marks that no other step has together (`finishedAt`, `holdSince`, the intent, the
//! reason), so that one lost or changed word shows. An entry whose marks do not fit is held.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::Doubts;
use crate::api::conditions;
use crate::api::run::{HotpatchRunStatus, MAX_ATTEMPTS, RunMachineStatus};
use crate::domain::command::{Command, RequestId};
use crate::domain::evidence::Operation;
use crate::domain::machine::MachineId;
use crate::domain::run::{CORRUPT, MISSING, Progress, Step, StepReason, Terms};
use crate::record::words;

/// Reads where each machine of the terms stands.
pub(super) fn progress(
    status: &HotpatchRunStatus,
    is_logged: bool,
    terms: &Terms,
    created_at: DateTime<Utc>,
    doubts: &mut Doubts,
) -> BTreeMap<MachineId, Progress> {
    let mut entries: BTreeMap<MachineId, Vec<&RunMachineStatus>> = BTreeMap::new();
    for entry in &status.machines {
        match MachineId::parse(&entry.id) {
            Ok(id) if terms.machines.contains_key(&id) => {
                entries.entry(id).or_default().push(entry)
            }
            _ => doubts.add(format!(
                "status.machines: {:?} is no machine of the run",
                entry.id
            )),
        }
    }
    let is_fresh = !is_logged && is_fresh(status);
    let read = |id: &MachineId| match entries.get(id).map(Vec::as_slice) {
        Some([entry]) => one(entry, terms, created_at),
        Some([entry, ..]) => held(
            entry,
            CORRUPT,
            "it has two entries in the run's status",
            terms,
            created_at,
        ),
        _ if is_fresh => Progress::planned(created_at),
        _ => {
            let none = RunMachineStatus::default();
            held(
                &none,
                MISSING,
                "it has no entry in the run's status",
                terms,
                created_at,
            )
        }
    };
    terms
        .machines
        .keys()
        .map(|id| (id.clone(), read(id)))
        .collect()
}

/// Tells whether the operator never wrote this log: a leader may have raised its epoch, and other
/// controllers may have set their conditions.
fn is_fresh(status: &HotpatchRunStatus) -> bool {
    let ours = |kind: &str| conditions::find("HotpatchRun", kind).is_some();
    status.machines.is_empty()
        && status.started_at.is_none()
        && status.completed_at.is_none()
        && status.counts.is_none()
        && status.observed_generation.is_none()
        && status.not_understood.is_empty()
        && !status
            .conditions
            .iter()
            .any(|condition| ours(&condition.type_))
}

fn one(entry: &RunMachineStatus, terms: &Terms, created_at: DateTime<Utc>) -> Progress {
    let step = Step::parse(&entry.step);
    if let Step::NotUnderstood(word) = &step {
        let text = "this step is not known to this version";
        return held(entry, word, text, terms, created_at);
    }
    match understood(entry, step) {
        Ok(progress) => progress,
        Err(text) => held(entry, CORRUPT, &text, terms, created_at),
    }
}

/// Returns the progress of a machine that is held because its entry is not understood. What could
/// be read of it is kept; commands that cannot be counted count as one more than are allowed.
fn held(
    entry: &RunMachineStatus,
    word: &str,
    text: &str,
    terms: &Terms,
    created_at: DateTime<Utc>,
) -> Progress {
    let too_many = terms.retries.saturating_add(1).min(MAX_ATTEMPTS);
    Progress {
        step: Step::NotUnderstood(word.to_owned()),
        since: entry.since.unwrap_or(created_at),
        attempts: entry.attempts.unwrap_or(too_many).min(MAX_ATTEMPTS).max(
            // Only a word is strange: then the count is what it says.
            if word == CORRUPT || word == MISSING {
                too_many
            } else {
                0
            },
        ),
        refusals: entry.refusals.unwrap_or(0).min(MAX_ATTEMPTS),
        command: entry.command.as_deref().and_then(words::command_of),
        request: entry.request_id.clone().map(RequestId),
        intent_at: entry.intent_at,
        activity_before: entry.activity_before.clone(),
        operation: operation(entry).ok().flatten(),
        ended_at: entry.ended_at,
        throttled_until: entry.throttled_until,
        reason: Some(StepReason::Corrupt),
        message: text.to_owned(),
    }
}

fn operation(entry: &RunMachineStatus) -> Result<Option<Operation>, String> {
    let Some(operation) = &entry.operation else {
        return Ok(None);
    };
    let style = operation
        .style
        .parse()
        .map_err(|error| format!("operation: {error}"))?;
    Ok(Some(Operation::resume(operation.url.clone(), style)))
}

fn understood(entry: &RunMachineStatus, step: Step) -> Result<Progress, String> {
    if let Some(field) = entry.not_understood.keys().next() {
        return Err(format!("field {field:?} of its entry is not understood"));
    }
    let count = |field: &str, value: Option<u32>| match value {
        Some(count) if count <= MAX_ATTEMPTS => Ok(count),
        _ => Err(format!(
            "field {field:?} of its entry is missing or too great"
        )),
    };
    let command = match entry.command.as_deref() {
        None => None,
        Some(word) => {
            Some(words::command_of(word).ok_or_else(|| format!("command {word:?} is not known"))?)
        }
    };
    let progress = Progress {
        since: entry
            .since
            .ok_or("field \"since\" of its entry is missing")?,
        attempts: count("attempts", entry.attempts)?,
        refusals: count("refusals", entry.refusals)?,
        command,
        request: entry.request_id.clone().map(RequestId),
        intent_at: entry.intent_at,
        activity_before: entry.activity_before.clone(),
        operation: operation(entry)?,
        ended_at: entry.ended_at,
        throttled_until: entry.throttled_until,
        reason: entry.reason.as_deref().map(StepReason::parse),
        message: entry.message.clone().unwrap_or_default(),
        step,
    };
    marks(entry, &progress)?;
    Ok(progress)
}

/// Checks that an entry has the marks of its step and of no other.
fn marks(entry: &RunMachineStatus, own: &Progress) -> Result<(), String> {
    let is_final = own.step.is_final();
    let says = |is_right: bool, text: &str| {
        let text = || format!("its entry says {} and {text}", own.step.word());
        if is_right { Ok(()) } else { Err(text()) }
    };
    let sent = own.request.is_some() && own.intent_at.is_some() && own.command.is_some();
    let has_intent = own.request.is_some() || own.intent_at.is_some();
    let disruptive = own.command.is_some_and(|command| command.is_disruptive());
    let strange = matches!(own.reason, Some(StepReason::Other(_)));
    says(
        entry.finished_at == is_final.then_some(own.since),
        "another finishedAt",
    )?;
    let hold = (own.step == Step::Unknown).then_some(own.since);
    says(entry.hold_since == hold, "another holdSince")?;
    says(
        entry.reboot_commanded == (disruptive && own.attempts > 0),
        "another rebootCommanded",
    )?;
    match own.step {
        Step::Planned => {
            says(!has_intent && own.operation.is_none(), "has an intent")?;
            says(own.ended_at.is_none(), "has an end")?;
            says(
                own.command != Some(Command::Restart) || own.attempts > 0,
                "owes a restart",
            )?;
            says(!strange, "has a reason that is not known")
        }
        Step::Starting | Step::Running | Step::Unknown | Step::Verifying | Step::Succeeded => {
            says(sent, "has no whole intent")?;
            says(own.attempts > 0, "has no attempt")?;
            let is_open = matches!(own.step, Step::Starting | Step::Running);
            let judged = matches!(own.step, Step::Verifying | Step::Succeeded);
            says(!is_open || own.ended_at.is_none(), "has an end")?;
            says(!judged || own.ended_at.is_some(), "has no end")?;
            says(
                own.step != Step::Unknown || own.reason.is_some(),
                "has no reason",
            )?;
            says(
                own.step != Step::Succeeded || own.reason.is_none(),
                "has a reason",
            )?;
            says(
                !strange || own.step == Step::Unknown,
                "has a reason that is not known",
            )
        }
        Step::Failed => {
            let fits = own
                .reason
                .as_ref()
                .is_some_and(|why| !strange && !is_of_skipped(why));
            says(fits, "has no reason of that")
        }
        Step::Skipped => {
            let fits = own.reason.as_ref().is_some_and(|why| !is_of_failed(why));
            says(fits, "has no reason of that")
        }
        Step::NotUnderstood(_) => Ok(()),
    }
}

/// Tells whether only a machine that failed has a reason.
fn is_of_failed(reason: &StepReason) -> bool {
    matches!(
        reason,
        StepReason::InstallFailed
            | StepReason::OutOfTime
            | StepReason::NothingInstalled
            | StepReason::ForeignContent
    )
}

/// Tells whether only a machine that was passed over has a reason.
fn is_of_skipped(reason: &StepReason) -> bool {
    matches!(
        reason,
        StepReason::WindowClosed
            | StepReason::Aborted
            | StepReason::MachineGone
            | StepReason::Recreated
            | StepReason::AlreadyCurrent
            | StepReason::NeverArrived
            | StepReason::LetGo
            | StepReason::ForeignRun
            | StepReason::Orphaned
    )
}
