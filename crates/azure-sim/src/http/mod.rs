//! Routes requests to what answers them. Must never hold state or let time pass.

mod activity;
mod authorization;
mod charge;
mod compute;
mod entra;
mod hybrid;
mod insight;
mod install_body;
mod licence;
mod local;
mod maintenance;
mod operate;
mod polling;
mod refuse;
mod reply;
pub(crate) mod request;
mod resource_graph;
mod run_command;
pub(crate) mod settings;
mod spoil;
mod tags;

pub(crate) use resource_graph::KeptAnswer;

use ::http::{Request, Response};
use bytes::Bytes;

use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::strike::Strike;
use crate::switchboard::Seen;
use crate::world::World;

/// What a handler gives back.
pub(crate) type Answer = Result<Reply, ArmError>;

/// Answers one request.
///
/// What befalls it befalls it at the door: a refused call is not handled, and leaves no trace.
pub(crate) fn route(
    world: &mut World,
    request: &Request<Bytes>,
    strike: &Strike,
) -> Response<Bytes> {
    if let Some(response) = entra::token(world, request) {
        return response;
    }
    let mut call = Call::read(world, request);
    call.bends.clone_from(&strike.bends);
    let answer = match strike.refusal {
        Some(which) => Err(refuse::refusal(which, &call, world.now)),
        None => admit(world, &mut call)
            .and_then(|()| charge::charge(world, &mut call))
            .and_then(|()| dispatch(world, &mut call)),
    };
    let status = match &answer {
        Ok(reply) => reply.status,
        Err(error) => error.status,
    };
    activity::note(world, &call, status);
    activity::note_refusal(world, &call, answer.as_ref().err());
    let answer = match strike.error_after {
        Some(status) => Err(refuse::server_error(status)),
        None => answer,
    };
    let reply = answer.unwrap_or_else(ArmError::into_reply);
    reply.write(&call, world.now)
}

/// Reads a request as the switchboard looks at it.
pub(crate) fn seen(world: &World, request: &Request<Bytes>) -> Seen {
    let path = request.uri().path().to_lowercase();
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (machine, region, is_poll) = match segments.as_slice() {
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            _,
            _,
            _,
            ..,
        ] => {
            let key = format!("/{}", segments[..8].join("/"));
            let found = world.machines.get(&key);
            let region = found.map(|own| own.location.to_lowercase());
            (Some(key), region, false)
        }
        [
            "subscriptions",
            _,
            "providers",
            _,
            "locations",
            place,
            _,
            id,
        ] => {
            let operation = world.operations.get(*id);
            let machine = operation.map(|own| own.machine.clone());
            (machine, Some((*place).to_owned()), true)
        }
        _ => (None, None, false),
    };
    let is_graph = segments.starts_with(&["providers", "microsoft.resourcegraph"]);
    Seen {
        method: request.method().to_string(),
        machine,
        region,
        is_poll,
        is_graph,
        path,
    }
}

/// Checks what every call must carry: a token and an api-version.
fn admit(world: &World, call: &mut Call) -> Result<(), ArmError> {
    let Some(token) = call.token.clone() else {
        return Err(ArmError::new(401, "AuthenticationFailed")
            .saying("Authentication failed. The 'Authorization' header is missing."));
    };
    if let Some(name) = entra::caller(world, call, &token)? {
        call.caller = name;
    } else if world.options.tokens.is_empty() {
        call.caller = token;
    } else {
        let Some(name) = world.options.tokens.get(&token) else {
            return Err(ArmError::new(401, "InvalidAuthenticationToken")
                .saying("The access token is invalid."));
        };
        call.caller.clone_from(name);
    }
    if call.query("api-version").is_none() {
        return Err(ArmError::new(400, "MissingApiVersionParameter").saying(
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    }
    Ok(())
}

fn dispatch(world: &mut World, call: &mut Call) -> Answer {
    let path = call.segments.clone();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["providers", "microsoft.resourcegraph", "resources"] => resource_graph::query(world, call),
        [
            "subscriptions",
            sub,
            "providers",
            "microsoft.authorization",
            "permissions",
        ] => authorization::permissions(world, call, sub),
        ["subscriptions", sub, "locations"] => insight::locations(world, call, sub),
        ["subscriptions", _, "providers", "microsoft.maintenance", ..]
        | [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            "microsoft.maintenance",
            ..,
        ] => maintenance::route(world, call, &path),
        [
            "subscriptions",
            sub,
            "providers",
            provider,
            "locations",
            place,
            kind,
            id,
        ] => polling::poll(
            world,
            call,
            &polling::Address {
                sub,
                provider,
                place,
                kind,
                id,
            },
        ),
        [
            "subscriptions",
            sub,
            "providers",
            "microsoft.insights",
            "eventtypes",
            "management",
            "values",
        ] => insight::activity_log(world, call, sub),
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            provider,
            kind,
            _,
            rest @ ..,
        ] => {
            let key = format!("/{}", path[..8].join("/"));
            machine(world, call, &key, (provider, kind), rest)
        }
        _ => list(world, call, &path),
    }
}

/// Lists the machines of one kind in a subscription or resource group.
fn list(world: &mut World, call: &Call, path: &[&str]) -> Answer {
    match path {
        [
            "subscriptions",
            sub,
            "providers",
            "microsoft.compute",
            "virtualmachines",
        ] => compute::list(world, call, sub, None),
        [
            "subscriptions",
            sub,
            "resourcegroups",
            group,
            "providers",
            "microsoft.compute",
            "virtualmachines",
        ] => compute::list(world, call, sub, Some(group)),
        [
            "subscriptions",
            sub,
            "providers",
            "microsoft.hybridcompute",
            "machines",
        ] => hybrid::list(world, call, sub, None),
        [
            "subscriptions",
            sub,
            "resourcegroups",
            group,
            "providers",
            "microsoft.hybridcompute",
            "machines",
        ] => hybrid::list(world, call, sub, Some(group)),
        _ => Err(ArmError::not_found(
            "The requested resource does not exist.",
        )),
    }
}

/// Routes what is addressed to one machine.
fn machine(
    world: &mut World,
    call: &mut Call,
    key: &str,
    (provider, kind): (&str, &str),
    rest: &[&str],
) -> Answer {
    let known = matches!(
        (provider, kind),
        ("microsoft.compute", "virtualmachines") | ("microsoft.hybridcompute", "machines")
    );
    if !known {
        return Err(ArmError::not_found("The resource type could not be found."));
    }
    call.machine = Some(key.to_owned());
    if !world.machines.contains_key(key) {
        return Err(ArmError::machine_not_found(key));
    }
    match rest {
        [
            "providers",
            "microsoft.resourcehealth",
            "availabilitystatuses",
            "current",
        ] => insight::health(world, call, key),
        [
            "providers",
            "microsoft.maintenance",
            "configurationassignments",
            rest @ ..,
        ] => maintenance::assignments(world, call, key, rest),
        ["providers", "microsoft.resources", "tags", "default"] => tags::route(world, call, key),
        [
            "providers",
            "microsoft.azurestackhci",
            "virtualmachineinstances",
            "default",
            rest @ ..,
        ] => local::route(world, call, key, rest),
        ["runcommands", name] => run_command::route(world, call, key, name),
        _ if provider == "microsoft.compute" => compute::route(world, call, key, rest),
        _ => hybrid::route(world, call, key, rest),
    }
}
