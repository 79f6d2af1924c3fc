//! Answers what is asked of run commands of VMs and Arc machines (azure.md 1, 2).

use serde_json::{Value, json};

use crate::effects::CallOperation;
use crate::http::Answer;
use crate::http::activity::accepted;
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::machine::Machine;
use crate::run_command::RunCommand;
use crate::shapes::instant;
use crate::world::World;

/// Run commands on one machine at most (azure.md 1, unverified).
const COMMANDS_BOUND: usize = 25;

/// Routes `runCommands/{name}` of a machine.
pub(crate) fn route(world: &mut World, call: &mut Call, key: &str, name: &str) -> Answer {
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

fn put(world: &mut World, call: &mut Call, key: &str, name: &str) -> Answer {
    let arc = world
        .machines
        .get(key)
        .is_some_and(|machine| machine.arc().is_some());
    let logged = match arc {
        true => "Microsoft.HybridCompute/machines/runCommands/write",
        false => "Microsoft.Compute/virtualMachines/runCommands/write",
    };
    call.acts(CallOperation::RunCommand, logged);
    let body = call.json()?;
    let Some(script) = body["properties"]["source"]["script"]
        .as_str()
        .map(str::to_owned)
    else {
        return Err(ArmError::invalid("source.script", "The script is missing."));
    };
    let Some(machine) = world.machines.get(key) else {
        return Err(ArmError::machine_not_found(key));
    };
    if machine.arc().is_some_and(|arc| !arc.managed) {
        return Err(ArmError::new(409, "GuestManagementNotEnabled")
            .saying("The machine has no guest management; operations in the guest need it."));
    }
    let known = machine.run_commands.contains_key(name);
    if !known && machine.run_commands.len() >= COMMANDS_BOUND {
        return Err(ArmError::new(409, "Conflict")
            .saying("The machine has as many run commands as it can have."));
    }
    let provider = if arc {
        "microsoft.hybridcompute"
    } else {
        "microsoft.compute"
    };
    let id = world.open_operation(key, provider, &call.correlation);
    accepted(world, call, Some(&id));
    world.run_script(key, name, script, &id, call.actor(&id));
    let mut reply = get(world, call, key, name)?;
    reply.status = if known { 200 } else { 201 };
    let place = world.operations.get(&id).map(|operation| {
        let base = format!("{}/subscriptions/{}", call.origin, operation.subscription);
        let (provider, kind) = match arc {
            true => ("Microsoft.HybridCompute", "operationstatus"),
            false => ("Microsoft.Compute", "operations"),
        };
        format!(
            "{base}/providers/{provider}/locations/{}/{kind}/{id}",
            operation.location
        )
    });
    let version = call.api_version();
    let address = format!("{}?api-version={version}", place.unwrap_or_default());
    Ok(reply
        .with("azure-asyncoperation", address)
        .with("retry-after", world.poll_after()))
}

fn delete(world: &mut World, call: &mut Call, key: &str, name: &str) -> Answer {
    call.acts(
        CallOperation::RunCommand,
        "Microsoft.HybridCompute/machines/runCommands/delete",
    );
    accepted(world, call, None);
    let machine = world.machines.get_mut(key);
    let removed = machine.and_then(|machine| machine.run_commands.remove(name));
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
    let mut out = json!({
        "name": command.name,
        "type": kind,
        "id": format!("{}/runCommands/{}", machine.id, command.name),
        "location": machine.location,
        "properties": {
            "asyncExecution": false,
            "source": {"script": command.script},
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
