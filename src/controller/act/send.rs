//! Looks at machines once more, and sends commands.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};

use super::recheck::Asking;
use super::runs::Work;
use super::{Deeds, Intent};
use crate::azure::{Cloud, Error, Scope};
use crate::controller::Shell;
use crate::controller::lease::Leadership;
use crate::controller::observe::Observed;
use crate::domain::clearance::{READING_AGE_MAX, clearance};
use crate::domain::command::{Command, InstallOrder, RequestId, RestartOrder};
use crate::domain::due::Action;
use crate::domain::enrolment::ClaimIdentity;
use crate::domain::evidence::{LastActivity, Operation, Reading};
use crate::domain::machine::{Health, MachineId, MachineKind};
use crate::domain::permission::{last_start, maximum_duration};
use crate::domain::plan::{Note, RunKey};
use crate::domain::run::follow::{refused, unsent};
use crate::domain::run::{Progress, Run, Step, StepReason};
use crate::planted::{self, Bug};
use crate::record::request_id;

/// Machines looked at at the same time.
const LOOKS_AT_ONCE: usize = 8;

/// How long a command that was withheld after its intent was written is left to rest: what
/// withheld it, a view that is behind or a lease that cannot be renewed, has to mend first.
const WITHHELD_REST: TimeDelta = TimeDelta::seconds(30);

/// Looks at every machine of a run that is to be commanded, and turns those that pass into
/// intents, in the run's copy.
pub(super) async fn look(shell: &Shell, observed: &Observed, work: &mut Work, deeds: &mut Deeds) {
    let namespace = work.run.fleet.namespace.clone();
    let account = &work.run.terms.service_account;
    let Some(cloud) = observed.cloud(&namespace, account).cloned() else {
        return;
    };
    let planned = std::mem::take(&mut work.planned);
    let looks = planned.into_iter().filter_map(|(id, command)| {
        let machine = work.run.terms.machines.get(&id)?;
        let (kind, cloud) = (machine.kind, cloud.in_region(&machine.placement.region));
        let clock = shell.clock.clone();
        let asked_at = clock.now();
        Some(async move {
            let reading = cloud.read(&id, kind).await;
            (id, command, asked_at, clock.now(), reading)
        })
    });
    let mut looks: Vec<_> = stream::iter(looks).buffered(LOOKS_AT_ONCE).collect().await;
    see_installs(&cloud, &mut looks).await;
    for (id, command, asked_at, read_at, reading) in looks {
        if let Err(error) = &reading {
            deeds.unasked(error, read_at);
        }
        if let Some(kind) = work.run.terms.machines.get(&id).map(|own| own.kind) {
            let refusal = reading.as_ref().err();
            deeds.answered(&work.run.fleet, &id, kind, "read", refusal);
        }
        let serves = reading
            .as_ref()
            .is_ok_and(|own| own.health == Health::Healthy);
        if !serves {
            deeds.down.insert((namespace.clone(), id.clone()));
        }
        match cleared(observed, work, &id, reading, read_at) {
            Ok(activity_before) => {
                let now = shell.clock.now();
                let progress = intent(&work.run, &id, command, activity_before, now);
                if let Some(progress) = progress {
                    work.set(&id, progress);
                    work.cleared.push((id, command, asked_at));
                }
            }
            Err(note) => {
                // What withdrew it, as an operation on the machine, may be over soon.
                deeds.again_by(read_at + WITHHELD_REST);
                tracing::info!(machine = %id, reason = %note.reason, "command withdrawn");
                deeds.notes.insert((namespace.clone(), id), note);
            }
        }
    }
}

/// A machine that was looked at: what is planned for it, when it was asked and when it answered,
/// and what was seen.
type Look = (
    MachineId,
    Command,
    DateTime<Utc>,
    DateTime<Utc>,
    Result<Reading, Error>,
);

/// Completes the looks at machines that do not show installs themselves: one page of Resource
/// Graph for all of them. What cannot be seen there withdraws the command.
async fn see_installs(cloud: &Cloud, looks: &mut [Look]) {
    let blind: BTreeSet<MachineId> = looks
        .iter()
        .filter(|look| look.4.as_ref().is_ok_and(|reading| !reading.shows_installs))
        .map(|look| look.0.clone())
        .collect();
    if blind.is_empty() {
        return;
    }
    let subscriptions: BTreeSet<String> = blind
        .iter()
        .map(|id| id.subscription().to_owned())
        .collect();
    let scope = Scope {
        subscriptions: subscriptions.into_iter().collect(),
        management_groups: Vec::new(),
    };
    let seen = cloud.progress(&scope, &blind).await;
    for (id, _, _, _, look) in looks.iter_mut().filter(|look| blind.contains(&look.0)) {
        let Ok(reading) = look else { continue };
        match &seen {
            Ok(seen) => match seen.get(id) {
                Some(glimpse) => {
                    if reading.health == Health::Healthy {
                        reading.health = glimpse.health.clone();
                    }
                    reading.cluster_update = glimpse.cluster_update;
                    reading.last_activity = glimpse.installs.first().map(|record| LastActivity {
                        id: record.activity.clone(),
                        started: Some(record.started),
                        status: record.status,
                    });
                }
                None => {
                    *look = Err(Error::NotFound {
                        what: format!("machine {}", id.name()),
                    });
                }
            },
            Err(error) => *look = Err(error.clone()),
        }
    }
}

fn cleared(
    observed: &Observed,
    work: &Work,
    id: &MachineId,
    reading: Result<Reading, Error>,
    read_at: DateTime<Utc>,
) -> Result<Option<String>, Note> {
    let reading = reading.map_err(|error| note("Unreadable", &error.to_string()))?;
    let gone = || note("MachineGone", "it is not in the inventory");
    let planned = work.run.terms.machines.get(id).ok_or_else(gone)?;
    let domain = observed
        .snapshot
        .domains
        .get(&work.run.fleet.namespace)
        .ok_or_else(gone)?;
    let account = &work.run.terms.service_account;
    let inventory = domain.seen_by(account).map_err(|_| gone())?;
    let seen = inventory.machines.get(id).ok_or_else(gone)?;
    let own = ClaimIdentity::new(&observed.snapshot.cluster_uid, &work.run.terms.fleet_uid)
        .map_err(|error| note("ClaimUnreadable", &error.to_string()))?;
    clearance(planned, seen, &reading, &own, read_at)
        .map_err(|withdrawn| note(withdrawn.reason(), &withdrawn.to_string()))?;
    let of_reading = reading.last_activity.map(|last| last.id);
    Ok(of_reading.or_else(|| seen.last_install().map(|record| record.activity.clone())))
}

fn note(reason: &str, message: &str) -> Note {
    Note {
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

fn intent(
    run: &Run,
    id: &MachineId,
    command: Command,
    activity_before: Option<String>,
    now: DateTime<Utc>,
) -> Option<Progress> {
    let before = run.progress.get(id)?;
    let attempts = before.attempts + 1;
    let request = request_id(&run.uid, id, attempts, before.refusals);
    Some(Progress {
        attempts,
        command: Some(command),
        request: Some(request),
        intent_at: Some(now),
        activity_before,
        operation: None,
        ended_at: None,
        throttled_until: None,
        ..before.at(Step::Starting, now, None, "about to be commanded")
    })
}

/// Sends the commands whose intents stand, one after another, and puts down what became of each.
pub(super) async fn send(
    shell: &Shell,
    leadership: &Leadership,
    asking: &mut Asking<'_>,
    work: &mut BTreeMap<RunKey, Work>,
    intents: Vec<Intent>,
    may_send: bool,
    deeds: &mut Deeds,
) {
    for intent in intents {
        let before = work
            .get(&intent.run)
            .and_then(|own| own.run.progress.get(&intent.machine));
        let Some(before) = before.cloned() else {
            continue;
        };
        let now = shell.clock.now();
        let allowed = if may_send {
            let asked = still_allowed(leadership, asking, work, &intent, now);
            let end = work[&intent.run].run.terms.window.end;
            planted::pick(Bug::WakeAndSend, asked, Ok(end))
        } else {
            Err(note("NotSent", "the lease could not be renewed"))
        };
        let Some(own) = work.get_mut(&intent.run) else {
            continue;
        };
        let (after, why) = match allowed {
            Ok(until) => {
                let account = &own.run.terms.service_account;
                let cloud = asking.observed.cloud(&intent.run.namespace, account);
                leadership.sends(true);
                let (after, error) = command(shell, cloud, &own.run, &before, &intent, until).await;
                leadership.sends(false);
                if let Some(error) = &error {
                    deeds.unasked(error, shell.clock.now());
                }
                let kind = own.run.terms.machines.get(&intent.machine);
                if let Some(kind) = kind.map(|own| own.kind)
                    && (error.is_some() || after.step == Step::Running)
                {
                    let (fleet, asked) = (&own.run.fleet, intent.command.word());
                    deeds.answered(fleet, &intent.machine, kind, asked, error.as_ref());
                }
                let word = after.reason.as_ref().map_or("NotSent", |own| own.word());
                let why = note(word, &after.message);
                (after, why)
            }
            Err(why) => {
                let again_at = now + WITHHELD_REST;
                deeds.again_by(again_at);
                let after = Progress {
                    throttled_until: Some(again_at),
                    ..unsent(&before, now, &why.message)
                };
                (after, why)
            }
        };
        shell
            .telemetry
            .command(intent.command.word(), became(&before, &after));
        if after.step != Step::Running {
            tracing::info!(machine = %intent.machine, reason = %why.reason, "not commanded");
            let key = (intent.run.namespace.clone(), intent.machine.clone());
            deeds.notes.insert(key, why);
        }
        own.set(&intent.machine, after);
    }
}

/// Asks everything that can change within seconds once more, just before a command is sent.
fn still_allowed(
    leadership: &Leadership,
    asking: &mut Asking<'_>,
    work: &BTreeMap<RunKey, Work>,
    intent: &Intent,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Note> {
    if !leadership.may_send() {
        let text = "the lease could run out before the command is answered";
        return Err(note("NotSent", text));
    }
    if now - intent.looked_at > READING_AGE_MAX {
        let text = "the last look at the machine is too long ago";
        return Err(note("NotSent", text));
    }
    asking.ask(work, &intent.run, &intent.machine, leadership.epoch(), now)
}

/// Sends a command. Returns what became of it, and why where it was not accepted.
async fn command(
    shell: &Shell,
    cloud: Option<&Cloud>,
    run: &Run,
    before: &Progress,
    intent: &Intent,
    until: DateTime<Utc>,
) -> (Progress, Option<Error>) {
    let now = shell.clock.now();
    let terms = &run.terms;
    let machine = terms.machines.get(&intent.machine);
    let (Some(machine), Some(cloud), Some(request)) = (machine, cloud, before.request.clone())
    else {
        return (
            unsent(before, now, "there is nothing to send it with"),
            None,
        );
    };
    let cloud = cloud.in_region(&machine.placement.region);
    if let Err(error) = cloud.has_room(&machine.id, intent.command, TimeDelta::zero()) {
        // Nothing is sent, so nothing is refused.
        let after = unsent(before, now, &error.to_string());
        return (throttled(after, &error, now), Some(error));
    }
    let another = RequestId(String::new());
    let request = planted::pick(Bug::AnotherRequestId, request, another);
    let sent = match intent.command {
        Command::Restart if machine.kind == MachineKind::ArcServer => {
            let order = RestartOrder {
                location: machine.placement.region.clone(),
                not_after: last_start(terms, until),
            };
            cloud.restart_by_script(&machine.id, &order, request).await
        }
        Command::Restart => cloud.restart(&machine.id, machine.kind, request).await,
        Command::Stage | Command::Finish => {
            let Some(maximum_duration) = maximum_duration(terms, until, now) else {
                return (unsent(before, now, "the window closes too soon"), None);
            };
            let order = InstallOrder {
                kbs: terms.kbs.iter().copied().collect(),
                may_reboot: intent.command == Command::Finish,
                exclude_rebooting: terms.action == Action::Hotpatch,
                published_until: terms.published_until,
                maximum_duration,
            };
            let sent = cloud.install(&machine.id, machine.kind, &order, request.clone());
            match sent.await {
                Err(error) if !error.is_sure_refusal() && planted::is(Bug::RetryOnTimeout) => {
                    cloud
                        .install(&machine.id, machine.kind, &order, request)
                        .await
                }
                sent => sent,
            }
        }
    };
    let error = sent.as_ref().err().cloned();
    (outcome(before, sent, shell.clock.now()), error)
}

/// Returns in one word what became of a command.
fn became(before: &Progress, after: &Progress) -> &'static str {
    match after.step {
        Step::Running => "accepted",
        Step::Unknown => "unknown",
        _ if after.refusals > before.refusals => "refused",
        _ => "withheld",
    }
}

/// Notes in a machine's place in the queue until when Azure lets nothing through: a process that
/// comes after this one obeys it too.
fn throttled(after: Progress, error: &Error, now: DateTime<Utc>) -> Progress {
    Progress {
        throttled_until: error.again_at(now),
        ..after
    }
}

fn outcome(before: &Progress, sent: Result<Operation, Error>, now: DateTime<Utc>) -> Progress {
    match sent {
        Ok(operation) => Progress {
            // What can be asked on later is kept; an end that came at once shows on the machine.
            operation: Some(operation)
                .filter(|own| !own.url.is_empty())
                .map(|own| Operation {
                    outcome: None,
                    ..own
                }),
            ..before.at(Step::Running, now, None, "the command was accepted")
        },
        Err(error) if error.is_sure_refusal() || planted::is(Bug::AmbiguousIsRefusal) => {
            throttled(refused(before, now, &error.to_string()), &error, now)
        }
        Err(error) => before.at(
            Step::Unknown,
            now,
            Some(StepReason::OutcomeUnknown),
            &error.to_string(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_is_remembered_in_the_run_until_azure_lets_through_again() {
        let now = DateTime::UNIX_EPOCH;
        let throttled = |until_seconds| Error::Throttled {
            until_seconds,
            what: "install".to_owned(),
        };
        let denied = Error::Denied {
            action: "a".to_owned(),
            message: "m".to_owned(),
        };
        // What Azure answers, and until when in seconds; never longer than an hour.
        let rows = [
            (throttled(420), Some(420)),
            (throttled(90_000), Some(3600)),
            (denied, None),
        ];
        let before = Progress::planned(now).at(Step::Starting, now, None, "");
        for (error, expected) in rows {
            let after = outcome(&before, Err(error), now);
            let until = after
                .throttled_until
                .map(|until| (until - now).num_seconds());
            assert_eq!((after.step, until), (Step::Planned, expected));
        }
    }
}
