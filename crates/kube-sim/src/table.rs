//! `meta.k8s.io/v1 Table`: what `kubectl get` prints is made by the server. Follows
//! k8s.io/apiextensions-apiserver `pkg/registry/customresource/tableconvertor` for custom
//! resources. Must never decide which objects are shown.

mod builtin;
mod duration;

use serde_json::{Value, json};

use crate::jsonpath::Path;
use crate::object::Object;
use crate::registry::{Builtin, TypeInfo};
use crate::store::{ObjectKey, State};
use crate::view::Include;
use crate::{crd, meta};

/// Time, as cells show ages.
type Now = chrono::DateTime<chrono::Utc>;

/// A column that a CRD adds.
#[derive(Clone, Debug)]
struct Added {
    kind: String,
    path: Option<Path>,
}

/// Where the cells of a row come from.
#[derive(Clone, Debug)]
enum Cells {
    Builtin(Builtin),
    Added(Vec<Added>),
}

/// Makes the tables of one version of a resource.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    definitions: Value,
    cells: Cells,
    include: Include,
}

impl Printer {
    /// Reads the columns as they are now.
    pub(crate) fn new(state: &State, info: &TypeInfo, version: usize, include: Include) -> Self {
        let (definitions, cells) = match info.builtin {
            Some(builtin) => (builtin::definitions(builtin), Cells::Builtin(builtin)),
            None => added(state, info, &info.versions[version].name),
        };
        Self {
            definitions,
            cells,
            include,
        }
    }

    /// A whole table as JSON; `metadata` is that of the list, or the object's own version.
    pub(crate) fn table<'a>(
        &self,
        metadata: &Value,
        objects: impl Iterator<Item = &'a Object>,
        now: Now,
    ) -> String {
        self.write(metadata, &self.definitions, objects, now)
    }

    /// The table of one object, as a get or a watch shows it.
    pub(crate) fn of_one(&self, object: &Object, now: Now) -> String {
        let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
        self.write(&metadata, &self.definitions, std::iter::once(object), now)
    }

    /// The table of an event that is not the first of its watch: without the columns.
    pub(crate) fn next_of_watch(&self, object: &Object, now: Now) -> String {
        let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
        self.write(&metadata, &Value::Null, std::iter::once(object), now)
    }

    fn write<'a>(
        &self,
        metadata: &Value,
        definitions: &Value,
        objects: impl Iterator<Item = &'a Object>,
        now: Now,
    ) -> String {
        let mut out = format!(
            "{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{metadata},\
             \"columnDefinitions\":{definitions},\"rows\":["
        );
        for (at, object) in objects.enumerate() {
            out.push_str(if at > 0 {
                ",{\"cells\":"
            } else {
                "{\"cells\":"
            });
            out.push_str(&Value::Array(self.cells(object, now)).to_string());
            out.push_str(",\"object\":");
            match self.include {
                Include::None => out.push_str("null"),
                Include::Object => object.write(&mut out),
                Include::Metadata => object.write_partial(&mut out),
            }
            out.push('}');
        }
        out.push_str("]}");
        out
    }

    fn cells(&self, object: &Value, now: Now) -> Vec<Value> {
        match &self.cells {
            Cells::Builtin(builtin) => builtin::cells(*builtin, object, now),
            Cells::Added(columns) => {
                let name = Value::from(meta::text(object, "name"));
                let rest = columns.iter().map(|column| column.cell(object, now));
                std::iter::once(name).chain(rest).collect()
            }
        }
    }
}

impl Added {
    /// The cell of an object; null where the object has no such value.
    fn cell(&self, object: &Value, now: Now) -> Value {
        let found = self.path.as_ref().map(|path| path.find(object));
        let found = found.unwrap_or_default();
        let Some(value) = found.first().filter(|value| !value.is_null()) else {
            return Value::Null;
        };
        let whole = |number: f64| Value::from(number.trunc() as i64);
        match (self.kind.as_str(), value) {
            ("string", _) => {
                let texts: Vec<String> = found.iter().map(|value| text(value)).collect();
                texts.join(" ").into()
            }
            ("integer", Value::Number(number)) if number.is_f64() => {
                number.as_f64().map_or(Value::Null, whole)
            }
            ("integer" | "number", Value::Number(_)) | ("boolean", Value::Bool(_)) => {
                Value::clone(value)
            }
            ("date", Value::String(text)) => match text.parse() {
                Ok(time) => duration::since(time, now).into(),
                Err(_) => "<invalid>".into(),
            },
            _ => Value::Null,
        }
    }
}

/// A value as a column of type string prints it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// One entry of `columnDefinitions`.
fn definition(name: &str, kind: &str, format: &str, description: &str, priority: i64) -> Value {
    json!({
        "name": name,
        "type": kind,
        "format": format,
        "description": description,
        "priority": priority,
    })
}

/// The name column, which every table has.
fn name_definition(priority: i64) -> Value {
    let description = "Name of the object, unique among its kind in its namespace.";
    definition("Name", "string", "name", description, priority)
}

/// What [`Cells::Added`] shows where a CRD names no columns.
fn age_column() -> Value {
    json!({
        "name": "Age",
        "type": "date",
        "description": "Time since the object was created.",
        "jsonPath": ".metadata.creationTimestamp",
    })
}

fn added(state: &State, info: &TypeInfo, version: &str) -> (Value, Cells) {
    let crd = state.get(crd::TABLE, &ObjectKey::new(None, &info.qualified));
    let versions = crd.and_then(|crd| crd["spec"]["versions"].as_array());
    let own = versions
        .into_iter()
        .flatten()
        .find(|own| own["name"] == version);
    let columns = own.and_then(|own| own["additionalPrinterColumns"].as_array());
    let columns = match columns {
        Some(columns) if !columns.is_empty() => columns.clone(),
        _ => vec![age_column()],
    };
    let mut definitions = vec![name_definition(0)];
    let mut cells = Vec::new();
    for column in &columns {
        let text = |field: &str| column[field].as_str().unwrap_or_default();
        let described = match text("description") {
            "" => format!(
                "Custom resource definition column (in JSONPath format): {}",
                text("jsonPath")
            ),
            description => description.to_owned(),
        };
        let priority = column["priority"].as_i64().unwrap_or_default();
        definitions.push(definition(
            text("name"),
            text("type"),
            text("format"),
            &described,
            priority,
        ));
        cells.push(Added {
            kind: text("type").to_owned(),
            path: Path::parse(text("jsonPath")),
        });
    }
    (definitions.into(), Cells::Added(cells))
}
