//! Named run commands of Arc servers, and the one that restarts its guest.
//!
//! The script is a constant and its name comes from the request id, so that a PUT which arrives
//! twice is one resource. What a second PUT of that name does is not documented (azure.md §2):
//! the script itself restarts only a guest that owes a reboot, and none after the window. Must
//! never run a text that anybody wrote into an object, and never send a PUT again.

use chrono::{DateTime, SecondsFormat, Utc};
use http::Method;

use super::act::{path, segment};
use super::arm::{Arm, RETRY_AFTER_SECONDS_DEFAULT, Reply};
use super::error::{Error, bounded};
use super::evidence;
use super::port::{LogEvidence, Operation, OperationState, Outcome, PollStyle};
use super::read_as::{instant, is, some};
use super::wire::API_HYBRID_SCRIPTS;
use super::wire::run_command::{
    Parameter, RunCommand, RunCommandProperties, RunCommandView, ScriptSource,
};
use crate::domain::command::{RequestId, RestartOrder};
use crate::domain::machine::{InstallStatus, MachineId, RebootStatus};

/// The script. It does nothing after the instant that it is given, and nothing to a guest of which
/// Windows Update says that it owes no reboot (`ISystemInformation::RebootRequired`), so that
/// late or twice is as harmless as never. 1190 says that a shutdown is scheduled already.
pub const RESTART_SCRIPT: &str = "\
param([string]$NotAfter)
$ErrorActionPreference = 'Stop'
$end = [datetimeoffset]::Parse($NotAfter, [cultureinfo]::InvariantCulture)
if ([datetimeoffset]::UtcNow -gt $end) {
  [Console]::Error.WriteLine('too late: the window is over')
  exit 3
}
if (-not (New-Object -ComObject Microsoft.Update.SystemInfo).RebootRequired) {
  'no reboot is owed'
  exit 0
}
shutdown.exe /r /t 60 /d p:2:17 /c 'hotpatch-operator'
if ($LASTEXITCODE -notin 0, 1190) { exit $LASTEXITCODE }
'restarting'
";

/// How long a script may take, in seconds: it asks one question and starts one program.
const SCRIPT_SECONDS_MAX: i64 = 300;

/// Where a run command is.
pub(super) struct Place {
    path: String,
    version: &'static str,
}

/// Names a run command of a machine; the version is that of its service.
pub(super) fn named(
    what: &str,
    machine: &MachineId,
    name: &str,
    version: &'static str,
) -> Result<Place, Error> {
    let machine = path(what, machine)?;
    let path = format!("{machine}/runCommands/{}", segment(what, name)?);
    Ok(Place { path, version })
}

/// Returns where a run command shows how its script fares.
pub(super) fn view_of(arm: &Arm, what: &str, place: &Place) -> Result<String, Error> {
    let Place { path, version } = place;
    let path = format!("{path}?$expand=instanceView&api-version={version}");
    Ok(arm.endpoint.at(what, &path)?.to_string())
}

/// Makes a run command, which runs its script: sent once. Its end shows on it.
pub(super) async fn put(
    arm: &Arm,
    what: &str,
    place: &Place,
    body: &RunCommand,
    request: &RequestId,
) -> Result<(), Error> {
    let body = serde_json::to_value(body).map_err(|error| Error::Invalid {
        what: what.to_owned(),
        code: "InvalidOrder".to_owned(),
        target: None,
        message: error.to_string(),
    })?;
    let Place { path, version } = place;
    let path = format!("{path}?api-version={version}");
    arm.command(what, Method::PUT, &path, request, Some(&body))
        .await
        .map(drop)
}

/// Writes the body of a run command.
pub(super) fn order(location: &str, script: &str, parameters: Vec<Parameter>) -> RunCommand {
    RunCommand {
        location: Some(location.to_owned()),
        properties: Some(RunCommandProperties {
            source: Some(ScriptSource {
                script: Some(script.to_owned()),
            }),
            parameters: Some(parameters).filter(|own| !own.is_empty()),
            async_execution: Some(false),
            timeout_in_seconds: Some(SCRIPT_SECONDS_MAX),
            ..RunCommandProperties::default()
        }),
    }
}

/// Deletes a run command; one that is gone already is as good.
pub(super) async fn delete(arm: &Arm, what: &str, place: &Place) -> Result<(), Error> {
    let Place { path, version } = place;
    arm.delete(what, &format!("{path}?api-version={version}"))
        .await
}

/// Writes the path of the run command that a request makes.
fn place(what: &str, machine: &MachineId, request: &RequestId) -> Result<Place, Error> {
    let name = format!("hotpatch-restart-{}", request.0);
    named(what, machine, &name, API_HYBRID_SCRIPTS)
}

/// Returns the run command of a request as an operation that can be asked after.
fn operation(
    arm: &Arm,
    what: &str,
    machine: &MachineId,
    request: &RequestId,
) -> Result<Operation, Error> {
    let url = view_of(arm, what, &place(what, machine, request)?)?;
    Ok(Operation::resume(url, PollStyle::RunCommand))
}

/// Sends a restart, once.
pub(super) async fn restart(
    arm: &Arm,
    machine: &MachineId,
    order: &RestartOrder,
    request: &RequestId,
) -> Result<Operation, Error> {
    let what = format!("restart of {machine}");
    let operation = operation(arm, &what, machine, request)?;
    let until = Parameter {
        name: "NotAfter".to_owned(),
        value: order.not_after.to_rfc3339_opts(SecondsFormat::Secs, true),
    };
    let body = self::order(&order.location, RESTART_SCRIPT, vec![until]);
    let place = place(&what, machine, request)?;
    put(arm, &what, &place, &body, request).await?;
    Ok(operation)
}

/// Judges the answer to the question how a run command fares.
pub(super) fn state(arm: &Arm, what: &str, reply: &Reply) -> Result<OperationState, Error> {
    match reply.status.as_u16() {
        404 | 410 => Ok(OperationState::Gone),
        200..=299 => {
            let found: RunCommand = reply.json(what)?;
            let properties = found.properties.unwrap_or_default();
            Ok(ended(&properties).map_or_else(
                || OperationState::Running {
                    again_seconds: reply.retry_after().unwrap_or(RETRY_AFTER_SECONDS_DEFAULT),
                },
                OperationState::Ended,
            ))
        }
        _ => Err(arm.refused_read(what, reply)),
    }
}

/// Returns how a run command ended; none while it runs. The resource may have been made well and
/// its script have failed: the script's own state counts, and ARM's only where there is none.
pub(super) fn ended(properties: &RunCommandProperties) -> Option<Outcome> {
    let none = RunCommandView::default();
    let view = properties.instance_view.as_ref().unwrap_or(&none);
    let state = view.execution_state.as_deref();
    let made = properties.provisioning_state.as_deref();
    let status = if is(state, "Succeeded") {
        InstallStatus::Succeeded
    } else if ["Failed", "TimedOut", "Canceled"]
        .iter()
        .any(|word| is(state, word))
        || is(made, "Failed")
        || is(made, "Canceled")
    {
        InstallStatus::Failed
    } else {
        return None;
    };
    let error = (status == InstallStatus::Failed).then(|| {
        let word =
            some(view.execution_state.as_ref()).or(some(properties.provisioning_state.as_ref()));
        let code = view.exit_code.map(|code| format!(" with exit code {code}"));
        let said = [&view.error, &view.execution_message, &view.output];
        let said = said.into_iter().find_map(|text| some(text.as_ref()));
        bounded(&format!(
            "the script ended as {}{}: {}",
            word.unwrap_or("Failed"),
            code.unwrap_or_default(),
            said.map_or("it says nothing", str::trim),
        ))
    });
    Some(Outcome {
        status,
        reboot: RebootStatus::Unknown,
        installed: Vec::new(),
        failed: Vec::new(),
        activity: None,
        window_exceeded: false,
        error,
    })
}

/// Looks for a restart that was sent and not answered: first for the run command itself, which is
/// there from the moment in which Azure takes it on, then for the call in the Activity Log, which
/// also shows a refusal.
pub(super) async fn evidence(
    arm: &Arm,
    machine: &MachineId,
    request: &RequestId,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<LogEvidence, Error> {
    let what = format!("the run command on {machine}");
    let operation = operation(arm, &what, machine, request)?;
    let reply = arm.poll(&what, &operation.url).await?;
    match reply.status.as_u16() {
        200..=299 => {
            let found: RunCommand = reply.json(&what)?;
            let view = found.properties.and_then(|own| own.instance_view);
            let began = view.and_then(|view| some(view.start_time.as_ref()).and_then(instant));
            Ok(LogEvidence::Accepted {
                at: began.unwrap_or(since),
                operation: Some(operation),
            })
        }
        404 | 410 => {
            let place = place(&what, machine, request)?;
            evidence::of_resource(arm, machine, &place.path, request, since, now).await
        }
        _ => Err(arm.refused_read(&what, &reply)),
    }
}

/// Deletes the run command that a request made; one that is gone already is as good.
pub(super) async fn clear(
    arm: &Arm,
    machine: &MachineId,
    request: &RequestId,
) -> Result<(), Error> {
    let what = format!("the deletion of the run command on {machine}");
    delete(arm, &what, &place(&what, machine, request)?).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]

    use serde_json::{Value, json};

    use super::*;
    use crate::domain::command::RESTART_NOTICE;

    #[test]
    fn the_script_gives_the_notice_that_the_domain_counts_with() {
        let notice = format!("shutdown.exe /r /t {} ", RESTART_NOTICE.num_seconds());
        assert!(RESTART_SCRIPT.contains(&notice));
        assert!(RESTART_SCRIPT.contains("RebootRequired"));
        assert!(!RESTART_SCRIPT.contains("/f"), "nothing is forced to close");
    }

    /// How a script ended, and a part of what is said of it.
    type End = (InstallStatus, Option<&'static str>);

    #[test]
    fn the_end_of_a_script_is_told_by_its_own_state() {
        let view = |state: &str| {
            json!({"provisioningState": "Succeeded",
            "instanceView": {"executionState": state, "exitCode": 3, "error": "too late\n"}})
        };
        let rows: [(Value, Option<End>); 8] = [
            (json!({"provisioningState": "Creating"}), None),
            (json!({"provisioningState": "Succeeded"}), None),
            (view("Pending"), None),
            (view("Running"), None),
            (view("Succeeded"), Some((InstallStatus::Succeeded, None))),
            (
                view("Failed"),
                Some((
                    InstallStatus::Failed,
                    Some("ended as Failed with exit code 3: too late"),
                )),
            ),
            (
                view("TimedOut"),
                Some((InstallStatus::Failed, Some("ended as TimedOut"))),
            ),
            (
                json!({"provisioningState": "Failed"}),
                Some((
                    InstallStatus::Failed,
                    Some("ended as Failed: it says nothing"),
                )),
            ),
        ];
        for (properties, wanted) in rows {
            let text = properties.to_string();
            let found = ended(&serde_json::from_value(properties).unwrap());
            let status = found.as_ref().map(|own| own.status);
            assert_eq!(status, wanted.map(|own| own.0), "{text}");
            if let Some(part) = wanted.and_then(|own| own.1) {
                let error = found.unwrap().error.unwrap();
                assert!(error.contains(part), "{text}: {error}");
            }
        }
    }
}
