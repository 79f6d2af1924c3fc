//! Takes assess, install and restart calls: checks, notes, and hands the job to the machine.

use chrono::TimeDelta;

use crate::effects::CallOperation;
use crate::http::Answer;
use crate::http::activity::{accepted, name};
use crate::http::install_body;
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::job::{InstallRequest, Work};
use crate::machine::{Machine, Power};
use crate::options::SecondOperation;
use crate::world::{Event, World};

/// Takes `assessPatches`.
pub(crate) fn assess(world: &mut World, call: &mut Call, key: &str) -> Answer {
    let arc = is_arc(world, key);
    call.acts(CallOperation::Assess, name(arc, CallOperation::Assess));
    check_patchable(world, key)?;
    check_free(world, key, false)?;
    let activity = world.guid();
    start(world, call, key, Work::Assess { activity })
}

/// Takes `installPatches`.
pub(crate) fn install(world: &mut World, call: &mut Call, key: &str) -> Answer {
    let arc = is_arc(world, key);
    call.acts(CallOperation::Install, name(arc, CallOperation::Install));
    let request = install_body::read(&call.json()?, arc)?;
    describe(call, &request);
    check_patchable(world, key)?;
    check_free(world, key, false)?;
    let activity = world.guid();
    start(world, call, key, Work::Install { activity, request })
}

/// Takes `restart`.
pub(crate) fn restart(world: &mut World, call: &mut Call, key: &str) -> Answer {
    let arc = is_arc(world, key);
    call.acts(CallOperation::Restart, name(arc, CallOperation::Restart));
    if world.machines.get(key).is_some_and(is_off) {
        return Err(not_running());
    }
    check_free(world, key, true)?;
    start(world, call, key, Work::Restart)
}

fn is_arc(world: &World, key: &str) -> bool {
    world
        .machines
        .get(key)
        .is_some_and(|machine| machine.arc().is_some())
}

fn is_off(machine: &Machine) -> bool {
    matches!(machine.guest.power, Power::Stopped | Power::Deallocated)
}

fn not_running() -> ArmError {
    ArmError::new(409, "OperationNotAllowed")
        .saying("This operation cannot be performed when the VM is not running.")
        .at("powerState")
}

fn describe(call: &mut Call, request: &InstallRequest) {
    if let Some(note) = &mut call.note {
        note.reboot_setting = Some(request.reboot.as_str().to_owned());
        note.kbs.clone_from(&request.include);
        note.classifications = request
            .classifications
            .iter()
            .map(|class| class.input().to_owned())
            .collect();
        note.maximum_minutes = request.maximum.map(|length| length.num_minutes());
        note.exclude_reboot = request.exclude_reboot;
    }
}

/// Checks that the kind and state of the machine allow patching at all.
fn check_patchable(world: &World, key: &str) -> Result<(), ArmError> {
    let Some(machine) = world.machines.get(key) else {
        return Err(ArmError::machine_not_found(key));
    };
    if let Some(vm) = machine.vm() {
        if vm.uniform {
            return Err(ArmError::new(409, "OperationNotAllowed")
                .saying("This operation is not allowed on members of a Uniform scale set."));
        }
        if is_off(machine) {
            return Err(not_running());
        }
        if !vm.allow_extension_operations {
            return Err(ArmError::new(409, "OperationNotAllowed")
                .saying(
                    "This operation cannot be performed when extension operations are disallowed.",
                )
                .at("osProfile.allowExtensionOperations"));
        }
    }
    if machine.arc().is_some_and(|arc| !arc.managed) {
        return Err(ArmError::new(409, "GuestManagementNotEnabled")
            .saying("The machine has no guest management; operations in the guest need it."));
    }
    Ok(())
}

/// Checks that no other operation runs, unless a second one may queue.
fn check_free(world: &World, key: &str, restart: bool) -> Result<(), ArmError> {
    let queues = world.options.assumptions.second_operation == SecondOperation::Queued;
    if !world.busy(key) || (queues && !restart) {
        return Ok(());
    }
    Err(ArmError::new(409, "Conflict")
        .saying("Another operation is in progress on the machine. Retry after it has ended."))
}

/// Opens the operation, gives the job to the machine and answers 202.
fn start(world: &mut World, call: &mut Call, key: &str, work: Work) -> Answer {
    let local_restart = matches!(work, Work::Restart) && is_arc(world, key);
    let provider = match (is_arc(world, key), local_restart) {
        (_, true) => "microsoft.azurestackhci",
        (true, false) => "microsoft.hybridcompute",
        (false, _) => "microsoft.compute",
    };
    let id = world.open_operation(key, provider, &call.correlation);
    let by = call.actor(&id);
    accepted(world, call, Some(&id));
    let reply = with_poll_headers(Reply::empty(202), world, call, &id);
    world.submit(key, Some(id), by, work);
    Ok(reply)
}

/// Adds the headers by which a client polls an operation.
pub(crate) fn with_poll_headers(reply: Reply, world: &World, call: &Call, id: &str) -> Reply {
    let Some(operation) = world.operations.get(id) else {
        return reply;
    };
    let version = call.api_version();
    let base = format!(
        "{}/subscriptions/{}/providers",
        call.origin, operation.subscription
    );
    let place = format!("locations/{}", operation.location);
    let reply = reply.with("retry-after", world.poll_after());
    match operation.provider {
        "microsoft.compute" => {
            let at = format!("{base}/Microsoft.Compute/{place}/operations/{id}");
            reply
                .with(
                    "location",
                    format!("{at}?monitor=true&api-version={version}"),
                )
                .with(
                    "azure-asyncoperation",
                    format!("{at}?api-version={version}"),
                )
        }
        "microsoft.azurestackhci" => {
            let at = format!("{base}/Microsoft.AzureStackHCI/{place}/operationStatuses/{id}");
            reply.with(
                "azure-asyncoperation",
                format!("{at}?api-version={version}"),
            )
        }
        _ => {
            let at =
                format!("{base}/Microsoft.HybridCompute/{place}/updateCenterOperationResults/{id}");
            reply.with("location", format!("{at}?api-version={version}"))
        }
    }
}

/// Opens an operation that ends by itself after a while and has no result body.
pub(crate) fn timed_operation(
    world: &mut World,
    call: &Call,
    key: &str,
    provider: &'static str,
    takes: TimeDelta,
) -> String {
    let id = world.open_operation(key, provider, &call.correlation);
    let ends = world.now + takes;
    if let Some(operation) = world.operations.get_mut(&id) {
        operation.ends_at = Some(ends);
    }
    world.schedule(ends, Event::OperationEnds { id: id.clone() });
    id
}
