//! Bounds what one query may join (azure-docs, governance/resource-graph/concepts/
//! query-language.md, "Supported tabular operators").

use std::collections::BTreeSet;

use crate::kql::KqlError;
use crate::kql::ast::{Operator, Query};

/// `join`, legs of `union` and `mv-expand` in one query at most.
const OPERATORS: usize = 3;

/// Tables that may be joined and united with each other as if they were one.
const KINDRED: [&str; 2] = ["resources", "resourcecontainers"];

/// What one query may ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Joins to a table other than the first.
    pub(crate) remote_tables: usize,
}

#[derive(Default)]
struct Counted {
    joins: usize,
    legs: usize,
    expansions: usize,
    remote: Vec<String>,
}

impl Limits {
    pub(crate) fn check(self, query: &Query) -> Result<(), KqlError> {
        let mut counted = Counted::default();
        count(query, &mut counted)?;
        let operators = [
            ("join", counted.joins),
            ("union", counted.legs),
            ("mv-expand", counted.expansions),
        ];
        for (name, found) in operators {
            if found > OPERATORS {
                let text = format!("a query may have {OPERATORS} {name} operators, not {found}");
                return Err(KqlError::TooMuch(text));
            }
        }
        let distinct: BTreeSet<&String> = counted.remote.iter().collect();
        if counted.remote.len() > self.remote_tables || distinct.len() < counted.remote.len() {
            let text = format!(
                "a query may join {} other tables, each once, not {}",
                self.remote_tables,
                counted.remote.join(", ")
            );
            return Err(KqlError::TooMuch(text));
        }
        Ok(())
    }
}

fn is_kindred(left: &str, right: &str) -> bool {
    left == right || (KINDRED.contains(&left) && KINDRED.contains(&right))
}

fn count(query: &Query, counted: &mut Counted) -> Result<(), KqlError> {
    let own = query.table.to_lowercase();
    for operator in &query.operators {
        match operator {
            Operator::Join { query, .. } => {
                counted.joins += 1;
                let other = query.table.to_lowercase();
                if !is_kindred(&own, &other) {
                    counted.remote.push(other);
                }
                count(query, counted)?;
            }
            Operator::Union(queries) => {
                for query in queries {
                    counted.legs += 1;
                    if !is_kindred(&own, &query.table.to_lowercase()) {
                        let text = format!("{own} and {} cannot be united", query.table);
                        return Err(KqlError::TooMuch(text));
                    }
                    count(query, counted)?;
                }
            }
            Operator::MvExpand(_) => counted.expansions += 1,
            _ => {}
        }
    }
    Ok(())
}
