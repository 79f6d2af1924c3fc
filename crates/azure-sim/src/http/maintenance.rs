//! Answers what is asked of Microsoft.Maintenance (azure.md 5, api-version 2023-04-01): the
//! configurations of a resource group, and their assignments to machines and by filters. What comes
//! due is run in `schedules`.

use serde_json::{Value, json};

use crate::http::Answer;
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::machine::Machine;
use crate::shapes::maintenance::assignment;
use crate::world::World;

/// Routes what is addressed to a subscription or resource group.
pub(crate) fn route(world: &mut World, call: &Call, path: &[&str]) -> Answer {
    match path {
        [
            "subscriptions",
            sub,
            "providers",
            _,
            "maintenanceconfigurations",
        ] => list(world, call, &format!("/subscriptions/{sub}/")),
        [
            "subscriptions",
            sub,
            "resourcegroups",
            group,
            "providers",
            _,
            "maintenanceconfigurations",
        ] => list(
            world,
            call,
            &format!("/subscriptions/{sub}/resourcegroups/{group}/"),
        ),
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            _,
            "maintenanceconfigurations",
            _,
        ] => configuration(world, call),
        [
            "subscriptions",
            sub,
            "providers",
            _,
            "configurationassignments",
        ] => {
            let own = |machine: &&Machine| machine.subscription.eq_ignore_ascii_case(sub);
            let found = world.machines.values().filter(own).flat_map(of_machine);
            only_get(call)?;
            Ok(Reply::ok(json!({"value": found.collect::<Vec<Value>>()})))
        }
        [
            "subscriptions",
            _,
            "providers",
            _,
            "configurationassignments",
            _,
        ]
        | [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            _,
            "configurationassignments",
            _,
        ] => scope(world, call),
        _ => Err(ArmError::not_found("The resource type could not be found.")),
    }
}

/// Answers what is asked of one dynamic scope.
fn scope(world: &mut World, call: &Call) -> Answer {
    let key = format!("/{}", call.segments.join("/"));
    match call.method.as_str() {
        "GET" => {
            let found = world.scopes.get(&key).cloned();
            found.map(Reply::ok).ok_or_else(|| missing(call))
        }
        "PUT" => {
            let body = call.json()?;
            if !body["properties"]["maintenanceConfigurationId"].is_string() {
                return Err(names_no_configuration());
            }
            let id = format!("/{}", call.spelled.join("/"));
            let mut reply = Reply::empty(if world.scopes.contains_key(&key) {
                200
            } else {
                201
            });
            reply.body = Some(world.put_scope(&id, &body["properties"]));
            Ok(reply)
        }
        "DELETE" => {
            world.graph.changed();
            let gone = world.scopes.remove(&key);
            Ok(Reply::empty(if gone.is_some() { 200 } else { 204 }))
        }
        _ => Err(ArmError::method_not_allowed()),
    }
}

fn names_no_configuration() -> ArmError {
    ArmError::new(400, "InvalidRequest")
        .saying("The assignment names no configuration.")
        .at("properties.maintenanceConfigurationId")
}

fn only_get(call: &Call) -> Result<(), ArmError> {
    if call.method == "GET" {
        Ok(())
    } else {
        Err(ArmError::method_not_allowed())
    }
}

fn list(world: &World, call: &Call, below: &str) -> Answer {
    only_get(call)?;
    let found = world.maintenance.iter();
    let found = found.filter(|(key, _)| key.starts_with(below));
    let found: Vec<&Value> = found.map(|(_, body)| body).collect();
    Ok(Reply::ok(json!({"value": found})))
}

/// Answers what is asked of one configuration.
fn configuration(world: &mut World, call: &Call) -> Answer {
    let key = format!("/{}", call.segments.join("/"));
    match call.method.as_str() {
        "GET" => {
            let found = world.maintenance.get(&key).cloned();
            found.map(Reply::ok).ok_or_else(|| missing(call))
        }
        "PUT" => {
            let body = call.json()?;
            let scope = &body["properties"]["maintenanceScope"];
            let mode = &body["properties"]["extensionProperties"]["InGuestPatchMode"];
            if scope == "InGuestPatch" && mode != "User" && mode != "Platform" {
                return Err(ArmError::new(400, "InvalidRequest")
                    .saying("The scope InGuestPatch needs extensionProperties.InGuestPatchMode.")
                    .at("properties.extensionProperties.InGuestPatchMode"));
            }
            let made = !world.maintenance.contains_key(&key);
            let id = format!("/{}", call.spelled.join("/"));
            let mut reply = Reply::ok(world.put_schedule(&id, &body));
            reply.status = if made { 201 } else { 200 };
            Ok(reply)
        }
        "DELETE" => {
            world.graph.changed();
            let gone = world.maintenance.remove(&key);
            Ok(Reply::empty(if gone.is_some() { 200 } else { 204 }))
        }
        _ => Err(ArmError::method_not_allowed()),
    }
}

fn missing(call: &Call) -> ArmError {
    let name = call.spelled.last().cloned().unwrap_or_default();
    ArmError::new(404, "ResourceNotFound").saying(format!("The resource '{name}' was not found."))
}

fn of_machine(machine: &Machine) -> Vec<Value> {
    let each = machine.assignments.iter();
    each.map(|(name, own)| assignment(machine, name, own))
        .collect()
}

/// Routes the assignments of one machine.
pub(crate) fn assignments(world: &mut World, call: &Call, key: &str, rest: &[&str]) -> Answer {
    let Some(machine) = world.machines.get_mut(key) else {
        return Err(ArmError::machine_not_found(key));
    };
    let name = call.spelled.last().cloned().unwrap_or_default();
    let spelled = machine.assignments.keys();
    let found = spelled
        .into_iter()
        .find(|own| own.eq_ignore_ascii_case(&name));
    let found = found.cloned();
    match (call.method.as_str(), rest, found) {
        ("GET", [], _) => Ok(Reply::ok(json!({"value": of_machine(machine)}))),
        ("GET", [_], Some(name)) => {
            let configuration = &machine.assignments[&name];
            Ok(Reply::ok(assignment(machine, &name, configuration)))
        }
        ("GET", [_], None) => Err(missing(call)),
        ("PUT", [_], found) => {
            let body = call.json()?;
            let wanted = body["properties"]["maintenanceConfigurationId"].as_str();
            let Some(wanted) = wanted else {
                return Err(names_no_configuration());
            };
            let mut reply = Reply::empty(if found.is_some() { 200 } else { 201 });
            let name = found.unwrap_or(name);
            machine.assignments.insert(name.clone(), wanted.to_owned());
            reply.body = Some(assignment(machine, &name, wanted));
            world.touch(key);
            Ok(reply)
        }
        ("DELETE", [_], found) => {
            let gone = found.and_then(|name| machine.assignments.remove(&name));
            world.touch(key);
            Ok(Reply::empty(if gone.is_some() { 200 } else { 204 }))
        }
        _ => Err(ArmError::method_not_allowed()),
    }
}
