//! Holds the parts of a parsed query.

use std::collections::HashSet;

/// A source of rows and what is done with them, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub(crate) table: String,
    pub(crate) operators: Vec<Operator>,
}

/// One tabular operator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operator {
    Where(Expr),
    Extend(Vec<Column>),
    Project(Vec<Column>),
    ProjectAway(Vec<String>),
    /// Columns to order by, each with true for ascending.
    Order(Vec<(Expr, bool)>),
    Take(usize),
    Count,
    Distinct(Vec<Column>),
    Summarize {
        values: Vec<Column>,
        by: Vec<Column>,
    },
    Join {
        inner: bool,
        query: Query,
        on: Vec<(String, String)>,
    },
    MvExpand(Column),
    Union(Vec<Query>),
}

/// An expression and the name of the column it makes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) expr: Expr,
}

/// An expression over one row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Column(String),
    /// A member of a dynamic value.
    Member(Box<Expr>, String),
    /// An element of a dynamic value, by position or by key.
    Index(Box<Expr>, Box<Expr>),
    Number(f64),
    Text(String),
    Bool(bool),
    Span(f64),
    Null,
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    /// Membership; true for `in~`.
    In {
        ignore_case: bool,
        negated: bool,
        value: Box<Expr>,
        list: Vec<Expr>,
        /// The texts of the list, lower-cased for `in~`: lists are long, and asked for each row.
        texts: HashSet<String>,
    },
    Call(String, Vec<Expr>),
    Arithmetic {
        plus: bool,
        left: Box<Expr>,
        right: Box<Expr>,
    },
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    EqualIgnoreCase,
    NotEqualIgnoreCase,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    /// String predicates; each may be negated.
    Contains(bool),
    ContainsCase(bool),
    Has(bool),
    StartsWith(bool),
    EndsWith(bool),
}
