//! Parses words into a query.

use crate::kql::KqlError;
use crate::kql::ast::{Column, Expr, Operator, Query};
use crate::kql::lexer::{Spot, Token, lex};

/// Nesting of queries and expressions deeper than this is refused.
const DEPTH_BOUND: usize = 64;

/// Parses query text.
pub(crate) fn parse(text: &str) -> Result<Query, KqlError> {
    let text: Vec<char> = text.chars().collect();
    let spots = lex(&text)?;
    let mut parser = Parser {
        spots,
        at: 0,
        depth: 0,
        text,
    };
    let query = parser.query()?;
    parser.sign(";");
    if parser.at < parser.spots.len() {
        return Err(parser.error("unexpected text after the query"));
    }
    Ok(query)
}

/// Reads words from left to right.
pub(crate) struct Parser {
    spots: Vec<Spot>,
    at: usize,
    depth: usize,
    text: Vec<char>,
}

impl Parser {
    pub(crate) fn peek(&self) -> Option<&Token> {
        self.spots.get(self.at).map(|spot| &spot.token)
    }

    pub(crate) fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += 1;
        token
    }

    pub(crate) fn error(&self, what: &str) -> KqlError {
        let at = self
            .spots
            .get(self.at)
            .map_or(self.text.len(), |spot| spot.at);
        KqlError::Syntax {
            at,
            what: what.to_owned(),
        }
    }

    /// Goes one level deeper, or refuses.
    pub(crate) fn deeper(&mut self) -> Result<(), KqlError> {
        self.depth += 1;
        if self.depth > DEPTH_BOUND {
            Err(self.error("nested too deep"))
        } else {
            Ok(())
        }
    }

    pub(crate) fn shallower(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Takes a sign if it is next.
    pub(crate) fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        if found {
            self.at += 1;
        }
        found
    }

    pub(crate) fn expect(&mut self, sign: &str) -> Result<(), KqlError> {
        if self.sign(sign) {
            Ok(())
        } else {
            Err(self.error(&format!("'{sign}' expected")))
        }
    }

    /// Takes a keyword if it is next.
    pub(crate) fn keyword(&mut self, word: &str) -> bool {
        let found = self.is_keyword(word);
        if found {
            self.at += 1;
        }
        found
    }

    pub(crate) fn is_keyword(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(name)) if name.eq_ignore_ascii_case(word))
    }

    /// Takes the text as it is written up to a sign, and the sign: for literals without quotes.
    pub(crate) fn raw_until(&mut self, sign: &str) -> Result<String, KqlError> {
        let from = self
            .spots
            .get(self.at)
            .map_or(self.text.len(), |spot| spot.at);
        while self.at < self.spots.len() {
            let at = self.spots[self.at].at;
            if self.sign(sign) {
                return Ok(self.text[from..at]
                    .iter()
                    .collect::<String>()
                    .trim()
                    .to_owned());
            }
            self.at += 1;
        }
        Err(self.error(&format!("'{sign}' expected")))
    }

    pub(crate) fn name(&mut self) -> Result<String, KqlError> {
        match self.next() {
            Some(Token::Name(name)) => Ok(name),
            _ => {
                self.at -= 1;
                Err(self.error("a name expected"))
            }
        }
    }

    fn query(&mut self) -> Result<Query, KqlError> {
        self.deeper()?;
        let table = self.name()?;
        let mut operators = Vec::new();
        while self.sign("|") {
            operators.push(self.operator()?);
        }
        self.shallower();
        Ok(Query { table, operators })
    }

    fn operator(&mut self) -> Result<Operator, KqlError> {
        let word = self.name()?;
        match word.to_lowercase().as_str() {
            "where" | "filter" => Ok(Operator::Where(self.expr()?)),
            "extend" => Ok(Operator::Extend(self.columns()?)),
            "project" => Ok(Operator::Project(self.columns()?)),
            "project-away" => Ok(Operator::ProjectAway(self.names()?)),
            "distinct" => Ok(Operator::Distinct(self.columns()?)),
            "order" | "sort" => self.order(),
            "take" | "limit" => match self.next() {
                // A whole, small number; what is larger than the rows there are takes all.
                Some(Token::Number(count)) => Ok(Operator::Take(count as usize)),
                _ => Err(self.error("a number expected")),
            },
            "count" => Ok(Operator::Count),
            "summarize" => self.summarize(),
            "join" => self.join(),
            "mv-expand" => Ok(Operator::MvExpand(self.column()?)),
            "union" => self.union(),
            _ => Err(KqlError::Unsupported {
                what: "operator",
                name: word,
            }),
        }
    }

    fn order(&mut self) -> Result<Operator, KqlError> {
        if !self.keyword("by") {
            return Err(self.error("'by' expected"));
        }
        let mut out = Vec::new();
        loop {
            let expr = self.expr()?;
            // Kusto orders from high to low unless told otherwise.
            let ascending = self.keyword("asc");
            if !ascending {
                self.keyword("desc");
            }
            if self.keyword("nulls") {
                self.name()?;
            }
            out.push((expr, ascending));
            if !self.sign(",") {
                return Ok(Operator::Order(out));
            }
        }
    }

    fn summarize(&mut self) -> Result<Operator, KqlError> {
        let values = if self.is_keyword("by") {
            Vec::new()
        } else {
            self.columns()?
        };
        let by = if self.keyword("by") {
            self.columns()?
        } else {
            Vec::new()
        };
        Ok(Operator::Summarize { values, by })
    }

    fn join(&mut self) -> Result<Operator, KqlError> {
        let mut kind = "innerunique".to_owned();
        if self.keyword("kind") {
            self.expect("=")?;
            kind = self.name()?.to_lowercase();
        }
        let inner = match kind.as_str() {
            "inner" | "innerunique" => true,
            "leftouter" => false,
            _ => {
                return Err(KqlError::Unsupported {
                    what: "join kind",
                    name: kind,
                });
            }
        };
        self.expect("(")?;
        let query = self.query()?;
        self.expect(")")?;
        if !self.keyword("on") {
            return Err(self.error("'on' expected"));
        }
        let mut on = Vec::new();
        loop {
            on.push(self.join_key()?);
            if !self.sign(",") {
                return Ok(Operator::Join { inner, query, on });
            }
        }
    }

    /// Reads `key` or `$left.a == $right.b`.
    fn join_key(&mut self) -> Result<(String, String), KqlError> {
        let name = self.name()?;
        if name != "$left" {
            return Ok((name.clone(), name));
        }
        self.expect(".")?;
        let left = self.name()?;
        self.expect("==")?;
        if self.name()? != "$right" {
            return Err(self.error("'$right' expected"));
        }
        self.expect(".")?;
        Ok((left, self.name()?))
    }

    fn union(&mut self) -> Result<Operator, KqlError> {
        let mut out = Vec::new();
        loop {
            if self.sign("(") {
                out.push(self.query()?);
                self.expect(")")?;
            } else {
                out.push(Query {
                    table: self.name()?,
                    operators: Vec::new(),
                });
            }
            if !self.sign(",") {
                return Ok(Operator::Union(out));
            }
        }
    }

    fn names(&mut self) -> Result<Vec<String>, KqlError> {
        let mut out = vec![self.name()?];
        while self.sign(",") {
            out.push(self.name()?);
        }
        Ok(out)
    }

    fn columns(&mut self) -> Result<Vec<Column>, KqlError> {
        let mut out = vec![self.column()?];
        while self.sign(",") {
            out.push(self.column()?);
        }
        Ok(out)
    }

    /// Reads `name = expression`, or an expression that names itself.
    fn column(&mut self) -> Result<Column, KqlError> {
        let named = matches!(
            (
                self.peek(),
                self.spots.get(self.at + 1).map(|spot| &spot.token)
            ),
            (Some(Token::Name(_)), Some(Token::Sign("=")))
        );
        if named {
            let name = self.name()?;
            self.expect("=")?;
            return Ok(Column {
                name,
                expr: self.expr()?,
            });
        }
        let expr = self.expr()?;
        Ok(Column {
            name: own_name(&expr),
            expr,
        })
    }
}

/// Gives the name a column has by itself, as Resource Graph builds it.
fn own_name(expr: &Expr) -> String {
    match expr {
        Expr::Column(name) => name.clone(),
        Expr::Member(inner, name) => format!("{}_{name}", own_name(inner)),
        Expr::Index(inner, key) => match key.as_ref() {
            Expr::Text(key) => format!("{}_{key}", own_name(inner)),
            Expr::Number(at) => format!("{}_{at}", own_name(inner)),
            _ => own_name(inner),
        },
        Expr::Call(name, arguments) => match (name.as_str(), arguments.first()) {
            ("count", _) => "count_".to_owned(),
            ("tostring" | "tolower" | "toupper" | "tobool" | "toint" | "todatetime", Some(of)) => {
                own_name(of)
            }
            (_, Some(of)) => format!("{name}_{}", own_name(of)),
            (_, None) => name.clone(),
        },
        _ => "Column1".to_owned(),
    }
}
