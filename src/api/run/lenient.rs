//! Reads what is stored even where a field of it is of a wrong type: such a field is set aside, and
//! the others still count. Whether what was set aside matters is not judged here.

use std::collections::BTreeMap;

use serde_json::{Error, Map, Value};

/// Reads an object field by field if it cannot be read whole; returns it with the fields that are
/// of a wrong type.
///
/// `least` is the smallest object that can be read: its fields stand in for required ones.
///
/// # Errors
/// Where the value is no object.
pub(super) fn read<T>(
    stored: Value,
    least: &Value,
    typed: impl Fn(&Value) -> Result<T, Error>,
) -> Result<(T, BTreeMap<String, Value>), Error> {
    let whole = match typed(&stored) {
        Ok(whole) => return Ok((whole, BTreeMap::new())),
        Err(error) => error,
    };
    let Value::Object(fields) = stored else {
        return Err(whole);
    };
    let least = least.as_object().cloned().unwrap_or_default();
    let mut right: Map<String, Value> = least.clone();
    let mut wrong = BTreeMap::new();
    for (name, value) in fields {
        let mut alone = least.clone();
        alone.insert(name.clone(), value.clone());
        if typed(&Value::Object(alone)).is_ok() {
            right.insert(name, value);
        } else {
            wrong.insert(name, value);
        }
    }
    Ok((typed(&Value::Object(right))?, wrong))
}
