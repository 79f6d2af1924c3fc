//! Parses expressions, weakest binding first.

use crate::kql::KqlError;
use crate::kql::ast::{Comparison, Expr};
use crate::kql::lexer::Token;
use crate::kql::parser::Parser;

impl Parser {
    pub(crate) fn expr(&mut self) -> Result<Expr, KqlError> {
        self.deeper()?;
        let mut left = self.and()?;
        while self.keyword("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        self.shallower();
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, KqlError> {
        let mut left = self.comparison()?;
        while self.keyword("and") {
            left = Expr::And(Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expr, KqlError> {
        let left = self.sum()?;
        if let Some(Token::Name(word)) = self.peek().cloned() {
            return self.word_comparison(left, &word);
        }
        let comparison = match self.peek() {
            Some(Token::Sign("==")) => Comparison::Equal,
            Some(Token::Sign("!=")) => Comparison::NotEqual,
            Some(Token::Sign("=~")) => Comparison::EqualIgnoreCase,
            Some(Token::Sign("!~")) => Comparison::NotEqualIgnoreCase,
            Some(Token::Sign(">")) => Comparison::Greater,
            Some(Token::Sign(">=")) => Comparison::GreaterOrEqual,
            Some(Token::Sign("<")) => Comparison::Less,
            Some(Token::Sign("<=")) => Comparison::LessOrEqual,
            _ => return Ok(left),
        };
        self.next();
        let right = self.sum()?;
        Ok(Expr::Compare(comparison, Box::new(left), Box::new(right)))
    }

    /// Reads comparisons spelled as words: `in~`, `has`, `!contains` and the like.
    fn word_comparison(&mut self, left: Expr, word: &str) -> Result<Expr, KqlError> {
        let (negated, plain) = match word.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, word),
        };
        let comparison = match plain.to_lowercase().as_str() {
            "in" | "in~" => {
                self.next();
                let ignore_case = plain.ends_with('~');
                let list = self.list()?;
                let texts = list.iter().filter_map(|item| match item {
                    Expr::Text(text) if ignore_case => Some(text.to_lowercase()),
                    Expr::Text(text) => Some(text.clone()),
                    _ => None,
                });
                return Ok(Expr::In {
                    ignore_case,
                    negated,
                    value: Box::new(left),
                    texts: texts.collect(),
                    list,
                });
            }
            "between" => return self.between(left),
            "contains" => Comparison::Contains(negated),
            "contains_cs" => Comparison::ContainsCase(negated),
            "has" => Comparison::Has(negated),
            "startswith" => Comparison::StartsWith(negated),
            "endswith" => Comparison::EndsWith(negated),
            // The keyword of what follows the expression.
            _ => return Ok(left),
        };
        self.next();
        let right = self.sum()?;
        Ok(Expr::Compare(comparison, Box::new(left), Box::new(right)))
    }

    fn between(&mut self, value: Expr) -> Result<Expr, KqlError> {
        self.next();
        self.expect("(")?;
        let low = self.sum()?;
        self.expect("..")?;
        let high = self.sum()?;
        self.expect(")")?;
        let above = Expr::Compare(
            Comparison::GreaterOrEqual,
            Box::new(value.clone()),
            Box::new(low),
        );
        let below = Expr::Compare(Comparison::LessOrEqual, Box::new(value), Box::new(high));
        Ok(Expr::And(Box::new(above), Box::new(below)))
    }

    fn list(&mut self) -> Result<Vec<Expr>, KqlError> {
        self.expect("(")?;
        let mut out = Vec::new();
        if self.sign(")") {
            return Ok(out);
        }
        loop {
            out.push(self.expr()?);
            if self.sign(")") {
                return Ok(out);
            }
            self.expect(",")?;
        }
    }

    fn sum(&mut self) -> Result<Expr, KqlError> {
        let mut left = self.postfix()?;
        loop {
            let plus = match self.peek() {
                Some(Token::Sign("+")) => true,
                Some(Token::Sign("-")) => false,
                _ => return Ok(left),
            };
            self.next();
            let right = self.postfix()?;
            left = Expr::Arithmetic {
                plus,
                left: Box::new(left),
                right: Box::new(right),
            };
        }
    }

    fn postfix(&mut self) -> Result<Expr, KqlError> {
        let mut out = self.primary()?;
        loop {
            if self.sign(".") {
                out = Expr::Member(Box::new(out), self.name()?);
            } else if self.sign("[") {
                let key = self.expr()?;
                self.expect("]")?;
                out = Expr::Index(Box::new(out), Box::new(key));
            } else {
                return Ok(out);
            }
        }
    }

    fn primary(&mut self) -> Result<Expr, KqlError> {
        match self.peek().cloned() {
            Some(Token::Sign("(")) => {
                self.next();
                let inner = self.expr()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Sign("-")) => {
                self.next();
                let zero = Box::new(Expr::Number(0.0));
                let right = Box::new(self.primary()?);
                Ok(Expr::Arithmetic {
                    plus: false,
                    left: zero,
                    right,
                })
            }
            Some(Token::Number(value)) => {
                self.next();
                Ok(Expr::Number(value))
            }
            Some(Token::Span(seconds)) => {
                self.next();
                Ok(Expr::Span(seconds))
            }
            Some(Token::Text(text)) => {
                self.next();
                Ok(Expr::Text(text))
            }
            Some(Token::Name(name)) => {
                self.next();
                self.named(name)
            }
            _ => Err(self.error("an expression expected")),
        }
    }

    /// Reads what begins with a name: a literal, a call or a column.
    fn named(&mut self, name: String) -> Result<Expr, KqlError> {
        let lower = name.to_lowercase();
        match lower.as_str() {
            "true" => return Ok(Expr::Bool(true)),
            "false" => return Ok(Expr::Bool(false)),
            "datetime" if self.peek() == Some(&Token::Sign("(")) => return self.datetime(),
            "dynamic" if self.peek() == Some(&Token::Sign("(")) => {
                self.expect("(")?;
                if !self.keyword("null") {
                    return Err(self.error("only dynamic(null) is supported"));
                }
                self.expect(")")?;
                return Ok(Expr::Null);
            }
            "not" => {
                self.expect("(")?;
                let inner = self.expr()?;
                self.expect(")")?;
                return Ok(Expr::Not(Box::new(inner)));
            }
            _ => {}
        }
        if self.peek() == Some(&Token::Sign("(")) {
            return Ok(Expr::Call(lower, self.list()?));
        }
        Ok(Expr::Column(name))
    }

    /// Reads `datetime(2026-10-13T17:00:00Z)`, quoted or not, as text to be converted.
    fn datetime(&mut self) -> Result<Expr, KqlError> {
        self.expect("(")?;
        if let Some(Token::Text(text)) = self.peek().cloned() {
            self.next();
            self.expect(")")?;
            return Ok(Expr::Call("todatetime".to_owned(), vec![Expr::Text(text)]));
        }
        let text = self.raw_until(")")?;
        if text == "null" {
            return Ok(Expr::Null);
        }
        Ok(Expr::Call("todatetime".to_owned(), vec![Expr::Text(text)]))
    }
}
