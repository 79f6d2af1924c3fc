//! CEL rules of a structural schema (`x-kubernetes-validations`): compiled with the schema, run on
//! objects whose shape is right. Follows k8s.io/apiextensions-apiserver `pkg/apiserver/schema/cel`;
//! `format: byte` stays a string here, and there are no cost budgets.

use std::collections::HashMap;
use std::sync::Arc;

use kube::core::cel::KubeCelExt as _;
use kube::core::cel::cel::objects::{Key, Map, OptionalValue};
use kube::core::cel::cel::{Context, Program, Value as CelValue};
use serde_json::Value;

use super::matches::matches;
use super::{Additional, Schema, Type, join};
use crate::status_error::Cause;

/// Words of CEL that field names must not collide with.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

thread_local! {
    /// All functions, registered once per thread: registration costs more than most rules.
    static BASE: Context<'static> = functions();
}

fn functions() -> Context<'static> {
    let mut context = Context::default().with_all();
    context.add_function("matches", matches);
    context
}

/// One compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    text: String,
    program: Program,
    message: Option<String>,
    message_program: Option<Program>,
    reason: Option<String>,
    field_path: Option<String>,
    optional_old_self: bool,
    transition: bool,
}

impl Rule {
    /// Whether the rule compares with the old value.
    pub(super) fn is_transition(&self) -> bool {
        self.transition
    }
}

/// Compiles the rules of one schema node.
pub(super) fn parse_rules(node: &Value, path: &str, causes: &mut Vec<Cause>) -> Vec<Rule> {
    let mut rules = Vec::new();
    let list = node["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten();
    for (at, rule) in list.enumerate() {
        let path = format!("{path}.x-kubernetes-validations[{at}]");
        let text = |key: &str| rule[key].as_str().map(str::to_owned);
        let Some(source) = text("rule") else {
            causes.push(Cause::required(format!("{path}.rule"), ""));
            continue;
        };
        let mut compile = |key: &str, source: &str| match Program::compile(source) {
            Ok(program) => Some(program),
            Err(error) => {
                let detail = format!("compilation failed: {error}");
                causes.push(Cause::invalid(format!("{path}.{key}"), &rule[key], &detail));
                None
            }
        };
        let Some(program) = compile("rule", &source) else {
            continue;
        };
        let expression = text("messageExpression");
        rules.push(Rule {
            message: text("message"),
            message_program: expression.and_then(|text| compile("messageExpression", &text)),
            reason: text("reason"),
            field_path: text("fieldPath"),
            optional_old_self: rule["optionalOldSelf"] == true,
            transition: program.references().has_variable("oldSelf"),
            text: source.trim().to_owned(),
            program,
        });
    }
    rules
}

/// Runs all rules that concern the change from `old` to `new`.
pub(super) fn check(schema: &Schema, new: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    BASE.with(|base| walk(base, schema, new, old, "", causes));
}

fn walk(
    base: &Context<'static>,
    schema: &Schema,
    new: &Value,
    old: Option<&Value>,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    let unchanged = old == Some(new);
    let below = schema.below;
    if !below.rules || (unchanged && !below.transition_rules) || new.is_null() {
        return;
    }
    let due = |rule: &&Rule| {
        let runs = !rule.transition || old.is_some() || rule.optional_old_self;
        runs && (rule.transition || !unchanged)
    };
    if schema.rules.iter().any(|rule| due(&rule)) {
        let value = to_cel(schema, new);
        let old = old.map(|old| to_cel(schema, old));
        for rule in schema.rules.iter().filter(due) {
            causes.extend(run(base, schema, rule, &value, old.as_ref(), path));
        }
    }
    match new {
        Value::Object(map) => {
            for (name, value) in map {
                let child = match (schema.properties.get(name), &schema.additional) {
                    (Some(child), _) => child,
                    (None, Additional::Schema(child)) => &**child,
                    (None, _) => continue,
                };
                if child.below.rules {
                    let old = old.and_then(|old| old.get(name));
                    walk(base, child, value, old, &join(path, name), causes);
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = schema.items.as_ref().filter(|items| items.below.rules) else {
                return;
            };
            for (at, element) in list.iter().enumerate() {
                let old = schema.same_element(element, old);
                walk(base, items, element, old, &format!("{path}[{at}]"), causes);
            }
        }
        _ => {}
    }
}

fn run(
    base: &Context<'static>,
    schema: &Schema,
    rule: &Rule,
    value: &CelValue,
    old: Option<&CelValue>,
    path: &str,
) -> Option<Cause> {
    let mut scope = base.new_inner_scope();
    scope.add_variable_from_value("self", value.clone());
    if rule.optional_old_self {
        let old = old.map_or_else(OptionalValue::none, |old| OptionalValue::of(old.clone()));
        scope.add_variable_from_value("oldSelf", CelValue::Opaque(Arc::new(old)));
    } else if let Some(old) = old {
        scope.add_variable_from_value("oldSelf", old.clone());
    }
    let detail = match rule.program.execute(&scope) {
        Ok(CelValue::Bool(true)) => return None,
        Ok(CelValue::Bool(false)) => {
            let written =
                rule.message_program
                    .as_ref()
                    .and_then(|program| match program.execute(&scope) {
                        Ok(CelValue::String(text)) => Some(text.to_string()),
                        _ => None,
                    });
            let fixed = || rule.message.clone();
            written
                .or_else(fixed)
                .unwrap_or_else(|| format!("failed rule: {}", rule.text))
        }
        Ok(_) => format!("rule does not evaluate to bool: {}", rule.text),
        Err(error) => format!("rule evaluation error: {error} (rule: {})", rule.text),
    };
    let field = match rule.field_path.as_deref() {
        None => path.to_owned(),
        Some(sub) => join(path, sub.trim_start_matches('.')),
    };
    let kind = Value::from(schema.type_name());
    Some(match rule.reason.as_deref() {
        Some("FieldValueRequired") => Cause::required(field, &detail),
        Some("FieldValueForbidden") => Cause::forbidden(field, &detail),
        Some("FieldValueDuplicate") => Cause::duplicate(field, &kind),
        _ => Cause::invalid(field, &kind, &detail),
    })
}

/// A JSON value as CEL sees it: typed by the schema, with unknown fields out of sight.
fn to_cel(schema: &Schema, value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(flag) => CelValue::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) if schema.type_ != Some(Type::Number) => CelValue::Int(whole),
            _ => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => typed_text(schema, text),
        Value::Array(list) => {
            let elements = match &schema.items {
                Some(items) => list.iter().map(|element| to_cel(items, element)).collect(),
                None => Vec::new(),
            };
            CelValue::List(Arc::new(elements))
        }
        Value::Object(map) => {
            let mut out = HashMap::with_capacity(map.len());
            for (name, value) in map {
                let (name, value) = match (schema.properties.get(name), &schema.additional) {
                    (_, _) if schema.resource && name == "metadata" => {
                        (name.clone(), named_metadata(value))
                    }
                    (_, _) if schema.resource && (name == "kind" || name == "apiVersion") => {
                        (name.clone(), plain(value))
                    }
                    (Some(child), _) => (escape(name), to_cel(child, value)),
                    // Keys of a map are data, not names, and are not escaped.
                    (None, Additional::Schema(child)) => (name.clone(), to_cel(child, value)),
                    (None, _) => continue,
                };
                out.insert(Key::String(Arc::new(name)), value);
            }
            CelValue::Map(Map { map: Arc::new(out) })
        }
    }
}

/// The part of metadata that rules may read.
fn named_metadata(metadata: &Value) -> CelValue {
    let fields = ["name", "generateName"].into_iter();
    let fields = fields.filter_map(|field| Some((Key::from(field), plain(metadata.get(field)?))));
    CelValue::Map(Map {
        map: Arc::new(fields.collect()),
    })
}

fn plain(value: &Value) -> CelValue {
    CelValue::String(Arc::new(value.as_str().unwrap_or_default().to_owned()))
}

fn typed_text(schema: &Schema, text: &str) -> CelValue {
    let typed = match schema.format.as_deref().filter(|_| !schema.int_or_string) {
        Some("date-time") => chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(CelValue::Timestamp),
        Some("date") => chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .map(|day| CelValue::Timestamp(day.and_time(chrono::NaiveTime::MIN).and_utc().into())),
        Some("duration") => duration(text).map(CelValue::Duration),
        _ => None,
    };
    typed.unwrap_or_else(|| CelValue::String(Arc::new(text.to_owned())))
}

/// Parses a duration as Go writes it, such as `1h30m`.
pub(super) fn duration(text: &str) -> Option<chrono::Duration> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    if rest == "0" {
        return Some(chrono::Duration::zero());
    }
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let units = [
            ("ms", 1e6),
            ("us", 1e3),
            ("ns", 1.0),
            ("h", 3.6e12),
            ("m", 6e10),
            ("s", 1e9),
        ];
        let (unit, size) = units.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        nanoseconds += number * size;
        rest = &rest[unit.len()..];
    }
    let whole = !text.is_empty() && text != "-";
    whole.then(|| chrono::Duration::nanoseconds((sign * nanoseconds) as i64))
}

/// A field name as CEL expressions write it.
fn escape(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    if !name.contains(['_', '.', '-', '/']) {
        return name.to_owned();
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}
