//! Object metadata: names, labels, owner references and the fields that only the server sets.
//! Rules of k8s.io/apimachinery `pkg/api/validation`; it must never look at spec or status.

use serde_json::Value;

use crate::status_error::Cause;

/// Metadata fields that clients cannot change once an object exists.
pub(crate) const SYSTEM_FIELDS: [&str; 6] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
];

const MAX_LABEL_NAME: usize = 63;
const MAX_SUBDOMAIN: usize = 253;
/// Bound of k8s.io/apimachinery `TotalAnnotationSizeLimitB`.
const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// A metadata text field, empty when absent.
pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// The finalizers of an object.
pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    let list = object["metadata"]["finalizers"]
        .as_array()
        .map(Vec::as_slice);
    list.unwrap_or_default()
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

/// Whether a deletion is under way.
pub(crate) fn deleting(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// The object's generation, zero when it has none.
pub(crate) fn generation(object: &Value) -> u64 {
    object["metadata"]["generation"]
        .as_u64()
        .unwrap_or_default()
}

/// Drops nulls and empty collections, as decoding into `ObjectMeta` does.
pub(crate) fn normalize(object: &mut Value) {
    let Some(meta) = object["metadata"].as_object_mut() else {
        return;
    };
    meta.retain(|key, value| {
        let empty = match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        !empty && key != "selfLink"
    });
}

/// A name made of a prefix, cut to what a label may have, and a suffix.
pub(crate) fn generated_name(prefix: &str, suffix: &str) -> String {
    let room = MAX_LABEL_NAME.saturating_sub(suffix.len());
    let end = (0..=room.min(prefix.len()))
        .rev()
        .find(|at| prefix.is_char_boundary(*at));
    format!("{}{suffix}", &prefix[..end.unwrap_or_default()])
}

/// Rules that hold on create and on update.
pub(crate) fn validate(object: &Value, causes: &mut Vec<Cause>) {
    let meta = &object["metadata"];
    for (key, value) in meta["labels"].as_object().into_iter().flatten() {
        if let Err(detail) = qualified_name(key) {
            causes.push(Cause::invalid(
                "metadata.labels",
                &Value::from(key.as_str()),
                detail,
            ));
        }
        let text = value.as_str().unwrap_or_default();
        if let Err(detail) = label_value(text) {
            causes.push(Cause::invalid("metadata.labels", value, detail));
        }
    }
    let mut annotation_bytes = 0;
    for (key, value) in meta["annotations"].as_object().into_iter().flatten() {
        if let Err(detail) = qualified_name(&key.to_lowercase()) {
            causes.push(Cause::invalid(
                "metadata.annotations",
                &Value::from(key.as_str()),
                detail,
            ));
        }
        annotation_bytes += key.len() + value.as_str().unwrap_or_default().len();
    }
    if annotation_bytes > MAX_ANNOTATION_BYTES {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            field: "metadata.annotations".to_owned(),
            message: format!("Too long: may not be more than {MAX_ANNOTATION_BYTES} bytes"),
        });
    }
    validate_owners(&meta["ownerReferences"], causes);
    for finalizer in finalizers(object) {
        if let Err(detail) = qualified_name(finalizer) {
            causes.push(Cause::invalid(
                "metadata.finalizers",
                &Value::from(finalizer),
                detail,
            ));
        }
    }
}

fn validate_owners(owners: &Value, causes: &mut Vec<Cause>) {
    let mut controllers = 0;
    for owner in owners.as_array().into_iter().flatten() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().unwrap_or_default().is_empty() {
                let path = format!("metadata.ownerReferences.{field}");
                causes.push(Cause::invalid(path, &Value::from(""), "must not be empty"));
            }
        }
        controllers += usize::from(owner["controller"] == true);
    }
    if controllers > 1 {
        let detail = "Only one reference can have Controller set to true. Found \"true\" in \
                      references for more than one owner";
        causes.push(Cause::invalid("metadata.ownerReferences", owners, detail));
    }
}

/// Checks an object's name against the rules of its type.
pub(crate) fn validate_name(name: &str, label: bool, causes: &mut Vec<Cause>) {
    let valid = if label {
        dns_label(name)
    } else {
        dns_subdomain(name)
    };
    if !valid {
        let detail = if label && name.contains('.') {
            "must not contain dots"
        } else if label {
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or \
             '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or \
             '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        } else {
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
             '-' or '.', and must start and end with an alphanumeric character (e.g. \
             'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        };
        causes.push(Cause::invalid("metadata.name", &Value::from(name), detail));
    }
}

/// Whether a text is an RFC 1123 label.
pub(crate) fn dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= MAX_LABEL_NAME
        && bytes.iter().all(|byte| inner(*byte) || *byte == b'-')
        && inner(bytes[0])
        && inner(bytes[bytes.len() - 1])
}

/// Whether a text is an RFC 1123 subdomain.
pub(crate) fn dns_subdomain(text: &str) -> bool {
    let part = |part: &str| {
        let bytes = part.as_bytes();
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !bytes.is_empty()
            && bytes.iter().all(|byte| inner(*byte) || *byte == b'-')
            && inner(bytes[0])
            && inner(bytes[bytes.len() - 1])
    };
    text.len() <= MAX_SUBDOMAIN && text.split('.').all(part)
}

fn qualified_name(text: &str) -> Result<(), &'static str> {
    let (prefix, name) = text.rsplit_once('/').unwrap_or(("", text));
    if text.contains('/') && !dns_subdomain(prefix) {
        return Err(
            "prefix part a lowercase RFC 1123 subdomain must consist of lower case \
                    alphanumeric characters, '-' or '.'",
        );
    }
    if name.is_empty() || label_value(name).is_err() {
        return Err(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and \
                    must start and end with an alphanumeric character (e.g. 'MyName',  or \
                    'my.name',  or '123-abc', regex used for validation is \
                    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        );
    }
    Ok(())
}

fn label_value(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    if bytes.len() > MAX_LABEL_NAME {
        return Err("must be no more than 63 bytes");
    }
    let edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    if edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner) {
        return Ok(());
    }
    Err(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' \
         or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
         'my_value',  or '12345', regex used for validation is \
         '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    )
}
