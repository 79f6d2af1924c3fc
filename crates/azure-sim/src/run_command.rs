//! Runs scripts in guests, as far as the emulator knows them. Must never guess: a script it does
//! not know fails, so that no client builds on an answer nobody gave.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::effects::{Actor, RebootCause};
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
    pub(crate) script: String,
    pub(crate) operation: String,
    pub(crate) by: Actor,
    pub(crate) created: DateTime<Utc>,
    pub(crate) expires: DateTime<Utc>,
    pub(crate) outcome: Option<ScriptOutcome>,
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
        script: String,
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
            script,
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
        let (exit_code, output, error) = if reachable {
            answer(machine, &command.script)
        } else {
            timed_out()
        };
        let outcome = ScriptOutcome {
            at: now,
            exit_code,
            output,
            error,
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
        if reachable && restarts(&command.script) {
            self.reboot_from_outside(key, restart_cause(command.by));
        }
        self.touch(key);
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

fn restarts(script: &str) -> bool {
    let script = script.to_lowercase();
    script.contains("restart-computer") || script.contains("shutdown /r")
}

fn timed_out() -> (i32, String, String) {
    (
        1,
        String::new(),
        "The agent could not be reached.".to_owned(),
    )
}

/// Answers the scripts the emulator knows, by a word each must hold.
fn answer(machine: &Machine, script: &str) -> (i32, String, String) {
    let text = script.to_lowercase();
    let guest = &machine.guest;
    let output = if restarts(script) {
        String::new()
    } else if text.contains("lastbootuptime") {
        guest.boot_time.to_rfc3339_opts(SecondsFormat::Secs, true)
    } else if text.contains("virtualizationbasedsecuritystatus") {
        if guest.vbs {
            "2".to_owned()
        } else {
            "0".to_owned()
        }
    } else if text.contains("get-hotfix") {
        let kbs: Vec<String> = guest.installed.keys().map(|kb| format!("KB{kb}")).collect();
        kbs.join("\n")
    } else {
        return (
            1,
            String::new(),
            "The script is not known to this emulator.".to_owned(),
        );
    };
    (0, output, String::new())
}
