//! What comes next for one machine of a run: the step function of the run protocol.
//!
//! Turns where a machine stands and what is known of it into the next step, a question, or the
//! wish to command. Must never grant that wish: windows, approvals and budgets are asked
//! elsewhere, later, and again just before the command is sent.

mod verdict;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    CORRUPT, DELETED_KEPT_MAX, MAXIMUM_DURATION_CEILING, MISSING, Progress, Run, RunMachine, Step,
    StepReason, Terms,
};
use crate::domain::command::Command;
use crate::domain::evidence::{Answer, LogEvidence, Operation, OperationState, Outcome, Question};
use crate::domain::machine::{Health, InstallRecord, InstallStatus, Machine, MachineKind};
use crate::domain::snapshot::INVENTORY_AGE_MAX;
use crate::planted::{self, Bug};

use self::verdict::{NO_RUN_COMMAND, can_restart, judge, restarted, settled_after, verifying};

/// After this long without a trace, a command to a VM that Azure's log does not show never
/// arrived (design: the late horizon).
pub const LATE_HORIZON_VM: TimeDelta = TimeDelta::hours(2);

/// The same for Arc and Azure Local, where extension operations wait up to 6 hours for a machine
/// to connect (Azure Arc, "Troubleshoot connectivity"; azure.md §2).
pub const LATE_HORIZON_ARC: TimeDelta = TimeDelta::hours(7);

/// How far what Azure tells lags behind what happened: an activity log shows an event within 20
/// minutes (Azure Monitor, "Activity log insights": "typically 3 to 20 minutes"), Resource Graph
/// was seen to lag for 30.
pub const SOURCES_LAG: TimeDelta = TimeDelta::minutes(30);

/// How far Azure's clock and the operator's may differ when an install's start is compared with
/// its intent.
pub const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(2);

/// After this long beyond the longest duration that is ever sent, a command without an end is
/// held.
pub const NO_END_AFTER: TimeDelta = TimeDelta::hours(5);

/// Sure refusals of one machine in one run before it is passed over.
pub const REFUSALS_MAX: u32 = 3;

/// How long a sure refusal is left to rest before the next try.
pub const REFUSAL_REST: TimeDelta = TimeDelta::minutes(5);

/// What is known of a machine when its next step is decided.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The machine in the inventory; none if it is not there.
    pub machine: Option<&'a Machine>,
    /// When the inventory was read.
    pub read_at: DateTime<Utc>,
    /// The answer to the question the machine's step raised.
    pub answer: Option<&'a Answer>,
    /// Whether the machine has the release, by evidence younger than any intent; none if nobody
    /// can tell.
    pub has_release: Option<bool>,
    /// Whether a person asked to let go of it or to try again, after its step began.
    pub let_go: bool,
    /// Whether the run was aborted.
    pub aborted: bool,
    /// Since when the run is being deleted, if it is.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Whether Azure refuses the identity, so that nothing can be asked any more.
    pub identity_gone: bool,
    /// How often the machine may be tried again: as the run froze it, or less.
    pub retries: u32,
    /// When the last command may be sent: the window's end less what a command needs.
    pub last_start: DateTime<Utc>,
    /// Disruptive commands that this incarnation may have accepted for this release in earlier
    /// runs.
    pub earlier_attempts: u32,
    /// Whether the installation lets scripts run in guests.
    pub run_commands: bool,
}

/// What comes next for a machine.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, matched at once; a box would only make it harder to read"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing; the text says what it waits for.
    Stay(String),
    /// Another step, to be written into the run.
    Become(Progress),
    /// A command may be sent, if everything else allows it.
    Command(Command),
}

/// Returns the question that a machine's step raises, if it raises one now.
pub fn question(
    terms: &Terms,
    progress: &Progress,
    machine: Option<&Machine>,
    now: DateTime<Utc>,
) -> Option<Question> {
    match progress.step {
        Step::Starting | Step::Unknown => match progress.reason {
            Some(StepReason::NotHealthy) => Some(Question::Reading),
            None | Some(StepReason::OutcomeUnknown) => Some(Question::Log {
                command: progress.command.unwrap_or_else(|| terms.first_command()),
                request: progress.request.clone()?,
                since: progress.intent_at?,
            }),
            _ => None,
        },
        Step::Running => {
            let same_life = machine.filter(|seen| {
                let own = terms.machines.get(&seen.id);
                own.is_none_or(|own| own.incarnation == seen.incarnation)
            });
            let finished = same_life.and_then(|machine| our_record(progress, machine));
            if finished.is_some_and(|record| record.status.is_final()) {
                return None;
            }
            let overdue = now - progress.since >= terms.estimate();
            match &progress.operation {
                Some(operation) if overdue || progress.command == Some(Command::Restart) => {
                    Some(Question::Operation(operation.clone()))
                }
                None if progress.command == Some(Command::Restart) => Some(Question::Reading),
                _ => None,
            }
        }
        Step::Verifying => {
            let ended = progress.ended_at.unwrap_or(progress.since);
            (now - ended >= terms.health.settle).then_some(Question::Reading)
        }
        _ => None,
    }
}

/// Returns what comes next for a machine of a run.
pub fn next(
    run: &Run,
    machine: &RunMachine,
    progress: &Progress,
    sight: &Sight<'_>,
    now: DateTime<Utc>,
) -> Next {
    let terms = &run.terms;
    if let Some(text) = given_up(machine, progress, sight, now) {
        return skip(progress, now, StepReason::Orphaned, &text);
    }
    match &progress.step {
        Step::Planned => planned(run, machine, progress, sight, now),
        Step::Starting if planted::is(Bug::SkipEvidence) => {
            Next::Become(unsent(progress, now, "never sent"))
        }
        Step::Starting => {
            let text = "the intent to command it is written; whether it was sent is not known";
            let held = progress.at(Step::Unknown, now, Some(StepReason::OutcomeUnknown), text);
            // The evidence is looked at in the same breath: what is found decides, not the pause.
            match unknown(terms, machine, &held, sight, now) {
                Next::Become(further) => Next::Become(further),
                _ => Next::Become(held),
            }
        }
        Step::Unknown | Step::Verifying | Step::NotUnderstood(_)
            if is_gone(machine, progress, sight, now) =>
        {
            let text = "it is not in the inventory any more, and no command can reach it";
            skip(progress, now, StepReason::MachineGone, text)
        }
        Step::Unknown => unknown(terms, machine, progress, sight, now),
        Step::Running => running(terms, machine, progress, sight, now),
        Step::Verifying => verifying(terms, machine, progress, sight, now),
        Step::Succeeded | Step::Failed | Step::Skipped => Next::Stay(String::new()),
        Step::NotUnderstood(word) => {
            if sight.let_go {
                return let_go(progress, now);
            }
            // Whatever was commanded: it is done, and repeating it would do nothing.
            if (word == CORRUPT || word == MISSING) && sight.has_release == Some(true) {
                let text = "what was stored is lost; it has the release";
                return skip(progress, now, StepReason::AlreadyCurrent, text);
            }
            Next::Stay(format!(
                "held: its step \"{word}\" is not known to this version"
            ))
        }
    }
}

/// Tells whether a machine that was commanded is gone for good: not in an inventory that is fresh
/// and newer than anything that could still arrive.
fn is_gone(
    machine: &RunMachine,
    progress: &Progress,
    sight: &Sight<'_>,
    now: DateTime<Utc>,
) -> bool {
    let over = progress.intent_at.unwrap_or(progress.since) + late_horizon(machine.kind);
    let fresh = now - sight.read_at <= INVENTORY_AGE_MAX;
    sight.machine.is_none() && fresh && sight.read_at >= over
}

/// Tells why a machine of a run that is being deleted is followed no longer: by now nothing that
/// was sent to it can be under way, and nobody can say how it ended.
fn given_up(
    machine: &RunMachine,
    progress: &Progress,
    sight: &Sight<'_>,
    now: DateTime<Utc>,
) -> Option<String> {
    let deleted_at = sight.deleted_at.filter(|_| !progress.step.is_final())?;
    if now >= deleted_at + DELETED_KEPT_MAX {
        let hours = DELETED_KEPT_MAX.num_hours();
        return Some(format!(
            "its run was deleted {hours} h ago, and its end was not seen"
        ));
    }
    let over = late_horizon(machine.kind) + MAXIMUM_DURATION_CEILING;
    let since = progress.intent_at.unwrap_or(progress.since);
    (sight.identity_gone && progress.step.is_engaged() && now >= since + over)
        .then(|| "the identity is gone, and its end was not seen".to_owned())
}

fn skip(progress: &Progress, now: DateTime<Utc>, why: StepReason, text: &str) -> Next {
    Next::Become(progress.at(Step::Skipped, now, Some(why), text))
}

fn fail(progress: &Progress, now: DateTime<Utc>, why: StepReason, text: &str) -> Next {
    Next::Become(progress.at(Step::Failed, now, Some(why), text))
}

fn let_go(progress: &Progress, now: DateTime<Utc>) -> Next {
    skip(
        progress,
        now,
        StepReason::LetGo,
        "a person let go of the hold",
    )
}

fn planned(
    run: &Run,
    machine: &RunMachine,
    progress: &Progress,
    sight: &Sight<'_>,
    now: DateTime<Utc>,
) -> Next {
    let _terms = &run.terms;
    if sight.aborted {
        return skip(
            progress,
            now,
            StepReason::Aborted,
            "the run was aborted before its turn",
        );
    }
    let fresh = now - sight.read_at <= INVENTORY_AGE_MAX;
    if sight.machine.is_none() && fresh {
        return skip(
            progress,
            now,
            StepReason::MachineGone,
            "it is not in the inventory any more",
        );
    }
    if is_another_life(machine, sight) && !planted::is(Bug::WrongIncarnation) {
        let text = "another machine bears its resource id now";
        return skip(progress, now, StepReason::Recreated, text);
    }
    let follows_a_finish = progress.command == Some(Command::Restart);
    if sight.has_release == Some(true) {
        let text = if follows_a_finish {
            "it has the release, and its reboot is not owed any more"
        } else {
            "it has the release already"
        };
        return skip(progress, now, StepReason::AlreadyCurrent, text);
    }
    if follows_a_finish && !can_restart(machine.kind, sight) {
        return fail(progress, now, StepReason::RebootOwed, NO_RUN_COMMAND);
    }
    if now > sight.last_start {
        let (why, text) = if follows_a_finish {
            (
                StepReason::RebootOwed,
                "the window closed before the reboot it still owes",
            )
        } else {
            (
                StepReason::WindowClosed,
                "the window closed before its turn",
            )
        };
        return skip(progress, now, why, text);
    }
    ready(run, progress, sight, now)
}

/// Says whether a planned machine whose turn has come may wish for its command.
fn ready(run: &Run, progress: &Progress, sight: &Sight<'_>, now: DateTime<Utc>) -> Next {
    let terms = &run.terms;
    if sight.machine.is_none() {
        return Next::Stay("not seen, and the inventory is too old to say that it is gone".into());
    }
    if progress.attempts == 0
        && let Some(record) = sight.machine.and_then(|seen| unaccounted(run, seen))
    {
        let text = format!(
            "install {} began on it since the run was made, and the run knows nothing of it",
            record.activity
        );
        return skip(progress, now, StepReason::ForeignRun, &text);
    }
    if progress.refusals >= REFUSALS_MAX {
        return skip(progress, now, StepReason::Refused, &progress.message);
    }
    if let Some(until) = progress.throttled_until.filter(|until| now < *until) {
        let until = until.format("%H:%M:%S UTC");
        let why = &progress.message;
        return Next::Stay(format!("no command on it is tried until {until}: {why}"));
    }
    if progress.refusals > 0 && now - progress.since < REFUSAL_REST {
        return Next::Stay(format!("refused, tried again soon: {}", progress.message));
    }
    let tried = sight.earlier_attempts + progress.attempts;
    if tried > sight.retries && !planted::is(Bug::RetryForEver) {
        let text = "it was tried as often as the policy allows";
        return fail(progress, now, StepReason::InstallFailed, text);
    }
    Next::Command(progress.command.unwrap_or_else(|| terms.first_command()))
}

/// Returns how long after its intent a command may still arrive.
pub fn late_horizon(kind: MachineKind) -> TimeDelta {
    match kind {
        MachineKind::AzureVm => LATE_HORIZON_VM,
        MachineKind::ArcServer | MachineKind::AzureLocalVm => LATE_HORIZON_ARC,
    }
}

fn unknown(
    terms: &Terms,
    machine: &RunMachine,
    progress: &Progress,
    sight: &Sight<'_>,
    now: DateTime<Utc>,
) -> Next {
    if sight.let_go {
        return let_go(progress, now);
    }
    if progress.reason == Some(StepReason::NotHealthy) {
        return match verifying(terms, machine, progress, sight, now) {
            Next::Become(further) if further.step != Step::Unknown => Next::Become(further),
            _ => Next::Stay("held until it is healthy again".to_owned()),
        };
    }
    if is_another_life(machine, sight) {
        let horizon = progress.intent_at.unwrap_or(progress.since) + late_horizon(machine.kind);
        if now >= horizon && sight.read_at >= horizon {
            return skip(
                progress,
                now,
                StepReason::Recreated,
                "it was created again since",
            );
        }
        return Next::Stay("held: it was created again, and the command may yet arrive".into());
    }
    if let Some(record) = sight.machine.and_then(|seen| our_record(progress, seen)) {
        if progress.reason == Some(StepReason::NoEnd) && record.status.is_final() {
            return ended_unclear(terms, machine, progress, sight, now);
        }
        let text = format!("install {} began after the intent", record.activity);
        return Next::Become(progress.at(Step::Running, now, None, &text));
    }
    if progress.reason != Some(StepReason::OutcomeUnknown) {
        return Next::Stay("held until there is evidence, or a request lets go of it".to_owned());
    }
    match sight.answer {
        Some(Answer::Log(LogEvidence::Accepted { operation, .. })) => {
            Next::Become(arrived(progress, operation.as_ref(), now))
        }
        Some(Answer::Log(LogEvidence::Refused { status, .. })) => {
            let text = format!("Azure's activity log shows the command as {status}");
            Next::Become(refused(progress, now, &text))
        }
        Some(Answer::Log(LogEvidence::Absent { searched_until })) => {
            let horizon = progress.intent_at.unwrap_or(progress.since) + late_horizon(machine.kind);
            // What arrived at the last moment has to show by then.
            let told = horizon + SOURCES_LAG;
            let sources_are_newer = *searched_until >= told && sight.read_at >= told;
            let answers = sight
                .machine
                .is_some_and(|seen| seen.health == Health::Healthy);
            if (sources_are_newer && answers) || planted::is(Bug::EarlyHorizon) {
                let text = "no source shows the command, past the time it could still arrive";
                // It is as good as refused: the attempt counts no more.
                let never = Progress {
                    attempts: progress.attempts.saturating_sub(1),
                    ..progress.clone()
                };
                return skip(&never, now, StepReason::NeverArrived, text);
            }
            Next::Stay(format!(
                "no trace of the command yet; looked for until {horizon}"
            ))
        }
        _ => Next::Stay("held: Azure's activity log could not be read".to_owned()),
    }
}

/// Looks again at a command whose record has ended and told too little: it stays held, where a
/// request can let go of it, until there is a verdict.
fn ended_unclear(
    terms: &Terms,
    machine: &RunMachine,
    progress: &Progress,
    sight: &Sight<'_>,
    now: DateTime<Utc>,
) -> Next {
    match running(terms, machine, progress, sight, now) {
        Next::Become(further) if further.step != Step::Unknown => Next::Become(further),
        Next::Become(_) | Next::Command(_) | Next::Stay(_) => {
            Next::Stay("held: how its install ended is not known".to_owned())
        }
    }
}

/// Follows a command that turned out to have arrived.
fn arrived(progress: &Progress, operation: Option<&Operation>, now: DateTime<Utc>) -> Progress {
    let text = match operation {
        None => "Azure's activity log shows the command",
        Some(_) => "Azure shows the command itself",
    };
    Progress {
        operation: operation.or(progress.operation.as_ref()).cloned(),
        ..progress.at(Step::Running, now, None, text)
    }
}

/// Tells whether the inventory shows another machine under the id of the one planned for.
fn is_another_life(machine: &RunMachine, sight: &Sight<'_>) -> bool {
    sight
        .machine
        .is_some_and(|seen| seen.incarnation != machine.incarnation)
}

/// Returns the machine to its place in the queue after a refusal that is sure.
pub fn refused(progress: &Progress, now: DateTime<Utc>, text: &str) -> Progress {
    Progress {
        attempts: progress.attempts.saturating_sub(1),
        refusals: progress.refusals + 1,
        request: None,
        intent_at: None,
        operation: None,
        ..progress.at(Step::Planned, now, Some(StepReason::Refused), text)
    }
}

/// Returns the machine to its place in the queue when its command was certainly never sent.
pub fn unsent(progress: &Progress, now: DateTime<Utc>, text: &str) -> Progress {
    Progress {
        refusals: progress.refusals,
        ..refused(progress, now, text)
    }
}

/// Returns an install that began after a run was made and that may have been its own, though its
/// log says that it commanded nothing: somebody else's, or of a log that was lost or restored.
fn unaccounted<'a>(run: &Run, machine: &'a Machine) -> Option<&'a InstallRecord> {
    let of_run = |record: &&InstallRecord| {
        let mut named = record.installed.iter().chain(&record.failed).peekable();
        named.peek().is_none() || named.any(|kb| run.terms.kbs.contains(kb))
    };
    let since = |record: &&InstallRecord| record.started >= run.created_at;
    machine.installs.iter().filter(since).find(of_run)
}

/// Returns the install that belongs to the machine's command: another one than was seen before
/// the intent, begun no earlier than the intent. A restart leaves no install record.
fn our_record<'a>(progress: &Progress, machine: &'a Machine) -> Option<&'a InstallRecord> {
    if progress.command == Some(Command::Restart) {
        return None;
    }
    let intent = progress.intent_at?;
    machine.installs.iter().find(|record| {
        progress.activity_before.as_deref() != Some(record.activity.as_str())
            && record.started >= intent - CLOCK_SLACK
    })
}

fn running(
    terms: &Terms,
    machine: &RunMachine,
    progress: &Progress,
    sight: &Sight<'_>,
    now: DateTime<Utc>,
) -> Next {
    if is_another_life(machine, sight) {
        let ended = matches!(
            sight.answer,
            Some(Answer::Operation(
                OperationState::Ended(_) | OperationState::Gone
            ))
        );
        if ended || now - progress.since >= NO_END_AFTER {
            return skip(
                progress,
                now,
                StepReason::Recreated,
                "it was created again since",
            );
        }
        return Next::Stay("it was created again; the command to its earlier life runs".into());
    }
    if let Some(record) = sight.machine.and_then(|seen| our_record(progress, seen))
        && record.status.is_final()
    {
        let outcome = Outcome {
            status: record.status,
            reboot: record.reboot,
            installed: record.installed.clone(),
            failed: record.failed.clone(),
            activity: Some(record.activity.clone()),
            window_exceeded: record.window_exceeded,
            error: None,
        };
        return judge(
            terms,
            machine,
            progress,
            &outcome,
            record.modified,
            sight,
            now,
        );
    }
    match sight.answer {
        Some(Answer::Operation(OperationState::Ended(outcome))) => {
            if progress.command == Some(Command::Restart) {
                return restarted(machine.kind, progress, outcome, now);
            }
            // Arc's result carries no list of patches, and an Azure-AsyncOperation may end
            // without any result; the install record tells (azure.md §0.6, §5).
            let tells = machine.kind == MachineKind::AzureVm && outcome.activity.is_some();
            let failed = outcome.status == InstallStatus::Failed;
            if outcome.installed.is_empty() && !tells && !failed {
                return no_end(progress, now, "ended; its install record is awaited");
            }
            judge(terms, machine, progress, outcome, now, sight, now)
        }
        Some(Answer::Operation(OperationState::Gone)) => forgotten(progress, now),
        Some(Answer::Reading(reading))
            if progress.command == Some(Command::Restart)
                && reading.incarnation == machine.incarnation
                && settled_after(reading, sight.machine, progress.intent_at) =>
        {
            Next::Become(Progress {
                ended_at: Some(now),
                ..progress.at(Step::Verifying, now, None, "restarted; settling")
            })
        }
        _ => no_end(progress, now, "the command runs"),
    }
}

fn forgotten(progress: &Progress, now: DateTime<Utc>) -> Next {
    let text = "Azure forgot the operation; its traces on the machine are followed";
    let followed = Progress {
        operation: None,
        message: text.to_owned(),
        ..progress.clone()
    };
    let unsent = unsent(progress, now, text);
    Next::Become(planted::pick(Bug::RepostAfterGone, followed, unsent))
}

fn no_end(progress: &Progress, now: DateTime<Utc>, text: &str) -> Next {
    if now - progress.since < NO_END_AFTER {
        return Next::Stay(text.to_owned());
    }
    let text = "the command was accepted and shows no end";
    Next::Become(progress.at(Step::Unknown, now, Some(StepReason::NoEnd), text))
}

#[cfg(test)]
mod tests;
