//! Lines, functions and files fit a screen.

use super::source::{Finding, Source, end_of_block, names, read, tree};
use super::{fires, none};

/// Columns of a line of Rust.
const COLUMNS_MAX: usize = 100;

/// A word this long, such as a resource id, is not broken.
const WORD_COLUMNS: usize = 90;

/// Lines of a file before its tests.
const FILE_LINES_MAX: usize = 400;

/// Lines of a function.
const FUNCTION_LINES_MAX: usize = 70;

/// Lines of a file of tests. Tests are tables, and tables grow by rows.
const TEST_FILE_LINES_MAX: usize = 1000;

/// Lines of a test.
const TEST_FUNCTION_LINES_MAX: usize = 180;

/// A file or function that may be longer, up to `lines`. The list may only shrink.
struct Exception {
    path: &'static str,
    /// The function; none is the file.
    function: Option<&'static str>,
    lines: usize,
    /// Why. Read by people.
    reason: &'static str,
}

const EXCEPTIONS: [Exception; 3] = [
    Exception {
        path: "src/domain/machine.rs",
        function: None,
        lines: 600,
        reason: "facts only: one type after another, no logic to look for",
    },
    Exception {
        path: "src/domain/run/follow.rs",
        function: None,
        lines: 630,
        reason: "the step function of the run protocol: all steps in one place",
    },
    Exception {
        path: "src/domain/run/follow.rs",
        function: Some("running"),
        lines: 78,
        reason: "all ends of a command, in the order of what they prove",
    },
];

/// A length over its limit.
struct Long {
    index: usize,
    function: Option<String>,
    lines: usize,
    max: usize,
}

/// Returns the files and functions of a source that are too long, exceptions or not.
fn long(source: &Source) -> Vec<Long> {
    let mut found = Vec::new();
    if !source.is_rust() {
        return found;
    }
    let product = source.is_test.iter().filter(|own| !**own).count();
    let is_test_file = product == 0;
    let (lines, max) = if is_test_file {
        (source.lines.len(), TEST_FILE_LINES_MAX)
    } else {
        (product, FILE_LINES_MAX)
    };
    if lines > max {
        found.push(Long {
            index: 0,
            function: None,
            lines,
            max,
        });
    }
    for (index, function, lines) in functions(source) {
        let is_test = source.is_test[index];
        let max = if is_test {
            TEST_FUNCTION_LINES_MAX
        } else {
            FUNCTION_LINES_MAX
        };
        if lines > max {
            found.push(Long {
                index,
                function: Some(function),
                lines,
                max,
            });
        }
    }
    found
}

/// Returns each function with a body: its line, name and length.
fn functions(source: &Source) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for (index, line) in source.code.iter().enumerate() {
        let words = names(line);
        let Some(at) = words.iter().position(|(_, name)| *name == "fn") else {
            continue;
        };
        let Some((_, name)) = words.get(at + 1) else {
            continue;
        };
        // Where a semicolon ends a line before a block opens, there is no body.
        let mut rest = source.code[index..].iter();
        let opens = rest.find(|line| line.contains('{') || line.trim_end().ends_with(';'));
        let has_body = opens.is_some_and(|line| line.contains('{'));
        let end = has_body
            .then(|| end_of_block(&source.code, index))
            .flatten();
        if let Some(end) = end {
            found.push((index, (*name).to_owned(), end - index + 1));
        }
    }
    found
}

fn excepted<'a>(source: &Source, own: &Long, exceptions: &'a [Exception]) -> Option<&'a Exception> {
    exceptions.iter().find(|exception| {
        exception.path == source.path
            && exception.function == own.function.as_deref()
            && own.lines <= exception.lines
    })
}

fn too_long(source: &Source, exceptions: &[Exception]) -> Vec<Finding> {
    let longs = long(source)
        .into_iter()
        .filter(|own| excepted(source, own, exceptions).is_none());
    longs
        .map(|own| {
            let what = own
                .function
                .map_or("the file".to_owned(), |name| format!("`{name}`"));
            let says = format!(
                "{what} has {} lines, {} are the most: split it by concept",
                own.lines, own.max
            );
            source.finding(own.index, says)
        })
        .collect()
}

fn too_wide(source: &Source) -> Vec<Finding> {
    if !source.is_rust() {
        return Vec::new();
    }
    let lines = source.lines.iter().enumerate();
    lines
        .filter_map(|(index, line)| {
            let columns = line.chars().count();
            let words = line.split_whitespace();
            let is_breakable = words.map(|word| word.chars().count()).max() < Some(WORD_COLUMNS);
            (columns > COLUMNS_MAX && is_breakable).then(|| {
                let says = format!(
                    "{columns} columns, {COLUMNS_MAX} are the most: run `cargo fmt \
                                    --all`, then break the string or comment"
                );
                source.finding(index, says)
            })
        })
        .collect()
}

/// Returns the exceptions that are not needed any more.
fn stale<'a>(sources: &[Source], exceptions: &'a [Exception]) -> Vec<&'a Exception> {
    let is_needed = |exception: &Exception| {
        let source = sources.iter().find(|own| own.path == exception.path);
        source.is_some_and(|source| {
            long(source)
                .iter()
                .any(|own| own.function.as_deref() == exception.function)
        })
    };
    exceptions.iter().filter(|own| !is_needed(own)).collect()
}

#[test]
fn files_and_functions_fit_a_screen() {
    none(
        tree()
            .iter()
            .flat_map(|own| too_long(own, &EXCEPTIONS))
            .collect(),
    );
}

#[test]
fn lines_fit_a_screen() {
    none(tree().iter().flat_map(too_wide).collect());
}

#[test]
fn an_exception_that_is_not_needed_any_more_is_gone() {
    let gone: Vec<String> = stale(tree(), &EXCEPTIONS)
        .iter()
        .map(|own| format!("{}: {}", own.path, own.function.unwrap_or("the file")))
        .collect();
    assert!(
        gone.is_empty(),
        "short enough, take them out of EXCEPTIONS: {gone:#?}"
    );
    for own in &EXCEPTIONS {
        assert!(
            own.reason.len() > 20,
            "{}: say why it is an exception",
            own.path
        );
    }
}

#[test]
fn the_formatter_keeps_the_same_width() {
    assert!(read("rustfmt.toml").contains(&format!("max_width = {COLUMNS_MAX}\n")));
}

#[test]
fn what_is_too_long_is_found() {
    let rule = |source: &Source| too_long(source, &[]);
    let function =
        |lines: usize| format!("pub fn a(\n) {{\n{}}}\n", "    b();\n".repeat(lines - 3));
    fires(rule, "src/a.rs", &function(FUNCTION_LINES_MAX), &[]);
    fires(rule, "src/a.rs", &function(FUNCTION_LINES_MAX + 1), &[1]);
    fires(
        rule,
        "tests/it/a.rs",
        &function(FUNCTION_LINES_MAX + 1),
        &[],
    );
    fires(
        rule,
        "tests/it/a.rs",
        &function(TEST_FUNCTION_LINES_MAX + 1),
        &[1],
    );
    let consts = |lines: usize| "const A: u8 = 1;\n".repeat(lines);
    fires(rule, "src/a.rs", &consts(FILE_LINES_MAX), &[]);
    fires(rule, "src/a.rs", &consts(FILE_LINES_MAX + 1), &[1]);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", consts(100));
    fires(rule, "src/a.rs", &(consts(FILE_LINES_MAX) + &tests), &[]);
    fires(
        rule,
        "tests/it/a.rs",
        &consts(TEST_FILE_LINES_MAX + 1),
        &[1],
    );
}

#[test]
fn what_is_too_wide_is_found() {
    let line = |columns: usize| format!("\n//{}\n", "é ".repeat(columns / 2 - 1) + "é");
    let odd = COLUMNS_MAX - COLUMNS_MAX % 2 + 1;
    let full = format!("{}é", line(odd - 2).trim_end());
    fires(too_wide, "src/a.rs", &full, &[]);
    fires(too_wide, "src/a.rs", &line(odd), &[2]);
    let word = format!("// {}", "/subscriptions".repeat(10));
    fires(too_wide, "src/a.rs", &word, &[]);
}

#[test]
fn an_exception_allows_no_growth_and_goes_stale() {
    let exception = |lines| Exception {
        path: "src/a.rs",
        function: None,
        lines,
        reason: "",
    };
    let source = Source::new("src/a.rs", &"const A: u8 = 1;\n".repeat(410));
    assert!(too_long(&source, &[exception(410)]).is_empty());
    assert_eq!(too_long(&source, &[exception(409)]).len(), 1);
    let short = Source::new("src/a.rs", "const A: u8 = 1;\n");
    assert!(stale(&[source], &[exception(410)]).is_empty());
    assert_eq!(stale(&[short], &[exception(410)]).len(), 1);
}
