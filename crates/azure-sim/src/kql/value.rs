//! Holds the values of expressions and how they compare.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use serde_json::Value;

/// The value of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Val {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Time(DateTime<Utc>),
    /// Seconds.
    Span(f64),
    /// An array or object.
    Dynamic(Value),
}

impl Val {
    pub(crate) fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(on) => Self::Bool(*on),
            Value::Number(number) => Self::Number(number.as_f64().unwrap_or(0.0)),
            Value::String(text) => Self::Text(text.clone()),
            other => Self::Dynamic(other.clone()),
        }
    }

    pub(crate) fn into_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(on) => Value::Bool(on),
            Self::Number(number) => number_json(number),
            Self::Text(text) => Value::String(text),
            Self::Time(at) => Value::String(at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Self::Span(seconds) => Value::String(format!("{seconds}s")),
            Self::Dynamic(value) => value,
        }
    }

    /// Gives the text of a value as `tostring` does; null is empty.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(on) => on.to_string(),
            Self::Text(text) => text.clone(),
            other => match other.clone().into_json() {
                Value::String(text) => text,
                value => value.to_string(),
            },
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::Null || matches!(self, Self::Text(text) if text.is_empty())
    }

    /// Reads a time out of a time or text.
    pub(crate) fn time(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Time(at) => Some(*at),
            Self::Text(text) => parse_time(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Bool(on) => Some(f64::from(u8::from(*on))),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Compares two values; `None` where there is no order, as with null.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => None,
            (Self::Time(_), _) | (_, Self::Time(_)) => Some(self.time()?.cmp(&other.time()?)),
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            (Self::Bool(left), Self::Bool(right)) => Some(left.cmp(right)),
            (Self::Span(left), Self::Span(right)) => left.partial_cmp(right),
            (Self::Number(_), _) | (_, Self::Number(_)) => {
                self.number()?.partial_cmp(&other.number()?)
            }
            (Self::Dynamic(left), Self::Dynamic(right)) => {
                Some(left.to_string().cmp(&right.to_string()))
            }
            (left, right) => Some(left.text().cmp(&right.text())),
        }
    }
}

fn number_json(number: f64) -> Value {
    // Whole numbers stay whole on the wire; 2^53 is where f64 stops telling them apart.
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        Value::from(number as i64)
    } else {
        serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
    }
}

/// Reads an instant or a date.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
    ] {
        if let Ok(at) = NaiveDateTime::parse_from_str(text, format) {
            return Some(at.and_utc());
        }
    }
    let day: NaiveDate = text.parse().ok()?;
    Some(day.and_time(NaiveTime::MIN).and_utc())
}
