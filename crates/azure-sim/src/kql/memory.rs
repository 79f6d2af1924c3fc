//! Remembers queries that were asked before, and what first operators made of each row: as long as
//! a table gives the same row, they make the same of it, whichever query they begin. Must never
//! change an answer.

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

/// Beginnings of queries remembered at most.
const BEGINNINGS_MAX: usize = 24;

/// A list longer than this is asked for once, so that what it makes of rows is not remembered.
const LIST_MAX: usize = 16;

/// Queries that were asked, the last one first.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    queries: VecDeque<(String, Box<Query>)>,
    made: Made,
}

/// What the operators that look at one row at a time made of the rows of each beginning of a query
/// or of a query within it, the last one first.
#[derive(Debug, Default)]
pub(crate) struct Made {
    beginnings: VecDeque<Beginning>,
}

#[derive(Debug)]
struct Beginning {
    table: String,
    operators: Vec<Operator>,
    /// By the place of the row, which stays as long as it is held here. Filled from the second time
    /// on: most beginnings are asked for once.
    rows: HashMap<usize, Kept>,
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
        let at = self.queries.iter().position(|(own, _)| own == text);
        let (text, query) = match at.and_then(|at| self.queries.remove(at)) {
            Some(known) => known,
            None => (text.to_owned(), Box::new(parser::parse(text)?)),
        };
        limits.check(&query)?;
        let rows = operators::run(&query, None, now, tables, &mut self.made)?;
        self.queries.truncate(QUERIES_MAX - 1);
        self.queries.push_front((text, query));
        Ok(rows.into_iter().map(Row::shared).collect())
    }
}

impl Made {
    /// Does the first operators of a query as far as they are worth remembering; returns the rows
    /// that they leave, and the operators that are left.
    pub(crate) fn first_rows<'a>(
        &mut self,
        query: &'a Query,
        rows: Vec<Arc<Value>>,
        now: DateTime<Utc>,
    ) -> Result<(Vec<Row>, &'a [Operator]), KqlError> {
        let own = query.operators.iter();
        let first = own.take_while(|own| is_of_a_row(own) && !has_a_long_list(own));
        let (first, rest) = query.operators.split_at(first.count());
        let mut known = self.beginnings.iter();
        let at = known.position(|own| own.table == query.table && own.operators == first);
        let Some(mut beginning) = at.and_then(|at| self.beginnings.remove(at)) else {
            if !first.is_empty() {
                self.remember(Beginning {
                    table: query.table.clone(),
                    operators: first.to_vec(),
                    rows: HashMap::new(),
                });
            }
            return Ok((rows.into_iter().map(Row::from).collect(), &query.operators));
        };
        let mut before = std::mem::take(&mut beginning.rows);
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
        beginning.rows = after;
        self.remember(beginning);
        Ok((out, rest))
    }

    fn remember(&mut self, beginning: Beginning) {
        self.beginnings.truncate(BEGINNINGS_MAX - 1);
        self.beginnings.push_front(beginning);
    }
}

/// Tells whether an operator asks for membership in a list that hardly comes again.
fn has_a_long_list(operator: &Operator) -> bool {
    fn is_in(expr: &Expr) -> bool {
        match expr {
            Expr::In { list, .. } => list.len() > LIST_MAX,
            Expr::And(left, right) | Expr::Or(left, right) => is_in(left) || is_in(right),
            Expr::Not(inner) => is_in(inner),
            _ => false,
        }
    }
    matches!(operator, Operator::Where(condition) if is_in(condition))
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
