//! Request bodies: JSON and YAML into values, with the keys that occur twice. Must never know what
//! a body means.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::DuplicateKeyPolicy;

/// A parsed body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) value: Value,
    /// What is to be said of keys that occur twice; of these the last one counts.
    pub(crate) duplicates: Vec<String>,
}

impl Content {
    /// Parses JSON; the error is in the words of Go's `encoding/json` where that is short.
    pub(crate) fn json(bytes: &[u8]) -> Result<Self, String> {
        let mut duplicates = Vec::new();
        let mut parser = serde_json::Deserializer::from_slice(bytes);
        let node = Node {
            place: Place::Root,
            duplicates: &mut duplicates,
        };
        let value = node
            .deserialize(&mut parser)
            .and_then(|value| parser.end().map(|()| value));
        let value = value.map_err(|error| {
            if error.is_eof() {
                "unexpected end of JSON input".to_owned()
            } else {
                error.to_string()
            }
        })?;
        Ok(Self { value, duplicates })
    }

    /// Parses YAML, of which JSON is a part.
    pub(crate) fn yaml(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let parse = |policy: DuplicateKeyPolicy| -> Result<Value, serde_saphyr::Error> {
            let options = serde_saphyr::options! { duplicate_keys: policy };
            serde_saphyr::from_str_with_options(text, options)
        };
        match parse(DuplicateKeyPolicy::Error) {
            Ok(value) => Ok(Self {
                value,
                duplicates: Vec::new(),
            }),
            Err(error) => {
                let Ok(value) = parse(DuplicateKeyPolicy::LastWins) else {
                    return Err(error
                        .to_string()
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .to_owned());
                };
                let line = error.location().map_or(0, |at| at.line());
                let key = text.lines().nth((line as usize).saturating_sub(1));
                let key = key
                    .unwrap_or_default()
                    .split(':')
                    .next()
                    .unwrap_or_default();
                let key = key
                    .trim()
                    .trim_start_matches("- ")
                    .trim_matches(['"', '\'']);
                let duplicates = vec![format!("line {line}: key {key:?} already set in map")];
                Ok(Self { value, duplicates })
            }
        }
    }
}

/// Where in the document a value stands.
#[derive(Clone, Copy)]
enum Place<'a> {
    Root,
    Field(&'a Place<'a>, &'a str),
    Element(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn path(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Field(Place::Root, name) => (*name).to_owned(),
            Self::Field(parent, name) => format!("{}.{name}", parent.path()),
            Self::Element(parent, at) => format!("{}[{at}]", parent.path()),
        }
    }
}

/// Reads one value.
struct Node<'a> {
    place: Place<'a>,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let node = Node {
                place: Place::Element(&self.place, list.len()),
                duplicates: &mut *self.duplicates,
            };
            match access.next_element_seed(node)? {
                Some(element) => list.push(element),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(Node {
                place: Place::Field(&self.place, &key),
                duplicates: &mut *self.duplicates,
            })?;
            if map.contains_key(&key) {
                let path = Place::Field(&self.place, &key).path();
                self.duplicates.push(format!("duplicate field {path:?}"));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_that_occur_twice_are_told_with_their_path_and_the_last_one_counts() {
        let found = Content::json(br#"{"a":{"b":1,"b":2},"l":[{"x":1,"x":2}],"a":3}"#).unwrap();
        assert_eq!(found.value, json!({"a": 3, "l": [{"x": 2}]}));
        assert_eq!(
            found.duplicates,
            [
                "duplicate field \"a.b\"",
                "duplicate field \"l[0].x\"",
                "duplicate field \"a\"",
            ]
        );
        let found = Content::yaml(b"a: 1\nb:\n  c: x\n  c: z\n").unwrap();
        assert_eq!(found.value, json!({"a": 1, "b": {"c": "z"}}));
        assert_eq!(found.duplicates, ["line 4: key \"c\" already set in map"]);
    }

    #[test]
    fn a_body_that_is_cut_off_is_refused() {
        assert_eq!(
            Content::json(b"{\"a\":").unwrap_err(),
            "unexpected end of JSON input"
        );
        assert!(Content::json(b"{} x").is_err());
        assert!(Content::yaml(b"a: [").is_err());
    }
}
