//! Reads and writes tags, in bodies and through `Microsoft.Resources/tags/default`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::effects::{Actor, CallOperation};
use crate::http::Answer;
use crate::http::activity::accepted;
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::options::TagsPatch;
use crate::world::World;

/// A resource carries at most 50 tags.
const TAGS_BOUND: usize = 50;

/// Tags named by a body; null removes one.
type Named = BTreeMap<String, Option<String>>;

/// Reads `tags` of a body; `None` when the body does not name them.
pub(crate) fn read(tags: &Value) -> Result<Option<Named>, ArmError> {
    let Some(map) = tags.as_object() else {
        return Ok(None);
    };
    let mut out = Named::new();
    for (name, value) in map {
        let value = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            _ => return Err(ArmError::invalid("tags", "A tag's value must be a string.")),
        };
        out.insert(name.clone(), value);
    }
    if out.len() > TAGS_BOUND {
        return Err(ArmError::invalid(
            "tags",
            "A resource can have at most 50 tags.",
        ));
    }
    Ok(Some(out))
}

/// Writes the tags of a PATCH as the assumption says.
pub(crate) fn write(world: &mut World, by: Actor, key: &str, named: Named) {
    let replace = world.options.assumptions.tags_patch == TagsPatch::Replace;
    apply(world, by, key, named, replace);
}

fn apply(world: &mut World, by: Actor, key: &str, named: Named, replace: bool) {
    world.write_tags(key, by, |tags| {
        if replace {
            tags.clear();
        }
        for (name, value) in named {
            // Tag names compare without regard to case; the first spelling stays.
            let known = tags
                .keys()
                .find(|old| old.eq_ignore_ascii_case(&name))
                .cloned();
            let name = known.unwrap_or(name);
            match value {
                Some(value) => tags.insert(name, value),
                None => tags.remove(&name),
            };
        }
    });
}

/// Answers `Microsoft.Resources/tags/default` of a machine.
pub(crate) fn route(world: &mut World, call: &mut Call, key: &str) -> Answer {
    match call.method.as_str() {
        "GET" => Ok(Reply::ok(resource(world, key))),
        "PATCH" => patch(world, call, key),
        _ => Err(ArmError::method_not_allowed()),
    }
}

fn resource(world: &World, key: &str) -> Value {
    let Some(machine) = world.machines.get(key) else {
        return Value::Null;
    };
    json!({
        "id": format!("{}/providers/Microsoft.Resources/tags/default", machine.id),
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": machine.tags},
    })
}

fn patch(world: &mut World, call: &mut Call, key: &str) -> Answer {
    call.acts(CallOperation::Update, "Microsoft.Resources/tags/write");
    let body = call.json()?;
    let named = read(&body["properties"]["tags"])?.unwrap_or_default();
    let operation = body["operation"]
        .as_str()
        .unwrap_or_default()
        .to_lowercase();
    if !["merge", "replace", "delete"].contains(&operation.as_str()) {
        return Err(ArmError::invalid(
            "operation",
            "must be Merge, Replace or Delete",
        ));
    }
    accepted(world, call, None);
    let named = match operation.as_str() {
        "delete" => named.into_keys().map(|name| (name, None)).collect(),
        _ => named,
    };
    apply(
        world,
        call.actor(&call.request_id),
        key,
        named,
        operation == "replace",
    );
    Ok(Reply::ok(resource(world, key)))
}
