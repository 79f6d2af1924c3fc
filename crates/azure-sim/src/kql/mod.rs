//! A small Kusto interpreter for Resource Graph queries: what it does not know it refuses.
//! Must never know machines or time beyond what it is given.

mod ast;
mod eval;
mod expressions;
mod functions;
mod lexer;
mod limits;
mod memory;
mod operators;
mod parser;
mod row;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

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
pub(crate) use memory::Memory;

/// Looks up the rows of a table by name.
pub(crate) type Tables<'a> = &'a dyn Fn(&str) -> Option<Vec<Arc<Value>>>;
