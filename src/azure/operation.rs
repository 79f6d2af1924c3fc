//! Long-running operations: where a command leads, and how it stands (azure.md §6).

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::arm::{Arm, RETRY_AFTER_SECONDS_DEFAULT, Reply};
use super::error::{Error, bounded};
use super::port::{Operation, OperationState, Outcome, PollStyle};
use super::read_as::{install_status, is, kb, reboot_status, some};
use super::run_command;
use super::wire::error::{ApiError, Envelope};
use super::wire::vm::PatchResult;
use crate::domain::machine::{InstallStatus, RebootStatus};
use crate::domain::release::Kb;

/// The body behind `Azure-AsyncOperation`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AsyncBody {
    status: Option<String>,
    error: Option<ApiError>,
    properties: Option<Value>,
}

/// Reads where an accepted command leads.
///
/// `Location` comes first where both are given: it ends with the result itself (Compute,
/// HybridCompute: final-state-via location), the other only with how it went.
///
/// # Errors
/// [`Error::Malformed`] where it leads off the endpoint; [`Error::Ambiguous`] where it leads
/// nowhere: it was accepted, and nobody can say what comes of it.
pub(super) fn accepted(arm: &Arm, what: &str, reply: &Reply) -> Result<Operation, Error> {
    let headers = [
        ("location", PollStyle::Location),
        ("azure-asyncoperation", PollStyle::AsyncOperation),
    ];
    let is_over = reply.status == StatusCode::OK || reply.status == StatusCode::NO_CONTENT;
    for (name, style) in headers {
        // A 200 is the end, whatever address came with it, unless the operation goes on there.
        if is_over && style == PollStyle::Location {
            continue;
        }
        if let Some(url) = reply.header(name) {
            arm.endpoint.follow(what, url)?;
            return Ok(Operation::resume(url, style));
        }
    }
    if is_over {
        let outcome = outcome(what, &reply.body)?;
        let url = String::new();
        return Ok(Operation {
            url,
            style: PollStyle::Immediate,
            outcome: Some(outcome),
        });
    }
    let why = format!("{} and no address to ask", reply.status.as_u16());
    Err(Error::Ambiguous {
        what: what.to_owned(),
        why,
    })
}

/// Asks how an operation stands.
pub(super) async fn state(arm: &Arm, operation: &Operation) -> Result<OperationState, Error> {
    let what = "the state of an operation";
    if let Some(outcome) = &operation.outcome {
        return Ok(OperationState::Ended(outcome.clone()));
    }
    if operation.style == PollStyle::Immediate {
        return Ok(OperationState::Gone);
    }
    let reply = arm.poll(what, &operation.url).await?;
    if operation.style == PollStyle::RunCommand {
        return run_command::state(arm, what, &reply);
    }
    let running = OperationState::Running {
        again_seconds: reply.retry_after().unwrap_or(RETRY_AFTER_SECONDS_DEFAULT),
    };
    match (reply.status.as_u16(), operation.style) {
        (404 | 410, _) => Ok(OperationState::Gone),
        (202, PollStyle::Location) => Ok(running),
        (200..=299, PollStyle::Location) => {
            let outcome = outcome(what, &reply.body)?;
            // A result that is under way is none yet, whatever the status says.
            Ok(match outcome.status {
                InstallStatus::InProgress => running,
                _ => OperationState::Ended(outcome),
            })
        }
        (200..=299, _) => {
            let body: AsyncBody = reply.json(what)?;
            Ok(by_status(what, &body)?.map_or(running, OperationState::Ended))
        }
        // Behind a Location the operation's own failure comes as a status: nothing else about
        // this request can be wrong or in conflict.
        (400 | 409 | 412, PollStyle::Location) => {
            let Envelope { code, message, .. } = arm.envelope(&reply);
            Ok(OperationState::Ended(failed(Some(bounded(&format!(
                "{code}: {message}"
            ))))))
        }
        _ => Err(arm.refused_read(what, &reply)),
    }
}

fn failed(error: Option<String>) -> Outcome {
    Outcome {
        status: InstallStatus::Failed,
        reboot: RebootStatus::Unknown,
        installed: Vec::new(),
        failed: Vec::new(),
        activity: None,
        window_exceeded: false,
        error,
    }
}

/// Judges an `Azure-AsyncOperation` body; none while the operation runs. Every word but the
/// three final ones means that it does.
fn by_status(what: &str, body: &AsyncBody) -> Result<Option<Outcome>, Error> {
    let status = body.status.as_deref();
    let error = body.error.as_ref().and_then(ApiError::line);
    if is(status, "Failed") || is(status, "Canceled") {
        let line = error.or_else(|| status.map(str::to_owned));
        return Ok(Some(failed(line)));
    }
    if !is(status, "Succeeded") {
        if status.is_none_or(|word| word.trim().is_empty()) {
            return Err(Error::malformed(what, "it has no status"));
        }
        return Ok(None);
    }
    let properties = body.properties.as_ref();
    let result = properties.and_then(|p| p.get("output")).or(properties);
    let Some(result) = result.filter(|value| value.get("status").is_some()) else {
        return Ok(Some(Outcome {
            status: InstallStatus::Succeeded,
            error,
            ..failed(None)
        }));
    };
    let result = PatchResult::deserialize(result)
        .map_err(|error| Error::malformed(what, format!("its result: {error}")))?;
    Ok(Some(told(&result)))
}

/// Reads the result body of a command. Without one (a restart) it succeeded and tells nothing
/// more.
fn outcome(what: &str, body: &[u8]) -> Result<Outcome, Error> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Outcome {
            status: InstallStatus::Succeeded,
            ..failed(None)
        });
    }
    let result: PatchResult = serde_json::from_slice(body)
        .map_err(|error| Error::malformed(what, format!("its result: {error}")))?;
    if result.status.is_none() {
        // The resource itself, as a restart on Azure Local answers, or null.
        let error = result.error.as_ref().and_then(ApiError::line);
        let ended = if error.is_some() {
            InstallStatus::Failed
        } else {
            InstallStatus::Succeeded
        };
        return Ok(Outcome {
            status: ended,
            error,
            ..failed(None)
        });
    }
    Ok(told(&result))
}

/// Reads an install's or an assessment's result. An error inside a 200 is an error.
fn told(result: &PatchResult) -> Outcome {
    let of_state = |word: &str| -> Vec<Kb> {
        let patches = result.patches.as_deref().unwrap_or_default();
        let mut kbs: Vec<Kb> = patches
            .iter()
            .filter(|patch| is(patch.installation_state.as_deref(), word))
            .filter_map(|patch| some(patch.kb_id.as_ref()).and_then(kb))
            .collect();
        kbs.sort_unstable();
        kbs.dedup();
        kbs
    };
    let errors = [&result.error, &result.error_details];
    let activity = some(result.installation_activity_id.as_ref())
        .or(some(result.assessment_activity_id.as_ref()));
    Outcome {
        status: install_status(result.status.as_deref()),
        reboot: reboot_status(result.reboot_status.as_deref()),
        installed: of_state("Installed"),
        failed: of_state("Failed"),
        activity: activity.map(str::to_owned),
        window_exceeded: result.maintenance_window_exceeded.unwrap_or(false),
        error: errors.into_iter().flatten().find_map(ApiError::line),
    }
}
