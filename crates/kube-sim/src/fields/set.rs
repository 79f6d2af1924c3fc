//! Sets of field paths, as `metadata.managedFields` holds them (structured-merge-diff
//! `fieldpath.Set`, FieldsV1). A step of a path is kept in its FieldsV1 form, such as `f:spec`,
//! `k:{"name":"x"}` or `v:"x"`, so that encoding copies and comparing compares text.

use std::sync::Arc;

use serde_json::Value;

/// A set of paths: the steps below one node, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet(Vec<(Arc<str>, Node)>);

/// One step of a path, with what lies below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// Whether the path that ends here is in the set.
    pub(crate) member: bool,
    pub(crate) below: FieldSet,
}

impl Node {
    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }

    /// The two nodes merged step by step; `member` decides on the paths that end at a step.
    fn combine(&self, other: &Self, rule: Rule) -> Self {
        Self {
            member: rule.keeps(self.member, other.member),
            below: self.below.combine(&other.below, rule),
        }
    }
}

/// How two sets are combined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Union,
    Intersection,
    Difference,
}

impl Rule {
    fn keeps(self, left: bool, right: bool) -> bool {
        match self {
            Self::Union => left || right,
            Self::Intersection => left && right,
            Self::Difference => left && !right,
        }
    }

    /// What becomes of a subtree that only one side has.
    fn alone(self, node: &Node, left: bool) -> Option<Node> {
        let kept = match self {
            Self::Union => true,
            Self::Intersection => false,
            Self::Difference => left,
        };
        kept.then(|| node.clone())
    }
}

impl FieldSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a step; an empty node is left out.
    pub(crate) fn put(&mut self, step: impl Into<Arc<str>>, node: Node) {
        if node.is_empty() {
            return;
        }
        let step = step.into();
        match self.0.binary_search_by(|(own, _)| own.cmp(&step)) {
            Ok(at) => self.0[at].1 = self.0[at].1.combine(&node, Rule::Union),
            Err(at) => self.0.insert(at, (step, node)),
        }
    }

    /// The node behind a step.
    pub(crate) fn get(&self, step: &str) -> Option<&Node> {
        let at = self.0.binary_search_by(|(own, _)| (**own).cmp(step)).ok()?;
        Some(&self.0[at].1)
    }

    /// Steps with their nodes, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Node)> {
        self.0.iter().map(|(step, node)| (step, node))
    }

    /// Drops the steps for which `keep` says no, with all below them.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &mut Node) -> bool) {
        self.0
            .retain_mut(|(step, node)| keep(step, node) && !node.is_empty());
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        self.combine(other, Rule::Union)
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.combine(other, Rule::Intersection)
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.combine(other, Rule::Difference)
    }

    fn combine(&self, other: &Self, rule: Rule) -> Self {
        let mut out = Vec::with_capacity(self.0.len());
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((a, _)), Some((b, _))) => a.cmp(b),
            };
            let (step, node) = match order {
                std::cmp::Ordering::Less => match left.next() {
                    Some((step, node)) => (step, rule.alone(node, true)),
                    None => break,
                },
                std::cmp::Ordering::Greater => match right.next() {
                    Some((step, node)) => (step, rule.alone(node, false)),
                    None => break,
                },
                std::cmp::Ordering::Equal => match (left.next(), right.next()) {
                    (Some((step, a)), Some((_, b))) => (step, Some(a.combine(b, rule))),
                    _ => break,
                },
            };
            if let Some(node) = node.filter(|node| !node.is_empty()) {
                out.push((Arc::clone(step), node));
            }
        }
        Self(out)
    }

    /// All paths as messages show them, such as `.spec.ports[name="http"].port`; on each level the
    /// paths that end there come first.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.collect_paths("", &mut out);
        out
    }

    fn collect_paths(&self, prefix: &str, out: &mut Vec<String>) {
        for (step, _) in self.0.iter().filter(|(_, node)| node.member) {
            out.push(format!("{prefix}{}", shown(step)));
        }
        for (step, node) in &self.0 {
            node.below
                .collect_paths(&format!("{prefix}{}", shown(step)), out);
        }
    }

    /// Writes the set as FieldsV1 JSON.
    pub(crate) fn encode(&self, out: &mut String) {
        self.encode_below(false, out);
    }

    fn encode_below(&self, own: bool, out: &mut String) {
        out.push('{');
        let mut first = true;
        if own && !self.0.is_empty() {
            out.push_str("\".\":{}");
            first = false;
        }
        for (step, node) in &self.0 {
            if !first {
                out.push(',');
            }
            first = false;
            quote(step, out);
            out.push(':');
            node.below.encode_below(node.member, out);
        }
        out.push('}');
    }

    /// Reads FieldsV1 JSON; `None` when it is none.
    pub(crate) fn decode(value: &Value) -> Option<Self> {
        let mut out = Self::default();
        for (step, below) in value.as_object()? {
            if step == "." {
                continue;
            }
            let known = ["f:", "k:", "v:", "i:"]
                .iter()
                .any(|prefix| step.starts_with(prefix));
            if !known {
                return None;
            }
            let map = below.as_object()?;
            let node = Node {
                member: map.is_empty() || map.contains_key("."),
                below: Self::decode(below)?,
            };
            out.put(step.as_str(), node);
        }
        Some(out)
    }
}

/// Writes a text as JSON.
pub(crate) fn quote(text: &str, out: &mut String) {
    if text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&Value::from(text).to_string());
    }
}

/// A step as messages show it.
pub(crate) fn shown(step: &str) -> String {
    let (kind, rest) = step.split_at(step.len().min(2));
    match kind {
        "f:" => format!(".{rest}"),
        "v:" => format!("[={rest}]"),
        "k:" => {
            let keys: Value = serde_json::from_str(rest).unwrap_or_default();
            let keys = keys.as_object().into_iter().flatten();
            let keys: Vec<String> = keys.map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        _ => format!("[{rest}]"),
    }
}

/// The step of a field.
pub(crate) fn field(name: &str) -> Arc<str> {
    let mut step = String::with_capacity(name.len() + 2);
    step.push_str("f:");
    step.push_str(name);
    step.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use super::*;
    use serde_json::json;

    fn set(value: Value) -> FieldSet {
        FieldSet::decode(&value).unwrap()
    }

    fn text(set: &FieldSet) -> Value {
        let mut out = String::new();
        set.encode(&mut out);
        serde_json::from_str(&out).unwrap()
    }

    #[test]
    fn a_set_keeps_its_fields_v1_form() {
        let form = json!({"f:spec": {
            ".": {},
            "f:ports": {"k:{\"name\":\"a\",\"port\":1}": {".": {}, "f:port": {}}},
            "f:tags": {"v:\"x\"": {}, "i:0": {}},
        }});
        assert_eq!(text(&set(form.clone())), form);
        assert_eq!(
            set(form).paths(),
            [
                ".spec",
                ".spec.ports[name=\"a\",port=1]",
                ".spec.ports[name=\"a\",port=1].port",
                ".spec.tags[0]",
                ".spec.tags[=\"x\"]",
            ]
        );
        assert_eq!(FieldSet::decode(&json!({"x": {}})), None);
    }

    #[test]
    fn sets_combine_path_by_path() {
        let left = set(json!({"f:a": {".": {}, "f:b": {}}, "f:c": {}}));
        let right = set(json!({"f:a": {"f:b": {}}, "f:d": {}}));
        let table = [
            (
                left.union(&right),
                json!({"f:a": {".": {}, "f:b": {}}, "f:c": {}, "f:d": {}}),
            ),
            (left.intersection(&right), json!({"f:a": {"f:b": {}}})),
            (left.difference(&right), json!({"f:a": {}, "f:c": {}})),
            (right.difference(&left), json!({"f:d": {}})),
        ];
        for (got, want) in table {
            assert_eq!(text(&got), want);
        }
    }
}
