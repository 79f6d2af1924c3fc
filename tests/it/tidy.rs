//! The house rules as ordinary tests: they walk the sources and print `file:line` and the cure.
//!
//! Needs no compiler but the test's own: everything here reads text. Each rule is a function of
//! sources, so that a test beside it can feed it a bad snippet and see that it fires.

// tests may unwrap
#![allow(clippy::unwrap_used)]

mod imports;
mod pages;
mod planted;
mod size;
mod source;
mod words;

use source::{Finding, Source};

/// Fails with all findings of a rule at once.
fn none(findings: Vec<Finding>) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} findings:\n{}",
        lines.len(),
        lines.join("\n")
    );
}

/// Applies a rule to one snippet that pretends to be the file `path`; returns what it found, as
/// `line: text`.
fn found(rule: impl Fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> Vec<String> {
    let findings = rule(&Source::new(path, text));
    findings
        .iter()
        .map(|own| format!("{}: {}", own.line, own.says))
        .collect()
}

/// Fails unless a rule finds something on exactly these lines of a snippet.
fn fires(rule: impl Fn(&Source) -> Vec<Finding>, path: &str, text: &str, lines: &[usize]) {
    let findings = rule(&Source::new(path, text));
    let on: Vec<usize> = findings.iter().map(|own| own.line).collect();
    assert_eq!(on, lines, "{path}: {text}\n{findings:#?}");
}
