//! CEL's `matches` with the compiled expressions kept: compiling one costs a hundred times the
//! match, and the same few come with every object.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use kube::core::cel::cel::extractors::This;
use kube::core::cel::cel::{ExecutionError, FunctionContext};
use regex::Regex;

/// Expressions that are kept on each thread; when there are more, all are forgotten.
const KEPT_MAX: usize = 256;

thread_local! {
    static KEPT: RefCell<BTreeMap<Arc<String>, Regex>> = const { RefCell::new(BTreeMap::new()) };
}

/// Tells whether a text matches an expression anywhere.
pub(super) fn matches(
    context: &FunctionContext<'_, '_>,
    This(text): This<Arc<String>>,
    expression: Arc<String>,
) -> Result<bool, ExecutionError> {
    KEPT.with_borrow_mut(|kept| {
        if let Some(regex) = kept.get(&expression) {
            return Ok(regex.is_match(&text));
        }
        let regex = Regex::new(&expression).map_err(|error| {
            context.error(format!("'{expression}' not a valid regex:\n{error}"))
        })?;
        let found = regex.is_match(&text);
        if kept.len() == KEPT_MAX {
            kept.clear();
        }
        kept.insert(expression, regex);
        Ok(found)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use kube::core::cel::cel::{Context, Program, Value};

    use super::*;

    fn run(rule: &str) -> Result<Value, ExecutionError> {
        let mut context = Context::default();
        context.add_function("matches", matches);
        Program::compile(rule).unwrap().execute(&context)
    }

    #[test]
    fn a_kept_expression_judges_as_a_fresh_one_and_memory_is_bounded() {
        for _ in 0..2 {
            assert_eq!(run("'abc'.matches('^[a-c]+$')"), Ok(Value::Bool(true)));
            assert_eq!(run("'abd'.matches('^[a-c]+$')"), Ok(Value::Bool(false)));
            let broken = run("'a'.matches('[')").unwrap_err().to_string();
            assert!(broken.contains("not a valid regex"), "{broken}");
        }
        for number in 0..2 * KEPT_MAX {
            let rule = format!("'x{number}y'.matches('x{number}y')");
            assert_eq!(run(&rule), Ok(Value::Bool(true)));
        }
        assert!(KEPT.with_borrow(BTreeMap::len) <= KEPT_MAX);
    }
}
