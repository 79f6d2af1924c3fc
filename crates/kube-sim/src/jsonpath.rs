//! The part of JSONPath that CRDs may use in printer columns: fields, indexes, `*` and filters by
//! equality. Follows k8s.io/client-go `util/jsonpath`; a missing key is no error, only no result.

use serde_json::Value;

/// Parts of a path; longer ones are not read.
const PARTS_MAX: usize = 64;

/// One step down.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Field(String),
    /// Counted from the end when negative.
    Index(i64),
    All,
    /// Elements in which a path has, or has not, a value.
    Where(Path, bool, Value),
}

/// A parsed path.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Path(Vec<Part>);

impl Path {
    /// Parses a path such as `.status.conditions[?(@.type=="Ready")].status`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text.trim().trim_start_matches('{').trim_end_matches('}');
        rest = rest.strip_prefix('$').unwrap_or(rest);
        while !rest.is_empty() {
            if parts.len() == PARTS_MAX {
                return None;
            }
            let (part, after) = match rest.strip_prefix('[') {
                Some(inner) => {
                    let (inside, after) = bracket(inner)?;
                    (subscript(inside)?, after)
                }
                None => field(rest.strip_prefix('.').unwrap_or(rest)),
            };
            if part == Part::Field(String::new()) {
                return None;
            }
            parts.push(part);
            rest = after;
        }
        Some(Self(parts))
    }

    /// All values that the path leads to, in order.
    pub(crate) fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![root];
        for part in &self.0 {
            found = found.into_iter().flat_map(|at| part.step(at)).collect();
        }
        found
    }
}

impl Part {
    fn step<'a>(&self, at: &'a Value) -> Vec<&'a Value> {
        let list = || at.as_array().map(Vec::as_slice).unwrap_or_default();
        match self {
            Self::Field(name) => at.get(name).into_iter().collect(),
            Self::Index(index) => {
                let list = list();
                let count = i64::try_from(list.len()).unwrap_or(i64::MAX);
                let index = if *index < 0 { index + count } else { *index };
                usize::try_from(index)
                    .ok()
                    .and_then(|index| list.get(index))
                    .into_iter()
                    .collect()
            }
            Self::All => match at {
                Value::Object(map) => map.values().collect(),
                _ => list().iter().collect(),
            },
            Self::Where(path, equal, wanted) => {
                let holds = |element: &&Value| {
                    let found = path.find(element);
                    found.first().is_some_and(|v| (*v == wanted) == *equal)
                };
                list().iter().filter(holds).collect()
            }
        }
    }
}

/// Reads a field name up to the next dot or bracket; a backslash keeps what follows.
fn field(text: &str) -> (Part, &str) {
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => name.extend(letters.next().map(|(_, kept)| kept)),
            '.' | '[' => return (whole_or(name), &text[at..]),
            _ => name.push(letter),
        }
    }
    (whole_or(name), "")
}

fn whole_or(name: String) -> Part {
    if name == "*" {
        Part::All
    } else {
        Part::Field(name)
    }
}

/// Splits at the bracket that closes, outside quotes.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let (mut quote, mut depth) = (None, 0_usize);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some((&text[..at], &text[at + 1..])),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn subscript(inside: &str) -> Option<Part> {
    let inside = inside.trim();
    if inside == "*" {
        return Some(Part::All);
    }
    if let Some(name) = quoted(inside) {
        return Some(Part::Field(name.to_owned()));
    }
    if let Some(filter) = inside.strip_prefix("?(") {
        let filter = filter.strip_suffix(')')?;
        let (left, equal, right) = match filter.split_once("==") {
            Some((left, right)) => (left, true, right),
            None => {
                let (left, right) = filter.split_once("!=")?;
                (left, false, right)
            }
        };
        let path = Path::parse(left.trim().strip_prefix('@')?)?;
        let right = right.trim();
        let wanted = match quoted(right) {
            Some(text) => text.into(),
            None => serde_json::from_str(right).ok()?,
        };
        return Some(Part::Where(path, equal, wanted));
    }
    inside.parse().ok().map(Part::Index)
}

fn quoted(text: &str) -> Option<&str> {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\''))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_to_its_values_and_a_missing_key_to_none() {
        let object = json!({
            "metadata": {"labels": {"a.b/c": "dotted"}},
            "status": {
                "reasons": ["First", "Second"],
                "conditions": [
                    {"type": "Ready", "status": "True", "n": 1},
                    {"type": "Paused", "status": "False", "n": 2},
                ],
            },
        });
        let table: [(&str, serde_json::Value); 11] = [
            (".status.reasons[0]", json!(["First"])),
            (".status.reasons[-1]", json!(["Second"])),
            (".status.reasons[7]", json!([])),
            (".status.reasons[*]", json!(["First", "Second"])),
            (".status.none.deeper", json!([])),
            (".metadata.labels.a\\.b/c", json!(["dotted"])),
            (".metadata.labels['a.b/c']", json!(["dotted"])),
            (
                ".status.conditions[?(@.type==\"Ready\")].status",
                json!(["True"]),
            ),
            (".status.conditions[?(@.type=='Nope')].status", json!([])),
            (".status.conditions[?(@.n!=1)].type", json!(["Paused"])),
            ("{.status.conditions[*].n}", json!([1, 2])),
        ];
        for (text, want) in table {
            let path = Path::parse(text).unwrap_or_else(|| panic!("{text} is a path"));
            assert_eq!(json!(path.find(&object)), want, "{text}");
        }
        for text in [".a..b", ".a[", ".a[x]", ".a[?(@.b)]"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }
}
