//! Rows on their way through a query. What a table gives is shared with whoever asks next, and
//! never copied for a column that is added to it.

use std::sync::Arc;

use serde_json::{Map, Value};

/// One row: what the table gave, and the columns that were added since.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    base: Arc<Value>,
    /// By name; they hide what the base has under the same one.
    added: Vec<(String, Value)>,
}

impl From<Arc<Value>> for Row {
    fn from(base: Arc<Value>) -> Self {
        Self {
            base,
            added: Vec::new(),
        }
    }
}

impl From<Value> for Row {
    fn from(value: Value) -> Self {
        Arc::new(value).into()
    }
}

impl From<Map<String, Value>> for Row {
    fn from(fields: Map<String, Value>) -> Self {
        Value::Object(fields).into()
    }
}

impl Row {
    /// Gives the value of a column; none where there is no such column.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        let added = self.added.iter().find(|(own, _)| own == name);
        added.map_or_else(|| self.base.get(name), |(_, value)| Some(value))
    }

    /// Adds a column, or replaces it.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        match self.added.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => *own = value,
            None => self.added.push((name.to_owned(), value)),
        }
    }

    /// Gives the names of its columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let base = self.base.as_object().into_iter().flat_map(Map::keys);
        let new = |own: &&(String, Value)| self.base.get(&own.0).is_none();
        let added = self.added.iter().filter(new).map(|(name, _)| name);
        base.chain(added).map(String::as_str)
    }

    /// Gives it as it can be kept and shared.
    pub(crate) fn shared(self) -> Arc<Value> {
        match self.added.is_empty() {
            true => self.base,
            false => Arc::new(self.into_value()),
        }
    }

    /// Gives it as a JSON object.
    pub(crate) fn into_value(self) -> Value {
        let mut value = Arc::unwrap_or_clone(self.base);
        for (name, own) in self.added {
            value[name] = own;
        }
        value
    }
}
