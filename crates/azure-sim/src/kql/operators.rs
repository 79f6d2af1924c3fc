//! Runs tabular operators over rows.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::kql::ast::{Column, Expr, Operator, Query};
use crate::kql::eval::Scope;
use crate::kql::memory::Made;
use crate::kql::row::Row;
use crate::kql::value::Val;
use crate::kql::{KqlError, Tables};

/// Rows an operator may produce at most; more is an error, never a silent cut.
const ROWS_BOUND: usize = 2_000_000;

type Rows = Vec<Row>;

/// What the rows of a query are joined with: the column by which they are, and what it is in the
/// others. Groups that none of them asks for need not be made.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    column: &'a str,
    keys: &'a HashSet<String>,
}

/// Runs a query; of what it groups by a column that only some values of are asked for, those.
pub(crate) fn run(
    query: &Query,
    asked: Option<Asked<'_>>,
    now: DateTime<Utc>,
    tables: Tables<'_>,
    made: &mut Made,
) -> Result<Rows, KqlError> {
    let rows = tables(&query.table).ok_or_else(|| KqlError::Unsupported {
        what: "table",
        name: query.table.clone(),
    })?;
    let (mut rows, operators) = made.first_rows(query, rows, now)?;
    for (place, operator) in operators.iter().enumerate() {
        let is_last = place + 1 == operators.len();
        rows = match operator {
            Operator::Summarize { values, by } => {
                let asked = asked.filter(|_| is_last);
                summarize(&rows, values, by, asked, now)?
            }
            _ => apply(operator, rows, now, tables, made)?,
        };
        if rows.len() > ROWS_BOUND {
            return Err(KqlError::Semantic("the query has too many rows".to_owned()));
        }
    }
    Ok(rows)
}

/// Does what operators that look at one row at a time make of a row; nothing is left of one that
/// is filtered out.
pub(crate) fn one(
    operators: &[Operator],
    row: Row,
    now: DateTime<Utc>,
) -> Result<Option<Row>, KqlError> {
    let mut row = row;
    for operator in operators {
        match operator {
            Operator::Where(condition) => {
                if !(Scope { row: &row, now }).eval(condition)?.is_true() {
                    return Ok(None);
                }
            }
            Operator::Extend(columns) => extend(&mut row, columns, now)?,
            Operator::Project(columns) => row = project(&row, columns, now)?.into(),
            Operator::ProjectAway(names) => row = without(row, names),
            _ => {
                let text = "an operator over several rows has no single row";
                return Err(KqlError::Semantic(text.to_owned()));
            }
        }
    }
    Ok(Some(row))
}

fn apply(
    operator: &Operator,
    mut rows: Rows,
    now: DateTime<Utc>,
    tables: Tables<'_>,
    made: &mut Made,
) -> Result<Rows, KqlError> {
    match operator {
        Operator::Where(_)
        | Operator::Extend(_)
        | Operator::Project(_)
        | Operator::ProjectAway(_) => {
            let alone = std::slice::from_ref(operator);
            let each = rows.into_iter().map(|row| one(alone, row, now));
            each.filter_map(Result::transpose).collect()
        }
        Operator::Order(by) => order(rows, by, now),
        Operator::Take(count) => {
            rows.truncate(*count);
            Ok(rows)
        }
        Operator::Count => Ok(vec![json!({"Count": rows.len()}).into()]),
        Operator::Distinct(columns) => distinct(&rows, columns, now),
        Operator::Summarize { values, by } => summarize(&rows, values, by, None, now),
        Operator::Join { inner, query, on } => {
            let keys: HashSet<String> = match on.as_slice() {
                [(name, _)] => rows.iter().map(|row| text_of(row.get(name))).collect(),
                _ => HashSet::new(),
            };
            let asked = match on.as_slice() {
                [(_, column)] => Some(Asked {
                    column,
                    keys: &keys,
                }),
                _ => None,
            };
            let right = run(query, asked, now, tables, made)?;
            Ok(join(rows, &right, &columns(query, &right), *inner, on))
        }
        Operator::MvExpand(column) => mv_expand(&rows, column, now),
        Operator::Union(queries) => {
            for query in queries {
                rows.extend(run(query, None, now, tables, made)?);
            }
            Ok(rows)
        }
    }
}

fn without(row: Row, names: &[String]) -> Row {
    let mut value = row.into_value();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !names.contains(name));
    }
    value.into()
}

fn extend(row: &mut Row, columns: &[Column], now: DateTime<Utc>) -> Result<(), KqlError> {
    for column in columns {
        let value = Scope { row, now }.eval(&column.expr)?.into_json();
        row.set(&column.name, value);
    }
    Ok(())
}

fn project(row: &Row, columns: &[Column], now: DateTime<Utc>) -> Result<Value, KqlError> {
    let mut out = Map::new();
    for column in columns {
        let value = Scope { row, now }.eval(&column.expr)?.into_json();
        out.insert(column.name.clone(), value);
    }
    Ok(Value::Object(out))
}

/// Orders rows; rows that compare equal keep their order. Nulls are lowest.
fn order(rows: Rows, by: &[(Expr, bool)], now: DateTime<Utc>) -> Result<Rows, KqlError> {
    let mut keyed = Vec::with_capacity(rows.len());
    for row in rows {
        let scope = Scope { row: &row, now };
        let keys: Vec<Val> = by
            .iter()
            .map(|(expr, _)| scope.eval(expr))
            .collect::<Result<_, _>>()?;
        keyed.push((keys, row));
    }
    keyed.sort_by(|(left, _), (right, _)| {
        for ((left, right), (_, ascending)) in left.iter().zip(right).zip(by) {
            let order = match (left, right) {
                (Val::Null, Val::Null) => Ordering::Equal,
                (Val::Null, _) => Ordering::Less,
                (_, Val::Null) => Ordering::Greater,
                _ => left.compare(right).unwrap_or(Ordering::Equal),
            };
            let order = if *ascending { order } else { order.reverse() };
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    });
    Ok(keyed.into_iter().map(|(_, row)| row).collect())
}

fn distinct(rows: &[Row], columns: &[Column], now: DateTime<Utc>) -> Result<Rows, KqlError> {
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    for row in rows {
        let row = project(row, columns, now)?;
        seen.entry(row.to_string()).or_insert(row);
    }
    Ok(seen.into_values().map(Row::from).collect())
}

fn summarize(
    rows: &[Row],
    values: &[Column],
    by: &[Column],
    asked: Option<Asked<'_>>,
    now: DateTime<Utc>,
) -> Result<Rows, KqlError> {
    let asked = asked.and_then(|asked| {
        let column = by.iter().find(|own| own.name == asked.column)?;
        Some((&column.expr, asked.keys))
    });
    let mut groups: BTreeMap<String, (Value, Vec<&Row>)> = BTreeMap::new();
    if by.is_empty() {
        groups.insert(String::new(), (json!({}), Vec::new()));
    }
    for row in rows {
        if let Some((expr, keys)) = asked {
            let key = Scope { row, now }.eval(expr)?.into_json();
            if !keys.contains(&text_of(Some(&key))) {
                continue;
            }
        }
        let key = project(row, by, now)?;
        let name = if by.is_empty() {
            String::new()
        } else {
            key.to_string()
        };
        groups
            .entry(name)
            .or_insert_with(|| (key, Vec::new()))
            .1
            .push(row);
    }
    let mut out = Vec::new();
    for (mut row, members) in groups.into_values() {
        for value in values {
            row[&value.name] = aggregate(&value.expr, &members, now)?.into_json();
        }
        out.push(row.into());
    }
    Ok(out)
}

fn aggregate(expr: &Expr, members: &[&Row], now: DateTime<Utc>) -> Result<Val, KqlError> {
    let unsupported = |name: &str| KqlError::Unsupported {
        what: "aggregate",
        name: name.to_owned(),
    };
    let Expr::Call(name, arguments) = expr else {
        return Err(unsupported("expression"));
    };
    let mut values = Vec::new();
    for row in members {
        values.push(match arguments.first() {
            Some(argument) => Scope { row, now }.eval(argument)?,
            None => Val::Null,
        });
    }
    let present = || values.iter().filter(|value| **value != Val::Null);
    let least = |left: &&Val, right: &&Val| left.compare(right).unwrap_or(Ordering::Equal);
    Ok(match name.as_str() {
        "count" => Val::Number(members.len() as f64),
        "countif" => Val::Number(values.iter().filter(|value| value.is_true()).count() as f64),
        "dcount" => {
            let texts: std::collections::BTreeSet<String> = present().map(Val::text).collect();
            Val::Number(texts.len() as f64)
        }
        "sum" => Val::Number(present().filter_map(Val::number).sum()),
        "min" => present().min_by(least).cloned().unwrap_or(Val::Null),
        "max" => present().max_by(least).cloned().unwrap_or(Val::Null),
        "any" | "take_any" => present().next().cloned().unwrap_or(Val::Null),
        "make_list" => Val::Dynamic(present().cloned().map(Val::into_json).collect()),
        "make_set" => {
            let texts: BTreeMap<String, Value> = present()
                .map(|value| (value.text(), value.clone().into_json()))
                .collect();
            Val::Dynamic(texts.into_values().collect())
        }
        other => return Err(unsupported(other)),
    })
}

/// Gives the columns of a query's rows, which it has also where it has no row.
fn columns(query: &Query, rows: &[Row]) -> Vec<String> {
    if let Some(row) = rows.first() {
        return row.names().map(str::to_owned).collect();
    }
    let mut added: Vec<String> = Vec::new();
    for operator in query.operators.iter().rev() {
        let (whole, own): (bool, Vec<&Column>) = match operator {
            Operator::Project(own) | Operator::Distinct(own) => (true, own.iter().collect()),
            Operator::Summarize { values, by } => (true, values.iter().chain(by).collect()),
            Operator::Extend(own) => (false, own.iter().collect()),
            _ => continue,
        };
        added.extend(own.into_iter().map(|column| column.name.clone()));
        if whole {
            break;
        }
    }
    added
}

/// Writes a value as rows are joined by it.
fn text_of(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        value => value.unwrap_or(&Value::Null).to_string(),
    }
}

fn join(
    left: Rows,
    right: &[Row],
    columns: &[String],
    inner: bool,
    on: &[(String, String)],
) -> Rows {
    let key = |row: &Row, right: bool| {
        let names = on.iter().map(|(l, r)| if right { r } else { l });
        names
            .map(|name| row.get(name).unwrap_or(&Value::Null).to_string())
            .collect::<Vec<_>>()
            .join("\u{1f}")
    };
    let mut index: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in right {
        index.entry(key(row, true)).or_default().push(row);
    }
    let mut out = Vec::new();
    for row in left {
        match index.get(&key(&row, false)) {
            Some(found) => out.extend(found.iter().map(|other| joined(&row, columns, Some(other)))),
            None if inner => {}
            None => out.push(joined(&row, columns, None)),
        }
    }
    out
}

/// Puts two rows together; a name that is taken gets the first free number on the right side.
fn joined(left: &Row, columns: &[String], right: Option<&Row>) -> Row {
    let mut out = left.clone();
    for name in columns {
        let value = right.and_then(|row| row.get(name)).cloned();
        let mut free = name.clone();
        let mut number = 0;
        while out.get(&free).is_some() {
            number += 1;
            free = format!("{name}{number}");
        }
        out.set(&free, value.unwrap_or_default());
    }
    out
}

fn mv_expand(rows: &[Row], column: &Column, now: DateTime<Utc>) -> Result<Rows, KqlError> {
    let mut out = Vec::new();
    for row in rows {
        let value = Scope { row, now }.eval(&column.expr)?.into_json();
        let items = match value {
            Value::Array(items) if !items.is_empty() => items,
            Value::Array(_) => vec![Value::Null],
            other => vec![other],
        };
        for item in items {
            let mut row = row.clone();
            row.set(&column.name, item);
            out.push(row);
        }
    }
    Ok(out)
}
