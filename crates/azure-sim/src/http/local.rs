//! Answers what is asked of Azure Local VMs (Microsoft.AzureStackHCI, azure.md 3).

use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::http::{Answer, operate};
use crate::world::World;

/// Routes `virtualMachineInstances/default` of a machine.
pub(crate) fn route(world: &mut World, call: &mut Call, key: &str, rest: &[&str]) -> Answer {
    let local = world
        .machines
        .get(key)
        .is_some_and(|machine| machine.local().is_some());
    if !local {
        return Err(ArmError::new(404, "ResourceNotFound")
            .saying("The resource 'virtualMachineInstances/default' was not found."));
    }
    let method = call.method.clone();
    match (method.as_str(), rest) {
        ("GET", []) => {
            let machine = world.machines.get(key);
            let body = machine.map(crate::shapes::local::instance);
            Ok(Reply::ok(body.unwrap_or_default()))
        }
        ("POST", ["restart"]) => operate::restart(world, call, key),
        (_, [] | ["restart"]) => Err(ArmError::method_not_allowed()),
        _ => Err(ArmError::not_found(
            "The requested resource does not exist.",
        )),
    }
}
