//! A small Kusto interpreter for Resource Graph queries: what it does not know it refuses.
//! Must never know machines or time beyond what it is given.

mod ast;
mod eval;
mod expressions;
mod functions;
mod lexer;
mod limits;
mod operators;
mod parser;
mod row;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KqlError {
    /// A character or word that cannot stand where it stands.
    #[error("syntax error at character {at}: {what}")]
    Syntax { at: usize, what: String },
    /// A table, operator or function this interpreter does not have.
    #[error("{what} '{name}' is not supported")]
    Unsupported { what: &'static str, name: String },
    /// A value of the wrong kind.
    #[error("{0}")]
    Semantic(String),
    /// More than a tenant may ask for at once.
    #[error("{0}")]
    TooMuch(String),
}

pub(crate) use limits::Limits;
use row::Row;

/// Looks up the rows of a table by name.
pub(crate) type Tables<'a> = &'a dyn Fn(&str) -> Option<Vec<Arc<Value>>>;

/// Runs a query and gives its rows, each a JSON object.
pub(crate) fn run(
    text: &str,
    now: DateTime<Utc>,
    limits: Limits,
    tables: Tables<'_>,
) -> Result<Vec<Value>, KqlError> {
    let query = parser::parse(text)?;
    limits.check(&query)?;
    let rows = operators::run(&query, now, tables)?;
    Ok(rows.into_iter().map(Row::into_value).collect())
}
