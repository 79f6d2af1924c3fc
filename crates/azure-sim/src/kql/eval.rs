//! Evaluates expressions over one row.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::kql::KqlError;
use crate::kql::ast::{Comparison, Expr};
use crate::kql::functions;
use crate::kql::row::Row;
use crate::kql::value::Val;

/// A row and the time of the query.
pub(crate) struct Scope<'a> {
    pub(crate) row: &'a Row,
    pub(crate) now: DateTime<Utc>,
}

impl Scope<'_> {
    pub(crate) fn eval(&self, expr: &Expr) -> Result<Val, KqlError> {
        match expr {
            Expr::Column(name) => self.column(name),
            Expr::Member(inner, name) => Ok(self.member(inner, name)?),
            Expr::Index(inner, key) => self.index(inner, key),
            Expr::Number(value) => Ok(Val::Number(*value)),
            Expr::Text(text) => Ok(Val::Text(text.clone())),
            Expr::Bool(on) => Ok(Val::Bool(*on)),
            Expr::Span(seconds) => Ok(Val::Span(*seconds)),
            Expr::Null => Ok(Val::Null),
            Expr::Not(inner) => Ok(match self.eval(inner)? {
                Val::Null => Val::Null,
                value => Val::Bool(!value.is_true()),
            }),
            Expr::And(left, right) => Ok(Val::Bool(
                self.eval(left)?.is_true() && self.eval(right)?.is_true(),
            )),
            Expr::Or(left, right) => Ok(Val::Bool(
                self.eval(left)?.is_true() || self.eval(right)?.is_true(),
            )),
            Expr::Compare(how, left, right) => Ok(Val::Bool(compare(
                *how,
                &self.eval(left)?,
                &self.eval(right)?,
            ))),
            Expr::In {
                ignore_case,
                negated,
                value,
                list,
                texts,
            } => {
                let how = if *ignore_case {
                    Comparison::EqualIgnoreCase
                } else {
                    Comparison::Equal
                };
                let value = self.eval(value)?;
                let mut found = match &value {
                    Val::Text(text) if *ignore_case => texts.contains(&text.to_lowercase()),
                    Val::Text(text) => texts.contains(text),
                    _ => false,
                };
                for item in list {
                    if !matches!((item, &value), (Expr::Text(_), Val::Text(_))) {
                        found |= compare(how, &value, &self.eval(item)?);
                    }
                }
                Ok(Val::Bool(found != *negated))
            }
            Expr::Call(name, arguments) => functions::call(self, name, arguments),
            Expr::Arithmetic { plus, left, right } => {
                arithmetic(*plus, &self.eval(left)?, &self.eval(right)?)
            }
        }
    }

    fn column(&self, name: &str) -> Result<Val, KqlError> {
        match self.row.get(name) {
            Some(value) => Ok(Val::from_json(value)),
            None => Err(KqlError::Semantic(format!(
                "failed to resolve column '{name}'"
            ))),
        }
    }

    fn member(&self, inner: &Expr, name: &str) -> Result<Val, KqlError> {
        Ok(match self.borrow(inner)? {
            Some(value) => value.get(name).map_or(Val::Null, Val::from_json),
            None => match self.eval(inner)? {
                Val::Dynamic(value) => value.get(name).map_or(Val::Null, Val::from_json),
                _ => Val::Null,
            },
        })
    }

    /// Walks a path without copying what lies beside it.
    fn borrow(&self, expr: &Expr) -> Result<Option<&Value>, KqlError> {
        match expr {
            Expr::Column(name) => match self.row.get(name) {
                Some(value) => Ok(Some(value)),
                None => self.column(name).map(|_| None),
            },
            Expr::Member(inner, name) => {
                let inner = self.borrow(inner)?;
                Ok(inner.map(|value| value.get(name).unwrap_or(&Value::Null)))
            }
            _ => Ok(None),
        }
    }

    fn index(&self, inner: &Expr, key: &Expr) -> Result<Val, KqlError> {
        let evaluated;
        let value = match self.borrow(inner)? {
            Some(value) => value,
            None => match self.eval(inner)? {
                Val::Dynamic(value) => {
                    evaluated = value;
                    &evaluated
                }
                _ => return Ok(Val::Null),
            },
        };
        let found = match self.eval(key)? {
            Val::Text(name) => value.get(&name),
            Val::Number(at) => {
                let length = value.as_array().map_or(0, Vec::len);
                // A negative position counts from the end.
                let at = if at < 0.0 { at + length as f64 } else { at };
                (at >= 0.0).then(|| value.get(at as usize)).flatten()
            }
            _ => None,
        };
        Ok(found.map_or(Val::Null, Val::from_json))
    }
}

fn compare(how: Comparison, left: &Val, right: &Val) -> bool {
    let order = left.compare(right);
    let fold = |value: &Val| value.text().to_lowercase();
    match how {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::EqualIgnoreCase => fold(left) == fold(right),
        Comparison::NotEqualIgnoreCase => fold(left) != fold(right),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => {
            matches!(order, Some(Ordering::Greater | Ordering::Equal))
        }
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Contains(negated) => fold(left).contains(&fold(right)) != negated,
        Comparison::ContainsCase(negated) => left.text().contains(&right.text()) != negated,
        Comparison::Has(negated) => has(&fold(left), &fold(right)) != negated,
        Comparison::StartsWith(negated) => fold(left).starts_with(&fold(right)) != negated,
        Comparison::EndsWith(negated) => fold(left).ends_with(&fold(right)) != negated,
    }
}

/// Tells whether a text holds another as a whole term.
fn has(text: &str, term: &str) -> bool {
    if term.is_empty() {
        return true;
    }
    text.match_indices(term).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

fn arithmetic(plus: bool, left: &Val, right: &Val) -> Result<Val, KqlError> {
    let sign = if plus { 1.0 } else { -1.0 };
    let span = |seconds: f64| TimeDelta::milliseconds((seconds * 1000.0) as i64);
    Ok(match (left, right) {
        (Val::Null, _) | (_, Val::Null) => Val::Null,
        (Val::Time(at), Val::Span(seconds)) => at
            .checked_add_signed(span(seconds * sign))
            .map_or(Val::Null, Val::Time),
        (Val::Time(left), Val::Time(right)) if !plus => {
            Val::Span((*left - *right).num_milliseconds() as f64 / 1000.0)
        }
        (Val::Span(left), Val::Span(right)) => Val::Span(left + right * sign),
        _ => match (left.number(), right.number()) {
            (Some(left), Some(right)) => Val::Number(left + right * sign),
            _ => return Err(KqlError::Semantic("values cannot be added".to_owned())),
        },
    })
}
