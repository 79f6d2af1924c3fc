//! Routes requests to what answers them. Must never hold state or let time pass.

mod activity;
mod compute;
mod entra;
mod hybrid;
mod insight;
mod install_body;
mod licence;
mod local;
mod operate;
mod polling;
mod reply;
pub(crate) mod request;
mod resource_graph;
mod run_command;
pub(crate) mod settings;
mod tags;

use ::http::{Request, Response};
use bytes::Bytes;

use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::world::World;

/// What a handler gives back.
pub(crate) type Answer = Result<Reply, ArmError>;

/// Answers one request.
pub(crate) fn route(world: &mut World, request: &Request<Bytes>) -> Response<Bytes> {
    if let Some(response) = entra::token(world, request) {
        return response;
    }
    let mut call = Call::read(world, request);
    let answer = admit(world, &mut call).and_then(|()| dispatch(world, &mut call));
    let status = match &answer {
        Ok(reply) => reply.status,
        Err(error) => error.status,
    };
    activity::note(world, &call, status);
    activity::note_refusal(world, &call, answer.as_ref().err());
    let reply = answer.unwrap_or_else(ArmError::into_reply);
    reply.write(&call, world.now)
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
        ["subscriptions", sub, "locations"] => insight::locations(world, call, sub),
        [
            "subscriptions",
            sub,
            "providers",
            "microsoft.compute",
            "virtualmachines",
        ] => compute::list(world, call, sub),
        [
            "subscriptions",
            sub,
            "providers",
            "microsoft.hybridcompute",
            "machines",
        ] => hybrid::list(world, call, sub),
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
