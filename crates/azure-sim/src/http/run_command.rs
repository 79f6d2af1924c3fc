//! Answers what is asked of run commands of VMs and Arc machines (azure.md 1, 2).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::effects::CallOperation;
use crate::http::Answer;
use crate::http::activity::accepted;
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::machine::Machine;
use crate::run_command::{Order, RunCommand};
use crate::shapes::instant;
use crate::world::World;

/// Run commands on one machine at most (azure.md 1, unverified).
const COMMANDS_BOUND: usize = 25;

/// Routes `runCommands/{name}` of a machine.
pub(crate) fn route(world: &mut World, call: &mut Call, key: &str, name: &str) -> Answer {
    call.child = Some(format!("runCommands/{name}"));
    match call.method.as_str() {
        "GET" => get(world, call, key, name),
        "PUT" => put(world, call, key, name),
        "DELETE" => delete(world, call, key, name),
        _ => Err(ArmError::method_not_allowed()),
    }
}

fn get(world: &World, call: &Call, key: &str, name: &str) -> Answer {
    let expand = call
        .query("$expand")
        .is_some_and(|value| value.eq_ignore_ascii_case("instanceView"));
    // Arc shows the instance view without being asked.
    let found = world.machines.get(key);
    let body = found.and_then(|machine| {
        let command = machine.run_commands.get(name)?;
        Some(resource(
            machine,
            command,
            expand || machine.arc().is_some(),
        ))
    });
    body.map(Reply::ok).ok_or_else(|| {
        ArmError::new(404, "ResourceNotFound")
            .saying(format!("'runCommands/{name}' was not found."))
    })
}

fn is_arc(world: &World, key: &str) -> bool {
    let machine = world.machines.get(key);
    machine.is_some_and(|machine| machine.arc().is_some())
}

fn put(world: &mut World, call: &mut Call, key: &str, name: &str) -> Answer {
    let arc = is_arc(world, key);
    let logged = match arc {
        true => "Microsoft.HybridCompute/machines/runCommands/write",
        false => "Microsoft.Compute/virtualMachines/runCommands/write",
    };
    call.acts(CallOperation::RunCommand, logged);
    let order = order(&call.json()?)?;
    if let Some(note) = &mut call.note {
        note.script = Some(order.script.clone());
    }
    let Some(machine) = world.machines.get(key) else {
        return Err(ArmError::machine_not_found(key));
    };
    if machine.arc().is_some_and(|arc| !arc.managed) {
        return Err(ArmError::new(409, "GuestManagementNotEnabled")
            .saying("The machine has no guest management; operations in the guest need it."));
    }
    let found = machine.run_commands.get(name);
    let same = found.filter(|own| own.order == order);
    let again = world.options.assumptions.repeated_run_command_runs;
    let kept = same.filter(|_| !again).map(|own| own.operation.clone());
    let known = found.is_some();
    if !known && machine.run_commands.len() >= COMMANDS_BOUND {
        return Err(ArmError::new(409, "Conflict")
            .saying("The machine has as many run commands as it can have."));
    }
    let id = match kept {
        // The same under the same name is there already: nothing runs again.
        Some(id) => {
            accepted(world, call, Some(&id));
            id
        }
        None => {
            let provider = match arc {
                true => "microsoft.hybridcompute",
                false => "microsoft.compute",
            };
            let id = world.open_operation(key, provider, &call.correlation);
            accepted(world, call, Some(&id));
            world.run_script(key, name, order, &id, call.actor(&id));
            id
        }
    };
    let mut reply = get(world, call, key, name)?;
    reply.status = if known { 200 } else { 201 };
    let reply = match arc {
        true => reply
            .with(
                "azure-asyncoperation",
                place(world, call, &id, "operationstatus"),
            )
            .with("location", place(world, call, &id, "operationresults")),
        false => reply.with(
            "azure-asyncoperation",
            place(world, call, &id, "operations"),
        ),
    };
    Ok(reply.with("retry-after", world.poll_after()))
}

/// Gives the address at which an operation is polled.
fn place(world: &World, call: &Call, id: &str, kind: &str) -> String {
    let provider = match kind {
        "operations" => "Microsoft.Compute",
        _ => "Microsoft.HybridCompute",
    };
    let place = world.operations.get(id).map(|operation| {
        let base = format!("{}/subscriptions/{}", call.origin, operation.subscription);
        format!(
            "{base}/providers/{provider}/locations/{}/{kind}/{id}",
            operation.location
        )
    });
    let version = call.api_version();
    format!("{}?api-version={version}", place.unwrap_or_default())
}

/// Reads what a run command is to run.
fn order(body: &Value) -> Result<Order, ArmError> {
    let script = body["properties"]["source"]["script"].as_str();
    let Some(script) = script.map(str::to_owned) else {
        return Err(ArmError::invalid("source.script", "The script is missing."));
    };
    if body["location"].as_str().is_none_or(str::is_empty) {
        return Err(ArmError::new(400, "LocationRequired")
            .saying("The location property is required for this definition."));
    }
    Ok(Order {
        script,
        parameters: parameters(body),
    })
}

/// Reads the parameters of a script.
fn parameters(body: &Value) -> BTreeMap<String, String> {
    let given = body["properties"]["parameters"].as_array();
    let pairs = given.into_iter().flatten().filter_map(|own| {
        let name = own["name"].as_str()?.to_owned();
        Some((name, own["value"].as_str()?.to_owned()))
    });
    pairs.collect()
}

fn delete(world: &mut World, call: &mut Call, key: &str, name: &str) -> Answer {
    call.acts(
        CallOperation::RunCommandDeletion,
        match is_arc(world, key) {
            true => "Microsoft.HybridCompute/machines/runCommands/delete",
            false => "Microsoft.Compute/virtualMachines/runCommands/delete",
        },
    );
    accepted(world, call, None);
    let machine = world.machines.get_mut(key);
    let removed = machine.and_then(|machine| machine.run_commands.remove(name));
    if let Some(command) = &removed {
        world.forget_script(key, command);
    }
    Ok(Reply::empty(if removed.is_some() { 200 } else { 204 }))
}

fn resource(machine: &Machine, command: &RunCommand, view: bool) -> Value {
    let kind = match machine.vm() {
        Some(_) => "Microsoft.Compute/virtualMachines/runCommands",
        None => "Microsoft.HybridCompute/machines/runcommands",
    };
    let state = if command.outcome.is_some() {
        "Succeeded"
    } else {
        "Creating"
    };
    let parameters = command.order.parameters.iter();
    let parameters: Vec<Value> = parameters
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let mut out = json!({
        "name": command.name,
        "type": kind,
        "id": format!("{}/runCommands/{}", machine.id, command.name),
        "location": machine.location,
        "properties": {
            "asyncExecution": false,
            "source": {"script": command.order.script},
            "parameters": parameters,
            "provisioningState": state,
        },
    });
    if view {
        out["properties"]["instanceView"] = match &command.outcome {
            None => json!({"executionState": "Pending", "startTime": instant(command.created)}),
            Some(outcome) => json!({
                "executionState": if outcome.exit_code == 0 { "Succeeded" } else { "Failed" },
                "exitCode": outcome.exit_code,
                "output": outcome.output,
                "error": outcome.error,
                "startTime": instant(command.created),
                "endTime": instant(outcome.at),
            }),
        };
    }
    out
}
