//! Holds the scalar functions.

use chrono::{NaiveTime, TimeDelta};
use serde_json::Value;

use crate::kql::KqlError;
use crate::kql::ast::Expr;
use crate::kql::eval::Scope;
use crate::kql::value::Val;

/// Calls a function; its name is in lower case.
pub(crate) fn call(scope: &Scope<'_>, name: &str, arguments: &[Expr]) -> Result<Val, KqlError> {
    if matches!(name, "iff" | "iif" | "case") {
        return choose(scope, arguments);
    }
    let values: Vec<Val> = arguments
        .iter()
        .map(|argument| scope.eval(argument))
        .collect::<Result<_, _>>()?;
    let (least, most) = arity(name).ok_or_else(|| KqlError::Unsupported {
        what: "function",
        name: name.to_owned(),
    })?;
    if values.len() < least || values.len() > most {
        return Err(KqlError::Semantic(format!(
            "{name}() has a wrong number of arguments"
        )));
    }
    let first = values.first().cloned().unwrap_or(Val::Null);
    Ok(match name {
        "tolower" => Val::Text(first.text().to_lowercase()),
        "toupper" => Val::Text(first.text().to_uppercase()),
        "tostring" => Val::Text(first.text()),
        "tobool" | "toboolean" => to_bool(&first),
        "toint" | "tolong" => first.number().map_or(Val::Null, |n| Val::Number(n.trunc())),
        "todouble" | "toreal" => first.number().map_or(Val::Null, Val::Number),
        "todatetime" => first.time().map_or(Val::Null, Val::Time),
        "todynamic" | "parse_json" => parse_json(first),
        "isempty" => Val::Bool(first.is_empty()),
        "isnotempty" => Val::Bool(!first.is_empty()),
        "isnull" => Val::Bool(first == Val::Null),
        "isnotnull" => Val::Bool(first != Val::Null),
        "bag_pack" | "pack" => bag(&values)?,
        "strcat" => Val::Text(values.iter().map(Val::text).collect()),
        "strlen" => Val::Number(first.text().chars().count() as f64),
        "coalesce" => values
            .into_iter()
            .find(|value| !value.is_empty())
            .unwrap_or(Val::Null),
        "split" => split(&values),
        "substring" => substring(&values),
        "replace_string" => Val::Text(first.text().replace(&values[1].text(), &values[2].text())),
        "array_length" => match first {
            Val::Dynamic(Value::Array(items)) => Val::Number(items.len() as f64),
            _ => Val::Null,
        },
        "now" => Val::Time(scope.now),
        "ago" => ago(scope, &first)?,
        "startofday" => first.time().map_or(Val::Null, |at| {
            Val::Time(at.date_naive().and_time(NaiveTime::MIN).and_utc())
        }),
        _ => {
            return Err(KqlError::Unsupported {
                what: "function",
                name: name.to_owned(),
            });
        }
    })
}

/// Gives the fewest and the most arguments of a function.
fn arity(name: &str) -> Option<(usize, usize)> {
    Some(match name {
        "now" => (0, 0),
        "tolower" | "toupper" | "tostring" | "tobool" | "toboolean" | "toint" | "tolong"
        | "todouble" | "toreal" | "todatetime" | "todynamic" | "parse_json" | "isempty"
        | "isnotempty" | "isnull" | "isnotnull" | "strlen" | "array_length" | "ago"
        | "startofday" => (1, 1),
        "split" | "substring" => (2, 3),
        "replace_string" => (3, 3),
        "strcat" | "coalesce" => (1, 64),
        "bag_pack" | "pack" => (2, 128),
        _ => return None,
    })
}

/// `iff(condition, then, else)` and `case(condition, then, …, else)`.
fn choose(scope: &Scope<'_>, arguments: &[Expr]) -> Result<Val, KqlError> {
    if arguments.len() < 3 || arguments.len().is_multiple_of(2) {
        return Err(KqlError::Semantic(
            "case() needs pairs and a last value".to_owned(),
        ));
    }
    for pair in arguments.chunks(2) {
        let [condition, then] = pair else {
            return scope.eval(&pair[0]);
        };
        if scope.eval(condition)?.is_true() {
            return scope.eval(then);
        }
    }
    Ok(Val::Null)
}

fn to_bool(value: &Val) -> Val {
    match value {
        Val::Bool(on) => Val::Bool(*on),
        Val::Number(number) => Val::Bool(*number != 0.0),
        Val::Text(text) => match text.to_lowercase().as_str() {
            "true" | "1" => Val::Bool(true),
            "false" | "0" => Val::Bool(false),
            _ => Val::Null,
        },
        _ => Val::Null,
    }
}

/// Makes an object of names and values in turn.
fn bag(values: &[Val]) -> Result<Val, KqlError> {
    let mut out = serde_json::Map::new();
    for pair in values.chunks(2) {
        let [name, value] = pair else {
            let what = "bag_pack() needs a value for each name";
            return Err(KqlError::Semantic(what.to_owned()));
        };
        out.insert(name.text(), value.clone().into_json());
    }
    Ok(Val::Dynamic(Value::Object(out)))
}

fn parse_json(value: Val) -> Val {
    match value {
        Val::Text(text) => {
            serde_json::from_str(&text).map_or(Val::Text(text), |json: Value| Val::from_json(&json))
        }
        other => other,
    }
}

fn split(values: &[Val]) -> Val {
    let (text, separator) = (values[0].text(), values[1].text());
    let parts: Vec<Value> = text.split(&separator).map(Value::from).collect();
    match values.get(2).and_then(Val::number) {
        Some(at) => {
            let part = parts.get(at as usize).cloned();
            Val::Dynamic(Value::Array(part.into_iter().collect()))
        }
        None => Val::Dynamic(Value::Array(parts)),
    }
}

fn substring(values: &[Val]) -> Val {
    let from = values[1].number().unwrap_or(0.0).max(0.0) as usize;
    let length = values
        .get(2)
        .and_then(Val::number)
        .map_or(usize::MAX, |n| n.max(0.0) as usize);
    Val::Text(values[0].text().chars().skip(from).take(length).collect())
}

fn ago(scope: &Scope<'_>, span: &Val) -> Result<Val, KqlError> {
    let Val::Span(seconds) = span else {
        return Err(KqlError::Semantic(
            "ago() needs a length of time".to_owned(),
        ));
    };
    let span = TimeDelta::milliseconds((seconds * 1000.0) as i64);
    Ok(scope
        .now
        .checked_sub_signed(span)
        .map_or(Val::Null, Val::Time))
}
