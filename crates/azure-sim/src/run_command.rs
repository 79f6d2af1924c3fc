//! Runs scripts in guests, as far as the emulator knows them. Must never guess: a script it does
//! not know fails, so that no client builds on an answer nobody gave.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::effects::{Actor, RebootCause, What};
use crate::machine::Machine;
use crate::options::Minutes;
use crate::patches::PatchError;
use crate::world::{Event, World};

/// How long a script takes.
const TAKES: Minutes = Minutes(0, 1);
/// How often a script that found its machine unreachable is tried again.
const RETRY_AFTER: TimeDelta = TimeDelta::minutes(1);

/// A run command resource of a machine.
#[derive(Debug, Clone)]
pub(crate) struct RunCommand {
    pub(crate) name: String,
    pub(crate) order: Order,
    pub(crate) operation: String,
    pub(crate) by: Actor,
    pub(crate) created: DateTime<Utc>,
    pub(crate) expires: DateTime<Utc>,
    pub(crate) outcome: Option<ScriptOutcome>,
}

/// A script and what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) script: String,
    pub(crate) parameters: BTreeMap<String, String>,
}

/// What a guest does with a script.
struct Done {
    exit_code: i32,
    output: String,
    error: String,
    /// How long the guest waits before it restarts, if it is told to.
    restarts_in: Option<TimeDelta>,
}

/// How a script ended.
#[derive(Debug, Clone)]
pub(crate) struct ScriptOutcome {
    pub(crate) at: DateTime<Utc>,
    pub(crate) exit_code: i32,
    pub(crate) output: String,
    pub(crate) error: String,
}

impl World {
    /// Gives a machine a script to run under a name; the old one of that name goes.
    pub(crate) fn run_script(
        &mut self,
        key: &str,
        name: &str,
        order: Order,
        operation: &str,
        by: Actor,
    ) {
        let (now, takes) = (self.now, self.draw(key, TAKES));
        let minutes = self.options.timings.arc_queue_minutes;
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        let command = RunCommand {
            name: name.to_owned(),
            order,
            operation: operation.to_owned(),
            by,
            created: now,
            expires: now + TimeDelta::minutes(minutes.into()),
            outcome: None,
        };
        machine.run_commands.insert(name.to_lowercase(), command);
        self.schedule(now + takes, script_event(key, name, operation));
        self.touch(key);
    }

    /// Runs a script whose time has come, if its machine can be reached.
    pub(crate) fn script_due(&mut self, key: &str, name: &str, operation: &str) {
        let now = self.now;
        let Some(machine) = self.machines.get(key) else {
            return;
        };
        let found = machine.run_commands.get(name);
        let Some(command) = found.filter(|command| command.operation == operation) else {
            return;
        };
        let command = command.clone();
        if !machine.reachable() && now < command.expires {
            self.schedule(now + RETRY_AFTER, script_event(key, name, operation));
            return;
        }
        let reachable = machine.reachable();
        let done = match reachable {
            true => answer(machine, &command.order, now),
            false => timed_out(),
        };
        let outcome = ScriptOutcome {
            at: now,
            exit_code: done.exit_code,
            output: done.output,
            error: done.error,
        };
        if let Some(command) = self
            .machines
            .get_mut(key)
            .and_then(|machine| machine.run_commands.get_mut(name))
        {
            command.outcome = Some(outcome);
        }
        let failed = (!reachable).then(|| PatchError {
            code: "ExtensionOperationTimeout".to_owned(),
            message: "The machine's agent did not take up the operation in time.".to_owned(),
        });
        self.close_operation(operation, None, failed);
        let ended = What::ScriptEnded {
            by: command.by.clone(),
            restarts: done.restarts_in.is_some(),
        };
        self.effect(key, ended);
        if let Some(delay) = done.restarts_in {
            self.shut_down_in(key, delay, restart_cause(command.by));
        }
        self.touch(key);
    }

    /// Has a guest restart after a while, as `shutdown.exe /r /t` does: of two the first counts.
    fn shut_down_in(&mut self, key: &str, delay: TimeDelta, cause: RebootCause) {
        let at = self.now + delay;
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        if machine.guest.shuts_down_at.is_some() {
            return;
        }
        machine.guest.shuts_down_at = Some(at);
        let due = Event::ShutsDown {
            machine: key.to_owned(),
            cause,
        };
        self.schedule(at, due);
    }

    /// Restarts a guest whose time has come, unless it booted since.
    pub(crate) fn shut_down(&mut self, key: &str, cause: RebootCause) {
        let now = self.now;
        let machine = self.machines.get_mut(key);
        let due = machine.is_some_and(|machine| {
            let due = machine.guest.shuts_down_at == Some(now);
            if due {
                machine.guest.shuts_down_at = None;
            }
            due
        });
        if due {
            self.reboot_from_outside(key, cause);
        }
    }

    /// Ends what a run command had begun that is deleted.
    pub(crate) fn forget_script(&mut self, key: &str, command: &RunCommand) {
        if command.outcome.is_some() {
            return;
        }
        let cancelled = PatchError {
            code: "Canceled".to_owned(),
            message: "The run command was deleted.".to_owned(),
        };
        self.close_operation(&command.operation, None, Some(cancelled));
        let ended = What::ScriptEnded {
            by: command.by.clone(),
            restarts: false,
        };
        self.effect(key, ended);
    }
}

fn script_event(key: &str, name: &str, operation: &str) -> Event {
    Event::ScriptDue {
        machine: key.to_owned(),
        name: name.to_lowercase(),
        operation: operation.to_owned(),
    }
}

fn restart_cause(by: Actor) -> RebootCause {
    match by {
        Actor::Caller {
            name,
            client_request_id,
            operation_id,
        } => RebootCause::Restart {
            caller: name,
            operation_id,
            client_request_id,
        },
        _ => RebootCause::Guest,
    }
}

/// Gives how long a script that restarts its guest has it wait; none for any other script.
/// `shutdown.exe` waits for 30 seconds unless it is told otherwise.
fn restarts_in(script: &str) -> Option<TimeDelta> {
    let script = script.to_lowercase();
    if script.contains("restart-computer") {
        return Some(TimeDelta::zero());
    }
    let mut words = script.split_whitespace();
    words.find(|word| matches!(*word, "shutdown" | "shutdown.exe"))?;
    let words: Vec<&str> = words.collect();
    if !words.contains(&"/r") {
        return None;
    }
    let after = words.iter().position(|word| *word == "/t");
    let seconds = after.and_then(|at| words.get(at + 1)?.parse().ok());
    Some(TimeDelta::seconds(seconds.unwrap_or(30)))
}

fn timed_out() -> Done {
    said(1, "", "The agent could not be reached.")
}

fn said(exit_code: i32, output: &str, error: &str) -> Done {
    Done {
        exit_code,
        output: output.to_owned(),
        error: error.to_owned(),
        restarts_in: None,
    }
}

/// Answers the scripts the emulator knows, by a word each must hold.
fn answer(machine: &Machine, order: &Order, now: DateTime<Utc>) -> Done {
    let text = order.script.to_lowercase();
    let guest = &machine.guest;
    if let Some(delay) = restarts_in(&order.script) {
        return restart(machine, order, delay, now);
    }
    if text.contains("lastbootuptime") {
        let boot = guest.boot_time.to_rfc3339_opts(SecondsFormat::Secs, true);
        return said(0, &boot, "");
    }
    if text.contains("virtualizationbasedsecuritystatus") {
        return said(0, if guest.vbs { "2" } else { "0" }, "");
    }
    if text.contains("get-hotfix") {
        let kbs: Vec<String> = guest.installed.keys().map(|kb| format!("KB{kb}")).collect();
        return said(0, &kbs.join("\n"), "");
    }
    said(1, "", "The script is not known to this emulator.")
}

/// Obeys a script that restarts its guest. One that names `$NotAfter` looks at the clock first,
/// one that names `RebootRequired` at what waits for a reboot.
fn restart(machine: &Machine, order: &Order, delay: TimeDelta, now: DateTime<Utc>) -> Done {
    if order.script.contains("$NotAfter") {
        let end = order.parameters.get("NotAfter");
        let Some(end) = end.and_then(|text| text.parse::<DateTime<Utc>>().ok()) else {
            return said(1, "", "String was not recognized as a valid DateTime.");
        };
        if now > end {
            return said(3, "", "too late: the window is over");
        }
    }
    if order.script.contains("RebootRequired") && machine.guest.pending.is_empty() {
        return said(0, "no reboot is owed", "");
    }
    Done {
        restarts_in: Some(delay),
        ..said(0, "restarting", "")
    }
}
