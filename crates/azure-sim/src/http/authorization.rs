//! Answers what a caller may do (Microsoft.Authorization, api-version 2022-04-01).

use serde_json::json;

use crate::http::Answer;
use crate::http::entra::denied;
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::world::World;

/// The right to be told.
const OWN: &str = "microsoft.authorization/permissions/read";

/// Lists the permissions of the caller in a subscription: everything but what is withheld.
pub(crate) fn permissions(world: &World, call: &Call, sub: &str) -> Answer {
    if call.method != "GET" {
        return Err(ArmError::method_not_allowed());
    }
    if world.withheld.contains(OWN) {
        let scope = format!("/subscriptions/{sub}");
        return Err(denied(&call.caller, OWN, &scope));
    }
    let value = json!([{"actions": ["*"], "notActions": world.withheld}]);
    Ok(Reply::ok(json!({"value": value})))
}
