//! Answers what is asked of Azure VMs (Microsoft.Compute, azure.md 1).

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::effects::CallOperation;
use crate::http::activity::{accepted, name};
use crate::http::operate::{self, timed_operation, with_poll_headers};
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::http::{Answer, settings, tags};
use crate::world::World;

/// How long a VM shows Updating after a PATCH.
const UPDATE_TAKES: TimeDelta = TimeDelta::seconds(20);
/// Properties a PATCH may name that this emulator keeps no account of are refused, so that no
/// client believes to have changed what it has not.
const KNOWN_PROPERTIES: [&str; 1] = ["osProfile"];

/// Lists the VMs of a subscription, or of one of its resource groups.
pub(crate) fn list(world: &mut World, call: &Call, sub: &str, group: Option<&str>) -> Answer {
    if call.method != "GET" {
        return Err(ArmError::method_not_allowed());
    }
    let with_views = call
        .query("statusonly")
        .is_some_and(|only| only.eq_ignore_ascii_case("true"));
    let rows: Vec<Value> = world
        .machines
        .values()
        .filter(|machine| machine.vm().is_some())
        .filter(|machine| machine.subscription.eq_ignore_ascii_case(sub))
        .filter(|machine| group.is_none_or(|own| machine.resource_group.eq_ignore_ascii_case(own)))
        .map(|machine| {
            let mut row = crate::shapes::vm::model(machine, world.now);
            if with_views {
                row["properties"]["instanceView"] =
                    crate::shapes::instance_view::instance_view(machine, world.now);
            }
            row
        })
        .collect();
    Ok(Reply::ok(json!({"value": rows})))
}

/// Routes what is addressed to one VM.
pub(crate) fn route(world: &mut World, call: &mut Call, key: &str, rest: &[&str]) -> Answer {
    let method = call.method.clone();
    match (method.as_str(), rest) {
        ("GET", []) => Ok(get(world, call, key)),
        ("PATCH", []) => patch(world, call, key),
        ("GET", ["instanceview"]) => Ok(Reply::ok(view(world, key))),
        ("POST", ["assesspatches"]) => operate::assess(world, call, key),
        ("POST", ["installpatches"]) => operate::install(world, call, key),
        ("POST", ["restart"]) => operate::restart(world, call, key),
        (_, [] | ["instanceview" | "assesspatches" | "installpatches" | "restart"]) => {
            Err(ArmError::method_not_allowed())
        }
        _ => Err(ArmError::not_found(
            "The requested resource does not exist.",
        )),
    }
}

fn view(world: &World, key: &str) -> Value {
    let machine = world.machines.get(key);
    machine.map_or(Value::Null, |found| {
        crate::shapes::instance_view::instance_view(found, world.now)
    })
}

fn model(world: &World, key: &str) -> Value {
    let machine = world.machines.get(key);
    machine.map_or(Value::Null, |found| {
        crate::shapes::vm::model(found, world.now)
    })
}

fn get(world: &World, call: &Call, key: &str) -> Reply {
    let mut body = model(world, key);
    let expand = call.query("$expand").unwrap_or_default();
    if expand
        .split(',')
        .any(|part| part.trim().eq_ignore_ascii_case("instanceView"))
    {
        body["properties"]["instanceView"] = view(world, key);
    }
    let etag = world
        .machines
        .get(key)
        .map(crate::machine::Machine::etag)
        .unwrap_or_default();
    Reply::ok(body).with("etag", etag)
}

fn patch(world: &mut World, call: &mut Call, key: &str) -> Answer {
    call.acts(CallOperation::Update, name(false, CallOperation::Update));
    let body = call.json()?;
    let Some(machine) = world.machines.get(key) else {
        return Err(ArmError::machine_not_found(key));
    };
    if let Some(wanted) = &call.if_match
        && wanted != "*"
        && wanted.trim_matches('"') != machine.etag().trim_matches('"')
    {
        return Err(ArmError::new(412, "PreconditionFailed")
            .saying("The resource has changed since the given etag."));
    }
    let wanted = read_settings(&body)?;
    if let (Some(wanted), Some(vm)) = (&wanted, machine.vm()) {
        settings::check_words(wanted)?;
        let mut after = machine.settings.clone();
        settings::merge(&mut after, wanted);
        settings::check_vm(vm, &machine.settings, &after)?;
    }
    let new_tags = tags::read(&body["tags"])?;
    let id = timed_operation(world, call, key, "microsoft.compute", UPDATE_TAKES);
    accepted(world, call, Some(&id));
    let until = world.now + UPDATE_TAKES;
    if let Some(machine) = world.machines.get_mut(key) {
        machine.updating_until = Some(until);
        machine.revision += 1;
    }
    if let Some(wanted) = wanted {
        let by = call.actor(&id);
        world.write_settings(key, by, |found| settings::merge(found, &wanted));
    }
    if let Some(new_tags) = new_tags {
        tags::write(world, call.actor(&id), key, new_tags);
    }
    world.touch(key);
    let reply = Reply::ok(model(world, key));
    Ok(with_poll_headers(reply, world, call, &id))
}

/// Finds `patchSettings` in the body of a PATCH and refuses what is not modelled.
fn read_settings(body: &Value) -> Result<Option<Value>, ArmError> {
    let Some(properties) = body["properties"].as_object() else {
        return Ok(None);
    };
    if let Some(name) = properties
        .keys()
        .find(|name| !KNOWN_PROPERTIES.contains(&name.as_str()))
    {
        return Err(ArmError::new(409, "PropertyChangeNotAllowed")
            .saying(format!("Changing property '{name}' is not allowed."))
            .at(name.as_str()));
    }
    let windows = &body["properties"]["osProfile"]["windowsConfiguration"];
    for name in ["enableAutomaticUpdates", "provisionVMAgent"] {
        if !windows[name].is_null() {
            let target = format!("windowsConfiguration.{name}");
            return Err(ArmError::new(409, "PropertyChangeNotAllowed")
                .saying(format!("Changing property '{target}' is not allowed."))
                .at(target));
        }
    }
    let found = &windows["patchSettings"];
    Ok((!found.is_null()).then(|| found.clone()))
}
