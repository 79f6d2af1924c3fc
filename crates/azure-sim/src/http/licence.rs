//! Answers what is asked of licence profiles (azure.md 2).

use serde_json::{Value, json};

use crate::effects::{CallOperation, What};
use crate::http::Answer;
use crate::http::activity::{accepted, name};
use crate::http::operate::timed_operation;
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::machine::{Feature, Licence, Machine};
use crate::shapes::arc::licence_profile;
use crate::world::{Event, World};

/// Routes `licenseProfiles/default` of a machine.
pub(crate) fn route(world: &mut World, call: &mut Call, key: &str) -> Answer {
    match call.method.as_str() {
        "GET" => Ok(Reply::ok(show(world, key)?)),
        "PUT" => write(world, call, key, true),
        "PATCH" => write(world, call, key, false),
        "DELETE" => delete(world, call, key),
        _ => Err(ArmError::method_not_allowed()),
    }
}

/// Lists the licence profiles of a machine: none or one.
pub(crate) fn list(world: &World, key: &str) -> Reply {
    let found: Vec<Value> = show(world, key).into_iter().collect();
    Reply::ok(json!({"value": found}))
}

fn profile(machine: &Machine) -> Option<&Licence> {
    machine.arc().and_then(|arc| arc.licence.as_ref())
}

fn show(world: &World, key: &str) -> Result<Value, ArmError> {
    world
        .machines
        .get(key)
        .and_then(|machine| Some(licence_profile(machine, profile(machine)?, world.now)))
        .ok_or_else(|| {
            ArmError::new(404, "ResourceNotFound")
                .saying("The resource 'licenseProfiles/default' was not found.")
        })
}

/// Reads a subscription status: PATCH takes verbs, PUT the words it reads back.
fn status(value: &Value) -> Result<Option<bool>, ArmError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => match text.to_lowercase().as_str() {
            "enable" | "enabled" => Ok(Some(true)),
            "disable" | "disabled" => Ok(Some(false)),
            _ => Err(bad_status()),
        },
        _ => Err(bad_status()),
    }
}

fn bad_status() -> ArmError {
    ArmError::new(400, "BadRequest")
        .saying("subscriptionStatus must be Enable or Disable.")
        .at("properties.productProfile.subscriptionStatus")
}

/// Reads the wanted state of the Hotpatch feature.
fn hotpatch(product: &Value) -> Result<Option<bool>, ArmError> {
    let features = product["productFeatures"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut wanted = None;
    for feature in features {
        if feature["name"]
            .as_str()
            .is_some_and(|name| name.eq_ignore_ascii_case("Hotpatch"))
        {
            wanted = status(&feature["subscriptionStatus"])?;
        }
    }
    Ok(wanted)
}

fn write(world: &mut World, call: &mut Call, key: &str, replace: bool) -> Answer {
    call.acts(CallOperation::Licence, name(true, CallOperation::Licence));
    let body = call.json()?;
    let Some(machine) = world.machines.get(key) else {
        return Err(ArmError::machine_not_found(key));
    };
    let before = profile(machine).cloned();
    if !replace && before.is_none() {
        show(world, key)?;
    }
    if replace && body["location"].as_str().is_none() {
        return Err(ArmError::new(400, "LocationRequired").saying("The location is required."));
    }
    let product = &body["properties"]["productProfile"];
    let wanted = hotpatch(product)?;
    let payg = status(&product["subscriptionStatus"])?;
    let location = machine.location.clone();
    let created = before.is_none();
    let base = match before.clone() {
        Some(found) if !replace => found,
        _ => Licence {
            location,
            product_type: "WindowsServer".to_owned(),
            payg: None,
            hotpatch: None,
            esu_profile: None,
            software_assurance: None,
        },
    };
    let mut licence = base;
    if let Some(word) = product["productType"].as_str() {
        word.clone_into(&mut licence.product_type);
    }
    licence.payg = payg.or(licence.payg);
    for (slot, name) in [
        (&mut licence.esu_profile, "esuProfile"),
        (&mut licence.software_assurance, "softwareAssurance"),
    ] {
        let value = &body["properties"][name];
        if !value.is_null() {
            *slot = Some(value.clone());
        }
    }
    let old = before.and_then(|found| found.hotpatch);
    apply(world, call, key, licence, old, wanted, created)
}

/// Writes the licence and answers as the official examples do: 201 with an operation for a new
/// one, 200 otherwise.
fn apply(
    world: &mut World,
    call: &mut Call,
    key: &str,
    mut licence: Licence,
    old: Option<Feature>,
    wanted: Option<bool>,
    created: bool,
) -> Answer {
    let now = world.now;
    let takes = world.draw(key, world.options.timings.licence);
    let fails = world
        .machines
        .get_mut(key)
        .and_then(Machine::arc_mut)
        .is_some_and(|arc| wanted == Some(true) && std::mem::take(&mut arc.licence_fails));
    let same = |feature: &Feature| Some(feature.enabled) == wanted && !feature.fails;
    let changes = !old.as_ref().is_some_and(same);
    licence.hotpatch = match (wanted, old) {
        (None, _) => licence.hotpatch,
        (Some(_), Some(old)) if same(&old) => Some(old),
        (Some(enabled), _) => Some(Feature {
            enabled,
            changed: now,
            settles: now + takes,
            fails,
        }),
    };
    let id = timed_operation(world, call, key, "microsoft.hybridcompute", takes);
    accepted(world, call, Some(&id));
    if let Some(arc) = world.machines.get_mut(key).and_then(Machine::arc_mut) {
        arc.licence = Some(licence);
    }
    world.schedule(
        now + takes,
        Event::Settles {
            machine: key.to_owned(),
        },
    );
    if let Some(enabled) = wanted.filter(|_| changes) {
        let by = call.actor(&id);
        world.effect(key, What::LicenceChanged { by, enabled });
    }
    world.touch(key);
    let mut reply = Reply::ok(show(world, key)?);
    if created {
        reply.status = 201;
        reply = licence_poll_headers(reply, world, call, &id);
    }
    Ok(reply)
}

fn licence_poll_headers(reply: Reply, world: &World, call: &Call, id: &str) -> Reply {
    let Some(operation) = world.operations.get(id) else {
        return reply;
    };
    let base = format!(
        "{}/subscriptions/{}/providers/Microsoft.HybridCompute/locations/{}",
        call.origin, operation.subscription, operation.location
    );
    let version = call.api_version();
    reply
        .with(
            "azure-asyncoperation",
            format!("{base}/operationstatus/{id}?api-version={version}"),
        )
        .with(
            "location",
            format!("{base}/operationresults/{id}?api-version={version}"),
        )
        .with("retry-after", "20")
}

fn delete(world: &mut World, call: &mut Call, key: &str) -> Answer {
    call.acts(
        CallOperation::Licence,
        "Microsoft.HybridCompute/machines/licenseProfiles/delete",
    );
    let found = world.machines.get(key).and_then(profile).is_some();
    accepted(world, call, None);
    if !found {
        return Ok(Reply::empty(204));
    }
    if let Some(arc) = world.machines.get_mut(key).and_then(Machine::arc_mut) {
        arc.licence = None;
    }
    let by = call.actor(&call.request_id);
    world.effect(key, What::LicenceChanged { by, enabled: false });
    Ok(Reply::empty(200))
}
