//! Charges each call to the limits it draws on, and refuses what is beyond them.

use crate::http::reply::ArmError;
use crate::http::request::Call;
use crate::throttle::{ALL_PRINCIPALS, Key, Policy, Verb};
use crate::world::World;

/// Charges a call that was let in. Fills the headers that tell what is left.
pub(super) fn charge(world: &mut World, call: &mut Call) -> Result<(), ArmError> {
    let options = world.options.buckets;
    let Some(sub) = call.subscription().filter(|_| options.enforced) else {
        return Ok(());
    };
    let now = world.now;
    let verb = Verb::of(&call.method);
    let arm = verb.rate();
    let wanted = [
        (Key::Principal(verb, sub.clone(), call.caller.clone()), arm),
        (
            Key::Subscription(verb, sub.clone()),
            arm.times(ALL_PRINCIPALS).without(options.foreign_percent),
        ),
    ];
    match world.throttle.take(&wanted, now) {
        Ok(left) => {
            call.rates.push((verb.header(), left[0].to_string()));
            call.rates.push((verb.global_header(), left[1].to_string()));
        }
        Err((_, seconds)) => {
            call.rates.push((verb.header(), "0".to_owned()));
            return Err(beyond_arm(&sub, verb, seconds));
        }
    }
    let Some((policy, region, machine)) = of_compute(world, call) else {
        return Ok(());
    };
    let (own, shared) = policy.rates();
    let shared = shared.without(options.foreign_percent);
    let mut wanted = vec![(Key::Region(policy, sub, region), shared)];
    if let (Some(machine), Some(own)) = (machine, own) {
        wanted.push((Key::Machine(policy, machine), own));
    }
    match world.throttle.take(&wanted, now) {
        Ok(left) => {
            let names = [policy.shared_name(), policy.own_name()];
            let parts: Vec<String> = left
                .iter()
                .zip(names)
                .map(|(left, name)| format!("Microsoft.Compute/{name};{left}"))
                .collect();
            let header = "x-ms-ratelimit-remaining-resource";
            call.rates.push((header, parts.join(",")));
            call.rates.push(("x-ms-request-charge", "1".to_owned()));
            Ok(())
        }
        Err((key, seconds)) => {
            let name = match key {
                Key::Machine(..) => policy.own_name(),
                _ => policy.shared_name(),
            };
            let header = "x-ms-ratelimit-remaining-resource";
            let value = format!("Microsoft.Compute/{name};0");
            call.rates.push((header, value));
            Err(beyond_compute(&name, seconds))
        }
    }
}

fn beyond_arm(sub: &str, verb: Verb, seconds: u32) -> ArmError {
    let message = format!(
        "Number of '{}' requests for subscription '{sub}' exceeded the limit. Please try again \
         after '{seconds}' seconds.",
        verb.word()
    );
    ArmError::new(429, "SubscriptionRequestsThrottled")
        .saying(message)
        .with("retry-after", seconds.to_string())
}

/// The refusal of the resource provider: its code is that of any forbidden operation, and only
/// the details say that it was throttled (azure.md §6; the wording is not verified).
fn beyond_compute(name: &str, seconds: u32) -> ArmError {
    let message = "The server rejected the request because too many requests have been received \
                   for this subscription.";
    ArmError::new(429, "OperationNotAllowed")
        .saying(message)
        .detail_at("TooManyRequests", name, "The bucket is empty.")
        .with("retry-after", seconds.to_string())
}

/// Gives the policy of a call to Compute with the region and the VM it concerns.
fn of_compute(world: &World, call: &Call) -> Option<(Policy, String, Option<String>)> {
    let path: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        [
            "subscriptions",
            _,
            "providers",
            "microsoft.compute",
            "virtualmachines",
        ] => Some((Policy::HighCostGet, String::new(), None)),
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            "microsoft.compute",
            "virtualmachines",
        ] => Some((Policy::HighCostGet, String::new(), None)),
        [
            "subscriptions",
            _,
            "providers",
            "microsoft.compute",
            "locations",
            place,
            "operations",
            id,
        ] => {
            let machine = world.operations.get(*id).map(|own| own.machine.clone());
            Some((Policy::GetOperation, (*place).to_owned(), machine))
        }
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            "microsoft.compute",
            "virtualmachines",
            _,
            rest @ ..,
        ] => {
            let policy = of_vm(&call.method, rest)?;
            let key = format!("/{}", path[..8].join("/"));
            let machine = world.machines.get(&key)?;
            Some((policy, machine.location.to_lowercase(), Some(key)))
        }
        _ => None,
    }
}

fn of_vm(method: &str, rest: &[&str]) -> Option<Policy> {
    match (method, rest) {
        (_, ["providers", ..]) => None,
        ("POST", ["assesspatches" | "installpatches"]) => Some(Policy::GuestPatch),
        ("GET", _) => Some(Policy::LowCostGet),
        _ => Some(Policy::UpdateVm),
    }
}
