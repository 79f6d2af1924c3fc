//! Removes fields that a structural schema does not know.

use serde_json::Value;

use super::{Additional, Schema, join};

/// Fields that every object has, whatever its schema says.
const OWN_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Prunes in place and collects the paths of what was removed.
pub(super) fn prune(schema: &Schema, value: &mut Value, path: &str, removed: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.retain(|name, child| {
                if schema.resource && OWN_FIELDS.contains(&name.as_str()) {
                    return true;
                }
                let known = match (schema.properties.get(name), &schema.additional) {
                    (Some(known), _) => known,
                    (None, Additional::Schema(known)) => known,
                    (None, Additional::Any) => return true,
                    (None, Additional::None) => {
                        if !schema.preserve {
                            removed.push(join(path, name));
                        }
                        return schema.preserve;
                    }
                };
                if child.is_object() || child.is_array() {
                    prune(known, child, &join(path, name), removed);
                }
                true
            });
        }
        Value::Array(list) => {
            let Some(items) = &schema.items else { return };
            for (at, element) in list.iter_mut().enumerate() {
                if element.is_object() || element.is_array() {
                    prune(items, element, &format!("{path}[{at}]"), removed);
                }
            }
        }
        _ => {}
    }
}
