//! The tracked text files, and Rust code parted from its comments and strings.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

/// Folders that are not sources.
const IGNORED: [&str; 4] = ["target", ".git", "proptest-regressions", "node_modules"];

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// The file, relative to the root.
    pub(super) path: String,
    /// The line, from 1.
    pub(super) line: usize,
    /// What is wrong, and the cure.
    pub(super) says: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.says)
    }
}

/// One text file.
pub(super) struct Source {
    /// Its path, relative to the root, with slashes.
    pub(super) path: String,
    /// Its lines as they are.
    pub(super) lines: Vec<String>,
    /// Its lines with comments and the insides of strings blanked, if it is Rust.
    pub(super) code: Vec<String>,
    /// Whether each line belongs to a test.
    pub(super) is_test: Vec<bool>,
}

impl Source {
    /// Reads a text as the file of that path.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let code = if path.ends_with(".rs") {
            blank(text).lines().map(str::to_owned).collect()
        } else {
            Vec::new()
        };
        let whole = path.starts_with("tests/") || path.contains("/tests/");
        let whole = whole || path.ends_with("tests.rs");
        let mut is_test = vec![whole; lines.len()];
        for (first, last) in inline_tests(&code) {
            is_test[first..=last].fill(true);
        }
        Self {
            path: path.to_owned(),
            lines,
            code,
            is_test,
        }
    }

    /// Tells whether it is Rust.
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Returns a finding on a line, counted from 0.
    pub(super) fn finding(&self, index: usize, says: impl Into<String>) -> Finding {
        Finding {
            path: self.path.clone(),
            line: index + 1,
            says: says.into(),
        }
    }

    /// Returns the lines of code outside tests, each with its index.
    pub(super) fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.iter().enumerate();
        lines
            .filter(|(index, _)| !self.is_test[*index])
            .map(|(index, line)| (index, line.as_str()))
    }

    /// Returns the files that `#[cfg(test)] mod name;` makes tests, without their ending.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.strip_suffix("/mod.rs") {
            Some(folder) => folder.to_owned(),
            None => {
                let stem = self.path.strip_suffix(".rs").unwrap_or(&self.path);
                let is_root = stem.ends_with("/lib") || stem.ends_with("/main");
                let cut = if is_root {
                    stem.rfind('/').unwrap()
                } else {
                    stem.len()
                };
                stem[..cut].to_owned()
            }
        };
        let pairs = self.code.iter().zip(self.code.iter().skip(1));
        pairs
            .filter(|(before, _)| before.trim() == "#[cfg(test)]")
            .filter_map(|(_, line)| line.trim().strip_suffix(';')?.split_once("mod "))
            .map(|(_, name)| format!("{folder}/{name}"))
            .collect()
    }
}

/// Returns the folder that all paths are relative to.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns all text files of the tree, sorted by path; they are read once.
pub(super) fn tree() -> &'static [Source] {
    static TREE: OnceLock<Vec<Source>> = OnceLock::new();
    TREE.get_or_init(read_tree)
}

fn read_tree() -> Vec<Source> {
    let mut paths = Vec::new();
    walk(root(), &mut paths);
    let mut sources: Vec<Source> = paths
        .iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(root().join(path)).ok()?;
            Some(Source::new(path, &text))
        })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    let tests: BTreeSet<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        let stem = source.path.strip_suffix(".rs").unwrap_or_default();
        if tests
            .iter()
            .any(|own| stem == own || stem.starts_with(&format!("{own}/")))
        {
            source.is_test.fill(true);
        }
    }
    assert!(
        sources.iter().any(|own| own.path == "src/lib.rs"),
        "the walk found no sources"
    );
    sources
}

/// Reads one file of the tree.
pub(super) fn read(path: &str) -> String {
    let text = std::fs::read_to_string(root().join(path));
    text.unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

fn walk(folder: &Path, paths: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if IGNORED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, paths);
        } else {
            let relative = path.strip_prefix(root()).unwrap();
            paths.push(relative.to_string_lossy().replace('\\', "/"));
        }
    }
}

/// Returns first and last line of each `#[cfg(test)] mod name { … }`.
fn inline_tests(code: &[String]) -> Vec<(usize, usize)> {
    let starts = code
        .iter()
        .enumerate()
        .filter(|(_, line)| line.trim() == "#[cfg(test)]");
    starts
        .filter(|(index, _)| {
            let next = code
                .get(index + 1)
                .map(|line| line.trim())
                .unwrap_or_default();
            next.contains("mod ") && next.ends_with('{')
        })
        .filter_map(|(index, _)| Some((index, end_of_block(code, index)?)))
        .collect()
}

/// Returns the line on which the first block that opens on or after a line closes.
pub(super) fn end_of_block(code: &[String], from: usize) -> Option<usize> {
    let mut depth = 0;
    for (index, line) in code.iter().enumerate().skip(from) {
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 1 => return Some(index),
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    None
}

/// Blanks comments and the insides of strings and characters; every line stays where it is.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match token(&chars, at) {
            Token::Code => {
                out.push(chars[at]);
                at += 1;
                continue;
            }
            Token::Blank(end) => end.min(chars.len()),
        };
        // The marks stay, so that a literal still looks like one.
        let mark = if chars[at] == '/' { ' ' } else { '"' };
        out.push(mark);
        let inside = &chars[at + 1..end];
        out.extend(inside.iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

enum Token {
    Code,
    Blank(usize),
}

fn token(chars: &[char], at: usize) -> Token {
    let next = chars.get(at + 1).copied();
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let before = |back: usize| at.checked_sub(back).map(|own| chars[own]);
    let is_byte = matches!(before(1), Some('b' | 'c')) && !before(2).is_some_and(is_name);
    let starts = is_byte || !before(1).is_some_and(is_name);
    match chars[at] {
        '/' if next == Some('/') => {
            Token::Blank(find(chars, at, |rest| rest[0] == '\n').unwrap_or(chars.len()))
        }
        '/' if next == Some('*') => Token::Blank(end_of_comment(chars, at)),
        '"' => Token::Blank(end_of_string(chars, at + 1)),
        'r' if starts && matches!(next, Some('"' | '#')) => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            if chars.get(at + 1 + hashes) != Some(&'"') {
                return Token::Code;
            }
            let closed = |rest: &[char]| {
                rest[0] == '"'
                    && rest[1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
            };
            let end =
                find(chars, at + 2 + hashes, closed).map_or(chars.len(), |own| own + 1 + hashes);
            Token::Blank(end)
        }
        '\'' if next == Some('\\') => Token::Blank(
            find(chars, at + 3, |rest| rest[0] == '\'').map_or(chars.len(), |own| own + 1),
        ),
        '\'' if chars.get(at + 2) == Some(&'\'') => Token::Blank(at + 3),
        _ => Token::Code,
    }
}

fn find(chars: &[char], from: usize, holds: impl Fn(&[char]) -> bool) -> Option<usize> {
    (from..chars.len()).find(|&at| holds(&chars[at..]))
}

fn end_of_string(chars: &[char], from: usize) -> usize {
    let mut at = from;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn end_of_comment(chars: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

/// Returns the names of a line of code: identifiers and keywords, each with where it starts.
pub(super) fn names(line: &str) -> Vec<(usize, &str)> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        match (start, is_name(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                found.push((from, &line[from..at]));
                start = None;
            }
            _ => {}
        }
    }
    found
}

#[test]
fn comments_and_strings_are_no_code_and_lines_stay() {
    let text = [
        "let a = \"tokio // x\"; // kube",
        "let b = r#\"a \" b\"#; /* /* x */ y",
        "*/ let c = '\"'; let d: &'a str = '\\'';",
        "let e = br\"\\\"; let f = \"\\\" g\\",
        " h\"; let i = 1;",
    ]
    .join("\n");
    let text = text.as_str();
    let code = blank(text);
    assert_eq!(code.lines().count(), text.lines().count());
    let words: Vec<&str> = code.lines().flat_map(names).map(|(_, name)| name).collect();
    let expected = [
        "let", "a", "let", "b", "let", "c", "let", "d", "a", "str", "let", "e", "b", "let", "f",
        "let", "i", "1",
    ];
    assert_eq!(words, expected);
}

#[test]
fn a_test_module_is_told_from_the_product() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n\
                #[cfg(test)]\nmod other;\n";
    let source = Source::new("src/x.rs", text);
    let product: Vec<&str> = source.product().map(|(_, line)| line).collect();
    assert_eq!(
        product,
        ["fn a() {}", "fn c() {}", "#[cfg(test)]", "mod other;"]
    );
    assert_eq!(source.test_modules(), ["src/x/other"]);
}

#[test]
fn the_walk_leaves_build_results_out() {
    for source in tree() {
        assert!(!source.path.starts_with("target/") && !source.path.starts_with(".git/"));
    }
}
