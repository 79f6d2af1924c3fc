//! Reads the protobuf bodies that kubectl and other Go programs send of built-in types, whatever
//! the server would rather have. Field numbers are those of the `generated.proto` files of
//! k8s.io/api and k8s.io/apimachinery. Must never write protobuf: answers are JSON.

mod messages;

use chrono::{DateTime, SecondsFormat};
use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

/// The media type of such bodies.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Messages inside messages; deeper ones are refused.
const DEPTH_MAX: usize = 16;

/// What a field holds.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bytes,
    Bool,
    Int,
    /// Seconds and nanoseconds, shown in whole seconds or in microseconds.
    Time(SecondsFormat),
    Message(Message),
    /// Many texts or messages.
    List(&'static Kind),
    /// Text to text or bytes.
    Map(&'static Kind),
}

/// Fields of a message: number, JSON name, kind. What is not listed is passed over.
type Message = &'static [(u64, &'static str, Kind)];

/// `runtime.TypeMeta`, part of `runtime.Unknown`, which is the envelope of every body.
const TYPES: Message = &[(1, "apiVersion", Kind::Text), (2, "kind", Kind::Text)];

/// Reads a body into the JSON object that it stands for; the error says what is wrong.
pub(crate) fn to_json(body: &[u8]) -> Result<Value, String> {
    let body = body
        .strip_prefix(MAGIC)
        .ok_or("it does not begin with the magic number of the Kubernetes API")?;
    let (mut raw, mut types): (&[u8], _) = (&[], Map::new());
    for field in Fields(body) {
        let (number, wire) = field?;
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => types = message(bytes, TYPES, 0)?,
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let kind = types
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let fields = messages::of(kind).ok_or_else(|| format!("{kind:?} is not known in protobuf"))?;
    let mut object = message(raw, fields, 0)?;
    object.extend(types);
    Ok(object.into())
}

/// A value on the wire.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of an encoded message, in order.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Wire<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            // Nothing behind a broken field can be read.
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "it is cut short or malformed".to_owned()))
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Bytes(self.take(4)?),
            _ => return None,
        };
        Some((key >> 3, wire))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

fn message(bytes: &[u8], fields: Message, depth: usize) -> Result<Map<String, Value>, String> {
    if depth > DEPTH_MAX {
        return Err("it is nested too deep".to_owned());
    }
    let mut out = Map::new();
    for field in Fields(bytes) {
        let (number, wire) = field?;
        let Some((_, name, kind)) = fields.iter().find(|(own, _, _)| *own == number) else {
            continue;
        };
        match (kind, &wire) {
            (Kind::List(item), _) => {
                let item = value(item, &wire, depth)?;
                let list = out.entry(*name).or_insert_with(|| Value::Array(Vec::new()));
                list.as_array_mut()
                    .into_iter()
                    .for_each(|list| list.push(item.clone()));
            }
            (Kind::Map(item), Wire::Bytes(bytes)) => {
                let (key, item) = entry(bytes, item, depth)?;
                let map = out
                    .entry(*name)
                    .or_insert_with(|| Value::Object(Map::new()));
                map[key] = item;
            }
            _ => {
                let found = value(kind, &wire, depth)?;
                // Go sends empty texts and times that its JSON would leave out.
                if !matches!(&found, Value::Null) && found != "" {
                    out.insert((*name).to_owned(), found);
                }
            }
        }
    }
    Ok(out)
}

/// One entry of a map: key 1, value 2.
fn entry(bytes: &[u8], kind: &Kind, depth: usize) -> Result<(String, Value), String> {
    let (mut key, mut found) = (String::new(), Value::from(""));
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Bytes(text)) => key = utf8(text)?,
            (2, wire) => found = value(kind, &wire, depth)?,
            _ => {}
        }
    }
    Ok((key, found))
}

fn value(kind: &Kind, wire: &Wire<'_>, depth: usize) -> Result<Value, String> {
    Ok(match (kind, wire) {
        (Kind::Text, Wire::Bytes(bytes)) => utf8(bytes)?.into(),
        (Kind::Bytes, Wire::Bytes(bytes)) => json!(ByteString(bytes.to_vec())),
        (Kind::Bool, Wire::Number(number)) => (*number != 0).into(),
        // A negative number comes as its two's complement.
        (Kind::Int, Wire::Number(number)) => number.cast_signed().into(),
        (Kind::Time(format), Wire::Bytes(bytes)) => time(bytes, *format)?,
        (Kind::Message(fields), Wire::Bytes(bytes)) => message(bytes, fields, depth + 1)?.into(),
        _ => return Err("a field has the wrong wire type".to_owned()),
    })
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8".to_owned())
}

/// A time; null where it is Go's zero.
fn time(bytes: &[u8], format: SecondsFormat) -> Result<Value, String> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Number(number)) => seconds = number.cast_signed(),
            (2, Wire::Number(number)) => nanos = u32::try_from(number).unwrap_or_default(),
            _ => {}
        }
    }
    let found = DateTime::from_timestamp(seconds, nanos).filter(|_| !bytes.is_empty());
    Ok(found.map_or(Value::Null, |at| at.to_rfc3339_opts(format, true).into()))
}

#[cfg(test)]
mod tests;
