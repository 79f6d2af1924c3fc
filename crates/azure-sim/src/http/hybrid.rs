//! Answers what is asked of Arc-enabled servers (Microsoft.HybridCompute, azure.md 2).

use serde_json::{Value, json};

use crate::effects::CallOperation;
use crate::http::activity::{accepted, name};
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::http::{Answer, licence, operate, settings, tags};
use crate::world::World;

/// Lists the machines of a subscription, or of one of its resource groups.
pub(crate) fn list(world: &mut World, call: &Call, sub: &str, group: Option<&str>) -> Answer {
    if call.method != "GET" {
        return Err(ArmError::method_not_allowed());
    }
    let rows: Vec<Value> = world
        .machines
        .values()
        .filter(|machine| machine.arc().is_some())
        .filter(|machine| machine.subscription.eq_ignore_ascii_case(sub))
        .filter(|machine| group.is_none_or(|own| machine.resource_group.eq_ignore_ascii_case(own)))
        .map(|machine| crate::shapes::arc::machine(machine, world.now))
        .collect();
    Ok(Reply::ok(json!({"value": rows})))
}

/// Routes what is addressed to one machine. There is no restart (azure.md 2).
pub(crate) fn route(world: &mut World, call: &mut Call, key: &str, rest: &[&str]) -> Answer {
    let method = call.method.clone();
    match (method.as_str(), rest) {
        ("GET", []) => Ok(Reply::ok(model(world, key))),
        ("PATCH", []) => patch(world, call, key),
        ("POST", ["assesspatches"]) => operate::assess(world, call, key),
        ("POST", ["installpatches"]) => operate::install(world, call, key),
        ("GET", ["licenseprofiles"]) => Ok(licence::list(world, key)),
        (_, ["licenseprofiles"]) => Err(ArmError::method_not_allowed()),
        (_, ["licenseprofiles", "default"]) => licence::route(world, call, key),
        (_, [] | ["assesspatches" | "installpatches"]) => Err(ArmError::method_not_allowed()),
        _ => Err(ArmError::not_found(
            "The requested resource does not exist.",
        )),
    }
}

fn model(world: &World, key: &str) -> Value {
    let machine = world.machines.get(key);
    machine.map_or(Value::Null, |found| {
        crate::shapes::arc::machine(found, world.now)
    })
}

/// A PATCH of a machine is answered at once, with no operation to poll and no etag.
fn patch(world: &mut World, call: &mut Call, key: &str) -> Answer {
    call.acts(CallOperation::Update, name(true, CallOperation::Update));
    let body = call.json()?;
    let os = &body["properties"]["osProfile"];
    let wanted = os["windowsConfiguration"]["patchSettings"].clone();
    settings::check_words(&wanted)?;
    let new_tags = tags::read(&body["tags"])?;
    accepted(world, call, None);
    let by = call.actor(&call.request_id);
    if wanted.is_object() {
        world.write_settings(key, by.clone(), |found| settings::merge(found, &wanted));
    }
    if let Some(new_tags) = new_tags {
        tags::write(world, by, key, new_tags);
    }
    Ok(Reply::ok(model(world, key)))
}
