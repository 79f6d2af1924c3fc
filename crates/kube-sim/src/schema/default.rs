//! Fills in the defaults of a structural schema.

use serde_json::Value;

use super::{Additional, Schema};

/// Fills in place. A null where null is not allowed counts as missing if there is a default.
pub(super) fn fill(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, child) in &schema.properties {
                if !child.below.defaults {
                    continue;
                }
                if let Some(default) = &child.default {
                    let missing = match map.get(name) {
                        None => true,
                        Some(Value::Null) => !child.nullable,
                        Some(_) => false,
                    };
                    if missing {
                        map.insert(name.clone(), default.clone());
                    }
                }
                if let Some(value) = map.get_mut(name) {
                    fill(child, value);
                }
            }
            if let Additional::Schema(child) = &schema.additional
                && child.below.defaults
            {
                let named = |name: &String| schema.properties.contains_key(name);
                for (_, value) in map.iter_mut().filter(|(name, _)| !named(name)) {
                    if value.is_null()
                        && !child.nullable
                        && let Some(default) = &child.default
                    {
                        *value = default.clone();
                    }
                    fill(child, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = schema.items.as_ref().filter(|items| items.below.defaults) {
                list.iter_mut().for_each(|element| fill(items, element));
            }
        }
        _ => {}
    }
}

/// Removes nulls where a field may not be null and has no default to take their place.
pub(super) fn drop_nulls(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(map) => {
            let known = |name: &str| match (schema.properties.get(name), &schema.additional) {
                (Some(child), _) => Some(child),
                (None, Additional::Schema(child)) => Some(&**child),
                (None, _) => None,
            };
            map.retain(|name, value| match known(name) {
                Some(child) => !value.is_null() || child.nullable || child.default.is_some(),
                None => true,
            });
            for (name, value) in map.iter_mut() {
                if let Some(child) = known(name) {
                    drop_nulls(child, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                list.iter_mut()
                    .for_each(|element| drop_nulls(items, element));
            }
        }
        _ => {}
    }
}
