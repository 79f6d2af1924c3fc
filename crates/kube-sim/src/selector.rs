//! Label and field selectors: parsing and matching. Grammar of k8s.io/apimachinery `pkg/labels`
//! and `pkg/fields`. Must never know which fields a resource supports; the caller checks that.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::status_error::ApiError;

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, BTreeSet<String>),
    NotIn(String, BTreeSet<String>),
    Exists(String),
    Absent(String),
    Above(String, i64),
    Below(String, i64),
}

/// A parsed `labelSelector`; the empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels(Vec<Requirement>);

impl Labels {
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let bad = |part: &str| {
            let word = part.split_whitespace().nth(1).unwrap_or(part);
            ApiError::bad_request(format!(
                "unable to parse requirement: found '{word}', expected: in, notin, =, ==, !=, gt, \
                 lt"
            ))
        };
        let mut requirements = Vec::new();
        for part in split_outside_brackets(text) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            requirements.push(requirement(part).ok_or_else(|| bad(part))?);
        }
        Ok(Self(requirements))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let labels = &object["metadata"]["labels"];
        let get = |key: &str| labels.get(key).and_then(Value::as_str);
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => get(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => get(key).is_none_or(|value| !values.contains(value)),
            Requirement::Exists(key) => get(key).is_some(),
            Requirement::Absent(key) => get(key).is_none(),
            Requirement::Above(key, bound) => number(get(key)).is_some_and(|own| own > *bound),
            Requirement::Below(key, bound) => number(get(key)).is_some_and(|own| own < *bound),
        })
    }
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(part: &str) -> Option<Requirement> {
    let one = |value: &str| BTreeSet::from([value.trim().to_owned()]);
    let found = if let Some((key, value)) = part.split_once("!=") {
        Requirement::NotIn(key.trim().to_owned(), one(value))
    } else if let Some((key, value)) = part.split_once("==") {
        Requirement::In(key.trim().to_owned(), one(value))
    } else if let Some((key, value)) = part.split_once('=') {
        Requirement::In(key.trim().to_owned(), one(value))
    } else if let Some((key, bound)) = part.split_once('>') {
        Requirement::Above(key.trim().to_owned(), bound.trim().parse().ok()?)
    } else if let Some((key, bound)) = part.split_once('<') {
        Requirement::Below(key.trim().to_owned(), bound.trim().parse().ok()?)
    } else if let Some(key) = part.strip_prefix('!') {
        Requirement::Absent(key.trim().to_owned())
    } else if let Some(open) = part.find('(') {
        let values = part[open + 1..].strip_suffix(')')?;
        let values = values
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        let mut words = part[..open].split_whitespace();
        match (words.next()?, words.next()?, words.next()) {
            (key, "in", None) => Requirement::In(key.to_owned(), values),
            (key, "notin", None) => Requirement::NotIn(key.to_owned(), values),
            _ => return None,
        }
    } else {
        Requirement::Exists(part.to_owned())
    };
    let (Requirement::In(key, _)
    | Requirement::NotIn(key, _)
    | Requirement::Exists(key)
    | Requirement::Absent(key)
    | Requirement::Above(key, _)
    | Requirement::Below(key, _)) = &found;
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    (!key.is_empty() && key.chars().all(legal)).then_some(found)
}

/// A parsed `fieldSelector`: path, whether equality is wanted, value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, bool, String)>);

impl Fields {
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let mut terms = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (path, equal, value) = if let Some((path, value)) = part.split_once("!=") {
                (path, false, value)
            } else if let Some((path, value)) = part.split_once("==") {
                (path, true, value)
            } else if let Some((path, value)) = part.split_once('=') {
                (path, true, value)
            } else {
                return Err(ApiError::bad_request(format!(
                    "invalid selector: '{text}'; can't understand '{part}'"
                )));
            };
            terms.push((path.to_owned(), equal, value.to_owned()));
        }
        Ok(Self(terms))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths that the selector names.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(path, _, _)| path.as_str())
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0
            .iter()
            .all(|(path, equal, value)| (field_text(object, path) == *value) == *equal)
    }
}

/// A field as selector text; a missing field reads as empty, as in the real server.
fn field_text(object: &Value, path: &str) -> String {
    let found = path
        .split('.')
        .try_fold(object, |value, part| value.get(part));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use super::*;
    use serde_json::json;

    #[test]
    fn label_selectors_match_as_documented() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "a"}}});
        let table = [
            ("", true),
            ("app=web", true),
            ("app==web,tier=a", true),
            ("app=db", false),
            ("app!=db", true),
            ("missing!=x", true),
            ("app in (db, web)", true),
            ("app notin (db,web)", false),
            ("missing notin (x)", true),
            ("tier", true),
            ("!tier", false),
            ("!missing,app in (web),tier", true),
        ];
        for (text, want) in table {
            assert_eq!(
                Labels::parse(text).unwrap().matches(&object),
                want,
                "{text}"
            );
        }
        assert!(Labels::parse("app in web").is_err());
        assert!(Labels::parse("app near (web)").is_err());
    }

    #[test]
    fn field_selectors_compare_text_and_read_missing_as_empty() {
        let object = json!({"metadata": {"name": "x"}, "spec": {"n": 3, "on": true}});
        let table = [
            ("metadata.name=x", true),
            ("metadata.name!=x", false),
            ("spec.n=3,spec.on==true", true),
            ("spec.none=", true),
        ];
        for (text, want) in table {
            assert_eq!(
                Fields::parse(text).unwrap().matches(&object),
                want,
                "{text}"
            );
        }
        assert!(Fields::parse("metadata.name").is_err());
    }
}
