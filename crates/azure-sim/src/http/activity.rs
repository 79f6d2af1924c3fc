//! Notes calls in the Activity Log and in the log of effects.

use crate::activity::ActivityEvent;
use crate::effects::{CallOperation, What};
use crate::http::reply::ArmError;
use crate::http::request::Call;
use crate::world::World;

/// Notes a call that acts or writes in the Activity Log. Reads are not logged.
pub(crate) fn note(world: &mut World, call: &Call, status: u16) {
    let (Some(name), Some(key)) = (call.activity_name, &call.machine) else {
        return;
    };
    let Some(machine) = world.machines.get(key) else {
        return;
    };
    let event = ActivityEvent {
        id: 0,
        at: world.now,
        resource_id: match &call.child {
            None => machine.id.clone(),
            Some(child) => format!("{}/{child}", machine.id),
        },
        operation: name.to_owned(),
        status: "Started",
        http_status: status,
        correlation: call.correlation.clone(),
        client_request_id: call.client_request_id.clone(),
        method: call.method.clone(),
        caller: call.caller.clone(),
    };
    let ended = call
        .operation
        .as_ref()
        .and_then(|id| world.operations.get(id));
    let runs_on = call.operation.is_some();
    let outcome = ended.and_then(|operation| operation.outcome.clone());
    world.activity.begin(event, runs_on);
    // What ended while it was being accepted, such as an operation that failed at once.
    if let Some(outcome) = outcome {
        world
            .activity
            .finish(&call.correlation, outcome.at, outcome.error.is_none());
    }
}

/// Notes the acceptance of a call in the log of effects.
pub(crate) fn accepted(world: &mut World, call: &mut Call, operation: Option<&str>) {
    call.operation = operation.map(str::to_owned);
    let (Some(mut noted), Some(key)) = (call.note.take(), call.machine.clone()) else {
        return;
    };
    noted.operation_id = operation.map(str::to_owned);
    world.effect(&key, What::CallAccepted(noted));
}

/// Notes the refusal of a call in the log of effects.
pub(crate) fn note_refusal(world: &mut World, call: &Call, error: Option<&ArmError>) {
    let (Some(error), Some(noted), Some(key)) = (error, &call.note, &call.machine) else {
        return;
    };
    let what = What::CallRefused {
        call: noted.clone(),
        status: error.status,
        code: error.code.clone(),
    };
    world.effect(key, what);
}

/// Gives the name of an operation in the Activity Log.
pub(crate) fn name(arc: bool, operation: CallOperation) -> &'static str {
    match (arc, operation) {
        (false, CallOperation::Assess) => "Microsoft.Compute/virtualMachines/assessPatches/action",
        (false, CallOperation::Install) => {
            "Microsoft.Compute/virtualMachines/installPatches/action"
        }
        (false, CallOperation::Restart) => "Microsoft.Compute/virtualMachines/restart/action",
        (false, _) => "Microsoft.Compute/virtualMachines/write",
        (true, CallOperation::Assess) => "Microsoft.HybridCompute/machines/assessPatches/action",
        (true, CallOperation::Install) => "Microsoft.HybridCompute/machines/installPatches/action",
        (true, CallOperation::Restart) => {
            "Microsoft.AzureStackHCI/virtualMachineInstances/restart/action"
        }
        (true, CallOperation::Licence) => "Microsoft.HybridCompute/machines/licenseProfiles/write",
        (true, _) => "Microsoft.HybridCompute/machines/write",
    }
}
