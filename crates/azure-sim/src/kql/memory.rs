//! Remembers queries that were asked before, and what their first operators made of each row: as
//! long as a table gives the same row, they make the same of it. Must never change an answer.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::kql::ast::{Expr, Operator, Query};
use crate::kql::operators;
use crate::kql::row::Row;
use crate::kql::{KqlError, Limits, Tables, parser};

/// Queries remembered at most.
const QUERIES_MAX: usize = 16;

/// Queries that were asked, the last one first.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    queries: VecDeque<Known>,
}

#[derive(Debug)]
struct Known {
    text: String,
    query: Box<Query>,
    made: Made,
}

/// What the operators that look at one row at a time made of the rows of each query and each query
/// within it.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Whether the query was asked before: most with a list of ids in them are asked once.
    is_asked_again: bool,
    /// By the place of the query and that of the row, which stay as long as they are held here.
    rows: HashMap<usize, HashMap<usize, Kept>>,
}

/// A row, and what became of it: nothing where it was filtered out.
type Kept = (Arc<Value>, Option<Arc<Value>>);

impl Memory {
    /// Runs a query and gives its rows, each a JSON object.
    pub(crate) fn run(
        &mut self,
        text: &str,
        now: DateTime<Utc>,
        limits: Limits,
        tables: Tables<'_>,
    ) -> Result<Vec<Arc<Value>>, KqlError> {
        let at = self.queries.iter().position(|own| own.text == text);
        let mut known = match at.and_then(|at| self.queries.remove(at)) {
            Some(mut known) => {
                known.made.is_asked_again = true;
                known
            }
            None => Known {
                text: text.to_owned(),
                query: Box::new(parser::parse(text)?),
                made: Made::default(),
            },
        };
        limits.check(&known.query)?;
        let rows = operators::run(&known.query, now, tables, &mut known.made)?;
        self.queries.truncate(QUERIES_MAX - 1);
        self.queries.push_front(known);
        Ok(rows.into_iter().map(Row::shared).collect())
    }
}

impl Made {
    /// Does what comes before the first operator that looks at several rows; returns its rows, and
    /// the operators that are left.
    pub(crate) fn first_rows<'a>(
        &mut self,
        query: &'a Query,
        rows: Vec<Arc<Value>>,
        now: DateTime<Utc>,
    ) -> Result<(Vec<Row>, &'a [Operator]), KqlError> {
        let of_a_row = query.operators.iter().take_while(|own| is_of_a_row(own));
        let (first, rest) = query.operators.split_at(of_a_row.count());
        if !self.is_asked_again || first.is_empty() {
            return Ok((rows.into_iter().map(Row::from).collect(), &query.operators));
        }
        let place = std::ptr::from_ref(query).addr();
        let mut before = self.rows.remove(&place).unwrap_or_default();
        let mut after = HashMap::with_capacity(rows.len());
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            let place = Arc::as_ptr(&row).addr();
            let kept = match before.remove(&place) {
                Some(kept) => kept,
                None => {
                    let made = operators::one(first, Row::from(Arc::clone(&row)), now)?;
                    (row, made.map(Row::shared))
                }
            };
            out.extend(kept.1.iter().cloned().map(Row::from));
            after.insert(place, kept);
        }
        self.rows.insert(place, after);
        Ok((out, rest))
    }
}

/// Tells whether an operator makes of each row what it makes of it whenever, whatever the others.
fn is_of_a_row(operator: &Operator) -> bool {
    match operator {
        Operator::Where(condition) => is_timeless(condition),
        Operator::Extend(columns) | Operator::Project(columns) => {
            columns.iter().all(|own| is_timeless(&own.expr))
        }
        Operator::ProjectAway(_) => true,
        Operator::Order(_)
        | Operator::Take(_)
        | Operator::Count
        | Operator::Distinct(_)
        | Operator::Summarize { .. }
        | Operator::Join { .. }
        | Operator::MvExpand(_)
        | Operator::Union(_) => false,
    }
}

fn is_timeless(expr: &Expr) -> bool {
    match expr {
        Expr::Call(name, arguments) => {
            !matches!(name.as_str(), "now" | "ago") && arguments.iter().all(is_timeless)
        }
        Expr::Column(_)
        | Expr::Number(_)
        | Expr::Text(_)
        | Expr::Bool(_)
        | Expr::Span(_)
        | Expr::Null => true,
        Expr::Member(inner, _) | Expr::Not(inner) => is_timeless(inner),
        Expr::Index(left, right)
        | Expr::And(left, right)
        | Expr::Or(left, right)
        | Expr::Compare(_, left, right)
        | Expr::Arithmetic { left, right, .. } => is_timeless(left) && is_timeless(right),
        Expr::In { value, list, .. } => is_timeless(value) && list.iter().all(is_timeless),
    }
}
