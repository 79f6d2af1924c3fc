//! A server's answer, and whether it is as stated.
//!
//! In a stated value the text `*` stands for anything that is there, `<absent>` for a field that
//! is not, and a text that begins with `~` is a regular expression.

use std::fmt::{self, Display};

use http::HeaderMap;
use regex::Regex;
use serde_json::{Value, json};

/// Bound of what a report shows of one answer.
const SHOWN_BYTES: usize = 4000;

/// An answer that is not as stated.
#[derive(Debug)]
pub(super) struct Differs {
    /// What was stated.
    pub wanted: String,
    /// What came instead, raw.
    pub answer: String,
}

impl Differs {
    /// A difference without an answer, such as a broken connection.
    pub(super) fn plain(text: impl Display) -> Self {
        Self {
            wanted: "an answer".to_owned(),
            answer: text.to_string(),
        }
    }
}

impl From<kube::Error> for Differs {
    fn from(error: kube::Error) -> Self {
        Self::plain(format!("{error}: {error:?}"))
    }
}

impl Display for Differs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer: String = self.answer.chars().take(SHOWN_BYTES).collect();
        write!(out, "    stated: {}\n    answer: {answer}", self.wanted)
    }
}

/// What a case ends with.
pub(super) type Outcome = Result<(), Differs>;

/// A whole answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    what: String,
    /// HTTP status code.
    pub code: u16,
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON, or null.
    pub json: Value,
}

impl Answer {
    pub(super) fn new(what: String, parts: &http::response::Parts, body: &[u8]) -> Self {
        Self {
            what,
            code: parts.status.as_u16(),
            headers: parts.headers.clone(),
            text: String::from_utf8_lossy(body).into_owned(),
            json: serde_json::from_slice(body).unwrap_or_default(),
        }
    }

    /// A difference that shows this answer.
    pub(super) fn differs(&self, wanted: impl Display) -> Differs {
        Differs {
            wanted: wanted.to_string(),
            answer: format!("{}\n    {} {}", self.what, self.code, self.text),
        }
    }

    /// The code must be this.
    pub(super) fn code(&self, code: u16) -> Result<&Self, Differs> {
        if self.code == code {
            return Ok(self);
        }
        Err(self.differs(format!("HTTP {code}")))
    }

    /// A condition on the answer, in words.
    pub(super) fn holds(&self, what: &str, good: bool) -> Result<&Self, Differs> {
        if good {
            return Ok(self);
        }
        Err(self.differs(what))
    }

    /// The code must be this and the body must contain at least what is stated.
    pub(super) fn like(&self, code: u16, wanted: Value) -> Result<&Self, Differs> {
        self.compare(code, &wanted, false)
    }

    /// The field at a JSON pointer must be exactly this, or `<absent>`.
    pub(super) fn at(&self, pointer: &str, wanted: Value) -> Result<&Self, Differs> {
        let found = self.json.pointer(pointer);
        let good = match (&wanted, found) {
            (Value::String(text), None) => text == "<absent>",
            (_, None) => false,
            (wanted, Some(found)) => mismatch(wanted, found, true).is_none(),
        };
        if good {
            return Ok(self);
        }
        Err(self.differs(format!("{pointer} is {wanted}")))
    }

    /// The body must be this `Status` failure and nothing more; null details must be absent.
    pub(super) fn refused(
        &self,
        code: u16,
        reason: &str,
        message: &str,
        details: Value,
    ) -> Result<&Self, Differs> {
        let mut wanted = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "code": code,
        });
        if !reason.is_empty() {
            wanted["reason"] = reason.into();
        }
        if !details.is_null() {
            wanted["details"] = details;
        }
        self.compare(code, &wanted, true)
    }

    /// A 422 about a kind of object with exactly these causes: (reason, field, message).
    ///
    /// The real server walks schemas in no order, so neither does this; a line that repeats
    /// another stands once in the message.
    pub(super) fn invalid(
        &self,
        (kind, group, name): (&str, &str, &str),
        causes: &[(&str, &str, &str)],
    ) -> Result<&Self, Differs> {
        let mut stated: Vec<Value> = causes
            .iter()
            .map(|(reason, field, message)| {
                json!({"reason": reason, "message": message, "field": field})
            })
            .collect();
        let found = self.json["details"]["causes"].as_array();
        let place = |cause: &Value| found.and_then(|all| all.iter().position(|own| own == cause));
        stated.sort_by_key(|cause| place(cause).unwrap_or(usize::MAX));
        let mut lines: Vec<String> = Vec::new();
        for cause in &stated {
            let text = |key: &str| cause[key].as_str().unwrap_or_default();
            let line = format!("{}: {}", text("field"), text("message"));
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let text = match lines.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let full = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let mut details = json!({"name": name, "group": group, "kind": kind, "causes": stated});
        if let Some(map) = details.as_object_mut() {
            map.retain(|_, value| value != "");
        }
        let message = format!("{full} {name:?} is invalid: {text}");
        self.refused(422, "Invalid", &message, details)
    }

    fn compare(&self, code: u16, wanted: &Value, exact: bool) -> Result<&Self, Differs> {
        if self.code != code {
            return Err(self.differs(format!("HTTP {code} {wanted}")));
        }
        match mismatch(wanted, &self.json, exact) {
            None => Ok(self),
            Some(why) => Err(self.differs(format!("{wanted}\n     where: {why}"))),
        }
    }

    /// A metadata field as text.
    pub(super) fn meta(&self, field: &str) -> String {
        let found = &self.json["metadata"][field];
        found
            .as_str()
            .map_or_else(|| found.to_string(), str::to_owned)
    }

    /// The resource version.
    pub(super) fn rv(&self) -> String {
        self.meta("resourceVersion")
    }

    /// Names of the items of a list.
    pub(super) fn names(&self) -> Vec<String> {
        let items = self.json["items"].as_array().into_iter().flatten();
        items
            .filter_map(|item| item["metadata"]["name"].as_str())
            .map(str::to_owned)
            .collect()
    }

    /// The names of the items must be these, in order.
    pub(super) fn lists(&self, names: &[&str]) -> Result<&Self, Differs> {
        if self.code == 200 && self.names() == names {
            return Ok(self);
        }
        Err(self.differs(format!("a list of {names:?}")))
    }
}

/// Where two values differ; `exact` wants no more than what is stated.
pub(super) fn mismatch(wanted: &Value, found: &Value, exact: bool) -> Option<String> {
    compare("", wanted, Some(found), exact)
}

fn compare(path: &str, wanted: &Value, found: Option<&Value>, exact: bool) -> Option<String> {
    let say = |text: &str| Some(format!("{path}: {text}"));
    if wanted == "<absent>" {
        return found.and_then(|found| say(&format!("is there: {found}")));
    }
    let Some(found) = found else {
        return say("is missing");
    };
    match (wanted, found) {
        (Value::String(text), found) if text == "*" => {
            found.is_null().then(|| format!("{path}: is null"))
        }
        (Value::String(text), found) if text.starts_with('~') => {
            let regex = Regex::new(&text[1..]).expect("cases hold valid patterns");
            let found = found.as_str().unwrap_or_default();
            (!regex.is_match(found)).then(|| format!("{path}: {found:?} is not {text}"))
        }
        (Value::Object(wanted), Value::Object(found)) => {
            let extra = found.keys().find(|key| exact && !wanted.contains_key(*key));
            if let Some(extra) = extra {
                return say(&format!("has {extra:?} too: {}", found[extra]));
            }
            wanted
                .iter()
                .find_map(|(key, w)| compare(&format!("{path}/{key}"), w, found.get(key), exact))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            if wanted.len() != found.len() {
                return say(&format!("has {} elements: {found:?}", found.len()));
            }
            let mut pairs = wanted.iter().zip(found).enumerate();
            pairs.find_map(|(at, (w, f))| compare(&format!("{path}/{at}"), w, Some(f), exact))
        }
        (wanted, found) if wanted == found => None,
        (_, found) => say(&format!("is {found}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stated_value_is_a_pattern() {
        let found = json!({"a": 1, "b": ["x", {"c": "text", "d": 2}]});
        let table = [
            (json!({"a": 1}), false, true),
            (json!({"a": 1}), true, false),
            (json!({"a": 2}), false, false),
            (json!({"a": "*", "z": "<absent>"}), false, true),
            (json!({"z": "*"}), false, false),
            (json!({"a": "<absent>"}), false, false),
            (json!({"b": ["x", {"c": "~^te"}]}), false, true),
            (json!({"b": ["x", {"c": "~^ex"}]}), false, false),
            (json!({"b": ["x"]}), false, false),
            (json!({"a": 1, "b": ["x", {"c": "text"}]}), true, false),
        ];
        for (wanted, exact, same) in table {
            assert_eq!(mismatch(&wanted, &found, exact).is_none(), same, "{wanted}");
        }
    }
}
