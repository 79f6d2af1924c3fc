//! Answers polls of long-running operations (azure.md 6).

use serde_json::json;

use crate::http::Answer;
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::shapes::instant;
use crate::world::World;

/// Where an operation is polled.
pub(crate) struct Address<'a> {
    pub(crate) sub: &'a str,
    pub(crate) provider: &'a str,
    pub(crate) place: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) id: &'a str,
}

/// The two ways of polling.
enum Style {
    /// 202 until the end, then the result.
    Location,
    /// 200 with a status document.
    Status,
}

/// Answers a poll.
pub(crate) fn poll(world: &World, call: &Call, at: &Address) -> Answer {
    if call.method != "GET" {
        return Err(ArmError::method_not_allowed());
    }
    let monitor = call
        .query("monitor")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let style = match (at.provider, at.kind) {
        ("microsoft.compute", "operations") if monitor => Style::Location,
        ("microsoft.compute", "operations") => Style::Status,
        ("microsoft.hybridcompute", "updatecenteroperationresults" | "operationresults") => {
            Style::Location
        }
        ("microsoft.hybridcompute", "operationstatus")
        | ("microsoft.azurestackhci", "operationstatuses") => Style::Status,
        _ => {
            return Err(ArmError::not_found(
                "The requested resource does not exist.",
            ));
        }
    };
    let found = world.operations.get(at.id).filter(|operation| {
        operation.subscription == at.sub
            && operation.provider == at.provider
            && operation.location == at.place
    });
    let kept = chrono::TimeDelta::minutes(world.options.timings.operation_kept_minutes.into());
    let now = world.now;
    let Some(operation) = found.filter(|_| !call.bends.expired).filter(|found| {
        found
            .ended(now)
            .is_none_or(|outcome| now - outcome.at <= kept)
    }) else {
        return Err(ArmError::new(404, "NotFound")
            .saying(format!("The operation '{}' was not found.", at.id)));
    };
    let outcome = operation.ended(now).filter(|_| !call.bends.stuck);
    match (style, outcome) {
        (Style::Location, None) => {
            let address = format!("{}{}", call.origin, this_address(call, at));
            Ok(Reply::empty(202)
                .with("location", address)
                .with("retry-after", world.poll_after()))
        }
        (Style::Location, Some(outcome)) => match outcome.error {
            Some(error) => Err(ArmError::new(409, &error.code).saying(error.message)),
            None => Ok(outcome.body.map_or_else(|| Reply::empty(200), Reply::ok)),
        },
        (Style::Status, outcome) => {
            let mut body = json!({
                "startTime": instant(operation.started),
                "status": "InProgress",
                "name": operation.id,
            });
            if let Some(outcome) = outcome {
                body["endTime"] = json!(instant(outcome.at));
                body["status"] = json!("Succeeded");
                if let Some(result) = outcome.body {
                    body["properties"] = json!({"output": result});
                }
                if let Some(error) = outcome.error {
                    body["status"] = json!("Failed");
                    body["error"] = json!({"code": error.code, "message": error.message});
                }
            }
            Ok(Reply::ok(body).with("retry-after", world.poll_after()))
        }
    }
}

fn this_address(call: &Call, at: &Address) -> String {
    let version = call.api_version();
    let (provider, query) = match at.provider {
        "microsoft.compute" => ("Microsoft.Compute/locations", "monitor=true&"),
        _ => ("Microsoft.HybridCompute/locations", ""),
    };
    format!(
        "/subscriptions/{}/providers/{provider}/{}/{}/{}?{query}api-version={version}",
        at.sub,
        at.place,
        if at.kind == "operations" {
            "operations"
        } else {
            "updateCenterOperationResults"
        },
        at.id
    )
}
