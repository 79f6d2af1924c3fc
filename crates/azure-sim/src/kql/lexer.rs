//! Cuts query text into words.

use crate::kql::KqlError;

/// One word of a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A name or keyword, as spelled; `in~` and `!in~` are names here.
    Name(String),
    Number(f64),
    Text(String),
    /// A length of time in seconds (`7d`).
    Span(f64),
    /// Punctuation and operators.
    Sign(&'static str),
}

/// A word and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spot {
    pub(crate) token: Token,
    pub(crate) at: usize,
}

/// Signs, longest first.
const SIGNS: [&str; 21] = [
    "=~", "!~", "==", "!=", ">=", "<=", "..", "|", "(", ")", "[", "]", ",", ".", "=", ">", "<",
    "+", "-", ";", ":",
];

/// Query text longer than this is refused.
const LENGTH_BOUND: usize = 64 * 1024;

/// Cuts query text into words.
pub(crate) fn lex(chars: &[char]) -> Result<Vec<Spot>, KqlError> {
    if chars.len() > LENGTH_BOUND {
        return Err(KqlError::Semantic("the query is too long".to_owned()));
    }
    let mut out = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let letter = chars[at];
        if letter.is_whitespace() {
            at += 1;
        } else if letter == '/' && chars.get(at + 1) == Some(&'/') {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else {
            let (token, next) = word(chars, at)?;
            out.push(Spot { token, at });
            at = next;
        }
    }
    Ok(out)
}

fn word(chars: &[char], at: usize) -> Result<(Token, usize), KqlError> {
    let letter = chars[at];
    if letter.is_ascii_digit() {
        return Ok(number(chars, at));
    }
    if letter.is_alphabetic() || letter == '_' || letter == '$' {
        return Ok(name(chars, at));
    }
    if letter == '!' && chars.get(at + 1).is_some_and(|next| next.is_alphabetic()) {
        let (token, next) = name(chars, at + 1);
        if let Token::Name(word) = token {
            return Ok((Token::Name(format!("!{word}")), next));
        }
    }
    if letter == '@' && matches!(chars.get(at + 1), Some('\'' | '"')) {
        return text(chars, at + 1, true);
    }
    if letter == '\'' || letter == '"' {
        return text(chars, at, false);
    }
    for sign in SIGNS {
        let end = at + sign.len();
        if end <= chars.len() && chars[at..end].iter().collect::<String>() == sign {
            return Ok((Token::Sign(sign), end));
        }
    }
    Err(KqlError::Syntax {
        at,
        what: format!("unexpected character '{letter}'"),
    })
}

fn name(chars: &[char], from: usize) -> (Token, usize) {
    let mut at = from;
    while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_' || chars[at] == '$')
    {
        at += 1;
    }
    let mut word: String = chars[from..at].iter().collect();
    // `in~`, `has~` and the like; a tilde never follows another name.
    if chars.get(at) == Some(&'~') && word.eq_ignore_ascii_case("in") {
        word.push('~');
        at += 1;
    }
    // `mv-expand` and `project-away` are one word each.
    let dashed = ["project", "mv"].iter().any(|head| word == *head)
        && chars.get(at) == Some(&'-')
        && chars.get(at + 1).is_some_and(|next| next.is_alphabetic());
    if dashed {
        at += 1;
        word.push('-');
        while at < chars.len() && chars[at].is_alphabetic() {
            word.push(chars[at]);
            at += 1;
        }
    }
    (Token::Name(word), at)
}

fn number(chars: &[char], from: usize) -> (Token, usize) {
    let mut at = from;
    while at < chars.len() && chars[at].is_ascii_digit() {
        at += 1;
    }
    if chars.get(at) == Some(&'.') && chars.get(at + 1).is_some_and(char::is_ascii_digit) {
        at += 1;
        while at < chars.len() && chars[at].is_ascii_digit() {
            at += 1;
        }
    }
    let value: f64 = chars[from..at]
        .iter()
        .collect::<String>()
        .parse()
        .unwrap_or(0.0);
    let unit = match chars.get(at) {
        Some('d') => Some(86_400.0),
        Some('h') => Some(3_600.0),
        Some('m') => Some(60.0),
        Some('s') => Some(1.0),
        _ => None,
    };
    let ends = chars.get(at + 1).is_none_or(|next| !next.is_alphanumeric());
    match unit {
        Some(seconds) if ends => (Token::Span(value * seconds), at + 1),
        _ => (Token::Number(value), at),
    }
}

/// Reads quoted text; a verbatim text knows no escapes.
fn text(chars: &[char], from: usize, verbatim: bool) -> Result<(Token, usize), KqlError> {
    let quote = chars[from];
    let mut out = String::new();
    let mut at = from + 1;
    while let Some(letter) = chars.get(at) {
        match letter {
            letter if *letter == quote => return Ok((Token::Text(out), at + 1)),
            '\\' if !verbatim => {
                let escaped = chars.get(at + 1).copied().unwrap_or('\\');
                out.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                });
                at += 2;
            }
            letter => {
                out.push(*letter);
                at += 1;
            }
        }
    }
    Err(KqlError::Syntax {
        at: from,
        what: "text without an end".to_owned(),
    })
}
